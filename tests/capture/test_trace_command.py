"""The command ``trace``: what it refuses, what it traces as the run was timed, and what it leaves in the run."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from tests.conftest import FIXTURES
from trtlens.capture.backends import gpu as gpus
from trtlens.capture.recorder import reopen_recorder
from trtlens.capture.tracing import traced_run
from trtlens.capture.tracing.traced_run import Traced
from trtlens.cli import app
from trtlens.errors import CaptureError, TrtlensError
from trtlens_parsers.kernel_trace import GRAPH, STREAM, KernelLaunch, KernelTrace, TracedInference

if TYPE_CHECKING:
    from pathlib import Path

    from trtlens.capture.timing.processes import TimedEngine

RUN = FIXTURES / "h200" / "resnet50-fp16"


@pytest.fixture(autouse=True)
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU is there, unless a test takes it away."""
    monkeypatch.setattr(gpus, "gpu_present", lambda: True)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A captured run with an engine, timed from a CUDA graph."""
    folder = tmp_path / "run"
    folder.mkdir()
    for path in RUN.iterdir():
        shutil.copy(path, folder)
    made = folder / "run.json"
    if not made.exists():
        import lzma

        made.write_bytes(lzma.decompress((folder / "run.json.xz").read_bytes()))
    (folder / "engine.plan").write_bytes(b"a plan")
    return folder


def _traces(run: Path) -> tuple[KernelTrace, ...]:
    """One launch for each layer that states its kernel, from a stream and from a graph."""
    from trtlens.runs.run import open_run

    stated = [(row["name"], row["tactic_name"]) for row in open_run(run)["layers"].to_pylist() if row["tactic_name"]]
    launches = tuple(KernelLaunch(kernel, range=name) for name, kernel in stated)
    count = len(launches)
    inferences = (TracedInference((1000,) * count, tuple(range(0, 1500 * count, 1500))),) * 3
    return (
        KernelTrace(STREAM, "test", ("kernel",), launches, inferences),
        KernelTrace(GRAPH, "test", ("kernel",), launches, inferences),
    )


def test_a_run_is_traced_as_it_was_timed(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Engine, shapes and CUDA graph are the run's; the traces are put into it, and its tables hold them from then on."""
    asked: list[TimedEngine] = []
    found = Traced(_traces(run), "told")

    def play(_purpose: str, _function: object, engine: TimedEngine) -> Traced:
        asked.append(engine)
        return found

    monkeypatch.setattr(traced_run, "in_own_process", play)

    result = CliRunner().invoke(app, ["trace", str(run)])

    assert result.exit_code == 0, result.output
    assert (asked[0].path, asked[0].library) == (run / "engine.plan", "tensorrt")
    assert asked[0].options.cuda_graph == json.loads((run / "run.json").read_text())["timings"][-1]["cuda_graph"]
    assert "kernels" in result.output
    assert "told" in json.loads((run / "run.json").read_text())["notes"]
    from trtlens.runs.run import open_run

    assert open_run(run)["kernel_launches"].num_rows == 2 * len(found.traces[0].launches)


def test_a_trace_is_replaced_only_on_demand(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the run holds is not overwritten."""
    (run / "kernels-stream.jsonl.gz").write_bytes(b"")
    monkeypatch.setattr(traced_run, "in_own_process", lambda *_: Traced(_traces(run)))

    refused = CliRunner().invoke(app, ["trace", str(run)])
    forced = CliRunner().invoke(app, ["trace", str(run), "--force"])

    assert isinstance(refused.exception, TrtlensError)
    assert refused.exception.message == f"{run} holds a trace already (kernels-stream.jsonl.gz): --force replaces it"
    assert forced.exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--out", "elsewhere"], "is a run, which is traced as it was timed: leave --out and --shapes away"),
        (["--shapes", "x:1"], "is a run, which is traced as it was timed: leave --out and --shapes away"),
    ],
)
def test_what_does_not_fit_a_run_is_refused(run: Path, arguments: list[str], told: str) -> None:
    """A run knows its shapes and its folder."""
    result = CliRunner().invoke(app, ["trace", str(run), *arguments])

    assert isinstance(result.exception, TrtlensError)
    assert result.exception.message == f"{run} {told}"


def test_a_model_is_not_built_for_a_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is made of a file that is no engine, and what to call instead is told."""
    monkeypatch.chdir(tmp_path)
    model = shutil.copy(FIXTURES / "models" / "small_cnn.onnx", tmp_path)

    result = CliRunner().invoke(app, ["trace", str(model)])

    assert isinstance(result.exception, TrtlensError)
    assert result.exception.message.startswith(f"{model} is no serialized engine: trtlens profile builds a model")
    assert [path.name for path in tmp_path.iterdir()] == ["small_cnn.onnx"]


def test_a_run_without_an_engine_is_refused(run: Path) -> None:
    """A run that was kept from a log has none."""
    (run / "engine.plan").unlink()

    result = CliRunner().invoke(app, ["trace", str(run)])

    assert isinstance(result.exception, TrtlensError)
    assert "holds no engine that can run" in result.exception.message


def test_a_damaged_run_is_refused(run: Path) -> None:
    """Shapes that are none are told with the file."""
    document = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**document, "shapes": {"x": "1x2"}}))

    result = CliRunner().invoke(app, ["trace", str(run)])

    assert isinstance(result.exception, TrtlensError)
    assert "shapes is no object of shapes" in result.exception.message


def test_without_a_gpu_nothing_is_asked_of_cupti(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing is the GPU, whatever else is."""
    monkeypatch.setattr(gpus, "gpu_present", lambda: False)

    result = CliRunner().invoke(app, ["trace", str(run)])

    assert isinstance(result.exception, CaptureError)
    assert result.exception.message.startswith(f"{run} cannot be traced: no GPU is visible to the CUDA driver")


def test_a_refusal_leaves_the_run_as_it_was(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its status and its tables stay."""
    before = (run / "run.json").read_text()

    def refuse(*_: object) -> Traced:
        raise CaptureError("CUPTI does not record (nsys): another profiler may be attached")

    monkeypatch.setattr(traced_run, "in_own_process", refuse)

    result = CliRunner().invoke(app, ["trace", str(run)])

    assert isinstance(result.exception, CaptureError)
    assert (run / "run.json").read_text() == before
    assert reopen_recorder(run).document["status"] == json.loads(before)["status"]
