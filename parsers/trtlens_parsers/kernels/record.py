"""What a kernel name says: the record that readers of names fill in, and its parts.

Types are spelled as trtlens spells them everywhere: fp32 tf32 fp16 bf16 fp8 fp4 int8 int4 int32 int64 bool.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trtlens_parsers.kernels.words import WordFacts

TENSOR_CORE = "tensor core"
CUDA_CORE = "cuda core"


@dataclass(frozen=True, slots=True)
class Kernel:
    """One kernel name, decoded; ``None`` and empty tuples mean that the name does not say.

    Attributes:
        name: the name as it was given.
        family: who wrote or generated the kernel (xmma, cudnn, cublas, cutlass, nvjet, myelin, ...), or its kind for
            TensorRT's own C++ kernels (reformat, pointwise, ...).
        sm: the architecture that it was written for, e.g. 80; not the GPU that it runs on, which may be newer.
        operation: fprop, dgrad, deconv, gemm, gemv, mha, pooling, reformat, ...
        input_type: type of the activations as they are read.
        math_type: type that the multiplications take, where the name says so by itself.
        accumulator_type: type of the sums.
        output_type: type of the result as it is written.
        tile: what one thread block computes, "MxNxK" or "MxN".
        stages: depth of the software pipeline.
        warps: how the warps share the tile, "2x2x1".
        cluster: thread blocks in a cluster (cgasize), "2x1x1".
        warpgroups: how warp groups share the tile (sm90 and later), "1x1x1".
        mma_shape: shape of one matrix instruction, "16x8x16".
        layouts: layouts of input, weights and output, "nhwc/krsc/nhwc", an unstated one left empty; for matrix products
            the transposition of each operand, "t/n/n".
        split_k: the name says that several blocks share one sum.
        epilogue: what is done to the sums before they are written, e.g. ("bias", "relu").
        sparse: the name says that it uses structured sparsity.
        operations: operations that a generated kernel fuses, in the generator's own abbreviations; a last "Etc" is the
            generator's own mark for a list that it cut short.
        precision: type that the kernel computes in.
        unit: "tensor core", "cuda core", or None when the name does not settle it.
        unit_reason: why ``unit`` is None; None otherwise.
        evidence: the part of the name that settled ``unit``.
        rule: name of the rule that settled ``unit`` or left it open; docs/kernels.md has a row for each.
    """

    name: str
    family: str | None = None
    sm: int | None = None
    operation: str | None = None
    input_type: str | None = None
    math_type: str | None = None
    accumulator_type: str | None = None
    output_type: str | None = None
    tile: str | None = None
    stages: int | None = None
    warps: str | None = None
    cluster: str | None = None
    warpgroups: str | None = None
    mma_shape: str | None = None
    layouts: str | None = None
    split_k: bool = False
    epilogue: tuple[str, ...] = ()
    sparse: bool = False
    operations: tuple[str, ...] = ()
    precision: str | None = None
    unit: str | None = None
    unit_reason: str | None = None
    evidence: str | None = None
    rule: str = ""


@dataclass(slots=True)
class Facts:
    """What single words of a name say, and what the reader of its family then finds; nothing is concluded yet."""

    stated: WordFacts
    operation: str | None = None
    input_type: str | None = None
    math_type: str | None = None
    accumulator_type: str | None = None
    output_type: str | None = None
    tile: str | None = None
    stages: int | None = None
    warps: str | None = None
    cluster: str | None = None
    warpgroups: str | None = None
    mma_shape: str | None = None
    layouts: str | None = None
    operations: tuple[str, ...] = ()

    def found(self) -> dict[str, Any]:
        """What was found, by the fields of `Kernel`."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "stated"}


@dataclass(frozen=True, slots=True)
class Decision:
    """Which unit a kernel runs on and why, or why that stays open."""

    rule: str
    unit: str | None = None
    evidence: str | None = None
    reason: str | None = None
