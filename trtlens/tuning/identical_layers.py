"""Engine layers without a record of their own that are like one that has: the timing cache answered for them.

Within one build TensorRT times equal layers once. The log does not say whose times it took for the others; a layer with
the same type, tactic, parameters and tensors (types, layouts, sizes) is the same work in every respect that it shows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trtlens.tuning.operands import NO_OPERANDS, operands_of_layers
from trtlens.tuning.selection import LARGEST_COUNTED_ID

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    import pyarrow as pa

    from trtlens.tuning.operands import Operands
    from trtlens.tuning.selection import Choice


def find_twins(choices: Sequence[Choice], tables: Mapping[str, pa.Table]) -> dict[tuple[int, int], int]:
    """For layers without a chosen candidate: index of the first layer of the same build that is like it and has one."""
    operands = operands_of_layers(tables["layer_tensors"])
    columns = ("build", "index", "type", "tactic_id", "parameters", "is_reformat")
    rows = {(row["build"], row["index"]): row for row in tables["layers"].select(columns).to_pylist()}
    settled: dict[Hashable, int] = {}
    for choice in choices:
        key = (choice.build, choice.index)
        signature = _signature(rows[key], operands.get(key, NO_OPERANDS))
        if choice.candidate is not None and choice.match.by == "name" and signature is not None:
            settled.setdefault(signature, choice.index)
    twins: dict[tuple[int, int], int] = {}
    for choice in choices:
        key = (choice.build, choice.index)
        if choice.candidate is None and choice.match.by in {None, "name"}:
            twin = settled.get(_signature(rows[key], operands.get(key, NO_OPERANDS)))
            if twin is not None:
                twins[key] = twin
    return twins


def _signature(row: dict[str, Any], operands: Operands) -> Hashable | None:
    """All that is shown of a layer's work; None where too little is shown to call two layers alike."""
    tensors = (*operands.inputs, *operands.outputs)
    if row["tactic_id"] is None or not tensors:
        return None
    if row["tactic_id"] <= LARGEST_COUNTED_ID and row["parameters"] is None and not row["is_reformat"]:
        return None  # a counted id does not even name the kernel
    if any(tensor.dims is None or tensor.dtype is None for tensor in tensors):
        return None
    shapes = tuple(
        tuple((t.dtype, t.dims, t.vector_width, t.layout) for t in side) for side in (operands.inputs, operands.outputs)
    )
    return row["build"], row["type"], row["tactic_id"], row["parameters"], shapes
