"""Reads tensors back from the GPU: outputs after a run, debug tensors while it runs.

A debug listener (10.0 on) is called from inside of the execution, with memory that is good for as long as the call takes;
what it raises would be lost in TensorRT, so it is kept and raised after the run.
"""

from __future__ import annotations

import ctypes
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from trtlens.accuracy.encodings import PACKED, stored_count, stored_dtype
from trtlens.errors import CaptureError, TrtlensError
from trtlens_parsers.data_types import api_dtype

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from trtlens.capture.backends.cuda import Cuda


class ReadTensor:
    """The bytes of one tensor, with trtlens's name of the type."""

    __slots__ = ("data", "dtype", "shape")

    def __init__(self, data: bytes, dtype: str, shape: tuple[int, ...]) -> None:
        self.data, self.dtype, self.shape = data, dtype, shape

    @property
    def is_packed(self) -> bool:
        """Whether two values share a byte."""
        return self.dtype in PACKED

    def values(self) -> NDArray[Any]:
        """The stored units in the tensor's shape; not for packed types."""
        return np.frombuffer(self.data, stored_dtype(self.dtype)).reshape(self.shape)


class Reader:
    """Copies memory of the device or of the host."""

    def __init__(self, cuda: Cuda) -> None:
        self._cuda = cuda
        self._runtime: Any = cuda._runtime  # noqa: SLF001  uploads are all that timing needs of it

    def read(self, address: int, dtype: str, shape: tuple[int, ...], *, on_host: bool) -> ReadTensor:
        """Read a tensor; raises CaptureError where CUDA fails."""
        size = stored_count(dtype, prod(shape)) * stored_dtype(dtype).itemsize
        data = ctypes.string_at(address, size) if on_host else self._download(address, size)
        return ReadTensor(data, dtype, shape)

    def _download(self, address: int, size: int) -> bytes:
        room = np.empty(size, np.uint8)
        if size:
            kind = self._runtime.cudaMemcpyKind.cudaMemcpyDeviceToHost
            self._cuda._call("cudaMemcpy", room.ctypes.data, address, size, kind)  # noqa: SLF001  as above
        return room.tobytes()

    def wait(self, stream: int) -> None:
        """Wait for the work in the stream that makes a tensor."""
        self._cuda.synchronize(stream)


def make_listener(trt: Any, reader: Reader, take: Callable[[str, ReadTensor], None]) -> Any:
    """An IDebugListener that hands every tensor to `take`; `failure` is the first error, after which it does nothing."""

    class Listener(trt.IDebugListener):  # type: ignore[misc]
        """Reads each debug tensor while its memory is good."""

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
                reader.wait(stream)
                take(name, reader.read(int(address), known, tuple(shape), on_host=location.name == "HOST"))
            except CaptureError as error:
                self.skipped[name] = error.message
            except (TrtlensError, OSError, ValueError) as error:
                self.failure = error
            return True

    return Listener()
