"""The view of DLA placement: device, subgraph and reason of each layer, from the builder's list and its warnings."""

from __future__ import annotations

from tests.conftest import FIXTURES
from tests.doubles.made_logs import log, run_of
from trtlens.runs.run import open_run
from trtlens.views import VIEWS

WARNING = "[11/20/2026-22:01:26] [W] [TRT] "
_LIST = (
    "---------- Layers Running on DLA ----------",
    "[DlaLayer] {ForeignNode[stem...relu]}",
    "---------- Layers Running on GPU ----------",
    "[GpuLayer] SHUFFLE: reshape",
)


def _warned(*texts: str) -> str:
    return "".join(f"{WARNING}{text}\n" for text in texts)


def test_every_layer_has_its_device_subgraph_and_reason() -> None:
    """The fixture's rows: two subgraphs, a rule named by the layer, one on the line before, and too many subgraphs."""
    rows = {row["layer"]: row for row in open_run(FIXTURES / "releases" / "8.5-dla.log").view("dla").to_pylist()}
    assert [(row["device"], row["subgraph"]) for row in rows.values()] == [("DLA", 1), ("DLA", 2)] + [("GPU", None)] * 5
    assert rows["/head/Reshape"]["reason"].startswith("This version of DLA does not support reshape layers")
    assert [name for name, row in rows.items() if row["splits"]] == ["/head/Reshape"]
    assert rows["/head/Conv_9 + /head/Relu_9"]["reason"].startswith("DLA supports only 16 subgraphs per DLA core")
    concat = rows["/neck/Concat_1"]
    assert concat["reason"] == "/neck/Concat_1: DLA only supports concatenation on the C dimension."
    assert (concat["device_from"], concat["reason_line"], concat["line"]) == ("message", 12, 13)
    assert rows["PWN(/head/Sigmoid, /head/Mul)"]["reason"] is None


def test_a_rule_of_another_layer_is_no_reason() -> None:
    """A rule that stands further above, without a name, is not taken for the reason of the next fallback."""
    rule = "This version of DLA does not support reshape layers directly connected to Slice or Concat"
    fallback = "Validation failed for DLA layer: reshape. Switching to GPU fallback."
    apart = run_of(_warned(rule, "some other warning", fallback) + log(*_LIST)).view("dla").to_pylist()
    assert apart[1]["reason"] == fallback
    together = run_of(_warned(rule, fallback) + log(*_LIST)).view("dla").to_pylist()
    assert together[1]["reason"] == rule


def test_without_a_list_nothing_is_said_of_what_runs_on_the_dla() -> None:
    """Warnings alone give the layers that fell back; the answer says that the others are not known."""
    names = ("a", "b")
    rows = run_of(
        _warned(*(f"DLA supports only 8 subgraphs per DLA core. Switching to GPU for layer {one}" for one in names))
    )
    found = rows.view("dla").to_pylist()
    assert [(row["layer"], row["device"], row["device_from"]) for row in found] == [
        (one, "GPU", "message") for one in names
    ]
    answer = VIEWS["dla"].answer
    assert answer is not None
    assert answer(found) == (
        "the log does not list the layers on the DLA, 2 layers on the GPU; the commonest reason (2 of 2): "
        "DLA supports only 8 subgraphs per DLA core. Switching to GPU for layer LAYER"
    )  # fmt: skip


def test_a_build_that_asks_for_no_dla_has_no_rows() -> None:
    """Releases from 8.2 on list the layers on the GPU of every build."""
    assert run_of(log(*_LIST[2:])).view("dla").num_rows == 0
