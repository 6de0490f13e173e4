"""Tables on a terminal: whole columns, readable names, and no line wider than asked, for every view of real runs."""

from __future__ import annotations

import io
import sys

import pyarrow as pa
import pytest

from tests.golden.commands import say
from tests.golden.inputs import FILES, opened
from tests.golden.text_of_terminals import WIDTHS, check_fit
from trtlens import VIEWS
from trtlens.output import Fold, Layout, layout, plain_layout, print_table, table_lines
from trtlens.output.colours import PRECISION_COLOURS, on_any_ground
from trtlens.output.tables import text_columns
from trtlens.output.text import cell_width
from trtlens.tables.declarations import TABLES


def lines_of(rows: pa.Table, shown: Layout, width: int | None) -> list[str]:
    return [line.plain for line in table_lines(rows, shown, width)]


def test_no_line_is_wider_than_asked_and_no_name_cut_short() -> None:
    """Of every view: each line fits, figures are whole, and a name has 35 characters or is whole; goldens hold it for all runs."""
    for view in VIEWS.values():
        columns = text_columns(opened("small-build").view(view.name), view.layout)
        for width in WIDTHS:
            check_fit(columns, view.layout, width)


def test_layouts_name_columns_that_are_there() -> None:
    """Each view shows five columns or more by default, and all that its layout names are its own."""
    for view in VIEWS.values():
        known = set(opened("small-build").view(view.name).column_names)
        fold = view.layout.fold or Fold(())
        named = {
            *view.layout.shown,
            *view.layout.prose,
            *fold.by,
            *fold.sums,
            view.layout.stretches,
            view.layout.unit_column,
        }
        assert named - {None} <= known, view.name
        assert len(view.layout.shown) >= 4, view.name
        assert view.layout.stretches in {None, *view.layout.shown}


@pytest.mark.parametrize("name", [*TABLES])
def test_raw_tables_fit_too(name: str) -> None:
    """A table without a declared layout shows its first columns."""
    rows = opened("small-build")[name]
    assert max(map(cell_width, lines_of(rows, plain_layout(rows), 80)), default=0) <= 80


def test_names_keep_both_ends_and_the_least_important_column_goes_first() -> None:
    """Where the width lacks a column is left out, not squashed, and the name is cut in its middle."""
    long = "/encoder/" + "layer/" * 20 + "MatMul"
    rows = pa.table({"kernel": ["k" * 60], "name": [long], "time": [1.5], "type": ["CaskConvolution"]})
    shown = layout("name time type kernel", stretches="name")
    heads, _, row = lines_of(rows, shown, 60)
    assert heads.split() == ["name", "time", "type"]
    assert len(row) <= 60
    assert row.startswith("/encoder/layer/")
    assert "MatMul" in row
    assert "CaskConvolution" in row
    assert lines_of(rows, shown, None)[2].startswith("k" * 60)


def test_names_get_the_spare_width_first() -> None:
    """Then the other texts, by their importance."""
    rows = pa.table({"kernel": ["k" * 60], "name": ["n" * 60], "reason": ["r" * 60]})
    row = lines_of(rows, layout("kernel name reason", stretches="name"), 120)[2]
    assert [len(cell) for cell in row.split()] == [32, 60, 24]


def test_a_column_of_times_has_one_unit_and_three_digits() -> None:
    """Microseconds below 1 ms, for the whole column; sizes alike."""

    def column(name: str, unit: str, values: list[float | None]) -> list[str]:
        rows = pa.table([pa.array(values)], pa.schema([pa.field(name, pa.float64(), metadata={"unit": unit})]))
        return [line.strip() for line in lines_of(rows, plain_layout(rows), 80)]

    assert column("time_ms", "ms", [0.0216, 0.000864, 0.4589]) == ["time [µs]", "─" * 9, "21.6", "0.864", "459"]
    assert column("time_ms", "ms", [0.0216, 12.25, None, 0.0]) == ["time [ms]", "─" * 9, "0.0216", "12.2", "", "0"]
    assert column("time_ms", "ms", [-2.5, 0.5])[::2] == ["time [ms]", "-2.50"]
    assert column("size_bytes", "bytes", [512.0, 8192.0])[0] == "size [KiB]"
    assert column("percent", "%", [33.33])[::2] == ["share [%]", "33.3"]


