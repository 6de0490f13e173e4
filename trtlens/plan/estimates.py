"""Times of units without a log: operations and bytes over what a GPU of the data sheets can do. A weight, not a time.

Memory is moved once; products run at the rate of tensor cores (TF32 where FP32 has it), everything else on CUDA cores. A
cast reads four bytes and writes two. Launches are left out: at which batch the engine will run, a model does not say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trtlens.limits.roofs import Roofs, sheet_roofs
from trtlens.plan.solver import Costs

if TYPE_CHECKING:
    from trtlens.plan.network import Network, Unit

USUAL_GPU = "A10"
_USUAL_GB_PER_S = 600.0
"""The bandwidth of that GPU, for one whose own is not known."""
_FREE = frozenset(
    {"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Dropout", "Cast", "Constant", "ConstantOfShape"}
)
_FULL_BYTES, _LOW_BYTES, _CAST_BYTES = 4, 2, 6
_PER_MS = 1e9
_GB_PER_MS = 1e6


def estimated_costs(network: Network, low_type: str, roofs: Roofs | None = None) -> Costs:
    """The costs on a GPU, by default a usual one."""
    roofs = sheet_roofs(USUAL_GPU) if roofs is None else roofs
    full = np.array([_unit_ms(unit, roofs, "fp32") for unit in network.units])
    low = np.array([_unit_ms(unit, roofs, low_type) for unit in network.units])
    memory = (roofs.memory_gb_per_s or _USUAL_GB_PER_S) * _GB_PER_MS
    casts = np.array([one.elements * _CAST_BYTES / memory for one in network.boundaries])
    return Costs(full, low, casts, is_weight=True)


def _unit_ms(unit: Unit, roofs: Roofs, precision: str) -> float:
    if set(unit.ops) <= _FREE:
        return 0.0
    width = _FULL_BYTES if precision == "fp32" else _LOW_BYTES
    moved = unit.moved * width / ((roofs.memory_gb_per_s or _USUAL_GB_PER_S) * _GB_PER_MS)
    cuda = roofs.rate("fp32", "cuda core") or 1.0
    tensor = roofs.rate("tf32" if precision == "fp32" else precision, "tensor core") or cuda
    return max(moved, unit.products / (tensor * _PER_MS) + unit.elements / (cuda * _PER_MS))
