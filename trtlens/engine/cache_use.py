"""What a build took from its timing cache and what it tuned, and whether it is pinned: whether nothing was left to measurement."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from trtlens.runs.captured_tables import captured_flags
from trtlens.runs.run import build_rows
from trtlens.tables.arrays import rows_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trtlens.runs.run import Run

TUNED, FROM_FILE, OWN = "tuned", "timing cache", "own cache"
_LOADED = "timing-cache-loaded"
_REFUSED = ("timing-cache-unreadable", "timing-cache-mismatch", "timing-cache-entry-invalid", "timing-cache-miss")
_ANSWERED = ("cached", "not shown")


@dataclass(frozen=True, slots=True)
class LayerUse:
    """Where the times of one layer came from.

    Attributes:
        layer: the tuner's name; None where the log names none (8.2 to 8.5, all times from the cache).
        source: ``tuned``; ``timing cache``: no combination was timed, and a cache file was in use; ``own cache``: likewise without
            one, so that the times are of layers that this build tuned before; None where nothing tells.
        tuned: format combinations that were timed.
        answered: format combinations whose times came from a cache.
        line: line of its first combination.
    """

    layer: str | None
    source: str | None
    tuned: int
    answered: int
    line: int


@dataclass(frozen=True, slots=True)
class CacheUse:
    """What one build took from caches.

    Attributes:
        build: number of the build.
        layers: in the order of the log, without those that no combination has a time for.
        tuned_reformats: reformats between formats that were timed.
        file: what says that a cache file was in use; None where nothing does.
        refused: the first lines of messages that the file, or one of its entries, was not used.
        unknown: why the log cannot tell; None where it can.
    """

    build: int
    layers: tuple[LayerUse, ...]
    tuned_reformats: int
    file: str | None
    refused: tuple[str, ...]
    unknown: str | None

    @property
    def tuned_layers(self) -> list[str]:
        """Layers that were timed in this build."""
        return [one.layer or "a layer without a name" for one in self.layers if one.source == TUNED]

    @property
    def pinned(self) -> bool | None:
        """Whether every time came from a cache file, so that a build with the same file chooses the same; None for unknown."""
        if self.refused or self.tuned_layers or self.tuned_reformats:
            return False
        return None if self.unknown is not None else True

    @property
    def verdict(self) -> str:
        """The answer in a sentence, with its reason."""
        if self.pinned:
            return f"this build is fully pinned: every time of its {len(self.layers)} layers came from the timing cache ({self.file})"
        if self.pinned is None:
            return f"whether this build is pinned is not known: {self.unknown}"
        told = list(self.refused[:1])
        tuned = self.tuned_layers
        if tuned:
            more = f" and {len(tuned) - 2} more" if len(tuned) > 2 else ""
            told.append(f"{len(tuned)} of {len(self.layers)} layers were tuned ({', '.join(tuned[:2])}{more})")
        if self.tuned_reformats:
            told.append(f"{self.tuned_reformats} tactics of reformats were timed")
        return f"this build is not pinned: {'; '.join(told)}"


def read_cache_use(run: Run, build: int) -> CacheUse:
    """What one build took from caches, all its strategies included: each of them could have been chosen."""
    row = next(row for row in run["builds"].to_pylist() if row["build"] == build)
    told = build_rows(run, "messages", build).to_pylist()
    lines = {row["code"]: f"line {row['line']}: {row['text'].split(chr(10), 1)[0]}" for row in reversed(told)}
    asked = (captured_flags(run.info) or {}).get("timing_cache_file") if row["is_build"] else None
    file = lines.get(_LOADED) or (f"run.json: timing_cache_file {asked}" if asked else None)
    columns = ["layer", "outcome", "line"]
    layers = _layers(rows_of(build_rows(run, "combinations", build).select(columns)), file)
    timed = pc.equal(build_rows(run, "reformat_candidates", build)["outcome"].cast("string"), "timed")
    refused = tuple(lines[code] for code in _REFUSED if code in lines)
    return CacheUse(build, layers, int(pc.sum(timed).as_py() or 0), file, refused, _unknown(row, layers, file))


def _layers(rows: Sequence[dict[str, Any]], file: str | None) -> tuple[LayerUse, ...]:
    groups: dict[str | None, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        groups[row["layer"]].append(row)
    is_tuned = any(row["outcome"] == "timed" for row in rows)
    answered = FROM_FILE if file is not None else OWN if is_tuned else None
    uses = []
    for layer, own in groups.items():
        counts = Counter(row["outcome"] for row in own)
        tuned, cached = counts["timed"], sum(counts[outcome] for outcome in _ANSWERED)
        if tuned or cached:
            uses.append(LayerUse(layer, TUNED if tuned else answered, tuned, cached, own[0]["line"]))
    return tuple(uses)


def _unknown(row: dict[str, Any], layers: Sequence[LayerUse], file: str | None) -> str | None:
    """What the log lacks to say that everything came from a file."""
    if not row["is_build"]:
        return "the log shows no build"
    if not row["finished"]:
        return "the log does not reach the end of the build"
    if not layers:
        return "the log shows no tuning: it takes a verbose one"
    if file is None:
        return (
            "nothing was tuned, and no line says that a timing cache was read (TensorRT-RTX never tunes and keeps none)"
        )
    return None
