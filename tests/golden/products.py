"""What trtlens says of a run or a comparison, as small texts by file name; and how that differs from what is expected.

Usable without pytest: ``compare("h200/resnet50-fp16")`` lists the differences. ``python -m tests.golden.products NAME
FOLDER`` writes the products with all rows, for a look at what changed in a table that the golden files show in part.
"""

from __future__ import annotations

import json
from difflib import unified_diff
from functools import partial
from itertools import islice
from math import fsum
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from tests.conftest import FIXTURES
from tests.golden.commands import printed, say
from tests.golden.inputs import COMPARED, FILES, RUNS, opened, read_once, subject
from tests.golden.text_of_figures import figure_text
from tests.golden.text_of_tables import cell, digest, lines_text, raw_table_text, table_text
from trtlens.charts import MissingData, charts_of_comparison, charts_of_run
from trtlens.commands.why import _print_findings as print_findings
from trtlens.comparison import change_table, compare_runs
from trtlens.comparison import region_table as regions
from trtlens.comparison.quantities import QUANTITIES
from trtlens.comparison.wide import region_table, settings_table
from trtlens.errors import TrtlensError
from trtlens.folders import GENERATOR
from trtlens.report.subject import Subject
from trtlens.tables import TABLES
from trtlens.trace_events import trace_json
from trtlens.views import VIEWS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from plotly.graph_objects import Figure

EXPECTED = FIXTURES / "expected"
NAMES = (*RUNS, *(f"compared/{name}" for name in COMPARED))
"""Everything that has golden files: runs, and comparisons behind ``compared/``."""
_TABLE_ROWS = 6
_PRINTED = frozenset({"small-build"})
_SHOWN_DIFFERENCE = 40


def produce(name: str) -> dict[str, str]:
    """All products of a run, or of a comparison, by the name of their file."""
    with read_once():
        if name.startswith("compared/"):
            return dict(_of_comparison(COMPARED[name.removeprefix("compared/")]))
        return dict(_of_run(name))


def compare(name: str) -> list[str]:
    """How the products differ from the golden files; nothing where they are the same."""
    return differences(expected(name), produce(name))


def expected(name: str) -> dict[str, str]:
    """The golden files of a run or a comparison."""
    folder = EXPECTED / name
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_text("utf-8") for path in files}


