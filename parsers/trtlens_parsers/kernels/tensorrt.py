"""Kernels of TensorRT itself: xmma, fused attention, Myelin's generated kernels, fused convolution and pooling.

xmma (TensorRT 7 to 10.16, cuDNN and cuBLAS 11 and later):
``sm80_xmma_fprop_implicit_gemm_f16f16_f16f32_f32_nhwckrsc_nhwc_tilesize128x64x64_stage3_...``. The types read
``<input><output>_<multiplied><accumulated>_<epilogue>``; one type alone in the middle is that of the sums.
TensorRT 7 wrote ``trt_turing_xmma_implicit_gemm_f16f16f16_nhwc_nhwc_fprop_64x32x64x1_16x8x8_1stages`` instead.

Myelin joins the first three (TensorRT 8.6) or four (9 and later) letters of every operation that it fuses:
``__myl_MulAddRelu_myl3_12``, ``__myl_bb0_8_ResTraCasAdd_0x...``. Attention: ``_gemm_mha_v2`` is Myelin's,
``fmha_v2_flash_attention_fp16_fp32_64_32_S_qkv_128_sm86`` and ``fused_multihead_attention_v2_int8_384_64_kernel_sm80``
come with plugins and state their types.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from trtlens_parsers.data_types import ANY_TYPE, MMA_DIGITS, type_of
from trtlens_parsers.kernels.words import word_meaning

if TYPE_CHECKING:
    from trtlens_parsers.kernels.record import Facts
    from trtlens_parsers.kernels.words import Words

_OLD: Final = re.compile(r"_(n[a-z]+)_(n[a-z]+)_([a-z]+)_(?:idx_)?(\d+x\d+x\d+)x\d+_(\d+x\d+x\d+)_(\d{1,4})stages_")
_LAYOUTS: Final = re.compile(r"_(n[cdhw]+(?:_vect_c_\d+)?)(k[cdhrst]+(?:_vect_c_\d+)?)_(n[cdhw]+(?:_vect_c_\d+)?)_")
_TRANSPOSES: Final = re.compile(r"_([tn])([tn])_([tn])_")
_TENSORS: Final = re.compile(r"_(?:depthwise)?(fp32|fp16|bf16|int8)(fp32|fp16)?(n[cdhwx]+\d*)?_")
_FUSED_ACTIVATION: Final = re.compile(
    r"_act_(fp\d+)_(n[a-z]+)_(fp\d+)_(n[a-z]+)_(k[a-z]+)_(?:fp\d+_){0,4}acc(float|half)_"
)
_DEPTHWISE: Final = re.compile(
    r"_(fp32|fp16|int8)(n[cdhwx]+\d*)_(fp32|fp16|int8)(n[cdhwx]+\d*)_(?:fp32|fp16|int8)(k[crs]+)_"
)
_POOLING_MODE: Final = re.compile(r"_pooling_mode_k(half|float|int8)_")

_OPERATIONS: Final = {
    "fprop": "fprop",
    "dgrad": "dgrad",
    "wgrad": "wgrad",
    "deconv": "deconv",
    "gemm": "gemm",
    "pooling": "pooling",
    "softmax": "softmax",
}


def read_xmma(words: Words, facts: Facts) -> None:
    """Operation, types, layouts and sizes of an xmma kernel."""
    facts.operation = _operation(words)
    _read_sizes(facts.stated.sizes, facts)
    first = next((at for at in facts.stated.typed if len(word_meaning(words.lower[at]).types) > 1), None)
    if first is not None and facts.operation not in ("pooling", "softmax"):
        _read_types(words, first, facts)
        _read_layouts(words.flat, facts)
    elif (found := _FUSED_ACTIVATION.search(words.flat)) is not None:
        facts.input_type, facts.output_type = type_of(found.group(1)), type_of(found.group(3))
        facts.accumulator_type = type_of(found.group(6))
        facts.layouts = f"{found.group(2)}/{found.group(5)}/{found.group(4)}"
    else:
        _read_tensors(words.flat, facts)


def _operation(words: Words) -> str | None:
    at = words.lower.index("xmma") + 1 if "xmma" in words.lower else len(words.lower)
    first = words.lower[at] if at < len(words.lower) else ""
    if first in _OPERATIONS:
        return _OPERATIONS[first]
    if first == "convolution":
        return "grouped" if "_groupsdcrr_" in words.flat else "depthwise"
    if first == "cublas":
        return "gemv" if "_gemv" in words.flat else "gemm"
    # conv_fprop_generic, implicit_gemm_..._fprop, sparse_gemm
    found = next((word for word in words.lower[at:] if word in _OPERATIONS and word != "gemm"), None)
    return found or ("gemm" if "_sparse_gemm_" in words.flat else None)


def _read_types(words: Words, first: int, facts: Facts) -> None:
    """The two or three words of types: input and output, multiplied and accumulated, epilogue."""
    source, target, *middle = word_meaning(words.lower[first]).types
    facts.input_type, facts.output_type = type_of(source), type_of(target)
    if not middle and first + 1 < len(words.lower):
        middle = list(word_meaning(words.lower[first + 1]).types)
    if len(middle) > 1:
        facts.math_type = type_of(middle[0])
    facts.accumulator_type = type_of(middle[-1]) if middle else None


def _read_layouts(flat: str, facts: Facts) -> None:
    if (found := _LAYOUTS.search(flat) or _TRANSPOSES.search(flat)) is not None:
        facts.layouts = "/".join(found.groups())
    elif (found := _OLD.search(flat)) is not None:
        read, written, operation, facts.tile, facts.mma_shape, stages = found.groups()
        facts.operation = _OPERATIONS.get(operation, facts.operation)
        facts.layouts, facts.stages = f"{read}//{written}", int(stages)


def _read_tensors(flat: str, facts: Facts) -> None:
    """``FP16FP32NCHW``: the type of the tensors, then that of the arithmetic; ``INT8NCxHW32``: the tensors' alone."""
    if (found := _DEPTHWISE.search(flat)) is not None:
        source, read, target, written, weights = found.groups()
        facts.input_type, facts.output_type = type_of(source), type_of(target)
        facts.layouts = f"{read}/{weights}/{written}"
    elif (found := _TENSORS.search(flat)) is not None:
        source, sums, layout = found.groups()
        facts.input_type = facts.output_type = type_of(source)
        facts.accumulator_type = type_of(sums)
        facts.layouts = f"{layout}//{layout}" if layout else None
    elif (found := _POOLING_MODE.search(flat)) is not None:
        facts.input_type = facts.output_type = type_of(found.group(1))


def _read_sizes(sizes: dict[str, str], facts: Facts) -> None:
    facts.tile = sizes.get("tilesize") or sizes.get("tile")
    facts.warps = sizes.get("warpsize")
    facts.cluster = sizes.get("cgasize")
    facts.warpgroups = sizes.get("warpgroupsize")
    stages = sizes.get("stage", "")
    facts.stages = int(stages) if stages.isdecimal() and len(stages) < 5 else None
    shape = sizes.get("tensor") or sizes.get("sptensor") or ""
    facts.mma_shape = MMA_DIGITS.get(shape, shape if shape.count("x") == 2 and shape[-1] != "x" else None)


# -- attention, Myelin, fused pooling -------------------------------------------------------------------------------

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
