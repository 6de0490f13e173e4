"""The gated model against numpy, and the typed model that is written against the gated one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from tests.plan.conftest import matrix, node, save, weight
from trtlens.capture.dumping.emulate import _Emulation
from trtlens.capture.dumping.reference import CpuModel
from trtlens.capture.models import model as models
from trtlens.capture.models.onnx_rewriting import infer_types
from trtlens.capture.planning.prepared import PlanRequest, prepare_search
from trtlens.capture.planning.typed_model import typed_proto, write_typed
from trtlens.capture.planning.typed_reading import read_typed
from trtlens.capture.planning.unit_graph import group_nodes
from trtlens.errors import TrtlensError
from trtlens.plan.bound import Bound

if TYPE_CHECKING:
    from pathlib import Path

    from trtlens.capture.planning.prepared import Prepared

BOUND = Bound("error", 1e-3)


def prepared(model: Path, low_type: str = "fp16", count: int = 3) -> Prepared:
    return prepare_search(PlanRequest(model, low_type, BOUND, count=count))


def choice(made: Prepared, *low: str) -> np.ndarray:
    """The units that hold these nodes."""
    return np.array([any(name in unit.nodes for name in low) for unit in made.network.units], bool)


def test_a_gate_rounds_what_a_unit_reads_holds_and_puts_out(tmp_path: Path) -> None:
    """Against numpy: with casts the input is rounded too, without them the weights and the output alone."""
    model = save(tmp_path / "m.onnx", [node("MatMul", "x w", "h"), node("Softmax", "h", "y")], [matrix("w", 5)])
    made = prepared(model)
    w = numpy_helper.to_array(onnx.load(model).graph.initializer[0])

    def softmax(values: np.ndarray) -> np.ndarray:
        powers = np.exp(values - values.max(axis=-1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=-1, keepdims=True))

    def half(values: np.ndarray) -> np.ndarray:
        return values.astype(np.float16).astype(np.float32)

    for casts in (True, False):
        noise = signal = 0.0
        for sample in made.samples.arrays:
            x = sample["x"]
            wanted = softmax(x @ w)
            found = softmax(half((half(x) if casts else x) @ half(w)))
            noise += float(np.square(found - wanted, dtype=np.float64).sum())
            signal += float(np.square(wanted, dtype=np.float64).sum())
        measured = made.emulator.damage(choice(made, "h"), casts=casts)
        assert measured == pytest.approx([noise / signal], rel=0.02)
    assert made.emulator.damage(choice(made)).tolist() == [0.0]


@pytest.mark.parametrize("low_type", ["fp16", "bf16"])
@pytest.mark.parametrize("low", [("a", "d"), ("b", "soft"), ("a", "b", "c", "joined", "d", "sum")])
def test_the_written_model_computes_what_was_emulated(cancelling: Path, low: tuple[str, ...], low_type: str) -> None:
    """Its error, node by node, is the emulated one, its inputs and outputs stay in FP32, and onnx's checker takes it."""
    made = prepared(cancelling, low_type)
    units = choice(made, *low)
    proto = typed_proto(made.typed, made.low_nodes(units), low_type)
    assert {info.type.tensor_type.elem_type for info in (*proto.graph.input, *proto.graph.output)} == {1}
    kinds = {numpy_helper.to_array(one).dtype.name for one in proto.graph.initializer}
    assert {"fp16": "float16", "bf16": "bfloat16"}[low_type] in kinds
    assert node_by_node(made, proto, low_type) == pytest.approx(np.sqrt(made.emulator.damage(units)[0]), rel=1e-3)


def node_by_node(made: Prepared, proto: Any, low_type: str) -> float:
    """The error of a typed model, each node run alone and rounded as `trtlens dump --emulate` does it."""
    infer_types(proto)
    noise = signal = 0.0
    for sample in made.samples.arrays:
        wanted = CpuModel(made.typed.proto)(sample)["y"]
        for _, _, outputs in _Emulation(proto, dict(sample), low_type).steps():
            if "y" in outputs:
                found = outputs["y"][0]
        noise += float(np.square(found - wanted, dtype=np.float64).sum())
        signal += float(np.square(wanted, dtype=np.float64).sum())
    return float(np.sqrt(noise / signal))


