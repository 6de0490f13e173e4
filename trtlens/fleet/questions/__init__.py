"""The questions that a fleet answers: one ``.sql`` file each, whose head says what it asks and what its columns mean.

    -- Which kernels fall to FP32?
    -- place 3
    -- chart bar trt share_percent precision          (kind, x, y, colour)
    -- column share_percent | float | % | share of the layers    (name, type, unit, meaning)
    SELECT ...

``macros.sql`` holds what several of them share.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from trtlens.tables.schema import declare

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from trtlens.tables.schema import TableSpec

_COLUMN = re.compile(r"^-- column (.+)$", re.MULTILINE)
_CHART = re.compile(r"^-- chart (?P<kind>bar|line) (?P<x>\w+) (?P<y>\w+)(?: (?P<colour>\w+))?$", re.MULTILINE)
_PLACE = re.compile(r"^-- place (\d{1,3})$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Question:
    """One question: its SQL, the rows of its answer, and what its chart draws (kind, x, y, colour)."""

    name: str
    text: str
    place: int
    sql: str
    rows: TableSpec
    chart: tuple[str, str, str, str | None] | None

    def declared(self, rows: pa.Table) -> pa.Table:
        """The rows in the declared types, with units and meanings in their schema."""
        return rows.cast(self.rows.schema)


def _read(name: str, sql: str) -> Question:
    place, chart = _PLACE.search(sql), _CHART.search(sql)
    assert place is not None  # noqa: S101  a test reads every question
    text = sql.partition("\n")[0].removeprefix("-- ")
    rows = declare(f"fleet ask {name}", f"one answer to {text!r}", "", "\n".join(_COLUMN.findall(sql)))
    drawn = (chart["kind"], chart["x"], chart["y"], chart["colour"]) if chart else None
    return Question(name, text, int(place[1]), sql, rows, drawn)


@cache
def _texts() -> dict[str, str]:
    found = (file for file in files(__package__).iterdir() if file.name.endswith(".sql"))
    return {file.name.removesuffix(".sql"): file.read_text("utf-8") for file in found}


class _Questions(Mapping[str, Question]):
    def __getitem__(self, name: str) -> Question:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    @staticmethod
    @cache
    def _all() -> dict[str, Question]:
        read = [_read(name, sql) for name, sql in _texts().items() if name != "macros"]
        return {one.name: one for one in sorted(read, key=lambda one: one.place)}


QUESTIONS: Mapping[str, Question] = _Questions()
"""Every question by name, in the order of their places."""
MACROS = _texts()["macros"]
"""SQL that stands before each question's."""
