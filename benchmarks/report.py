"""Measures reports: from the start of the process to the written page, its size, and until a browser can use it.

Baseline: a process that writes one empty Plotly figure as a page of its own with plotly.js in it. The runs are the timed
ones of ``fixtures/h200``; three builds whose tuner's record is repeated beyond 40,000 candidates each; and one engine of
more than 5,000 layers, drawn in this process alone. Chromium and its driver are asked where they are there.
Run: ``python benchmarks/report.py [TIMES]`` (default 3).
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
from start import TRTLENS, make_long_build, seconds

from trtlens import Run, open_run
from trtlens.report import read_subject, render

if TYPE_CHECKING:
    from collections.abc import Callable

H200 = Path(__file__).parents[1] / "fixtures" / "h200"
TIMED = ("resnet50-fp32", "resnet50-fp16", "resnet50-int8")
BUILDS = {"fp32": 23, "fp16": 4, "int8": 3}
"""How often each build's record is repeated: more than 40,000 candidates each."""
BLOCKS = 33
ITERATIONS = 5
_PLOTLY = "import plotly.graph_objects as go; go.Figure().write_html({!r}, include_plotlyjs=True)"
_READY = "return document.documentElement.dataset.ready === 'yes'"
_NAMES = {
    "layers": ("name",), "layer_tensors": ("name",), "tuned_layers": ("layer",), "layer_times": ("layer",), "memory": ("layer",),
    "candidates": ("layer",), "combinations": ("layer",), "runners": ("layer",), "nodes": ("name",),
}  # fmt: skip
_LISTS = {"layers": ("onnx_nodes",), "nodes": ("inputs", "outputs")}
_INDICES = {
    "layers": "index", "layer_tensors": "layer_index", "tuned_layers": "layer_index", "layer_times": "index", "combinations": "layer_index",
    "nodes": "index",
}  # fmt: skip


def lengthened(run: Run, blocks: int) -> Run:
    """The run with its engine so many times over, one behind the other, each layer timed a few times."""
    count = run["layers"].num_rows
    tables = dict(run.tables)
    tables["layer_times"] = run["layer_times"].filter(pc.less(run["layer_times"]["iteration"], ITERATIONS))
    for table in _NAMES:
        parts = [_block(tables[table], table, number, count) for number in range(blocks)]
        tables[table] = pa.concat_tables(parts).unify_dictionaries().combine_chunks()
    return Run(f"{run.name} x{blocks}", tables, None, run.info)


def _block(rows: pa.Table, table: str, number: int, count: int) -> pa.Table:
    if not number:
        return rows
    for column in _NAMES[table]:
        rows = _with(
            rows, column, lambda values: pc.binary_join_element_wise(values.cast(pa.string()), f"block{number}", "/")
        )
    for column in _LISTS.get(table, ()):
        rows = _with(rows, column, lambda values: pa.array(
            [None if one is None else [f"{name}/block{number}" for name in one] for one in values.to_pylist()], values.type
        ))  # fmt: skip
    if table in _INDICES:
        rows = _with(rows, _INDICES[table], lambda values: pc.add(values, number * count))
    return rows


def _with(rows: pa.Table, column: str, change: Callable[[Any], Any]) -> pa.Table:
    place = rows.schema.get_field_index(column)
    field = rows.schema.field(place)
    changed = change(rows[column])
    changed = changed.dictionary_encode() if pa.types.is_dictionary(field.type) else changed
    return rows.set_column(place, field, changed.cast(field.type))


def ready_seconds(page: Path) -> list[float]:
    """Seconds until a page can be used on the first and the second visit; none without Chromium and its driver."""
    if shutil.which("chromium") is None or shutil.which("chromedriver") is None:
        return []
    from selenium import webdriver  # noqa: PLC0415  only where a browser is
    from selenium.webdriver.chrome.service import Service  # noqa: PLC0415

    options = webdriver.ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    for flag in ("--headless", "--no-sandbox", "--disable-gpu"):
        options.add_argument(flag)
    browser = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        return [_visit(browser, page) for _ in range(2)]
    finally:
        browser.quit()


def _visit(browser: Any, page: Path) -> float:
    browser.get("about:blank")
    begin = time.perf_counter()
    browser.get(page.as_uri())
    while not browser.execute_script(_READY):
        time.sleep(0.01)
    return time.perf_counter() - begin


def tell(label: str, taken: float, baseline: float, page: Path) -> None:
    """Print one page's figures."""
    visits = ", ".join(f"{visit:.2f} s" for visit in ready_seconds(page)) or "no browser here"
    size = page.stat().st_size / 1e6
    print(f"{label:<44} {taken:6.2f} s {taken / baseline:5.1f} times {size:5.1f} MB, ready in {visits}", flush=True)


def measure(times: int) -> None:
    """Make every page so many times and print the fastest, with its ratio to the baseline."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        page = folder / "page.html"
        baseline = min(
            seconds([sys.executable, "-c", _PLOTLY.format(str(folder / "figure.html"))]) for _ in range(times)
        )
        print(f"{'one empty Plotly figure as a page':<44} {baseline:6.2f} s")
        logs = []
        for build, copies in BUILDS.items():
            logs.append(folder / f"{build}.log")
            make_long_build(logs[-1], build, copies)
        runs = {
            "three timed runs": [str(H200 / run) for run in TIMED],
            "three builds of 40,000 candidates and more": [str(log) for log in logs],
        }
        for label, given in runs.items():
            command = [*TRTLENS, "report", *given, "-o", str(page)]
            tell(label, min(seconds(command) for _ in range(times)), baseline, page)
        subject = read_subject(lengthened(open_run(H200 / "resnet50-fp16"), BLOCKS))
        begin = time.perf_counter()
        page.write_text(render([subject]), "utf-8")
        layers, candidates = (subject.run[table].num_rows for table in ("layers", "candidates"))
        tell(f"{layers:,} layers, {candidates:,} candidates, drawn", time.perf_counter() - begin, baseline, page)


if __name__ == "__main__":
    measure(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
