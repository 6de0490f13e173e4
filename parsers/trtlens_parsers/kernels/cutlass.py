"""CUTLASS names, as TensorRT 10 and cuBLAS compile them in, and as its C++ templates read when demangled.

Source: CUTLASS ``python/cutlass_library``: ``procedural_name``, ``extended_name`` and ``OpcodeClassNames``.
2.x: ``cutlass_80_tensorop_<output>_<letter><instruction>gemm_<input>_<MxN>_<K>x<stages>_<transposes>_align8``, output
and input only where they differ from the type of the sums.
3.x: ``cutlass3x_sm100_tensorop_<letter><instruction>gemm_<A>_<B>_<sums>_<C>_<D>_<MxNxK>_<cluster>_<stages>_...``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from trtlens_parsers.data_types import ACCUMULATOR_LETTERS, ANY_TYPE, MMA_DIGITS, is_type, type_of

if TYPE_CHECKING:
    from trtlens_parsers.kernels.record import Facts
    from trtlens_parsers.kernels.words import Words

_OPCODE_CLASS: Final = re.compile(r"_(?:bs)?(?:sp)?(?:wmma_)?(?:tensorop|simt)_")
_CORE: Final = re.compile(
    r"(?:([shidcz])(?=\d|gemm|spgemm|fprop|dgrad|wgrad|deconv))?(\d+x\d+x\d+|\d{3,6})?(tf32|bf16|f16)?([a-z]*)"
)
_DEVICE_TEST: Final = re.compile(
    rf"_gemm_({ANY_TYPE})_({ANY_TYPE})_({ANY_TYPE})_(?:alignx_)?(tensor_op|simt)(?:_({ANY_TYPE}))?_"
)
_FIRST_LAYER: Final = re.compile(rf"_fprop_({ANY_TYPE})({ANY_TYPE})({ANY_TYPE})_(n[a-z]+)_(n[a-z]+)_")
_CONVOLUTION: Final = re.compile(r"(fprop|dgrad|wgrad|deconv)")
_TILE_WORD: Final = re.compile(r"\d+x\d+(?:x\d+)?")
_TILE_3X: Final = re.compile(r"_(\d+x\d+x\d+)(?:_(\d+x\d+x\d+))?(?:_(\d{1,3}))?(?=_)")
_TILE_2X: Final = re.compile(r"_(\d+x\d+)_(\d+)x(\d{1,3})(?=_)")
_TRANSPOSES: Final = re.compile(r"_([tn])([tn])([tn])?_(?:align\d|$)")
# Words of the operation that may stand between its core and the types.
_FILLER: Final = re.compile(
    r"gemm|implicit|fprop|dgrad|wgrad|deconv|strided|grouped|optimized|analytic|few|channels|fixed|conv[23]d"
    r"|weight|stationary|nq|2d|tiled|block|scaled"
)


def read_cutlass(words: Words, facts: Facts) -> None:
    """Operation, types and tile of a CUTLASS kernel named by its library, or its unit tests' shorter form."""
    flat = words.flat
    direction = _CONVOLUTION.search(flat)
    facts.operation = direction.group(1) if direction else "gemm" if "gemm" in flat else None
    if (found := _DEVICE_TEST.search(flat)) is not None:
        facts.input_type, facts.output_type = type_of(found.group(1)), type_of(found.group(3))
        facts.accumulator_type = type_of(found.group(5))
        facts.math_type = _math_type(facts.input_type, scalar=found.group(4) == "simt")
    elif (found := _OPCODE_CLASS.search(flat)) is not None:
        _read_core(words.lower[words.index_at(found.end() - 1) :], "simt" in found.group(), facts)
        _read_tile(flat[found.end() - 1 :], facts)
    elif (found := _FIRST_LAYER.search(flat)) is not None:
        facts.input_type, facts.output_type = type_of(found.group(1)), type_of(found.group(2))
        facts.math_type, facts.accumulator_type = facts.input_type, type_of(found.group(3))
        facts.layouts = f"{found.group(4)}//{found.group(5)}"


def _math_type(source: str | None, *, scalar: bool) -> str | None:
    """What is multiplied when the name gives the stored type alone: tensor cores take FP32 data as TF32."""
    return "tf32" if source == "fp32" and not scalar else source


def _read_core(rest: list[str], scalar: bool, facts: Facts) -> None:
    output = rest[0] if rest and is_type(rest[0]) else None
    core = rest[1 if output else 0 :]
    if not core or (found := _CORE.fullmatch(core[0])) is None:
        return
    letter, shape, multiplied, _ = found.groups()
    facts.accumulator_type = ACCUMULATOR_LETTERS.get(letter or "")
    facts.mma_shape = MMA_DIGITS.get(shape or "", shape if shape and "x" in shape else None)
    types = _types_after(core)
    if len(types) >= 5:  # 3.x: A, B, sums, C, D
        facts.input_type, facts.accumulator_type, facts.output_type = map(type_of, (types[0], types[2], types[4]))
    else:
        # Only a tile right behind shows that an omitted type was omitted and not cut off.
        behind = next((word for word in core[1:24] if _FILLER.fullmatch(word) is None), "")
        whole = _TILE_WORD.fullmatch(behind) is not None
        facts.input_type = type_of(types[0]) if types else facts.accumulator_type if whole else None
        facts.output_type = type_of(output) if output else facts.accumulator_type
    if scalar and letter in ("s", "h"):
        facts.math_type = facts.accumulator_type
    else:
        facts.math_type = type_of(multiplied) or _math_type(facts.input_type, scalar=scalar)


def _types_after(core: list[str]) -> list[str]:
    """The run of types that follows the operation's own words."""
    types: list[str] = []
    for word in core[1:24]:
        if is_type(word):
            types.append(word)
        elif types or _FILLER.fullmatch(word) is None:
            break
    return types


def _read_tile(flat: str, facts: Facts) -> None:
    if (found := _TILE_2X.search(flat)) is not None:
        facts.tile, facts.stages = f"{found.group(1)}x{found.group(2)}", int(found.group(3))
    elif (found := _TILE_3X.search(flat)) is not None:
        facts.tile, facts.cluster = found.group(1), found.group(2)
        facts.stages = int(found.group(3) or 0) or None  # 0: chosen when the kernel was compiled
    if (found := _TRANSPOSES.search(flat)) is not None:
        facts.layouts = "/".join(filter(None, found.groups()))
