"""The inputs and outputs of an engine as records, and which shape each input gets; a missing extent is never guessed.

Read through the name-based calls that every TensorRT from 8.6 on has (`num_io_tensors`, `get_tensor_name`, ...). An
input is dynamic where the engine's shape holds -1; the optimization profile then gives its smallest, usual and
largest shape. A shape tensor lies in host memory; its values, too, have a smallest, usual and largest in the profile
(`get_tensor_profile_values` since 10.0, `get_profile_shape_input` before, which tells as many values as the tensor has
dimensions, and warns of being deprecated).
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

from trtlens.errors import CaptureError, TrtlensError
from trtlens.layer_patterns import glob, lookup
from trtlens_parsers.data_types import DTYPE_BITS, api_dtype

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


Shape = tuple[int, ...]
BYTE_BITS = 8


@dataclass(frozen=True, slots=True)
class ProfileRange:
    """The smallest, usual and largest shape of an input in one optimization profile; of a shape tensor, its values."""

    minimum: Shape
    optimum: Shape
    maximum: Shape

    def holds(self, shape: Shape) -> bool:
        """Whether every extent lies between the smallest and the largest."""
        return len(shape) == len(self.minimum) and all(
            low <= extent <= high for low, extent, high in zip(self.minimum, shape, self.maximum, strict=True)
        )

    def __str__(self) -> str:
        return f"{shape_text(self.minimum)} to {shape_text(self.maximum)}"


@dataclass(frozen=True, slots=True)
class IoTensor:
    """One input or output; `shape` holds -1 where it is dynamic.

    `shapes` is given for inputs, one range a profile; `values` for shape tensors (inputs in host memory), likewise,
    None where TensorRT does not tell all of them.
    """

    name: str
    is_input: bool
    dtype: str
    shape: Shape
    on_host: bool
    shapes: tuple[ProfileRange, ...] = ()
    values: tuple[ProfileRange | None, ...] = ()

    @property
    def is_dynamic(self) -> bool:
        """Whether the shape is only known when the engine runs."""
        return -1 in self.shape

    def takes_shape_of(self, arrays: Mapping[str, object]) -> bool:
        """Whether an array given for this input also decides its shape; packed types lie flat and cannot."""
        decides = self.is_input and self.is_dynamic and not self.on_host and DTYPE_BITS[self.dtype] >= BYTE_BITS
        return decides and self.name in arrays

    def allows(self, wanted: Shape | None, profile: int) -> bool:
        """Whether the profile holds that shape (for a shape tensor, those values); None wants nothing special."""
        held = (self.values or self.shapes)[profile]
        return wanted is None or held is None or held.holds(wanted)


@dataclass(frozen=True, slots=True)
class ChosenShapes:
    """The optimization profile that an execution uses, the shape of every input, the values of the shape tensors."""

    profile: int
    inputs: dict[str, Shape]
    values: dict[str, Shape]


def shape_text(shape: Shape) -> str:
    """A shape as trtexec writes it: `8x3x224x224`; `scalar` for no dimensions."""
    return "x".join(map(str, shape)) or "scalar"


def shape_fits(shape: Shape, declared: Shape) -> bool:
    """Whether a shape has the rank and the static extents of a declared one, which is -1 where dynamic."""
    return len(shape) == len(declared) and all(own in (-1, extent) for own, extent in zip(declared, shape, strict=True))


def read_io_tensors(engine: Any) -> tuple[IoTensor, ...]:
    """Every input and output in the engine's order; raises CaptureError on a data type that is not known here."""
    return tuple(_read_tensor(engine, engine.get_tensor_name(index)) for index in range(engine.num_io_tensors))


def _read_tensor(engine: Any, name: str) -> IoTensor:
    api_name = engine.get_tensor_dtype(name).name
    dtype = api_dtype(api_name)
    if dtype is None:
        raise CaptureError(f"tensor {name!r} has data type {api_name}, which trtlens cannot hold: use a newer trtlens")
    shape = engine_shape(engine, name)
    is_input = engine.get_tensor_mode(name).name == "INPUT"
    on_host = engine.get_tensor_location(name).name == "HOST"
    profiles = range(engine.num_optimization_profiles) if is_input else ()
    return IoTensor(
        name=name,
        is_input=is_input,
        dtype=dtype,
        shape=shape,
        on_host=on_host,
        shapes=tuple(_shape_range(engine, name, index, shape) for index in profiles),
        values=tuple(_value_range(engine, name, index, shape) for index in profiles) if on_host else (),
    )


