"""Tables by name, each made when it is first asked for: most questions need few of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol

import pyarrow as pa


class Tables(Protocol):
    """A run, or its tables by name."""

    def __getitem__(self, table: str, /) -> pa.Table:
        """The table of that name."""


class LazyTables(Mapping[str, pa.Table]):
    """A mapping whose values ``make(name)`` makes on first access and that are then kept."""

    def __init__(self, names: Iterable[str], make: Callable[[str], pa.Table]) -> None:
        self._names = dict.fromkeys(names)
        self._make = make
        self._made: dict[str, pa.Table] = {}

    def __getitem__(self, name: str) -> pa.Table:
        if name not in self._names:
            raise KeyError(name)
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)
