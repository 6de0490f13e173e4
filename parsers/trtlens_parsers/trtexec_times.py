"""Reads the times that trtexec and NVIDIA's samples print: the summary of a run, averages of a few inferences, layer times.

Summary: one line per metric under ``=== Performance summary ===`` (8.0 and later; three percentiles since 8.5, no
end-to-end latency since 8.4); a ``Host latency``, ``GPU Compute`` and (7.1 and later) ``Enqueue Time`` block of one
line per statistic (6.0 to 7.2); averages alone (5.x).

Table of layer times (``--dumpProfile``): layer, time, average, share (7.0 to 8.2); the same with a median before the share
(8.4 and 8.5); numbers first and the layer last (8.6 and later); layer, share, invocations, time (``SimpleProfiler`` of 5.x
and 6.0 and of many programs that copied it). Layers that took no time are left out since 8.4.

Sources: ``sampleReporting.cpp`` and ``common.h`` in NVIDIA/TensorRT's ``samples/common``.
"""

from __future__ import annotations

import math
import re
from typing import NamedTuple

_METRICS = {
    "Throughput": "throughput",
    "Latency": "latency",
    "End-to-End Host Latency": "end_to_end_latency",
    "Enqueue Time": "enqueue_time",
    "H2D Latency": "h2d_latency",
    "GPU Compute Time": "gpu_compute_time",
    "D2H Latency": "d2h_latency",
    "Total Host Walltime": "total_host_walltime",
    "Total GPU Compute Time": "total_gpu_compute_time",
}
_BLOCKS = {
    "Host latency": "latency",
    "Host Latency": "latency",
    "Enqueue Time": "enqueue_time",
    "GPU Compute": "gpu_compute_time",
}
_BLOCK_VALUES = {
    "throughput": "throughput",
    "walltime": "total_host_walltime",
    "total compute time": "total_gpu_compute_time",
}
_LABEL = re.compile(rf"(?P<label>{'|'.join(_METRICS)}): (?P<rest>.*)")
_SPREAD = re.compile(
    r"(?:(?P<name>min|max|mean|median)|percentile\((?P<percent>[\d.]{1,12})%\)) = (?P<value>\S{1,32}) ms"
)
_SINGLE = re.compile(r"(?P<value>\S{1,32}) (?P<unit>qps|ms|s)\s*$")
_BLOCK_LINE = re.compile(
    r"(?:(?P<name>min|max|mean|median)|percentile): (?P<value>\S{1,32}) ms"
    r"(?: at (?P<at>[\d.]{1,12})%| \((?P<of>[\d.]{1,12})%\))?"
    r"(?: \(end to end (?P<end_to_end>\S{1,32}) ms(?: at [\d.]{1,12}%)?\))?\s*$"
)
_BLOCK_SINGLE = re.compile(rf"(?P<label>{'|'.join(_BLOCK_VALUES)}): (?P<value>\S{{1,32}}) (?P<unit>qps|s)\s*$")
_AVERAGE = re.compile(
    r"Average on \d{1,9} runs - |Average over \d{1,9} runs is \S{1,32} ms \(host walltime is \S{1,32} ms, "
)
_MORE_AVERAGES = re.compile(r"\.\.\. Omitting \d{1,12} lines\s*$|Trace averages of \d{1,9} runs:\s*$")


class PerformanceRow(NamedTuple):
    """One statistic of one metric: ``min``, ``max``, ``mean``, ``median``, ``p99`` .., or ``value`` where there is one.

    ``value`` counts in ``unit`` (``qps``, ``ms`` or ``s``); None where trtexec printed no finite number.
    """

    metric: str
    statistic: str
    value: float | None
    unit: str
    line: int


