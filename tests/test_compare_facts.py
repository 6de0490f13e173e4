"""What a comparison tells of regions and runs: causes, times of every source, settings, headlines."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.doubles.made_runs import MadeLayer, MadeRun, chain
from trtlens import TrtlensError
from trtlens.comparison import Comparison, compare_runs
from trtlens.comparison.changes import WHOLE_RUN
from trtlens.comparison.headlines import tell
from trtlens.comparison.result_tables import change_table, region_table
from trtlens.comparison.settings import differing_settings, fairness
from trtlens.comparison.times import SLOWER


def constant(*milliseconds: float) -> np.ndarray:
    """Samples without noise."""
    return np.repeat(np.array(milliseconds)[:, None], 40, axis=1)


def compared(*runs: MadeRun, baseline: int = 0) -> Comparison:
    return compare_runs([made.run(f"run{place}") for place, made in enumerate(runs)], baseline=baseline)


def parts(comparison: Comparison) -> list[dict[str, Any]]:
    """Changes of parts of the runs."""
    return [row for row in change_table(comparison).to_pylist() if row["kind"] not in WHOLE_RUN]


def told(comparison: Comparison) -> str:
    return "\n".join(sentence for section in tell(comparison) for sentence in section.sentences)


def kinds(comparison: Comparison) -> list[tuple[str, str | None, str | None]]:
    return [(row["kind"], row["before"], row["after"]) for row in parts(comparison)]


# -- causes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "kind", "words"),
    [
        (
            {"precision": "fp32", "unit": "cuda core", "kernel": "k32"},
            "precision",
            "fell back from fp16 to fp32 and lost the tensor cores",
        ),
        ({"precision": "int8", "kernel": "k8"}, "precision", "has a slower kernel in int8 than in fp16"),
        ({"unit": "cuda core", "kernel": "simt"}, "unit", "lost the tensor cores"),
        ({"kernel": "kernel_b"}, "tactic", "runs another tactic"),
        ({"kernel": None, "tactic": 2}, "tactic", "runs another tactic"),
        ({}, "same kernel", "runs the same kernels in another time"),
    ],
)
def test_a_slower_region_says_why(facts: dict[str, Any], kind: str, words: str) -> None:
    """The first cause that the run shows is named, and the whole difference is put to it."""
    comparison = compared(MadeRun(chain("conv"), constant(0.1)), MadeRun(chain("conv", **facts), constant(0.2)))
    (row,) = parts(comparison)
    assert (row["kind"], row["words"], row["verdict"]) == (kind, words, SLOWER)
    assert row["diff_ms"] == pytest.approx(0.1)
    assert region_table(comparison)["why"].to_pylist() == [None, words]


def test_a_faster_narrower_kernel_is_no_fall_back() -> None:
    """Computing in a narrower type and less time is said as it is."""
    comparison = compared(
        MadeRun(chain("conv"), constant(0.2)), MadeRun(chain("conv", precision="int8"), constant(0.1))
    )
    assert "computes in int8 instead of fp16" in change_table(comparison)["words"].to_pylist()


def test_reformats_are_told_apart_from_computing() -> None:
    """A region that gained a reformat says so, with the time of the reformat and not of the kernel."""
    layers = [
        MadeLayer("Reformatting CopyNode for Input Tensor 0 to conv", "Reformat", writes=("r",)),
        replace(chain("conv")[0], reads=("r",)),
    ]
    comparison = compared(MadeRun(chain("conv"), constant(0.1)), MadeRun(layers, constant(0.05, 0.1)))
    (row,) = [row for row in change_table(comparison).to_pylist() if row["kind"] == "reformats"]
    assert (row["before"], row["after"], row["words"]) == ("0", "1", "gained 1 reformat")
    assert row["diff_ms"] == pytest.approx(0.05)
    regions = region_table(comparison).to_pylist()
    assert [region["reformats"] for region in regions] == [0, 1]
    assert regions[1]["reformat_ms"] == pytest.approx(0.05)


def test_a_split_layer_is_a_change_of_fusion() -> None:
    """One layer that became two is said with the names of both sides."""
    fused = [MadeLayer("conv + relu", nodes=("conv", "relu"))]
    comparison = compared(MadeRun(fused, constant(0.1)), MadeRun(chain("conv", "relu"), constant(0.1, 0.05)))
    assert kinds(comparison) == [("fusion", "conv + relu", "conv; relu")]
    assert "is split into 2 layers instead of 1" in change_table(comparison)["words"].to_pylist()


def test_layers_of_one_model_only_are_added_or_lost() -> None:
    """A layer without counterpart is a change of its own, with its time, and keeps its place in the run's total."""
    nodes = [("conv", "Conv", ("t0",), ("t1",)), ("head", "Conv", ("t1",), ("t2",))]
    both = MadeRun(chain("conv", "head"), constant(0.1, 0.05), nodes=nodes)
    one = MadeRun(chain("conv"), constant(0.1), nodes=nodes[:1])
    assert kinds(compared(both, one)) == [("lost layer", "head", None), ("setting", "2", "1")]
    assert kinds(compared(one, both)) == [("added layer", None, "head"), ("setting", "1", "2")]
    rows = region_table(compared(both, one)).to_pylist()
    assert sum(row["time_ms"] for row in rows if row["run"] == "run0") == pytest.approx(0.15)
    (left,) = [row for row in rows if row["region"] is None]
    assert left["reason"] == "the model of run1 has no node head"


