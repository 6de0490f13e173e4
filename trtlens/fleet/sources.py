"""What is added to a fleet: files, globs, folders, archives of CI artifacts, and object stores, each as one run or many."""

from __future__ import annotations

import glob
import re
import shutil
import tarfile
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import IO, TYPE_CHECKING

from trtlens.errors import TrtlensError, reason
from trtlens.fleet.store import is_url, remote_of
from trtlens.runs.arguments import read_argument
from trtlens.runs.run_info import is_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_LOG = re.compile(r".+\.(?:log|txt|out)(?:\.\d{1,4})?(?:\.(?:gz|xz|zst))?", re.IGNORECASE | re.DOTALL)
"""Files of folders, archives and prefixes that are taken for logs; a file that is named itself is taken whatever its name."""
_ARCHIVE = re.compile(r".+\.(?:tar(?:\.(?:gz|xz|bz2))?|tgz|txz|zip)", re.IGNORECASE | re.DOTALL)
_GLOB = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class Source:
    """One run to add: its files, or one member of an archive; ``bytes`` is their size as they lie there."""

    name: str
    paths: tuple[str, ...]
    bytes: int
    member: str | None = None


def find_sources(arguments: Sequence[str]) -> list[Source]:
    """The runs that the arguments name, each once, in order.

    Raises:
        TrtlensError: an argument names nothing, or a place that cannot be read.

    """
    found: dict[str, Source] = {}
    for argument in arguments:
        try:
            sources = list(_sources_of(argument))
        except (OSError, tarfile.TarError, zipfile.BadZipFile) as error:
            raise TrtlensError(f"{argument} cannot be read ({error}): check the name") from error
        if not sources:
            raise TrtlensError(
                f"{argument} names no logs: folders and archives are searched for *.log, *.txt and *.out"
            )
        found.update((source.name, source) for source in sources)
    return list(found.values())


def _sources_of(argument: str) -> Iterator[Source]:
    if is_url(argument):
        yield from _of_url(argument)
    elif Path(argument).is_dir():
        yield from _of_folder(Path(argument))
    elif _GLOB.search(argument) and not Path(argument).exists():
        for path in sorted(glob.glob(argument, recursive=True)):  # noqa: PTH207  a pattern may be absolute
            yield from _of_folder(Path(path)) if Path(path).is_dir() else _of_file(Path(path))
    else:
        paths = read_argument(argument).paths
        if len(paths) > 1:
            yield Source(argument, paths, sum(Path(path).stat().st_size for path in paths))
        else:
            yield from _of_file(Path(paths[0]))


def _of_file(path: Path) -> Iterator[Source]:
    if _ARCHIVE.fullmatch(path.name):
        yield from _of_archive(path)
    else:
        yield Source(str(path), (str(path),), path.stat().st_size)


def _of_folder(folder: Path) -> Iterator[Source]:
    if is_run(folder):
        yield Source(
            str(folder), (str(folder),), sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
        )
        return
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink():
            yield from _of_folder(path)
        elif path.is_file() and (_LOG.fullmatch(path.name) or _ARCHIVE.fullmatch(path.name)):
            yield from _of_file(path)


def _of_archive(path: Path) -> Iterator[Source]:
    sizes: list[tuple[str, int]]
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as packed:
            sizes = [(one.filename, one.file_size) for one in packed.infolist() if not one.is_dir()]
    else:
        with tarfile.open(path) as tar:
            sizes = [(one.name, one.size) for one in tar if one.isfile()]
    for member, size in sizes:
        if _LOG.fullmatch(PurePath(member).name):
            yield Source(f"{path}:{member}", (str(path),), size, member)


def _of_url(url: str) -> Iterator[Source]:
    remote = remote_of(url)
    listed = remote.glob(url, detail=True) if _GLOB.search(url) else remote.find(url, detail=True)
    for path, facts in sorted(listed.items()):
        if facts.get("type") != "directory" and (len(listed) == 1 or _LOG.fullmatch(PurePath(path).name)):
            address = remote.unstrip_protocol(path)
            yield Source(address, (address,), int(facts.get("size") or 0))


# -- local copies -----------------------------------------------------------------------------------------------------


@contextmanager
def opened_archives() -> Iterator[Callable[[Source, Path], list[str]]]:
    """A function that gives the local files of a source: its own, or copies of what lies in an archive or an object store.

    Archives stay open while the block lasts. The function raises OSError where something cannot be read.
    """
    opened: dict[str, zipfile.ZipFile | tarfile.TarFile] = {}

    def local(source: Source, folder: Path) -> list[str]:
        path = source.paths[0]
        if source.member is None and not is_url(path):
            return list(source.paths)
        copy = folder / (PurePath(source.member or path).name or "verbose.log")
        if source.member is None:
            remote_of(path).get_file(path, str(copy))
            return [str(copy)]
        if path not in opened:
            opened[path] = zipfile.ZipFile(path) if zipfile.is_zipfile(path) else tarfile.open(path)  # noqa: SIM115  closed below
        try:
            with _member(opened[path], source.member) as packed, copy.open("wb") as file:
                shutil.copyfileobj(packed, file)
        except (tarfile.TarError, zipfile.BadZipFile, KeyError, RuntimeError, NotImplementedError, EOFError) as error:
            raise OSError(f"its archive cannot be read: {error}") from error
        return [str(copy)]

    try:
        yield local
    finally:
        for archive in opened.values():
            archive.close()


def _member(archive: zipfile.ZipFile | tarfile.TarFile, name: str) -> IO[bytes]:
    if isinstance(archive, zipfile.ZipFile):
        return archive.open(name)
    found = archive.extractfile(name)
    if found is None:
        raise KeyError(name)
    return found


# -- labels -----------------------------------------------------------------------------------------------------------


def read_labels(given: Sequence[str]) -> dict[str, str]:
    """Labels as typed: ``machine=ci-7``.

    Raises:
        TrtlensError: one is not of that form.

    """
    pairs = [text.partition("=") for text in given]
    for name, equals, value in pairs:
        if not (re.fullmatch(r"\w{1,80}", name) and equals and value):
            raise TrtlensError(f"{name + equals + value!r} is no label: write NAME=TEXT, as machine=ci-7")
    return {name: value for name, _, value in pairs}


def labels_of_path(form: str | None, name: str) -> dict[str, str]:
    """Labels that stand in a source's name: ``{machine}/{date}`` takes them from the last folders, as does ``{model}.log``.

    Raises:
        TrtlensError: a label stands twice in one part.

    """
    if form is None:
        return {}
    parts, wanted = name.replace(":", "/").split("/"), form.split("/")
    found: dict[str, str] = {}
    for part, pattern in zip(parts[-len(wanted) :], wanted, strict=False):
        pieces = re.split(r"\{([A-Za-z_]\w{0,79})\}", pattern)
        try:
            match = re.fullmatch("".join(_piece(text, place) for place, text in enumerate(pieces)), part)
        except re.error as error:
            raise TrtlensError(f"{form!r} is no form of a path ({error}): write {{machine}}/{{date}}/*.log") from error
        if match is None or len(parts) < len(wanted):
            return {}
        found.update(match.groupdict())
    return found


def _piece(text: str, place: int) -> str:
    """A label's name (odd places) or literal text with stars as a regular expression."""
    return f"(?P<{text}>[^/]+?)" if place % 2 else re.escape(text).replace(r"\*", "[^/]*")


def unreadable(source: Source, error: OSError) -> str:
    """Why a source could not be read at all."""
    return f"{source.name}: {reason(error)}"
