"""GPUs by the names that their drivers give: class of chip, multiprocessors, width of the memory, clocks of the data sheet."""

from __future__ import annotations

import csv
import re
from collections import ChainMap
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from trtlens.limits.chip_classes import CHIP_CLASSES, ChipClass, class_of_capability

if TYPE_CHECKING:
    from collections.abc import Mapping

_OTHER_CHIP = re.compile(r"Laptop|Max-Q|Mobile|\bMIG\b", re.IGNORECASE)
"""A laptop's GPU bears a desktop card's name and has fewer multiprocessors; a MIG slice is a part of its GPU."""
_NO_TENSOR_CORES = re.compile(r"\bGTX\b|\bMX\d|\bT[1-9]\d{2,3}\b")
"""Turing's small chips, of compute capability 7.5, lack them."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU as its data sheet describes it; None for what it does not state.

    Attributes:
        sm_mhz: boost clock at which rates of CUDA cores are quoted.
        tensor_mhz: clock at which rates of tensor cores are quoted.
        memory_gb_per_s: bandwidth at the data sheet's memory clock.
        is_verified: whether the figures were read in ``source``, not only derived with the rates of the class.
    """

    name: str
    chip: ChipClass
    multiprocessors: int
    sm_mhz: float
    tensor_mhz: float
    memory_gb_per_s: float
    memory_bus_bits: int | None
    l2_bytes: int | None
    is_verified: bool
    source: str


def gpu_of(name: str | None) -> Gpu | None:
    """The GPU of a driver's name, or of a plain one such as T4; None for one that is not in the table."""
    if name is None or _OTHER_CHIP.search(name):
        return None
    return next((gpu for pattern, gpu in _gpus() if name == gpu.name or pattern.search(name)), None)


def known_gpus() -> list[str]:
    """Names of the GPUs in the table."""
    return [gpu.name for _, gpu in _gpus()]


def chip_of(name: str | None, capability: str | None) -> ChipClass | None:
    """The class of a GPU by its name, else by its compute capability; None where neither tells."""
    gpu = gpu_of(name)
    if gpu is not None:
        return gpu.chip
    if capability is None or (capability == "7.5" and _NO_TENSOR_CORES.search(name or "")):
        return None
    return class_of_capability(capability, name)


@cache
def _gpus() -> tuple[tuple[re.Pattern[str], Gpu], ...]:
    text = files("trtlens.limits").joinpath("gpus.tsv").read_text("utf-8")
    rows = csv.DictReader(text.splitlines(), delimiter="\t")
    return tuple((re.compile(row["pattern"]), _gpu(row)) for row in rows)


def _gpu(row: Mapping[str, str]) -> Gpu:
    megabytes = row["l2_mb"]
    return Gpu(
        row["gpu"], _limited(CHIP_CLASSES[row["chip_class"]], row["limited_rates"]), int(row["multiprocessors"]),
        float(row["sm_mhz"]), float(row["tensor_mhz"]), float(row["memory_gb_per_s"]),
        None if row["memory_bus_bits"] == "-" else int(row["memory_bus_bits"]),
        None if megabytes == "-" else round(float(megabytes) * 2**20), row["basis"] == "verified", row["source"],
    )  # fmt: skip


def _limited(chip: ChipClass, text: str) -> ChipClass:
    """The class with the rates to which one product is limited: ``fp16/fp16=512;..``, 0 for none at all."""
    if text == "-":
        return chip
    own = {f"tensor {key}": int(rate) for key, rate in (part.split("=") for part in text.split(";"))}
    rates = {key: rate for key, rate in ChainMap(own, dict(chip.per_cycle)).items() if rate}
    return replace(chip, per_cycle=rates)