class PerformanceReader:
    """Feed it messages in order; ``rows`` are the statistics of every summary seen so far."""

    def __init__(self) -> None:
        self.rows: list[PerformanceRow] = []
        self._block: str | None = None

    def feed(self, text: str, line: int) -> bool:
        """Whether ``text`` belongs to a summary or to the averages in front of it."""
        if text.startswith("Average o"):
            return _AVERAGE.match(text) is not None
        text = text.strip()
        if text in _BLOCKS:
            self._block = _BLOCKS[text]
            return True
        if self._block is not None and self._read_block_line(self._block, text, line):
            return True
        self._block = None
        return (
            text == "=== Performance summary ===" or self._read_metric(text, line) or bool(_MORE_AVERAGES.match(text))
        )

    def _add(self, metric: str, statistic: str, value: str, unit: str, line: int) -> None:
        number = finite_number(value)
        if metric == "throughput" and number == 0.0:
            number = None  # 7.0 multiplies by the batch size, which is 0 for networks with an explicit batch
        self.rows.append(PerformanceRow(metric, statistic, number, unit, line))

    def _read_metric(self, text: str, line: int) -> bool:
        match = _LABEL.match(text)
        if match is None:
            return False
        metric, rest = _METRICS[match["label"]], match["rest"]
        single = _SINGLE.match(rest)
        if single is not None:
            self._add(metric, "value", single["value"], single["unit"], line)
            return True
        if not rest.startswith("min = "):
            return rest.startswith("the ")  # the verbose explanation of the metric
        for found in _SPREAD.finditer(rest[:2000]):
            self._add(metric, found["name"] or _percentile(found["percent"]), found["value"], "ms", line)
        return True

    def _read_block_line(self, metric: str, text: str, line: int) -> bool:
        single = _BLOCK_SINGLE.match(text)
        if single is not None:
            self._add(_BLOCK_VALUES[single["label"]], "value", single["value"], single["unit"], line)
            return True
        match = _BLOCK_LINE.match(text)
        percent = match and (match["at"] or match["of"])
        if match is None or not (match["name"] or percent):
            return False
        statistic = match["name"] or _percentile(percent or "")
        self._add(metric, statistic, match["value"], "ms", line)
        if match["end_to_end"]:
            self._add("end_to_end_latency", statistic, match["end_to_end"], "ms", line)
        return True


def _percentile(percent: str) -> str:
    number = finite_number(percent)
    return f"p{percent}" if number is None else f"p{number:g}"


# -- the table of layer times ----------------------------------------------------------------------------------------

_TABLE_START = re.compile(r"\s{0,80}=== Profile \((?P<iterations>\d{1,12}) iterations? ?\) ===\s*$")
_SAMPLE_TABLE_START = re.compile(r"\s{0,80}=+ .{1,200} profile =+\s*$")
_SAMPLE_END = re.compile(r"\s{0,80}=+ .{0,200} total runtime = (?P<total>\S{1,32}) ms =+\s*$")
_NUMBER = r"(?:\d{1,15}(?:\.\d{1,6})?|-?(?:nan|inf)(?:\(ind\))?)"
_NUMERIC = re.compile(_NUMBER)


class ProfileTableRow(NamedTuple):
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
        self.rows: list[ProfileTableRow] = []
        self.total: ProfileTableRow | None = None
        self.iterations: int | None = None
        self._columns: str | None = None  # None outside a table, "" before its column heads

    def feed(self, text: str, line: int) -> bool:
        """Whether ``text`` belongs to a table; False also ends the table that was open."""
        start = _TABLE_START.match(text)
        if start is not None or _SAMPLE_TABLE_START.match(text):
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
            self.total = ProfileTableRow("Total", finite_number(end["total"]), None, None, None, line)
            return True
        row = self._read_sample(text, line) if columns == "sample" else _read_row(columns, text, line)
        if row is None or row.layer == "Total":
            self._columns = None
            self.total = row or self.total
        else:
            self.rows.append(row)
        return row is not None

    def _read_sample(self, text: str, line: int) -> ProfileTableRow | None:
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
        return ProfileTableRow(cells[0].strip(), total, average, None, finite_number(cells[1][:-1]), line)


def _columns(text: str) -> str | None:
    """Which order of columns a heading states."""
    heading = text.strip()
    if heading.startswith("TensorRT layer name"):
        return "sample"
    if heading.startswith("Layer ") and heading.endswith("Time %"):
        return "layer first, median" if "Median" in heading else "layer first"
    return "layer last" if heading.startswith("Time(ms)") and heading.endswith("Layer") else None


def _read_row(columns: str, text: str, line: int) -> ProfileTableRow | None:
    count = 3 if columns == "layer first" else 4
    if columns == "layer last":
        *numbers, layer = text.split(None, count) or [""]
    else:
        layer, *numbers = text.rstrip().rsplit(None, count) or [""]
    if len(numbers) != count or not all(_NUMERIC.fullmatch(cell) for cell in numbers):
        return None
    values = [finite_number(cell) for cell in numbers]
    median = values[2] if count == 4 else None
    return ProfileTableRow(layer.strip(" \t\r"), values[0], values[1], median, values[-1], line)


def finite_number(text: str) -> float | None:
    """``text`` as a finite number; None for ``inf``, ``nan``, ``-nan(ind)`` and whatever is no number."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
