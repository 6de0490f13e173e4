"""What a kernel's name settles: tensor core or CUDA core, the precision of the arithmetic, and by which rule.

The order of ``decide`` is the precedence: words for ordinary instructions, words for matrix instructions, what the
types and the architecture exclude, what the family as such settles. What is left stays open, with a reason.
The sources of the rules are in docs/kernels.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from trtlens_parsers.data_types import FLOATS
from trtlens_parsers.kernels.record import CUDA_CORE, TENSOR_CORE, Decision

if TYPE_CHECKING:
    from trtlens_parsers.kernels.families import Family
    from trtlens_parsers.kernels.record import Facts
    from trtlens_parsers.kernels.words import Words


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule's name, the unit that it gives (None: it leaves the unit open) and what it says in one line."""

    name: str
    unit: str | None
    says: str


RULES: Final[tuple[Rule, ...]] = (
    Rule("empty", None, "an empty name says nothing"),
    Rule("too-long", None, "longer than any kernel name: not read"),
    Rule("stub", None, "__myelin_CASK_STUB is replaced by a kernel at run time"),
    Rule("not-a-kernel", None, "a fragment of a signature"),
    Rule("dp4a", CUDA_CORE, "int8x4, dp4a: four 8-bit products in one ordinary integer instruction"),
    Rule("scalar-fma", CUDA_CORE, "ffma, simt: one product for each thread and instruction"),
    Rule("scalar-letter", CUDA_CORE, "scudnn, hgemm, ...: a type letter without the digits of a matrix instruction"),
    Rule("contradiction", None, "the name states a matrix instruction and an architecture that has none"),
    Rule("imma-pooling", None, "IMMA in a pooling kernel: its layout or its instruction"),
    Rule("mma-shape", TENSOR_CORE, "tensor16x8x16, sptensor16x8x32: the shape of a matrix instruction"),
    Rule("mma-digits", TENSOR_CORE, "h884, s1688, i8816, s16816, ...: the same shape, digits run together"),
    Rule("opcode-class", TENSOR_CORE, "CUTLASS's tensorop, sptensorop, bstensorop, wmma_tensorop"),
    Rule("mma-word", TENSOR_CORE, "hmma, imma, qmma, wmma, wgmma, gmma: the instruction by its name"),
    Rule("warpgroup", TENSOR_CORE, "warpgroupsize: a warp group exists to issue Hopper's matrix instruction"),
    Rule("tf32-math", TENSOR_CORE, "only tensor cores multiply TF32"),
    Rule("before-tensor-cores", CUDA_CORE, "written for an architecture older than sm70"),
    Rule("fp32-math", CUDA_CORE, "tensor cores have no FP32 mode (and no TF32 mode before sm80)"),
    Rule("no-matrix-product", CUDA_CORE, "moves or maps elements: nothing in it for a tensor core"),
    Rule("older-than-tensor-cores", CUDA_CORE, "a cuDNN or cuBLAS template that predates tensor cores"),
    Rule("myelin-mha", TENSOR_CORE, "Myelin fuses attention only for types and GPUs with matrix instructions"),
    Rule("conv-act-pool", TENSOR_CORE, "the INT8 kernels behind kIMMA_V*_TILE"),
    Rule(
        "outruns-dp4a", TENSOR_CORE, "INT8 convolutions that TensorRT itself timed faster than CUDA cores can multiply"
    ),
    Rule("nvjet", TENSOR_CORE, "cuBLAS's generator for Hopper's and Blackwell's matrix instructions"),
    Rule("fused-attention", TENSOR_CORE, "fused attention over FP16, BF16, FP8 or INT8"),
    Rule("thread-loops", CUDA_CORE, "depthwise and grouped convolutions that spell out the loops of one thread"),
    Rule("generated", None, "a generated kernel's name lists operations, not instructions"),
    Rule("no-instruction", None, "known family, but the name states no instruction (or was cut before it)"),
    Rule("unknown-family", None, "no reader knows this name"),
)

MATRIX_FREE: Final = frozenset(
    {
        "normalization",
        "pointwise",
        "pooling",
        "reduce",
        "reformat",
        "resize",
        "setup",
        "slice",
        "softmax",
        "transform",
        "transpose",
    }
)
_MOVES_ONLY: Final = frozenset({"reformat", "resize", "setup", "slice", "transform", "transpose"})
_MATRIX_TYPES: Final = frozenset({"fp16", "bf16", "fp8", "fp4", "int8", "int4"})

_FIRST_TENSOR_CORE_SM: Final = 70
_FIRST_TF32_SM: Final = 80
_TF32: Final = re.compile(r"_[a-z0-9]*tf32[a-z0-9]*_")
_FP32_WORD: Final = re.compile(r"_(?:[a-z0-9]*f32[a-z0-9]*|[a-z0-9]*fp32[a-z0-9]*|accfloat|float)_")
_THREAD_LOOPS: Final = re.compile(r"_thrdouterloop\d+_")


