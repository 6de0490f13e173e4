"""The report's first words: the fastest run and by how much, what to do first, what endangers the result."""

from __future__ import annotations

import re
from html import unescape

import pytest

from tests.golden.inputs import opened
from trtlens.report.finding_list import group_findings
from trtlens.report.payload import Compared, compare
from trtlens.report.subject import read_subject
from trtlens.report.verdict import verdict


def told(*names: str) -> tuple[list[str], list[str], str]:
    """The sentences, the things to do with what they gain, and the rest of the verdict on these runs of the fixtures."""
    subjects = [read_subject(opened(name), name.rpartition("/")[2]) for name in names]
    compared = compare(subjects) if len(subjects) > 1 else Compared(None, None)
    page = verdict(subjects, group_findings(subjects), lambda place: compared.mismatches(subjects, place))
    answers = re.findall(r'<p class="answer">(.*?)</p>', page)
    actions = [_plain(one) for one in re.findall(r"<li>(.*?)<br>", page)]
    return [_plain(one) for one in answers], actions, _plain(page.partition("<p class='risk'>")[2])


def _plain(html: str) -> str:
    return unescape(re.sub(r"<[^>]+>", "", html))


CASES = {
    "precisions": (
        ("h200/resnet50-int8", "h200/resnet50-fp16"),
        ["resnet50-fp16 is the fastest: 508 µs an inference, 1.19x faster than resnet50-int8 (-96.2 µs; -99.4 µs to -93.0 µs with 99 % confidence)."],
        "47 constants are copied at every inference 146 µs or more (61.1 µs at least) in resnet50-int8 and 1 more",
    ),
    "launch-bound": (
        ("h200/resnet50-int8-launch-bound",),
        ["716 µs an inference."],
        "47 constants are copied at every inference 327 µs or more (32.6 µs at least)",
    ),
    "batches": (
        ("h200/mobilenet-batch-1", "h200/mobilenet-batch-8", "h200/mobilenet-batch-32"),
        ["mobilenet-batch-32 computes most samples a second: 44,655 (mobilenet-batch-1 2,501, mobilenet-batch-8 14,336)."],
        "39 constants are copied at every inference 229 µs (41 to 317 µs) in mobilenet-batch-8 and 2 more",
    ),
    "other models": (
        ("h200/encoder-fp16", "h200/mobilenet-batch-8"),
        ["The runs are not the same work, so their times are not compared: encoder-fp16 400 µs, mobilenet-batch-8 558 µs an inference."],
        "39 constants are copied at every inference 229 µs (41 to 317 µs) in mobilenet-batch-8",
    ),
    "versions": (
        ("alignment/releases/8.6", "alignment/releases/10.16"),
        ["No inference was timed: trtlens profile times an engine, and files of trtexec's --exportTimes are read beside a log."],
        None,
    ),
    "refused": (
        ("h200/refused",),
        ["refused: the build failed: node 0, /Erf (Eigenvalues), has no importer, and no plugin of that name was found."],
        None,
    ),
    "traced": (
        ("h200/transformer-fp16-traced",),
        ["188 µs an inference."],
        "one kernel takes 32 % of a Myelin region up to 60.1 µs",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_answer_and_the_first_thing_to_do(case: str) -> None:
    """Held against run.json and the findings of each run."""
    names, answers, first = CASES[case]

    found, actions, _ = told(*names)

    assert found == answers
    assert (actions[0] if actions else None) == first
    assert len(actions) <= 3


def test_a_severe_finding_without_a_known_gain_is_among_the_things_to_do() -> None:
    """An engine that waits for the host: a CUDA graph gains what nobody has timed."""
    _, actions, _ = told("h200/resnet50-int8-launch-bound")

    assert "the GPU waits for the host to launch kernels " in actions


def test_a_build_without_an_engine_is_told_before_the_times_of_others() -> None:
    """The killed build first, then the run that has an engine."""
    answers, _, _ = told("h200/killed", "h200/resnet50-fp16")

    assert answers[0].startswith("killed: the build was killed, or is still running")
    assert answers[1] == "resnet50-fp16: 508 µs an inference."


def test_two_captures_of_one_engine_have_no_winner() -> None:
    """Times within noise: both are told, and that no difference is seen."""
    answers, _, _ = told("h200/resnet50-fp16", "h200/resnet50-fp16-compared")

    assert answers[0].startswith(
        "No run is seen to be the fastest: resnet50-fp16 takes 508 µs, resnet50-fp16-compared 511 µs"
    )


def test_what_endangers_accuracy_is_told() -> None:
    """With a link to its evidence."""
    assert told("h200/mobilenet-fp16")[2] == "Accuracy is at risk: weights do not fit into the layer's number format."
