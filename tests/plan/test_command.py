"""`trtlens plan` from its words to its files: answers, what is refused, interruption, and what reads a plan."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest

from tests.capture.conftest import MODELS
from tests.doubles.tensorrt_double import make_double
from tests.plan.conftest import SIZE
from tests.schemas import fits
from trtlens import open_run
from trtlens.capture.backends import backend as backends
from trtlens.capture.backends.backend import backend_from_module
from trtlens.capture.build_options import parse_options
from trtlens.capture.building.engine_build import build_run
from trtlens.capture.planning import emulator, judging, kept_search
from trtlens.errors import TrtlensError
from trtlens.plan.document import read_plan
from trtlens.plan.scripts import builder_script, polygraphy_script, trtexec_flags

if TYPE_CHECKING:
    from collections.abc import Callable

    Command = Callable[..., str]


def types(path: str = "plan.json") -> dict[str, str]:
    return read_plan(Path(path)).node_types()


def test_everything_that_holds_at_once_is_one_check(command: Command, plain: Path) -> None:
    """All FP16 within the bound: said first, after one check, and nothing is pinned."""
    told = command(plain, "--fp16", "--bound", "error<=5e-3")
    assert told.startswith("Everything can go down to FP16: error 0.0003")
    assert "1 check" in told
    assert "batch was set to 1" in told
    assert set(types().values()) == {"fp16"}
    assert not Path("plan.json.search").exists()


def test_a_cancellation_is_kept(command: Command, cancelling: Path) -> None:
    """The unit that FP16 ruins stays in FP32 although it saves most; what is predicted and measured stands in the file."""
    told = command(cancelling, "--fp16", "--bound", "error<=0.1", "--samples", 3, "--on", "H200 SXM")
    assert told.startswith("Keep ")
    plan = json.loads(Path("plan.json").read_text())
    kept = {node for unit in plan["units"] if unit["type"] == "fp32" for node in unit["nodes"]}
    assert {"lifted", "fallen"} <= kept
    assert plan["measured"] <= 0.1
    assert plan["predicted"] is not None
    assert len(plan["checks"]) <= 6
    assert plan["time_is_weight"]
    assert plan["versions"]["scipy"]


def test_a_bound_that_nothing_meets(command: Command, plain: Path) -> None:
    """All stays in FP32, and the closest plan is named with its error."""
    told = command(plain, "--fp16", "--bound", "error<=1e-6", "--samples", 2)
    assert told.startswith("No plan with FP16 that saves time meets error<=1e-06: all of it stays in FP32; the closest")
    assert set(types().values()) == {"fp32"}


def test_users_inputs_are_cut_into_runs(command: Command, plain: Path) -> None:
    """Rows of an npz file are runs; another width is refused."""
    np.savez("data.npz", x=np.random.default_rng(0).standard_normal((5, SIZE)).astype(np.float32))
    assert "on 5 inputs of data.npz" in command(plain, "--fp16", "--bound", "cosine>=0.99", "--inputs", "data.npz")
    np.savez("narrow.npz", x=np.zeros((5, 3), np.float32))
    with pytest.raises(TrtlensError, match="1x3 does not fit"):
        command(plain, "--fp16", "--bound", "cosine>=0.99", "--inputs", "narrow.npz")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--bound", "error<=1e-3"], "give --fp16 or --bf16"),
        (["--fp16", "--bf16", "--bound", "error<=1e-3"], "give --fp16 or --bf16"),
        (["--fp16"], "give --bound"),
        (["--fp16", "--bound", "error<=1e-3", "--check", "true"], "give --bound"),
        (["--fp16", "--bound", "error<=1e-3", "--resume"], "no plan.json.search"),
        (["--fp16", "--bound", "error<=1e-3", "--prove", "0"], "--prove"),
        (["--fp16", "--bound", "error<=1e-3", "-o", "."], "is a folder"),
        (["--fp16", "--check", "true", "--check-timeout", "0"], "--check-timeout"),
    ],
)
def test_what_does_not_go_together_is_refused(command: Command, plain: Path, words: list[str], said: str) -> None:
    """Each with what to give instead, and without a plan."""
    with pytest.raises(TrtlensError, match=said):
        command(plain, *words)
    assert not Path("plan.json").exists()


def test_a_command_judges(command: Command, cancelling: Path) -> None:
    """It is given the typed model and decides; the model in FP32 has to pass."""
    told = command(cancelling, "--fp16", "--check", "! grep -q large__low", "--samples", 2)
    assert "passes" in told
    assert types()["lifted"] == "fp32"
    with pytest.raises(TrtlensError, match="fails for the model in FP32 itself"):
        command(cancelling, "--fp16", "--check", "false", "--samples", 2, "-o", "other.json")
    assert not Path("other.json").exists()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("sleep 60 #", "did not end within 200 ms"),
        ("/no/such/check", "cannot be run"),
        ("kill -9 $$ #", "ended by signal 9"),
    ],
)
def test_a_check_that_breaks_is_told(line: str, said: str, tmp_path: Path) -> None:
    """A hang is ended with all that it started, a missing program and a crash are no verdicts."""
    with pytest.raises(TrtlensError, match=said):
        judging.run_check(line, tmp_path / "model.onnx", 0.2)


def test_an_interrupted_search_goes_on(command: Command, cancelling: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C leaves no plan, but what was measured; `--resume` measures the rest alone, and comes to the same plan."""
    words = (cancelling, "--fp16", "--bound", "error<=0.1", "--samples", 2)
    command(*words, "-o", "whole.json")
    measured: list[int] = []
    real = emulator.Emulator.damage

    def damage(self: emulator.Emulator, *choice: Any, **how: Any) -> Any:
        measured.append(1)
        if len(measured) == 5:
            raise KeyboardInterrupt
        return real(self, *choice, **how)

    monkeypatch.setattr(emulator.Emulator, "damage", damage)
    monkeypatch.setattr(kept_search, "_SECONDS", 0.0)
    command(*words)
    assert not Path("plan.json").exists()
    assert Path("plan.json.search").exists()
    first = len(measured)
    with pytest.raises(TrtlensError, match="other inputs or options"):
        command(cancelling, "--fp16", "--bound", "error<=0.1", "--samples", 3, "--resume")
    measured[:] = [1] * 5
    command(*words, "--resume")
    resumed_passes = len(measured) - 5
    whole, resumed = (json.loads(Path(name).read_text()) for name in ("whole.json", "plan.json"))
    assert whole["units"] == resumed["units"]
    assert whole["checks"] == resumed["checks"]
    assert first == 5
    measured[:] = [1] * 5
    command(*words, "-o", "again.json")
    assert resumed_passes == len(measured) - 5 - 4  # a check and three units were measured before
    assert not Path("plan.json.search").exists()


