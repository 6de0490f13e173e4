"""Files and folders that are never half written and never take the place of what a user made."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import stat
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from trtlens._version import VERSION
from trtlens.errors import TrtlensError, reason
from trtlens.runs.run_info import foreign_files, is_run, read_info
from trtlens.runs.stops import STOPS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

GENERATOR = f"trtlens {VERSION}"
"""What documents name as their generator within their first bytes: in HTML and JSON, in images as PNG and SVG have it."""
_OURS = re.compile(rb'generator(?:"[^\n]{0,12}|=)"trtlens |Software\0trtlens ')
_HEAD_BYTES = 4096
_KINDS = {
    stat.S_IFDIR: "a folder", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device", stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
}  # fmt: skip
_HERE = -100
_EXCHANGE = 2
_MOST_NAMED = 3

# -- files -----------------------------------------------------------------------------------------------------------


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file to fill that takes its name only when the block ends well; a link of that name stays, what it names is replaced.

    Raises:
        TrtlensError: the file cannot be written.

    """
    place = _place_of(path)
    temporary = _hidden(place)
    try:
        with temporary.open("xb") as file:
            yield file
        mode = regular_mode(path)
        if mode is not None:
            temporary.chmod(stat.S_IMODE(mode))
        temporary.replace(place)
    except OSError as error:
        raise TrtlensError(f"{path} cannot be written ({reason(error)}): free the place or choose another") from error
    finally:
        with STOPS.held():
            temporary.unlink(missing_ok=True)


def write_whole(path: Path, data: bytes | memoryview) -> Path:
    """Write a file that is never seen half written.

    Raises:
        TrtlensError: the file cannot be written.

    """
    with whole_file(path) as file:
        file.write(data)
    return path


def write_document(path: Path, text: str | bytes) -> None:
    """Write a document that names `GENERATOR`; it may replace an older one of trtlens, and nothing else.

    Raises:
        TrtlensError: something else stands there, or the file cannot be written.

    """
    check_place(path)
    with whole_file(path) as file:
        file.write(text.encode() if isinstance(text, str) else text)
        check_place(path)  # again: something may have come there while the document was made


def check_place(path: Path) -> None:
    """Ask whether a document may be written there, before the work that makes it: a new name, or an older document of ours.

    Raises:
        TrtlensError: anything else stands there, or its folder cannot be written.

    """
    try:
        mode = regular_mode(path)
        if mode is None:
            _check_parent(path, _place_of(path).parent)
    except OSError as error:
        raise TrtlensError(f"{path} cannot be written ({reason(error)}): choose another name") from error
    if mode is not None and not _is_ours(path):
        raise TrtlensError(
            f"{path} holds something that trtlens did not write, so it is left alone: choose another name"
        )


