"""The engine of one build: its layers of one optimization profile, its ONNX nodes, its fusions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from trtlens.errors import TrtlensError
from trtlens.tables.engine_layers import EngineLayer, read_layers
from trtlens.tuning.kept_strategy import kept_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from trtlens.runs.run import Run

_PROFILE = re.compile(r" \[profile (\d{1,4})\]")


@dataclass(frozen=True, slots=True)
class PlacedLayer(EngineLayer):
    """An engine layer by its ``position`` among the layers of one optimization profile."""

    position: int = 0


@dataclass(frozen=True, slots=True)
class OnnxNode:
    """One node as TensorRT's ONNX parser read it."""

    name: str
    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BuiltEngine:
    """What one build's engine holds. ``fusions`` are the sources and the result (where the log states it) of each fusion.

    ``foreign`` holds the nodes of Myelin regions by name, where the tuner lists them (10.x). ``profile`` is the optimisation profile whose layers are compared; an engine holds all its layers once for each.
    """

    name: str
    run: Run
    build: int
    layers: tuple[PlacedLayer, ...]
    nodes: tuple[OnnxNode, ...]
    fusions: tuple[tuple[tuple[str, ...], str | None], ...]
    foreign: Mapping[str, tuple[str, ...]]
    profile: int
    profiles: int

    @property
    def network_inputs(self) -> frozenset[str]:
        """Tensors that some layer reads and none writes; empty where the log does not show tensors."""
        written = {name for layer in self.layers for name in layer.output_names}
        return frozenset(name for layer in self.layers for name in layer.input_names) - written


def read_engine(name: str, run: Run, build: int | None = None) -> BuiltEngine:
    """The engine of one build of a run, by default the last one whose layers the run lists.

    Raises:
        TrtlensError: the run has no such build, or lists no engine layers.

    """
    number = _build_with_layers(name, run) if build is None else build
    one = run.build(number)
    layers = read_layers(one).get(number, [])
    if not layers:
        raise TrtlensError(
            f"{name} lists no engine layers{'' if build is None else f' in build {build}'}: compare verbose logs, or add "
            "the JSON of trtexec --exportLayerInfo with --profilingVerbosity=detailed"
        )
    profile, profiles = _profile(layers, one)
    kept = [layer for layer, number_of in zip(layers, _profiles_of(layers), strict=True) if number_of == profile]
    return BuiltEngine(
        name=name, run=one, build=number,
        layers=tuple(PlacedLayer(layer.row, layer.inputs, layer.outputs, at) for at, layer in enumerate(kept)),
        nodes=_nodes(one), fusions=_fusions(one), foreign=_foreign(one),
        profile=profile, profiles=profiles,
    )  # fmt: skip


def _build_with_layers(name: str, run: Run) -> int:
    built = {row["build"] for row in run["builds"].select(["build", "complete"]).to_pylist() if row["complete"]}
    listed = sorted(pc.unique(run["layers"]["build"]).to_pylist())
    if not listed:
        known = run["builds"]["build"].to_pylist()
        if not known:
            raise TrtlensError(
                f"{name} holds no build: give a verbose TensorRT log, a run folder or the inspector's JSON"
            )
        return int(known[-1])
    return int(max([number for number in listed if number in built] or listed))


def _columns(table: pa.Table, *names: str) -> zip[tuple[Any, ...]]:
    return zip(*(table.column(name).to_pylist() for name in names), strict=True)


def _profiles_of(layers: Sequence[EngineLayer]) -> list[int]:
    """The optimisation profile of each layer: engines list them profile by profile, not every name is marked."""
    numbers, current = [], 0
    for layer in layers:
        found = _PROFILE.search(layer.name)
        current = int(found[1]) if found else current
        numbers.append(current)
    return numbers


def _profile(layers: Sequence[EngineLayer], run: Run) -> tuple[int, int]:
    """The profile to compare (the timed one, else the first) and how many the engine holds."""
    profiles = _profiles_of(layers)
    held = sorted(set(profiles))
    timed = {name for table in ("layer_times", "layer_profile", "kernel_launches") for name in _names(run[table])}
    of_timed = {number for layer, number in zip(layers, profiles, strict=True) if layer.name in timed}
    return min(of_timed, default=held[0]), len(held)


def _names(table: pa.Table) -> list[str]:
    return [name for name in pc.unique(table["layer"]).to_pylist() if name]


def _nodes(run: Run) -> tuple[OnnxNode, ...]:
    rows = sorted(_columns(run["nodes"], "index", "name", "op", "inputs", "outputs"), key=lambda row: row[0])
    return tuple(OnnxNode(name or "", op or "", tuple(ins or ()), tuple(outs or ())) for _, name, op, ins, outs in rows)


def _fusions(run: Run) -> tuple[tuple[tuple[str, ...], str | None], ...]:
    rows = _columns(kept_rows(run, "fusions"), "kind", "sources", "result")
    return tuple((tuple(sources or ()), result) for kind, sources, result in rows if kind in {"fused", "merged"})


def _foreign(run: Run) -> dict[str, tuple[str, ...]]:
    rows = _columns(kept_rows(run, "regions"), "layer", "onnx_nodes")
    return {str(layer): tuple(nodes) for layer, nodes in rows if layer and nodes}
