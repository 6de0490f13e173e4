"""One sentence of an explanation with what it stands on, and the sentences' table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trtlens.tables.schema import declare

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from trtlens.tuning.queries import Candidate

COLUMNS = declare(
    "view why", "one sentence about one engine layer, with the rows of the log that it stands on", "build layer_index rank",
    """
    build | int | | number of the build
    layer_index | int | | index of the engine layer; null for a layer that the tuner knows and the engine does not
    layer | text | | the layer's name
    rank | int | | position of the sentence, from 0
    section | text | | runs, tried, candidate, fastest, reformats, precision, skipped, note
    verdict | text | | code of what was found, such as slower or not enabled, see docs/why.md
    text | text | | the sentence
    time_ms | float | ms | the time that it is about
    tactic_id | uint | | the tactic that it is about
    kernel | text | | its kernel
    runner | text | | its runner
    precision | text | | the precision that it is about
    unit | text | | tensor core or cuda core
    input_formats | text | | inputs of the combination that it is about, as the tuner prints them
    output_formats | text | | its outputs
    lines | ints | | lines of the log that the sentence stands on; empty where it stands on a table of another file
    """,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence; ``candidate`` is the row of the tuner's record that it is about, ``lines`` are all its lines."""

    section: str
    text: str
    lines: tuple[int, ...]
    verdict: str | None = None
    candidate: Candidate | None = None
    time_ms: float | None = None
    precision: str | None = None


def say(
    section: str,
    text: str,
    *lines: int | None,
    verdict: str | None = None,
    candidate: Candidate | None = None,
    time_ms: float | None = None,
    precision: str | None = None,
) -> Statement:
    """A statement; the candidate's own line comes first, lines that are not known are left out."""
    own = () if candidate is None else (candidate.line,)
    known = tuple(dict.fromkeys(line for line in (*own, *lines) if line is not None))
    if candidate is not None:
        time_ms = candidate.time_ms if time_ms is None else time_ms
        precision = candidate.precision if precision is None else precision
    return Statement(section, text, known, verdict, candidate, time_ms, precision)


def statements_table(layers: Sequence[tuple[int, int | None, str, Sequence[Statement]]]) -> pa.Table:
    """The table of the statements of several layers: (build, layer index, layer name, statements)."""
    rows = [
        (build, index, name, rank, statement)
        for build, index, name, statements in layers
        for rank, statement in enumerate(statements)
    ]
    found = [row[4] for row in rows]
    tried = [statement.candidate for statement in found]
    return COLUMNS.table({
        "build": [r[0] for r in rows], "layer_index": [r[1] for r in rows], "layer": [r[2] for r in rows],
        "rank": [r[3] for r in rows], "section": [s.section for s in found], "verdict": [s.verdict for s in found],
        "text": [s.text for s in found], "time_ms": [s.time_ms for s in found],
        "tactic_id": [c.tactic_id if c else None for c in tried], "kernel": [c.kernel if c else None for c in tried],
        "runner": [c.runner if c else None for c in tried], "precision": [s.precision for s in found],
        "unit": [c.unit if c else None for c in tried],
        "input_formats": [c.input_formats if c else None for c in tried],
        "output_formats": [c.output_formats if c else None for c in tried],
        "lines": [list(s.lines) for s in found],
    })  # fmt: skip
