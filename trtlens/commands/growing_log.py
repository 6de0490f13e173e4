"""Logs that are still being written: a file that grows, is truncated or rotated, and a pipe."""

from __future__ import annotations

import codecs
import os
import select
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

from trtlens.errors import TrtlensError, reason

if TYPE_CHECKING:
    from pathlib import Path

PIECE = 1 << 18
"""Bytes that are read at once."""
_PACKED = (b"\x1f\x8b", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")
_WIDE = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


@dataclass(slots=True)
class _Text:
    """Bytes of a log as UTF-8, whatever they were written in."""

    _decoder: codecs.IncrementalDecoder | None = None
    _is_begun: bool = False

    def plain(self, data: bytes, path: Path | None) -> bytes:
        if not self._is_begun and data:
            self._is_begun = True
            if path is not None and data.startswith(_PACKED):
                raise TrtlensError(f"{path} is compressed, so it does not grow: trtlens parse {path}")
            encoding = _WIDE.get(data[:2])
            self._decoder = codecs.getincrementaldecoder(encoding)("replace") if encoding else None
        return data if self._decoder is None else self._decoder.decode(data).encode()


@dataclass(slots=True)
class GrowingFile:
    """A file that grows, and never says that it ended."""

    path: Path
    ended: bool = False
    failure: str | None = None
    _file: BinaryIO | None = None
    _text: _Text = field(default_factory=_Text)
    _is_anew: bool = False

    def read(self) -> bytes:
        """What has come since the last call, at most a piece of it; nothing while there is no file.

        Raises:
            TrtlensError: it cannot be read, or is compressed.

        """
        try:
            return self._read()
        except OSError as error:
            raise TrtlensError(f"{self.path} cannot be read ({reason(error)}): check the name") from error

    def took_anew(self) -> bool:
        """Whether the file was truncated or replaced since this was asked last, so that it is read from its beginning."""
        anew, self._is_anew = self._is_anew, False
        return anew

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _read(self) -> bytes:
        if self._file is None and not self._open():
            return b""
        assert self._file is not None  # noqa: S101  just opened
        data = self._file.read(PIECE)
        if data:
            return self._text.plain(data, self.path)
        if self._is_replaced():
            self.close()
            self._is_anew, self._text = True, _Text()
        return b""

    def _open(self) -> bool:
        try:
            self._file = self.path.open("rb", buffering=0)
        except FileNotFoundError:
            return False
        return True

    def _is_replaced(self) -> bool:
        """Whether the open file was truncated, or its name stands for another one now."""
        assert self._file is not None  # noqa: S101  asked for an open file alone
        mine = os.fstat(self._file.fileno())
        try:
            there = self.path.stat()
        except FileNotFoundError:
            return False  # moved away, and no other has come yet
        return (mine.st_dev, mine.st_ino) != (there.st_dev, there.st_ino) or there.st_size < self._file.tell()


_SET_SIZE = 1031
"""F_SETPIPE_SZ of Linux."""


def widen_pipe(descriptor: int) -> None:
    """Let a pipe hold more, so that its writer does not wait for us; what is no pipe stays as it is."""
    with suppress(ImportError, OSError):
        import fcntl  # noqa: PLC0415  there is none on Windows

        fcntl.fcntl(descriptor, _SET_SIZE, PIECE)


@dataclass(slots=True)
class Pipe:
    """Standard input, copied to a file as it comes; `ended` once its writer closed it.

    Reading goes on where the copy cannot be written: a pipe that nobody reads stops the build. `failure` then says why.
    """

    descriptor: int
    copy: BinaryIO
    ended: bool = False
    failure: str | None = None
    _text: _Text = field(default_factory=_Text)

    def read(self) -> bytes:
        """What has come since the last call, at most a piece of it."""
        try:
            if not select.select([self.descriptor], [], [], 0)[0]:
                return b""
            data = os.read(self.descriptor, PIECE)
        except OSError as error:
            raise TrtlensError(f"standard input cannot be read ({reason(error)}): give a log") from error
        self.ended = not data
        if self.failure is None:
            try:
                self.copy.write(data)
                self.copy.flush()
            except OSError as error:
                self.failure = reason(error)
        return self._text.plain(data, None)

    def took_anew(self) -> bool:
        """Never: a pipe has no beginning to go back to."""
        return False

    def close(self) -> None:
        """Close the copy."""
        with suppress(OSError):
            self.copy.close()
