"""Why a tensor went wrong and what to do about it, from what is known of the FP32 model and from the comparison.

Asked in this order: did the reference leave FP16's range, did the error only come in from above, does the run clip at a
range that is too small, are the weights too small or too large for FP16, are the values, do small differences of large
numbers magnify what came in; what is left is rounding. Whatever is not known is left out, never guessed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trtlens.accuracy.blame import INTEGER_PRECISIONS, OK, Judged
from trtlens.accuracy.masks import is_constant_mask
from trtlens.accuracy.overflow import share_of, state_of
from trtlens.accuracy.remedies import OVERFLOW, UNFIT, Model, remedy_for
from trtlens.quantities import number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trtlens.accuracy.metrics import Metrics
    from trtlens_parsers.dump_index import DumpedNode, DumpedTensor

_PASSED_ON = 0.5
_SMALL_SHARE = 0.1
_CANCELLATION = 8.0
_CONVERSIONS = frozenset({"QuantizeLinear", "DequantizeLinear"})
_CANCELLING = frozenset({"Add", "Sub", "Sum", "ReduceMean", "ReduceSum", "MatMul", "Gemm", "Conv"})


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What made the error, what to do, and the ONNX nodes that would have to stay in FP32."""

    cause: str | None
    advice: str | None
    keep_fp32: tuple[str, ...]


NONE = Diagnosis(None, None, ())


def diagnose(row: Judged, rows: dict[str, Judged], model: Model, precision: str | None) -> Diagnosis:
    """The diagnosis of one tensor that is not ok; `rows` are all tensors by name."""
    metrics = row.tensor.metrics
    if metrics is None or row.verdict in (None, OK):
        return NONE
    asked = (_overflow, _passed_on, _clipped, _weights, _values, _cancellation)
    found = (ask(row, metrics, rows, model, precision) for ask in asked)
    return next((diagnosis for diagnosis in found if diagnosis is not None), _rounding(row, metrics, precision))


def _nodes(row: Judged) -> tuple[DumpedNode, ...]:
    return () if row.region is None else row.region.nodes


def _names(row: Judged) -> tuple[str, ...]:
    return tuple(node.name for node in _nodes(row))


def _where(row: Judged) -> str:
    nodes = _nodes(row)
    return f"{nodes[-1].name} ({nodes[-1].op})" if nodes else "the layer"


def _overflow(
    row: Judged, metrics: Metrics, rows: dict[str, Judged], model: Model, precision: str | None
) -> Diagnosis | None:
    """NaN or infinity that came up here: in the tensor itself, or in what the layer computes on the way to it."""
    broken = bool(metrics.new_nan or metrics.new_inf)
    if precision not in (None, "fp16"):
        return _unexplained(row, metrics) if broken and not _inputs_broken(row, rows) else None
    if _inputs_broken(row, rows) or not (broken or (metrics.error or 0.0) > _PASSED_ON):
        return None
    count = (
        f": {metrics.new_inf} infinities and {metrics.new_nan} NaN" if broken else ": what it made infinite vanished"
    )
    for tensor in _on_the_way(row, model):
        if tensor.ranges is not None and tensor.ranges.largest is not None and state_of(tensor) == OVERFLOW:
            inside = "" if tensor.name == row.tensor.name else f" in {tensor.name}"
            cause = (
                f"overflow{inside}: the reference reaches {number(tensor.ranges.largest)}, FP16 ends at 65504{count}"
            )
            return Diagnosis(cause, remedy_for(tensor, OVERFLOW, model).advice, out_of_range_nodes(row, tensor, model))
    return _unexplained(row, metrics) if broken else None


def _on_the_way(row: Judged, model: Model) -> Iterator[DumpedTensor]:
    """The tensors and hidden values that the nodes of the layer make, in their order."""
    for node in _nodes(row):
        yield from model.hidden(node.name)
        yield from (model.tensors[name] for name in node.outputs if name in model.tensors)
    if not _nodes(row) and row.tensor.name in model.tensors:
        yield model.tensors[row.tensor.name]


def _unexplained(row: Judged, metrics: Metrics) -> Diagnosis:
    cause = (
        f"{metrics.new_inf} infinities and {metrics.new_nan} NaN come up in {_where(row)}, whose values are in range"
    )
    return Diagnosis(cause, f"keep {_where(row)} in FP32: it overflows inside", _names(row))


def _inputs_broken(row: Judged, rows: dict[str, Judged]) -> bool:
    inputs = [] if row.region is None else [rows[name].tensor.metrics for name in row.region.inputs if name in rows]
    return any(found is not None and (found.new_nan or found.new_inf) for found in inputs)


def _kept(row: Judged, model: Model) -> tuple[str, ...]:
    """The nodes of the layer, and those that read its output where FP16 does not hold that."""
    tensor = model.tensors.get(row.tensor.name)
    if tensor is None or state_of(tensor) not in UNFIT:
        return _names(row)
    return tuple(dict.fromkeys([*_names(row), *out_of_range_nodes(row, tensor, model)]))


def out_of_range_nodes(row: Judged, tensor: DumpedTensor, model: Model) -> tuple[str, ...]:
    """The nodes from there on that make or read a tensor out of range, up to those that bring the values back."""
    maker = model.graph.producers.get(tensor.name)
    kept: dict[str, None] = dict.fromkeys([maker.name] if maker is not None else _names(row))
    pending = [tensor.name]
    seen = set(pending)
    while pending:
        for node in model.graph.readers.get(pending.pop(), ()):
            kept[node.name] = None
            for name in node.outputs:
                known = model.tensors.get(name)
                if name not in seen and known is not None and state_of(known) in UNFIT:
                    seen.add(name)
                    pending.append(name)
    return tuple(kept)


