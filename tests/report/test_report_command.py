"""The commands `report`, `export` and `show --chart`, and a run in a notebook."""

from __future__ import annotations

import importlib.util
import json
import shutil
import struct
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from tests.conftest import FIXTURES, capture_files
from tests.golden.commands import say
from tests.golden.inputs import opened
from tests.report.hostile_run import hostile_run
from tests.report.large_runs import H200, captured
from trtlens.charts import CHARTS, MissingData, charts_of_run
from trtlens.charts.drawing.style import with_title
from trtlens.cli import app
from trtlens.errors import TrtlensError
from trtlens.report import images
from trtlens.report.trace_events import trace_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from trtlens.charts import Chart

pytestmark = pytest.mark.usefixtures("fixtures_read_once")

SMALL = FIXTURES / "small-build" / "verbose.log"
_KALEIDO = importlib.util.find_spec("kaleido") is not None
_BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
_FILES = ",".join(map(str, capture_files("fp16")))


def test_report_takes_files_of_one_run_joined_by_commas(tmp_path: Path) -> None:
    """A log with its JSON files is one run, and nothing but the page is left in the folder."""
    out = tmp_path / "report.html"
    result = CliRunner().invoke(app, ["report", _FILES, "-o", str(out)])
    assert result.exit_code == 0, result.output
    assert out.read_text("utf-8").startswith("<!DOCTYPE html>")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_a_place_that_cannot_be_written_is_a_plain_error(tmp_path: Path) -> None:
    """The message names the file and what to do."""
    result = CliRunner().invoke(
        app, ["export", str(H200 / "encoder-fp16"), "-o", str(tmp_path / "none" / "trace.json")]
    )
    assert isinstance(result.exception, TrtlensError)
    assert "cannot be written" in str(result.exception)


def test_runs_without_a_setting_that_differs_make_a_report(tmp_path: Path) -> None:
    """Two logs that state the same settings, or none, are compared all the same."""
    names = [str(shutil.copyfile(SMALL, tmp_path / name)) for name in ("one.log", "two.log")]
    out = tmp_path / "report.html"
    result = CliRunner().invoke(app, ["report", *names, "-o", str(out)])
    assert result.exit_code == 0, result.output
    assert "<h2" in out.read_text("utf-8")


@pytest.mark.parametrize(
    "command",
    [("report", SMALL), ("export", SMALL, "--to", "perfetto"), ("show", "tensorcores", H200 / "resnet50-fp16")],
    ids=["report", "trace", "chart"],
)
def test_nothing_but_its_own_files_is_replaced(command: tuple[object, ...], tmp_path: Path) -> None:
    """A file of the user's, a log above all, and a folder are left alone; an older document of trtlens makes way."""
    where = "--chart" if command[0] == "show" else "-o"
    out = tmp_path / "out"

    def call() -> tuple[int, str]:
        result = CliRunner().invoke(app, [*map(str, command), where, str(out)])
        return result.exit_code, str(result.exception)

    out.write_text("precious")
    code, told = call()
    assert code != 0
    assert "did not write" in told
    assert out.read_text() == "precious"
    out.unlink()
    assert call()[0] == 0
    first = out.read_bytes()
    assert call()[0] == 0
    assert out.read_bytes() == first
    out.unlink()
    out.mkdir()
    assert "is a folder" in call()[1]


@pytest.mark.skipif(not _KALEIDO or not _BROWSER, reason="images need kaleido (the extra images) and a Chromium")
def test_charts_become_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A chart of each kind of drawing is an image of its own, as high as its figure, in both formats."""
    drawn = {name: CHARTS[name] for name in ("candidates", "memory", "layer_types")}
    monkeypatch.setattr(images, "charts_of_run", lambda: tuple(drawn.values()))
    out, png, svg = tmp_path / "report.html", tmp_path / "png", tmp_path / "svg"
    assert say("report", SMALL, "-o", out, "--png", png, "--svg", svg).code == 0
    assert {path.name for path in png.iterdir()} == {f"1-verbose.log-{name}.png" for name in drawn}
    assert {path.name for path in svg.iterdir()} == {f"1-verbose.log-{name}.svg" for name in drawn}
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in png.iterdir())
    assert all(path.read_text("utf-8").startswith("<svg") for path in svg.iterdir())
    for name, chart in drawn.items():
        size = struct.unpack(">II", (png / f"1-verbose.log-{name}.png").read_bytes()[16:24])
        assert size == (2400, 2 * with_title(chart.draw(opened("small-build")), "title").layout.height), name


_PNG = b"\x89PNG\r\n\x1a\n" + bytes(25)


def test_every_chart_with_data_becomes_an_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An image replaces an older one of ours and no other file; a file in the folder's place is told before any work."""
    asked: list[str] = []

    def write(figures: Mapping[str, object], folder: Path, scales: Mapping[str, float], **_: object) -> list[Path]:
        asked.extend(figures)
        files = [folder / f"{name}.{form}" for form in scales for name in figures]
        for file in files:
            file.write_bytes(_PNG)
        return files

    monkeypatch.setattr(images, "write_figures", write)
    out, png = tmp_path / "report.html", tmp_path / "png"
    command = ("report", SMALL, "-o", out, "--png", png)
    assert say(*command).code == 0
    has_data = {chart.name for chart in charts_of_run() if _is_drawn(chart)}
    assert set(asked) == {f"1-verbose.log-{name}" for name in has_data} == {path.stem for path in png.iterdir()}
    assert say(*command).code == 0
    one, other = sorted(png.iterdir())[:2]
    other.write_bytes(b"mine")
    assert "did not write" in say(*command).err
    assert (other.read_bytes(), one.read_bytes()[:4]) == (b"mine", b"\x89PNG")
    (tmp_path / "file").touch()
    assert "is not a folder" in say("report", "no.log", "-o", out, "--svg", tmp_path / "file").err


