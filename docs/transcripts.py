"""Puts what commands print into the console blocks of README and docs; a test checks that every one is up to date.

A command in such a block begins with ``$ trtlens``; below it stand as many lines of what it prints as stood there, and ``...`` where it prints more. To
write a new one, put down the command and as many lines of anything, the last one ``...``. Run: ``python docs/transcripts.py``, in a checkout.
"""

from __future__ import annotations

import io
import os
import re
import shlex
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

from typer.main import get_command

from trtlens.cli import app

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
_WIDTH = "100"
_BLOCK = re.compile(r"(?<=```console\n)\$ trtlens .*?\n(?=```)", re.DOTALL)
_COMMAND = re.compile(r"^\$ trtlens (.+)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)
_MORE = "..."


def pages() -> Iterator[Path]:
    """Pages with commands whose output is shown."""
    found = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "skills").rglob("*.md"))]
    return (path for path in found if _BLOCK.search(path.read_text("utf-8")))


def renewed(text: str) -> str:
    """A page's text with what its commands print now."""
    return _BLOCK.sub(lambda block: _COMMAND.sub(_command, block[0]), text)


def _command(found: re.Match[str]) -> str:
    words, shown = found[1], found[2].split("\n")[:-1]
    lines = printed(words)
    if shown[-1:] == [_MORE]:
        count = len(shown) - 1
        lines = [*lines[:count], _MORE] if len(lines) > count else lines
    return "".join(f"{line}\n" for line in (f"$ trtlens {words}", *lines))


def printed(words: str, width: str = _WIDTH) -> list[str]:
    """What a command writes to standard output, with names of files as in a checkout."""
    out, place = io.StringIO(), f"{ROOT}/fixtures/"
    with patch.dict(os.environ, COLUMNS=width), redirect_stdout(out), redirect_stderr(io.StringIO()):
        get_command(app)(shlex.split(words.replace("fixtures/", place), comments=True), standalone_mode=False)
    return [line.rstrip() for line in out.getvalue().replace(place, "fixtures/").rstrip("\n").split("\n")]


if __name__ == "__main__":
    for page in pages():
        page.write_text(renewed(page.read_text("utf-8")), "utf-8")
