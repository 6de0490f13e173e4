"""Inputs with dynamic extents that nobody gave a shape: a batch may be 1, any other extent would be a guess."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trtlens.errors import TrtlensError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from trtlens.capture.options.build_options import Shape

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
        """The input for `--shapes`, with a word in capitals for each number that nobody knows: ``images:1x3xHEIGHTxWIDTH``."""
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


def require_shapes(inputs: Iterable[DynamicInput]) -> None:
    """Ask for the shapes of inputs that were given none, unless a batch is all that they lack.

    Raises:
        TrtlensError: the inputs with the names of their axes, and a line to copy.

    """
    lacking = list(inputs)
    if all(one.lacks_batch_alone for one in lacking):
        return
    line = ",".join(one.flag() for one in lacking)
    words = list(dict.fromkeys(word for one in lacking for word in one.unknown()))
    raise TrtlensError(
        f"{_joined([str(one) for one in lacking])} in the model, and no shape was given: give --shapes {line}"
        + (f", with numbers for {_joined(words)}" if words else "")
    )


def _spelled(place: int, axis: str | None) -> str:
    if place == 0 and (axis is None or _BATCH.fullmatch(axis)):
        return "1"
    return _NO_LETTER.sub("_", axis).strip("_").upper() if axis else f"AXIS{place}"


def _joined(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
