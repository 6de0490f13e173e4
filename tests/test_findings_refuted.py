"""No finding says what the run itself refutes: for each rule a run in which it speaks, and facts that silence it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.doubles.made_logs import (
    FLOAT,
    FLOAT_KERNEL,
    GENERATED,
    INT8,
    INT8_ID,
    INT8_KERNEL,
    SELECTED,
    WORKSPACE_BUILD,
    chose,
    header,
    log,
    reformat,
    run_of,
    runner,
    tactic,
)
from tests.doubles.made_runs import MadeLayer, MadeRun
from trtlens.findings.finding import BuildRule
from trtlens.findings.rules import FINDINGS
from trtlens.runs.captured_tables import with_captured_facts
from trtlens.runs.ingest import Document, join_documents
from trtlens.runs.run import Run
from trtlens.runs.run_info import info_of
from trtlens.tables.declarations import TABLES
from trtlens_parsers.kernel_trace import KernelLaunch, KernelTrace, TracedInference
from trtlens_parsers.log import read_log
from trtlens_parsers.ncu_csv import read_counters

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

HEAD = "[11/20/2026-22:01:25] [I] "
WARNING = "[11/20/2026-22:01:26] [W] [TRT] "
TF32_KERNEL = "sm80_xmma_fprop_implicit_gemm_f32f32_tf32f32_f32_nhwckrsc_nhwc_tilesize128x64x64_stage3_g1_tensor16x8x8"
DP4A_KERNEL = "ampere_int8x4_icudnn_int8x4_128x32_relu_small_nn_v1"
FOUR = "Int8(12544,12544:4,112,1)"
CONV = "Layer(CaskConvolution): {}, Tactic: 0x{:016x}, x ({}) -> y ({})"
FLOAT_CONV = CONV.format("conv", 0x55, "Float[8,512,7,7]", "Float[8,512,7,7]")
REGION = "Layer(Myelin): {ForeignNode[a...b]}, Tactic: 0x0000000000000000, x (Half[8,512,7,7]) -> y (Half[8,512,7,7])"


def built(*texts: str, engine: tuple[str, ...] = (FLOAT_CONV,)) -> str:
    """The log of a whole build: what stands before its end, then the engine's rows."""
    return log(*texts, *SELECTED, *GENERATED, *engine)


def tuned(layer: str, formats: str, *tactics: tuple[str, int, float]) -> tuple[str, ...]:
    """A block of one layer in one format combination; the first tactic wins."""
    rows = (tactic(kernel, tactic_id, time_ms) for kernel, tactic_id, time_ms in tactics)
    return (f"=============== Computing costs for {layer}", header(formats), runner(layer), *rows, chose(tactics[0][1]))


def captured(text: str, **info: Any) -> Run:
    """The run that a log becomes beside the run.json of `trtlens profile`."""
    facts = {"kind": "profile", "library": "tensorrt", "tensorrt_version": "8.6.0", "flags": {}, **info}
    run = run_of(text)
    known = info_of(facts)
    return replace(run, tables=with_captured_facts(run.tables, known), info=known)


def with_rows(run: Run, table: str, **columns: list[Any]) -> Run:
    """The run with rows of build 1 in one table."""
    count = len(next(iter(columns.values())))
    known = {column.name: columns.get(column.name, [None] * count) for column in TABLES[table].columns}
    rows = TABLES[table].table({**known, "build": [1] * count})
    return replace(run, tables={**{name: run[name] for name in run}, table: rows})


def option(key: str, value: str) -> str:
    """A row of trtexec's option block."""
    return f"{HEAD}{key}: {value}"


def options(*rows: str, section: str = "Build Options") -> tuple[str, ...]:
    """A block of trtexec's options."""
    return (f"{HEAD}=== {section} ===", *rows)


FP32_TUNED = tuned("conv", f"{FLOAT} -> {FLOAT}", (FLOAT_KERNEL, 0x55, 0.0663))
CLOSE = tuned("conv", f"{FLOAT} -> {FLOAT}", (FLOAT_KERNEL, 0x55, 0.0663), (f"{FLOAT_KERNEL}_b", 0x56, 0.0665))

# -- int8-without-fp16 ----------------------------------------------------------------------------------------------

INT8_TUNED = (*FP32_TUNED, *tuned("other", f"{INT8} -> {INT8}", (INT8_KERNEL, INT8_ID, 0.01)))
INT8_ALONE = built(*INT8_TUNED)

