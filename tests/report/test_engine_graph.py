"""The engine as a graph: its nodes and edges, its layout, the paths of its names, and the files for other tools."""

from __future__ import annotations

import json
import lzma
import re
from collections import Counter, defaultdict
from importlib.resources import files
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner

from tests.conftest import FIXTURES
from tests.doubles.made_runs import MadeLayer, MadeRun, chain
from tests.golden.inputs import opened, subject
from tests.report.hostile_run import NAMES, hostile_run
from trtlens.charts.drawing.style import PATTERNS, colour
from trtlens.cli import app
from trtlens.engine.flow import IDLE, INPUT, LAYER, OUTPUT, REFORMAT, read_flow
from trtlens.engine.name_paths import layer_paths, name_path
from trtlens.errors import TrtlensError
from trtlens.report import read_subject
from trtlens.report.engine_picture import engine_picture
from trtlens.report.graph_data import graph_data
from trtlens.report.graph_files import graph_dot, graph_graphml, graph_onnx
from trtlens.report.graph_svg import graph_svg
from trtlens.report.layered_layout import Box, lay_out
from trtlens.runs.run import Run
from trtlens.tables.declarations import TABLES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

RUNS = ("quantized-int8-traced", "resnet50-fp16-traced", "transformer-fp16-traced")
_STRING = r'"(?:[^"\\\x00-\x1f]|\\["\\n])*"'
_NODE = re.compile(rf"  n(\d+) \[(?:\w+=(?:{_STRING}|\w+)(?:, )?)+\];")
_EDGE = re.compile(rf"  n(\d+) -> n(\d+) \[label={_STRING}, tooltip={_STRING}\];")


def _counted(name: str) -> tuple[int, int, int]:
    """Nodes, edges and constants by the inspector's JSON alone."""
    with lzma.open(FIXTURES / "h200" / name / "layers.json.xz", "rt", encoding="utf-8") as file:
        told = json.loads(file.read(), strict=False)
    layers, bindings = told["Layers"], set(told["Bindings"])
    constants = {one["Name"] for layer in layers if layer["LayerType"] == "Constant" for one in layer["Outputs"]}
    working = [layer for layer in layers if layer["LayerType"] != "Constant"]
    makers = Counter(one["Name"] for layer in working for one in layer["Outputs"])
    read = [{one["Name"] for one in layer["Inputs"]} - constants for layer in working]
    inputs = {name for names in read for name in names & bindings} - makers.keys()
    outputs = makers.keys() & bindings
    edges = sum(makers[name] or name in inputs for names in read for name in names)
    edges += sum(makers[name] for name in outputs)
    return len(working) + len(inputs) + len(outputs), edges, len(layers) - len(working)


@pytest.mark.parametrize("name", RUNS)
def test_nodes_and_edges_are_those_of_the_inspector(name: str) -> None:
    """The counts of the flow, of dot, of GraphML and of ONNX are what the inspector's JSON gives when it is counted by itself."""
    networkx, onnx = pytest.importorskip("networkx"), pytest.importorskip("onnx")
    run, build = subject(f"h200/{name}").run, subject(f"h200/{name}").build or 0
    nodes, edges, constants = _counted(name)
    flow = read_flow(run, build)
    assert (len(flow.nodes), len(flow.edges), flow.folded) == (nodes, edges, constants)
    lines = graph_dot(run, build).split("\n")
    assert (sum(map(bool, map(_NODE.fullmatch, lines))), sum(map(bool, map(_EDGE.fullmatch, lines)))) == (nodes, edges)
    assert len(lines) == nodes + edges + 6
    graph = networkx.parse_graphml(graph_graphml(run, build))
    assert (graph.number_of_nodes(), graph.number_of_edges()) == (nodes, edges)
    model = onnx.load_from_string(graph_onnx(run, build))
    assert len(model.graph.node) == sum(node.layer is not None for node in flow.nodes)
    assert [one.name for one in model.graph.input] == [node.name for node in flow.nodes if node.kind == INPUT]
    assert [one.name for one in model.graph.output] == [node.name for node in flow.nodes if node.kind == OUTPUT]


