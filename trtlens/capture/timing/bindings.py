"""An execution context made ready to run: profile, shapes, and memory behind every input and output.

Everything goes by tensor name (`set_input_shape`, `set_tensor_address`), which is the same from 8.6 to 11.4. Memory
of an output whose shape depends on the data is asked for by TensorRT while it runs, through an IOutputAllocator. An
output that a layer writes in place (`get_aliased_input_tensor`, in 10.16 and not yet in 10.13) shares the memory of
its input.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from trtlens.capture.models.io_tensors import BYTE_BITS, ChosenShapes, IoTensor, Shape, shape_text
from trtlens.errors import CaptureError
from trtlens_parsers.data_types import DTYPE_BITS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from typing_extensions import Self

    from trtlens.capture.backends.cuda import Cuda

_HOST_OUTPUT_BYTES = 64 * 8  # a shape tensor: at most a few extents of 64 bits


class Bindings:
    """Owns the memory of one execution context; `output_shapes` holds None where a shape depends on the data.

    Use as a context manager; the memory is given back at the end, when nothing may run on the context any more.
    """

    def __init__(self, trt: Any, engine: Any, context: Any, cuda: Cuda) -> None:
        self._trt = trt
        self._engine = engine
        self._context = context
        self._cuda = cuda
        self._profile = 0
        self._addresses: list[int] = []
        self._host_arrays: list[NDArray[np.generic]] = []  # TensorRT keeps their addresses, not the arrays
        self._allocators: list[Any] = []
        self.output_shapes: dict[str, Shape | None] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for address in self._addresses:
            self._cuda.free(address)
        for allocator in self._allocators:
            allocator.release()

    def bind(
        self,
        tensors: Sequence[IoTensor],
        chosen: ChosenShapes,
        values: Mapping[str, NDArray[np.generic]],
        stream: int,
    ) -> None:
        """Set profile and shapes, upload inputs, allocate outputs; raises CaptureError where one is refused."""
        self._profile = chosen.profile
        self._set_profile(chosen.profile, stream)
        inputs = [tensor for tensor in tensors if tensor.is_input]
        for tensor in inputs:
            self._set_shape(tensor, chosen.inputs[tensor.name])
        for tensor in inputs:
            self._bind_input(tensor, chosen.inputs[tensor.name], values[tensor.name])
        self._infer_shapes()
        for tensor in tensors:
            if not tensor.is_input:
                self._bind_output(tensor)

    def _set_profile(self, profile: int, stream: int) -> None:
        if profile == 0:  # every new context has it
            return
        try:
            taken = self._context.set_optimization_profile_async(profile, stream)
        except RuntimeError as error:
            raise CaptureError(f"TensorRT refuses optimization profile {profile} ({error})") from error
        if not taken:
            raise CaptureError(f"TensorRT refuses optimization profile {profile}")
        self._cuda.synchronize(stream)

    def _infer_shapes(self) -> None:
        """Let TensorRT work out the shapes of the outputs; it names the inputs that it misses something of."""
        try:
            missing = self._context.infer_shapes()
        except RuntimeError as error:
            raise CaptureError(
                f"TensorRT cannot work out the output shapes ({error}): check the input shapes"
            ) from error
        if missing:
            raise CaptureError(
                f"TensorRT misses shape or values of {', '.join(map(str, missing))}: give them with --shapes"
            )

    def _set_shape(self, tensor: IoTensor, shape: Shape) -> None:
        if tensor.is_dynamic and not self._context.set_input_shape(tensor.name, shape):
            raise CaptureError(f"TensorRT refuses shape {shape_text(shape)} for input {tensor.name!r}")

    def _bind_input(self, tensor: IoTensor, shape: Shape, values: NDArray[np.generic]) -> None:
        if tensor.on_host:
            self._host_arrays.append(values)
            self._set_address(tensor.name, values.ctypes.data)
            return
        size = max(self._size_bytes(tensor, shape), values.nbytes)
        address = self._allocate(size)
        self._cuda.upload(address, _filled(values, size))
        self._set_address(tensor.name, address)

    def _bind_output(self, tensor: IoTensor) -> None:
        shape = tuple(self._context.get_tensor_shape(tensor.name))
        self.output_shapes[tensor.name] = None if -1 in shape else shape
        owner = _aliased_input(self._engine, tensor.name)
        if owner:
            self._set_address(tensor.name, self._context.get_tensor_address(owner))
        elif tensor.on_host:
            host = np.zeros(max(self._size_bytes(tensor, shape), _HOST_OUTPUT_BYTES), dtype=np.uint8)
            self._host_arrays.append(host)
            self._set_address(tensor.name, host.ctypes.data)
        elif -1 in shape:
            self._set_allocator(tensor.name)
        else:
            self._set_address(tensor.name, self._allocate(self._size_bytes(tensor, shape)))

    def _set_address(self, name: str, address: int) -> None:
        if not self._context.set_tensor_address(name, address):
            raise CaptureError(f"TensorRT refuses the memory for tensor {name!r}")

    def _set_allocator(self, name: str) -> None:
        allocator = output_allocator(self._trt, self._cuda)
        self._allocators.append(allocator)
        if not self._context.set_output_allocator(name, allocator):
            raise CaptureError(f"TensorRT refuses an allocator for output {name!r}")

    def _allocate(self, size_bytes: int) -> int:
        address = self._cuda.allocate(max(size_bytes, 1))
        self._addresses.append(address)
        return address

    def _size_bytes(self, tensor: IoTensor, shape: Shape) -> int:
        """Memory of a tensor; a format such as CHW32 holds whole vectors, and strides may leave gaps.

        Strides count vectors (`get_tensor_strides`: for HWC8 a stride of one spans 8 values).
        """
        components = max(self._of_profile("get_tensor_components_per_element", tensor.name), 1)
        vectorized = self._of_profile("get_tensor_vectorized_dim", tensor.name)
        extents = [max(extent, 0) for extent in shape]
        if 0 <= vectorized < len(extents):
            extents[vectorized] = -(-extents[vectorized] // components)
        else:
            components = 1
        strides = self._context.get_tensor_strides(tensor.name)
        spread = 1 + sum((extent - 1) * step for extent, step in zip(extents, strides, strict=False) if step > 0)
        vectors = max(prod(extents), spread) if all(extents) else 0
        return -(-vectors * components * DTYPE_BITS[tensor.dtype] // BYTE_BITS)

    def _of_profile(self, question: str, name: str) -> int:
        ask = getattr(self._engine, question)
        try:
            return int(ask(name, self._profile))
        except TypeError:  # 8.6.0 takes the name alone
            return int(ask(name))


def _filled(values: NDArray[np.generic], size_bytes: int) -> NDArray[np.generic]:
    """The values repeated up to that size, so that the padding of a vectorized format holds no stale bits."""
    if values.nbytes == size_bytes or not values.nbytes:
        return values
    return np.resize(values.reshape(-1).view(np.uint8), size_bytes)


def _aliased_input(engine: Any, name: str) -> str:
    ask = getattr(engine, "get_aliased_input_tensor", None)
    return (ask(name) or "") if ask is not None else ""


def output_allocator(trt: Any, cuda: Cuda) -> Any:
    """An IOutputAllocator for one output: grows when asked for more, keeps its memory, frees it on `release()`.

    Old memory stays until the release, since work in the stream may still write to it. TensorRT calls
    `reallocate_output` up to 9.x, `reallocate_output_async` where it is there.
    """

    class GrowingOutput(trt.IOutputAllocator):  # type: ignore[misc]
        """Device memory of one output; returns 0 where there is none left, which TensorRT reports as an error."""

        def __init__(self) -> None:
            trt.IOutputAllocator.__init__(self)  # pybind11 refuses an object whose base was not initialised
            self.addresses: list[int] = []
            self.size_bytes = 0
            self.shape: Shape | None = None

        def reallocate_output(self, _name: str, _memory: int, size: int, _alignment: int) -> int:
            """Address of at least `size` bytes; cudaMalloc aligns to 256 bytes, more than any type needs."""
            if size > self.size_bytes or not self.addresses:
                try:
                    self.addresses.append(cuda.allocate(max(size, 1)))
                except CaptureError:  # an exception cannot pass through TensorRT
                    return 0
                self.size_bytes = size
            return self.addresses[-1]

        def reallocate_output_async(self, name: str, memory: int, size: int, alignment: int, _stream: int) -> int:
            """As without a stream: nothing is freed that the stream may use."""
            return self.reallocate_output(name, memory, size, alignment)

        def notify_shape(self, _name: str, shape: Any) -> None:
            """Take the shape that the output turned out to have."""
            self.shape = tuple(shape)

        def release(self) -> None:
            """Free everything; the stream must be idle."""
            for address in self.addresses:
                cuda.free(address)
            self.addresses = []

    return GrowingOutput()
