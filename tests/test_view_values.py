"""Views on rows that captured runs do not have: what they make of a missing side, a tie, a text of several lines."""

from __future__ import annotations

from dataclasses import replace

from tests.doubles.made_runs import MadeLayer, MadeRun, chain
from trtlens.runs.captured_tables import errors_table


def test_a_note_about_the_timing_cache_is_its_first_line() -> None:
    """A message of several lines is told by the first."""
    run = MadeRun(chain("conv"), tables={
        "runners": {"layer": ["conv"], "is_reformat": [False], "runner": ["CaskConvolution"], "tactics": [4], "timed": [3],
                    "profiling_s": [1.5], "line": [7]},
        "messages": {"severity": ["info"], "code": ["timing-cache-loaded"], "text": ["Loaded 5 entries\nfrom cache.bin\nof today"], "line": [3]},
    }).run()  # fmt: skip
    (cache,) = (row for row in run.view("build").to_pylist() if row["kind"] == "timing cache")
    assert (cache["note"], cache["line"]) == ("line 3: Loaded 5 entries", 3)
    assert (cache["seconds"], cache["percent"], cache["tactics"]) == (1.5, None, 3)


def test_a_layer_is_worth_a_pin_by_its_worst_tensor() -> None:
    """Of two tensors that a layer makes the one that adds more error counts, whichever comes first."""
    made = MadeRun([MadeLayer("conv", nodes=("conv",), writes=("small", "large"))]).run()
    rows = [
        {"index": place, "tensor": name, "producer": "conv", "status": "compared", "verdict": "ok", "first_wrong": False,
         "error": added, "error_added": added, "cause": name}
        for place, (name, added) in enumerate([("small", 0.125), ("large", 0.5)])
    ]  # fmt: skip
    run = replace(made, tables={**made.tables, "tensor_errors": errors_table(rows, 1)})
    (pin,) = run.view("pins").to_pylist()
    assert (pin["layer"], pin["error_added"], pin["cause"]) == ("conv", 0.5, "large")


def test_a_reformat_of_which_one_side_is_shown() -> None:
    """The side that is not shown stays unknown; the other is told."""
    layers = [
        MadeLayer("in", type="Reformat", reads=("x",), writes=()),
        MadeLayer("out", type="Reformat", reads=(), writes=("y",)),
    ]
    rows = MadeRun(layers).run().view("reformats").to_pylist()
    assert [(row["name"], row["before"], row["after"]) for row in rows] == [
        ("in", "? [1,8]", None),
        ("out", None, "? [1,8]"),
    ]
