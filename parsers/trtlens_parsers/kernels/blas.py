"""Names of NVIDIA's closed libraries: cask kernels of cuDNN, cuBLAS and TensorRT, cuBLAS's nvjet, and C++ templates.

cask (TensorRT 5 to 10): ``turing_fp16_i8816cudnn_int8_128x128_ldg16_relu_small_nt_v1`` reads
``<architecture>_<output>_<letter><instruction><library>_<input>_<tile>_..._<transposes>_v1``. The letter is the type of
the sums: s FP32, h FP16, i INT32. Without instruction digits (scudnn, hgemm) ordinary instructions multiply.
nvjet (cuBLAS 12 and later): ``nvjet_hsh_128x256_64x4_2x1_v_bz_TNN`` reads types, tile, depth x stages, cluster.
Templates (since 2016): a profiler shows ``wgrad_alg0_engine<float, 128, 5, ...>``; the first floating type among the
arguments is that of the data.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from trtlens_parsers.data_types import ACCUMULATOR_LETTERS, ANY_TYPE, MMA_DIGITS, type_of

if TYPE_CHECKING:
    from trtlens_parsers.kernels.record import Facts
    from trtlens_parsers.kernels.words import Words

_INSTRUCTIONS: Final = "|".join(sorted(MMA_DIGITS, key=len, reverse=True))
_CASK: Final = re.compile(
    rf"_(?:({ANY_TYPE})_)?([shi])({_INSTRUCTIONS})?(cudnn|gemm)(?:_winograd)?(?:_({ANY_TYPE}))?(?:_(\d+x\d+(?:x\d+)?))?(?=_)"
)
_STAGES: Final = re.compile(r"_stages_(\d+)x(\d{1,4})_")
_TRANSPOSES: Final = re.compile(r"_([tn])([tn])(?:_v\d+l?)?_$")
_IMAGE_LAYOUT: Final = re.compile(r"_(nhwc|nchw)(?:2(nhwc|nchw))?_")
_MMA_BY_TYPE: Final = frozenset({"fp16", "bf16", "int8", "int4"})

_NVJET: Final = re.compile(
    r"_nvjet_(?:sm\d+[a-z]?_)?([a-z]{3,5})_(?:mma_|tf32_)?([\dx]+)_(?:(\d+)x(\d{1,3})_)?(?:(\d+x\d+)_)?"
)
_NVJET_TRANSPOSES: Final = re.compile(r"_([tn])([tn])([tn])[tn]?_")
_NVJET_LETTERS: Final = {"h": "fp16", "t": "bf16", "s": "fp32", "q": "fp8", "o": "fp4"}

_FIRST_FLOAT: Final = re.compile(r"<(?:[^<>,]{0,40}, ?){0,3}?(float|double|__half|half|__nv_bfloat16)\b")


def read_cask(words: Words, facts: Facts) -> None:
    """Types, tile and transposes of a cask kernel; of a convolution's direction the name gives hints at most."""
    found = _CASK.search(words.flat)
    if found is None:
        return
    target, letter, digits, library, source, tile = found.groups()
    facts.accumulator_type = ACCUMULATOR_LETTERS[letter]
    plain = None if letter == "i" else facts.accumulator_type
    # Only a tile right behind shows that an omitted type was omitted and not cut off.
    facts.input_type = type_of(source) if source else plain if tile else None
    facts.output_type = type_of(target) if target else plain
    facts.math_type = _math_type(letter, digits, facts.input_type)
    facts.mma_shape = MMA_DIGITS[digits] if digits else None
    facts.tile = tile
    if library == "cudnn":
        facts.operation = "fprop" if "_relu_" in words.flat else "convolution"
    else:
        facts.operation = "gemm"
    _read_details(words.flat, facts)


def _math_type(letter: str, digits: str | None, source: str | None) -> str | None:
    if digits is None:
        return {"s": "fp32", "h": "fp16", "i": "int8"}[letter]
    if source in _MMA_BY_TYPE or letter == "h":
        return source
    # A matrix instruction has no FP32 mode: an m16n8k8 one over FP32 data multiplies TF32.
    return "tf32" if source == "fp32" and digits == "1688" else None


def _read_details(flat: str, facts: Facts) -> None:
    if (found := _STAGES.search(flat)) is not None:
        facts.stages = int(found.group(2))
        facts.tile = f"{facts.tile}x{found.group(1)}" if facts.tile else None
    if (found := _IMAGE_LAYOUT.search(flat)) is not None:
        facts.layouts = f"{found.group(1)}//{found.group(2) or found.group(1)}"
    elif (found := _TRANSPOSES.search(flat)) is not None:
        facts.layouts = "/".join(found.groups())


def read_nvjet(words: Words, facts: Facts) -> None:
    """Types and tile of an nvjet matrix product; letters are those that profiles of known types show."""
    facts.operation = "gemm"
    found = _NVJET.search(words.flat)
    if found is None:
        return
    letters, tile, depth, stages, cluster = found.groups()
    facts.input_type = _NVJET_LETTERS.get(letters[0])
    if letters[0] == letters[1] or len(letters) == 3:
        facts.math_type = facts.input_type if facts.input_type != "fp32" else None
    if "_tf32_" in words.flat:
        facts.math_type = "tf32"
    facts.accumulator_type = _NVJET_LETTERS.get(letters[-2])
    facts.output_type = _NVJET_LETTERS.get(letters[-1])
    facts.tile = f"{tile}x{depth}" if depth else tile
    facts.stages = int(stages) if stages else None
    facts.cluster = f"{cluster}x1" if cluster else None
    if (turned := _NVJET_TRANSPOSES.search(words.flat)) is not None:
        facts.layouts = "/".join(turned.groups())


def element_type(text: str) -> str | None:
    """The first floating type among the first four template arguments of a C++ kernel."""
    found = _FIRST_FLOAT.search(text)
    return None if found is None else type_of(found.group(1).removeprefix("__").removeprefix("nv_"))


def read_template(words: Words, facts: Facts) -> None:
    """The element type; what such a kernel sums in, its arguments do not tell."""
    facts.input_type = element_type(words.text)


def read_float_template(words: Words, facts: Facts) -> None:
    """A matrix product over float sums float; over half it may do either."""
    facts.input_type = element_type(words.text)
    facts.accumulator_type = "fp32" if facts.input_type == "fp32" else None


def read_sgemm_convolution(words: Words, facts: Facts) -> None:
    """``implicit_convolve_sgemm``: whatever is stored, the product is the single-precision one."""
    facts.input_type = element_type(words.text)
    facts.math_type = facts.accumulator_type = "fp32"
