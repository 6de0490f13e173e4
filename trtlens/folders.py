"""Files and folders that are never half written and never overwrite what a user made."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from trtlens._version import VERSION
from trtlens.errors import TrtlensError

if TYPE_CHECKING:
    from collections.abc import Iterator

RUN_JSON = "run.json"
GENERATOR = f"trtlens {VERSION}"
"""What documents name as their generator within their first bytes, in HTML and in JSON."""
_OURS = re.compile(rb'generator"[^\n]{0,12}"trtlens ')
_HEAD_BYTES = 4096


def write_whole(path: Path, data: bytes | memoryview) -> Path:
    """Write a file that is never seen half written.

    Raises:
        TrtlensError: the file cannot be written.

    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise TrtlensError(f"{path} cannot be written ({error.strerror}): free the place or choose another") from error
    return path


def write_document(path: Path, text: str) -> None:
    """Write a document that names `GENERATOR`; it may replace an older one of trtlens, and nothing else.

    Raises:
        TrtlensError: something else stands there, or the file cannot be written.

    """
    check_place(path)
    write_whole(path, text.encode())


def check_place(path: Path) -> None:
    """Ask whether a document may be written there, before the work that makes it.

    Raises:
        TrtlensError: a folder stands there, or a file that trtlens did not write.

    """
    if path.is_dir():
        raise TrtlensError(f"{path} is a folder: give the name of a file")
    if path.exists() and not _is_ours(path):
        raise TrtlensError(
            f"{path} holds something that trtlens did not write, so it is left alone: choose another name"
        )


def _is_ours(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError:
        return False
    return not head or _OURS.search(head) is not None


@contextmanager
def new_folder(out: Path, *, force: bool = False) -> Iterator[Path]:
    """A folder to fill that takes the name ``out`` only when the block ends well; on an error nothing is left.

    Raises:
        TrtlensError: ``out`` is a file, or holds something and ``force`` is not given, or holds something that is no
            run even with ``force``, or cannot be written.

    """
    out = Path(os.path.abspath(out))  # noqa: PTH100  resolve() would follow a link that the user chose
    _check_free(out, force=force)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".tmp", dir=out.parent))
    except OSError as error:
        raise TrtlensError(f"no run can be written to {out} ({error.strerror}): choose another folder") from error
    try:
        made.chmod(0o755)
        yield made
        _put_in_place(made, out)
    except OSError as error:
        raise TrtlensError(f"the run cannot be written to {out} ({error.strerror}): choose another folder") from error
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _check_free(out: Path, *, force: bool) -> None:
    if not out.exists():
        return
    if not out.is_dir():
        raise TrtlensError(f"{out} is a file: give the name of a folder for the run")
    if not any(out.iterdir()):
        return
    if not force:
        raise TrtlensError(f"{out} holds files already: choose another folder, or overwrite the run with --force")
    if not (out / RUN_JSON).is_file():
        raise TrtlensError(f"{out} holds files that are not a run, so it is left alone: choose another folder")


def _put_in_place(made: Path, out: Path) -> None:
    """Rename the new folder to its place; what stood there goes away only once the new one stands."""
    if not out.exists():
        made.rename(out)
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".old", dir=out.parent))
    out.rename(aside / out.name)
    made.rename(out)
    shutil.rmtree(aside, ignore_errors=True)
