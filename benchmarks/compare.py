"""How long a comparison of large runs takes: `python benchmarks/compare.py [RUNS] [LAYERS] [EXECUTIONS]`.

Each made-up run holds a chain of convolutions with ReLU; the builder fused a share of the pairs that differs from run to run,
and put a reformat before every tenth layer. Prints seconds for aligning and measuring, and for each result on top of that.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np

from trtlens.comparison import Comparison, compare_runs
from trtlens.comparison.gate import judge_checks, read_check
from trtlens.comparison.headlines import tell
from trtlens.comparison.result_tables import change_table, region_table
from trtlens.runs.run import Run
from trtlens.tables.declarations import TABLES


def make_run(name: str, layers: int, executions: int, seed: int) -> Run:
    """A run of about so many engine layers, timed so often."""
    random = np.random.default_rng(seed)
    rows: list[tuple[str, str, list[str], str, str]] = []  # name, type, nodes, input, output
    nodes: list[tuple[str, str, str, str]] = []
    tensor = "input"
    block = 0
    while len(rows) < layers:
        conv, relu = f"/body/block.{block}/conv/Conv", f"/body/block.{block}/act/Relu"
        middle, end = f"{conv}_output_0", f"{relu}_output_0"
        nodes += [(conv, "Conv", tensor, middle), (relu, "Relu", middle, end)]
        source = tensor
        fused = f"{conv} + {relu}" if random.random() < 0.8 else conv
        if block % 10 == seed % 10:
            source = f"Reformatted Input Tensor 0 to {fused}"
            rows.append((f"Reformatting CopyNode for Input Tensor 0 to {fused}", "Reformat", [], tensor, source))
        if fused == conv:
            rows += [(conv, "CaskConvolution", [conv], source, middle), (relu, "PointWiseV2", [relu], middle, end)]
        else:
            rows.append((fused, "CaskConvolution", [conv, relu], source, end))
        tensor, block = end, block + 1
    return Run(name, _tables(rows[:layers], nodes, random, executions))


def _tables(rows: list[Any], nodes: list[Any], random: np.random.Generator, executions: int) -> dict[str, Any]:
    count, index = len(rows), list(range(len(rows)))
    names = [row[0] for row in rows]
    times = random.gamma(20.0, 0.0005, count)[:, None] * random.normal(1.0, 0.02, (count, executions))
    tables = {name: spec.empty() for name, spec in TABLES.items()}
    tables["builds"] = _filled("builds", 1, {"build": [1], "is_build": [True], "complete": [True]})
    layers: dict[str, list[Any]] = {
        "build": [1] * count,
        "index": index,
        "name": names,
        "type": [row[1] for row in rows],
        "tactic_name": [f"sm80_xmma_fprop_implicit_gemm_f16f16_f16f16_f16_{n % 7}" for n in index],
        "precision": ["fp16"] * count,
        "unit": ["tensor core"] * count,
        "is_reformat": [row[1] == "Reformat" for row in rows],
        "onnx_nodes": [row[2] or None for row in rows],
    }
    tables["layers"] = _filled("layers", count, layers)
    tensors: dict[str, list[Any]] = {
        "build": [1] * 2 * count,
        "layer_index": [n for n in index for _ in range(2)],
        "direction": ["input", "output"] * count,
        "position": [0] * 2 * count,
        "name": [tensor for row in rows for tensor in row[3:5]],
        "dims": [[8, 64, 56, 56]] * 2 * count,
    }
    tables["layer_tensors"] = _filled("layer_tensors", 2 * count, tensors)
    graph: dict[str, list[Any]] = {
        "build": [1] * len(nodes),
        "index": list(range(len(nodes))),
        "name": [node[0] for node in nodes],
        "op": [node[1] for node in nodes],
        "inputs": [[node[2]] for node in nodes],
        "outputs": [[node[3]] for node in nodes],
    }
    tables["nodes"] = _filled("nodes", len(nodes), graph)
    samples: dict[str, list[Any]] = {
        "build": [1] * times.size,
        "index": np.repeat(index, executions).tolist(),
        "layer": [name for name in names for _ in range(executions)],
        "iteration": list(range(executions)) * count,
        "time_ms": times.ravel().tolist(),
    }
    tables["layer_times"] = _filled("layer_times", times.size, samples)
    return tables


def _filled(name: str, count: int, columns: dict[str, list[Any]]) -> Any:
    spec = TABLES[name]
    return spec.table({column.name: columns.get(column.name, [None] * count) for column in spec.columns})


def main() -> None:
    """Make the runs and print the seconds of each step."""
    runs, layers, executions = (int(text) for text in [*sys.argv[1:], *["5", "2000", "50"][len(sys.argv) - 1 :]])
    made = [make_run(f"run{number}", layers, executions, number) for number in range(runs)]
    start = time.perf_counter()
    comparison = compare_runs(made)
    _ = comparison.rows, comparison.totals
    print(f"{runs} runs of {layers} layers, {executions} executions: {len(comparison.rows)} regions")
    print(f"  align and measure  {time.perf_counter() - start:6.2f} s")
    check = read_check("latency > +3%")
    steps: dict[str, Any] = {
        "regions": region_table,
        "changes": change_table,
        "headlines": tell,
        "a check": lambda c: judge_checks(c, [check]),
    }
    for name, step in steps.items():
        _timed(name, step, comparison)
    print(f"  everything         {time.perf_counter() - start:6.2f} s")


def _timed(name: str, step: Any, comparison: Comparison) -> None:
    start = time.perf_counter()
    step(comparison)
    print(f"  {name:<18} {time.perf_counter() - start:6.2f} s")


if __name__ == "__main__":
    main()
