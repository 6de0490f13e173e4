"""Many runs at a glance: a row for each with its time, how it compares, and the precisions of its layers, as plain HTML."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtlens.charts import MissingData, charts_of_runs
from trtlens.charts.drawing.public import by_name
from trtlens.engine.build_ending import FINISHED, read_ending
from trtlens.engine.inference_samples import samples_of
from trtlens.engine.inference_timing import read_timing
from trtlens.quantities import duration
from trtlens.report.against import Against, against
from trtlens.report.markup import text
from trtlens.report.overview import precision_shares

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from plotly.graph_objects import Figure

    from trtlens.report.payload import Compared
    from trtlens.report.subject import Subject

MOST_CARDS = 4
"""Runs from which on a table stands in place of their cards; only the card of the shown run is left."""
_HEADINGS = (
    "run",
    "inference",
    "against the baseline",
    "precisions of the layers",
    "layers",
    "allowed",
    "TensorRT",
    "GPU",
)


def are_many(subjects: Sequence[Subject]) -> bool:
    """Whether there are more runs than cards are readable."""
    return len(subjects) > MOST_CARDS


def runs_table(subjects: Sequence[Subject], compared: Compared) -> str:
    """The table; empty for a few runs."""
    if not are_many(subjects):
        return ""
    heads = "".join(f'<th scope="col">{one}</th>' for one in _HEADINGS)
    rows = "".join(_row(subjects, place, compared) for place in range(len(subjects)))
    return f'<div class="block runs"><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'


def _row(subjects: Sequence[Subject], place: int, compared: Compared) -> str:
    subject = subjects[place]
    facts = subject.facts
    line = against(subject, subjects[0], compared.mismatches(subjects, place)) if place else Against()
    cells = (
        f'<button type="button" class="pick" data-show="{place}">{text(subject.name)}</button>', _time(subject), line.html,
        precision_shares(subject), f"{subject.run['layers'].num_rows:,}", text(facts.get("precision_flags") or ""),
        text(facts.get("tensorrt_version") or ""), text(facts.get("gpu") or ""),
    )  # fmt: skip
    return f'<tr data-run="{place}">{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'


def _time(subject: Subject) -> str:
    """The median with the interval on hover; where there is none, why."""
    samples = samples_of(subject.run)
    if samples is not None:
        return f'<b title="{text(samples.told.interval)}">{text(duration(samples.told.median_ms))}</b>'
    stated = None if subject.build is None else read_timing(subject.run, subject.build).inference_ms
    ending = None if subject.build is None else read_ending(subject.run, subject.build)
    if stated is not None:
        return f'<b title="as trtexec prints it">{text(duration(stated))}</b>'
    return (
        '<span class="missing">no engine</span>'
        if ending is not None and ending.state != FINISHED
        else '<span class="missing">not timed</span>'
    )


def figures_of_runs(subjects: Sequence[Subject]) -> Iterator[tuple[str, Figure]]:
    """The charts of many runs that have something to draw; the time of each run is a chart only where cards do not tell it."""
    runs = by_name((subject.name, subject.run) for subject in subjects)
    for chart in charts_of_runs() if len(subjects) > 1 else ():
        if chart.name != "run_times" or are_many(subjects):
            try:
                yield chart.name, chart.draw_from(runs)
            except MissingData:
                continue
