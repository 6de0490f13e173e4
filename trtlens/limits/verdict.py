"""A split inference in sentences: how far it is from what its GPU could do, and what could be gained where."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtlens.quantities import duration, percent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from trtlens.limits.parts import LayerPart, Split

_NAMED = 2
_LEAST_SHARE = 0.001
"""Parts below this share of an inference are not told."""


def verdict(split: Split) -> str:
    """What share of an inference its work needs at least, and what is recoverable, each part with its layers."""
    if isinstance(split.roofs, str):
        return f"What the GPU could do is not known: {split.roofs}"
    runs = f" at the types that run{_types(split)}"
    parts = [text for text in recoverable(split) if text]
    gain = f"at most {duration(split.recoverable_ms)} is recoverable: {', '.join(parts)}" if parts else ""
    if not split.tells_needs:
        known = f"the work of layers that take {duration(split.unknown_ms)} of {duration(split.inference_ms)}"
        return f"What an inference needs at least on {split.roofs.gpu}{runs} is not known: {known} is in no record{f'; of the rest {gain}' if gain else ''}"
    told = f"Of {duration(split.inference_ms)} that an inference takes, its work needs {percent(split.needed_percent)} on {split.roofs.gpu}{runs}"
    unknown = (
        f"; of {duration(split.unknown_ms)} it is not known"
        if split.unknown_ms > _LEAST_SHARE * split.inference_ms
        else ""
    )
    return f"{told}{f'; {gain}' if gain else ''}{unknown}"


def _types(split: Split) -> str:
    """The types of what multiplies, in brackets."""
    multiplying = [part.cores for part in split.parts if _multiplies(part)]
    types = sorted({cores.precision.upper() for cores in multiplying if cores is not None and cores.precision})
    return f" ({', '.join(types)})" if types else ""


def recoverable(split: Split) -> list[str]:
    """What launches, fusing and better kernels could gain at most, with the layers that hold the most of it."""
    launch = "launches and gaps" if split.tells_launches else "time between layers"
    return [
        _told(split, split.launch_ms, launch, lambda part: part.launch_ms),
        _told(
            split,
            split.fusable_ms,
            "traffic that fusing would save",
            lambda part: part.roof_ms if part.is_fusable else 0.0,
        ),
        _told(split, split.below_roof_ms, "kernels below their roof", lambda part: part.recoverable_ms),
    ]


def _multiplies(part: LayerPart) -> bool:
    return part.work is not None and bool(part.work.products)


def _told(split: Split, time_ms: float, what: str, of: Callable[[LayerPart], float]) -> str:
    if time_ms <= _LEAST_SHARE * split.inference_ms:
        return ""
    most = sorted((part for part in split.parts if part.index is not None and of(part) > 0), key=of, reverse=True)
    return f"{duration(time_ms)} {what}{_names(most, len(most) - _NAMED)}"


def _names(parts: Sequence[LayerPart], more: int) -> str:
    """The first layers by their indices, which stay short; names are in the rows."""
    if not parts:
        return ""
    named = ", ".join(str(part.index) for part in parts[:_NAMED])
    return f" ({'layer' if len(parts) == 1 else 'layers'} {named}{f' and {more} more' if more > 0 else ''})"
