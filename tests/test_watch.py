"""Watching a build: what is read of a log that grows, where it ends, and what is shown."""

from __future__ import annotations

import io
import os
import re
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.conftest import CAPTURES, FIXTURES, read_xz
from trtlens.cli import app
from trtlens.commands import watched_log
from trtlens.commands.build_lines import build_lines, build_sentence
from trtlens.commands.capture_display import CaptureDisplay
from trtlens.commands.growing_log import GrowingFile, Pipe
from trtlens.commands.live import Live
from trtlens.commands.progress import shown_progress
from trtlens.errors import TrtlensError
from trtlens_parsers.build_progress import (
    BUILT,
    GENERATING,
    OPTIMIZING,
    READING,
    RUNNING,
    TUNING,
    Alarm,
    BuildProgress,
)

if TYPE_CHECKING:
    from pathlib import Path

LOGS = sorted((FIXTURES / "releases").glob("*.log"))
STAMP = "[11/21/2026-10:{}:{:02d}] [V] [TRT] {}\n"
TIMED = re.compile(rb"(?<!Fastest )Tactic:? .* [Tt]ime:? [\d.]+(?:e[-+]?\d+)?\r?$", re.MULTILINE)
"""A tactic with a time, counted independently."""


def lines(*messages: str, minute: int = 0) -> bytes:
    """Messages as trtexec writes them, a second apart."""
    return "".join(STAMP.format(f"{minute:02d}", second, text) for second, text in enumerate(messages)).encode()


BEGUN = lines(
    "Parsing node: conv [Conv]", "Parsing node: fc [Gemm]", "Original: 9 layers", "After vertical fusions: 6 layers",
    "=============== Computing reformatting costs",
    "--------------- Timing Runner: Optimizer Reformat(x -> <out>) (Reformat)",
    "Tactic: 0x00000000000003e8 Time: 9.5", "Fastest Tactic: 0x00000000000003e8 Time: 9.5",
)  # fmt: skip


def costs(layer: str, time_ms: float, minute: int) -> bytes:
    """The tuning of one layer."""
    return lines(
        f"=============== Computing costs for {layer}", f"--------------- Timing Runner: {layer} (CaskConvolution)",
        f"Tactic Name: k Tactic: 0x1 Time: {time_ms * 2}", f"Tactic Name: k Tactic: 0x2 Time: {time_ms}",
        f"{layer} (CaskConvolution) profiling completed in 0.1 seconds. Fastest Tactic: 0x2 Time: {time_ms}", minute=minute,
    )  # fmt: skip


def of(data: bytes) -> BuildProgress:
    """What is read of a log that comes at once."""
    progress = BuildProgress()
    progress.feed(data)
    return progress


def test_each_phase_is_read() -> None:
    """A build passes from reading to running; layers, tactics and the slowest layer are those of its lines."""
    progress, seen = BuildProgress(), []
    for piece in (
        lines("Parsing node: conv [Conv]"), BEGUN, costs("conv", 0.25, 1), costs("fc", 0.125, 2),
        lines("Formats and tactics selection completed in 9 seconds.", "After reformat layers: 80 layers"),
        lines("Engine generation completed in 10 seconds."), lines("Starting inference"),
    ):  # fmt: skip
        progress.feed(piece)
        seen.append((progress.phase, progress.nodes, progress.layer, progress.layers, progress.candidates))
    assert seen == [
        (READING, 1, None, 0, 0), (TUNING, 3, "reformats", 0, 1), (TUNING, 3, "conv", 1, 3), (TUNING, 3, "fc", 2, 5),
        (GENERATING, 3, None, 2, 5), (BUILT, 3, None, 2, 5), (RUNNING, 3, None, 2, 5),
    ]  # fmt: skip
    assert (progress.most_layers, progress.slowest) == (6, ("conv", 0.25))
    progress.feed(lines("Parsing node: other [Relu]", "Original: 3 layers"))
    assert (progress.phase, progress.nodes, progress.layers, progress.slowest) == (OPTIMIZING, 1, 0, None)


