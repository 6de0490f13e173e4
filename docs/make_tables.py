"""Writes docs/tables.md from the declarations; a test checks that the file is up to date."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from trtlens.tables.declarations import TABLES
from trtlens.views import VIEWS

if TYPE_CHECKING:
    from trtlens.tables.schema import TableSpec

_HEAD = """# Tables

Every run has all of these Arrow tables, `run["layers"]` in Python and `trtlens show layers` on the command line. Columns never come and go; what is not
known is null, never 0 and never a guess. `label` is a text that repeats (dictionary-encoded), `texts` and `ints` are lists.
This page is made by `docs/make_tables.py`.
"""


def page() -> str:
    """The whole page."""
    views = "\n".join(f"| `{view.name}` | {view.question} |" for view in VIEWS.values())
    views = f"## Views\n\n`trtlens show VIEW`; each is computed from the tables below.\n\n| view | question |\n|---|---|\n{views}\n"
    return "\n".join([_HEAD, views, *(_section(spec) for spec in TABLES.values())])


def _section(spec: TableSpec) -> str:
    rows = "\n".join(f"| `{c.name}` | {c.type} | {c.unit or ''} | {c.doc} |" for c in spec.columns)
    return f"## {spec.name}\n\nOne row is {spec.doc}. Key: {', '.join(spec.key)}.\n\n| column | type | unit | meaning |\n|---|---|---|---|\n{rows}\n"


if __name__ == "__main__":
    (Path(__file__).parent / "tables.md").write_text(page(), "utf-8")
