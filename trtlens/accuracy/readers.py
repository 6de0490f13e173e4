"""Opens dumps of any origin by their content.

| given | read as |
|---|---|
| folder with `dump.json` | a dump of `trtlens dump` |
| folder with `tensor_summary.json` | debug tensors of trtexec 10.12 and later |
| any other folder | each file one tensor (npy, text) or several (npz, JSON); `NNNN_` before every name is cut off |
| npz, npy, text, JSON file | itself; `results.json#RUNNER` chooses one of several Polygraphy runners |

A tensor that is refused is kept with the reason, so that the rest can be compared.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from trtlens.accuracy.dumps import DUMP_JSON
from trtlens.accuracy.files import Entry, npy_tensor, open_file, parsed, raw_tensor
from trtlens.accuracy.tensors import Tensor, TextFile, UnreadableTensor
from trtlens.errors import TrtlensError
from trtlens.runs.run_info import is_run
from trtlens_parsers.data_types import api_dtype
from trtlens_parsers.dump_index import DumpedTensor, DumpIndex, read_index
from trtlens_parsers.saved_tensors import SummarizedTensor, read_summary

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SUMMARY_JSON = "tensor_summary.json"
WITHOUT_VALUES = frozenset({"weight", "hidden"})
"""Roles of rows that have ranges and no file."""

_NUMBERED = re.compile(r"\d{4,9}_(.+)")
_CONVERTED = re.compile(r"_to_(?:float|int8)$")


@dataclass(frozen=True)
class Dump:
    """Tensors by name in the order of the dump, reasons of refused ones, and the index where the dump is our own."""

    name: str
    kind: str
    tensors: dict[str, Tensor]
    refused: dict[str, str] = field(default_factory=dict)
    index: DumpIndex | None = None

    @property
    def label(self) -> str:
        """What was run, in words; of a foreign dump only its form is known."""
        return self.index.label if self.index is not None else f"{self.kind} {self.name}"

    @property
    def precision(self) -> str | None:
        """The precision that the run was asked for, None where the dump does not say."""
        return None if self.index is None else self.index.precision


def open_dump(given: str | Path) -> Dump:
    """Open a dump by its content.

    Raises:
        TrtlensError: nothing is there, or nothing of it is a tensor; the message says what was looked for.

    """
    path, runner = _place(str(given))
    if path.is_dir():
        dump = _open_folder(path)
    else:
        kind, entries = open_file(path, runner)
        dump = _collected(path.name, kind, entries)
    if not dump.tensors:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in list(dump.refused.items())[:3])
        raise TrtlensError(
            f"{given} holds no tensor that can be read{f' ({reasons})' if reasons else ''}: dump it again"
        )
    return dump


def _place(given: str) -> tuple[Path, str | None]:
    path, name = Path(given), None
    if not path.exists() and "#" in given:
        text, _, name = given.rpartition("#")
        path = Path(text)
    if not path.exists():
        raise TrtlensError(f"{given} is not there: give a dump, such as the folder of `trtlens dump` or an npz file")
    return path, name


def _collected(name: str, kind: str, entries: Iterable[Entry], index: DumpIndex | None = None) -> Dump:
    tensors: dict[str, Tensor] = {}
    refused: dict[str, str] = {}
    for tensor, entry in entries:
        if tensor in tensors or tensor in refused:
            tensors.pop(tensor, None)
            refused[tensor] = "the dump holds this name twice, and which of them is meant is unknown"
        elif isinstance(entry, str):
            refused[tensor] = entry
        else:
            tensors[tensor] = entry
    return Dump(name, kind, tensors, refused, index)


def _open_folder(folder: Path) -> Dump:
    if (folder / DUMP_JSON).is_file():
        index = parsed(folder / DUMP_JSON, read_index)
        rows = (row for row in index.tensors if row.role not in WITHOUT_VALUES)
        return _collected(folder.name, "dump", (_own(folder, row) for row in rows), index)
    if (folder / SUMMARY_JSON).is_file():
        summarized = parsed(folder / SUMMARY_JSON, read_summary)
        return _collected(folder.name, "debug tensors", (_debug_tensor(folder, row) for row in summarized))
    if is_run(folder):
        raise TrtlensError(f"{folder} is a run without dumped tensors: make them with `trtlens dump`")
    return _collected(folder.name, "folder", _folder_entries(folder))


def _folder_entries(folder: Path) -> Iterator[Entry]:
    files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    if files and all(path.suffix == ".json" for path in files):
        files = files[:1]  # Polygraphy 0.53 writes a file for each iteration
    numbered = bool(files) and all(_NUMBERED.fullmatch(path.name) for path in files)
    for path in files:
        try:
            _, entries = open_file(path)
            for name, entry in entries:
                yield (_unnumbered(name), entry) if numbered else (name, entry)
        except TrtlensError as error:  # noqa: PERF203  one broken file must not hide the others
            yield path.name, error.message


def _unnumbered(name: str) -> str:
    match = _NUMBERED.fullmatch(name)
    return _CONVERTED.sub("", match[1] if match else name)


def _own(folder: Path, row: DumpedTensor) -> Entry:
    """A tensor of our own dump, whose file must lie in the folder and be what the index says."""
    if row.file is None or row.dtype is None or row.shape is None:
        return row.name, row.skipped or "it was not dumped"
    try:
        path = _inside(folder, row.file)
        if path.suffix != ".npy":
            return row.name, raw_tensor(path, row.name, row.dtype, row.shape)
        tensor = npy_tensor(path, row.name)
    except UnreadableTensor as reason:
        return row.name, str(reason)
    if (tensor.dtype, tensor.shape) != (row.dtype, row.shape):
        return row.name, (
            f"{row.file} is {tensor.dtype} {list(tensor.shape)}, the index says {row.dtype} {list(row.shape)}"
        )
    return row.name, tensor


def _inside(folder: Path, file: str) -> Path:
    try:
        path = (folder / file).resolve()
        if path.is_relative_to(folder.resolve()):
            if path.is_file():
                return path
            raise UnreadableTensor(f"its file {file[:60]!r} is not there")
    except (OSError, ValueError, RuntimeError) as error:
        raise UnreadableTensor(f"its file {file[:60]!r} cannot be found ({error})") from error
    raise UnreadableTensor(f"its file lies outside of the dump: {file[:60]!r}")


def _debug_tensor(folder: Path, row: SummarizedTensor) -> Entry:
    try:
        return row.name, _debug_file(folder, row)
    except UnreadableTensor as reason:
        return row.name, str(reason)


def _debug_file(folder: Path, row: SummarizedTensor) -> Tensor:
    """A debug tensor of trtexec: numpy's file if there is one, else the raw bytes, else the printed numbers."""
    if "numpy" in row.files:
        tensor = npy_tensor(_inside(folder, row.files["numpy"]), row.name)
        if tensor.shape != row.shape:
            raise UnreadableTensor(f"its file has the shape {list(tensor.shape)}, the summary says {list(row.shape)}")
        return tensor
    raw = row.files.get("raw") or row.files.get("assigned")
    if raw is not None:
        return raw_tensor(_inside(folder, raw), row.name, api_dtype(row.type) or row.type, row.shape)
    if "string" in row.files:
        return Tensor(row.name, None, row.shape, TextFile(_inside(folder, row.files["string"]), 0, nested=True))
    raise UnreadableTensor("the summary names no file of it: save it with --saveAllDebugTensors=summary,numpy")
