"""Rules about layers that compute nothing: copies of constants, reformats."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from trtlens.engine.reformat_causes import ADVICE
from trtlens.findings.finding import Evidence, Finding
from trtlens.quantities import byte_size, duration
from trtlens.tuning.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trtlens.engine.reformat_causes import Reformat
    from trtlens.findings.engine import Engine

_SHOWN = 3
_WORTH_SHARE = 0.03
_HEAVY_SHARE = 0.1
_SMALL_BYTES = 64 * 1024
_NOT_FOLDABLE = (
    "no node of the model stands between these constants and their readers, so folding cannot help: give the constant in the "
    "type that its reader computes in"
)


def constants_copied(engine: Engine) -> Finding | None:
    """Weights or biases are copied or converted at every inference."""
    found = [r for r in engine.reformats if r.cause == "constant" and r.cost_ms != 0]
    if not found:
        return None
    found.sort(key=lambda r: -(r.cost_ms or 0.0))
    costs = engine.costs(found)
    cost = sum(costs) if costs else None
    text = counted(
        len(found), "copy of a constant runs at every inference", "copies of constants run at every inference"
    )
    text += f"; {_takes(cost, len(found), engine)}" if cost is not None else "; their time is not known"
    return Finding(
        "constants-copied", _severity(cost, engine), counted(len(found), "constant is copied at every inference", "constants are copied at every inference"),
        f"{text}.{_moved(found)}", tuple(_evidence(r) for r in found[:_SHOWN]), "high", _how_to_fold(found),
        stake=engine.clock.stake(cost), layers=tuple(r.node.name for r in found),
    )  # fmt: skip


def _takes(cost: float, count: int, engine: Engine) -> str:
    """A sum of times with its share of all layers' time."""
    share = f", {100 * cost / engine.total_ms:.1f} % of {engine.clock.whole}" if engine.total_ms else ""
    return f"{'it takes' if count == 1 else 'they take'} {duration(cost)}{share}"


def _moved(found: Sequence[Reformat]) -> str:
    """How many bytes are copied, and that it is not these that cost where they are few."""
    sizes = [tensor.bytes for r in found for tensor in r.node.outputs if tensor.bytes is not None]
    if not sizes:
        return ""
    few = sum(sizes) <= _SMALL_BYTES * len(sizes)
    return f" They move {byte_size(sum(sizes))} in all" + (
        ": what costs is running them, not the bytes." if few else "."
    )


def _how_to_fold(found: Sequence[Reformat]) -> str:
    """Folding takes away nodes of the model; where the nodes are known and none is there, it is no remedy."""
    return _NOT_FOLDABLE if all(r.through_model is False for r in found) else ADVICE["constant"]


def _evidence(reformat: Reformat) -> Evidence:
    cost = f": {duration(reformat.cost_ms)} ({reformat.cost_source})" if reformat.cost_ms is not None else ""
    return Evidence(f"{reformat.node.name}: {reformat.detail}{cost}", reformat.node.row["line"])


def _severity(cost: float | None, engine: Engine) -> str:
    if cost is None or not engine.total_ms:
        return "low"
    share = cost / engine.total_ms
    return "high" if share >= _HEAVY_SHARE else "medium" if share >= _WORTH_SHARE else "low"


def reformats_cost(engine: Engine) -> Finding | None:
    """Reformats between layers take a share of the time that is worth looking at."""
    found = [r for r in engine.reformats if r.cause != "constant" and r.cost_ms]
    cost = sum(engine.costs(found))
    if not engine.total_ms or cost < _WORTH_SHARE * engine.total_ms:
        return None
    causes: dict[str, list[Reformat]] = defaultdict(list)
    for reformat in found:
        causes[reformat.cause].append(reformat)
    ranked = sorted(causes.items(), key=lambda item: -sum(engine.costs(item[1])))
    evidence = [
        Evidence(
            f"{len(members)} for {cause}: {duration(sum(engine.costs(members)))}; {_advice(cause, members, engine)}"
        )
        for cause, members in ranked[:_SHOWN]
    ]
    found.sort(key=lambda r: -(r.cost_ms or 0.0))
    evidence += [_evidence(r) for r in found[:_SHOWN]]
    kinds = Counter(r.node.row["reformat_kind"] or "not shown" for r in found)
    listed = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    text = f"{counted(len(found), 'reformat runs', 'reformats run')}; {_takes(cost, len(found), engine)}; what is changed: {listed}."
    return Finding(
        "reformats-cost", _severity(cost, engine), f"reformats take {100 * cost / engine.total_ms:.0f} % of the layers' time", text,
        tuple(evidence), "high",
        "trtlens show reformats and reformat_causes name the cause of each; the advice of the costliest cause first",
        stake=engine.clock.stake(cost), layers=tuple(r.node.name for r in found),
    )  # fmt: skip


def _advice(cause: str, members: Sequence[Reformat], engine: Engine) -> str:
    """What to do, unless the run shows that it was done already, or that it would not help."""
    if cause == "not shown" and engine.tuner.layers() and engine.flags.timing_cache is None:
        return "the log is verbose and no timing cache was in use: it holds no more about them"
    if cause == "fork" and all(r.node.row["reformat_kind"] == "layout" for r in members):
        return "the readers want different layouts of one type: compare their kernels with trtlens why"
    return ADVICE[cause]
