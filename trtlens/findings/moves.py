"""Rules about layers that compute nothing: copies of constants, reformats."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from trtlens.explain.wording import counted
from trtlens.findings.finding import Evidence, Finding
from trtlens.quantities import byte_size, duration
from trtlens.reformat_causes import ADVICE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trtlens.findings.engine import Engine
    from trtlens.reformat_causes import Reformat

_SHOWN = 3
_WORTH_SHARE = 0.03
_HEAVY_SHARE = 0.1


def constants_copied(engine: Engine) -> Finding | None:
    """Weights or biases are copied or converted at every inference."""
    found = [r for r in engine.reformats if r.cause == "constant" and r.cost_ms != 0]
    if not found:
        return None
    cost = engine.spent(_costs(found)) or None
    found.sort(key=lambda r: -(r.cost_ms or 0.0))
    sizes = [tensor.bytes for r in found for tensor in r.node.outputs if tensor.bytes is not None]
    total = engine.whole_ms
    share = f", {100 * cost / total:.1f} % {engine.share_of}" if cost is not None and total else ""
    text = counted(
        len(found), "copy of a constant runs at every inference", "copies of constants run at every inference"
    )
    text += f"; in all {duration(cost)}{share}" if cost is not None else "; their time is not known"
    text += f". They move {byte_size(sum(sizes))} in all: what they cost is the launches." if sizes else "."
    evidence = [_evidence(r) for r in found[:_SHOWN]]
    return Finding(
        "constants-copied", _severity(cost, total), counted(len(found), "constant is copied at every inference", "constants are copied at every inference"), text, tuple(evidence),
        "high", ADVICE["constant"], at_stake_ms=cost, layers=tuple(r.node.name for r in found),
    )  # fmt: skip


def _evidence(reformat: Reformat) -> Evidence:
    cost = f": {duration(reformat.cost_ms)} {reformat.cost_source}" if reformat.cost_ms is not None else ""
    return Evidence(f"{reformat.node.name}: {reformat.detail}{cost}", reformat.node.row["line"])


def _severity(cost: float | None, total: float | None) -> str:
    if cost is None or not total:
        return "low"
    return "high" if cost >= _HEAVY_SHARE * total else "medium" if cost >= _WORTH_SHARE * total else "low"


def reformats_cost(engine: Engine) -> Finding | None:
    """Reformats between layers take a share of the time that is worth looking at."""
    found = [r for r in engine.reformats if r.cause != "constant" and r.cost_ms]
    cost, total = engine.spent(_costs(found)), engine.whole_ms
    if not total or cost < _WORTH_SHARE * total:
        return None
    causes: dict[str, list[Reformat]] = defaultdict(list)
    for reformat in found:
        causes[reformat.cause].append(reformat)
    ranked = sorted(causes.items(), key=lambda item: -engine.spent(_costs(item[1])))
    evidence = [
        Evidence(f"{len(members)} for {cause}: {duration(engine.spent(_costs(members)))}; {ADVICE[cause]}")
        for cause, members in ranked[:_SHOWN]
    ]
    found.sort(key=lambda r: -(r.cost_ms or 0.0))
    evidence += [_evidence(r) for r in found[:_SHOWN]]
    kinds = Counter(r.node.row["reformat_kind"] or "not shown" for r in found)
    listed = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    text = (
        f"{counted(len(found), 'reformat takes', 'reformats take')} {duration(cost)}, {100 * cost / total:.1f} % {engine.share_of}; "
        f"what they change: {listed}."
    )
    return Finding(
        "reformats-cost", _severity(cost, total), f"reformats take {100 * cost / total:.0f} % of the time", text, tuple(evidence), "high",
        "trtlens show reformats and reformat_causes name the cause of each; the advice of the costliest cause first", at_stake_ms=cost,
        layers=tuple(r.node.name for r in found),
    )  # fmt: skip


def _costs(found: Sequence[Reformat]) -> list[float]:
    return [r.cost_ms for r in found if r.cost_ms is not None]
