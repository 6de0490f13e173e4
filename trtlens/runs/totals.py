"""What a build states of its engine as a whole, and which of several statements are the engine's.

A build says its sizes and seconds once for each backend strategy that it tries, and for each optimisation profile;
TensorRT 8.2 to 8.5 print the activation memory twice, at first with the whole workspace limit in it. The lines that tell
strategies and profiles apart are at verbose level, the sizes are not: then several values may be of one engine or of
several, and only what they agree on is known.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

import numpy as np
import pyarrow as pa

from trtlens.tables.arrays import array, of_numpy
from trtlens.tables.declarations import TABLES
from trtlens_parsers.messages.graph import Pass
from trtlens_parsers.messages.memory_lines import Phase, Total
from trtlens_parsers.messages.strategies import Strategy, Stretch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import numpy.typing as npt

    from trtlens_parsers.records import Build


class Part(NamedTuple):
    """What a statement is of: a strategy's number (else how many engines were generated above it, negative), a profile."""

    attempt: int
    profile: int


class EngineFacts:
    """What a build states of the engine that it kept; None where the log leaves open which of several values is the engine's."""

    def __init__(self, build: Build) -> None:
        self._build = build
        self._stretches = Stretches(build)
        self._generated = [phase.line for phase in build.records(Phase) if phase.name == "engine generation"]
        self.superseded: list[bool] = _superseded(
            build.records(Total), self._parts([total.line for total in build.records(Total)])
        )

    def size(self, name: str) -> int | None:
        """A total in bytes: the largest of the profiles, which share what they need."""
        rows = zip(self._build.records(Total), self.superseded, strict=True)
        largest = self._of_engine([(row.line, row.bytes) for row, gone in rows if row.name == name and not gone], max)
        return None if largest is None else int(largest)

    def seconds(self, phase: str) -> float | None:
        """Seconds of a phase, all profiles together."""
        return self._of_engine(
            [(row.line, row.seconds) for row in self._build.records(Phase) if row.name == phase], sum
        )

    def layers(self) -> int | None:
        """Layers that the last optimisation pass left, of all profiles together."""
        left = [(row.line, row.layers_after) for row in self._build.records(Pass) if row.name == "reformat layers"]
        count = self._of_engine(left, sum)
        return None if count is None else int(count)

    def _of_engine(
        self, stated: Sequence[tuple[int, float]], combined: Callable[[Iterable[float]], float]
    ) -> float | None:
        """What holds for all profiles of the strategy that was kept; else the one value that all statements agree on."""
        parts = self._parts([line for line, _ in stated])
        attempt = self._kept_attempt({part.attempt for part in parts})
        own = [(part.profile, value) for part, (_, value) in zip(parts, stated, strict=True) if part.attempt == attempt]
        if own and self._are_profiles(attempt, [profile for profile, _ in own]):
            return combined(value for _, value in own)
        values = {value for _, value in (stated if attempt is None else own)}
        return values.pop() if len(values) == 1 else None

    def _parts(self, lines: Sequence[int]) -> list[Part]:
        if not lines:
            return []
        places = np.array(lines, np.int64)
        strategies, profiles = (self._stretches.of(key, places).tolist() for key in ("strategy", "profile"))
        return [
            Part(strategy if strategy != NONE else -1 - bisect_left(self._generated, line), profile)
            for line, strategy, profile in zip(lines, strategies, profiles, strict=True)
        ]

    def _kept_attempt(self, attempts: set[int]) -> int | None:
        """The strategy whose engine was kept, or the only one; None where several may be."""
        kept = [strategy.number for strategy in self._build.records(Strategy) if strategy.kept]
        if kept:
            return kept[-1]
        return attempts.pop() if len(attempts) == 1 else None

    def _are_profiles(self, attempt: int | None, profiles: Sequence[int]) -> bool:
        """Whether values of one attempt are of one engine's profiles: each says its own, or one engine came of them all."""
        if NONE not in profiles and len(set(profiles)) == len(profiles):
            return True
        return attempt is not None and (attempt >= 0 or len(self._generated) > -1 - attempt)


