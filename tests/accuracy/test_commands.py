"""The commands dump, accuracy and overflow as a user types them: what goes to stdout, exit codes, and kept comparisons."""

from __future__ import annotations

import io
import json
import shutil
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.accuracy.conftest import DUMPS, MODELS, f32, needs_runtime, save_npz
from tests.conftest import FIXTURES
from tests.schemas import fits
from trtlens.accuracy.summary import classic_table
from trtlens.cli import main
from trtlens.commands.flags import parse_size
from trtlens.errors import TrtlensError
from trtlens.runs.run import open_run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.accuracy.conftest import Typed


@needs_runtime
def test_three_commands_find_the_fault(typed: Typed, tmp_path: Path) -> None:
    """Reference, emulated run, accuracy: the three commands of the story name tensor, cause, advice and flags."""
    model = MODELS / "overflowing_rms_norm.onnx"
    assert typed("dump", model, "--reference", "-o", tmp_path / "ref")[0] == 0
    code, out, _ = typed("dump", model, "--emulate", "fp16", "--load-inputs", tmp_path / "ref", "-o", tmp_path / "fp16")
    assert code == 0
    assert "note: emulated on the CPU" in out
    code, out, err = typed("accuracy", tmp_path / "ref", tmp_path / "fp16")
    assert code == 0
    assert out.startswith("15 tensors compared, 11 not ok")
    out = " ".join(out.split())
    assert "emulated fp16: ONNX Runtime on the CPU, every output rounded to fp16 against reference: " in out
    assert "first that goes wrong: norm/pow_output (norm/pow, Pow): overflow" in out
    assert "what to do: from norm/pow to norm/div, divide x by s = 64" in out
    assert "--layer-precision norm/pow=fp32 --layer-precision norm/mean=fp32" in out
    assert "lower is better: error" in err
    assert "higher is better: sqnr" in err


@needs_runtime
def test_pinned_layers_go_through_the_command(typed: Typed, tmp_path: Path, dump_of: Callable[..., Path]) -> None:
    """The flags that accuracy prints are taken by dump, and the run is ok then: --fail exits with 0 instead of 1."""
    model, reference = MODELS / "overflowing_rms_norm.onnx", dump_of("overflowing_rms_norm", None)
    assert typed("accuracy", reference, dump_of("overflowing_rms_norm", "fp16"), "--fail")[0] == 1
    flags = [f"--layer-precision=norm/{node}=fp32" for node in ("pow", "mean", "add", "sqrt")]
    pinned = tmp_path / "pinned"
    assert typed("dump", model, "--emulate", "fp16", "--load-inputs", reference, "-o", pinned, *flags)[0] == 0
    assert typed("accuracy", reference, pinned, "--fail")[0] == 0


def test_rows_in_every_format(typed: Typed) -> None:
    """JSON, CSV and Parquet hold the view's columns behind the run's name; several runs stand under one another."""
    runs = DUMPS / "run.npz", DUMPS / "npy-run"
    code, out, _ = typed("accuracy", DUMPS / "reference.npz", *runs, "--format", "json")
    assert code == 0
    rows = json.loads(out)
    assert [row["run"] for row in rows].count(str(runs[0])) == 6
    assert [row["run"] for row in rows].count(str(runs[1])) == 6
    (scores,) = (row for row in rows if row["tensor"] == "scores" and row["run"] == str(runs[0]))
    assert scores["max_abs_error"] == pytest.approx(1.5, abs=0.01)
    _, out, _ = typed("accuracy", DUMPS / "reference.npz", runs[0], "--format", "csv")
    assert out.splitlines()[0].startswith("run,build,index,tensor,")
    assert len(out.splitlines()) == 7