def regular_mode(path: Path) -> int | None:
    """The mode of a file to write, None where there is none yet.

    Raises:
        TrtlensError: a folder, a device or a pipe stands there.
        OSError: the system cannot tell.

    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(mode):
        raise TrtlensError(f"{path} is {_KINDS.get(stat.S_IFMT(mode), 'no file')}: give the name of a file")
    return mode


def _check_parent(path: Path, parent: Path) -> None:
    if not parent.is_dir():
        raise TrtlensError(f"{path} cannot be written: there is no folder {parent}; make it first")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise TrtlensError(f"{path} cannot be written: no permission to write in {parent}; choose another place")


def _is_ours(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError:
        return False
    return not head or _OURS.search(head) is not None


# -- folders of runs -------------------------------------------------------------------------------------------------


def remove_folder(folder: Path) -> None:
    """Remove a folder of ours with all that is in it."""
    with STOPS.held():
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def new_folder(out: Path, *, force: bool = False, replaced: Callable[[Path], object] = remove_folder) -> Iterator[Path]:
    """A folder to fill that takes the name ``out`` only when the block ends well; on an error nothing is left.

    ``replaced`` is told where the run is that had the name, and by default removes it.

    Raises:
        TrtlensError: `check_folder` refuses ``out``, at the beginning or at the end, or it cannot be written.

    """
    place = check_folder(out, force=force)
    made = _hidden(place)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        made.mkdir()
        yield made
        with STOPS.held():
            _put_in_place(made, check_folder(out, force=force), force=force)
            if made.exists():
                replaced(made)
    except OSError as error:
        remove_folder(made)
        raise TrtlensError(f"the run cannot be written to {out} ({reason(error)}): choose another folder") from error
    except BaseException:
        remove_folder(made)
        raise


def take_back(place: Path, replaced: Path | None) -> None:
    """Remove a new run, and give its name back to the run that it replaced, if any.

    Raises:
        TrtlensError: something in the new run is not trtlens' own.
        OSError: the folders cannot be renamed.

    """
    _check_foreign(place, place)
    with STOPS.held():
        if replaced is not None:
            _exchange(replaced, place)
        remove_folder(place if replaced is None else replaced)


def check_folder(out: Path, *, force: bool = False) -> Path:
    """Ask whether a run may take the name ``out``, before the work that makes it; returns the place, links resolved.

    Raises:
        TrtlensError: ``out`` is a file or the folder that one is in, or holds something and ``force`` is not given, or,
            even with ``force``, holds anything that trtlens did not write.

    """
    try:
        return _checked_folder(out, force=force)
    except OSError as error:
        raise TrtlensError(f"no run can be written to {out} ({reason(error)}): choose another folder") from error


def _checked_folder(out: Path, *, force: bool) -> Path:
    place = _place_of(out)
    if not place.exists():
        return place
    if not place.is_dir():
        raise TrtlensError(f"{out} is a file: give the name of a folder for the run")
    if place in (here := _place_of(Path()), *here.parents):
        raise TrtlensError(
            f"{out} is the folder that you are in, which a run cannot replace: give the name of a new one"
        )
    if not any(place.iterdir()):
        return place
    if not force:
        raise TrtlensError(f"{out} holds files already: choose another folder, or overwrite the run with --force")
    if not is_run(place):
        raise TrtlensError(f"{out} holds files that are not a run, so it is left alone: choose another folder")
    _check_foreign(out, place)
    return place


def _check_foreign(out: Path, place: Path) -> None:
    foreign = foreign_files(place, read_info(place).raw or ())
    if foreign:
        named = ", ".join(foreign[:_MOST_NAMED]) + (
            f" and {rest} more" if (rest := len(foreign) - _MOST_NAMED) > 0 else ""
        )
        raise TrtlensError(
            f"{out} holds what trtlens did not write ({named}), so it is left alone: move that away or choose another folder"
        )


def _put_in_place(made: Path, place: Path, *, force: bool) -> None:
    """Give the new folder its name; a replaced run is in ``made`` then. The system refuses any other folder with files."""
    if not force or not is_run(place):
        made.rename(place)
        return
    _exchange(made, place)
    try:
        _check_foreign(place, made)
    except TrtlensError:
        _exchange(made, place)
        raise


def _exchange(made: Path, place: Path) -> None:
    """Swap two folders: in one step where the system can, so that the name always holds a run."""
    if _exchanged_at_once(made, place):
        return
    aside = _hidden(place)
    place.rename(aside)
    try:
        made.rename(place)
    except OSError:
        aside.rename(place)
        raise
    aside.rename(made)


def _exchanged_at_once(one: Path, other: Path) -> bool:
    """Linux's renameat2 with RENAME_EXCHANGE, which Python has no function for; some file systems refuse it."""
    import ctypes  # noqa: PLC0415  most commands replace no run

    call = getattr(ctypes.CDLL(None), "renameat2", None) if os.name == "posix" else None
    return call is not None and call(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0


# -- names -----------------------------------------------------------------------------------------------------------


def _place_of(path: Path) -> Path:
    """The absolute path with every link resolved, whether it is there or not."""
    return Path(os.path.realpath(path))


def _hidden(place: Path) -> Path:
    """A new name beside it, for what is being made; short, since a name may take all the 255 bytes that it can have."""
    return place.with_name(f".trtlens-{secrets.token_hex(8)}.tmp")
