"""Another tactic was as fast as the chosen one, within measurement noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtlens.findings.finding import SHOWN, BuildRule, Evidence, Finding
from trtlens.quantities import durations, tactic_text
from trtlens.tuning.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trtlens.findings.engine import Engine
    from trtlens.tuning.queries import Candidate

_NOISE = 0.01
"""Two tactics whose times differ by less can change places from build to build."""


def finding(engine: Engine) -> Finding | None:
    """Each such layer with its two tactics."""
    if engine.flags.timing_cache is not None:
        return None
    judged = [
        (subject, subject.chosen)
        for subject in engine.subjects.values()
        if subject.chosen is not None and subject.chosen.time_ms and subject.twin is None
    ]
    close = [(s.node, chosen, rival) for s, chosen in judged if (rival := _rival(chosen, s.candidates)) is not None]
    if not close:
        return None
    evidence = []
    for node, chosen, rival in close[:SHOWN]:
        now, other = durations(chosen.time_ms or 0.0, rival.time_ms or 0.0)
        text = f"{node.name}: {tactic_text(chosen.tactic_id)} was chosen with {now} (line {chosen.line}); {tactic_text(rival.tactic_id)} took {other}"
        evidence.append(Evidence(text, rival.line))
    text = (
        f"For {len(close)} of {counted(len(judged), 'layer', 'layers')} with a tuning record of their own another tactic in the same formats was within "
        f"{100 * _NOISE:.0f} % of the chosen one. Such a choice can differ between two builds of the same model, and with it the engine's "
        "speed and the rounding of its results."
    )
    return Finding(
        "low", f"measurement noise decides the tactic of {counted(len(close), 'layer', 'layers')}", text, tuple(evidence), "medium",
        "keep a timing cache (--timingCacheFile) so that builds agree; lock the GPU clocks and average more timings (trtexec --avgTiming) for more reliable choices",
        layers=tuple(node.name for node, _, _ in close),
    )  # fmt: skip


def _rival(chosen: Candidate, candidates: Sequence[Candidate]) -> Candidate | None:
    """The nearest other tactic within the noise, in the same formats: in others it would need other reformats."""
    assert chosen.time_ms is not None  # noqa: S101  judged layers have a time
    chosen_ms = chosen.time_ms
    near = [
        (abs(c.time_ms - chosen_ms), c.line, c)
        for c in candidates
        if c.time_ms is not None and c.formats == chosen.formats and c.op == chosen.op
        and (c.runner, c.tactic_id, c.kernel) != (chosen.runner, chosen.tactic_id, chosen.kernel)
        and abs(c.time_ms - chosen_ms) <= _NOISE * chosen_ms
    ]  # fmt: skip
    return min(near)[2] if near else None


FINDING = BuildRule(
    finding,
    section="The build",
    place=2,
    title="Measurement noise decides between tactics",
    meaning=(
        "Another tactic in the same formats was within 1 % of the chosen one. The times of one tactic in two builds of one model differ by "
        "about that much (by more below 10 µs), so another build may choose differently, with another speed and other rounding. Tactics in "
        "other formats are not judged, because they need other reformats. Not reported if a timing cache is kept, which fixes the choice."
    ),
    stake="None: the tactics are equally fast.",
    next_check="Keep a timing cache.",
    needs="The engine's layers and the tuner's times, from a verbose log.",
)
