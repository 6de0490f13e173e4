"""Reformats between layers take a share of the time that is worth looking at."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from trtlens.engine.reformat_causes import ADVICE
from trtlens.findings.engine import WORTH_SHARE
from trtlens.findings.finding import SHOWN, BuildRule, Evidence, Finding, reformat_evidence
from trtlens.findings.stakes import AVOIDED
from trtlens.quantities import duration
from trtlens.tuning.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trtlens.engine.reformat_causes import Reformat
    from trtlens.findings.engine import Engine


def finding(engine: Engine) -> Finding | None:
    """The costliest causes with what to do about each, and the costliest reformats."""
    found = [r for r in engine.reformats if r.cause != "constant" and r.cost_ms]
    cost = sum(engine.costs(found))
    if not engine.total_ms or cost < WORTH_SHARE * engine.total_ms:
        return None
    causes: dict[str, list[Reformat]] = defaultdict(list)
    for reformat in found:
        causes[reformat.cause].append(reformat)
    ranked = sorted(causes.items(), key=lambda item: -sum(engine.costs(item[1])))
    evidence = [
        Evidence(
            f"{len(members)} for {cause}: {duration(sum(engine.costs(members)))}; {_advice(cause, members, engine)}"
        )
        for cause, members in ranked[:SHOWN]
    ]
    found.sort(key=lambda r: -(r.cost_ms or 0.0))
    evidence += [reformat_evidence(r) for r in found[:SHOWN]]
    kinds = Counter(r.node.row["reformat_kind"] or "not shown" for r in found)
    listed = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    text = f"{counted(len(found), 'reformat runs', 'reformats run')}; {engine.share_text(engine.costs(found), len(found))}; they change: {listed}."
    return Finding(
        engine.severity(cost), f"reformats take {100 * cost / engine.total_ms:.0f} % of the layers' time", text,
        tuple(evidence), "high",
        "see the causes with trtlens show reformats and trtlens show reformat_causes; follow the advice for the costliest cause first",
        stake=engine.clock.stake(engine.reformat_parts(found), AVOIDED), layers=tuple(r.node.name for r in found),
    )  # fmt: skip


def _advice(cause: str, members: Sequence[Reformat], engine: Engine) -> str:
    """What to do, unless the run shows that it was done already or would not help."""
    if cause == "not shown" and engine.tuner.layers() and engine.flags.timing_cache is None:
        return "the log is verbose and no timing cache was in use, so it says no more about them"
    if cause == "fork" and all(r.node.row["reformat_kind"] == "layout" for r in members):
        return "the readers need different layouts of one type: compare their kernels with trtlens why"
    return ADVICE[cause]


FINDING = BuildRule(
    finding,
    section="Speed",
    place=6,
    title="Reformats take a share of the time",
    meaning=(
        "Reformats other than those of constants take 3 % of the time or more. The evidence names the costliest causes with what to do "
        "about each (why.md lists them) and the costliest reformats."
    ),
    stake="At most the reformats' time: what the layers around them would take without is in no record.",
    next_check="`trtlens show reformats` and `trtlens show reformat_causes`; the advice of the costliest cause first.",
    needs="The engine's layers with times, the profile's or the tuner's.",
)
