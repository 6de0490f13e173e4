"""Numbers as TensorRT's tools print them."""

from __future__ import annotations

import math


def finite_number(text: str) -> float | None:
    """``text`` as a finite number; None for ``inf``, ``nan``, ``-nan(ind)`` and whatever is no number."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
