"""Timing caches: what their files tell, what TensorRT lists in them, and whether a build is pinned by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from tests.doubles.made_logs import (
    FLOAT,
    FLOAT_KERNEL,
    GENERATED,
    SELECTED,
    chose,
    header,
    log,
    reformat,
    run_of,
    runner,
    tactic,
)
from tests.doubles.tensorrt_builder import made_cache
from tests.schemas import fits
from trtlens.capture import timing_caches
from trtlens.cli import app
from trtlens.engine.cache_use import read_cache_use
from trtlens.errors import CaptureError, TrtlensError
from trtlens.runs.cache_file import read_cache_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.capture.conftest import Double

    Play = Callable[..., Double]

FIRST = {"0x01": (0xA, 0.5), "0x02": (0xB, 0.25), "0x03": (0xC, 1.0)}
SECOND = {"0x02": (0xD, 0.25), "0x03": (0xC, 1.5), "0x04": (0xE, 2.0)}
CACHED = "conv [Float(1) -> Float(1)] got cached result: CaskConvolution, tactic 0x55, 0.5 ms"
LOADED = "Loaded 3079 bytes of timing cache from net.cache"
TUNED = (header(f"{FLOAT} -> {FLOAT}"), runner("fc"), tactic(FLOAT_KERNEL, 0x55, 0.0663), chose(0x55))


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    """Two caches that share two keys."""
    paths = tmp_path / "a.cache", tmp_path / "b.cache"
    for path, entries in zip(paths, (FIRST, SECOND), strict=True):
        path.write_bytes(made_cache(entries))
    return paths


@pytest.fixture
def library(play: Play, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Have the commands find the double of a release."""

    def use(release: str, **script: object) -> None:
        backend = play(release, **script).backend
        monkeypatch.setattr(timing_caches, "find_backend", lambda: backend)

    return use


def run_cli(*arguments: object) -> tuple[int, str]:
    """Exit code and standard output, its lines joined."""
    done = CliRunner().invoke(app, ["cache", *map(str, arguments)])
    if isinstance(done.exception, TrtlensError):
        raise done.exception
    return done.exit_code, " ".join(done.stdout.split())


def test_entries_are_shown_where_the_release_lists_them(library: Callable[..., None], two: tuple[Path, Path]) -> None:
    """Key, hash and time of each entry from 10.8 on; before, their number alone."""
    library("10.9.0.34")
    _, text = run_cli("show", two[0], "--format", "json")
    assert fits("cache show", text)[1] == {"key": "0x02", "tactic_hash": "0x000000000000000b", "time_ms": 0.25}
    library("10.3.0")
    code, text = run_cli("show", two[0])
    assert code == 0
    assert "3 entries by tensorrt 10.3.0; tensorrt 10.3.0 does not list them" in text


def test_difference_of_two_caches_is_told_by_entry(library: Callable[..., None], two: tuple[Path, Path]) -> None:
    """Entries of one cache alone, other tactics and other times; other times alone are no failure."""
    library("10.9.0.34")
    code, text = run_cli("diff", *two)
    assert code == 1
    assert "3 and 3 entries: 1 only in the first, 1 only in the second, 1 another tactic, 1 another time" in text
    rows = fits("cache diff", run_cli("diff", *two, "--format", "json")[1])
    assert [row["difference"] for row in rows] == [
        "only in the first",
        "another tactic",
        "another time",
        "only in the second",
    ]
    two[1].write_bytes(made_cache({**FIRST, "0x03": (0xC, 1.5)}))
    assert run_cli("diff", *two)[0] == 0
    two[1].write_bytes(two[0].read_bytes())
    assert run_cli("diff", *two) == (0, "the files are equal, byte for byte")
    assert run_cli("diff", *two, "--format", "json") == (0, "[]")


