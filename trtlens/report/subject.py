"""One run as the report shows it: one of its builds, and the run's views."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

    from trtlens.runs.run import Run


@dataclass(frozen=True, slots=True)
class Subject:
    """A run reduced to one build; ``builds`` are the numbers of all its builds."""

    name: str
    run: Run
    build: int | None
    builds: tuple[int, ...]

    def view(self, name: str) -> pa.Table:
        """The table of a view."""
        return self.run.view(name)

    def source(self, reads: str) -> Any:
        """What a chart reads: a view's table, or the run."""
        return self.run if reads == "run" else self.view(reads)

    @property
    def facts(self) -> dict[str, Any]:
        """The row of its build; empty where the run has none."""
        rows: list[dict[str, Any]] = self.run["builds"].to_pylist()
        return rows[0] if rows else {}


def read_subject(run: Run, name: str | None = None, build: int | None = None) -> Subject:
    """The build that was asked for; else the last with engine layers, the last that built, the last of all.

    Raises:
        TrtlensError: the run has no build of that number.

    """
    rows = run["builds"].to_pylist()
    numbers = tuple(row["build"] for row in rows)
    if build is None and rows:
        laid = set(run["layers"]["build"].to_pylist())
        built = [row["build"] for row in rows if row["is_build"]]
        build = next((number for number in reversed(numbers) if number in laid), (built or numbers)[-1])
    return Subject(name or run.name, run if build is None else run.build(build), build, numbers)
