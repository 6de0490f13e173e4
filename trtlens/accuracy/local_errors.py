"""Is it the precision, or is it TensorRT? Each region's own error, held against what its types explain.

A region is what lies between dumped tensors. Its own error is that of the engine's output against the operators' FP32 result on the
inputs that the engine itself fed it, so that nothing counts which came in from above. Its types explain as much as the same region
rounded to them errs on the same inputs, or sums in FP16 may add. Far more than that, on finite values, is the work of a kernel or a fusion.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, permutations
from typing import TYPE_CHECKING

import numpy as np

from trtlens.quantities import number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from trtlens.accuracy.tensors import Tensor

    Values = NDArray[np.float64]

OK, PRECISION, SUSPECT, UNCLEAR = "ok", "precision", "suspect kernel or fusion", "unclear"
VERDICTS = (SUSPECT, PRECISION, UNCLEAR, OK)
"""The verdicts, what needs the most attention first."""
EXPLAINED, UNEXPLAINED = 4.0, 30.0
"""An error of less than the first times what the types explain is theirs; of more than the second times it is not."""
_LEAST = 1e-3
"""Errors below it are of no interest, whatever their cause."""
_WORTH_TELLING = 0.01
FLOORS = {"fp16": 2.0**-12, "bf16": 2.0**-9, "tf32": 2.0**-12, "fp32": 1e-5}
"""What a region of that type may err at any rate: half a unit in the last place, in FP32 sums in another order."""
_LARGEST_HALF = 65504.0
_SAME = 0.1
"""An explanation holds if it leaves a tenth of the error, or what the types explain."""
_SHARE_OF_SLICES, _SHARE_OF_ERROR = 0.5, 0.95
_CLIPPED_SHARE = 0.001
_MOST_SUBSTITUTES = 8
_MOST_AXES = 5


@dataclass(frozen=True, slots=True)
class RegionRun:
    """One region with what the engine made of it and what the CPU made of the engine's inputs.

    Attributes:
        tensor: its output.
        precision: the type that its layers ran in.
        inputs: what the engine fed it.
        engine: the engine's output.
        exact: the operators' result in FP32.
        emulated: the same, rounded to the precision.
        sum_noise: what sums in FP16 may add, as a share of the signal.
        rerun: the operators' result on other inputs.
        others: other tensors that the engine put out, of any shape, which are read when they are looked at.
    """

    tensor: str
    precision: str
    inputs: Mapping[str, NDArray[np.generic]]
    engine: Values
    exact: Values
    emulated: Values
    sum_noise: float
    rerun: Callable[[Mapping[str, NDArray[np.generic]]], Values]
    others: Mapping[str, Tensor]


@dataclass(frozen=True, slots=True)
class LocalError:
    """What one region errs by itself: noise over signal, what the types explain of it, and the verdict with its reason.

    ``error`` and ``explained`` are None where values are not finite; ``ratio`` is the first over the second.
    """

    tensor: str
    precision: str
    error: float | None
    explained: float | None
    ratio: float | None
    verdict: str
    detail: str


def local_error(run: RegionRun) -> LocalError:
    """The verdict on one region."""
    if run.engine.shape != run.exact.shape:
        return LocalError(run.tensor, run.precision, None, None, None, *_other_shape(run))
    broken = _not_finite(run)
    if broken is not None:
        return LocalError(run.tensor, run.precision, None, None, None, *broken)
    error, explained = noise_over_signal(run.engine, run.exact), _explained(run)
    ratio = error / explained
    verdict = _verdict(error, ratio)
    detail = _fault(run, error, explained) if verdict == SUSPECT else _reason(verdict, run.precision)
    return LocalError(run.tensor, run.precision, error, explained, ratio, verdict, detail)


def noise_over_signal(values: Values, exact: Values) -> float:
    """Root of the squared differences over the squared values, 1 where nothing but noise is there; of finite values alone."""
    known = np.isfinite(values) & np.isfinite(exact)
    noise = float(np.sqrt(np.square(values[known] - exact[known]).sum()))
    signal = float(np.sqrt(np.square(exact[known]).sum()))
    return noise / signal if signal else float(noise > 0)


def _explained(run: RegionRun) -> float:
    emulated = noise_over_signal(run.emulated, run.exact)
    sums = run.sum_noise if run.precision == "fp16" else 0.0
    return max(emulated, sums, FLOORS.get(run.precision, FLOORS["fp16"]))


def _verdict(error: float, ratio: float) -> str:
    if error < _LEAST or (ratio < UNEXPLAINED and error < _WORTH_TELLING):
        return OK
    if ratio >= UNEXPLAINED:
        return SUSPECT
    return PRECISION if ratio < EXPLAINED else UNCLEAR


def _reason(verdict: str, precision: str) -> str:
    if verdict == PRECISION:
        return f"a region rounded to {precision.upper()} errs as much"
    if verdict == UNCLEAR:
        return (
            "more than the types explain, less than a fault would make: an engine with this region in FP32 would tell"
        )
    return ""


def _other_shape(run: RegionRun) -> tuple[str, str]:
    """The verdict where the engine's output has another shape than the model's: the right values may stand there in another order."""
    shapes = f"the engine's output is {list(run.engine.shape)}, the model's {list(run.exact.shape)}"
    if run.engine.ndim == run.exact.ndim <= _MOST_AXES:
        for order in permutations(range(run.engine.ndim)):
            turned = run.engine.transpose(order)
            if turned.shape == run.exact.shape and noise_over_signal(turned, run.exact) < UNEXPLAINED * _explained(run):
                return SUSPECT, f"{shapes}: it holds the right values with its axes in another order"
    return UNCLEAR, f"{shapes}, so that they cannot be held against one another"


def _not_finite(run: RegionRun) -> tuple[str, str] | None:
    """The verdict where the engine has NaN or infinities that the exact result has not."""
    broken = ~np.isfinite(run.engine) & np.isfinite(run.exact)
    if not broken.any():
        return None
    kind = "NaN" if np.isnan(run.engine[broken]).any() else "infinity"
    shares = f"{kind} in {broken.sum():,} of {broken.size:,} values"
    if any(
        not np.isfinite(np.asarray(values, np.float64)).all()
        for values in run.inputs.values()
        if values.dtype.kind == "f"
    ):
        return UNCLEAR, f"{shares}, and its inputs hold some already"
    if (~np.isfinite(run.emulated[broken])).mean() > _SHARE_OF_SLICES:
        return PRECISION, f"{shares}: {run.precision.upper()} alone makes them, too"
    largest = float(np.abs(run.exact[np.isfinite(run.exact)]).max(initial=0.0))
    if run.precision == "fp16" and largest > _LARGEST_HALF / EXPLAINED:
        return UNCLEAR, f"{shares}: values reach {number(largest)}, so that sums in FP16 may have overflowed"
    return SUSPECT, f"{shares} made inside it of finite inputs, where {run.precision.upper()} makes none"


# -- what kind of fault it is -----------------------------------------------------------------------------------------


def _fault(run: RegionRun, error: float, explained: float) -> str:
    """What the wrong output looks like, where that can be told."""

    def fits(values: Values) -> bool:
        return noise_over_signal(run.engine, values) < max(_SAME * error, EXPLAINED * explained)

    asked = (
        _dead(run),
        _permuted(run, fits),
        _copied(run, fits),
        _misread(run, fits),
        _clipped(run),
        _scaled(run, fits),
        _placed(run),
    )
    return next((told for told in asked if told), "it errs everywhere alike")


def _dead(run: RegionRun) -> str:
    if run.engine.size > 1 and np.ptp(run.engine) == 0 and np.ptp(run.exact) > 0:
        return f"every value is {number(float(run.engine.flat[0]))}: the output is dead"
    return ""


def _permuted(run: RegionRun, fits: Callable[[Values], bool]) -> str:
    """Whether two axes of the same extent are exchanged."""
    shape = run.exact.shape
    for one, other in combinations(range(len(shape)), 2):
        if shape[one] == shape[other] > 1 and fits(run.exact.swapaxes(one, other)):
            return f"axes {one} and {other} of the output are exchanged"
    return ""


def _copied(run: RegionRun, fits: Callable[[Values], bool]) -> str:
    for name, tensor in run.others.items():
        if tensor.shape == run.engine.shape and fits(np.asarray(tensor.array(), np.float64)):
            return f"it is a copy of {name}"
    return ""


def _misread(run: RegionRun, fits: Callable[[Values], bool]) -> str:
    """Whether it is the result of other inputs: two exchanged, or another tensor of that shape in the place of one, or one transposed."""
    for told, inputs in _substitutes(run):
        if fits(run.rerun(inputs)):
            return told
    return ""


def _substitutes(run: RegionRun) -> Iterator[tuple[str, dict[str, NDArray[np.generic]]]]:
    real = {name: values for name, values in run.inputs.items() if values.dtype.kind == "f"}
    for one, other in combinations(real, 2):
        if real[one].shape == real[other].shape:
            yield (
                f"it reads {one} and {other} in each other's place",
                {**run.inputs, one: real[other], other: real[one]},
            )
    for name, values in real.items():
        for first, second in combinations(range(values.ndim), 2):
            if values.shape[first] == values.shape[second] > 1:
                yield (
                    f"it reads {name} with axes {first} and {second} exchanged",
                    {**run.inputs, name: values.swapaxes(first, second)},
                )
        yield f"it leaves {name} out", {**run.inputs, name: np.zeros_like(values)}
        others = [other for other, found in run.others.items() if found.shape == values.shape and other != name]
        for other in others[-_MOST_SUBSTITUTES:]:
            yield f"it reads {other} in the place of {name}", {**run.inputs, name: run.others[other].array()}


def _clipped(run: RegionRun) -> str:
    for bound, beyond in (
        (run.engine.max(), run.exact > run.engine.max()),
        (run.engine.min(), run.exact < run.engine.min()),
    ):
        at_bound = run.engine == bound
        if beyond.mean() > _CLIPPED_SHARE and (at_bound & beyond).sum() > _SHARE_OF_SLICES * beyond.sum():
            return f"it is clipped at {number(float(bound))}"
    return ""


def _scaled(run: RegionRun, fits: Callable[[Values], bool]) -> str:
    spread = float(np.square(run.exact - run.exact.mean()).sum())
    if not spread:
        return ""
    factor = float(((run.exact - run.exact.mean()) * (run.engine - run.engine.mean())).sum()) / spread
    offset = float(run.engine.mean() - factor * run.exact.mean())
    if not fits(factor * run.exact + offset):
        return ""
    return f"it is {number(factor)} times the right result" + (
        f", and {number(offset)} added" if abs(offset) > _WORTH_TELLING * float(np.abs(run.engine).mean()) else ""
    )


def _placed(run: RegionRun) -> str:
    """The axis along which few slices hold the error."""
    squares = np.square(run.engine - run.exact)
    for axis, extent in enumerate(squares.shape):
        per_slice = squares.sum(axis=tuple(other for other in range(squares.ndim) if other != axis))
        worst = np.argsort(per_slice)[::-1]
        needed = int(np.searchsorted(np.cumsum(per_slice[worst]), _SHARE_OF_ERROR * per_slice.sum())) + 1
        if extent > 1 and needed < _SHARE_OF_SLICES * extent:
            return f"{needed} of {extent} slices of axis {axis} hold it: {_places(sorted(map(int, worst[:needed])))}"
    return ""


def _places(places: Sequence[int]) -> str:
    if len(places) > 2 and places[-1] - places[0] == len(places) - 1:
        return f"{places[0]} to {places[-1]}"
    return ", ".join(map(str, places[:5])) + (" and more" if len(places) > 5 else "")
