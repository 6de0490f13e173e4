"""Tables and figures as the page contains them: columns of numbers and dictionaries of texts, packed.

A packed block is JSON in ASCII, compressed, in base64: no name in it can end a script or be taken for markup, and the
same input gives the same bytes (the compressor's header holds no time). Control characters and text-direction marks
become escapes here, so that the page shows them instead of obeying them. Numbers keep seven significant digits.
"""

from __future__ import annotations

import base64
import gzip
import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from trtlens.output import visible
from trtlens.quantities import hexadecimal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from plotly.graph_objects import Figure

_DIGITS = 7
_LEVEL = 5
"""Compression level: slower ones save 1 % of the size."""


def to_json(value: Any) -> str:
    """Any JSON value in ASCII, without spaces."""
    return json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))


def pack(text: str) -> str:
    """A text as base64 of its compressed bytes, the same for the same text."""
    return base64.b64encode(gzip.compress(text.encode(), _LEVEL, mtime=0)).decode("ascii")


def encode_table(table: pa.Table, *, doc: str | None = None, leave_out: Sequence[str] = ()) -> dict[str, Any]:
    """Columns with their units and docs; texts as positions in a dictionary, ids as hexadecimal texts."""
    columns = [_column(table.schema.field(name), table[name]) for name in table.column_names if name not in leave_out]
    return {"doc": doc, "rows": table.num_rows, "columns": columns}


def _column(described: pa.Field, values: pa.ChunkedArray) -> dict[str, Any]:
    metadata = described.metadata or {}
    known = {
        "name": described.name,
        "unit": metadata.get(b"unit", b"").decode() or None,
        "doc": metadata.get(b"doc", b"").decode() or None,
    }
    if described.name == "tactic_id" or described.name.endswith("_tactic_id"):
        return known | _texts(values, hexadecimal)
    if pa.types.is_boolean(described.type):
        return known | _texts(values.cast(pa.int8()), lambda one: "yes" if one else "no")
    if pa.types.is_integer(described.type):
        return known | {"kind": "number", "values": values.to_pylist()}
    if pa.types.is_floating(described.type):
        return known | {"kind": "number", "values": [_rounded(one) for one in values.to_pylist()]}
    if pa.types.is_list(described.type):
        joined = [
            None if one is None else ", ".join("?" if x is None else str(x) for x in one) for one in values.to_pylist()
        ]
        return known | _texts(pa.chunked_array([pa.array(joined, pa.string())]), visible)
    return known | _texts(values, visible)


def _texts(values: pa.ChunkedArray, shown: Callable[[Any], str]) -> dict[str, Any]:
    """Distinct values as texts in the order of first use, and for each row its place among them (-1 for none)."""
    array = (
        values.unify_dictionaries().combine_chunks()
        if pa.types.is_dictionary(values.type)
        else values.dictionary_encode().combine_chunks()
    )
    codes = array.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    found, first = np.unique(codes, return_index=True)
    used = found[np.argsort(first)]
    used = used[used >= 0]
    places = np.full(len(array.dictionary) + 1, -1)  # the last one is that of -1
    places[used] = np.arange(len(used))
    texts = array.dictionary.take(pa.array(used)).to_pylist()
    return {"kind": "text", "texts": [shown(text) for text in texts], "values": places[codes].tolist()}


def _rounded(value: float | None) -> float | str | None:
    if value is None:
        return None
    return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else str(value)


def encode_figure(figure: Figure) -> dict[str, Any]:
    """Traces and layout without the template: the page adds that of the reader's theme."""
    from plotly.io.json import to_json_plotly  # noqa: PLC0415

    made: dict[str, Any] = json.loads(to_json_plotly(figure, engine="json"))
    made.get("layout", {}).pop("template", None)
    return {"data": made["data"], "layout": made.get("layout", {})}
