"""One file with tensors in it, of any known form, recognised by its first bytes: npy, npz, text, JSON.

Every reader yields entries: a name with a tensor, or with the reason why that tensor was refused.
"""

from __future__ import annotations

import io
import math
import zipfile
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from trtlens.accuracy.encodings import stored_count, stored_dtype
from trtlens.accuracy.npy import MAGIC, read_array, read_header
from trtlens.accuracy.tensors import ArchiveMember, InMemory, NpyFile, RawFile, Tensor, TextFile, UnreadableTensor
from trtlens.errors import TrtlensError
from trtlens_parsers.errors import FormatError
from trtlens_parsers.saved_tensors import EncodedTensor, read_outputs, read_run_results, read_shape, recognise_dump

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from trtlens.accuracy.npy import NpyHeader
    from trtlens.accuracy.tensors import Source

Entry = tuple[str, "Tensor | str"]
"""A tensor's name with the tensor, or with the reason why it was refused."""

_HEAD_BYTES = 1 << 16
_JSON_LIMIT_BYTES = 2 << 30
_LOADED_LIMIT_BYTES = 1 << 30
_KNOWN_SUFFIXES = (".npy", ".npz", ".txt", ".json")
_ZIP = b"PK\x03\x04"

_Record = TypeVar("_Record")


def open_file(path: Path, runner: str | None = None) -> tuple[str, Iterator[Entry]]:
    """The kind of a file in words, and its tensors; `runner` chooses among those of Polygraphy results.

    Raises:
        TrtlensError: the file cannot be read, or is of no known kind.

    """
    head = _head(path)
    name = path.name[: -len(path.suffix)] if path.suffix in _KNOWN_SUFFIXES else path.name
    if head.startswith(MAGIC):
        return "npy", _guarded(name, lambda: npy_tensor(path, name))
    if head.startswith(_ZIP):
        return "npz", _archive(path)
    text = head.decode("utf-8", "replace")
    kind = recognise_dump(text)
    if kind == "polygraphy":
        return "Polygraphy results", _run_results(path, runner)
    if kind == "output":
        return "trtexec outputs", _outputs(path)
    if text.lstrip(" \t").startswith("["):
        return "text", _guarded(name, lambda: _text_tensor(path, name, head))
    raise TrtlensError(
        f"{path} is no dump that is known: npy, npz, text beginning with a shape, Polygraphy results or --exportOutput"
    )


def parsed(path: Path, parse: Callable[[str], _Record]) -> _Record:
    """What a parser makes of a JSON file.

    Raises:
        TrtlensError: the file cannot be read, is larger than 2 GiB, or is not what it was taken for.

    """
    try:
        if path.stat().st_size > _JSON_LIMIT_BYTES:
            raise TrtlensError(f"{path} is a JSON of more than 2 GiB: save the tensors as npy or npz")
        return parse(path.read_bytes().decode("utf-8", "replace"))
    except FormatError as error:
        raise TrtlensError(f"{path}: {error}") from error
    except OSError as error:
        raise TrtlensError(f"{path} cannot be read ({error.strerror}): check the name") from error


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_HEAD_BYTES)
    except OSError as error:
        raise TrtlensError(f"{path} cannot be read ({error.strerror}): check the name") from error


def _guarded(name: str, make: Callable[[], Tensor]) -> Iterator[Entry]:
    try:
        yield name, make()
    except UnreadableTensor as reason:
        yield name, str(reason)


# -- numpy -----------------------------------------------------------------------------------------------------------


def npy_tensor(path: Path, name: str) -> Tensor:
    """The tensor of an npy file, mapped; raises UnreadableTensor."""
    try:
        with path.open("rb") as stream:
            header = read_header(stream, path.stat().st_size)
    except OSError as error:
        raise UnreadableTensor(f"{path.name} cannot be read ({error.strerror})") from error
    return Tensor(name, header.name, header.shape, NpyFile(path, header.shape))


