"""Commands run within this process: what they print, and how they end."""

from __future__ import annotations

import io
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from unittest.mock import patch

from typer.main import get_command

from tests.conftest import FIXTURES
from trtlens.cli import app
from trtlens.errors import TrtlensError
from trtlens.runs.run import Run, open_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pyarrow as pa


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


class _KeptRun(Run):
    """A run that makes each of its views once."""

    def view(self, name: str, **options: Any) -> pa.Table:
        """The table of a view."""
        if options:
            return super().view(name, **options)
        kept: dict[str, pa.Table] = self.__dict__.setdefault("_kept_views", {})
        if name not in kept:
            kept[name] = super().view(name)
        return kept[name]


@lru_cache(4)
def _read(files: tuple[str, ...], build: int | None) -> Run:
    run = open_run(files, build=build)
    return _KeptRun(run.name, run.tables, run.path, run.info)


@contextmanager
def kept_open() -> Iterator[None]:
    """Within it the commands read each log once, and make each of its views once."""

    def known(paths: str | Path | Sequence[str | Path], *, build: int | None = None) -> Run:
        return _read(tuple(map(str, (paths,) if isinstance(paths, (str, Path)) else paths)), build)

    with patch("trtlens.runs.run.open_run", known), patch("trtlens.comparison.arguments.open_run", known):
        yield
