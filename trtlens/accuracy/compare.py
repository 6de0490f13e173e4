"""Two dumps compared tensor by tensor: every tensor of the reference gets a row, whatever happens to it.

Tensors are matched by name; where a conversion renamed one, by the node that makes it; where a tool turned names into
file names, by the characters that survive that, as long as one tensor alone fits. The order is that of the graph where it
is known, else that of the reference.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trtlens.accuracy.dumps import safe_name
from trtlens.accuracy.metrics import Metrics, measure
from trtlens.accuracy.tensors import Tensor, UnreadableTensor
from trtlens.errors import TrtlensError
from trtlens.layer_patterns import listed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from trtlens.accuracy.blame import Graph
    from trtlens.accuracy.readers import Dump

_CODES = frozenset({"int8", "uint8", "int4"})
COMPARED, MISSING, REFUSED = "compared", "missing", "refused"


@dataclass(frozen=True, slots=True)
class ComparedTensor:
    """One tensor of the reference against the run; `metrics` is None where `reason` says why."""

    name: str
    status: str
    reason: str | None
    reference_dtype: str | None
    dtype: str | None
    shape: tuple[int, ...] | None
    metrics: Metrics | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """The compared tensors in execution order, and the names that only the run has."""

    tensors: tuple[ComparedTensor, ...]
    only_in_run: tuple[str, ...]


def compare_dumps(
    reference: Dump,
    run: Dump,
    graph: Graph,
    *,
    threshold: float = 0.1,
    progress: Callable[[str], None] | None = None,
) -> Comparison:
    """Compare every tensor of the reference; `threshold` is the deviation that counts, as a share of the reference.

    Raises:
        TrtlensError: not one name is in both, or both were fed different inputs.

    """
    _check_inputs(reference, run)
    ours, theirs = _names(reference), _names(run)
    matched = matched_names(reference, run)
    if not matched:
        raise TrtlensError(
            f"no tensor of {reference.name} ({listed(ours, 3)}) is in {run.name} ({listed(theirs, 3)}): are they of one model?"
        )
    rows = []
    for name in _ordered(ours, run, graph, matched):
        if progress is not None:
            progress(name)
        rows.append(_compared(name, reference, run, matched.get(name), threshold))
    used = set(matched.values())
    return Comparison(tuple(rows), tuple(name for name in run.tensors if name not in used))


def matched_names(reference: Dump, run: Dump) -> dict[str, str]:
    """The name in the run of each tensor of the reference that has one, readable or not."""
    return _matches(_names(reference), _names(run), _renamed(reference, run))


def _names(dump: Dump) -> list[str]:
    return [*dump.tensors, *dump.refused]


def _check_inputs(reference: Dump, run: Dump) -> None:
    hashes = [dump.index.inputs_sha256 if dump.index is not None else None for dump in (reference, run)]
    if None not in hashes and hashes[0] != hashes[1]:
        raise TrtlensError(
            f"{reference.name} and {run.name} were fed different inputs: dump the run with --load-inputs {reference.name}"
        )


def _renamed(reference: Dump, run: Dump) -> dict[str, str]:
    """Names of the reference to those of the run that a node of the same name and operator puts out at the same place."""
    if reference.index is None or run.index is None:
        return {}
    theirs = {(node.name, node.op): node.outputs for node in run.index.nodes}
    return {
        ours: other
        for node in reference.index.nodes
        for ours, other in zip(node.outputs, theirs.get((node.name, node.op), ()), strict=False)
    }


def _matches(ours: list[str], theirs: list[str], renamed: dict[str, str]) -> dict[str, str]:
    """The name in the run of each name of the reference that has one."""
    there = set(theirs)
    matched = {name: name for name in ours if name in there}
    left = there - set(ours)
    matched |= {name: renamed[name] for name in ours if name not in matched and renamed.get(name) in left}
    left -= set(matched.values())
    left_ours = _unique(name for name in ours if name not in matched)
    left_theirs = _unique(name for name in theirs if name in left)
    return matched | {name: left_theirs[safe] for safe, name in left_ours.items() if safe in left_theirs}


def _unique(names: Iterable[str]) -> dict[str, str]:
    """Names by their harmless characters, without those that share them."""
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(safe_name(name), []).append(name)
    return {safe: group[0] for safe, group in found.items() if len(group) == 1}


def _ordered(ours: list[str], run: Dump, graph: Graph, matched: dict[str, str]) -> list[str]:
    """The names in the graph's order, those that no node makes first; without a graph in the order of our own dump."""
    positions = graph.positions()
    if not positions and run.index is not None:
        positions = {name: place for place, name in enumerate(run.tensors)}
        places = {name: positions.get(matched.get(name, name), len(positions)) for name in ours}
        return sorted(ours, key=lambda name: places[name])
    return sorted(ours, key=lambda name: positions.get(name, -1))


def _compared(name: str, reference: Dump, run: Dump, other: str | None, threshold: float) -> ComparedTensor:
    ours = reference.tensors.get(name)
    theirs = None if other is None else run.tensors.get(other)
    if ours is None:
        return _without(name, REFUSED, f"in the reference, {reference.refused[name]}", None, theirs)
    if other is None:
        return _without(name, MISSING, "the run has no tensor of this name", ours, None)
    if theirs is None:
        return _without(name, REFUSED, f"in the run, {run.refused[other]}", ours, None)
    if theirs.dtype in _CODES and ours.dtype not in _CODES and ours.dtype is not None:
        return _without(
            name, REFUSED, f"the run holds {theirs.dtype} codes of a quantized tensor, without scale", ours, theirs
        )
    ulp_type = run.precision if theirs.dtype == "fp32" and run.precision in ("fp16", "bf16") else None
    try:
        metrics = measure(ours, theirs, threshold=threshold, ulp_type=ulp_type)
    except UnreadableTensor as reason:
        return _without(name, REFUSED, str(reason), ours, theirs)
    return ComparedTensor(name, COMPARED, None, ours.dtype, theirs.dtype, ours.shape, metrics)


def _without(name: str, status: str, reason: str, ours: Tensor | None, theirs: Tensor | None) -> ComparedTensor:
    known = ours or theirs
    return ComparedTensor(
        name=name,
        status=status,
        reason=reason,
        reference_dtype=None if ours is None else ours.dtype,
        dtype=None if theirs is None else theirs.dtype,
        shape=None if known is None else known.shape,
        metrics=None,
    )
