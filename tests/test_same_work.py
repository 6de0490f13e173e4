"""Runs of other models, GPUs or input shapes are not held against one another, wherever a run states these."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from html import unescape
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.conftest import FIXTURES
from tests.doubles.made_runs import MadeRun, chain
from tests.golden.commands import say
from tests.golden.inputs import opened
from trtlens import TrtlensError, open_run
from trtlens.comparison import compare_runs
from trtlens.comparison.gate import PASSED, UNKNOWN, judge_checks, read_check
from trtlens.comparison.headlines import tell
from trtlens.comparison.same_work import Mismatch, Model, batches, inputs_of, mismatches, model_of
from trtlens.report.overview import card
from trtlens.report.payload import compare
from trtlens.report.subject import read_subject

if TYPE_CHECKING:
    from pathlib import Path

    from trtlens.runs.run import Run

pytestmark = pytest.mark.usefixtures("fixtures_read_once")

H200 = FIXTURES / "h200"
NAMES = ("a", "b", "c", "d")
TIMES = np.full((4, 30), 0.1)


def options(*rows: tuple[str, str, str]) -> dict[str, dict[str, list[Any]]]:
    """Trtexec's options as the log prints them."""
    sections, keys, values = zip(*rows, strict=True)
    return {"options": {"section": list(sections), "key": list(keys), "value": list(values)}}


def of_model(path: str) -> MadeRun:
    """A log that states the model's file."""
    return MadeRun(chain(*NAMES), TIMES, tables=options(("Model Options", "Model", path)), inference_ms=[0.5] * 30)


def of_hash(sha256: str, *names: str) -> MadeRun:
    """A captured run that states file and hash, whose engine holds these nodes."""
    info = {"model": {"path": "somewhere/net.onnx", "sha256": sha256}}
    return MadeRun(chain(*(names or NAMES)), TIMES[: len(names or NAMES)], info=info, inference_ms=[0.5] * 30)


def without_nodes(made: MadeRun) -> Run:
    """The run with layers that do not tell their nodes."""
    nameless = [replace(layer, name=f"layer {place}", nodes=()) for place, layer in enumerate(made.layers)]
    return replace(made, layers=nameless).run("other")


def second_card(*names: str) -> tuple[str, str | None]:
    """The report's card of the second of two recorded runs, and why they could not be compared."""
    subjects = [read_subject(opened(f"h200/{name}")) for name in names]
    compared = compare(subjects)
    return unescape(card(subjects[1], 1, subjects[0], compared.mismatches(subjects, 1))), compared.reason


# -- the model -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "file"),
    [("/data/net.onnx", "net.onnx"), (r"C:\models\net.onnx", "net.onnx"), ("net.onnx", "net.onnx"), ("*", None)],
)
def test_a_log_states_its_model_among_trtexecs_options(path: str, file: str | None) -> None:
    """The section is `Model Options`; folders of either kind of slash are left out, and `*` states nothing."""
    assert model_of(of_model(path).run()) == Model(file, None)


def test_a_log_of_trtexec_states_its_model() -> None:
    """The model of a real form of the log is found in what is read of it, not only in a table made by hand."""
    run = opened("alignment/releases/8.6")
    named = replace(run, tables={**run.tables, "options": of_model("/x/net.onnx").run()["options"]})

    assert model_of(run) == Model(None, None)
    assert model_of(named).file == "net.onnx"


def test_a_run_folder_states_file_and_hash() -> None:
    """`run.json` of a captured run has both."""
    model = model_of(opened("h200/resnet50-fp16"))

    assert model.file == "resnet50.onnx"
    assert (model.sha256 or "").startswith("5a3a46e77107")


def test_a_log_and_a_run_folder_of_one_file_are_of_one_model() -> None:
    """A hash on one side and a name on both: the name decides."""
    log, folder = without_nodes(of_model("/elsewhere/net.onnx")), without_nodes(of_hash("aa"))

    assert mismatches(log, folder) == []
    assert [one.what for one in mismatches(without_nodes(of_model("other.onnx")), folder)] == ["model"]


def test_versions_of_one_model_are_compared() -> None:
    """Another hash with the same nodes is a version of the model: folded constants, Q/DQ nodes."""
    comparison = compare_runs([of_hash("aa").run("base"), of_hash("bb").run("run")])

    assert comparison.shared(1) == 1.0
    assert comparison.mismatches[1] == ()


def test_one_hash_is_one_model_whatever_the_engines_show() -> None:
    """An engine whose layers are named anew is still one of the same file."""
    comparison = compare_runs([of_hash("aa").run("base"), of_hash("aa", "v", "w", "x", "y").run("run")])

    assert comparison.shared(1) == 0.0
    assert comparison.mismatches[1] == ()


@pytest.mark.parametrize("other", [of_hash("bb", "v", "w", "x", "y"), of_hash("bb", "a", "w", "x", "y")])
def test_other_models_are_refused(other: MadeRun) -> None:
    """Engines that share less than half of their nodes are no versions of one model; the message names both."""
    with pytest.raises(
        TrtlensError, match=r"base \(net.onnx, sha256 aa\) and run \(net.onnx, sha256 bb\) are not runs"
    ):
        compare_runs([of_hash("aa").run("base"), other.run("run")])