def test_what_is_known_of_a_layer_is_in_every_file() -> None:
    """Precision, time, tactic and kernel of a layer stand in GraphML as typed data and in ONNX as attributes; unknown is left out."""
    networkx, onnx = pytest.importorskip("networkx"), pytest.importorskip("onnx")
    run = opened("h200/resnet50-fp16-traced")
    row = run["layers"].to_pylist()[48]
    node = {data["name"]: data for _, data in networkx.parse_graphml(graph_graphml(run, 1)).nodes(data=True)}[
        row["name"]
    ]
    kept = {node.name: node for node in onnx.load_from_string(graph_onnx(run, 1)).graph.node}[row["name"]]
    known = {one.name: onnx.helper.get_attribute_value(one) for one in kept.attribute}
    assert node["time_ms"] == pytest.approx(0.0216)
    assert known["time_ms"] == pytest.approx(0.0216)
    assert (node["precision"], node["kernel"], node["index"]) == ("fp16", row["tactic_name"], 48)
    assert (known["precision"], known["kernel"]) == (b"fp16", row["tactic_name"].encode())
    assert int(node["tactic"], 16) == int(known["tactic"], 16) == row["tactic_id"]
    assert "time_ms" not in networkx.parse_graphml(graph_graphml(_made(), 1)).nodes["n1"]


def _made(**more: Any) -> Run:
    """A branch of two, joined by a concatenation that both write, one arm behind a reformat; a constant; a signal."""
    layers = [
        MadeLayer("weights", "Constant", reads=(), writes=("w",)), MadeLayer("/net/stem/Conv", nodes=("/net/stem/Conv",), reads=("image", "w"), writes=("a",)),
        MadeLayer("/net/left/Conv", nodes=("/net/left/Conv",), reads=("a",), writes=("joined",)), MadeLayer("to int8", "Reformat", precision=None, reads=("a",), writes=("b",)),
        MadeLayer("signal 1", "signal", reads=(), writes=()), MadeLayer("/net/right/Conv", nodes=("/net/right/Conv",), reads=("b",), writes=("joined",)),
        MadeLayer("/net/head/Gemm", nodes=("/net/head/Gemm",), reads=("joined",), writes=("scores",)),
    ]  # fmt: skip
    return MadeRun(layers, **more).run()


def test_a_concatenation_comes_from_all_that_write_it() -> None:
    """Its reader has an edge from each writer; the constant is folded into its reader, and the signal is left out."""
    flow = read_flow(_made(), 1)
    names = [node.name for node in flow.nodes]
    assert names == [
        "image",
        "/net/stem/Conv",
        "/net/left/Conv",
        "to int8",
        "/net/right/Conv",
        "/net/head/Gemm",
        "scores",
    ]
    assert [node.kind for node in flow.nodes] == [INPUT, LAYER, LAYER, REFORMAT, LAYER, LAYER, OUTPUT]
    assert {(names[edge.source], names[edge.target]) for edge in flow.edges} == {
        ("image", "/net/stem/Conv"), ("/net/stem/Conv", "/net/left/Conv"), ("/net/stem/Conv", "to int8"), ("to int8", "/net/right/Conv"),
        ("/net/left/Conv", "/net/head/Gemm"), ("/net/right/Conv", "/net/head/Gemm"), ("/net/head/Gemm", "scores"),
    }  # fmt: skip
    assert (flow.folded, flow.apart, flow.nodes[1].constants) == (1, 1, 1)


def test_bindings_are_the_inputs_and_outputs() -> None:
    """A tensor that no layer writes is a constant if it is no binding, and a bound tensor that a layer reads is an output too."""
    layers = [
        MadeLayer("first", reads=("x", "shift"), writes=("a", "unused")),
        MadeLayer("last", reads=("a",), writes=("y",)),
    ]
    bindings: dict[str, dict[str, Sequence[Any]]] = {"bindings": {"index": [0, 1, 2], "name": ["x", "a", "y"]}}
    flow = read_flow(MadeRun(layers, tables=bindings).run(), 1)
    assert [node.name for node in flow.nodes] == ["x", "first", "last", "a", "y"]
    assert [node.constants for node in flow.nodes] == [0, 1, 0, 0, 0]
    assert [(edge.source, edge.target) for edge in flow.edges] == [(0, 1), (1, 2), (1, 3), (2, 4)]
    without = read_flow(MadeRun(layers).run(), 1)
    assert [node.name for node in without.nodes] == ["x", "shift", "first", "last", "unused", "y"]


