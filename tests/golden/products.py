"""What trtlens says of a run or a comparison, as small texts by file name; and how that differs from what is expected.

Usable without pytest: ``compare("h200/resnet50-best")`` lists the differences.
"""

from __future__ import annotations

import json
from difflib import unified_diff
from functools import cache, partial
from itertools import islice
from math import fsum
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from tests.conftest import FIXTURES
from tests.golden.commands import printed, say
from tests.golden.inputs import COMPARED, FILES, RUNS, named_build, opened, read_once, subject
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
from trtlens.report.finding_list import findings as finding_list
from trtlens.report.overview import card
from trtlens.report.subject import read_subject
from trtlens.tables import TABLES
from trtlens.trace_events import trace_json
from trtlens.views import VIEWS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from trtlens.charts import Chart
    from trtlens.comparison import Comparison
    from trtlens.runs import Run

EXPECTED = FIXTURES / "expected"
NAMES = (*RUNS, *(f"compared/{name}" for name in COMPARED))
"""Everything that has golden files: runs, and comparisons behind ``compared/``."""
_TABLE_ROWS = 6
_PRINTED = frozenset({"small-build"})
_SHOWN_DIFFERENCE = 40


class AbsentError(Exception):
    """A run lacks what a product would be made of; the reason stands among its golden files."""


def produce(name: str) -> dict[str, str]:
    """All products of a run, or of a comparison, by the name of their file."""
    with read_once():
        tried = {file: _tried(make) for file, make in products(name).items()}
    made = {file: text for file, (text, _) in tried.items() if text is not None}
    absent = "\n".join(reason for _, reason in tried.values() if reason is not None)
    return made if name.startswith("compared/") else made | {"absent.txt": f"{absent}\n"}


def _tried(make: Callable[[], str]) -> tuple[str | None, str | None]:
    """A product, or why there is none."""
    try:
        return make(), None
    except AbsentError as reason:
        return None, str(reason)


def products(name: str) -> dict[str, Callable[[], str]]:
    """How each product of a run or a comparison is made, within `read_once`; each can be made alone.

    Raises:
        AbsentError: when called, a product cannot be made of this run.

    """
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


def _of_run(name: str) -> Iterator[tuple[str, Callable[[], str]]]:
    run, files, shown = opened(name), FILES[name], subject(name)
    view_of = shown.view if len(shown.builds) == 1 else cache(run.view)  # the only build's views are those of the run
    yield "summary.txt", lambda: say("parse", *files).text
    yield "tables.txt", lambda: _tables(run)
    yield from ((f"views/{view}.csv", partial(_view, view_of, view)) for view in VIEWS)
    yield "findings.txt", lambda: printed(print_findings, view_of("findings").to_pylist()).text
    for number, layer in enumerate(_explained(view_of("layers")), 1):
        yield f"why-{number}.txt", partial(_why, layer, files)
    if name in _PRINTED:
        yield from ((f"printed/{view}.txt", partial(_shown, view, name)) for view in VIEWS if view_of(view).num_rows)
    yield from ((f"charts/{chart.name}.txt", partial(_chart, chart, name)) for chart in charts_of_run())
    yield "card.html", lambda: _html(card(shown, 0, None))
    yield "trace.txt", lambda: _trace(name)


def _tables(run: Run) -> str:
    return "\n".join(f"[{one}]\n{raw_table_text(_without_place(run[one]))}" for one in TABLES if run[one].num_rows)


def _view(view_of: Callable[[str], pa.Table], view: str) -> str:
    rows = view_of(view)
    if not rows.num_rows:
        raise AbsentError(f"view {view}: no rows")
    return table_text(rows)


def _why(layer: str, files: Sequence[Path]) -> str:
    return say("why", layer, *files).text


def _without_place(table: pa.Table) -> pa.Table:
    """The table with names of files as they stand under ``fixtures``."""
    if "file" not in table.column_names:
        return table
    place = table.column_names.index("file")
    names = pc.replace_substring(table["file"], f"{FIXTURES}/", "")
    return table.set_column(place, table.schema.field(place), names)


def _shown(view: str, name: str) -> str:
    return say("show", view, *FILES[name]).text + say("show", view, *FILES[name], "--format", "json").text


def _chart(chart: Chart, name: str) -> str:
    try:
        return figure_text(chart.draw_from(subject(name).source(chart.reads)))
    except MissingData as missing:
        raise AbsentError(f"chart {chart.name}: {missing}") from missing


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


def _html(text: str) -> str:
    """An element a line, so that a difference stands alone."""
    return text.replace("><", ">\n<") + "\n"


# -- a comparison --------------------------------------------------------------------------------------------------


def _of_comparison(arguments: tuple[str, ...]) -> Iterator[tuple[str, Callable[[], str]]]:
    names, builds = zip(*map(named_build, arguments), strict=True)
    words = [
        ",".join(map(str, FILES[name])) + argument.removeprefix(name)
        for name, argument in zip(names, arguments, strict=True)
    ]
    compared = partial(say, "compare", *words, "--top", 10)
    yield "table.txt", lambda: compared().text
    yield "markdown.md", lambda: compared("--format", "markdown", *_checks()).text
    yield "against.txt", lambda: say("findings", *FILES[names[0]], "--against", words[1]).text
    try:
        comparison = compare_runs([opened(name) for name in names], names=arguments, builds=builds)
    except TrtlensError:  # table.txt says why
        return
    yield "changes.csv", lambda: table_text(change_table.table(comparison))
    yield "regions.csv", lambda: table_text(regions.table(comparison))
    yield "side-by-side.csv", lambda: table_text(region_table(comparison), _TABLE_ROWS)
    yield "settings.csv", lambda: table_text(settings_table(comparison))
    subjects = [
        read_subject(opened(name), argument, build)
        for name, argument, build in zip(names, arguments, builds, strict=True)
    ]
    yield (
        "cards.html",
        lambda: _html("".join(card(one, place, subjects[0]) for place, one in enumerate(subjects[1:], 1))),
    )
    yield "findings.html", lambda: _html(finding_list(subjects))
    for chart in charts_of_comparison():
        for number in comparison.others:
            yield f"charts/{chart.name}-{number}.txt", partial(_difference, chart, comparison, number)


def _difference(chart: Chart, comparison: Comparison, number: int) -> str:
    """A chart of two runs as text, or why there is none."""
    try:
        return figure_text(chart.draw_from(comparison, number=number))
    except MissingData as missing:
        return f"{missing}\n"


def _checks() -> list[str]:
    """Every quantity, held against a limit as a value and as a change."""
    return [word for name in QUANTITIES for limit in ("> 0", "> +0") for word in ("--fail-on", f"{name} {limit}")]
