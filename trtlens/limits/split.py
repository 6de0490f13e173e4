"""The time of one inference, split: launches, what each layer needs at least, what a better kernel could recover, and what is not known.

The parts add up to the inference. Traced kernels take what the trace says (in proportion, where they add up to more than an
inference), and the gaps between them are launches. The layer profiler lengthens every layer by about as much
(`trtlens.findings.estimates`): so much is taken off each layer, but never more than down to its roof, that they add up to
the inference; it does not tell launches from kernels.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from trtlens.engine.engine_graph import CONSTANT
from trtlens.engine.inference_parts import KERNEL_TRACE, LAYER_PROFILER
from trtlens.engine.inference_timing import read_timing
from trtlens.engine.kernel_times import read_kernel_times
from trtlens.engine.kernels_run import RanKernel, ran_by_layer
from trtlens.engine.times import layer_times
from trtlens.limits.counted_use import counted_use, counted_uses
from trtlens.limits.layer_roofs import Cores, LayerRoof, cores_of, roof_of
from trtlens.limits.limit import LAUNCH, Launched, Limit, limit_of
from trtlens.limits.parts import LayerPart, Split
from trtlens.limits.roofs import Roofs, read_roofs
from trtlens.limits.work import Work, read_work
from trtlens.quantities import duration
from trtlens.runs.launch_layers import is_region
from trtlens.runs.run import Run, once
from trtlens.tables.engine_layers import NO_WORK, read_layers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from trtlens.engine.kernel_times import KernelTimes
    from trtlens.tables.engine_layers import EngineLayer

GAPS, UNPLACED, UNTIMED = "gaps between kernels", "kernels of no known layer", "layers without a time"
_STEPS = 60


@dataclass(frozen=True, slots=True)
class _Timed:
    """A layer with its own clock's time, and the weight of the gaps before its kernels."""

    layer: EngineLayer
    time_ms: float
    roof: LayerRoof
    cores: Cores
    work: Work
    launched: Launched
    gap: float
    has_neighbour: bool


@once
def read_split(run: Run, build: int) -> Split | None:
    """The split of one inference of a build; None where no layer has a time."""
    work, roofs, times = read_work(run, build), read_roofs(run, build), layer_times(run, build)
    timing, traced = read_timing(run, build), read_kernel_times(run, build)
    waits = bool(timing.waits) and traced is None
    listed = read_layers(run.build(build)).get(build, [])
    alone = _alone(listed)
    timed = [
        _timed(
            launched,
            times[launched.layer.index],
            work[launched.layer.index],
            roofs,
            has_neighbour=launched.layer.index not in alone,
        )
        for launched in _launches(run, build, listed, waits=waits)
        if times.get(launched.layer.index, 0.0) > 0 and launched.layer.index in work
    ]
    if not timed:
        return None
    if traced is not None:
        return _of_trace(timed, traced, timing.inference_ms, roofs)
    whole = all(layer.index in times or layer.index not in work for layer in listed if layer.type not in NO_WORK)
    return _of_profile(timed, timing.inference_ms, roofs, GAPS if whole else UNTIMED, waits=waits)


def _alone(layers: Sequence[EngineLayer]) -> set[int]:
    """Layers whose tensors no other layer has but constants: what they read and write leaves the engine."""
    named = {
        layer.index: {one.name for one in (*layer.inputs, *layer.outputs)} for layer in layers if layer.type != CONSTANT
    }
    users = Counter(name for names in named.values() for name in names)
    return {index for index, names in named.items() if names and all(users[name] == 1 for name in names)}


def last_split(run: Run) -> Split | None:
    """The split of the last build whose layers have times; None where those of no build have."""
    found = (read_split(run, build) for build in reversed(run["builds"]["build"].to_pylist()))
    return next((split for split in found if split is not None), None)


class _Launches(NamedTuple):
    """A layer with its traced kernels, and what is known of them."""

    layer: EngineLayer
    ran: Sequence[RanKernel]
    known: Launched


def _launches(run: Run, build: int, layers: Sequence[EngineLayer], *, waits: bool) -> Iterator[_Launches]:
    traced, counted = ran_by_layer(run, build), counted_uses(run, build)
    for layer in layers:
        ran, use = traced.get(layer.index, ()), counted_use(counted, layer.tactic_name)
        blocks = max(ran, key=lambda one: one.median_ms).row["blocks"] if ran else None
        yield _Launches(
            layer, ran, Launched(len(ran) or (None if is_region(layer.type, layer.name) else 1), blocks, use, waits)
        )


def _timed(launched: _Launches, time_ms: float, work: Work, roofs: Roofs | str, *, has_neighbour: bool) -> _Timed:
    cores = cores_of(launched.layer, launched.ran)
    roof = LayerRoof(None, None, None, None, roofs) if isinstance(roofs, str) else roof_of(work, cores, roofs)
    gap = sum(max(one.gap_ms or 0.0, 0.0) for one in launched.ran)
    return _Timed(launched.layer, time_ms, roof, cores, work, launched.known, gap, has_neighbour)


