"""Arrow arrays from Python values, made from their buffers.

``pyarrow.array`` and ``pyarrow.scalar`` import pandas on their first call, whatever they are given. That takes longer than
reading a log of 10 MB does, and most questions to a log need no pandas: what a command line needs goes through here.
"""

from __future__ import annotations

from array import array as packed
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence, Sized

_ARROW = {"i4": pa.int32(), "i8": pa.int64(), "u8": pa.uint64(), "f8": pa.float64()}
_NUMPY = {arrow: np.dtype(code) for code, arrow in _ARROW.items()}
_CODES = {pa.int32(): "i", pa.int64(): "q", pa.uint64(): "Q", pa.float64(): "d"}
_MANY = 100_000
"""Values of a column from which on pyarrow's own conversion is worth the import of pandas."""
_LONGEST = 2**31 - 1
"""Bytes and elements that a column's 32-bit offsets can count."""


def array(values: Iterable[Any], arrow: pa.DataType) -> pa.Array:
    """An array of a declared type: numbers, truth values, texts, labels, or lists of them; None is null.

    Raises:
        TypeError: a value is not of that type.
        OverflowError: a number does not fit the type, or the texts are longer than 2 GiB together.

    """
    items = values if isinstance(values, (list, tuple)) else list(values)
    if len(items) > _MANY:
        return _by_pyarrow(items, arrow)
    if pa.types.is_dictionary(arrow):
        return _labels(items, arrow)
    missing = np.frombuffer(bytes([item is None for item in items]), bool) if None in items else None
    if pa.types.is_string(arrow):
        buffers, children = _texts(items if missing is None else ["" if item is None else item for item in items]), None
    elif pa.types.is_list(arrow):
        if not {str, dict}.isdisjoint(map(type, items)):
            raise TypeError("a list of values is a text or an object")
        lists = [() if item is None else item for item in items]
        buffers, children = [_offsets(lists)], [array(list(chain.from_iterable(lists)), arrow.value_type)]
    elif pa.types.is_boolean(arrow):
        buffers, children = [_truths(items)], None
    else:
        numbers = items if missing is None else [0 if item is None else item for item in items]
        buffers, children = [pa.py_buffer(packed(_CODES[arrow], numbers))], None
    return pa.Array.from_buffers(arrow, len(items), [_validity(missing), *buffers], children=children)


