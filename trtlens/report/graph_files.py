"""The engine's graph for other tools: Graphviz (dot), GraphML (networkx, Gephi, yEd) and ONNX (Netron)."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape, quoteattr

from trtlens.charts.drawing.style import UNKNOWN, colour
from trtlens.engine.flow import INPUT, LAYER, OUTPUT, REFORMAT
from trtlens.errors import TrtlensError
from trtlens.output import visible
from trtlens.quantities import hexadecimal
from trtlens.report.engine_picture import engine_picture, form_text
from trtlens.runs.folders import GENERATOR

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from trtlens.engine.flow import EngineFlow, FlowNode
    from trtlens.report.engine_picture import EnginePicture
    from trtlens.runs.run import Run
    from trtlens.tables.engine_layers import Tensor

_SHAPES = {LAYER: "box", REFORMAT: "cds", INPUT: "oval", OUTPUT: "oval"}
_DOMAIN = "com.nvidia.tensorrt.engine"
_FACTS = {
    "index": "long",
    "type": "string",
    "precision": "string",
    "unit": "string",
    "time_ms": "double",
    "tactic": "string",
    "kernel": "string",
    "constants": "long",
}
_GRAPHML = {"name": "string", "kind": "string", "path": "string", **_FACTS}
_TYPES = {
    "fp32": "FLOAT", "fp16": "FLOAT16", "bf16": "BFLOAT16", "fp8": "FLOAT8E4M3FN", "fp4": "FLOAT4E2M1", "int8": "INT8", "int4": "INT4",
    "int32": "INT32", "int64": "INT64", "bool": "BOOL", "uint8": "UINT8",
}  # fmt: skip


def facts(node: FlowNode) -> dict[str, Any]:
    """What is known of a node's layer, by name; what is unknown is left out."""
    layer = node.layer
    if layer is None:
        return {}
    known = {
        "index": layer.index, "type": layer.type or None, "precision": layer.precision, "unit": layer.unit,
        "time_ms": None if layer.time_ms is None else float(f"{layer.time_ms:.7g}"),
        "tactic": None if layer.tactic_id is None else hexadecimal(layer.tactic_id), "kernel": layer.tactic_name, "constants": node.constants,
    }  # fmt: skip
    return {name: value for name, value in known.items() if value is not None}


# -- dot --------------------------------------------------------------------------------------------------------------


def graph_dot(run: Run, build: int | None) -> str:
    """The graph in Graphviz's language, coloured by precision, with all that is known of a layer in its tooltip.

    Raises:
        TrtlensError: the run lists no engine layers, or these without tensors.

    """
    picture = engine_picture(run, build)
    lines = [
        f'// generator="{GENERATOR}"', "digraph engine {", '  node [fontname="Helvetica", fontsize=11, style="filled,rounded"];',
        '  edge [fontname="Helvetica", fontsize=9, color="#8793a3"];', *_dot_nodes(picture),
        *(
            f"  n{edge.source} -> n{edge.target} [label={_quoted(form_text(edge))}, tooltip={_quoted(edge.tensor.name)}];"
            for edge in picture.flow.edges
        ),
        "}\n",
    ]  # fmt: skip
    return "\n".join(lines)


def _dot_nodes(picture: EnginePicture) -> Iterator[str]:
    for place, (node, shown) in enumerate(zip(picture.flow.nodes, picture.shown, strict=True)):
        ink = colour(None if shown.precision == UNKNOWN else shown.precision)
        fill = f"{ink}55" if node.kind == LAYER else "#334155" if node.kind == REFORMAT else "#ffffff"
        words = "#ffffff" if node.kind == REFORMAT else "#1c2430"
        told = "\n".join([node.name, *(f"{name}: {value}" for name, value in facts(node).items())])
        label = "\n".join(text for text in (shown.label, shown.detail) if text)
        yield (
            f'  n{place} [shape={_SHAPES.get(node.kind, "box")}, label={_quoted(label)}, tooltip={_quoted(told)}, fillcolor="{fill}", '
            f'color="{ink}", fontcolor="{words}"];'
        )


