"""Whose an error is: planted faults of a compiler and of the precision told apart, real engines' dumps, thresholds, the command."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.accuracy.conftest import FIXTURES, MODELS, needs_runtime, save_npz
from tests.schemas import fits
from trtlens.accuracy.local_errors import OK, PRECISION, SUSPECT, UNCLEAR, RegionRun, local_error, noise_over_signal
from trtlens.accuracy.tensors import InMemory, Tensor

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from tests.accuracy.conftest import Typed

EXACT = np.random.default_rng(3).normal(size=(6, 8, 8))
TOLD = {
    "convolutions: output dead": "the output is dead",
    "convolutions: bias dropped": "everywhere alike",
    "residual: addition dropped": "it leaves x out",
    "residual: reads the block before": "it reads x in the place of t0",
    "residual: some channels lost": "4 of 12 slices of axis 1 hold it: 8 to 11",
    "encoder: keys not transposed": "it reads k with axes 1 and 2 exchanged",
    "encoder: values read from keys": "it reads k in the place of v",
    "separable: range clipped": "it is clipped at 2",
    "gated: gate dropped": "it is a copy of a",
    "gated: halves exchanged": "it reads x and h in each other's place",
    "head: not transposed": "its axes in another order",
}


@needs_runtime
@pytest.mark.parametrize("place", range(6))
def test_a_healthy_network_is_not_suspected(place: int) -> None:
    """An engine that only rounds errs by itself less than its types explain, in every region."""
    from tests.accuracy.planted_faults import HEALTHY, Planted, judged

    network = HEALTHY[place](1)
    assert {row["verdict"] for row in judged(Planted(network.name, network, network))} == {OK}


@needs_runtime
@pytest.mark.parametrize("place", [0, 1, 3])
def test_an_engine_in_int8_is_judged_by_its_scales(place: int) -> None:
    """Calibrated convolutions err as their ranges explain; without the ranges there is no verdict; a fault in INT8 is suspect."""
    from tests.accuracy.planted_faults import HEALTHY, compiler_faults, in_int8, judged

    healthy = in_int8(HEALTHY[place](1))
    assert {row["verdict"] for row in judged(healthy)} <= {OK, PRECISION}
    rows = judged(replace(healthy, scales={}))
    assert {row["verdict"] for row in rows} == {None}
    assert "ranges of its INT8 tensors" in rows[0]["detail"]
    fault = next(
        one
        for one in compiler_faults()
        if one.name == ("convolutions: pads shifted", "residual: subtracts", "", "separable: groups mixed")[place]
    )
    verdicts = [row["verdict"] for row in judged(replace(healthy, engine=fault.engine))]
    assert verdicts.count(SUSPECT) + verdicts.count(UNCLEAR) == 1


@needs_runtime
@pytest.mark.parametrize("name", TOLD)
def test_a_fault_of_a_compiler_is_suspected_where_it_is(name: str) -> None:
    """One region is suspect, with what is wrong; the others are fed wrong values and do right by them."""
    from tests.accuracy.planted_faults import compiler_faults, judged

    planted = next(one for one in compiler_faults() if one.name == name)
    suspects = [row for row in judged(planted) if row["verdict"] != OK]
    assert [row["verdict"] for row in suspects] == [SUSPECT]
    assert TOLD[name] in suspects[0]["detail"]


@needs_runtime
@pytest.mark.parametrize("kind", ["overflow", "cancellation", "subnormal", "short range", "long sum"])
def test_a_fault_of_the_precision_is_nobodys_else(kind: str) -> None:
    """The output is wrong by a hundredth or more, or not finite, and no region is suspect."""
    from tests.accuracy.planted_faults import engine_dump, judged, precision_faults, reference_dump

    planted = next(one for one in precision_faults() if one.name == f"{kind} 1")
    last = planted.engine.kept[-1]
    engine, exact = (
        dump.tensors[last].array().astype(np.float64) for dump in (engine_dump(planted), reference_dump(planted))
    )
    assert not np.isfinite(engine).all() or noise_over_signal(engine, exact) > 0.01
    verdicts = {row["verdict"] for row in judged(planted)}
    assert verdicts <= {OK, PRECISION}
    assert (PRECISION in verdicts) == (kind != "cancellation"), "what cancels magnifies the rounding of another region"


@needs_runtime
@pytest.mark.parametrize(
    ("model", "tensor", "least"),
    [("overflowing_rms_norm", "norm/pow_output", None), ("subnormal_weights", "tiny/MatMul_output", 0.2)],
)
def test_real_engines_err_by_their_precision(model: str, tensor: str, least: float | None, typed: Typed) -> None:
    """Engines of TensorRT 8.6 on an H200 whose faults are FP16's: one region, and nothing suspect."""
    folder = FIXTURES / "h200-dumps"
    code, out, err = typed(
        "accuracy", folder / f"{model}-reference", folder / f"{model}-held", "--blame", "--fail", "--model", MODELS / f"{model}.onnx", "--format", "json"
    )  # fmt: skip
    assert code == 0, err
    worst = [row for row in fits("accuracy A B --blame", out) if row["verdict"] != OK]
    assert [(row["tensor"], row["verdict"]) for row in worst] == [(tensor, PRECISION)]
    assert (worst[0]["error"] is None) == (least is None)
    assert least is None or worst[0]["error"] > least


