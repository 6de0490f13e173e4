"""The tuner's record in full: lines, costs and order where several could be told."""

from __future__ import annotations

from tests.doubles.made_logs import FLOAT, FLOAT_KERNEL, INT8, chose, header, line_of, log, run_of, runner, tactic
from trtlens.engine.reformat_causes import ReformatCosts
from trtlens.tables.declarations import TABLES
from trtlens.tuning.queries import Tuner, precision_of_formats

HALF = "Half(25088,49,7,1)"


def test_the_first_line_with_a_type_is_that_of_either_side() -> None:
    """Of a type that an output names before an input does, the output's line is told; the reverse likewise."""
    text = log(
        "=============== Computing costs for conv",
        header(f"{FLOAT} -> {HALF}"), runner("conv"), tactic(FLOAT_KERNEL, 0x55, 0.02), chose(0x55),
        header(f"{INT8} -> {HALF}"), runner("conv"), tactic(FLOAT_KERNEL, 0x56, 0.02), chose(0x56),
        header(f"{HALF} -> {INT8}"), runner("conv"), tactic(FLOAT_KERNEL, 0x57, 0.02), chose(0x57),
    )  # fmt: skip
    tuner = Tuner(run_of(text), 1)
    assert tuner.formats_with("fp16") == line_of(text, f"{FLOAT} -> {HALF}")
    assert tuner.formats_with("int8") == line_of(text, f"{INT8} -> {HALF}")
    assert tuner.formats_with("bf16") is None


def test_matrices_count_and_vectors_do_not() -> None:
    """The type of a combination is that of its matrices, whatever its scales and biases are of; vectors count where they are all."""
    assert precision_of_formats("Half(64,1), Float(1)", "Half(64,1)") == "fp16"
    assert precision_of_formats("Half(64,1), Float(64,1)", "Half(64,1)") is None
    assert precision_of_formats("Float(1)", "Float(1)") == "fp32"


def test_reformats_without_a_time_hide_no_others() -> None:
    """A candidate that was skipped stands before others, of which the fastest counts."""
    rows = [(None, 1), (0.004, 2), (0.002, 3), (0.003, 4)]
    columns = {
        "build": [1] * 4, "source": ["x"] * 4, "target": ["<out>"] * 4, "input_formats": [FLOAT] * 4,
        "output_formats": [INT8] * 4, "time_ms": [time for time, _ in rows], "line": [line for _, line in rows],
        "outcome": ["timed"] * 4,
    }  # fmt: skip
    spec = TABLES["reformat_candidates"]
    table = spec.table({column.name: columns.get(column.name, [None] * 4) for column in spec.columns})
    cost = ReformatCosts(table).of("x", FLOAT, INT8)
    assert (cost.time_ms, cost.line, cost.timed_on) == (0.002, 3, "x")
    other = ReformatCosts(table).of("y", FLOAT, INT8)
    assert (other.time_ms, other.timed_on) == (0.002, "x")
    assert ReformatCosts(table).of("x", INT8, FLOAT).time_ms is None
