"""Hardware counters that Nsight Compute writes as CSV: ``ncu --csv``, with ``--page raw`` and with ``--page details``.

Read as Nsight Compute 2019.1 to 2025.3 write it, by NVIDIA's "Nsight Compute CLI" guide and by what public tools read: a heading that
begins with ``"ID","Process ID"``, after whatever ncu and the program print. The raw page has a column for each metric, and below
the heading a row with their units; the details page a row for each metric with ``Metric Name``, ``Metric Unit`` and
``Metric Value``. Metrics are those of tensor cores (``sm__inst_executed_pipe_tensor*``, ``sm__pipe_tensor*``), of device memory
(``dram__bytes*``) and the kernel's time (``gpu__time_duration*``) under these names; others are passed over. No capture of
Nsight Compute was at hand.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

from trtlens_parsers.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_HEADING = re.compile(r'^"ID","Process ID",[^\n]*"Kernel Name"', re.MULTILINE)
_WANTED = re.compile(r"(?:sm__inst_executed_pipe_tensor|sm__pipe_tensor|dram__bytes|gpu__time_duration)[\w.]{0,120}")
_TENSOR = re.compile(r"sm__(?:inst_executed_pipe_tensor|pipe_tensor)\w*\.(?:sum|avg|max|min)(?P<rest>[\w.]*)")
_ALL_TENSOR = frozenset({
    f"sm__{what}.{how}" for what in ("inst_executed_pipe_tensor", "pipe_tensor_cycles_active") for how in ("sum", "max")
})  # fmt: skip
"""Metrics that count all operations of tensor cores: others count those of one kind, of which a kernel may have none, or are rounded to hundredths."""
_LIMIT = re.compile(r"(?<!pct_of_)peak_")
"""What the hardware could do at most, whatever the kernel does: ``.peak_sustained``, and not ``.pct_of_peak_sustained``."""
_NUMBER = re.compile(r"-?(?:\d{1,30}|\d{1,3}(?:,\d{3}){1,9})(?:\.\d{1,30})?(?:[eE][+-]?\d{1,3})?")
_DECIMAL_COMMA = re.compile(
    r"-?\d{1,3}(?:\.\d{3}){2,9}|-?\d{1,3}(?:\.\d{3})*,\d{1,2}|-?\d{4,30},\d{1,30}|-?\d{1,3}(?:\.\d{3})*,\d{4,30}"
)
_AXES = re.compile(r"\(?\s*(\d{1,10})\s*,\s*(\d{1,10})\s*,\s*(\d{1,10})\s*\)?")
_UNITS = {
    "byte": ("bytes", 1.0), "kbyte": ("bytes", 1e3), "mbyte": ("bytes", 1e6), "gbyte": ("bytes", 1e9), "tbyte": ("bytes", 1e12),
    "nsecond": ("ns", 1.0), "usecond": ("ns", 1e3), "msecond": ("ns", 1e6), "second": ("ns", 1e9), "ns": ("ns", 1.0), "us": ("ns", 1e3),
    "ms": ("ns", 1e6), "s": ("ns", 1e9),
}  # fmt: skip
_HEAD = 1 << 16
_LONGEST_NAME, _LONGEST_UNIT = 65_536, 100
MOST_ROWS = 1_000_000


@dataclass(frozen=True, slots=True)
class KernelCounter:
    """One metric of one launch; bytes and nanoseconds in these units, others in ncu's, None for what is not stated.

    ``launch`` is ncu's id: the launch's place among those that were profiled.
    """

    launch: int
    kernel: str
    metric: str
    value: float
    metric_unit: str | None = None
    stream: int | None = None
    grid: tuple[int, ...] | None = None
    block: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class KernelCounters:
    """The metrics of all launches that were profiled, in ncu's order."""

    rows: tuple[KernelCounter, ...]


def counts_tensor_cores(metric: str) -> bool:
    """Whether a metric that is not 0 says that a kernel used tensor cores."""
    match = _TENSOR.fullmatch(metric)
    return match is not None and _LIMIT.search(match["rest"]) is None


def counts_all_of_them(metric: str) -> bool:
    """Whether such a metric of 0 says that a kernel did not use them."""
    return metric in _ALL_TENSOR


def recognise_counters(text_head: str) -> str | None:
    """`ncu` for a file of Nsight Compute; None for anything else."""
    return "ncu" if _HEADING.search(text_head[:_HEAD]) else None


