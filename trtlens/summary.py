"""What ``trtlens parse`` says of a run at a glance: one block of lines for each build, from the tables alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from trtlens.engine.build_ending import FAILED, FINISHED, MIXED, NOT_SHOWN, not_understood, read_ending, reading_notes
from trtlens.engine.stated_figures import stated_figure
from trtlens.layer_patterns import listed
from trtlens.output import layout
from trtlens.quantities import byte_size, duration, number, seconds, whole_seconds
from trtlens.tables.arrays import array, to_numpy
from trtlens.tables.engine_layers import NO_WORK
from trtlens.tables.schema import declare
from trtlens.tuning.kept_strategy import kept_rows
from trtlens.tuning.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trtlens.engine.build_ending import Ending
    from trtlens.engine.stated_figures import Figure
    from trtlens.runs.run import Run
    from trtlens.statistics import Statistics

_SHOWN_MESSAGES = 3
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
    """What is to be said of one build: the answer in a sentence, then what it is, its facts, and the messages that matter.

    ``is_calibration`` is true for the network that TensorRT calibrates INT8 with; ``row`` holds the facts as a row of `BUILDS`.
    """

    build: int
    answer: str
    title: str
    facts: tuple[Fact, ...]
    messages: tuple[tuple[str, str, int, str], ...]
    row: dict[str, Any]
    notes: tuple[str, ...] = ()
    is_calibration: bool = False


BUILDS = declare(
    "builds of a log", "one build, or loaded engine", "build",
    """
    build | int | | number of the build
    engine | text | | why there is no engine; empty for one that was built
    allowed | text | | precisions that the build was allowed
    layers | int | | layers of the engine
    compute_in | text | | what the layers that compute run in
    reformats | int | | reformats
    built_s | float | s | what the build took
    inference_ms | float | ms | median time of an inference on the GPU
    tensorrt | text | | version
    gpu | text | | GPU
    lines | text | | lines of the log
    """,
)  # fmt: skip
BUILDS_LAYOUT = layout(
    "build inference_ms layers compute_in built_s engine reformats allowed tensorrt gpu lines", prose="engine"
)


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


def builds_table(summaries: Sequence[BuildSummary]) -> pa.Table:
    """A row for each of several builds."""
    return BUILDS.of_rows([summary.row for summary in summaries])


def answer_of_builds(summaries: Sequence[BuildSummary]) -> str:
    """How many builds there are, which gave no engine, and between which times their inferences lie."""
    failed = [str(one.build) for one in summaries if one.row["engine"] is not None and one.row["layers"] is None]
    timed = sorted((one.row["inference_ms"], one.build) for one in summaries if one.row["inference_ms"] is not None)
    text = f"{len(summaries)} builds"
    text += f"; of {listed(failed)} no engine is known" if failed else ""
    if not timed:
        return f"{text}; no inference was timed"
    fastest, slowest = timed[0], timed[-1]
    if len(timed) == 1 or duration(fastest[0]) == duration(slowest[0]):
        return f"{text}; an inference takes {duration(fastest[0])}{f' (build {fastest[1]})' if len(timed) == 1 else ''}"
    return f"{text}; an inference takes from {duration(fastest[0])} (build {fastest[1]}) to {duration(slowest[0])} (build {slowest[1]})"


def _tells(run: Run) -> bool:
    return any(
        run[name].num_rows
        for name in ("layers", "messages", "performance", "layer_profile", "layer_times", "kernel_launches")
    )


def _summarise(run: Run, build: dict[str, Any], ending: Ending | None) -> BuildSummary:
    version = build["tensorrt_version"] or "version not stated"
    row = _row(run, build, ending)
    lines = f"lines {row['lines']}" if row["lines"] else None
    parts = [f"TensorRT {version}", build["gpu"], f"via {build['wrapper']}" if build["wrapper"] else None, lines]
    facts = [
        *_outcome(build, ending), *_layers(run, build, ending), *_time(run, build), *_memory(build),
        *_measured(run), *_traced(run, build["build"]), *_profiled(run, build["build"]), *_latency(run),
    ]  # fmt: skip
    return BuildSummary(
        build["build"], _answer(run, row, ending), ", ".join(part for part in parts if part), tuple(facts), _messages(run), row,
        is_calibration=bool(build["is_calibration"]),
    )  # fmt: skip


def _row(run: Run, build: dict[str, Any], ending: Ending | None) -> dict[str, Any]:
    layers = run["layers"].select(["type", "precision", "is_reformat"]).to_pylist() if _is_told(ending) else []
    working = [row for row in layers if row["type"] not in NO_WORK and not row["is_reformat"]]
    return {
        "build": build["build"], "tensorrt": build["tensorrt_version"], "gpu": build["gpu"], "allowed": build["precision_flags"],
        "engine": ending.text if ending is not None and ending.state != FINISHED else None,
        "layers": len(layers) or build["layer_count"], "compute_in": _counted(working, "precision") or None,
        "reformats": sum(bool(row["is_reformat"]) for row in layers) if layers else None, "built_s": _built_s(build),
        "inference_ms": _inference_ms(run), "lines": f"{build['first_line']:,} to {build['last_line']:,}" if build["last_line"] else None,
    }  # fmt: skip


def _answer(run: Run, row: dict[str, Any], ending: Ending | None) -> str:
    """Why there is no engine; else what an inference takes and what leads the findings; else what was built."""
    if ending is not None and ending.state not in {FINISHED, NOT_SHOWN}:
        return _sentence(f"{ending.text}; {ending.next_check}" if ending.next_check else ending.text)
    if row["inference_ms"] is not None:
        return f"{duration(row['inference_ms'])} an inference{_first_finding(run, row['build'])}"
    layers = f"an engine of {counted(row['layers'], 'layer', 'layers')}" if row["layers"] else "an engine"
    compute = f": {row['compute_in']} compute" if row["compute_in"] else ""
    moved = f", {counted(row['reformats'], 'reformat', 'reformats')}" if row["reformats"] else ""
    took = f", built in {seconds(row['built_s'])}" if row["built_s"] is not None else ""
    return _sentence(f"{layers}{compute}{moved}{took}; no inference was timed")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _first_finding(run: Run, build: int) -> str:
    """What the first finding has at stake, where it has any."""
    from trtlens.findings import find  # noqa: PLC0415  pandas: a log without times does without
    from trtlens.findings.stakes import stake_text  # noqa: PLC0415

    for found in find(run):
        stake = found.finding.stake
        told = (
            stake_text(stake.low_ms, stake.time_ms, stake.high_ms) if found.build == build and stake is not None else ""
        )
        if told:
            return f"; {found.finding.title}: {told} at stake, trtlens findings says how to gain it"
    return ""


def _is_told(ending: Ending | None) -> bool:
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


def _outcome(build: dict[str, Any], ending: Ending | None) -> list[Fact]:
    """What is not known of the engine's making, and what the build was allowed."""
    unknown = [Fact("engine", ending.text)] if ending is not None and ending.state == NOT_SHOWN else []
    if not build["is_build"]:
        loaded = "loaded, not built here" if build["loaded_line"] is not None else "neither built nor loaded here"
        return [*unknown, Fact("engine", loaded)]
    if build["is_calibration"]:
        return [
            *unknown,
            Fact("engine", "the network that TensorRT calibrates INT8 with; the engine is the next build"),
        ]
    return [*unknown, *([Fact("allowed", build["precision_flags"])] if build["precision_flags"] else [])]


