"""The split of an inference: its parts add up, each layer has the limit that its figures show, what is unknown stays so."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

import trtlens
from tests.conftest import FIXTURES
from tests.doubles.made_logs import GENERATED, SELECTED, log, run_of
from tests.doubles.made_runs import MadeLayer, MadeRun
from tests.limits.captured_engines import NAMES, TRACED, engine
from trtlens.charts import CHARTS
from trtlens.engine.kernel_times import read_kernel_times
from trtlens.limits.counted_use import CountedUse, counted_use, counted_uses
from trtlens.limits.layer_roofs import Cores, LayerRoof, roof_of
from trtlens.limits.limit import Launched, limit_of
from trtlens.limits.roofs import sheet_roofs
from trtlens.limits.split import GAPS, UNTIMED, last_split
from trtlens.limits.verdict import verdict
from trtlens.limits.work import Work
from trtlens.runs.captured_tables import with_captured_facts
from trtlens.runs.run_info import info_of
from trtlens.tables.declarations import TABLES

if TYPE_CHECKING:
    from trtlens.limits.parts import Split


def split_of(name: str) -> Split:
    """The split of a captured run."""
    found = last_split(engine(name))
    assert found is not None
    return found


@pytest.mark.parametrize("name", NAMES)
def test_the_parts_add_up_to_the_inference(name: str) -> None:
    """Each part is its launch, roof, recoverable and unknown time, none of them negative; all together are the inference."""
    run = engine(name)
    split = split_of(name)
    timed = next(row for row in reversed(run.view("inference").to_pylist()) if row["part"] == "inference")
    assert split.inference_ms == timed["time_ms"]
    assert sum(part.time_ms for part in split.parts) == pytest.approx(split.inference_ms, rel=1e-12)
    for part in split.parts:
        pieces = (part.launch_ms, part.roof_ms, part.recoverable_ms, part.unknown_ms)
        assert sum(pieces) == pytest.approx(part.time_ms, rel=1e-12)
        assert min(pieces) >= 0
    told = (split.launch_ms, split.fusable_ms, split.below_roof_ms, split.unknown_ms)
    needed = split.needed_percent / 100 * split.inference_ms
    assert sum(told) + needed == pytest.approx(split.inference_ms, rel=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_no_layer_of_an_h200_is_faster_than_its_roof(name: str) -> None:
    """A roof or a count of work that is too low would show here."""
    assert [part.name for part in split_of(name).parts if part.limit.is_above] == []


@pytest.mark.parametrize("name", TRACED)
def test_traced_layers_take_what_their_kernels_take(name: str) -> None:
    """Each in the same proportion, and at most as long as traced."""
    run, split = engine(name), split_of(name)
    traced = read_kernel_times(run, 1)
    assert traced is not None
    ratios = {
        round((part.time_ms - part.launch_ms) / part.measured_ms, 9) for part in split.parts if part.index is not None
    }
    assert len(ratios) == 1
    assert max(ratios) <= 1
    assert split.launch_ms == pytest.approx(
        max(split.inference_ms - sum(p.measured_ms for p in split.parts if p.index is not None), 0.0)
    )


def roof(compute_ms: float | None, memory_ms: float | None, **more: object) -> LayerRoof:
    """A layer's roof of these two times."""
    known = compute_ms is not None and memory_ms is not None
    binds = None if not known else "memory" if (memory_ms or 0) >= (compute_ms or 0) else "tensor core"
    least = max(compute_ms or 0.0, memory_ms or 0.0) if known else None
    return LayerRoof(compute_ms, memory_ms, least, binds, None if known else "the size of x is not known", **more)  # type: ignore[arg-type]  # by name


@pytest.mark.parametrize(
    ("given", "kernel_ms", "launch_ms", "limit", "is_above"),
    [
        (roof(0.2, 0.6), 1.0, 0.0, "memory", False),
        (roof(0.6, 0.2), 1.0, 0.0, "tensor core", False),
        (roof(0.003, 0.002), 0.01, 0.0, "latency", False),
        (roof(0.3, 0.2), 1.0, 0.0, "tensor core", False),
        (roof(0.2, 0.3), 1.0, 0.0, "memory", False),
        (roof(0.6, 0.2), 1.0, 1.1, "launch", False),
        (roof(None, 0.2), 1.0, 0.0, None, False),
        (roof(0.3, 0.2, slower_ms=0.8), 1.0, 0.0, None, False),
        (roof(0.3, 0.2, slower_ms=0.4), 1.0, 0.0, "tensor core", False),
        (roof(1.1, 0.2), 1.0, 0.0, "tensor core", True),
        (roof(0.2, 1.1), 1.0, 0.0, "memory", True),
        (roof(0.2, 1.1, fits_l2=True), 1.0, 0.0, "memory", False),
        (roof(1.01, 0.2), 1.0, 0.0, "tensor core", False),
        (roof(0.1, 0.2), 0.0, 0.0, None, False),
    ],
)
def test_a_layer_has_the_limit_that_its_figures_show(
    given: LayerRoof, kernel_ms: float, launch_ms: float, limit: str | None, is_above: bool
) -> None:
    """Half of the time at a roof, or more in gaps than in kernels; what is not stated is not decided."""
    found = limit_of(given, kernel_ms, launch_ms, Launched())
    assert (found.name, found.is_above) == (limit, is_above)
    assert found.evidence


