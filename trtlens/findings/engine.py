"""What the rules ask about one build: its layers with their times, its candidates, its messages."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from trtlens.engine.inference_timing import Timing, read_timing
from trtlens.engine.kernel_times import KERNELS, KernelTimes, read_kernel_times
from trtlens.engine.kernels_run import kernels_run
from trtlens.engine.reformat_causes import Reformat, read_reformats
from trtlens.explain.subject import Subject, read_build
from trtlens.findings.estimates import Part
from trtlens.findings.stakes import KERNEL_TRACE, LAYER_PROFILER, TUNER, Clock
from trtlens.quantities import duration
from trtlens.runs.run import once
from trtlens.tables.arrays import of_build
from trtlens.tables.engine_layers import NO_WORK
from trtlens.tuning.kept_strategy import kept_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from trtlens.engine.engine_graph import EngineGraph, GraphLayer
    from trtlens.engine.kernels_run import RanKernel
    from trtlens.explain.flags import Flags
    from trtlens.runs.run import Run
    from trtlens.tuning.queries import Tuner

WORTH_SHARE, _HEAVY_SHARE = 0.03, 0.1
"""Shares of all layers' time from which a cost is worth looking at, and heavy."""
_SMALL_BYTES = 64 * 1024
_FEWEST_COPIES = 3


@dataclass(frozen=True, slots=True)
class Timed:
    """A layer with its time by the clock of its engine."""

    node: GraphLayer
    time_ms: float


