"""Holds what a command printed against the JSON Schema that the program prints of it."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from tests.golden.commands import say

_MOST_ROWS = 40


@cache
def validator(name: str) -> Draft202012Validator:
    """What holds rows against the schema that the command prints."""
    schema = json.loads(say("schema", *name.split()).out)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def fits(name: str, text: str) -> list[dict[str, Any]]:
    """The rows of a JSON text, of which there are some, and which fit the schema of that name."""
    rows: list[dict[str, Any]] = json.loads(text)
    assert rows, name
    validator(name).validate(rows[:_MOST_ROWS])
    return rows
