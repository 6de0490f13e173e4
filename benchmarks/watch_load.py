"""How much of a core `trtlens watch` takes while a log grows by 1 MB/s: python benchmarks/watch_load.py [SECONDS] [MB_PER_S].

The log is that of a ResNet-50 in FP16, again and again. Start and end of the program are not in the figure. Linux alone.
"""

from __future__ import annotations

import lzma
import os
import pty
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

LOG = Path(__file__).parents[1] / "fixtures" / "resnet50-h200" / "fp16" / "verbose.log.xz"
SETTLING_S = 3.0
WRITES_PER_S = 50


def grow(file: Path, seconds: float, rate: float) -> None:
    """Write the log at a rate in bytes a second."""
    text = lzma.decompress(LOG.read_bytes())
    began, written = time.monotonic(), 0
    with file.open("ab", buffering=0) as out:
        while time.monotonic() - began < seconds:
            due = int((time.monotonic() - began) * rate)
            while written < due:
                start = written % len(text)
                written += out.write(text[start : start + due - written])
            time.sleep(1 / WRITES_PER_S)


def cpu_s(process: int) -> float:
    """User and system time of a process so far, in seconds."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def watched(seconds: float, rate: float, *, terminal: bool) -> float:
    """The share of a core that watching takes, drawn on a terminal or not."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "build.log")
        log.touch()
        master, slave = pty.openpty()
        out = slave if terminal else subprocess.DEVNULL
        command = [sys.executable, "-m", "trtlens", "watch", str(log)]
        with subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL) as child:
            threading.Thread(target=lambda: [None for _ in iter(lambda: _drained(master), b"")], daemon=True).start()
            writer = threading.Thread(target=grow, args=(log, seconds + SETTLING_S + 1, rate))
            writer.start()
            time.sleep(SETTLING_S)
            before, began = cpu_s(child.pid), time.monotonic()
            time.sleep(seconds)
            share = (cpu_s(child.pid) - before) / (time.monotonic() - began)
            child.terminate()
            writer.join()
        os.close(slave)
    return share


def _drained(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 1 << 16)
    except OSError:
        return b""


def main() -> None:
    """Print the share with and without a terminal."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 20.0
    rate = (float(sys.argv[2]) if len(sys.argv) > 2 else 1.0) * 1e6
    for terminal in (True, False):
        share = watched(seconds, rate, terminal=terminal)
        where = "on a terminal" if terminal else "without a terminal"
        print(f"{where}: {100 * share:.2f} % of a core at {rate / 1e6:g} MB/s, over {seconds:g} s")


if __name__ == "__main__":
    main()
