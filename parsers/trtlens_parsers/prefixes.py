"""What stands before a TensorRT message: the prefix of each program that hosts TensorRT.

One alternative per wrapper, from NVIDIA's trtexec and sample sources (5.1 to 11.1), the Python bindings, Polygraphy,
Triton, DeepStream, ONNX Runtime, Torch-TensorRT, TF-TRT, ROS and jetson-inference logs.

And what a program that is not known puts before every line: the stamps of Jenkins, of ``ts``, of a house's own tools.
(`text.find_shippers` tells known ones.) It is learnt from the lines in which a message of TensorRT can be told from what
stands before it: where nearly all lines begin with one of a few shapes (``[9999-99-99T99:99:99Z] ``), those are taken off.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_STAMP = r"\[\d\d/\d\d/\d{4}-\d\d:\d\d:\d\d\] "
_ISO = r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d"
_WORD = r"VERBOSE|INFO|WARNING|WARN|ERROR|INTERNAL_ERROR|DEBUG|GRAPH|CRITICAL"

# (wrapper, pattern with the severity as its group s, whether the text after it is certainly TensorRT's own). Order matters:
# the longest prefix first.
_WRAPPERS: tuple[tuple[str, str, bool], ...] = (
    ("trtexec", rf"(?:{_STAMP}){{1,3}}\[(?P<s>[A-Z!])\] \[TRT\] ?", True),
    ("python", rf"(?:{_STAMP})?\[TRT\] \[(?P<s>[A-Z])\] ?", True),
    ("trtexec", rf"(?:{_STAMP}){{1,3}}\[(?P<s>[A-Z!])\] ?", False),
    ("python", r"\[TensorRT\] (?P<s>[A-Z_]{3,20}): ?", True),
    ("sample", r"\[(?P<s>[A-Z])\] \[TRT\] ?", True),
    ("own logger", rf"\[(?P<s>{_WORD})\] \[TRT\] ?", True),
    ("own logger", rf"\[{_ISO} +(?P<s>{_WORD})\] (?:\[TRT\] )?", True),
    ("own logger", rf"\[(?P<s>{_WORD})\](?: \[TRT\])? ", False),
    ("polygraphy", r"\[(?P<s>[XVSUIWE!])\] ?", False),
    ("jetson-inference", r"\[TRT\](?= )(?: {4}| )", True),
    ("torch-tensorrt", rf"(?P<s>{_WORD}): \[Torch-TensorRT[^\]\n]{{0,80}}\] - ?", True),
    ("deepstream", rf"(?P<s>{_WORD}): \[TRT\]: ?", True),
    (
        "deepstream",
        (
            rf"\d{{1,3}}:\d\d:\d\d\.\d{{9}} +\d{{1,9}} +0x[0-9a-fA-F]{{1,16}} +(?:\[[\d;]{{1,12}}m)?(?P<s>{_WORD}) +(?:\[\d*m)?[^\n]{{1,200}}?"
            r"NvDsInferContext\[UID \d{1,4}\]: ?"
        ),
        False,
    ),
    ("python logging", rf"(?P<s>{_WORD}):[\w.]{{1,120}}:", False),
    (
        "onnxruntime",
        rf"{_ISO}\.\d{{3,9}} \[(?P<s>[A-Z]):onnxruntime:[^\]\n]{{0,200}}\] (?:\[{_ISO} +[A-Z_]{{3,20}}\] )?",
        True,
    ),
    (
        "tf-trt",
        (
            rf"{_ISO}\.\d{{3,9}}: (?P<s>[A-Z]) tensorflow/compiler/tf2tensorrt/[^\]\n]{{1,120}}\] "
            r"(?:TF-TRT Warning: )?(?:DefaultLogger )?"
        ),
        True,
    ),
    (
        "triton",
        r"(?:\d{1,4}: )?(?:\[[\w./-]{1,80}-\d{1,4}\] )?(?P<s>[IWEF])\d{4} \d\d:\d\d:\d\d\.\d{6} +\d{1,9} [\w.]{1,80}:\d{1,6}\] ",
        False,
    ),
    ("own logger", rf"\d\d:\d\d:\d\d - (?P<s>{_WORD}) - ", False),
    ("own logger", rf"My Logger:? ?Severity\.(?P<s>{_WORD})[: ]{{0,3}}", True),
)
_WRAPPED = (
    r"(?=[\[\dA-Z])(?:"  # what no wrapper begins with is passed over at once
    + "|".join(f"(?P<w{i}>{pattern.replace('<s>', f'<s{i}>')})" for i, (_, pattern, _) in enumerate(_WRAPPERS))
    + ")"
)
_BLANKS_BEFORE = 16
_PREFIX = re.compile(rf"[ \t]{{0,{_BLANKS_BEFORE}}}{_WRAPPED}")
_ANYWHERE = re.compile(_WRAPPED)

_SEVERITY = {
    "F": "internal error", "E": "error", "W": "warning", "I": "info", "V": "verbose", "X": "verbose", "S": "verbose",
    "U": "verbose", "!": "error", "INTERNAL_ERROR": "internal error", "CRITICAL": "internal error", "ERROR": "error",
    "WARNING": "warning", "WARN": "warning", "INFO": "info", "VERBOSE": "verbose", "DEBUG": "verbose",
    "GRAPH": "verbose",
}  # fmt: skip
_CLOCK = re.compile(r"(\d\d)/(\d\d)/(\d{4})-(\d\d):(\d\d):(\d\d)\] (?!\[\d\d/)")
_ISO_CLOCK = re.compile(r"(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)")


class Prefix(NamedTuple):
    """What a prefix says of its line; ``length`` characters of the line are prefix, ``stamp_s`` is seconds (UTC-naive).

    ``certain`` is true when the wrapper marks the text as TensorRT's own, so that the hosting program's lines
    (trtexec's options, a Python script's prints) can be told from it.
    """

    wrapper: str
    severity: str
    certain: bool
    length: int
    stamp_s: float | None


def read_prefix(line: str) -> Prefix | None:
    """The prefix at the start of ``line``; None where no known wrapper wrote one."""
    match = _PREFIX.match(line)
    if match is None:
        return None
    number = (match.lastgroup or "")[1:]  # the wrapper's group is the last that closes
    wrapper, pattern, certain = _WRAPPERS[int(number)]
    severity = _SEVERITY.get(match["s" + number], "unknown") if "<s>" in pattern else "unknown"
    return Prefix(wrapper, severity, certain, match.end(), read_stamp(match[0]))


_LANDMARK = re.compile(
    r"--------------- Timing Runner: |\*{15} Autotuning |={15} Computing |(?<!Set )Tactic Name: |Searching for input: |"
    r"Registering (?:layer|tensor): |Importing initializer: |Parsing node: |Layer\(|\[MemUsage"
)
"""How messages begin that no other program prints."""


def message_start(line: str) -> int | None:
    """Where a message of TensorRT begins in a line, its wrapper's prefix included; None where none can be told."""
    found = _ANYWHERE.search(line)
    if found is None:
        return None if (found := _LANDMARK.search(line)) is None else found.start()
    blanks = found.start() - len(line[: found.start()].rstrip(" \t"))
    return found.start() - min(blanks, _BLANKS_BEFORE)


