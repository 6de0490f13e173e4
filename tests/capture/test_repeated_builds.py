"""Building several times: each build with a timing cache of its own, and digests of what it computes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.accuracy.conftest import MODELS, needs_runtime
from tests.capture.conftest import OWN_TACTICS
from tests.doubles.tensorrt_double import Script, running_backend
from tests.doubles.tensorrt_runtime import host_cuda
from trtlens.capture.backends import backend as backends
from trtlens.capture.build_options import BuildOptions, parse_options
from trtlens.capture.building.engine_build import build_run
from trtlens.capture.dumping import output_digests as digests
from trtlens.capture.dumping.output_digests import add_output_digests, output_digests
from trtlens.capture.models.inputs import InputRecipe
from trtlens.capture.timing.engine_session import TimingOptions
from trtlens.capture.timing.processes import TimedEngine
from trtlens.commands.repeats import with_own_cache
from trtlens.errors import CaptureError
from trtlens.runs.run_info import foreign_files, read_info

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.capture.conftest import Double


def test_every_build_has_a_fresh_cache(
    play: Callable[..., Double], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each measures anew and keeps its cache in its run, as a file that is trtlens's own; a cache that was asked for serves all."""
    double = play("10.9.0.34")
    monkeypatch.setattr(backends, "find_backend", lambda: double.backend)
    for folder in (tmp_path / "1", tmp_path / "2"):
        build_run(MODELS / "small_cnn.onnx", folder, parse_options(with_own_cache({}, folder)), backend=double.backend)
        assert (folder / "timing.cache").read_bytes() == b"+measured"
        assert foreign_files(folder, ()) == []
        assert (read_info(folder).flags or {})["timing_cache_file"] == str(folder / "timing.cache")
    asked = {"timing_cache_file": "shared.cache"}
    assert with_own_cache(asked, tmp_path) == asked


@needs_runtime
def test_outputs_are_told_apart_by_their_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same engine and seed give the same digests, another seed others; they stand in run.json, or the reason does."""
    monkeypatch.setattr(backends, "gpu_present", lambda: True)
    backend = running_backend("10.9.0.34", Script())
    built = build_run(MODELS / "small_cnn.onnx", tmp_path / "run", BuildOptions(), backend=backend)

    def of_seed(seed: int) -> dict[str, str]:
        cuda, runtime = host_cuda()
        engine = TimedEngine(built.engine_path, "tensorrt", TimingOptions(inputs=InputRecipe(seed=seed)))
        found = output_digests(engine, backend, cuda)
        assert not runtime.live
        return found

    assert of_seed(1) == of_seed(1)
    assert list(of_seed(1)) == ["logits"]
    assert of_seed(1) != of_seed(2)
    engine = TimedEngine(built.engine_path, "tensorrt", TimingOptions())
    monkeypatch.setattr(digests, "in_own_process", lambda *_: of_seed(1))
    add_output_digests(engine, built.recorder)
    assert read_info(built.folder).output_sha256 == of_seed(1)

    def refuse(*_: object) -> None:
        raise CaptureError("no memory")

    monkeypatch.setattr(digests, "in_own_process", refuse)
    add_output_digests(engine, built.recorder)
    assert "outputs are not kept: no memory" in built.notes


@pytest.mark.gpu
def test_three_builds_keep_times_caches_and_outputs(tmp_path: Path) -> None:
    """On a GPU every build is timed and keeps its outputs' digests; a fourth with a kept cache is pinned to it."""
    from typer.testing import CliRunner

    from trtlens.cli import app

    model, out = str(MODELS / "small_cnn.onnx"), tmp_path / "out"
    done = CliRunner().invoke(
        app, ["profile", model, "--fp16", OWN_TACTICS, "--repeat", "3", "--no-trace", "-o", str(out)]
    )
    assert done.exit_code == 0, done.output
    assert "builds differ by" in done.stdout
    assert "outputs" in done.stdout
    pinned = [
        "profile",
        model,
        "--fp16",
        OWN_TACTICS,
        f"--timingCacheFile={out / '1' / 'timing.cache'}",
        "--skipInference",
    ]
    folders = [str(tmp_path / name) for name in ("a", "b")]
    for folder in folders:
        assert CliRunner().invoke(app, [*pinned, "-o", folder]).exit_code == 0
    assert "all" in CliRunner().invoke(app, ["repeats", *folders]).stdout
