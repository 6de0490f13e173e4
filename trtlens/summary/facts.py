"""Facts of one build, a line each: what it was allowed, its layers, its tuning, its memory, its times."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from trtlens.engine.build_ending import FAILED, FINISHED, MIXED, NOT_SHOWN
from trtlens.engine.stated_figures import stated_figure
from trtlens.quantities import byte_size, duration, number, seconds, whole_seconds
from trtlens.tables.arrays import array, to_numpy
from trtlens.tables.engine_layers import NO_WORK
from trtlens.tuning.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trtlens.engine.build_ending import Ending
    from trtlens.engine.stated_figures import Figure
    from trtlens.runs.run import Run
    from trtlens.statistics import Statistics

_COMPUTE = "compute in"
_FIGURES = (("gpu_compute_time", "GPU compute"), ("throughput", "throughput"))


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of a summary: what, its value, and the text that explains it."""

    label: str
    value: str


def facts_of(run: Run, build: dict[str, Any], ending: Ending | None) -> list[Fact]:
    """What is known of one build, in the order in which it is shown."""
    return [
        *_outcome(build, ending), *_with_allowed(_layers(run, build, ending), build), *_time(run, build), *_memory(build),
        *_measured(run), *_traced(run, build["build"]), *_profiled(run, build["build"]), *_counters(run), *_latency(run),
    ]  # fmt: skip


def is_told(ending: Ending | None) -> bool:
    """Whether what the log says of layers is to be believed: of two mixed builds nothing is."""
    return ending is None or ending.state != MIXED


def _traced(run: Run, build: int) -> list[Fact]:
    """What the kernels of an inference take, where they were traced."""
    if not run["kernel_launches"].num_rows:
        return []
    from trtlens.engine.kernel_times import read_kernel_times  # noqa: PLC0415  numpy, as below

    traced = read_kernel_times(run, build)
    if traced is None:
        return []
    launches = counted(len(traced.launches), "launch", "launches")
    where = "a CUDA graph" if traced.source == "graph" else "a stream"
    text = f"{launches} from {where} take {duration(traced.kernels_ms)} (median of {counted(traced.inferences, 'inference', 'inferences')})"
    unplaced = sum(row["layer"] is None for row in traced.launches)
    return [Fact("kernels", f"{text}; {unplaced} of them of no known layer" if unplaced else text)]


def _counters(run: Run) -> list[Fact]:
    """How many launches Nsight Compute profiled."""
    launches = pc.count_distinct(run["kernel_counters"]["launch"]).as_py()
    return [Fact("counters", f"of {counted(launches, 'launch', 'launches')}, by Nsight Compute")] if launches else []


def _profiled(run: Run, build: int) -> list[Fact]:
    """What the layers add up to, where they were profiled and not traced."""
    if run["kernel_launches"].num_rows or not (run["layer_times"].num_rows or run["layer_profile"].num_rows):
        return []
    from trtlens.engine.inference_parts import inference_parts  # noqa: PLC0415  pandas: a log without times does without

    layers = next((part for part in inference_parts(run, build) if part.part == "layers"), None)
    if layers is None or layers.time_ms is None:
        return []
    stretch = f", {layers.stretch:.2f} times an inference: read them as shares" if layers.stretch else ""
    return [Fact("layer times", f"add up to {duration(layers.time_ms)} by the layer profiler{stretch}")]


def _outcome(build: dict[str, Any], ending: Ending | None) -> list[Fact]:
    """What is not known of the engine's making."""
    unknown = [Fact("engine", ending.text)] if ending is not None and ending.state == NOT_SHOWN else []
    if not build["is_build"]:
        loaded = "loaded, not built here" if build["loaded_line"] is not None else "neither built nor loaded here"
        return [*unknown, Fact("engine", loaded)]
    if build["is_calibration"]:
        return [
            *unknown,
            Fact("engine", "the network that TensorRT calibrates INT8 with; the engine is the next build"),
        ]
    return unknown


def _with_allowed(layers: list[Fact], build: dict[str, Any]) -> list[Fact]:
    """The precisions that a build was allowed, beside those that its layers compute in; on a line of their own where none is known."""
    allowed = build["precision_flags"] if build["is_build"] and not build["is_calibration"] else None
    if not allowed:
        return layers
    if all(fact.label != _COMPUTE for fact in layers):
        return [Fact("allowed", allowed), *layers]
    return [Fact(one.label, f"{one.value}; allowed {allowed}") if one.label == _COMPUTE else one for one in layers]


def _layers(run: Run, build: dict[str, Any], ending: Ending | None) -> list[Fact]:
    if not is_told(ending):
        return []
    layers = run["layers"].select(["type", "precision", "unit", "is_reformat", "reformat_kind"]).to_pylist()
    if not layers:
        return [Fact("layers", _unlisted(run, build, ending))]
    lost = build["unread_rows"]
    unread = f"; {counted(lost, 'row', 'rows')} among them not understood" if lost else ""
    cut = f"; not all: {build['layers_note']}" if build["layers_note"] else ""
    facts = [Fact("layers", f"{len(layers)}: {counts_text(layers, 'type')}{unread}{cut}")]
    working = [row for row in layers if row["type"] not in NO_WORK and not row["is_reformat"]]
    if working:
        units = f"; {counts_text(working, 'unit')}" if any(row["unit"] is not None for row in working) else ""
        facts.append(Fact(_COMPUTE, f"{counts_text(working, 'precision')}{units}"))
    moved = [row for row in layers if row["is_reformat"]]
    kinds = f": {counts_text(moved, 'reformat_kind')}" if moved else ""
    return [*facts, Fact("reformats", f"{len(moved)}{kinds}")]


