"""How formats, times and tactics read in a sentence."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from trtlens_parsers.strides import StridedTensor, read_strides_list

if TYPE_CHECKING:
    from collections.abc import Sequence

NOTHING = "nothing"
_MOST_OPERANDS = 4


def compared(time_ms: float, base_ms: float, base: str) -> str:
    """A time beside another: ``31 % slower than BASE``, ``as fast as BASE``, ``4.8 times as slow as BASE``."""
    if base_ms <= 0 or time_ms == base_ms:
        return f"as fast as {base}"
    if time_ms >= 2 * base_ms:
        return f"{time_ms / base_ms:.3g} times as slow as {base}"
    percent = 100 * (time_ms - base_ms) / base_ms
    digits = 0 if abs(percent) >= 10 else 1
    return f"{abs(percent):.{digits}f} % {'slower' if percent > 0 else 'faster'} than {base}"


def counted(count: int, one: str, many: str) -> str:
    """A number with what it counts: ``1 layer runs``, ``1,200 layers run``."""
    return f"{count:,} {one if count == 1 else many}"


def tensor_text(dtype: str | None, layout: str | None, width: int | None, dims: Sequence[int | None] | None) -> str:
    """Type, layout (else vector width) and dimensions of a tensor: ``int8 chw32 [8,512,7,7]``."""
    parts = [dtype or "?"]
    if layout is not None:
        parts.append(layout)
    elif width is not None and width > 1:
        parts.append(f"/{width}")
    if dims is not None:
        parts.append("[" + ",".join("?" if size is None else str(size) for size in dims) + "]")
    return " ".join(parts)


@lru_cache(maxsize=4096)
def formats_text(formats: str | None) -> str:
    """One side of a combination in short: ``Int8:32``, ``Half:8 hwc8, Float``; vectors of weights and biases left out."""
    if formats is None:
        return "formats not shown"
    combination = read_strides_list(f"{formats} -> Float(1)")
    if combination is None:
        return formats
    operands = [o for o in combination.inputs if len(o.strides) > 1] or list(combination.inputs)
    texts = [_operand_text(operand) for operand in operands]
    if len(set(texts)) == 1 and len(texts) > 1:
        return f"{len(texts)} x {texts[0]}"
    if len(texts) > _MOST_OPERANDS:
        texts = [*texts[:_MOST_OPERANDS], f"and {len(texts) - _MOST_OPERANDS} more"]
    return ", ".join(texts) or NOTHING


def _operand_text(operand: StridedTensor) -> str:
    form = operand.format
    kind = form.text.partition("(")[0]
    if form.vector_width is not None and form.vector_width > 1:
        kind = f"{kind}:{form.vector_width}"
    plain = form.layout in {None, "linear"} or (form.layout or "").startswith(("chw", "cdhw"))
    if form.layout is None and len(operand.strides) > 2:
        return form.text
    return kind if plain else f"{kind} {form.layout}"


def combination_text(inputs: str | None, outputs: str | None) -> str:
    """Both sides of a combination in short: ``Int8:32 in and out``, ``Int8:32 in, Float out``."""
    if inputs is None and outputs is None:
        return "formats not shown"
    left, right = formats_text(inputs), formats_text(outputs)
    return f"{left} in and out" if left == right else f"{left} in, {right} out"


def change_text(before: str, after: str) -> str:
    """Two formats in short; in full where only the strides differ: ``Float to Int8:32``."""
    left, right = formats_text(before), formats_text(after)
    return f"{left} to {right}" if left != right else f"{before} to {after}"


def listed_lines(lines: list[int], most: int = 3) -> str:
    """``line 12``, ``lines 12, 14, 15, ..``."""
    shown = ", ".join(str(line) for line in lines[:most])
    more = ", .." if len(lines) > most else ""
    return f"line{'s' if len(lines) > 1 else ''} {shown}{more}"
