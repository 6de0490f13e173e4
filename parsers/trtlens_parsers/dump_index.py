"""The index of tensors that trtlens dumped (`dump.json`), and a comparison that it kept (`accuracy.json`).

`dump.json` lists tensors in execution order with type, shape, file and value ranges, then the ONNX nodes that made
them. Tensors with a role are `input`, `inner`, `output`; `weight` rows are initializers and `hidden` rows are values
inside of an operator (the squares of a LayerNormalization): both have ranges and no file. A file's name is refused
unless it stays inside the folder of the index.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, fields
from typing import Any

from trtlens_parsers.errors import FormatError
from trtlens_parsers.json_text import (
    integer_of,
    is_shape,
    kind_by_start,
    number_of,
    optional_text,
    parse_json,
    required_text,
    rows_of,
    spelled,
    texts_of,
)

DUMP_FORMAT = 1
ACCURACY_FORMAT = 1

_KINDS = (
    ("dump", re.compile(r'\{\s{0,99}"trtlens_dump"\s{0,9}:')),
    ("accuracy", re.compile(r'\{\s{0,99}"trtlens_accuracy"\s{0,9}:')),
)
_LARGEST_EXTENT = 2**62
_EXTREMES = 6  # the first fields of TensorRanges are numbers or None, the others counts


@dataclass(frozen=True, slots=True)
class TensorRanges:
    """What the values of one tensor span; extremes, mean and rms are of the finite values and None without any.

    Attributes:
        largest: largest magnitude.
        smallest: smallest magnitude that is not zero.
        beyond: finite values whose magnitude exceeds 65504, the largest of FP16.
        subnormal: values from 2**-24 up to 2**-14, which FP16 holds with less than its 11 bits.
        flushed: values under 2**-24 that are not zero.
    """

    minimum: float | None
    maximum: float | None
    largest: float | None
    smallest: float | None
    mean: float | None
    rms: float | None
    zeros: int
    nan: int
    inf: int
    beyond: int
    subnormal: int
    flushed: int


@dataclass(frozen=True, slots=True)
class DumpedTensor:
    """One row of the index; `file` is None where the tensor was skipped, with the reason in `skipped`."""

    name: str
    role: str
    dtype: str | None
    shape: tuple[int, ...] | None
    file: str | None
    skipped: str | None
    producer: str | None
    op: str | None
    ranges: TensorRanges | None

    @property
    def elements(self) -> int | None:
        """How many values it has; None where the shape is not known."""
        return None if self.shape is None else math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class DumpedNode:
    """One ONNX node of the model that was run, as the model spells it."""

    name: str
    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DumpIndex:
    """A whole `dump.json`; `precision` is what was asked for and `label` says in words what was run."""

    source: str
    label: str
    precision: str | None
    inputs_sha256: str | None
    tensors: tuple[DumpedTensor, ...]
    nodes: tuple[DumpedNode, ...]


@dataclass(frozen=True, slots=True)
class SavedComparison:
    """A whole `accuracy.json`: rows by the columns of the table `tensor_errors`."""

    reference: str
    rows: tuple[dict[str, Any], ...]


def recognise_index(text_head: str) -> str | None:
    """`dump` or `accuracy` by the beginning of a document, None for anything else."""
    return kind_by_start(text_head, _KINDS)


def read_saved(text: str, kind: str) -> DumpIndex | SavedComparison:
    """Read a document of the kind that `recognise_index` told.

    Raises:
        FormatError: the document is broken, or of a newer format.

    """
    return read_index(text) if kind == "dump" else read_comparison(text)


def read_index(text: str) -> DumpIndex:
    """Read a `dump.json`.

    Raises:
        FormatError: it is another document, of a newer format, or a row of it is broken.

    """
    document = _document(text, "trtlens_dump", DUMP_FORMAT)
    return DumpIndex(
        source=optional_text(document, "source") or "unknown",
        label=optional_text(document, "label") or "a dump",
        precision=optional_text(document, "precision"),
        inputs_sha256=optional_text(document, "inputs_sha256"),
        tensors=tuple(_tensor(row) for row in rows_of(document, "tensors")),
        nodes=tuple(_node(row) for row in rows_of(document, "nodes")),
    )


def read_comparison(text: str) -> SavedComparison:
    """Read an `accuracy.json`.

    Raises:
        FormatError: it is another document, or of a newer format.

    """
    document = _document(text, "trtlens_accuracy", ACCURACY_FORMAT)
    rows = tuple({name: _known(value) for name, value in row.items()} for row in rows_of(document, "rows"))
    return SavedComparison(optional_text(document, "reference") or "unknown", rows)


def _known(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _document(text: str, key: str, newest: int) -> dict[str, Any]:
    document = parse_json(text, key)
    number = integer_of(document, key) if isinstance(document, dict) else None
    if number is None:
        raise FormatError(f"the document has no {key}")
    if number > newest:
        raise FormatError(f"{key} is {number}, this trtlens reads up to {newest}: update trtlens")
    return dict(document)


def _tensor(row: dict[str, Any]) -> DumpedTensor:
    """One row; what is wrong with its shape or its file is told as the reason why it was skipped."""
    name = required_text(row, "name")
    shape, file = row.get("shape"), optional_text(row, "file")
    refused = _refused_shape(shape) or _refused_file(file)
    return DumpedTensor(
        name=name,
        role=required_text(row, "role"),
        dtype=optional_text(row, "dtype"),
        shape=None if shape is None or refused else tuple(shape),
        file=None if refused else file,
        skipped=refused or optional_text(row, "skipped"),
        producer=optional_text(row, "producer"),
        op=optional_text(row, "op"),
        ranges=_ranges(row.get("ranges")),
    )


def _refused_shape(value: Any) -> str | None:
    if value is None:
        return None
    if not is_shape(value):
        return "its shape is no list of extents"
    if math.prod(value) > _LARGEST_EXTENT:
        return "its shape has more elements than any memory holds"
    return None


def _refused_file(file: str | None) -> str | None:
    if file is None:
        return None
    leads_out = not file or file.startswith("/") or ".." in file.split("/") or any(mark in file for mark in "\\:\0")
    return f"its file lies outside of the dump: {file[:60]!r}" if leads_out else None


def _ranges(row: Any) -> TensorRanges | None:
    if not isinstance(row, dict):
        return None
    names = [column.name for column in fields(TensorRanges)]
    counts = [integer_of(row, name) for name in names[_EXTREMES:]]
    if any(count is None or count < 0 for count in counts):
        raise FormatError(f"the ranges of a tensor lack counts, or hold some below 0; they have {sorted(row)!r:.200}")
    extremes = [number_of(row, name) for name in names[:_EXTREMES]]
    return TensorRanges(*extremes, *counts)  # type: ignore[arg-type]  # the fields stand in this order


def _node(row: dict[str, Any]) -> DumpedNode:
    inputs, outputs = (texts_of(row, key) for key in ("inputs", "outputs"))
    if inputs is None or outputs is None:
        raise FormatError(f"node {spelled(row.get('name'))} has no lists of inputs and outputs")
    return DumpedNode(required_text(row, "name"), required_text(row, "op"), inputs, outputs)
