"""Runs made by hand for tests: a few layers with tensors, nodes and times, without a log."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from trtlens.runs.run import Run
from trtlens.runs.run_info import info_of
from trtlens.tables.declarations import TABLES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True)
class MadeLayer:
    """One engine layer; it reads the output of the layer before, unless ``reads`` says otherwise."""

    name: str
    type: str = "CaskConvolution"
    nodes: tuple[str, ...] = ()
    precision: str | None = "fp16"
    unit: str | None = "tensor core"
    kernel: str | None = "kernel_a"
    tactic: int | None = 1
    reads: tuple[str, ...] | None = None
    writes: tuple[str, ...] | None = None

    @property
    def is_reformat(self) -> bool:
        """As TensorRT types them."""
        return self.type == "Reformat"


@dataclass(frozen=True)
class MadeRun:
    """What a run holds; ``times`` are samples by layer (layers x executions), ``profile`` averages by layer name."""

    layers: Sequence[MadeLayer]
    times: NDArray[np.float64] | None = None
    profile: Mapping[str, float] | None = None
    profile_source: str = "export"
    chosen: Sequence[tuple[str, float]] = ()
    nodes: Sequence[tuple[str, str, Sequence[str], Sequence[str]]] = ()
    inference_ms: Sequence[float] = ()
    tables: Mapping[str, Mapping[str, Sequence[Any]]] = field(default_factory=dict)
    info: Mapping[str, Any] = field(default_factory=dict)

    def run(self, name: str = "made") -> Run:
        """The run with every declared table."""
        tables = {table: spec.empty() for table, spec in TABLES.items()}
        for table, columns in {**self._facts(), **self._timed(), **self.tables}.items():
            count = len(next(iter(columns.values())))
            known = {column.name: columns.get(column.name, [None] * count) for column in TABLES[table].columns}
            keys = {key: [1] * count for key in known.keys() & {"build", "run"}}
            tables[table] = TABLES[table].table({**known, **keys})
        return Run(name, tables, None, info_of(self.info))

    def _facts(self) -> dict[str, dict[str, Sequence[Any]]]:
        layers = list(enumerate(self.layers))
        tensors = [row for place, layer in layers for row in self._tensors(place, layer)]
        return {
            "builds": {"build": [1], "is_build": [True], "finished": [True], "complete": [True]},
            "layers": {
                "index": [place for place, _ in layers],
                "name": [layer.name for layer in self.layers],
                "type": [layer.type for layer in self.layers],
                "precision": [layer.precision for layer in self.layers],
                "unit": [layer.unit for layer in self.layers],
                "tactic_name": [layer.kernel for layer in self.layers],
                "tactic_id": [layer.tactic for layer in self.layers],
                "is_reformat": [layer.is_reformat for layer in self.layers],
                "onnx_nodes": [list(layer.nodes) or None for layer in self.layers],
            },
            "layer_tensors": {
                "layer_index": [row[0] for row in tensors],
                "direction": [row[1] for row in tensors],
                "position": [row[2] for row in tensors],
                "name": [row[3] for row in tensors],
                "dims": [[1, 8]] * len(tensors),
            },
            "nodes": {
                "index": list(range(len(self.nodes))),
                "name": [node[0] for node in self.nodes],
                "op": [node[1] for node in self.nodes],
                "inputs": [list(node[2]) for node in self.nodes],
                "outputs": [list(node[3]) for node in self.nodes],
            },
        }

    def _tensors(self, place: int, layer: MadeLayer) -> list[tuple[int, str, int, str]]:
        reads = layer.reads if layer.reads is not None else (f"t{place}",)
        writes = layer.writes if layer.writes is not None else (f"t{place + 1}",)
        return [
            *((place, "input", number, name) for number, name in enumerate(reads)),
            *((place, "output", number, name) for number, name in enumerate(writes)),
        ]

    def _timed(self) -> dict[str, dict[str, Sequence[Any]]]:
        found: dict[str, dict[str, Sequence[Any]]] = {}
        if self.times is not None:
            count, executions = self.times.shape
            found["layer_times"] = {
                "index": np.repeat(np.arange(count), executions).tolist(),
                "layer": [layer.name for layer in self.layers for _ in range(executions)],
                "iteration": list(range(executions)) * count,
                "time_ms": self.times.ravel().tolist(),
            }
        if self.profile is not None:
            found["layer_profile"] = {
                "index": list(range(len(self.profile))),
                "layer": list(self.profile),
                "average_ms": list(self.profile.values()),
                "source": [self.profile_source] * len(self.profile),
            }
        if self.chosen:
            found["candidates"] = {
                "layer": [layer for layer, _ in self.chosen],
                "time_ms": [time for _, time in self.chosen],
                "chosen": [True] * len(self.chosen),
                "line": list(range(1, len(self.chosen) + 1)),
            }
        if self.inference_ms:
            found["run_times"] = {
                "pass": ["timing"] * len(self.inference_ms),
                "iteration": list(range(len(self.inference_ms))),
                "gpu_ms": list(self.inference_ms),
            }
        return found


def chain(*names: str, **facts: Any) -> list[MadeLayer]:
    """Layers one behind the other, each holding the node of its name."""
    return [MadeLayer(name, nodes=(name,), **facts) for name in names]
