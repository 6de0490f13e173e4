"""The rates that no kernel of a run can exceed: of each core type, and of the memory, at the clocks that were read beside the timing.

A core's rate is multiprocessors x operations a cycle (`trtlens.limits.chip_classes`) x clock of the multiprocessors. The
memory's is width of its bus x 2 x clock, as NVML gives it (GDDR and HBM alike: an H200 of 6144 bits at 3201 MHz moves 4917 GB/s).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from trtlens.errors import TrtlensError
from trtlens.limits.gpus import Gpu, chip_of, gpu_of, known_gpus
from trtlens.runs.run import build_rows, once
from trtlens.suggestions import did_you_mean
from trtlens.tables.arrays import of_build

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trtlens.limits.chip_classes import ChipClass
    from trtlens.runs.run import Run

_NUMBER = re.compile(r"\d{1,9}(?:\.\d{1,9})?")
_BITS_PER_BYTE, _TRANSFERS_PER_CLOCK = 8, 2
_STATED, _MEASURED, _SHEET = "stated", "measured", "of the data sheet"
_MHZ_PER_GHZ = 1000


@dataclass(frozen=True, slots=True)
class Roofs:
    """What one GPU can do at given clocks.

    Attributes:
        gpu: its name.
        chip: rates of its class.
        sm_mhz: clock of the multiprocessors; ``tensor_mhz`` the one for tensor cores, which differs in data sheets alone.
        memory_gb_per_s: None where the width or the clock of the memory is not known.
        basis: what the figures rest on, in a sentence.
        sheet: the GPU's data sheet, None where the table has none.
    """

    gpu: str
    chip: ChipClass
    multiprocessors: int
    sm_mhz: float
    tensor_mhz: float
    memory_gb_per_s: float | None
    l2_bytes: int | None
    basis: str
    sheet: Gpu | None = None

    def rate(self, precision: str | None, unit: str | None, accumulator: str | None = None) -> float | None:
        """Operations a second, in units of 1e12, of a core type in a precision; None where it is not known."""
        if precision is None or unit is None:
            return None
        per_cycle = self.chip.rate(precision, unit, accumulator)
        mhz = self.tensor_mhz if unit == "tensor core" else self.sm_mhz
        return None if per_cycle is None else per_cycle * self.multiprocessors * mhz / 1e6


@dataclass(frozen=True, slots=True)
class _Stated:
    """What a run says of its GPU; clocks with how they are known."""

    name: str | None
    capability: str | None
    multiprocessors: int | None
    bus_bits: int | None
    l2_bytes: int | None
    sm_mhz: tuple[float, str] | None
    memory_mhz: tuple[float, str] | None
    moved: str = ""


@once
def read_roofs(run: Run, build: int) -> Roofs | str:
    """The roofs of the GPU that a build was timed on; a text that says why they are not known."""
    return _roofs(_stated(run, build))


def sheet_roofs(name: str) -> Roofs:
    """The roofs of a GPU by its data sheet, at the data sheet's clocks.

    Raises:
        TrtlensError: the GPU is not in the table.

    """
    gpu = gpu_of(name)
    if gpu is None:
        names = known_gpus()
        hint = did_you_mean(name, names) or f"choose one of {', '.join(names)}"
        raise TrtlensError(f"no data sheet of a GPU {name!r} is known: {hint}")
    checked = "" if gpu.is_verified else "; its tensor rates are those of its class, not read there"
    basis = (
        f"{gpu.source}, at its own clocks ({gpu.sm_mhz:,.0f} MHz, {gpu.tensor_mhz:,.0f} MHz for tensor cores){checked}"
    )
    return Roofs(
        gpu.name, gpu.chip, gpu.multiprocessors, gpu.sm_mhz, gpu.tensor_mhz, gpu.memory_gb_per_s, gpu.l2_bytes, basis, gpu
    )  # fmt: skip


def _roofs(stated: _Stated) -> Roofs | str:
    chip, sheet = chip_of(stated.name, stated.capability), gpu_of(stated.name)
    if chip is None:
        named = stated.name or "the GPU, which the run does not name"
        known = (
            f"compute capability {stated.capability}" if stated.capability else "its compute capability is not stated"
        )
        return f"what {named} does in a cycle is not known ({known})"
    same = sheet is not None and stated.multiprocessors in {None, sheet.multiprocessors}
    whole = sheet if same else None  # a slice, or another product of the same name
    count = stated.multiprocessors or (whole.multiprocessors if whole is not None else None)
    clock = stated.sm_mhz or (None if whole is None else (whole.sm_mhz, _SHEET))
    if count is None:
        return f"how many multiprocessors {stated.name or chip.name} has is not known"
    if clock is None:
        return f"at which clock {stated.name or chip.name} ran is not known"
    bus = stated.bus_bits or (whole.memory_bus_bits if whole is not None else None)
    memory, told = _memory(bus, stated.memory_mhz, whole)
    tensor_mhz = whole.tensor_mhz if stated.sm_mhz is None and whole is not None else clock[0]
    l2 = stated.l2_bytes or (whole.l2_bytes if whole is not None else None)
    facts = (
        f"{count} multiprocessors at {clock[0]:,.0f} MHz ({clock[1]}{stated.moved})", told, _power_mode(chip), _beside(whole)
    )  # fmt: skip
    basis = "; ".join(fact for fact in facts if fact)
    return Roofs(stated.name or chip.name, chip, count, clock[0], tensor_mhz, memory, l2, basis, whole)


def _memory(bus: int | None, clock: tuple[float, str] | None, sheet: Gpu | None) -> tuple[float | None, str]:
    """Bandwidth in GB/s, and what it rests on."""
    if bus is not None and clock is not None:
        rate = bus / _BITS_PER_BYTE * _TRANSFERS_PER_CLOCK * clock[0] / 1000
        return rate, f"memory of {bus} bits at {clock[0]:,.0f} MHz ({clock[1]}), {rate:,.0f} GB/s"
    if sheet is not None:
        return sheet.memory_gb_per_s, f"memory of {sheet.memory_gb_per_s:,.0f} GB/s ({_SHEET})"
    return None, f"the {'clock' if bus else 'width'} of the memory is not known, so that it has no roof"


def _power_mode(chip: ChipClass) -> str:
    return (
        "clocks of a Jetson are those of its power mode, which the run does not state"
        if chip.name.endswith("-tegra")
        else ""
    )


def _beside(sheet: Gpu | None) -> str:
    """The data sheet's own figures, beside those of the run."""
    if sheet is None:
        return ""
    return f"{sheet.source}: {sheet.memory_gb_per_s:,.0f} GB/s, tensor cores at {sheet.tensor_mhz:,.0f} MHz"


