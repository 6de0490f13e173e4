"""The engine's graph as a picture: how large each node is, what is written on it, and where it stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trtlens.charts.drawing.style import UNKNOWN
from trtlens.engine.flow import IDLE, LAYER, REFORMAT, read_flow
from trtlens.engine.name_paths import layer_paths
from trtlens.errors import TrtlensError
from trtlens.output import visible
from trtlens.quantities import duration
from trtlens.report.layered_layout import Box, lay_out
from trtlens.runs.run import once
from trtlens.tuning.wording import counted, tensor_text
from trtlens.views import NO_LAYERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trtlens.engine.flow import EngineFlow, FlowEdge, FlowNode
    from trtlens.engine.kernels_run import RanKernel
    from trtlens.engine.name_paths import Path
    from trtlens.report.layered_layout import Layout
    from trtlens.runs.run import Run

NO_TENSORS = (
    "the layers are listed without their tensors, so how they are connected is not known: add the file of trtexec "
    "--exportLayerInfo with --profilingVerbosity=detailed"
)
_SIZES = {LAYER: (214.0, 40.0), REFORMAT: (146.0, 20.0), IDLE: (146.0, 18.0)}
"""Width and height of a node that takes no time."""
_TERMINAL = (150.0, 22.0)
_WEIGHTS = {REFORMAT: 0.25, IDLE: 0.25}
_BESIDE = 2.0**-18
"""Weight of what reads constants alone."""
_WIDE, _TALL = 1.7, 0.6
_TALLEST = 90.0
"""What the slowest layer is higher than one without time; others in proportion to their time."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What is written on a node: its name in short, the facts below it, its precision; and the path of its name."""

    label: str
    detail: str
    precision: str
    path: Path
    box: Box


@dataclass(frozen=True, slots=True)
class EnginePicture:
    """The flow of an engine, each node with its text, and its layout, also for a window that is higher than wide."""

    flow: EngineFlow
    shown: Sequence[Shown]
    layout: Layout
    tall: Layout


@once
def engine_picture(run: Run, build: int | None) -> EnginePicture:
    """The picture of one build's engine.

    Raises:
        TrtlensError: the run lists no engine layers, or these without tensors; the message says what would help.

    """
    flow = None if build is None else read_flow(run, build)
    if build is None or flow is None or not flow.nodes:
        raise TrtlensError(NO_LAYERS)
    if not flow.edges and len(flow.nodes) > 1:
        raise TrtlensError(NO_TENSORS)
    paths = layer_paths(run, build)
    slowest = max((node.time_ms or 0.0 for node in flow.nodes), default=0.0)
    light = _from_constants(flow)
    shown = []
    for place, node in enumerate(flow.nodes):
        path = paths[node.layer.index] if node.layer else None
        box = _box(node, slowest, _BESIDE if place in light else _WEIGHTS.get(node.kind, 1.0))
        label = path.label if path and node.kind == LAYER else _reformat(node) if node.kind == REFORMAT else node.name
        precision = (node.layer.precision if node.layer else None) or UNKNOWN
        shown.append(Shown(visible(label), _detail(node, flow), precision, path.path if path else (), box))
    edges = [(edge.source, edge.target) for edge in flow.edges]
    return EnginePicture(flow, shown, *lay_out([one.box for one in shown], edges, _WIDE, _TALL))


def _from_constants(flow: EngineFlow) -> set[int]:
    """Places of the layers that read constants alone: they stand beside the flow."""
    reads = {edge.target for edge in flow.edges}
    return {place for place, node in enumerate(flow.nodes) if node.layer is not None and place not in reads}


def _box(node: FlowNode, slowest: float, weight: float) -> Box:
    width, height = _SIZES.get(node.kind, _TERMINAL)
    more = _TALLEST * (node.time_ms or 0.0) / slowest if slowest else 0.0
    return Box(width, round(height + more, 1), weight)


def _detail(node: FlowNode, flow: EngineFlow) -> str:
    layer = node.layer
    if layer is None:
        return node.kind
    parts = []
    if layer.time_ms is None:
        parts.append("time unknown" if flow.time_source else None)
    elif node.kind != IDLE:
        share = f" · {100 * layer.time_ms / flow.total_ms:.1f} %" if flow.total_ms and node.kind == LAYER else ""
        parts.append(duration(layer.time_ms) + share)
    if len(node.kernels) > 1:
        parts.append(counted(len(node.kernels), "kernel", "kernels"))
    parts += [layer.precision, layer.unit] if node.kind == LAYER else []
    return " · ".join(part for part in parts if part)


def _reformat(node: FlowNode) -> str:
    """What a reformat changes: the types, else the layouts, else what the engine says that it is."""
    layer = node.layer
    if layer is None or len(layer.inputs) != 1 or len(layer.outputs) != 1:
        return "reformat"
    before, after = layer.inputs[0], layer.outputs[0]
    if before.dtype and after.dtype and before.dtype != after.dtype:
        return f"{before.dtype} → {after.dtype}"
    if before.layout and after.layout and before.layout != after.layout:
        return f"{before.layout} → {after.layout}"
    return str(layer.row["reformat_kind"] or "reformat")


def form_text(edge: FlowEdge) -> str:
    """Type, layout and dimensions of the tensor of an edge."""
    tensor = edge.tensor
    return visible(tensor_text(tensor.dtype, tensor.layout, tensor.vector_width, tensor.dims))


def kernel_text(launch: RanKernel) -> str:
    """A kernel in short: what its name says of it, else the name."""
    decoded = launch.decoded
    work = "" if decoded is None else " ".join(decoded.operations) or decoded.operation or ""
    return visible(f"{work}: {launch.kernel}" if work else launch.kernel)
