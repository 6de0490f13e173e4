"""Which few layers to keep in FP32: those that add the most error for the time that their precision saves."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_LEAST_SHARE = 0.01
"""Share of the largest added error under which a layer is not worth a pin."""


@dataclass(frozen=True, slots=True)
class Pin:
    """A layer, or an ONNX node where no engine is known, that could stay in FP32.

    Attributes:
        error_added: noise over signal that its output adds to that of its inputs.
        time_ms: what it takes as it runs; `fp32_ms` what it would take in FP32. None where not known.
        nodes: the ONNX nodes that `--layer-precision` has to name.
    """

    layer: str
    precision: str | None
    error_added: float
    time_ms: float | None
    fp32_ms: float | None
    fp32_from: str | None
    nodes: tuple[str, ...]
    cause: str | None

    @property
    def cost_ms(self) -> float | None:
        """What keeping it in FP32 costs; negative where FP32 is the faster one."""
        return None if self.time_ms is None or self.fp32_ms is None else self.fp32_ms - self.time_ms

    @property
    def error_per_ms(self) -> float | None:
        """Error added for each millisecond that the precision saves; None where it saves nothing, or nobody knows."""
        cost = self.cost_ms
        return None if cost is None or cost <= 0 else self.error_added / cost

    def flags(self) -> str:
        """The options for `trtlens profile` and `trtlens dump`, quoted for a shell."""
        return " ".join(f"--layer-precision {shlex.quote(f'{node}=fp32')}" for node in self.nodes)


def ranked(pins: Iterable[Pin]) -> list[Pin]:
    """Pins worth trying, best first: free ones, then by error per millisecond, then those of unknown cost by error."""
    found = list(pins)
    largest = max((pin.error_added for pin in found), default=0.0)
    worth = [pin for pin in found if pin.error_added > 0 and pin.error_added >= _LEAST_SHARE * largest]
    return sorted(worth, key=_rank)


def _rank(pin: Pin) -> tuple[int, float]:
    if pin.cost_ms is None:
        return 2, -pin.error_added
    if pin.error_per_ms is None:
        return 0, -pin.error_added
    return 1, -pin.error_per_ms