# -- cuda-cores-despite-tensor-cores --------------------------------------------------------------------------------


def left_out(reformat_ms: float) -> str:
    """A tensor core kernel that is 0.0163 ms faster and writes INT8, which somebody has to turn into FP32."""
    faster = (header(f"{FLOAT} -> {INT8}"), runner("conv"), tactic(TF32_KERNEL, 0x66, 0.05), chose(0x66))
    return built(*FP32_TUNED, *faster, *reformat("y", INT8, FLOAT, reformat_ms))


# -- channels-rule-out-tensor-cores ---------------------------------------------------------------------------------

DP4A_CONV = CONV.format("conv", 0x77, "Int8[8,3:4,112,112]", "Int8[8,64:4,112,112]")
DP4A_TUNED = tuned("conv", f"{FOUR} -> {FOUR}", (DP4A_KERNEL, 0x77, 0.05))
TENSOR_CORE_CONV = CONV.format("stem", INT8_ID, "Int8[8,3:32,112,112]", "Int8[8,64:32,112,112]").replace("y (", "z (")
DEVICE = f"{HEAD}=== Device Information ==="

# -- constants-copied and reformats-cost ----------------------------------------------------------------------------

COPIED = [
    MadeLayer("weights", "Constant", precision=None, unit=None, reads=(), writes=("w",)),
    MadeLayer("copy", "Reformat", precision=None, unit=None, reads=("w",), writes=("v",)),
    MadeLayer("conv", reads=("v",), writes=("y",)),
]


def profiled(layers: list[MadeLayer], *times_ms: float) -> Run:
    """Layers with three equal samples each."""
    return MadeRun(layers, times=np.repeat(np.array(times_ms)[:, None], 3, axis=1)).run()


# -- launch-bound ---------------------------------------------------------------------------------------------------

SMALL = [MadeLayer(f"copy{n}", "Reformat", precision=None, unit=None) for n in range(4)]


def launches(enqueue_ms: float, *, dry: bool = False, graph: bool = False) -> Run:
    """Ten inferences of 0.5 ms, and what it took to enqueue each."""
    times: dict[str, list[Any]] = {
        "iteration": list(range(10)), "pass": ["timing"] * 10, "gpu_ms": [0.5] * 10, "enqueue_ms": [enqueue_ms] * 10,
        "queue_dry": [dry] * 10,
    }  # fmt: skip
    info = {"kind": "profile", "flags": {}, "timings": [{"cuda_graph": graph}]}
    return MadeRun(SMALL, tables={"run_times": times}, info=info).run()


def traced_copies() -> Run:
    """The same copies, each of one kernel of 0.002 ms in a trace."""
    engine = tuple(
        f"Layer(Reformat): copy{n}, Tactic: 0x00000000000003e8, t{n} (Float[64]) -> t{n + 1} (Float[64])"
        for n in range(4)
    )
    launches = tuple(KernelLaunch("copyPackedKernel", range=f"copy{n}") for n in range(4))
    trace = KernelTrace("stream", "CUPTI", ("kernel",), launches, (TracedInference((2000,) * 4),) * 3)
    log_file = Document("made.log", read_log(built(engine=engine).encode()))
    return Run("made.log", join_documents([log_file, Document("kernels.jsonl", trace)]))


def spread_out(
    gap_us: int = 2, *, graph: bool = False, waits: bool = False, kinds: tuple[str, ...] = ("kernel", "copy")
) -> Run:
    """Four copies of 10 µs each that stand apart, timed as a whole and traced as they were launched."""
    layers = [f"Layer(Reformat): copy{n}, Tactic: 0x00000000000003e8, t{n} (Float[64]) -> t{n + 1} (Float[64])" for n in range(4)]  # fmt: skip
    starts = tuple(1000 * (10 + gap_us) * n for n in range(4))
    ran = tuple(KernelLaunch("copyPackedKernel", range=f"copy{n}") for n in range(4))
    trace = KernelTrace(
        "graph" if graph else "stream", "CUPTI", kinds, ran, (TracedInference((10_000,) * 4, starts),) * 3
    )
    log_file = Document("made.log", read_log(built(engine=tuple(layers)).encode()))
    run = Run("made.log", join_documents([log_file, Document("kernels.jsonl", trace)]))
    whole_ms = (40 + 4 * gap_us) / 1000
    times: dict[str, list[Any]] = {
        "iteration": list(range(10)), "pass": ["timing"] * 10, "gpu_ms": [whole_ms] * 10, "enqueue_ms": [0.01] * 10,
        "queue_dry": [waits] * 10,
    }  # fmt: skip
    info = info_of({"kind": "profile", "flags": {}, "timings": [{"cuda_graph": graph}]})
    return replace(with_rows(run, "run_times", **times), info=info)


