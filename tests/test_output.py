"""How results are written: fitting tables, exact data formats, and names that cannot act on a terminal."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import trtlens
from tests.conftest import capture_files, docs_program
from tests.golden.commands import say
from trtlens import TABLES, VIEWS, open_run
from trtlens.cli import app
from trtlens.commands.help import GROUPS
from trtlens.output import PRECISION_COLOURS, cell_text, shorten, to_csv, to_json, visible
from trtlens.output.text import cell_width

pytestmark = pytest.mark.usefixtures("fixtures_read_once")

ROOT = Path(__file__).parents[1]
SMALL = ROOT / "fixtures" / "small-build" / "verbose.log"
HOSTILE = "a\x1b]0;owned\x07\u202eb\x9bc\x00<script>d\u2028"


@given(st.text(max_size=80), st.integers(3, 60))
def test_shortened_text_fits_and_keeps_both_ends(text: str, width: int) -> None:
    """A long name loses its middle, never its ends, and a short one nothing."""
    short = shorten(text, width)
    assert cell_width(short) <= width
    if cell_width(text) > width:
        head, _, tail = short.partition("…")
        assert text.startswith(head.split("…")[0])
        assert text.endswith(tail)
    else:
        assert short == text


@given(st.text())
def test_visible_text_holds_no_control(text: str) -> None:
    """Nothing that a terminal acts on is left, and plain text is untouched."""
    shown = visible(text)
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in shown)
    assert shown == text or any(not c.isprintable() for c in text)


def test_json_is_exact_and_inert() -> None:
    """JSON gives back the very name, written without raw controls or direction marks; ids are text."""
    table = pa.table(
        {"name": [HOSTILE], "tactic_id": pa.array([2**64 - 1], pa.uint64()), "time_ms": [None], "nodes": [["x", "y"]]}
    )
    text = to_json(table)
    assert json.loads(text) == [
        {"name": HOSTILE, "tactic_id": "0xffffffffffffffff", "time_ms": None, "nodes": ["x", "y"]}
    ]
    assert not set(text) & set("\x1b\x07\x9b\u202e\u2028\x00")


def test_csv_has_a_header_and_every_row() -> None:
    """CSV is read back by the standard library; unknown is empty."""
    table = pa.table({"name": ['a, "b"', HOSTILE], "time_ms": [1.5, None]})
    rows = list(csv.reader(io.StringIO(to_csv(table))))
    assert rows[0] == ["name", "time_ms"]
    assert rows[1] == ['a, "b"', "1.5"]
    assert rows[2][1] == ""
    assert "\x1b" not in rows[2][0]


def test_nothing_in_a_list_acts_on_a_terminal() -> None:
    """Names in lists are as harmless as names that stand alone, in every format that a terminal shows; JSON keeps them."""
    names = [HOSTILE, "a\u061cb", "c\ufffad"]
    table = pa.table({"nodes": [names]})
    (_, (cell,)) = csv.reader(io.StringIO(to_csv(table)))
    assert json.loads(cell) == names
    for text in (to_csv(table), to_json(table), cell_text("nodes", names)):
        assert not set(text) & set("\x1b\x07\x9b\u202e\u2028\x00\u061c\ufffa")


@pytest.mark.parametrize("name", ["=cmd|' /C calc'!A0", "+1", "-1+2", "@SUM(1)", "\uff1d1"])
def test_csv_holds_no_formula(name: str) -> None:
    """A spreadsheet shows a name as a name; numbers stay numbers, and JSON has the very name."""
    table = pa.table({"name": [name], "diff_ms": [-1.5], "lists": [["=1"]]})
    rows = list(csv.reader(io.StringIO(to_csv(table))))
    assert rows[1] == ["'" + name, "-1.5", '["=1"]']
    assert json.loads(to_json(table))[0]["name"] == name


def test_an_infinite_sum_is_unknown() -> None:
    """JSON knows no infinity and no NaN: both are null, and empty in CSV."""
    table = pa.table({"factor": [float("inf"), float("nan"), 2.0]})
    assert [row["factor"] for row in json.loads(to_json(table))] == [None, None, 2.0]
    assert to_csv(table) == 'factor\n""\n""\n2.0\n'


@given(st.characters(categories=("Cc", "Cs", "Zl", "Zp")) | st.sampled_from("\u061c\u200e\u200f\u202e\u2066\u206f"))
def test_an_escape_says_which_character_it_was(character: str) -> None:
    """Two digits for the first 256, four for the rest, so that no escape can be read in two ways."""
    code = ord(character)
    assert visible(f"a{character}0") == (f"a\\x{code:02x}0" if code < 256 else f"a\\u{code:04x}0")


@pytest.mark.parametrize("view", [*VIEWS, "candidates", "layer_tensors"])
def test_every_format_has_the_same_rows(view: str) -> None:
    """JSON, CSV and Parquet of a view hold the rows that the Python API gives."""
    run = open_run(SMALL)
    table = run.view(view) if view in VIEWS else run[view]
    written = {
        form: CliRunner().invoke(app, ["show", view, str(SMALL), "--format", form]).stdout_bytes
        for form in ("json", "csv", "parquet")
    }
    assert len(json.loads(written["json"])) == table.num_rows
    assert len(list(csv.reader(io.StringIO(written["csv"].decode())))) == table.num_rows + 1
    parquet = pq.read_table(io.BytesIO(written["parquet"]))
    assert parquet.column_names == table.column_names
    assert parquet.num_rows == table.num_rows


def test_a_pipe_gets_lines_of_120_and_no_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    """Output that is not a terminal has the layout of one with 120 columns, or ``COLUMNS``; ``--wide`` has whole names."""
    text = say("show", "layers", SMALL).out
    assert 60 < max(map(len, text.split("\n"))) <= 120
    assert "\x1b" not in text
    wide = say("show", "layers", SMALL, "--wide").out
    assert "Reformatting CopyNode for Input Tensor 0 to conv1 + relu, really" in wide
    monkeypatch.setenv("COLUMNS", "60")
    assert max(map(len, say("show", "layers", SMALL).out.split("\n"))) <= 60


def test_every_precision_has_a_colour() -> None:
    """No precision that a layer can have is left without a colour."""
    doc = next(column.doc for column in TABLES["layers"].columns if column.name == "precision")
    assert {name.strip() for name in doc.split(":")[1].split(",")} == set(PRECISION_COLOURS)


def test_tables_page_is_up_to_date() -> None:
    """docs/tables.md says what the declarations say."""
    module = docs_program("make_tables")
    assert (ROOT / "docs" / "tables.md").read_text("utf-8") == module.page(), "run python docs/make_tables.py"


def test_views_stand_in_an_order_of_their_own() -> None:
    """No two views claim the same place, so their order is no accident."""
    places = [view.place for view in VIEWS.values()]
    assert len(set(places)) == len(places)


LOG = capture_files("int8")[0]
_LAYER = "/layer4/layer4.1/conv2/Conv + /layer4/layer4.1/relu_1/Relu"


@pytest.mark.parametrize(
    ("arguments", "heavy"),
    [
        (
            ["--help"],
            {
                "pandas",
                "pyarrow",
                "plotly",
                "numpy",
                "rich",
                "tensorrt",
                "onnx",
                "pydantic",
                "duckdb",
                "dask",
                "fsspec",
            },
        ),
        (["parse", LOG], {"pandas", "plotly", "tensorrt", "onnx", "pydantic"}),
        (["why", _LAYER, LOG], {"pandas", "plotly", "tensorrt", "onnx", "pydantic"}),
    ],
)
def test_a_command_loads_no_heavy_library(arguments: list[str | Path], heavy: set[str]) -> None:
    """An answer must not wait for what it does not need: importing pandas takes longer than reading 10 MB."""
    code = (
        "import sys, runpy\n"
        "try: runpy.run_module('trtlens', run_name='__main__')\n"
        "except SystemExit as end: assert not end.code, end\n"
        f"loaded = {heavy!r} & set(sys.modules); assert not loaded, loaded"
    )
    done = subprocess.run([sys.executable, "-c", code, *map(str, arguments)], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_importing_the_package_loads_nothing_else() -> None:
    """A program that only names trtlens does not wait for the libraries; each public name is there when it is asked for."""
    code = (
        "import sys; before = set(sys.modules); import trtlens\n"
        "loaded = {name.partition('.')[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names)\n"
        "assert loaded == {'trtlens'}, loaded"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert all(hasattr(trtlens, name) for name in trtlens.__all__)


def test_parsers_import_text_modules_only() -> None:
    """Reading text into records needs neither files nor tables nor numbers' libraries."""
    code = "import sys, pkgutil, importlib, trtlens_parsers as p\nfor m in pkgutil.walk_packages(p.__path__, 'trtlens_parsers.'): importlib.import_module(m.name)\n"
    code += "print({'pandas', 'pyarrow', 'numpy', 'trtlens', 'plotly'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        check=True,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT / "parsers")},
    )
    assert done.stdout.decode().strip() == "set()"


def test_every_command_is_in_the_readme_or_docs() -> None:
    """A command that no page mentions does not exist for its users."""
    commands = [name for names in GROUPS.values() for name in names]
    pages = "".join(path.read_text("utf-8") for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
    assert [command for command in commands if f"trtlens {command}" not in pages] == []


def test_every_view_says_why_it_is_empty() -> None:
    """A view without rows says what it needs, on stderr, and a build that failed says so instead."""
    assert [name for name, view in VIEWS.items() if not view.empty] == []
    bare = CliRunner().invoke(app, ["show", "latency", str(SMALL)])
    assert "has no rows for latency: no inference was timed in this run: trtlens profile times them" in bare.stderr
    failed = CliRunner().invoke(app, ["show", "layers", str(ROOT / "fixtures" / "h200" / "refused")])
    assert "has no rows for layers: the build failed: node 0, /Erf (Eigenvalues), has no importer" in failed.stderr
