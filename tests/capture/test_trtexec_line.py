"""Lines that were written for trtexec, as arguments of `trtlens profile`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer.main

from tests.conftest import docs_program
from tests.doubles.made_runs import MadeLayer, MadeRun
from trtlens.capture.build_options import parse_options
from trtlens.capture.building.engine_build import build_run
from trtlens.capture.building.settings import check_supported
from trtlens.cli import app
from trtlens.commands.trtexec_files import asked_files, write_files
from trtlens.commands.trtexec_flags import FLAGS, NOTHING, REFUSED, SUPPORTED
from trtlens.commands.trtexec_words import read_line
from trtlens.errors import TrtlensError
from trtlens_parsers.exports import read_profile, read_times

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.capture.conftest import Double

RELEASES = dict(
    line.split(": ") for line in (Path(__file__).parents[1] / "data" / "trtexec-flags.txt").read_text().splitlines()
)
READ_AS_OTHERS = {"onnx", "loadEngine", "workspace", "help"}


def key(release: str) -> tuple[int, ...]:
    """A release as numbers, its first two."""
    return tuple(map(int, release.split(".")[:2]))


@pytest.mark.parametrize("release", RELEASES)
def test_the_table_has_every_flag_of_a_release(release: str) -> None:
    """The table holds each flag of that release's trtexec, in a span that the release lies in, and no other one."""
    spans = {flag.name: [key(part) for part in flag.releases.split("-")] for flag in FLAGS}
    there = {name for name, (first, last) in spans.items() if first <= key(release) <= last}
    assert there - {"consistency"} == set(RELEASES[release].split()) - {"consistency"}  # which went and came back


def test_each_flag_that_does_nothing_says_why() -> None:
    """A flag without effect has a reason, and one that is supported is an option of `trtlens profile`."""
    profile = typer.main.get_command(app).commands["profile"]  # type: ignore[attr-defined]
    options = {spelling for parameter in profile.params for spelling in parameter.opts}
    for flag in FLAGS:
        if flag.happens == SUPPORTED:
            assert flag.name in READ_AS_OTHERS or f"--{flag.means or flag.name}" in options, flag.name
        else:
            assert flag.reason, flag.name
            assert f"--{flag.name}" not in options, flag.name


@pytest.mark.parametrize("flag", [flag for flag in FLAGS if flag.happens != SUPPORTED], ids=lambda flag: flag.name)
def test_a_flag_without_effect_is_named(flag: Any) -> None:
    """It is refused, or noted, with its reason, whether its value stands behind = or a space; what trtlens does anyway is noted."""
    value = ["7"] if flag.takes_value else []
    for typed in ([f"--{flag.name}", *value], ["=".join([f"--{flag.name}", *value])]):
        if flag.happens == NOTHING:
            assert read_line(["m.onnx", *typed]) == (["m.onnx"], [f"{' '.join(typed)} needs nothing: {flag.reason}"])
            continue
        with pytest.raises(TrtlensError, match=re.escape(f"{' '.join(typed)}: {flag.reason}")):
            read_line(["m.onnx", *typed])
    for allowed in flag.allowed:
        assert flag.happens == REFUSED
        assert read_line([f"--{flag.name}={allowed}"])[0] == []


@pytest.mark.parametrize(
    ("typed", "own"),
    [
        ("--onnx=m.onnx --fp16 --workspace=4096 -o r", "--fp16 --memPoolSize=workspace:4096 -o r m.onnx"),
        ("-- trtexec --onnx=m.onnx", "m.onnx"),
        ("-- -odd.onnx", "-- -odd.onnx"),
        ("/usr/src/tensorrt/bin/trtexec --onnx m.onnx --vc", "--versionCompatible m.onnx"),
        ("--loadEngine=m.plan --int8 --useProfile=1", "--int8 --useProfile=1 m.plan"),
        ("--onnx=m.onnx --int8", "--int8 --int8-ranges=dummy m.onnx"),
        ("--onnx=m.onnx --best --calib=c", "--best --calib=c m.onnx"),
        ("m.onnx --int8 --layer-precision a=fp32", "m.onnx --int8 --layer-precision a=fp32"),
        ("--onnx=m.onnx --staticPlugins=a.so --dynamicPlugins=b.so", "--plugins=a.so --plugins=b.so m.onnx"),
        ("--onnx=m.onnx --buildOnly --nvtxMode=none", "--skipInference --profilingVerbosity=none m.onnx"),
        ("--onnx=m.onnx --shapes=x:1x3 --minShapes='a b':1", "--shapes=x:1x3 --minShapes='a b':1 m.onnx"),
    ],
)
def test_a_line_becomes_arguments_of_profile(typed: str, own: str) -> None:
    """Names that trtlens spells otherwise are translated, all else passes as it is."""
    assert read_line(re.findall(r"(?:'[^']*'|\S)+", typed))[0] == re.findall(r"(?:'[^']*'|\S)+", own)


