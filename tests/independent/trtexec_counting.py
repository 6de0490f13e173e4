"""What trtexec prints of its options, of a performance summary and of a profile, counted line by line with the standard library."""

from __future__ import annotations

import re
from collections import Counter
from itertools import takewhile

OPTIONS = (
    "Format", "avgTiming", "Iterations", "Averages", "Export profile to JSON file", "Compute Capability", "SMs",
)  # fmt: skip
"""Names that no other line of a log begins with."""
_PREFIX = re.compile(r"\s*(?:\[\d\d/\d\d/\d{4}-\d\d:\d\d:\d\d\] )*\[[A-Z]\] ?(?:\[TRT\] ?)?")
_NAME_LAST = re.compile(r"\s*[\d.]+\s+[\d.]+\s+[\d.]+\s+[\d.]+   \S")
_NAME_FIRST = re.compile(r".*\S\s+\d+\.\d\d\s+\d+\.\d{2,4}(?:\s+\d+\.\d{4})?\s+\d+\.\d$")
_HEADING = re.compile(r"\s*(Layer  .*Time %|Time\(ms\).*  Layer)\s*")


def messages(lines: list[str]) -> list[str]:
    """Lines without what a logger puts before them, those that are blank left out."""
    stripped = (_PREFIX.sub("", line, count=1) for line in lines)
    return [line for line in stripped if line.strip()]


def options(texts: list[str]) -> Counter[str]:
    """How many lines begin with each of the options' names."""
    names = tuple(f"{name}:" for name in OPTIONS)
    return Counter(text.partition(":")[0] for text in texts if text.startswith(names))


def throughputs(texts: list[str]) -> int:
    """Lines that state a throughput."""
    return sum("hroughput" in text and bool(re.match(r"[Tt]hroughput: [\d.]+ qps", text)) for text in texts)


def percentiles(texts: list[str]) -> int:
    """Percentiles of a summary, several in a line."""
    newer = sum(text.count("percentile(") for text in texts if " min = " in text)
    return newer + sum(
        len(re.findall(r" at [\d.]+%|\([\d.]+%\)", text)) for text in texts if text.startswith("percentile: ")
    )


def profile_rows(texts: list[str]) -> int:
    """Lines below a profile's heading that end or begin in three or four numbers, without the total."""
    heads = [number for number, text in enumerate(texts) if _HEADING.fullmatch(text)]
    shapes = [_NAME_LAST if texts[head].lstrip().startswith("Time(ms)") else _NAME_FIRST for head in heads]
    bodies = [[*takewhile(shape.match, texts[head + 1 :])] for head, shape in zip(heads, shapes, strict=True)]
    totals = sum(bool(re.search(r"(^|\s)Total(\s|$)", body[-1])) for body in bodies if body)
    return sum(map(len, bodies)) - totals
