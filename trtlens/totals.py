"""What a build states of its engine as a whole, and which of several statements are the engine's.

A build says its sizes and seconds once for each backend strategy that it tries, and for each optimisation profile;
TensorRT 8.2 to 8.5 print the activation memory twice, at first with the whole workspace limit in it. The lines that tell
strategies and profiles apart are at verbose level, the sizes are not: then several values may be of one engine or of
several, and only what they agree on is known.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trtlens.stretches import NONE, Stretches, key_columns
from trtlens.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import pyarrow as pa

    from trtlens_parsers.records import Build, Total


class _Part(NamedTuple):
    """What a statement is of: a strategy's number (else how many engines were generated above it, negative), a profile."""

    attempt: int
    profile: int


def _parts(build: Build, lines: Sequence[int]) -> list[_Part]:
    stretches, generated = Stretches(build), _generated(build)
    strategies, profiles = (stretches.of(key, np.array(lines, np.int64)).tolist() for key in ("strategy", "profile"))
    return [
        _Part(strategy if strategy != NONE else -1 - bisect_left(generated, line), profile)
        for line, strategy, profile in zip(lines, strategies, profiles, strict=True)
    ]


def _generated(build: Build) -> list[int]:
    return [phase.line for phase in build.phases if phase.name == "engine generation"]


def _superseded(totals: Sequence[Total], parts: Sequence[_Part]) -> list[bool]:
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
    rows = [(build.number, total) for build in builds for total in build.totals]
    lines = [np.array([total.line for total in build.totals], np.int64) for build in builds]
    superseded = [
        gone for build in builds for gone in _superseded(build.totals, _parts(build, [x.line for x in build.totals]))
    ]
    return TABLES["totals"].table({
        "build": [number for number, _ in rows], **key_columns(builds, lines),
        "name": [total.name for _, total in rows], "bytes": [total.bytes for _, total in rows],
        "superseded": superseded, "line": [total.line for _, total in rows],
    })  # fmt: skip


# -- the engine's ----------------------------------------------------------------------------------------------------


def engine_bytes(build: Build, name: str) -> int | None:
    """A size of the engine: the largest of its profiles, which share what they need. None where the log leaves it open."""
    gone = _superseded(build.totals, _parts(build, [total.line for total in build.totals]))
    largest = _of_engine(
        build,
        [
            (total.line, total.bytes)
            for total, again in zip(build.totals, gone, strict=True)
            if total.name == name and not again
        ],
        max,
    )
    return None if largest is None else int(largest)


def engine_seconds(build: Build, phase: str) -> float | None:
    """Seconds of a phase of the engine's build, all profiles together; None where the log leaves it open."""
    return _of_engine(build, [(row.line, row.seconds) for row in build.phases if row.name == phase], sum)


def engine_layers(build: Build) -> int | None:
    """Layers that the last optimisation pass left, of all profiles together; None where the log leaves it open."""
    left = [(row.line, row.layers_after) for row in build.passes if row.name == "reformat layers"]
    count = _of_engine(build, left, sum)
    return None if count is None else int(count)


def _of_engine(
    build: Build, stated: Sequence[tuple[int, float]], combined: Callable[[Iterable[float]], float]
) -> float | None:
    """What holds for all profiles of the strategy that was kept; else the one value that all statements agree on."""
    parts = _parts(build, [line for line, _ in stated])
    attempt = _kept_attempt(build, {part.attempt for part in parts})
    own = [(part.profile, value) for part, (_, value) in zip(parts, stated, strict=True) if part.attempt == attempt]
    if own and _are_profiles(build, attempt, [profile for profile, _ in own]):
        return combined(value for _, value in own)
    values = {value for _, value in (stated if attempt is None else own)}
    return values.pop() if len(values) == 1 else None


def _kept_attempt(build: Build, attempts: set[int]) -> int | None:
    """The strategy whose engine was kept, or the only one; None where several may be."""
    kept = [strategy.number for strategy in build.strategies if strategy.kept]
    if kept:
        return kept[-1]
    return attempts.pop() if len(attempts) == 1 else None


def _are_profiles(build: Build, attempt: int | None, profiles: Sequence[int]) -> bool:
    """Whether values of one attempt are of one engine's profiles: each says its own, or one engine came of them all."""
    if NONE not in profiles and len(set(profiles)) == len(profiles):
        return True
    return attempt is not None and (attempt >= 0 or len(_generated(build)) > -1 - attempt)