def decide(words: Words, family: Family | None, facts: Facts) -> Decision:
    """The first rule that applies, in the order that the module's docstring gives."""
    if family is not None and family.rule == "not-a-kernel" and facts.stated.matrix is not None:
        rule, word = facts.stated.matrix  # a part of what issues the instruction
        return Decision(rule, TENSOR_CORE, word)
    if family is not None and family.rule in ("stub", "not-a-kernel"):
        return Decision(family.rule, reason=family.reason)
    if facts.stated.scalar is not None:
        rule, word = facts.stated.scalar
        return Decision(rule, CUDA_CORE, word)
    return (
        _by_matrix_word(words, facts)
        or _by_exclusion(words, facts)
        or _by_family(words, family, facts)
        or _left_open(family, facts)
    )


def _by_matrix_word(words: Words, facts: Facts) -> Decision | None:
    stated = facts.stated
    in_word = facts.operation == "depthwise" and "hmma_" in words.flat  # "depthwiseHMMA"
    if stated.sm is not None and stated.sm[0] < _FIRST_TENSOR_CORE_SM and (stated.matrix or in_word):
        return Decision("contradiction", reason=f"states a matrix instruction and {stated.sm[1]}, which has none")
    if stated.matrix is not None and facts.operation == "pooling":
        return Decision("imma-pooling", reason="IMMA may name the 32-channel INT8 layout here, or the instruction")
    if stated.matrix is not None:
        rule, word = stated.matrix
        return Decision(rule, TENSOR_CORE, word)
    if facts.mma_shape is not None and facts.mma_shape in words.name:  # TensorRT 7's xmma names, by position
        return Decision("mma-shape", TENSOR_CORE, facts.mma_shape)
    if facts.math_type == "tf32" and (found := _TF32.search(words.flat)) is not None:
        return Decision("tf32-math", TENSOR_CORE, words.quote(found))
    return None


def _by_exclusion(words: Words, facts: Facts) -> Decision | None:
    """No tensor core can be in use: none exists on that architecture, or none multiplies that type."""
    sm, word = facts.stated.sm or (None, None)
    if sm is not None and sm < _FIRST_TENSOR_CORE_SM:
        return Decision("before-tensor-cores", CUDA_CORE, word)
    if facts.math_type not in (None, "fp32") or (facts.math_type is None and facts.input_type != "fp32"):
        return None
    sums = facts.math_type or facts.accumulator_type
    too_early = sm is not None and sm < _FIRST_TF32_SM
    if (sums == "fp32" or too_early) and (found := _FP32_WORD.search(words.flat)) is not None:
        return Decision("fp32-math", CUDA_CORE, words.quote(found))
    return None


def _by_family(words: Words, family: Family | None, facts: Facts) -> Decision | None:
    if family is None or (found := family.pattern.search(words.flat)) is None:
        return None
    if facts.operation in MATRIX_FREE:
        return Decision("no-matrix-product", CUDA_CORE, words.quote(found))
    if family.unit is not None and family.rule is not None:
        return Decision(family.rule, family.unit, words.quote(found))
    if facts.operation == "mha" and facts.input_type in _MATRIX_TYPES:
        return Decision("fused-attention", TENSOR_CORE, words.quote(found))
    if facts.operation in ("depthwise", "grouped") and (found := _THREAD_LOOPS.search(words.flat)) is not None:
        return Decision("thread-loops", CUDA_CORE, words.quote(found))
    return None


def _left_open(family: Family | None, facts: Facts) -> Decision:
    if family is None:
        return Decision("unknown-family", reason="no family of kernels is known by this name")
    if family.reason is not None and family.rule is not None:
        return Decision(family.rule, reason=family.reason)
    if facts.input_type is None:
        return Decision(
            "no-instruction", reason="the name states neither types nor an instruction; it may be cut short"
        )
    return Decision("no-instruction", reason=f"the name states its types ({facts.input_type}) but no instruction")


def precision_of(facts: Facts, unit: str | None) -> str | None:
    """The type that is multiplied: stated, or what the unit can do with the types that are stated.

    CUDA cores have no multiply-add from FP16 or INT8 into FP32, so a kernel of theirs that sums FP32 multiplies FP32.
    """
    if facts.math_type is not None:
        return facts.math_type
    if facts.operation in _MOVES_ONLY:
        return None
    source, sums = facts.input_type, facts.accumulator_type
    if unit == CUDA_CORE:
        unknown_sums = sums is None and source in ("fp16", "bf16") and facts.operation not in MATRIX_FREE
        return sums if sums in FLOATS else None if unknown_sums else source
    if unit == TENSOR_CORE:
        return None if source == "fp32" else source
    return source if sums in (source, "int32") else None
