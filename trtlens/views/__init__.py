"""Views, one module a question: ``table(run) -> pyarrow.Table``, pure and sorted, and its declaration ``VIEW``.

Every module here is a view; views never import one another: what two of them share stands on a lower floor.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from trtlens.discovery import Declarations

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pyarrow as pa

    from trtlens.output import Layout
    from trtlens.tables.schema import TableSpec

_MOST_BUILDS = 4
"""Builds of which a view's answer is told."""
NO_LAYERS = "no engine layers: the log ends before they are listed, or was not written at verbose level; keep the whole log of trtexec --verbose (or trtlens profile), or add the file of --exportLayerInfo"
NO_REFORMATS = "no reformats: the engine has none, or the log lists no layers (they are printed at verbose level)"
"""What views of layers and of reformats say when they have no rows."""


@dataclass(frozen=True, slots=True)
class View:
    """What a view's module declares as ``VIEW``.

    Attributes:
        table: its function: takes a run, gives the rows.
        question: what it answers.
        place: place in the list of views, from 1.
        answer: the answer to the question in a sentence with its numbers, from the rows of one build.
        layout: which of its columns a terminal shows.
        heading: heading of its table in the report; ``lead`` is the line below it.
        empty: why the view can be empty and how to get the data.
        largest_first: column by which the report sorts at first, largest first.
    """

    table: Callable[..., pa.Table]
    question: str
    place: int
    answer: Callable[[Sequence[dict[str, Any]]], str]
    layout: Layout
    heading: str = ""
    lead: str = ""
    empty: str = ""
    largest_first: str | None = None

    @property
    def name(self) -> str:
        """Name of the view: its module's."""
        return self.table.__module__.rpartition(".")[2]

    @property
    def columns(self) -> TableSpec:
        """The declaration of its rows: its module's ``COLUMNS``, else that of the table whose rows it shows."""
        from trtlens.tables.declarations import TABLES  # noqa: PLC0415  few who ask for a view ask for this

        declared: TableSpec | None = getattr(import_module(self.table.__module__), "COLUMNS", None)
        return TABLES[self.name] if declared is None else declared

    def answers(self, rows: pa.Table) -> list[str]:
        """The answer to the question for each build of the rows, with its number where there are several; of many the first."""
        found: dict[int, list[dict[str, Any]]] = {}
        for row in rows.to_pylist():
            found.setdefault(row["build"], []).append(row)
        if len(found) <= 1:
            return [self.answer(own) for own in found.values()]
        told = [f"build {build}: {self.answer(own)}" for build, own in list(found.items())[:_MOST_BUILDS]]
        more = len(found) - _MOST_BUILDS
        return [*told, f"{more} more builds: --build N shows one"] if more > 0 else told


VIEWS: Mapping[str, View] = Declarations(__name__, __path__, "VIEW", View, lambda view: view.place)
"""Every view by name, in the order of their places."""
