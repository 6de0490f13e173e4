"""Measurements that trtexec writes as JSON (8.0 to 11), and the layer times that trtlens itself saves.

`--exportProfile` is a list of a count and one object per layer; 8.2 has no median. `--exportTimes` is a list of one
object per inference, with the warm-up up to 8.2 and without it later; 8.0 and 8.2 end a row with `endToEndMs`. trtexec
escapes nothing: a layer's name is printed raw, quotes and backslashes included, and an empty run prints nan or -nan,
which no JSON reader takes. Layer times are an object: layer name -> one time in ms per execution.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trtlens_parsers.errors import FormatError
from trtlens_parsers.json_text import Members, finite, kind_by_start, parse_json, spelled
from trtlens_parsers.saved_tensors import OUTPUT_START

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LARGEST_COUNT = 10**18
# trtexec writes a blank before each colon and one layer a line; any other spelling comes from a JSON library.
_TRTEXEC_COUNT = re.compile(r'\[\s{0,9}\{ "count" : (\d{1,18}) \}\s{0,9}\n')
_TRTEXEC_ROW = re.compile(
    r', \{ "name" : "(.*)", "timeMs" : ([^,]*), "averageMs" : ([^,]*)'
    r'(?:, "medianMs" : ([^,]*))?, "percentage" : ([^,]*) \}'
)
_BARE_CONSTANT = re.compile(r"-?\b(?:nan|inf)\b")
_KINDS = (
    ("inspector", re.compile(r'\{\s*"(?:Layers|Bindings|I/O Tensors|Engine Metadata|ProfilingVerbosity)"\s*:')),
    ("profile", re.compile(r'\[\s*\{\s*(?:"count"\s*:\s*\d|"name"\s*:\s*"[^\n]*"timeMs"\s*:)')),
    ("times", re.compile(r'\[\s*\{\s*"startEnqMs"\s*:')),
    ("output", OUTPUT_START),
    ("layer_times", re.compile(r'\{\s*"(?:[^"\\]|\\.)*"\s*:\s*\[\s*(?:-?\d|NaN)')),
)


@dataclass(frozen=True, slots=True)
class ProfileRow:
    """One layer of `--exportProfile`; times are None where trtexec printed nan.

    Attributes:
        time_ms: sum over all executions.
        average_ms: mean per execution.
        median_ms: median per execution; None in 8.2, which does not print it.
        percentage: share of the sum over all layers.
    """

    name: str
    time_ms: float | None
    average_ms: float | None
    median_ms: float | None
    percentage: float | None


@dataclass(frozen=True, slots=True)
class ProfileExport:
    """A `--exportProfile` document; rows stand in execution order and names may repeat."""

    count: int | None
    rows: tuple[ProfileRow, ...]


@dataclass(frozen=True, slots=True)
class TimesRow:
    """One inference of `--exportTimes`: points in time and durations, in ms."""

    start_enqueue_ms: float | None
    end_enqueue_ms: float | None
    start_h2d_ms: float | None
    end_h2d_ms: float | None
    start_compute_ms: float | None
    end_compute_ms: float | None
    start_d2h_ms: float | None
    end_d2h_ms: float | None
    h2d_ms: float | None
    compute_ms: float | None
    d2h_ms: float | None
    latency_ms: float | None
    end_to_end_ms: float | None

    @property
    def enqueue_ms(self) -> float | None:
        """Host time between the two points around the enqueue call."""
        if self.start_enqueue_ms is None or self.end_enqueue_ms is None:
            return None
        return self.end_enqueue_ms - self.start_enqueue_ms


@dataclass(frozen=True, slots=True)
class TimesExport:
    """A `--exportTimes` document, in the order of the inferences."""

    rows: tuple[TimesRow, ...]


@dataclass(frozen=True, slots=True)
class LayerTimes:
    """A layer times document: name and times in ms of each layer, in execution order."""

    rows: tuple[tuple[str, tuple[float | None, ...]], ...]


def recognise(text_head: str) -> str | None:
    """Tell from its beginning which JSON document a text is.

    Returns:
        `inspector`, `profile` (--exportProfile), `times` (--exportTimes), `output` (--exportOutput), `layer_times`, or
        None for anything else.
    """
    return kind_by_start(text_head, _KINDS)


def read_export(text: str, kind: str) -> ProfileExport | TimesExport | LayerTimes:
    """Read a document of the kind that `recognise` told.

    Raises:
        FormatError: the document is broken, or its kind holds no measurements.
    """
    readers: dict[str, Callable[[str], ProfileExport | TimesExport | LayerTimes]] = {
        "profile": read_profile,
        "times": read_times,
        "layer_times": read_layer_times,
    }
    if kind not in readers:
        raise FormatError(f"a document of kind {kind!r} holds no times: give a profile, times or layer times")
    return readers[kind](text)


def read_profile(text: str) -> ProfileExport:
    """Read a `--exportProfile` document.

    Raises:
        FormatError: it is another document, or a row of it is broken.
    """
    count = _TRTEXEC_COUNT.match(text.lstrip("\ufeff"))
    if count:
        return ProfileExport(int(count[1]), tuple(_trtexec_rows(text)))
    rows = _objects(text, "profile")
    counted = dict(rows[0]) if rows and [key for key, _ in rows[0]] == ["count"] else {}
    return ProfileExport(
        count=_count(counted["count"]) if counted else None,
        rows=tuple(_profile_row(dict(row)) for row in rows[1 if counted else 0 :]),
    )


def read_times(text: str) -> TimesExport:
    """Read a `--exportTimes` document.

    Raises:
        FormatError: it is another document, or a row of it is broken.
    """
    numbers = _BARE_CONSTANT.sub("null", text) if "nan" in text or "inf" in text else text
    rows = _objects(numbers, "times")
    return TimesExport(tuple(_times_row(dict(row)) for row in rows))


def read_layer_times(text: str) -> LayerTimes:
    """Read layer name -> times in ms.

    Raises:
        FormatError: it is another document, or a time is no number.
    """
    document = parse_json(text, "layer times", members=Members)
    if not isinstance(document, Members) or not all(isinstance(times, list) for _, times in document):
        raise FormatError("the layer times are no object of layer names with lists of times")
    return LayerTimes(tuple((name, tuple(finite(time_ms, "a time") for time_ms in times)) for name, times in document))


def _objects(text: str, what: str) -> list[Members]:
    document = parse_json(text, what, members=Members)
    if not isinstance(document, list):
        raise FormatError(f"the {what} document is no list of objects")
    if not all(isinstance(row, Members) for row in document):
        raise FormatError(f"the {what} document holds something else than objects")
    return document


def _trtexec_rows(text: str) -> Iterator[ProfileRow]:
    for number, line in enumerate(text.split("\n"), 1):
        row = line.strip(" \r")
        if number <= 2 or row in {"", "]"}:
            continue
        match = _TRTEXEC_ROW.fullmatch(row)
        if not match:
            raise FormatError(f"line {number} of the profile is no layer: {row[:80]!r}", number)
        name, total, average, median, percentage = match.groups()
        times = (_printed_ms(printed, number) for printed in (total, average, median, percentage))
        yield ProfileRow(name, *times)


def _printed_ms(printed: str | None, line: int) -> float | None:
    try:
        return None if printed is None else finite(float(printed), "a time")
    except ValueError:
        raise FormatError(f"line {line} of the profile holds a time that is no number: {printed!r:.60}", line) from None


def _profile_row(row: dict[str, Any]) -> ProfileRow:
    name = row.get("name")
    if not isinstance(name, str) or "timeMs" not in row:
        raise FormatError(f"a row of the profile has no name or no timeMs; it has {sorted(row)[:8]!r:.200}")
    times = (finite(row.get(key), "a time") for key in ("timeMs", "averageMs", "medianMs", "percentage"))
    return ProfileRow(name, *times)


_TIMES_KEYS = (
    *("startEnqMs", "endEnqMs", "startH2dMs", "endH2dMs", "startComputeMs", "endComputeMs", "startD2hMs", "endD2hMs"),
    *("h2dMs", "computeMs", "d2hMs", "latencyMs", "endToEndMs"),
)


def _times_row(row: dict[str, Any]) -> TimesRow:
    if "computeMs" not in row:
        raise FormatError(f"a row of the times has no computeMs; it has {sorted(row)[:8]!r:.200}")
    return TimesRow(*(finite(row.get(key), "a time") for key in _TIMES_KEYS))


def _count(value: Any) -> int:
    count = finite(value, "the count of the profile")
    if count is None or not 0 <= count < _LARGEST_COUNT or not count.is_integer():
        raise FormatError(f"the count of the profile is no whole number: {spelled(value)}")
    return int(count)
