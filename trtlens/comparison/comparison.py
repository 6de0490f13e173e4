"""Several runs of one model beside one another: aligned, with the figures of each region in each run."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from trtlens.comparison.alignment import align
from trtlens.comparison.figures import Measure
from trtlens.comparison.inference_latency import adds_up, compare_latency
from trtlens.comparison.same_work import are_other_models, mismatches, model_of
from trtlens.comparison.times import TUNER, judge, judge_summary, read_times
from trtlens.engine.built_engine import read_engine
from trtlens.engine.inference_timing import read_timing
from trtlens.errors import TrtlensError
from trtlens.statistics import FEWEST_SAMPLES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from trtlens.comparison.alignment import Alignment, Region, Unaligned
    from trtlens.comparison.figures import Figures
    from trtlens.comparison.inference_latency import Latencies
    from trtlens.comparison.same_work import Mismatch
    from trtlens.comparison.times import Difference, Times
    from trtlens.engine.built_engine import BuiltEngine
    from trtlens.engine.inference_timing import Timing
    from trtlens.runs.run import Run

_MOST_NODES_IN_LABEL = 4


@dataclass(frozen=True, slots=True)
class Cell:
    """One region in one run: its figures and, but for the baseline, what it takes more than there."""

    figures: Figures
    difference: Difference | None


@dataclass(frozen=True, slots=True)
class Row:
    """One region over all runs; ``cells`` follow the runs, ``number`` is its place in topological order.

    ``label`` names its nodes, ``short`` the first of them and how many more there are.
    """

    number: int
    label: str
    short: str
    region: Region
    cells: tuple[Cell, ...]

    @property
    def names(self) -> frozenset[str]:
        """The nodes of the region, and the layers that it is in the runs."""
        return frozenset(self.region.nodes).union(*(cell.figures.layers for cell in self.cells))


@dataclass(frozen=True, slots=True)
class Left:
    """One layer that could not be aligned."""

    entry: Unaligned
    name: str
    figures: Figures


class Comparison:
    """Runs of one model, aligned; ``baseline`` is the position of the run that the others are held against.

    ``judged_on`` says what verdicts rest on: samples, summary (averaged profiles), tuner, or None without times.
    """

    def __init__(self, engines: Sequence[BuiltEngine], baseline: int = 0) -> None:
        self.engines: tuple[BuiltEngine, ...] = tuple(engines)
        self.baseline: int = baseline
        # The baseline goes first where order decides: node names, execution order.
        order = sorted(range(len(engines)), key=lambda number: number != baseline)
        self.alignment: Alignment = _in_given_order(align([self.engines[number] for number in order]), order)
        self.times: list[Times] = read_times(self.engines)
        self.measures: list[Measure] = [
            Measure(engine, number, self.alignment, times)
            for number, (engine, times) in enumerate(zip(self.engines, self.times, strict=True))
        ]
        self.judged_on: str | None = self._judged_on()

    @property
    def names(self) -> tuple[str, ...]:
        """The runs' names in the order given."""
        return tuple(engine.name for engine in self.engines)

    @property
    def others(self) -> tuple[int, ...]:
        """Positions of the runs that are held against the baseline."""
        return tuple(number for number in range(len(self.engines)) if number != self.baseline)

    @property
    def time_source(self) -> str | None:
        """Where all times come from: measured (by a profiler) or tuner; None where the runs have none in common."""
        source = self.times[self.baseline].source
        return None if source is None else TUNER if source == TUNER else "measured"

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """Every region with its figures, in topological order."""
        regions = self.alignment.regions
        errors = [
            measure.errors_ms([region.layers[number] for region in regions], whole=True)
            if self.judged_on == "samples"
            else None
            for number, measure in enumerate(self.measures)
        ]
        rows = []
        for place, region in enumerate(regions):
            figures = [
                measure.figures(region.layers[number], None if error is None else float(error[place]))
                for number, (measure, error) in enumerate(zip(self.measures, errors, strict=True))
            ]
            rows.append(Row(place, _label(region.nodes), _short(region.nodes), region, self._cells(figures)))
        return tuple(rows)

    @cached_property
    def left(self) -> tuple[Left, ...]:
        """Layers that could not be aligned, in the order of the runs."""
        return tuple(
            Left(
                entry,
                self.engines[entry.engine].layers[entry.position].name,
                self.measures[entry.engine].figures([entry.position]),
            )
            for entry in self.alignment.unaligned
        )

    def of_layers(self, fits: Callable[[str], bool]) -> Comparison:
        """The same comparison with those regions and unaligned layers alone of which a node's or a layer's name fits."""
        narrowed = copy(self)
        narrowed.rows = tuple(row for row in self.rows if any(map(fits, row.names)))
        narrowed.left = tuple(left for left in self.left if fits(left.name))
        return narrowed

    @cached_property
    def totals(self) -> tuple[Cell, ...]:
        """Whole runs: all layers of each as one region."""
        everything = [range(len(engine.layers)) for engine in self.engines]
        figures = []
        for measure, positions in zip(self.measures, everything, strict=True):
            errors = measure.errors_ms([positions]) if self.judged_on == "samples" else None
            figures.append(measure.figures(positions, None if errors is None else float(errors[0])))
        return self._cells(figures)

    def shared(self, number: int) -> float | None:
        """Share of the ONNX nodes that do work which a run's engine has in common with the baseline's; None where not known."""
        return self.alignment.shared(self.baseline, number)

    @cached_property
    def inferences(self) -> tuple[Latencies | None, ...]:
        """What a whole inference takes in each run and in the baseline; None where they have no time of one kind."""
        base = self.engines[self.baseline].run
        return tuple(
            None if number == self.baseline else compare_latency(engine.run, base)
            for number, engine in enumerate(self.engines)
        )

    @cached_property
    def adds_up(self) -> tuple[bool | None, ...]:
        """Whether the difference of each run's layers is that of its inferences, so that its parts are parts of an inference.

        A profiler that times layer by layer stretches them, unevenly, a tuner times each tactic alone, and where the GPU
        waited for the host no layer has the wait. None where an inference or the layers have no time in both runs.
        """
        layers_ms = self.totals[self.baseline].figures.time_ms
        found = [
            adds_up(inference, total.difference, layers_ms)
            for inference, total in zip(self.inferences, self.totals, strict=True)
        ]
        return tuple(one and not self.waiting(number) for number, one in enumerate(found))

    @cached_property
    def timings(self) -> tuple[Timing, ...]:
        """How whole inferences were timed in each run."""
        return tuple(read_timing(engine.run, engine.build) for engine in self.engines)

    def waiting(self, number: int) -> list[int]:
        """Of one run and the baseline those in which the GPU waited for the host, so that an inference holds the wait."""
        return [place for place in (number, self.baseline) if self.timings[place].waits]

    @cached_property
    def mismatches(self) -> tuple[tuple[Mismatch, ...], ...]:
        """In what each run is stated to differ from the baseline, so that their times are not of the same work."""
        base = self.engines[self.baseline].run
        return tuple(
            tuple(mismatches(base, engine.run, self.shared(number))) if number != self.baseline else ()
            for number, engine in enumerate(self.engines)
        )

    def judge(self, number: int, base: Sequence[int], run: Sequence[int]) -> Difference:
        """What any layers (by position) of one run take more than other layers of the baseline, unknown times left out."""
        measures = (self.measures[self.baseline], self.measures[number])
        base_ms, run_ms = (measure.time_ms(group) for measure, group in zip(measures, (base, run), strict=True))
        if self.judged_on != "samples":
            return judge_summary(run_ms - base_ms, base_ms, max(len(base), len(run)))
        errors = [measure.errors_ms([group]) for measure, group in zip(measures, (base, run), strict=True)]
        return judge(run_ms - base_ms, *(float(error[0]) for error in errors if error is not None))

    def _judged_on(self) -> str | None:
        if self.time_source is None or self.time_source == TUNER:
            return self.time_source
        enough = [times.samples is not None and times.samples.shape[1] >= FEWEST_SAMPLES for times in self.times]
        return "samples" if all(enough) else "summary"

    def _cells(self, figures: Sequence[Figures]) -> tuple[Cell, ...]:
        base = figures[self.baseline]
        return tuple(
            Cell(one, None if number == self.baseline else _difference(base, one)) for number, one in enumerate(figures)
        )


