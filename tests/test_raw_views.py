"""What a terminal can ask for: tables behind views of their name, a layer's ONNX nodes, types and runners beside names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.doubles.made_logs import GENERATED, INT8_BUILD, SELECTED, log, run_of
from trtlens.cli import app
from trtlens.tables.declarations import TABLES
from trtlens.views import VIEWS

SMALL = str(Path(__file__).parents[1] / "fixtures" / "small-build" / "verbose.log")


def shown(name: str) -> list[dict[str, object]]:
    """Rows that `trtlens show` prints."""
    done = CliRunner().invoke(app, ["show", name, SMALL, "--format", "json"])
    assert done.exit_code == 0
    rows: list[dict[str, object]] = json.loads(done.stdout)
    return rows


@pytest.mark.parametrize("name", sorted(set(VIEWS) & set(TABLES)))
def test_a_table_behind_a_view_of_its_name_is_shown(name: str) -> None:
    """`table:layers` has the declared columns of the table, `layers` those of the view."""
    declared = {column.name for column in TABLES[name].columns}
    assert {column for row in shown(f"table:{name}") for column in row} <= declared
    assert len(shown(f"table:{name}")) == run_of(Path(SMALL).read_text())[name].num_rows


def test_a_table_without_a_view_needs_no_mark() -> None:
    """`passes` and `table:passes` are the same rows."""
    assert shown("passes") == shown("table:passes") != []


NODES = log(
    "conv [Conv] inputs: [x -> (1, 8)[FLOAT]], ", "conv [Conv] outputs: [y -> (1, 8)[FLOAT]], ",
    "relu [Relu] inputs: [y -> (1, 8)[FLOAT]], ", "relu [Relu] outputs: [z -> (1, 8)[FLOAT]], ",
    "Identity_0 [Identity] inputs: [z -> (1, 8)[FLOAT]], ", "Identity_0 [Identity] outputs: [out -> (1, 8)[FLOAT]], ",
    "ConvReluFusion: Fusing conv with relu", "ForeignNode {ForeignNode[a...b]} metadata: [ONNX Layer: a]\x1e[ONNX Layer: b]",
    *SELECTED, *GENERATED,
    "Layer(Reformat): Reformatting CopyNode for Input Tensor 0 to conv + relu, Tactic: 0x00000000000003e8, x (Float[1,8]) -> r (Half[1,8])",
    "Layer(CaskConvolution): conv + relu, Tactic: 0x0000000000000001, r (Half[1,8]) -> z (Half[1,8])",
    "Layer(Reformat): Identity_0, Tactic: 0x0000000000000000, z (Half[1,8]) -> out (Float[1,8])",
    "Layer(Myelin): {ForeignNode[a...b]}, Tactic: 0x0000000000000000, out (Float[1,8]) -> end (Float[1,8])",
)  # fmt: skip


def test_a_layer_s_nodes_and_what_tells_them() -> None:
    """A fused layer's name, the builder's line about a region, a node that only moves data; a copy that was added has none."""
    found = [(row["index"], row["onnx_nodes"], row["known_by"]) for row in run_of(NODES).view("onnx_nodes").to_pylist()]
    assert found == [
        (0, None, None), (1, ["conv", "relu"], "name"), (2, ["Identity_0"], "name"), (3, ["a", "b"], "metadata"),
    ]  # fmt: skip


def test_reformats_have_their_type_and_tactics_their_runner() -> None:
    """A NoOp launches nothing, which its type tells; the runner is that of the candidate that runs."""
    assert run_of(NODES).view("reformats")["type"].to_pylist() == ["Reformat", "Reformat"]
    rows = run_of(INT8_BUILD).view("tactics").to_pylist()
    assert {row["runner"] for row in rows if row["chosen_ms"] is not None and row["name"]} == {"CaskConvolution"}
