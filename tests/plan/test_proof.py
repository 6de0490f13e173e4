"""Plans proved by builds: a stand-in for TensorRT, TensorRT-RTX itself, and times from the logs of builds."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.capture.conftest import MODELS
from trtlens import open_run
from trtlens.capture.backends.backend import find_backend, gpu_present
from trtlens.capture.build_options import parse_options
from trtlens.capture.planning.engine_types import check_types_of
from trtlens.capture.planning.planning import Judging, Planned, make_plan
from trtlens.capture.planning.prepared import PlanRequest
from trtlens.capture.planning.proof import Measured, TensorRTProver, prove
from trtlens.capture.progress import silent
from trtlens.errors import TrtlensError
from trtlens.plan.bound import Bound
from trtlens.plan.document import read_plan
from trtlens.plan.estimates import estimated_costs
from trtlens.plan.network import Boundary, Network, Unit
from trtlens.plan.tuner_times import LayerTimes, LogTimes, price, read_times

if TYPE_CHECKING:
    from pathlib import Path

    from trtlens_parsers.saved_plan import PlannedUnit

ENCODER = MODELS / "tiny_encoder.onnx"


def planned(model: Path, out: Path, limit: float) -> Planned:
    return make_plan(PlanRequest(model, "fp16", Bound("error", limit), count=2), Judging(), out, silent)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Planned:
    """A plan of an encoder with units of both types, which tests change copies of alone."""
    return planned(ENCODER, tmp_path_factory.mktemp("plan") / "p.json", 5e-4)


@dataclass
class Engines:
    """A TensorRT whose engines have the emulated error times `factor`, and whose layers take `full` and `low` by their first node."""

    factor: float
    full_ms: float = 1.0
    low_ms: float = 0.4
    can_run: bool = True
    built: list[Any] = field(default_factory=list)

    def build(self, plan: Path, folder: Path, _progress: Any) -> tuple[Path, Path]:
        """Keep the plan."""
        self.built.append(read_plan(plan))
        return plan, folder

    def measure(self, current: Planned, built: tuple[Path, Path], _progress: Any) -> Measured:
        """The emulated error and the layers' times, as this TensorRT has them."""
        low = current.found.best.low
        damage = self.factor**2 * current.prepared.emulator.damage(low)
        time_ms = float(np.where(low, self.low_ms, self.full_ms).sum())
        return Measured(built[1], time_ms, time_ms * 0.99, time_ms * 1.01, damage)

    def times(self, folder: Path, low_type: str) -> LogTimes:
        """Both times of every unit of the last plan."""
        units = self.built[-1].units
        layers = tuple(LayerTimes(unit.nodes, {"fp32": self.full_ms, low_type: self.low_ms}) for unit in units)
        return LogTimes(folder.name, layers, {}, None)


def test_an_engine_that_holds_ends_the_proof(cancelling: Path, tmp_path: Path) -> None:
    """The second build has the first one's times, is as fast as predicted, and the plan says what was measured."""
    engines = Engines(1.2)
    proved = prove(planned(cancelling, tmp_path / "p.json", 0.1), engines, tmp_path / "proof", 4, silent)
    assert len(engines.built) <= 2
    assert proved.plan.time_is == "measured"
    assert not proved.plan.time_is_weight
    low = proved.found.best.low
    assert proved.plan.time_ms == pytest.approx(float(np.where(low, 0.4, 1.0).sum()))
    assert proved.plan.fp32_ms == pytest.approx(len(low) * 1.0 + proved.found.model.costs.rest_ms)
    assert {(unit.fp32_ms, unit.low_ms) for unit in proved.plan.units} == {(1.0, 0.4)}
    assert (proved.plan.proof or {})["builds"][0]["predicted_ms"] is None
    assert "Proved in" in (proved.plan.proof or {})["sentence"]
    assert all(row["holds"] for row in (proved.plan.proof or {})["builds"])


def test_an_engine_beyond_the_bound_is_planned_again(encoder: Planned, tmp_path: Path) -> None:
    """An error twice the emulated one needs a stricter plan; what held at last is within the bound."""
    engines = Engines(2.0)
    assert encoder.found.best.low.any()
    proved = prove(encoder, engines, tmp_path / "proof", 4, silent)
    rows = (proved.plan.proof or {})["builds"]
    assert not rows[0]["holds"]
    assert rows[-1]["holds"]
    assert rows[-1]["measured"] <= 5e-4
    assert len(rows) <= 4
    assert proved.plan.holds
    assert len({tuple(unit.type for unit in plan.units) for plan in engines.built}) == len(engines.built)


def test_no_engine_that_holds_is_said(encoder: Planned, tmp_path: Path) -> None:
    """One build, beyond the bound: not proved, and the plan does not claim to hold."""
    proved = prove(encoder, Engines(50.0), tmp_path / "proof", 1, silent)
    assert not proved.plan.holds
    assert "Not proved" in (proved.plan.proof or {})["sentence"]
    assert proved.plan.time_is == "predicted"


