"""Draws the pictures of README and docs from the runs in `fixtures`; needs the extra ``test``, and Chromium with its driver.

Run: ``python docs/make_pictures.py``.
"""

from __future__ import annotations

import base64
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from selenium import webdriver

from trtlens import open_run
from trtlens.charts import charts_of_comparison, charts_of_run, charts_of_runs
from trtlens.charts.drawing.style import themed
from trtlens.comparison import compare_runs
from trtlens.report import read_subject, render
from trtlens.report.images import write_figures

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from trtlens.report.subject import Subject

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
RUNS = {"fp32": "resnet50-fp32", "fp16": "resnet50-fp16-compared", "int8": "resnet50-int8-compared"}
_DRAWN_FROM = {"roofline": "fp16", "accuracy": "int8", "accuracy_time": "int8", "latency": "fp16"}
_USUAL = "fp16"
_WIDTH = 960
_WINDOW = (1400, 940)
_PATIENCE_S = 5.0


def main() -> None:
    """Write the first screen of a report, and each chart."""
    subjects = {
        name: read_subject(open_run(ROOT / "fixtures" / "h200" / folder), f"resnet50-{name}")
        for name, folder in RUNS.items()
    }
    figures = {name: themed(drawn) for name, drawn in _figures(subjects).items()}
    write_figures(figures, IMAGES, {"webp": 1.5}, width=_WIDTH)
    _photograph(render(list(subjects.values())), IMAGES / "report.webp")


def _figures(subjects: dict[str, Subject]) -> dict[str, Figure]:
    figures = {}
    traced = read_subject(open_run(ROOT / "fixtures" / "h200" / "quantized-int8-traced"))
    others = {
        "kernel_timeline": traced,
        "plan": read_subject(open_run(ROOT / "fixtures" / "plans" / "tiny_encoder-rtx")),
    }
    for chart in charts_of_run():
        subject = others.get(chart.name) or subjects[_DRAWN_FROM.get(chart.name, _USUAL)]
        figures[chart.name] = chart.draw_from(subject.source(chart.reads))
    compared = compare_runs([one.run for one in subjects.values()], names=[one.name for one in subjects.values()])
    number = [*subjects].index(_USUAL)
    batches = {
        f"mobilenet-batch-{size}": open_run(ROOT / "fixtures" / "h200" / f"mobilenet-batch-{size}")
        for size in (1, 8, 32)
    }
    many = {one.name: one.run for one in subjects.values()} | batches
    figures |= {chart.name: chart.draw_from(many) for chart in charts_of_runs()}
    return figures | {chart.name: chart.draw_from(compared, number) for chart in charts_of_comparison()}


def _photograph(page: str, file: Path) -> None:
    options = webdriver.ChromeOptions()
    for flag in ("--headless=new", "--no-sandbox", "--hide-scrollbars"):
        options.add_argument(flag)
    browser = webdriver.Chrome(options=options)
    width, height = _WINDOW
    try:
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "report.html")
            path.write_text(page, "utf-8")
            browser.get(path.as_uri())
            time.sleep(_PATIENCE_S)
            taken = browser.execute_cdp_cmd("Page.captureScreenshot", {"format": "webp", "quality": 88})
            file.write_bytes(base64.b64decode(taken["data"]))
    finally:
        browser.quit()


if __name__ == "__main__":
    main()