def raw_tensor(path: Path, name: str, dtype: str, shape: tuple[int, ...]) -> Tensor:
    """The tensor of a file that holds nothing but its bytes; raises UnreadableTensor where their number is wrong."""
    try:
        stored = stored_dtype(dtype)
        size = path.stat().st_size
    except KeyError:
        raise UnreadableTensor(f"its type {dtype[:20]!r} is not known") from None
    except OSError as error:
        raise UnreadableTensor(f"{path.name} cannot be read ({error.strerror})") from error
    units = stored_count(dtype, math.prod(shape))
    if size != units * stored.itemsize:
        needed = units * stored.itemsize
        raise UnreadableTensor(f"its shape {list(shape)} of {dtype} takes {needed} bytes and the file holds {size}")
    return Tensor(name, dtype, shape, RawFile(path, stored, units))


def _archive(path: Path) -> Iterator[Entry]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [info for info in archive.infolist() if not info.is_dir()]
    except Exception as error:  # zipfile's, and those of what it reads with
        raise TrtlensError(f"{path} is a broken archive ({error}): write it again with numpy.savez") from error
    for info in members:
        name = info.filename.removesuffix(".npy")
        yield from _guarded(name, partial(_member, path, info, name))


def _member(path: Path, info: zipfile.ZipInfo, name: str) -> Tensor:
    try:
        with zipfile.ZipFile(path) as archive, archive.open(info) as stream:
            header = read_header(stream, info.file_size)
            return Tensor(name, header.name, header.shape, _member_source(path, archive, info, header))
    except UnreadableTensor:
        raise
    except Exception as error:
        raise UnreadableTensor(f"it cannot be read from the archive ({error})") from error


def _member_source(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo, header: NpyHeader) -> Source:
    """The member read as a stream, or at once where its order has to be turned."""
    if not header.fortran:
        return ArchiveMember(path, info.filename, header.dtype, header.size)
    if info.file_size > _LOADED_LIMIT_BYTES:
        raise UnreadableTensor("it is in Fortran order and too large to be turned: save it in C order")
    return InMemory(read_array(archive.read(info)))


# -- text ------------------------------------------------------------------------------------------------------------


def _text_tensor(path: Path, name: str, head: bytes) -> Tensor:
    line, newline, _ = head.partition(b"\n")
    try:
        shape = read_shape(line.decode("ascii", "replace").rstrip("\r"))
    except FormatError as error:
        raise UnreadableTensor(str(error)) from error
    # a value takes a character at least, so a shape that is too large is refused before any of the text is read
    if math.prod(shape) > path.stat().st_size:
        raise UnreadableTensor(f"its shape {list(shape)} has more values than the file has characters")
    return Tensor(name, None, shape, TextFile(path, len(line) + len(newline)))


# -- JSON ------------------------------------------------------------------------------------------------------------


def _run_results(path: Path, runner: str | None) -> Iterator[Entry]:
    """The tensors of the first iteration of the chosen runner, or of the only one."""
    iterations = parsed(path, read_run_results)
    runners = list(dict.fromkeys(iteration.runner for iteration in iterations))
    if runner is not None and runner not in runners:
        raise TrtlensError(f"{path} has no runner {runner!r}: it has {', '.join(runners)}")
    if runner is None and len(runners) > 1:
        raise TrtlensError(f"{path} holds several runners: choose with {path}#NAME one of {', '.join(runners)}")
    first = next((iteration for iteration in iterations if runner in (None, iteration.runner)), None)
    for tensor in first.tensors if first is not None else ():
        yield from _guarded(tensor.name, partial(_encoded, tensor))


def _encoded(tensor: EncodedTensor) -> Tensor:
    if tensor.npy is None:
        raise UnreadableTensor(tensor.refused or "it holds no array")
    try:
        data = _unzipped(tensor.npy)
        header = read_header(io.BytesIO(data), len(data))
        return Tensor(tensor.name, header.name, header.shape, InMemory(read_array(data)))
    except UnreadableTensor:
        raise
    except Exception as error:
        raise UnreadableTensor(f"its array cannot be read ({error})") from error


def _unzipped(data: bytes) -> bytes:
    """Old releases of Polygraphy wrote an npz of one array."""
    if not data.startswith(_ZIP):
        return data
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        info = archive.infolist()[0]
        if info.file_size > _LOADED_LIMIT_BYTES:
            raise UnreadableTensor("its archive holds more than 1 GiB: save it as npz")
        return archive.read(info)


def _outputs(path: Path) -> Iterator[Entry]:
    for output in parsed(path, read_outputs):
        values = InMemory(np.array(output.values, np.float64))
        yield from _guarded(output.name, partial(Tensor, output.name, None, output.shape, values))
