"""What a table shows on a terminal, as its view declares it: which columns first, which gives way, which rows fold into one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Fold:
    """Which rows that follow one another are shown as one line: those with the same values in the columns ``by``.

    Attributes:
        by: names of the columns.
        keep: how many of them are shown before the line that stands for the rest.
        only: values of the first column whose rows fold; empty for all.
        sums: columns that are added up in that line.
        least: how many rows make it worth a line.
    """

    by: tuple[str, ...]
    keep: int = 3
    only: frozenset[str] = frozenset()
    sums: tuple[str, ...] = ()
    least: int = 2


@dataclass(frozen=True, slots=True)
class Layout:
    """How a table's rows stand on a terminal.

    Attributes:
        shown: names of the columns that are shown unless others are asked for, the most important first: where the width does not hold
            all, the last are left out. They stand in the order of the table.
        stretches: the column of names, which takes the width that the others leave and is cut in its middle.
        prose: columns of sentences, wrapped at blanks.
        fold: which rows fold into one line.
        unnamed: what stands in the column of names for null, in rows of sums.
        unit_column: column that says the unit of a row's figures, where rows differ in it.
    """

    shown: tuple[str, ...]
    stretches: str | None = None
    prose: frozenset[str] = frozenset()
    fold: Fold | None = None
    unnamed: str = ""
    unit_column: str | None = None


def layout(shown: str, *, prose: str = "", **others: Any) -> Layout:
    """A layout whose names of columns are given as words of a text."""
    return Layout(tuple(shown.split()), prose=frozenset(prose.split()), **others)


@dataclass(frozen=True, slots=True)
class Folded:
    """A line that stands for several rows: what it says of them, and their sums by column."""

    text: str
    sums: Mapping[str, float] = field(default_factory=dict)


def folded(columns: Mapping[str, Sequence[Any]], rows: int, fold: Fold | None) -> list[int | Folded]:
    """Places of the rows that are shown, in their order, and a line for each group of rows that are not."""
    if fold is None or any(name not in columns for name in fold.by):
        return list(range(rows))
    shown: list[int | Folded] = []
    for key, places in _alike(list(zip(*(columns[name] for name in fold.by), strict=True))):
        kept = fold.keep if not fold.only or key[0] in fold.only else len(places)
        kept = kept if len(places) >= kept + fold.least else len(places)
        shown += places[:kept]
        if places[kept:]:
            shown.append(_line(columns, places[kept:], fold))
    return shown


def _alike(keys: Sequence[tuple[Any, ...]]) -> Iterator[tuple[tuple[Any, ...], list[int]]]:
    """Keys that follow one another, each once, with the places of their rows."""
    start = 0
    for place in range(1, len(keys) + 1):
        if place == len(keys) or keys[place] != keys[start]:
            yield keys[start], list(range(start, place))
            start = place


def _line(columns: Mapping[str, Sequence[Any]], places: Sequence[int], fold: Fold) -> Folded:
    text = f"{len(places)} more like this" if fold.keep else f"{len(places)} x {columns[fold.by[0]][places[0]]}"
    values = {
        name: [columns[name][place] for place in places if columns[name][place] is not None] for name in fold.sums
    }
    return Folded(text, {name: sum(found) for name, found in values.items() if found})