# -- by the trace -----------------------------------------------------------------------------------------------------


def _of_trace(timed: Sequence[_Timed], traced: KernelTimes, whole_ms: float | None, roofs: Roofs | str) -> Split:
    unplaced = float(
        sum(m for row, m in zip(traced.launches, traced.median_ms, strict=True) if row["layer_index"] is None)
    )
    busy_ms = sum(one.time_ms for one in timed) + unplaced
    inference_ms = whole_ms or traced.traced_ms or busy_ms
    scale = min(1.0, inference_ms / busy_ms)
    gaps_ms = max(inference_ms - scale * busy_ms, 0.0)
    gaps = [one.gap for one in timed]
    note = "kernels and gaps by the kernel trace"
    if scale < 1:
        note = f"kernels by the trace, in proportion: they add up to {1 / scale:.3f} times an inference, beside one another or slowed by tracing"
    shares = [gap / sum(gaps) * gaps_ms if sum(gaps) else 0.0 for gap in gaps]
    left = 0.0 if sum(gaps) else gaps_ms
    parts = [_part(one, scale * one.time_ms, share, roofs) for one, share in zip(timed, shares, strict=True)]
    parts += [_rest(UNPLACED, scale * unplaced, is_launch=False)] if unplaced else []
    parts += [_rest(GAPS, left, is_launch=True)] if left > 0 else []
    return replace(_split(inference_ms, parts, note, roofs, KERNEL_TRACE), places_gaps=left <= 0)


# -- by the layer profiler --------------------------------------------------------------------------------------------


def _of_profile(
    timed: Sequence[_Timed], whole_ms: float | None, roofs: Roofs | str, rest: str, *, waits: bool
) -> Split:
    total = sum(one.time_ms for one in timed)
    inference_ms = whole_ms or total
    fitted, added = _fitted(timed, inference_ms)
    note = "layers by the layer profiler, which does not tell launches from kernels"
    if whole_ms is None:
        note = f"{note}; no inference was timed: they are split as they add up"
    elif added:
        note = f"{note}, each less up to {duration(added)} by which it lengthens them"
    if waits:
        note = f"{note}; the GPU waits for the host, and the waiting is counted in the layers"
    parts = [_part(one, time_ms, 0.0, roofs) for one, time_ms in zip(timed, fitted, strict=True)]
    left = inference_ms - sum(fitted)
    parts += [_rest(rest, left, is_launch=rest == GAPS)] if left > 1e-9 * inference_ms else []
    return _split(inference_ms, parts, note, roofs, LAYER_PROFILER)


def _fitted(timed: Sequence[_Timed], inference_ms: float) -> tuple[list[float], float]:
    """Times that add up to the inference: each less the same, but never below its roof; and how much less."""
    least = [min(one.time_ms, one.roof.roof_ms or 0.0) for one in timed]
    total = sum(one.time_ms for one in timed)
    if total <= inference_ms:
        return [one.time_ms for one in timed], 0.0
    if sum(least) >= inference_ms:
        return [one.time_ms * inference_ms / total for one in timed], 0.0
    low, high = 0.0, max(one.time_ms for one in timed)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        taken = sum(max(one.time_ms - middle, floor) for one, floor in zip(timed, least, strict=True))
        low, high = (middle, high) if taken > inference_ms else (low, middle)
    fitted = [max(one.time_ms - high, floor) for one, floor in zip(timed, least, strict=True)]
    scale = inference_ms / sum(fitted)  # what the last step of the search left
    return [time_ms * scale for time_ms in fitted], high


# -- parts ------------------------------------------------------------------------------------------------------------


def _part(one: _Timed, kernel_ms: float, launch_ms: float, roofs: Roofs | str) -> LayerPart:
    known = one.roof.roof_ms
    roof_ms = 0.0 if known is None else min(known, kernel_ms)
    rest = kernel_ms - roof_ms
    limit = limit_of(one.roof, kernel_ms, launch_ms, one.launched, None if isinstance(roofs, str) else roofs)
    return LayerPart(
        one.layer.index, one.layer.name, kernel_ms + launch_ms, one.time_ms, launch_ms, roof_ms,
        0.0 if known is None else rest, rest if known is None else 0.0, one.work, one.cores, one.roof, limit, one.has_neighbour,
    )  # fmt: skip


def _rest(name: str, time_ms: float, *, is_launch: bool) -> LayerPart:
    limit = (
        Limit(LAUNCH, f"{duration(time_ms)} in which no kernel runs")
        if is_launch
        else Limit(None, "their work is not known")
    )
    launch, unknown = (time_ms, 0.0) if is_launch else (0.0, time_ms)
    return LayerPart(None, name, time_ms, time_ms, launch, 0.0, 0.0, unknown, None, None, None, limit)


def _split(inference_ms: float, parts: Sequence[LayerPart], note: str, roofs: Roofs | str, clock: str) -> Split:
    ordered = sorted(parts, key=lambda part: (-part.time_ms, part.index is None, part.index or 0))
    return Split(inference_ms, tuple(ordered), note, roofs, clock)
