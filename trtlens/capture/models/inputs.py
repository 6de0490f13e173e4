"""The values that a timed engine is fed: seeded random ones, chosen by data type and name, or arrays from an npz file.

Zeros would be wrong: they draw less power, and a GPU at its power limit runs a matrix product faster on them. What is
drawn where neither a file nor a range is given:

| input | values |
|---|---|
| name says mask (`attention_mask`, ...) | 1 |
| bool | true |
| float of any width | uniform in [-1, 1) |
| E8M0 (a scale) | 1 |
| integer, name says token type or segment | 0 |
| integer, name says position | 0, 1, 2, ... along the last axis |
| integer, name says length | the second extent of the first other input that has one, else 1 |
| integer, name says ids, token, index or label | 0 to 99 |
| uint8, int8 (pictures, quantized values) | the whole range |
| any other integer | 0 or 1 |
| shape tensor | the values that were asked for, else the usual ones of the optimization profile |

Every input has its own generator, seeded by the seed and the input's name, so that another input changes nothing.
"""

from __future__ import annotations

import math
import re
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from trtlens.accuracy import npy
from trtlens.accuracy.encodings import PACKED, accepts, encode, stored_dtype, stored_shape
from trtlens.capture.models.io_tensors import ChosenShapes, IoTensor, Shape, shape_text
from trtlens.errors import TrtlensError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_LARGEST = {"fp32": 3.4e38, "bf16": 3.38e38, "fp16": 65504.0, "fp8": 448.0}
_WHOLE = {
    "int64": (-(2**63), 2**63 - 1),
    "int32": (-(2**31), 2**31 - 1),
    "int8": (-128, 127),
    "uint8": (0, 255),
    "bool": (0, 1),
}
_IDS_END = 100
_MOST_VALUES = 2**40
"""Values of one input: terabytes, which numpy refuses with an error of another class than what memory does not hold."""
_BYTES = {"int8": (-128, 128), "uint8": (0, 256)}