@lru_cache(8)  # most lines bear the prefix of the line above
def read_stamp(prefix: str) -> float | None:
    """Seconds of the last time stamp in ``prefix``; None without one.

    TensorRT 6.0.1 prints the month zero-based (``tm_mon``): a month of 00 is January of that log's own count, which
    differences between two stamps of one log do not notice.
    """
    if clock := _CLOCK.search(prefix):
        month, day, year, hour, minute, second = (int(part) for part in clock.groups())
    elif clock := _ISO_CLOCK.search(prefix):
        year, month, day, hour, minute, second = (int(part) for part in clock.groups())
    else:
        return None
    try:
        moment = datetime(year, max(month, 1), day, hour, minute, second, tzinfo=timezone.utc)
    except ValueError:
        return None
    return moment.timestamp()


# -- prefixes of programs that are not known ------------------------------------------------------------------------

_SAMPLE_LINES = 400
_REACH = 300
"""Characters of a line in which a message must begin."""
_FEWEST = 5
_MOST_SAMPLES = 100
"""Samples in which messages are looked for: what a job prints before the build can be long."""
_SHARE = 0.9
_MOST_SHAPES = 8
_MOST_WORDS = 12
_TOKEN = re.compile(r"\d+|[^\W\d_]+|[ \t]+|.", re.DOTALL)
_DIGITS, _LETTERS, _BLANKS = "9", "a", " "


