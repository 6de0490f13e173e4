"""Whether a log lists all layers of an engine: its list has an end, and as many rows as the builder counted layers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trtlens_parsers.records import Build

_KILLED = re.compile(
    r"(?:.{0,200}\s)?(?:Killed|Terminated|Aborted|Segmentation fault|Bus error|Illegal instruction)\b|.{0,200}\(core dumped\)"
    r"|terminate called |\^C|Traceback \("
)
"""What a shell, or a program that dies, prints behind whatever was written last."""


class LayerList(NamedTuple):
    """What a log says of the list of an engine's layers.

    Attributes:
        whole: whether every layer is in the list; None where the log has none.
        layers: layers of the engine, listed or not; None where the log leaves it open.
        note: why a list is not whole.
    """

    whole: bool | None
    layers: int | None
    note: str | None


class _Form(NamedTuple):
    """One form in which the log lists the layers: rows, those not understood too, the last line, whether detailed."""

    rows: int
    last_line: int | None
    detailed: bool


def read_layer_list(build: Build, stated: int | None) -> LayerList:
    """The list of one build; ``stated`` is what the builder counted before it generated the engine."""
    forms = list(_forms(build))
    if not forms:
        return LayerList(whole=None, layers=stated, note=None)
    notes = [(form, _missing(build, form, stated)) for form in forms]
    whole = next((form for form, note in notes if note is None), None)
    if whole is not None:
        return LayerList(whole=True, layers=max(form.rows for form, note in notes if note is None), note=None)
    _, note = max(notes, key=lambda pair: pair[0].rows)
    # Detailed rows are those of a region's parts, too, which the builder counts as one layer.
    counted = None if any(form.detailed for form in forms) else stated
    return LayerList(whole=False, layers=counted, note=note)


def _forms(build: Build) -> Iterator[_Form]:
    for detailed, rows in ((False, build.layers), (True, build.detailed_layers)):
        lost = [row.line for row in build.lost_rows if row.is_layer and row.detailed == detailed]
        lines = [row.line for row in rows]
        extended = [build.extended_line] if detailed and build.extended_line else []
        if rows:
            last = None if None in lines else max(line for line in (*lines, *lost, *extended) if line is not None)
            yield _Form(len(rows) + len(lost), last, detailed)
    if build.layer_names:
        yield _Form(len(build.layer_names), build.layer_names[-1][1], detailed=False)


def _missing(build: Build, form: _Form, stated: int | None) -> str | None:
    """Why the list is not whole; None where nothing speaks against it. A list from another file than the log is whole."""
    if form.last_line is None or (form.rows == stated and not form.detailed):
        return None
    if stated is not None and form.rows < stated and not (_omits_rows(build) and _has_end(build, form)):
        return f"the log lists {form.rows} of the {stated} layers that the builder counted"
    if not _has_end(build, form):
        return f"the log ends in the list of the engine's layers, behind {form.rows} rows"
    return None


def _has_end(build: Build, form: _Form) -> bool:
    """Whether a line stands behind the rows that only a program that goes on can have written."""
    if build.last_text is None or form.last_line is None:
        return False
    line, text = build.last_text
    return line > form.last_line and _KILLED.match(text) is None


def _omits_rows(build: Build) -> bool:
    """Whether this is 8.0, which lists no layer that does nothing; its memory lines name no scratch memory."""
    version = build.run.version
    return version.startswith("8.0") if version else any(row.scratch_bytes is None for row in build.memory)


def lacks_list(build: Build) -> bool:
    """Whether a verbose log ends behind engine generation, before the list that would follow; 5.x lists no layers."""
    is_verbose = bool(build.passes or build.blocks)
    is_oldest = any(choice.runner.isdecimal() for choice in build.choices)
    return is_verbose and not is_oldest and not build.used