def test_rows_that_are_alike_fold_into_one_line() -> None:
    """Rows of one type that follow one another are one line with their number and sum; --wide shows each."""
    rows = pa.table({"name": list("abcdef"), "type": [*"CCC", "x", *"CC"], "time": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]})
    every = layout("name type time", stretches="name", fold=Fold(("type",), 0, frozenset("C"), ("time",)))
    cells = [line.split() for line in lines_of(rows, every, 80)[2:]]
    assert cells == [["3", "x", "C", "6"], ["d", "x", "4"], ["2", "x", "C", "11"]]
    few = layout("name type time", stretches="name", fold=Fold(("type",), 1, sums=("time",)))
    assert [line.split()[0] for line in lines_of(rows, few, 80)[2:]] == ["a", "2", "d", "e", "f"]
    assert len(lines_of(rows, every, None)) == 8
    three = layout("name type time", stretches="name", fold=Fold(("type",), 0, least=3))
    assert [line.split()[0] for line in lines_of(rows, three, 80)[2:]] == ["3", "d", "e", "f"]


def test_sentences_are_wrapped_at_blanks() -> None:
    """A column of prose takes several lines; no word of it is split."""
    text = "the constant is copied at every inference through the model's Identity node " * 2
    rows = pa.table({"code": ["constants-copied"], "text": [text]})
    lines = lines_of(rows, layout("code text", prose="text"), 60)
    assert len(lines) > 4
    assert " ".join(word for line in lines[2:] for word in line.split()[line.startswith("c") :]) == text.strip()


def test_wide_characters_stand_in_line() -> None:
    """A name of wide characters takes two columns for each, and no line is longer for it."""
    rows = pa.table({"name": ["畳み込み層" * 12, "conv"], "type": ["a", "b"]})
    lines = lines_of(rows, layout("name type", stretches="name"), 60)
    assert max(map(cell_width, lines)) <= 60
    assert len({cell_width(line[: line.rindex(end)]) for line, end in zip(lines[2:], "ab", strict=True)}) == 1


def test_colours_have_the_hues_of_the_report_and_can_be_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal shows precisions in colour, unless NO_COLOR asks for none."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    rows = pa.table({"name": ["conv"], "precision": ["int8"]})
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    for refused in (None, "1"):
        monkeypatch.delenv("NO_COLOR", raising=False)
        if refused:
            monkeypatch.setenv("NO_COLOR", refused)
        shown = Terminal()
        monkeypatch.setattr(sys, "stdout", shown)
        print_table(rows)
        assert ("38;2;82;131;0" in shown.getvalue()) is (refused is None)


@pytest.mark.usefixtures("fixtures_read_once")
def test_rows_and_columns_that_are_asked_for() -> None:
    """--columns in the order given, --sort with the largest first and unknown last, --top by the view's time; for CSV too."""
    files = FILES["small-build"]
    said = say(
        "show", "table:candidates", *files, "--columns", "time_ms,tactic_name", "--sort", "time_ms", "--format", "csv"
    ).out
    heads, *lines = said.strip().split("\n")
    assert heads == "time_ms,tactic_name"
    times = [line.split(",")[0] for line in lines]
    known = [float(time) for time in times if time]
    assert known == sorted(known, reverse=True)
    assert times[: len(known)] == [time for time in times if time]
    top = say("show", "layers", *FILES["h200/resnet50-fp16-traced"], "--top", 1, "--columns", "name,time_ms").out
    assert top.split("\n")[-2].split() == ["/conv1/Conv", "+", "/relu/Relu", "21.6"]
    assert "choose from build, strategy" in say("show", "table:candidates", *files, "--columns", "nme").err
    assert "no column 'nme'" in say("show", "layers", *files, "--sort", "nme").err


@pytest.mark.usefixtures("fixtures_read_once")
def test_columns_that_are_left_out_are_named() -> None:
    """Whoever misses a column reads on stderr how to get it; nothing is said where all are shown."""
    files = FILES["small-build"]
    assert "--columns with some of" in say("show", "layers", *files).err
    assert say("show", "layers", *files, "--wide").err == ""


@pytest.mark.parametrize("colour", sorted({*PRECISION_COLOURS.values(), "#ffffff", "#000001"}))
def test_colours_are_read_on_dark_and_on_light_ground(colour: str) -> None:
    """Contrast by WCAG 2 with black and with white, at least 4.5 as for text."""
    parts = [int(on_any_ground(colour)[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    light = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    luminance = sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), light, strict=True))

    assert (luminance + 0.05) / 0.05 >= 4.5
    assert 1.05 / (luminance + 0.05) >= 4.5


def test_a_colour_keeps_its_hue() -> None:
    """FP16 stays orange and INT8 green: the strongest part stays the strongest."""
    assert on_any_ground("#ffa500") == "#a46800"
    for colour in set(PRECISION_COLOURS.values()) - {"#a0a0a0"}:
        before, after = (
            [int(one[place : place + 2], 16) for place in (1, 3, 5)] for one in (colour, on_any_ground(colour))
        )
        assert before.index(max(before)) == after.index(max(after))
