"""What ``trtlens parse`` says of a run at a glance: one block of lines for each build, from the tables alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from trtlens.engine.build_ending import FAILED, FINISHED, MIXED, NOT_SHOWN, not_understood, read_ending, reading_notes
from trtlens.engine.stated_figures import stated_figure
from trtlens.quantities import byte_size, duration, number, seconds, whole_seconds
from trtlens.tables.arrays import array, to_numpy
from trtlens.tables.engine_layers import NO_WORK
from trtlens.tuning.kept_strategy import kept_rows
from trtlens.tuning.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trtlens.engine.build_ending import Ending
    from trtlens.engine.stated_figures import Figure
    from trtlens.runs.run import Run

_SHOWN_MESSAGES = 6
_FIGURES = (("gpu_compute_time", "GPU compute"), ("throughput", "throughput"))
_SECOND_LINES = frozenset({"advice"})
_FRAMES = ("--- Begin node ---", "--- End node ---")
_SEVERE = ("internal error", "error", "warning")


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of a summary: what, its value, and the text that explains it."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class BuildSummary:
    """The facts of one build in the order in which they are shown, and the messages that matter."""

    build: int
    title: str
    facts: tuple[Fact, ...]
    messages: tuple[tuple[str, str, int, str], ...]
    notes: tuple[str, ...] = ()


def summarise(run: Run) -> list[BuildSummary]:
    """A summary for each build (or loaded engine) of the run; parts of a log without information are left out."""
    rows = run["builds"].to_pylist()
    telling = [row for row in rows if row["is_build"] or row["command"] or _tells(run.build(row["build"]))]
    shown = [_summarise(run.build(row["build"]), row, read_ending(run, row["build"])) for row in telling or rows[:1]]
    shown[-1] = replace(shown[-1], notes=(*reading_notes(run), *_captured(run)))
    unknown = not_understood(run)
    if unknown is not None:
        shown[0] = replace(shown[0], facts=(Fact("log", f"not understood: {unknown}"), *shown[0].facts))
    return shown


def _tells(run: Run) -> bool:
    return any(
        run[name].num_rows
        for name in ("layers", "messages", "performance", "layer_profile", "layer_times", "kernel_launches")
    )


def _summarise(run: Run, build: dict[str, Any], ending: Ending | None) -> BuildSummary:
    version = build["tensorrt_version"] or "version not stated"
    parts = [f"TensorRT {version}", build["gpu"], f"via {build['wrapper']}" if build["wrapper"] else None]
    facts = [
        *_ended(ending),
        *_lines(build), *_outcome(build), *_layers(run, build, ending), *_tuning(run), *_time(build), *_memory(build),
        *_measured(run), *_traced(run, build["build"]), *_profiled(run, build["build"]), *_latency(run),
    ]  # fmt: skip
    return BuildSummary(build["build"], ", ".join(part for part in parts if part), tuple(facts), _messages(run))


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


def _captured(run: Run) -> list[str]:
    """What ``run.json`` notes of a run that was captured."""
    if not run.info.notes:
        return []
    from trtlens.engine.clocks import notes_of  # noqa: PLC0415  pandas, as above

    return notes_of(run)


def _ended(ending: Ending | None) -> list[Fact]:
    """Why there is no engine: the first fact of a build."""
    if ending is None or ending.state == FINISHED:
        return []
    if ending.state == MIXED:
        return [Fact("engine", f"{ending.text}; {ending.next_check}")]
    return [Fact("engine", ending.text if ending.state == NOT_SHOWN else f"none: {ending.text}")]


def _lines(build: dict[str, Any]) -> list[Fact]:
    """The build's lines of the log; nothing for a run without a log."""
    return [Fact("lines", f"{build['first_line']:,} to {build['last_line']:,}")] if build["last_line"] else []


def _outcome(build: dict[str, Any]) -> list[Fact]:
    if not build["is_build"]:
        loaded = "loaded, not built here" if build["loaded_line"] is not None else "neither built nor loaded here"
        return [Fact("engine", loaded)]
    if build["is_calibration"]:
        return [Fact("engine", "the network that TensorRT calibrates INT8 with; the engine is the next build")]
    return [Fact("allowed", build["precision_flags"])] if build["precision_flags"] else []


def _layers(run: Run, build: dict[str, Any], ending: Ending | None) -> list[Fact]:
    if ending is not None and ending.state == MIXED:
        return []
    layers = run["layers"].select(["type", "precision", "unit", "is_reformat", "reformat_kind"]).to_pylist()
    if not layers:
        return [Fact("layers", _unlisted(run, build, ending))]
    lost = build["unread_rows"]
    unread = f"; {counted(lost, 'line', 'lines')} among them not understood" if lost else ""
    cut = f"; not all: {build['layers_note']}" if build["layers_note"] else ""
    facts = [Fact("layers", f"{len(layers)}: {_counted(layers, 'type')}{unread}{cut}")]
    working = [row for row in layers if row["type"] not in NO_WORK and not row["is_reformat"]]
    if working:
        facts.append(Fact("compute in", _counted(working, "precision", 6)))
    if any(row["unit"] is not None for row in working):
        facts.append(Fact("run on", _counted(working, "unit", 3)))
    moved = [row for row in layers if row["is_reformat"]]
    kinds = f": {_counted(moved, 'reformat_kind', 4)}" if moved else ""
    return [*facts, Fact("reformats", f"{len(moved)}{kinds}")]


