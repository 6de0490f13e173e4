"""The tuner's record: which runners and tactics were tried for each layer in each format combination, and their times.

Reads every spelling from TensorRT 5.0 to 10.16: runner numbers (5.x), kernel names on a line before the time (7.x to
8.5) or on the same line (8.6 on), signed decimal and hexadecimal tactic ids, cached results (10.9 on) and Myelin's
cost tables (10.9 on). Times are milliseconds, as TensorRT prints them without a unit.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from trtlens_parsers.records import Choice, Kernel, Remark, Tactics, TuningBlock

if TYPE_CHECKING:
    from collections.abc import Callable

NO_TACTIC = 0xD15EA5EDD15EA5ED
"""The id that TensorRT prints where no tactic was possible (its time is ``inf`` or FLT_MAX)."""

FLT_MAX = 3.4e38
"""Times from here on mean that no tactic ran (TensorRT to 8.2 prints FLT_MAX, later ones ``inf``)."""

_ID_BITS = 2**64
_NO_KERNEL = Kernel(None, None, None)
_IMPOSSIBLE = Remark("failed", "time printed as infinite")
_ID_TEXT = r"-?\d{1,20}|0x[0-9a-fA-F]{1,16}"
_ID = re.compile(_ID_TEXT)
_OLD_TIMED = re.compile(r"Tactic:? (?P<id>-?\d{1,20}) time (?P<time>\S+)\s*$")
_SPLIT_K = re.compile(r" numSplitK: (-?\d{1,9}) ")
_SKIPPED = re.compile(
    rf"Tactic:? (?P<id>{_ID_TEXT}) (?:skipped\. S|s)cratch requested: (?P<asked>\d{{1,18}}), available: (?P<room>\d{{1,18}})"
)
_ONLY = re.compile(rf"Tactic:? (?P<id>{_ID_TEXT}) is the only option, timing skipped")
_FAST_SKIP = re.compile(rf"Fast skip Tactic: ?(?P<id>{_ID_TEXT}) (?P<why>which exceed.*)")
_ERROR_SKIP = re.compile(
    rf"Skipping tactic (?P<index>{_ID_TEXT}) due to (?P<why>.*?)"
    rf"(?:on requested size of (?P<asked>\d{{1,18}}) )?(?:detected for tactic (?P<id>{_ID_TEXT})|$)"
)
_CACHED = re.compile(
    rf" \[(?P<formats>[^\[\]]*)\] got cached result: (?P<runner>[^,]{{1,80}}), tactic (?P<id>{_ID_TEXT}), (?P<time>\S{{1,40}}) ms"
)
_COST_ROW = re.compile(
    rf" *(?P<rank>\d+), (?P<cost>[^,\s]+), [^,]*, [^,]*, (?P<name>[^,]*), (?P<hash>{_ID_TEXT}),"
)


def read_tactic_id(text: str) -> int:
    """A tactic id as the unsigned 64-bit number it is, from signed decimal (to 8.2) or hexadecimal (8.4 on)."""
    return int(text, 16) if text.startswith("0x") else int(text) % _ID_BITS


def read_time(text: str) -> float | None:
    """Milliseconds; None for ``inf`` and FLT_MAX (no tactic ran) and for what is no number."""
    try:
        return _possible(float(text))
    except ValueError:
        return None


def _possible(time_ms: float) -> float | None:
    return time_ms if 0 <= time_ms < FLT_MAX else None


@dataclass(slots=True)
class _OpenBlock:
    layer: str | None
    is_reformat: bool
    runner: str | None
    op: str | None
    input_formats: str | None
    output_formats: str | None
    line: int
    start: int
    profiling_s: float | None = None

    def close(self, stop: int) -> TuningBlock:
        return TuningBlock(
            self.layer, self.is_reformat, self.runner, self.op, self.input_formats, self.output_formats, self.line,
            self.profiling_s, self.start, stop,
        )  # fmt: skip


class TuningReader:
    """Follows one build's tuning line by line; ``blocks``, ``choices``, ``tactics`` and ``chosen`` are its records so far.

    Each method takes the text of one message and its line number, and answers whether the line was the tuner's.
    """

    def __init__(self) -> None:
        self.blocks: list[TuningBlock] = []
        self.choices: list[Choice] = []
        self.tactics = Tactics([], [], [], {})
        self.chosen: list[tuple[str | None, Kernel]] = []
        self.selection_done = False
        self._layer: str | None = None
        self._is_reformat = False
        self._formats: tuple[str | None, str | None] = (None, None)
        self._open: _OpenBlock | None = None
        self._op: _OpenBlock | None = None  # an operation inside a Myelin runner's block, which stays open around it
        self._names: dict[int, Kernel] = {}
        self._next_name: str | None = None
        self._kernels: dict[str, Kernel] = {}
        self._split: dict[str, tuple[str | None, str | None]] = {}
        self._skipped_last = False
        self.handlers: dict[str, Callable[[str, int], bool]] = {
            "Tactic": self.tactic, "------": self.dashes, "******": self.stars, "======": self.equals,
            ">>>>>>": self.chose, "Fast s": self.fast_skip, "Fastes": self.fastest, "Skippi": self.skipping,
            "UNSUPP": self.error_skip, " (fore": self.myelin, "Set Ta": self.named, "Optimi": self.cached_or_done,
        }  # fmt: skip

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
        elif text.startswith("=============== Computing reformatting"):
            self._close()
            self._layer, self._is_reformat = None, True
        else:
            return False
        self._formats = (None, None)
        self.selection_done = False
        return True

    def stars(self, text: str, line: int) -> bool:  # noqa: ARG002
        """``*************** Autotuning format combination: A -> B`` and ``Autotuning Reformat: A -> B``."""
        if text.startswith("*************** Autotuning format combination: "):
            body, self._is_reformat = text[47:], False
        elif text.startswith("*************** Autotuning Reformat:"):
            body, self._is_reformat = text[36:], True
        else:
            return False
        self._close()
        formats = self._split.get(body)
        if formats is None:
            formats = self._split[body] = _split_formats(body)
        self._formats = formats
        return True

    def dashes(self, text: str, line: int) -> bool:
        """``--------------- Timing Runner: NAME (RUNNER[0x..])``; 5.x: ``Timing NAME(14)`` and ``Chose 14 (id)``."""
        if text.startswith("--------------- Chose "):
            return self.chose(text, line)
        for start in ("--------------- Timing Runner: ", "--------------- Timing "):
            if text.startswith(start):
                break
        else:
            return False
        name, bracket, runner = text[len(start) :].rstrip().rpartition("(")
        if not bracket or not runner.endswith(")"):
            return False
        self._close()
        layer: str | None = name.rstrip() or self._layer
        is_reformat = _is_reformat_name(layer)
        if is_reformat:
            layer = _reformat_ends(layer)
        else:
            self._layer = layer
        self._is_reformat = is_reformat
        runner = runner[:-1].partition("[0x")[0]
        self._open = self._block(layer, runner, line)
        return True

    # -- tactics ---------------------------------------------------------------------------------------------------

    def tactic(self, text: str, line: int) -> bool:
        """A timed, skipped or only tactic."""
        return self.timed(text, 0, line) or self._other_tactic(text, line)

    def timed(self, text: str, start: int, line: int) -> bool:
        """``Tactic Name: K Tactic: ID Time: T`` or ``Tactic: ID Time: T`` from ``start`` on: the bulk of every log."""
        cut = text.rfind(" Time: ")
        head = text[start:cut]
        kernel = self._kernels.get(head)
        if kernel is None:
            kernel = _read_head(head) if cut >= start else None
            if kernel is None:
                return False
            self._kernels[head] = kernel
        if kernel.name is None:
            kernel = self._named_kernel(kernel)
        try:
            time_ms = float(text[cut + 7 :])
        except ValueError:
            return False
        tactics = self.tactics
        if self._open is None or self._op is not None or self._skipped_last or not 0 <= time_ms < FLT_MAX:
            self._timed(line, kernel, _possible(time_ms))
        else:
            tactics.lines.append(line)
            tactics.kernels.append(kernel)
            tactics.times_ms.append(time_ms)
        return True

    def _timed(self, line: int, kernel: Kernel, time_ms: float | None) -> None:
        block = self._runner_block(line)
        tactics = self.tactics
        # "Fast skip" and "skipped" lines can be followed by a time for the same tactic: then it was timed after all.
        if self._skipped_last and len(tactics) > block.start and tactics.kernels[-1].tactic_id == kernel.tactic_id:
            tactics.remarks.pop(len(tactics) - 1, None)
            tactics.lines.pop()
            tactics.times_ms.pop()
            skipped = tactics.kernels.pop()
            kernel = kernel if kernel.name else skipped
        self._skipped_last = False
        self._add(line, kernel, time_ms, None if time_ms is not None else _IMPOSSIBLE)

    def _add(self, line: int, kernel: Kernel, time_ms: float | None, remark: Remark | None) -> None:
        tactics = self.tactics
        if remark is not None:
            tactics.remarks[len(tactics)] = remark
        tactics.lines.append(line)
        tactics.kernels.append(kernel)
        tactics.times_ms.append(time_ms)

    def _other_tactic(self, text: str, line: int) -> bool:
        if match := _OLD_TIMED.match(text):
            kernel = self._named_kernel(Kernel(read_tactic_id(match["id"]), None, None))
            self._timed(line, kernel, read_time(match["time"]))
        elif match := _SKIPPED.match(text):
            reason = f"scratch requested {match['asked']} bytes, available {match['room']}"
            self._untimed(line, match["id"], "skipped", reason, int(match["asked"]))
        elif match := _ONLY.match(text):
            self._untimed(line, match["id"], "skipped", "the only option")
        elif text.startswith("Tactic Name: "):  # 8.5 ConvActPool: the name alone, its time on the next line
            self._next_name = text[13:].strip() or None
        else:
            return False
        return True

    def _untimed(self, line: int, tactic_id: str, outcome: str, reason: str, scratch: int | None = None) -> None:
        self._runner_block(line)
        kernel = self._named_kernel(Kernel(read_tactic_id(tactic_id), None, None))
        self._add(line, kernel, None, Remark(outcome, reason, scratch))
        self._skipped_last = outcome == "skipped"

    def _runner_block(self, line: int) -> _OpenBlock:
        """The open runner's block; a new one for tactics whose runner line is not in the log (excerpts, cut logs)."""
        if self._op is not None:
            self._close_op()
        if self._open is None:
            self._open = self._block(self._layer, None, line)
        return self._open

    def _block(self, layer: str | None, runner: str | None, line: int, *, op: str | None = None) -> _OpenBlock:
        return _OpenBlock(layer, self._is_reformat, runner, op, *self._formats, line, len(self.tactics))

    def named(self, text: str, line: int) -> bool:
        """``NAME Set Tactic Name: KERNEL Tactic: ID`` (8.0 to 8.5), without an id in 6.x and 7.x."""
        layer, found, rest = text.rpartition("Set Tactic Name: ")
        if not found:
            return False
        name, _, tail = rest.strip().partition(" Tactic: ")
        number, split = _ID.match(tail), _SPLIT_K.search(tail)
        tactic_id = read_tactic_id(number[0]) if number else None
        kernel = Kernel(tactic_id, name, int(split[1]) if split else None)
        if self.selection_done:  # engine creation names the chosen kernels again, without times
            self.chosen.append((_without_kind(layer.strip()) or None, kernel))
        elif tactic_id is None:
            self._next_name = name
        else:
            self._names[tactic_id] = kernel
        return True

    def _named_kernel(self, kernel: Kernel) -> Kernel:
        """The kernel with the name that a line before this one gave for its tactic."""
        named = self._names.pop(kernel.tactic_id, None) if kernel.tactic_id is not None else None
        if named is not None:
            return named
        name, self._next_name = self._next_name, None
        return kernel if name is None else kernel._replace(name=name)

    # -- skips and ends --------------------------------------------------------------------------------------------

    def fast_skip(self, text: str, line: int) -> bool:
        """``Fast skip Tactic:0x.. which exceed time limit during pre-run`` (8.6 on)."""
        match = _FAST_SKIP.match(text)
        if match is None:
            return False
        self._untimed(line, match["id"], "skipped", match["why"].strip())
        return True

    def error_skip(self, text: str, line: int) -> bool:
        """``Skipping tactic N due to oom|insufficient memory|exception ..``: a tactic that could not run."""
        match = _ERROR_SKIP.search(text)
        if match is None or self._open is None:
            return False
        asked = int(match["asked"]) if match["asked"] else None
        self._untimed(line, match["id"] or match["index"], "failed", match["why"].strip(), asked)
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
        self._no_tactics(text.partition(" has no valid tactics")[0], self._layer, line)
        return True

    def _no_tactics(self, runner: str, layer: str | None, line: int) -> None:
        if self._open is not None and self._open.runner == runner and self._open.start == len(self.tactics):
            self._open = None  # the runner's own header stands right above: this line is its whole block
        self._close()
        self._open = self._block(layer, runner, line)
        self._add(line, _NO_KERNEL, None, Remark("skipped", "no valid tactics"))
        self._close()

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
        if self._open is not None:
            self._open.profiling_s = read_time(tail.partition(" seconds.")[0])
        self._close()
        return True

    def chose(self, text: str, line: int) -> bool:
        """``>>>>>>>>>>>>>>> Chose Runner Type: RUNNER Tactic: ID``; 5.x: ``--------------- Chose 14 (ID)``."""
        body = text.lstrip(">- ").removeprefix("Chose ").rstrip(" )")
        if body.startswith("Runner Type: "):
            runner, found, tactic_id = body[13:].partition(" Tactic: ")
        else:
            runner, found, tactic_id = body.partition(" (")
        if not found or _ID.fullmatch(tactic_id) is None:
            return False
        self._close()
        layer = None if self._is_reformat else self._layer
        self.choices.append(Choice(layer, self._is_reformat, *self._formats, runner, read_tactic_id(tactic_id), line))
        return True

    # -- caches and Myelin -----------------------------------------------------------------------------------------

    def cached_or_done(self, text: str, line: int) -> bool:
        """Lines that start with a reformat's or a layer's name and end in a known tail."""
        return self.cached(text, line) if "] got cached result: " in text else self.done(text, line)

    def cached(self, text: str, line: int) -> bool:
        """``NAME [IN -> OUT] got cached result: RUNNER, tactic ID, T ms`` (10.9 on with a timing cache)."""
        match = _CACHED.search(text)
        if match is None:
            return False
        self._close()
        layer: str | None = text[: match.start()]
        is_reformat = _is_reformat_name(layer)
        layer = _reformat_ends(layer) if is_reformat else layer
        inputs, outputs = _split_formats(match["formats"])
        self._open = _OpenBlock(layer, is_reformat, match["runner"], None, inputs, outputs, line, len(self.tactics))
        kernel = Kernel(read_tactic_id(match["id"]), None, None)
        self._add(line, kernel, read_time(match["time"]), Remark("cached", "time taken from the timing cache"))
        self._close()
        return True

    def myelin(self, text: str, line: int) -> bool:
        """Lines of a Myelin subgraph's compiler; its cost tables name kernels with their times."""
        body = text.removeprefix(" (foreignNode)")
        if body.startswith(" Autotuning op "):
            self._open_op(body[15:].split(":", 1)[0].split("(key", 1)[0].strip(), line)
        elif self._op is not None and (match := _COST_ROW.match(body)):
            kernel, cost = Kernel(read_tactic_id(match["hash"]), match["name"] or None, None), read_time(match["cost"])
            self._add(line, kernel, cost, None if cost is not None else Remark("failed", "no cost printed"))
        return True

    def _open_op(self, op: str, line: int) -> None:
        """A table of one operation's kernels; the runner's block around it stays open and goes on behind it."""
        self._close_op()
        runner = self._open
        if runner is not None and runner.start < len(self.tactics):
            self.blocks.append(runner.close(len(self.tactics)))
        layer = runner.layer if runner is not None else self._layer
        self._op = _OpenBlock(layer, is_reformat=False, runner="Myelin", op=op, input_formats=None,
                              output_formats=None, line=line, start=len(self.tactics))  # fmt: skip

    def _close_op(self) -> None:
        block, self._op = self._op, None
        if block is not None:
            self.blocks.append(block.close(len(self.tactics)))
            if self._open is not None:
                self._open.start = len(self.tactics)

    def _close(self) -> None:
        self._close_op()
        block, self._open = self._open, None
        self._next_name = None
        self._skipped_last = False
        if self._names:
            self._names.clear()
        if block is not None:
            self.blocks.append(block.close(len(self.tactics)))


