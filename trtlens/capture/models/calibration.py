"""INT8 calibration: the user's samples, cut into the network's batches, and the cache that TensorRT makes of them.

Samples come as an `.npz` with one array per input, a folder of `.npy` files (one input) or a folder with one subfolder
of `.npy` files per input. An array holds one batch, one sample without its batch axis, or many samples along the first
axis. TensorRT's cache names only its own version and algorithm, so what it was made from is kept in a file beside it.
Calibrators exist up to 10.x; elsewhere the same samples go to the ONNX quantizer.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trtlens.capture.models.io_tensors import shape_text
from trtlens.errors import CaptureError, TrtlensError, reason
from trtlens.runs.folders import regular_mode, write_whole
from trtlens_parsers.json_text import parse_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np

    from trtlens.capture.backends.cuda import Cuda
    from trtlens.capture.build_options import BuildOptions, Shape
    from trtlens.capture.progress import Cancellation
    from trtlens.capture.recorder import Recorder

    Batch = dict[str, np.ndarray]

_HEADER = re.compile(rb"TRT-[^\n]{0,40}Calibration")
_ALGORITHMS = {"entropy": "IInt8EntropyCalibrator2", "minmax": "IInt8MinMaxCalibrator"}
_NUMBERS = "fiub"
"""Kinds of numpy types that can be fed: floats, integers, truth values."""
_UNKNOWN = "nothing says which model and data it was made from"
_OTHER = {"model": "another model", "data": "other data", "method": "another method"}


@dataclass(frozen=True, slots=True)
class InputSpec:
    """What one input must be fed with: its name, its shape at calibration (no -1) and its numpy type."""

    name: str
    shape: Shape
    dtype: np.dtype[Any]


@dataclass(frozen=True, slots=True)
class CalibrationData:
    """The arrays of each input, as they were found, in a fixed order; `sha256` is over names, shapes and values."""

    path: Path
    arrays: Mapping[str, Sequence[np.ndarray]]
    sha256: str

    def batches(self, inputs: Sequence[InputSpec]) -> tuple[list[Batch], tuple[str, ...]]:
        """Whole batches for these inputs, and what had to be left out; raises TrtlensError where shapes do not fit."""
        columns = {}
        for spec in inputs:
            if 0 in spec.shape:
                raise TrtlensError(f"input {spec.name} is {spec.shape}, which holds no values: give --shapes")
            arrays = self.arrays.get(spec.name, self.arrays.get("", ()) if len(inputs) == 1 else ())
            if not arrays:
                have = ", ".join(name for name in self.arrays if name) or "one unnamed input"
                raise TrtlensError(f"{self.path} has no data for input {spec.name}: it holds {have}")
            columns[spec.name] = _cut(arrays, spec, self.path)
        count = min(len(parts) for parts, _ in columns.values())
        if count == 0:
            batch = ", ".join(f"{spec.name} {shape_text(spec.shape)}" for spec in inputs)
            raise TrtlensError(f"{self.path} holds less than one batch of {batch}: give more samples")
        left = {name: rest + sum(len(part) for part in parts[count:]) for name, (parts, rest) in columns.items()}
        notes = tuple(
            f"{rest} calibration samples of {name} do not fill a batch" for name, rest in left.items() if rest
        )
        return [{name: parts[index] for name, (parts, _) in columns.items()} for index in range(count)], notes


def load_calibration_data(path: Path) -> CalibrationData:
    """Read an `.npz` or a folder of `.npy` files; raises TrtlensError where there is none, or nothing in it."""
    try:
        arrays = dict(_read(path))
    except OSError as error:
        raise TrtlensError(f"{path} cannot be read ({error.strerror}): give an .npz or .npy files") from error
    if not any(arrays.values()):
        raise TrtlensError(f"{path} holds no arrays: give an .npz, or a folder of .npy files")
    odd = next((array.dtype for items in arrays.values() for array in items if array.dtype.kind not in _NUMBERS), None)
    if odd is not None:
        raise TrtlensError(f"{path} holds an array of type {str(odd)[:60]}, which are no numbers: save them as float32")
    return CalibrationData(path, arrays, _hash_arrays(arrays))


def _read(path: Path) -> Iterator[tuple[str, list[np.ndarray]]]:
    """Arrays by input; the name is empty where the files do not tell it."""
    from trtlens.accuracy.npy import load_arrays  # noqa: PLC0415  reading a log must not import numpy

    if path.is_dir():
        for name, folder in [("", path), *sorted((item.name, item) for item in path.iterdir() if item.is_dir())]:
            yield name, [array for file in sorted(folder.glob("*.npy")) for array in load_arrays(file).values()]
    else:
        yield from ((name, [array]) for name, array in sorted(load_arrays(path).items()))


def _hash_arrays(arrays: Mapping[str, Iterable[np.ndarray]]) -> str:
    import numpy as np  # noqa: PLC0415

    digest = hashlib.sha256()
    for name, items in arrays.items():
        for array in items:
            digest.update(f"{name}\0{array.dtype.str}{array.shape}\0".encode())
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _cut(arrays: Iterable[np.ndarray], spec: InputSpec, path: Path) -> tuple[list[np.ndarray], int]:
    """Batches of exactly the input's shape, and how many samples were left over."""
    import numpy as np  # noqa: PLC0415

    samples = [sample for array in arrays for sample in _samples(array, spec, path)]
    size = spec.shape[0] if spec.shape else 1
    whole = len(samples) - len(samples) % size
    batches = [
        np.ascontiguousarray(np.stack(samples[start : start + size]).reshape(spec.shape), dtype=spec.dtype)
        for start in range(0, whole, size)
    ]
    return batches, len(samples) - whole


