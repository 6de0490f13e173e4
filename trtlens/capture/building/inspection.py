"""What a finished engine says of itself: the inspector's JSON, byte for byte.

Formats and dynamic extents are only told to an inspector that has an execution context with its input shapes set, and
that has worked out the others from them: setting a shape by name leaves that for later, until they are asked for. The
JSON of 8.6 holds raw control characters inside strings, and that of other releases other keys: nothing is read here.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from trtlens.capture.building.logger import last_errors, process_logger
from trtlens.capture.building.network import load_plugins
from trtlens.capture.models.io_tensors import engine_shape
from trtlens.errors import CaptureError, TrtlensError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from trtlens.capture.backends.backend import Backend
    from trtlens.capture.build_options import BuildOptions, Shape


def require_gpu(backend: Backend, purpose: str) -> None:
    """Raise CaptureError without a GPU: TensorRT 8.6 does not fail there, it ends the process."""
    if not backend.can_run:
        raise CaptureError(
            f"{purpose} needs an NVIDIA GPU with its driver, and none was found: use a machine that has one"
            + ("" if backend.is_rtx else ", or `pip install tensorrt-rtx`, which builds without")
        )


def load_engine(backend: Backend, path: Path, options: BuildOptions | None = None) -> Any:
    """Deserialize an engine file with the plugins, the DLA core and the runtime of its own that it was built with.

    Raises TrtlensError where the file cannot be read and CaptureError where this TensorRT or this GPU cannot load it.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise TrtlensError(f"{path} cannot be read ({error.strerror}): build the engine first") from error
    require_gpu(backend, f"loading {path.name}")
    logger = process_logger(backend.trt)
    runtime = backend.trt.Runtime(logger)
    load_plugins(backend, runtime, logger, options.plugins if options else ())
    if options is not None and options.version_compatible:
        runtime.engine_host_code_allowed = True
    if options is not None and options.use_dla_core is not None:
        runtime.DLA_core = options.use_dla_core
    engine = runtime.deserialize_cuda_engine(data)
    if engine is None:
        raise CaptureError(
            f"{path.name} cannot be loaded by {backend.name} {backend.version_text} on this GPU "
            f"({last_errors(logger)}): build it here, with this release"
        )
    return engine


def inspect_engine(backend: Backend, engine: Any, shapes: dict[str, Shape]) -> bytes:
    """The inspector's JSON for the engine, at these input shapes; raises CaptureError where it gives none."""
    inspector = engine.create_engine_inspector()
    context = _context_at(backend, engine, shapes)
    if context is not None:
        inspector.execution_context = context
    try:
        text = inspector.get_engine_information(backend.trt.LayerInformationFormat.JSON)
    except UnicodeDecodeError as error:
        raise CaptureError(
            f"the engine inspector's answer is not UTF-8 ({error}): its layers are in the log"
        ) from error
    if not text:
        raise CaptureError(
            "the engine inspector answers nothing: the engine was built without detailed profiling verbosity"
        )
    return str(text).encode("utf-8", "surrogateescape")


def _context_at(backend: Backend, engine: Any, shapes: dict[str, Shape]) -> Any:
    """A context in these shapes, or None where every shape is static, or there is no memory for one."""
    dynamic = [name for name in _tensors(engine, backend.trt.TensorIOMode.INPUT) if -1 in engine_shape(engine, name)]
    if not dynamic:
        return None
    context = engine.create_execution_context()
    if context is None:
        return None
    for name in dynamic:
        shape = shapes.get(name) or tuple(engine.get_tensor_profile_shape(name, 0)[1])
        context.set_input_shape(name, shape)
    with suppress(RuntimeError):  # 8.6's word for shapes that do not fit; the inspector then tells -1
        context.infer_shapes()
    for name in _tensors(engine, backend.trt.TensorIOMode.OUTPUT):
        context.get_tensor_shape(name)
    return context


def _tensors(engine: Any, mode: Any) -> Iterator[str]:
    for index in range(engine.num_io_tensors):
        name = engine.get_tensor_name(index)
        if engine.get_tensor_mode(name) == mode:
            yield name