def differences(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """One text for each file that is new, gone or changed."""
    found = []
    for file in sorted({*before, *after}):
        if file not in before:
            found.append(f"{file}: no golden file")
        elif file not in after:
            found.append(f"{file}: nothing makes this golden file")
        elif before[file] != after[file]:
            lines = unified_diff(
                before[file].split("\n"), after[file].split("\n"), "expected", "made", n=0, lineterm=""
            )
            found.append(f"{file}:\n" + "\n".join(line[:300] for line in islice(lines, _SHOWN_DIFFERENCE)))
    return found


def update(name: str) -> list[str]:
    """Write the golden files anew, and remove those that nothing makes; what changed is returned."""
    before, made = expected(name), produce(name)
    for file in before.keys() - made.keys():
        (EXPECTED / name / file).unlink()
    for file, text in made.items():
        path = EXPECTED / name / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8", newline="\n")
    return differences(before, made)


def left_over() -> list[str]:
    """Golden files of runs and comparisons that are not there."""
    known = {path for name in NAMES for path in (EXPECTED / name).rglob("*")}
    return sorted(_place(path) for path in EXPECTED.rglob("*") if path.is_file() and path not in known)


def _place(path: Path) -> str:
    return path.relative_to(FIXTURES).as_posix()


# -- a run ---------------------------------------------------------------------------------------------------------


def _of_run(name: str) -> Iterator[tuple[str, str]]:
    run, files = opened(name), FILES[name]
    views = {view: run.view(view) for view in VIEWS}
    yield "summary.txt", say("parse", *files).text
    yield (
        "tables.txt",
        "\n".join(f"[{one}]\n{raw_table_text(_without_place(run[one]))}" for one in TABLES if run[one].num_rows),
    )
    yield from ((f"views/{view}.csv", table_text(rows)) for view, rows in views.items() if rows.num_rows)
    yield "findings.txt", printed(print_findings, views["findings"].to_pylist()).text
    for number, layer in enumerate(_explained(views["layers"]), 1):
        yield f"why-{number}.txt", say("why", layer, *files).text
    if name in _PRINTED:
        yield from ((f"printed/{view}.txt", _shown(view, name)) for view, rows in views.items() if rows.num_rows)
    absent = [f"view {view}: no rows" for view, rows in views.items() if not rows.num_rows]
    for chart, text in _charts(name, views):
        if text.startswith("["):
            yield f"charts/{chart}.txt", text
        else:
            absent.append(f"chart {chart}: {text.rstrip()}")
    yield "trace.txt", _trace(name)
    yield "absent.txt", "\n".join(absent) + "\n"


def _without_place(table: pa.Table) -> pa.Table:
    """The table with names of files as they stand under ``fixtures``."""
    if "file" not in table.column_names:
        return table
    place = table.column_names.index("file")
    names = pc.replace_substring(table["file"], f"{FIXTURES}/", "")
    return table.set_column(place, table.schema.field(place), names)


def _shown(view: str, name: str) -> str:
    return say("show", view, *FILES[name]).text + say("show", view, *FILES[name], "--format", "json").text


def _charts(name: str, views: dict[str, pa.Table]) -> Iterator[tuple[str, str]]:
    """Each chart as text; the reason where it cannot be drawn."""
    drawn = subject(name)
    if len(drawn.builds) == 1:  # the report's views of the only build are those of the run
        drawn = Subject(drawn.name, drawn.run, drawn.build, drawn.builds, views)
    for chart in charts_of_run():
        yield chart.name, _drawn(chart.draw_from, drawn.source(chart.reads))


def _drawn(draw: Callable[..., Figure], *sources: object) -> str:
    """A figure as text, or why there is none."""
    try:
        return figure_text(draw(*sources))
    except MissingData as missing:
        return f"{missing}\n"


def _explained(layers: pa.Table) -> list[str]:
    """Names of a few layers: the slowest, the slowest reformat, one in the middle, the last."""
    order = [("time_ms", "descending"), ("build", "ascending"), ("index", "ascending")]
    slowest: list[dict[str, Any]] = layers.sort_by(order).select(["name", "index", "type"]).to_pylist()
    if not slowest:
        return []
    reformats = [row for row in slowest if row["type"] == "Reformat"]
    in_order = sorted(slowest, key=lambda row: row["index"])
    picked = [slowest[0], *reformats[:1], in_order[len(in_order) // 2], in_order[-1]]
    return list(dict.fromkeys(row["name"] for row in picked if row["name"]))


def _trace(name: str) -> str:
    """The trace of Perfetto: some events, the sums of each process, digests of all; or why there is none."""
    try:
        text = trace_json(subject(name).run).replace(GENERATOR, "trtlens")
    except TrtlensError as error:
        return f"{error}\n"
    slices = [event for event in json.loads(text)["traceEvents"] if event["ph"] == "X"]
    sums = [
        f"process {process}: {len(own)} slices, {fsum(one['dur'] for one in own):.6g} µs, digest of starts "
        f"{digest([cell(one['ts']) for one in own])}\n"
        for process in sorted({one["pid"] for one in slices})
        for own in [[one for one in slices if one["pid"] == process]]
    ]
    return lines_text(text.split("\n")) + "".join(sums)


# -- a comparison --------------------------------------------------------------------------------------------------


def _of_comparison(names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    arguments = [",".join(map(str, FILES[name])) for name in names]
    yield "table.txt", say("compare", *arguments, "--top", 10).text
    yield "markdown.md", say("compare", *arguments, "--top", 10, "--format", "markdown", *_checks()).text
    yield "against.txt", say("findings", *FILES[names[0]], "--against", arguments[1]).text
    comparison = compare_runs([opened(name) for name in names], names=names)
    yield "changes.csv", table_text(change_table.table(comparison))
    yield "regions.csv", table_text(regions.table(comparison))
    yield "side-by-side.csv", table_text(region_table(comparison), _TABLE_ROWS)
    yield "settings.csv", table_text(settings_table(comparison))
    for chart in charts_of_comparison():
        for number in comparison.others:
            yield f"charts/{chart.name}-{number}.txt", _drawn(partial(chart.draw_from, number=number), comparison)


def _checks() -> list[str]:
    """Every quantity, held against a limit as a value and as a change."""
    return [word for name in QUANTITIES for limit in ("> 0", "> +0") for word in ("--fail-on", f"{name} {limit}")]
