"""Short verbose logs made by hand, in the shapes that TensorRT 8.2 to 10.16 print, and the runs that they become."""

from __future__ import annotations

from trtlens.runs.ingest import Document, join_documents
from trtlens.runs.run import Run
from trtlens_parsers.log import read_log

PREFIX = "[11/20/2026-22:01:26] [V] [TRT] "


def log(*texts: str) -> str:
    """Messages of TensorRT's verbose logger behind trtexec's prefix; rows of an engine stand bare, as printed."""
    return "\n".join(text if text.startswith(("Layer(", "[", "&&&&")) else f"{PREFIX}{text}" for text in texts) + "\n"


def run_of(text: str) -> Run:
    """The run that a log becomes."""
    return Run("made.log", join_documents([Document("made.log", read_log(text.encode()))]))


def line_of(text: str, part: str, occurrence: int = 1) -> int:
    """Number of the line that holds ``part`` for the n-th time."""
    found = [number for number, line in enumerate(text.split("\n"), 1) if part in line]
    return found[occurrence - 1]


def header(formats: str) -> str:
    """A format combination's header."""
    return f"*************** Autotuning format combination: {formats} ***************"


def runner(layer: str, name: str = "CaskConvolution") -> str:
    """A runner's header (8.6 and later)."""
    return f"--------------- Timing Runner: {layer} ({name}[0x80000009])"


def tactic(kernel: str, tactic_id: int, time_ms: float) -> str:
    """A timed tactic (8.6 and later)."""
    return f"Tactic Name: {kernel} Tactic: 0x{tactic_id:016x} Time: {time_ms}"


def chose(tactic_id: int, name: str = "CaskConvolution") -> str:
    """The winner of a combination (8.4 and later)."""
    return f">>>>>>>>>>>>>>> Chose Runner Type: {name} Tactic: 0x{tactic_id:016x}"


def reformat(tensor: str, before: str, after: str, time_ms: float) -> tuple[str, ...]:
    """A reformat of a tensor, timed once."""
    return (
        f"*************** Autotuning Reformat: {before} -> {after} ***************",
        f"--------------- Timing Runner: Optimizer Reformat({tensor} -> <out>) (Reformat[0x80000006])",
        f"Tactic: 0x00000000000003e8 Time: {time_ms}",
        f"Optimizer Reformat({tensor} -> <out>) (Reformat[0x80000006]) profiling completed in 0.01 seconds.",
    )


SELECTED = ("Formats and tactics selection completed in 1.5 seconds.", "After reformat layers: 3 layers")
GENERATED = ("Engine generation completed in 2 seconds.", "Engine Layer Information:")

INT8 = "Int8(784,49:32,7,1)"
FLOAT = "Float(25088,49,7,1)"
INT8_KERNEL = "sm80_xmma_fprop_implicit_gemm_interleaved_i8i8_i8i32_f32_nchw_vect_c_32kcrs_vect_c_32_tensor16x8x32"
FLOAT_OUT_KERNEL = (
    "sm80_xmma_fprop_implicit_gemm_interleaved_i8f32_i8i32_f32_nchw_vect_c_32kcrs_vect_c_32_nchw_tensor16x8x32"
)
FLOAT_KERNEL = "sm80_xmma_fprop_implicit_gemm_f32f32_f32f32_f32_nchwkcrs_nchw_tilesize32x32x8_stage3_g1_ffma"

INT8_ID, FLOAT_OUT_ID, FLOAT_ID = 0xC737E58152C008DD, 0x2BED4B50314C7A93, 0xE47E164F4A743900

INT8_BUILD = log(
    "=============== Computing costs for ",
    header(f"{FLOAT}, Float(1) -> {FLOAT}"),
    runner("conv_a"),
    tactic(FLOAT_KERNEL, FLOAT_ID, 0.0663022),
    chose(FLOAT_ID),
    header(f"Int8(25088,49,7,1), Float(1) -> {INT8}"),
    runner("conv_a"),
    "CaskConvolution has no valid tactics for this config, skipping",
    header(f"{INT8}, Float(1) -> {FLOAT}"),
    runner("conv_a"),
    tactic(FLOAT_OUT_KERNEL, FLOAT_OUT_ID, 0.010451),
    chose(FLOAT_OUT_ID),
    header(f"{INT8}, Float(1) -> {INT8}"),
    runner("conv_a"),
    tactic(INT8_KERNEL, INT8_ID, 0.013731),
    tactic(FLOAT_OUT_KERNEL, 0x1111111111111111, 0.0141),
    chose(INT8_ID),
    "=============== Computing costs for ",
    header(f"{FLOAT}, Float(1) -> {FLOAT}"),
    header(f"{INT8}, Float(1) -> {FLOAT}"),
    header(f"{INT8}, Float(1) -> {INT8}"),
    "=============== Computing reformatting costs",
    *reformat("tensor_b", FLOAT, INT8, 0.00582915),
    *SELECTED,
    *GENERATED,
    f"Layer(CaskConvolution): conv_a, Tactic: 0x{INT8_ID:016x}, tensor_a (Int8[8,512:32,7,7]), bias_a (Float[512]) -> "
    "tensor_b (Int8[8,512:32,7,7])",
    f"Layer(CaskConvolution): conv_b, Tactic: 0x{INT8_ID:016x}, tensor_b (Int8[8,512:32,7,7]), bias_b (Float[512]) -> "
    "tensor_c (Int8[8,512:32,7,7])",
)
"""8.6: an INT8 layer whose fastest kernel writes Float, and a second layer that the timing cache answered for."""