def test_without_times_changes_are_still_told() -> None:
    """Logs without times give changes in the order of the network, without numbers."""
    comparison = compared(MadeRun(chain("a", "b")), MadeRun(chain("a", "b", precision="fp32")))
    rows = parts(comparison)
    assert [(row["kind"], row["label"], row["diff_ms"]) for row in rows] == [
        ("precision", "a", None),
        ("precision", "b", None),
    ]
    assert "Precision: 2 regions fp16 to fp32." in told(comparison)


# -- times -----------------------------------------------------------------------------------------------------------


def test_a_profile_without_samples_is_marked_as_a_summary() -> None:
    """Averages are compared without an interval, and samples beside averages count as averages."""
    exported = MadeRun(chain("a", "b"), profile={"a": 0.2, "b": 0.1})
    for other in (MadeRun(chain("a", "b"), profile={"a": 0.1, "b": 0.1}), MadeRun(chain("a", "b"), constant(0.1, 0.1))):
        rows = region_table(compared(exported, other)).to_pylist()
        judged = [row for row in rows if row["run"] == "run1"]
        assert [row["verdict"] for row in judged] == ["faster", "no difference seen"]
        assert {(row["judged_on"], row["low_ms"]) for row in judged} == {("summary", None)}


def test_layers_that_a_profile_table_leaves_out_took_no_time() -> None:
    """The table of trtexec 8.4 and later has no row for a layer of 0 ms; in an export a missing row is unknown."""
    table = MadeRun(chain("a", "b"), profile={"a": 0.2}, profile_source="profile table")
    export = MadeRun(chain("a", "b"), profile={"a": 0.2})
    assert region_table(compared(table, table))["time_ms"].to_pylist() == [0.2, 0.2, 0.0, 0.0]
    assert region_table(compared(export, export))["time_ms"].to_pylist() == [0.2, 0.2, None, None]


def test_profile_rows_of_no_layer_are_reported() -> None:
    """Time that a profile gives to a name that the engine does not have is in the total, and is said."""
    odd = MadeRun(chain("a"), profile={"a": 0.2, "something else": 0.05})
    comparison = compared(odd, odd)
    assert comparison.times[0].total_ms == pytest.approx(0.25)
    assert "50.0 µs of run0's profile belongs to no layer" in told(comparison)


