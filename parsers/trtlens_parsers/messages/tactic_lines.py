"""Single lines of the tuner's record: tactic ids, times, kernels, skips, format headers, names of reformats.

Every spelling from TensorRT 5.0 to 10.16. Ids are signed decimals up to 8.2 and hexadecimal from 8.4 on, the same 64
bits; times are milliseconds without a unit, ``inf`` or FLT_MAX where no tactic ran.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class TacticKernel(NamedTuple):
    """What a tactic line calls the kernel: id, name and split-K; shared by all lines that spell it alike."""

    tactic_id: int | None
    name: str | None
    split_k: int | None


NO_KERNEL = TacticKernel(None, None, None)
"""Of a runner that had no valid tactic."""


class Remark(NamedTuple):
    """Why a tactic has no time of its own measurement: ``outcome`` is cached, skipped or failed."""

    outcome: str
    reason: str | None
    scratch_bytes: int | None = None


FLT_MAX = 3.4e38
"""Times from here on mean that no tactic ran (TensorRT to 8.2 prints FLT_MAX, later ones ``inf``)."""

_ID_BITS = 2**64
ID_TEXT = r"0x[0-9a-fA-F]{1,16}|-?\d{1,20}"
"""Pattern of a tactic id; hexadecimal first, for the 0 of ``0x..`` is a decimal id by itself."""
ID = re.compile(ID_TEXT)
OLD_TIMED = re.compile(r"Tactic:? (?P<id>-?\d{1,20}) time (?P<time>\S+)\s*$")
SPLIT_K = re.compile(r" numSplitK: (-?\d{1,9}) ")
SKIPPED = re.compile(
    rf"Tactic:? (?P<id>{ID_TEXT}) (?:skipped\. S|s)cratch requested: (?P<asked>\d{{1,18}}), available: (?P<room>\d{{1,18}})"
)
ONLY = re.compile(rf"Tactic:? (?P<id>{ID_TEXT}) is the only option, timing skipped")
FIRST_VALID = re.compile(rf"Tactic: (?P<id>{ID_TEXT}) A valid tactic is found\. Rest of the tactics are skipped")
"""Printed where nothing is timed: builder optimization level 0, and the network that calibrates INT8."""
FAST_SKIP = re.compile(rf"Fast skip Tactic: ?(?P<id>{ID_TEXT}) (?P<why>which exceed.*)")
ERROR_SKIP = re.compile(
    rf"Skipping tactic (?P<index>{ID_TEXT}) due to (?P<why>.*?)"
    rf"(?:on requested size of (?P<asked>\d{{1,18}}) )?(?:detected for tactic (?P<id>{ID_TEXT})|$)"
)
CACHED = re.compile(
    rf" \[(?P<formats>[^\[\]]*)\] got cached result: (?P<runner>[^,]{{1,80}}), tactic (?P<id>{ID_TEXT}), (?P<time>\S{{1,40}}) ms"
)
COST_ROW = re.compile(rf" *(?P<rank>\d+), (?P<cost>[^,\s]+), [^,]*, [^,]*, (?P<name>[^,]*), (?P<hash>{ID_TEXT}),")
MYELIN_BUDGET = re.compile(r"Exceeded mem budget of (?P<room>\d{1,18})\. Need (?P<asked>\d{1,18})")
"""Myelin (10.14 on) says what a region needs; the warning behind it names the budget alone."""
_HEADERS = (
    ("*************** Autotuning format combination: ", False), ("*************** Autotuning Reformat:", True),
)  # fmt: skip


def tactic_number(text: str) -> int:
    """The unsigned 64-bit number of a tactic id that ``ID`` matches: signed decimal (to 8.2) or hexadecimal (8.4 on)."""
    return int(text, 16) if text.startswith("0x") else int(text) % _ID_BITS


def read_tactic_id(text: str) -> int | None:
    """A tactic id in any spelling as an unsigned 64-bit number; None for what is no id or does not fit 64 bits."""
    if ID.fullmatch(text) is None:
        return None
    number = int(text, 16) if text.startswith("0x") else int(text)
    return number % _ID_BITS if -(_ID_BITS // 2) <= number < _ID_BITS else None


def read_time(text: str) -> float | None:
    """Milliseconds; None for ``inf`` and FLT_MAX (no tactic ran) and for what is no number."""
    try:
        return possible_time(float(text))
    except ValueError:
        return None


def possible_time(time_ms: float) -> float | None:
    """``time_ms`` if a tactic can have taken it; None for NaN, ``inf``, FLT_MAX and what is negative."""
    return time_ms if 0 <= time_ms < FLT_MAX else None


def read_head(head: str) -> TacticKernel | None:
    """The kernel of ``Tactic: ID`` or ``Tactic Name: KERNEL [numSplitK: ..] Tactic: ID`` (8.6 on)."""
    body, found, tactic_id = head.rpartition("Tactic: ")
    if not found or ID.fullmatch(tactic_id) is None:
        return None
    name = body.removeprefix("Tactic Name: ").rstrip()
    split = SPLIT_K.search(name)
    if split is None:
        return TacticKernel(tactic_number(tactic_id), name or None, None)
    return TacticKernel(tactic_number(tactic_id), name[: split.start()] or None, int(split[1]))


def split_formats(text: str) -> tuple[str | None, str | None]:
    """Input and output side of ``A, B -> C where E0=.. ***************``; the ``where`` clause stays with the outputs."""
    inputs, arrow, outputs = text.rstrip("* \t").partition("->")
    return (inputs.strip(), outputs.strip()) if arrow else (None, None)


def is_reformat_name(layer: str | None) -> bool:
    """Whether a timed "layer" is one of the reformats that the builder tries between layers."""
    return layer is not None and layer.startswith(("Optimizer Reformat", "<reformat>"))


def reformat_ends(layer: str | None) -> str | None:
    """``tensor -> <out>`` from ``Optimizer Reformat(tensor -> <out>)``; None where the version does not say (to 8.0)."""
    if layer is None or not layer.startswith("Optimizer Reformat("):
        return None
    return layer[19:].removesuffix(")")


def without_kernel_kind(owner: str) -> str:
    """A layer's name without the kernel kind that 6.x and 7.x put behind it: ``conv1 (icudnn)``."""
    head, bracket, tail = owner.rpartition(" (")
    return head if bracket and re.fullmatch(r"\w+\)", tail) else owner


def read_header(text: str) -> tuple[bool, tuple[str | None, str | None]] | None:
    """Whether a format header is a reformat's, and its formats; None for what is no header."""
    for start, is_reformat in _HEADERS:
        if text.startswith(start):
            return is_reformat, split_formats(text[len(start) :])
    return None


def read_runner(text: str) -> tuple[str | None, bool, str] | None:
    """Layer (or both ends of a reformat), whether a reformat, and runner; None for what is no runner's line."""
    for start in ("--------------- Timing Runner: ", "--------------- Timing "):
        if text.startswith(start):
            break
    else:
        return None
    name, bracket, runner = text[len(start) :].rstrip().rpartition("(")
    if not bracket or not runner.endswith(")"):
        return None
    layer, runner = name.rstrip() or None, runner[:-1].partition("[0x")[0]
    return (reformat_ends(layer), True, runner) if is_reformat_name(layer) else (layer, False, runner)


def kernel_of_id(tactic_id: str) -> TacticKernel:
    """The kernel of which only an id is known."""
    return TacticKernel(tactic_number(tactic_id), None, None)