def _layers(run: Run, build: dict[str, Any], ending: Ending | None) -> list[Fact]:
    if not _is_told(ending):
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
        units = f"; {_counted(working, 'unit')}" if any(row["unit"] is not None for row in working) else ""
        facts.append(Fact("compute in", f"{_counted(working, 'precision')}{units}"))
    moved = [row for row in layers if row["is_reformat"]]
    kinds = f": {_counted(moved, 'reformat_kind')}" if moved else ""
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


def _time(run: Run, build: dict[str, Any]) -> list[Fact]:
    """What the build took, and what the tuner did in it."""
    parts = []
    if _built_s(build) is not None:
        stated = build["engine_built_s"] is not None
        parts.append(
            seconds(build["engine_built_s"]) if stated else f"{whole_seconds(_built_s(build))} by the time stamps"
        )
    if build["is_build"] and build["tactic_selection_s"] is not None:
        parts.append(f"tactic selection {seconds(build['tactic_selection_s'])}")
    told = "; ".join(part for part in (", ".join(parts), _tuned(run)) if part)
    return [Fact("build", told)] if told else []


def _built_s(build: dict[str, Any]) -> float | None:
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


def _inference_ms(run: Run) -> float | None:
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
    times = run["run_times"].filter(pc.not_equal(run["run_times"]["pass"], array(["latency"], pa.string())[0]))
    return summarize(to_numpy(times["gpu_ms"].drop_null())) if times.num_rows else None


def _measured(run: Run) -> list[Fact]:
    found = _samples(run)
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


def _counted(rows: Sequence[dict[str, Any]], column: str) -> str:
    counts = Counter(row[column] for row in rows).most_common()
    return ", ".join(f"{count} {'unknown' if value is None else value}" for value, count in counts)
