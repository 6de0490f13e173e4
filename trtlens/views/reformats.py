"""Which layers only change data type or layout, between which layers, at what cost, and why?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trtlens.engine.engine_graph import builds_with_layers
from trtlens.engine.reformat_causes import ADVICE, Reformat, read_reformats
from trtlens.output import Fold, layout
from trtlens.quantities import duration
from trtlens.tables.schema import declare
from trtlens.tuning.wording import counted, tensor_text
from trtlens.views import NO_REFORMATS, View

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from trtlens.runs.run import Run
    from trtlens.tables.engine_layers import Tensor

COLUMNS = declare(
    "view reformats", "one engine layer that only changes data type or layout, or copies", "build index",
    """
    build | int | | number of the build
    index | int | | position in the engine
    name | text | | layer
    type | text | | layer or runner type; a NoOp launches nothing
    kind | text | | dtype, layout, both or copy; null where the log does not show the layout
    time_ms | float | ms | measured time of one execution; null where the run has none
    cost_ms | float | ms | measured time, else the tuner's time for this reformat; 0 where the engine launches nothing
    cost_source | text | | measured, tuner, no kernel (nothing is launched); null where no time is known
    cause | text | | why it exists: constant, network input, network output, plugin, concat, qdq, cast, ...
    detail | text | | evidence for the cause
    advice | text | | what can be done about it
    before | text | | type, layout and dimensions before
    after | text | | type, layout and dimensions after
    padded_channels | int | | channels after it, where it pads them to whole vectors
    producer | text | | layer that makes the tensor; null for a network input
    consumers | text | | layers that read the tensor; null for a network output
    origin | text | | the inspector's Origin: QDQ, CONCAT, REFORMAT, ...
    bytes | int | bytes | bytes read and written; null for dynamic dimensions
    lines | ints | | lines of the log that show the cause and the tuner's time
    line | int | | line of the log
    """,
)  # fmt: skip


def table(run: Run) -> pa.Table:
    """Reformats in execution order with the tensors on both sides, the layers that make and read them, and their cause."""
    found = [(build, reformat) for build in builds_with_layers(run) for reformat in read_reformats(run, build)]
    rows = [_row(build, reformat) for build, reformat in found]
    return COLUMNS.of_rows(rows)


def _row(build: int, reformat: Reformat) -> dict[str, object]:
    node = reformat.node
    source = node.inputs[0] if node.inputs else None
    target = node.outputs[0] if node.outputs else None
    sizes = [tensor.bytes for tensor in (*node.inputs, *node.outputs)]
    lines = [*reformat.lines, *([reformat.cost_line] if reformat.cost_line is not None else [])]
    return {
        "build": build, "index": node.index, "name": node.name, "type": node.type, "kind": node.row["reformat_kind"], "time_ms": node.time_ms,
        "cost_ms": reformat.cost_ms, "cost_source": reformat.cost_source, "cause": reformat.cause,
        "detail": reformat.detail, "advice": ADVICE[reformat.cause], "before": _text(source), "after": _text(target),
        "padded_channels": _padded(source, target),
        "producer": reformat.producer.name if reformat.producer is not None else None,
        "consumers": ", ".join(n.name for n in reformat.consumers) or None, "origin": node.row["origin"],
        "bytes": sum(size for size in sizes if size is not None) if sizes and None not in sizes else None,
        "lines": list(dict.fromkeys(lines)), "line": node.row["line"],
    }  # fmt: skip


def _text(tensor: Tensor | None) -> str | None:
    return None if tensor is None else tensor_text(tensor.dtype, tensor.layout, tensor.vector_width, tensor.dims)


def _padded(source: Tensor | None, target: Tensor | None) -> int | None:
    """Channels after a reformat that pads its vectors with zeros; the channel is the third axis from the end."""
    if source is None or target is None or target.dims is None or target.vector_width is None or len(target.dims) < 3:
        return None
    channels, width = target.dims[1 if len(target.dims) > 3 else 0], target.vector_width
    if channels is None or width < 2 or channels % width == 0 or source.vector_width == width:
        return None
    return -(-channels // width) * width


def _answer(rows: Sequence[dict[str, Any]]) -> str:
    """How many there are, what they cost, and the cause of the most cost."""
    causes: dict[str, float] = {}
    for row in rows:
        causes[row["cause"]] = causes.get(row["cause"], 0.0) + (row["cost_ms"] or 0.0)
    known = [row["cost_ms"] for row in rows if row["cost_ms"] is not None]
    text = counted(len(rows), "reformat", "reformats")
    if known and not sum(known):
        return f"{text}, which cost nothing: no kernel is launched for them"
    if not known:
        return f"{text}; what they cost is not known: no layer was timed"
    cause, cost = max(causes.items(), key=lambda item: item[1])
    of = sum(row["cause"] == cause for row in rows)
    untimed = f" without {len(rows) - len(known)} that have no time" if len(known) < len(rows) else ""
    return f"{text} cost {duration(sum(known))}{untimed}, the most of it {of} of the cause {cause!r} ({duration(cost)})"


VIEW = View(
    table,
    question="Which layers only change data type or layout, between which layers, at what cost, and why?",
    answer=_answer,
    place=9,
    layout=layout(
        "name cost_ms kind cause before after index",
        stretches="name",
        fold=Fold(("kind", "cause"), 3, sums=("cost_ms",)),
    ),
    heading="All reformats",
    empty=NO_REFORMATS,
    largest_first="cost_ms",
)