def _passed_on(
    row: Judged, _metrics: Metrics, rows: dict[str, Judged], _model: Model, _precision: str | None
) -> Diagnosis | None:
    """An error of which more than half was there before; a clipped input may add where the error does not show."""
    added, came_in = row.error_added, row.input_error
    if added is None or came_in is None or row.region is None or not row.region.inputs:
        return None
    if not _inputs_broken(row, rows) and (came_in == 0 or added > _PASSED_ON * came_in):
        return None
    worst = max(row.region.inputs, key=lambda name: _error_of(rows.get(name)))
    return Diagnosis(f"passed on from {worst}", None, ())


def _error_of(row: Judged | None) -> float:
    return (row.tensor.metrics.error or 0.0) if row is not None and row.tensor.metrics is not None else 0.0


def _clipped(
    row: Judged, metrics: Metrics, _rows: dict[str, Judged], _model: Model, precision: str | None
) -> Diagnosis | None:
    """Values that stand at the end of the run's range, which the reference exceeds."""
    if not metrics.saturated_share or metrics.saturated_share < 1e-3:
        return None
    ends = (metrics.run_min or 0.0, metrics.run_max or 0.0, metrics.reference_min or 0.0, metrics.reference_max or 0.0)
    reached, wanted = max(abs(ends[0]), abs(ends[1])), max(abs(ends[2]), abs(ends[3]))
    if not reached or wanted <= reached:
        return None
    missing = 1 - reached / wanted
    cause = (
        f"clipped: the run ends at {reached:.4g} where the reference reaches {wanted:.4g}: its range is "
        f"{100 * missing:.0f} % too small ({100 * metrics.saturated_share:.1f} % of the values stand at the end)"
    )
    if precision in INTEGER_PRECISIONS:
        advice = f"calibrate with data that reaches {wanted:.4g}, or set the range of this tensor to it"
    else:
        advice = "keep what makes it in FP32, or scale it into range"
    computing = tuple(node.name for node in _nodes(row) if node.op not in _CONVERSIONS)
    return Diagnosis(cause, advice, computing)


def _weights(
    row: Judged, _metrics: Metrics, _rows: dict[str, Judged], model: Model, precision: str | None
) -> Diagnosis | None:
    """Weights of the layer that FP16 does not hold."""
    if precision != "fp16":
        return None
    for node in _nodes(row):
        for name in node.inputs:
            weight = model.tensors.get(name)
            if weight is None or weight.role != "weight" or weight.ranges is None:
                continue
            largest = weight.ranges.largest
            if largest is None or is_constant_mask(weight, model.graph):
                continue
            state = state_of(weight)
            if state in UNFIT:
                small = (share_of(weight.ranges.subnormal, weight) or 0) + (
                    share_of(weight.ranges.flushed, weight) or 0
                )
                cause = (
                    f"weight {name} reaches {number(largest)}, FP16 ends at 65504"
                    if state == OVERFLOW
                    else f"{100 * small:.0f} % of weight {name} are under 6.1e-5, where FP16 loses bits, or vanish "
                    f"(its largest is {number(largest)})"
                )
                return Diagnosis(cause, remedy_for(weight, state, model).advice, _kept(row, model))
    return None


def _values(
    row: Judged, metrics: Metrics, _rows: dict[str, Judged], model: Model, precision: str | None
) -> Diagnosis | None:
    """Values of the tensor that FP16 flushes to zero or holds with few bits."""
    small = (metrics.subnormal_share or 0.0) + (metrics.flushed_share or 0.0)
    if precision != "fp16" or small < _SMALL_SHARE:
        return None
    lost = f", {metrics.new_zeros} became zero" if metrics.new_zeros else ""
    cause = f"{100 * small:.0f} % of the values are under 6.1e-5, where FP16 loses bits{lost}"
    advice = f"keep {_where(row)} in FP32, or scale its input by a power of two"
    return Diagnosis(cause, advice, _kept(row, model))


def _cancellation(
    row: Judged, metrics: Metrics, rows: dict[str, Judged], model: Model, _precision: str | None
) -> Diagnosis | None:
    """Small differences of large numbers: the absolute error stays, the numbers it belonged to are gone."""
    nodes = _nodes(row)
    if not nodes or nodes[-1].op not in _CANCELLING or row.region is None:
        return None
    before = max((_rms(name, model) for name in row.region.inputs if name in rows), default=0.0)
    after = _rms(row.tensor.name, model)
    came_in = (row.input_error or 0.0) > 0
    if not after or before / after < _CANCELLATION or not came_in or not metrics.error:
        return None
    cause = (
        f"{_where(row)} leaves small differences of values {before / after:.0f} times larger: it magnifies their error"
    )
    return Diagnosis(cause, f"keep {_where(row)} and what makes its inputs in FP32", _names(row))


def _rms(name: str, model: Model) -> float:
    ranges = model.ranges(name)
    return (ranges.rms or 0.0) if ranges is not None else 0.0


def _rounding(row: Judged, metrics: Metrics, precision: str | None) -> Diagnosis:
    share = f" of {100 * metrics.error:.3g} %" if metrics.error is not None and math.isfinite(metrics.error) else ""
    cause = f"an error{share} in {_where(row)}{f' in {precision}' if precision else ''}, its range is not the reason"
    return Diagnosis(cause, f"keep {_where(row)} in a higher precision", _names(row))
