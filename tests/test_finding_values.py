"""Findings in full: which layer comes first, what is counted, and where one severity ends and the next begins."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.doubles.made_logs import (
    FLOAT,
    FLOAT_KERNEL,
    INT8,
    INT8_ID,
    INT8_KERNEL,
    WORKSPACE_BUILD,
    chose,
    header,
    line_of,
    run_of,
    runner,
    tactic,
)
from tests.doubles.made_runs import MadeLayer, MadeRun
from tests.golden.inputs import opened
from tests.test_findings import FLOAT_CONV, INT8_CONV, TF32_KERNEL, build, found, tuned
from trtlens.engine.engine_graph import GraphLayer
from trtlens.explain.tensor_cores import channels_of
from trtlens.tables.engine_layers import Tensor
from trtlens.views.why import rank

if TYPE_CHECKING:
    from trtlens.runs.run import Run

SKIPPED = "Tactic: 0x0000000000000004 skipped. Scratch requested: 7527202816, available: 1073741824"
NO_FP16 = "FP32 and INT8 precisions have been specified - more performance might be enabled by additionally specifying --fp16 or --best"


def two_layers(fp32_ms: float, int8_ms: float, *said: str) -> Run:
    """A layer in FP32 and one in INT8."""
    return build(
        *said, *tuned("conv", f"{FLOAT} -> {FLOAT}", (FLOAT_KERNEL, 0x55, fp32_ms)),
        *tuned("other", f"{INT8} -> {INT8}", (INT8_KERNEL, INT8_ID, int8_ms)),
        engine=(FLOAT_CONV, INT8_CONV.replace("conv", "other")),
    )  # fmt: skip


@pytest.mark.parametrize(("fp32_ms", "severity"), [(0.0625, "high"), (0.05, "high"), (0.03, "medium")])
def test_layers_in_fp32_weigh_heavily_from_a_twentieth_of_the_time_on(fp32_ms: float, severity: str) -> None:
    """A share of 5 % is enough, one of 3 % is not."""
    row = found(two_layers(fp32_ms, 1 - fp32_ms, f"[11/20/2026-22:01:25] [I] {NO_FP16}"))["int8-without-fp16"]
    assert row["severity"] == severity


def test_layers_without_scales_stand_in_the_order_of_their_time() -> None:
    """The most costly first, in the evidence as in the list of layers."""
    message = "Missing scale and zero-point for tensor y, expect fall back to non-int8 implementation for any layer consuming it"
    times = {"quick": 0.01, "slow": 0.04, "middle": 0.02}
    run = build(
        f"[11/20/2026-22:01:26] [W] [TRT] {message}",
        *(row for name, ms in times.items() for row in tuned(name, f"{FLOAT} -> {FLOAT}", (FLOAT_KERNEL, 0x55, ms))),
        engine=tuple(FLOAT_CONV.replace("conv,", f"{name},") for name in times),
    )
    row = found(run)["missing-scales"]
    assert row["layers"] == ["slow", "middle", "quick"]
    assert [text.partition(": ")[2].partition(" ")[0] for text in row["evidence"][1:]] == row["layers"]
    assert row["at_stake_high_ms"] == pytest.approx(0.07)


def test_missing_scales_without_times_are_counted() -> None:
    """Two messages of two tensors are two; without a time nothing is at stake, and the severity is medium."""
    said = "Missing scale and zero-point for tensor {}, expect fall back to non-int8 implementation for any layer consuming it"
    messages = [f"[11/20/2026-22:01:26] [W] [TRT] {said.format(name)}" for name in ("y", "x")]
    row = found(build(*messages, engine=(FLOAT_CONV,)))["missing-scales"]
    assert row["text"].startswith("2 messages say that an INT8 scale is missing, for 2 tensors")
    assert (row["severity"], row["at_stake_ms"]) == ("medium", None)


def test_tf32_layers_are_counted_with_what_fp32_would_take() -> None:
    """Two layers run TF32, and for one of them FP32 has a time."""
    run = build(
        *tuned("conv", f"{FLOAT} -> {FLOAT}", (TF32_KERNEL, 0x55, 0.02), (FLOAT_KERNEL, 0x56, 0.0663)),
        *tuned("other", f"{FLOAT} -> {FLOAT}", (TF32_KERNEL, 0x55, 0.03)),
        engine=(FLOAT_CONV, FLOAT_CONV.replace("conv,", "other,")),
    )
    row = found(run)["tf32-in-fp32"]
    assert row["title"] == "2 layers of an FP32 build compute in TF32"
    assert row["text"].endswith("the fastest FP32 kernels of 1 of them would take 46.3 µs more.")


def test_the_tactic_that_asks_for_most_workspace_comes_first() -> None:
    """Whatever the order in which they were skipped."""
    larger = SKIPPED.replace("0004", "0005").replace("7527202816", "8589934592")
    text = WORKSPACE_BUILD.replace(SKIPPED, f"{SKIPPED}\n[11/20/2026-22:01:26] [V] [TRT] {larger}")
    row = found(run_of(text))["workspace-limit"]
    assert "2 tactics of 1 layer skipped; the largest asks for 8.00 GiB" in row["text"]
    assert row["lines"][:2] == [line_of(text, "8589934592"), line_of(text, "7527202816")]


@pytest.mark.parametrize(("there_ms", "text"), [(0.02, "3.78 µs less in 1 layer"), (0.02378, "0 µs less in 0 layers")])
def test_layers_are_counted_that_the_other_runs_workspace_makes_faster(there_ms: float, text: str) -> None:
    """A tactic that takes as long as what runs makes no layer faster."""
    more = WORKSPACE_BUILD.replace(SKIPPED, f"Tactic: 0x0000000000000004 Time: {there_ms}")
    row = found(run_of(WORKSPACE_BUILD), run_of(more))["workspace-limit"]
    assert row["evidence"][-1].endswith(f"{text} by its tuner's times")


def test_the_myelin_region_that_holds_most_is_named() -> None:
    """Of two regions without times the one with more of the model's nodes, whichever comes first."""
    regions = {"{ForeignNode[a...b]}": 2, "{ForeignNode[c...f]}": 4, "{ForeignNode[g...i]}": 3}
    told = [
        f"ForeignNode {name} metadata: " + "\x1e".join(f"[ONNX Layer: {name}{n}]" for n in range(count))
        for name, count in regions.items()
    ]
    row = found(build(*told, engine=tuple(
        f"Layer(Myelin): {name}, Tactic: 0x0000000000000000, x (Half[8,512,7,7]) -> y (Half[8,512,7,7])" for name in regions
    )))["myelin-hides-layers"]  # fmt: skip
    assert row["evidence"][0].endswith("{ForeignNode[c...f]}: one layer of type Myelin")
    assert row["evidence"][1] == "it contains 4 nodes"