def _samples(array: np.ndarray, spec: InputSpec, path: Path) -> Iterator[np.ndarray]:
    if array.ndim and array.shape[1:] == spec.shape:
        for batch in array:
            yield from batch
    elif array.shape == spec.shape[1:]:
        yield array
    elif array.shape[1:] == spec.shape[1:] and array.ndim:
        yield from array
    else:
        raise TrtlensError(f"{path}: an array of shape {array.shape} does not fit input {spec.name} of {spec.shape}")


@dataclass(frozen=True, slots=True)
class CalibrationCache:
    """A cache file of TensorRT and the file beside it that says which `model`, `data` and `method` it was made from."""

    path: Path

    @property
    def origin_path(self) -> Path:
        """Where the origin stands: `calibration.cache` has `calibration.cache.json`."""
        return self.path.with_name(self.path.name + ".json")

    def read(self) -> bytes | None:
        """The cache, or None where there is none yet.

        Raises:
            TrtlensError: it cannot be read, or something else stands there.

        """
        try:
            content = None if regular_mode(self.path) is None else self.path.read_bytes()
        except OSError as error:
            raise TrtlensError(f"{self.path} cannot be read ({reason(error)}): check the cache's file") from error
        if content and not _HEADER.match(content):
            raise TrtlensError(
                f"{self.path} is no calibration cache of TensorRT, which begins with a line such as TRT-8601-EntropyCalibration2: "
                "it is left alone; give --calib another name"
            )
        return content or None

    def check(self, *, written: bool) -> None:
        """Ask before the build whether the cache can be read and, where it may be ``written``, whether its files are its own.

        Raises:
            TrtlensError: they are not; the message says what to do.

        """
        self.read()
        if written and regular_mode(self.origin_path) is not None and not self._origin_is_ours():
            raise TrtlensError(
                f"{self.origin_path}, which would say what the calibration cache was made from, holds something else: it is "
                "left alone; give --calib another name"
            )

    def _origin_is_ours(self) -> bool:
        recorded = self._origin()
        return recorded is not None and recorded.keys() <= _OTHER.keys()

    def _origin(self) -> dict[str, Any] | None:
        try:
            recorded = parse_json(self.origin_path.read_bytes().decode("utf-8", "replace"), "origin")
        except (OSError, ValueError):
            return None
        return recorded if isinstance(recorded, dict) else None

    def doubt(self, origin: Mapping[str, str | None]) -> str | None:
        """Why this cache may not belong to this build, or None where model, data and algorithm are the same."""
        recorded = self._origin()
        if recorded is None:
            return _UNKNOWN
        changed = [_OTHER[key] for key, value in origin.items() if value is not None and recorded.get(key) != value]
        return f"it was made with {' and '.join(changed)}" if changed else None

    def write(self, cache: bytes, origin: Mapping[str, str | None]) -> None:
        """Write the cache and its origin."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(self.path, cache)
        write_whole(self.origin_path, json.dumps(origin, indent=2).encode())


def usable_cache(options: BuildOptions, origin: Mapping[str, str | None], recorder: Recorder) -> bytes | None:
    """The user's cache if it can serve: a stale one is told, and calibrated anew where there is data to do so."""
    if options.calib is None:
        return None
    cache = CalibrationCache(options.calib)
    content = cache.read()
    if content is None:
        if options.calibration_data is None:
            raise TrtlensError(f"the calibration cache {options.calib} is not there: give calibration data to make it")
        return None
    doubt = cache.doubt(origin)
    if doubt is None:
        return content
    if options.calibration_data is not None:
        recorder.note(f"the calibration cache {options.calib} is stale ({doubt}): calibrated again")
        return None
    recorder.note(f"the calibration cache {options.calib} was used although {doubt}")
    return content


