"""What GPUs can do: the figures of data sheets, clocks that a run measured, GPUs that no table names."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from tests.doubles.made_logs import log, run_of
from tests.limits.captured_engines import engine
from trtlens.errors import TrtlensError
from trtlens.limits.gpus import chip_of, gpu_of
from trtlens.limits.roofs import Roofs, read_roofs, sheet_roofs
from trtlens.runs.run import Run
from trtlens.runs.run_info import info_of
from trtlens.tables.declarations import TABLES

DATA = Path(__file__).parents[1] / "data" / "gpu-peaks.tsv"
CORES: dict[str, tuple[str, str, str | None]] = {
    "fp32": ("fp32", "cuda core", None), "fp16c": ("fp16", "cuda core", None), "h16": ("fp16", "tensor core", "fp16"),
    "h32": ("fp16", "tensor core", "fp32"), "bf16": ("bf16", "tensor core", "fp32"), "tf32": ("tf32", "tensor core", "fp32"),
    "int8": ("int8", "tensor core", "int32"), "f816": ("fp8", "tensor core", "fp16"), "f832": ("fp8", "tensor core", "fp32"),
    "fp4": ("fp4", "tensor core", "fp32"), "int4": ("int4", "tensor core", "int32"),
}  # fmt: skip
WHOLE_NUMBERS = {
    ("Jetson AGX Xavier", "h32"),
    ("Jetson AGX Xavier", "int8"),
    ("Jetson Orin Nano 4GB", "int8"),
    ("Jetson Orin Nano 8GB", "int8"),
}
"""Figures that NVIDIA rounds down to whole numbers: 11 of 11.28, 22 of 22.56, 10 of 10.24, 20 of 20.48."""
ROWS = list(csv.DictReader(DATA.read_text("utf-8").splitlines(), delimiter="\t"))


@pytest.mark.parametrize("row", [row for row in ROWS if row["basis"] == "verified"], ids=lambda row: row["gpu"])
def test_derived_rates_are_those_that_nvidia_prints(row: dict[str, str]) -> None:
    """Multiprocessors, rate of the class and the data sheet's clock give each figure that was read there, within 2 %."""
    roofs = sheet_roofs(row["gpu"])
    assert roofs.memory_gb_per_s == float(row["memory_gb_per_s"])
    for figure in row["dense_peaks"].split("; "):
        what, printed = figure.split("=")
        rate = roofs.rate(*CORES[what])
        tolerance = 1.0 if (row["gpu"], what) in WHOLE_NUMBERS else 0.02 * float(printed)
        assert rate == pytest.approx(float(printed), abs=tolerance), what


def test_a_row_that_was_not_verified_says_so() -> None:
    """What a GPU rests on is said: its data sheet, or the rates of its class."""
    kinds = {row["gpu"]: "class, not read there" in sheet_roofs(row["gpu"]).basis for row in ROWS}
    assert kinds == {row["gpu"]: row["basis"] != "verified" for row in ROWS}


def test_the_width_of_a_memory_gives_its_bandwidth() -> None:
    """At the clock that the data sheet's own bandwidth implies each bus is a whole number of GDDR or HBM channels."""
    for row in ROWS:
        gpu = gpu_of(row["gpu"])
        assert gpu is not None
        assert gpu.memory_bus_bits is None or gpu.memory_bus_bits % 32 == 0


def test_an_h200_runs_at_the_clocks_that_were_read() -> None:
    """132 x 4096 x 1980 MHz and 6144 bits at 3201 MHz, not the data sheet's 1830 MHz and 4800 GB/s, which stand beside it."""
    roofs = read_roofs(engine("resnet50-fp16-traced"), 1)
    assert isinstance(roofs, Roofs)
    assert roofs.rate("fp16", "tensor core", "fp32") == pytest.approx(132 * 4096 * 1980 / 1e6)
    assert roofs.memory_gb_per_s == pytest.approx(4916.736)
    assert "4,800 GB/s" in roofs.basis
    assert "1,830 MHz" in roofs.basis