def test_a_plan_is_read_again_and_exported(command: Command, cancelling: Path) -> None:
    """As text, rows, flags and scripts; the typed model has the plan's types; a damaged plan is told."""
    words = (cancelling, "--fp16", "--bound", "error<=0.1", "--samples", 2, "--write", "typed.onnx")
    told = command(*words)
    assert command("plan.json") == told
    rows = fits("plan", command("plan.json", "--format", "json"))
    assert {row["type"] for row in rows} == {"fp16", "fp32"}
    command("plan.json", "--write", "later.onnx")
    assert Path("later.onnx").read_bytes() == Path("typed.onnx").read_bytes()
    with pytest.raises(TrtlensError, match="is a plan, which --bound does not change"):
        command("plan.json", "--bound", "error<=1e-3")
    plan = read_plan(Path("plan.json"))
    flags, odd = trtexec_flags(plan)
    assert flags[:2] == ["--fp16", "--precisionConstraints=obey"]
    assert "fallen:fp32" in flags[2].split("=", 1)[1].split(",")
    assert not odd
    assert command("plan.json", "--trtexec").startswith("--fp16 --precisionConstraints=obey --layerPrecisions=")
    for script in (polygraphy_script(plan), builder_script(plan)):
        compile(script, "script", "exec")
        assert '"fallen",' in script
    halves = {one.name for one in onnx.load("typed.onnx").graph.initializer if one.data_type == 10}
    low = {node for node, kind in plan.node_types().items() if kind == "fp16"}
    assert ("w1__low" in halves) == ("a" in low)
    with pytest.raises(TrtlensError, match="is there already"):
        command(*words)
    document = json.loads(Path("plan.json").read_text())
    for damage, said in (
        ({"units": [{}]}, "damaged"),
        ({"trtlens_plan": 9}, "later trtlens"),
        ({"low_type": "fp99"}, "damaged"),
    ):
        Path("bad.json").write_text(json.dumps({**document, **damage}))
        with pytest.raises(TrtlensError, match=said):
            read_plan(Path("bad.json"))


def test_a_build_keeps_what_the_plan_keeps(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weakly typed: constraints on the layers of kept nodes; strongly typed: the plan's types in the model; of this model alone."""
    monkeypatch.setattr(backends, "gpu_present", lambda: True)
    tiny_encoder, small_cnn = (MODELS / f"{name}.onnx" for name in ("tiny_encoder", "small_cnn"))
    command(tiny_encoder, "--fp16", "--bound", "error<=5e-3", "--samples", 2)
    document = json.loads(Path("plan.json").read_text())
    for unit in document["units"]:
        unit["type"] = "fp32" if "attention/softmax" in unit["nodes"] else "fp16"
    Path("plan.json").write_text(json.dumps(document))
    weak = backend_from_module(make_double("8.6.0"))
    built = build_run(tiny_encoder, Path("weak"), parse_options({"plan": "plan.json"}), backend=weak)
    assert any("holds" in note and "attention/softmax" in note for note in built.notes)
    assert built.options.fp16
    assert (built.folder / "plan.json").read_bytes() == Path("plan.json").read_bytes()
    assert open_run(built.folder)["plan_units"].num_rows == len(document["units"])
    with pytest.raises(TrtlensError, match="made for another model"):
        build_run(small_cnn, Path("other"), parse_options({"plan": "plan.json"}), backend=weak)
    with pytest.raises(TrtlensError, match="contradicts"):
        parse_options({"plan": "plan.json", "int8": True})
    typed = backend_from_module(make_double("11.0.0.114"))
    strong = build_run(tiny_encoder, Path("strong"), parse_options({"plan": "plan.json"}), backend=typed)
    casts = [node for node in onnx.load(strong.folder / "converted.onnx").graph.node if node.op_type == "Cast"]
    assert len(casts) >= 3


def test_help_imports_nothing_large() -> None:
    """Neither scipy nor onnx nor ONNX Runtime nor pandas, whose import takes longer than the help."""
    line = (
        "import sys, trtlens.cli\ntry: trtlens.cli.app(args=['plan', '--help'])\nexcept SystemExit: pass\n"
        "sys.exit(any(name in sys.modules for name in ('scipy', 'onnx', 'onnxruntime', 'pandas', 'numpy')))"
    )
    assert subprocess.run([sys.executable, "-c", line], capture_output=True, check=False).returncode == 0
