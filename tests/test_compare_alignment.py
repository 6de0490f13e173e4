"""Alignment: layers of different engines are brought together by the nodes they hold, and by nothing else."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trtlens import Run, open_run
from trtlens.comparison import Comparison, compare_runs
from trtlens.comparison.regions import Member, group_layers

FIXTURES = Path(__file__).parents[1] / "fixtures"
CASES = sorted(path.parent.name for path in (FIXTURES / "alignment").glob("*/pairs.json"))
Lists = list[list[str]]


@dataclass(frozen=True)
class Golden:
    """A case's answer, and what the comparison says of the same runs."""

    comparison: Comparison
    regions: list[tuple[list[str], Lists]]
    unaligned: Lists


@cache
def read_golden(case: str) -> Golden:
    folder = FIXTURES / "alignment" / case
    answer = json.loads((folder / "pairs.json").read_text("utf-8"))
    runs = [open_run([folder / name for name in files]) for files in answer["runs"]]
    comparison = compare_runs(runs, names=[f"run {number}" for number in range(len(runs))])
    regions = [(row["nodes"], row.get("layers", [[" + ".join(row["nodes"])]] * len(runs))) for row in answer["regions"]]
    return Golden(comparison, regions, answer["unaligned"])


def regions_of(golden: Golden, case: str) -> list[tuple[list[str], Lists]]:
    skip = not json.loads((FIXTURES / "alignment" / case / "pairs.json").read_text("utf-8")).get("constants", True)
    return [
        (list(row.region.nodes), [names_in(golden.comparison, place, row.region.layers[place], skip) for place in range(len(row.cells))])
        for row in golden.comparison.rows
    ]  # fmt: skip


def names_in(comparison: Comparison, place: int, positions: tuple[int, ...], skip_constants: bool) -> list[str]:
    roles, layers = comparison.measures[place].roles, comparison.engines[place].layers
    return [layers[p].name for p in positions if not (skip_constants and roles[p] == "constant")]


@pytest.mark.parametrize("case", CASES)
def test_regions_are_those_of_the_list_made_by_hand(case: str) -> None:
    """Every layer of every run is in the region that a person put it in, regions in topological order."""
    golden = read_golden(case)
    assert regions_of(golden, case) == golden.regions


@pytest.mark.parametrize("case", CASES)
def test_what_has_no_counterpart_is_listed(case: str) -> None:
    """Layers without a counterpart are in no region, and each says why."""
    golden = read_golden(case)
    found: Lists = [[] for _ in golden.unaligned]
    for left in golden.comparison.left:
        found[left.entry.engine].append(left.name)
        assert left.entry.reason
    assert found == golden.unaligned


@pytest.mark.parametrize("case", CASES)
def test_baseline_does_not_change_the_regions(case: str) -> None:
    """Whichever run is the baseline, the same layers are together."""
    golden = read_golden(case)
    runs = [engine.run for engine in golden.comparison.engines]
    names = list(golden.comparison.names)
    other = compare_runs(runs, names=names, baseline=len(runs) - 1)
    assert {row.region.layers for row in other.rows} == {row.region.layers for row in golden.comparison.rows}


def test_every_kernel_with_metadata_is_with_its_nodes() -> None:
    """In the builds of three graphs, each kernel's nodes (conversions aside) are nodes of its region, in all of them."""
    comparison = read_golden("small-cnn-rtx").comparison
    for place, engine in enumerate(comparison.engines):
        regions = {position: row.region for row in comparison.rows for position in row.region.layers[place]}
        named = [layer for layer in engine.layers if layer.onnx_nodes]
        assert len(named) >= 8
        for layer in named:
            work = {name for name in layer.onnx_nodes if not re.search(r"uantizeLinear$|_cast_to_", name)}
            assert work <= set(regions[layer.position].nodes)


def test_nodes_with_equal_names_in_renumbered_graphs_are_not_paired() -> None:
    """`Conv_4` of a model and `Conv_4` of its Q/DQ sibling are different nodes: structure decides, not the name."""
    golden = read_golden("numbered-names")
    together = {
        (one, other)
        for row in golden.comparison.rows
        for one in row.cells[0].figures.layers
        for other in row.cells[1].figures.layers
    }
    assert ("Conv_4 + Add_5 + Relu_6", "stem.weight + QuantizeLinear_2 + Conv_4 + Relu_5") not in together


# -- pairing by type and shape, for comparison ---------------------------------------------------------------------


