"""Shape and type of every tensor of a model as its parser read it, dynamic extents with those that the run was timed with.

Where the log prints -1, the extent follows from the operator and its inputs, or it stays unknown: attributes (kernel sizes,
axes, repeats) are not in the log, so that nothing is concluded that would need them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from trtlens.runs.run import build_rows
from trtlens_parsers.data_types import api_dtype

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trtlens.runs.run import Run

Dims = tuple[int | None, ...]
_SHAPE = re.compile(r"\((?P<dims>(?:-?\d{1,18}(?:, ?-?\d{1,18}){0,31})?)\)\[(?P<dtype>\w{1,16})\]")
_TIMED_SHAPE = re.compile(r"\d{1,18}(?:x\d{1,18}){0,31}")
_SAME_COUNT = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose"})
_BY_CHOICE = frozenset({
    "Slice", "Gather", "GatherND", "GatherElements", "Tile", "Expand", "NonZero", "TopK", "Range", "ConstantOfShape",
    "NonMaxSuppression", "Compress", "Unique", "Shape", "Size", "Split", "Pad", "OneHot", "If", "Loop", "Scan",
    "SpaceToDepth", "DepthToSpace", "ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceL2", "ReduceProd",
    "ArgMax", "ArgMin",
})  # fmt: skip
"""Operators whose output is as large as an attribute or a value says."""
_ALONG_BATCH = frozenset({
    "Conv", "ConvTranspose", "QLinearConv", "ConvInteger", "DeformConv", "MaxPool", "AveragePool", "LpPool", "Resize",
    "Upsample", "GlobalAveragePool", "GlobalMaxPool", "RoiAlign", "GridSample", "InstanceNormalization", "BatchNormalization",
})  # fmt: skip
"""Operators that keep the first axis; what they do to the others depends on attributes."""


@dataclass(frozen=True, slots=True)
class Node:
    """One node with the shapes of its operands; None for one whose rank is not known, or that is not set."""

    name: str
    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    input_dims: tuple[Dims | None, ...]
    output_dims: tuple[Dims | None, ...]


@dataclass(frozen=True, slots=True)
class Model:
    """The nodes of one build in the parser's order, and the shape and type of each of their tensors by name."""

    nodes: Mapping[str, Node]
    dims: Mapping[str, Dims]
    dtypes: Mapping[str, str]


def read_model(run: Run, build: int) -> Model:
    """The model of a build; without nodes where the log does not list them with their shapes."""
    rows = sorted(build_rows(run, "nodes", build).to_pylist(), key=lambda row: row["index"])
    rows = [row for row in rows if row["input_shapes"] is not None and row["output_shapes"] is not None]
    printed = _printed(rows)
    dims = {name: shape for name, (shape, _) in printed.items()}
    made = {name for row in rows for name in row["outputs"]}
    for name, shape in _timed(run).items():
        if name not in made and (name not in dims or _fits(shape, dims[name])):
            dims[name] = shape
    nodes = {}
    for row in rows:
        known = tuple(dims.get(name) for name in row["inputs"])
        for name in row["outputs"]:
            if name in dims and None in dims[name]:
                dims[name] = _resolved(row["op"], known, dims[name])
        outputs = tuple(dims.get(name) for name in row["outputs"])
        nodes[row["name"]] = Node(
            row["name"], row["op"], tuple(row["inputs"]), tuple(row["outputs"]), known, outputs
        )  # fmt: skip
    return Model(nodes, dims, {name: dtype for name, (_, dtype) in printed.items() if dtype is not None})


def _printed(rows: Sequence[Mapping[str, list[str]]]) -> dict[str, tuple[Dims, str | None]]:
    """Shape and type of each tensor as the log prints them, unknown extents as None."""
    found: dict[str, tuple[Dims, str | None]] = {}
    for row in rows:
        for side in ("input", "output"):
            for name, text in zip(row[f"{side}s"], row[f"{side}_shapes"], strict=False):
                match = _SHAPE.fullmatch(text)
                if name and match is not None and name not in found:
                    found[name] = _dims(match["dims"]), api_dtype(match["dtype"])
    return found


def _dims(text: str) -> Dims:
    sizes = [int(size) for size in text.split(",")] if text else []
    return tuple(size if size >= 0 else None for size in sizes)


def _timed(run: Run) -> dict[str, Dims]:
    """Shapes of the inputs that were timed, of a captured run or as trtexec was told."""
    told = dict(run.info.timings[-1].shapes) if run.info.timings else {}
    options = [row for row in run["options"].to_pylist() if row["key"] == "Input inference shape"]
    told.update(text.rpartition("=")[::2] for text in (row["value"] or "" for row in options))
    return {name: tuple(map(int, text.split("x"))) for name, text in told.items() if _TIMED_SHAPE.fullmatch(text)}


def _fits(shape: Dims, printed: Dims) -> bool:
    return len(shape) == len(printed) and all(
        other in {None, size} for size, other in zip(shape, printed, strict=True)
    )  # fmt: skip


# -- dynamic extents --------------------------------------------------------------------------------------------------


def _resolved(op: str, inputs: Sequence[Dims | None], printed: Dims) -> Dims:
    """The output's shape with the extents that follow from the inputs."""
    first = inputs[0] if inputs else None
    if first is None or op in _BY_CHOICE:
        return printed
    if op in _SAME_COUNT:
        return _of_count(first, printed)
    if op in _ALONG_BATCH:
        return (printed[0] or first[0], *printed[1:]) if first and printed else printed
    if op == "Gemm":
        return printed[0] or first[0], *printed[1:]
    if op == "Concat":
        return _beside(inputs, printed)
    if op in {"MatMul", "MatMulInteger"}:
        return _product(inputs, printed)
    return _broadcast(inputs, printed)


def _of_count(source: Dims, printed: Dims) -> Dims:
    """One extent follows from the number of elements."""
    if printed.count(None) != 1 or None in source:
        return printed
    rest, count = prod(size for size in printed if size is not None), prod(size or 0 for size in source)
    return tuple(count // rest if size is None and rest else size for size in printed)


def _beside(inputs: Sequence[Dims | None], printed: Dims) -> Dims:
    """Axes that are not concatenated are those of the inputs; only where an axis of known extents is the concatenated one."""
    known = [dims for dims in inputs if dims is not None and len(dims) == len(printed)]
    if len(known) != len(inputs):
        return printed
    joined = [
        axis for axis, size in enumerate(printed) if size is not None and any(dims[axis] != size for dims in known)
    ]
    return tuple(known[0][axis] if size is None else size for axis, size in enumerate(printed)) if joined else printed


def _product(inputs: Sequence[Dims | None], printed: Dims) -> Dims:
    left, right = (*inputs, None)[:2]
    if left is None or right is None or min(len(left), len(right)) < 2:
        return printed
    batch = _broadcast([left[:-2], right[:-2]], printed[:-2])
    return *batch, *(size or known for size, known in zip(printed[-2:], (left[-2], right[-1]), strict=True))


def _broadcast(inputs: Sequence[Dims | None], printed: Dims) -> Dims:
    """Each extent is the largest of the inputs' from behind, if all of them are known there."""
    found = list(printed)
    for place in range(1, len(printed) + 1):
        sizes = [dims[-place] for dims in inputs if dims is not None and len(dims) >= place]
        if found[-place] is None and sizes and None not in sizes:
            found[-place] = max(size for size in sizes if size is not None)
    return tuple(found)
