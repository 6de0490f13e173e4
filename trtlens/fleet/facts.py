"""What a fleet keeps of a run beside its tables: one row a build, one row an engine layer."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from datetime import datetime, timezone
from pathlib import PureWindowsPath
from typing import TYPE_CHECKING, Any

import numpy as np

from trtlens.comparison.alignment import align
from trtlens.comparison.same_work import model_of
from trtlens.engine.built_engine import read_engine
from trtlens.statistics import by_process, typical_ms
from trtlens.tables.engine_layers import NO_WORK, read_layers

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from trtlens.runs.run import Run
    from trtlens.tables.engine_layers import EngineLayer

_HASH_DIGITS = 16
_FROM_BUILDS = (
    "build", "is_calibration", "complete", "tensorrt_version", "layer_count", "tactic_selection_s", "engine_generation_s",
    "activation_bytes", "weights_bytes", "scratch_bytes", "device_persistent_bytes",
)  # fmt: skip
_TIME_TABLES = ("layer_times", "layer_profile", "kernel_launches")
_GPU_TIME = "gpu_compute_time", "ms"
_NO_LATENCY = {"latency_ms": None, "latency_source": None}
_PASSES = {"trtexec": 1, "timing": 2}
"""Passes whose GPU times are those of queued inferences, the one that is taken before others last."""
_NO_SETTING = re.compile(
    r"--(?:onnx|uff|model|deploy|output|verbose|(?:save|load)\w+|export\w+|dump\w+|timingCacheFile|calib|plugins|"
    r"(?:static|dynamic)Plugins|profilingVerbosity|duration|warmUp|iterations|avgRuns|separateProfileRun|device|skipInference|buildOnly|"
    r"(?:load|save)Inputs|tempdir|tempfileControls|setPluginsToSerialize|out|force|calib(?:-|ration_)data|load_inputs|timing_cache_file)(?:=.*)?",
    re.DOTALL,
)
"""Flags that name files, say what is printed or how often is timed: they change neither engine nor what a median means."""


def digest(parts: Iterable[str]) -> str:
    """A short hash of texts in their order."""
    return hashlib.sha256("\0".join(parts).encode(errors="backslashreplace")).hexdigest()[:_HASH_DIGITS]


# -- engines ----------------------------------------------------------------------------------------------------------


def engine_rows(run: Run, labels: Mapping[str, str]) -> list[dict[str, Any]]:
    """A row of the table `engines` for each build of a run, without its id."""
    latencies = _latencies(run)
    seconds = _sums(run["runners"], "profiling_s")
    counts = _outcomes(run)
    networks = _networks(run)
    uuids, engines = _options(run, "Selected Device UUID"), _options(run, "Load engine")
    rows = []
    for row in run["builds"].to_pylist():
        build = row["build"]
        known = model_of(run.build(build))
        rows.append({
            **{name: row[name] for name in _FROM_BUILDS},
            "model": known.file or _file_name(engines.get(row["run"])) or labels.get("model"), "model_sha256": known.sha256, "network": networks.get(build),
            "gpu": row["gpu"] or run.info.gpu.name or labels.get("gpu"), "driver": run.info.driver or run.info.gpu.driver,
            "machine": labels.get("machine") or uuids.get(row["run"]), "settings": _settings(run, row),
            "when_s": row["started_s"] if row["started_s"] is not None else _started(run),
            "profiling_s": seconds.get(build), **latencies.get(build, _NO_LATENCY), **_counted(counts, build),
        })  # fmt: skip
    return rows


def _latencies(run: Run) -> dict[int, dict[str, Any]]:
    """The GPU's time of one inference by build: the median of its own samples, else what trtexec's summary states."""
    found: dict[int, dict[str, Any]] = {}
    if run["performance"].num_rows:
        rows = run["performance"].select(["build", "metric", "statistic", "value", "unit"]).to_pylist()
        figures = {
            (row["build"], row["statistic"]): row["value"] for row in rows if (row["metric"], row["unit"]) == _GPU_TIME
        }
        for statistic in ("mean", "median"):
            found.update(
                (build, {"latency_ms": value, "latency_source": f"{statistic}, trtexec"})
                for (build, known), value in figures.items()
                if known == statistic and value is not None
            )
    if run["run_times"].num_rows:
        samples = (
            run["run_times"]
            .select(["build", "pass", "gpu_ms", "process"])
            .group_by(["build", "pass"])
            .aggregate([("gpu_ms", "list"), ("process", "list")])
        )
        for row in sorted(samples.to_pylist(), key=lambda row: _PASSES.get(row["pass"], 0)):
            pairs = zip(row["gpu_ms_list"], row["process_list"], strict=True)
            known = [(value, process or 0) for value, process in pairs if value is not None]
            if row["pass"] in _PASSES and known:
                times, processes = zip(*known, strict=True)
                found[row["build"]] = {
                    "latency_ms": typical_ms(by_process(np.array(times), processes)),
                    "latency_source": f"median, samples ({row['pass']})",
                }
    return found


def _sums(table: Any, column: str) -> dict[int, float]:
    """Sums by build; a build without any value has none."""
    rows = table.select(["build", column]).group_by("build").aggregate([(column, "sum"), (column, "count")]).to_pylist()
    return {row["build"]: row[f"{column}_sum"] for row in rows if row[f"{column}_count"]}


def _outcomes(run: Run) -> dict[int, dict[str, int]]:
    counts: dict[int, dict[str, int]] = {}
    for name in ("candidates", "reformat_candidates"):
        table = run[name].select(["build", "outcome"])
        rows = table.group_by(["build", "outcome"]).aggregate([([], "count_all")]).to_pylist() if table.num_rows else []
        for row in rows:
            of_build = counts.setdefault(row["build"], {})
            of_build[row["outcome"]] = of_build.get(row["outcome"], 0) + row["count_all"]
    return counts


def _counted(counts: Mapping[int, Mapping[str, int]], build: int) -> dict[str, int | None]:
    """Candidates by what became of them; unknown for a build whose log lists none."""
    known = counts.get(build)
    if known is None:
        return dict.fromkeys(("timed", "cached", "untimed"))
    own = {name: known.get(name, 0) for name in ("timed", "cached")}
    return {**own, "untimed": sum(known.values()) - sum(own.values())}


def _networks(run: Run) -> dict[int, str]:
    """A hash of each build's ONNX nodes in the parser's order."""
    found: dict[int, str] = {}
    for build in run["builds"]["build"].to_pylist():
        nodes = run.build(build)["nodes"].select(["index", "name", "op"]).to_pylist()
        if nodes:
            found[build] = digest(f"{row['op']} {row['name']}" for row in sorted(nodes, key=lambda row: row["index"]))
    return found


def _options(run: Run, key: str) -> dict[int, str]:
    """What trtexec printed for an option, by the run."""
    rows = run["options"].select(["run", "key", "value"]).to_pylist()
    return {row["run"]: row["value"] for row in rows if row["key"] == key and row["value"]}


def _file_name(path: str | None) -> str | None:
    return PureWindowsPath(path).name or None if path else None


def _settings(run: Run, build: Mapping[str, Any]) -> str | None:
    if build["command"]:
        flags = [part for part in _words(build["command"]) if part.startswith("-")]
    elif run.info.flags:
        known = {**run.info.flags, **_timed_with(run)}
        flags = [
            f"--{name}={_flag_value(value)}" for name, value in known.items() if value not in (None, False, [], {})
        ]
    else:
        return build["precision_flags"]
    return " ".join(sorted(flag for flag in flags if not _NO_SETTING.fullmatch(flag)))


def _timed_with(run: Run) -> dict[str, Any]:
    """What a captured run was timed with at last."""
    timings = run.info.timings
    return {"useCudaGraph": timings[-1].cuda_graph, "shapes": dict(timings[-1].shapes)} if timings else {}


def _flag_value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, separators=(",", ":"))


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:  # a quotation mark without its other half
        return command.split()


def _started(run: Run) -> float | None:
    try:
        moment = datetime.fromisoformat(run.info.started or "")
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()


def runner_rows(run: Run) -> list[dict[str, Any]]:
    """A row of the table `tried_runners` for each runner of each build of a run, without its id."""
    summed = ("tactics", "timed", "profiling_s", "stamps_s")
    keys = ["build", "runner", "is_reformat"]
    groups = (
        run["runners"]
        .select([*keys, *summed])
        .group_by(keys)
        .aggregate([*((name, "sum") for name in summed), ([], "count_all")])
    )
    return [
        {**{key: row[key] for key in keys}, **{name: row[f"{name}_sum"] for name in summed}, "blocks": row["count_all"]}
        for row in groups.to_pylist()
    ]


# -- layers -----------------------------------------------------------------------------------------------------------


def layer_rows(run: Run) -> list[dict[str, Any]]:
    """A row of the table `engine_layers` for each engine layer of a run, without its id."""
    if not run["layers"].num_rows:
        return []
    times = _times(run)
    tuned = _tuner_times(run)
    rows = []
    for build, layers in read_layers(run).items():
        regions = _regions(run, build)
        for layer in layers:
            region, nodes = regions.get(layer.index, (None, None))
            time_ms, source = times.get((build, layer.index), (None, None))
            rows.append({
                "build": build, "index": layer.index, "name": layer.name or None, "type": layer.type or None,
                "region": region, "region_nodes": nodes, "shapes": _shapes(layer), "tactic_id": layer.tactic_id,
                "tactic_name": layer.tactic_name, "precision": layer.precision, "unit": layer.unit, "works": layer.works,
                "is_reformat": layer.is_reformat, "time_ms": time_ms, "time_source": source,
                "tuner_ms": tuned.get((build, layer.index)),
            })  # fmt: skip
    return rows


def _regions(run: Run, build: int) -> dict[int, tuple[str, int]]:
    """Of each layer (by index) the hash and the number of the nodes of its region."""
    engine = read_engine(run.name, run, build)
    found: dict[int, tuple[str, int]] = {}
    for region in align([engine]).regions:
        known = digest(sorted(region.nodes)), len(region.nodes)
        found.update((engine.layers[position].index, known) for position in region.layers[0])
    return found


def _times(run: Run) -> dict[tuple[int, int], tuple[float, str]]:
    if not any(run[name].num_rows for name in _TIME_TABLES):
        return {}
    from trtlens.engine.times import layers_with_times  # noqa: PLC0415  pandas takes longer than most logs, and few have times

    rows = layers_with_times(run)[["build", "index", "type", "time_ms", "time_source"]]
    rows = rows[rows["time_ms"].notna() & ~rows["type"].isin(NO_WORK)]
    columns = (rows[name].tolist() for name in rows.columns)
    return {
        (int(build), int(index)): (float(ms), str(source)) for build, index, _, ms, source in zip(*columns, strict=True)
    }


def _tuner_times(run: Run) -> dict[tuple[int, int], float]:
    """The tuner's time for the tactic of each layer that has a candidate of its own."""
    lines = run["candidates"].select(["build", "line", "time_ms", "chosen"])
    chosen = {(row["build"], row["line"]): row["time_ms"] for row in _chosen(lines)}
    rows = run["tuned_layers"].select(["build", "layer_index", "matched_by", "candidate_line"]).to_pylist()
    known = {
        (row["build"], row["layer_index"]): chosen.get((row["build"], row["candidate_line"]))
        for row in rows
        if row["matched_by"] == "name"
    }
    return {key: time_ms for key, time_ms in known.items() if time_ms is not None}


def _chosen(candidates: Any) -> Sequence[Mapping[str, Any]]:
    rows: list[dict[str, Any]] = candidates.filter(candidates["chosen"]).to_pylist()
    return rows


def _shapes(layer: EngineLayer) -> str | None:
    tensors = [(side, tensor) for side in ("inputs", "outputs") for tensor in getattr(layer, side)]
    if not tensors or any(one.dtype is None or one.dims is None for _, one in tensors):
        return None
    return digest(
        f"{side} {one.dtype} {one.dims} {one.layout} {one.strides} {one.vector_width}" for side, one in tensors
    )