def test_sums_in_fp32_halve_the_rate_of_geforce_alone() -> None:
    """A kernel whose name states no accumulator is given the lower rate."""
    geforce, professional = sheet_roofs("RTX 4090"), sheet_roofs("L40S")
    rates = [
        roofs.rate("fp16", "tensor core", sums) for roofs in (geforce, professional) for sums in ("fp16", "fp32", None)
    ]
    assert rates == [pytest.approx(one, rel=0.001) for one in (330.3, 165.15, 165.15, 366.4, 366.4, 366.4)]


NAMES = {
    "NVIDIA L4": "L4", "NVIDIA L40": "L40", "NVIDIA L40S": "L40S", "NVIDIA A40": "A40", "Tesla T4": "T4", "NVIDIA H200": "H200 SXM",
    "NVIDIA H200 NVL": "H200 NVL", "NVIDIA H100 80GB HBM3": "H100 SXM5", "NVIDIA H100 PCIe": "H100 PCIe", "NVIDIA A10G": "A10G",
    "NVIDIA A100-SXM4-80GB": "A100 SXM4 80GB", "NVIDIA A100 80GB PCIe": "A100 PCIe 80GB", "Tesla V100-SXM2-16GB": "V100 SXM2",
    "NVIDIA GeForce RTX 3080 Ti": "RTX 3080 Ti", "NVIDIA GeForce RTX 3080": "RTX 3080 10GB", "NVIDIA GeForce RTX 4090": "RTX 4090",
    "NVIDIA GeForce RTX 4090 Laptop GPU": None, "NVIDIA GeForce RTX 9999": None, "NVIDIA A100-SXM4-40GB MIG 1g.5gb": None,
    "NVIDIA Jetson AGX Orin Developer Kit": "Jetson AGX Orin 64GB", "NVIDIA GB10": None,
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_names_of_drivers_are_told_apart(name: str) -> None:
    """A laptop's GPU and a slice are not the card whose name they bear."""
    found = gpu_of(name)
    assert (None if found is None else found.name) == NAMES[name]


@pytest.mark.parametrize(
    ("name", "capability", "chip"),
    [
        ("NVIDIA GeForce RTX 4090 Laptop GPU", "8.9", "ada-geforce"), ("NVIDIA RTX 2000 Ada Generation", "8.9", "ada"),
        ("NVIDIA GeForce GTX 1660", "7.5", None), ("Quadro T1000", "7.5", None), ("Quadro RTX 4000", "7.5", "turing"),
        ("NVIDIA GB10", "12.1", None), (None, "9.0", "hopper"), (None, None, None),
    ],
)  # fmt: skip
def test_an_unknown_gpu_is_of_the_class_of_its_compute_capability(
    name: str | None, capability: str | None, chip: str | None
) -> None:
    """GeForce by its name; chips without tensor cores, and capabilities that are not written down, have no class."""
    found = chip_of(name, capability)
    assert (None if found is None else found.name) == chip


def captured_run(gpu: dict[str, Any], clocks: list[tuple[str, int, int]]) -> Run:
    """A captured run that holds nothing but its GPU."""
    tables = {name: spec.empty() for name, spec in TABLES.items()}
    tables["gpu_readings"] = TABLES["gpu_readings"].of_rows([
        {"build": 1, "position": place, "moment": moment, "sm_clock_mhz": sm, "memory_clock_mhz": memory, "power_w": None,
         "temperature_c": None, "clock_reasons": []}
        for place, (moment, sm, memory) in enumerate(clocks)
    ])  # fmt: skip
    return Run("made", tables, None, info_of({"format": 1, "kind": "profile", "gpu": gpu}))


def test_a_gpu_of_no_table_has_roofs_of_its_own_figures() -> None:
    """Compute capability, multiprocessors, width of the memory and clocks are enough; the idle clock before warm-up is none."""
    gpu = {
        "name": "NVIDIA RTX 2000 Ada Generation",
        "compute_capability": "8.9",
        "multiprocessors": 22,
        "memory_bus_bits": 128,
    }
    roofs = read_roofs(
        captured_run(gpu, [("before warm-up", 210, 405), ("after warm-up", 2000, 8000), ("after timing", 2100, 8000)]),
        1,
    )
    assert isinstance(roofs, Roofs)
    assert roofs.rate("fp16", "tensor core", "fp32") == pytest.approx(22 * 1024 * 2050 / 1e6)
    assert roofs.memory_gb_per_s == pytest.approx(256.0)
    assert "between 2,000 and 2,100" in roofs.basis


@pytest.mark.parametrize(
    ("gpu", "memory"),
    [
        ({"name": "NVIDIA H200", "compute_capability": "9.0", "multiprocessors": 16}, None),
        ({"name": "NVIDIA H200", "compute_capability": "9.0", "multiprocessors": 132}, 4916.736),
    ],
    ids=["slice", "whole"],
)
def test_fewer_multiprocessors_than_the_data_sheet_have_not_its_memory(
    gpu: dict[str, Any], memory: float | None
) -> None:
    """A part of a GPU reaches a part of the memory: how wide that is, is not known."""
    roofs = read_roofs(captured_run(gpu, [("after timing", 1980, 3201)]), 1)
    assert isinstance(roofs, Roofs)
    assert roofs.memory_gb_per_s == memory
    assert roofs.multiprocessors == gpu["multiprocessors"]


@pytest.mark.parametrize(
    ("gpu", "why"),
    [
        ({"name": "NVIDIA GB10", "compute_capability": "12.1", "multiprocessors": 48}, "in a cycle is not known"),
        ({"name": "NVIDIA RTX 2000 Ada Generation", "compute_capability": "8.9"}, "how many multiprocessors"),
        ({}, "which the run does not name"),
    ],
)
def test_a_gpu_that_is_not_known_has_no_roofs_and_a_reason(gpu: dict[str, Any], why: str) -> None:
    """Nothing is guessed of a chip, of its size or its clock."""
    roofs = read_roofs(captured_run(gpu, []), 1)
    assert isinstance(roofs, str)
    assert why in roofs


def test_trtexec_states_a_gpu_whose_clock_it_did_not_measure() -> None:
    """Device information gives what run.json does, and says of the clock that it is the stated one."""
    lines = (
        "=== Device Information ===", "Selected Device: NVIDIA GeForce RTX 3050", "Compute Capability: 8.6", "SMs: 20",
        "Compute Clock Rate: 1.777 GHz", "Memory Bus Width: 128 bits (ECC disabled)", "Memory Clock Rate: 7.001 GHz",
    )  # fmt: skip
    run = run_of(
        log(
            "&&&& RUNNING TensorRT.trtexec [TensorRT v8601] # trtexec --onnx=b.onnx",
            *(f"[11/20/2026-22:01:25] [I] {line}" for line in lines),
            "Original: 5 layers",
        )
    )
    roofs = read_roofs(run, run["builds"]["build"].to_pylist()[-1])
    assert isinstance(roofs, Roofs), roofs
    assert roofs.rate("fp32", "cuda core") == pytest.approx(20 * 256 * 1777 / 1e6)
    assert roofs.memory_gb_per_s == pytest.approx(224.032)
    assert "not measured" in roofs.basis


def test_a_jetson_says_that_its_power_mode_is_not_known() -> None:
    """Its clocks are those of nvpmodel, which no record names."""
    gpu = {"name": "NVIDIA Jetson AGX Orin Developer Kit", "compute_capability": "8.7", "multiprocessors": 16}
    roofs = read_roofs(captured_run(gpu, [("after timing", 930, 3199)]), 1)
    assert isinstance(roofs, Roofs)
    assert "power mode" in roofs.basis
    assert roofs.rate("int8", "tensor core", "int32") == pytest.approx(16 * 4096 * 930 / 1e6)


def test_a_gpu_that_is_asked_for_has_to_be_in_the_table() -> None:
    """The message names what is near."""
    with pytest.raises(TrtlensError, match="H100 PCIe"):
        sheet_roofs("H100 PCI")