def compare_runs(
    runs: Sequence[Run],
    *,
    names: Sequence[str] | None = None,
    builds: Sequence[int | None] | None = None,
    baseline: int = 0,
) -> Comparison:
    """Compare runs of one model; ``names`` tell them apart in what is said of them, by default the runs' own.

    Raises:
        TrtlensError: fewer than two runs, no run at ``baseline``, a run without engine layers, or runs of different models.

    """
    if len(runs) < 2:
        raise TrtlensError("a comparison needs two runs or more: give a baseline and what to hold against it")
    if not 0 <= baseline < len(runs):
        raise TrtlensError(f"there is no run {baseline} to be the baseline: there are {len(runs)}, counted from 0")
    called = list(names or [run.name for run in runs])
    if len(set(called)) < len(called):
        called = [f"{name} ({place})" for place, name in enumerate(called, 1)]
    numbers = builds or [None] * len(runs)
    engines = [read_engine(name, run, build) for name, run, build in zip(called, runs, numbers, strict=True)]
    comparison = Comparison(engines, baseline)
    for number in comparison.others:
        _check_model(comparison, number)
    return comparison


def _check_model(comparison: Comparison, number: int) -> None:
    engines = comparison.engines[comparison.baseline], comparison.engines[number]
    shared = comparison.shared(number)
    if are_other_models(engines[0].run, engines[1].run, shared):
        models = " and ".join(
            f"{engine.name} ({model_of(engine.run) or 'its model is not stated'})" for engine in engines
        )
        raise TrtlensError(
            f"{models} are not runs of one model: {100 * (shared or 0.0):.0f} % of the ONNX nodes of their engines are the same; "
            "give runs of one model, or of two versions of it"
        )


