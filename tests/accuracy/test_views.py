"""The views of a comparison on a real engine: tensors joined to layers, precision and time, and what to keep in FP32."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.accuracy.conftest import FIXTURES
from tests.conftest import PRECISIONS, captured
from trtlens.errors import TrtlensError
from trtlens.runs.captured_tables import dump_tables, dumped_tensors, errors_table, onnx_nodes
from trtlens_parsers.dump_index import read_index

if TYPE_CHECKING:
    from trtlens.runs.run import Run

H200 = FIXTURES / "resnet50-h200"


@pytest.fixture(scope="module")
def engines() -> dict[str, Run]:
    """The FP32, FP16 and INT8 engine of the H200 fixtures with their layer times."""
    return {side: captured(side) for side in PRECISIONS}


def compared(run: Run, rows: list[dict[str, Any]]) -> Run:
    """The run with a comparison of those rows among its tables."""
    filled = [
        {"index": index, "status": "compared", "verdict": "ok", "first_wrong": False, **row}
        for index, row in enumerate(rows)
    ]
    return replace(run, tables={**run.tables, "tensor_errors": errors_table(filled, 1)})


def layers_of(run: Run) -> list[dict[str, Any]]:
    return [row for row in run.view("layers").to_pylist() if not row["is_reformat"]]


def test_tensors_find_their_layers_by_name_and_by_node(engines: dict[str, Run]) -> None:
    """An engine's own tensor is joined by its name, one that fusion took by the node that the layer holds."""
    run = engines["fp16"]
    outputs = [row for row in run["layer_tensors"].to_pylist() if row["direction"] == "output"]
    fused = next(row for row in run["layers"].to_pylist() if row["name"].count(" + ") == 2)
    first = fused["name"].split(" + ")[0]
    kept = next(row for row in outputs if row["layer_index"] == fused["index"])
    rows = (
        compared(
            run,
            [{"tensor": kept["name"], "producer": None}, {"tensor": "gone", "producer": first}, {"tensor": "nobody's"}],
        )
        .view("accuracy")
        .to_pylist()
    )
    assert [row["joined_by"] for row in rows] == ["tensor", "metadata", None]
    assert rows[0]["layer"] == rows[1]["layer"] == fused["name"]
    assert rows[0]["precision"] == "fp16"
    assert rows[0]["time_ms"] > 0
    assert rows[2]["layer"] is rows[2]["precision"] is rows[2]["time_ms"] is None


def test_every_output_of_a_computing_layer_is_joined_to_it(engines: dict[str, Run]) -> None:
    """All outputs of all three engines find the layer that makes them, the one with the kernel and not a reformat."""
    for run in engines.values():
        layers = {row["index"]: row for row in run["layers"].to_pylist()}
        outputs = {
            row["name"]: row["layer_index"]
            for row in run["layer_tensors"].to_pylist()
            if row["direction"] == "output" and not layers[row["layer_index"]]["is_reformat"]
        }
        rows = compared(run, [{"tensor": name} for name in outputs]).view("accuracy").to_pylist()
        assert {row["tensor"]: row["layer_index"] for row in rows} == outputs


def test_missing_tensors_stand_in_the_table_alone(engines: dict[str, Run]) -> None:
    """The view leaves out what only the reference has; refused tensors stay with their reason."""
    run = compared(
        engines["fp32"],
        [{"tensor": "a"}, {"tensor": "b", "status": "missing"}, {"tensor": "c", "status": "refused", "reason": "why"}],
    )
    rows = run.view("accuracy").to_pylist()
    assert [(row["tensor"], row["reason"]) for row in rows] == [("a", None), ("c", "why")]
    assert run["tensor_errors"].num_rows == 3


def test_views_of_a_run_without_dumps_are_empty(engines: dict[str, Run]) -> None:
    """A run that nobody compared has no rows, and every declared column."""
    for view in ("accuracy", "overflow", "pins"):
        table = engines["fp16"].view(view)
        assert table.num_rows == 0
        assert "build" in table.column_names


def test_pins_rank_by_error_for_each_millisecond(engines: dict[str, Run]) -> None:
    """With an FP32 run at hand each layer's cost is its FP32 time less its own, and the dearest error comes first."""
    run, fp32 = engines["fp16"], engines["fp32"]
    named = [row for row in layers_of(run) if row["precision"] == "fp16" and " + " in row["name"]][:6]
    rows = [
        {"tensor": f"t{i}", "producer": row["name"].split(" + ")[0], "error_added": 0.01 * (i + 1), "op": "Conv"}
        for i, row in enumerate(named)
    ]
    pins = compared(run, rows).view("pins", fp32=fp32).to_pylist()
    assert {pin["layer"] for pin in pins} == {row["name"] for row in named}
    known = [pin for pin in pins if pin["error_per_ms"] is not None]
    assert len(known) >= 3
    assert [pin["error_per_ms"] for pin in known] == sorted((pin["error_per_ms"] for pin in known), reverse=True)
    for pin in known:
        assert pin["cost_ms"] == pytest.approx(pin["fp32_ms"] - pin["time_ms"])
        assert pin["error_per_ms"] == pytest.approx(pin["error_added"] / pin["cost_ms"])
        assert pin["fp32_from"] == "run"
        assert pin["flags"].startswith("--layer-precision ")
        assert "=fp32" in pin["flags"]
    assert [pin["rank"] for pin in pins] == list(range(1, len(pins) + 1))