def test_a_loop_has_its_edge_and_a_layout() -> None:
    """A tensor that is written after its reader alone leads back to it, and the layout stands."""
    layers = [
        MadeLayer("first", reads=("state", "x"), writes=("a",)),
        MadeLayer("last", reads=("a",), writes=("state",)),
    ]
    picture = engine_picture(MadeRun(layers).run(), 1)
    assert [(edge.source, edge.target) for edge in picture.flow.edges] == [(2, 1), (0, 1), (1, 2)]
    in_place = [MadeLayer("first", reads=("x",), writes=("a",)), MadeLayer("add", reads=("a", "sum"), writes=("sum",))]
    assert [(edge.source, edge.target) for edge in read_flow(MadeRun(in_place).run(), 1).edges] == [(0, 1), (1, 2)]
    assert picture.layout.centres[1][1] < picture.layout.centres[2][1]


@pytest.mark.parametrize("name", RUNS[:2])
def test_nothing_overlaps_and_data_flows_downwards(name: str) -> None:
    """No two nodes of a column overlap, each stands above its readers in the column or in an earlier one, and edges end at them."""
    shown = subject(f"h200/{name}")
    picture = engine_picture(shown.run, shown.build)
    layout = picture.layout
    sides = [
        (x - one.box.width / 2, y - one.box.height / 2, x + one.box.width / 2, y + one.box.height / 2)
        for one, (x, y) in zip(picture.shown, layout.centres, strict=True)
    ]
    for place, (left, top, right, bottom) in enumerate(sides):
        for other in sides[place + 1 :]:
            assert right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top
    for edge, route in zip(picture.flow.edges, layout.routes, strict=True):
        source, target = edge.source, edge.target
        before, after = layout.centres[source], layout.centres[target]
        assert (layout.columns[source], before[1]) < (layout.columns[target], after[1])
        assert [*route[0], *route[-1]] == pytest.approx([before[0], sides[source][3], after[0], sides[target][1]])
    assert 0.8 < layout.width / layout.height < 3.5


def test_a_chain_is_straight_and_long_ones_fold() -> None:
    """Layers one behind the other stand in one line, whatever stands beside them; a thousand of them fill a page, not a strip."""
    edges = [(place, place + 1) for place in range(8)] + [(9, 3), (10, 5), (1, 6)]
    order = [9, 10, *range(9)]  # in topological order
    renamed = {old: new for new, old in enumerate(order)}
    boxes = [Box(60, 20, 2.0**-18)] * 2 + [Box(200, 40)] * 9
    (layout,) = lay_out(boxes, [(renamed[a], renamed[b]) for a, b in edges], 0.2)
    assert len({round(x) for x, _ in layout.centres[2:]}) == 1
    heads = [
        edge
        for n in range(0, 180, 6)
        for edge in (
            (n, n + 1),
            (n, n + 2),
            (n, n + 3),
            (n + 1, n + 4),
            (n + 2, n + 4),
            (n + 3, n + 5),
            (n + 4, n + 5),
            (n + 5, n + 6),
            (n, n + 6),
        )
    ]
    (blocks,) = lay_out([Box(200, 40)] * 181, heads, 0.01)
    trunk = [x for x, _ in blocks.centres[::6]]
    assert max(trunk) - min(trunk) < 40
    long, tall = lay_out([Box(200, 40)] * 1000, list(pairwise(range(1000))), 1.7, 0.6)
    assert 1.3 < long.width / long.height < 2.2
    assert 0.45 < tall.width / tall.height < 0.8
    assert len(set(long.columns)) == len(long.lefts) > len(tall.lefts) > 5


def test_many_heads_stand_in_several_ranks() -> None:
    """Of fifty layers that read one, and that each have a reader, no more than ten stand side by side."""
    heads = [(0, 1 + 2 * n) for n in range(50)]
    (layout,) = lay_out([Box(200, 40)] * 101, heads + [(1 + 2 * n, 2 + 2 * n) for n in range(50)], 1.7)
    rows = Counter((column, y) for column, (_, y) in zip(layout.columns, layout.centres, strict=True))
    assert max(rows.values()) <= 10


