"""Whether kernels used tensor cores, as hardware counters say: beside what their names claim."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from trtlens.runs.stated_kernels import key_of, possible_keys
from trtlens.tables.arrays import of_build
from trtlens_parsers.ncu_csv import counts_all_of_them, counts_tensor_cores

if TYPE_CHECKING:
    from trtlens.runs.run import Run


class TensorUse:
    """What Nsight Compute counted of one build's kernels; a kernel that was profiled several times used them if it once did."""

    def __init__(self, run: Run, build: int) -> None:
        self._counted: dict[str, list[tuple[str, float]]] = defaultdict(list)
        rows = of_build(run["kernel_counters"], build).select(["kernel", "metric", "value"]).to_pylist()
        for row in rows:
            if counts_tensor_cores(row["metric"]):
                for key in possible_keys(row["kernel"]):
                    self._counted[key].append((row["metric"], row["value"]))

    def __bool__(self) -> bool:
        """Whether any use of tensor cores was counted."""
        return bool(self._counted)

    def of(self, stated: str | None) -> bool | None:
        """Whether a kernel that the engine states used them; None where it was not profiled, or its metrics leave it open."""
        counted = self._counted.get(key_of(stated), []) if stated else []
        if any(value > 0 for _, value in counted):
            return True
        return False if any(counts_all_of_them(metric) for metric, _ in counted) else None