def test_the_page_of_flags_is_that_of_the_table() -> None:
    """docs/trtexec.md is made from the table."""
    root = Path(__file__).parents[2]
    module = docs_program("make_flags")
    assert (root / "docs" / "trtexec.md").read_text("utf-8") == module.page(), "run python docs/make_flags.py"


def test_the_engine_wins_over_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in trtexec; a path behind = may begin with ~, and a flag without its file says so."""
    monkeypatch.setenv("HOME", "/home/of")
    arguments, notes = read_line(["--onnx=a.onnx", "--loadEngine=~/b.plan", "--saveEngine=~/c.plan"])
    assert arguments == ["--saveEngine=/home/of/c.plan", "/home/of/b.plan"]
    assert notes == ["--onnx is not read: the engine of --loadEngine is timed as it is"]
    with pytest.raises(TrtlensError, match="--onnx has no file"):
        read_line(["--onnx"])


SETTINGS: dict[str, tuple[Any, tuple[str, Any]]] = {
    "avgTiming": (16, ("avg_timing_iterations", 16)),
    "minTiming": (2, ("min_timing_iterations", 2)),
    "maxTactics": (9, ("max_num_tactics", 9)),
    "maxAuxStreams": (0, ("max_aux_streams", 0)),
    "l2LimitForTiling": (4096, ("l2_limit_for_tiling", 4096)),
    "tilingOptimizationLevel": (2, ("tiling_optimization_level", "MODERATE")),
    "profilingVerbosity": ("layer_names_only", ("profiling_verbosity", "LAYER_NAMES_ONLY")),
    "preview": ("-profileSharing0806", ("set_preview_feature", ("PROFILE_SHARING_0806", False))),
    "refit": (True, ("set_flag", "REFIT")),
    "directIO": (True, ("set_flag", "DIRECT_IO")),
    "heuristic": (True, ("set_flag", "ENABLE_TACTIC_HEURISTIC")),
    "noBuilderCache": (True, ("set_flag", "DISABLE_TIMING_CACHE")),
    "noCompilationCache": (True, ("set_flag", "DISABLE_COMPILATION_CACHE")),
    "errorOnTimingCacheMiss": (True, ("set_flag", "ERROR_ON_TIMING_CACHE_MISS")),
    "allowWeightStreaming": (True, ("set_flag", "WEIGHT_STREAMING")),
    "monitorMemory": (True, ("set_flag", "MONITOR_MEMORY")),
    "restricted": (True, ("set_flag", "SAFETY_SCOPE")),
    "distributiveIndependence": (True, ("set_flag", "DISTRIBUTIVE_INDEPENDENCE")),
    "excludeLeanRuntime": (True, ("set_flag", "EXCLUDE_LEAN_RUNTIME")),
    "int4": (True, ("set_flag", "INT4")),
    "pluginInstanceNorm": (True, ("parser.clear_flag", "NATIVE_INSTANCENORM")),
    "enablePluginOverride": (True, ("parser.set_flag", "ENABLE_PLUGIN_OVERRIDE")),
    "reportCapabilityDLA": (True, ("parser.set_flag", "REPORT_CAPABILITY_DLA")),
    "adjustForDLA": (True, ("parser.set_flag", "ADJUST_FOR_DLA")),
    "uint8AsymmetricQuantizationDLA": (
        True,
        ("parser.set_flag", "ENABLE_UINT8_AND_ASYMMETRIC_QUANTIZATION_DLA"),
    ),
    "setPluginsToSerialize": (["a.so"], ("plugins_to_serialize", ["a.so"])),
}


@pytest.mark.parametrize("release", ["8.6.0", "10.16.1.11"])
def test_settings_reach_the_builder(release: str, play: Callable[..., Double], small_cnn: Path, tmp_path: Path) -> None:
    """Each option sets its member once in a release that has it, and is refused by name in one that has not."""
    double = play(release)
    known = {flag: value for flag, (value, _) in SETTINGS.items() if _is_known(double, flag, value)}
    assert ("minTiming" in known, "maxTactics" in known) == (release == "8.6.0", release != "8.6.0")
    build_run(small_cnn, tmp_path / "run", parse_options(known), backend=double.backend)
    assert {flag: double.script.calls.count(seen) for flag, (_, seen) in SETTINGS.items()} == {
        flag: int(flag in known) for flag in SETTINGS
    }


def _is_known(double: Double, flag: str, value: Any) -> bool:
    """Whether the release takes the flag."""
    try:
        check_supported(double.backend, parse_options({flag: value}))
    except TrtlensError as error:
        assert f"does not know --{flag}" in error.message  # noqa: PT017  either outcome may come
        return False
    return True


def test_dla(play: Callable[..., Double], small_cnn: Path, tmp_path: Path) -> None:
    """DLA is the device of all layers, where it is there and computes in the precision that was asked for."""
    double = play("10.3.0")
    build_run(
        small_cnn,
        tmp_path / "run",
        parse_options({"useDLACore": 0, "allowGPUFallback": True, "fp16": True}),
        backend=double.backend,
    )
    assert (double.script.saw("default_device_type"), double.script.saw("DLA_core")) == (["DLA"], [0])
    assert "GPU_FALLBACK" in double.script.saw("set_flag")
    for flags, words in (({"useDLACore": 0}, "FP16 and INT8 alone"), ({"useDLACore": 1, "fp16": True}, "from 0 to 0")):
        with pytest.raises(TrtlensError, match=words):
            build_run(small_cnn, tmp_path / "refused", parse_options(flags), backend=double.backend)


def test_a_line_from_a_forum_runs(
    play: Callable[..., Double],
    small_cnn: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It builds, writes the engine and the layers where trtexec would, and says in one line each what needs nothing."""
    double = play("8.6.0")
    monkeypatch.setattr("trtlens.capture.backends.backend.find_backend", lambda: double.backend)
    monkeypatch.chdir(tmp_path)
    line = (
        f"--onnx={small_cnn} --saveEngine=m.plan --fp16 --verbose --workspace=4096 --exportLayerInfo=l.json --buildOnly"
    )
    app(args=["profile", *line.split(), "--exportTimes=t.json"], standalone_mode=False)
    assert double.script.saw("set_memory_pool_limit") == [("WORKSPACE", 4096 << 20)]
    run = tmp_path / "small_cnn.trtlens"
    assert Path("m.plan").read_bytes() == (run / "engine.plan").read_bytes()
    assert Path("l.json").read_bytes() == (run / "layers.json").read_bytes()
    err = capsys.readouterr().err
    assert "--verbose needs nothing: every build is logged verbosely\n" in err
    assert "--exportTimes=t.json was not written: no inference was timed\n" in err