@settings(max_examples=30)
@given(st.sampled_from(LOGS), st.lists(st.integers(0, 20_000), max_size=8))
@example(FIXTURES / "releases" / "7.2.log", [41, 160])  # a warning before any line that bears its program's sign
def test_pieces_make_no_difference(log: Path, cuts: list[int]) -> None:
    """However a log is cut as it comes, the same is read of it at its end."""
    data = log.read_bytes()
    places = sorted({0, *(cut % (len(data) + 1) for cut in cuts), len(data)})
    progress = BuildProgress()
    for start, end in pairwise(places):
        progress.feed(data[start:end])
    whole = of(data)
    for name in (
        "phase",
        "nodes",
        "layer",
        "layers",
        "most_layers",
        "candidates",
        "slowest",
        "tuning_s",
        "alarm_count",
    ):
        assert getattr(progress, name) == getattr(whole, name), name


@pytest.mark.parametrize("log", [*LOGS, CAPTURES / "fp32" / "verbose.log.xz"], ids=lambda log: log.name)
def test_timed_tactics_are_all_counted(log: Path) -> None:
    """The count is that of the lines with a tactic and a time, of the last network or strategy."""
    data = read_xz(log) if log.suffix == ".xz" else log.read_bytes()
    last = data[max(data.rfind(b"Original: "), data.rfind(b"Building graph using backend strategy 2"), 0) :]
    assert of(data).candidates == len(TIMED.findall(last))


def test_what_is_left_is_the_pace_times_the_layers() -> None:
    """It is told from the fourth layer on, of tuning alone, and not where more layers came than there should be."""
    progress = of(BEGUN)
    known = []
    for number in range(8):
        progress.feed(costs(f"layer{number}", 0.1, number + 1))
        known.append(progress.left_s)
    assert known == [None, None, None, 60.0 * 3, 60.0 * 2, 60.0, 0.0, None]
    progress.feed(lines("Formats and tactics selection completed in 9 seconds."))
    assert progress.left_s is None


def test_warnings_come_once() -> None:
    """Each text of a warning or an error is handed out once, whoever prints it; lines that only hold such a mark are not."""
    progress = of(
        b"[11/21/2026-10:00:00] [W] [TRT] careful\n[11/21/2026-10:00:00] [V] [TRT] layer [W] here\n"
        b"web-1  | [TRT] [E] broken\n[11/21/2026-10:00:00] [W] [TRT] careful\nVERBOSE: x\n[TensorRT] WARNING: old\n"
    )
    assert progress.new_alarms() == [Alarm("warning", "careful"), Alarm("error", "broken"), Alarm("warning", "old")]
    assert (progress.new_alarms(), progress.alarm_count) == ([], 3)


def test_no_log_fills_memory_or_the_screen() -> None:
    """A line without end is forgotten but for its last bytes, and of many warnings the first are shown."""
    progress = BuildProgress()
    for _ in range(4):
        progress.feed(b"x" * (1 << 20))
    assert len(progress._rest) <= 1 << 20
    stream = io.StringIO()
    live = Live(stream, Clock())
    progress.feed(b"\n" + b"".join(b"[TRT] [W] number %d\n" % number for number in range(3000)))
    live.warn([alarm.text for alarm in progress.new_alarms()])
    live.warn(["another"])
    assert stream.getvalue().splitlines()[-2:] == [
        "number 39",
        "more warnings and errors come: trtlens show messages lists all",
    ]


def test_layers_are_named_where_only_runners_name_them() -> None:
    """Releases to 8.0, and 8.4, name a layer with its runners; reformats between them are no layers."""
    old = of((FIXTURES / "releases" / "7.2.log").read_bytes())
    assert (old.layers, old.most_layers, old.slowest) == (4, 4, ("Conv_0 + Relu_1", 0.129024))
    unnamed = of((FIXTURES / "releases" / "8.4-dynamic.log").read_bytes())
    assert (unnamed.layers, unnamed.slowest) == (2, ("/conv/Conv + /act/Relu", 0.0135))


def test_a_file_grows_is_truncated_and_replaced(tmp_path: Path) -> None:
    """What comes is read once; a shorter file, or another under the name, is read from its beginning."""
    path = tmp_path / "log"
    file = GrowingFile(path)
    assert file.read() == b""
    path.write_bytes(b"one\n")
    assert (file.read(), file.read(), file.took_anew()) == (b"one\n", b"", False)
    with path.open("ab") as out:
        out.write(b"two\n")
    assert file.read() == b"two\n"
    path.write_bytes(b"new\n")
    assert (file.read(), file.took_anew(), file.read(), file.took_anew()) == (b"", True, b"new\n", False)
    path.rename(tmp_path / "log.1")
    assert (file.read(), file.took_anew()) == (b"", False)
    path.write_bytes(b"rotated, and longer than before\n")
    assert (file.read(), file.took_anew(), file.read()[:7]) == (b"", True, b"rotated")
    file.close()


