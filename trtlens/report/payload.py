"""What the page's script reads of each run: its tables and figures; and several runs compared."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from trtlens.charts import MissingData, charts_of_run
from trtlens.charts.drawing.style import PATTERNS, SYMBOLS, THEMES, colour, fill
from trtlens.comparison.same_work import mismatches, shared_nodes
from trtlens.engine.clocks import clock_name
from trtlens.errors import TrtlensError
from trtlens.output import visible
from trtlens.report.encoding import encode_figure, encode_table
from trtlens.report.graph_data import paths_data
from trtlens.report.sections import SECTIONS, tables_of
from trtlens.tables.arrays import filled, known_true, of_numpy, to_numpy
from trtlens.tables.engine_layers import NO_WORK
from trtlens.views import VIEWS
from trtlens_parsers.kernels import read_kernel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from plotly.graph_objects import Figure

    from trtlens.charts import Chart
    from trtlens.comparison.comparison import Comparison
    from trtlens.comparison.same_work import Mismatch
    from trtlens.report.subject import Subject
    from trtlens.runs.run import Run

MOST_CANDIDATES = 60_000
"""Most candidates of one run on the page."""
_CANDIDATES = (
    "layer", "op", "precision", "unit", "time_ms", "outcome", "chosen", "tactic_name", "input_formats", "output_formats", "runner",
    "tactic_id", "split_k", "reason", "scratch_requested_bytes", "line",
)  # fmt: skip
_LIMITS = ("index", "layer", "launch_ms", "roof_ms", "recoverable_ms", "unknown_ms", "limit", "evidence")
_TOTAL = "all layers"
_KERNEL_FACTS = (
    "family", "operation", "precision", "unit", "unit_reason", "evidence", "rule", "sm", "input_type", "math_type",
    "accumulator_type", "output_type", "tile", "stages", "warps", "cluster", "warpgroups", "mma_shape", "layouts", "split_k",
    "epilogue", "operations", "sparse",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Compared:
    """Several runs compared with the one at ``baseline``, or why they could not be."""

    comparison: Comparison | None
    reason: str | None
    baseline: int = 0

    def mismatches(self, subjects: Sequence[Subject], place: int) -> Sequence[Mismatch]:
        """In what a run differs from the baseline, so that their times are not of the same work."""
        if self.comparison is not None:
            return self.comparison.mismatches[place]
        base, run = subjects[self.baseline].run, subjects[place].run
        return mismatches(base, run, shared_nodes(base, run))


def page_data(subjects: Sequence[Subject], figures: Mapping[str, Figure]) -> dict[str, Any]:
    """What is the same for all runs: names, themes, how precisions look, and the figures of all runs."""
    precisions = [*PATTERNS]
    return {
        "runs": [visible(subject.name) for subject in subjects],
        "figures": {name: encode_figure(one) for name, one in figures.items()},
        "themes": THEMES,
        "colours": {name: colour(None if name == "unknown" else name) for name in precisions},
        "symbols": SYMBOLS,
        "fills": {name: fill(name) for name in precisions},
        "idle": sorted(NO_WORK),
    }  # fmt: skip


def run_data(subject: Subject) -> dict[str, Any]:
    """One run: tables by view, figures by chart (or why there is none), and what the detail panel adds."""
    run = subject.run
    candidates, note = thin_candidates(run["candidates"])
    tables = {
        name: {**encode_table(_table(subject, name), doc=VIEWS[name].question, leave_out=["build"]), "answers": _answers(subject, name)}
        for name in tables_of(SECTIONS) if name in VIEWS
    }  # fmt: skip
    tables["candidates"] = encode_table(candidates.select(list(_CANDIDATES)))
    tables["bound"] = encode_table(subject.view("bound").select(list(_LIMITS)))
    tables["tensors"] = encode_table(run["layer_tensors"], leave_out=["build", "location", "line"])
    layers = run["layers"].select(["index", "onnx_nodes", "parameters", "tactic_name"]).to_pylist()
    return {
        "tables": tables,
        "figures": {chart.name: drawn(partial(_draw, chart, subject)) for chart in charts_of_run()},
        "nodes": {str(row["index"]): [visible(one) for one in row["onnx_nodes"]] for row in layers if row["onnx_nodes"]},
        "parameters": {str(row["index"]): visible(row["parameters"]) for row in layers if row["parameters"]},
        "kernels": {visible(name): _kernel(name) for name in _kernels(run["layers"]["tactic_name"])},
        "tuned": _tuned(run),
        "clocks": {one: clock_name(one) for one in subject.view("layers")["time_source"].unique().to_pylist() if one},
        "paths": paths_data(subject),
        "thinned": note,
    }  # fmt: skip


def thin_candidates(table: pa.Table, most: int = MOST_CANDIDATES) -> tuple[pa.Table, str | None]:
    """All candidates, or those that run and the fastest of each layer in equal number; and a sentence on what is missing."""
    total = table.num_rows
    if total <= most:
        return table, None
    rows = pd.DataFrame({
        "layer": to_numpy(filled(table["layer"].combine_chunks().indices, -1)),
        "time_ms": to_numpy(table["time_ms"]), "chosen": to_numpy(known_true(table["chosen"])),
    })  # fmt: skip
    ordered = rows.sort_values(["chosen", "time_ms"], ascending=[False, True], kind="stable", na_position="last")
    rank = ordered.groupby("layer", sort=False, dropna=False).cumcount().reindex(rows.index)
    counts = rank.value_counts().sort_index().cumsum()
    fitting = counts[counts <= most]
    each = int(fitting.index[-1]) + 1 if len(fitting) else 1
    kept = table.filter(of_numpy(rank.to_numpy() < each))
    note = (
        f"{kept.num_rows:,} of {total:,} candidates are on this page: the chosen and the fastest ones, at most {each:,} for each layer; "
        "trtlens show candidates RUN --format csv lists all"
    )
    return kept, note


def _answers(subject: Subject, view: str) -> list[str]:
    """What the rows answer, in a sentence."""
    return [visible(one) for one in VIEWS[view].answers(subject.view(view))]


def _table(subject: Subject, view: str) -> pa.Table:
    """A view; the row of sums of ``tactics`` gets a name."""
    table = subject.view(view)
    if view != "tactics":
        return table
    place = table.schema.get_field_index("name")
    return table.set_column(place, table.schema.field(place), pc.fill_null(table["name"], _TOTAL))


def _tuned(run: Run) -> dict[str, list[str | None]]:
    """For each layer the tuner's name and operation, and the identical layer if the record is that layer's."""
    rows = {row["layer_index"]: row for row in run["tuned_layers"].to_pylist()}
    names = dict(zip(run["layers"]["index"].to_pylist(), run["layers"]["name"].to_pylist(), strict=True))
    found = {}
    for index, row in rows.items():
        twin = rows.get(row["twin_index"])
        used = row if twin is None else twin
        if used["layer"] is not None:
            alike = None if twin is None else names.get(row["twin_index"])
            found[str(index)] = [None if one is None else visible(one) for one in (used["layer"], used["op"], alike)]
    return found


def _draw(chart: Chart, subject: Subject) -> Figure:
    return chart.draw_from(subject.source(chart.reads))


def drawn(draw: Callable[[], Figure]) -> dict[str, Any]:
    """A figure as the page reads it, or the reason why there is none."""
    try:
        return encode_figure(draw())
    except MissingData as missing:
        return {"missing": visible(str(missing))}


def compare(subjects: Sequence[Subject], baseline: int = 0) -> Compared:
    """The subjects compared with the one at ``baseline``."""
    from trtlens.comparison import compare_runs  # noqa: PLC0415

    runs, names = [one.run for one in subjects], [one.name for one in subjects]
    try:
        return Compared(compare_runs(runs, names=names, baseline=baseline), None, baseline)
    except TrtlensError as error:
        return Compared(None, str(error), baseline)


def _kernels(names: pa.ChunkedArray) -> list[str]:
    return sorted(pc.unique(names.drop_null().cast(pa.string())).to_pylist())


def _kernel(name: str) -> dict[str, str]:
    """Facts that the kernel's name states, as text."""
    kernel = read_kernel(name)
    found = {}
    for fact in _KERNEL_FACTS:
        value = getattr(kernel, fact)
        if value not in {None, "", (), False}:
            found[fact] = (
                ", ".join(value) if isinstance(value, tuple) else "yes" if value is True else visible(str(value))
            )
    return found