def test_times_and_profile_are_read_back(tmp_path: Path) -> None:
    """The files hold what the run holds, in the form that our reader of trtexec's takes; names may repeat."""
    run = MadeRun(
        [MadeLayer("a"), MadeLayer("b"), MadeLayer("a")],
        tables={
            "run_times": {"pass": ["latency", "timing", "timing"], "iteration": [0, 0, 1], "gpu_ms": [9.0, 1.5, 2.5]},
            "layer_times": {
                "index": [0, 1, 2, 0, 1, 2],
                "layer": ["a", "b", "a"] * 2,
                "iteration": [0, 0, 0, 1, 1, 1],
                "time_ms": [0.1, 0.2, 0.3, 0.3, 0.2, 0.5],
            },
        },
    ).run()
    wanted = {"exportTimes": tmp_path / "t.json", "exportProfile": tmp_path / "p.json"}
    assert write_files(wanted, run, tmp_path / "engine", None) == []
    times = read_times((tmp_path / "t.json").read_text()).rows
    assert [(row.compute_ms, row.latency_ms, row.start_enqueue_ms) for row in times] == [
        (1.5, 1.5, None),
        (2.5, 2.5, None),
    ]
    profile = read_profile((tmp_path / "p.json").read_text())
    assert profile.count == 2
    found = [(row.name, row.time_ms, row.average_ms, row.median_ms) for row in profile.rows]
    assert [name for name, *_ in found] == ["a", "b", "a"]
    assert [values for _, *values in found] == [
        pytest.approx(v) for v in ([0.4, 0.2, 0.2], [0.4, 0.2, 0.2], [0.8, 0.4, 0.4])
    ]
    assert sum(row.percentage or 0 for row in profile.rows) == pytest.approx(100)
    assert json.loads((tmp_path / "t.json").read_text())[0]["h2dMs"] == 0


def test_no_file_of_another_kind_is_replaced(small_cnn: Path, tmp_path: Path) -> None:
    """An older engine or export may be written over, and nothing else."""
    flags = dict.fromkeys(("save_engine", "export_times", "export_profile", "export_layer_info"))
    (tmp_path / "old.plan").write_bytes(b"ftrt and more")
    (tmp_path / "old.json").write_text(" [{}]")
    assert asked_files({**flags, "save_engine": tmp_path / "old.plan", "export_times": tmp_path / "old.json"})
    for name, path in (("save_engine", small_cnn), ("export_times", small_cnn), ("save_engine", tmp_path / "no" / "e")):
        with pytest.raises(TrtlensError, match=r"left alone|no folder"):
            asked_files({**flags, name: path})