@pytest.mark.parametrize(
    ("launched", "limit", "told"),
    [
        (Launched(1, 131), "latency", "131 thread blocks for 132 multiprocessors"),
        (Launched(1, 132), "tensor core", "far below that roof"),
        (Launched(9, 132), "latency", "in 9 kernels"),
        (Launched(8, 132), "tensor core", "in 8 kernels"),
        (Launched(None), None, "how many kernels"),
        (Launched(1, 131, waits=True), None, "waiting for the host"),
        (Launched(1, 132, CountedUse(2, 50.0, None, None)), "tensor core", "busy 50 %"),
        (
            Launched(1, 131, CountedUse(1, 49.9, 2**20, 2399.0)),
            "latency",
            "1.00 MiB of the device memory at 2,399 GB/s",
        ),
        (Launched(1, 131, CountedUse(1, 49.9, 2**20, 2400.0)), "memory", "1 profiled launch"),
    ],
)
def test_a_layer_below_its_roof_is_limited_by_what_its_kernels_show(
    launched: Launched, limit: str | None, told: str
) -> None:
    """Too few blocks, short kernels or counters decide; of a region that was not traced, and beside waiting, nothing is said."""
    found = limit_of(roof(0.02, 0.01), 0.1, 0.0, launched, replace(sheet_roofs("H200 SXM"), multiprocessors=132))
    assert found.name == limit
    assert told in found.evidence


def test_counters_belong_to_the_kernel_that_a_layer_states() -> None:
    """Means over its launches in ncu's file; bytes by the time that ncu measured."""
    uses = counted_uses(trtlens.open_run(FIXTURES / "traces" / "counters"), 1)
    stated = "sm80_xmma_fprop_implicit_gemm_f16f16_f16f16_f16_nhwckrsc_nhwc_tilesize128x64x64_stage3_warpsize2x2x1_g1_tensor16x8x16"
    found = counted_use(uses, stated)
    assert found is not None
    assert found.launches == 2
    assert found.tensor_percent == pytest.approx((61.25 + 61.02) / 2)
    assert found.memory_gb_per_s == pytest.approx((3.21 + 3.25) * 1e6 / (8.06 + 8.10) / 1e3)
    assert counted_use(uses, "sm80_other") is None


def test_a_roof_is_that_of_the_types_that_run() -> None:
    """INT8 and FP8 by their own rates, sums in FP32 at half of it on GeForce; bytes at the memory's rate."""
    work = Work(0, 1e12, 0.0, 1e9, "ONNX nodes")
    ada, hopper = sheet_roofs("RTX 4090"), sheet_roofs("H200 SXM")
    cores = [
        Cores("fp16", "tensor core", "fp16"),
        Cores("fp16", "tensor core", "fp32"),
        Cores("int8", "tensor core", "int32"),
        Cores("fp8", "tensor core", "fp32"),
    ]
    found = [roof_of(work, one, gpu).compute_ms for gpu in (ada, hopper) for one in cores]
    rates = [330.3, 165.15, 660.6, 330.3, 989.4, 989.4, 1978.9, 1978.9]
    assert found == [pytest.approx(1000 / rate, rel=0.001) for rate in rates]
    assert roof_of(work, cores[0], hopper).memory_ms == pytest.approx(1000 / 4800)


def test_a_rate_that_is_not_known_leaves_the_roof_unknown() -> None:
    """INT8 on CUDA cores has no rate in the table: nothing is put in its place."""
    found = roof_of(Work(0, 1e12, 0.0, 1e9, "ONNX nodes"), Cores("int8", "cuda core", None), sheet_roofs("H200 SXM"))
    assert found.roof_ms is None
    assert "INT8 on cuda cores" in (found.reason or "")


def test_what_states_no_cores_has_the_fastest_roof_and_says_so() -> None:
    """The least time stays the least; in FP32 that is TF32 on tensor cores."""
    found = roof_of(Work(0, 1e12, 0.0, 1e6, "ONNX nodes"), Cores("fp32", None, None), sheet_roofs("H200 SXM"))
    assert found.compute_ms == pytest.approx(1000 / 494.7, rel=0.001)
    assert found.slower_ms == pytest.approx(1000 / 66.91, rel=0.001)
    assert "TF32 on tensor cores" in (found.reason or "")


