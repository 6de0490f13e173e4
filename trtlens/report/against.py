"""One line of a run's card: how its inference compares with the baseline's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trtlens.comparison.inference_latency import compare_latency, factor
from trtlens.comparison.same_work import INPUTS, batches
from trtlens.comparison.times import NO_DIFFERENCE
from trtlens.quantities import signed_duration
from trtlens.report.markup import text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trtlens.comparison.same_work import Mismatch
    from trtlens.report.subject import Subject

_RATIO = "ratio and difference of the medians of the GPU's time; beyond noise with 99 % confidence"
_RATES = "batch size divided by the median GPU time, because inferences of two batch sizes are not the same work"


@dataclass(frozen=True, slots=True)
class Against:
    """The words; ``verdict`` is faster or slower where that is known, ``meaning`` is shown on hover."""

    words: str = ""
    verdict: str = ""
    meaning: str = ""

    @property
    def html(self) -> str:
        """A paragraph, hidden where there is nothing to say: another baseline may have something."""
        hidden = "" if self.words else " hidden"
        return f'<p class="against {self.verdict}" title="{text(self.meaning)}"{hidden}>{text(self.words)}</p>'


def against(subject: Subject, baseline: Subject, unlike: Sequence[Mismatch]) -> Against:
    """How the median compares, where both have samples of one kind; ``unlike`` is in what the runs' work differs."""
    found = compare_latency(subject.run, baseline.run)
    if found is None or found.difference is None:
        return Against()
    if unlike:
        batch = batches(baseline.run, subject.run) if [one.what for one in unlike] == [INPUTS] else None
        if batch is not None and found.run_ms and found.base_ms:
            return Against(f"{found.rates(*batch)} in {baseline.name} (batch {batch[1]}, there {batch[0]})", "", _RATES)
        return Against(f"not comparable with {baseline.name}: {', '.join(map(str, unlike))}")
    verdict = found.difference.verdict
    if verdict == NO_DIFFERENCE:
        return Against(f"no difference from {baseline.name} seen")
    ratio = f"{factor(found.run_ms, found.base_ms)}{verdict} than {baseline.name}"
    return Against(f"{ratio} ({signed_duration(found.difference.diff_ms)})", verdict, _RATIO)