def read_counters(text: str) -> KernelCounters:
    """Read either form.

    Raises:
        FormatError: none of the metrics is there, numbers have decimal commas, or a row has no name or number.

    """
    found = _HEADING.search(text)
    if found is None:
        raise FormatError(
            'the file has no heading of Nsight Compute ("ID","Process ID",...): export it again with ncu --csv'
        )
    table = csv.reader(
        io.StringIO(text[found.start() : text.rfind("\n") + 1])
    )  # a last line without its end may be cut
    try:
        heading = next(table, [])
        columns = {name: place for place, name in reversed(list(enumerate(heading)))}
        rows = tuple(_details(table, columns) if "Metric Name" in columns else _raw(table, heading, columns))
    except csv.Error as error:
        raise FormatError(f"the file is no CSV ({error})") from None
    if not rows:
        raise FormatError(
            "the file has none of the metrics that are read: profile with ncu --csv --page raw --metrics "
            "sm__inst_executed_pipe_tensor.sum,sm__pipe_tensor_cycles_active.avg.pct_of_peak_sustained_active,dram__bytes.sum,gpu__time_duration.sum"
        )
    return KernelCounters(rows)


def _raw(table: Iterator[list[str]], heading: Sequence[str], columns: Mapping[str, int]) -> Iterator[KernelCounter]:
    """A column for each metric; the row of units has no id."""
    metrics = [(place, name) for place, name in enumerate(heading) if _WANTED.fullmatch(name)]
    units: Mapping[int, str] = {}
    count = 0
    for row in table:
        if row and not row[0]:
            units = dict(enumerate(row))
            continue
        launch = _launch(row, columns)
        if launch is None:
            continue  # what ncu or the program prints behind the rows
        for place, name in metrics:
            counter = _counter(launch, name, row[place] if place < len(row) else "", units.get(place, ""))
            if counter is not None:
                count = _counted(count)
                yield counter


def _details(table: Iterator[list[str]], columns: Mapping[str, int]) -> Iterator[KernelCounter]:
    """A row for each metric, which may stand in several sections."""
    seen: set[tuple[int, str]] = set()
    for row in table:
        launch, name = _launch(row, columns), _text(row, columns, "Metric Name")
        if launch is None or not _WANTED.fullmatch(name) or (launch.launch, name) in seen:
            continue
        counter = _counter(launch, name, _text(row, columns, "Metric Value"), _text(row, columns, "Metric Unit"))
        if counter is not None:
            seen.add((launch.launch, name))
            _counted(len(seen) - 1)
            yield counter


def _counted(count: int) -> int:
    if count >= MOST_ROWS:
        raise FormatError(f"the file holds more than {MOST_ROWS:,} values: profile fewer launches (ncu --launch-count)")
    return count + 1


@dataclass(frozen=True, slots=True)
class _Launch:
    launch: int
    kernel: str
    stream: int | None
    grid: tuple[int, ...] | None
    block: tuple[int, ...] | None


def _launch(row: Sequence[str], columns: Mapping[str, int]) -> _Launch | None:
    number, kernel = _text(row, columns, "ID"), _text(row, columns, "Kernel Name")
    if not kernel or not number.isascii() or not number.isdecimal() or len(number) > 12:
        return None
    stream = _text(row, columns, "Stream")
    return _Launch(
        int(number), kernel[:_LONGEST_NAME], int(stream) if stream.isascii() and stream.isdecimal() and len(stream) < 19 else None,
        _axes(_text(row, columns, "Grid Size")), _axes(_text(row, columns, "Block Size")),
    )  # fmt: skip


def _text(row: Sequence[str], columns: Mapping[str, int], name: str) -> str:
    place = columns.get(name, len(row))
    return row[place].strip() if place < len(row) else ""


def _axes(text: str) -> tuple[int, ...] | None:
    match = _AXES.fullmatch(text)
    return None if match is None else tuple(int(axis) for axis in match.groups())


def _counter(launch: _Launch, metric: str, text: str, unit: str) -> KernelCounter | None:
    """None for a value that ncu could not measure (``n/a``, nothing, an error in words)."""
    if _DECIMAL_COMMA.fullmatch(text):
        raise FormatError(
            f"numbers have decimal commas ({text}), which read otherwise elsewhere: export it with LC_ALL=C ncu"
        )
    if not _NUMBER.fullmatch(text):
        return None
    name, factor = _UNITS.get(unit.lower(), (unit[:_LONGEST_UNIT] or None, 1.0))
    value = factor * float(text.replace(",", ""))
    if not isfinite(value):
        return None
    return KernelCounter(launch.launch, launch.kernel, metric, value, name, launch.stream, launch.grid, launch.block)
