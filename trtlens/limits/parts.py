"""The parts of one inference: each layer's time between its launches, its roof and what lies beyond; what they say of the whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trtlens.engine.inference_parts import KERNEL_TRACE

if TYPE_CHECKING:
    from trtlens.limits.layer_roofs import Cores, LayerRoof
    from trtlens.limits.limit import Limit
    from trtlens.limits.roofs import Roofs
    from trtlens.limits.work import Work

_MOST_UNKNOWN = 0.5


@dataclass(frozen=True, slots=True)
class LayerPart:
    """One layer's part of an inference: ``time_ms`` is ``launch_ms`` and ``roof_ms`` and ``recoverable_ms`` and ``unknown_ms``.

    Attributes:
        index: the layer's index; None for gaps and kernels of no known layer.
        measured_ms: the layer's time by its own clock.
        launch_ms: gaps before its kernels; 0 where the clock does not tell them from kernels.
        roof: what its work takes at least; ``roof_ms`` is at most the time itself.
        limit: what stands in the way.
        has_neighbour: whether another layer writes what it reads or reads what it writes, or none of its tensors is known.
    """

    index: int | None
    name: str
    time_ms: float
    measured_ms: float
    launch_ms: float
    roof_ms: float
    recoverable_ms: float
    unknown_ms: float
    work: Work | None
    cores: Cores | None
    roof: LayerRoof | None
    limit: Limit
    has_neighbour: bool = True

    @property
    def is_fusable(self) -> bool:
        """Whether it only moves data or works on single elements, so that a neighbour could do it while it has the data."""
        return self.has_neighbour and self.work is not None and self.work.products == 0.0


@dataclass(frozen=True, slots=True)
class Split:
    """The parts of one inference, the longest first; ``note`` says how the layers' ``clock`` was brought to it.

    ``places_gaps`` is whether it is known before which layers the gaps are.
    """

    inference_ms: float
    parts: tuple[LayerPart, ...]
    note: str
    roofs: Roofs | str
    clock: str
    places_gaps: bool = False

    @property
    def tells_launches(self) -> bool:
        """Whether launches are told apart from kernels."""
        return self.clock == KERNEL_TRACE

    @property
    def launch_ms(self) -> float:
        """Launches and gaps."""
        return sum(part.launch_ms for part in self.parts)

    @property
    def fusable_ms(self) -> float:
        """Least time of layers that a neighbour could do: what fusing saves at most."""
        return sum(part.roof_ms for part in self.parts if part.is_fusable)

    @property
    def below_roof_ms(self) -> float:
        """What kernels take beyond their roofs."""
        return sum(part.recoverable_ms for part in self.parts)

    @property
    def unknown_ms(self) -> float:
        """Time of layers whose roof is not known."""
        return sum(part.unknown_ms for part in self.parts)

    @property
    def tells_needs(self) -> bool:
        """Whether the roofs of half of the inference are known at least, so that what its work needs says something."""
        return self.unknown_ms <= _MOST_UNKNOWN * self.inference_ms

    @property
    def recoverable_ms(self) -> float:
        """What could be gained at most."""
        return self.launch_ms + self.fusable_ms + self.below_roof_ms

    @property
    def needed_ms(self) -> float:
        """What its work needs at least, with the types that run."""
        return self.inference_ms - self.recoverable_ms - self.unknown_ms

    @property
    def needed_percent(self) -> float:
        """That share of the inference."""
        return 100 * self.needed_ms / self.inference_ms
