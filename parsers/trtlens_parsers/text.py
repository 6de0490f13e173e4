r"""From bytes to lines: encodings, line ends, colours, the prefixes that log shippers put before every line; how lines begin.

Knows nothing of TensorRT. Lines end at "\n" only: TensorRT puts U+001E and U+001F into names, and
``str.splitlines`` would cut there.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

LONGEST_LINE = 8 * 2**20
"""Characters kept of one line; what exceeds it is dropped and the line counted as overlong."""

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

_ESCAPE = re.compile(r"\x1b(?:\[[0-9;:?]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\)?|[@-Z\\^_])")

# What docker compose, kubectl, GitHub Actions, BuildKit and syslog put before every line of a container's output.
_SHIPPERS = tuple(
    re.compile(pattern, re.MULTILINE)
    for pattern in (
        r"^[A-Za-z0-9][\w.-]{0,80} {0,40}\| ?",
        r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d) ?",
        r"^\[pod/[^\]\n]{1,200}\] ",
        r"^[^\t\n]{1,120}\t[^\t\n]{1,120}\t(?=\d{4}-\d\d-\d\dT)",
        r"^#\d{1,4} \d{1,6}\.\d{1,6} ",
        r"^[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d [\w.-]{1,80} [\w./-]{1,80}(?:\[\d{1,9}\])?: ",
        r"^(?:\d{1,4}: )?\[[\w./-]{1,80}-\d{1,4}\] ",
    )
)
_SAMPLE_LINES = 400
_MOST_LAYERS = 4


def decode_bytes(data: bytes) -> str:
    """Text of ``data`` as UTF-8, line by line as latin-1 where a line is not UTF-8; never raises."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return "\n".join(_decode_line(line) for line in data.split(b"\n"))


def _decode_line(line: bytes) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("latin-1")


def sniff_encoding(head: bytes) -> str:
    """Encoding of a log by its first bytes: a byte-order mark, or the NUL pattern of UTF-16 (PowerShell's ``>``)."""
    for mark, name in _BOMS:
        if head.startswith(mark):
            return name
    sample = head[:4096]
    if len(sample) < 4:
        return "utf-8"
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    half = len(sample) // 2
    if odd > half * 0.7 and even < half * 0.1:
        return "utf-16-le"
    if even > half * 0.7 and odd < half * 0.1:
        return "utf-16-be"
    return "utf-8"


def strip_escapes(text: str) -> str:
    """``text`` without terminal escape sequences (colours, cursor moves, window titles)."""
    return _ESCAPE.sub("", text) if "\x1b" in text else text


def find_shippers(text: str) -> tuple[re.Pattern[str], ...]:
    """Patterns, outermost first, of the prefixes that stand before at least nine in ten of the first lines."""
    lines = [line for line in text.split("\n", _SAMPLE_LINES)[:_SAMPLE_LINES] if line.strip()]
    found: list[re.Pattern[str]] = []
    while len(lines) > 2 and len(found) < _MOST_LAYERS:
        shipper = next((p for p in _SHIPPERS if sum(bool(p.match(line)) for line in lines) >= 0.9 * len(lines)), None)
        if shipper is None:
            break
        found.append(shipper)
        lines = [shipper.sub("", line, count=1) for line in lines]
    return tuple(found)


@dataclass(slots=True)
class LineDecoder:
    """Turns chunks of a log's bytes into its lines; memory is one chunk and one line, whatever the log's size."""

    overlong: int = 0
    _decoder: codecs.IncrementalDecoder | None = None
    _started: bool = False
    _shippers: tuple[re.Pattern[str], ...] | None = None
    _tail: list[bytes] = field(default_factory=list)
    _tail_bytes: int = 0
    _tail_text: str = ""
    _dropping: bool = False

    def feed(self, data: bytes) -> list[str]:
        """Whole lines completed by ``data``, without line ends, colours and shippers' prefixes."""
        if not self._started:
            data = self._start(data)
        if self._decoder is not None:
            return self._feed_text(self._decoder.decode(data))
        cut = data.rfind(b"\n")
        if cut < 0:
            self._hold(data)
            return []
        block = b"".join((*self._tail, memoryview(data)[:cut]))
        self._drop_tail()
        self._hold(data[cut + 1 :])
        return self._lines(decode_bytes(block))

    def finish(self) -> list[str]:
        """What stands behind the last line end: one text, or none where the log ends in a line end."""
        if self._decoder is not None:
            rest, self._tail_text = self._tail_text, ""
            return self._lines(rest) if rest else []
        rest_bytes = b"".join(self._tail)
        self._drop_tail()
        return self._lines(decode_bytes(rest_bytes)) if rest_bytes else []

    def _start(self, data: bytes) -> bytes:
        self._started = True
        encoding = sniff_encoding(data)
        for mark, _ in _BOMS:
            if data.startswith(mark):
                data = data[len(mark) :]
                break
        if encoding != "utf-8":
            self._decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
        return data

    def _feed_text(self, text: str) -> list[str]:
        text = self._tail_text + text
        cut = text.rfind("\n")
        self._tail_text = text[cut + 1 :][:LONGEST_LINE]
        return self._lines(text[:cut]) if cut >= 0 else []

    def _hold(self, data: bytes) -> None:
        room = LONGEST_LINE - self._tail_bytes
        if len(data) > room:
            self.overlong += not self._dropping
            self._dropping = True
            data = data[: max(room, 0)]
        self._tail.append(data)
        self._tail_bytes += len(data)

    def _drop_tail(self) -> None:
        self._tail.clear()
        self._tail_bytes = 0
        self._dropping = False

    def _lines(self, text: str) -> list[str]:
        if "\r" in text:
            text = text.replace("\r\n", "\n").removesuffix("\r")
        text = strip_escapes(text)
        if self._shippers is None:
            self._shippers = find_shippers(text)
        for shipper in self._shippers:
            text = shipper.sub("", text)
        return text.split("\n")


class Beginnings:
    """Texts that lines begin with, none shorter than ``key`` characters; a line with none of them costs one look-up."""

    def __init__(self, starts: Iterable[str], key: int) -> None:
        self._key = key
        self._starts: dict[str, tuple[str, ...]] = {}
        for start in sorted(starts, key=len, reverse=True):
            if len(start) < key:
                raise ValueError(f"{start!r} is shorter than {key} characters")
            self._starts[start[:key]] = (*self._starts.get(start[:key], ()), start)

    def match(self, text: str) -> bool:
        """Whether the text begins with one of them."""
        starts = self._starts.get(text[: self._key])
        return starts is not None and text.startswith(starts)

    def longest(self, text: str) -> str | None:
        """The longest of them that the text begins with."""
        starts = self._starts.get(text[: self._key], ())
        return next((start for start in starts if text.startswith(start)), None)
