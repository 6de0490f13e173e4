"""Times engine files in many processes, by trtlens and by a C++ loop that shares no code with it, in turn, and says how they agree.

The loop is event_loop.cpp beside this file, compiled. Of each engine it prints the median of the processes' medians by both and their
ratio; of how many processes the median lies in the interval that all others state (99 % confidence); and whether the even and
the odd processes of one engine are found to differ, which they must not be.

    python benchmarks/timing_processes.py ENGINE... --loop ./event_loop [--processes 10] [--duration 500] [--stream] [--json FILE]

Needs TensorRT, cuda-bindings and a GPU.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from trtlens.capture.own_process import in_own_process
from trtlens.capture.timing.engine_session import TimingOptions
from trtlens.capture.timing.launch_queue import Samples, join_samples
from trtlens.capture.timing.processes import TimedEngine, measure_alone
from trtlens.statistics import Z, by_process, summarize, typical_error, typical_ms


@dataclass(frozen=True, slots=True)
class Timed:
    """One engine: the samples of each process of trtlens, and the medians of the loop's processes, in milliseconds."""

    name: str
    ours: list[Samples]
    loop_ms: list[float]

    def row(self) -> dict[str, object]:
        """How both agree."""
        medians = [float(np.median(one.gpu_ms)) for one in self.ours]
        loop = float(np.median(self.loop_ms)) if self.loop_ms else float("nan")
        return {
            "engine": self.name,
            "ours_ms": float(np.median(medians)),
            "loop_ms": loop,
            "ratio": float(np.median(medians)) / loop,
            "spread_percent": 100 * (max(medians) / min(medians) - 1),
            "held": sum(self._holds(number, median) for number, median in enumerate(medians)),
            "processes": len(medians),
            "same_differ": self._halves_differ(),
            "ours": medians,
            "loop": self.loop_ms,
        }

    def _holds(self, number: int, median: float) -> bool:
        """Whether the interval of five others, those that ran next, holds the median of one process."""
        count = len(self.ours)
        others = join_samples([self.ours[(number + step) % count] for step in range(1, min(6, count))])
        found = summarize(others.gpu_ms, others.process)
        if found is None or found.median_low_ms is None or found.median_high_ms is None:
            return False
        return found.median_low_ms <= median <= found.median_high_ms

    def _halves_differ(self) -> bool:
        halves = [join_samples(self.ours[start::2]) for start in (0, 1)]
        apart = [by_process(half.gpu_ms, half.process) for half in halves]
        error = sum((typical_error(one) or 0.0) ** 2 for one in apart) ** 0.5
        return abs(typical_ms(apart[0]) - typical_ms(apart[1])) > Z * error


def time_engine_file(path: Path, loop: Path | None, processes: int, duration_ms: float, *, graph: bool) -> Timed:
    """Both in turn, in new processes."""
    options = TimingOptions(cuda_graph=graph, duration_ms=duration_ms, latency_iterations=0, layer_iterations=0)
    engine = TimedEngine(path, "tensorrt", options)
    ours, told = [], []
    for number in range(processes):
        ours.append(in_own_process("timed the engine", measure_alone, engine).samples)
        if loop is not None and number < processes - processes // 2:
            told.append(_loop_ms(loop, path, duration_ms, graph=graph))
    name = path.parent.name if path.name == "engine.plan" else path.stem
    return Timed(name, [replace(one, process=np.ones(len(one), np.int64)) for one in ours], told)


def _loop_ms(loop: Path, path: Path, duration_ms: float, *, graph: bool) -> float:
    command = [str(loop), str(path), "graph" if graph else "stream", "200", str(duration_ms)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[0])


def main() -> int:
    """Print a row an engine."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("engines", nargs="+", type=Path)
    parser.add_argument("--loop", type=Path)
    parser.add_argument("--processes", type=int, default=10)
    parser.add_argument("--duration", type=float, default=500.0, help="of each process [ms]")
    parser.add_argument("--stream", action="store_true", help="without a CUDA graph")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    rows = []
    for path in given.engines:
        timed = time_engine_file(path, given.loop, given.processes, given.duration, graph=not given.stream)
        rows.append(timed.row())
        print(
            "{engine:24} ours {ours_ms:.4f} ms  loop {loop_ms:.4f} ms  ratio {ratio:.4f}  spread {spread_percent:.2f} %  "
            "held {held}/{processes}  same engine differs: {same_differ}".format(**rows[-1]),
            flush=True,
        )
        if given.json is not None:
            given.json.write_text(json.dumps(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