def engine_shape(engine: Any, name: str) -> Shape:
    """The shape of an input or output, -1 where it is dynamic.

    Raises CaptureError where TensorRT answers with a rank of -1: 8.6.0 does so for an engine of static inputs whose
    output depends on the data, and then makes no context for it either.
    """
    try:
        return tuple(engine.get_tensor_shape(name))
    except ValueError:  # a rank of -1 makes `len` fail
        raise CaptureError(
            f"TensorRT tells no shape for {name!r} and cannot run this engine: build it with a dynamic input, or with "
            "a newer TensorRT"
        ) from None


def _shape_range(engine: Any, name: str, profile: int, shape: Shape) -> ProfileRange:
    if -1 not in shape:
        return ProfileRange(shape, shape, shape)
    return ProfileRange(*(tuple(dims) for dims in engine.get_tensor_profile_shape(name, profile)))


def _value_range(engine: Any, name: str, profile: int, shape: Shape) -> ProfileRange | None:
    if hasattr(engine, "get_tensor_profile_values"):
        # the binding takes the index first, although its signature names the arguments the other way round
        values = engine.get_tensor_profile_values(profile, name)
    else:
        with warnings.catch_warnings():  # 8.6 has no other call; made an error, its warning breaks the binding's answer
            warnings.simplefilter("ignore", DeprecationWarning)
            values = engine.get_profile_shape_input(profile, name)
    if len(values) != 3:
        raise CaptureError(
            f"the engine's profile {profile} has no values for shape tensor {name!r}: rebuild it with them"
        )
    if any(len(value) != prod(shape) for value in values):
        return None  # 8.6 takes the rank for the number of values: only the first of a vector is told
    return ProfileRange(*(tuple(value) for value in values))


def choose_shapes(
    tensors: Sequence[IoTensor],
    wanted: Mapping[str, Shape],
    profile: int | None = None,
) -> ChosenShapes:
    """The usual shape of each input, or the wanted one, in `profile` or in the first profile that holds them all.

    A wanted name may hold `*`; for a shape tensor, what is wanted are its values, as in trtexec's `--shapes`. Raises
    TrtlensError for a name that is no input, for shapes that no profile holds, and for a profile that is missing.
    """
    inputs = [tensor for tensor in tensors if tensor.is_input]
    unknown = next((name for name in wanted if not any(glob(name).fits(tensor.name) for tensor in inputs)), None)
    if unknown is not None:
        raise TrtlensError(f"the engine has no input {unknown!r}: its inputs are {names_text(inputs)}")
    count = max((len(tensor.shapes) for tensor in inputs), default=1)
    if profile is not None and not 0 <= profile < count:
        raise TrtlensError(f"the engine has no optimization profile {profile}: it has {count}, counted from 0")
    candidates = range(count) if profile is None else range(profile, profile + 1)
    for index in candidates:
        if all(tensor.allows(lookup(wanted, tensor.name), index) for tensor in inputs):
            return _chosen(inputs, wanted, index)
    raise TrtlensError(_outside(inputs, wanted, candidates))


def _chosen(inputs: Sequence[IoTensor], wanted: Mapping[str, Shape], profile: int) -> ChosenShapes:
    shapes, values = {}, {}
    for tensor in inputs:
        shape = lookup(wanted, tensor.name)
        if tensor.values:
            values[tensor.name] = _usual_values(tensor, profile) if shape is None else shape
            shape = None
        shapes[tensor.name] = tensor.shapes[profile].optimum if shape is None else shape
    return ChosenShapes(profile, shapes, values)


