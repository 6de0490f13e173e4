"""Draws how far a build is, on stderr and only on a terminal."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from trtlens.output import shorten, visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trtlens.capture.progress import Progress


@contextmanager
def shown_progress() -> Iterator[Progress]:
    """A progress callback; silent where stderr is no terminal."""
    from trtlens.capture.progress import silent  # noqa: PLC0415

    if not sys.stderr.isatty():
        yield silent
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[detail]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, int] = {}

        def report(phase: str, step: int | None, steps: int | None, detail: str) -> None:
            shown = shorten(visible(detail), 60)
            if phase not in tasks:
                tasks[phase] = bars.add_task(shorten(visible(phase), 40), total=steps, detail=shown)
            bars.update(tasks[phase], completed=step or 0, total=steps, detail=shown)  # type: ignore[arg-type]

        yield report
