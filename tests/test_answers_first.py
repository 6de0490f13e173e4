"""The answer comes first: of each view, of a log, of a kernel's name, and of a text that names a layer."""

from __future__ import annotations

import json

import pytest

from tests.conftest import FIXTURES
from tests.golden.commands import say
from tests.golden.inputs import FILES, opened
from trtlens import VIEWS
from trtlens.commands.kernel import sentence
from trtlens.errors import TrtlensError
from trtlens.explain.ranking import select
from trtlens.runs.arguments import read_arguments
from trtlens_parsers.kernels import read_kernel

pytestmark = pytest.mark.usefixtures("fixtures_read_once")


def first_lines(*words: object, most: int = 12) -> list[str]:
    return say(*words).out.split("\n")[:most]


def test_a_view_begins_with_its_answer() -> None:
    """The answer stands above the table, with its numbers, for each build; programs get the rows alone."""
    lines = first_lines("show", "precision", *FILES["releases/8.2-two-builds"])
    assert lines[0] == "build 1: Computing layers: FP16 1 layer, 59.5 % of the time; 2 reformats 40.5 % of the time"
    assert lines[1].startswith("build 2: Computing layers: INT8 1 layer")
    assert lines[2] == ""
    assert first_lines("show", "precision", *FILES["small-build"], "--format", "csv")[0].startswith("build,work,")


@pytest.mark.parametrize("name", ["small-build", "releases/10.16-strategies", "releases/5.1"])
def test_every_view_with_rows_has_an_answer(name: str) -> None:
    """Whatever a run lacks, an answer is a sentence without a gap."""
    for view in VIEWS.values():
        rows = opened(name).view(view.name)
        for answer in view.answers(rows):
            assert answer
            assert "None" not in answer
            assert "nan" not in answer.split()


def test_times_of_zero_have_no_shares() -> None:
    """A build that ended within a second by its stamps, and layers that took no time: no share is told of nothing."""
    none: dict[str, object] = dict.fromkeys(("percent", "tactics", "source", "note", "line"))
    rows = [{**none, "build": 1, "kind": kind, "name": "start", "seconds": 0.0} for kind in ("total", "part")]
    assert VIEWS["build"].answer(rows) == "start: 0 µs"
    layers = [{"name": "conv", "time_ms": 0.0, "percent": None}]
    assert VIEWS["build"].answer([{**row, "seconds": None} for row in rows]) == "No duration is known"
    assert VIEWS["slowest"].answer(layers) == "No layer takes any time, as it was measured"


def test_unknown_core_types_are_not_counted_as_cuda_cores() -> None:
    """Where no core type is known the answer says that, not that nothing runs on tensor cores."""
    (answer,) = VIEWS["tensorcores"].answers(opened("releases/10.16-strategies").view("tensorcores"))
    assert answer == "Of none of 1 computing layer it is known whether it runs on tensor cores"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("h200/resnet50-int8", "605 µs an inference; 47 constants are copied at every inference: "),
        ("small-build", "An engine of 3 layers: 1 tf32, 1 fp32 compute, 1 reformat, built in 5.00 s; no inference was timed"),
        ("h200/refused", "The build failed: node 0, /Erf (Eigenvalues), has no importer"),
        ("releases/9.2-cut", "The log breaks off before the build's end: it ends at line 26"),
        ("releases/8.2-two-builds", "2 builds; an inference takes 60.0 µs"),
    ],
)  # fmt: skip
def test_parse_begins_with_what_matters_most(name: str, said: str) -> None:
    """Of a build that gave no engine why, of a timed one its time and what leads the findings, of several a table."""
    lines = first_lines("parse", *FILES[name])
    assert lines[0].startswith(said)


def test_parse_says_one_build_in_few_lines_and_counts_every_type() -> None:
    """A calibration counts as no build of its own; every layer type has its number."""
    out = say("parse", *FILES["h200/resnet50-int8"]).out
    assert out.count("\n") <= 12
    assert "; calibrated by build 1, lines 1 to 10,643\n" in out
    assert "\ncompute in   55 int8; 54 tensor core, 1 unknown; allowed FP32+INT8\n" in out
    assert "other" not in out
    assert "53 CaskConvolution, 47 Constant, 47 MyelinReformat, 1 Reformat, 1 CaskConvActPool, 1 CaskPooling, 1" in out
    two = say("parse", *FILES["releases/8.2-two-builds"])
    assert two.out.count("\n") == 6
    assert "--build 2" in two.err


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("/conv1/Conv + /relu/Relu", {"/conv1/Conv + /relu/Relu"}),
        ("/conv1/Conv", {"/conv1/Conv + /relu/Relu"}),
        ("fc", {"/fc/Gemm"}),
        ("maxpool", {"/maxpool/MaxPool"}),
    ],
)
def test_a_text_means_layer_node_path_then_part(text: str, names: set[str]) -> None:
    """A whole name wins over a node's, a node's over a part of a path, that over a part of a name."""
    run = opened("h200/resnet50-fp16-traced")
    known = dict(zip(run["layers"]["index"].to_pylist(), run["layers"]["name"].to_pylist(), strict=True))
    found = {known[index] for _, indices in select(run, text) for index in indices}
    assert {name for name in found if not name.startswith("Reformatting")} == names
    with pytest.raises(TrtlensError, match="no layer's name is"):
        select(run, "no such layer")


