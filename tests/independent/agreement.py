"""What trtlens's tables say of the same facts, and where that differs from plain counting."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tests.independent import counting, trtexec_counting
from trtlens.runs.ingest import join_documents, read_document
from trtlens.runs.run import Run
from trtlens_parsers.records import Log

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_LAYER = ("name", "type", "reformat_kind")
_CANDIDATE = ("layer", "op", "tactic_id", "time_ms", "outcome", "reason", "chosen", "line")
_NO_OPTIONS = frozenset({"TensorRT version", "Input filename", "Opset version"})
"""Keys of lines of other parts of a log that look like options."""
_TOTALS = {
    "tactic_selection_s": r"Formats and tactics selection completed in",
    "engine_generation_s": r"(?:Data initialization and engine|Engine) generation completed in",
    "engine_built_s": r"Engine built in",
    "activation_bytes": r"Total Activation Memory:",
    "weights_bytes": r"Total Weights Memory:",
    "scratch_bytes": r"(?:Total|Max) Scratch Memory:",
}
_KINDS_THAT_RETYPE = {"dtype": True, "both": True, "layout": False, "copy": False}


@dataclass(frozen=True, slots=True)
class Reading:
    """A log that was read once: its lines with the layers counted in them, the parser's records, and the tables."""

    lines: list[str]
    engine: counting.EngineRows
    log: Log
    run: Run
    layers: list[dict[str, Any]]
    candidates: list[dict[str, Any]]


def read(path: Path) -> Reading:
    """Read a log.

    Raises:
        TrtlensError: no line of it is TensorRT's.

    """
    document, lines = read_document(str(path)), counting.lines_of(path)
    assert isinstance(document.content, Log)
    run = Run(path.name, join_documents([document]))
    layers, candidates = _rows(run["layers"], _LAYER), _rows(run["candidates"], _CANDIDATE)
    return Reading(lines, counting.engine_rows(lines), document.content, run, layers, candidates)


def disagreements(reading: Reading) -> list[str]:
    """Facts in which the tables of a log differ from counting its lines; a text for each."""
    pairs = facts(reading).items()
    return [
        *(f"{fact}: {_difference(counted, told)}" for fact, (counted, told) in pairs if counted != told),
        *_wrongly_chosen(reading),
        *_wrongly_retyped(reading),
        *_wrongly_placed(reading),
        *(f"no option: {key}" for key in reading.run["options"]["key"].to_pylist() if key in _NO_OPTIONS),
    ]


def facts(reading: Reading) -> dict[str, tuple[Any, Any]]:
    """What counting the lines of a log gives, and what its tables say."""
    lines, engine, run = reading.lines, reading.engine, reading.run
    return {
        "rows of layers in the short and in the detailed form": ((engine.short, engine.detailed), _forms(reading.log)),
        "layers by type": (counting.layers_by_type(engine), Counter(row["type"] for row in reading.layers)),
        "fastest tactic of a layer": (counting.fastest_by_layer(lines), _fastest(reading.candidates)),
        "tactics by outcome": (counting.tactics_by_outcome(lines), _outcomes(run, reading.candidates)),
        "memory lines": (counting.memory_lines(lines), _memory(run)),
        "added reformats": _added(lines, reading.layers),
        **_sizes("\n".join(lines), run),
        **_told_by_trtexec(lines, run),
    }


def _rows(table: pa.Table, names: Sequence[str]) -> list[dict[str, Any]]:
    """Rows with some of their columns, as plain texts and numbers."""
    rows: list[dict[str, Any]] = pa.table([_plain(table[name]) for name in names], names=names).to_pylist()
    return rows


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column


def _forms(log: Log) -> tuple[int, int]:
    return sum(len(build.layers) for build in log.builds), sum(len(build.detailed_layers) for build in log.builds)


def _fastest(candidates: list[dict[str, Any]]) -> dict[str, tuple[float, int]]:
    """Of tactics that TensorRT's own tuner timed; Myelin's rows and those of a cache are counted with the outcomes."""
    found: dict[str, tuple[float, int]] = {}
    for row in candidates:
        if row["outcome"] == "timed" and row["op"] is None and row["layer"] is not None:
            one = (row["time_ms"], row["tactic_id"])
            found[row["layer"]] = min(found.get(row["layer"], one), one)
    return found


