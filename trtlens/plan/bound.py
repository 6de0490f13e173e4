"""How far a model may be from its FP32 self, and how far it is: each output over all inputs together.

`error` is norm(a - b) / norm(a) of the worst output, `cosine` is a.b / (norm(a) norm(b)) of the worst. For the search both
become a *damage* that adds up over units whose noises are independent: error squared, and 2 (1 - cosine), which is the
same number for noise that is small and across. A value that is no longer finite is infinite damage.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trtlens.errors import TrtlensError
from trtlens_parsers.saved_plan import COSINE, ERROR

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_TEXT = re.compile(r"\s*(error|cosine)\s*(<=?|>=?)\s*([0-9.eE+-]{1,30})\s*")
_WAY = {ERROR: "<", COSINE: ">"}


@dataclass(frozen=True, slots=True)
class Bound:
    """A limit of `error` or of `cosine`."""

    quantity: str
    limit: float

    @property
    def damage(self) -> float:
        """The damage that it allows."""
        return self.limit**2 if self.quantity == ERROR else 2 * (1 - self.limit)

    @property
    def text(self) -> str:
        """As it is given on the command line."""
        return f"{self.quantity}{_WAY[self.quantity]}={self.limit:.10g}"

    def holds(self, damage: NDArray[np.float64]) -> bool:
        """Whether the damage of every output is allowed."""
        return bool((damage <= self.damage).all())


def parse_bound(text: str) -> Bound:
    """Read `error<=5e-4` or `cosine>=0.9999`; raises TrtlensError for anything else."""
    match = _TEXT.fullmatch(text)
    try:
        limit = float(match[3]) if match else math.nan
    except ValueError:
        limit = math.nan
    wanted = "give error<=5e-4 or cosine>=0.9999"
    if match is None or not math.isfinite(limit):
        raise TrtlensError(f"--bound {text!r} is not understood: {wanted}")
    quantity = match[1]
    if match[2][0] != _WAY[quantity]:
        raise TrtlensError(f"--bound {text!r} would ask for a worse result: {wanted}")
    if not (0 < limit < 1):
        raise TrtlensError(f"--bound {text!r}: the limit lies between 0 and 1; {wanted}")
    return Bound(quantity, limit)


@dataclass(slots=True)
class Deviation:
    """Sums over the elements of each output, added up input by input."""

    noise: NDArray[np.float64]
    signal: NDArray[np.float64]
    run: NDArray[np.float64]
    product: NDArray[np.float64]
    lost: NDArray[np.int64]

    @classmethod
    def of(cls, outputs: int) -> Deviation:
        """Nothing measured yet."""
        noise, signal, run, product = np.zeros((4, outputs))
        return cls(noise, signal, run, product, np.zeros(outputs, np.int64))

    def add(self, reference: Sequence[NDArray[np.float32]], run: Sequence[NDArray[np.float32]]) -> None:
        """Take the outputs of one input; where the reference itself is not finite nothing is compared."""
        for place, (ours, theirs) in enumerate(zip(reference, run, strict=True)):
            a, b = ours.reshape(-1).astype(np.float64), theirs.reshape(-1).astype(np.float64)
            known = np.isfinite(a)
            both = known & np.isfinite(b)
            self.lost[place] += int(known.sum() - both.sum())
            a, b = (a, b) if both.all() else (a[both], b[both])
            self.noise[place] += float(np.square(a - b).sum())
            self.signal[place] += float(np.square(a).sum())
            self.run[place] += float(np.square(b).sum())
            self.product[place] += float((a * b).sum())

    def damage(self, quantity: str) -> NDArray[np.float64]:
        """The damage of each output: infinite where values were lost, or noise stands beside a reference of zeros."""
        with np.errstate(divide="ignore", invalid="ignore"):
            if quantity == ERROR:
                found = self.noise / self.signal
            else:
                found = 2 * (1 - np.minimum(self.product / np.sqrt(self.signal * self.run), 1.0))
        found = np.where((self.noise == 0) | ~np.isfinite(found), np.where(self.noise == 0, 0.0, np.inf), found)
        return np.where(self.lost > 0, np.inf, found)
