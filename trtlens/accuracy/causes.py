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
from trtlens.accuracy.overflow import is_constant_mask, share_of, state_of
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
    case = _Case(row, metrics, rows, model, precision)
    found = (ask(case) for ask in (_overflow, _passed_on, _clipped, _weights, _values, _cancellation))
    return next((diagnosis for diagnosis in found if diagnosis is not None), _rounding(case))


@dataclass(frozen=True, slots=True)
class _Case:
    """A tensor that is not ok, with all tensors by name and what is known of the model and the run."""

    row: Judged
    metrics: Metrics
    rows: dict[str, Judged]
    model: Model
    precision: str | None

    @property
    def nodes(self) -> tuple[DumpedNode, ...]:
        """The ONNX nodes of its layer."""
        return () if self.row.subgraph is None else self.row.subgraph.nodes

    @property
    def names(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(node.name for node in self.nodes)

    @property
    def where(self) -> str:
        """The node that puts it out, in words."""
        return f"{self.nodes[-1].name} ({self.nodes[-1].op})" if self.nodes else "the layer"

    def inputs_broken(self) -> bool:
        """Whether an input already has a new NaN or infinity."""
        inputs = () if self.row.subgraph is None else self.row.subgraph.inputs
        found = [self.rows[name].tensor.metrics for name in inputs if name in self.rows]
        return any(one is not None and (one.new_nan or one.new_inf) for one in found)


def _overflow(case: _Case) -> Diagnosis | None:
    """NaN or infinity that came up here: in the tensor itself, or in what the layer computes on the way to it."""
    broken = bool(case.metrics.new_nan or case.metrics.new_inf)
    if case.precision not in (None, "fp16"):
        return _unexplained(case) if broken and not case.inputs_broken() else None
    if case.inputs_broken() or not (broken or (case.metrics.error or 0.0) > _PASSED_ON):
        return None
    count = (
        f": {case.metrics.new_inf} infinities and {case.metrics.new_nan} NaN"
        if broken
        else ": what it made infinite vanished"
    )
    for tensor in _on_the_way(case):
        if tensor.ranges is not None and tensor.ranges.largest is not None and state_of(tensor) == OVERFLOW:
            inside = "" if tensor.name == case.row.tensor.name else f" in {tensor.name}"
            cause = (
                f"overflow{inside}: the reference reaches {number(tensor.ranges.largest)}, FP16 ends at 65504{count}"
            )
            return Diagnosis(cause, remedy_for(tensor, OVERFLOW, case.model).advice, _out_of_range_nodes(case, tensor))
    return _unexplained(case) if broken else None


def _on_the_way(case: _Case) -> Iterator[DumpedTensor]:
    """The tensors and hidden values that the nodes of the layer make, in their order."""
    for node in case.nodes:
        yield from case.model.hidden(node.name)
        yield from (case.model.tensors[name] for name in node.outputs if name in case.model.tensors)
    if not case.nodes and case.row.tensor.name in case.model.tensors:
        yield case.model.tensors[case.row.tensor.name]


def _unexplained(case: _Case) -> Diagnosis:
    cause = f"{case.metrics.new_inf} infinities and {case.metrics.new_nan} NaN come up in {case.where}, whose values are in range"
    return Diagnosis(cause, f"keep {case.where} in FP32: it overflows inside", case.names)


def _kept(case: _Case) -> tuple[str, ...]:
    """The nodes of the layer, and those that read its output where FP16 does not hold that."""
    tensor = case.model.tensors.get(case.row.tensor.name)
    if tensor is None or state_of(tensor) not in UNFIT:
        return case.names
    return tuple(dict.fromkeys([*case.names, *_out_of_range_nodes(case, tensor)]))


def _out_of_range_nodes(case: _Case, tensor: DumpedTensor) -> tuple[str, ...]:
    """The nodes from there on that make or read a tensor out of range, up to those that bring the values back."""
    maker = case.model.graph.producers.get(tensor.name)
    kept: dict[str, None] = dict.fromkeys([maker.name] if maker is not None else case.names)
    pending = [tensor.name]
    seen = set(pending)
    while pending:
        for node in case.model.graph.readers.get(pending.pop(), ()):
            kept[node.name] = None
            for name in node.outputs:
                known = case.model.tensors.get(name)
                if name not in seen and known is not None and state_of(known) in UNFIT:
                    seen.add(name)
                    pending.append(name)
    return tuple(kept)


def _passed_on(case: _Case) -> Diagnosis | None:
    """An error of which more than half was there before; a clipped input may add where the error does not show."""
    added, came_in = case.row.error_added, case.row.input_error
    if added is None or came_in is None or case.row.subgraph is None or not case.row.subgraph.inputs:
        return None
    if not case.inputs_broken() and (came_in == 0 or added > _PASSED_ON * came_in):
        return None
    worst = max(case.row.subgraph.inputs, key=lambda name: _error_of(case.rows.get(name)))
    return Diagnosis(f"passed on from {worst}", None, ())


def _error_of(row: Judged | None) -> float:
    return (row.tensor.metrics.error or 0.0) if row is not None and row.tensor.metrics is not None else 0.0


def _clipped(case: _Case) -> Diagnosis | None:
    """Values that stand at the end of the run's range, which the reference exceeds."""
    if not case.metrics.saturated_share or case.metrics.saturated_share < 1e-3:
        return None
    ends = (
        case.metrics.run_min or 0.0,
        case.metrics.run_max or 0.0,
        case.metrics.reference_min or 0.0,
        case.metrics.reference_max or 0.0,
    )
    reached, wanted = max(abs(ends[0]), abs(ends[1])), max(abs(ends[2]), abs(ends[3]))
    if not reached or wanted <= reached:
        return None
    missing = 1 - reached / wanted
    cause = (
        f"clipped: the run ends at {reached:.4g} where the reference reaches {wanted:.4g}: its range is "
        f"{100 * missing:.0f} % too small ({100 * case.metrics.saturated_share:.1f} % of the values stand at the end)"
    )
    if case.precision in INTEGER_PRECISIONS:
        advice = f"calibrate with data that reaches {wanted:.4g}, or set the range of this tensor to it"
    else:
        advice = "keep what makes it in FP32, or scale it into range"
    computing = tuple(node.name for node in case.nodes if node.op not in _CONVERSIONS)
    return Diagnosis(cause, advice, computing)


def _weights(case: _Case) -> Diagnosis | None:
    """Weights of the layer that FP16 does not hold."""
    if case.precision != "fp16":
        return None
    for node in case.nodes:
        for name in node.inputs:
            weight = case.model.tensors.get(name)
            if weight is None or weight.role != "weight" or weight.ranges is None:
                continue
            largest = weight.ranges.largest
            if largest is None or is_constant_mask(weight, case.model.graph):
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
                return Diagnosis(cause, remedy_for(weight, state, case.model).advice, _kept(case))
    return None


def _values(case: _Case) -> Diagnosis | None:
    """Values of the tensor that FP16 flushes to zero or holds with few bits."""
    small = (case.metrics.subnormal_share or 0.0) + (case.metrics.flushed_share or 0.0)
    if case.precision != "fp16" or small < _SMALL_SHARE:
        return None
    lost = f", {case.metrics.new_zeros} became zero" if case.metrics.new_zeros else ""
    cause = f"{100 * small:.0f} % of the values are under 6.1e-5, where FP16 loses bits{lost}"
    advice = f"keep {case.where} in FP32, or scale its input by a power of two"
    return Diagnosis(cause, advice, _kept(case))


def _cancellation(case: _Case) -> Diagnosis | None:
    """Small differences of large numbers: the absolute error stays, the numbers it belonged to are gone."""
    nodes = case.nodes
    if not nodes or nodes[-1].op not in _CANCELLING or case.row.subgraph is None:
        return None
    before = max((_rms(name, case.model) for name in case.row.subgraph.inputs if name in case.rows), default=0.0)
    after = _rms(case.row.tensor.name, case.model)
    came_in = (case.row.input_error or 0.0) > 0
    if not after or before / after < _CANCELLATION or not came_in or not case.metrics.error:
        return None
    cause = (
        f"{case.where} leaves small differences of values {before / after:.0f} times larger: it magnifies their error"
    )
    return Diagnosis(cause, f"keep {case.where} and what makes its inputs in FP32", case.names)


def _rms(name: str, model: Model) -> float:
    ranges = model.ranges(name)
    return (ranges.rms or 0.0) if ranges is not None else 0.0


def _rounding(case: _Case) -> Diagnosis:
    share = (
        f" of {100 * case.metrics.error:.3g} %"
        if case.metrics.error is not None and math.isfinite(case.metrics.error)
        else ""
    )
    cause = f"an error{share} in {case.where}{f' in {case.precision}' if case.precision else ''}, its range is not the reason"
    return Diagnosis(cause, f"keep {case.where} in a higher precision", case.names)
