"""JSON Schemas of what commands write: real output fits them, and what programs read of one version stays."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer import Typer
from typer.main import get_command

from tests.golden.commands import say
from tests.golden.inputs import FILES, opened
from tests.schemas import fits, validator
from trtlens.cli import app
from trtlens.commands.schema import declared_rows
from trtlens.output import to_json
from trtlens.tables.declarations import TABLES
from trtlens.tables.json_schema import VERSION
from trtlens.views import VIEWS

if TYPE_CHECKING:
    from collections.abc import Iterator

TESTS = Path(__file__).parent
RUNS = ("h200/resnet50-int8-compared", "traces/myelin-region", "h200-dumps/overflowing_rms_norm-reference")
REFERENCE, HELD = (FILES[f"h200-dumps/overflowing_rms_norm-{name}"][0] for name in ("reference", "held"))
TRACED, INT8 = FILES["h200/resnet50-fp16-traced"][0], FILES["h200/resnet50-int8-compared"][0]
RECORDED = TESTS / "data" / f"json-columns-{VERSION}.txt"
_MOST_ROWS = 40
PRINTED: dict[str, tuple[object, ...]] = {
    "parse": ("parse", TRACED), "parse of several runs": ("parse", TRACED, INT8), "parse --unread": ("parse", "--unread", TRACED),
    "why --all": ("why", "--all", TRACED), "why": ("why", "conv1", TRACED), "findings": ("findings", TRACED),
    "compare": ("compare", TRACED, INT8), "compare --regions": ("compare", "--regions", TRACED, INT8),
    "compare --list-quantities": ("compare", "--list-quantities"), "repeats": ("repeats", TRACED, INT8),
    "accuracy A B": ("accuracy", REFERENCE, HELD), "accuracy A B --pins": ("accuracy", REFERENCE, HELD, "--pins"),
    "overflow": ("overflow", REFERENCE), "show bound --on": ("show", "bound", "--on", "T4", TRACED), "views": ("views",),
    "kernel": ("kernel", "sm80_xmma_fprop_implicit_gemm_f16f16_f16f16_f16_nhwckrsc_nhwc_tilesize128x64x32", "my_plugin"),
    "doctor": ("doctor",), "fleet questions": ("fleet", "questions"),
}  # fmt: skip
"""By name of the schema a command that prints such rows."""
HELD_ELSEWHERE = re.compile(r"\bfits\(\s*f?\"([^\"]+)\"")


@pytest.mark.parametrize("run", RUNS)
def test_rows_of_every_view_and_table_fit_their_schema(run: str) -> None:
    """With every column that is declared, and no other; null where unknown."""
    for name in (*VIEWS, *(f"table:{name}" for name in TABLES)):
        if name == "why" and not opened(run)["layers"].num_rows:
            continue
        if name in VIEWS:
            rows = opened(run).view(name, **({"layer": "*0*"} if name == "why" else {}))
        else:
            rows = opened(run)[name.removeprefix("table:")]
        validator(name).validate(json.loads(to_json(rows.slice(0, _MOST_ROWS))))


@pytest.mark.usefixtures("fixtures_read_once")
def test_what_commands_print_fits_the_schema_of_that_name() -> None:
    """Rows that are no view's, and those of views that other commands print."""
    for name, words in PRINTED.items():
        fits(name, say(*words, "--format", "json").out)


def test_every_command_that_prints_json_has_a_schema() -> None:
    """A new one fails here until it has one: under its own words, with what tells kinds of its rows apart behind them."""
    known = [name.split() for name in declared_rows()]
    without = {
        command
        for command in commands_with_json(app)
        if not any(name[: len(command)] == list(command) for name in known)
    }
    assert not without


def test_every_schema_is_held_against_what_its_command_prints() -> None:
    """Here, or where a test calls `fits` with its name."""
    files = (path.read_text("utf-8") for path in TESTS.rglob("test_*.py"))
    held = {*PRINTED, *(name for text in files for name in HELD_ELSEWHERE.findall(text))}
    kinds = {re.sub("^fleet ask .*", "fleet ask {name}", name) for name in declared_rows()}
    assert kinds - {*VIEWS, *TABLES, *(f"table:{name}" for name in TABLES)} <= held


def commands_with_json(group: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Words of every command whose option --format takes json."""
    command = get_command(group) if isinstance(group, Typer) else group
    for name, inner in getattr(command, "commands", {}).items():
        yield from commands_with_json(inner, (*words, name))
    for parameter in command.params:
        if "--format" in parameter.opts and "json" in getattr(parameter.type, "choices", ()):
            yield words


def test_a_schema_tells_wrong_rows() -> None:
    """A text for a number, a column too few, and one too many."""
    held = validator("memory")
    [row, *_] = json.loads(to_json(opened(RUNS[0]).view("memory")))
    assert held.is_valid([row])
    assert not held.is_valid([row | {"build": "1"}])
    assert not held.is_valid([row | {"more": 1}])
    assert not held.is_valid([{name: value for name, value in row.items() if name != "build"}])


def test_what_programs_read_stays() -> None:
    """No column of this version goes or changes its type; where one must, the version goes up, with a file of its own."""
    now = {f"{name}\t{column.name}\t{column.type}" for name, spec in declared_rows().items() for column in spec.columns}
    lost = set(RECORDED.read_text("utf-8").splitlines()) - now
    assert not lost, f"raise VERSION in trtlens/tables/json_schema.py and write {RECORDED.name} of the new one"


def test_names_without_a_schema_are_told() -> None:
    """With the name that may be meant."""
    assert "did you mean layers" in say("schema", "layer").err
    assert {"layers", "table:layers", "why --all", "cache show"} <= set(say("schema").out.split("\n"))
