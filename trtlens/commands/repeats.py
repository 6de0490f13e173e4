"""The command ``repeats``: builds of one thing beside one another, and two sets of them; and how such builds are made."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from trtlens.commands.read import FormatOption  # noqa: TC001  typer reads it at run time
from trtlens.output import Format

if TYPE_CHECKING:
    from pathlib import Path

    from trtlens.capture.building.engine_build import BuiltRun
    from trtlens.capture.timing.engine_session import TimingOptions


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(repeats)


def repeats(
    runs: Annotated[list[str], typer.Argument(help="Runs or logs of one build repeated, or folders that hold them.")],
    against: Annotated[
        Optional[list[str]],  # noqa: UP045  typer reads annotations at run time, on Python 3.10 too
        typer.Option("--against", help="A run of a second set, or a folder of them; may be given several times."),
    ] = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """Say what changes from build to build, and by a flag or version.

    Repeats are builds of one model with the same flags: which layers get another tactic, type or format, and what that costs.
    With --against the effect of a version or flag is told from that lottery.
    """
    from trtlens.commands.repeats_display import show_repeats  # noqa: PLC0415  its table needs pyarrow

    show_repeats(runs, against or [], form)


def with_own_cache(given: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Options of one of several builds: a fresh timing cache in its run, unless a cache was asked for or none is used here."""
    from trtlens.capture.backends.backend import find_backend  # noqa: PLC0415

    backend = find_backend()
    if "timing_cache_file" in given or "timingCacheFile" in given or (backend.is_rtx and not backend.can_run):
        return given
    return {**given, "timing_cache_file": str(folder / "timing.cache")}


def keep_outputs(built: BuiltRun, options: TimingOptions) -> None:
    """Keep digests of the outputs, by which builds are held beside one another; without a GPU there are none."""
    from trtlens.capture.dumping.output_digests import add_output_digests  # noqa: PLC0415
    from trtlens.capture.timing.processes import TimedEngine  # noqa: PLC0415

    if built.backend.can_run:
        engine = TimedEngine(built.engine_path, built.backend.name, replace(options, shapes=built.shapes))
        add_output_digests(engine, built.recorder)
