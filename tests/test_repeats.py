"""Repeats: what differs between builds of one thing, and what a second set changes beyond that."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.conftest import FIXTURES
from tests.doubles.made_runs import MadeLayer, MadeRun
from trtlens.capture.backends.backend import gpu_present
from trtlens.cli import app
from trtlens.comparison.repeats import Inference, Repeats, _difference, read_effect, read_repeats
from trtlens.engine.built_engine import read_engine
from trtlens.errors import TrtlensError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

H200 = FIXTURES / "h200"
SAME = MadeLayer("conv", nodes=("c",))
pytestmark = pytest.mark.usefixtures("fixtures_read_once")


def made(*builds: Sequence[MadeLayer], times: Sequence[float] | None = None, **facts: Any) -> Repeats:
    """Builds with these layers; of each layer ten equal samples where times are given, one for each layer."""
    samples = None if times is None else np.repeat(np.array(times)[:, None], 10, axis=1)
    runs = [MadeRun(layers, times=samples, **facts).run(f"build{number}") for number, layers in enumerate(builds)]
    return read_repeats([read_engine(run.name, run) for run in runs])


def timed(repeats: Repeats, *times_ms: float, error_ms: float = 0.001) -> Repeats:
    """The same builds with inference times."""
    return replace(repeats, inferences=tuple(Inference(time_ms, error_ms, waits=False) for time_ms in times_ms))


def run_cli(*arguments: object) -> str:
    """What the command prints, its lines joined."""
    done = CliRunner().invoke(app, list(map(str, arguments)))
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return " ".join(done.stdout.split())


def test_layers_that_change_are_told_with_what_changes() -> None:
    """Another tactic, another type, another format, and a layer that one build lacks."""
    other = [
        SAME,
        replace(SAME, name="a", tactic=2),
        replace(SAME, name="b", precision="int8"),
        replace(SAME, name="e"),
    ]
    base = [SAME, replace(SAME, name="a"), replace(SAME, name="b"), MadeLayer("d", "Reformat")]
    found = {one.name: one.changes for one in made(base, other).layers}
    assert found == {"conv": (), "a": ("tactic",), "b": ("types",), "d": ("presence",), "e": ("presence",)}


def test_an_id_that_no_log_states_is_no_agreement() -> None:
    """Neither kernel nor id: the layer may differ; a region's printed 0 is no tactic of its own; 0 of a copy is one."""
    bare = replace(SAME, kernel=None, tactic=None)
    region = replace(SAME, type="Myelin", kernel=None, tactic=0)
    copies = [MadeLayer("copy", "Reformat", kernel=None, tactic=number) for number in (0, 1000)]
    assert [one.names_tactics for one in made([bare, region], [bare, region]).layers] == [False, False]
    assert made([copies[0]], [copies[1]]).layers[0].changes == ("tactic",)


def test_share_of_time_counts_layers_by_what_they_add_to_a_build() -> None:
    """Of 0.3 and 0.1 ms the second changes: a quarter; a layer of 0.2 ms that one of two builds has adds 0.1 ms to a build."""
    found = made([SAME, replace(SAME, name="a")], [SAME, replace(SAME, name="a", tactic=2)], times=(0.3, 0.1))
    assert found.changing_share == pytest.approx(0.25)
    assert made([SAME, replace(SAME, name="a")], [SAME, MadeLayer("b")], times=(0.3, 0.2)).layers[
        1
    ].mean_ms == pytest.approx(0.1)
    assert made([SAME], [replace(SAME, tactic=2)]).changing_share is None


def test_repeats_of_a_real_build() -> None:
    """Two FP16 builds of ResNet-50 on an H200: counts and times by the engines' own rows; a set against itself shows no difference."""
    from tests.golden.inputs import opened

    paths = [H200 / "resnet50-fp16", H200 / "resnet50-fp16-compared"]
    engines = [read_engine(path.name, opened(f"h200/{path.name}")) for path in paths]
    found = read_repeats(engines)
    working = [[layer for layer in engine.layers if layer.type not in {"Constant", "NoOp"}] for engine in engines]
    rows = [{(layer.name, layer.tactic_id, layer.tactic_name) for layer in layers} for layers in working]
    assert {one.name for one in found.changing} == {name for name, _, _ in rows[0] ^ rows[1]}
    assert len(found.layers) == len({layer.name for layers in working for layer in layers})
    assert found.times_ms == pytest.approx([0.508384, 0.510592])
    assert found.between_ms is not None
    assert found.within_ms is not None
    assert found.between_ms > 3 * found.within_ms
    assert found.fastest == 0
    text = run_cli("repeats", *paths, "--against", paths[1], "--against", paths[0])
    assert f"first set: {len(found.changing)} of {len(found.layers)} layers change between 2 builds" in text
    assert "no difference beyond the lottery: an inference takes +0.0 % (-3.0 to +3.0 %" in text
    assert "choices: 0 of" in text


