"""One inference of a marked engine, with every tensor that it hands out read back.

Outputs are read after the run. A debug listener (10.0 on) is called during the execution, with memory that is valid until
it returns; an exception in it would be lost in TensorRT, so it is kept and raised after the run.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from trtlens.accuracy.encodings import PACKED, stored_count, stored_dtype
from trtlens.capture.models.inputs import load_arrays, make_inputs
from trtlens.capture.models.io_tensors import choose_shapes
from trtlens.capture.models.onnx_inputs import Feeds, inputs_file
from trtlens.capture.timing.bindings import Bindings
from trtlens.capture.timing.engine_session import TimingOptions, open_engine, read_plan
from trtlens.errors import CaptureError, TrtlensError
from trtlens_parsers.data_types import api_dtype

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from trtlens.capture.backends.backend import Backend
    from trtlens.capture.backends.cuda import Cuda
    from trtlens.capture.models.inputs import InputRecipe
    from trtlens.capture.models.io_tensors import IoTensor, Shape
    from trtlens.capture.timing.engine_session import EngineSession


@dataclass(frozen=True, slots=True)
class Execution:
    """How the engine is run: inputs, shapes, GPU, plugins, and by which method tensors are handed out."""

    backend: Backend
    cuda: Cuda
    recipe: InputRecipe
    shapes: Mapping[str, Shape]
    device: int
    plugins: tuple[Path, ...]
    method: str


def run_marked(
    engine_path: Path, execution: Execution, take: Callable[[str, ReadTensor], None]
) -> tuple[Feeds, dict[str, str]]:
    """Run the engine once and hand outputs and debug tensors to `take`; returns what it was fed, and reasons by tensor.

    The engine is one of our own making, so a runtime that it may hold is allowed to run. Raises CaptureError where TensorRT or CUDA fails, TrtlensError where the inputs do not fit.
    """
    options = TimingOptions(device=execution.device, plugins=execution.plugins, allow_engine_host_code=True)
    plan = read_plan(engine_path, execution.backend)
    with open_engine(engine_path, plan, execution.backend, execution.cuda, options) as session:
        feeds = _feeds(session, execution)
        context = session.create_context()
        listener = _listen(session, context, execution, take)
        chosen = choose_shapes(session.tensors, _shapes(session, execution, feeds.arrays))
        with Bindings(execution.backend.trt, session.engine, context, execution.cuda) as bindings:
            bindings.bind(session.tensors, chosen, feeds.arrays, session.stream)
            if not context.execute_async_v3(session.stream):
                raise CaptureError("TensorRT refused to run the marked engine")
            execution.cuda.synchronize(session.stream)
            skipped = _read_outputs(session, context, bindings.output_shapes, take)
    if listener is None:
        return feeds, skipped
    if listener.failure is not None:
        raise listener.failure
    return feeds, {**skipped, **listener.skipped}


def _feeds(session: EngineSession, execution: Execution) -> Feeds:
    inputs = [tensor for tensor in session.tensors if tensor.is_input]
    recipe = execution.recipe
    file = inputs_file(recipe.file)
    loaded = {name: _narrowed(array, inputs, name) for name, array in load_arrays(file).items()}
    chosen = choose_shapes(session.tensors, _shapes(session, execution, loaded))
    arrays = make_inputs(session.tensors, chosen, type(recipe)(recipe.seed, recipe.ranges, file), loaded)
    return Feeds(arrays, {tensor.name: tensor.dtype for tensor in inputs}, ())


def _shapes(session: EngineSession, execution: Execution, arrays: Mapping[str, NDArray[Any]]) -> dict[str, Shape]:
    """The shapes of the given arrays where they decide, else those that the engine was built to run at."""
    from_arrays = {
        tensor.name: arrays[tensor.name].shape for tensor in session.tensors if tensor.takes_shape_of(arrays)
    }
    return {**execution.shapes, **from_arrays}


def _narrowed(array: NDArray[Any], inputs: Sequence[IoTensor], name: str) -> NDArray[Any]:
    """64-bit whole numbers as the 32 bits that TensorRT 8.x takes, where none is lost."""
    tensor = next((tensor for tensor in inputs if tensor.name == name), None)
    if tensor is None or tensor.dtype != "int32" or array.dtype != np.int64:
        return array
    narrow = array.astype(np.int32)
    return narrow if np.array_equal(narrow, array) else array


def _listen(
    session: EngineSession,
    context: Any,
    execution: Execution,
    take: Callable[[str, ReadTensor], None],
) -> Any:
    """Turn the debug tensors of the context on: all of them are off until someone does."""
    if execution.method == "outputs":
        return None
    listener = make_listener(session.backend.trt, session.cuda, take)
    if not context.set_debug_listener(listener):
        raise CaptureError("TensorRT takes no debug listener here: use --method outputs")
    if execution.method == "unfused":
        context.unfused_tensors_debug_state = True
    elif not context.set_all_tensors_debug_state(True):
        raise CaptureError("TensorRT does not turn debug tensors on: use --method outputs")
    return listener


def _read_outputs(
    session: EngineSession,
    context: Any,
    shapes: Mapping[str, Shape | None],
    take: Callable[[str, ReadTensor], None],
) -> dict[str, str]:
    """Hand every output to `take`; returns why the others could not be read."""
    skipped = {}
    for tensor in session.tensors:
        if tensor.is_input:
            continue
        shape = shapes.get(tensor.name)
        if shape is None:
            skipped[tensor.name] = "its shape depends on the data, and TensorRT keeps its memory"
            continue
        address = int(context.get_tensor_address(tensor.name))
        take(tensor.name, read_tensor(session.cuda, address, tensor.dtype, shape, on_host=tensor.on_host))
    return skipped


# -- readback ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ReadTensor:
    """The bytes of one tensor, with trtlens's name of the type."""

    data: bytes
    dtype: str
    shape: Shape

    @property
    def is_packed(self) -> bool:
        """Whether two values share a byte."""
        return self.dtype in PACKED

    def values(self) -> NDArray[Any]:
        """The stored units in the tensor's shape; not for packed types."""
        return np.frombuffer(self.data, stored_dtype(self.dtype)).reshape(self.shape)


