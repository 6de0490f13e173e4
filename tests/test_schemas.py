"""JSON Schemas of what commands write: real output fits them, and what programs read of one version stays."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from tests.golden.commands import say
from tests.golden.inputs import FILES, opened
from trtlens.commands.schema import declared_rows
from trtlens.output import to_json
from trtlens.tables.declarations import TABLES
from trtlens.tables.json_schema import VERSION
from trtlens.views import VIEWS

RUNS = ("h200/resnet50-int8-compared", "traces/myelin-region", "h200-dumps/overflowing_rms_norm-reference")
REFERENCE, HELD = (FILES[f"h200-dumps/overflowing_rms_norm-{name}"][0] for name in ("reference", "held"))
RECORDED = Path(__file__).parent / "data" / f"json-columns-{VERSION}.txt"
_MOST_ROWS = 40


def validator(name: str) -> Draft202012Validator:
    """What holds rows against the schema that the command prints."""
    schema = json.loads(say("schema", name).out)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


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
def test_what_commands_write_fits_the_schema_of_that_name() -> None:
    """Rows that are no view's."""
    traced, int8 = FILES["h200/resnet50-fp16-traced"][0], FILES["h200/resnet50-int8-compared"][0]
    for name, words in {
        "parse": ("parse", traced), "parse of several runs": ("parse", traced, int8), "why --all": ("why", "--all", traced),
        "compare": ("compare", traced, int8), "compare --regions": ("compare", "--regions", traced, int8),
        "accuracy A B": ("accuracy", REFERENCE, HELD), "accuracy A B --pins": ("accuracy", REFERENCE, HELD, "--pins"),
        "show bound --on": ("show", "bound", "--on", "T4", traced),
    }.items():  # fmt: skip
        rows = json.loads(say(*words, "--format", "json").out)
        assert rows, name
        validator(name).validate(rows[:_MOST_ROWS])


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
    assert {"layers", "table:layers", "why --all"} <= set(say("schema").out.split("\n"))
