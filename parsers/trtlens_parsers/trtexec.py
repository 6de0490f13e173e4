"""What says which TensorRT wrote a log: trtexec's and the samples' banners, and the version lines of the wrappers.

Banners carry no version in 5.x to 7.x, ``[TensorRT v8203]`` in 8.0 to 9.x and ``[TensorRT v100900] [b34]`` in 10.0 and
later (the build number since 10.4). Source: ``samples/common/logging.h`` and ``logger.h`` of NVIDIA/TensorRT.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_BANNER = re.compile(
    r"\s{0,8}&&&& (?P<state>RUNNING|PASSED|FAILED|WAIVED) (?P<program>[^\s#]{1,200})"
    r"(?: \[TensorRT[\w -]{0,20} v(?P<version>\d{1,7})\])?"
    r"(?: \[b(?P<build>\d{1,9})\])?"
    r"(?: # ?(?P<command>.*))?\s*$"
)
_END = re.compile(r"\s{0,8}&&&& (?P<state>PASSED|FAILED|WAIVED) ")
_VERSION = re.compile(
    r"\s{0,8}(?:Loaded )?TensorRT [Vv]ersion(?: is)?:? {0,4}"
    r"(?:\((?P<tuple>\d{1,3}(?:, \d{1,5}){2,3})\)|(?P<dotted>\d{1,3}(?:\.\d{1,5}){2,3})|(?P<packed>\d{4,6}))\s*$"
)
_MODULE = re.compile(r"\s{0,16}Loaded Module: tensorrt {0,80}\| Version: (?P<dotted>\d{1,3}(?:\.\d{1,5}){2,3}) {0,4}\|")


@dataclass(frozen=True, slots=True)
class Banner:
    """A line that a TensorRT program prints when it starts (``RUNNING``) or ends (``PASSED``, ``FAILED``, ``WAIVED``).

    ``program`` is what the line names (``TensorRT.trtexec``), ``version`` as in ``8.2.3``; None where none is printed.
    """

    state: str
    program: str
    version: str | None
    build: int | None
    command: str


def read_banner(text: str) -> Banner | None:
    """The banner in ``text``, one line without a wrapper's prefix, or None if it is no banner."""
    match = _BANNER.match(text.split("\n", 1)[0])
    if match is None:
        return None
    version, build = match["version"], match["build"]
    return Banner(
        match["state"],
        match["program"],
        unpack_version(int(version)) if version else None,
        int(build) if build else None,
        (match["command"] or "").rstrip(),
    )


def read_end(text: str) -> str | None:
    """How a program ended (``PASSED``, ``FAILED``, ``WAIVED``), from the beginning of its last line, which may be cut."""
    match = _END.match(text)
    return match["state"] if match is not None else None


def unpack_version(number: int) -> str | None:
    """``8203`` as ``8.2.3`` and ``100900`` as ``10.9.0``; None for a number that is neither packing.

    To 9.x NV_TENSORRT_VERSION is MAJOR*1000 + MINOR*100 + PATCH (DriveOS's 8510 is 8.5.10), from 10.0 on
    MAJOR*10000 + MINOR*100 + PATCH.
    """
    if not 1000 <= number < 1_000_000:
        return None
    major, rest = divmod(number, 1000 if number < 10_000 else 10_000)
    return f"{major}.{rest // 100}.{rest % 100}"


def read_version(text: str) -> str | None:
    """The TensorRT version that a message states, as in ``8.2.3`` or ``8.4.1.5``; None if it states none.

    Read are ``TensorRT version: 8.2.3`` and ``TensorRT version: 8003`` (trtexec, 8.0.0 to 8.0.3 packed),
    ``TensorRT version 8.2.1`` (jetson-inference), ``Loaded TensorRT version: 8.2.3`` and ``.. (5, 1, 5)`` (TF-TRT; its
    ``Linked`` line is about the machine that built TensorFlow), and
    ``Loaded Module: tensorrt | Version: 8.4.1.5 | Path: ..`` (Polygraphy).
    """
    match = _VERSION.match(text) or _MODULE.match(text)
    if match is None:
        return None
    found = match.groupdict()
    if found.get("packed"):
        return unpack_version(int(found["packed"]))
    return found["dotted"] or found["tuple"].replace(", ", ".")
