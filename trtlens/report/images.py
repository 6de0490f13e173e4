"""Every chart of a report as an image of its own, through Plotly's renderer (extra ``images``)."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from trtlens.charts import MissingData, charts_of_comparison, charts_of_run
from trtlens.charts.drawing.style import with_title
from trtlens.errors import TrtlensError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from plotly.graph_objects import Figure

    from trtlens.charts import Chart
    from trtlens.comparison.comparison import Comparison
    from trtlens.report.subject import Subject

_WIDTH = 1200
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST_NAME = 60


def write_images(subjects: Sequence[Subject], comparison: Comparison | None, folder: Path, form: str) -> list[Path]:
    """Write ``RUN-CHART.png`` (or svg) for each chart that the runs have data for; returns the files.

    Raises:
        TrtlensError: the renderer is not installed, finds no browser, or the folder cannot be written.

    """
    return write_figures(_figures(subjects, comparison), folder, form, width=_WIDTH, scale=2 if form == "png" else 1)


def write_figures(figures: Mapping[str, Figure], folder: Path, form: str, *, width: int, scale: float) -> list[Path]:
    """Write each figure as ``NAME.FORM``, as high as its layout says; ``scale`` is image pixels for each pixel of the layout.

    Raises:
        TrtlensError: the renderer is not installed, finds no browser, or the folder cannot be written.

    """
    files = [folder / f"{name}.{form}" for name in figures]
    try:
        import kaleido  # noqa: F401, PLC0415
        import plotly.io  # noqa: PLC0415
    except ImportError as error:
        raise TrtlensError("images need the package kaleido: pip install 'trtlens[images]'") from error
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for figure in figures.values():
            figure.update_layout(paper_bgcolor="white")
        heights = [figure.layout.height for figure in figures.values()]  # else all are as high as Plotly's default
        plotly.io.write_images(list(figures.values()), files, format=form, width=width, height=heights, scale=scale)
    except (OSError, RuntimeError, ValueError) as error:
        raise TrtlensError(
            f"the images could not be written to {folder} ({error}): kaleido needs Chrome or Chromium"
        ) from error
    return files


def _figures(subjects: Sequence[Subject], comparison: Comparison | None) -> dict[str, Figure]:
    draws: dict[str, Callable[[], Figure]] = {
        _file_name(place, subject.name, chart.name): partial(_draw, chart, subject)
        for place, subject in enumerate(subjects, 1) for chart in charts_of_run()
    }  # fmt: skip
    if comparison is not None:
        for number in comparison.others:
            for chart in charts_of_comparison():
                file = _file_name(number + 1, comparison.names[number], chart.name)
                draws[file] = partial(_draw_compared, chart, comparison, number)
    drawn = {name: _known(draw) for name, draw in draws.items()}
    return {name: figure for name, figure in drawn.items() if figure is not None}


def _draw(chart: Chart, subject: Subject) -> Figure:
    return with_title(chart.draw_from(subject.source(chart.reads)), f"{chart.title}, {subject.name}")


def _draw_compared(chart: Chart, comparison: Comparison, number: int) -> Figure:
    names = f"{comparison.names[number]} against {comparison.names[comparison.baseline]}"
    return with_title(chart.draw_from(comparison, number), f"{chart.title}, {names}")


def _known(draw: Callable[[], Figure]) -> Figure | None:
    try:
        return draw()
    except MissingData:
        return None


def _file_name(place: int, run: str, chart: str) -> str:
    return f"{place}-{_NOT_IN_NAMES.sub('_', run)[:_LONGEST_NAME]}-{chart}"