def convolution(inputs: int, outputs: int, groups: int | None) -> GraphLayer:
    def tensor(channels: int) -> tuple[Tensor, ...]:
        return (Tensor("t", "fp16", (8, channels, 7, 7)),)

    row: dict[str, Any] = {"parameters": None if groups is None else f'{{"Groups": {groups}}}'}
    return GraphLayer(row, tensor(inputs), tensor(outputs))


@pytest.mark.parametrize(
    ("channels", "groups", "expected"),
    [((6, 8), None, (6, 8)), ((6, 8), 2, (3, 4)), ((6, 8), 4, None), ((8, 6), 4, None), ((6, 8), 0, None)],
)
def test_channels_of_a_group(channels: tuple[int, int], groups: int | None, expected: tuple[int, int] | None) -> None:
    """Input and output channels, each divided by the groups; unknown where one is no multiple of them."""
    assert channels_of(convolution(*channels, groups)) == expected


def test_a_tie_is_no_gain() -> None:
    """Where another tactic takes exactly as long as the one that runs, nothing was faster."""
    run = build(
        header(f"{FLOAT} -> {FLOAT}"), runner("conv"), tactic(f"{FLOAT_KERNEL}_b", 0x56, 0.0663), tactic(FLOAT_KERNEL, 0x55, 0.0663),
        chose(0x55), engine=(FLOAT_CONV,),
    )  # fmt: skip
    (row,) = rank(run).to_pylist()
    assert (row["verdict"], row["regret_ms"], row["reason"]) == ("fastest", 0.0, "nothing timed for it was faster")


def test_the_myelin_region_that_takes_longest_is_named() -> None:
    """With times these decide, however many nodes another region holds."""
    slow, wide = (
        MadeLayer("slow", type="Myelin", nodes=("a", "b")),
        MadeLayer("wide", type="Myelin", nodes=("c", "d", "e", "f")),
    )
    for layers, times in (((slow, wide), (0.75, 0.25)), ((wide, slow), (0.25, 0.75))):
        run = MadeRun(layers, np.repeat(np.array(times)[:, None], 40, axis=1)).run()
        (row,) = (row for row in run.view("findings").to_pylist() if row["code"] == "myelin-hides-layers")
        assert "slow" in row["text"]
        assert "wide" not in row["text"]


def test_layers_that_were_pinned_are_told_by_run_json() -> None:
    """The ten convolutions that the pattern names run in TF32; the classifier does so of itself and is not among them; without the flag nothing is found."""
    run = opened("h200/resnet50-fp16-pinned")
    row = found(run)["layers-pinned"]
    assert len(row["layers"]) == 10
    assert all(name.startswith("/layer4") for name in row["layers"])
    assert (row["at_stake_ms"], row["at_stake_low_ms"]) == (
        None,
        0.0,
    )  # the GPU waits: a faster kernel may gain nothing
    bare = replace(
        run, info=replace(run.info, flags={"fp16": True, "layer_precision": {"match:(": "fp32", "Pad": "fp32"}})
    )
    assert "layers-pinned" not in found(bare)
    operator = replace(run, info=replace(run.info, flags={"fp16": True, "layer_precision": {"Gemm": "fp32"}}))
    assert found(operator)["layers-pinned"]["layers"] == ["/fc/Gemm"]