def test_units_are_what_is_fused(tmp_path: Path) -> None:
    """SiLU goes with its convolution, a norm spelled out is one unit, a residual joins nothing, a reshape its maker."""
    nodes = [
        node("MatMul", "x w", "p"), node("Add", "p b", "biased"), node("Sigmoid", "biased", "gate"), node("Mul", "biased gate", "silu"),
        node("Add", "silu x", "residual"),
        node("ReduceMean", "residual", "mean", axes=[-1]), node("Sub", "residual mean", "centred"), node("Pow", "centred two", "square"),
        node("ReduceMean", "square", "variance", axes=[-1]), node("Sqrt", "variance", "root"), node("Div", "centred root", "normed"),
        node("Transpose", "normed", "turned", perm=[0, 1]), node("Softmax", "turned", "y"),
    ]  # fmt: skip
    weights = [matrix("w", 1), weight("b", np.ones(64)), weight("two", 2.0)]
    groups = group_nodes(read_typed(save(tmp_path / "m.onnx", nodes, weights), "fp16"))
    assert [" ".join(one.name for one in group) for group in groups] == [
        "p biased gate silu", "residual", "mean centred square variance root normed turned", "y",
    ]  # fmt: skip


def test_what_fp16_cannot_hold_stays(overflowing: Path, tmp_path: Path) -> None:
    """The norm whose square overflows, with the scale that would cure it; a weight that FP16 flushes; BF16 takes both."""
    made = prepared(overflowing)
    kept = {unit.nodes[0]: unit for unit in made.network.units if unit.keeps is not None}
    assert list(kept) == ["square"]
    assert "65504" in (kept["square"].keeps or "")
    assert "divide" in (kept["square"].remedy or "")
    assert all(unit.keeps is None for unit in prepared(overflowing, "bf16").network.units)
    tiny = save(tmp_path / "tiny.onnx", [node("MatMul", "x w", "y")], [matrix("w", 1, 1e-8)])
    [unit] = prepared(tiny).network.units
    assert "flushed" in (unit.keeps or "")


def test_control_flow_stays_in_fp32(branching: Path) -> None:
    """The If is no unit's, what it reads is cast for it, and the written model runs as it was emulated."""
    made = prepared(branching)
    keeps = {unit.nodes[0]: unit.keeps for unit in made.network.units}
    assert "control flow" in (keeps["chosen"] or "")
    units = choice(made, "h", "most", "y")
    proto = typed_proto(made.typed, made.low_nodes(units), "fp16")
    assert node_by_node(made, proto, "fp16") == pytest.approx(np.sqrt(made.emulator.damage(units)[0]), rel=1e-3)


def test_models_that_cannot_be_planned_are_refused(plain: Path, tmp_path: Path) -> None:
    """FP16 already, quantized, no floating output, not finite in FP32, an engine, no model: each says what to do."""
    half = onnx.load(plain)
    half.graph.input[0].type.tensor_type.elem_type = 10
    onnx.save(half, str(tmp_path / "half.onnx"))
    quantized = save(
        tmp_path / "q.onnx",
        [node("QuantizeLinear", "x s", "q"), node("DequantizeLinear", "q s", "y")],
        [weight("s", 0.1)],
    )
    infinite = save(tmp_path / "inf.onnx", [node("MatMul", "x w", "h"), node("Log", "h", "y")], [matrix("w", 1)])
    (tmp_path / "e.plan").write_bytes(b"ftrt")
    (tmp_path / "none.onnx").write_bytes(b"")
    for path, said in (
        (tmp_path / "half.onnx", "holds FP16"),
        (quantized, "is quantized"),
        (infinite, "NaN or infinite in FP32 already"),
        (tmp_path / "e.plan", "is an engine"),
        (tmp_path / "none.onnx", "is empty"),
        (tmp_path / "absent.onnx", "not a file"),
    ):
        with pytest.raises(TrtlensError, match=said):
            prepared(path)


def test_models_beyond_what_one_file_holds(cancelling: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the limit of protobuf set to nothing: measured as before, and written with the weights in a file beside the model."""
    one = prepared(cancelling)
    monkeypatch.setattr(models, "_INLINE_LIMIT_BYTES", 0)
    other = prepared(cancelling)
    low = choice(one, "a", "b")
    assert one.emulator.damage(low) == pytest.approx(other.emulator.damage(low))
    write_typed(typed_proto(other.typed, other.low_nodes(low), "fp16"), tmp_path / "typed.onnx")
    assert (tmp_path / "typed.onnx.data").stat().st_size > 5 * 64 * 64 * 2
    assert prepared(cancelling).ranges.shapes == one.ranges.shapes


def test_weights_in_other_files_are_read(cancelling: Path, tmp_path: Path) -> None:
    """A model with external data is planned as the same model without."""
    outside = tmp_path / "outside"
    outside.mkdir()
    onnx.save_model(
        onnx.load(cancelling), str(outside / "m.onnx"), save_as_external_data=True, location="w.bin", size_threshold=0
    )
    one, other = prepared(cancelling), prepared(outside / "m.onnx")
    low = choice(one, "a", "b")
    assert one.emulator.damage(low) == pytest.approx(other.emulator.damage(low))