def test_other_models_under_one_name_are_refused() -> None:
    """Many files are called model.onnx."""
    other = replace(of_model("model.onnx"), layers=chain("v", "w", "x", "y"))

    with pytest.raises(TrtlensError, match="are not runs of one model: 0 % of the ONNX nodes"):
        compare_runs([of_model("model.onnx").run("base"), other.run("run")])


def test_other_files_whose_nodes_are_not_known_are_not_of_the_same_work() -> None:
    """Where the engines tell no nodes, names and hashes are all there is."""
    comparison = compare_runs([of_model("one.onnx").run("base"), without_nodes(of_model("two.onnx"))])

    told = tell(comparison)[0].sentences
    assert [str(one) for one in comparison.mismatches[1]] == ["model differs (one.onnx, here two.onnx)"]
    assert told[0] == "Model differs (one.onnx, here two.onnx), so not the same work."
    assert not any("slower" in sentence or "faster" in sentence for sentence in told)


def test_models_that_nothing_states_are_not_called_one() -> None:
    """Two logs that state no model, of engines whose layers cannot be matched: no verdict, and the reason first."""
    runs = [without_nodes(MadeRun(chain(*NAMES), TIMES)), without_nodes(MadeRun(chain(*NAMES, type="Myelin"), TIMES))]
    renamed = replace(runs[1], tables={**runs[1].tables, "layers": MadeRun(chain("v", "w", "x", "y")).run()["layers"]})
    comparison = compare_runs([runs[0], renamed], names=["base", "run"])

    told = tell(comparison)[0].sentences
    assert told[0] == (
        "Model may differ (neither run states it; the layers of the two engines cannot be matched), "
        "so whether it is the same work is not known."
    )
    assert not any("slower" in sentence or "faster" in sentence for sentence in told)
    assert [one.state for one in judge_checks(comparison, [read_check("layers > +1")])] == [UNKNOWN]


def test_a_report_of_other_models_holds_nothing_against_the_first() -> None:
    """The card says which models, the part on changes why the runs were not compared."""
    told, reason = second_card("encoder-fp16", "mobilenet-batch-32")

    assert "mobilenet-batch-32 (mobilenet.onnx, sha256 16207514338f) are not runs of one model" in (reason or "")
    assert "model differs (encoder.onnx, sha256 297ee8ae06c3, here mobilenet.onnx, sha256 16207514338f)" in told
    assert "x slower than" not in told
    assert "x faster than" not in told


# -- GPU and input shapes --------------------------------------------------------------------------------------------


def on_gpu(name: str | None) -> MadeRun:
    return MadeRun(chain(*NAMES), TIMES, info={"gpu": {"name": name}}, inference_ms=[0.5] * 30)


def at(shapes: dict[str, str], inference_ms: float = 0.5) -> MadeRun:
    """A run that was timed at these shapes."""
    return MadeRun(
        chain(*NAMES), TIMES, info={"timings": [{"shapes": shapes}]}, inference_ms=[inference_ms] * 30
    )  # fmt: skip


def test_another_gpu_is_said_first() -> None:
    """The times stay, with what they are of before them; a GPU that one run does not state is not another."""
    comparison = compare_runs([on_gpu("NVIDIA L4").run("base"), on_gpu("NVIDIA T4").run("run")])

    assert tell(comparison)[0].sentences[0].startswith("GPU differs (NVIDIA L4, here NVIDIA T4)")
    assert compare_runs([on_gpu("NVIDIA L4").run("a"), on_gpu(None).run("b")]).mismatches[1] == ()


def test_inputs_are_those_that_were_timed_else_the_engines() -> None:
    """The record's shapes, trtexec's inference shapes, the engine's inputs with the batch of an implicit one."""
    shape = options(("Inference Options", "Input inference shape", "x=4x1x28x28"))
    implicit = options(("Inference Options", "Batch", "16"))
    explicit = options(("Inference Options", "Batch", "Explicit"))

    assert inputs_of(at({"x": "8x3", "y": "2x5"}).run()) == ((2, 5), (8, 3))
    assert inputs_of(MadeRun(chain(*NAMES), tables=shape).run()) == ((4, 1, 28, 28),)
    assert inputs_of(MadeRun(chain(*NAMES), tables=implicit).run()) == ((16, 1, 8),)
    assert inputs_of(MadeRun(chain(*NAMES), tables=explicit).run()) == ((1, 8),)
    assert inputs_of(MadeRun([]).run()) is None