def test_the_tuner_stands_in_where_nothing_was_profiled() -> None:
    """The time of the chosen candidate of each layer is taken, called the tuner's, and has no interval."""
    one = MadeRun(chain("a", "b"), chosen=[("a", 0.2), ("b", 0.1)])
    other = MadeRun(chain("a", "b"), chosen=[("a", 0.1), ("b", 0.1)])
    comparison = compared(one, other)
    rows = [row for row in region_table(comparison).to_pylist() if row["run"] == "run1"]
    assert [(row["time_ms"], row["verdict"], row["judged_on"]) for row in rows] == [
        (0.1, "faster", "tuner"), (0.1, "no difference seen", "tuner"),
    ]  # fmt: skip
    assert "The tuner's times of run1's tactics add up to 200 µs" in told(comparison)


def test_measured_and_tuned_times_are_not_mixed() -> None:
    """A profiled run and a log with the tuner's times alone have no times in common."""
    comparison = compared(MadeRun(chain("a"), constant(0.1)), MadeRun(chain("a"), chosen=[("a", 0.05)]))
    assert comparison.time_source is None
    assert region_table(comparison)["diff_ms"].to_pylist() == [None, None]


def test_a_part_of_a_tuned_region_does_not_get_the_time_of_the_whole() -> None:
    """Where the record knows the time of a whole Myelin region only, its layers have none."""
    known: dict[str, list[Any]] = {
        "layer_index": [0, 1],
        "matched_by": ["region", "name"],
        "candidate_line": [1, 2],
        "twin_index": [None, None],
    }
    made = MadeRun(chain("a", "b"), chosen=[("whole", 0.4), ("b", 0.1)], tables={"tuned_layers": known})
    assert region_table(compared(made, made))["time_ms"].to_pylist() == [None, None, 0.1, 0.1]


def test_memory_and_errors_are_those_of_the_region() -> None:
    """The largest scratch, the sum of what is kept, and the error of the tensors that the region's nodes make."""
    memory: dict[str, list[Any]] = {"layer": ["a"], "scratch_bytes": [64], "device_persistent_bytes": [16]}
    errors: dict[str, list[Any]] = {
        "tensor": ["t0", "a_output", "t2"],
        "producer": [None, "a", None],
        "error": [0.01, 0.04, None],
        "error_added": [0.01, 0.03, None],
    }
    plain = MadeRun(chain("a", "b"), constant(0.1, 0.1), tables={"memory": memory})
    comparison = compared(plain, replace(plain, tables={"memory": memory, "tensor_errors": errors}))
    first, second = (row for row in region_table(comparison).to_pylist() if row["run"] == "run1")
    assert (first["scratch_bytes"], first["persistent_bytes"]) == (64, 16)
    assert (first["error"], first["error_added"]) == (0.04, 0.03)
    assert (second["error"], second["error_added"], second["scratch_bytes"]) == (None, None, None)
    assert "Most error (noise over signal) comes in at: a 0.03." in told(comparison)


# -- runs ------------------------------------------------------------------------------------------------------------


def with_build(**columns: Any) -> dict[str, dict[str, list[Any]]]:
    return {
        "builds": {
            "is_build": [True],
            "finished": [True],
            "complete": [True],
            **{name: [value] for name, value in columns.items()},
        }
    }


def test_settings_that_differ_are_told_and_unknown_ones_are_not_called_equal() -> None:
    """Another GPU is said with what it means, another version is a setting; what a run does not state is said."""
    one = MadeRun(chain("a"), constant(0.1), tables=with_build(gpu="NVIDIA L4", tensorrt_version="8.6.1"))
    other = MadeRun(chain("a"), constant(0.1), tables=with_build(gpu="NVIDIA T4", tensorrt_version="10.3.0"))
    comparison = compared(one, other)
    assert {setting.name: setting.values for setting in differing_settings(comparison)} == {
        "GPU": ("NVIDIA L4", "NVIDIA T4"), "TensorRT": ("8.6.1", "10.3.0"),
    }  # fmt: skip
    assert "GPU differs (NVIDIA L4, here NVIDIA T4), and times tell of it as much as of the engine." in told(comparison)
    silent = compared(one, MadeRun(chain("a"), constant(0.1)))
    assert any("Not stated by every run: GPU and TensorRT" in sentence for sentence in fairness(silent))