def _is_drawn(chart: Chart) -> bool:
    try:
        chart.draw(opened("small-build"))
    except MissingData:
        return False
    return True


def test_show_writes_the_chart_of_a_view(tmp_path: Path) -> None:
    """`--chart` makes a page of its own without the button that uploads; a view without one names those that have."""
    out = tmp_path / "chart.html"
    result = CliRunner().invoke(app, ["show", "tensorcores", str(H200 / "resnet50-fp16"), "--chart", str(out)])
    assert result.exit_code == 0, result.output
    page = out.read_text("utf-8")
    assert '"text":"Tensor cores and CUDA cores, resnet50-fp16"' in page
    assert "tensor core" in page
    assert '"showSendToCloud": false' in page
    refused = CliRunner().invoke(app, ["show", "messages", str(H200 / "resnet50-fp16"), "--chart", str(out)])
    assert "there is no chart of messages" in str(refused.exception)


def test_the_trace_holds_layers_by_stream_and_candidates_within_their_layer() -> None:
    """Slices have the layers' times, do not overlap within their level, and candidates lie within their layer's slice."""
    run = captured("resnet50-fp16")
    events = json.loads(trace_json(run))["traceEvents"]
    layers = [event for event in events if event["ph"] == "X" and event["pid"] == 1]
    assert sum(event["dur"] for event in layers) == pytest.approx(
        1000 * sum(run.view("layers")["time_ms"].to_pylist()), rel=1e-3
    )
    assert min(event["dur"] for event in layers) > 0
    for one, other in pairwise(layers):
        assert other["ts"] >= one["ts"] + one["dur"] - 0.001
    tuner = [event for event in events if event["ph"] == "X" and event["pid"] == 2]
    end = 0.0
    for event in tuner:
        if "candidates" in event["args"]:
            end = event["ts"] + event["dur"]
        else:
            assert event["ts"] + event["dur"] <= end + 0.1
    assert {event["args"]["name"] for event in events if event["name"] == "process_name"} == {
        "layers: measured lengths, laid end to end", "tuner: candidates in the order of the log",
    }  # fmt: skip


def test_a_trace_of_nothing_is_refused() -> None:
    """A run without any time has no trace; the message says what would."""
    with pytest.raises(TrtlensError, match="verbose log"):
        trace_json(captured("refused"))


def test_hostile_names_make_a_readable_trace() -> None:
    """Control characters in names are escapes in the trace."""
    text = trace_json(hostile_run())
    assert "\\u001e" not in text
    assert len(json.loads(text)["traceEvents"]) > 10


def test_a_notebook_shows_a_view() -> None:
    """A view displays its question and rows with meanings on hover; hostile names stay text; its chart is a figure."""
    shown = captured("resnet50-fp16").show("slowest")
    html = shown._repr_html_()
    assert "Which layers take the most time?" in html
    assert html.count("<tr>") == 11
    assert 'title="median time of one execution, else the mean">time [µs]' in html
    assert len(shown.chart().data) >= 2
    hostile = hostile_run().show("layers")._repr_html_()
    assert "<script" not in hostile
    assert "<img" not in hostile
    with pytest.raises(TrtlensError, match="no chart of messages"):
        captured("resnet50-fp16").show("messages").chart()
    assert "no rows" in captured("refused").show("layers")._repr_html_()


def test_a_notebook_shows_the_run() -> None:
    """The fragment holds the latency and no script."""
    html = captured("resnet50-fp16")._repr_html_()
    assert "with 99 % confidence" in html
    assert "<script" not in html
    assert "<img" not in hostile_run()._repr_html_()
