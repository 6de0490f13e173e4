"""Who is blamed: error added along a graph, verdicts by precision, and causes, on graphs small enough to see through."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from trtlens.accuracy.blame import FLOAT_LIMITS, INTEGER_LIMITS, Limits, judge, limits_for, make_graph
from trtlens.accuracy.compare import compare_dumps
from trtlens.accuracy.encodings import dtype_name
from trtlens.accuracy.error_rows import ErrorOptions, compare_to_rows
from trtlens.accuracy.metrics import ranges_of
from trtlens.accuracy.readers import Dump
from trtlens.accuracy.summary import chosen_rows, sentences
from trtlens.accuracy.tensors import InMemory, Tensor
from trtlens.errors import TrtlensError
from trtlens_parsers.dump_index import DumpedNode, DumpedTensor, DumpIndex

CHAIN = (
    DumpedNode("first", "MatMul", ("input", "w1"), ("a",)),
    DumpedNode("second", "Relu", ("a",), ("b",)),
    DumpedNode("third", "MatMul", ("b", "w2"), ("c",)),
)
BASE = np.random.default_rng(7).standard_normal(2000).astype(np.float32)


def noisy(share: float, seed: int = 1) -> Any:
    """The base with noise of that share of its norm."""
    noise = np.random.default_rng(seed).standard_normal(BASE.size)
    return (BASE + share * np.linalg.norm(BASE) / np.linalg.norm(noise) * noise).astype(np.float32)


def dump(arrays: dict[str, Any], *, nodes: tuple[DumpedNode, ...] = (), weights: dict[str, Any] | None = None,
         precision: str | None = None, sha: str | None = None) -> Dump:  # fmt: skip
    """A dump of our own kind, in memory, with ranges as the capture writes them."""
    tensors = {
        name: Tensor(name, dtype_name(np.asarray(array).dtype), np.asarray(array).shape, InMemory(np.asarray(array)))
        for name, array in arrays.items()
    }
    makers = {output: node for node in nodes for output in node.outputs}
    rows = [
        DumpedTensor(name, _role(name, nodes), tensors[name].dtype, tensors[name].shape, "x", None,
                     makers[name].name if name in makers else None, makers[name].op if name in makers else None,
                     ranges_of([np.asarray(array)]))
        for name, array in arrays.items()
    ]  # fmt: skip
    rows += [
        DumpedTensor(name, "weight", "fp32", np.shape(array), None, None, None, None, ranges_of([np.asarray(array)]))
        for name, array in (weights or {}).items()
    ]
    index = DumpIndex("onnxruntime", "a dump", precision, sha, tuple(rows), nodes)
    return Dump("dump", "dump", tensors, {}, index)


def _role(name: str, nodes: tuple[DumpedNode, ...]) -> str:
    if not any(name in node.outputs for node in nodes):
        return "input"
    return "inner" if any(name in node.inputs for node in nodes) else "output"


def rows_of(reference: Dump, run: Dump, **options: Any) -> dict[str, dict[str, Any]]:
    return {row["tensor"]: row for row in compare_to_rows(reference, run, ErrorOptions(**options)).rows}


def test_a_layer_that_passes_an_error_on_adds_nothing() -> None:
    """The layer that made the error has added it; the two behind it, with the same error, have added none."""
    reference = dump(dict.fromkeys(("input", "a", "b", "c"), BASE), nodes=CHAIN, precision="fp32")
    run = dump({"input": BASE, "a": noisy(0.3), "b": noisy(0.3, 2), "c": noisy(0.3, 3)}, nodes=CHAIN, precision="fp16")
    rows = rows_of(reference, run)
    assert rows["a"]["error_added"] == pytest.approx(0.3, rel=0.05)
    assert rows["b"]["error_added"] == pytest.approx(0.0, abs=0.02)
    assert rows["c"]["error_added"] == pytest.approx(0.0, abs=0.02)
    assert [name for name, row in rows.items() if row["first_wrong"]] == ["a"]
    assert rows["c"]["cause"] == "passed on from b"


def test_error_is_followed_through_tensors_that_fusion_took() -> None:
    """Where the run lacks a tensor in between, the nearest compared one above it is the input."""
    reference = dump(dict.fromkeys(("input", "a", "b", "c"), BASE), nodes=CHAIN, precision="fp32")
    rows = rows_of(reference, dump({"input": BASE, "c": noisy(0.2)}, nodes=CHAIN, precision="fp16"))
    assert rows["c"]["inputs"] == ["input"]
    assert rows["c"]["error_added"] == pytest.approx(0.2, rel=0.05)
    assert rows["a"]["status"] == rows["b"]["status"] == "missing"


def test_without_a_graph_nobody_is_blamed_but_the_first_is_named() -> None:
    """Foreign dumps have no graph: what was added stays unknown, the first wrong tensor does not."""
    reference, run = dump({"a": BASE, "b": BASE}), dump({"a": BASE, "b": noisy(0.5)})
    rows = rows_of(Dump("r", "npz", reference.tensors), Dump("x", "npz", run.tensors))
    assert rows["b"]["error_added"] is None
    assert rows["b"]["first_wrong"]
    assert rows["b"]["verdict"] == "wrong"


@pytest.mark.parametrize(("sqnr", "precision", "verdict"), [
    (25, "fp16", "ok"), (15, "fp16", "wrong"), (15, "int8", "ok"), (8, "int8", "wrong"), (15, None, "wrong"),
])  # fmt: skip
def test_verdict_follows_the_precision(sqnr: float, precision: str | None, verdict: str) -> None:
    """8 bits are held to a tenth of noise power, everything else to 20 dB."""
    reference = dump({"a": BASE}, precision="fp32")
    run = dump({"a": noisy(10 ** (-sqnr / 20))}, precision=precision)
    assert rows_of(reference, run)["a"]["verdict"] == verdict


def test_limits_can_be_given() -> None:
    """A limit of None asks for nothing; a stricter one is held to."""
    rows = [compare_dumps(dump({"a": BASE}), dump({"a": noisy(0.01)}), make_graph(()))]
    for limits, verdict in (
        (Limits(None, None), "ok"),
        (Limits(60.0, None), "wrong"),
        (Limits(None, 0.999999), "wrong"),
    ):
        assert judge(rows[0], make_graph(()), limits)[0].verdict == verdict
    assert (limits_for("int8"), limits_for("bf16"), limits_for(None)) == (INTEGER_LIMITS, FLOAT_LIMITS, FLOAT_LIMITS)


def test_new_nan_is_wrong_whatever_the_limits() -> None:
    """A single new NaN among two thousand good values is wrong."""
    broken = BASE.copy()
    broken[5] = math.nan
    row = rows_of(dump({"a": BASE}), dump({"a": broken}), limits=Limits(None, None))["a"]
    assert (row["verdict"], row["error"]) == ("wrong", 1.0)


def test_a_reference_of_zeros_makes_a_suspect() -> None:
    """Where nothing was expected, something is suspicious, and its share of nothing is unknown."""
    zeros = np.zeros(4, np.float32)
    row = rows_of(dump({"a": zeros}), dump({"a": np.ones(4, np.float32)}))["a"]
    assert (row["verdict"], row["error"], row["max_abs_error"]) == ("suspect", None, 1.0)
    assert rows_of(dump({"a": zeros}), dump({"a": zeros}))["a"]["verdict"] == "ok"


def test_overflow_inside_of_a_fused_layer_is_found_by_the_reference() -> None:
    """Where x / infinity became 0, no tensor of the run is infinite: the reference's range of an inner one tells."""
    nodes = (
        DumpedNode("norm/pow", "Pow", ("input", "two"), ("squares",)),
        DumpedNode("norm/mean", "ReduceMean", ("squares",), ("mean",)),
        DumpedNode("norm/sqrt", "Sqrt", ("mean",), ("root",)),
        DumpedNode("norm/div", "Div", ("input", "root"), ("normed",)),
    )
    x = BASE.reshape(2, 1000) * 2000
    squares = x.astype(np.float64) ** 2
    mean = squares.mean(axis=1, keepdims=True)
    whole = {"input": x, "squares": squares.astype(np.float32), "mean": mean.astype(np.float32),
             "root": np.sqrt(mean).astype(np.float32), "normed": (x / np.sqrt(mean)).astype(np.float32)}  # fmt: skip
    reference = dump(whole, nodes=nodes, weights={"two": np.float32(2.0)}, precision="fp32")
    run = dump({"input": x, "normed": np.zeros_like(x)}, nodes=nodes, precision="fp16")
    row = rows_of(reference, run)["normed"]
    assert "overflow in squares" in row["cause"]
    assert "vanished" in row["cause"]
    assert row["keep_fp32"] == ["norm/pow", "norm/mean", "norm/sqrt"]
    assert "divide x by s = " in row["advice"]


