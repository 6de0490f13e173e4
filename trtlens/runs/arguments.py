"""What a user types for a run: a path, several files of one run joined by commas, and a build of a log that holds several."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from trtlens.errors import TrtlensError
from trtlens.runs.ingest import export_kind
from trtlens.runs.run import open_run
from trtlens.runs.sources import path_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trtlens.runs.run import Run

_BUILD = re.compile(r"(?P<path>.+)@(?P<build>\d{1,9})")
_PACKED = frozenset({".gz", ".xz", ".zst"})


@dataclass(frozen=True, slots=True)
class RunArgument:
    """One run as typed: its files and, where ``@2`` was added, the build."""

    text: str
    paths: tuple[str, ...]
    build: int | None

    def open(self) -> Run:
        """Open the run.

        Raises:
            TrtlensError: a file cannot be read, or the files are not of one run.

        """
        return open_run(list(self.paths), build=self.build)


def read_argument(text: str) -> RunArgument:
    """Files and build of an argument; commas and ``@`` in the name of a file that exists are part of the name.

    Raises:
        TrtlensError: no file is named.

    """
    if Path(text).exists():
        return RunArgument(text, (text,), None)
    match = _BUILD.fullmatch(text)
    rest, build = (match["path"], int(match["build"])) if match else (text, None)
    paths = (rest,) if Path(rest).exists() else tuple(part for part in rest.split(",") if part)
    if not paths:
        raise TrtlensError(f"{text!r} names no run: give a run folder, a log, or files of one run joined by commas")
    return RunArgument(text, paths, build)


def read_arguments(texts: Sequence[str]) -> list[RunArgument]:
    """The runs that arguments name, in their order.

    A log, a run folder, or files joined by commas begin a run; a JSON file or a trace belongs to the run before it (else to the log
    behind it), unless that has one of its kind already: two files of ``--exportLayerInfo`` are two engines.

    Raises:
        TrtlensError: an argument names no file, or one that cannot be read.

    """
    found: list[RunArgument] = []
    kinds: set[str | None] = set()
    for text in texts:
        argument = read_argument(text)
        kind = _kind(argument) if len(texts) > 1 else _RUN
        if found and kind not in kinds and _RUN not in kinds and kind != _RUN:
            found[-1] = _joined(found[-1], argument, kind)
            kinds.add(kind)
        else:
            found.append(argument)
            kinds = {kind}
    return found


_RUN, _LOG = "run", None


def _joined(first: RunArgument, second: RunArgument, kind: str | None) -> RunArgument:
    """A run with one more file; it is named after its log."""
    paths = (*first.paths, *second.paths) if kind is not _LOG else (*second.paths, *first.paths)
    return RunArgument(second.text if kind is _LOG else first.text, paths, first.build or second.build)


def _kind(argument: RunArgument) -> str | None:
    """Kind of an export, `_LOG` of a log, `_RUN` of what is a run by itself: a folder, or several files."""
    if len(argument.paths) > 1 or Path(argument.paths[0]).is_dir():
        return _RUN
    path = argument.paths[0]
    return export_kind(path) if Path(path).is_file() else _LOG  # a pipe is read once


def run_names(arguments: Sequence[RunArgument]) -> list[str]:
    """Short names that tell the runs apart: what their paths do not have in common, without endings of files.

    ``a/fp16/verbose.log`` and ``a/int8/verbose.log`` are ``fp16`` and ``int8``. Equal arguments get numbers.
    """
    parts = [_parts(argument) for argument in arguments]
    while min(map(len, parts), default=0) > 1 and len({one[-1] for one in parts}) == 1:
        parts = [one[:-1] for one in parts]
    while (shorter := [one[1:] or one for one in parts]) != parts and _told_apart(shorter) == _told_apart(parts):
        parts = shorter
    names = ["/".join(one) for one in parts]
    return [name if names.count(name) == 1 else f"{name} ({place})" for place, name in enumerate(names, 1)]


def _told_apart(parts: Sequence[Sequence[str]]) -> int:
    return len(set(map(tuple, parts)))


def _parts(argument: RunArgument) -> list[str]:
    path = PurePath(path_text(argument.paths[0]))
    name = path.name
    while PurePath(name).suffix in _PACKED:
        name = PurePath(name).stem
    if PurePath(name).suffix in {".log", ".txt", ".json"}:
        name = PurePath(name).stem
    build = "" if argument.build is None else f"@{argument.build}"
    return [*(part for part in path.parts[:-1] if part not in {"/", ".", ".."}), f"{name or path}{build}"]