# -- what the run says ------------------------------------------------------------------------------------------------


def _stated(run: Run, build: int) -> _Stated:
    """What run.json, NVML's readings and trtexec's device information say."""
    named = next(iter(of_build(run["builds"], build)["gpu"].to_pylist()), None)
    rows = build_rows(run, "options", build).to_pylist()
    device: Mapping[str, str] = {
        row["key"]: row["value"] or "" for row in rows if row["section"] == "Device Information"
    }
    own, readings = run.info.gpu, of_build(run["gpu_readings"], build).to_pylist()
    sm, memory = (_clocks(readings, column) for column in ("sm_clock_mhz", "memory_clock_mhz"))
    moved = f", between {min(sm):,} and {max(sm):,} while it was timed" if sm and min(sm) != max(sm) else ""
    return _Stated(
        own.name or named, own.compute_capability or device.get("Compute Capability") or None,
        own.multiprocessors or _whole(device.get("SMs")), own.memory_bus_bits or _whole(device.get("Memory Bus Width")),
        own.l2_bytes, (median(sm), _MEASURED) if sm else _ghz(device, "Compute Clock Rate"),
        (median(memory), _MEASURED) if memory else _ghz(device, "Memory Clock Rate"), moved,
    )  # fmt: skip


def _clocks(readings: Sequence[Mapping[str, int | str | None]], column: str) -> list[int]:
    """Clocks that were read once the GPU was warm: before that it idles."""
    return [int(row[column]) for row in readings if row[column] and not str(row["moment"]).startswith("before")]  # type: ignore[arg-type]  # the column's type is int


def _ghz(device: Mapping[str, str], words: str) -> tuple[float, str] | None:
    """A clock that trtexec prints in GHz, in several wordings: it is the application's, not one that was measured."""
    text = next((value for key, value in device.items() if key.endswith(words)), "")
    found = _NUMBER.match(text)
    return (float(found[0]) * _MHZ_PER_GHZ, f"{_STATED} by trtexec, not measured") if found and "GHz" in text else None


def _whole(text: str | None) -> int | None:
    found = _NUMBER.match(text or "")
    return int(float(found[0])) if found else None