def _in_given_order(alignment: Alignment, order: Sequence[int]) -> Alignment:
    """An alignment of engines in another order, with everything in the order given by the user."""
    back = sorted(range(len(order)), key=lambda place: order[place])
    return type(alignment)(
        regions=tuple(type(r)(r.nodes, tuple(r.layers[place] for place in back)) for r in alignment.regions),
        unaligned=tuple(sorted(
            (type(left)(order[left.engine], left.position, left.reason) for left in alignment.unaligned),
            key=lambda left: (left.engine, left.position),
        )),
        flows=tuple(alignment.flows[place] for place in back),
        layer_nodes=tuple(alignment.layer_nodes[place] for place in back),
        converting=tuple(alignment.converting[place] for place in back),
        linking=tuple(alignment.linking[place] for place in back),
        complete=tuple(alignment.complete[place] for place in back),
        listed=tuple(alignment.listed[place] for place in back),
    )  # fmt: skip


def _difference(base: Figures, run: Figures) -> Difference | None:
    if base.time_ms is None or run.time_ms is None:
        return None
    if base.error_ms is not None and run.error_ms is not None:
        return judge(run.time_ms - base.time_ms, base.error_ms, run.error_ms)
    return judge_summary(run.time_ms - base.time_ms, base.time_ms, max(base.timed_layers, run.timed_layers))


def _label(nodes: Sequence[str]) -> str:
    """A region's name for people: its nodes, of many the first and the last."""
    if len(nodes) <= _MOST_NODES_IN_LABEL:
        return " + ".join(nodes)
    return f"{nodes[0]} … {nodes[-1]} ({len(nodes)} nodes)"


def _short(nodes: Sequence[str]) -> str:
    return nodes[0] + (f" (+{len(nodes) - 1})" if len(nodes) > 1 else "")
