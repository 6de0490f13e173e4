"""An INT8 engine takes longer than one of the same model that hardly computes in INT8."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtlens.comparison.figures import split_difference
from trtlens.comparison.headlines import part_text
from trtlens.comparison.inference_headlines import clock_of, tell_accounting, tell_inference, tell_padding, verdict_text
from trtlens.comparison.times import SLOWER, UNSAMPLED_SHARE
from trtlens.engine.kernel_times import KERNELS
from trtlens.findings.estimates import Part
from trtlens.findings.finding import Evidence, Finding, PairRule
from trtlens.findings.pairs import same_tactics
from trtlens.findings.stakes import FASTER
from trtlens.quantities import duration, signed_duration

if TYPE_CHECKING:
    from trtlens.comparison.comparison import Comparison
    from trtlens.findings.engine import Engine
    from trtlens.findings.pairs import Pair, TunedRegion
    from trtlens.findings.stakes import Stake

_MOST_INT8 = 0.2
_NEXT = "build INT8 with FP16 also enabled (--int8 --fp16, or --best) and compare; the other findings list what else costs time"


def finding(pair: Pair) -> Finding | None:
    """How much longer the INT8 engine takes, and what is known of where."""
    if _share_of_int8(pair.engine) <= _MOST_INT8 or _share_of_int8(pair.other) > _MOST_INT8:
        return None
    comparison = pair.comparison
    if comparison is None or pair.mismatches or not _is_slower(comparison):
        return None
    base_ms, run_ms = _times(comparison)
    timed = comparison.inferences[1] is not None
    there = comparison.totals[0].figures.precision or "unknown precision"
    return Finding(
        "high", f"INT8 takes {run_ms / base_ms:.2f} times as long as {pair.other_name} ({there})",
        " ".join([*_told(comparison), *_about_kernels(comparison, pair.tuned)]), (*_about_parts(comparison), *_about_machine(pair)),
        "high" if timed else "medium" if comparison.time_source == "measured" else "low",
        _next_check(comparison, timed=timed),
        stake=_stake(pair, comparison), layers=_slower_layers(pair, comparison),
    )  # fmt: skip


def _next_check(comparison: Comparison, *, timed: bool) -> str:
    """What gains for sure comes first."""
    first = [] if timed else ["time both engines as a whole (trtlens profile)"]
    padded = comparison.totals[1].figures.padding_ms
    fold = ["fold the constants that are copied at every inference (`constants-copied`)"] if padded else []
    return "; ".join([*first, *fold, _NEXT])


def _share_of_int8(engine: Engine) -> float:
    precisions = [subject.node.row["precision"] for subject in engine.subjects.values()]
    known = [precision for precision in precisions if precision is not None]
    return sum(precision == "int8" for precision in known) / len(known) if known else 0.0


def _is_slower(comparison: Comparison) -> bool:
    """Whether the run takes longer, beyond noise: by whole inferences where both have them, else by all layers."""
    inference = comparison.inferences[1]
    if inference is None:
        difference = comparison.totals[1].difference
        return difference is not None and difference.verdict == SLOWER
    if inference.difference is None:
        return inference.run_ms - inference.base_ms > UNSAMPLED_SHARE * inference.base_ms
    return inference.difference.verdict == SLOWER


def _times(comparison: Comparison) -> tuple[float, float]:
    """What `_is_slower` judged: milliseconds of the other run and of this one."""
    inference = comparison.inferences[1]
    if inference is not None:
        return inference.base_ms, inference.run_ms
    base_ms, run_ms = (total.figures.time_ms or 0.0 for total in comparison.totals)
    return base_ms, run_ms


def _told(comparison: Comparison) -> list[str]:
    """The comparison's own sentences on inferences; without any, the sum of the layers and what it is."""
    if comparison.inferences[1] is not None:
        return [*tell_inference(comparison, 1), *tell_accounting(comparison, 1), *tell_padding(comparison, 1)]
    base_ms, run_ms = _times(comparison)
    difference = comparison.totals[1].difference
    verdict = "" if difference is None else f": {verdict_text(comparison, difference, run_ms, base_ms)}"
    told = (
        f"All layers take {duration(run_ms)} in {comparison.names[1]} and {duration(base_ms)} in {comparison.names[0]} by "
        f"{clock_of(comparison).name}{verdict}; no inference was timed in both runs, so the effect on an inference is not known."
    )
    return [told]