def short_layers(*texts: str) -> Run:
    """Copies of 0.002 ms by a profile alone, and nothing of whole inferences."""
    engine = tuple(
        f"Layer(Reformat): copy{n}, Tactic: 0x00000000000003e8, t{n} (Float[64]) -> t{n + 1} (Float[64])"
        for n in range(4)
    )
    names = [f"copy{n}" for n in range(4)]
    return with_rows(
        run_of(built(*texts, engine=engine)), "layer_profile", index=[0, 1, 2, 3], layer=names, average_ms=[0.002] * 4,
        source=["export"] * 4,
    )  # fmt: skip


# -- the others -----------------------------------------------------------------------------------------------------

OVERFLOW = f"{WARNING}- 2 weights are affected by this issue: Detected finite FP32 values which would overflow in FP16 and converted them to the closest finite FP16 value."
HALF_CONV = CONV.format("conv", 0x55, "Half[8,512,7,7]", "Half[8,512,7,7]")
HALF_TUNED = tuned("conv", "Half(25088,49,7,1) -> Half(25088,49,7,1)", ("sm80_xmma_fprop_implicit_gemm_f16f16_f16f16_f16_nhwckrsc_nhwc_tilesize128x64x64_stage3_g1_tensor16x8x16", 0x55, 0.02))  # fmt: skip
HALF_BUILD = built(OVERFLOW, *HALF_TUNED, engine=(HALF_CONV,))
NO_SCALE = f"{WARNING}Missing scale and zero-point for tensor y, expect fall back to non-int8 implementation for any layer consuming it"
TF32_BUILD = built(*tuned("conv", f"{FLOAT} -> {FLOAT}", (TF32_KERNEL, 0x55, 0.02)))
SKIPPED = "Tactic: 0x0000000000000004 skipped. Scratch requested: 7527202816, available: 1073741824"
GPU_OF_4_GIB = f"{HEAD}Device Global Memory: 4096 MiB"


def long_tuning(*texts: str) -> str:
    """Thirty seconds of tuning for one layer, a tenth of one for another."""
    end = "{} (CaskConvolution[0x80000009]) profiling completed in {} seconds. Fastest Tactic: 0x0000000000000055 Time: 0.0663"
    blocks = [
        (header(f"{FLOAT} -> {FLOAT}"), runner(layer), tactic(FLOAT_KERNEL, 0x55, 0.0663), end.format(layer, seconds))
        for layer, seconds in (("conv", 30.0), ("small", 0.1))
    ]
    return built(*texts, *blocks[0], *blocks[1])


def traced(*kernels: tuple[str, int], conv: int = 20) -> Run:
    """An engine of a region and a convolution, and a trace of it: kernels of the region with their nanoseconds."""
    region = "{ForeignNode[a...b]}"
    launches = (*(KernelLaunch(name, range=region) for name, _ in kernels), KernelLaunch("conv_kernel", range="conv"))
    inferences = (TracedInference((*(time for _, time in kernels), conv)),) * 3
    trace = KernelTrace("stream", "CUPTI", ("kernel",), launches, inferences)
    text = built(engine=(REGION, HALF_CONV))
    return Run(
        "made.log", join_documents([Document("made.log", read_log(text.encode())), Document("kernels.jsonl", trace)])
    )


# -- layers-pinned and tensor-cores-not-used ------------------------------------------------------------------------


def pinned(pattern: str, *, text: str | None = None, precisions: tuple[str, ...] = ("FP16",)) -> Run:
    """A captured build of one convolution in FP32, with layers of that pattern held there."""
    return captured(
        text or built(*FP32_TUNED),
        flags={"fp16": "FP16" in precisions, "layer_precision": {pattern: "fp32"}},
        precision_flags=list(precisions),
    )


