"""Which tensors, weights and sums exceed the range of FP16, and which power of two scales them into it?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trtlens.accuracy.overflow import find_overflow, make_model
from trtlens.accuracy.remedies import FITS, NEAR
from trtlens.output import layout
from trtlens.quantities import number
from trtlens.runs.captured_tables import dumped_tensors, onnx_nodes
from trtlens.tables.schema import declare
from trtlens.tuning.wording import counted
from trtlens.views import View

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from trtlens.runs.run import Run

COLUMNS = declare(
    "view overflow", "one tensor, weight or sum with its range against that of FP16, in execution order, weights last", "build index",
    """
    build | int | | number of the build
    index | int | | position in the list
    state | text | | overflow (beyond 65504), flushed (over 1 % under 5.96e-8), subnormal (over 10 % under 6.1e-5), mask (it stands for infinity), near (beyond a quarter of the range), fits
    kind | text | | tensor, weight, hidden (computed inside of an operator), sum (before a mean is divided)
    tensor | text | | tensor
    node | text | | ONNX node that makes it; of a weight the first that reads it
    op | text | | operator of the node
    largest | float | | largest magnitude
    smallest | float | | smallest magnitude that is not zero
    beyond_fp16 | int | | values beyond 65504
    subnormal_share | float | | share of the values that are not zero from 5.96e-8 to 6.1e-5
    flushed_share | float | | share of the values that are not zero under 5.96e-8
    harmful | bool | | whether FP16 would change the result: overflow, or small values that no larger ones outweigh or that are divisors
    scale | int | | power of two that brings it into range
    advice | text | | what to do about it
    remark | text | | why the operator is known to be sensitive
    """,
)  # fmt: skip


def table(run: Run, *, everything: bool = False) -> pa.Table:
    """Ranges of the FP32 run that FP16 cannot represent; ``everything`` adds those that fit."""
    rows = [row for build in _builds(run) for row in _rows(run.build(build), build, everything=everything)]
    return COLUMNS.of_rows(rows)


def _builds(run: Run) -> list[int]:
    return [int(row["build"]) for row in run["dumps"].select(["build"]).group_by("build").aggregate([]).to_pylist()]


def _rows(run: Run, build: int, *, everything: bool) -> list[dict[str, Any]]:
    tensors = dumped_tensors(run["dumps"])
    findings = find_overflow(tensors, make_model(tensors, onnx_nodes(run["nodes"])))
    shown = [found for found in findings if everything or found.state not in (FITS, NEAR)]
    return [
        {
            "build": build, "index": index, "state": found.state, "kind": found.kind, "tensor": found.tensor,
            "node": found.node, "op": found.op, "largest": found.largest, "smallest": found.smallest,
            "beyond_fp16": found.beyond, "subnormal_share": found.subnormal_share, "flushed_share": found.flushed_share,
            "harmful": found.harmful,
            "scale": found.scale, "advice": found.advice, "remark": found.remark,
        }
        for index, found in enumerate(shown)
    ]  # fmt: skip


def _answer(rows: Sequence[dict[str, Any]]) -> str:
    """How many ranges harm in FP16, and the first of them with what helps."""
    harmful = [row for row in rows if row["harmful"]]
    if not harmful:
        return f"Nothing overflows FP16, and none of {counted(len(rows), 'range', 'ranges')} with small values or masks harms a result"
    first = harmful[0]
    largest = f", largest {number(first['largest'])}" if first["largest"] is not None else ""
    advice = f": {first['advice']}" if first["advice"] else ""
    return f"{counted(len(harmful), 'range', 'ranges')} would harm a result in FP16, first {first['tensor']} ({first['state']}{largest}){advice}"


VIEW = View(
    table,
    question="Which tensors, weights and sums exceed the range of FP16, and which power of two scales them into it?",
    answer=_answer,
    place=17,
    layout=layout(
        "tensor state kind largest smallest scale beyond_fp16 op flushed_share subnormal_share", stretches="tensor"
    ),
    heading="Values outside the range of FP16",
    empty="no value ranges: trtlens dump of the FP32 model records them",
)
