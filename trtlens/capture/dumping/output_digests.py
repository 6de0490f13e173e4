"""Digests of what an engine computes from one input, by which builds of one model are held beside one another bit for bit."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from trtlens.capture.backends.backend import find_backend
from trtlens.capture.backends.cuda import load_cuda
from trtlens.capture.dumping.engine_run import Execution, run_marked
from trtlens.capture.own_process import in_own_process
from trtlens.errors import CaptureError

if TYPE_CHECKING:
    from trtlens.capture.backends.backend import Backend
    from trtlens.capture.backends.cuda import Cuda
    from trtlens.capture.dumping.engine_run import ReadTensor
    from trtlens.capture.recorder import Recorder
    from trtlens.capture.timing.processes import TimedEngine


def add_output_digests(engine: TimedEngine, recorder: Recorder) -> None:
    """Run the engine once in a process of its own and keep its outputs' digests; the reason is noted in the run where it fails."""
    try:
        recorder.update(output_sha256=in_own_process("ran the engine once", output_digests, engine))
    except CaptureError as error:
        recorder.note(f"outputs are not kept: {error.message}")


def output_digests(engine: TimedEngine, backend: Backend | None = None, cuda: Cuda | None = None) -> dict[str, str]:
    """SHA-256 of type, shape and bytes of each output, by name; the same seed gives every build the same inputs.

    Raises CaptureError where TensorRT or CUDA fails, TrtlensError where the inputs do not fit.
    """
    found: dict[str, str] = {}

    def take(name: str, read: ReadTensor) -> None:
        found[name] = hashlib.sha256(f"{read.dtype} {read.shape} ".encode() + read.data).hexdigest()

    options = engine.options
    execution = Execution(
        backend or find_backend(engine.library), cuda or load_cuda(), options.inputs, options.shapes, options.device,
        options.plugins, "outputs",
    )  # fmt: skip
    run_marked(engine.path, execution, take)
    return found
