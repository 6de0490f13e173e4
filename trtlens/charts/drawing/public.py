"""A chart as a function for notebooks and scripts: runs in, a Plotly figure with its title out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trtlens.charts.drawing.chart import COMPARISON, RUNS, Chart
from trtlens.charts.drawing.style import with_title
from trtlens.errors import TrtlensError
from trtlens.tuning.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from plotly.graph_objects import Figure

    from trtlens.runs.run import Run


def function_of(chart: Chart) -> Callable[..., Figure]:
    """The function: of one run, of a baseline and a run, or of any number of runs, by what the chart reads."""

    def draw(*runs: Run, **options: Any) -> Figure:
        least, most = {COMPARISON: (2, 2), RUNS: (1, None)}.get(chart.reads, (1, 1))
        if len(runs) < least or (most is not None and len(runs) > most):
            given = counted(len(runs), "run was", "runs were")
            raise TrtlensError(f"trtlens.charts.{chart.name}{signature(chart)}: {given} given")
        names = [run.name for run in runs]
        return with_title(_draw(chart, runs, options), f"{chart.title}, {' and '.join(names)}")

    draw.__name__ = draw.__qualname__ = chart.name
    draw.__module__ = "trtlens.charts"
    draw.__doc__ = f"{chart.question} {chart.reading}\n\nArrays of the traces:\n" + "".join(
        f"    {name}: {meaning}\n" for name, meaning in chart.data.items()
    )
    return draw


def signature(chart: Chart) -> str:
    """How the function is called: ``(run)``, ``(baseline, run)`` or ``(run, ...)``."""
    return {COMPARISON: "(baseline, run)", RUNS: "(run, ...)"}.get(chart.reads, "(run)")


def by_name(runs: Iterable[tuple[str, Run]]) -> dict[str, Run]:
    """Runs by their names; one whose name another has already gets its place behind it."""
    named: dict[str, Run] = {}
    for place, (name, run) in enumerate(runs, 1):
        named[name if name not in named else f"{name} ({place})"] = run
    return named


def _draw(chart: Chart, runs: tuple[Run, ...], options: dict[str, Any]) -> Figure:
    if chart.reads == RUNS:
        return chart.draw_from(by_name((run.name, run) for run in runs), **options)
    if chart.reads != COMPARISON:
        return chart.draw(runs[0], **options)
    from trtlens.comparison import compare_runs  # noqa: PLC0415

    return chart.draw_from(compare_runs(runs), 1, **options)