def _unlisted(run: Run, build: dict[str, Any], ending: Ending | None) -> str:
    """Why the engine's layers are not in the log."""
    known = f"{build['layer_count']} layers, " if build["layer_count"] is not None else ""
    is_finished = ending is None or ending.state == FINISHED
    is_verbose = any(run[name].num_rows for name in ("passes", "candidates"))
    if ending is not None and not is_finished and (is_verbose or ending.state == FAILED):
        return f"{known}not listed: they are printed when an engine is finished"
    if build["is_calibration"]:
        return f"{known}not listed: TensorRT lists those of the engine alone"
    if is_verbose:
        return f"{known}not listed, although the log is verbose (TensorRT 5 lists none)"
    return f"{known}not listed in the log (they are at verbose level)"


def _tuning(run: Run) -> list[Fact]:
    runners = run["runners"].select(["is_reformat", "tactics", "timed", "layer"])
    if not runners.num_rows:
        return []
    tried = runners.filter(pc.invert(runners["is_reformat"]))
    total = pc.sum(tried["tactics"]).as_py()
    if not total:
        return []
    timed = pc.sum(tried["timed"]).as_py()
    moves = pc.sum(runners["timed"]).as_py() - timed
    layers = pc.count_distinct(tried["layer"].cast("string")).as_py()
    rest = f", {total - timed:,} without a time" if total > timed else ""
    return [
        Fact("tactics", f"{timed:,} timed{rest}, for {layers} layers" + (f"; {moves:,} for reformats" if moves else ""))
    ]


def _time(build: dict[str, Any]) -> list[Fact]:
    if not build["is_build"]:
        return []
    parts = []
    if build["engine_built_s"] is not None:
        parts.append(seconds(build["engine_built_s"]))
    elif build["started_s"] is not None and build["finished_s"] > build["started_s"]:
        parts.append(f"{whole_seconds(build['finished_s'] - build['started_s'])} by the time stamps")
    if build["tactic_selection_s"] is not None:
        parts.append(f"tactic selection {seconds(build['tactic_selection_s'])}")
    return [Fact("build time", ", ".join(parts))] if parts else []


def _memory(build: dict[str, Any]) -> list[Fact]:
    kinds = {"activations": "activation_bytes", "weights": "weights_bytes", "scratch": "scratch_bytes"}
    parts = [f"{name} {byte_size(build[column])}" for name, column in kinds.items() if build[column] is not None]
    return [Fact("memory", ", ".join(parts))] if parts else []


def _latency(run: Run) -> list[Fact]:
    stated = ((label, stated_figure(run, metric)) for metric, label in _FIGURES)
    return [Fact(label, f"{_figure(one)} ({one.statistic})") for label, one in stated if one is not None]


def _figure(figure: Figure) -> str:
    return duration(figure.value) if figure.unit == "ms" else f"{number(figure.value)} {figure.unit}"


def _measured(run: Run) -> list[Fact]:
    """Median GPU time of the run's own samples of queued inferences."""
    from trtlens.statistics import summarize  # noqa: PLC0415  numpy: a log without samples does without

    if not run["run_times"].num_rows:
        return []
    times = run["run_times"].filter(pc.not_equal(run["run_times"]["pass"], array(["latency"], pa.string())[0]))
    times = times.filter(times["gpu_ms"].is_valid())
    found = summarize(to_numpy(times["gpu_ms"]), to_numpy(times["process"].fill_null(0))) if times.num_rows else None
    if found is None:
        return []
    told = f"{duration(found.median_ms)} median ({found.interval}), p99 {duration(found.p99_ms)}"
    return [Fact("GPU time", f"{told}, {found.count:,} samples")]


def _messages(run: Run) -> tuple[tuple[str, str, int, str], ...]:
    """Severity, code, count and first line of text: errors in the order of the log, then what was said most often.

    The second line of a warning belongs to the first and is left out.
    """
    rows = [row for row in kept_rows(run, "messages").to_pylist() if row["severity"] in _SEVERE or row["code"]]
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        if row["code"] not in _SECOND_LINES:
            groups.setdefault((row["severity"], row["code"] or _first_line(row)), []).append(row)
    ordered = sorted(groups.items(), key=lambda item: _place(item[0][0], item[1]))
    return tuple(
        (severity, found[0]["code"] or "-", _count(found), _telling(found))
        for (severity, _), found in ordered[:_SHOWN_MESSAGES]
    )


def _place(severity: str, found: Sequence[dict[str, Any]]) -> tuple[int, int]:
    rank = _SEVERE.index(severity) if severity in _SEVERE else len(_SEVERE)
    return rank, found[0]["line"] if "error" in severity else -_count(found)


def _count(found: Sequence[dict[str, Any]]) -> int:
    return sum(row["count"] for row in found)


def _telling(found: Sequence[dict[str, Any]]) -> str:
    """The first text that is not a frame around an ONNX node."""
    texts = [_first_line(row) for row in found]
    return next((text for text in texts if not text.endswith(_FRAMES)), texts[0])


def _first_line(row: dict[str, Any]) -> str:
    return str(row["text"]).split("\n", 1)[0]


def _counted(rows: Sequence[dict[str, Any]], column: str, most: int | None = None) -> str:
    counts = Counter(row[column] for row in rows).most_common()
    shown = [f"{count} {'unknown' if value is None else value}" for value, count in counts[:most]]
    rest = sum(count for _, count in counts[most:]) if most is not None else 0
    return ", ".join(shown) + (f", {rest} other" if rest else "")