def test_pins_take_the_tuners_own_fp32_times(engines: dict[str, Run]) -> None:
    """Without an FP32 run the fastest FP32 candidate of the layer in the verbose log tells the cost."""
    run = engines["fp16"]
    rows = [
        {"tensor": f"t{i}", "producer": row["name"].split(" + ")[0], "error_added": 0.1, "op": "Conv"}
        for i, row in enumerate(layers_of(run))
        if row["precision"] == "fp16" and " + " in row["name"]
    ]
    pins = compared(run, rows).view("pins").to_pylist()
    tuned = [pin for pin in pins if pin["fp32_from"] == "tuner"]
    assert len(tuned) > 10
    candidates = [row for row in run["candidates"].to_pylist() if row["time_ms"] is not None]
    own = {row["layer"] for row in candidates}
    assert any(pin["layer"] not in own for pin in tuned)  # equal layers are timed once: the twin's times stand for them
    for pin in tuned:
        times = [
            row["time_ms"]
            for row in candidates
            if row["layer"] == pin["layer"] and row["precision"] in ("fp32", "tf32")
        ]
        chosen = [row["time_ms"] for row in candidates if row["layer"] == pin["layer"] and row["chosen"]]
        if pin["layer"] in own:
            assert pin["fp32_ms"] == min(times)
            assert [pin["time_ms"]] == chosen  # by the clock of fp32_ms, not that of the profile
        assert pin["cost_ms"] == pytest.approx(pin["fp32_ms"] - pin["time_ms"])


def test_pins_name_all_that_was_fused(engines: dict[str, Run]) -> None:
    """A layer that fused several nodes is held to FP32 by all of them; a cause that names others comes first."""
    layer = next(
        row
        for row in layers_of(engines["fp16"])
        if row["name"] == "/layer1/layer1.0/conv1/Conv + /layer1/layer1.0/relu/Relu"
    )
    rows = [{"tensor": "t", "producer": "/layer1/layer1.0/relu/Relu", "error_added": 0.1, "op": "Relu"}]
    (pin,) = compared(engines["fp16"], rows).view("pins").to_pylist()
    assert pin["layer"] == layer["name"]
    assert (
        pin["flags"]
        == "--layer-precision /layer1/layer1.0/conv1/Conv=fp32 --layer-precision /layer1/layer1.0/relu/Relu=fp32"
    )
    (pin,) = compared(engines["fp16"], [rows[0] | {"keep_fp32": ["/fc/Gemm"]}]).view("pins").to_pylist()
    assert pin["flags"] == "--layer-precision /fc/Gemm=fp32"


def test_pins_leave_fp32_layers_and_crumbs_out(engines: dict[str, Run]) -> None:
    """A layer in FP32 needs no pin, and one that adds a hundredth of the largest error is not worth one."""
    fp32_layer = next(
        row for row in layers_of(engines["fp32"]) if row["precision"] in ("fp32", "tf32") and " + " in row["name"]
    )
    rows = [{"tensor": "t", "producer": fp32_layer["name"].split(" + ")[0], "error_added": 0.5}]
    pins = compared(engines["fp32"], rows).view("pins").to_pylist()
    assert [pin["precision"] for pin in pins] in ([], ["tf32"])
    halves = [row for row in layers_of(engines["fp16"]) if row["precision"] == "fp16" and " + " in row["name"]][:2]
    rows = [
        {"tensor": f"t{i}", "producer": row["name"].split(" + ")[0], "error_added": error}
        for i, (row, error) in enumerate(zip(halves, (1.0, 0.001), strict=True))
    ]
    assert [pin["layer"] for pin in compared(engines["fp16"], rows).view("pins").to_pylist()] == [halves[0]["name"]]


def test_index_round_trips_through_the_tables() -> None:
    """What a dump.json says comes back from the tables as the same records."""
    ranges = {"minimum": -1.0, "maximum": 2.0, "largest": 2.0, "smallest": 0.5, "mean": 0.1, "rms": 1.0, "zeros": 1,
              "nan": 0, "inf": 2, "beyond": 0, "subnormal": 3, "flushed": 4}  # fmt: skip
    text = {
        "trtlens_dump": 1, "source": "onnxruntime", "label": "l", "precision": "fp32",
        "tensors": [
            {"name": "a", "role": "inner", "dtype": "fp32", "shape": [2, 3], "file": "tensors/a.npy", "producer": "n", "op": "O",
             "ranges": ranges},
            {"name": "b", "role": "output", "skipped": "why"},
        ],
        "nodes": [{"name": "n", "op": "O", "inputs": ["x", ""], "outputs": ["a"]}],
    }  # fmt: skip
    import json

    index = read_index(json.dumps(text))
    tables = dump_tables(index, 1)
    assert tuple(dumped_tensors(tables["dumps"])) == index.tensors
    assert tuple(onnx_nodes(tables["nodes"])) == index.nodes


def test_rows_of_the_wrong_type_are_refused() -> None:
    """A kept comparison that was edited by hand into nonsense says so."""
    with pytest.raises(TrtlensError, match="does not fit the table"):
        errors_table([{"index": "first"}], 1)