def _read_head(head: str) -> Kernel | None:
    """The kernel of ``Tactic: ID`` or ``Tactic Name: KERNEL [numSplitK: ..] Tactic: ID`` (8.6 on)."""
    body, found, tactic_id = head.rpartition("Tactic: ")
    if not found or _ID.fullmatch(tactic_id) is None:
        return None
    name = body.removeprefix("Tactic Name: ").rstrip()
    split = _SPLIT_K.search(name)
    if split is None:
        return Kernel(read_tactic_id(tactic_id), name or None, None)
    return Kernel(read_tactic_id(tactic_id), name[: split.start()] or None, int(split[1]))


def _split_formats(text: str) -> tuple[str | None, str | None]:
    """Input and output side of ``A, B -> C where E0=.. ***************``; the ``where`` clause stays with the outputs."""
    inputs, arrow, outputs = text.rstrip("* \t").partition("->")
    return (inputs.strip(), outputs.strip()) if arrow else (None, None)


def _is_reformat_name(layer: str | None) -> bool:
    return layer is not None and layer.startswith(("Optimizer Reformat", "<reformat>"))


def _reformat_ends(layer: str | None) -> str | None:
    """``tensor -> <out>`` from ``Optimizer Reformat(tensor -> <out>)``; None where the version does not say (to 8.0)."""
    if layer is None or not layer.startswith("Optimizer Reformat("):
        return None
    return layer[19:].removesuffix(")")


def _without_kind(owner: str) -> str:
    """A layer's name without the kernel kind that 6.x and 7.x put behind it: ``conv1 (icudnn)``."""
    head, bracket, tail = owner.rpartition(" (")
    return head if bracket and re.fullmatch(r"\w+\)", tail) else owner