@dataclass(slots=True)
class OuterPrefix:
    """Takes the learnt prefix off the lines of one log, given in order; lines wait until enough are there to learn from."""

    _pattern: re.Pattern[str] | None = None
    _samples_left: int = _MOST_SAMPLES
    _waiting: list[str] = field(default_factory=list)

    def strip(self, lines: list[str]) -> list[str]:
        """Those lines that can be read now, without the prefix where one was learnt."""
        if not self._samples_left:
            return self._stripped(lines)
        self._waiting += lines
        ready: list[str] = []
        while self._samples_left and len(self._waiting) >= _SAMPLE_LINES:
            sample, self._waiting = self._waiting[:_SAMPLE_LINES], self._waiting[_SAMPLE_LINES:]
            self._learn(sample)
            ready += self._stripped(sample)
        return ready if self._samples_left else ready + self.finish()

    def finish(self) -> list[str]:
        """The lines that still wait."""
        waiting, self._waiting = self._waiting, []
        if self._samples_left:
            self._learn(waiting)
        return self._stripped(waiting)

    def _stripped(self, lines: list[str]) -> list[str]:
        if self._pattern is None:
            return lines
        match = self._pattern.match
        return [line[found.end() :] if (found := match(line)) else line for line in lines]

    def _learn(self, lines: Sequence[str]) -> None:
        sample = [line[:_REACH] for line in lines if line.strip()]
        starts = [(line, message_start(line)) for line in sample]
        told = [(line, start) for line, start in starts if start is not None]
        if len(told) < _FEWEST:
            self._samples_left -= 1
            return
        self._samples_left = 0
        outer = [line[:start] for line, start in told if start]
        if len(outer) > len(told) / 2:
            pattern = _pattern_of(outer)
            if sum(pattern.match(line) is not None for line in sample) >= _SHARE * len(sample):
                self._pattern = pattern


def _pattern_of(prefixes: Iterable[str]) -> re.Pattern[str]:
    """A pattern of the most frequent shapes of these texts: digits stand for any digits, words for those that were seen."""
    shapes: dict[tuple[str, ...], list[list[str]]] = defaultdict(list)
    for prefix in prefixes:
        tokens = _TOKEN.findall(prefix)
        shapes[tuple(map(_kind, tokens))].append(tokens)
    frequent = sorted(shapes, key=lambda shape: -len(shapes[shape]))[:_MOST_SHAPES]
    frequent.sort(key=len, reverse=True)
    return re.compile("|".join(_spelled(shape, shapes[shape]) for shape in frequent))


def _kind(token: str) -> str:
    if token.isdecimal():
        return _DIGITS
    if token.isalpha():
        return _LETTERS
    return _BLANKS if token.isspace() else token


def _spelled(shape: Sequence[str], seen: Sequence[Sequence[str]]) -> str:
    parts = []
    for place, kind in enumerate(shape):
        if kind == _DIGITS:
            parts.append(r"\d{1,20}")
        elif kind == _BLANKS:
            parts.append(r"[ \t]{1,40}")
        elif kind == _LETTERS:
            words = sorted({tokens[place] for tokens in seen}, key=lambda word: (-len(word), word))
            parts.append(f"(?:{'|'.join(words)})" if len(words) <= _MOST_WORDS else r"[^\W\d_]{1,60}")
        else:
            parts.append(re.escape(kind))
    return "".join(parts)
