"""Which layers run on the DLA, and why not the others?"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trtlens.engine.node_names import NameReader
from trtlens.output import layout
from trtlens.runs.run import build_rows
from trtlens.tables.schema import declare
from trtlens.tuning.wording import counted
from trtlens.views import View

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from trtlens.runs.run import Run

COLUMNS = declare(
    "view dla", "one layer of a build that may use the DLA, as the builder places it", "build line",
    """
    build | int | | number of the build
    layer | text | | layer before tuning; a whole subgraph on the DLA
    type | text | | TensorRT's type of the layer; null where no line states it
    device | text | | DLA or GPU
    device_from | text | | list (the builder's list of layers by device) or message (a line that says that it falls back)
    subgraph | int | | number of the DLA subgraph, from 1; null on the GPU
    reason | text | | why it is not on the DLA, in TensorRT's words; null for layers on the DLA, and where no line says it
    splits | bool | | whether TensorRT says that it cuts a DLA subgraph in two
    reason_line | int | | line of the reason
    line | int | | line that states the device
    """,
)  # fmt: skip
_FALLBACK, _RULE, _SPLIT, _UNUSED = "dla-fallback", "dla-unsupported", "dla-split", "dla-unused"
_LIST = "list"
_ABOUT_DLA = frozenset({_FALLBACK, _RULE, _SPLIT, _UNUSED})


@dataclass(frozen=True, slots=True)
class _Reason:
    """Why a layer fell back to the GPU: TensorRT's words, their line, and the line that says that it falls back."""

    text: str
    line: int
    fallback_line: int


def table(run: Run) -> pa.Table:
    """Layers in the order of the builder's list, then those that fell back and are not in it; none for builds without a DLA."""
    builds = run["builds"]["build"].to_pylist()
    return COLUMNS.of_rows([row for build in builds for row in _rows(run, build)])


def _rows(run: Run, build: int) -> list[dict[str, Any]]:
    placed = build_rows(run, "placements", build).to_pylist()
    told = [row for row in build_rows(run, "messages", build).to_pylist() if row["code"] in _ABOUT_DLA]
    if not told and all(row["device"] != "DLA" for row in placed):
        return []
    reasons = _reasons(told)
    splits = {row["layer"] for row in told if row["code"] == _SPLIT}
    reader, listed, subgraph, rows = NameReader(reasons.keys(), ()), set(), 0, []
    for row in placed:
        subgraph += row["device"] == "DLA"
        names = [name for name in (row["layer"], *reader.read(row["layer"]).nodes) if name in reasons]
        names = list(dict.fromkeys(names)) if row["device"] == "GPU" else []
        listed.update(names)
        own = {"device_from": _LIST, "subgraph": subgraph if row["device"] == "DLA" else None}
        rows.append({**row, **_why(names, reasons, splits), **own})
    rows += [
        {"build": build, "layer": name, "device": "GPU", "device_from": "message", "line": reason.fallback_line, **_why([name], reasons, splits)}
        for name, reason in reasons.items() if name not in listed
    ]  # fmt: skip
    return [{column.name: row.get(column.name) for column in COLUMNS.columns} for row in rows]


def _why(names: Sequence[str], reasons: Mapping[str, _Reason], splits: set[str]) -> dict[str, Any]:
    found = [reasons[name] for name in names]
    texts = dict.fromkeys(reason.text for reason in found)
    return {
        "reason": "; ".join(texts) or None, "reason_line": found[0].line if found else None,
        "splits": any(name in splits for name in names),
    }  # fmt: skip


def _reasons(told: Sequence[dict[str, Any]]) -> dict[str, _Reason]:
    """By layer the rule that it breaks, where the line before it or a line that names it states one, else the fallback's words."""
    rules: dict[str, dict[str, Any]] = {}
    reasons: dict[str, _Reason] = {}
    above: dict[str, Any] | None = None
    for row in told:
        layer = row["layer"]
        if row["code"] == _RULE and layer is not None:
            rules[layer] = row
        elif row["code"] == _FALLBACK and layer is not None:
            is_rule = above is not None and above["code"] == _RULE and above["layer"] is None
            said = (
                above if is_rule and above is not None and above["line"] == row["line"] - 1 else rules.get(layer, row)
            )
            reasons.setdefault(layer, _Reason(said["text"].split("\n", 1)[0], said["line"], row["line"]))
        above = row
    return reasons


def _answer(rows: Sequence[dict[str, Any]]) -> str:
    """Subgraphs on the DLA, layers on the GPU, and the commonest reason."""
    subgraphs = sum(row["device"] == "DLA" for row in rows)
    on_gpu = [row for row in rows if row["device"] == "GPU"]
    listed = any(row["device_from"] == _LIST for row in rows)
    text = (
        counted(subgraphs, "subgraph on the DLA", "subgraphs on the DLA")
        if listed
        else "the log does not list the layers on the DLA"
    )
    text += f", {counted(len(on_gpu), 'layer', 'layers')} on the GPU"
    splits = sum(row["splits"] for row in rows)
    text += f"; {counted(splits, 'layer cuts', 'layers cut')} a subgraph in two" if splits else ""
    reasons = Counter(_general(row) for row in on_gpu if row["reason"])
    reason, count = next(iter(reasons.most_common(1)), ("", 0))
    return f"{text}; the commonest reason ({count} of {reasons.total()}): {reason}" if count > 1 else text


def _general(row: Mapping[str, Any]) -> str:
    """The reason without the layer's name, so that layers of one reason count together."""
    return re.sub(rf"(?<!\w){re.escape(row['layer'])}(?!\w)", "LAYER", row["reason"])


VIEW = View(
    table,
    question="Which layers run on the DLA, and why not the others?",
    answer=_answer,
    place=24,
    layout=layout("layer device subgraph type reason splits line", stretches="reason"),
    empty="no DLA in this build: no layer was placed on one, and no line says that a layer cannot run there (--useDLACore asks for it)",
)
