"""What is no log: one clear line on stderr that names the file and what to do, exit code 2, nothing written."""

from __future__ import annotations

import gzip
import json
import lzma
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.golden.commands import say
from trtlens import TrtlensError, open_run
from trtlens.runs import sources

if TYPE_CHECKING:
    from collections.abc import Callable

FIXTURES = Path(__file__).parents[1] / "fixtures"
SMALL = FIXTURES / "small-build" / "verbose.log"
INT8 = FIXTURES / "resnet50-h200" / "int8"

NO_LOGS: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda path: path.write_bytes(b""), "is empty"),
    "missing": (lambda _: None, "cannot be read"),
    "folder": (lambda path: path.mkdir(), "folder without a run.json"),
    "picture": (lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256))), "is a picture"),
    "engine": (lambda path: path.write_bytes(b"ptrt" + bytes(5000)), "serialized TensorRT engine"),
    "zip": (lambda path: path.write_bytes(b"PK\x03\x04" + bytes(50)), "zip archive"),
    "binary": (lambda path: path.write_bytes(bytes(range(1, 9)) * 1000), "binary data"),
    "no TensorRT": (lambda path: path.write_text("hello\nworld\n"), "nothing that tells of a TensorRT build"),
    "compressed twice": (
        lambda path: path.write_bytes(gzip.compress(lzma.compress(SMALL.read_bytes()))),
        "inside a compressed",
    ),
    "broken gzip": (lambda path: path.write_bytes(gzip.compress(SMALL.read_bytes())[:200]), "decompressed"),
    "broken xz": (lambda path: path.write_bytes(lzma.compress(SMALL.read_bytes())[:200]), "decompressed"),
    "broken inspector": (lambda path: path.write_text('{"Layers": [{"Name": "a", '), "build.log"),
    "run without files": (lambda path: make_run(path, '{"format": 1}'), "no log"),
    "broken run": (lambda path: make_run(path, "{"), "run.json"),
    "newer run": (lambda path: make_run(path, '{"format": 99}'), "update trtlens"),
}


@pytest.mark.parametrize("compress", [gzip.compress, lzma.compress])
def test_a_file_that_grows_without_bound_is_refused(
    compress: Callable[[bytes], bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few kilobytes that decompress to gigabytes are refused when the bound is passed, not read to their end."""
    monkeypatch.setattr(sources, "_LARGEST_UNDOUBTED", 2**20)
    path = tmp_path / "build.log"
    path.write_bytes(compress((b"[V] [TRT] " + b"x" * 20_000 + b"\n") * 2**8))
    with pytest.raises(TrtlensError, match=r"over \d(\.\d+)? MiB, more than 500 times its size"):
        open_run(path)


def make_run(path: Path, info: str) -> None:
    path.mkdir()
    (path / "run.json").write_text(info)


@pytest.mark.parametrize("case", NO_LOGS)
def test_what_is_no_log_is_refused(case: str, tmp_path: Path) -> None:
    """The message names the file and says what happened and what to do."""
    make, expected = NO_LOGS[case]
    path = tmp_path / "build.log"
    make(path)
    with pytest.raises(TrtlensError, match=expected) as caught:
        open_run(path)
    assert "build.log" in str(caught.value)
    assert caught.value.exit_code == 2


def run_cli(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "trtlens", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]


def test_command_line_prints_one_line_and_exits_2(tmp_path: Path) -> None:
    """No traceback, nothing on stdout, and a hostile file name does no harm."""
    path = tmp_path / "evil\x1b[31m.log"
    done = run_cli("parse", path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "\x1b" not in done.stderr


def test_unknown_view_lists_the_views() -> None:
    """A wrong view's name is answered with the right ones."""
    done = say("show", "layer", SMALL)
    assert done.code == 2
    assert "layers" in done.err


def test_unknown_build_says_which_there_are() -> None:
    """A build that the log does not hold is refused with the numbers that exist."""
    done = say("show", "layers", SMALL, "--build", 3)
    assert done.code == 2
    assert "build 1 only" in done.err


def test_json_files_describe_the_build_that_is_asked_for(tmp_path: Path) -> None:
    """`show`, `why` and `findings` read a profile as that of `--build`, not of the log's last build."""
    times = tmp_path / "times.json"
    times.write_text(
        '[{"count": 10}, {"name": "conv1 + relu, really", "timeMs": 10.0, "averageMs": 1.0, "percentage": 100.0}]'
    )
    log = tmp_path / "build.log"
    log.write_text(2 * SMALL.read_text("utf-8"))
    for build in (1, 2):
        rows = json.loads(say("show", "table:layer_profile", log, times, "--build", build, "--format", "json").out)
        assert [(row["build"], row["total_ms"]) for row in rows] == [(build, 10.0)]


def test_inspector_of_another_engine_is_refused(tmp_path: Path) -> None:
    """Layers of another engine are never mixed into a log's build."""
    other = tmp_path / "layers.json"
    other.write_text('{"Layers": [{"Name": "q", "LayerType": "Shuffle", "Inputs": [], "Outputs": []}], "Bindings": []}')
    with pytest.raises(TrtlensError, match="another engine"):
        open_run([SMALL, other])


def test_two_logs_are_two_runs() -> None:
    """Two logs are not joined by accident."""
    with pytest.raises(TrtlensError, match="two runs"):
        open_run([SMALL, SMALL])


def test_an_info_level_log_yields_what_it_has_and_says_how_to_get_more(tmp_path: Path) -> None:
    """Without verbose lines the summary stands, and stderr says how to build with a verbose logger."""
    lines = [line for line in SMALL.read_text().split("\n") if "[V]" not in line and line.startswith("[")]
    path = tmp_path / "info.log"
    path.write_text("\n".join(lines) + "\n")
    done = say("parse", path)
    assert done.code == 0
    assert "calibrator-missing" in done.out
    assert "--verbose" in done.err