def counted(instructions: int) -> Run:
    """A convolution whose kernel's name says tensor cores, and how many of their instructions ncu counted."""
    text = built(*tuned("conv", f"{FLOAT} -> {FLOAT}", (TF32_KERNEL, 0x55, 0.05)), engine=(FLOAT_CONV,))
    heading = '"ID","Process ID","Process Name","Host Name","Kernel Name","Context","Stream","Block Size","Grid Size","Device","CC"'
    counters = (
        f'{heading},"sm__inst_executed_pipe_tensor.sum"\n{"," * 11}"inst"\n'
        f'"0","1","trtexec","host","{TF32_KERNEL}","1","7","(128, 1, 1)","(32, 1, 1)","0","9.0","{instructions}"\n'
    )
    documents = [Document("made.log", read_log(text.encode())), Document("counters.csv", read_counters(counters))]
    return Run("made.log", join_documents(documents))


def copied(time_ms: float, *, gpu: str = "NVIDIA H200", extent: int = 1024, bound: bool = False) -> Run:
    """A copy that moves 96 MiB, 21 µs at the roof of an H200's memory, which takes that long; ``bound``: while the GPU waits."""
    row = f"Layer(Reformat): copy, Tactic: 0x00000000000003e8, x (Float[8,2,{extent},{extent}]) -> y (Half[8,2,{extent},{extent}])"
    run = captured(built(engine=(row,)), gpu={"name": gpu, "compute_capability": "9.0"})
    run = with_rows(run, "layer_profile", index=[0], layer=["copy"], average_ms=[time_ms], source=["export"])
    enqueue_ms = [0.99 * time_ms if bound else 0.001] * 10
    return with_rows(
        run, "run_times", iteration=list(range(10)), gpu_ms=[time_ms] * 10, enqueue_ms=enqueue_ms,
        **{"pass": ["timing"] * 10},
    )  # fmt: skip


def copied_little(time_ms: float = 0.005, *, bound: bool = False) -> Run:
    """A copy that moves 1.5 MiB, 0.3 µs at the roof."""
    return copied(time_ms, extent=128, bound=bound)


RTX_OF_FP32 = log(
    "In JIT build, strongly typed is enabled by default.",
    "multiply [MatMul] inputs: [x -> (8, 512)[FLOAT]], [w -> (512, 512)[FLOAT]], ",
    "multiply [MatMul] outputs: [y -> (8, 512)[FLOAT]], ",
    *SELECTED, *GENERATED, "Layer(gemm): multiply_myl0_0, Tactic: 0x0000000000000000, x (Float[8,512]) -> y (Float[8,512])",
)  # fmt: skip
CACHE = options(option("timingCacheMode", "global"), option("timingCacheFile", "model.cache"))
CUT_LOG = log("Original: 1 layers", *FP32_TUNED)
SPEAKS: Mapping[str, Callable[[], Run]] = {
    "layers-pinned": lambda: pinned("conv*"),
    "tensor-cores-not-used": lambda: counted(0),
    "build-not-finished": lambda: run_of(CUT_LOG),
    "int8-without-fp16": lambda: run_of(INT8_ALONE),
    "cuda-cores-despite-tensor-cores": lambda: run_of(left_out(0.001)),
    "channels-rule-out-tensor-cores": lambda: run_of(built(*DP4A_TUNED, engine=(DP4A_CONV,))),
    "constants-copied": lambda: profiled(COPIED, 0.0, 0.002, 0.05),
    "reformats-cost": lambda: run_of(WORKSPACE_BUILD),
    "launch-bound": lambda: launches(0.49),
    "gaps-between-kernels": spread_out,
    "too-little-work": copied_little,
    "kernels-below-roof": lambda: copied(0.1),
    "myelin-hides-layers": lambda: run_of(built(engine=(REGION,))),
    "kernels-of-region": lambda: traced(("gemm", 60), ("__myl_bb0_2_Add", 20)),
    "fp16-weights": lambda: run_of(HALF_BUILD),
    "missing-scales": lambda: run_of(built(NO_SCALE, *FP32_TUNED)),
    "tf32-in-fp32": lambda: run_of(TF32_BUILD),
    "workspace-limit": lambda: run_of(WORKSPACE_BUILD),
    "unstable-choice": lambda: run_of(built(*CLOSE)),
    "typed-fp32": lambda: run_of(RTX_OF_FP32),
    "build-time-in-one-layer": lambda: run_of(long_tuning()),
}
"""For each rule about one run a run in which it speaks."""