def test_flags_of_both_kinds_of_runs_are_compared() -> None:
    """Options of trtexec and flags of a captured run are settings by name."""
    options = {"section": ["Build Options"], "key": ["Sparsity"], "value": ["Disabled"]}
    one = MadeRun(chain("a"), tables={"options": options}, info={"precision_flags": ["FP16"]})
    other = MadeRun(chain("a"), info={"flags": {"Sparsity": "enable"}, "precision_flags": ["FP16", "INT8"]})
    found = {setting.name: setting.values for setting in differing_settings(compared(one, other))}
    assert found == {"precisions allowed": ("FP16", "FP16+INT8"), "option Sparsity": ("Disabled", "enable")}


def test_clocks_that_differ_are_unfair() -> None:
    """SM clocks read while timing that differ by more than 2 % are said with both values."""

    def clocked(clock: int) -> MadeRun:
        readings: dict[str, list[Any]] = {
            "position": [0, 1],
            "moment": ["before timing", "after timing"],
            "sm_clock_mhz": [300, clock],
        }
        return MadeRun(chain("a"), constant(0.1), tables={"gpu_readings": readings})

    assert any("1980 MHz" in sentence for sentence in fairness(compared(clocked(1980), clocked(1500))))
    assert not any("clocks differ" in sentence for sentence in fairness(compared(clocked(1980), clocked(1970))))


def test_drift_is_told_with_its_place() -> None:
    """A run that got slower while it was timed says so, and a steady one does not."""
    drifting = np.concatenate([np.full((2, 30), 0.1), np.full((2, 30), 0.12)], axis=1)
    steady = np.full((2, 60), 0.1)
    comparison = compared(MadeRun(chain("a", "b"), steady), MadeRun(chain("a", "b"), drifting))
    drifts = [sentence for sentence in fairness(comparison) if "drift" in sentence]
    assert len(drifts) == 1
    assert "times of run1 drift: its last 20 executions are 20 % slower" in drifts[0]
    assert "+40.0 µs of it in layers that compute" in drifts[0]


def test_the_faster_run_hears_what_it_leaves_on_the_table() -> None:
    """Regions where the slower run is faster are what the faster one could gain."""
    one = MadeRun(chain("a", "b"), constant(0.3, 0.1))
    other = MadeRun(chain("a", "b"), constant(0.1, 0.15))
    assert "On the table: run1, the faster one, would gain 50.0 µs (20.0 %) if it ran 1 region as run0 does" in told(
        compared(one, other)
    )
    assert "On the table: run0, the faster one, would gain 50.0 µs" in told(compared(other, one))


def test_any_run_can_be_the_baseline() -> None:
    """Differences are against the run that was chosen, and it has none itself."""
    runs = [MadeRun(chain("a"), constant(value)) for value in (0.1, 0.2, 0.4)]
    rows = region_table(compared(*runs, baseline=1)).to_pylist()
    assert [row["is_baseline"] for row in rows] == [False, True, False]
    assert [row["diff_ms"] for row in rows] == [pytest.approx(-0.1), None, pytest.approx(0.2)]
    assert [row["speedup"] for row in rows] == [pytest.approx(2.0), pytest.approx(1.0), pytest.approx(0.5)]


def test_one_run_or_no_engine_is_refused() -> None:
    """A comparison needs two runs with engine layers."""
    made = MadeRun(chain("a")).run("made")
    empty = MadeRun([]).run("empty")
    with pytest.raises(TrtlensError, match="two runs or more"):
        compare_runs([made])
    with pytest.raises(TrtlensError, match="empty lists no engine layers"):
        compare_runs([made, empty])
    with pytest.raises(TrtlensError, match="there is no run 2 to be the baseline"):
        compare_runs([made, made], baseline=2)


def test_equal_names_are_told_apart() -> None:
    """Runs that are called alike get numbers."""
    made = MadeRun(chain("a")).run("made")
    assert compare_runs([made, made]).names == ("made (1)", "made (2)")