def test_times_that_hold_the_wait_for_the_host_are_not_compared() -> None:
    """A build that was timed launch by launch, with enqueueing as long as the inference, has the host's time."""
    rows: dict[str, list[Any]] = {
        "iteration": list(range(10)),
        "pass": ["timing"] * 10,
        "gpu_ms": [0.5] * 10,
        "enqueue_ms": [0.01] * 10,
    }
    runs = [MadeRun([SAME], tables={"run_times": {**rows, "enqueue_ms": [one] * 10}}).run() for one in (0.01, 0.49)]
    engines = [read_engine(str(number), run) for number, run in enumerate(runs)]
    assert read_repeats([engines[0], engines[0]]).times_ms == [0.5, 0.5]
    assert read_repeats(engines).times_ms is None


def test_outputs_are_equal_only_if_every_build_kept_them() -> None:
    """Digests of all builds alike, one that differs, and one that is missing."""
    info = [{"output_sha256": {"y": "aa"}}, {"output_sha256": {"y": "aa"}}, {"output_sha256": {"y": "bb"}}, {}]
    engines = [read_engine(str(n), MadeRun([SAME], info=one).run()) for n, one in enumerate(info)]
    assert [read_repeats([engines[0], engine]).outputs for engine in engines[1:]] == [True, False, None]


def test_a_difference_counts_only_beyond_the_lottery() -> None:
    """The same 5 % between sets whose builds differ by 4 %, and by 0.1 %; unknown where a build was not timed."""
    set_of = made([SAME], [SAME], [SAME])
    noisy = read_effect(timed(set_of, 1.0, 1.04, 0.96), timed(set_of, 1.05, 1.09, 1.01)).difference
    calm = read_effect(timed(set_of, 1.0, 1.001, 0.999), timed(set_of, 1.05, 1.051, 1.049)).difference
    assert noisy is not None
    assert calm is not None
    assert (noisy.verdict, calm.verdict) == ("no difference seen", "slower")
    assert calm.diff_ms == pytest.approx(0.05)
    blurred = read_effect(
        timed(set_of, 1, 1, 1, error_ms=0.05), timed(set_of, 1.05, 1.05, 1.05, error_ms=0.05)
    ).difference
    assert blurred is not None
    assert blurred.verdict == "no difference seen"
    assert read_effect(set_of, timed(set_of, 1, 1, 1)).difference is None


def test_two_sets_of_one_lottery_are_rarely_told_apart() -> None:
    """Of 2,000 pairs of three builds whose times are the sum of thirty layers' lots about 1 % are called different."""
    draw = np.random.default_rng(7)
    costs = draw.exponential(0.01, 30)
    times = 1 + (draw.random((2000, 6, 30)) < 0.5) @ costs
    set_of, alarms = made([SAME], [SAME], [SAME]), 0
    for six in times.tolist():
        found = _difference(timed(set_of, *six[:3]), timed(set_of, *six[3:]))
        alarms += found is not None and found.verdict != "no difference seen"
    assert alarms <= 0.015 * len(times)


def test_choices_that_part_two_sets_need_enough_builds() -> None:
    """A layer that is another in each build of the second set; three and three builds leave chance 3 %, four and four less than 1 %."""
    other = replace(SAME, tactic=2)
    few = read_effect(made([SAME], [SAME], [SAME]), made([other], [other], [other]))
    many = read_effect(made(*[[SAME]] * 4), made(*[[other]] * 4))
    assert (few.apart, few.is_chance_ruled_out, few.chance) == (("conv",), False, 1 / 32)
    assert (many.apart, many.is_chance_ruled_out) == (("conv",), True)
    mixed = read_effect(made([SAME], [other]), made([other], [other]))
    assert (mixed.apart, mixed.varying) == ((), 1)


def test_one_run_is_no_set() -> None:
    """It is told how repeats are made."""
    with pytest.raises(TrtlensError, match="--repeat 3 makes them"):
        run_cli("repeats", FIXTURES / "releases" / "8.5-int8.log")


@pytest.mark.skipif(gpu_present(), reason="with a GPU, RTX builds for that one, which it may not support")
def test_a_model_is_built_several_times(tmp_path: Path) -> None:
    """TensorRT-RTX builds without a GPU and without a lottery: the files are equal, and nothing that needs a GPU is claimed."""
    pytest.importorskip("tensorrt_rtx")
    out = tmp_path / "repeated"
    text = run_cli("profile", FIXTURES / "models" / "small_cnn.onnx", "--repeat", 2, "-o", out)
    assert "all 9 layers agree in what the 2 builds show" in text
    assert "times of the builds are not compared: not every build was timed" in text
    assert "the engines' files are equal, byte for byte: nothing differs" in text
    assert "outputs" not in text.split("all 9 layers")[1]
    assert sorted(path.name for path in out.iterdir()) == ["1", "2"]
    with pytest.raises(TrtlensError, match="--repeat builds one ONNX model"):
        run_cli("profile", out / "1", "--repeat", 2, "-o", tmp_path / "again")
