"""Kernels of TensorRT itself: fused attention, Myelin's generated kernels, fused convolution and pooling.

Myelin joins the first three (TensorRT 8.6) or four (9 and later) letters of every operation that it fuses:
``__myl_MulAddRelu_myl3_12``, ``__myl_bb0_8_ResTraCasAdd_0x...``. Attention: ``_gemm_mha_v2`` is Myelin's,
``fmha_v2_flash_attention_fp16_fp32_64_32_S_qkv_128_sm86`` and ``fused_multihead_attention_v2_int8_384_64_kernel_sm80``
come with plugins and state their types.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from trtlens_parsers.data_types import ANY_TYPE, type_of

if TYPE_CHECKING:
    from trtlens_parsers.kernels.record import Facts
    from trtlens_parsers.kernels.words import Words

_GENERATED: Final = re.compile(r"(?<![A-Za-z0-9])myl_(?:bb\d+_\d+_)?((?:[A-Z][a-z0-9]*)+)")
_ABBREVIATION: Final = re.compile(r"[A-Z][a-z0-9]*")
_MHA_TYPES: Final = re.compile(
    rf"_(?:fmha_v2_flash_attention|fmha_v2|fused_multihead_attention_v2|fused_multihead_attention|fmha_cutlassf)"
    rf"_({ANY_TYPE})(?:_({ANY_TYPE}))?_"
)
_MHA_OUTPUT: Final = re.compile(rf"_output_({ANY_TYPE})_")
_ELEMENT: Final = re.compile(r"_(half|bfloat16)_t_")
_TILE_ROWS: Final = re.compile(r"_tile_(?:rows_(\d+)_tile_cols_(\d+)|(\d+x\d+))_")


def read_attention(words: Words, facts: Facts) -> None:
    """Types of a fused attention kernel, where its name states them."""
    if (found := _MHA_TYPES.search(words.flat)) is not None:
        facts.input_type, facts.accumulator_type = type_of(found.group(1)), type_of(found.group(2))
        written = _MHA_OUTPUT.search(words.flat)
        facts.output_type = type_of(written.group(1)) if written else None
    elif (found := _ELEMENT.search(words.flat)) is not None:
        facts.input_type = type_of(found.group(1))


def read_generated(words: Words, facts: Facts) -> None:
    """The operations that Myelin fused, as it abbreviates them."""
    if (found := _GENERATED.search(words.text)) is not None:
        facts.operations = tuple(_ABBREVIATION.findall(found.group(1)))


def read_conv_act_pool(words: Words, facts: Facts) -> None:
    """The tile of the INT8 convolution, activation and pooling that TensorRT fuses (seen from 8.5 on)."""
    facts.input_type = facts.output_type = "int8"
    if (found := _TILE_ROWS.search(words.flat)) is not None:
        rows, columns, together = found.groups()
        facts.tile = together or f"{rows}x{columns}"