def test_parquet_can_be_read_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parquet on standard output is a file with units and directions in its metadata."""
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw))
    monkeypatch.setattr(
        sys, "argv", ["trtlens", "accuracy", str(DUMPS / "reference.npz"), str(DUMPS / "run.npz"), "-f", "parquet"]
    )
    with pytest.raises(SystemExit):
        main()
    sys.stdout.flush()
    table = pq.read_table(io.BytesIO(raw.getvalue()))
    assert table.num_rows == 6
    assert b"higher is better" in (table.schema.field("sqnr_db").metadata or {})[b"doc"]


def test_classic_table_is_that_of_the_faq(typed: Typed) -> None:
    """LayerName, LayerShape and Similarity%, aligned to the right, a bar behind each, by each of the three metrics."""
    values = {}
    for metric in (0, 1, 2):
        code, out, _ = typed("accuracy", DUMPS / "reference.npz", DUMPS / "run.npz", "--classic", metric)
        assert code == 0
        lines = out.splitlines()
        assert [cell.strip() for cell in lines[0].split("|")] == ["LayerName", "LayerShape", "Similarity%", ""]
        assert len({len(line) for line in lines}) == 1
        cells = {line.split("|")[0].strip(): [cell.strip() for cell in line.split("|")[1:3]] for line in lines[1:]}
        assert cells["conv1/output"][0] == "[1, 2, 3, 3]"
        values[metric] = float(cells["scores"][1].rstrip("%"))
    with np.load(DUMPS / "reference.npz") as ours, np.load(DUMPS / "run.npz") as theirs:
        a, b = (side["scores"].astype(np.float64).reshape(-1) for side in (ours, theirs))
    norm = np.linalg.norm
    assert values[0] == pytest.approx(100 * (1 - norm(a - b) / (norm(a) + norm(b))), abs=1e-3)
    assert values[1] == pytest.approx(100 * a @ b / norm(a) / norm(b), abs=1e-3)
    assert values[2] == pytest.approx(100 * (1 - np.abs(a - b).sum() / np.abs(a).sum()), abs=1e-3)


def test_classic_table_leaves_out_what_has_no_similarity() -> None:
    """A tensor of zeros has no cosine: its cell is empty, not 0 and not 100."""
    row = {"tensor": "t", "dims": [2], "status": "compared", "cosine_similarity": None}
    assert classic_table([row], 1).splitlines()[1].split("|")[2].strip() == ""


@needs_runtime
def test_kept_comparison_is_there_for_every_command(typed: Typed, dump_of: Callable[..., Path], tmp_path: Path) -> None:
    """After --keep, `show accuracy` and `show pins` of the run's folder have the rows, numbers unchanged."""
    model = MODELS / "subnormal_weights.onnx"
    reference, folder = dump_of("subnormal_weights", None), tmp_path / "run"
    assert typed("dump", model, "--emulate", "fp16", "--load-inputs", reference, "-o", folder)[0] == 0
    _, wanted, _ = typed("accuracy", reference, folder, "--format", "json")
    code, _, err = typed("accuracy", reference, folder, "--keep", "--format", "csv")
    assert code == 0
    assert "comparison kept in" in err
    _, out, _ = typed("show", "accuracy", folder, "--format", "json")
    assert json.loads(out) == [{k: v for k, v in row.items() if k != "run"} for row in json.loads(wanted)]
    _, out, _ = typed("show", "pins", folder)
    assert "tiny/MatMul" in out
    run = open_run(folder)
    assert run["tensor_errors"]["reference"].to_pylist()[0] == "reference: ONNX Runtime in FP32 on the CPU"


@needs_runtime
def test_kept_beside_a_profile_joins_errors_and_times(
    typed: Typed, dump_of: Callable[..., Path], tmp_path: Path
) -> None:
    """With --profile the comparison is kept in the profiled run, which then has layers, times and errors."""
    reference, run = dump_of("subnormal_weights", None), tmp_path / "profiled"
    shutil.copytree(FIXTURES / "h200-dumps" / "subnormal_weights-held", run)
    emulated = dump_of("subnormal_weights", "fp16")
    code, _, err = typed("accuracy", reference, emulated, "--profile", run, "--keep")
    assert code == 0
    assert str(run / "accuracy.json") in err
    assert not (emulated / "accuracy.json").exists()
    rows = {row["tensor"]: row for row in open_run(run).view("accuracy").to_pylist()}
    assert rows["tiny/MatMul_output"]["precision"] == "fp16"
    assert rows["tiny/MatMul_output"]["layer"]
    code, _, err = typed("accuracy", reference, emulated, emulated, "--profile", run, "--keep")
    assert code == 2
    assert "give one run" in err


def test_keep_needs_a_run(typed: Typed) -> None:
    """A foreign dump has no folder of a run to keep a comparison in."""
    code, _, err = typed("accuracy", DUMPS / "reference.npz", DUMPS / "run.npz", "--keep")
    assert code == 2
    assert "not the folder of a run" in err


