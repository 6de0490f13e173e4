"""Findings about two runs stand on the comparison: its alignment, its intervals, its guard, in any order of the runs."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import cache
from html import unescape
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.conftest import FIXTURES
from tests.doubles.made_runs import MadeLayer, MadeRun, chain
from tests.golden.commands import say
from tests.golden.inputs import opened
from trtlens import TrtlensError
from trtlens.comparison import compare_runs
from trtlens.comparison.figures import split_difference
from trtlens.findings import find_across
from trtlens.findings.engine import Engine
from trtlens.findings.pairs import Pair
from trtlens.quantities import signed_duration
from trtlens.report.finding_list import findings as finding_list
from trtlens.report.finding_list import group_findings
from trtlens.report.subject import Subject, read_subject

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trtlens.runs.run import Run

pytestmark = pytest.mark.usefixtures("fixtures_read_once")

H200 = FIXTURES / "h200"
CODE = "int8-slower-than-fp16"


@cache
def recorded(name: str) -> Run:
    """One of the recorded runs; of the calibrated ones the engine alone."""
    run = opened(f"h200/{name}")
    return run.build(run["builds"]["build"].to_pylist()[-1])


@cache
def subject_of(name: str) -> Subject:
    """One of the recorded runs as a report shows it."""
    return read_subject(recorded(name))


def findings(run: Run, against: Run) -> dict[str, dict[str, Any]]:
    """Findings by code."""
    return {row["code"]: row for row in run.view("findings", against=against).to_pylist()}


def made(precision: str, layers_ms: Sequence[float], inference_ms: float | None = None, **info: Any) -> Run:
    """Two layers of one precision, with or without whole inferences."""
    times = np.repeat(np.array(layers_ms)[:, None], 40, axis=1)
    samples = [] if inference_ms is None else [inference_ms] * 40
    return MadeRun(chain("a", "b", precision=precision), times, inference_ms=samples, info=info).run(precision)


# -- INT8 against FP16 -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["", "-compared"])
def test_int8_is_slower_than_fp16_by_whole_inferences(suffix: str) -> None:
    """Two captures of one question: 96 and 93 µs at stake, and of neither is anything put to a kind of layers."""
    run, other = recorded(f"resnet50-int8{suffix}"), recorded(f"resnet50-fp16{suffix}")
    row = findings(run, other)[CODE]

    medians = [
        np.median([r["gpu_ms"] for r in one["run_times"].to_pylist() if r["pass"] == "timing"]) for one in (run, other)
    ]
    assert row["at_stake_ms"] == pytest.approx(medians[0] - medians[1], abs=1e-9)
    assert (row["severity"], row["confidence"]) == ("high", "high")
    assert re.fullmatch(rf"INT8 takes 1.1[89] times as long as resnet50-fp16{suffix} .*", row["title"])
    assert "The layers do not account for this" in row["text"]
    assert "stand in" not in row["text"]
    assert all("no part of an inference" in one for one in row["evidence"] if one.startswith("by the layer profiler"))


def test_evidence_is_the_comparisons_own_split() -> None:
    """The parts are those that `trtlens compare` tells, not a second decomposition."""
    run, other = recorded("resnet50-int8"), recorded("resnet50-fp16")
    parts = split_difference(compare_runs([other, run]), 1)

    evidence = [one for one in findings(run, other)[CODE]["evidence"] if one.startswith("by the layer profiler")]

    assert [one.split()[4] for one in evidence] == [
        signed_duration(part.difference.diff_ms).split()[0] for part in parts
    ]


def test_layers_that_add_up_are_parts_of_the_inference() -> None:
    """Where the layers account for the difference, the evidence says so without a doubt."""
    row = findings(made("int8", [0.3, 0.3], 0.6), made("fp16", [0.25, 0.25], 0.5))[CODE]

    assert row["at_stake_ms"] == pytest.approx(0.1)
    assert "do not account" not in row["text"]
    assert any("+100 µs computing from fp16 to int8" in one for one in row["evidence"])
    assert not any("stretched" in one for one in row["evidence"])


@pytest.mark.parametrize(
    ("run", "other"),
    [
        (made("int8", [0.4, 0.4], 0.4), made("fp16", [0.25, 0.25], 0.5)),  # the layers say slower, an inference faster
        (made("int8", [0.3, 0.3], 0.6), made("int8", [0.25, 0.25], 0.5)),
        (made("fp16", [0.3, 0.3], 0.6), made("int8", [0.25, 0.25], 0.5)),
        (made("int8", [0.3, 0.3], 0.6), made("fp16", [0.25, 0.25], 0.5, gpu={"name": "another"})),
    ],
    ids=["inference-faster", "both-int8", "fp16-slower", "other-gpu"],
)  # fmt: skip
def test_int8_is_not_called_slower(run: Run, other: Run) -> None:
    """An inference decides over its layers; other precisions and other GPUs are no case of it."""
    run = replace(run, info=made("int8", [0.1, 0.1], gpu={"name": "this"}).info)

    assert CODE not in findings(run, other)


def test_without_an_inference_the_sum_of_the_layers_is_called_one() -> None:
    """By the layer profiler alone the confidence is medium, and that no inference was timed is said."""
    row = findings(made("int8", [0.3, 0.3]), made("fp16", [0.25, 0.25]))[CODE]

    assert row["confidence"] == "medium"
    assert row["at_stake_ms"] == pytest.approx(0.1)
    assert "no inference was timed in both runs" in row["text"]


@pytest.mark.parametrize(("run_ms", "slower"), [(0.53, True), (0.52, False)])
def test_single_inferences_differ_by_a_twentieth(run_ms: float, *, slower: bool) -> None:
    """Without samples there is no interval: the share of the other inference's time decides."""
    base, run = (
        MadeRun(chain("a", "b", precision=precision), np.full((2, 40), 0.25), inference_ms=[inference_ms])
        for precision, inference_ms in (("fp16", 0.5), ("int8", run_ms))
    )
    assert (CODE in findings(run.run("int8"), base.run("fp16"))) is slower