REFUTED: tuple[tuple[str, str, Callable[[], Run]], ...] = (
    ("build-not-finished", "run.json: the run is done", lambda: captured(CUT_LOG, status="done")),
    ("build-not-finished", "trtexec passed",
     lambda: run_of("&&&& RUNNING TensorRT.trtexec [TensorRT v8601] # trtexec --onnx=m.onnx\n" + CUT_LOG
                    + "&&&& PASSED TensorRT.trtexec [TensorRT v8601] # trtexec --onnx=m.onnx\n")),
    ("build-not-finished", "the engine's rows are there", lambda: run_of(CUT_LOG + log(*GENERATED, FLOAT_CONV))),
    ("int8-without-fp16", "run.json: FP16 was allowed",
     lambda: captured(INT8_ALONE, flags={"int8": True, "fp16": True}, precision_flags=["INT8", "FP16"])),
    ("int8-without-fp16", "trtexec's options: FP16 was allowed",
     lambda: run_of(built(*options(option("Precision", "FP32+FP16+INT8")), *INT8_TUNED))),
    ("int8-without-fp16", "run.json: the network is strongly typed",
     lambda: captured(INT8_ALONE, flags={"strongly_typed": True})),
    ("int8-without-fp16", "a release in which the model's types alone count",
     lambda: captured(INT8_ALONE, tensorrt_version="11.0.0")),
    ("cuda-cores-despite-tensor-cores", "the reformats around it cost more than it saves", lambda: run_of(left_out(0.02))),
    ("channels-rule-out-tensor-cores", "trtexec's device information: no such tensor cores",
     lambda: run_of(built(DEVICE, f"{HEAD}Compute Capability: 6.1", *DP4A_TUNED, engine=(DP4A_CONV,)))),
    ("channels-rule-out-tensor-cores", "run.json: no such tensor cores",
     lambda: captured(built(*DP4A_TUNED, engine=(DP4A_CONV,)), gpu={"name": "Tesla V100", "compute_capability": "7.0"})),
    ("channels-rule-out-tensor-cores", "run.json: a GPU of 7.5 without tensor cores",
     lambda: captured(built(*DP4A_TUNED, engine=(DP4A_CONV,)), gpu={"name": "NVIDIA GeForce GTX 1650", "compute_capability": "7.5"})),
    ("channels-rule-out-tensor-cores", "another layer with such channels runs on tensor cores",
     lambda: run_of(built(*DP4A_TUNED, *tuned("stem", f"{INT8} -> {INT8}", (INT8_KERNEL, INT8_ID, 0.01)), engine=(DP4A_CONV, TENSOR_CORE_CONV)))),
    ("channels-rule-out-tensor-cores", "a tensor core kernel was timed for it",
     lambda: run_of(built(*tuned("conv", f"{FOUR} -> {FOUR}", (DP4A_KERNEL, 0x77, 0.05), (INT8_KERNEL, INT8_ID, 0.06)), engine=(DP4A_CONV,)))),
    ("constants-copied", "the profile measured nothing for the copy", lambda: profiled(COPIED, 0.0, 0.0, 0.05)),
    ("reformats-cost", "the profile: the reformat takes next to nothing",
     lambda: with_rows(run_of(WORKSPACE_BUILD), "layer_profile", index=[0, 1], layer=["Reformatting CopyNode for Input Tensor 0 to fc", "fc"],
                       average_ms=[0.0001, 0.05], source=["export", "export"])),
    ("launch-bound", "the samples: enqueueing is short", lambda: launches(0.2)),
    ("launch-bound", "run.json: timed from a CUDA graph, which the host enqueues at once", lambda: launches(0.003, graph=True)),
    ("launch-bound", "trtexec's options: timed from a CUDA graph",
     lambda: short_layers(*options(option("CUDA Graph", "Enabled"), section="Inference Options"))),
    ("myelin-hides-layers", "the profile: the region takes little",
     lambda: with_rows(run_of(built(*HALF_TUNED, engine=(REGION, HALF_CONV))), "layer_profile", index=[0, 1],
                       layer=["{ForeignNode[a...b]}", "conv"], average_ms=[0.01, 0.09], source=["export", "export"])),
    ("launch-bound", "the copies' kernels were traced: their times hold no launches", traced_copies),
    ("gaps-between-kernels", "run.json: timed from a CUDA graph", lambda: spread_out(graph=True)),
    ("gaps-between-kernels", "the samples: the GPU waits for the host", lambda: spread_out(waits=True)),
    ("gaps-between-kernels", "the trace holds no copies, which may fill the gaps", lambda: spread_out(kinds=("kernel",))),
    ("gaps-between-kernels", "the kernels stand as close as those of a CUDA graph", lambda: spread_out(0)),
    ("too-little-work", "it needs so long at the roof of the memory", lambda: copied(0.025)),
    ("too-little-work", "the samples: the GPU waits for the host", lambda: copied_little(bound=True)),
    ("too-little-work", "its kernel takes longer than latency explains", lambda: copied_little(0.1)),
    ("kernels-below-roof", "it needs so long at the roof of the memory", lambda: copied(0.025)),
    ("kernels-below-roof", "run.json: a GPU with a slower memory", lambda: copied(0.1, gpu="NVIDIA H100 PCIe")),
    ("kernels-below-roof", "latency explains it", copied_little),
    ("kernels-below-roof", "the samples: the GPU waits for the host", lambda: copied(0.1, bound=True)),
    ("layers-pinned", "no layer has such a name", lambda: pinned("other*")),
    ("layers-pinned", "run.json: the build allows nothing below FP32", lambda: pinned("conv*", precisions=())),
    ("layers-pinned", "the layer computes in FP16", lambda: pinned("conv*", text=HALF_BUILD)),
    ("tensor-cores-not-used", "the counter: they were used", lambda: counted(1024)),
    ("myelin-hides-layers", "its kernels were traced", lambda: traced(("gemm", 60), ("__myl_bb0_2_Add", 20))),
    ("kernels-of-region", "no kernel takes a quarter of it", lambda: traced(*((f"gemm_{number}", 10) for number in range(5)))),
    ("kernels-of-region", "it is one kernel", lambda: traced(("gemm", 60))),
    ("kernels-of-region", "the region takes less than a tenth", lambda: traced(("gemm", 60), ("__myl_bb0_2_Add", 20), conv=800)),
    ("fp16-weights", "no layer of the engine computes in FP16", lambda: run_of(built(OVERFLOW, *FP32_TUNED))),
    ("fp16-weights", "the run's tensors agree with the reference",
     lambda: with_rows(run_of(HALF_BUILD), "tensor_errors", index=[0], tensor=["y"], verdict=["ok"])),
    ("missing-scales", "the tensor got a range after all",
     lambda: with_rows(run_of(built(NO_SCALE, *FP32_TUNED)), "dynamic_ranges", tensor=["y"], low=[-1.0], high=[1.0], origin=["set"], line=[1])),
    ("missing-scales", "the tensor holds whole numbers",
     lambda: run_of(built(NO_SCALE, *FP32_TUNED, engine=(FLOAT_CONV.replace("y (Float", "y (Int32"),)))),
    ("tf32-in-fp32", "run.json: TF32 was ruled out", lambda: captured(TF32_BUILD, flags={"no_tf32": True})),
    ("tf32-in-fp32", "run.json: FP16 was allowed", lambda: captured(TF32_BUILD, flags={"fp16": True}, precision_flags=["FP16"])),
    ("workspace-limit", "the tactic was timed after all",
     lambda: run_of(WORKSPACE_BUILD.replace(SKIPPED, f"{SKIPPED}\n[11/20/2026-22:01:26] [V] [TRT] Tactic: 0x0000000000000004 Time: 0.09"))),
    ("workspace-limit", "it asks for more than the GPU has",
     lambda: run_of(WORKSPACE_BUILD.replace(f"{HEAD}Precision", f"{DEVICE}\n{GPU_OF_4_GIB}\n{HEAD}=== Build Options ===\n{HEAD}Precision"))),
    ("unstable-choice", "the rival is the same tactic in another format",
     lambda: run_of(built(*FP32_TUNED, header("Float(25088,1,3584,512) -> Float(25088,1,3584,512)"), runner("conv"),
                          tactic(FLOAT_KERNEL, 0x55, 0.0665), chose(0x55)))),
    ("unstable-choice", "trtexec's options: a timing cache is kept", lambda: run_of(built(*CACHE, *CLOSE))),
    ("unstable-choice", "run.json: a timing cache is kept", lambda: captured(built(*CLOSE), flags={"timing_cache_file": "model.cache"})),
    ("unstable-choice", "a timing cache was read from a file",
     lambda: run_of(built(f"{HEAD}Loaded 1024 bytes of timing cache from model.cache", *CLOSE))),
    ("typed-fp32", "nothing says that the network is strongly typed", lambda: run_of(RTX_OF_FP32.replace("strongly typed is", "it is"))),
    ("typed-fp32", "a node reads FP16", lambda: run_of(RTX_OF_FP32.replace("(8, 512)[FLOAT]], [w", "(8, 512)[FLOAT16]], [w"))),
    ("typed-fp32", "the layer writes FP16", lambda: run_of(RTX_OF_FP32.replace("-> y (Float", "-> y (Half"))),
    ("typed-fp32", "run.json: TF32 was ruled out, so FP32 is meant", lambda: captured(RTX_OF_FP32, flags={"no_tf32": True})),
    ("typed-fp32", "the region's inner types are not known",
     lambda: captured(built(engine=(FLOAT_CONV, REGION.replace("Half", "Float"))), tensorrt_version="11.1.0")),
    ("build-time-in-one-layer", "trtexec's options: a timing cache is kept", lambda: run_of(long_tuning(*CACHE))),
    ("build-time-in-one-layer", "run.json: a timing cache is kept",
     lambda: captured(long_tuning(), flags={"timing_cache_file": "model.cache"})),
)  # fmt: skip
"""For each rule facts of the run, each of which silences it: code, what is known, and a run that differs in this alone."""


