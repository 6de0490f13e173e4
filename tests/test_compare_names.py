"""Names: a fused layer's name is cut where its parts end, and nowhere else."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trtlens.engine.node_names import NameReader, Parts

NODES = ("conv1", "relu1", "a + b", "c, d", "act/Sigmoid", "act/Mul", "/fc/Gemm", "odd]}name", "PWN(odd)", "conv1 + x")
CONSTANTS = ("fc.bias", "onnx::MatMul_7")
READER = NameReader(NODES, CONSTANTS)


@pytest.mark.parametrize(
    ("name", "nodes"),
    [
        ("conv1", ("conv1",)),
        ("conv1 + relu1", ("conv1", "relu1")),
        ("a + b + relu1", ("a + b", "relu1")),
        ("conv1 + a + b", ("conv1", "a + b")),
        ("conv1 + x + relu1", ("conv1 + x", "relu1")),
        ("conv1 || relu1 || c, d", ("conv1", "relu1", "c, d")),
        ("PWN(act/Sigmoid, act/Mul)", ("act/Sigmoid", "act/Mul")),
        ("PWN(PWN(act/Sigmoid), c, d)", ("act/Sigmoid", "c, d")),
        ("conv1 + PWN(relu1)", ("conv1", "relu1")),
        ("PWN(odd)", ("PWN(odd)",)),
        ("odd]}name + conv1", ("odd]}name", "conv1")),
        ("conv1_clone_3", ("conv1",)),
        ("conv1 + relu1 [profile 2]", ("conv1", "relu1")),
        ("act/Mul_myl0_3", ("act/Mul",)),
        ("{ForeignNode[conv1]}", ("conv1",)),
        ("{ForeignNode[conv1 + relu1]}", ("conv1", "relu1")),
    ],
)
def test_known_nodes_are_found_whole(name: str, nodes: tuple[str, ...]) -> None:
    """A node's name is taken whole, though it may hold what the builder puts between names."""
    parts = READER.read(name)
    assert parts.nodes == nodes
    assert parts.complete


def test_constants_and_additions_are_told_apart() -> None:
    """Weights are no nodes; a layer that the builder put before a node belongs to that node; the rest is not known."""
    name = "conv1 + fc.bias + (Unnamed Layer* 7) [Shuffle] + unsqueeze_node_after_fc.bias + relu1"
    parts = READER.read(name)
    assert parts == Parts(nodes=("conv1", "relu1"), constants=("fc.bias",), other=("(Unnamed Layer* 7) [Shuffle]",))
    assert not parts.complete
    assert READER.read("reshape_before_/fc/Gemm").added == ("/fc/Gemm",)
    assert READER.read("copied_squeeze_after_relu1").added == ("relu1",)


@pytest.mark.parametrize(
    ("name", "ends"),
    [
        ("{ForeignNode[conv1...relu1]}", ("conv1", "relu1")),
        ("{ForeignNode[onnx::MatMul_7 + (Unnamed Layer* 3) [Shuffle].../fc/Gemm]}", ("onnx::MatMul_7", "/fc/Gemm")),
        ("{ForeignNode[a + b...act/Sigmoid + act/Mul]}", ("a + b", "act/Mul")),
        ("{ForeignNode[conv1...ONNXTRT_castHelper_9]}", ("conv1", None)),
    ],
)
def test_a_foreign_node_has_two_ends(name: str, ends: tuple[str | None, str | None]) -> None:
    """A Myelin region names its first and last layer; an end that is no node of the model is unknown."""
    assert READER.read(name).ends == ends


def test_the_chain_of_fusions_tells_parts_for_certain() -> None:
    """Without a list of nodes, what the log fuses step by step decides where names end."""
    fusions = [
        (("in (a + b)", "relu + clip"), None),
        (("in (a + b) + relu + clip", "x, y"), None),
        (("scale", "shift"), "scaled"),
    ]
    reader = NameReader((), (), fusions)
    assert reader.read("in (a + b) + relu + clip + x, y").nodes == ("in (a + b)", "relu + clip", "x, y")
    assert reader.read("PWN(in (a + b), relu + clip)").nodes == ("in (a + b)", "relu + clip")
    assert reader.read("scaled").nodes == ("scale", "shift")
    assert reader.read("x, y").nodes == ("x, y",)


def test_commas_outside_of_pointwise_layers_are_part_of_unknown_names() -> None:
    """The builder writes `, ` between names in `PWN(..)` alone."""
    assert NameReader((), ()).read("pool, 2 x 2 + act").other == ("pool, 2 x 2", "act")
    assert NameReader((), ()).read("PWN(one, two)").other == ("one", "two")


@given(st.text(alphabet="ab +|,()[]{}.…PWN_*0123 Unamed Lyr", max_size=80))
def test_any_text_is_read(text: str) -> None:
    """No name raises, and what is found are known names."""
    parts = READER.read(text)
    assert set(parts.nodes) <= set(NODES)
    assert set(parts.constants) <= set(CONSTANTS)


@pytest.mark.parametrize(
    "piece", [" + ", "PWN(", "...", "{ForeignNode[", ")", "a, ", "conv1 + ", "(Unnamed Layer* 1) ["]
)
def test_long_names_are_read_in_bounded_time(piece: str) -> None:
    """A name of 30,000 characters takes a moment; one of ten million is not taken apart."""
    start = time.process_time()
    READER.read(piece * (30_000 // len(piece)))
    assert READER.read(piece * (2_000_000 // len(piece))).nodes == ()
    assert time.process_time() - start < 3