def region(
    engine: NDArray[Any], emulated: NDArray[Any], *, sums: float = 0.0, others: Mapping[str, Tensor] | None = None
) -> RegionRun:
    """A region in FP16 whose exact output is `EXACT`."""
    return RegionRun("y", "fp16", {}, engine, EXACT, emulated, sums, lambda _: EXACT, others or {})


def off(share: float) -> NDArray[np.float64]:
    """The exact output with noise of that share of the signal."""
    noise = np.random.default_rng(4).normal(size=EXACT.shape)
    return EXACT + noise * share * np.sqrt(np.square(EXACT).sum() / np.square(noise).sum())


@pytest.mark.parametrize(
    ("error", "emulated", "sums", "verdict"),
    [
        (0.02, 0.0051, 0.0, PRECISION), (0.02, 0.0049, 0.0, UNCLEAR), (0.02, 0.0007, 0.0, UNCLEAR), (0.02, 0.00066, 0.0, SUSPECT),
        (0.02, 0.0, 0.0, SUSPECT), (0.02, 0.0, 0.0051, PRECISION), (0.0099, 0.0004, 0.0, OK), (0.0099, 0.0003, 0.0, SUSPECT),
        (0.0009, 0.0, 0.0, OK),
    ],
)  # fmt: skip
def test_verdicts_follow_what_the_types_explain(error: float, emulated: float, sums: float, verdict: str) -> None:
    """Four and thirty times what the rounded region, or sums in FP16, err; half a unit in the last place at any rate."""
    found = local_error(region(off(error), off(emulated), sums=sums))
    assert found.verdict == verdict
    assert found.error == pytest.approx(error)
    assert found.explained == pytest.approx(max(emulated, sums, 2.0**-12))


def test_values_that_are_not_finite() -> None:
    """NaN is the precision's where rounding makes it too, suspect where nothing does, unclear where inputs hold it or sums come near."""
    broken = EXACT.copy()
    broken[0, 0, 0] = np.nan
    assert local_error(region(broken, broken)).verdict == PRECISION
    made = local_error(region(broken, EXACT))
    assert (made.verdict, made.error) == (SUSPECT, None)
    assert "NaN in 1 of 384 values made inside it of finite inputs" in made.detail
    fed = RegionRun("y", "fp16", {"x": broken}, broken, EXACT, EXACT, 0.0, lambda _: EXACT, {})
    assert local_error(fed).verdict == UNCLEAR
    large = RegionRun("y", "fp16", {}, broken * 2e4, EXACT * 2e4, EXACT * 2e4, 0.0, lambda _: EXACT, {})
    assert local_error(large).verdict == UNCLEAR


@pytest.mark.parametrize(
    ("engine", "told"),
    [
        (EXACT.swapaxes(1, 2), "axes 1 and 2 of the output are exchanged"),
        (1.5 * EXACT + 2, "it is 1.5 times the right result, and 2 added"),
        (np.clip(EXACT, None, 1), "it is clipped at 1"),
        (np.where(np.arange(8) < 2, 0, EXACT), "2 of 8 slices of axis 2 hold it: 0, 1"),
        (EXACT[::-1], "it errs everywhere alike"),
    ],
)
def test_what_a_wrong_output_looks_like(engine: NDArray[Any], told: str) -> None:
    """The form of the fault, where it can be told."""
    assert local_error(region(engine, EXACT)).detail.replace("1.50", "1.5") == told


def test_a_copy_of_another_tensor_is_told() -> None:
    """A stale buffer, of the same shape."""
    stale = np.random.default_rng(9).normal(size=EXACT.shape)
    others = {"z": Tensor("z", "fp64", stale.shape, InMemory(stale))}
    assert local_error(region(stale, EXACT, others=others)).detail == "it is a copy of z"


@needs_runtime
def test_the_command_asks_for_the_model(typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no dump tells where the model is, --model is asked for in one line."""
    for name in ("reference", "held"):
        shutil.copytree(FIXTURES / "h200-dumps" / f"subnormal_weights-{name}", tmp_path / name)
    monkeypatch.chdir(tmp_path)
    code, out, err = typed("accuracy", tmp_path / "reference", tmp_path / "held", "--blame")
    assert (code, out) == (2, "")
    assert "give --model MODEL.onnx" in err


@needs_runtime
def test_the_precision_of_a_foreign_dump_is_the_one_that_is_given(typed: Typed, tmp_path: Path) -> None:
    """An npz does not say what its engine ran in: without --precision there is no verdict, with it there is."""
    from trtlens.accuracy.readers import open_dump

    held = open_dump(FIXTURES / "h200-dumps" / "subnormal_weights-held")
    save_npz(tmp_path / "held.npz", {name: tensor.array() for name, tensor in held.tensors.items()})
    asked = ("accuracy", FIXTURES / "h200-dumps" / "subnormal_weights-reference", tmp_path / "held.npz", "--blame", "--model", MODELS / "subnormal_weights.onnx")  # fmt: skip
    verdicts = {}
    for more in ((), ("--precision", "fp16")):
        code, out, err = typed(*asked, "--format", "json", *more)
        assert code == 0, err
        verdicts[more] = {row["tensor"]: row["verdict"] for row in json.loads(out)}
    assert set(verdicts[()].values()) == {None}
    assert verdicts["--precision", "fp16"]["tiny/MatMul_output"] == PRECISION