def test_clipped_int8_range_is_told_with_its_size() -> None:
    """A range that ends 20 % early is suspect although 8 bits would forgive the noise."""
    reach = float(np.abs(BASE).max())
    clipped = np.clip(BASE, -0.5 * reach, 0.5 * reach)
    row = rows_of(dump({"a": BASE}), dump({"a": clipped}, precision="int8"))["a"]
    assert row["verdict"] == "suspect"
    assert "50 % too small" in row["cause"]
    assert f"{reach:.4g}" in row["advice"]


def test_cancellation_is_named() -> None:
    """Small differences of large numbers magnify an error that came in; the subtraction did not round."""
    nodes = (
        DumpedNode("up", "MatMul", ("input", "w"), ("large",)),
        DumpedNode("minus", "Sub", ("large", "offset"), ("small",)),
    )
    large = (1000 + BASE).astype(np.float32)
    rounded = large.astype(np.float16).astype(np.float32)
    reference = dump({"input": BASE, "large": large, "small": large - 1000}, nodes=nodes, precision="fp32")
    run = dump({"input": BASE, "large": rounded, "small": rounded - 1000}, nodes=nodes, precision="fp16")
    row = rows_of(reference, run, limits=Limits(40.0, None))["small"]
    assert row["verdict"] == "wrong"
    assert "magnifies" in row["cause"]


