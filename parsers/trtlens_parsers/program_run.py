"""A program's run in a log while it is being read, and the record that comes of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from trtlens_parsers.records import ProgramRun
from trtlens_parsers.trtexec import read_version
from trtlens_parsers.trtexec_options import OptionsReader

if TYPE_CHECKING:
    from trtlens_parsers.trtexec import Banner

_LIBRARY = re.compile(
    r"[Ll]oad(?:ed)? shared library [^\n]{0,200}?libnvinfer\w{0,60}\.so\.(\d{1,3}(?:\.\d{1,5}){2,3})\s*$"
)
_LOADS = re.compile(r"(?:^| )--loadEngine\b")


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

    def take_version(self, text: str, line: int) -> bool:
        """``TensorRT version: 8.2.3`` and its like; the name of a library of TensorRT, for want of anything better."""
        version = read_version(text)
        if version is not None and self.version is None:
            self.version, self.version_line = version, line
        library = _LIBRARY.search(text) if version is None and self.library is None else None
        if library is not None:
            self.library = library[1], line
        return version is not None

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