def read_tensor(cuda: Cuda, address: int, dtype: str, shape: Shape, *, on_host: bool) -> ReadTensor:
    """Copy a tensor from memory of the host or of the device; raises CaptureError where CUDA fails."""
    size = stored_count(dtype, prod(shape)) * stored_dtype(dtype).itemsize
    return ReadTensor(ctypes.string_at(address, size) if on_host else cuda.download(address, size), dtype, shape)


def make_listener(trt: Any, cuda: Cuda, take: Callable[[str, ReadTensor], None]) -> Any:
    """An IDebugListener that hands every tensor to `take`; `failure` is the first error, after which it does nothing."""

    class Listener(trt.IDebugListener):  # type: ignore[misc]
        """Reads each debug tensor while its memory is valid."""

        def __init__(self) -> None:
            trt.IDebugListener.__init__(self)  # pybind11 refuses an object whose base was not initialised
            self.failure: Exception | None = None
            self.skipped: dict[str, str] = {}

        def process_debug_tensor(
            self, address: int, location: Any, dtype: Any, shape: Any, name: str, stream: int
        ) -> bool:
            """Take one tensor; an exception cannot pass through TensorRT."""
            if self.failure is not None:
                return True
            known = api_dtype(dtype.name)
            if known is None:
                self.skipped[name] = f"a tensor of type {dtype.name} cannot be read: leave it out with --mark"
                return True
            try:
                cuda.synchronize(stream)
                take(name, read_tensor(cuda, int(address), known, tuple(shape), on_host=location.name == "HOST"))
            except CaptureError as error:
                self.skipped[name] = error.message
            except (TrtlensError, OSError, ValueError) as error:
                self.failure = error
            return True

    return Listener()