def test_layers_are_matched_by_their_nodes_not_by_their_names() -> None:
    """A layer of the same name that holds other nodes is no partner; one of another name that holds the same is."""
    tables: dict[str, dict[str, list[Any]]] = {
        "tuned_layers": {
            "layer_index": [0],
            "matched_by": ["name"],
            "candidate_line": [1],
            "twin_index": [None],
            "layer": ["a"],
        }
    }
    here = MadeRun([MadeLayer("a", nodes=("x",))], np.full((1, 40), 0.2), chosen=[("a", 0.2)], tables=tables)
    there = replace(
        here, layers=[MadeLayer("b", nodes=("x",))], chosen=[("b", 0.1)],
        tables={"tuned_layers": {**tables["tuned_layers"], "layer": ["b"]}},
    )  # fmt: skip

    pair = Pair(Engine(here.run("here"), 1), Engine(there.run("there"), 1))

    assert [(one.nodes[0].name, one.here_ms, one.there_ms) for one in pair.tuned] == [("a", 0.2, 0.1)]


# -- the guard -------------------------------------------------------------------------------------------------------


def test_findings_against_another_model_are_refused() -> None:
    """A second run of another model is a user's error, not silence."""
    done = say("findings", H200 / "encoder-fp16", "--against", H200 / "mobilenet-batch-32")

    assert (done.code, done.out) == (2, "")
    assert "are not runs of one model" in done.err
    with pytest.raises(TrtlensError, match="are not runs of one model"):
        recorded("encoder-fp16").view("findings", against=recorded("mobilenet-batch-32"))


def test_findings_against_other_shapes_say_that_nothing_counts() -> None:
    """Another batch is other work: its numbers are left out, and that is said beside the run's own findings."""
    alone = json.loads(say("findings", H200 / "mobilenet-batch-8", "--format", "json").out)
    done = say("findings", H200 / "mobilenet-batch-8", "--against", H200 / "mobilenet-batch-32", "--format", "json")

    assert json.loads(done.out) == alone
    assert done.err.startswith("mobilenet-batch-32 ")
    assert done.err.endswith("input shapes differ ([32,3,224,224], here [8,3,224,224])\n")


# -- several runs ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "order", [("fp32", "fp16", "int8"), ("fp16", "int8"), ("int8", "fp16"), ("int8", "fp32", "fp16")]
)
def test_a_report_says_that_int8_is_slower_in_any_order(order: tuple[str, ...]) -> None:
    """The finding stands with the INT8 run, whichever run is given first, and once."""
    subjects = [subject_of(f"resnet50-{name}") for name in order]
    page = unescape(finding_list(group_findings(subjects), subjects))
    told = re.findall(
        r'class="what">(INT8 takes [^<]*)</h3><span class="values"><span class="value"><span class="of">([^<]*)<',
        page,
    )

    assert told == [("INT8 takes 1.19 times as long as resnet50-fp16 (fp16+fp32)", "resnet50-int8")]
    anchors = re.findall(r'id="(finding-[^"]*)"', page)
    assert len(anchors) == len(set(anchors))


def test_a_build_without_an_engine_leads_the_report() -> None:
    """It has nothing at stake that could be counted, and stands before findings of other runs that have."""
    subjects = [subject_of("resnet50-int8"), subject_of("killed")]
    page = finding_list(group_findings(subjects), subjects)
    anchors = re.findall(r'id="finding-([^"]*)"', page)
    assert anchors[0] == "build-not-finished"
    assert len(anchors) > 2


def test_runs_that_cannot_be_paired_are_passed_over() -> None:
    """A build that was killed and a run of another model leave the findings of the others as they are."""
    names = ("killed", "resnet50-int8", "encoder-fp16", "resnet50-fp16")
    found = find_across([(name, recorded(name)) for name in names])

    assert [(place, one.rule.code) for place, one in found] == [(1, CODE)]
