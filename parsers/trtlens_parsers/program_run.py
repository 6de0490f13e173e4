"""A program's run in a log: trtexec's banners, what says which TensorRT wrote the log, and the options that trtexec prints.

Banners carry no version in 5.x to 7.x, ``[TensorRT v8203]`` in 8.0 to 9.x and ``[TensorRT v100900] [b34]`` in 10.0 and
later (the build number since 10.4). Option sections (``=== Build Options ===`` ..) stand in 6.0 and later, the device
section since 8.0. Sources: ``logging.h``, ``logger.h``, ``operator<<`` of the options in ``sampleOptions.cpp``, and
``sampleDevice.cpp`` in NVIDIA/TensorRT's ``samples/common``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from trtlens_parsers.line_forms import watch

TRTLENS = "trtlens"
WRITTEN_BY_TRTLENS = "Written by trtlens "
"""How the log of `trtlens profile` begins, with a version behind it."""
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


# -- options -----------------------------------------------------------------------------------------------------------

_HEADER = re.compile(r"=== (?P<section>[A-Z][\w ]{0,60}(?: Options| Information)) ===")
_OPTION = re.compile(r"(?P<key>[A-Za-z][\w()./-]{0,60}(?: [\w()./-]{1,60}){0,10}) ?:(?P<value>.*)")
_INPUT_FILE = re.compile(r"\S.*<-")

# A blank line stands between sections, and some wrappers put one between all lines. These sections are the last ones:
# behind their blank line only a key that they are known to have is still theirs.
_LAST_SECTIONS = {
    "Reporting Options": re.compile(r"(?:Verbose|Averages|Percentiles?|Dump [\w ]+|Profile|Export [\w ]+):"),
    "Device Information": re.compile(
        r"(?:Available Devices|Selected Device(?: \w+)?|Compute Capability|SMs|\w+ Global Memory|Shared Memory per SM"
        r"|Memory Bus Width|[\w ]*Clock Rate|Note):"
    ),
}
_NOT_OPTIONS = ("TensorRT version:", "Note:")


class OptionRow(NamedTuple):
    """One option as printed; ``section`` as in ``Build Options``, ``value`` empty where nothing is set."""

    section: str
    key: str
    value: str
    line: int


class OptionsReader:
    """Feed it messages in order; ``rows`` are the options of every section seen so far."""

    def __init__(self) -> None:
        self.rows: list[OptionRow] = []
        self._section: str | None = None
        self._after_blank = False

    def feed(self, text: str, line: int) -> bool:
        """Whether ``text`` belongs to a section; False also ends the section that was open."""
        header = _HEADER.fullmatch(text.strip())
        if header is not None:
            self._section, self._after_blank = header["section"], False
            return True
        if self._section is None:
            return False
        if not text.strip():
            self._after_blank = True
            return True
        if self._is_foreign(text) or not self._read(self._section, text.rstrip(), line):
            self._section = None
        return self._section is not None

    def _is_foreign(self, text: str) -> bool:
        known = _LAST_SECTIONS.get(self._section or "")
        if text.startswith("TensorRT version:"):
            return True
        return self._after_blank and known is not None and text[:1] not in {" ", "\t"} and known.match(text) is None

    def _read(self, section: str, text: str, line: int) -> bool:
        last = self.rows[-1] if self.rows and self.rows[-1].section == section else None
        if last is not None and (text[0] in " \t" or (last.key == "Inputs" and _INPUT_FILE.match(text))):
            self._add_item(last, text.strip(), line)
            return True
        option = _OPTION.fullmatch(text.strip())
        if option is None:
            return False
        if not text.startswith(_NOT_OPTIONS):
            self.rows.append(OptionRow(section, option["key"], option["value"].strip(), line))
        return True

    def _add_item(self, last: OptionRow, value: str, line: int) -> None:
        """A list's items follow its key one per line; the key's own row is empty and gives way to the first item."""
        if not last.value:
            self.rows.pop()
        self.rows.append(OptionRow(last.section, last.key, value, line))


# -- the run ------------------------------------------------------------------------------------------------------------

_LIBRARY = re.compile(
    r"[Ll]oad(?:ed)? shared library [^\n]{0,200}?libnvinfer\w{0,60}\.so\.(\d{1,3}(?:\.\d{1,5}){2,3})\s*$"
)
_LOADS = re.compile(r"(?:^| )--loadEngine\b")


class ProgramRun(NamedTuple):
    """A run of trtexec from its banner to its end, or of another program as far as the log tells it from the next.

    ``state`` is RUNNING where trtexec's last line is missing, None for a program without banners; ``version`` is TensorRT's.
    """

    number: int
    program: str | None
    command: str | None
    state: str | None
    state_line: int | None
    version: str | None
    version_line: int | None
    options: tuple[OptionRow, ...]


@dataclass(slots=True)
class OpenRun:
    """The part of a log from a program's first line to its last: trtexec's banners, or what stands between them.

    ``state`` is what trtexec's last banner says; RUNNING until then, None for a program without banners.
    """

    number: int
    options: OptionsReader = field(default_factory=OptionsReader)
    program: str | None = None
    command: str | None = None
    state: str | None = None
    state_line: int | None = None
    version: str | None = None
    version_line: int | None = None
    library: tuple[str, int] | None = None

    def take_banner(self, banner: Banner, line: int) -> None:
        """Keep what trtexec's first or last line says: program, version, command, how it ended."""
        if banner.version is not None and (self.program is None or self.version is None):
            self.version, self.version_line = banner.version, line
        self.program, self.state, self.state_line = banner.program, banner.state, line
        self.command = self.command or banner.command or None

    @watch("TensorRT version", "TensorRT Version", "Loaded ", "Trying to load shared library ")
    def take_version(self, text: str, line: int) -> bool:
        """``TensorRT version: 8.2.3`` and its like; the name of a library of TensorRT, for want of anything better."""
        version = read_version(text)
        if version is not None and self.version is None:
            self.version, self.version_line = version, line
        library = _LIBRARY.search(text) if version is None and self.library is None else None
        if library is not None:
            self.library = library[1], line
        return version is not None

    @watch(WRITTEN_BY_TRTLENS)
    def take_writer(self, text: str, line: int) -> bool:  # noqa: ARG002  a reader takes the line's number, too
        """``Written by trtlens 0.1.0``: the first line of a log of `trtlens profile`, whose lines are like trtexec's."""
        self.program = self.program or TRTLENS
        return True

    @property
    def loads(self) -> bool | None:
        """Whether its command line has an engine loaded; None for another program than trtexec."""
        if self.command is None or not (self.program or "").endswith("trtexec"):
            return None
        return _LOADS.search(self.command) is not None

    def record(self) -> ProgramRun:
        """The finished record."""
        version, version_line = (self.version, self.version_line) if self.version else self.library or (None, None)
        return ProgramRun(
            self.number, self.program, self.command, self.state, self.state_line, version, version_line,
            tuple(self.options.rows),
        )  # fmt: skip
