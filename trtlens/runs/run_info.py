"""What a run folder says of itself in ``run.json``, read once and checked, for everyone who asks.

What decides how the run is read (``format``, ``raw``, ``build``) has to be right, else the run is refused. What only
describes it is unknown where it is not of its type, and a note says so. Format 1: `trtlens.capture.recorder` writes it for
captured runs, `trtlens.runs.run` for kept logs.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, TypeVar

from trtlens.errors import TrtlensError, reason
from trtlens_parsers.errors import FormatError
from trtlens_parsers.json_text import (
    boolean_of,
    integer_of,
    number_of,
    object_of,
    optional_text,
    parse_json,
    rows_of,
    spelled,
    texts_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

FORMAT = 1
_LARGEST_BYTES = 1 << 26
_LONGEST_NAME_BYTES = 255
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class GpuInfo:
    """The GPU that a run was captured on."""

    name: str | None = None
    compute_capability: str | None = None
    memory_bytes: int | None = None
    driver: str | None = None
    multiprocessors: int | None = None
    memory_bus_bits: int | None = None
    l2_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """The model file that a run was captured from."""

    path: str | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class TimingInfo:
    """The conditions of one timing pass, with its median GPU time; shapes are spelled as ``8x3x224x224``."""

    shapes: Mapping[str, str] = field(default_factory=dict)
    cuda_graph: bool | None = None
    gpu_median_ms: float | None = None


@dataclass(frozen=True, slots=True)
class RunInfo:
    """The content of ``run.json``; of a run that was never saved nothing is known.

    ``raw`` names the files that the tables are made of, None where every log and JSON in the folder counts; ``tables_by`` is
    the version that saved tables, ``made_from`` the `trtlens.runs.run_folders.fingerprint` of what it made them from; ``notes``
    end with a sentence for each field that was not of its type. ``output_sha256`` is by name the digest of each output's bytes.
    """

    raw: tuple[str, ...] | None = None
    build: int | None = None
    kind: str | None = None
    status: str | None = None
    started: str | None = None
    tables_by: str | None = None
    made_from: str | None = None
    library: str | None = None
    tensorrt_version: str | None = None
    driver: str | None = None
    gpu: GpuInfo = field(default_factory=GpuInfo)
    model: ModelInfo = field(default_factory=ModelInfo)
    flags: Mapping[str, Any] | None = None
    precision_flags: tuple[str, ...] = ()
    timings: tuple[TimingInfo, ...] = ()
    output_sha256: Mapping[str, Any] = field(default_factory=dict)
    errors: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def read_info(folder: Path) -> RunInfo:
    """The checked content of a folder's ``run.json``.

    Raises:
        TrtlensError: it cannot be read, is of a newer format, or what decides how the run is read is not of its type.

    """
    document = load_document(folder)
    try:
        return info_of(document)
    except FormatError as error:
        raise TrtlensError(
            f"{folder / RUN_JSON}: {error}; put it right, or give the log and the JSON files themselves"
        ) from error


def load_document(folder: Path) -> dict[str, Any]:
    """The JSON object of a folder's ``run.json``, of a format that this trtlens knows.

    Raises:
        TrtlensError: it cannot be read, or is of a newer format.

    """
    path = folder / RUN_JSON
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_BYTES + 1)
        document = parse_json(data.decode("utf-8-sig"), RUN_JSON)
    except OSError as error:
        raise TrtlensError(f"{path} cannot be read ({reason(error)}): check the folder") from error
    except (FormatError, UnicodeDecodeError) as error:
        raise TrtlensError(f"{path} cannot be read ({error}): it is not the run.json of a run") from error
    number = document.get("format") if isinstance(document, dict) else None
    if not isinstance(document, dict) or type(number) is not int or number < 1:
        raise TrtlensError(f"{path} has no format number: it is not the run.json of a run")
    if number > FORMAT:
        raise TrtlensError(f"{path} has format {spelled(number)}, this trtlens reads up to {FORMAT}: update trtlens")
    return document


def info_of(document: Mapping[str, Any]) -> RunInfo:
    """A document of ``run.json`` with its types.

    Raises:
        FormatError: ``raw`` or ``build`` is not of its type.

    """
    facts = _Facts(dict(document), "", [])
    info = RunInfo(
        raw=_raw(document.get("raw")),
        build=_build(document.get("build")),
        kind=facts.known(optional_text, "kind"),
        status=facts.known(optional_text, "status"),
        started=facts.known(optional_text, "started"),
        tables_by=facts.known(optional_text, "tables_by"),
        made_from=facts.known(optional_text, "made_from"),
        library=facts.known(optional_text, "library"),
        tensorrt_version=facts.known(optional_text, "tensorrt_version"),
        driver=facts.known(optional_text, "driver"),
        gpu=_gpu(facts.inner("gpu")),
        model=_model(facts.inner("model")),
        flags=facts.known(object_of, "flags") if document.get("flags") is not None else None,
        precision_flags=facts.known(texts_of, "precision_flags") or (),
        timings=tuple(map(_timing, facts.rows("timings"))),
        output_sha256=facts.known(object_of, "output_sha256") or {},
        errors=facts.known(texts_of, "errors") or (),
        notes=facts.known(texts_of, "notes") or (),
    )
    return replace(info, notes=(*info.notes, *facts.doubts))


@dataclass(frozen=True, slots=True)
class _Facts:
    """Members of one JSON object; one that is not of its type is unknown, which is kept in `doubts`."""

    document: dict[str, Any]
    place: str
    doubts: list[str]

    def known(self, read: Callable[[dict[str, Any], str], _T | None], name: str) -> _T | None:
        """What ``read`` makes of the member."""
        try:
            return read(self.document, name)
        except FormatError as error:
            self.doubts.append(f"{RUN_JSON}: {self.place}{error}: taken as unknown")
            return None

    def inner(self, name: str) -> _Facts:
        """The members of an object in this one."""
        return _Facts(self.known(object_of, name) or {}, f"{self.place}{name}.", self.doubts)

    def rows(self, name: str) -> list[_Facts]:
        """The members of each object in a list."""
        rows = None if self.document.get(name) is None else self.known(rows_of, name)
        return [_Facts(row, f"{self.place}{name}.", self.doubts) for row in rows or ()]


def _gpu(facts: _Facts) -> GpuInfo:
    return GpuInfo(
        name=facts.known(optional_text, "name"),
        compute_capability=facts.known(optional_text, "compute_capability"),
        memory_bytes=facts.known(integer_of, "memory_bytes"),
        driver=facts.known(optional_text, "driver"),
        multiprocessors=facts.known(_optional_integer, "multiprocessors"),
        memory_bus_bits=facts.known(_optional_integer, "memory_bus_bits"),
        l2_bytes=facts.known(_optional_integer, "l2_bytes"),
    )


def _optional_integer(document: dict[str, Any], name: str) -> int | None:
    """A positive integer; None where the record is older than the field, or the driver said nothing."""
    return integer_of(document, name) or None if document.get(name) is not None else None


def _model(facts: _Facts) -> ModelInfo:
    return ModelInfo(path=facts.known(optional_text, "path"), sha256=facts.known(optional_text, "sha256"))


def _timing(facts: _Facts) -> TimingInfo:
    shapes = facts.known(object_of, "shapes") or {}
    return TimingInfo(
        shapes={name: str(shape) for name, shape in shapes.items()},
        cuda_graph=facts.known(boolean_of, "cuda_graph"),
        gpu_median_ms=facts.inner("gpu").known(number_of, "median_ms"),
    )


def _raw(value: Any) -> tuple[str, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(map(_is_file_name, value)):
        wrong = value if not isinstance(value, list) else next(name for name in value if not _is_file_name(name))
        raise FormatError(f"raw is no list of names of files in the run: {spelled(wrong)}")
    return tuple(value)


def _is_file_name(value: Any) -> bool:
    """Whether it names a file in the folder itself, and nothing that lies elsewhere or cannot be."""
    if not isinstance(value, str) or "\0" in value or value in {"", ".", "..", RUN_JSON}:
        return False
    return PurePath(value).name == value and len(value.encode()) <= _LONGEST_NAME_BYTES


def _build(value: Any) -> int | None:
    if value is not None and (type(value) is not int or value < 1):
        raise FormatError(f"build is no number of a build: {spelled(value)}")
    return value


# -- files of a run ---------------------------------------------------------------------------------------------------
# Which files of a run folder trtlens wrote itself, and which are somebody else's and stay.


RUN_JSON = "run.json"

CAPTURES = frozenset({"profile", "dump", "marked"})
"""The kinds of runs that trtlens captured itself; another one was kept from a log."""
_CAPTURED = (
    r"run\.json|verbose\.log|layers\.json|engine\.plan|timing\.cache|converted\.onnx(\.data)?|calibration\.cache|inputs\.npz|dump\.json|plan\.json"
    r"|accuracy\.json|(latency-|layer-|graph-)?times\.json|gpu-state\.json|kernels-(stream|graph)\.jsonl(\.gz)?"
)
_OURS = re.compile(
    rf"((marked|cure)/\d+/)?({_CAPTURED})|cure/cure\.json|tables/\w+\.parquet|tensors/\d{{5}}_[\w.-]+\.(npy|bin)"
    r"|(.+/)?\.trtlens-\w+\.tmp(/.+)?|\..+\.\d+\.tmp",  # left by a write that was killed; the second form is 0.1.0's
    re.ASCII,
)
_FOLDERS = re.compile(r"tables|tensors|(marked|cure)(/\d+)?|(.+/)?\.trtlens-\w+\.tmp(/.+)?", re.ASCII)


def is_captured(name: str) -> bool:
    """Whether a file of that name, compressed or not, is one that a capture writes."""
    return re.fullmatch(rf"({_CAPTURED})(\.(gz|xz|zst))?", name, re.ASCII) is not None


def is_run(folder: Path) -> bool:
    """Whether a folder of that name is a run; a name that no file can have is none."""
    try:
        return (folder / RUN_JSON).is_file()
    except (OSError, ValueError):
        return False


def foreign_files(folder: Path, raw: Collection[str]) -> list[str]:
    """Paths within a run of the files and folders that trtlens did not write, sorted; of ``raw`` the run holds copies."""
    files, folders = _entries(folder)
    foreign = [path for path in files if path not in raw and not _OURS.fullmatch(path)]
    return sorted([*foreign, *(path for path in folders if not _FOLDERS.fullmatch(path))])


def _entries(folder: Path) -> tuple[list[str], list[str]]:
    """Every file and every folder below, by its path with slashes."""
    files: list[str] = []
    folders: list[str] = []
    for place, inner_folders, inner_files in os.walk(folder):
        inner = Path(place).relative_to(folder)
        files += [(inner / name).as_posix() for name in inner_files]
        folders += [(inner / name).as_posix() for name in inner_folders]
    return files, folders
