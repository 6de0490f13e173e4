"""The report's first words: the fastest run and by how much, what to do first, what endangers the result."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.golden.inputs import opened
from trtlens.report import page, read_subject
from trtlens.report.finding_list import group_findings
from trtlens.report.overview import card, precision_styles
from trtlens.report.payload import Compared, compare
from trtlens.report.verdict import verdict
from trtlens.runs.captured_tables import errors_table

if TYPE_CHECKING:
    from trtlens.report import Subject

ASSETS = Path(page.__file__).parent / "assets"


@dataclass(frozen=True)
class Told:
    """What the first screen of a case has to say: beginnings of the answers, of what they rest on, of the first action, and of the risks."""

    runs: tuple[str, ...]
    answers: tuple[str, ...]
    basis: str
    first: str
    risks: str


CASES = {
    "INT8 beside FP16": Told(
        ("h200/resnet50-int8", "h200/resnet50-fp16"),
        ("resnet50-fp16 is the fastest: 508 µs, 1.19x faster than resnet50-int8",),
        "96.2 µs less an inference: 93.0 to 99.4 µs with 99 % confidence.",
        "47 constants are copied at every inference 146 µs or more (61.1 µs at least) in resnet50-int8 and 1 more",
        "Accuracy: weights do not fit into the layer's number format in resnet50-fp16",
    ),
    "three precisions": Told(
        ("h200/resnet50-fp32", "h200/resnet50-fp16", "h200/resnet50-int8"),
        ("resnet50-fp16 is the fastest: 508 µs, 1.19x faster than resnet50-int8",),
        "96.2 µs less an inference: 93.0 to 99.4 µs with 99 % confidence. An inference takes resnet50-fp16 508 µs, resnet50-int8 605 µs, resnet50-fp32 2.64 ms.",
        "47 constants are copied at every inference 146 µs or more (61.1 µs at least) in resnet50-int8 and 2 more",
        "Accuracy: weights do not fit into the layer's number format in resnet50-fp16",
    ),
    "launch-bound": Told(
        ("h200/resnet50-int8", "h200/resnet50-int8-launch-bound"),
        ("resnet50-int8 is the fastest: 605 µs, 1.18x faster than resnet50-int8-launch-bound",),
        "111 µs less an inference: 107 to 115 µs with 99 % confidence. An inference takes resnet50-int8 605 µs, resnet50-int8-launch-bound 716 µs. The GPU waited for the host in resnet50-int8-launch-bound",
        "47 constants are copied at every inference 327 µs or more (32.6 µs at least) in resnet50-int8-launch-bound and 1 more",
        "Accuracy: no finding. No tensors were compared with a reference.",
    ),
    "batch sizes": Told(
        ("h200/mobilenet-batch-1", "h200/mobilenet-batch-8", "h200/mobilenet-batch-32"),
        ("mobilenet-batch-32 computes most samples a second: 44,655, 3.11x as many as mobilenet-batch-8",),
        "Samples a second of GPU time, with 99 % confidence: mobilenet-batch-32 44,655 (44,578 to 44,732), mobilenet-batch-8 14,336 (13,851 to 14,855)",
        "39 constants are copied at every inference 229 µs (41 to 317 µs) in mobilenet-batch-8 and 2 more",
        "Accuracy: weights do not fit into the layer's number format in mobilenet-batch-1 and 2 more",
    ),
    "two versions": Told(
        ("alignment/releases/8.6", "alignment/releases/10.16"),
        ("Which run is the fastest is not known: no inference was timed",),
        "10.16 against 8.6: Precision: 3 regions fp32 to fp16.",
        "Time the engines",
        "Accuracy: no finding. No tensors were compared with a reference.",
    ),
    "a failed build": Told(
        ("h200/refused", "h200/resnet50-fp16"),
        ("refused: the build failed", "resnet50-fp16: 508 µs an inference"),
        "node 0, /Erf (Eigenvalues), has no importer, and no plugin of that name was found.",
        "refused has no engine",
        "Accuracy: weights do not fit into the layer's number format in resnet50-fp16",
    ),
    "two captures of one engine": Told(
        ("h200/resnet50-fp16", "h200/resnet50-fp16-compared"),
        ("No difference is seen between the runs",),
        "-2.21 µs an inference: -5.191 to 0.775 µs with 99 % confidence.",
        "47 constants are copied at every inference 35.2 µs (0 to 117 µs) in resnet50-fp16-compared and 1 more",
        "Accuracy: weights do not fit into the layer's number format in resnet50-fp16; resnet50-fp16-compared: None of 104 compared tensors goes wrong.",
    ),
    "other models": Told(
        ("h200/transformer-fp16-traced", "h200/quantized-int8-traced"),
        ("Not the same work, so times are not compared",),
        "An inference takes transformer-fp16-traced 188 µs, quantized-int8-traced 213 µs. quantized-int8-traced: input shapes differ ([8,128,512], here [8,3,224,224]), model differs",
        "16 constants are copied at every inference 39.4 µs or more (35.9 µs at least) in quantized-int8-traced",
        "Accuracy: weights do not fit into the layer's number format in transformer-fp16-traced",
    ),
    "full of reformats": Told(
        ("h200/resnet50-best",),
        ("769 µs an inference",),
        "Its median: 670 to 867 µs in this process alone, with 99 % confidence. Of 769 µs that an inference takes, its work needs 14.2 % on NVIDIA H200",
        "47 constants are copied at every inference 344 µs (66 to 491 µs)",
        "Accuracy: weights do not fit into the layer's number format.",
    ),
    "a wrong result": Told(
        ("h200/encoder-fp32", "wrong"),
        ("wrong is the fastest: 400 µs, 3.07x faster than encoder-fp32",),
        "830 µs less an inference: 825 to 836 µs with 99 % confidence.",
        "One Myelin region hides what runs inside it up to 1.23 ms in encoder-fp32 and 1 more",
        "Accuracy: weights do not fit into the layer's number format in wrong; wrong: y is the first that is wrong: overflow; 1 of 2 are wrong, 0 suspect.",
    ),
}  # fmt: skip


def subjects_of(names: tuple[str, ...]) -> list[Subject]:
    return [_wrong() if name == "wrong" else read_subject(opened(name), name.rpartition("/")[2]) for name in names]


def _wrong() -> Subject:
    """An engine of which one of two compared tensors is wrong."""
    run = opened("h200/encoder-fp16")
    rows = [
        {"index": place, "tensor": name, "status": "compared", "verdict": verdict, "first_wrong": verdict != "ok", "cause": cause}
        for place, (name, verdict, cause) in enumerate([("x", "ok", None), ("y", "wrong", "overflow")])
    ]  # fmt: skip
    return read_subject(replace(run, tables={**run.tables, "tensor_errors": errors_table(rows, 1)}), "wrong")


@cache
def first_screen(*names: str) -> str:
    """The verdict and the cards of runs of the fixtures."""
    subjects = subjects_of(names)
    compared = compare(subjects) if len(subjects) > 1 else Compared(None, None)
    cards = "".join(card(one, place, subjects[0] if place else None) for place, one in enumerate(subjects))
    return f'{verdict(subjects, group_findings(subjects), compared)}<div class="cards">{cards}</div>'


def plain(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", "", html)).split())


def told(*names: str) -> dict[str, list[str]]:
    """Paragraphs of the verdict by their class, and the things to do without their next steps."""
    page = first_screen(*names)
    found = {kind: re.findall(rf"""<p class=.{kind}.>(.*?)</p>""", page) for kind in ("answer", "basis", "risk")}
    found["actions"] = re.findall(r"<li><a.*?<br>", page.partition('<div class="cards">')[0])
    return {kind: [plain(one) for one in lines] for kind, lines in found.items()}


@pytest.mark.parametrize("case", CASES)
def test_the_answer_and_the_first_thing_to_do(case: str) -> None:
    """Held against run.json and the findings of each run."""
    wanted, found = CASES[case], told(*CASES[case].runs)

    assert tuple(found["answer"]) == wanted.answers
    assert found["basis"][0].startswith(wanted.basis)
    assert found["actions"][0] == wanted.first
    assert len(found["actions"]) <= 3
    assert found["risk"][0].startswith(wanted.risks)


def test_the_first_screen_shows_them(browser: Any, tmp_path: Path) -> None:
    """In a window of 1440 x 900 the whole verdict is in sight, its answer in large type, for every case."""
    template = re.split(r"{{(\w+)}}", (ASSETS / "page.html").read_text("utf-8"))
    style = (ASSETS / "page.css").read_text("utf-8") + precision_styles()
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 1440, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    )
    for number, (case, wanted) in enumerate(CASES.items()):
        parts = {"style": style, "verdict": first_screen(*wanted.runs)}
        path = tmp_path / f"{number}.html"
        filled = "".join(part if place % 2 == 0 else parts.get(part, "") for place, part in enumerate(template))
        path.write_text(filled, "utf-8")
        browser.get(path.as_uri())
        shown = browser.execute_script(
            "const one = (name) => document.querySelector(`.verdict ${name}`);"
            "return [one('.answer').innerText, one('li a').innerText, one('.next').innerText, one('.risk').innerText,"
            "parseFloat(getComputedStyle(one('.answer')).fontSize), document.querySelector('.verdict').getBoundingClientRect().bottom,"
            "document.querySelector('.card').getBoundingClientRect().top]"
        )
        assert shown[0] == wanted.answers[0], case
        assert wanted.first.startswith(shown[1]), case
        assert shown[2], case
        assert shown[3].startswith(wanted.risks), case
        assert shown[4] >= 20, case
        assert shown[5] < shown[6] < 600, case


def test_a_severe_finding_without_a_known_gain_is_among_the_things_to_do() -> None:
    """An engine that waits for the host: a CUDA graph gains what nobody has timed."""
    assert "The GPU waits for the host to launch kernels gain not known" in told("h200/resnet50-best")["actions"]


def test_an_engine_without_times_beside_one_that_has() -> None:
    """Its layers are known, its times are not, and the other one is no winner."""
    found = told("h200/killed", "h200/resnet50-fp16")

    assert found["answer"] == [
        "killed: the build was killed, or is still running",
        "resnet50-fp16: 508 µs an inference",
    ]
    assert found["basis"][1].startswith("No other run was timed.")


def test_one_step_is_asked_for_once() -> None:
    """INT8 without FP16 is what made INT8 slower than FP16: both findings have one next step."""
    actions = told("h200/resnet50-int8", "h200/resnet50-fp16")["actions"]

    assert sum(one.startswith("INT8") for one in actions) == 1