FP32_CUDNN = "Float(784,784,28,1)"
WORKSPACE_BUILD = log(
    "[11/20/2026-22:01:25] [I] === Build Options ===",
    "[11/20/2026-22:01:25] [I] Memory Pools: workspace: 1024 MiB, dlaSRAM: default",
    "[11/20/2026-22:01:25] [I] Precision: FP32+FP16",
    "=============== Computing costs for ",
    header("Float(6272,196,14,1) -> Float(12544,196,14,1)"),
    "--------------- Timing Runner: fc (CudnnConvolution)",
    "Tactic: 0x0000000000000000 Time: 0.0719",
    "Tactic: 0x0000000000000004 skipped. Scratch requested: 7527202816, available: 1073741824",
    "Fastest Tactic: 0x0000000000000000 Time: 0.0719",
    "--------------- Timing Runner: fc (CaskConvolution)",
    "fc Set Tactic Name: maxwell_scudnn_128x32_relu_small_nn_v0 Tactic: 0x632674f65e3422ae",
    "Tactic: 0x632674f65e3422ae Time: 0.0524",
    "Fastest Tactic: 0x632674f65e3422ae Time: 0.0524",
    ">>>>>>>>>>>>>>> Chose Runner Type: CaskConvolution Tactic: 0x632674f65e3422ae",
    header("Float(6272,1,448,32) -> Float(12544,1,896,64)"),
    "--------------- Timing Runner: fc (CaskConvolution)",
    "fc Set Tactic Name: maxwell_scudnn_128x32_sliced1x4_ldg4_relu_exp_small_nhwc_tn_v1 Tactic: 0x80f932c0b8ce5940",
    "Tactic: 0x80f932c0b8ce5940 Time: 0.02378",
    "Fastest Tactic: 0x80f932c0b8ce5940 Time: 0.02378",
    ">>>>>>>>>>>>>>> Chose Runner Type: CaskConvolution Tactic: 0x80f932c0b8ce5940",
    header("Half(6272,196,14,1) -> Half(12544,196,14,1)"),
    "--------------- Timing Runner: fc (CudnnConvolution)",
    "Tactic: 0x0000000000000001 Time: 0.07",
    "Fastest Tactic: 0x0000000000000001 Time: 0.07",
    ">>>>>>>>>>>>>>> Chose Runner Type: CudnnConvolution Tactic: 0x0000000000000001",
    "=============== Computing reformatting costs",
    *reformat("pooled", "Float(6272,196,14,1)", "Float(6272,1,448,32)", 0.00512),
    "Adding reformat layer: Reformatted Input Tensor 0 to fc (pooled) from Float(6272,196,14,1) to Float(6272,1,448,32)",
    *SELECTED,
    *GENERATED,
    "Layer(Reformat): Reformatting CopyNode for Input Tensor 0 to fc, Tactic: 0x00000000000003e8, "
    "pooled[Float(4,32,14,14)] -> Reformatted Input Tensor 0 to fc[Float(4,32,14,14)]",
    "Layer(CaskConvolution): fc, Tactic: 0x80f932c0b8ce5940, Reformatted Input Tensor 0 to fc[Float(4,32,14,14)] -> "
    "scores[Float(4,64,14,14)]",
)
"""8.4: kernels named on a line of their own, a tactic skipped for workspace, formats that the engine's rows do not show."""


def strategies_build() -> str:
    """10.16: two backend strategies, of which the first one's engine is kept."""
    half, kernel = (
        "Half(3136,1:8,112,4)",
        "sm80_xmma_fprop_implicit_gemm_indexed_f16f16_f16f16_f16_nhwckrsc_nhwc_tensor16x8x16",
    )
    return log(
        "Building graph using backend strategy 4",
        "=============== Computing costs for conv",
        header(f"Half(784,1:4,28,1) -> {half}"),
        runner("conv"),
        tactic(kernel, 0x112767CF498572EA, 0.0035),
        "Skipping CaskFlattenConvolution: No valid tactics for conv",
        chose(0x112767CF498572EA),
        *SELECTED,
        "Engine generation completed in 2 seconds.",
        "Use backend strategy 4 with estimated inference time (0.22528) as the initial choice.",
        "Building graph using backend strategy 2",
        "=============== Computing costs for conv",
        f"conv [Half(784,1:4,28,1) -> {half}] got cached result: CaskConvolution, tactic 0x112767cf498572ea, 0.0035 ms",
        *SELECTED,
        "Engine generation completed in 1 seconds.",
        "Skip backend strategy 2since its estimated inference time (0.257024) is not faster than the previous engine with "
        "estimated inference time (0.22528).",
        "Engine Layer Information:",
        "Layer(CaskConvolution): conv, Tactic: 0x112767cf498572ea, x (Half[-1,1:4,28,28]) -> y (Half[-1,32:8,28,28])",
    )
