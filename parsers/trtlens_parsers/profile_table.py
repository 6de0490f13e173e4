"""Reads the table of layer times that trtexec prints for ``--dumpProfile``, and the one that NVIDIA's samples print.

Column orders: layer, time, average, share (7.0 to 8.2); the same with a median before the share (8.4 and 8.5); numbers
first and the layer last (8.6 and later); layer, share, invocations, time (``SimpleProfiler`` of 5.x and 6.0 and of many
programs that copied it). Layers that took no time are left out since 8.4. Sources: ``sampleReporting.cpp`` and
``common.h`` in NVIDIA/TensorRT's ``samples/common``.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from trtlens_parsers.finite import finite_number

_START = re.compile(r"\s{0,80}=== Profile \((?P<iterations>\d{1,12}) iterations? ?\) ===\s*$")
_SAMPLE_START = re.compile(r"\s{0,80}=+ .{1,200} profile =+\s*$")
_SAMPLE_END = re.compile(r"\s{0,80}=+ .{0,200} total runtime = (?P<total>\S{1,32}) ms =+\s*$")
_NUMBER = r"(?:\d{1,15}(?:\.\d{1,6})?|-?(?:nan|inf)(?:\(ind\))?)"
_NUMERIC = re.compile(_NUMBER)


class ProfileRow(NamedTuple):
    """One layer's times over all iterations; ``median_ms`` is None where the table has no such column.

    ``percent`` is the share of the sum of all layers. The samples' table gives total and invocations, not the average:
    there ``average_ms`` is their quotient.
    """

    layer: str
    total_ms: float | None
    average_ms: float | None
    median_ms: float | None
    percent: float | None
    line: int


class ProfileTableReader:
    """Feed it messages in order; ``rows`` are the layers, ``total`` is the table's last row."""

    def __init__(self) -> None:
        self.rows: list[ProfileRow] = []
        self.total: ProfileRow | None = None
        self.iterations: int | None = None
        self._columns: str | None = None  # None outside a table, "" before its column heads

    def feed(self, text: str, line: int) -> bool:
        """Whether ``text`` belongs to a table; False also ends the table that was open."""
        start = _START.match(text)
        if start is not None or _SAMPLE_START.match(text):
            self._columns = ""
            self.iterations = int(start["iterations"]) if start else None
            return True
        if not self._columns:
            known = _columns(text)
            if known is not None and self._columns is None:  # an excerpt that begins at the heading
                self.iterations = None
            self._columns = known
            return known is not None
        return self._read(self._columns, text, line)

    def _read(self, columns: str, text: str, line: int) -> bool:
        end = _SAMPLE_END.match(text)
        if end is not None:
            self._columns = None
            self.total = ProfileRow("Total", finite_number(end["total"]), None, None, None, line)
            return True
        row = self._read_sample(text, line) if columns == "sample" else _read_row(columns, text, line)
        if row is None or row.layer == "Total":
            self._columns = None
            self.total = row or self.total
        else:
            self.rows.append(row)
        return row is not None

    def _read_sample(self, text: str, line: int) -> ProfileRow | None:
        cells = text.rstrip().rsplit(None, 3)
        if (
            len(cells) != 4
            or not cells[1].endswith("%")
            or not cells[2].isdecimal()
            or not _NUMERIC.fullmatch(cells[3])
        ):
            return None
        count, total = int(cells[2][:12]), finite_number(cells[3])
        self.iterations = max(self.iterations or 0, count)
        average = total / count if count and total is not None else None
        return ProfileRow(cells[0].strip(), total, average, None, finite_number(cells[1][:-1]), line)


def _columns(text: str) -> str | None:
    """Which order of columns a heading states."""
    heading = text.strip()
    if heading.startswith("TensorRT layer name"):
        return "sample"
    if heading.startswith("Layer ") and heading.endswith("Time %"):
        return "layer first, median" if "Median" in heading else "layer first"
    return "layer last" if heading.startswith("Time(ms)") and heading.endswith("Layer") else None


def _read_row(columns: str, text: str, line: int) -> ProfileRow | None:
    count = 3 if columns == "layer first" else 4
    if columns == "layer last":
        *numbers, layer = text.split(None, count) or [""]
    else:
        layer, *numbers = text.rstrip().rsplit(None, count) or [""]
    if len(numbers) != count or not all(_NUMERIC.fullmatch(cell) for cell in numbers):
        return None
    values = [finite_number(cell) for cell in numbers]
    median = values[2] if count == 4 else None
    return ProfileRow(layer.strip(" \t\r"), values[0], values[1], median, values[-1], line)
