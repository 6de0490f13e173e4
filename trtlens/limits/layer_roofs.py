"""The least time that each layer's work takes on a GPU: its operations at the rate of its cores, its bytes at that of the memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from trtlens.quantities import byte_size
from trtlens_parsers.kernels import CUDA_CORE, TENSOR_CORE, read_kernel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trtlens.engine.kernels_run import RanKernel
    from trtlens.limits.roofs import Roofs
    from trtlens.limits.work import Work
    from trtlens.tables.engine_layers import EngineLayer

MEMORY = "memory"


@dataclass(frozen=True, slots=True)
class Cores:
    """What a layer's products run on: types that run, not those that were asked for; None where nothing states them."""

    precision: str | None
    unit: str | None
    accumulator: str | None


@dataclass(frozen=True, slots=True)
class LayerRoof:
    """The least time of one layer; None for a part that is not known.

    ``binds`` is memory, tensor core or cuda core; ``reason`` says why the roof is not known, or what was assumed of it.
    ``fits_l2`` is whether its data may fit the L2 cache, as far as its size is known. Where nothing states the cores, the roof is that of the faster ones, and ``slower_ms`` what the CUDA cores take in FP32.
    """

    compute_ms: float | None
    memory_ms: float | None
    roof_ms: float | None
    binds: str | None
    reason: str | None
    fits_l2: bool = False
    slower_ms: float | None = None


def cores_of(layer: EngineLayer, ran: Sequence[RanKernel] = ()) -> Cores:
    """By the kernel that took the longest of those that say what they compute in, else by what the engine states."""
    told = [one for one in ran if one.decoded is not None and one.decoded.precision and one.decoded.unit != CUDA_CORE]
    told = told or [one for one in ran if one.decoded is not None and one.decoded.precision]
    kernel = max(told, key=lambda one: one.median_ms).decoded if told else None
    if kernel is None and layer.tactic_name:
        kernel = read_kernel(layer.tactic_name)
    precision = layer.precision or (kernel.precision if kernel is not None else None)
    unit = layer.unit or (kernel.unit if kernel is not None else None)
    accumulator = kernel.accumulator_type if kernel is not None else None
    return Cores(precision, unit, accumulator)


def roof_of(work: Work, cores: Cores, roofs: Roofs) -> LayerRoof:
    """The roof of a layer: the longer of what its operations and its bytes take at least."""
    if work.products is None or work.bytes is None:
        return LayerRoof(None, None, None, None, work.reason)
    memory_ms = None if roofs.memory_gb_per_s is None else work.bytes / roofs.memory_gb_per_s / 1e6
    compute = _compute(work, cores, roofs)
    fits = roofs.l2_bytes is None or work.bytes <= roofs.l2_bytes
    if memory_ms is None or compute.time_ms is None:
        lacking = compute.doubt if compute.time_ms is None else "the bandwidth of the memory is not known"
        return LayerRoof(compute.time_ms, memory_ms, None, None, lacking, fits)
    by_memory = memory_ms >= compute.time_ms
    size = byte_size(work.bytes)
    held = f"its {size} fit the L2 cache" if roofs.l2_bytes else f"whether its {size} fit the L2 cache is not known"
    cached = f"{held}, so that it can exceed the memory's roof" if fits and by_memory else None
    return LayerRoof(
        compute.time_ms, memory_ms, max(memory_ms, compute.time_ms), MEMORY if by_memory else compute.unit,
        "; ".join(text for text in (compute.doubt, cached) if text) or None, fits, compute.slower_ms,
    )  # fmt: skip


class _Compute(NamedTuple):
    """What the operations take at least on the cores that bind, and why it is not known or what was assumed."""

    time_ms: float | None
    unit: str
    doubt: str | None = None
    slower_ms: float | None = None


def _compute(work: Work, cores: Cores, roofs: Roofs) -> _Compute:
    fp32 = roofs.rate("fp32", CUDA_CORE)
    cuda = max(filter(None, (fp32, roofs.rate("fp16", CUDA_CORE) if cores.precision == "fp16" else None)), default=None)
    elements_ms = work.elements / cuda / 1e9 if cuda else 0.0
    if not work.products:
        return _Compute(elements_ms, CUDA_CORE)
    rate, unit, doubt = _rate(cores, work.narrowest, roofs)
    if rate is None:
        return _Compute(None, unit, doubt)
    products_ms = work.products / rate / 1e9
    slower_ms = work.products / fp32 / 1e9 if cores.unit is None and fp32 else None
    return _Compute(max(products_ms, elements_ms), unit if products_ms >= elements_ms else CUDA_CORE, doubt, slower_ms)


def _rate(cores: Cores, narrowest: str | None, roofs: Roofs) -> tuple[float | None, str, str | None]:
    """Rate of the products, the cores that have it, and what was assumed; the fastest where nothing states the cores."""
    precision = cores.precision or narrowest
    if cores.unit is not None:
        rate = roofs.rate(precision, cores.unit, cores.accumulator)
        named = f"{(precision or 'unknown precision').upper()} on {cores.unit}s"
        doubt = (
            f"the rate of {named} is not known"
            if rate is None
            else None
            if cores.precision
            else f"{named} is taken: its name does not say"
        )
        return rate, cores.unit, doubt
    kind = "tf32" if precision == "fp32" else precision
    ways = [
        (roofs.rate(kind, TENSOR_CORE, cores.accumulator), TENSOR_CORE, kind),
        (roofs.rate(precision, CUDA_CORE), CUDA_CORE, precision),
    ]
    rate, unit, kind = max(ways, key=lambda way: way[0] or 0.0)
    if rate is None:
        return None, unit, f"the rate of {(precision or 'unknown precision').upper()} is not known"
    return (
        rate,
        unit,
        f"what it runs on is not stated: the fastest that it can be is taken, {(kind or '').upper()} on {unit}s",
    )
