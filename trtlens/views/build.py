"""Where did the build's time go: by parts, by runner, by layer, and what would a timing cache save?"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from trtlens.arrays import of_build
from trtlens.combinations import NOT_SHOWN
from trtlens.schema import declare
from trtlens.views import View

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa

    from trtlens.runs import Run

COLUMNS = declare(
    "view build", "one part of a build; or one runner, one layer, all reformats, or the timing cache in its tuning",
    "build kind source name",
    """
    build | int | | number of the build
    kind | text | | part, runner, layer, timing cache
    name | text | | part of the build, runner, or layer
    seconds | float | s | duration; of a runner or a layer what its tuning took; of the timing cache what the next build need not time
    percent | float | % | parts by stamps: share of the build; runners, layers, cache: share of all tuning; null for stated parts, which hold one another
    source | text | | stated by TensorRT, or stamps: differences of the log's time stamps (whole seconds)
    tactics | int | | tactics that the log names
    note | text | | what the log says about the timing cache
    line | int | | line that states it, or where it begins
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
    return [
        *_parts(_rows(run, "phases", build, "name", "seconds", "source", "line"), runners),
        *_tuned("runner", tuning, source, lambda row: row["runner"]),
        *_tuned("layer", tuning, source, lambda row: _REFORMATS if row["is_reformat"] else row["layer"]),
        *_cache(run, build, tuning, source),
    ]


def _parts(phases: Sequence[dict[str, Any]], runners: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    tactics = sum(row["tactics"] for row in runners) or None
    total = sum(row["seconds"] for row in phases if row["source"] == "stamps")
    ordered = sorted(phases, key=lambda row: (row["source"], row["line"]))
    return [
        {
            **row, "kind": "part", "tactics": tactics if row["name"] == "tactic selection" else None,
            "percent": 100 * row["seconds"] / total if row["source"] == "stamps" and total else None,
        }
        for row in ordered
    ]  # fmt: skip


def _tuned(
    kind: str, tuning: Sequence[dict[str, Any]], source: str, name_of: Callable[[dict[str, Any]], str | None]
) -> list[dict[str, Any]]:
    """Seconds by runner or by layer, the longest first; names that the log does not give are left out."""
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in tuning:
        name = name_of(row)
        if name is not None:
            groups[name].append(row)
    total = sum(row["seconds"] for row in tuning)
    rows = [
        {
            "build": members[0]["build"], "kind": kind, "name": name, "seconds": sum(row["seconds"] for row in members),
            "source": source, "tactics": sum(row["tactics"] for row in members), "line": members[0]["line"],
        }
        for name, members in groups.items()
    ]  # fmt: skip
    for row in rows:
        row["percent"] = 100 * row["seconds"] / total if total else None
    return sorted(rows, key=lambda row: (-row["seconds"], row["line"]))


def _cache(run: Run, build: int, tuning: Sequence[dict[str, Any]], source: str) -> list[dict[str, Any]]:
    """What was timed and would be in a cache, and what the log says of the one that was in use."""
    if not tuning:
        return []
    timed = [row for row in tuning if row["timed"]]
    seconds, total = sum(row["seconds"] for row in timed), sum(row["seconds"] for row in tuning)
    told = [row for row in _rows(run, "messages", build, "code", "text", "line") if row["code"] in _CACHE_CODES]
    notes = [f"line {row['line']}: {row['text'].split(chr(10), 1)[0]}" for row in told[:2]]
    outcomes = Counter(row["outcome"] for row in _rows(run, "combinations", build, "outcome"))
    if outcomes["cached"]:
        notes.append(f"{outcomes['cached']} format combinations were taken from a cache in this build")
    if outcomes[NOT_SHOWN]:
        notes.append(
            f"{outcomes[NOT_SHOWN]} format combinations stand without a runner: answered by the cache of this build"
        )
    return [{
        "build": build, "kind": "timing cache", "name": _CACHE, "seconds": seconds, "source": source,
        "percent": 100 * seconds / total if total else None, "tactics": sum(row["timed"] for row in timed),
        "note": "; ".join(notes) or None, "line": told[0]["line"] if told else None,
    }]  # fmt: skip


VIEW = View(
    table,
    question="Where did the build's time go?",
    place=13,
    heading="Parts, runners and layers of the build",
    empty="no durations are known: TensorRT states them at info level, and time stamps stand before the lines of trtexec and of trtlens profile",
)
