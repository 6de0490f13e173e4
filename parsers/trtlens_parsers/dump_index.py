"""The index of tensors that trtlens dumped (`dump.json`), and a comparison that it kept (`accuracy.json`).

`dump.json` lists tensors in execution order with type, shape, file and value ranges, then the ONNX nodes that made
them. Tensors with a role are `input`, `inner`, `output`; `weight` rows are initializers and `hidden` rows are values
inside of an operator (the squares of a LayerNormalization): both have ranges and no file. A file's name is refused
unless it stays inside the folder of the index.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, fields
from typing import Any

from trtlens_parsers.errors import FormatError

DUMP_FORMAT = 1
ACCURACY_FORMAT = 1

_HEAD = 4096
_KINDS = (
    ("dump", re.compile(r'\{\s{0,99}"trtlens_dump"\s{0,9}:')),
    ("accuracy", re.compile(r'\{\s{0,99}"trtlens_accuracy"\s{0,9}:')),
)
_LARGEST_EXTENT = 2**62
_MOST_EXTENTS = 64
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
class KeptComparison:
    """A whole `accuracy.json`: rows by the columns of the table `tensor_errors`."""

    reference: str
    rows: tuple[dict[str, Any], ...]


def recognise_index(text_head: str) -> str | None:
    """`dump` or `accuracy` by the beginning of a document, None for anything else."""
    head = text_head[:_HEAD].lstrip("\ufeff \t\r\n")
    return next((kind for kind, pattern in _KINDS if pattern.match(head)), None)


def read_kept(text: str, kind: str) -> DumpIndex | KeptComparison:
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
        source=_text(document, "source") or "unknown",
        label=_text(document, "label") or "a dump",
        precision=_text(document, "precision"),
        inputs_sha256=_text(document, "inputs_sha256"),
        tensors=tuple(_tensor(row) for row in _rows(document, "tensors")),
        nodes=tuple(_node(row) for row in _rows(document, "nodes")),
    )


def read_comparison(text: str) -> KeptComparison:
    """Read an `accuracy.json`.

    Raises:
        FormatError: it is another document, or of a newer format.

    """
    document = _document(text, "trtlens_accuracy", ACCURACY_FORMAT)
    return KeptComparison(_text(document, "reference") or "unknown", tuple(_rows(document, "rows")))


def _document(text: str, key: str, newest: int) -> dict[str, Any]:
    try:
        document = json.loads(text.lstrip("\ufeff"))
    except (ValueError, RecursionError) as error:
        raise FormatError(f"the document with {key} is not JSON ({error})", getattr(error, "lineno", None)) from None
    number = document.get(key) if isinstance(document, dict) else None
    if not isinstance(number, int):
        raise FormatError(f"the document has no {key}")
    if number > newest:
        raise FormatError(f"{key} is {number}, this trtlens reads up to {newest}: update trtlens")
    return dict(document)


def _rows(document: dict[str, Any], key: str) -> list[dict[str, Any]]:
    rows = document.get(key, [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise FormatError(f"{key} is no list of objects")
    return rows


def _text(row: dict[str, Any], key: str) -> str | None:
    value = row.get(key)
    if value is not None and not isinstance(value, str):
        raise FormatError(f"{key} is no text: {value!r:.60}")
    return value


def _required(row: dict[str, Any], key: str) -> str:
    value = _text(row, key)
    if value is None:
        raise FormatError(f"a row has no {key}; it has {sorted(row)[:9]}")
    return value


def _tensor(row: dict[str, Any]) -> DumpedTensor:
    """One row; what is wrong with its shape or its file is told as the reason why it was skipped."""
    name = _required(row, "name")
    shape, file = row.get("shape"), _text(row, "file")
    refused = _refused_shape(shape) or _refused_file(file)
    return DumpedTensor(
        name=name,
        role=_required(row, "role"),
        dtype=_text(row, "dtype"),
        shape=None if shape is None or refused else tuple(shape),
        file=None if refused else file,
        skipped=refused or _text(row, "skipped"),
        producer=_text(row, "producer"),
        op=_text(row, "op"),
        ranges=_ranges(row.get("ranges")),
    )


def _refused_shape(value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(map(_is_extent, value)) or len(value) > _MOST_EXTENTS:
        return "its shape is no list of extents"
    if math.prod(value) > _LARGEST_EXTENT:
        return "its shape has more elements than any memory holds"
    return None


def _is_extent(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST_EXTENT


def _refused_file(file: str | None) -> str | None:
    if file is None:
        return None
    leads_out = not file or file.startswith("/") or ".." in file.split("/") or any(mark in file for mark in "\\:\0")
    return f"its file lies outside of the dump: {file[:60]!r}" if leads_out else None


def _ranges(row: Any) -> TensorRanges | None:
    if not isinstance(row, dict):
        return None
    values = [row.get(column.name) for column in fields(TensorRanges)]
    if not all(value is None or _is_number(value) for value in values):
        raise FormatError("the ranges of a tensor hold something else than numbers")
    extremes = [None if value is None else float(value) for value in values[:_EXTREMES]]
    counts = [int(value or 0) for value in values[_EXTREMES:]]
    return TensorRanges(*extremes, *counts)  # type: ignore[arg-type]  # the fields stand in this order


def _is_number(value: Any) -> bool:
    if isinstance(value, int):
        return abs(value) <= _LARGEST_EXTENT
    return isinstance(value, float) and math.isfinite(value)


def _node(row: dict[str, Any]) -> DumpedNode:
    ends = [row.get(key) for key in ("inputs", "outputs")]
    if not all(isinstance(end, list) and all(isinstance(name, str) for name in end) for end in ends):
        raise FormatError(f"node {row.get('name')!r:.60} has no lists of inputs and outputs")
    inputs, outputs = (tuple(end) for end in ends if isinstance(end, list))
    return DumpedNode(_required(row, "name"), _required(row, "op"), inputs, outputs)
