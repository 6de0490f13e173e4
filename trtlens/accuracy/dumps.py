"""Writes a dump: one file a tensor under `tensors/`, and `dump.json`, the index that says what they are.

Types that numpy has become npy files, the others raw bytes (`.bin`) whose type stands in the index alone. A tensor's
name becomes a number and its harmless characters, so that no name leaves the folder, however it is spelled. Ranges of
values are gathered while the numbers are at hand: looking for overflow needs no second pass.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from trtlens.accuracy.encodings import NATIVE, decode, dtype_name, stored_dtype
from trtlens.accuracy.metrics import ranges_of
from trtlens.accuracy.tensors import CHUNK
from trtlens.errors import TrtlensError, reason
from trtlens.runs.folders import whole_file, write_whole
from trtlens_parsers.dump_index import DUMP_FORMAT, DumpedNode, TensorRanges

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

DUMP_JSON = "dump.json"
TENSORS_FOLDER = "tensors"
INPUTS_NPZ = "inputs.npz"

_LONGEST_STEM = 80
_HARMFUL = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Origin:
    """What makes a tensor: its role (input, inner, output, weight, hidden), its ONNX node or layer, and the operator."""

    role: str = "inner"
    producer: str | None = None
    op: str | None = None


def safe_name(name: str) -> str:
    """The harmless characters of a tensor's name; different names may become one, so a number goes before it."""
    return _HARMFUL.sub("_", name).strip("._")[:_LONGEST_STEM] or "tensor"


@dataclass(slots=True)
class DumpWriter:
    """Fills the folder of a run with tensors; nothing counts as dumped until `finish` has written the index."""

    folder: Path
    _rows: list[tuple[int, dict[str, Any]]] = field(default_factory=list)

    def add(
        self, name: str, values: NDArray[Any], origin: Origin, *, dtype: str | None = None, order: int | None = None
    ) -> None:
        """Write a tensor; `dtype` is given where the values are the bits of a type that numpy lacks.

        `order` is its place in the execution, by default behind what was added before. A tensor without a known type is
        skipped with the reason.
        """
        dtype = dtype_name(values.dtype) if dtype is None else dtype
        if dtype is None:
            self.skip(name, f"its type {values.dtype} cannot be kept", origin, order=order)
            return
        values = values if dtype in NATIVE else np.ascontiguousarray(values).view(stored_dtype(dtype))
        file = self._write(name, values, dtype)
        self._append(
            name, origin, order, dtype=dtype, shape=list(values.shape), file=file, ranges=_ranges(values, dtype)
        )

    def add_packed(
        self, name: str, data: bytes, dtype: str, shape: tuple[int, ...], origin: Origin, *, order: int | None = None
    ) -> None:
        """Write the bytes of a tensor of a packed type, such as INT4, of that shape."""
        file = f"{TENSORS_FOLDER}/{len(self._rows):05d}_{safe_name(name)}.bin"
        self._save(file, data)
        values = decode(dtype, np.frombuffer(data, np.uint8))
        self._append(name, origin, order, dtype=dtype, shape=list(shape), file=file, ranges=asdict(ranges_of([values])))

    def skip(self, name: str, reason: str, origin: Origin, *, order: int | None = None) -> None:
        """Keep the reason why a tensor was not dumped."""
        self._append(name, origin, order, skipped=reason)

    def describe(self, name: str, ranges: TensorRanges, shape: tuple[int, ...], dtype: str, origin: Origin) -> None:
        """Keep the ranges of values that are not dumped: weights, and what an operator computes inside."""
        self._append(name, origin, None, dtype=dtype, shape=list(shape), ranges=asdict(ranges))

    def finish(
        self, *, source: str, label: str, precision: str, nodes: Sequence[DumpedNode], inputs_sha256: str | None
    ) -> None:
        """Write the index.

        Raises:
            TrtlensError: the folder cannot be written.

        """
        self._rows.sort(key=lambda row: row[0])
        document = {
            "trtlens_dump": DUMP_FORMAT, "source": source, "label": label, "precision": precision,
            "inputs_sha256": inputs_sha256, "tensors": [row for _, row in self._rows],
            "nodes": [asdict(node) for node in nodes],
        }  # fmt: skip
        text = json.dumps(document, indent=1, ensure_ascii=True, allow_nan=False)
        write_whole(self.folder / DUMP_JSON, (text + "\n").encode())

    def _append(self, name: str, origin: Origin, order: int | None, **facts: Any) -> None:
        place = len(self._rows) if order is None else order
        row = {
            "name": name,
            **asdict(origin),
            "dtype": None,
            "shape": None,
            "file": None,
            "skipped": None,
            "ranges": None,
        }
        self._rows.append((place, {**row, **facts}))

    def _write(self, name: str, values: NDArray[Any], dtype: str) -> str:
        stem = f"{TENSORS_FOLDER}/{len(self._rows):05d}_{safe_name(name)}"
        if dtype not in NATIVE:
            self._save(f"{stem}.bin", np.ascontiguousarray(values).tobytes())
            return f"{stem}.bin"
        with whole_file(self._place(f"{stem}.npy")) as file:
            np.save(file, np.ascontiguousarray(values).reshape(values.shape), allow_pickle=False)
        return f"{stem}.npy"

    def _save(self, file: str, data: bytes) -> None:
        write_whole(self._place(file), data)

    def _place(self, file: str) -> Path:
        path = self.folder / file
        try:
            path.parent.mkdir(exist_ok=True)
        except OSError as error:
            raise TrtlensError(
                f"{path} cannot be written ({reason(error)}): free the place or choose another"
            ) from error
        return path


def _ranges(values: NDArray[Any], dtype: str) -> dict[str, Any] | None:
    """The ranges as the index keeps them, None for whole numbers too large to be told exactly."""
    try:
        return asdict(ranges_of(_chunks(values, dtype)))
    except OverflowError:
        return None


def _chunks(values: NDArray[Any], dtype: str) -> Iterator[NDArray[Any]]:
    flat = np.ascontiguousarray(values).reshape(-1)
    return (decode(dtype, flat[start : start + CHUNK]) for start in range(0, flat.size, CHUNK))
