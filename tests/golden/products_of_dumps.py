"""What trtlens says of dumps beside a reference: errors by tensor, NVIDIA's classic table, layers to pin, what FP16 would not hold."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

from tests.conftest import FIXTURES
from tests.golden.commands import say
from tests.golden.text_of_tables import Columns, columns_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def of_dumps(names: tuple[str, ...]) -> Iterator[tuple[str, Callable[[], str]]]:
    """How each product of dumps beside a reference, which is the first, is made, by file."""
    places = [FIXTURES / name for name in names]
    yield "accuracy.txt", lambda: say("accuracy", *places).text
    yield "classic.txt", lambda: "\n".join(say("accuracy", *places, "--classic", one).text for one in (0, 1, 2))
    yield "accuracy.csv", partial(_rows, "accuracy", *places)
    yield "pins.csv", partial(_rows, "accuracy", *places, "--pins")
    if (places[0] / "run.json").is_file():
        yield "overflow.txt", lambda: say("overflow", places[0]).text
        yield "overflow.csv", partial(_rows, "overflow", places[0], "--all")


def _rows(*words: object) -> str:
    """What a command answers as JSON, as CSV with six digits."""
    said = say(*words, "--format", "json")
    rows = json.loads(said.out.replace(f"{FIXTURES}/", "")) if said.out else []
    if not rows:
        return said.text
    return columns_text(Columns(list(rows[0]), [[row[name] for row in rows] for name in rows[0]]))
