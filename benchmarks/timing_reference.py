"""Times one engine twice in one process, by the package and by a loop that shares no code with it, and compares.

The loop makes all its events beforehand, enqueues every inference without ever waiting, and reads the events at the end:
the driver's own launch queue holds the host back. Both medians must agree within 3 %.

    python benchmarks/timing_reference.py [ENGINE] [--count 2000]

Without an engine file a chain of convolutions is built. Needs TensorRT 8.6 or later, cuda-bindings, and a GPU.
"""

from __future__ import annotations

import argparse
import importlib
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from trtlens.capture.backends.backend import Backend, find_backend
from trtlens.capture.building.logger import process_logger
from trtlens.capture.timing.engine_session import TimingOptions
from trtlens.capture.timing.timed_run import time_engine

TOLERANCE = 0.03
_WARM_UP = 300
_BITS = {"FLOAT": 32, "INT32": 32, "INT64": 64, "HALF": 16, "BF16": 16, "INT4": 4, "FP4": 4}


def build_convolutions(trt: Any, logger: Any, *, layers: int = 20, channels: int = 64, extent: int = 56) -> bytes:
    """A plan of `layers` convolutions with ReLU on eight images of `channels x extent x extent`."""
    builder = trt.Builder(logger)
    flag = getattr(trt.NetworkDefinitionCreationFlag, "EXPLICIT_BATCH", None)  # gone after 10.16
    network = builder.create_network(0 if flag is None else 1 << int(flag))
    config = builder.create_builder_config()
    leave_out_libraries(trt, config)
    weights = np.random.default_rng(0)
    tensor = network.add_input("x", trt.float32, (8, channels, extent, extent))
    for _ in range(layers):
        kernel = weights.normal(0, (2 / (9 * channels)) ** 0.5, (channels, channels, 3, 3)).astype(np.float32)
        layer = network.add_convolution_nd(tensor, channels, (3, 3), kernel, np.zeros(channels, np.float32))
        layer.padding_nd = (1, 1)
        tensor = network.add_activation(layer.get_output(0), trt.ActivationType.RELU).get_output(0)
    network.mark_output(tensor)
    return bytes(builder.build_serialized_network(network, config))


def leave_out_libraries(trt: Any, config: Any) -> None:
    """Build without cuBLAS and cuDNN, which TensorRT 10 and later leave out by default."""
    names = ("EDGE_MASK_CONVOLUTIONS", "JIT_CONVOLUTIONS")
    if hasattr(trt, "TacticSource"):
        config.set_tactic_sources(
            sum(1 << int(getattr(trt.TacticSource, n)) for n in names if hasattr(trt.TacticSource, n))
        )


def reference_median_ms(trt: Any, logger: Any, plan: bytes, *, count: int = 2000) -> float:
    """Median GPU time of `count` inferences enqueued back to back, in the shapes that the profile calls usual."""
    cuda = importlib.import_module("cuda.bindings.runtime")
    engine = trt.Runtime(logger).deserialize_cuda_engine(plan)
    context = engine.create_execution_context()
    buffers = [_bind(cuda, trt, engine, context, engine.get_tensor_name(i)) for i in range(engine.num_io_tensors)]
    stream = int(_ask(cuda.cudaStreamCreateWithFlags(1)))
    events = [(int(_ask(cuda.cudaEventCreate())), int(_ask(cuda.cudaEventCreate()))) for _ in range(count)]
    for _ in range(_WARM_UP):
        context.execute_async_v3(stream)
    for start, end in events:
        cuda.cudaEventRecord(start, stream)
        context.execute_async_v3(stream)
        cuda.cudaEventRecord(end, stream)
    _ask(cuda.cudaStreamSynchronize(stream))
    times = [float(_ask(cuda.cudaEventElapsedTime(start, end))) for start, end in events]
    for event in (event for pair in events for event in pair):
        cuda.cudaEventDestroy(event)
    for address in buffers:
        cuda.cudaFree(address)
    cuda.cudaStreamDestroy(stream)
    return statistics.median(times)


def _bind(cuda: Any, trt: Any, engine: Any, context: Any, name: str) -> int:
    """Memory for a tensor, filled with small random floats where it is an input."""
    is_input = engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT
    if is_input and -1 in tuple(engine.get_tensor_shape(name)):
        context.set_input_shape(name, tuple(engine.get_tensor_profile_shape(name, 0)[1]))
    values = int(np.prod(tuple(context.get_tensor_shape(name))))
    kind = engine.get_tensor_dtype(name).name
    size = max(values * _BITS.get(kind, 8) // 8, 1)
    address = int(_ask(cuda.cudaMalloc(size)))
    if is_input:
        floats = np.random.default_rng(1).uniform(-1, 1, values).astype(np.float16 if kind == "HALF" else np.float32)
        data = np.resize(floats.view(np.uint8), size) if kind in {"FLOAT", "HALF"} else np.zeros(size, np.uint8)
        _ask(cuda.cudaMemcpy(address, data.ctypes.data, size, cuda.cudaMemcpyKind.cudaMemcpyHostToDevice))
    context.set_tensor_address(name, address)
    return address


def _ask(answer: tuple[Any, ...]) -> Any:
    code, *values = answer
    if int(code) != 0:
        raise RuntimeError(f"CUDA failed: {code}")
    return values[0] if values else None


def compare(backend: Backend, plan: bytes, *, count: int = 2000) -> tuple[float, float]:
    """Median GPU times in ms, the package's and the reference's."""
    options = TimingOptions(duration_ms=0, iterations=count, latency_iterations=0, layer_iterations=0)
    with tempfile.TemporaryDirectory() as folder:
        engine = Path(folder) / "reference.engine"
        engine.write_bytes(plan)
        ours = time_engine(engine, backend, options, Path(folder)).gpu.median_ms
    return ours, reference_median_ms(backend.trt, process_logger(backend.trt), plan, count=count)


def main() -> int:
    """Print both medians and their ratio; 1 where they differ by more than the tolerance."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("engine", nargs="?", type=Path)
    parser.add_argument("--count", type=int, default=2000)
    given = parser.parse_args()
    backend = find_backend()
    trt, logger = backend.trt, process_logger(backend.trt)
    plan = given.engine.read_bytes() if given.engine else build_convolutions(trt, logger)
    ours, reference = compare(backend, plan, count=given.count)
    print(f"package   {ours:.4f} ms\nreference {reference:.4f} ms\nratio     {ours / reference:.4f}")
    return 0 if abs(ours / reference - 1) <= TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(main())