def test_other_encodings(tmp_path: Path) -> None:
    """UTF-16 of a PowerShell is read, half characters included; a compressed log does not grow."""
    path = tmp_path / "log"
    data = "Parsing node: ü [Conv]\n".encode("utf-16")
    path.write_bytes(data[:33])
    file = GrowingFile(path)
    first = file.read()
    with path.open("ab") as out:
        out.write(data[33:])
    assert (first + file.read()).decode().lstrip("\ufeff") == "Parsing node: ü [Conv]\n"
    file.close()
    packed = GrowingFile(CAPTURES / "fp32" / "verbose.log.xz")
    with pytest.raises(TrtlensError, match="compressed, so it does not grow: trtlens parse"):
        packed.read()
    packed.close()


class FullDisk(io.BytesIO):
    """A file on a disk that is full."""

    def write(self, _data: object) -> int:
        """Refuse."""
        raise OSError(28, "No space left on device")


def test_a_pipe_is_read_on_where_its_copy_is_full() -> None:
    """The build must not stop because of a full disk; the reason is kept."""
    reader, writer = os.pipe()
    pipe = Pipe(reader, FullDisk())
    os.write(writer, b"line\n")
    assert (pipe.read(), pipe.failure, pipe.read()) == (b"line\n", "No space left on device", b"")
    os.close(writer)
    assert (pipe.read(), pipe.ended) == (b"", True)
    os.close(reader)


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        """It is one."""
        return True


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """The time that was set."""
        return self.now


def test_a_terminal_shows_the_last_state_alone() -> None:
    """Lines are drawn over those before, what is said stands above them, and names act on no terminal."""
    screen = Screen()
    live = Live(screen, Clock())
    live.draw(["one", "two"], "")
    live.draw(["x" * 200 + "\x1b[31m"], "")
    live.say("warning: w")
    live.draw(["three"], "")
    live.clear()
    text = screen.getvalue()
    assert text.count("\x1b[2F\x1b[J") == 1
    assert text.count("\x1b[1F\x1b[J") == 2
    assert max(map(len, re.sub(r"\x1b\[\d*[FJ]", "", text).split("\n"))) == 79
    assert "\x1b[31m" not in text


def test_elsewhere_a_sentence_comes_every_ten_seconds() -> None:
    """Short work prints nothing."""
    stream, clock = io.StringIO(), Clock()
    live = Live(stream, clock)
    due = []
    for clock.now in (100.0, 109.9, 110.0, 115.0, 120.0):
        due.append(live.is_due)
        if live.is_due:
            live.draw(["line"], f"at {clock.now:g}")
    assert (due, stream.getvalue()) == ([False, False, True, False, True], "at 110\nat 120\n")


def test_the_lines_say_what_is_known() -> None:
    """Layer, tactics, slowest, an estimate with its condition; without size or layers nothing is made up."""
    progress = of(BEGUN + b"".join(costs(f"layer{number}", 0.1, number + 1) for number in range(4)))
    shown = build_lines(progress, "build.log", 65, quiet_s=30)
    assert shown[0].endswith("1 min 05 s  (no new line for 30 s; Ctrl-C ends with the summary)")
    assert shown[1:] == [
        "timing tactics: layer 4 of at most 6", "  now      layer3", "  timed    9 tactics", "  slowest  100 µs at best: layer0",
        "  left     about 3 min 00 s, if the other 3 layers at most take as long as these",
    ]  # fmt: skip
    assert build_sentence(progress, "a.log", 10) == (
        "a.log, 10 s: timing tactics: layer 4 of at most 6; layer3; 9 tactics timed; about 3 min 00 s left at this pace"
    )
    assert build_lines(BuildProgress(), "a", 0)[1:] == ["waiting for the first line"]
    assert build_lines(of(b"hello\n"), "a", 0)[1:] == ["no build yet"]


