"""What stands before a TensorRT message: the prefix of each program that hosts TensorRT.

One alternative per wrapper, from NVIDIA's trtexec and sample sources (5.1 to 11.1), the Python bindings, Polygraphy,
Triton, DeepStream, ONNX Runtime, Torch-TensorRT, TF-TRT, ROS and jetson-inference logs.
"""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import NamedTuple

_STAMP = r"\[\d\d/\d\d/\d{4}-\d\d:\d\d:\d\d\] "
_ISO = r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d"
_WORD = r"VERBOSE|INFO|WARNING|WARN|ERROR|INTERNAL_ERROR|DEBUG|GRAPH|CRITICAL"

# (wrapper, pattern, whether the text after it is certainly TensorRT's own). Order matters: the longest prefix first.
_WRAPPERS: tuple[tuple[str, str, bool], ...] = (
    ("trtexec", rf"(?:{_STAMP}){{1,3}}\[(?P<s0>[A-Z!])\] \[TRT\] ?", True),
    ("python", rf"(?:{_STAMP})?\[TRT\] \[(?P<s1>[A-Z])\] ?", True),
    ("trtexec", rf"(?:{_STAMP}){{1,3}}\[(?P<s2>[A-Z!])\] ?", False),
    ("python", r"\[TensorRT\] (?P<s3>[A-Z_]{3,20}): ?", True),
    ("sample", r"\[(?P<s4>[A-Z])\] \[TRT\] ?", True),
    ("own logger", rf"\[(?P<s5>{_WORD})\] \[TRT\] ?", True),
    ("own logger", rf"\[{_ISO} +(?P<s6>{_WORD})\] (?:\[TRT\] )?", True),
    ("own logger", rf"\[(?P<s7>{_WORD})\](?: \[TRT\])? ", False),
    ("polygraphy", r"\[(?P<s8>[XVSUIWE!])\] ?", False),
    ("jetson-inference", r"\[TRT\](?= )(?: {4}| )", True),
    ("torch-tensorrt", rf"(?P<s9>{_WORD}): \[Torch-TensorRT[^\]\n]{{0,80}}\] - ?", True),
    ("deepstream", rf"(?P<s10>{_WORD}): \[TRT\]: ?", True),
    (
        "deepstream",
        (
            rf"\d{{1,3}}:\d\d:\d\d\.\d{{9}} +\d{{1,9}} +0x[0-9a-fA-F]{{1,16}} +(?:\[[\d;]{{1,12}}m)?(?P<s17>{_WORD}) +(?:\[\d*m)?[^\n]{{1,200}}?"
            r"NvDsInferContext\[UID \d{1,4}\]: ?"
        ),
        False,
    ),
    ("python logging", rf"(?P<s11>{_WORD}):[\w.]{{1,120}}:", False),
    (
        "onnxruntime",
        rf"{_ISO}\.\d{{3,9}} \[(?P<s12>[A-Z]):onnxruntime:[^\]\n]{{0,200}}\] (?:\[{_ISO} +[A-Z_]{{3,20}}\] )?",
        True,
    ),
    (
        "tf-trt",
        (
            rf"{_ISO}\.\d{{3,9}}: (?P<s13>[A-Z]) tensorflow/compiler/tf2tensorrt/[^\]\n]{{1,120}}\] "
            r"(?:TF-TRT Warning: )?(?:DefaultLogger )?"
        ),
        True,
    ),
    (
        "triton",
        r"(?:\d{1,4}: )?(?:\[[\w./-]{1,80}-\d{1,4}\] )?(?P<s14>[IWEF])\d{4} \d\d:\d\d:\d\d\.\d{6} +\d{1,9} [\w.]{1,80}:\d{1,6}\] ",
        False,
    ),
    ("own logger", rf"\d\d:\d\d:\d\d - (?P<s15>{_WORD}) - ", False),
    ("own logger", rf"My Logger:? ?Severity\.(?P<s16>{_WORD})[: ]{{0,3}}", True),
)
_PREFIX = re.compile(
    r"[ \t]{0,16}(?:" + "|".join(f"(?P<w{i}>{pattern})" for i, (_, pattern, _) in enumerate(_WRAPPERS)) + ")"
)

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
    index = next(i for i in range(len(_WRAPPERS)) if match[f"w{i}"] is not None)
    wrapper, _, certain = _WRAPPERS[index]
    letter = next((v for k, v in match.groupdict().items() if k[0] == "s" and v is not None), None)
    severity = _SEVERITY.get(letter or "", "unknown")
    return Prefix(wrapper, severity, certain, match.end(), read_stamp(match[0]))


_LANDMARK = re.compile(
    r"--------------- Timing Runner: |\*{15} Autotuning |={15} Computing |(?<!Set )Tactic Name: |Searching for input: |"
    r"Registering (?:layer|tensor): |Importing initializer: |Parsing node: |Layer\(|\[MemUsage"
)
"""How messages begin that no other program prints."""


def message_start(line: str) -> int | None:
    """Where a message of TensorRT begins in a line, its wrapper's prefix included; None where none can be told."""
    found = _PREFIX.search(line) or _LANDMARK.search(line)
    return None if found is None else found.start()


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