def test_without_a_library_files_are_compared_whole(monkeypatch: pytest.MonkeyPatch, two: tuple[Path, Path]) -> None:
    """Size, digest and head are known without TensorRT; entries are not, and no number stands for them."""
    monkeypatch.setattr(timing_caches, "library_for_caches", lambda: "no TensorRT here")
    code, text = run_cli("show", two[0])
    assert code == 0
    assert "TensorRT's archive (ptrt), as long as it says; its entries are not known: no TensorRT here" in text
    assert run_cli("diff", *two)[0] == 1
    with pytest.raises(TrtlensError, match=r"the files differ .*no TensorRT here"):
        run_cli("diff", *two, "--format", "json")
    [row] = fits("cache verify", run_cli("verify", two[0], "--format", "json")[1])
    assert row["state"] == "not opened"
    with pytest.raises(CaptureError, match="no TensorRT here"):
        run_cli("merge", *two, "-o", two[0].with_name("c.cache"))


def test_merge_adds_what_the_first_lacks(library: Callable[..., None], two: tuple[Path, Path]) -> None:
    """Of two entries with one key the first file's stays, and a file that is there is not replaced unasked."""
    library("10.9.0.34")
    out = two[0].with_name("both.cache")
    code, text = run_cli("merge", *two, "-o", out)
    assert code == 0
    assert f"3 entries of {two[0]}, 1 new ones of {two[1]}" in text
    assert out.read_bytes() == made_cache(
        {"0x02": (0xB, 0.25), "0x03": (0xC, 1.0), "0x04": (0xE, 2.0), "0x01": (0xA, 0.5)}
    )
    with pytest.raises(TrtlensError, match="--force replaces it"):
        run_cli("merge", *two, "-o", two[1])
    assert two[1].read_bytes() == made_cache(SECOND)
    assert "(replaced)" in run_cli("merge", *two, "-o", two[1], "--force")[1]
    library("10.9.0.34", refuses_timing_cache=True)
    with pytest.raises(CaptureError, match="does not go with"):
        run_cli("merge", *two, "-o", out, "--force")


def test_a_changed_or_refused_cache_fails_its_check(library: Callable[..., None], two: tuple[Path, Path]) -> None:
    """Another digest, and what TensorRT does not take, end with 1."""
    library("10.9.0.34")
    digest = read_cache_file(two[0]).sha256
    assert run_cli("verify", two[0], "--sha256", digest.upper())[0] == 0
    assert run_cli("verify", two[1], "--sha256", digest)[0] == 1
    states = {}
    for path in two:
        code, text = run_cli("verify", path, "--sha256", digest, "--format", "json")
        states[fits("cache verify", text)[0]["state"]] = code
    assert states == {"ok": 0, "changed": 1}
    two[1].write_bytes(b"ptrtbroken" + bytes(30))
    code, text = run_cli("verify", two[1])
    assert code == 1
    assert "Failed to deserialize timing cache" in text
    assert fits("cache verify", run_cli("verify", two[1], "--format", "json")[1])[0]["state"] == "refused"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.cache", b"", "is empty"),
        ("a.cache", b"vtrt" + bytes(40), "no timing cache but a serialized engine"),
        ("a.plan", b"ptrt" + bytes(40), "no timing cache but a serialized engine"),
        ("a.cache", b"TRT-8600-EntropyCalibration2\n", "no timing cache but an INT8 calibration cache"),
        ("a.cache", b"[I] a log\n", "no timing cache but text"),
        ("a.cache", made_cache(FIRST)[:-1], "cut short"),
    ],
)
def test_what_is_no_cache_is_refused(name: str, content: bytes, words: str, tmp_path: Path) -> None:
    """Each with what it is instead."""
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(TrtlensError, match=words):
        read_cache_file(path)


def test_missing_file_is_told(tmp_path: Path) -> None:
    """With its name and the reason."""
    with pytest.raises(TrtlensError, match=r"none\.cache cannot be read"):
        read_cache_file(tmp_path / "none.cache")


@pytest.mark.filterwarnings("ignore:.*Timing cache:DeprecationWarning")
def test_real_library_writes_the_head_that_is_read(tmp_path: Path) -> None:
    """An empty cache of TensorRT-RTX, which it makes without a GPU, is as long as its head says."""
    trt = pytest.importorskip("tensorrt_rtx")
    from trtlens.capture.building.logger import process_logger

    config = trt.Builder(process_logger(trt)).create_builder_config()
    cache = config.create_timing_cache(b"")
    path = tmp_path / "rtx.cache"
    path.write_bytes(bytes(memoryview(cache.serialize())))
    assert (read_cache_file(path).tag, read_cache_file(path).whole) == ("ptrt", True)