def test_a_log_is_over_after_its_verdict_or_its_engine() -> None:
    """A verdict counts if nothing follows; an engine ends the log after a while, running inferences do not."""
    for text, waits in (
        (lines("Engine generation completed in 1 s") + b"&&&& PASSED TensorRT.trtexec\n", 1.0),
        (lines("Engine generation completed in 1 s"), 10.0),
        (lines("Engine generation completed in 1 s", "Starting inference"), None),
        (BEGUN, None),
        (b"&&&& FAILED TensorRT.trtexec\n" + b"x" * 5000 + b"\n", None),
    ):
        clock = Clock()
        watcher = watched_log.Watcher("log", Live(io.StringIO(), clock), clock)
        watcher.take(text)
        over = []
        for wait in (0.9, 1.0, 9.9, 10.0, 1e6):
            clock.now = 100 + wait
            over += [wait] if watcher.is_over else []
        assert next(iter(over), None) == waits


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for nothing."""
    monkeypatch.setattr(watched_log, "_POLL_S", 0.0)
    monkeypatch.setattr(watched_log, "_VERDICT_S", 0.0)


@pytest.mark.usefixtures("quick")
def test_the_command_ends_with_the_summary(capsys: pytest.CaptureFixture[str]) -> None:
    """A finished log is read to its end, warnings come on stderr, and the summary is that of parse."""
    log = str(FIXTURES / "releases" / "8.5-int8.log")
    app(args=["watch", log], standalone_mode=False)
    watched = capsys.readouterr()
    app(args=["parse", log], standalone_mode=False)
    assert watched.out == capsys.readouterr().out
    assert watched.err.count("warning: ") == 2


@pytest.mark.usefixtures("quick")
def test_ctrl_c_ends_with_the_summary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of what has come so far, which says that no end is shown; a log of nothing has none."""

    def stop(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("trtlens.commands.watched_log.time.sleep", stop)
    log = tmp_path / "build.log"
    for data, said in ((BEGUN, "the log does not show how the build ended"), (b"", "")):
        log.write_bytes(data)
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            app(args=["watch", str(log)])
        assert said in capsys.readouterr().out


@pytest.mark.usefixtures("quick")
def test_a_pipe_is_passed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file of --tee holds every byte, also of a line without its end; it replaces no file."""
    data = (FIXTURES / "releases" / "9.2-cut.log").read_bytes() + b"half a li"
    source = tmp_path / "source"
    source.write_bytes(data)
    kept = tmp_path / "kept.log"
    with source.open("rb") as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        app(args=["watch", "-", "--tee", str(kept)], standalone_mode=False)
        assert kept.read_bytes() == data
        assert "the log is kept in" in capsys.readouterr().err
        with pytest.raises(TrtlensError, match="is there already"):
            app(args=["watch", "-", "--tee", str(kept)], standalone_mode=False)
    with pytest.raises(TrtlensError, match="--tee keeps what comes through stdin"):
        app(args=["watch", str(kept), "--tee", "x"], standalone_mode=False)
    with pytest.raises(TrtlensError, match="there is no folder"):
        app(args=["watch", str(tmp_path / "no" / "log")], standalone_mode=False)


@pytest.mark.usefixtures("quick")
def test_a_pipe_that_is_not_kept_leaves_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is said of it names no file that is gone afterwards."""
    source = tmp_path / "source"
    source.write_bytes(b"no log\n")
    with source.open("rb") as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        with pytest.raises(TrtlensError, match=r"^LOG holds nothing that tells of a TensorRT build"):
            app(args=["watch", "-"], standalone_mode=False)


def test_a_capture_shows_its_phases_and_its_log(tmp_path: Path) -> None:
    """Phases inside one another are shown while they last, with a bar where the steps are known; the log's lines follow."""
    log = tmp_path / "verbose.log"
    log.write_bytes(BEGUN + costs("conv", 0.25, 1) + b"[11/21/2026-10:00:00] [W] [TRT] careful\n")
    screen, clock = Screen(), Clock()
    display = CaptureDisplay(Live(screen, clock), GrowingFile(log), clock)
    display.refresh()
    assert screen.getvalue() == ""  # an older run may still lie there
    display.report("Hashing the model", None, None, "")
    display.report("Building engine", 1, 4, "")
    display.report("Timing tactics", 5, 10, "conv")
    display.report("Cloning", 3, 3, "")
    display.refresh()
    display.close()
    text = screen.getvalue()
    assert "Hashing" not in text
    assert "Cloning" not in text
    assert "warning: careful\nBuilding engine  [######..................] 1 of 4  0 s\n" in text
    assert "Timing tactics  [############............] 5 of 10  conv\n  now      conv\n  timed    3 tactics\n" in text


def test_progress_on_no_terminal_is_silent_for_short_work(capsys: pytest.CaptureFixture[str]) -> None:
    """A build of a moment prints nothing."""
    with shown_progress() as report:
        report("Hashing the model", None, None, "")
    assert capsys.readouterr().err == ""
