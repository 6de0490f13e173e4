"""The tuner's record: which runners and tactics were tried for each layer in each format combination, and their times.

Reads every spelling from TensorRT 5.0 to 10.16: kernel names on a line before the time (7.x to 8.5) or on the same line
(8.6 on), signed decimal and hexadecimal tactic ids, cached results (10.9 on) and Myelin's cost tables (10.9 on). Times are
milliseconds, as TensorRT prints them without a unit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from trtlens_parsers.line_forms import line_form, watch
from trtlens_parsers.messages.tactic_lines import (
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
    Remark,
    TacticKernel,
    is_reformat_name,
    kernel_of_id,
    possible_time,
    read_time,
    reformat_ends,
    split_formats,
    tactic_number,
    without_kernel_kind,
)
from trtlens_parsers.messages.tuning_blocks import BlockReader, TuningBlock

if TYPE_CHECKING:
    from trtlens_parsers.records import Records

_IMPOSSIBLE = Remark("failed", "time printed as infinite")


class Choice(NamedTuple):
    """The runner and tactic that won one format combination of one layer (``Chose Runner Type``)."""

    layer: str | None
    is_reformat: bool
    input_formats: str | None
    output_formats: str | None
    runner: str
    tactic_id: int | None
    line: int


class ChosenKernel(NamedTuple):
    """The kernel of a tactic that won, as engine creation names it again (8.0 to 8.5); the layer is None where unnamed."""

    layer: str | None
    kernel: TacticKernel
    line: int


class TuningReader(BlockReader):
    """Follows one build's tuning line by line."""

    def __init__(self, records: Records) -> None:
        super().__init__(records)
        self._choices = records.of(Choice)
        self._chosen = records.of(ChosenKernel)

    @property
    def block_count(self) -> int:
        """Runners, or combinations that one of them won, so far."""
        return max(len(self.blocks) + (self._block is not None), len(self._choices))

    # -- tactics ---------------------------------------------------------------------------------------------------

    @line_form(
        TuningBlock,
        "Tactic",
        versions="5.1 to 10.16",
        examples=(
            "Tactic Name: sm80_xmma_gemm Tactic: 0x0000000000000001 Time: 0.5",
            "Tactic: 1 Time: 0.5",
            "Tactic 1 time 0.5",
            "Tactic: 2 skipped. Scratch requested: 64, available: 32",
            "Tactic: 3 is the only option, timing skipped",
            "Tactic: 0x4 A valid tactic is found. Rest of the tactics are skipped",
        ),
    )
    def tactic(self, text: str, line: int) -> bool:
        """The bulk of every log: ``Tactic Name: K Tactic: ID Time: T`` or ``Tactic: ID Time: T``; others are rarer."""
        cut = text.rfind(" Time: ")
        head = text[:cut]
        store = self._store
        code = store.heads.get(head)
        if code is None:
            code = store.code_of_head(head) if cut >= 0 else None
            if code is None:
                return self._other_tactic(text, line)
        try:
            time_ms = float(text[cut + 7 :])
        except ValueError:
            return self._other_tactic(text, line)
        if self._is_plain and 0 <= time_ms < FLT_MAX:
            store.add_line(line)
            store.add_code(code)
            store.add_time(time_ms)
        else:
            self._timed(line, code, possible_time(time_ms))
        return True

    def timed_run(self, lines: list[str], start: int, width: int, number: int) -> int:
        """Several plain timed tactics at once, from position ``start``; how many, 0 where the first is none.

        Each of them begins with the same ``width`` characters as the first one, whose number is ``number``.
        """
        return self._store.add_run(lines, start, width, number) if self._is_plain else 0

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
        self._is_plain = True
        store.add(line, code, time_ms, remark)

    def _other_tactic(self, text: str, line: int) -> bool:
        if match := OLD_TIMED.match(text):
            self._timed(line, self._store.code(kernel_of_id(match["id"])), read_time(match["time"]))
        elif match := SKIPPED.match(text):
            reason = f"scratch requested {match['asked']} bytes, available {match['room']}"
            self._untimed(line, match["id"], "skipped", reason, int(match["asked"]))
        elif match := ONLY.match(text):
            self._untimed(line, match["id"], "skipped", "the only option")
        elif match := FIRST_VALID.match(text):
            self._untimed(line, match["id"], "skipped", "taken untimed as the first valid tactic of the runner")
        elif text.startswith("Tactic Name: "):  # 8.5 ConvActPool: the name alone, its time on the next line
            self._store.announce(TacticKernel(None, text[13:].strip() or None, None))
        else:
            return False
        return True

    def _untimed(self, line: int, tactic_id: str, outcome: str, reason: str, scratch: int | None = None) -> None:
        self._need_block(line)
        self._store.add(line, self._store.code(kernel_of_id(tactic_id)), None, Remark(outcome, reason, scratch))
        self._skipped_last = outcome == "skipped"
        self._is_plain = not self._skipped_last

    @line_form(
        ChosenKernel,
        "Set Tactic Name: ",
        within=(" Set Tactic Name: ",),
        versions="6.0 to 8.5; without an id to 7.2",
        examples=(
            "Formats and tactics selection completed in 1 seconds.",
            "conv1 Set Tactic Name: sm80_xmma_gemm Tactic: 0x0000000000000001",
            "Set Tactic Name: sm80_xmma_gemm Tactic: 0x0000000000000002",
        ),
    )
    def kernel_name(self, text: str, line: int) -> bool:
        """``NAME Set Tactic Name: KERNEL Tactic: ID``, before a time, and again when the engine is created."""
        layer, _, rest = text.rpartition("Set Tactic Name: ")
        name, _, tail = rest.strip().partition(" Tactic: ")
        number, split = ID.match(tail), SPLIT_K.search(tail)
        kernel = TacticKernel(tactic_number(number[0]) if number else None, name, int(split[1]) if split else None)
        if self.selection_done:
            self._chosen.append(ChosenKernel(without_kernel_kind(layer.strip()) or None, kernel, line))
        else:
            self._store.announce(kernel)
        return True

    # -- skips -----------------------------------------------------------------------------------------------------

    @line_form(
        TuningBlock,
        "Fast skip Tactic:",
        versions="8.6 and 10.3",
        examples=("Fast skip Tactic:0x0000000000000001 which exceed time limit during pre-run",),
    )
    def fast_skip(self, text: str, line: int) -> bool:
        """A tactic that is far slower than the best so far."""
        match = FAST_SKIP.match(text)
        if match is None:
            return False
        self._untimed(line, match["id"], "skipped", match["why"].strip())
        return True

    @line_form(
        TuningBlock,
        "Skipping ",
        versions="10.3 to 10.16",
        examples=("Skipping CaskConvolution: No valid tactics for conv1",),
    )
    def skipped_runner(self, text: str, line: int) -> bool:
        """``Skipping RUNNER: No valid tactics for NAME``."""
        runner, found, layer = text[9:].partition(": No valid tactics for ")
        if found:
            self._no_tactics(runner, layer.strip(), line)
        return bool(found)

    @watch("Skipping ", "UNSUPP", "Error ", "Error[")
    def failed_tactic(self, text: str, line: int) -> bool:
        """``Skipping tactic N due to oom|insufficient memory|exception ..``; it is a warning too, which the messages keep."""
        match = ERROR_SKIP.search(text)
        if match is not None and self._block is not None:
            asked, why = int(match["asked"]) if match["asked"] else None, match["why"].strip()
            if self._myelin_bytes is not None:
                asked, budget = self._myelin_bytes
                why = f"{why}: needs {asked} bytes, allowed {budget}"
            self._untimed(line, match["id"] or match["index"], "failed", why, asked)
        return False

    # -- caches and Myelin -----------------------------------------------------------------------------------------

    @line_form(
        TuningBlock,
        "Optimizer Reformat(",
        within=("] got cached result: ",),
        versions="10.3 to 10.16, with a timing cache",
        examples=(
            "conv1 [Float(8,4,2,1) -> Float(8,4,2,1)] got cached result: CaskConvolution, tactic 0x1, 0.5 ms",
            "Optimizer Reformat(x -> <out>) [Float(8,4,2,1) -> Half(8,4,2,1)] got cached result: Reformat, tactic 0x0, 0.5 ms",
        ),
    )
    def cached(self, text: str, line: int) -> bool:
        """``NAME [IN -> OUT] got cached result: RUNNER, tactic ID, T ms``."""
        match = CACHED.search(text)
        if match is None:
            return False
        self._close()
        layer: str | None = text[: match.start()]
        is_reformat = is_reformat_name(layer)
        layer = reformat_ends(layer) if is_reformat else layer
        self._block = (layer, is_reformat, match["runner"], None, *split_formats(match["formats"]), line)
        self._start = len(self._lines)
        remark = Remark("cached", "time taken from the timing cache")
        self._store.add(line, self._store.code(kernel_of_id(match["id"])), read_time(match["time"]), remark)
        self._close()
        return True

    @line_form(
        TuningBlock,
        " (foreignNode)",
        versions="8.5 to 10.16; cost tables from 10.9 on",
        examples=(
            " (foreignNode) Autotuning op fc1:",
            " (foreignNode)  0, 0.5, 1, 1, sm80_xmma_gemm, 0x0000000000000001,",
        ),
    )
    def myelin(self, text: str, line: int) -> bool:
        """Lines of a Myelin subgraph's compiler; its cost tables name kernels with their times."""
        body = text.removeprefix(" (foreignNode)")
        if body.startswith(" Autotuning op "):
            self._open_op(body[15:].split(":", 1)[0].split("(key", 1)[0].strip(), line)
        elif self._op_block is not None and (match := COST_ROW.match(body)):
            code = self._store.code(TacticKernel(tactic_number(match["hash"]), match["name"] or None, None))
            cost = read_time(match["cost"])
            self._store.add(line, code, cost, None if cost is not None else Remark("failed", "no cost printed"))
        elif "mem budget" in body and (needed := MYELIN_BUDGET.search(body)):
            self._myelin_bytes = int(needed["asked"]), int(needed["room"])
        return True

    # -- choices ---------------------------------------------------------------------------------------------------

    @line_form(
        Choice,
        ">>>>>>",
        "--------------- Chose ",
        versions="5.1 to 10.16",
        examples=(
            ">>>>>>>>>>>>>>> Chose Runner Type: CudnnConvolution Tactic: 0x0000000000000001",
            "--------------- Chose 14 (1)",
        ),
    )
    def chosen_runner(self, text: str, line: int) -> bool:
        """``Chose Runner Type: RUNNER Tactic: ID``; 5.x: ``Chose 14 (ID)``."""
        body = text.lstrip(">- ").removeprefix("Chose ").rstrip(" )")
        if body.startswith("Runner Type: "):
            runner, found, tactic_id = body[13:].partition(" Tactic: ")
        else:
            runner, found, tactic_id = body.partition(" (")
        if not found or ID.fullmatch(tactic_id) is None:
            return False
        self._close()
        layer = None if self._is_reformat else self._layer
        self._choices.append(Choice(layer, self._is_reformat, *self._formats, runner, tactic_number(tactic_id), line))
        return True
