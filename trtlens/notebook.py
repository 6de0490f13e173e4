"""Notebook output: a run as the report's overview card, a view as a table; both without scripts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trtlens.charts import chart_of_view
from trtlens.charts.drawing.style import with_title
from trtlens.errors import TrtlensError
from trtlens.output import shown_column, worth_showing
from trtlens.report.markup import text
from trtlens.report.overview import card, precision_styles
from trtlens.report.subject import read_subject
from trtlens.views import VIEWS

if TYPE_CHECKING:
    import pyarrow as pa
    from plotly.graph_objects import Figure

    from trtlens.runs.run import Run

_MOST_ROWS = 40

_STYLE = """
.trtlens .card{border:1px solid rgba(128,136,150,.4);border-radius:10px;padding:12px 16px;max-width:640px;font-size:13px}
.trtlens h3{margin:0}.trtlens h4{margin:10px 0 4px;font-size:12px;opacity:.75}
.trtlens .big{font-size:26px;font-weight:600;margin:4px 0 0}.trtlens .big small{font-size:14px;opacity:.7}
.trtlens .how{margin:0 0 6px;opacity:.75}.trtlens dl{display:grid;grid-template-columns:max-content 1fr;gap:2px 14px;margin:8px 0}
.trtlens dt{opacity:.75}.trtlens dd{margin:0;overflow-wrap:anywhere}.trtlens .bar{display:flex;height:20px;gap:1px;border-radius:5px;overflow:hidden}
.trtlens .bar span{flex:1 1 0;min-width:2px}.trtlens .keys{list-style:none;display:flex;flex-wrap:wrap;gap:2px 14px;padding:0;margin:4px 0}
.trtlens .keys i{display:inline-block;width:12px;height:12px;border-radius:3px;margin-right:5px}
.trtlens table{font-size:12px;font-variant-numeric:tabular-nums}.trtlens td,.trtlens th{text-align:left;white-space:nowrap}
.trtlens .number{text-align:right}.trtlens p{margin:4px 0}
.trtlens .unit-tensor{background:#2c7fb8}.trtlens .unit-cuda{background:#8a6fb0}
"""


def fragment(run: Run) -> str:
    """HTML of one run for a notebook's output: what it is, its latency, its time by precision and unit."""
    styles = "\n".join(f".trtlens {rule}" for rule in precision_styles().splitlines())
    return f'<div class="trtlens"><style>{_STYLE}{styles}</style>{card(read_subject(run), 0, None)}</div>'


@dataclass(frozen=True, slots=True)
class ShownView:
    """One view of a run: a notebook displays its rows, `chart` draws its chart."""

    run: Run
    name: str
    table: pa.Table

    def chart(self, **options: Any) -> Figure:
        """The Plotly figure that belongs to the view.

        Raises:
            TrtlensError: the view has no chart, or the run does not hold what the chart draws.

        """
        found = chart_of_view(self.name)
        if found is None:
            raise TrtlensError(f"there is no chart of {self.name}")
        return with_title(found.draw(self.run, **options), f"{found.title}, {self.run.name}")

    def _repr_html_(self) -> str:
        """The view's question and first rows; columns say what they mean on hover."""
        rows = self.table.num_rows
        more = f"<p>{rows - _MOST_ROWS:,} more rows</p>" if rows > _MOST_ROWS else "" if rows else "<p>no rows</p>"
        question = f"<p><b>{text(self.run.name)}</b>: {text(VIEWS[self.name].question)}</p>"
        return f'<div class="trtlens"><style>{_STYLE}</style>{question}{_rows(self.table)}{more}</div>'


def _rows(table: pa.Table) -> str:
    names = [name for name in table.column_names if worth_showing(name, table)]
    shown = table.select(names).slice(0, _MOST_ROWS)
    columns = [shown_column(shown, name, range(shown.num_rows)) for name in names]
    looks = [' class="number"' if column.is_number else "" for column in columns]
    heads = "".join(
        f"<th{look}{_meaning(table.schema.field(column.name))}>{text(column.heading)}</th>"
        for column, look in zip(columns, looks, strict=True)
    )
    cells = (
        "".join(f"<td{look}>{text(value)}</td>" for value, look in zip(row, looks, strict=True))
        for row in zip(*(column.texts for column in columns), strict=True)
    )
    return f"<table><tr>{heads}</tr>{''.join(f'<tr>{row}</tr>' for row in cells)}</table>"


def _meaning(field: pa.Field) -> str:
    doc = (field.metadata or {}).get(b"doc", b"").decode()
    return f' title="{text(doc)}"' if doc else ""
