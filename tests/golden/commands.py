"""Commands run within this process: what they print, and how they end."""

from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from typer.main import get_command

from tests.conftest import FIXTURES
from trtlens.cli import app
from trtlens.errors import TrtlensError

if TYPE_CHECKING:
    from collections.abc import Callable


class Said(NamedTuple):
    """What a command wrote to both streams, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """All of it as one text, without this machine's paths."""
        parts = [self.out, *(f"stderr: {line}\n" for line in self.err.splitlines())]
        ended = f"exit code {self.code}\n" if self.code else ""
        return ("".join(parts) + ended).replace(f"{FIXTURES}/", "")


@cache
def _command() -> Any:
    return get_command(app)


def say(*words: object) -> Said:
    """Run a command as a shell would; what is no `TrtlensError` is raised."""
    return printed(_command(), [str(word) for word in words], standalone_mode=False)


def printed(act: Callable[..., Any], *arguments: Any, **options: Any) -> Said:
    """What a function prints that a command is made of."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = act(*arguments, **options) or 0
        except TrtlensError as error:
            err.write(f"trtlens: {error}\n")
            code = error.exit_code
    return Said(code, out.getvalue(), err.getvalue())