@pytest.mark.skipif(importlib.util.find_spec("tensorrt_rtx") is None, reason="tensorrt_rtx is not installed")
@pytest.mark.skipif(gpu_present(), reason="with a GPU, RTX builds for that one, which it may not support")
def test_rtx_builds_what_was_planned(encoder: Planned, tmp_path: Path) -> None:
    """On the CPU: all layers have the plan's types, and a plan that says otherwise of a unit is found out."""
    prover = TensorRTProver(ENCODER, find_backend("tensorrt_rtx"), parse_options({"fp16": True}))
    assert {unit.type for unit in encoder.plan.units} == {"fp16", "fp32"}
    proved = prove(encoder, prover, tmp_path / "proof", 2, silent)
    [row] = (proved.plan.proof or {})["builds"]
    assert row["agree"] >= 8
    assert row["differ"] == []
    assert "not measured" in (proved.plan.proof or {})["sentence"]

    def other(unit: PlannedUnit) -> PlannedUnit:
        turned = "fp16" if unit.type == "fp32" else "fp32"
        return replace(unit, type=turned) if "attention/query/MatMul" in unit.nodes else unit

    wrong = replace(proved.plan, units=tuple(map(other, proved.plan.units)))
    assert check_types_of(open_run(tmp_path / "proof" / "1"), wrong).differ


# -- times from logs ---------------------------------------------------------------------------------------------------


def network() -> Network:
    """Four units; the first two are one layer of a log, the last is none."""
    return Network(
        tuple(Unit((f"n{place}",), ("Conv",), products=1e6, moved=1e6 * (place + 1)) for place in range(4)),
        tuple(Boundary(f"t{place}", place, (place + 1,), leaves=False, elements=1e6) for place in range(3)), ("o",),
    )  # fmt: skip


def test_units_have_the_times_of_their_layers() -> None:
    """A layer's time is divided among its units, casts are the log's, and what no log tells is estimated at its scale."""
    layers = (LayerTimes(("n0", "n1"), {"fp32": 3.0, "fp16": 1.5}), LayerTimes(("n2",), {"fp32": 2.0, "fp16": 1.0}))
    priced = price(network(), [LogTimes("log", layers, {"t1": 0.25, "t2": 0.35}, None)], "fp16")
    guess = estimated_costs(network(), "fp16")
    assert priced.costs.full_ms[:2].sum() == pytest.approx(3.0)
    assert priced.costs.full_ms[1] > priced.costs.full_ms[0]
    assert priced.costs.low_ms[2] == 1.0
    assert priced.costs.cast_ms[1:].tolist() == [0.25, 0.35]
    assert priced.costs.cast_ms[0] == pytest.approx(guess.cast_ms[0] * 0.3 / guess.cast_ms[1])
    scale = np.median(priced.costs.full_ms[:3] / guess.full_ms[:3])
    assert priced.costs.full_ms[3] == pytest.approx(guess.full_ms[3] * scale)
    assert not priced.costs.is_weight
    assert "1 of 4 units" in priced.notes[0]
    assert price(network(), [], "fp16").costs.is_weight
    with pytest.raises(TrtlensError, match="times no node of the model"):
        price(network(), [LogTimes("other", (LayerTimes(("elsewhere",), {"fp32": 3.0}),), {}, None)], "fp16")


def test_two_builds_of_one_type_each_price_both() -> None:
    """As of strongly typed networks: an FP32 build and an FP16 build."""
    logs = [
        LogTimes(kind, tuple(LayerTimes((f"n{place}",), {kind: value}) for place in range(4)), {}, None)
        for kind, value in (("fp32", 2.0), ("fp16", 0.5))
    ]
    priced = price(network(), logs, "fp16")
    assert priced.costs.full_ms.tolist() == [2.0] * 4
    assert priced.costs.low_ms.tolist() == [0.5] * 4
    assert not priced.notes


def test_one_fp16_build_prices_both_types() -> None:
    """The captured ResNet-50 in FP16: each layer with work in both types, casts by tensor; the sum is the inference's time."""
    run = open_run(MODELS.parent / "h200" / "resnet50-fp16")
    times = read_times(run, "fp16")
    assert len(times.layers) == 57
    assert all({"fp32", "fp16"} <= set(layer.times_ms) for layer in times.layers)
    assert sum(layer.times_ms["fp16"] for layer in times.layers) == pytest.approx(0.5084, rel=0.01)
    assert times.casts_ms["/maxpool/MaxPool_output_0"] == pytest.approx(0.00496, rel=0.01)
    assert json.dumps(times.groups[0]) == '["/conv1/Conv", "/relu/Relu"]'