@pytest.mark.parametrize(
    ("base", "run", "expected"),
    [
        ({"x": "1x3x8x8"}, {"x": "32x3x8x8"}, (1, 32)),
        ({"x": "1x3", "table": "7x7"}, {"x": "4x3", "table": "7x7"}, (1, 4)),
        ({"x": "1x3", "y": "1x5"}, {"x": "4x3", "y": "4x5"}, (1, 4)),
        ({"x": "1x3", "y": "1x5"}, {"x": "4x3", "y": "2x5"}, None),
        ({"x": "1x3x8x8"}, {"x": "1x3x9x9"}, None),
        ({"x": "1x3"}, {"x": "1x3"}, None),
        ({"x": "1x3"}, {"x": "4x3", "y": "4x3"}, None),
    ],
)
def test_only_the_first_extent_may_differ_between_batches(
    base: dict[str, str], run: dict[str, str], expected: tuple[int, int] | None
) -> None:
    """Batches are first extents that go up together, with all else alike."""
    assert batches(at(base).run(), at(run).run()) == expected


def test_batches_are_compared_by_samples_a_second() -> None:
    """Batch 32 in 1.8 times the time is 17.8 times the throughput, and no slower engine."""
    runs = [at({"x": "1x3"}, 0.4).run("one"), at({"x": "32x3"}, 0.72).run("many")]
    told = tell(compare_runs(runs))[0].sentences

    assert told[0] == "Input shapes differ ([1,3], here [32,3]), so not the same work."
    assert told[1] == (
        "One inference takes many 720 µs on the GPU for 32 samples, one 400 µs for 1 sample: "
        "44,444 samples a second against 2,500, 17.8x as many."
    )
    assert not any("slower" in sentence or "faster" in sentence for sentence in told)


def test_other_shapes_have_no_verdict() -> None:
    """Images of another size are other work, and neither run is faster."""
    told = tell(compare_runs([at({"x": "1x3x8"}, 0.4).run("small"), at({"x": "1x3x9"}, 0.9).run("large")]))[0].sentences

    assert told[1] == "One inference takes large 900 µs on the GPU, small 400 µs."


def test_a_report_of_a_batch_sweep_tells_throughput() -> None:
    """The card of a larger batch gives samples a second and no "slower"; other shapes are said."""
    told, _ = second_card("mobilenet-batch-1", "mobilenet-batch-32")

    assert "44,655 samples a second against 2,501, 17.9x as many in mobilenet-batch-1 (batch 32, there 1)" in told
    assert "x slower than" not in told


# -- the gate --------------------------------------------------------------------------------------------------------


def test_changes_of_times_between_unlike_runs_are_not_judged() -> None:
    """A change of times is unknown with the reason; a value of its own and a count of layers are judged."""
    comparison = compare_runs([at({"x": "1x3"}, 0.4).run("base"), at({"x": "8x3"}, 0.9).run("run")])
    checks = ("latency > +3%", "latency > 1ms", "layers > +0", "regions_slower > +0")
    change, value, count, regions = judge_checks(comparison, [read_check(text) for text in checks])

    assert (change.state, value.state, count.state, regions.state) == (UNKNOWN, PASSED, PASSED, UNKNOWN)
    assert change.line == (
        "unknown, not judged: run: latency: input shapes differ ([1,3], here [8,3]) (latency > +3%)"
    )  # fmt: skip


def test_the_gate_refuses_other_models() -> None:
    """A check on another model is a usage error in one line, not a pass."""
    done = say("compare", H200 / "encoder-fp16", H200 / "mobilenet-batch-32", "--fail-on", "layers > +1000")

    assert (done.code, done.out) == (2, "")
    assert "are not runs of one model" in done.err
    assert done.err.count("\n") == 1


def test_a_hash_that_is_no_text_states_nothing(tmp_path: Path) -> None:
    """A record with wrong types is read as one that does not state the model."""
    folder = tmp_path / "run"
    shutil.copytree(H200 / "encoder-fp16", folder)
    document = json.loads((folder / "run.json").read_text("utf-8"))
    document["model"] = {"path": 5, "sha256": ["x"]}
    (folder / "run.json").write_text(json.dumps(document), "utf-8")

    assert not model_of(open_run(folder))


@pytest.mark.parametrize(
    ("one", "two", "other"),
    [
        (("a.onnx", "x"), ("a.onnx", "y"), True),
        (("a.onnx", "x"), ("b.onnx", "x"), False),
        (("a.onnx", None), ("b.onnx", "x"), True),
        (("a.onnx", None), ("a.onnx", "x"), False),
        ((None, "x"), ("a.onnx", None), False),
    ],
)
def test_the_hash_decides_over_the_file_name(
    one: tuple[str | None, str | None], two: tuple[str | None, str | None], *, other: bool
) -> None:
    """Two names of one content are one model, one name of two contents is two; without both hashes the names decide."""
    assert Model(*one).is_other_than(Model(*two)) is other
    assert Model(*two).is_other_than(Model(*one)) is other


def test_what_may_differ_is_told_with_what_each_run_states() -> None:
    """Two names where there are two; where neither run states one, that."""
    why = "the layers of the two engines cannot be matched"
    assert str(Mismatch("model", "a.onnx", "b.onnx", certain=False)) == f"model may differ (a.onnx, here b.onnx; {why})"
    assert str(Mismatch("model", "-", "-", certain=False)) == f"model may differ (neither run states it; {why})"
