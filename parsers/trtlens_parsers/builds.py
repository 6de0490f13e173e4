"""Where the builds and the runs of a log begin and end, and which reader takes a line of the one that is open.

A run is a program's: trtexec's from its banner to PASSED or FAILED; of programs that print no banner what stands between,
or one engine that they load. A build begins with what the parser or the builder says behind a finished one, or with what
it says once only; where the one above may go on, the order of the lines is watched (see `line_order`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trtlens_parsers.build import OpenBuild
from trtlens_parsers.ignored import is_ignored
from trtlens_parsers.line_forms import KEY, watch
from trtlens_parsers.line_order import LineOrder
from trtlens_parsers.messages.graph import Pass
from trtlens_parsers.prefixes import read_prefix
from trtlens_parsers.program_run import OpenRun, read_banner, read_end

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trtlens_parsers.line_forms import Handler
    from trtlens_parsers.prefixes import Prefix
    from trtlens_parsers.records import Build

_LONGEST_TEXT = 500
_RUNNING = "RUNNING"
ALARMS = frozenset({"warning", "error", "internal error"})


class Builds:
    """The builds of a log so far; ``current`` is the one that is open, and ``handlers`` are its readers.

    Attributes:
        infixes: readers of lines that begin with a name, with the text that tells them.
        learnt: the reader that took the last line with a beginning: names come in rows.
        block: what bare lines belong to: layers, layer names, layers or names, bindings, graph dump; empty for nothing.
        block_line: the last line of the block so far; bare lines are of it as long as no other line stands between.
        prefixes: prefixes that were seen in this build, by their characters.
    """

    def __init__(self) -> None:
        self._of_log: dict[type, Any] = {}  # what the readers of all builds share
        self._closed: list[OpenBuild] = []
        self._passed: OpenBuild | None = None  # the last build of a run that has ended
        self._order: LineOrder | None = None  # of the open build's lines, where the build above may go on
        self.prefixes: dict[str, Prefix] = {}
        self.handlers: Mapping[str, Handler] = {}
        self.infixes: tuple[tuple[str, Handler], ...] = ()
        self._lines: list[str] = []  # the lines that are being read
        self._above = 0  # how many lines stand above them
        self._last_seen: tuple[int, str] | None = None  # the last line above them that is not blank
        self.learnt: dict[str, tuple[str, Handler]] = {}
        self._open(1, OpenRun(1))

    def next_lines(self, above: int, lines: list[str]) -> None:
        """These lines are read next: what a build's last one is, is asked for when it is closed."""
        self._last_seen = self._last_text(self._above + len(self._lines))
        self._above, self._lines = above, lines

    def _last_text(self, last_line: int) -> tuple[int, str] | None:
        """The last line up to there that is not blank, cut to a length that a table can hold."""
        for place in range(min(last_line - self._above, len(self._lines)) - 1, -1, -1):
            if self._lines[place].strip():
                return self._above + place + 1, self._lines[place].strip()[:_LONGEST_TEXT]
        return self._last_seen

    def finish(self, last_line: int) -> tuple[Build, ...]:
        """Close the last build; all of them that say anything, or the last one where none does."""
        self._close(last_line)
        # handlers are methods of this object: it would keep itself and all records alive until cycles are looked for
        self.handlers, self.learnt, self.infixes, self._order = {}, {}, (), None
        return tuple(build.record() for build in self._closed or [self.current])

    def _open(self, line: int, run: OpenRun) -> None:
        self.current = OpenBuild.begin(len(self._closed) + 1, line, run, self._of_log)
        above = self._unended()
        self._order = LineOrder(self.current, above) if above else None
        readers = self.current.dispatch(*((self,) if self._order is None else (self, self._order)))
        self.handlers, self.infixes = readers.handlers, readers.infixes
        self.learnt = {}
        self.begin_block("", line)
        self.prefixes.clear()

    def _unended(self) -> list[OpenBuild]:
        """The last build that can go on, and those that stand behind it; empty where none can."""
        above = self._order.above if self._order is not None else []
        last = self._closed[-1] if self._closed else None
        if last is not None and last.may_go_on:
            return [last]
        if above and last is not None and last is not above[-1]:
            above.append(last)
        return above

    def _close(self, last_line: int) -> None:
        if self._order is not None:
            self._order.end()
        said = self._last_text(last_line)
        self.current.end(last_line, said if said is not None and said[0] >= self.current.first_line else None)
        if self.current.has_content:
            self._closed.append(self.current)

    def _next_build(self, line: int) -> bool:
        """What begins on this line is another build of the same run; of several builds at once nobody can say where the next begins."""
        if self.current.mixed_line is not None:
            return False
        self._close(line - 1)
        self._open(line, self.current.run)
        return True

    def _next_run(self, line: int) -> None:
        """What begins on this line is another run."""
        self._close(line - 1)
        self._passed = None
        self._open(line, OpenRun(self._closed[-1].run.number + 1 if self._closed else 1))

    def _read_again(self, text: str, line: int) -> bool:
        """Offer a line that began a build to the readers of this build."""
        reader = self.handlers.get(text[:KEY])
        return reader is not None and reader(text, line)

    # -- runs ------------------------------------------------------------------------------------------------------

    @watch("&&&& RUNNING", "&&&& PASSED", "&&&& FAILED", "&&&& WAIVED")
    def banner(self, text: str, line: int) -> bool:
        """Trtexec's first and last line: the first one opens a run, the last one ends it."""
        banner = read_banner(text)
        if banner is None:
            return False
        if banner.state == _RUNNING:
            self._next_run(line)
        elif self._ends_run_above():
            return True
        else:
            self._mix_runs(line)
        self.current.run.take_banner(banner, line)
        if banner.state != _RUNNING:
            passed = self.current
            self._next_run(line + 1)
            self._passed = passed
        return True

    def _ends_run_above(self) -> bool:
        """Whether a last line of trtexec can be that of a run above: two of them write one log, and this one goes on."""
        above = self._order.above if self._order is not None and self.current.mixed_line is not None else []
        run = next((build.run for build in above if build.run.state == _RUNNING), None)
        if run is None or run is self.current.run:
            return False
        run.state = None
        return True

    def _mix_runs(self, line: int) -> None:
        """A last line without its first one, behind a run that ended and one above that did not: they ran at once."""
        if self.current.run.program is not None or not self.current.has_content:
            return
        ended = self._closed[-1].run if self._closed else None
        above = next((build.run for build in reversed(self._closed) if build.run is not ended), None)
        if ended is None or above is None or ended.program is None or above.state != _RUNNING:
            return
        for build in (*reversed(self._closed), self.current):
            if build.run in (ended, above, self.current.run):
                build.mixed_line = build.mixed_line or line

    def take_unfinished(self, text: str, line: int) -> None:
        """The log's last line where it has no end: how trtexec ended, or that it is a warning or an error."""
        prefix, state = read_prefix(text), read_end(text)
        if state is not None:
            self.current.run.state, self.current.run.state_line = state, line
        elif prefix is not None and prefix.severity in ALARMS and text[prefix.length :].strip():
            self.owner(prefix, line).messages.add_unfinished(prefix.severity, text[prefix.length :].rstrip(), line)

    def owner(self, prefix: Prefix, line: int) -> OpenBuild:
        """The build that a warning or an error is of: trtexec's standard error can stand behind its last banner."""
        passed = self._passed
        if passed is None or prefix.wrapper != "trtexec" or prefix.severity not in ALARMS or self.current.has_content:
            return self.current
        passed.last_line = line
        return passed

    def extend_message(self, text: str, line: int, *, indented: bool) -> bool:
        """Add a continuation line to the message right above it; False where there is none."""
        builds = (self.current, self._passed)
        return any(build is not None and build.messages.extend(text, line, indented=indented) for build in builds)

    @watch("Loaded engine size", "Deserialization required")
    def load_engine(self, text: str, line: int) -> bool:
        """``Loaded engine size: 12 MiB``: an engine was loaded; one that no line above built is a run of its own."""
        if text.startswith("Loaded") and self.current.loaded_line is not None and not self.current.is_built:
            self._next_run(line)
        self.current.loaded_line = self.current.loaded_line or line
        return False

    # -- builds ----------------------------------------------------------------------------------------------------

    def _begins_build(self, line: int) -> bool:
        """Open the next build behind a loaded engine: in the same run where the engine was built in it."""
        build = self.current
        if build.loaded_line is None or build.mixed_line is not None or build.is_optimizing:
            return False
        (self._next_build if self.current.is_built or self.current.run.state else self._next_run)(line)
        return True

    @watch("Original: ")
    def begin_optimizer(self, text: str, line: int) -> bool:
        """``Original: N layers``: the optimizer starts; the second one in a log is a second build."""
        is_second = any(done.name == "Original" for done in self.current.records.of(Pass))
        return (self._begins_build(line) or (is_second and self._next_build(line))) and self._read_again(text, line)

    @watch("Parsin", "Import", "Search", "Regist", "Adding network")
    def begin_model(self, text: str, line: int) -> bool:
        """What the ONNX parser says; behind a loaded engine, or once the optimizer is at work, it is the next build's."""
        build = self.current
        is_begun = build.generated or build.loaded_line is not None or build.records.of(Pass)
        if not is_begun or build.mixed_line is not None or text.startswith("Registered") or not is_ignored(text):
            return False
        if not self._begins_build(line):
            self._next_build(line)
        return self._read_again(text, line)

    @watch("Local timing cache", "Global timing cache", "Timing cache")
    def begin_builder(self, text: str, line: int) -> bool:  # noqa: ARG002  a handler is called with the text
        """``Local timing cache in use.``: the builder starts."""
        self._begins_build(line)
        self.current.is_builder_used = True
        return False

    @watch("Engine Layer Information")
    def list_engine(self, text: str, line: int) -> bool:  # noqa: ARG002
        """``Engine Layer Information:`` opens the engine's rows."""
        if self._order is not None:
            self._order.listed(line)
        if self.current.layers:
            self._next_build(line)
        self.begin_block("layers", line)
        return True

    # -- blocks ----------------------------------------------------------------------------------------------------

    def begin_block(self, block: str, line: int) -> None:
        """Bare lines from here on are a block's; of none where it is empty."""
        self.block, self.block_line = block, line

    @watch("Layers:")
    def list_layers(self, text: str, line: int) -> bool:
        """``Layers:``: the detailed rows, or bare names when the engine was built with names only."""
        if text.rstrip() != "Layers:":
            return False
        self.begin_block("layers or names", line)
        return True

    @watch("Bindings:")
    def list_bindings(self, text: str, line: int) -> bool:
        """``Bindings:``: one name a line."""
        if text.rstrip() != "Bindings:":
            return False
        self.begin_block("bindings", line)
        return True

    @watch("GRAPH ", "SYMBOL")
    def dump_graph(self, text: str, line: int) -> bool:  # noqa: ARG002
        """``SYMBOLIC CHECKS`` and ``GRAPH NODES`` (10.x): dumps of up to 20,000 rows."""
        self.begin_block("graph dump", line)
        return True