def codes(run: Run) -> list[str]:
    """Codes of the findings of a run."""
    found: list[str] = run.view("findings")["code"].to_pylist()
    return found


def test_every_rule_about_one_run_has_facts_that_silence_it() -> None:
    """A new rule needs a run in which it speaks, and one at least that refutes it."""
    alone = {rule.code for rule in FINDINGS.values() if isinstance(rule, BuildRule)}
    assert set(SPEAKS) == {code for code, _, _ in REFUTED} == alone, (
        "add a run to SPEAKS, and one that refutes it to REFUTED"
    )


@pytest.mark.parametrize("code", sorted(SPEAKS))
def test_each_rule_speaks(code: str) -> None:
    """Without the refuting fact the rule finds its case, so that its silence below means something."""
    assert code in codes(SPEAKS[code]())


ALIKE: tuple[tuple[str, str, Callable[[], Run]], ...] = (
    ("int8-without-fp16", "run.json: INT8 alone",
     lambda: captured(INT8_ALONE, flags={"int8": True}, precision_flags=["INT8"], tensorrt_version="10.3.0")),
    ("int8-without-fp16", "trtexec's options: INT8 alone",
     lambda: run_of(built(*options(option("Precision", "FP32+INT8")), *INT8_TUNED))),
    ("channels-rule-out-tensor-cores", "trtexec's device information: tensor cores",
     lambda: run_of(built(DEVICE, f"{HEAD}Compute Capability: 8.6", *DP4A_TUNED, engine=(DP4A_CONV,)))),
    ("channels-rule-out-tensor-cores", "run.json: tensor cores",
     lambda: captured(built(*DP4A_TUNED, engine=(DP4A_CONV,)), gpu={"name": "NVIDIA A10", "compute_capability": "8.6"})),
    ("launch-bound", "the samples: the GPU was idle", lambda: launches(0.2, dry=True)),
    ("launch-bound", "a profile alone, and no CUDA graph",
     lambda: short_layers(*options(option("CUDA Graph", "Disabled"), section="Inference Options"))),
    ("missing-scales", "the range is a default that TensorRT put there",
     lambda: with_rows(run_of(built(NO_SCALE, *FP32_TUNED)), "dynamic_ranges", tensor=["y"], low=[-1.0], high=[1.0], origin=["default"], line=[1])),
    ("fp16-weights", "a tensor differs from the reference",
     lambda: with_rows(run_of(HALF_BUILD), "tensor_errors", index=[0, 1], tensor=["x", "y"], verdict=["ok", "suspect"])),
    ("tf32-in-fp32", "run.json: nothing was asked for", lambda: captured(TF32_BUILD)),
    ("workspace-limit", "the GPU has as much",
     lambda: run_of(WORKSPACE_BUILD.replace(f"{HEAD}Precision", f"{DEVICE}\n{GPU_OF_4_GIB.replace('4096', '8192')}\n{HEAD}=== Build Options ===\n{HEAD}Precision"))),
    ("unstable-choice", "trtexec's options: a local timing cache",
     lambda: run_of(built(*options(option("timingCacheMode", "local"), option("timingCacheFile", "")), *CLOSE))),
    ("typed-fp32", "run.json: TF32 was ruled out, and FP16 asked for",
     lambda: captured(RTX_OF_FP32, flags={"no_tf32": True, "fp16": True}, precision_flags=["FP16"])),
    ("typed-fp32", "a region whose nodes' types are known",
     lambda: run_of(RTX_OF_FP32.replace("multiply_myl0_0", "{ForeignNode[multiply...multiply]}"))),
    ("unstable-choice", "run.json: no timing cache", lambda: captured(built(*CLOSE), flags={"int8": True})),
)  # fmt: skip
"""Runs that are like those that refute a rule, but for the fact."""