def test_one_layer_is_told_in_prose_and_several_in_a_list() -> None:
    """The list says how many there are, and how to go on."""
    files = FILES["h200/resnet50-fp16-traced"]
    assert first_lines("why", "/conv1/Conv", *files)[0].startswith("/conv1/Conv + /relu/Relu  (layer 48)")
    assert first_lines("why", "conv1", *files)[0].startswith(
        "/conv1/Conv + /relu/Relu  (layer 48)"
    )  # the module's path
    assert first_lines("why", "conv2", *files)[0].startswith("'conv2' fits 16 layers: give the name of one")
    assert first_lines("why", "layer1/layer1.0", *files)[0].startswith("'layer1/layer1.0' fits 4 layers: give the name")


def test_a_kernel_is_told_in_english() -> None:
    """One sentence, then what the name says; what it does not say is no line."""
    name = "turing_fp16_i8816cudnn_int8_128x128_ldg16_relu_interior_nt_v1"
    assert sentence(read_kernel(name)) == (
        "A convolution (cudnn) for SM 7.5 on tensor cores: it reads INT8, multiplies in INT8, sums in INT32 and writes FP16; "
        "'i8816cudnn' in the name shows the core type"
    )
    lines = first_lines("kernel", name, most=40)
    assert f"name              {name}" in lines
    assert "core type         tensor core" in lines
    assert not any(line.startswith("cluster") for line in lines)
    assert sentence(read_kernel("foo")).startswith("A kernel; whether it uses tensor cores is not known: ")


LOG = FILES["releases/8.2-two-builds"][0]
CAPTURE = tuple(FILES["resnet50-h200/fp16"])


@pytest.mark.parametrize(
    ("texts", "runs"),
    [
        ((LOG,), [1]),
        (CAPTURE, [3]),
        ((CAPTURE[1], CAPTURE[0], CAPTURE[2]), [3]),
        ((*CAPTURE, LOG), [3, 1]),
        ((LOG, *FILES["h200/refused"], CAPTURE[1]), [1, 1, 1]),
        ((CAPTURE[1], FILES["resnet50-h200/int8"][1]), [1, 1]),
        ((f"{CAPTURE[0]},{CAPTURE[1]}", CAPTURE[2]), [2, 1]),
        ((f"{LOG}@2", f"{LOG}@1"), [1, 1]),
    ],
)
def test_files_are_grouped_into_runs_in_one_way(texts: tuple[object, ...], runs: list[int]) -> None:
    """A log or a folder begins a run, a JSON file belongs to the run before it, else to the log behind it; two of a kind are two runs."""
    assert [len(argument.paths) for argument in read_arguments([str(text) for text in texts])] == runs


def test_every_command_groups_files_alike() -> None:
    """Commands about one run refuse several with their names; parse lists them, and says of what it cannot read why."""
    done = say("show", "layers", LOG, *CAPTURE)
    assert done.code == 2
    assert "these files are 2 runs" in done.err
    assert say("show", "layers", f"{LOG}@2").out.startswith("3 layers: 1 compute (1 in int8)")
    listed = say("parse", LOG, FILES["small-build"][0], FIXTURES / "traces" / "README.md").out
    assert listed.startswith("4 builds; of README.md no engine is known; an inference takes 60.0 µs in each of 2")
    rows = json.loads(say("parse", LOG, FILES["small-build"][0], "--format", "json").out)
    assert [(row["run"], row["build"]) for row in rows] == [
        ("8.2-two-builds", 1),
        ("8.2-two-builds", 2),
        ("verbose", 1),
    ]


@pytest.mark.parametrize("words", [("show", "layers"), ("why", "--all")])
def test_no_rows_have_a_reason(words: tuple[str, ...]) -> None:
    """Whoever sees no rows reads why, and how to get them, in lines that fit."""
    done = say(*words, *FILES["releases/5.1"])
    assert done.out.strip() == "no rows"
    assert "no engine layers: the log ends before they are listed" in " ".join(done.err.split())
    assert max(map(len, done.err.split("\n"))) <= 120