_MASK = re.compile(r"mask", re.IGNORECASE)
_TOKEN_TYPE = re.compile(r"token_?type|segment", re.IGNORECASE)
_POSITION = re.compile(r"position|pos_?ids", re.IGNORECASE)
_LENGTH = re.compile(r"length|seq_?len|(?:^|_)lens?(?:_|$)", re.IGNORECASE)
_IDS = re.compile(r"(?:^|[\W_])ids?(?:[\W_]|$)|token|ind(?:ex|ices)|label", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Range:
    """Values from `low` up to `high`: whole numbers stay below it, and one value is left where both are equal."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class InputRecipe:
    """Where input values come from: a file first, then the ranges by input name, then the defaults by type and name."""

    seed: int = 0
    ranges: Mapping[str, Range] = field(default_factory=dict)
    file: Path | None = None


def parse_range(text: str) -> tuple[str, Range]:
    """Read `NAME:LOW:HIGH`; the name may hold colons itself. Raises TrtlensError where it is not of that form."""
    name, *bounds = text.rsplit(":", 2)
    try:
        low, high = map(float, bounds)
    except ValueError:
        raise TrtlensError(f"--input {text!r} is not NAME:LOW:HIGH, such as input_ids:0:30000") from None
    if not name or not np.isfinite([low, high]).all() or low > high:
        raise TrtlensError(f"--input {text!r} needs a name and two finite numbers, the lower one first")
    return name, Range(low, high)


def load_arrays(file: Path | None) -> dict[str, NDArray[np.generic]]:
    """Every array of an npz file by its name, nothing for no file; raises TrtlensError where it cannot be read."""
    if file is None:
        return {}
    arrays = npy.load_arrays(file)
    if "" in arrays:
        raise TrtlensError(f"{file} holds one unnamed array: save one per input with numpy.savez(file, name=array)")
    return arrays


def make_inputs(
    tensors: Sequence[IoTensor],
    chosen: ChosenShapes,
    recipe: InputRecipe,
    loaded: Mapping[str, NDArray[np.generic]],
) -> dict[str, NDArray[np.generic]]:
    """One C-contiguous array per input, in the type its memory has (`stored_dtype`, `stored_shape`).

    `loaded` is what `load_arrays` read from the recipe's file. Raises TrtlensError where the file or the ranges do not
    fit the engine: a name that is no input, an input that the file lacks, another type or shape.
    """
    inputs = [tensor for tensor in tensors if tensor.is_input]
    _check_names(inputs, loaded, recipe)
    return {
        tensor.name: _checked(tensor, loaded[tensor.name], chosen.inputs[tensor.name], recipe)
        if tensor.name in loaded
        else _fitting(tensor, chosen, recipe)
        for tensor in inputs
    }


def _check_names(inputs: Sequence[IoTensor], loaded: Mapping[str, object], recipe: InputRecipe) -> None:
    names = [tensor.name for tensor in inputs]
    listed = ", ".join(map(repr, names)) or "none"
    for given, source in ((loaded, recipe.file), (recipe.ranges, "--input")):
        unknown = next((name for name in given if name not in names), None)
        if unknown is not None:
            raise TrtlensError(f"{source} names {unknown!r}, which is no input of the engine: its inputs are {listed}")
    missing = next((name for name in names if name not in loaded and name not in recipe.ranges), None)
    if recipe.file is not None and missing is not None:
        raise TrtlensError(
            f"{recipe.file} has no array for input {missing!r}: add it, or give --input {missing}:LOW:HIGH"
        )


def _checked(
    tensor: IoTensor,
    array: NDArray[np.generic],
    shape: Shape,
    recipe: InputRecipe,
) -> NDArray[np.generic]:
    if not accepts(tensor.dtype, array.dtype):
        raise TrtlensError(
            f"{recipe.file}: input {tensor.name!r} is {array.dtype}, the engine takes {tensor.dtype}: "
            f"save it as {stored_dtype(tensor.dtype)}",
        )
    shape_in_memory = stored_shape(tensor.dtype, shape)
    if array.shape != shape_in_memory:
        raise TrtlensError(
            f"{recipe.file}: input {tensor.name!r} is {shape_text(array.shape)}, the engine takes "
            f"{shape_text(shape_in_memory)} here: save that shape, or give another one with --shapes",
        )
    return np.ascontiguousarray(array).view(stored_dtype(tensor.dtype)).reshape(shape_in_memory)


def _fitting(tensor: IoTensor, chosen: ChosenShapes, recipe: InputRecipe) -> NDArray[np.generic]:
    shape = chosen.inputs[tensor.name]
    try:
        if math.prod(shape) <= _MOST_VALUES:
            return np.asarray(
                _made(tensor, chosen, recipe)
            )  # arithmetic on arrays without dimensions gives bare numbers
    except MemoryError:
        pass
    raise TrtlensError(f"input {tensor.name!r} is {shape_text(shape)}, more than memory holds: give it a smaller shape")


def _made(tensor: IoTensor, chosen: ChosenShapes, recipe: InputRecipe) -> NDArray[np.generic]:
    generator = np.random.default_rng([recipe.seed, zlib.crc32(tensor.name.encode())])
    wanted = recipe.ranges.get(tensor.name)
    if wanted is not None:
        return _drawn(tensor, chosen.inputs[tensor.name], wanted, generator)
    if tensor.name in chosen.values:
        usual = np.asarray(chosen.values[tensor.name], dtype=stored_dtype(tensor.dtype))
        return usual.reshape(chosen.inputs[tensor.name])
    return _default(tensor, chosen.inputs, generator)


def _drawn(tensor: IoTensor, shape: Shape, wanted: Range, generator: np.random.Generator) -> NDArray[np.generic]:
    """Values in a range: uniform for floats, whole numbers for integers, 0 and 1 as such for booleans."""
    option = f"--input {tensor.name}:{wanted.low:g}:{wanted.high:g}"
    if tensor.dtype in _LARGEST:
        if max(abs(wanted.low), abs(wanted.high)) > _LARGEST[tensor.dtype]:
            raise TrtlensError(
                f"{option} does not fit {tensor.dtype}, whose largest value is {_LARGEST[tensor.dtype]:g}"
            )
        span = generator.random(shape, dtype=np.float32)
        return encode(tensor.dtype, np.float32(wanted.low) * (1 - span) + np.float32(wanted.high) * span)
    if tensor.dtype not in _WHOLE:
        raise TrtlensError(f"{option}: {tensor.dtype} values are bit patterns and take no range")
    low, high = math.ceil(wanted.low), math.ceil(wanted.high)
    last = low if wanted.low == wanted.high else high - 1
    lowest, highest = _WHOLE[tensor.dtype]
    if not lowest <= low <= last <= highest:
        raise TrtlensError(f"{option} holds no value of {tensor.dtype}, or some that do not fit it")
    return np.asarray(generator.integers(low, last, size=shape, endpoint=True)).astype(stored_dtype(tensor.dtype))


def _default(tensor: IoTensor, shapes: Mapping[str, Shape], generator: np.random.Generator) -> NDArray[np.generic]:
    shape, dtype, name = shapes[tensor.name], tensor.dtype, tensor.name
    if dtype in PACKED:
        return generator.integers(0, 256, size=stored_shape(dtype, shape), dtype=np.uint8)
    if dtype in ("bool", "e8m0") or _MASK.search(name):
        return encode(dtype, np.ones(shape, dtype=np.float32))
    if dtype in _LARGEST:
        return encode(dtype, generator.random(shape, dtype=np.float32) * 2 - 1)
    return _default_integers(tensor, shapes, generator).astype(stored_dtype(dtype))


def _default_integers(
    tensor: IoTensor,
    shapes: Mapping[str, Shape],
    generator: np.random.Generator,
) -> NDArray[np.generic]:
    shape, name = shapes[tensor.name], tensor.name
    if _TOKEN_TYPE.search(name):
        return np.zeros(shape, dtype=np.int64)
    if _POSITION.search(name):
        return np.array(np.broadcast_to(np.arange(shape[-1] if shape else 1), shape)) if shape else np.zeros(shape)
    if _LENGTH.search(name):
        others = (other for label, other in shapes.items() if label != name and not _LENGTH.search(label))
        return np.full(shape, next((other[1] for other in others if len(other) > 1), 1))
    low, high = (0, _IDS_END) if _IDS.search(name) else _BYTES.get(tensor.dtype, (0, 2))
    return np.asarray(generator.integers(low, high, size=shape))