@pytest.mark.parametrize(("code", "fact", "run"), ALIKE, ids=[f"{code}: {fact}" for code, fact, _ in ALIKE])
def test_what_the_run_does_not_refute_is_said(code: str, fact: str, run: Callable[[], Run]) -> None:
    """The same kind of fact, stating the other thing, leaves the rule its case."""
    assert code in codes(run()), fact


@pytest.mark.parametrize(("code", "fact", "run"), REFUTED, ids=[f"{code}: {fact}" for code, fact, _ in REFUTED])
def test_what_the_run_refutes_is_not_said(code: str, fact: str, run: Callable[[], Run]) -> None:
    """With the fact the rule keeps silent."""
    assert code not in codes(run()), fact


def test_no_cuda_graph_is_advised_where_one_was_used() -> None:
    """A graph that takes as long to launch as to run leaves the GPU waiting, and another graph helps nobody."""
    rows = {row["code"]: row for row in launches(0.49, graph=True).view("findings").to_pylist()}
    assert "--useCudaGraph" not in rows["launch-bound"]["next_check"]
    rows = {row["code"]: row for row in launches(0.49).view("findings").to_pylist()}
    assert "--useCudaGraph" in rows["launch-bound"]["next_check"]


def test_detailed_verbosity_is_not_advised_where_it_was_used() -> None:
    """The region of an engine of 10.9 that was built with detailed verbosity is opened by a profiler alone."""
    text = built(*options(option("Profiling verbosity", "2")), engine=(REGION,))
    told = {version: _next(captured(text, tensorrt_version=version)) for version in ("8.6.0", "10.9.0")}
    assert all("Nsight Systems" in advice for advice in told.values())
    assert "rebuild with --profilingVerbosity=detailed" in _next(
        run_of(built(f"{HEAD}TensorRT version: 10.9.0", engine=(REGION,)))
    )


