"""The blocks of the tuner's record: which runner was tried for which layer in which format combination, and what won.

Reads the headers of every spelling from TensorRT 5.0 to 10.16, from runner numbers (5.x) to names with an address.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from trtlens_parsers.line_forms import LineReader, line_form
from trtlens_parsers.messages.tactic_lines import (
    NO_KERNEL,
    Remark,
    read_header,
    read_runner,
    read_time,
)
from trtlens_parsers.messages.tactic_store import KernelNames, Tactics, TacticStore

if TYPE_CHECKING:
    from trtlens_parsers.records import Records

    _Header = tuple[str | None, bool, str | None, str | None, str | None, str | None, int]
    """A block before its tactics: layer, whether a reformat, runner, operation, input and output formats, line."""

_record = tuple.__new__
"""Makes a record of its class and a tuple of its fields, at half the cost of calling the class."""
_NO_TACTICS = Remark("skipped", "no valid tactics")


class TuningBlock(NamedTuple):
    """One runner tried for one layer (or one reformat) in one format combination.

    Its tactics stand at ``start`` to ``stop`` of the build's `Tactics`; a row of Myelin's cost tables has its own block,
    with ``op``, inside the runner's.
    """

    layer: str | None
    is_reformat: bool
    runner: str | None
    op: str | None
    input_formats: str | None
    output_formats: str | None
    line: int
    profiling_s: float | None
    start: int
    stop: int


class Combination(NamedTuple):
    """One format combination that the tuner considered for a layer; ``layer`` is None where the log does not name it.

    A header without any runner behind it means that the timing cache answered: such a combination has no tactics.
    """

    layer: str | None
    input_formats: str | None
    output_formats: str | None
    line: int


class BlockReader(LineReader):
    """Follows the headers and ends of one build's tuning; what stands inside the blocks is a subclass's."""

    def __init__(self, records: Records) -> None:
        super().__init__(records)
        self.blocks = records.of(TuningBlock)
        self.combinations = records.of(Combination)
        self.selection_done = False
        self._layer: str | None = None
        self._is_reformat = False
        self._formats: tuple[str | None, str | None] = (None, None)
        self._header: int | None = None  # line of a format header whose layer is not known yet
        self._costs_start: int | None = None  # first combination under "Computing costs", None elsewhere
        self._store = TacticStore(records.shared(KernelNames))
        self._lines = self._store.columns.lines
        self._block: _Header | None = None  # the open one
        self._op_block: _Header | None = (
            None  # of an operation inside a Myelin runner's block, which stays open around it
        )
        self._start = 0  # position of the open block's first tactic
        self._is_plain = False  # the next timed tactic simply adds to the open block
        self._skipped_last = False
        self._myelin_bytes: tuple[int, int] | None = None  # what Myelin said a region needs, and its budget
        self._headers: dict[str, tuple[bool, tuple[str | None, str | None]]] = {}  # lines come again and again
        self._runners: dict[str, tuple[str | None, bool, str]] = {}
        self._no_kernel: int | None = None  # the code of a runner's row that names none

    @property
    def tactics(self) -> Tactics:
        """The tactics so far, as columns."""
        return self._store.columns

    def finish(self) -> None:
        """Close the blocks that the log's end left open."""
        self._close()
        self.blocks.sort(key=lambda block: block.line)

    # -- headers ---------------------------------------------------------------------------------------------------

    @line_form(
        Combination,
        "=============== Computing costs for",
        "=============== Computing reformatting",
        versions="8.2 to 11.1; without a layer in 8.4 and 8.5",
        examples=(
            "=============== Computing reformatting costs",
            "=============== Computing costs for conv1",
            "*************** Autotuning format combination: Float(8,4,2,1) -> Float(8,4,2,1) ***************",
        ),
    )
    def costs_header(self, text: str, line: int) -> bool:  # noqa: ARG002
        """``=============== Computing costs for NAME`` (no name in 8.4 and 8.5) and reformatting costs."""
        self._close()
        self._is_reformat = text.startswith("=============== Computing reformatting")
        self._layer = None if self._is_reformat else text[36:].strip() or None
        self._costs_start = None if self._is_reformat else len(self.combinations)
        self._formats = (None, None)
        self.selection_done = False
        return True

    @line_form(
        Combination,
        "******",
        versions="7.2 to 11.1",
        examples=(
            "*************** Autotuning format combination: Float(8,4,2,1) -> Float(8,4,2,1) ***************",
            "*************** Autotuning Reformat:Float(8,4,2,1) -> Half(8,4,2,1) ***************",
        ),
    )
    def format_header(self, text: str, line: int) -> bool:
        """``Autotuning format combination: A -> B`` and ``Autotuning Reformat: A -> B``."""
        header = self._headers.get(text)
        if header is None:
            header = read_header(text)
            if header is None:
                return False
            self._headers[text] = header
        if self._block is not None or self._op_block is not None:
            self._close()
        self._is_reformat, self._formats = header
        self._header = line
        if not self._is_reformat:
            self._combine(self._layer if self._costs_start is not None else None)
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
        start = self._costs_start if self._costs_start is not None else max(len(self.combinations) - 1, 0)
        for position in range(len(self.combinations) - 1, start - 1, -1):
            if self.combinations[position].layer is not None:
                break
            self.combinations[position] = _record(Combination, (layer, *self.combinations[position][1:]))

    @line_form(
        TuningBlock,
        "--------------- Timing ",
        versions="5.1 to 11.1",
        examples=(
            "--------------- Timing conv1(14)",
            "--------------- Timing Runner: conv1 (CudnnConvolution[0x80000000])",
        ),
    )
    def runner_header(self, text: str, line: int) -> bool:
        """``Timing Runner: NAME (RUNNER[0x..])``; 5.x: ``Timing NAME(14)``."""
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

    # -- blocks ----------------------------------------------------------------------------------------------------

    def _open_block(self, layer: str | None, runner: str | None, line: int) -> None:
        self._block = (layer, self._is_reformat, runner, None, *self._formats, line)
        self._start = len(self._lines)
        self._is_plain = True

    def _need_block(self, line: int) -> None:
        """Make sure that a runner's block is open: excerpts and logs cut at the start lack the runner's line."""
        if self._op_block is not None:
            self._close_op()
        if self._block is None:
            self._open_block(self._layer, None, line)

    def _keep(self, header: _Header, profiling_s: float | None = None) -> None:
        stop = len(self._lines)
        self.blocks.append(_record(TuningBlock, (*header, profiling_s, self._start, stop)))
        self._start = stop

    def _close(self, profiling_s: float | None = None) -> None:
        """End the open block; what was named in it without a time is nobody's."""
        if self._op_block is not None:
            self._close_op()
        header = self._block
        if header is None:
            return
        self._keep(header, profiling_s)
        self._block = None
        self._store.forget_names()
        self._is_plain = self._skipped_last = False
        self._myelin_bytes = None

    def _open_op(self, op: str, line: int) -> None:
        """A table of one operation's kernels; the runner's block around it stays open and goes on behind it."""
        if self._op_block is not None:
            self._close_op()
        layer = self._layer if self._block is None else self._block[0]
        if self._block is not None and self._start < len(self._lines):
            self._keep(self._block)
        self._op_block = (layer, False, "Myelin", op, None, None, line)
        self._start = len(self._lines)
        self._is_plain = False

    def _close_op(self) -> None:
        header, self._op_block = self._op_block, None
        if header is not None:
            self._keep(header)

    # -- ends ------------------------------------------------------------------------------------------------------

    @line_form(
        TuningBlock,
        within=(" has no valid tactics ",),
        versions="7.2 to 8.6",
        examples=("CudnnConvolution has no valid tactics for this config, skipping",),
    )
    def no_valid_tactics(self, text: str, line: int) -> bool:
        """``RUNNER has no valid tactics for this config, skipping``."""
        runner = text.partition(" has no valid tactics")[0]
        if not runner.isidentifier():
            return False
        self._no_tactics(runner, self._layer, line)
        return True

    def _no_tactics(self, runner: str, layer: str | None, line: int) -> None:
        if self._block is not None and self._block[2] == runner and self._start == len(self._lines):
            self._block = None  # the runner's own header stands right above: this line is its whole block
        self._close()
        self._store.forget_names()
        self._is_plain = self._skipped_last = False
        self._start = len(self._lines)
        if self._no_kernel is None:
            self._no_kernel = self._store.code(NO_KERNEL)
        self._store.add(line, self._no_kernel, None, _NO_TACTICS)
        self._keep((layer, self._is_reformat, runner, None, *self._formats, line))

    @line_form(
        TuningBlock,
        "Fastest Tactic",
        versions="6.0 to 8.5",
        examples=("--------------- Timing Runner: conv1 (CudnnConvolution)", "Fastest Tactic: 1 Time: 0.5"),
    )
    def fastest(self, text: str, line: int) -> bool:  # noqa: ARG002
        """``Fastest Tactic: ID Time: T``: a summary of the block above it, which it ends."""
        self._close()
        return True

    @line_form(
        TuningBlock,
        "Optimizer Reformat(",
        within=(" profiling completed in ",),
        versions="8.6 to 11.1",
        examples=(
            "--------------- Timing Runner: conv1 (CudnnConvolution[0x80000000])",
            "conv1 (CudnnConvolution[0x80000000]) profiling completed in 0.02 seconds. Fastest Tactic: 0x1 Time: 0.5",
            "--------------- Timing Runner: Optimizer Reformat(x -> <out>) (Reformat[0x80000006])",
            "Optimizer Reformat(x -> <out>) (Reformat[0x80000006]) profiling completed in 0.02 seconds. Fastest Tactic: 0 Time: 1",
        ),
    )
    def runner_done(self, text: str, line: int) -> bool:  # noqa: ARG002
        """``NAME (RUNNER[..]) profiling completed in S seconds. Fastest Tactic: ..``."""
        _, found, tail = text.partition(" profiling completed in ")
        if found:
            self._close(read_time(tail.partition(" seconds.")[0]))
        return bool(found)