def _usual_values(tensor: IoTensor, profile: int) -> Shape:
    held = tensor.values[profile]
    if held is None:
        raise TrtlensError(
            f"this TensorRT does not tell the usual values of shape tensor {tensor.name!r}: give its values with --shapes"
        )
    return held.optimum


def _outside(inputs: Sequence[IoTensor], wanted: Mapping[str, Shape], candidates: range) -> str:
    """Says which wanted shape the profiles do not hold: the first one that none of them does."""
    for tensor in inputs:
        shape = lookup(wanted, tensor.name)
        if not any(tensor.allows(shape, index) for index in candidates):
            ranges = ", or ".join(str((tensor.values or tensor.shapes)[index]) for index in candidates)
            return f"{shape_text(shape)} of input {tensor.name!r} is not within {ranges}: rebuild with a wider profile"
    return (
        f"no single optimization profile holds the shapes of {names_text(inputs)}: choose shapes that one of them holds"
    )


def names_text(tensors: Sequence[IoTensor]) -> str:
    """The quoted names of some tensors, for a message."""
    return ", ".join(repr(tensor.name) for tensor in tensors) or "none"


# -- dynamic inputs without a shape ------------------------------------------------------------------------------------


_NO_LETTER = re.compile(r"\W+")
_BATCH = re.compile(r"n|b|bs|.*batch.*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class DynamicInput:
    """An input with its extents, -1 where dynamic, and the names that the model gives its axes, None where it gives none.

    Of a shape tensor the extents are those of its values, which are what has to be given.
    """

    name: str
    extents: Shape
    axes: tuple[str | None, ...]
    is_shape_tensor: bool = False

    @property
    def lacks_batch_alone(self) -> bool:
        """Whether its first extent, and no other, is dynamic."""
        return not self.is_shape_tensor and -1 not in self.extents[1:]

    def __str__(self) -> str:
        """The input as the model declares it: ``images is [batch,3,height,width]``."""
        if self.is_shape_tensor:
            return f"{self.name} takes {len(self._spelled())} values"
        extents = zip(self.extents, self.axes, strict=True)
        return f"{self.name} is [{','.join(axis or '?' if extent < 0 else str(extent) for extent, axis in extents)}]"

    def flag(self) -> str:
        """The input for `--shapes`, with a word in capitals for each unknown number: ``images:1x3xHEIGHTxWIDTH``."""
        return f"{self.name}:{'x'.join(self._spelled())}"

    def unknown(self) -> list[str]:
        """The words of `flag`."""
        return [part for part in self._spelled() if not part.isdecimal()]

    def _spelled(self) -> list[str]:
        if self.is_shape_tensor:
            return [f"VALUE{place}" for place in range(1, 1 + (self.extents[0] if self.extents else 1))]
        places = enumerate(zip(self.extents, self.axes, strict=True))
        return [_spelled(place, axis) if extent < 0 else str(extent) for place, (extent, axis) in places]


def onnx_axes(info: Any) -> tuple[str | None, ...]:
    """The names that an ONNX model gives the axes of an input."""
    return tuple(dim.dim_param or None for dim in info.type.tensor_type.shape.dim)


def require_shapes(inputs: Iterable[DynamicInput], *, batches: bool = False) -> None:
    """Ask for the shapes of inputs that were given none, unless a batch is all that they lack.

    With `batches` the line is to be added to `--batches`, which gives the batch.

    Raises:
        TrtlensError: the inputs with the names of their axes, and a line to copy.

    """
    lacking = list(inputs)
    if all(one.lacks_batch_alone for one in lacking):
        return
    line = ",".join(one.flag() for one in lacking)
    words = list(dict.fromkeys(word for one in lacking for word in one.unknown()))
    raise TrtlensError(
        f"{_joined([str(one) for one in lacking])} in the model, and no shape was given: "
        f"{'add' if batches else 'give'} --shapes {line}" + (f", with numbers for {_joined(words)}" if words else "")
    )


def _spelled(place: int, axis: str | None) -> str:
    if place == 0 and (axis is None or _BATCH.fullmatch(axis)):
        return "1"
    return _NO_LETTER.sub("_", axis).strip("_").upper() if axis else f"AXIS{place}"


def _joined(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