def test_integer_codes_are_not_compared_with_numbers() -> None:
    """INT8 codes of a quantized tensor against its float values would be a wrong answer: they are refused."""
    row = rows_of(dump({"a": BASE, "b": BASE}), dump({"a": BASE.astype(np.int8), "b": BASE}, precision="int8"))["a"]
    assert (row["status"], row["verdict"]) == ("refused", None)
    assert "codes" in row["reason"]


def test_different_inputs_are_refused() -> None:
    """Two dumps that were fed different numbers say so, and what to do."""
    with pytest.raises(TrtlensError, match="--load-inputs"):
        rows_of(dump({"a": BASE}, sha="1"), dump({"a": BASE}, sha="2"))


def test_sentences_name_the_first_and_the_outputs_of_int8() -> None:
    """The summary counts, names the first wrong tensor, and for INT8 sends the reader to the outputs."""
    reference = dump(dict.fromkeys(("input", "a", "b", "c"), BASE), nodes=CHAIN, precision="fp32")
    run = dump({"input": BASE, "a": noisy(0.5), "b": noisy(0.5), "c": noisy(0.01)}, nodes=CHAIN, precision="int8")
    text = "\n".join(sentences(compare_to_rows(reference, run, ErrorOptions())))
    assert "4 tensors compared, 2 not ok" in text
    assert "first that goes wrong: a (first, MatMul)" in text
    assert "large deviations of middle tensors are to be expected" in text
    assert "output c: ok, 40.0 dB" in text


def test_few_rows_are_chosen_out_of_many() -> None:
    """Of a thousand rows about thirty are shown, among them outputs, the first wrong and the one that adds most."""
    rows = [
        {"index": i, "status": "compared", "verdict": "wrong" if i in (400, 700) else "ok", "role": "inner",
         "error_added": float(i == 900)}
        for i in range(1000)
    ]  # fmt: skip
    rows[-1]["role"] = "output"
    shown = [row["index"] for row in chosen_rows(rows)]
    assert {400, 700, 900, 999} <= set(shown)
    assert len(shown) <= 30
    assert shown == sorted(shown)


def test_regions_of_a_graph_with_branches() -> None:
    """A tensor's subgraph holds every node between it and the compared tensors above, once, in graph order."""
    nodes = (
        DumpedNode("left", "Conv", ("x",), ("l",)),
        DumpedNode("right", "Conv", ("x",), ("r",)),
        DumpedNode("add", "Add", ("l", "r"), ("s",)),
        DumpedNode("relu", "Relu", ("s",), ("y",)),
    )
    subgraph = make_graph(nodes).subgraphs({"x", "y", "r"})["y"]
    assert subgraph.inputs == ("x", "r")
    assert [node.name for node in subgraph.nodes] == ["left", "add", "relu"]


def test_refusals_of_one_reason_are_one_sentence() -> None:
    """Five tensors that were refused for the same reason are told together, the first three by name."""
    names = [f"q{i}" for i in range(5)]
    reference = dump({"a": BASE, **dict.fromkeys(names, BASE)})
    run = dump({"a": BASE, **dict.fromkeys(names, BASE.astype(np.int8))}, precision="int8")
    refused = [text for text in sentences(compare_to_rows(reference, run, ErrorOptions())) if "not compared" in text]
    assert len(refused) == 1
    assert refused[0].startswith("not compared: q0, q1, q2 and 2 more: the run holds int8 codes")


def test_tensor_that_a_conversion_renamed_is_found_by_its_node() -> None:
    """A node of the same name and operator makes the tensor under another name: it is compared all the same."""
    renamed = (DumpedNode("first", "MatMul", ("input", "w1"), ("a_cast",)),)
    row = rows_of(
        dump({"input": BASE, "a": BASE}, nodes=CHAIN[:1]), dump({"input": BASE, "a_cast": noisy(0.1)}, nodes=renamed)
    )["a"]
    assert row["status"] == "compared"
    assert row["error"] == pytest.approx(0.1, rel=0.05)