@pytest.mark.parametrize(
    ("texts", "pinned", "words"),
    [
        ((LOADED, CACHED), True, "every time of its 1 layers came from the timing cache (line 1"),
        ((LOADED, CACHED, *TUNED), False, "1 of 2 layers were tuned (fc)"),
        ((LOADED, CACHED, *reformat("y", FLOAT, "Half(1)", 0.1)), False, "1 tactics of reformats were timed"),
        ((LOADED, "Timing cache header mismatch", CACHED), False, "line 2: Timing cache header mismatch"),
        ((CACHED,), None, "no line says that a timing cache was read"),
        ((LOADED,), None, "the log shows no tuning"),
    ],
)  # fmt: skip
def test_a_build_is_pinned_if_nothing_was_left_to_measure(
    texts: tuple[str, ...], pinned: bool | None, words: str
) -> None:
    """Tuned layers and reformats, a refused cache, and what the log lacks, each with its reason."""
    use = read_cache_use(run_of(log(*texts, *SELECTED, *GENERATED)), 1)
    assert use.pinned is pinned
    assert words in use.verdict


def test_a_cut_log_pins_nothing() -> None:
    """What follows its end may be tuned."""
    use = read_cache_use(run_of(log(LOADED, "Original: 1 layers", CACHED)), 1)
    assert use.pinned is None
    assert "does not reach the end" in use.verdict


def test_the_check_has_an_exit_code(tmp_path: Path) -> None:
    """0 for a pinned build, 1 for one that tuned; the view names its layers, tuned ones first."""
    paths = tmp_path / "pinned.log", tmp_path / "tuned.log"
    paths[0].write_text(log(LOADED, CACHED, *SELECTED, *GENERATED))
    paths[1].write_text(log(LOADED, CACHED, *TUNED, *SELECTED, *GENERATED))
    assert [run_cli("pinned", path)[0] for path in paths] == [0, 1]
    told = [fits("cache pinned", run_cli("pinned", path, "--format", "json")[1])[0] for path in paths]
    assert [(row["pinned"], row["layers"], row["tuned_layers"]) for row in told] == [(True, 1, 0), (False, 2, 1)]
    rows = run_of(paths[1].read_text()).view("cache").to_pylist()
    assert [(row["layer"], row["source"], row["pinned"]) for row in rows] == [
        ("fc", "tuned", False),
        ("conv", "timing cache", False),
    ]
    own = run_of(log(CACHED, *TUNED, *SELECTED, *GENERATED)).view("cache").to_pylist()
    assert [row["source"] for row in own] == ["tuned", "own cache"]


@pytest.mark.gpu
def test_caches_of_real_builds(tmp_path: Path) -> None:
    """TensorRT takes its own caches, merges two, and a build with what comes of it is pinned."""
    from tests.capture.conftest import MODELS, OWN_TACTICS

    model, caches = str(MODELS / "small_cnn.onnx"), [tmp_path / f"{name}.cache" for name in ("a", "b", "both", "copy")]
    for cache in caches[:2]:
        folder = str(tmp_path / cache.stem)
        done = CliRunner().invoke(
            app,
            ["profile", model, "--fp16", OWN_TACTICS, "--skipInference", f"--timingCacheFile={cache}", "-o", folder],
        )
        assert done.exit_code == 0, done.output
        assert run_cli("verify", cache, "--sha256", read_cache_file(cache).sha256)[0] == 0
    assert run_cli("merge", *caches[:2], "-o", caches[2])[0] == 0
    caches[3].write_bytes(caches[2].read_bytes())
    pinned = [
        "profile",
        model,
        "--fp16",
        OWN_TACTICS,
        "--skipInference",
        f"--timingCacheFile={caches[3]}",
        "-o",
        str(tmp_path / "c"),
    ]
    assert CliRunner().invoke(app, pinned).exit_code == 0
    assert run_cli("pinned", tmp_path / "c")[0] == 0
    assert run_cli("pinned", tmp_path / "a")[0] == 1
