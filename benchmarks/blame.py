"""Tells faults of a compiler from faults of the precision: planted ones, and healthy networks in which there is none.

Run: ``python benchmarks/blame.py``. An engine's double runs each network as fused FP16 kernels would; see
`tests/accuracy/planted_faults.py`, which plants the faults. It needs onnx and ONNX Runtime, and no GPU.
``--engines`` builds them with TensorRT and runs them on the GPU instead, held to FP16: those without INT8 ranges and long sums,
which an engine's kernels need not have. It takes cuBLAS and cuDNN for absent.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import onnx

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.accuracy.planted_faults import HEALTHY, Planted, compiler_faults, in_int8, judged, precision_faults
from trtlens.accuracy.local_errors import OK, PRECISION, SUSPECT
from trtlens.accuracy.readers import open_dump

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from trtlens.accuracy.readers import Dump

    Kind = tuple[str, set[str], list[Planted]]

_SEEDS, _SEEDS_INT8 = (1, 2), (1, 2, 3, 4)
_CONVOLUTIONS = (0, 1, 3)
"""Networks whose layers have INT8 kernels."""
_HELD_TO_FP16 = {
    "fp16": True, "precisionConstraints": "obey", "layerPrecisions": "*:fp16", "layerOutputTypes": "*:fp16",
    "tacticSources": "-CUBLAS,-CUBLAS_LT,-CUDNN,+EDGE_MASK_CONVOLUTIONS,+JIT_CONVOLUTIONS", "builderOptimizationLevel": "1",
}  # fmt: skip


def main() -> int:
    """Print each fault that is judged wrongly, and the counts; 1 where there is one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engines", action="store_true", help="real engines on a GPU, not their doubles")
    begin, wrong = time.perf_counter(), 0
    with_engines = parser.parse_args().engines
    for kind, expected, planted in _of_engines() if with_engines else _of_doubles():
        missed = [told for one in planted for told in _missed(one, expected, _run if with_engines else None)]
        wrong += len(missed)
        print(f"{kind:<24} {len(planted) - len(missed)} of {len(planted)}", *missed, sep="\n  " if missed else "")
    print(f"{time.perf_counter() - begin:.1f} s")
    return int(wrong > 0)


def _missed(one: Planted, expected: set[str], run: Callable[[Planted, Path], Dump] | None) -> Iterator[str]:
    """The name of a fault that is judged wrongly, and how."""
    rows = judged(one, run)
    verdict = min((row["verdict"] or "" for row in rows), key=[SUSPECT, "", "unclear", PRECISION, OK].index, default="")
    if verdict not in expected:
        yield f"{one.name}: {verdict or 'no verdict'}"


def _of_doubles() -> list[Kind]:
    quantized = [in_int8(HEALTHY[place](seed)) for place in _CONVOLUTIONS for seed in _SEEDS_INT8]
    return [
        ("faults of a compiler", {SUSPECT}, list(compiler_faults())),
        ("faults of the precision", {PRECISION, OK}, list(precision_faults())),
        ("healthy in FP16", {OK}, _healthy()),
        ("healthy in INT8", {OK, PRECISION}, quantized),
    ]


def _healthy() -> list[Planted]:
    return [Planted(net.name, net, net) for make in HEALTHY for seed in _SEEDS for net in [make(seed)]]


# -- real engines ------------------------------------------------------------------------------------------------------


def _of_engines() -> list[Kind]:
    """Every third of the compiler's faults, every second of the precision's that an engine must show, and the healthy networks."""
    precision = [one for one in precision_faults() if one.precision == "fp16" and not one.half_sums]
    return [
        ("faults of a compiler", {SUSPECT}, list(compiler_faults())[::3]),
        ("faults of the precision", {PRECISION, OK}, precision[::2]),
        ("healthy in FP16", {OK}, _healthy()),
    ]


def _run(planted: Planted, folder: Path) -> Dump:
    """What TensorRT's engine of the planted network writes."""
    from trtlens.capture.backends.backend import find_backend  # noqa: PLC0415
    from trtlens.capture.build_options import parse_options  # noqa: PLC0415
    from trtlens.capture.dumping.engine_dump import EngineDumpRequest, dump_engine  # noqa: PLC0415
    from trtlens.capture.models.inputs import InputRecipe  # noqa: PLC0415
    from trtlens.capture.models.onnx_inputs import Feeds  # noqa: PLC0415

    given, model, fed = planted.engine, folder / "engine.onnx", folder / "fed"
    onnx.save(given.model, str(model))
    fed.mkdir()
    Feeds(dict(given.feeds), {}, ()).save(fed)
    outputs = {info.name for info in given.model.graph.output}
    marked = [name for name in given.kept if name not in outputs and name not in given.feeds]
    request = EngineDumpRequest(
        parse_options(_HELD_TO_FP16), InputRecipe(file=fed), mark=",".join(marked) or "boundaries", method="outputs"
    )
    return open_dump(dump_engine(model, folder / "run", request, find_backend("tensorrt")).folder)


if __name__ == "__main__":
    raise SystemExit(main())
