"""What trtlens's tables say of the same facts, and where that differs from plain counting."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tests.independent import counting

if TYPE_CHECKING:
    from trtlens.runs.run import Run

_TOTALS = {
    "tactic_selection_s": r"Formats and tactics selection completed in",
    "engine_generation_s": r"(?:Data initialization and engine|Engine) generation completed in",
    "engine_built_s": r"Engine built in",
    "activation_bytes": r"Total Activation Memory:",
    "weights_bytes": r"Total Weights Memory:",
    "scratch_bytes": r"(?:Total|Max) Scratch Memory:",
}
_KINDS_THAT_RETYPE = {"dtype": True, "both": True, "layout": False, "copy": False}


def disagreements(lines: list[str], run: Run) -> list[str]:
    """Facts in which the tables of a log differ from counting its lines; a text for each."""
    layers, candidates = run["layers"].to_pylist(), _told(run["candidates"])
    pairs: dict[str, tuple[Any, Any]] = {
        "layers by type": (counting.layers_by_type(lines), Counter(row["type"] for row in layers)),
        "fastest tactic of a layer": (counting.fastest_by_layer(lines), _fastest(candidates)),
        "tactics by outcome": (counting.tactics_by_outcome(lines), _outcomes(run)),
        "memory lines": (counting.memory_lines(lines), _memory(run)),
        "added reformats": _added(lines, layers),
        **_sizes(lines, run),
    }
    found = [f"{fact}: {_difference(counted, told)}" for fact, (counted, told) in pairs.items() if counted != told]
    return [*found, *_wrongly_chosen(lines, candidates), *_wrongly_retyped(lines, layers)]


def _told(candidates: pa.Table) -> list[dict[str, Any]]:
    texts = [
        candidates[name].cast(pa.string()) if pa.types.is_dictionary(candidates[name].type) else candidates[name]
        for name in ("layer", "op", "tactic_id", "time_ms", "outcome", "reason", "chosen")
    ]
    rows: list[dict[str, Any]] = pa.table(
        texts, names=["layer", "op", "tactic_id", "time_ms", "outcome", "reason", "chosen"]
    ).to_pylist()
    return rows


def _fastest(candidates: list[dict[str, Any]]) -> dict[str, tuple[float, int]]:
    """Of tactics that TensorRT's own tuner timed; Myelin's rows and those of a cache are counted with the outcomes."""
    found: dict[str, tuple[float, int]] = {}
    for row in candidates:
        if row["outcome"] == "timed" and row["op"] is None and row["layer"] is not None:
            one = (row["time_ms"], row["tactic_id"])
            found[row["layer"]] = min(found.get(row["layer"], one), one)
    return found


def _outcomes(run: Run) -> Counter[str]:
    rows = [row for name in ("candidates", "reformat_candidates") for row in run[name].to_pylist()]
    found = Counter(row["outcome"] for row in rows if row["outcome"] in {"timed", "cached"})
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


def _sizes(lines: list[str], run: Run) -> dict[str, tuple[Any, Any]]:
    """Seconds and sizes of a log with one build, where each is stated once or stated last."""
    builds = run["builds"].to_pylist()
    if not counting.is_one_build(lines):
        return {}
    (build,) = [row for row in builds if row["is_build"]] or [builds[0]]
    return {name: (counting.last_numbers(lines, form), build[name]) for name, form in _TOTALS.items()}


def _wrongly_chosen(lines: list[str], candidates: list[dict[str, Any]]) -> list[str]:
    """Candidates marked as chosen though the engine's row has another tactic; and rows whose tactic is said not to be chosen.

    Where several formats were timed and a row does not show its own, whether a candidate is chosen is unknown.
    """
    engine = counting.engine_tactics(lines)
    names = {name for name, _ in engine}
    known = [row for row in candidates if row["layer"] in names and row["outcome"] in {"timed", "cached"}]
    known = [row for row in known if row["op"] is None]  # Myelin's own tactics have ids of their own
    marked, left, open_ = (
        {(row["layer"], row["tactic_id"]) for row in known if row["chosen"] is state} for state in (True, False, None)
    )
    wrong, denied = sorted(marked - engine), sorted((engine & left) - marked - open_)
    found = [f"chosen, but not in the engine: {wrong[:3]}"] if wrong else []
    return [*found, *([f"in the engine, but said not to be chosen: {denied[:3]}"] if denied else [])]


def _wrongly_retyped(lines: list[str], layers: list[dict[str, Any]]) -> list[str]:
    """Whether as many reformats of a class that changes the type are told as rows show it, at most."""
    counted = counting.retyping_reformats(lines)
    kinds = [row["reformat_kind"] for row in layers if row["type"] == "Reformat"]
    told = Counter(_KINDS_THAT_RETYPE[kind] for kind in kinds if kind)
    return [f"reformats: {told} told, {counted} counted"] if counted and told - counted else []


def _difference(counted: Any, told: Any) -> str:
    if isinstance(counted, dict):
        keys = [key for key in {**counted, **told} if counted.get(key) != told.get(key)]
        return "; ".join(f"{key}: counted {counted.get(key)}, told {told.get(key)}" for key in keys[:3])
    return f"counted {counted}, told {told}"