def test_the_whole_is_said_in_a_sentence() -> None:
    """The share that the work needs, and what is recoverable where."""
    text = verdict(split_of("resnet50-fp16-traced"))
    assert text.startswith(
        "Of 515 µs that an inference takes, its work needs 21.8 % on NVIDIA H200 at the types that run (FP16)"
    )
    assert "6.75 µs launches and gaps" in text


def test_the_bars_are_the_longest_parts() -> None:
    """Sorted, split, and what is not drawn is told."""
    figure = CHARTS["bound"].draw(engine("resnet50-fp16-traced"))
    split = split_of("resnet50-fp16-traced")
    widths = [sum(sizes) for sizes in zip(*(bar.x for bar in figure.data), strict=True)]
    assert widths == [pytest.approx(1000 * part.time_ms, abs=1e-4) for part in split.parts[: len(widths)]]
    assert f"{len(split.parts) - len(widths)} shorter ones" in figure.layout.xaxis.title.text


def test_why_says_what_limits_a_layer() -> None:
    """The limit with its evidence, as the view has it."""
    run = engine("resnet50-fp16-traced")
    said = {row["layer"]: row for row in run.view("why").to_pylist() if row["verdict"] == "limit"}
    longest = run.view("bound").to_pylist()[0]
    assert (
        said[longest["layer"]]["text"] == f"Of an inference it takes 21.6 µs; memory limits it: {longest['evidence']}."
    )


@pytest.mark.parametrize(("l2_bytes", "is_above"), [(None, False), (60 << 20, False), (1 << 20, True)])
def test_a_cache_of_unknown_size_may_hold_the_data(l2_bytes: int | None, is_above: bool) -> None:
    """A layer faster than the memory shows an error only where its data are known not to fit."""
    work, cores = Work(0, 0.0, 0.0, 10e6, "ONNX nodes"), Cores("fp16", "cuda core", None)
    found = roof_of(work, cores, replace(sheet_roofs("H200 SXM"), l2_bytes=l2_bytes))
    assert limit_of(found, 1e-3, 0.0, Launched()).is_above == is_above


def test_time_of_layers_that_have_none_is_no_gap() -> None:
    """Where a layer that computes has no time, what the others leave of the inference is not known; else it is between them."""
    layers = [MadeLayer("a"), MadeLayer("b")]
    for profile, name in (({"a": 0.2}, UNTIMED), ({"a": 0.2, "b": 0.3}, GAPS)):
        split = last_split(MadeRun(layers, profile=profile, inference_ms=(1.0, 1.0)).run())
        assert split is not None
        (rest,) = [part for part in split.parts if part.index is None]
        assert rest.name == name
        assert rest.time_ms == pytest.approx(1.0 - sum(profile.values()))
        assert (split.launch_ms == 0) == (name == UNTIMED)


def test_only_what_a_neighbour_could_do_would_be_saved_by_fusing() -> None:
    """A copy of an input to an output has nobody to be fused with; beside a layer that reads what it writes it has."""
    copy = "Layer(Reformat): copy, Tactic: 0x00000000000003e8, x (Float[8,2,1024,1024]) -> y (Half[8,2,1024,1024])"
    other = copy.replace("copy", "next").replace("y (Half", "z (Half").replace("x (Float", "y (Half")
    for engine_of, needs in (((copy,), True), ((copy, other), False)):
        known = info_of({"kind": "profile", "gpu": {"name": "NVIDIA H200", "compute_capability": "9.0"}})
        run = run_of(log(*SELECTED, *GENERATED, *engine_of))
        times = {"index": [0], "layer": ["copy"], "average_ms": [0.03], "source": ["export"], "build": [1]}
        profile = {column.name: times.get(column.name, [None]) for column in TABLES["layer_profile"].columns}
        tables = {**{name: run[name] for name in run}, "layer_profile": TABLES["layer_profile"].table(profile)}
        split = last_split(replace(run, tables=with_captured_facts(tables, known), info=known))
        assert split is not None
        (part,) = [part for part in split.parts if part.index == 0]
        assert 0.02 < part.roof_ms < 0.022
        assert split.fusable_ms == (0.0 if needs else part.roof_ms)


def test_a_share_of_what_is_known_is_none_of_the_whole() -> None:
    """An engine that was built before has no ONNX model: of a Myelin region that takes 90 % of it the work is not known."""
    split = split_of("transformer-fp16-stream-traced")
    assert split.unknown_ms > 0.8 * split.inference_ms
    told = verdict(split)
    assert "is not known" in told
    assert "its work needs" not in told
    assert "its work needs 13.3 %" in verdict(split_of("transformer-fp16-traced"))
