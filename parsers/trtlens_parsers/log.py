"""Reads a whole verbose log of any TensorRT version and wrapper into records, in one pass and in bounded memory.

A line is one of: a message behind a known prefix; a bare line that continues one (engine layer rows, bindings, the rest
of a multi-line warning); a foreign line of the hosting program; or unread, which is counted and shown, never dropped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtlens_parsers.builds import ALARMS, Builds
from trtlens_parsers.doubled_lines import DoubledLines
from trtlens_parsers.ignored import is_dump_row, is_ignored, is_ignored_within
from trtlens_parsers.layers import is_layer_line
from trtlens_parsers.line_forms import KEY
from trtlens_parsers.meanings import MESSAGE_SCREEN
from trtlens_parsers.message_store import INDENT
from trtlens_parsers.prefixes import OuterPrefix, Prefix, read_prefix
from trtlens_parsers.records import Log, Reading
from trtlens_parsers.text import LineDecoder

if TYPE_CHECKING:
    from collections.abc import Iterable

_EXAMPLES = 200
_EXAMPLE_WIDTH = 500
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
        self._outer = OuterPrefix()
        self._doubled = DoubledLines()
        self._builds = Builds()
        self._line = 0
        self._prefixed = False
        self._width = 0
        self._counts = {
            "tensorrt": 0,
            "ignored": 0,
            "foreign": 0,
            "unread": 0,
            "unfinished": 0,
            "doubled": 0,
            "blank": 0,
        }
        self._unread: list[tuple[int, str]] = []
        self._foreign: list[tuple[int, str]] = []

    def feed(self, data: bytes) -> None:
        """Read the lines that ``data`` completes."""
        self._read(self._doubled.feed(self._outer.strip(self._decoder.feed(data))))

    def finish(self) -> Log:
        """Close the last build.

        What stands behind the last line end is no whole line: it may end inside a number or a name, so nothing is read
        of it but what its beginning says for certain.
        """
        self._read(self._doubled.feed(self._outer.finish()))
        self._read(self._doubled.finish())
        self._line, self._counts["doubled"] = self._doubled.line, self._doubled.dropped
        rest = "".join(self._decoder.finish())
        if rest:
            self._line += 1
            self._counts["unfinished" if rest.strip() else "blank"] += 1
            self._builds.take_unfinished(rest, self._line)
        builds = self._builds.finish(self._line)
        if not self._prefixed:  # no line had a prefix, so none can be told to be another program's
            self._counts["unread"] += self._counts["foreign"]
            self._counts["foreign"] = 0
            self._unread, self._foreign = self._foreign, []
        reading = Reading(
            self._line,
            self._counts,
            tuple(self._unread),
            tuple(self._foreign),
            self._decoder.overlong,
            rest.strip()[:_EXAMPLE_WIDTH] or None,
        )
        return Log(builds, reading)

    # -- lines -----------------------------------------------------------------------------------------------------

    def _read(self, stretches: Iterable[tuple[int, list[str]]]) -> None:
        for before, lines in stretches:
            self._line = before
            self._scan(lines)

    def _scan(self, lines: list[str]) -> None:
        builds, counts = self._builds, self._counts
        known, handlers = builds.prefixes, builds.handlers
        before, width = self._line, self._width
        builds.next_lines(before, lines)
        index, count, taken = 0, len(lines), 0
        while index < count:
            line = lines[index]
            index += 1
            number = before + index
            prefix = known.get(line[:width])
            if prefix is None:
                prefix = self._new_prefix(line, number)
                if prefix is None:
                    counts[self._bare(line, number)] += 1
                    handlers = builds.handlers
                    continue
                width = prefix.length
            text = line[width:]
            key = text[:KEY]
            if key == _TACTIC and text.startswith(_NAMED_TACTIC):
                run = builds.current.tuning.timed_run(lines, index - 1, width, number)
                if run:
                    taken += run
                    index += run - 1
                    continue
            handler = handlers.get(key)
            if handler is not None and handler(text, number):
                taken += 1
            else:
                counts[self._message(text, prefix, number)] += 1
            handlers = builds.handlers  # a line can end a build
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
            if len(self._builds.prefixes) > _MOST_PREFIXES:
                self._builds.prefixes.clear()
            self._builds.prefixes[line[: prefix.length]] = prefix
        self._builds.owner(prefix, number).add_prefix(prefix, number)
        return prefix

    def _message(self, text: str, prefix: Prefix, number: int) -> str:
        """Read a message that no reader claimed by its first characters; the answer is how it was read."""
        if prefix.severity in ALARMS and text:
            self._builds.owner(prefix, number).alarm(text, prefix, number)
            return "tensorrt"
        return self._other(text, prefix, number)

    def _other(self, text: str, prefix: Prefix, number: int, block: str = "") -> str:
        """Read a line that no reader claimed by its beginning alone; ``block`` is the one that it continues."""
        builds, build = self._builds, self._builds.current
        learnt = builds.learnt.get(text[:KEY])
        if learnt is not None and learnt[0] in text and learnt[1](text, number):
            return "tensorrt"
        if not prefix.certain and build.read_section(text, number):
            return "tensorrt"
        if MESSAGE_SCREEN.match(text) and build.messages.add_known(prefix.severity, text, number):
            return "tensorrt"
        if is_ignored(text):
            return "ignored"
        for infix, handler in builds.infixes:
            if infix in text and handler(text, number):
                builds.learnt[text[:KEY]] = infix, handler
                return "tensorrt"
        if not text.strip():
            return "blank"
        if is_ignored_within(text) or (builds.block == "graph dump" and is_dump_row(text)):
            return "ignored"
        return self._rest(text, prefix, number, block)

    def _leave(self, text: str, number: int, kind: str) -> str:
        examples = self._foreign if kind == "foreign" else self._unread
        if len(examples) < _EXAMPLES:
            examples.append((number, text[:_EXAMPLE_WIDTH]))
        return kind

    def _bare(self, line: str, number: int) -> str:
        """A line without a prefix: part of a block, the rest of a message, or another program's."""
        text = line.strip()
        builds = self._builds
        block = builds.block if builds.block_line == number - 1 else ""
        if not text:
            builds.begin_block(block if block.startswith("layers") else "", number)
            builds.extend_message(text, number, indented=False)
            return "blank"
        if block == "layers or names":
            block = builds.block = "layers" if is_layer_line(text) else "layer names"
            builds.current.layer_names.clear()
        if self._is_row(block, text, number):
            builds.block_line = number
            return "tensorrt"
        handler = builds.handlers.get(text[:KEY])
        if handler is not None and handler(text, number):
            if is_layer_line(text):
                builds.block_line = number  # a block goes on behind a message among its rows
            return "tensorrt"
        if builds.extend_message(text, number, indented=line.startswith(INDENT)):
            return "tensorrt"
        return self._other(text, _BARE, number, block)

    def _is_row(self, block: str, text: str, number: int) -> bool:
        """Read a row of a block whose rows are known by their place alone."""
        build = self._builds.current
        if block == "layer names":
            build.layer_names.append((text, number))
        return block == "layer names" or (block == "layers" and build.extend_layer(text, number))

    def _rest(self, text: str, prefix: Prefix, number: int, block: str) -> str:
        """A line that no reader knows: what stands in a block is TensorRT's."""
        builds = self._builds
        if block:
            builds.block_line = number
        if block == "bindings":
            builds.current.bindings.append(text)
            return "tensorrt"
        if block == "layers" or is_layer_line(text):
            builds.current.add_unread_row(text, number)
            return self._leave(text, number, "unread")
        return self._leave(text, number, "foreign" if not prefix.certain and prefix.wrapper in _HOSTS else "unread")


def read_log(data: bytes) -> Log:
    """The records of a log that is at hand as a whole."""
    reader = LogReader()
    reader.feed(data)
    return reader.finish()
