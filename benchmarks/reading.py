"""Measures reading: log bytes to Arrow tables in one process, against two baselines in the same run.

Baselines: a plain Python loop that only splits the log into lines and matches the prefix, and ``grep -c``.
Run: ``python benchmarks/reading.py [MB ...]`` (default 150).
"""

from __future__ import annotations

import itertools
import lzma
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from trtlens import open_run

CAPTURES = Path(__file__).parents[1] / "fixtures" / "resnet50-h200"
_PREFIX = re.compile(r"\[\d\d/\d\d/\d{4}-\d\d:\d\d:\d\d\] \[([A-Z])\] (\[TRT\] )?")


def capture(name: str) -> bytes:
    """The verbose log of one of the captured builds."""
    return lzma.decompress((CAPTURES / name / "verbose.log.xz").read_bytes())


def make_log(path: Path, megabytes: int) -> int:
    """Write the captures' logs, repeated to the size and cut there; the number of bytes written."""
    logs, size = itertools.cycle([capture(name) for name in ("fp32", "fp16", "int8")]), megabytes * 10**6
    with path.open("wb") as file:
        while file.tell() < size:
            file.write(next(logs)[: size - file.tell()])
    return size


def plain_loop(path: Path) -> int:
    """Lines whose prefix matches: the least that a reader in Python can do."""
    matched = 0
    with path.open(encoding="utf-8") as file:
        for line in file:
            matched += _PREFIX.match(line) is not None
    return matched


def timed(label: str, call: object, size: int) -> float:
    """Seconds of one call, printed with its throughput."""
    begin = time.perf_counter()
    call()  # type: ignore[operator]
    seconds = time.perf_counter() - begin
    print(f"{label:<28} {seconds:7.2f} s {size / seconds / 1e6:7.0f} MB/s", flush=True)
    return seconds


def measure(megabytes: int) -> None:
    """Measure one size and print the ratios."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "verbose.log"
        size = make_log(path, megabytes)
        print(f"{size / 1e6:.0f} MB")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        ours = timed("trtlens, to Arrow tables", lambda: open_run(path), size)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        loop = timed("plain loop over lines", lambda: plain_loop(path), size)
        grep = timed(
            "grep -c Tactic",
            lambda: subprocess.run(["grep", "-a", "-c", "Tactic", str(path)], check=True, stdout=subprocess.PIPE),
            size,
        )
        print(f"trtlens / plain loop {ours / loop:.1f}, trtlens / grep {ours / grep:.0f}")
        print(f"peak memory {peak / 1024:.0f} MiB ({before / 1024:.0f} before), {peak * 1024 / size:.2f} times the log")


if __name__ == "__main__":
    for argument in sys.argv[1:] or ["150"]:
        measure(int(argument))
