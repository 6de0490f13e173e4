"""What the rules ask about one build: its layers with their times, its candidates, its messages."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from trtlens.arrays import of_build
from trtlens.explain.subject import Build, Subject
from trtlens.kept import kept_rows
from trtlens.quantities import duration
from trtlens.reformat_causes import Reformat, ReformatReader
from trtlens.reformats import NO_WORK

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trtlens.engine_graph import EngineGraph, Node
    from trtlens.runs import Run

MEASURED, TUNER = "measured", "the tuner's"
_SMALL_BYTES = 64 * 1024
_FEWEST_COPIES = 3
_WAITING_SHARE = 0.9


@dataclass(frozen=True, slots=True)
class Timed:
    """A layer with the time that is known of it: measured, else the tuner's time for what runs."""

    node: Node
    time_ms: float
    source: str


class Engine:
    """One build of a run, seen by the rules; everything is read on first use."""

    def __init__(self, run: Run, number: int) -> None:
        self.run = run
        self.number = number
        self._build = Build(run, number)
        self.flags = self._build.flags
        self.tuner = self._build.tuner

    @property
    def graph(self) -> EngineGraph:
        """The engine's layers."""
        return self._build.graph

    @cached_property
    def messages(self) -> list[dict[str, Any]]:
        """The build's messages that have a known meaning."""
        table = kept_rows(self.run, "messages")
        rows: list[dict[str, Any]] = of_build(table, self.number).to_pylist()
        return [row for row in rows if row["code"] is not None]

    @cached_property
    def row(self) -> dict[str, Any]:
        """The build's row of the table `builds`."""
        return next(row for row in self.run["builds"].to_pylist() if row["build"] == self.number)

    @cached_property
    def subjects(self) -> dict[int, Subject]:
        """What is known of each layer that computes, by index; parts of Myelin regions left out."""
        nodes = [node for node in self.graph.nodes.values() if not node.is_reformat and node.type not in NO_WORK]
        found = {node.index: self._build.subject(node) for node in nodes}
        return {index: subject for index, subject in found.items() if subject.region is None}

    @cached_property
    def reformats(self) -> list[Reformat]:
        """The engine's reformats with cause and cost."""
        return ReformatReader(self.run, self.number, self.graph).reformats()

    @cached_property
    def launched(self) -> list[Timed]:
        """Layers that launch a kernel, with the time that is known of each; layers without any time left out."""
        costs = {reformat.node.index: reformat.cost_ms for reformat in self.reformats}
        timed = []
        for node in self.graph.nodes.values():
            if node.type in NO_WORK:
                continue
            if node.time_ms is not None:
                timed.append(Timed(node, node.time_ms, MEASURED))
            elif node.index in costs:
                cost = costs[node.index]
                timed += [Timed(node, cost, TUNER)] if cost else []
            elif (time_ms := self.tuned_ms(node)) is not None:
                timed.append(Timed(node, time_ms, TUNER))
        return timed

    def tuned_ms(self, node: Node) -> float | None:
        """The tuner's time for what a computing layer runs; None where that is not known."""
        subject = self.subjects.get(node.index)
        return subject.chosen.time_ms if subject is not None and subject.chosen is not None else None

    def known(self, node: Node) -> float | None:
        """Measured time of a layer, else the tuner's."""
        return node.time_ms if node.time_ms is not None else self.tuned_ms(node)

    @cached_property
    def is_profiled(self) -> bool:
        """Whether the run has measured times of its layers."""
        return any(node.time_ms is not None for node in self.graph.nodes.values())

    @cached_property
    def total_ms(self) -> float | None:
        """Sum of the known times of all layers; None where there are none."""
        return sum(timed.time_ms for timed in self.launched) or None

    @cached_property
    def inference_ms(self) -> float | None:
        """Median GPU time of one inference, timed without a profiler.

        None where the run was not timed as a whole, or where enqueueing takes as long: the GPU waited then, and its
        time holds the wait.
        """
        rows = [row for row in self.run.view("latency").to_pylist() if row["build"] == self.number]
        medians = {row["metric"]: row["median"] for row in reversed(rows)}
        gpu, enqueue = medians.get("gpu_compute_time"), medians.get("enqueue_time")
        return None if gpu is None or (enqueue or 0.0) >= _WAITING_SHARE * gpu else gpu

    @cached_property
    def profiler_ms(self) -> float:
        """What profiling adds to each launch on average: what all layers take together beyond an inference."""
        total, whole = self.total_ms, self.inference_ms
        if not self.is_profiled or total is None or whole is None or total <= whole:
            return 0.0
        return (total - whole) / len(self.launched)

    @property
    def whole_ms(self) -> float | None:
        """What shares are taken of: an inference where the run was timed as a whole, else the sum of all layers."""
        return self.inference_ms if self.profiler_ms else self.total_ms

    def spent(self, times_ms: Iterable[float]) -> float:
        """Sum of layer times, each less what profiling added to it."""
        return sum(max(time_ms - self.profiler_ms, 0.0) for time_ms in times_ms)

    @property
    def share_of(self) -> str:
        """What shares are taken of, in words, and from which times."""
        if not self.profiler_ms:
            return f"of the time of all layers ({self.source} times)"
        added = duration(self.profiler_ms)
        return f"of an inference (measured times, each less the {added} that profiling adds to a launch on average)"

    @property
    def source(self) -> str:
        """Where the times come from, as a word before them."""
        return MEASURED if self.is_profiled else TUNER

    @cached_property
    def floor_ms(self) -> tuple[float, int] | None:
        """What a layer costs that does next to nothing: the median of the smallest copies, and how many those are."""
        times = sorted(timed.time_ms for timed in self.launched if timed.node.is_reformat and _is_small(timed.node))
        if len(times) < _FEWEST_COPIES:
            return None
        return times[len(times) // 2], len(times)


def _is_small(node: Node) -> bool:
    sizes = [tensor.bytes for tensor in (*node.inputs, *node.outputs)]
    known = [size for size in sizes if size is not None]
    return len(known) == len(sizes) and 0 < sum(known) <= _SMALL_BYTES