def _by_pyarrow(items: Sequence[Any], arrow: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(arrow):
        return pa.array(items, arrow.value_type).dictionary_encode()
    return pa.array(items, arrow)


def of_numpy(values: np.ndarray, *, missing: np.ndarray | None = None) -> pa.Array:
    """The array of truth values or of 32-bit or 64-bit numbers, null where ``missing``; NaN is null."""
    if values.dtype.kind == "f" and missing is None:
        absent = np.isnan(values)
        missing = absent if absent.any() else None
    if values.dtype == bool:
        return pa.Array.from_buffers(pa.bool_(), len(values), [_validity(missing), _bits(values)])
    buffers = [_validity(missing), pa.py_buffer(np.ascontiguousarray(values))]
    return pa.Array.from_buffers(_ARROW[values.dtype.str[1:]], len(values), buffers)


def to_numpy(column: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Numbers or truth values of a column; NaN where a float is null.

    Raises:
        ValueError: another column has nulls: `filled` says what stands for them.

    """
    values = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if values.null_count and not pa.types.is_floating(values.type):
        raise ValueError(f"{values.null_count} values of a column of {values.type} are null")
    if pa.types.is_boolean(values.type):
        return _truths_of(values.buffers()[1], values)
    numbers = np.frombuffer(values.buffers()[1] or b"", _NUMPY[values.type])[values.offset :][: len(values)]
    return np.where(_truths_of(values.buffers()[0], values), numbers, np.nan) if values.null_count else numbers


def _truths_of(bits: pa.Buffer | None, values: pa.Array) -> np.ndarray:
    """Bits of an array as truth values."""
    packed_bits = np.frombuffer(bits or b"", np.uint8)
    return np.unpackbits(packed_bits, bitorder="little")[values.offset :][: len(values)].astype(bool)


def decoded(column: pa.ChunkedArray) -> list[Any]:
    """Values of a column, with one Python object for each distinct label."""
    array = column.combine_chunks()
    if not isinstance(array, pa.DictionaryArray):
        return list(array.to_pylist())
    values = [*array.dictionary.to_pylist(), None]
    return [values[code] for code in filled(array.indices, len(values) - 1).to_pylist()]


def rows_of(table: pa.Table) -> list[dict[str, Any]]:
    """Rows as `to_pylist` gives them, in a fifth of the time where columns are labels: it looks each of them up alone."""
    names = table.column_names
    return [dict(zip(names, row, strict=True)) for row in zip(*map(decoded, table.columns), strict=True)]


def within(numbers: pa.Array, most: float) -> pa.Array:
    """The numbers, null in place of those whose magnitude is beyond ``most``."""
    values = to_numpy(numbers)
    beyond = np.abs(values) > most
    return of_numpy(values, missing=beyond | np.isnan(values)) if beyond.any() else numbers


def run_starts(ordered: np.ndarray) -> np.ndarray:
    """Positions in sorted values (or rows of values) where another one begins."""
    differs = ordered[1:] != ordered[:-1]
    changes = differs.any(axis=1) if ordered.ndim > 1 else differs
    return np.flatnonzero(np.concatenate([np.ones(min(len(ordered), 1), bool), changes]))


def positions_by_code(codes: np.ndarray) -> dict[int, np.ndarray]:
    """Where each code stands, in ascending order; a negative code is none."""
    order = np.argsort(codes, kind="stable")
    starts = run_starts(codes[order])
    parts = np.split(order, starts[1:]) if len(order) else []
    found = codes[order][starts].tolist()
    return {code: part for code, part in zip(found, parts, strict=True) if code >= 0}


def of_build(table: pa.Table, number: int) -> pa.Table:
    """The rows of one build; where builds stand in ascending order, as they do in all tables of a log, nothing is copied."""
    column = table["build"]
    if not table.num_rows:
        return table
    if column.null_count == 0:
        builds = to_numpy(column)
        if (builds[1:] >= builds[:-1]).all():
            first, stop = np.searchsorted(builds, [number, number + 1]).tolist()
            return table.slice(first, stop - first)
    return table.filter(pc.equal(column, array([number], pa.int64())[0]))


def filled(column: pa.Array | pa.ChunkedArray, value: Any) -> pa.Array | pa.ChunkedArray:
    """The column with ``value`` in place of null."""
    return pc.fill_null(column, array([value], column.type)[0])


def known_true(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Whether a value is true, for a column in which null means that nothing is known."""
    return filled(column, False)  # noqa: FBT003  a value, not a switch


def _labels(items: Sequence[str | None], arrow: pa.DataType) -> pa.Array:
    """Texts that repeat, each distinct one stored once, in the order in which they first stand."""
    texts = [text for text in dict.fromkeys(items) if text is not None]
    distinct = array(texts, arrow.value_type)
    code_of: dict[str | None, int] = {None: -1}
    code_of.update((text, code) for code, text in enumerate(texts))
    rows = np.fromiter(map(code_of.__getitem__, items), np.int32, len(items))
    return pa.DictionaryArray.from_arrays(of_numpy(rows, missing=rows < 0), distinct)


def _validity(missing: np.ndarray | None) -> pa.Buffer | None:
    return None if missing is None else _bits(~missing)


def _bits(values: np.ndarray) -> pa.Buffer:
    return pa.py_buffer(np.packbits(values, bitorder="little"))


def _truths(items: Sequence[bool | None]) -> pa.Buffer:
    truths = [False if item is None else item for item in items]
    if not {bool, np.bool_}.issuperset(map(type, truths)):
        raise TypeError("a truth value is neither true nor false")
    return _bits(np.array(truths, bool))


def _texts(texts: Sequence[str]) -> list[pa.Buffer]:
    """Offsets and bytes of texts; a name of a file may hold bytes that are no text, which become escapes."""
    joined = "".join(texts)
    data = joined.encode(errors="backslashreplace")
    if len(data) == len(joined):
        return [_offsets(texts), pa.py_buffer(data)]
    return [_offsets([text.encode(errors="backslashreplace") for text in texts]), pa.py_buffer(data)]


def _offsets(items: Sequence[Sized]) -> pa.Buffer:
    """Where each item begins in what holds all of them one behind the other."""
    offsets = np.zeros(len(items) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, items), np.int64, len(items)), out=offsets[1:])
    if offsets[-1] > _LONGEST:
        raise OverflowError(f"{offsets[-1]} bytes or elements in one column: its offsets count to {_LONGEST}")
    return pa.py_buffer(offsets.astype(np.int32))
