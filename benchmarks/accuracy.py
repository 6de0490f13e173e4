"""Times the comparison of a pair of float32 tensors against `numpy.abs(a - b).max()` on the same mapped files.

`python benchmarks/accuracy.py [MEGABYTES] [FOLDER]`: writes two files of that size in all (1024 MB by default), then
prints seconds, the ratio, and how far the process grew beyond the mapped pages. Linux only for the memory figures.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from trtlens.accuracy.metrics import measure
from trtlens.accuracy.tensors import RawFile, Tensor

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 3


def write_pair(folder: Path, megabytes: int) -> tuple[Tensor, Tensor]:
    """Two float32 files of normal numbers, `megabytes` together, whose difference is a thousandth of them."""
    elements = megabytes * 2**20 // 8
    random = np.random.default_rng(20)
    paths = folder / "reference.bin", folder / "run.bin"
    with paths[0].open("wb") as reference, paths[1].open("wb") as run:
        for start in range(0, elements, 1 << 22):
            values = random.standard_normal(min(1 << 22, elements - start), dtype=np.float32)
            values.tofile(reference)
            (values + np.float32(1e-3) * random.standard_normal(values.size, dtype=np.float32)).tofile(run)
    made = [Tensor(path.stem, "fp32", (elements,), RawFile(path, np.dtype("<f4"), elements)) for path in paths]
    return made[0], made[1]


def best_seconds(work: Callable[[], object]) -> float:
    """The shortest of some rounds, the first of which may still read the disk."""
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def anonymous_megabytes() -> float:
    """Memory of this process that no file backs, at this moment."""
    for line in Path("/proc/self/status").read_text("ascii").split("\n"):
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) / 1024
    return float("nan")


def main() -> None:
    """Print the figures."""
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 1024
    with tempfile.TemporaryDirectory(dir=sys.argv[2] if len(sys.argv) > 2 else None) as folder:
        reference, run = write_pair(Path(folder), megabytes)
        a, b = (np.memmap(Path(folder) / f"{tensor.name}.bin", np.float32, "r") for tensor in (reference, run))
        before = anonymous_megabytes()
        plain = best_seconds(lambda: measure(reference, run))
        with_ulp = best_seconds(lambda: measure(reference, run, ulp_type="fp16"))
        grown = anonymous_megabytes() - before
        numpy = best_seconds(lambda: np.abs(a - b).max())
    print(f"{megabytes} MB of float32 in two files, best of {ROUNDS}")
    print(f"numpy.abs(a - b).max()            {numpy:7.2f} s")
    print(f"all metrics                       {plain:7.2f} s  {plain / numpy:5.1f} times")
    print(f"all metrics with FP16 ULP         {with_ulp:7.2f} s  {with_ulp / numpy:5.1f} times")
    print(f"memory beyond the mapped files    {grown:7.1f} MB more than before")


if __name__ == "__main__":
    main()
