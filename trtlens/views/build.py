"""Where did the build's time go: by parts, by runner, by layer, and what would a timing cache save?"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from trtlens.output import Fold, layout
from trtlens.quantities import percent
from trtlens.quantities import seconds as in_seconds
from trtlens.tables.arrays import of_build
from trtlens.tables.schema import declare
from trtlens.tuning.combinations import NOT_SHOWN
from trtlens.views import View

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa

    from trtlens.runs.run import Run

COLUMNS = declare(
    "view build", "one part of a build, their total; or one runner, one layer, all reformats, or the timing cache in its tuning",
    "build kind name",
    """
    build | int | | number of the build
    kind | text | | total, part, after the build, runner, layer, timing cache
    name | text | | part of the build, runner, or layer; parts do not overlap
    seconds | float | s | duration; for a runner or a layer the time spent tuning it; for the timing cache the tuning time that it saves the next build
    percent | float | % | share of the build's total (runners and layers included); null for what came after the build
    source | text | | stated (by TensorRT), or stamps (differences of the log's time stamps, whole seconds); both for a total of both
    tactics | int | | tactics that the log names
    note | text | | what the log says about the timing cache
    line | int | | line that states it, or where it starts
    """,
)  # fmt: skip
_REFORMATS = "reformats between layers"
_CACHE = "times that a timing cache would keep for the next build"
_CACHE_CODES = (
    "timing-cache-global",
    "timing-cache-not-stored",
    "timing-cache-disabled",
    "timing-cache-loaded",
    "timing-cache-saved",
)


_CALIBRATION = "calibration"
_GENERATION, _REST, _BUILT, _BEHIND = (
    "engine generation",
    "rest of engine generation",
    "engine built",
    "rest of the build",
)
_INNER = ("graph construction", "graph optimization", "tactic selection", "subgraph compilation")
"""Parts of which the seconds that TensorRT states for engine generation are made, from 5.1 on but there."""
_AFTER = ("after engine generation", "inference", "engine loaded")
_ORDER = ("start", "parsing", _CALIBRATION, *_INNER, _GENERATION, _REST, _BEHIND, *_AFTER)

_PART, _LATER = "part", "after the build"
_OF_RUNNERS = ("layer", "is_reformat", "runner", "tactics", "timed", "profiling_s", "stamps_s", "line")


def table(run: Run) -> pa.Table:
    """Parts in the order of the log, then runners and layers by the time that tuning them took, then the timing cache."""
    rows = [row for build in run["builds"]["build"].to_pylist() for row in _build_rows(run, build)]
    return COLUMNS.table({column.name: [row.get(column.name) for row in rows] for column in COLUMNS.columns})


def _rows(run: Run, table: str, build: int, *columns: str) -> list[dict[str, Any]]:
    """Rows of a table with these columns; all of a long table's take much longer."""
    rows: list[dict[str, Any]] = of_build(run[table].select(["build", *columns]), build).to_pylist()
    return rows


def _build_rows(run: Run, build: int) -> list[dict[str, Any]]:
    runners = _rows(run, "runners", build, *_OF_RUNNERS)
    stated = any(row["profiling_s"] is not None for row in runners)
    column = "profiling_s" if stated else "stamps_s"
    tuning = [{**row, "seconds": row[column]} for row in runners if row[column] is not None]
    source = "stated" if stated else "stamps"
    parts = _parts(_rows(run, "phases", build, "name", "seconds", "source", "line"), runners)
    rows = [
        *_total(parts),
        *parts,
        *_tuned("runner", tuning, source, lambda row: row["runner"]),
        *_tuned("layer", tuning, source, lambda row: _REFORMATS if row["is_reformat"] else row["layer"]),
        *_cache(run, build, tuning, source),
    ]
    total = sum(row["seconds"] for row in parts if row["kind"] == _PART)
    return [
        {**row, "percent": 100 * row["seconds"] / total if total and row["kind"] != _LATER else None} for row in rows
    ]


def _total(parts: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    own = [row for row in parts if row["kind"] == _PART]
    if not own:
        return []
    return [{
        "build": own[0]["build"], "kind": "total", "name": "all parts of the build", "seconds": sum(row["seconds"] for row in own),
        "source": " and ".join(sorted({row["source"] for row in own})), "tactics": sum(row["tactics"] or 0 for row in own) or None,
    }]  # fmt: skip


def _parts(phases: Sequence[dict[str, Any]], runners: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each part once, in the order in which a build runs: as TensorRT states it, else by the time stamps.

    What is stated of engine generation holds the parts before it, of a calibration the engine that it is made with, and of the engine
    built all of them: of each the rest is a part. Several strategies are added up.
    """
    if not phases:
        return []
    stated, stamped = _sums(phases, "stated"), _sums(phases, "stamps")
    inner = sum(stated[name][0] for name in _INNER if name in stated)
    behind = _rest(stated.pop(_BUILT, None), max(inner, stated[_GENERATION][0] if _GENERATION in stated else 0.0))
    generation = stated.pop(_GENERATION, None)
    if _CALIBRATION in stated:
        made = max(inner, generation[0] if generation is not None else 0.0)
        stated[_CALIBRATION] = _rest(stated[_CALIBRATION], made) or stated[_CALIBRATION]
    known = {**stamped, **stated}
    known.pop(_GENERATION, None)
    rest = _rest(generation, inner)
    if generation is not None:
        known[_GENERATION if rest is None else _REST] = rest or generation
    elif _GENERATION in stamped:
        known[_REST] = stamped[_GENERATION]
    if behind is not None and not stamped:
        known[_BEHIND] = behind
    tactics = sum(row["tactics"] for row in runners) or None
    return [
        {
            "build": phases[0]["build"], "kind": _LATER if name in _AFTER else _PART, "name": name, "seconds": known[name][0], "line": known[name][1],
            "source": known[name][2], "tactics": tactics if name == "tactic selection" else None,
        }
        for name in sorted(known, key=lambda name: _ORDER.index(name) if name in _ORDER else len(_ORDER))
    ]  # fmt: skip


_Span = tuple[float, int, str]
"""Seconds, line and source."""


def _sums(phases: Sequence[dict[str, Any]], source: str) -> dict[str, _Span]:
    """Seconds of each part from one source, with the line of its first."""
    found: dict[str, _Span] = {}
    for row in phases:
        if row["source"] == source:
            seconds, line, _ = found.get(row["name"], (0.0, row["line"], source))
            found[row["name"]] = seconds + row["seconds"], line, source
    return found


def _rest(whole: _Span | None, inner_s: float) -> _Span | None:
    """What is left of a part that holds others; None where it does not hold them, as in 5.1."""
    return (whole[0] - inner_s, whole[1], whole[2]) if whole is not None and whole[0] >= inner_s else None


def _tuned(
    kind: str, tuning: Sequence[dict[str, Any]], source: str, name_of: Callable[[dict[str, Any]], str | None]
) -> list[dict[str, Any]]:
    """Seconds by runner or by layer, the longest first; names that the log does not give are left out."""
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in tuning:
        name = name_of(row)
        if name is not None:
            groups[name].append(row)
    rows = [
        {
            "build": members[0]["build"], "kind": kind, "name": name, "seconds": sum(row["seconds"] for row in members),
            "source": source, "tactics": sum(row["tactics"] for row in members), "line": members[0]["line"],
        }
        for name, members in groups.items()
    ]  # fmt: skip
    return sorted(rows, key=lambda row: (-row["seconds"], row["line"]))


def _cache(run: Run, build: int, tuning: Sequence[dict[str, Any]], source: str) -> list[dict[str, Any]]:
    """What was timed and would be in a cache, and what the log says of the one that was in use."""
    if not tuning:
        return []
    timed = [row for row in tuning if row["timed"]]
    seconds = sum(row["seconds"] for row in timed)
    told = [row for row in _rows(run, "messages", build, "code", "text", "line") if row["code"] in _CACHE_CODES]
    notes = [f"line {row['line']}: {row['text'].split(chr(10), 1)[0]}" for row in told[:2]]
    outcomes = Counter(row["outcome"] for row in _rows(run, "combinations", build, "outcome"))
    if outcomes["cached"]:
        notes.append(f"{outcomes['cached']} format combinations were taken from a cache in this build")
    if outcomes[NOT_SHOWN]:
        notes.append(
            f"{outcomes[NOT_SHOWN]} format combinations have no runner in the log: their times came from this build's own cache"
        )
    return [{
        "build": build, "kind": "timing cache", "name": _CACHE, "seconds": seconds, "source": source,
        "tactics": sum(row["timed"] for row in timed),
        "note": "; ".join(notes) or None, "line": told[0]["line"] if told else None,
    }]  # fmt: skip


def _answer(rows: Sequence[dict[str, Any]]) -> str:
    """How long the build took, its longest part, and the layer that was tuned the longest."""
    rows = [row for row in rows if row["seconds"] is not None]
    total = next((row for row in rows if row["kind"] == "total"), None)
    parts = [row for row in rows if row["kind"] == _PART]
    tuned = [row for row in rows if row["kind"] == "layer"]
    told = []
    if total is not None and total["seconds"]:
        longest = max(parts, key=lambda row: row["seconds"])
        share = f"{percent(longest['percent'])} of it ({in_seconds(longest['seconds'])})"
        told.append(f"{in_seconds(total['seconds'])} of build time, {longest['name']} {share}")
    if tuned and tuned[0]["seconds"]:
        told.append(f"tuning {tuned[0]['name']} took the longest, {in_seconds(tuned[0]['seconds'])}")
    first = f"{rows[0]['name']}: {in_seconds(rows[0]['seconds'])}" if rows else "No duration is known"
    return "; ".join(told) or first


VIEW = View(
    table,
    question="Where did the build's time go?",
    answer=_answer,
    place=13,
    layout=layout(
        "kind name seconds percent tactics source",
        stretches="name",
        fold=Fold(("kind",), 10, frozenset({"layer"}), ("seconds", "percent", "tactics")),
    ),
    heading="Parts, runners and layers of the build",
    empty="no durations: TensorRT prints them at info level, and trtexec and trtlens profile write time stamps before their lines; this log has neither",
)