def test_the_more_time_the_higher() -> None:
    """A node is higher than another of its kind by as much as it takes more of the slowest layer's time."""
    times = {
        "/net/stem/Conv": 4.0,
        "/net/left/Conv": 1.0,
        "to int8": 0.0,
        "/net/right/Conv": 2.0,
        "/net/head/Gemm": 0.0,
    }
    run = _made(
        profile={
            "weights": 0.0,
            **{
                name: times.get(name, 0.0)
                for name in (
                    "/net/stem/Conv",
                    "/net/left/Conv",
                    "to int8",
                    "signal 1",
                    "/net/right/Conv",
                    "/net/head/Gemm",
                )
            },
        }
    )
    picture = engine_picture(run, 1)
    heights = {node.name: one.box.height for node, one in zip(picture.flow.nodes, picture.shown, strict=True)}
    assert heights["/net/stem/Conv"] - heights["/net/head/Gemm"] == pytest.approx(90.0)
    assert heights["/net/right/Conv"] - heights["/net/head/Gemm"] == pytest.approx(45.0)
    assert picture.shown[1].detail == "4.00 ms · 57.1 % · fp16 · tensor core"


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("/layer1/layer1.0/conv1/Conv", ("layer1", "layer1.0", "conv1", "Conv")), ("layer1.0.conv1.Conv", ("layer1", "layer1.0", "conv1", "Conv")),
        ("/model/layer.3/attention/MatMul", ("model", "layer", "layer.3", "attention", "MatMul")), ("Conv_17", ("Conv_17",)),
        ("model/conv.w/Conv", ("model", "conv.w", "Conv")), ("///", ("///",)), ("a/" * 2000, ("a/" * 2000,)),
    ],
)  # fmt: skip
def test_the_path_of_a_name(name: str, path: tuple[str, ...]) -> None:
    """A name splits at its slashes, else at its dots; a member of a list stands below its list."""
    assert name_path(name) == path


def test_a_layer_stands_where_all_its_nodes_are() -> None:
    """Fused nodes share their common path and keep the rest as the label, quantization left out; a reformat goes with the layer that reads it."""
    layers = [
        *chain("/net/block.0/conv/Conv"), MadeLayer("to int8", "Reformat", reads=("t1",), writes=("t2",)),
        MadeLayer("both", nodes=("/net/block.1/quantize/QuantizeLinear_1", "/net/block.1/conv/Conv", "/net/block.1/relu/Relu"), reads=("t2",)), MadeLayer("all", "Myelin", tuple(f"/net/block.{n}/add" for n in range(9))),
    ]  # fmt: skip
    paths = layer_paths(MadeRun(layers).run(), 1)
    assert paths[0].path == ("net", "block", "block.0", "conv")
    assert paths[1].path == paths[2].path == ("net", "block", "block.1")
    assert paths[2].label == "conv/Conv + relu/Relu"
    assert paths[3].path == ("net", "block")
    assert paths[3].label == "block.0/add … block.8/add, 9 nodes"


def test_why_there_is_no_graph() -> None:
    """Without layers, or with layers but no tensors, page and export say what is missing and what would help."""
    bare = MadeRun([MadeLayer("a", reads=(), writes=()), MadeLayer("b", reads=(), writes=())]).run()
    empty = Run("empty", {table: spec.empty() for table, spec in TABLES.items()}, None, bare.info)
    for run, words in ((bare, "without their tensors"), (empty, "no engine layers")):
        assert words in graph_data(read_subject(run))["missing"]
        for write in (graph_dot, graph_graphml, graph_onnx, graph_svg):
            with pytest.raises(TrtlensError, match=words):
                write(run, read_subject(run).build)


def test_hostile_names_are_text_in_every_file() -> None:
    """No control character reaches a file, none breaks its syntax, and names read as they are."""
    networkx, onnx = pytest.importorskip("networkx"), pytest.importorskip("onnx")
    run = hostile_run()
    for text in (graph_dot(run, 1), graph_graphml(run, 1), graph_svg(run, 1)):
        assert not re.search("[\x00-\x09\x0b-\x1f\u202e\u2066\u200f]", text)
        assert "<script>" not in text or text.startswith("//")
    graph = networkx.parse_graphml(graph_graphml(run, 1))
    assert NAMES[0] in {data["name"] for _, data in graph.nodes(data=True)}
    lines = graph_dot(run, 1).split("\n")
    assert "%{x} &amp;lt;&amp;amp; ${y}" in "".join(lines)
    assert all(_NODE.fullmatch(line) or _EDGE.fullmatch(line) for line in lines[4:-2])
    assert NAMES[0] in {node.name for node in onnx.load_from_string(graph_onnx(run, 1)).graph.node}
    svg = ET.fromstring(graph_svg(run, 1))  # noqa: S314  our own file
    assert {one.tag.partition("}")[2] for one in svg.iter()} <= {"svg", "style", "rect", "text", "path", "title", "g"}