@needs_runtime
def test_graph_of_a_model_blames_in_foreign_dumps(typed: Typed, dump_of: Callable[..., Path], tmp_path: Path) -> None:
    """With --model, dumps that know no graph get the error that each layer added."""
    from trtlens.accuracy.readers import open_dump

    for side, emulate in (("a", None), ("b", "fp16")):
        arrays = {name: t.array() for name, t in open_dump(dump_of("subnormal_weights", emulate)).tensors.items()}
        save_npz(tmp_path / f"{side}.npz", arrays)
    command = ("accuracy", tmp_path / "a.npz", tmp_path / "b.npz", "--precision", "fp16", "--format", "json")
    plain = {row["tensor"]: row for row in json.loads(typed(*command)[1])}
    assert plain["tiny/MatMul_output"]["error_added"] is None
    known = {row["tensor"]: row for row in json.loads(typed(*command, "--model", MODELS / "subnormal_weights.onnx")[1])}
    assert known["tiny/MatMul_output"]["error_added"] == pytest.approx(0.155, abs=0.005)
    assert known["tiny/MatMul_output"]["producer"] == "tiny/MatMul"
    assert known["tiny/relu_output"]["error_added"] < 0.001


def test_profile_joins_another_run(typed: Typed, tmp_path: Path) -> None:
    """--profile takes layers, precisions and times from a profiled run; --pins then knows what a pin costs."""
    h200 = DUMPS.parent / "resnet50-h200"
    run = open_run([h200 / "fp16" / "verbose.log.xz", h200 / "fp16" / "layers.json.xz"])
    outputs = [row["name"] for row in run["layer_tensors"].to_pylist() if row["direction"] == "output"][:8]
    random = np.random.default_rng(0)
    arrays = {name: random.standard_normal(50).astype(np.float32) for name in dict.fromkeys(outputs)}
    save_npz(tmp_path / "a.npz", arrays)
    save_npz(tmp_path / "b.npz", {name: array + np.float32(0.3) for name, array in arrays.items()})
    log = h200 / "fp16" / "verbose.log.xz"
    _, out, _ = typed("accuracy", tmp_path / "a.npz", tmp_path / "b.npz", "--profile", log, "--format", "json")
    joined = [row for row in json.loads(out) if row["joined_by"] == "tensor"]
    assert len(joined) >= 3
    assert {row["precision"] for row in joined} >= {"fp16"}


@needs_runtime
def test_overflow_of_a_model_and_of_its_reference(typed: Typed, dump_of: Callable[..., Path]) -> None:
    """A model is run first, a reference is read; both tell the same, with the power of two."""
    code, out, _ = typed("overflow", MODELS / "overflowing_rms_norm.onnx")
    assert code == 0
    assert "s = 64" in out
    assert "squares double the exponent" in out
    _, again, _ = typed("overflow", dump_of("overflowing_rms_norm", None))
    assert again == out
    _, out, _ = typed("overflow", dump_of("overflowing_rms_norm", None), "--format", "json")
    rows = json.loads(out)
    assert {(row["kind"], row["tensor"]) for row in rows} == {
        ("tensor", "norm/pow_output"), ("tensor", "norm/mean_output"), ("sum", "norm/mean_output"),
        ("tensor", "norm/add_output"),
    }  # fmt: skip
    assert {row["scale"] for row in rows} == {64}
    _, out, _ = typed("overflow", MODELS / "tiny_encoder.onnx")
    assert out.strip() == "nothing overflows FP16, of 74 tensors and weights"
    _, _, err = typed("overflow", dump_of("overflowing_rms_norm", "fp16"))
    assert "no FP32 reference" in err


