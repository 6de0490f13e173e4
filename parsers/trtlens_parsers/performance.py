"""Reads the times that trtexec 6.0 to 11 measures: the summary of a run, and its averages over a few inferences each.

Line forms: one line per metric under ``=== Performance summary ===`` (8.0 and later; three percentiles since 8.5, no
end-to-end latency since 8.4); a ``Host latency``, ``GPU Compute`` and (7.1 and later) ``Enqueue Time`` block of one
line per statistic (6.0 to 7.2); averages alone (5.x). Source: ``samples/common/sampleReporting.cpp``.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from trtlens_parsers.finite import finite_number

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
_AVERAGE = re.compile(r"Average on (?P<runs>\d{1,9}) runs - (?P<rest>.*)")
_AVERAGE_PART = re.compile(r"(?P<name>GPU latency|Host latency|end to end|enqueue):? (?P<value>[^\s,)]{1,32}) ms")
_AVERAGE_5X = re.compile(
    r"Average over (?P<runs>\d{1,9}) runs is (?P<gpu>\S{1,32}) ms \(host walltime is (?P<host>\S{1,32}) ms, "
    r"(?P<percent>\d{1,3})% percentile time is (?P<tail>[^\s)]{1,32})\)"
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


class AverageRow(NamedTuple):
    """Mean times of a few consecutive inferences; ``tail_ms`` is the ``tail_percent`` percentile of their GPU times."""

    runs: int
    gpu_ms: float | None
    host_ms: float | None
    end_to_end_ms: float | None = None
    enqueue_ms: float | None = None
    tail_percent: int | None = None
    tail_ms: float | None = None


def read_average(text: str) -> AverageRow | None:
    """The record in an ``Average on 10 runs - ..`` (6.0 and later) or ``Average over 10 runs is ..`` (5.x) line."""
    match = _AVERAGE.match(text)
    if match is not None:
        part = {found["name"]: finite_number(found["value"]) for found in _AVERAGE_PART.finditer(match["rest"][:400])}
        return AverageRow(
            int(match["runs"]),
            part.get("GPU latency"),
            part.get("Host latency"),
            part.get("end to end"),
            part.get("enqueue"),
        )
    old = _AVERAGE_5X.match(text)
    if old is None:
        return None
    gpu, host, tail = (finite_number(old[name]) for name in ("gpu", "host", "tail"))
    return AverageRow(int(old["runs"]), gpu, host, tail_percent=int(old["percent"]), tail_ms=tail)


class PerformanceReader:
    """Feed it messages in order; ``rows`` are the statistics of every summary seen so far."""

    def __init__(self) -> None:
        self.rows: list[PerformanceRow] = []
        self._block: str | None = None

    def feed(self, text: str, line: int) -> bool:
        """Whether ``text`` belongs to a summary or to the averages in front of it."""
        if text.startswith("Average o"):
            return read_average(text) is not None
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