class Engine:
    """One build of a run, seen by the rules; everything is read on first use."""

    def __init__(self, run: Run, number: int) -> None:
        self.run: Run = run
        self.number: int = number
        self._build = read_build(run, number)
        self.flags: Flags = self._build.flags
        self.tuner: Tuner = self._build.tuner

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
        """Each layer that computes with its tuning record, by index; without parts of Myelin regions."""
        nodes = [node for node in self.graph.nodes.values() if not node.is_reformat and node.type not in NO_WORK]
        found = {node.index: self._build.subject(node) for node in nodes}
        return {index: subject for index, subject in found.items() if subject.region is None}

    @cached_property
    def reformats(self) -> Sequence[Reformat]:
        """The engine's reformats with cause and cost."""
        return read_reformats(self.run, self.number)

    @cached_property
    def launched(self) -> list[Timed]:
        """Layers that launch a kernel, each with its time; layers without a time by the engine's clock left out."""
        if self.is_profiled:
            works = [node for node in self.graph.nodes.values() if node.type not in NO_WORK]
            return [Timed(node, node.time_ms) for node in works if node.time_ms is not None]
        costs = {reformat.node.index: reformat.cost_ms or None for reformat in self.reformats}
        tuned = [
            (node, costs[node.index] if node.index in costs else self.tuned_ms(node))
            for node in self.graph.nodes.values()
            if node.type not in NO_WORK
        ]
        return [Timed(node, time_ms) for node, time_ms in tuned if time_ms is not None]

    def tuned_ms(self, node: GraphLayer) -> float | None:
        """The tuner's time for what a computing layer runs; None where that is not known."""
        subject = self.subjects.get(node.index)
        return subject.chosen.time_ms if subject is not None and subject.chosen is not None else None

    def known(self, node: GraphLayer) -> float | None:
        """The layer's time by the engine's clock: measured where the run was profiled, else the tuner's."""
        return node.time_ms if self.is_profiled else self.tuned_ms(node)

    def costs(self, reformats: Iterable[Reformat]) -> list[float]:
        """Times of reformats by the engine's clock; those without one left out."""
        return [part.time_ms for part in self.reformat_parts(reformats)]

    def reformat_parts(self, reformats: Iterable[Reformat]) -> list[Part]:
        """What reformats take by the engine's clock; those without a time left out."""
        own = ((r.node, r.node.time_ms if self.is_profiled else r.cost_ms) for r in reformats)
        return [self._part(node, cost_ms) for node, cost_ms in own if cost_ms is not None]

    def parts(self, nodes: Iterable[GraphLayer]) -> list[Part]:
        """What layers take by the engine's clock, with the gaps before their kernels; layers without a time left out."""
        known = ((node, self.known(node)) for node in nodes)
        return [self._part(node, time_ms) for node, time_ms in known if time_ms is not None]

    def saved(self, node: GraphLayer, chosen_ms: float, other_ms: float) -> list[Part]:
        """What a layer would save with another tactic that the tuner timed; nothing where that is not known."""
        time_ms = self.known(node)
        return [] if time_ms is None or not chosen_ms else [Part(time_ms, (chosen_ms - other_ms) / chosen_ms)]

    def kernel_parts(self, launches: Iterable[RanKernel]) -> list[Part]:
        """What traced launches take, with the gaps before them."""
        return [Part(one.median_ms, 1.0, self._gap(one)) for one in launches]

    def _part(self, node: GraphLayer, time_ms: float) -> Part:
        own = [gap for one in self.ran if one.layer_index == node.index and (gap := self._gap(one)) is not None]
        return Part(time_ms, 1.0, sum(own) if own else None)

    def _gap(self, one: RanKernel) -> float | None:
        """The gap before a launch: none before the first, None where the trace does not tell where gaps are."""
        return None if self._gaps_left is None else self._gaps_left * max(one.gap_ms or 0.0, 0.0)

    @cached_property
    def _gaps_left(self) -> float | None:
        """Share of the trace's gaps that an inference has which was timed: launches are slower while they are traced."""
        traced, clock = sum(max(one.gap_ms or 0.0, 0.0) for one in self.ran), self.clock
        if not traced or clock.inference_ms is None or clock.busy_ms is None:
            return None
        return min(max(clock.inference_ms - clock.busy_ms, 0.0) / traced, 1.0)

    @cached_property
    def is_profiled(self) -> bool:
        """Whether the run has measured times of its layers."""
        return any(node.time_ms is not None for node in self.graph.nodes.values())

    @cached_property
    def is_traced(self) -> bool:
        """Whether the layers' times are those of their kernels."""
        return any(node.time_source == KERNELS for node in self.graph.nodes.values())

    @property
    def is_traced_with_copies(self) -> bool:
        """Whether that trace holds all that was launched, so that the rest of an inference is idle."""
        return self._traced is not None and self._traced.records_copies

    @property
    def ran(self) -> Sequence[RanKernel]:
        """The kernels that were traced, in launch order."""
        return kernels_run(self.run, self.number)

    @cached_property
    def total_ms(self) -> float | None:
        """Sum of the known times of all layers; None where there are none."""
        return sum(timed.time_ms for timed in self.launched) or None

    @cached_property
    def timing(self) -> Timing:
        """How whole inferences were timed."""
        graph = self.run.info.timings[-1].cuda_graph if self.is_captured and self.run.info.timings else None
        return read_timing(
            self.run, self.number, cuda_graph=self.flags.switch("CUDA Graph") if graph is None else graph
        )

    @cached_property
    def clock(self) -> Clock:
        """Where the layers' times come from, what they add up to, and what an inference takes."""
        timing, traced = self.timing, self._traced
        if traced is None:
            source, layers = LAYER_PROFILER if self.is_profiled else TUNER, len(self.launched)
            return Clock(source, self.total_ms, timing.inference_ms, layers, waits=bool(timing.waits))
        whole_ms = traced.traced_ms if timing.inference_ms is None else timing.inference_ms
        busy_ms = traced.kernels_ms - (traced.overlap_ms or 0.0)
        layers = len(traced.launches) + self._untimed
        return Clock(KERNEL_TRACE, self.total_ms, whole_ms, layers, busy_ms, bool(timing.waits))

    @cached_property
    def _traced(self) -> KernelTimes | None:
        """The trace that the layers' times are from."""
        return read_kernel_times(self.run, self.number) if self.is_traced else None

    @property
    def _untimed(self) -> int:
        """Layers that launch something which the trace does not time."""
        works = [node for node in self.graph.nodes.values() if node.type not in NO_WORK]
        return sum(node.time_ms is None for node in works)

    @property
    def is_captured(self) -> bool:
        """Whether run.json describes this engine, built or loaded, and not the network that INT8 was calibrated with."""
        is_engine = self.row["is_build"] or self.row["loaded_line"] is not None
        return bool(is_engine and not self.row["is_calibration"])

    @cached_property
    def compute_capability(self) -> tuple[int, int] | None:
        """The GPU's compute capability, as run.json or trtexec states it."""
        captured = self.run.info.gpu.compute_capability if self.is_captured else None
        major, _, minor = (captured or self.flags.text("Compute Capability") or "").partition(".")
        return (int(major), int(minor)) if major.isdecimal() and minor.isdecimal() else None

    @cached_property
    def gpu_bytes(self) -> int | None:
        """The GPU's memory, as run.json or trtexec states it."""
        captured = self.run.info.gpu.memory_bytes if self.is_captured else None
        return captured or self.flags.bytes_of("Device Global Memory")

    def share_text(self, costs_ms: Sequence[float], count: int) -> str:
        """``they take 24.6 µs, 3.2 % of all layers' 769 µs by the layer profiler``, and how many of them have no time."""
        cost_ms = sum(costs_ms)
        share = f", {100 * cost_ms / self.total_ms:.1f} % of {self.clock.whole}" if self.total_ms else ""
        if len(costs_ms) < count:
            rest = f"the other {count - len(costs_ms)} have no time by {self.source}, so it is more"
            return f"{len(costs_ms)} of them take {duration(cost_ms)}{share}; {rest}"
        return f"{'it takes' if count == 1 else 'they take'} {duration(cost_ms)}{share}"

    def severity(self, cost_ms: float | None) -> str:
        """Severity of a cost by its share of all layers' time; low where that is not known."""
        if cost_ms is None or not self.total_ms:
            return "low"
        share = cost_ms / self.total_ms
        return "high" if share >= _HEAVY_SHARE else "medium" if share >= WORTH_SHARE else "low"

    @property
    def source(self) -> str:
        """Where the times come from."""
        return self.clock.source

    @cached_property
    def floor_ms(self) -> tuple[float, int] | None:
        """Cost of a layer that does almost nothing: the median time of the smallest copies, and their number."""
        times = sorted(timed.time_ms for timed in self.launched if timed.node.is_reformat and _is_small(timed.node))
        if len(times) < _FEWEST_COPIES:
            return None
        return times[len(times) // 2], len(times)


read_engine: Callable[[Run, int], Engine] = once(Engine)
"""One build of a run, made ready for the rules once."""


def _is_small(node: GraphLayer) -> bool:
    sizes = [tensor.bytes for tensor in (*node.inputs, *node.outputs)]
    known = [size for size in sizes if size is not None]
    return len(known) == len(sizes) and 0 < sum(known) <= _SMALL_BYTES
