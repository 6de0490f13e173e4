"""Of two runs on different GPUs: what of their difference the GPUs account for, and what how well the engines use them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtlens.comparison.same_work import GPU
from trtlens.limits.split import last_split
from trtlens.quantities import duration, percent

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trtlens.comparison.comparison import Comparison
    from trtlens.limits.parts import Split

_MOST_UNKNOWN = 0.1
"""Share of an inference whose roof is not known above which nothing is said of the whole."""


def tell_roofs(comparison: Comparison, number: int) -> Iterable[str]:
    """What each inference needs at the roofs of its GPU, and how both factors make up the difference."""
    if not any(one.what == GPU for one in comparison.mismatches[number]):
        return
    places = (number, comparison.baseline)
    splits = [last_split(comparison.engines[place].run) for place in places]
    known = [(split, comparison.names[place]) for split, place in zip(splits, places, strict=True) if split is not None]
    unknown = next((text for split, name in known if (text := _unknown(split, name))), None)
    if len(known) < len(places):
        return
    if unknown is not None:
        yield f"How much of the difference is the GPU's is not known: {unknown}."
        return
    (run, name), (base, base_name) = known
    yield f"At the roofs of its GPU the work needs {_told(run)} of {name}'s inference, and {_told(base)} of {base_name}'s."
    if not any(one.is_other_work for one in comparison.mismatches[number]):
        gpu, use = run.needed_ms / base.needed_ms, base.needed_percent / run.needed_percent
        yield (
            f"So the GPU alone makes {name}'s inference {gpu:.2f} times as long as {base_name}'s, and how well the engine uses it {use:.2f} "
            f"times: together {gpu * use:.2f} times, with the types that run in each."
        )


def _unknown(split: Split, name: str) -> str | None:
    if isinstance(split.roofs, str):
        return f"of {name}, {split.roofs}"
    if split.unknown_ms > _MOST_UNKNOWN * split.inference_ms or split.needed_ms <= 0:
        return f"of {duration(split.unknown_ms)} of {name}'s inference the work or its roof is not known"
    return None


def _told(split: Split) -> str:
    assert not isinstance(split.roofs, str)  # noqa: S101  _unknown has told
    return f"{duration(split.needed_ms)}, {percent(split.needed_percent)} ({split.roofs.gpu})"
