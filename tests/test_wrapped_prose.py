"""Prose on a terminal: wrapped at blanks, never cut, and commands whole."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING

from trtlens.capture.backends import doctor
from trtlens.capture.backends.doctor import Finding
from trtlens.commands import capture
from trtlens.commands.process import exit_code
from trtlens.errors import TrtlensError
from trtlens.output import Format, wrapped

if TYPE_CHECKING:
    import pytest


class Terminal(io.StringIO):
    """A terminal that keeps what it shows."""

    def isatty(self) -> bool:
        """It is one."""
        return True


def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Standard output as a terminal of 80 columns, from here to the end of a test."""
    shown = Terminal()
    monkeypatch.setattr(sys, "stdout", shown)
    monkeypatch.setenv("COLUMNS", "80")
    return shown


def test_no_word_and_no_command_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither at a hyphen nor at a blank within backticks; every line that can fits."""
    terminal(monkeypatch)
    command = "`pip install 'cuda-bindings>=13.0,<14' --extra-index-url https://example.org/simple`"
    text = f"time the engine with a CUDA graph (--useCudaGraph), and with a batch-size that is larger; then {command} helps, or not"
    lines = wrapped(text, 4)
    assert " ".join(lines) == text
    assert [line for line in lines if command in line] != []
    assert all(len(line) <= 76 or command in line for line in lines)
    assert not any(line.endswith("-") for line in lines)


def test_an_error_breaks_no_word_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is wrapped at the terminal's width; who reads a pipe gets one line."""
    error = TrtlensError("there is no view 'x': choose one of " + ", ".join(f"view_{number}" for number in range(40)))
    for width, most in ((60, 59), (None, 10_000)):
        shown = Terminal() if width else io.StringIO()
        monkeypatch.setattr(sys, "stderr", shown)
        monkeypatch.setattr(shown, "fileno", lambda: 2, raising=False)
        monkeypatch.setattr("os.get_terminal_size", lambda _number, width=width: os.terminal_size((width or 0, 24)))
        assert exit_code(error, debug=False) == 2
        lines = shown.getvalue().splitlines()
        assert " ".join(lines) == f"trtlens: {error}"
        assert (len(lines) == 1) == (width is None)
        assert max(map(len, lines)) <= most


def test_a_pipe_gets_lines_of_120() -> None:
    """Prose in a pipe is as wide as its tables."""
    lines = wrapped("word " * 200)
    assert 110 < max(map(len, lines)) <= 120
    assert " ".join(lines) == ("word " * 200).strip()


def test_the_doctor_prints_commands_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Advice stands below the table in full, each piece behind what it is about."""
    advice = (
        "`pip install tensorrt-cu12 --extra-index-url https://example.org/simple` builds and times on an NVIDIA GPU"
    )
    found = (Finding("tensorrt", "tensorrt", None, "missing", advice), Finding("system", "Python", "3.10.13", "ok"))
    monkeypatch.setattr(doctor, "examine", lambda *_: found)
    shown = terminal(monkeypatch)
    capture.doctor(None, Format.TABLE)
    out = shown.getvalue()
    assert f"tensorrt: {advice}" in " ".join(out.split())
    assert advice[: advice.rindex("`") + 1] in out
    assert "…" not in out
