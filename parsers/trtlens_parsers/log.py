"""Reads a whole verbose log of any TensorRT version and wrapper into records, in one pass and in bounded memory.

A line is one of: a message behind a known prefix; a bare line that continues one (engine layer rows, bindings, the rest
of a multi-line warning); a foreign line of the hosting program; or unread, which is counted and shown, never dropped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtlens_parsers.build import OpenBuild
from trtlens_parsers.dispatch import KEY, dispatch_table
from trtlens_parsers.ignored import is_dump_row, is_ignored, is_ignored_within
from trtlens_parsers.layers import is_layer_line
from trtlens_parsers.messages import MESSAGE_SCREEN
from trtlens_parsers.prefixes import Prefix, read_prefix
from trtlens_parsers.records import Build, Log, Moment, Reading
from trtlens_parsers.tactic_store import KernelNames
from trtlens_parsers.text import LineDecoder
from trtlens_parsers.trtexec import read_banner, read_version
from trtlens_parsers.tuning import TuningReader

if TYPE_CHECKING:
    from trtlens_parsers.records import Handler

_EXAMPLES = 200
_EXAMPLE_WIDTH = 500
_ALARMS = frozenset({"warning", "error", "internal error"})
_HOSTS = frozenset({"polygraphy", "triton", "own logger", "python logging", "deepstream", "bare"})
"""Wrappers whose lines can be another program's: one prefix for TensorRT's messages and their own, or none."""
_BARE = Prefix("bare", "unknown", certain=False, length=0, stamp_s=None)
_TACTIC = "Tactic"
_NAMED_TACTIC = "Tactic Name: "
_MOST_PREFIXES = 100_000


class LogReader:
    """Feed it a log's bytes in chunks of any size; ``finish`` gives the records."""

    def __init__(self) -> None:
        self._decoder = LineDecoder()
        self._builds: list[Build] = []
        self._line = 0
        self._certain: dict[str, Prefix] = {}  # prefixes that mark TensorRT's own text, by their characters
        self._prefixed = False
        self._width = 0
        self._block = ""  # the block that bare lines belong to: layers, layer names, bindings, graph dump
        self._stamp: float | None = None
        self._counts = {"tensorrt": 0, "ignored": 0, "foreign": 0, "unread": 0, "unfinished": 0, "blank": 0}
        self._unread: list[tuple[int, str]] = []
        self._foreign: list[tuple[int, str]] = []
        self._kernels = KernelNames()
        self._handlers: dict[str, Handler] = {}
        self._infixes: tuple[tuple[str, Handler], ...] = ()
        self._learnt: dict[str, tuple[str, Handler]] = {}
        self._open_build(1)

    def feed(self, data: bytes) -> None:
        """Read the lines that ``data`` completes."""
        self._scan(self._decoder.feed(data))

    def finish(self) -> Log:
        """Close the last build.

        What stands behind the last line end is no whole line: it may end inside a number or a name, so nothing is read
        of it but that it is there.
        """
        rest = "".join(self._decoder.finish())
        if rest:
            self._line += 1
            self._counts["unfinished" if rest.strip() else "blank"] += 1
        self._builds.append(self._build.close(self._line))
        if not self._prefixed:  # no line had a prefix, so none can be told to be another program's
            self._counts["unread"] += self._counts["foreign"]
            self._counts["foreign"] = 0
            self._unread, self._foreign = self._foreign, []
        # handlers are methods of this object: it would keep itself and all records alive until cycles are looked for
        self._handlers, self._learnt, self._infixes = {}, {}, ()
        reading = Reading(
            self._line,
            self._counts,
            tuple(self._unread),
            tuple(self._foreign),
            self._decoder.overlong,
            rest.strip()[:_EXAMPLE_WIDTH] or None,
        )
        return Log(tuple(self._builds), reading)

    # -- lines -----------------------------------------------------------------------------------------------------

    def _scan(self, lines: list[str]) -> None:
        certain, handlers, counts = self._certain, self._handlers, self._counts
        before, width = self._line, self._width
        index, count, taken = 0, len(lines), 0
        while index < count:
            line = lines[index]
            index += 1
            number = before + index
            prefix = certain.get(line[:width])
            if prefix is None:
                prefix = self._new_prefix(line, number)
                if prefix is None:
                    counts[self._bare(line, number)] += 1
                    handlers = self._handlers
                    continue
                width = prefix.length
            text = line[width:]
            key = text[:KEY]
            if key == _TACTIC and text.startswith(_NAMED_TACTIC):
                run = self._build.tuning.timed_run(lines, index - 1, width, number)
                if run:
                    taken += run
                    index += run - 1
                    continue
            handler = handlers.get(key)
            if handler is not None and handler(text, number):
                taken += 1
            else:
                counts[self._message(text, prefix, number)] += 1
            handlers = self._handlers  # a line can end a build
        counts["tensorrt"] += taken
        self._line = before + count

    def _new_prefix(self, line: str, number: int) -> Prefix | None:
        """The prefix of a line whose first characters were not seen before, kept for the next lines like it.

        Only a prefix that marks TensorRT's own text is kept: a shorter one may be the start of a longer one.
        """
        prefix = read_prefix(line)
        if prefix is None:
            return None
        self._prefixed = True
        self._width = prefix.length
        if prefix.certain:
            if len(self._certain) > _MOST_PREFIXES:
                self._certain.clear()
            self._certain[line[: prefix.length]] = prefix
        wrappers = self._build.wrappers
        wrappers[prefix.wrapper] = wrappers.get(prefix.wrapper, 0) + 1
        if prefix.stamp_s is not None and prefix.stamp_s != self._stamp:
            self._stamp = prefix.stamp_s
            self._build.moments.append(Moment(prefix.stamp_s, self._build.phase(), number))
        return prefix

    def _message(self, text: str, prefix: Prefix, number: int) -> str:
        """Read a message that no reader claimed by its first characters; the answer is how it was read."""
        if prefix.severity in _ALARMS and text:
            self._build.add_message(prefix.severity, text, number)
            return "tensorrt"
        return self._other(text, prefix, number)

    def _other(self, text: str, prefix: Prefix, number: int) -> str:
        learnt = self._learnt.get(text[:KEY])
        if learnt is not None and learnt[0] in text and learnt[1](text, number):
            return "tensorrt"
        if not prefix.certain and self._build.read_section(text, number):
            return "tensorrt"
        if MESSAGE_SCREEN.match(text) and self._build.add_known(prefix.severity, text, number):
            return "tensorrt"
        if is_ignored(text):
            return "ignored"
        for infix, handler in self._infixes:
            if infix in text and handler(text, number):
                self._learnt[text[:KEY]] = infix, handler
                return "tensorrt"
        if not text.strip():
            return "blank"
        if is_ignored_within(text) or (self._block == "graph dump" and is_dump_row(text)):
            return "ignored"
        return self._leave(text, number, "foreign" if not prefix.certain and prefix.wrapper in _HOSTS else "unread")

    def _leave(self, text: str, number: int, kind: str) -> str:
        examples = self._foreign if kind == "foreign" else self._unread
        if len(examples) < _EXAMPLES:
            examples.append((number, text[:_EXAMPLE_WIDTH]))
        return kind

    def _bare(self, line: str, number: int) -> str:
        """A line without a prefix: part of a block, the rest of a message, or another program's."""
        text = line.strip()
        build = self._build
        if not text:
            self._block = "" if self._block != "layers" else self._block
            return "blank"
        if self._block == "layers" and not build.detailed_layers and not build.layers and not is_layer_line(text):
            self._block = "layer names"
        if self._block == "layer names":
            build.layer_names.append((text, number))
            return "tensorrt"
        if self._block == "layers" and build.extend_layer(text):
            return "tensorrt"
        handler = self._handlers.get(text[:KEY])
        if handler is not None and handler(text, number):
            return "tensorrt"
        if self._block == "bindings":
            build.bindings.append(text)
            return "tensorrt"
        if build.extend_message(text, number):
            return "tensorrt"
        return self._other(text, _BARE, number)

    # -- builds ----------------------------------------------------------------------------------------------------

    def _open_build(self, line: int) -> None:
        self._build = build = OpenBuild(len(self._builds) + 1, line, TuningReader(self._kernels))
        own: dict[str, Handler] = {
            "&&&& R": self._banner, "&&&& P": self._banner, "&&&& F": self._banner, "&&&& W": self._banner,
            "Tensor": self._version, "Loaded": self._version, "Origin": self._original, "Adding": self._adding, "Parsin": self._parser,
            "Import": self._parser, "Search": self._parser, "Regist": self._parser, "Engine": self._engine,
            "Layers": self._layers, "Layer(": build.add_layer, "Layer:": build.add_layer, "Name: ": build.add_layer,
            "Bindin": self._bindings, "Format": self._selected, "GRAPH ": self._dump, "SYMBOL": self._dump,
            "Buildi": self._strategy, "Starti": self._inference,
        }  # fmt: skip
        readers = (build.strategies, build.memory, build.graph, build.tuning)  # the first also looks at lines of others
        self._handlers = dispatch_table(own, *(reader.handlers for reader in readers))
        # Lines that begin with a layer's or a runner's name: what stands behind the name tells them.
        self._infixes = (
            (" has no valid tactics ", build.tuning.no_valid), (" profiling completed in ", build.tuning.done), ("] inputs: ", build.graph.node),
            ("] outputs: ", build.graph.node),
            ("] got cached result: ", build.tuning.cached), ("Set Tactic Name: ", build.tuning.named),
            (": Fusing ", build.graph.fuse), (": fusing ", build.graph.fuse),
        )  # fmt: skip
        # Names come in rows: what told the last line with a beginning is tried first for the next one.
        self._learnt = {}

    def _next_build(self, line: int) -> None:
        self._builds.append(self._build.close(line - 1))
        self._block = ""
        self._stamp = None
        self._open_build(line)

    def _banner(self, text: str, line: int) -> bool:
        """Trtexec's first and last line; the first one opens a build."""
        banner = read_banner(text)
        if banner is None:
            return False
        if banner.state == "RUNNING" and (self._build.command is not None or self._build.started()):
            self._next_build(line)
        self._build.take_banner(banner, line)
        return True

    def _version(self, text: str, line: int) -> bool:
        """``TensorRT version: 8.2.3`` and its like."""
        version = read_version(text)
        if version is None:
            return False
        if self._build.version is None:
            self._build.version, self._build.version_line = version, line
        return True

    def _original(self, text: str, line: int) -> bool:
        """``Original: N layers``: the optimizer starts; the second one in a log is a second build."""
        if any(done.name == "Original" for done in self._build.graph.passes):
            self._next_build(line)
        return self._build.graph.original(text, line)

    def _parser(self, text: str, line: int) -> bool:
        """What the ONNX parser says; behind a finished build it is the next one's."""
        if self._build.generated and is_ignored(text) and not text.startswith("Registered"):
            self._next_build(line)
        return False

    def _adding(self, text: str, line: int) -> bool:
        return text.startswith("Adding network") and self._parser(text, line)

    def _strategy(self, text: str, line: int) -> bool:  # noqa: ARG002  a handler is called with the line
        """``Building graph using backend strategy N``: what was tuned and generated before is another try's."""
        if text.startswith("Building graph using backend strategy "):
            self._build.begin_strategy()
        return False

    def _inference(self, text: str, line: int) -> bool:  # noqa: ARG002
        """``Starting inference``: trtexec runs the engine."""
        self._build.inferring |= text.startswith("Starting inference")
        return False

    def _engine(self, text: str, line: int) -> bool:
        """``Engine Layer Information:`` opens the engine's rows; other lines about the engine are sizes and seconds."""
        if text.startswith("Engine Layer Information"):
            if self._build.layers:
                self._next_build(line)
            self._block = "layers"
            return True
        self._build.generated |= "generation completed" in text
        return False

    def _selected(self, text: str, line: int) -> bool:  # noqa: ARG002
        """``Formats and tactics selection completed``: what is named from here on are the chosen kernels."""
        self._build.tuning.selection_done |= text.startswith("Formats and tactics selection completed")
        return False

    def _layers(self, text: str, line: int) -> bool:  # noqa: ARG002
        """``Layers:``: the detailed rows, or bare names when the engine was built with names only."""
        if text.rstrip() != "Layers:":
            return False
        self._block = "layers"
        return True

    def _bindings(self, text: str, line: int) -> bool:  # noqa: ARG002
        """``Bindings:``: one name a line."""
        if text.rstrip() != "Bindings:":
            return False
        self._block = "bindings"
        return True

    def _dump(self, text: str, line: int) -> bool:  # noqa: ARG002
        """``SYMBOLIC CHECKS`` and ``GRAPH NODES`` (10.x): dumps of up to 20,000 rows."""
        self._block = "graph dump"
        return True


def read_log(data: bytes) -> Log:
    """The records of a log that is at hand as a whole."""
    reader = LogReader()
    reader.feed(data)
    return reader.finish()