def _unlisted(run: Run, build: dict[str, Any], ending: Ending | None) -> str:
    """Why the engine's layers are not in the log."""
    known = f"{build['layer_count']}, " if build["layer_count"] is not None else ""
    is_finished = ending is None or ending.state == FINISHED
    is_verbose = any(run[name].num_rows for name in ("passes", "candidates"))
    if ending is not None and not is_finished and (is_verbose or ending.state == FAILED):
        return f"{known}not listed: they are printed when an engine is finished"
    if build["is_calibration"]:
        return f"{known}not listed: TensorRT lists those of the engine alone"
    if is_verbose:
        return f"{known}not listed, although the log is verbose (TensorRT 5 lists none)"
    return f"{known}not listed in the log (they are at verbose level)"


def _time(run: Run, build: dict[str, Any]) -> list[Fact]:
    """What the build took, and what the tuner did in it."""
    parts, took = [], built_s(build)
    if took is not None:
        stated = build["engine_built_s"] is not None
        parts.append(seconds(took) if stated else f"{whole_seconds(took)} by the time stamps")
    if build["is_build"] and build["tactic_selection_s"] is not None:
        parts.append(f"tactic selection {seconds(build['tactic_selection_s'])}")
    told = "; ".join(part for part in (", ".join(parts), _tuned(run)) if part)
    return [Fact("build", told)] if told else []


def built_s(build: dict[str, Any]) -> float | None:
    """What the build took, as TensorRT states it, else by the time stamps."""
    if not build["is_build"] or build["engine_built_s"] is not None:
        return build["engine_built_s"] if build["is_build"] else None
    took = build["finished_s"] - build["started_s"] if build["started_s"] is not None else 0.0
    return took if took > 0 else None


def _tuned(run: Run) -> str:
    runners = run["runners"].select(["is_reformat", "tactics", "timed", "layer"])
    tried = runners.filter(pc.invert(runners["is_reformat"]))
    total = pc.sum(tried["tactics"]).as_py()
    if not total:
        return ""
    timed = pc.sum(tried["timed"]).as_py()
    moves = pc.sum(runners["timed"]).as_py() - timed
    layers = counted(pc.count_distinct(tried["layer"].cast("string")).as_py(), "layer", "layers")
    rest = f", {total - timed:,} without a time" if total > timed else ""
    return f"{counted(timed, 'tactic', 'tactics')} timed{rest}, for {layers}" + (
        f"; {moves:,} for reformats" if moves else ""
    )


def _memory(build: dict[str, Any]) -> list[Fact]:
    kinds = {"activations": "activation_bytes", "weights": "weights_bytes", "scratch": "scratch_bytes"}
    parts = [f"{name} {byte_size(build[column])}" for name, column in kinds.items() if build[column] is not None]
    return [Fact("memory", ", ".join(parts))] if parts else []


def _latency(run: Run) -> list[Fact]:
    stated = ((label, stated_figure(run, metric)) for metric, label in _FIGURES)
    return [Fact(label, f"{_figure(one)} ({one.statistic})") for label, one in stated if one is not None]


def _figure(figure: Figure) -> str:
    return duration(figure.value) if figure.unit == "ms" else f"{number(figure.value)} {figure.unit}"


def inference_ms(run: Run) -> float | None:
    """Median GPU time of the run's own samples, else what trtexec states."""
    found = _samples(run)
    if found is not None:
        return found.median_ms
    stated = stated_figure(run, "gpu_compute_time")
    return stated.value if stated is not None and stated.unit == "ms" else None


def _samples(run: Run) -> Statistics | None:
    """GPU times of the run's own queued inferences."""
    from trtlens.statistics import summarize  # noqa: PLC0415  numpy: a log without samples does without

    if not run["run_times"].num_rows:
        return None
    queued = pc.is_in(run["run_times"]["pass"], array(["timing", "trtexec"], pa.string()))
    times = run["run_times"].filter(pc.and_(queued, run["run_times"]["gpu_ms"].is_valid()))
    return summarize(to_numpy(times["gpu_ms"]), to_numpy(times["process"].fill_null(0))) if times.num_rows else None


def _measured(run: Run) -> list[Fact]:
    found = _samples(run)
    if found is None:
        return []
    told = f"{duration(found.median_ms)} median ({found.interval}), p99 {duration(found.p99_ms)}"
    return [Fact("GPU time", f"{told}, {found.count:,} samples")]


def counts_text(rows: Sequence[dict[str, Any]], column: str) -> str:
    """How often each value of a column occurs, the most frequent first: ``53 CaskConvolution, 1 unknown``."""
    counts = Counter(row[column] for row in rows).most_common()
    return ", ".join(f"{count} {'unknown' if value is None else value}" for value, count in counts)
