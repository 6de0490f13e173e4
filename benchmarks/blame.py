"""Tells faults of a compiler from faults of the precision: planted ones, and healthy networks in which there is none.

Run: ``python benchmarks/blame.py``. An engine's double runs each network as fused FP16 kernels would; see
`tests/accuracy/planted_faults.py`, which plants the faults. It needs onnx and ONNX Runtime, and no GPU.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.accuracy.planted_faults import HEALTHY, Planted, compiler_faults, in_int8, judged, precision_faults
from trtlens.accuracy.local_errors import OK, PRECISION, SUSPECT

_SEEDS, _SEEDS_INT8 = (1, 2), (1, 2, 3, 4)
_CONVOLUTIONS = (0, 1, 3)
"""Networks whose layers have INT8 kernels."""


def main() -> int:
    """Print each fault that is judged wrongly, and the counts; 1 where there is one."""
    begin, wrong = time.perf_counter(), 0
    healthy = [Planted(net.name, net, net) for make in HEALTHY for seed in _SEEDS for net in [make(seed)]]
    for kind, expected, planted in (
        ("faults of a compiler", {SUSPECT}, list(compiler_faults())),
        ("faults of the precision", {PRECISION, OK}, list(precision_faults())),
        ("healthy in FP16", {OK}, healthy),
        (
            "healthy in INT8",
            {OK, PRECISION},
            [in_int8(HEALTHY[place](seed)) for place in _CONVOLUTIONS for seed in _SEEDS_INT8],
        ),
    ):
        missed = []
        for one in planted:
            rows = judged(one)
            verdict = min((row["verdict"] or "" for row in rows), key=[SUSPECT, "", "unclear", PRECISION, OK].index)
            if verdict not in expected:
                missed.append(one.name)
        wrong += len(missed)
        print(f"{kind:<24} {len(planted) - len(missed)} of {len(planted)}", *missed, sep="\n  " if missed else "")
    print(f"{time.perf_counter() - begin:.1f} s")
    return int(wrong > 0)


if __name__ == "__main__":
    raise SystemExit(main())
