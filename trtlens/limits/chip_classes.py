"""What one multiprocessor of each class of chips does in a clock cycle: dense operations, a multiplication with its addition counted as two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trtlens_parsers.kernels import CUDA_CORE, TENSOR_CORE

if TYPE_CHECKING:
    from collections.abc import Mapping

CUDA_FP32, CUDA_FP16 = "fp32", "fp16"
"""Columns of CUDA cores; those of tensor cores name the input type, and the accumulator where it changes the rate."""
_COLUMNS = (
    "fp32", "fp16", "tensor fp16/fp16", "tensor fp16/fp32", "tensor bf16/fp32", "tensor tf32/fp32", "tensor int8/int32",
    "tensor fp8/fp16", "tensor fp8/fp32", "tensor fp4/fp32", "tensor int4/int32",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ChipClass:
    """Rates of one class; ``per_cycle`` by column, without those that the chip lacks."""

    name: str
    compute_capability: str
    per_cycle: Mapping[str, int]
    source: str

    def rate(self, precision: str, unit: str, accumulator: str | None = None) -> int | None:
        """Operations of a multiprocessor in a cycle; None where the chip has no such unit for the type.

        An accumulator that the kernel's name does not state is taken for the one with the lower rate, so that no kernel is
        blamed for a rate that it may not have asked for.
        """
        if unit == CUDA_CORE:
            return self.per_cycle.get(precision if precision in {CUDA_FP32, CUDA_FP16} else "")
        if unit != TENSOR_CORE:
            return None
        named = {column: rate for column, rate in self.per_cycle.items() if column.startswith(f"tensor {precision}/")}
        return named.get(f"tensor {precision}/{accumulator}") or min(named.values(), default=None)


def _class(name: str, capability: str, rates: str, source: str) -> ChipClass:
    values = {column: int(text) for column, text in zip(_COLUMNS, rates.split(), strict=True) if text != "-"}
    return ChipClass(name, capability, values, source)


# Columns: CUDA cores fp32 fp16; tensor cores fp16/fp16 fp16/fp32 bf16 tf32 int8 fp8/fp16 fp8/fp32 fp4 int4.
_CLASSES = (
    _class("maxwell-tegra", "5.3", "256 512 - - - - - - - - -", "472 GFLOPS FP16 of the Jetson Nano at 921.6 MHz"),
    _class("pascal-p100", "6.0", "128 256 - - - - - - - - -", "CUDA C++ Programming Guide, arithmetic throughput; P100 21.2 TFLOPS FP16"),
    _class("pascal", "6.1", "256 4 - - - - - - - - -", "CUDA C++ Programming Guide, arithmetic throughput"),
    _class("pascal-tegra", "6.2", "256 512 - - - - - - - - -", "1.33 TFLOPS FP16 of the Jetson TX2 at 1300 MHz"),
    _class("volta", "7.0", "128 256 1024 1024 - - - - - - -", "NVIDIA Volta whitepaper: 64 FMA in each of 8 tensor cores"),
    _class("volta-tegra", "7.2", "128 256 1024 1024 - - 2048 - - - -", "Jetson AGX Xavier: 11 TFLOPS FP16 and 22 TOPS INT8 on the GPU at 1377 MHz"),
    _class("turing", "7.5", "128 256 1024 1024 - - 2048 - - - 4096", "NVIDIA Turing whitepaper, TITAN RTX: 130.5 TFLOPS FP16 at 1770 MHz"),
    _class("turing-geforce", "7.5", "128 256 1024 512 - - 2048 - - - 4096", "NVIDIA Turing whitepaper, RTX 2080 Ti: 113.8 TFLOPS with FP16, 56.9 with FP32 sums"),
    _class("ampere-a100", "8.0", "128 512 2048 2048 2048 1024 4096 - - - 8192", "NVIDIA A100 whitepaper: 256 FMA in each of 4 tensor cores"),
    _class("ampere", "8.6", "256 256 1024 1024 1024 512 2048 - - - 4096", "NVIDIA GA102 whitepaper, RTX A6000 and A40"),
    _class("ampere-geforce", "8.6", "256 256 1024 512 512 256 2048 - - - 4096", "NVIDIA GA102 whitepaper, RTX 3090: 142 TFLOPS with FP16, 71 with FP32 sums"),
    _class("ampere-tegra", "8.7", "256 512 2048 2048 2048 1024 4096 - - - 8192", "Jetson AGX Orin data sheet: 170 sparse TOPS INT8 on 16 multiprocessors at 1.3 GHz"),
    _class("ada", "8.9", "256 256 1024 1024 1024 512 2048 2048 2048 - 4096", "NVIDIA L4 and L40S data sheets"),
    _class("ada-geforce", "8.9", "256 256 1024 512 512 256 2048 2048 1024 - 4096", "NVIDIA Ada whitepaper 2.1, RTX 4090: FP16 and FP8 with FP32 sums at half the rate"),
    _class("hopper", "9.0", "256 512 4096 4096 4096 2048 8192 8192 8192 - -", "NVIDIA Hopper whitepaper: 989.4 TFLOPS FP16 on 132 multiprocessors at 1830 MHz"),
    _class("blackwell-b200", "10.0", "256 512 8192 8192 8192 4096 16384 16384 16384 32768 -", "NVIDIA HGX B200 data sheet: 2.25, 4.5 and 9 PFLOPS on 148 multiprocessors at 1.85 GHz"),
    _class("blackwell-tegra", "11.0", "256 512 8192 8192 8192 4096 16384 16384 16384 32768 -", "Jetson AGX Thor: 1035 sparse TFLOPS FP8 on 20 multiprocessors at 1.575 GHz"),
    _class("blackwell-geforce", "12.0", "256 256 1024 512 512 256 2048 2048 1024 4096 -", "NVIDIA RTX Blackwell whitepaper, RTX 5090: 419 TFLOPS with FP16, 209.5 with FP32 sums"),
    _class("blackwell-pro", "12.0", "256 256 1024 1024 1024 512 2048 2048 2048 4096 -", "NVIDIA RTX PRO 6000 Blackwell: FP32 sums at the full rate"),
)  # fmt: skip
CHIP_CLASSES: Mapping[str, ChipClass] = {one.name: one for one in _CLASSES}
"""Every class by its name."""


def class_of_capability(capability: str, name: str | None) -> ChipClass | None:
    """The class of a chip that is known by its compute capability alone; None for one that is not written down.

    Where a capability has two classes, GeForce halves the rate of FP32 sums, which the name of the GPU says.
    """
    found = [one for one in _CLASSES if one.compute_capability == capability]
    geforce = name is not None and "geforce" in name.lower()
    return next((one for one in found if len(found) == 1 or one.name.endswith("-geforce") == geforce), None)