def _outcomes(run: Run, candidates: list[dict[str, Any]]) -> Counter[str]:
    rows = [*candidates, *_rows(run["reformat_candidates"], ("outcome", "reason"))]
    found = Counter(row["outcome"] for row in rows if row["outcome"] in {"timed", "cached"})
    found["timed by Myelin"] = sum(row["op"] is not None and row["outcome"] == "timed" for row in candidates)
    found["timed"] -= found["timed by Myelin"]
    found["no time"] = sum(row["reason"] == "time printed as infinite" for row in rows)
    return +found


def _memory(run: Run) -> tuple[int, int, int]:
    rows = run["memory"].to_pylist()
    return (
        len(rows),
        sum(row["device_persistent_bytes"] or 0 for row in rows),
        sum(row["scratch_bytes"] or 0 for row in rows),
    )


def _added(lines: list[str], layers: list[dict[str, Any]]) -> tuple[dict[str, str], dict[str, str]]:
    """Classes of the reformats that the builder announces, where the engine has them and trtlens names a class."""
    kinds = {row["name"]: row["reformat_kind"] for row in layers if row["reformat_kind"]}
    announced = counting.added_reformats(lines)
    both = announced.keys() & kinds.keys()
    return {name: announced[name] for name in both}, {name: kinds[name] for name in both}


def _sizes(text: str, run: Run) -> dict[str, tuple[Any, Any]]:
    """Seconds and sizes of a log with one build, where each is stated once or stated last."""
    builds = run["builds"].to_pylist()
    if not counting.is_one_build(text):
        return {}
    (build,) = [row for row in builds if row["is_build"]] or [builds[0]]
    return {name: (counting.last_number(text, form), build[name]) for name, form in _TOTALS.items()}


def _wrongly_chosen(reading: Reading) -> list[str]:
    """Candidates marked as chosen though the engine's row has another tactic; and rows whose tactic is said not to be chosen.

    Where several formats were timed and a row does not show its own, whether a candidate is chosen is unknown.
    """
    tactics = counting.engine_tactics(reading.engine)
    names = {name for name, _ in tactics}
    known = [row for row in reading.candidates if row["layer"] in names and row["outcome"] in {"timed", "cached"}]
    known = [row for row in known if row["op"] is None]  # Myelin's own tactics have ids of their own
    marked, left, open_ = (
        {(row["layer"], row["tactic_id"]) for row in known if row["chosen"] is state} for state in (True, False, None)
    )
    wrong, denied = sorted(marked - tactics), sorted((tactics & left) - marked - open_)
    found = [f"chosen, but not in the engine: {wrong[:3]}"] if wrong else []
    return [*found, *([f"in the engine, but said not to be chosen: {denied[:3]}"] if denied else [])]


def _wrongly_retyped(reading: Reading) -> list[str]:
    """Whether as many reformats of a class that changes the type are told as rows show it, at most."""
    counted = counting.retyping_reformats(reading.engine)
    kinds = [row["reformat_kind"] for row in reading.layers if row["type"] == "Reformat"]
    told = Counter(_KINDS_THAT_RETYPE[kind] for kind in kinds if kind)
    return [f"reformats: {told} told, {counted} counted"] if counted and told - counted else []


def _wrongly_placed(reading: Reading) -> list[str]:
    """Candidates of a layer that their block of lines does not name."""
    wrong = counting.unnamed(((row["layer"], row["line"]) for row in reading.candidates), reading.lines)
    return [f"candidates of a layer that their block does not name: lines {wrong[:5]}"] if wrong else []


def _told_by_trtexec(lines: list[str], run: Run) -> dict[str, tuple[Any, Any]]:
    """Figures of the performance summary, rows of profiles and options that trtexec printed."""
    texts = trtexec_counting.messages(lines)
    figures, keys = _rows(run["performance"], ("metric", "statistic")), run["options"]["key"].to_pylist()
    return {
        "throughputs": (trtexec_counting.throughputs(texts), sum(row["metric"] == "throughput" for row in figures)),
        "percentiles": (trtexec_counting.percentiles(texts), sum(row["statistic"].startswith("p") for row in figures)),
        "rows of profiles": (trtexec_counting.profile_rows(texts), run["layer_profile"].num_rows),
        "options": (trtexec_counting.options(texts), Counter(key for key in keys if key in trtexec_counting.OPTIONS)),
    }


def _difference(counted: Any, told: Any) -> str:
    if isinstance(counted, dict):
        keys = [key for key in {**counted, **told} if counted.get(key) != told.get(key)]
        return "; ".join(f"{key}: counted {counted.get(key)}, told {told.get(key)}" for key in keys[:3])
    return f"counted {counted}, told {told}"
