"""Which backend strategy and which optimisation profile a line of a log is about, for the rows of every table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np
import pyarrow as pa

from trtlens.tables.arrays import array, of_numpy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from trtlens_parsers.records import Build


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
        rows = [(0, None, None), *build.stretches]
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
    rejected = {strategy.number for strategy in build.strategies if strategy.kept is False}
    if not rejected:
        return list(records)
    strategies = Stretches(build).of("strategy", np.array([record.line for record in records], np.int64)).tolist()
    return [record for record, strategy in zip(records, strategies, strict=True) if strategy not in rejected]


def key_columns(builds: Sequence[Build], lines: Sequence[npt.NDArray[np.int64]]) -> Mapping[str, pa.Array]:
    """``strategy`` and ``profile`` of rows, given by their lines in each build."""
    columns = {}
    for key in KEYS:
        found = [Stretches(build).of(key, own) for build, own in zip(builds, lines, strict=True)]
        values = np.concatenate(found) if found else np.empty(0, np.int64)
        columns[key] = of_numpy(values, missing=values == NONE) if len(values) else array([], pa.int64())
    return columns
