"""The tuner's record: which runners and tactics were tried for each layer in each format combination, and their times.

Reads every spelling from TensorRT 5.0 to 10.16: runner numbers (5.x), kernel names on a line before the time (7.x to
8.5) or on the same line (8.6 on), signed decimal and hexadecimal tactic ids, cached results (10.9 on) and Myelin's
cost tables (10.9 on). Times are milliseconds, as TensorRT prints them without a unit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtlens_parsers.records import NO_KERNEL, Choice, Combination, Kernel, Remark, Tactics, TuningBlock
from trtlens_parsers.tactic_lines import (
    CACHED,
    COST_ROW,
    ERROR_SKIP,
    FAST_SKIP,
    FIRST_VALID,
    FLT_MAX,
    ID,
    MYELIN_BUDGET,
    OLD_TIMED,
    ONLY,
    SKIPPED,
    SPLIT_K,
    is_reformat_name,
    nameless,
    possible,
    read_header,
    read_runner,
    read_time,
    reformat_ends,
    split_formats,
    tactic_number,
    without_kind,
)
from trtlens_parsers.tactic_store import KernelNames, TacticStore

if TYPE_CHECKING:
    from trtlens_parsers.records import Handler

    _Header = tuple[str | None, bool, str | None, str | None, str | None, str | None, int]
    """A block before its tactics: layer, whether a reformat, runner, operation, input and output formats, line."""

_record = tuple.__new__
"""Makes a record of its class and a tuple of its fields, at half the cost of calling the class."""
_NO_TACTICS = Remark("skipped", "no valid tactics")
_IMPOSSIBLE = Remark("failed", "time printed as infinite")


class TuningReader:
    """Follows one build's tuning line by line; the public lists are its records so far.

    Each method takes the text of one message and its line number, and answers whether the line was the tuner's.
    """

    def __init__(self, names: KernelNames) -> None:
        self.blocks: list[TuningBlock] = []
        self.choices: list[Choice] = []
        self.combinations: list[Combination] = []
        self.chosen: list[tuple[str | None, Kernel]] = []
        self.selection_done = False
        self._layer: str | None = None
        self._is_reformat = False
        self._formats: tuple[str | None, str | None] = (None, None)
        self._header: int | None = None  # line of a reformat's format header whose owner is not known yet
        self._block_start: int | None = None  # first combination of the open "Computing costs" block, None outside one
        self.names = names
        self._store = TacticStore(names)
        self._lines = self._store.columns.lines
        self._open: _Header | None = None
        self._op: _Header | None = None  # an operation inside a Myelin runner's block, which stays open around it
        self._start = 0  # position of the open block's first tactic
        self._straight = False  # the next timed tactic simply adds to the open block
        self._headers: dict[str, tuple[bool, tuple[str | None, str | None]]] = {}  # lines come again and again
        self._runners: dict[str, tuple[str | None, bool, str]] = {}
        self._no_kernel: int | None = None  # the code of a runner's row that names none
        self._skipped_last = False
        self._needed: tuple[int, int] | None = None  # bytes that Myelin said a region needs, and its budget

    @property
    def handlers(self) -> dict[str, Handler]:
        """The reader of each line, by how the line begins."""
        return {
            "Tactic": self.tactic, "------": self.dashes, "******": self.stars, "======": self.equals,
            ">>>>>>": self.chose, "Fast s": self.fast_skip, "Fastes": self.fastest, "Skippi": self.skipping,
            "UNSUPP": self.error_skip, " (fore": self.myelin, "Set Ta": self.named, "Optimi": self.cached_or_done,
            "Error ": self.error_skip, "Error[": self.error_skip,
        }  # fmt: skip

    @property
    def tactics(self) -> Tactics:
        """The tactics so far, as columns."""
        return self._store.columns

    @property
    def block_count(self) -> int:
        """Runners, or combinations that one of them won, so far."""
        return max(len(self.blocks) + (self._open is not None), len(self.choices))

    def finish(self) -> None:
        """Close the blocks that the log's end left open."""
        self._close()
        self.blocks.sort(key=lambda block: block.line)

    # -- headers ---------------------------------------------------------------------------------------------------

    def equals(self, text: str, line: int) -> bool:  # noqa: ARG002
        """``=============== Computing costs for NAME`` (no name in 8.4 and 8.5) and reformatting costs."""
        if text.startswith("=============== Computing costs for"):
            self._close()
            self._layer = text[36:].strip() or None
            self._is_reformat = False
            self._block_start = len(self.combinations)
        elif text.startswith("=============== Computing reformatting"):
            self._close()
            self._layer, self._is_reformat = None, True
            self._block_start = None
        else:
            return False
        self._formats = (None, None)
        self.selection_done = False
        return True

    def stars(self, text: str, line: int) -> bool:
        """``*************** Autotuning format combination: A -> B`` and ``Autotuning Reformat: A -> B``."""
        header = self._headers.get(text)
        if header is None:
            header = read_header(text)
            if header is None:
                return False
            self._headers[text] = header
        if self._open is not None or self._op is not None:
            self._close()
        self._is_reformat, self._formats = header
        self._header = line
        if not self._is_reformat:
            self._combine(self._layer if self._block_start is not None else None)
        return True

    def _combine(self, layer: str | None) -> None:
        """Keep the format combination of the last header; its layer may still be unnamed."""
        if self._header is not None:
            self.combinations.append(_record(Combination, (layer, *self._formats, self._header)))
            self._header = None

    def _name_combinations(self, layer: str) -> None:
        """Give a runner's layer to the headers above it: all of one "Computing costs" block, else the last one alone."""
        if self._is_reformat:  # a layer of the model that only reformats, such as an Identity
            self._combine(layer)
        if not self.combinations or self.combinations[-1].layer is not None:
            return
        start = self._block_start if self._block_start is not None else max(len(self.combinations) - 1, 0)
        for position in range(len(self.combinations) - 1, start - 1, -1):
            if self.combinations[position].layer is not None:
                break
            self.combinations[position] = _record(Combination, (layer, *self.combinations[position][1:]))

    def dashes(self, text: str, line: int) -> bool:
        """``--------------- Timing Runner: NAME (RUNNER[0x..])``; 5.x: ``Timing NAME(14)`` and ``Chose 14 (id)``."""
        if text.startswith("--------------- Chose "):
            return self.chose(text, line)
        runner = self._runners.get(text)
        if runner is None:
            runner = read_runner(text)
            if runner is None:
                return False
            self._runners[text] = runner
        self._close()
        layer, is_reformat, name = runner
        if not is_reformat:
            layer = self._layer = layer or self._layer
            if layer is not None:
                self._name_combinations(layer)
        self._is_reformat = is_reformat
        self._open_block(layer, name, line)
        return True

    # -- tactics ---------------------------------------------------------------------------------------------------

    def tactic(self, text: str, line: int) -> bool:
        """A timed, skipped or only tactic."""
        return self.timed(text, 0, line) or self._other_tactic(text, line)

    def timed(self, text: str, start: int, line: int) -> bool:
        """``Tactic Name: K Tactic: ID Time: T`` or ``Tactic: ID Time: T`` from ``start`` on: the bulk of every log."""
        cut = text.rfind(" Time: ")
        head = text[start:cut]
        store = self._store
        code = store.heads.get(head)
        if code is None:
            code = store.code_of_head(head) if cut >= start else None
            if code is None:
                return False
        try:
            time_ms = float(text[cut + 7 :])
        except ValueError:
            return False
        if self._straight and 0 <= time_ms < FLT_MAX:
            store.add_line(line)
            store.add_code(code)
            store.add_time(time_ms)
        else:
            self._timed(line, code, possible(time_ms))
        return True

    def timed_run(self, lines: list[str], start: int, width: int, number: int) -> int:
        """Several lines of `timed` at once, from position ``start``; how many, 0 where the first is not a plain one.

        Each of them begins with the same ``width`` characters as the first one, whose number is ``number``.
        """
        return self._store.add_run(lines, start, width, number) if self._straight else 0

    def _timed(self, line: int, code: int, time_ms: float | None) -> None:
        """A timed tactic that is impossible, the first of a log without headers, or one that was skipped before."""
        self._need_block(line)
        store = self._store
        remark = None if time_ms is not None else _IMPOSSIBLE
        # "Fast skip" and "skipped" lines can be followed by a time for the same tactic: then it was timed after all.
        if self._skipped_last:
            last, kernel = store.last_kernel(self._start), store.kernel(code)
            if last is not None and last.tactic_id == kernel.tactic_id:
                reason = store.last_reason()
                remark = remark or Remark("timed", f"skipped at first: {reason}")
                skipped = store.take_back()
                code = code if kernel.name else store.code(skipped)
        self._skipped_last = False
        self._straight = True
        store.add(line, code, time_ms, remark)

    def _other_tactic(self, text: str, line: int) -> bool:
        if match := OLD_TIMED.match(text):
            self._timed(line, self._store.code(nameless(match["id"])), read_time(match["time"]))
        elif match := SKIPPED.match(text):
            reason = f"scratch requested {match['asked']} bytes, available {match['room']}"
            self._untimed(line, match["id"], "skipped", reason, int(match["asked"]))
        elif match := ONLY.match(text):
            self._untimed(line, match["id"], "skipped", "the only option")
        elif match := FIRST_VALID.match(text):
            self._untimed(line, match["id"], "skipped", "taken untimed as the first valid tactic of the runner")
        elif text.startswith("Tactic Name: "):  # 8.5 ConvActPool: the name alone, its time on the next line
            self._store.announce(Kernel(None, text[13:].strip() or None, None))
        else:
            return False
        return True

    def _untimed(self, line: int, tactic_id: str, outcome: str, reason: str, scratch: int | None = None) -> None:
        self._need_block(line)
        self._store.add(line, self._store.code(nameless(tactic_id)), None, Remark(outcome, reason, scratch))
        self._skipped_last = outcome == "skipped"
        self._straight = not self._skipped_last

    # -- blocks ----------------------------------------------------------------------------------------------------

    def _open_block(self, layer: str | None, runner: str | None, line: int) -> None:
        self._open = (layer, self._is_reformat, runner, None, *self._formats, line)
        self._start = len(self._lines)
        self._straight = True

    def _need_block(self, line: int) -> None:
        """Make sure that a runner's block is open: excerpts and logs cut at the start lack the runner's line."""
        if self._op is not None:
            self._close_op()
        if self._open is None:
            self._open_block(self._layer, None, line)

    def _keep(self, header: _Header, profiling_s: float | None = None) -> None:
        stop = len(self._lines)
        self.blocks.append(_record(TuningBlock, (*header, profiling_s, self._start, stop)))
        self._start = stop

    def _close(self, profiling_s: float | None = None) -> None:
        """End the open block; what was named in it without a time is nobody's."""
        if self._op is not None:
            self._close_op()
        header = self._open
        if header is None:
            return
        self._keep(header, profiling_s)
        self._open = None
        self._store.forget_names()
        self._straight = self._skipped_last = False
        self._needed = None

    def _open_op(self, op: str, line: int) -> None:
        """A table of one operation's kernels; the runner's block around it stays open and goes on behind it."""
        if self._op is not None:
            self._close_op()
        layer = self._layer if self._open is None else self._open[0]
        if self._open is not None and self._start < len(self._lines):
            self._keep(self._open)
        self._op = (layer, False, "Myelin", op, None, None, line)
        self._start = len(self._lines)
        self._straight = False

    def _close_op(self) -> None:
        header, self._op = self._op, None
        if header is not None:
            self._keep(header)

    # -- names -----------------------------------------------------------------------------------------------------

    def named(self, text: str, line: int) -> bool:  # noqa: ARG002
        """``NAME Set Tactic Name: KERNEL Tactic: ID`` (8.0 to 8.5), without an id in 6.x and 7.x."""
        layer, found, rest = text.rpartition("Set Tactic Name: ")
        if not found:
            return False
        name, _, tail = rest.strip().partition(" Tactic: ")
        number, split = ID.match(tail), SPLIT_K.search(tail)
        tactic_id = tactic_number(number[0]) if number else None
        kernel = Kernel(tactic_id, name, int(split[1]) if split else None)
        if self.selection_done:  # engine creation names the chosen kernels again, without times
            self.chosen.append((without_kind(layer.strip()) or None, kernel))
        else:
            self._store.announce(kernel)
        return True

    # -- skips and ends --------------------------------------------------------------------------------------------

    def fast_skip(self, text: str, line: int) -> bool:
        """``Fast skip Tactic:0x.. which exceed time limit during pre-run`` (8.6 on)."""
        match = FAST_SKIP.match(text)
        if match is None:
            return False
        self._untimed(line, match["id"], "skipped", match["why"].strip())
        return True

    def error_skip(self, text: str, line: int) -> bool:
        """``Skipping tactic N due to oom|insufficient memory|exception ..``: a tactic that could not run."""
        match = ERROR_SKIP.search(text)
        if match is None or self._open is None:
            return False
        asked, why = int(match["asked"]) if match["asked"] else None, match["why"].strip()
        if self._needed is not None:
            asked, why = self._needed[0], f"{why}: needs {self._needed[0]} bytes, allowed {self._needed[1]}"
        self._untimed(line, match["id"] or match["index"], "failed", why, asked)
        return False  # it is a warning too: the messages keep it

    def skipping(self, text: str, line: int) -> bool:
        """``Skipping RUNNER: No valid tactics for NAME`` (10.x)."""
        runner, found, layer = text[9:].partition(": No valid tactics for ")
        if not found:
            return self.error_skip(text, line)
        self._no_tactics(runner, layer.strip(), line)
        return True

    def no_valid(self, text: str, line: int) -> bool:
        """``RUNNER has no valid tactics for this config, skipping`` (8.x)."""
        runner = text.partition(" has no valid tactics")[0]
        if not runner.isidentifier():
            return False
        self._no_tactics(runner, self._layer, line)
        return True

    def _no_tactics(self, runner: str, layer: str | None, line: int) -> None:
        if self._open is not None and self._open[2] == runner and self._start == len(self._lines):
            self._open = None  # the runner's own header stands right above: this line is its whole block
        self._close()
        self._store.forget_names()
        self._straight = self._skipped_last = False
        self._start = len(self._lines)
        if self._no_kernel is None:
            self._no_kernel = self._store.code(NO_KERNEL)
        self._store.add(line, self._no_kernel, None, _NO_TACTICS)
        self._keep((layer, self._is_reformat, runner, None, *self._formats, line))

    def fastest(self, text: str, line: int) -> bool:  # noqa: ARG002
        """``Fastest Tactic: ID Time: T``: a summary of the block above it, which it ends."""
        if not text.startswith("Fastest Tactic"):
            return False
        self._close()
        return True

    def done(self, text: str, line: int) -> bool:  # noqa: ARG002
        """``NAME (RUNNER[..]) profiling completed in S seconds. Fastest Tactic: ..`` (8.6 on)."""
        _, found, tail = text.partition(" profiling completed in ")
        if not found:
            return False
        self._close(read_time(tail.partition(" seconds.")[0]))
        return True

    def chose(self, text: str, line: int) -> bool:
        """``>>>>>>>>>>>>>>> Chose Runner Type: RUNNER Tactic: ID``; 5.x: ``--------------- Chose 14 (ID)``."""
        body = text.lstrip(">- ").removeprefix("Chose ").rstrip(" )")
        if body.startswith("Runner Type: "):
            runner, found, tactic_id = body[13:].partition(" Tactic: ")
        else:
            runner, found, tactic_id = body.partition(" (")
        if not found or ID.fullmatch(tactic_id) is None:
            return False
        self._close()
        layer = None if self._is_reformat else self._layer
        self.choices.append(Choice(layer, self._is_reformat, *self._formats, runner, tactic_number(tactic_id), line))
        return True

    # -- caches and Myelin -----------------------------------------------------------------------------------------

    def cached_or_done(self, text: str, line: int) -> bool:
        """Lines that start with a reformat's or a layer's name and end in a known tail."""
        return self.cached(text, line) if "] got cached result: " in text else self.done(text, line)

    def cached(self, text: str, line: int) -> bool:
        """``NAME [IN -> OUT] got cached result: RUNNER, tactic ID, T ms`` (10.9 on with a timing cache)."""
        match = CACHED.search(text)
        if match is None:
            return False
        self._close()
        layer: str | None = text[: match.start()]
        is_reformat = is_reformat_name(layer)
        layer = reformat_ends(layer) if is_reformat else layer
        self._open = (layer, is_reformat, match["runner"], None, *split_formats(match["formats"]), line)
        self._start = len(self._lines)
        remark = Remark("cached", "time taken from the timing cache")
        self._store.add(line, self._store.code(nameless(match["id"])), read_time(match["time"]), remark)
        self._close()
        return True

    def myelin(self, text: str, line: int) -> bool:
        """Lines of a Myelin subgraph's compiler; its cost tables name kernels with their times."""
        body = text.removeprefix(" (foreignNode)")
        if body.startswith(" Autotuning op "):
            self._open_op(body[15:].split(":", 1)[0].split("(key", 1)[0].strip(), line)
        elif self._op is not None and (match := COST_ROW.match(body)):
            code = self._store.code(Kernel(tactic_number(match["hash"]), match["name"] or None, None))
            cost = read_time(match["cost"])
            self._store.add(line, code, cost, None if cost is not None else Remark("failed", "no cost printed"))
        elif "mem budget" in body and (needed := MYELIN_BUDGET.search(body)):
            self._needed = int(needed["asked"]), int(needed["room"])
        return True
