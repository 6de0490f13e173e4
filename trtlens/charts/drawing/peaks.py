"""What GPUs can do at most, from NVIDIA's data sheets: dense rates, without structured sparsity, at boost clocks."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Peaks:
    """Peaks of one GPU; ``tensor_tflops`` are tensor cores by precision (for int8 and int4: tera operations).

    Where a data sheet gives rates with sparsity, half of them stands here; ``source`` says so.
    """

    gpu: str
    fp32_tflops: float
    memory_gb_per_s: float
    tensor_tflops: Mapping[str, float] = field(default_factory=dict)
    source: str = ""

    def rate(self, precision: str, unit: str | None) -> float | None:
        """Operations per second in units of 1e12 for a precision on a unit; None where the data sheet does not say."""
        if unit == "tensor core":
            return self.tensor_tflops.get(precision)
        return self.fp32_tflops if precision in {"fp32", "tf32"} else None


def _tensor(
    tf32: float | None, half: float, fp8: float | None, int8: float | None, *, bf16: bool = True
) -> dict[str, float]:
    rates = {"tf32": tf32, "fp16": half, "bf16": half if bf16 else None, "fp8": fp8, "int8": int8}
    return {name: rate for name, rate in rates.items() if rate is not None}


_HALVED = "dense rates are half of those that it gives with sparsity"
_PEAKS: tuple[tuple[str, Peaks], ...] = (
    (r"H200 NVL", Peaks("H200 NVL", 60, 4800, _tensor(417.5, 835.5, 1670.5, 1670.5), f"NVIDIA H200 data sheet; {_HALVED}")),
    (r"\bH200\b", Peaks("H200 SXM", 67, 4800, _tensor(494.5, 989.5, 1979, 1979), f"NVIDIA H200 data sheet; {_HALVED}")),
    (r"H100 PCIe", Peaks("H100 PCIe", 51, 2000, _tensor(378, 756, 1513, 1513), f"NVIDIA H100 data sheet (2023); {_HALVED}")),
    (r"H100 (80GB )?HBM3", Peaks("H100 SXM", 67, 3350, _tensor(494.5, 989.5, 1979, 1979), f"NVIDIA H100 data sheet; {_HALVED}")),
    (r"A100.*80GB PCIe|A100 80GB PCIe", Peaks("A100 80GB PCIe", 19.5, 1935, _tensor(156, 312, None, 624), "NVIDIA A100 data sheet")),
    (r"A100.*SXM.*80GB", Peaks("A100 80GB SXM", 19.5, 2039, _tensor(156, 312, None, 624), "NVIDIA A100 data sheet")),
    (r"A100.*(SXM.*40GB|PCI.*40GB)", Peaks("A100 40GB", 19.5, 1555, _tensor(156, 312, None, 624), "NVIDIA A100 data sheet")),
    (r"\bL40S\b", Peaks("L40S", 91.6, 864, _tensor(183, 362.05, 733, 733), f"NVIDIA L40S data sheet; {_HALVED}")),
    (r"\bL40\b", Peaks("L40", 90.5, 864, _tensor(90.5, 181.05, 362, 362), "NVIDIA L40 data sheet")),
    (r"\bL4\b", Peaks("L4", 30.3, 300, _tensor(60, 121, 242.5, 242.5), f"NVIDIA L4 data sheet; {_HALVED}")),
    (r"\bA10\b", Peaks("A10", 31.2, 600, _tensor(62.5, 125, None, 250), "NVIDIA A10 data sheet")),
    (r"\bA40\b", Peaks("A40", 37.4, 696, _tensor(74.8, 149.7, None, 299.3), "NVIDIA A40 data sheet")),
    (r"\bA30\b", Peaks("A30", 10.3, 933, _tensor(82, 165, None, 330), "NVIDIA A30 data sheet")),
    (r"\bT4\b", Peaks("T4", 8.1, 320, _tensor(None, 65, None, 130, bf16=False), "NVIDIA T4 data sheet")),
    (r"\bV100.*SXM2", Peaks("V100 SXM2", 15.7, 900, _tensor(None, 125, None, None, bf16=False), "NVIDIA V100 data sheet")),
)  # fmt: skip


def peaks_of(gpu: str | None) -> Peaks | None:
    """The peaks of a GPU by the name that its driver gives; None for one whose data sheet is not written down here."""
    if gpu is None:
        return None
    return next((peaks for text, peaks in _PEAKS if re.search(text, gpu)), None)
