"""Notices lines of two builds that stand mixed in one log, as two threads or two programs write them at the same time.

The lines of a builder have one order, from TensorRT 5 to 11: what is done to the graph; then for each backend strategy and
each optimisation profile the tactics and the end of their selection; engine generation; the list of the engine's layers.
A log can be cut, or a program killed, so that a build that begins before the one above has ended is read as any other; a
line out of that order shows that the one above goes on.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING

from trtlens_parsers.line_forms import watch

if TYPE_CHECKING:
    from trtlens_parsers.build import OpenBuild

_PROFILE = re.compile(r"Constructing optimization profile number (\d{1,4}) ")


class LineOrder:
    """Follows a build that began before one above had ended; a handler answers False: the lines are other readers'.

    The first line out of order becomes the ``mixed_line`` of all of them: ``above`` begins with the last build that has not
    ended, and goes on to the build right above.
    """

    def __init__(self, build: OpenBuild, above: list[OpenBuild]) -> None:
        self.above = above
        self._build = build
        self._graph_ended = not above[0].graph_ended  # else lines behind the graph's can be those of the build above
        self._generates = above[0].phase() == "engine generation"  # what the build above says next is that it is done
        self._part = build.first_line  # the last line that ends or begins a part of the build
        self._profiles: set[str] = set()
        self._selected = self._generated = False

    @watch("After ", "Graph ")
    def graph(self, text: str, line: int) -> bool:
        """``After NAME: N layers``, ``Graph optimization time: ..``: tactics stand above it with their selection's end alone, engines never."""
        self._expect_no_tactics()
        if self._generated:
            self._mixed(line)
        self._graph_ended |= text.startswith("Graph ")
        self._part = line
        return False

    @watch("Constructing optimization profile number ")
    def profile(self, text: str, line: int) -> bool:
        """``Constructing optimization profile number 0 [1/1].``: once for each profile of a strategy."""
        match = _PROFILE.match(text)
        if match is not None:
            self._expect_no_tactics()
            if match[1] in self._profiles:
                self._mixed(line)
            self._profiles.add(match[1])
            self._begin_part(line)
        return False

    @watch("Building graph using backend strategy ")
    def strategy(self, text: str, line: int) -> bool:  # noqa: ARG002  a handler is called with the text
        """``Building graph using backend strategy N``: all comes again."""
        self._profiles.clear()
        self._generated = False
        self._begin_part(line)
        return False

    @watch("Formats and tactics selection completed")
    def selected(self, text: str, line: int) -> bool:  # noqa: ARG002
        """``Formats and tactics selection completed``: behind the graph, and once for each profile."""
        if self._selected or not self._graph_ended:
            self._mixed(line)
        self._selected, self._part = True, line
        return False

    @watch("Engine generation completed in ", "Data initialization and engine generation completed in ")
    def generated(self, text: str, line: int) -> bool:  # noqa: ARG002
        """``Engine generation completed``: behind the selection of tactics, once for each strategy."""
        self._expect_no_tactics()
        if self._generated or (self._generates and not self._selected):
            self._mixed(line)
        self._generated, self._part = True, line
        return False

    def listed(self, line: int) -> None:
        """``Engine Layer Information:``, which another reader takes: behind engine generation."""
        if not self._generated:
            self._mixed(line)

    def end(self) -> None:
        """The build's last line was read: its tactics stand behind the graph, and none behind their selection."""
        if self._selected or not self._graph_ended:
            self._expect_no_tactics()

    def _begin_part(self, line: int) -> None:
        self._selected, self._part = False, line

    def _expect_no_tactics(self) -> None:
        lines = self._build.tuning.tactics.lines
        place = bisect_right(lines, self._part)
        if place < len(lines):
            self._mixed(lines[place])

    def _mixed(self, line: int) -> None:
        if self._build.mixed_line is None:
            for build in (*self.above, self._build):
                build.mixed_line = build.mixed_line or line
