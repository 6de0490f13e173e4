"""Archives and headers that are damaged or lie: one error with the file's name, whoever reads them, and no memory lost."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pytest

from trtlens.accuracy.npy import load_arrays, read_header
from trtlens.accuracy.readers import open_dump
from trtlens.accuracy.tensors import UnreadableTensor
from trtlens.capture.models.calibration import load_calibration_data
from trtlens.errors import TrtlensError

if TYPE_CHECKING:
    from pathlib import Path

METHODS = {
    "stored": zipfile.ZIP_STORED,
    "deflate": zipfile.ZIP_DEFLATED,
    "bzip2": zipfile.ZIP_BZIP2,
    "lzma": zipfile.ZIP_LZMA,
}


def compressed(path: Path, method: int) -> Path:
    """An archive of one array, `x`, in the middle of whose data bytes are changed."""
    numbers = np.random.default_rng(0).integers(0, 99, 4000)
    with zipfile.ZipFile(path, "w", method) as archive, archive.open("x.npy", "w") as member:
        np.lib.format.write_array(member, numbers)
    data = bytearray(path.read_bytes())
    for place in (80, len(data) // 2):
        data[place : place + 16] = bytes(byte ^ 0x5A for byte in data[place : place + 16])
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("method", METHODS)
def test_damaged_archives_are_refused_by_whoever_reads_them(method: str, tmp_path: Path) -> None:
    """Whatever the decompressors raise, the comparison, the inputs and the calibration data name the file."""
    path = compressed(tmp_path / "damaged.npz", METHODS[method])
    for read in (load_arrays, load_calibration_data):
        with pytest.raises(TrtlensError, match=r"damaged\.npz"):
            read(path)
    with pytest.raises((TrtlensError, UnreadableTensor), match=r"damaged\.npz"):
        open_dump(path).tensors["x"].array()


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 broken", b"no archive", b"\x93NUMPY"])
def test_what_is_no_archive_is_refused_by_whoever_reads_it(data: bytes, tmp_path: Path) -> None:
    """Other bytes under the name of an archive are told with the file's name."""
    path = tmp_path / "none.npz"
    path.write_bytes(data)
    for read in (load_arrays, load_calibration_data, open_dump):
        with pytest.raises(TrtlensError, match=r"none\.npz"):
            read(path)


def test_a_header_is_not_read_longer_than_it_may_be() -> None:
    """A header that claims gigabytes, which a small archive can hold, costs no memory."""
    asked: list[int] = []

    class Zeros(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            asked.append(size or 0)
            return super().read(size)

    with pytest.raises(UnreadableTensor, match="header cannot be read"):
        read_header(Zeros(b"\x93NUMPY\x02\x00" + (2**32 - 1).to_bytes(4, "little") + bytes(100_000)), 2**40)
    assert 0 < sum(asked) < 20_000
    assert min(asked) > 0


def test_calibration_data_without_numbers(tmp_path: Path) -> None:
    """Texts and dates are refused: they cannot be fed."""
    for values in (np.array(["a"]), np.zeros(2, "M8[s]")):
        np.savez(tmp_path / "odd.npz", input=values)
        with pytest.raises(TrtlensError, match="no numbers"):
            load_calibration_data(tmp_path / "odd.npz")
