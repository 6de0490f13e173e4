"""Each chart of a report as an image, by Plotly's renderer (extra ``images``)."""

from __future__ import annotations

import re
import struct
import tempfile
import zlib
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from trtlens.charts import CHARTS, MissingData, charts_of_comparison, charts_of_run
from trtlens.charts.drawing.style import with_title
from trtlens.errors import TrtlensError
from trtlens.report.runs_table import figures_of_runs
from trtlens.runs.folders import GENERATOR, check_place, write_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from plotly.graph_objects import Figure

    from trtlens.charts import Chart
    from trtlens.comparison.comparison import Comparison
    from trtlens.report.subject import Subject

_WIDTH = 1200
_SCALES = {"png": 2.0, "svg": 1.0}
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST_NAME = 60
_PNG_HEADER_BYTES = 33


def write_images(
    subjects: Sequence[Subject], comparison: Comparison | None, folders: Mapping[str, Path]
) -> dict[str, list[Path]]:
    """Write ``RUN-CHART.FORMAT`` for each chart that the runs have data for into the format's folder; the files by format.

    Formats are ``png`` and ``svg``. Each image appears whole, and replaces an older image of ours alone.

    Raises:
        TrtlensError: the renderer is not installed, finds no browser, a folder cannot be written, or a file of such a
            name in it is not ours.

    """
    for folder in folders.values():
        check_images_folder(folder)
    with tempfile.TemporaryDirectory() as made:
        scales = {form: _SCALES[form] for form in folders}
        drawn = write_figures(_figures(subjects, comparison), Path(made), scales, width=_WIDTH)
        for folder in folders.values():
            folder.mkdir(parents=True, exist_ok=True)
        return {
            form: [_put(file.read_bytes(), folder / file.name) for file in drawn if file.suffix == f".{form}"]
            for form, folder in folders.items()
        }


def check_images_folder(folder: Path) -> None:
    """Check, before any work, that images can be written into a folder of that name.

    Raises:
        TrtlensError: something else has the name.

    """
    if folder.exists() and not folder.is_dir():
        raise TrtlensError(f"{folder} is not a folder: name a folder for the images")


def _put(image: bytes, place: Path) -> Path:
    """The image in its place, with `GENERATOR` in it, so that the next one may replace it."""
    check_place(place)
    return write_whole(place, _marked_png(image) if place.suffix == ".png" else _marked_svg(image))


def _marked_png(image: bytes) -> bytes:
    """The image with a text chunk ``Software`` after its header, which takes the first 33 bytes."""
    chunk = b"tEXtSoftware\0" + GENERATOR.encode()
    length, check = struct.pack(">I", len(chunk) - 4), struct.pack(">I", zlib.crc32(chunk))
    return image[:_PNG_HEADER_BYTES] + length + chunk + check + image[_PNG_HEADER_BYTES:]


def _marked_svg(image: bytes) -> bytes:
    return image.replace(b"<svg", f'<svg data-generator="{GENERATOR}"'.encode(), 1)


def write_figures(
    figures: Mapping[str, Figure], folder: Path, scales: Mapping[str, float], *, width: int
) -> list[Path]:
    """Write each figure as ``NAME.FORMAT``, as high as its layout says, in every format of ``scales`` with one browser.

    A scale is image pixels for each pixel of the layout.

    Raises:
        TrtlensError: the renderer is not installed, finds no browser, or the folder cannot be written.

    """
    files = [folder / f"{name}.{form}" for form in scales for name in figures]
    drawn = [*figures.values()] * len(scales)
    forms = [form for form in scales for _ in figures]
    try:
        import kaleido  # noqa: F401, PLC0415
        import plotly.io  # noqa: PLC0415
    except ImportError as error:
        raise TrtlensError("images need the package kaleido: pip install 'trtlens[images]'") from error
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for figure in figures.values():
            figure.update_layout(paper_bgcolor="white")
        heights = [figure.layout.height for figure in drawn]  # else all are as high as Plotly's default
        scale = [scales[form] for form in forms]
        plotly.io.write_images(drawn, files, format=forms, width=width, height=heights, scale=scale)
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
    many = {f"all-{name}": with_title(one, CHARTS[name].title) for name, one in figures_of_runs(subjects)}
    return {name: figure for name, figure in drawn.items() if figure is not None} | many


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
