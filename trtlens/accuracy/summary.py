"""A comparison in a few sentences: how many tensors, the first that goes wrong and why, and what to look at."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from trtlens.accuracy.blame import INTEGER_PRECISIONS, OK
from trtlens.accuracy.compare import COMPARED, MISSING, REFUSED
from trtlens.layer_patterns import listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from trtlens.accuracy.error_rows import Errors

_SHOWN = 3
_LEAST_ADDED = 1e-9

DIRECTIONS = "lower is better: error, error added, max abs error, deviation ratio, ulp; higher is better: sqnr, cosine similarity"


def sentences(errors: Errors) -> Iterator[str]:
    """What to know of a comparison, the most important first."""
    rows = errors.rows
    yield _counts(rows)
    first = next((row for row in rows if row["first_wrong"]), None)
    if errors.precision in INTEGER_PRECISIONS:
        yield from _integer_advice(rows)
    if first is None:
        yield "no tensor goes wrong"
    else:
        yield f"first that goes wrong: {_named(first)}: {first['cause']}"
        if first["advice"]:
            yield f"what to do: {first['advice']}"
        if first["keep_fp32"]:
            yield f"to keep in FP32: {_flags(first['keep_fp32'])}"
    added = sorted(
        (row for row in rows if (row["error_added"] or 0) > _LEAST_ADDED), key=lambda row: -row["error_added"]
    )
    if added:
        most = ", ".join(f"{row['producer'] or row['tensor']} {row['error_added']:.3g}" for row in added[:_SHOWN])
        yield f"most error is added by: {most}"
    yield from _refusals(rows)


def _refusals(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """One sentence for each reason, with the first tensors that it is about."""
    tensors: dict[str, list[str]] = {}
    for row in rows:
        if row["status"] == REFUSED:
            tensors.setdefault(str(row["reason"]), []).append(row["tensor"])
    for reason, names in list(tensors.items())[:_SHOWN]:
        yield f"not compared: {listed(names, _SHOWN)}: {reason}"


def _counts(rows: Sequence[Mapping[str, Any]]) -> str:
    counts = {status: sum(row["status"] == status for row in rows) for status in (COMPARED, REFUSED, MISSING)}
    bad = sum(row["verdict"] not in (None, OK) for row in rows)
    text = f"{counts[COMPARED]} tensors compared, {bad} not ok"
    if counts[REFUSED]:
        text += f", {counts[REFUSED]} refused"
    return f"{text}, {counts[MISSING]} only in the reference" if counts[MISSING] else text


def _integer_advice(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """NVIDIA's advice for INT8: middle layers deviate, the end counts."""
    yield "8 bits and fewer: large deviations of middle tensors are to be expected; judge by the outputs and the task's metric"
    for row in rows:
        if row["role"] == "output" and row["status"] == COMPARED:
            noise = "no noise" if row["sqnr_db"] is None else f"{row['sqnr_db']:.1f} dB of signal over noise"
            yield f"output {row['tensor']}: {row['verdict']}, {noise}"


def _named(row: Mapping[str, Any]) -> str:
    return f"{row['tensor']} ({row['producer']}, {row['op']})" if row["producer"] else str(row["tensor"])


def _flags(nodes: Sequence[str]) -> str:
    return " ".join(f"--layer-precision {shlex.quote(f'{node}=fp32')}" for node in nodes)


def chosen_rows(rows: Sequence[dict[str, Any]], most: int = 30) -> list[dict[str, Any]]:
    """At most about that many rows in their order: outputs, the first that are not ok, and those that add most error."""
    compared = [row for row in rows if row["status"] != MISSING]
    if len(compared) <= most:
        return compared
    bad = [row for row in compared if row["verdict"] not in (None, OK)]
    added = sorted(compared, key=lambda row: -(row["error_added"] or 0.0))
    outputs = [row for row in compared if row["role"] == "output"]
    wanted = {row["index"] for row in (*outputs[: most // 3], *bad[: most // 3], *added[: most // 3])}
    return [row for row in compared if row["index"] in wanted]
