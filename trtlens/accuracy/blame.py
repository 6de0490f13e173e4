"""Which tensor goes wrong first, and how much of its error its own layer added.

The error of a tensor is noise over signal (`Metrics.error`). What a layer adds is its output's error less the largest
error among its inputs: a layer that only passes an error on adds nothing, and after a NaN or an infinity, which count as
an error of 1, nobody behind is blamed. An operator that takes small differences of large numbers raises the relative
error without rounding anything; that is told as the cause.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trtlens.accuracy.compare import ComparedTensor, Comparison
    from trtlens.accuracy.graph import Graph, Region
    from trtlens.accuracy.metrics import Metrics

OK, SUSPECT, WRONG = "ok", "suspect", "wrong"
INTEGER_PRECISIONS = frozenset({"int8", "int4", "fp8", "fp4"})

_SATURATED_SHARE = 0.001


@dataclass(frozen=True, slots=True)
class Limits:
    """What a tensor must reach to be ok; a new NaN or infinity is always wrong. None asks for nothing."""

    min_sqnr_db: float | None
    min_cosine: float | None


FLOAT_LIMITS = Limits(min_sqnr_db=20.0, min_cosine=0.997)
"""What Polygraphy asks for by default (0.53), for FP32, FP16 and BF16."""
INTEGER_LIMITS = Limits(min_sqnr_db=10.0, min_cosine=None)
"""A tenth of the signal's power as noise, which PPQ warns at, for types of 8 bits and fewer."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A compared tensor with what is known of its place: `error_added` is None where no graph says what goes in."""

    tensor: ComparedTensor
    region: Region | None
    input_error: float | None
    error_added: float | None
    verdict: str | None


def limits_for(precision: str | None) -> Limits:
    """The limits of a run in that precision; an unknown one is held to those of FP16."""
    return INTEGER_LIMITS if precision in INTEGER_PRECISIONS else FLOAT_LIMITS


def judge(comparison: Comparison, graph: Graph, limits: Limits) -> list[Judged]:
    """Every tensor with its verdict and the error that its layer added, in the order of the comparison."""
    errors = {row.name: row.metrics.error for row in comparison.tensors if row.metrics is not None}
    regions = graph.regions(errors)
    return [_judged(row, regions.get(row.name), errors, limits) for row in comparison.tensors]


def _judged(row: ComparedTensor, region: Region | None, errors: dict[str, float | None], limits: Limits) -> Judged:
    if row.metrics is None:
        return Judged(row, region, None, None, None)
    verdict = _verdict(row.metrics, limits)
    error = row.metrics.error
    if region is None or error is None:
        return Judged(row, region, None, None, verdict)
    known = [found for name in region.inputs if (found := errors[name]) is not None]
    if len(known) < len(region.inputs):
        return Judged(row, region, None, None, verdict)
    input_error = max(known, default=0.0)
    return Judged(row, region, input_error, max(error - input_error, 0.0), verdict)


def _verdict(metrics: Metrics, limits: Limits) -> str:
    if metrics.new_nan or metrics.new_inf:
        return WRONG
    noisy = limits.min_sqnr_db is not None and metrics.sqnr_db is not None and metrics.sqnr_db < limits.min_sqnr_db
    turned = (
        limits.min_cosine is not None
        and metrics.cosine_similarity is not None
        and metrics.cosine_similarity < limits.min_cosine
    )
    if noisy or turned:
        return WRONG
    if not metrics.compared:
        return OK
    saturates = (metrics.saturated_share or 0.0) > _SATURATED_SHARE
    # a reference of zeros has no signal: all that the run holds is error
    nothing_expected = metrics.reference_min == metrics.reference_max == 0.0 and bool(metrics.max_abs_error)
    return SUSPECT if saturates or nothing_expected else OK


def first_bad(rows: list[Judged]) -> Judged | None:
    """The first tensor in the execution that is not ok."""
    return next((row for row in rows if row.verdict in (SUSPECT, WRONG)), None)