@needs_runtime
def test_list_prints_every_output_with_its_operator(typed: Typed) -> None:
    """`--list` needs no folder, and names node, operator, tensor, type and shape."""
    code, out, _ = typed("dump", MODELS / "small_cnn.onnx", "--list", "--format", "json")
    assert code == 0
    rows = fits("dump --list", out)
    assert rows[0] == {
        "index": 0, "node": "stem/conv", "op": "Conv", "tensor": "stem/conv_output", "dtype": "fp32", "dims": "4x16x32x32",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["dump", MODELS / "small_cnn.onnx", "--reference"], "give the folder of the run with -o"),
        (["dump", MODELS / "small_cnn.onnx", "--reference", "--emulate", "fp16", "-o", "x"], "exclude each other"),
        (["dump", MODELS / "small_cnn.onnx", "--reference", "--max-memory", "lots", "-o", "x"], "no size|not a size"),
        (["dump", MODELS / "nothing.onnx", "--reference", "-o", "x"], "not a file"),
        (["accuracy", "nothing", "nothing"], "not there"),
        (["accuracy", DUMPS / "reference.npz", DUMPS / "run.npz", "--classic", "3"], "0, 1 or 2"),
        (["accuracy", DUMPS / "reference.npz", MODELS / "small_cnn.onnx"], "no dump that is known"),
        (["overflow", MODELS], "cannot be read|no run|holds no|folder"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_two(
    arguments: list[object], words: str, typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be asked for is told in one line on stderr, with exit code 2, and writes nothing."""
    import re

    monkeypatch.chdir(tmp_path)
    code, out, err = typed(*arguments)
    assert code == 2
    assert out == ""
    assert re.search(words, err)
    assert err.startswith("trtlens: ")
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "size"), [("4G", 4 << 30), ("512M", 512 << 20), ("1.5 GiB", 3 << 29), ("100", 100), ("2k", 2048)]
)
def test_sizes_are_read(text: str, size: int) -> None:
    """Sizes in binary units, with or without a unit."""
    assert parse_size(text, "max-memory") == size


@pytest.mark.parametrize("text", ["", "0", "-1G", "1X", "G", "1e9", "9" * 20])
def test_what_is_no_size_is_refused(text: str) -> None:
    """Nothing, zero, negative and unknown units are no size."""
    with pytest.raises(TrtlensError, match="not a size"):
        parse_size(text, "max-memory")


def test_names_cannot_act_on_a_terminal(typed: Typed, tmp_path: Path) -> None:
    """Control characters in a tensor's name are escaped wherever it is printed."""
    name = "a\x1b[31mred\nnext"
    save_npz(tmp_path / "a.npz", {name: f32([1, 1, 1])})
    save_npz(tmp_path / "b.npz", {name: f32([np.nan] * 3)})
    for more in ((), ("--classic", 1), ("--pins",)):
        code, out, err = typed("accuracy", tmp_path / "a.npz", tmp_path / "b.npz", *more)
        assert code == 0
        assert "\x1b" not in out + err


def _ranged(name: str, role: str, low: float, high: float, *, producer: str | None) -> dict[str, Any]:
    """A row of dump.json with two values."""
    ranges = {
        "minimum": low, "maximum": high, "largest": max(abs(low), abs(high)), "smallest": 1.0, "mean": 0.0, "rms": 1.0, "zeros": 0,
        "nan": 0, "inf": 0, "beyond": (abs(low) > 65504) + (abs(high) > 65504), "subnormal": 0, "flushed": 0,
    }  # fmt: skip
    return {"name": name, "role": role, "producer": producer, "dtype": "fp32", "shape": [2], "ranges": ranges}


def test_overflow_tells_masks_and_small_values_apart(tmp_path: Path, typed: Typed) -> None:
    """A mask is short, stands once, and is counted neither as an overflow nor as too small."""
    nodes = [{"name": "add", "op": "Add", "inputs": ["scores", "mask"], "outputs": ["logits"]},
             {"name": "soft", "op": "Softmax", "inputs": ["logits"], "outputs": ["p"]}]  # fmt: skip
    lowest = -3.4028234663852886e38
    tensors = [
        _ranged("mask", "weight", lowest, 0.0, producer=None), _ranged("logits", "inner", lowest, 4.0, producer="add"),
        _ranged("big", "inner", -1.0, 1e5, producer=None),
    ]  # fmt: skip
    document = {"trtlens_dump": 1, "source": "onnxruntime", "label": "made", "tensors": tensors, "nodes": nodes}
    (tmp_path / "dump.json").write_text(json.dumps(document))
    (tmp_path / "run.json").write_text(json.dumps({"format": 1, "kind": "dump"}))
    code, out, _ = typed("overflow", tmp_path)
    assert code == 0
    assert "3.4e38" in out
    assert "000000" not in out
    assert out.count("it stands for infinity") == 1
    assert out.startswith(
        "1 overflows FP16; 2 stand for infinity, as masks do, which does no harm, of 3 tensors and weights\n"
    )