def signatures(run: Run) -> list[tuple[str, str, Any]]:
    """Name, type, and extents behind the batch of inputs and outputs of each layer: what such tools pair by."""
    dims: dict[tuple[int, str], list[tuple[Any, ...]]] = {}
    for row in run["layer_tensors"].to_pylist():
        dims.setdefault((row["layer_index"], row["direction"]), []).append(tuple((row["dims"] or ())[1:]))
    return [
        (row["name"], row["type"], (tuple(dims.get((row["index"], "input"), ())), tuple(dims.get((row["index"], "output"), ()))))
        for row in run["layers"].to_pylist() if row["type"] != "Constant"
    ]  # fmt: skip


def pairs_by_shape(one: Run, other: Run) -> set[tuple[str, str]]:
    """Each layer with the first unused layer of the other engine of the same type and shapes, in execution order."""
    left, pairs = signatures(other), set()
    for name, kind, shape in signatures(one):
        match = next((entry for entry in left if entry[1:] == (kind, shape)), None)
        if match is not None:
            left.remove(match)
            pairs.add((name, match[0]))
    return pairs


def golden_pairs(golden: Golden) -> set[tuple[str, str]]:
    return {(a, b) for _, layers in golden.regions for a in layers[0] for b in layers[1]}


def test_pairing_by_nodes_beats_pairing_by_type_and_shape() -> None:
    """On the hand-made lists, type and shape find fewer of the regions and pair layers that do not belong together."""
    found, wanted, wrong = 0, 0, 0
    for case in CASES:
        golden = read_golden(case)
        runs = [engine.run for engine in golden.comparison.engines]
        by_shape, true = pairs_by_shape(runs[0], runs[1]), golden_pairs(golden)
        known = {name for _, layers in golden.regions for name in layers[0]} | set(golden.unaligned[0])
        wrong += sum(one in known and (one, other) not in true for one, other in by_shape)
        found += sum(
            any(one in layers[0] and other in layers[1] for one, other in by_shape) for _, layers in golden.regions
        )
        wanted += len(golden.regions)
    assert found < wanted
    assert wrong > 0


# -- the grouping itself ---------------------------------------------------------------------------------------------

HELD = st.lists(
    st.lists(st.frozensets(st.sampled_from("abcdefgh"), max_size=4), max_size=6), min_size=2, max_size=3
)  # fmt: skip


@given(HELD)
@settings(max_examples=300)
def test_groups_are_the_smallest_that_hold_the_same_nodes(held: list[list[frozenset[str]]]) -> None:
    """Grouping ends where joining whatever must be joined, one pair at a time, ends too."""
    layers = [dict(enumerate(engine)) for engine in held]
    assert {frozenset(group) for group in group_layers(layers)} == joined_one_by_one(layers)


def joined_one_by_one(held: list[dict[int, frozenset[str]]]) -> set[frozenset[Member]]:
    groups = {
        (engine, place): {(engine, place)}
        for engine, layers in enumerate(held)
        for place, keys in layers.items()
        if keys
    }
    while step := next(disagreements(held, groups), None):
        whole = set().union(*(groups[member] for member in step))
        for member in whole:
            groups[member] = whole
    return {frozenset(group) for group in groups.values()}


def disagreements(held: list[dict[int, frozenset[str]]], groups: dict[Member, set[Member]]) -> Any:
    """Sets of members that must be in one group and are not: equal layer_nodes, then nodes that engines hold differently."""
    for one, group in groups.items():
        for other in groups:
            if held[one[0]][one[1]] == held[other[0]][other[1]] and other not in group:
                yield {one, other}
    holders: dict[str, dict[int, set[Member]]] = {}
    for engine, place in groups:
        for key in held[engine][place]:
            holders.setdefault(key, {}).setdefault(engine, set()).add((engine, place))
    single = [by_side for by_side in holders.values() if all(len(members) == 1 for members in by_side.values())]
    for by_side in [*single, *holders.values()]:
        places = [frozenset(frozenset(groups[member]) for member in members) for members in by_side.values()]
        if len(set(places)) > 1:
            yield set().union(*by_side.values())


def test_a_node_that_every_side_splits_alike_joins_nothing() -> None:
    """A softmax over two kernels on both engines leaves two regions, if other nodes tell the kernels apart."""
    engine = {0: frozenset({"scale", "softmax"}), 1: frozenset({"softmax", "top"})}
    assert Counter(map(len, group_layers([engine, engine]))) == {2: 2}
