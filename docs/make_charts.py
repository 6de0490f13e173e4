"""Writes docs/charts from the declarations of the charts.

Run: ``python docs/make_charts.py``.
"""

from __future__ import annotations

from pathlib import Path

from trtlens.charts import CHARTS, Chart
from trtlens.charts.drawing.chart import COMPARISON, POINTS, RUN, RUNS, SUMS, WHOLE
from trtlens.charts.drawing.public import signature

FOLDER = Path(__file__).parent / "charts"
_FOLLOWS = {
    POINTS: "it keeps the points of the part's layers.",
    SUMS: "it is made anew of the part's layers.",
    WHOLE: "it stays as it is, and says that it is of the whole engine.",
}
_TABLE = "| chart | question |\n| --- | --- |\n"


def main() -> None:
    """Write the page of each chart, and the table of all in the folder's README."""
    for name, content in pages().items():
        (FOLDER / name).write_text(content, "utf-8")


def pages() -> dict[str, str]:
    """Content of every file of docs/charts by its name."""
    return {f"{chart.name}.md": _page(chart) for chart in CHARTS.values()} | {"README.md": _readme()}


def _page(chart: Chart) -> str:
    return (
        f"# {chart.title}\n\n**{chart.question}**\n\n![{chart.title}](../images/{chart.name}.webp)\n\n{chart.reading}\n\n"
        f"## What it needs\n\n{chart.needs}\n\n## How to get it\n\n{_how(chart)}\n\n"
        f"In Python `trtlens.charts.{chart.name}{signature(chart)}` gives the Plotly figure. Where the report is narrowed to a part of the model, {_FOLLOWS[chart.follows]}\n\n"
        f"## Data\n\n| array of the traces | what it holds |\n| --- | --- |\n{_data(chart)}"
    )


def _data(chart: Chart) -> str:
    return "".join(f"| `{name}` | {meaning} |\n" for name, meaning in chart.data.items())


def _how(chart: Chart) -> str:
    if chart.reads in {COMPARISON, RUNS}:
        return "`trtlens report A B -o report.html`"
    if not chart.views:
        return "`trtlens report RUN -o report.html`"
    view = chart.reads if chart.reads != RUN and chart.reads in chart.views else chart.views[0]
    return f"`trtlens show {view} RUN --chart {chart.name}.html`, or `trtlens report RUN -o report.html`"


def _readme() -> str:
    """The README with its table made anew; the text around it is written by hand."""
    before, after = (FOLDER / "README.md").read_text("utf-8").split(_TABLE)
    rest = after.split("\n\n", 1)[1]
    rows = "\n".join(f"| [{chart.title}]({chart.name}.md) | {chart.question} |" for chart in CHARTS.values())
    return f"{before}{_TABLE}{rows}\n\n{rest}"


if __name__ == "__main__":
    main()
