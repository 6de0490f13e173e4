"""Small logs of trtexec with everything that a fleet keeps of a run."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

_START = datetime(2026, 1, 1, tzinfo=timezone.utc)
LAYERS = ("conv1", "conv2")


def trtexec_log(
    number: int = 0,
    *,
    latency_ms: float = 1.0,
    version: str = "10.3.0",
    model: str = "net.onnx",
    gpu: str = "NVIDIA L4",
    uuid: str = "GPU-0",
    flags: str = "--fp16",
    tactic: int = 1,
    tuner_ms: float = 0.01,
) -> str:
    """The log of the ``number``-th build of a series, an hour after the one before."""
    stamp = f"[{_START + timedelta(hours=number):%m/%d/%Y-%H:%M:%S}]"
    banner = f"TensorRT.trtexec [TensorRT v{version.replace('.', '0')}] # trtexec --onnx=/ci/{number}/{model} {flags} --verbose"
    told = [
        "[I] === Model Options ===", "[I] Format: ONNX", f"[I] Model: /ci/{number}/{model}",
        "[I] === Device Information ===", f"[I] Selected Device: {gpu}", f"[I] Selected Device UUID: {uuid}",
        f"[I] TensorRT version: {version}",
        *(f"[V] [TRT] Parsing node: {layer} [Conv]" for layer in LAYERS),
        *(line for layer in LAYERS for line in _tuning(layer, tactic, tuner_ms)),
        "[W] [TRT] Tensor x is not used",
        "[V] [TRT] Engine Layer Information:",
    ]  # fmt: skip
    rows = [
        f"Layer(CaskConvolution): {layer}, Tactic: 0x{tactic:016x}, x{place} (Half[1,8,4,4]) -> x{place + 1} (Half[1,8,4,4])"
        for place, layer in enumerate(LAYERS)
    ]
    behind = [
        "[I] [TRT] [MemUsageStats] Peak memory usage during Engine building and serialization: CPU: 30 MiB",
        "[I] === Performance summary ===",
        f"[I] GPU Compute Time: min = {latency_ms} ms, max = {latency_ms} ms, mean = {latency_ms} ms, median = {latency_ms} ms, percentile(90%) = {latency_ms} ms, percentile(95%) = {latency_ms} ms, percentile(99%) = {latency_ms} ms",
    ]  # fmt: skip
    lines = [
        f"&&&& RUNNING {banner}",
        *(f"{stamp} {text}" for text in told),
        *rows,
        *(f"{stamp} {text}" for text in behind),
        f"&&&& PASSED {banner}",
    ]
    return "\n".join(lines) + "\n"


def _tuning(layer: str, tactic: int, tuner_ms: float) -> list[str]:
    formats = "Half(128,16,4,1) -> Half(128,16,4,1)"
    runner = f"{layer} (CaskConvolution[0x80000009])"
    return [
        f"[V] [TRT] *************** Autotuning format combination: {formats} ***************",
        f"[V] [TRT] --------------- Timing Runner: {runner}",
        f"[V] [TRT] Tactic Name: sm80_xmma_fprop_{tactic} Tactic: 0x{tactic:016x} Time: {tuner_ms}",
        f"[V] [TRT] Tactic Name: sm80_xmma_fprop_slow Tactic: 0x{99:016x} Time: {2 * tuner_ms}",
        f"[V] [TRT] {runner} profiling completed in 0.25 seconds. Fastest Tactic: 0x{tactic:016x} Time: {tuner_ms}",
        f"[V] [TRT] >>>>>>>>>>>>>>> Chose Runner Type: CaskConvolution Tactic: 0x{tactic:016x}",
    ]