def _quoted(text: str) -> str:
    """A string of dot, its lines centred: quotation marks, backslashes and entities escaped, so that Graphviz shows them as they are."""
    lines = [visible(line).replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;") for line in text.split("\n")]
    return '"' + "\\n".join(lines) + '"'


# -- graphml ----------------------------------------------------------------------------------------------------------


def graph_graphml(run: Run, build: int | None) -> str:
    """The graph as GraphML 1.0: nodes and edges with what is known of them as typed data.

    Raises:
        TrtlensError: the run lists no engine layers, or these without tensors.

    """
    picture = engine_picture(run, build)
    keys = [f'<key id="{name}" for="node" attr.name="{name}" attr.type="{kind}"/>' for name, kind in _GRAPHML.items()]
    keys += [f'<key id="{name}" for="edge" attr.name="{name}" attr.type="string"/>' for name in ("tensor", "form")]
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>', f'<!-- generator="{GENERATOR}" -->', '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">',
        *keys, '<graph id="engine" edgedefault="directed">', *_graphml_nodes(picture),
        *(
            f'<edge id="e{number}" source="n{edge.source}" target="n{edge.target}">{_data("tensor", edge.tensor.name)}{_data("form", form_text(edge))}</edge>'
            for number, edge in enumerate(picture.flow.edges)
        ),
        "</graph>", "</graphml>\n",
    ]  # fmt: skip
    return "\n".join(lines)


def _graphml_nodes(picture: EnginePicture) -> Iterator[str]:
    for place, (node, shown) in enumerate(zip(picture.flow.nodes, picture.shown, strict=True)):
        known = {"name": node.name, "kind": node.kind, "path": "/".join(shown.path), **facts(node)}
        yield f'<node id="n{place}">{"".join(_data(name, value) for name, value in known.items())}</node>'


def _data(name: str, value: object) -> str:
    return f"<data key={quoteattr(name)}>{escape(visible(str(value)))}</data>"


# -- onnx -------------------------------------------------------------------------------------------------------------


def graph_onnx(run: Run, build: int | None) -> bytes:
    """The engine as an ONNX file to look at in Netron: each layer a node of its own domain, with what is known of it as attributes.

    The tensors have their types and dimensions. No runtime can run the file.

    Raises:
        TrtlensError: the run lists no engine layers, or these without tensors; or the package onnx is missing.

    """
    flow = engine_picture(run, build).flow
    try:
        from onnx import helper  # noqa: PLC0415
    except ImportError as error:
        raise TrtlensError("a file for Netron needs the package onnx: pip install onnx") from error
    names = _names(flow)
    known = {names[number]: edge.tensor for number, edge in enumerate(flow.edges)}
    values = {
        name: helper.make_tensor_value_info(name, _onnx_type(one), _onnx_dims(one)) for name, one in known.items()
    }
    read, written = defaultdict[int, list[str]](list), defaultdict[int, list[str]](list)
    for number, edge in enumerate(flow.edges):
        read[edge.target].append(names[number])
        written[edge.source].append(names[number])
    nodes = [
        helper.make_node(
            node.layer.type or node.kind, read[place], list(dict.fromkeys(written[place])), name=visible(node.name), domain=_DOMAIN,
            **{name: visible(value) if isinstance(value, str) else value for name, value in facts(node).items()},
        )
        for place, node in enumerate(flow.nodes) if node.layer is not None
    ]  # fmt: skip
    ends = {kind: list(_ends(flow, kind, names)) for kind in (INPUT, OUTPUT)}
    inner = [value for name, value in values.items() if name not in {*ends[INPUT], *ends[OUTPUT]}]
    graph = helper.make_graph(
        nodes, visible(run.name) or "engine", [values[name] for name in ends[INPUT]], [values[name] for name in ends[OUTPUT]], value_info=inner
    )  # fmt: skip
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid(_DOMAIN, 1)], producer_name="trtlens",
        doc_string=f'An engine of TensorRT to look at; it cannot be run. generator="{GENERATOR}"',
    )  # fmt: skip
    return bytes(model.SerializeToString(deterministic=True))


def _names(flow: EngineFlow) -> list[str]:
    """A name for the tensor of each edge: of one that several layers write, as parts of a concatenation, each part has its own."""
    makers: dict[str, dict[int, None]] = defaultdict(dict)
    for edge in flow.edges:
        makers[edge.tensor.name][edge.source] = None
    return [
        visible(edge.tensor.name) + (f" (part {part})" if (part := [*makers[edge.tensor.name]].index(edge.source)) else "")
        for edge in flow.edges
    ]  # fmt: skip


def _ends(flow: EngineFlow, kind: str, names: Sequence[str]) -> dict[str, None]:
    """Names of the edges at the inputs, or at the outputs, each once."""
    return {
        names[number]: None for number, edge in enumerate(flow.edges)
        if flow.nodes[edge.source if kind == INPUT else edge.target].kind == kind
    }  # fmt: skip


def _onnx_type(tensor: Tensor) -> int:
    from onnx import TensorProto  # noqa: PLC0415

    return int(getattr(TensorProto, _TYPES.get(tensor.dtype or "", ""), TensorProto.UNDEFINED))


def _onnx_dims(tensor: Tensor) -> list[int | None] | None:
    return None if tensor.dims is None else list(tensor.dims)