@pytest.mark.parametrize("to", ["dot", "svg", "graphml", "netron-onnx"])
def test_export_writes_a_graph_and_replaces_its_own_alone(to: str, tmp_path: Path) -> None:
    """The file is written and written again; a file of someone else stays as it is."""
    pytest.importorskip("onnx")
    run, out = str(FIXTURES / "small-build" / "verbose.log"), tmp_path / "engine"
    for _ in range(2):
        result = CliRunner().invoke(app, ["export", run, "--to", to, "-o", str(out)])
        assert f"{to} graph written to" in result.output
    out.write_text("mine")
    refused = CliRunner().invoke(app, ["export", run, "--to", to, "-o", str(out)])
    assert "did not write" in str(refused.exception)
    assert out.read_text() == "mine"


def test_the_same_run_gives_the_same_graph() -> None:
    """Neither layout nor files depend on anything but the run."""
    first, second = (read_subject(MadeRun(chain(*(f"/a/b.{n % 7}/c{n}" for n in range(60)))).run()) for _ in range(2))
    assert graph_data(first) == graph_data(second)
    assert graph_onnx(first.run, 1) == graph_onnx(second.run, 1)


def test_launches_of_a_region_are_its_kernels() -> None:
    """The page has each launch of a traced region with its time, in launch order, and they add up to the layer's time."""
    data = graph_data(read_subject(opened("h200/transformer-fp16-traced")))
    ((place, kernels),) = data["kernels"].items()
    by_kind = defaultdict(list)
    for number, kind in enumerate(data["kinds"]["places"]):
        by_kind[data["kinds"]["texts"][kind]].append(number)
    assert by_kind[LAYER] == [int(place)]
    assert IDLE not in by_kind
    assert len(kernels) > 20
    assert sum(time for _, time, _ in kernels) == pytest.approx(data["times"][int(place)], rel=0.02)


def test_text_is_read_on_every_colour() -> None:
    """Names on nodes, on kernels within them and on the model's parts have the contrast of WCAG AA, in both themes, for every precision."""
    assets = files("trtlens.report") / "assets"
    style, paint = (assets / "page.css").read_text("utf-8"), (assets / "graph_paint.js").read_text("utf-8")
    node, kernel = (float(shade) for shade in re.findall(r"(?:node|kernel): (0\.\d+)", paint))
    part = (
        float(re.findall(r"\.icicle button:hover\{background:color-mix\(in srgb,var\(--own\) (\d+)%", style)[0]) / 100
    )
    for theme in re.findall(r"(?::root|\[data-theme=dark\])\{([^}]*)\}", style)[:2]:
        ink, paper, accent = (_light(re.findall(rf"--{name}:(#\w+)", theme)[0]) for name in ("ink", "paper", "accent"))
        assert _contrast(paper, ink) > 4.5
        assert _contrast(paper, accent) > 4.5
        for precision in PATTERNS:
            own = _light(colour(None if precision == "unknown" else precision))
            ground = _mixed(own, paper, node)
            for behind in (ground, _mixed(own, ground, kernel), _mixed(own, paper, part)):
                assert _contrast(ink, behind) > 4.5, precision


def _light(text: str) -> list[float]:
    digits = text[1:] if len(text) == 7 else "".join(2 * digit for digit in text[1:])
    return [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]


def _mixed(own: list[float], other: list[float], share: float) -> list[float]:
    return [share * one + (1 - share) * two for one, two in zip(own, other, strict=True)]


def _contrast(one: list[float], other: list[float]) -> float:
    """Contrast of two colours after WCAG 2."""
    lights = [
        sum(factor * (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4)
            for factor, part in zip((0.2126, 0.7152, 0.0722), parts, strict=True))
        for parts in (one, other)
    ]  # fmt: skip
    return (max(lights) + 0.05) / (min(lights) + 0.05)