def _stake(pair: Pair, comparison: Comparison) -> Stake:
    base_ms, run_ms = _times(comparison)
    if comparison.inferences[1] is None:
        return pair.engine.clock.stake([Part(run_ms - base_ms)], FASTER)
    return pair.engine.clock.stake_beyond(base_ms, pair.other_name)


def _about_parts(comparison: Comparison) -> list[Evidence]:
    """How the layers' difference is made up, by the clock of the layers."""
    clock = clock_of(comparison).name
    stretched = "" if comparison.times[0].source == KERNELS else "stretched by the profiler: "
    doubt = f" ({stretched}no part of an inference)" if comparison.adds_up[1] is False else ""
    return [
        Evidence(f"by {clock} {signed_duration(part.difference.diff_ms)} {part_text(part)}{doubt}")
        for part in split_difference(comparison, 1)
    ]


def _about_kernels(comparison: Comparison, tuned: list[TunedRegion]) -> list[str]:
    """Whether the INT8 kernels themselves are faster, by the tuners' times, which no profiler stretches."""
    if not tuned:
        return []
    here, there = duration(sum(one.here_ms for one in tuned)), duration(sum(one.there_ms for one in tuned))
    faster = sum(one.loss_ms < 0 for one in tuned)
    counted = f"for {len(tuned)} regions of the model the two tuners measured {here} here and {there} there, {faster} of them faster here"
    if any(tell_padding(comparison, 1)):
        return [f"{counted.capitalize()}; whether the tuners' times hold the padding is not known."]
    if sum(one.loss_ms for one in tuned) >= 0:
        return [f"The INT8 kernels are not faster either: {counted}."]
    return [f"The INT8 kernels themselves are faster: {counted}."]


def _about_machine(pair: Pair) -> list[Evidence]:
    """Whether the GPU itself was slower in one of the builds: the same tactics of the same layers were timed in both."""
    same = same_tactics(pair.engine, pair.other)
    rows = []
    if same.long_ratio is not None:
        rows.append(Evidence(
            f"{same.long_count:,} tactics of 0.01 ms and more were timed in both builds: {same.long_ratio:.3f} times as long here "
            "(median), so the GPU was " + ("as fast" if 0.97 <= same.long_ratio <= 1.03 else "slower" if same.long_ratio > 1 else "faster")
        ))  # fmt: skip
    if same.short_ratio is not None:
        rows.append(
            Evidence(
                f"{same.short_count:,} shorter ones: {same.short_ratio:.3f} times as long here (median); such times are mostly launch overhead"
            )
        )
    return rows


def _slower_layers(pair: Pair, comparison: Comparison) -> tuple[str, ...]:
    """Layers of this engine in parts of the model that take longer, by the tuners where they timed both, else by the layers' clock."""
    losses = [(one.loss_ms, node.name) for one in pair.tuned for node in one.nodes if one.loss_ms > 0]
    if not pair.tuned:
        losses = [
            (difference.diff_ms, name)
            for row in comparison.rows
            if (difference := row.cells[1].difference) is not None and difference.verdict == SLOWER
            for name in row.cells[1].figures.computing
        ]
    return tuple(dict.fromkeys(name for _, name in sorted(losses, key=lambda loss: -loss[0])))


FINDING = PairRule(
    finding,
    section="Speed",
    place=1,
    title="INT8 takes longer than a run without it",
    meaning=(
        "The engine computes at least a fifth of its layers in INT8, and an inference takes longer, beyond noise, than in a run of the same model that "
        "does not; where no inference was timed in both runs, the sum of all layers counts. The evidence is the comparison's own "
        "split of the layers' difference (`trtlens compare`), marked as stretched where the layers do not account for the inferences'. The "
        "two tuners' times of the regions that both engines compute show whether the INT8 kernels themselves are faster; tactics that both "
        "tuners timed for the same layers in the same formats show whether the GPU itself was slower during one of the builds, which has "
        "nothing to do with INT8.\n\n"
        "INT8 saves arithmetic. Layers that are short already pay for the launch, for reading their inputs and for converting between "
        "types, and none of these gets cheaper."
    ),
    stake="The difference of the inference times.",
    next_check=(
        "Build INT8 with FP16 also enabled; the other findings list what each layer costs (`constants-copied`, `launch-bound`)."
    ),
    needs="Two runs of the same model: `--against`, or a report of several, in any order.",
)