def _next(run: Run) -> str:
    rows = {row["code"]: row for row in run.view("findings").to_pylist()}
    return str(rows["myelin-hides-layers"]["next_check"])


def test_no_larger_workspace_is_advised_where_the_default_is_all() -> None:
    """From 8.4 on the default is all of the GPU's memory: nothing larger can be asked for."""
    text = WORKSPACE_BUILD.replace("Memory Pools: workspace: 1024 MiB", "Memory Pools: workspace: default")
    rows = {row["code"]: row for row in run_of(text).view("findings").to_pylist()}
    assert "the workspace is the default" in rows["workspace-limit"]["next_check"]


def test_folding_is_not_advised_where_no_node_of_the_model_is_in_between() -> None:
    """The model's nodes are known, and the copy of the constant is none of them: the builder made it."""
    times = np.repeat(np.array([0.0, 0.002, 0.05])[:, None], 3, axis=1)
    nodes = {name: [(name, "Identity", ["w"], ["v"])] for name in ("conv", "copy")}
    advice = {
        name: {row["code"]: row for row in MadeRun(COPIED, times=times, nodes=known).run().view("findings").to_pylist()}
        for name, known in nodes.items()
    }
    assert "folding cannot help" in advice["conv"]["constants-copied"]["next_check"]
    assert "fold the nodes" in advice["copy"]["constants-copied"]["next_check"]


def test_typed_fp32_says_who_asked_for_less() -> None:
    """FP16 on the command line of a typed build makes it severe, and its line is the first evidence."""
    asked = "&&&& RUNNING TensorRT.trtexec [TensorRT v100900] # trtexec --onnx=m.onnx --stronglyTyped --fp16\n"
    (row,) = run_of(asked + RTX_OF_FP32.replace("strongly typed", "typed")).view("findings").to_pylist()
    assert (row["code"], row["severity"]) == ("typed-fp32", "high")
    assert row["evidence"][0] == "line 1: the command asks for it: --fp16"
    assert row["evidence"][1].startswith("line 3: multiply (MatMul) reads (8, 512)[FLOAT]")
    assert "1 MatMul of the model" in row["text"]