class BatchFeed:
    """Copies one batch after the other into the same memory of the GPU.

    An exception of a callback would be lost in TensorRT: it is kept in the cancellation, which also ends the batches.
    """

    def __init__(self, batches: Sequence[Batch], cuda: Cuda, cancellation: Cancellation) -> None:
        self._rest = iter(batches)
        self._cuda = cuda
        self._cancellation = cancellation
        self._addresses: dict[str, int] = {}

    def next_addresses(self, names: Sequence[str]) -> list[int] | None:
        """Device addresses of the next batch in the order of the names, or None after the last."""
        batch = None if self._cancellation.cancelled else next(self._rest, None)
        if batch is None:
            return None
        try:
            return [self._upload(name, batch[name]) for name in names]
        except CaptureError as error:
            self._cancellation.cancel(error)
            return None

    def _upload(self, name: str, values: np.ndarray) -> int:
        if name not in self._addresses:
            self._cuda.select(0)
            self._addresses[name] = self._cuda.allocate(values.nbytes)
        self._cuda.upload(self._addresses[name], values)
        return self._addresses[name]

    def release(self) -> None:
        """Give the memory of the GPU back, once the build is over."""
        for address in self._addresses.values():
            self._cuda.free(address)
        self._addresses.clear()


def make_calibrator(trt: Any, method: str, feed: BatchFeed, cache: bytes | None) -> Any:
    """An `IInt8Calibrator` of that method; the cache that TensorRT makes is in its `written`, None until then."""
    base = getattr(trt, _ALGORITHMS[method])

    class Calibrator(base):  # type: ignore[misc, valid-type]
        """The four calls that TensorRT makes, in the thread of the build."""

        def __init__(self) -> None:
            base.__init__(self)
            self.written: bytes | None = None

        def get_batch_size(self) -> int:
            """The batch is an axis of the network itself."""
            return 1

        def get_batch(self, names: Sequence[str]) -> list[int] | None:
            """Device addresses in the order of the names, or None after the last batch."""
            return feed.next_addresses(names)

        def read_calibration_cache(self) -> bytes | None:
            """The cache to use instead of the batches."""
            return cache

        def write_calibration_cache(self, content: Any) -> None:
            """Keep what TensorRT computed."""
            self.written = bytes(content)

    return Calibrator()
