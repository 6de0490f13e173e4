"""Measures cold starts: each command in a process of its own, beside one that only imports what Arrow tables need.

Baseline: ``python -c "import pyarrow.compute"``. The logs are made of the ResNet-50 captures: 11 MB of three builds, and
one build with 30,000 candidates (the tuner's record of the INT8 build twice).
Run: ``python benchmarks/start.py [TIMES]`` (default 5).
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from reading import capture, make_log

TRTLENS = [sys.executable, "-m", "trtlens"]
_FIRST, _LAST = "=============== Computing costs for ", "Formats and tactics selection completed"
_LAYER = "/layer4/layer4.1/conv2/Conv + /layer4/layer4.1/relu_1/Relu"


def make_long_build(path: Path, build: str, copies: int) -> None:
    """Write the log of a captured build with its tuner's record so many times."""
    lines = capture(build).decode().splitlines(keepends=True)
    first = next(place for place, line in enumerate(lines) if _FIRST in line)
    last = next(place for place, line in enumerate(lines) if _LAST in line)
    path.write_text("".join([*lines[:first], *(copies * lines[first:last]), *lines[last:]]), "utf-8")


def seconds(command: list[str]) -> float:
    """Wall-clock seconds of a process from its start to its end."""
    begin = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


def measure(times: int) -> None:
    """Start every command so many times, in turn, and print the fastest and the median start."""
    with tempfile.TemporaryDirectory() as folder:
        log, long_build = Path(folder) / "verbose.log", Path(folder) / "long.log"
        size = make_log(log, 11)
        make_long_build(long_build, "int8", 2)
        commands = {
            "import pyarrow.compute": [sys.executable, "-c", "import pyarrow.compute"],
            "trtlens --help": [*TRTLENS, "--help"],
            "completion of a view": [*TRTLENS, "__complete", "zsh", "1", "show", "tens"],
            "completion of a layer": [*TRTLENS, "__complete", "zsh", "1", "why", "/layer4", str(log)],
            f"trtlens parse, {size / 1e6:.0f} MB": [*TRTLENS, "parse", str(log)],
            "trtlens why, 30,000 candidates": [*TRTLENS, "why", _LAYER, str(long_build)],
        }
        taken = {label: [] for label in commands}
        for _ in range(times):
            for label, command in commands.items():
                taken[label].append(seconds(command))
    baseline = min(taken["import pyarrow.compute"])
    for label, found in taken.items():
        fastest = min(found)
        print(
            f"{label:<32} {fastest:5.2f} s, median {statistics.median(found):5.2f} s, {fastest / baseline:4.1f} times"
        )


if __name__ == "__main__":
    measure(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
