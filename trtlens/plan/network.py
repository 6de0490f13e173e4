"""What a precision is chosen for: units of ONNX nodes, and the tensors between them, which are cast where two types meet."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Unit:
    """Nodes that have one type.

    Attributes:
        nodes: their names, in the order of the model; ``ops`` are their operators.
        products: operations of matrix products and convolutions, ``elements`` those of all else.
        moved: elements of the tensors that it reads from and hands to others, and of its weights.
        keeps: why it stays in FP32, None where it may go down.
        remedy: what would let it go down.
        passes_values: whether it only hands values on, so that it rounds nothing but what it reads.
    """

    nodes: tuple[str, ...]
    ops: tuple[str, ...]
    products: float = 0.0
    elements: float = 0.0
    moved: float = 0.0
    keeps: str | None = None
    remedy: str | None = None
    passes_values: bool = False

    @property
    def name(self) -> str:
        """The first node, and how many there are besides."""
        return self.nodes[0] if len(self.nodes) == 1 else f"{self.nodes[0]} (+{len(self.nodes) - 1})"


@dataclass(frozen=True, slots=True)
class Boundary:
    """A floating tensor that leaves the unit that makes it; ``producer`` None is an input of the model, in FP32.

    ``leaves`` says that it is read in FP32 whatever is chosen: as an output of the model, or by nodes that are of no unit.
    """

    tensor: str
    producer: int | None
    readers: tuple[int, ...]
    leaves: bool
    elements: float


@dataclass(frozen=True)
class Network:
    """All units and all tensors between them; ``outputs`` are the floating outputs that are measured."""

    units: tuple[Unit, ...]
    boundaries: tuple[Boundary, ...]
    outputs: tuple[str, ...]

    @cached_property
    def free(self) -> NDArray[np.bool_]:
        """The units that may go down."""
        return np.array([unit.keeps is None for unit in self.units], bool)

    def is_low(self, low: NDArray[np.bool_], producer: int | None) -> bool:
        """Whether a producer is in the reduced type; inputs of the model are not."""
        return producer is not None and bool(low[producer])

    def down(self, low: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """The boundaries that are cast from FP32."""
        return np.array(
            [
                not self.is_low(low, one.producer) and any(low[reader] for reader in one.readers)
                for one in self.boundaries
            ],
            bool,
        )

    def up(self, low: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """The boundaries that are cast to FP32."""
        return np.array(
            [
                self.is_low(low, one.producer) and (one.leaves or not all(low[reader] for reader in one.readers))
                for one in self.boundaries
            ],
            bool,
        )