def _superseded(totals: Sequence[Total], parts: Sequence[Part]) -> list[bool]:
    """Whether the same size comes again in the same report: the builder prints one for each profile of each strategy.

    A report begins anew where a size comes again, but for the activation memory that 8.2 to 8.5 print ahead of the others.
    The weights stand behind the reports of all profiles.
    """
    reports: list[int] = []
    seen: set[str] = set()
    part = None
    for total, own in zip(totals, parts, strict=True):
        ahead = total.name == "activation" and "last activation" not in seen
        moved = own != part and total.name != "weights"
        if moved or (total.name in seen and not ahead):
            seen, part = set(), own
        reports.append(reports[-1] + (not seen) if reports else 0)
        seen.add(total.name)
        if total.name == "activation" and "scratch" in seen:
            seen.add("last activation")
    keys = [(report, total.name) for report, total in zip(reports, totals, strict=True)]
    last = {key: place for place, key in enumerate(keys)}
    return [last[key] != place for place, key in enumerate(keys)]


def totals_table(builds: Sequence[Build]) -> pa.Table:
    """The sizes that each build states, with what they are of."""
    rows = [(build.number, total) for build in builds for total in build.records(Total)]
    lines = [np.array([total.line for total in build.records(Total)], np.int64) for build in builds]
    return TABLES["totals"].table({
        "build": [number for number, _ in rows], **key_columns(builds, lines),
        "name": [total.name for _, total in rows], "bytes": [total.bytes for _, total in rows],
        "superseded": [gone for build in builds for gone in EngineFacts(build).superseded],
        "line": [total.line for _, total in rows],
    })  # fmt: skip


# -- strategies and profiles by line ----------------------------------------------------------------------------------
# Which backend strategy and which optimisation profile a line of a log is about, for the rows of every table.


class _OfLine(Protocol):
    @property
    def line(self) -> int: ...


Record = TypeVar("Record", bound=_OfLine)

NONE = -1
"""Stands for no strategy and no profile."""
KEYS = ("strategy", "profile")
"""Columns that say of which part of a build a row is."""


class Stretches:
    """The stretches of one build, to look lines up in."""

    def __init__(self, build: Build) -> None:
        rows = [(0, None, None), *build.records(Stretch)]
        self._starts = np.array([row[0] for row in rows], np.int64)
        self._values = {
            name: np.array([NONE if row[place] is None else row[place] for row in rows], np.int64)
            for place, name in enumerate(KEYS, 1)
        }

    def of(self, key: str, lines: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The strategy or the profile of each line, -1 for none."""
        found: npt.NDArray[np.int64] = self._values[key][np.searchsorted(self._starts, lines, side="right") - 1]
        return found


def of_engine(build: Build, records: Sequence[Record]) -> list[Record]:
    """The records but for those of strategies whose engine was not kept."""
    rejected = {strategy.number for strategy in build.records(Strategy) if strategy.kept is False}
    if not rejected:
        return list(records)
    strategies = Stretches(build).of("strategy", np.array([record.line for record in records], np.int64)).tolist()
    return [record for record, strategy in zip(records, strategies, strict=True) if strategy not in rejected]


def key_columns(builds: Sequence[Build], lines: Sequence[npt.NDArray[np.int64]]) -> Mapping[str, pa.Array]:
    """``strategy`` and ``profile`` of rows, given by their lines in each build."""
    asked = [(Stretches(build), own) for build, own in zip(builds, lines, strict=True) if len(own)]
    columns = {}
    for key in KEYS:
        found = [stretches.of(key, own) for stretches, own in asked]
        values = np.concatenate(found) if found else np.empty(0, np.int64)
        columns[key] = of_numpy(values, missing=values == NONE) if len(values) else array([], pa.int64())
    return columns
