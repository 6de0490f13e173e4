"""Searches the cures of planted faults with a real TensorRT on a GPU, and prints edges, builds, cure and cost of each.

Run: ``python benchmarks/cure.py [PROCESSES]`` (processes that time each engine, by default 1; 0 times none). `tests/accuracy/planted_cures.py` plants
the faults: an engine is built of a faulty model until the tensors between two nodes are handed out, or a node is pinned to FP32. It
needs TensorRT with a GPU, onnx and ONNX Runtime, and takes cuBLAS and cuDNN for absent.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.accuracy.planted_cures import Place, of_pins, of_tactics, of_two, planted, searched
from trtlens.accuracy.cure_search import usual_builds
from trtlens.capture.backends.backend import find_backend
from trtlens.commands.cure_told import cost_sentence

_QUICK = {
    "tacticSources": "-CUBLAS,-CUBLAS_LT,-CUDNN,+EDGE_MASK_CONVOLUTIONS,+JIT_CONVOLUTIONS",
    "builderOptimizationLevel": "1",
}


def main() -> int:
    """Print a line for each fault; 1 where a cut that cures alone was not found in as many builds as suffice."""
    processes = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    backend, missed = find_backend("tensorrt"), 0
    cuts = planted()
    for fault in (*cuts, of_two(), of_pins(), of_tactics()):
        began = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            curing, found = searched(fault, Place(Path(folder) / "search", backend, _QUICK), processes=processes)
        edges = len(curing.judge.inside)
        counted = f"{len(curing.rows)} builds (usual: {usual_builds(edges)}), {time.perf_counter() - began:.0f} s"
        cure = "no cure" if found is None else f"{found.kind}: {', '.join(found.cure.chosen)}"
        print(f"{fault.name:<18} {edges:>3} edges  {counted:<32} {cure}")
        print(f"  {cost_sentence(curing.facts.get('cost'))}")
        is_found = (
            found is not None and set(found.cure.chosen) == fault.cuts and len(curing.rows) <= usual_builds(edges)
        )
        missed += fault in cuts and not is_found
    print(f"{len(cuts) - missed} of {len(cuts)} cuts found in at most log2(edges) + 2 builds")
    return int(missed > 0)


if __name__ == "__main__":
    raise SystemExit(main())
