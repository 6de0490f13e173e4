"""Rules about the tuning itself: workspace, choices that noise decides, where the build's time went."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from trtlens.arrays import of_build
from trtlens.explain.wording import counted
from trtlens.findings.finding import Evidence, Finding
from trtlens.quantities import byte_size, duration, hexadecimal, tactic_text

if TYPE_CHECKING:
    from trtlens.explain.tuner import Candidate
    from trtlens.findings.engine import Engine

NOISE = 0.01
"""Two tactics whose times differ by less can change places from build to build."""
_SHOWN = 3
_FEWEST_S = 1.0
_LARGE_SHARE = 0.2
_HEAVY_SHARE = 0.5


def workspace_limit(engine: Engine) -> Finding | None:
    """Tactics were skipped because they need more workspace than is allowed."""
    rows = skipped_for_workspace(engine)
    layers = tuple(dict.fromkeys(c.layer or "" for c in rows))
    told = [row for row in engine.messages if row["code"] == "workspace-too-small"]
    if not rows and not told:
        return None
    limit = engine.flags.workspace_bytes()
    evidence = [Evidence(f"{c.layer}: {tactic_text(c.tactic_id)}: {c.reason}", c.line) for c in rows[:_SHOWN]]
    evidence += [Evidence(f"the build's workspace is {byte_size(limit[0])}", limit[1])] if limit is not None else []
    evidence += [Evidence(row["text"].split("\n", 1)[0], row["line"]) for row in told[:1]]
    skipped = f"{counted(len(rows), 'tactic', 'tactics')} of {counted(len(layers), 'layer', 'layers')} skipped"
    text = skipped if rows else "TensorRT says that tactics were left out"
    text += f"; the largest asks for {byte_size(rows[0].scratch_bytes or 0)}." if rows else "."
    text += " How fast they are is not in this log."
    return Finding(
        "workspace-limit", "medium", "tactics were skipped for want of workspace", text, tuple(evidence), "high",
        "build with a larger workspace (--memPoolSize=workspace:N, in MiB) and compare: trtlens findings NEW --against OLD",
        layers=layers,
    )  # fmt: skip


def skipped_for_workspace(engine: Engine) -> list[Candidate]:
    """Candidates without a time for want of workspace, the one that asks for most first."""
    every = (candidate for layer in engine.tuner.layers() for candidate in engine.tuner.candidates(layer))
    found = [candidate for candidate in every if candidate.scratch_bytes is not None and candidate.time_ms is None]
    return sorted(found, key=lambda candidate: -(candidate.scratch_bytes or 0))


def unstable_choice(engine: Engine) -> Finding | None:
    """Choices that another tactic missed by less than the noise of the measurement."""
    close = []
    for subject in engine.subjects.values():
        chosen = subject.chosen
        if chosen is None or not chosen.time_ms or subject.twin is not None:
            continue
        rivals = [
            c
            for c in subject.candidates
            if c is not chosen and (c.tactic_id, c.formats) != (chosen.tactic_id, chosen.formats)
        ]
        near = [
            c for c in rivals if c.time_ms is not None and abs(c.time_ms - chosen.time_ms) <= NOISE * chosen.time_ms
        ]
        rival = min(near, key=lambda c: abs((c.time_ms or 0.0) - (chosen.time_ms or 0.0)), default=None)
        if rival is not None:
            close.append((subject.node, chosen, rival))
    if not close:
        return None
    judged = sum(s.chosen is not None and s.twin is None for s in engine.subjects.values())
    evidence = [
        Evidence(f"{node.name}: {duration(chosen.time_ms or 0.0)} runs ({hexadecimal(chosen.tactic_id or 0)}, line {chosen.line}), "
                 f"{duration(rival.time_ms or 0.0)} for {hexadecimal(rival.tactic_id or 0)}", rival.line)
        for node, chosen, rival in close[:_SHOWN]
    ]  # fmt: skip
    text = (
        f"For {len(close)} of {counted(judged, 'layer', 'layers')} with a record of their own another tactic was within {100 * NOISE:.0f} % of the one that "
        "runs. Such a choice can differ between two builds of the same model, and with it the engine's speed and its last bits."
    )
    return Finding(
        "unstable-choice", "low", f"noise decides the tactic of {counted(len(close), 'layer', 'layers')}", text, tuple(evidence), "medium",
        "keep a timing cache (--timingCacheFile) so that builds agree; lock the clocks and time more often (--avgTiming) to decide better",
        layers=tuple(node.name for node, _, _ in close),
    )  # fmt: skip


def build_time_in_one_layer(engine: Engine) -> Finding | None:
    """One layer took a large part of the time that tuning took."""
    table = engine.run["runners"].select(
        ["build", "layer", "is_reformat", "runner", "tactics", "profiling_s", "stamps_s", "line"]
    )
    rows: list[dict[str, Any]] = of_build(table, engine.number).to_pylist()
    stated = any(row["profiling_s"] is not None for row in rows)
    column = "profiling_s" if stated else "stamps_s"
    spent: dict[str, float] = defaultdict(float)
    for row in rows:
        if row["layer"] is not None and not row["is_reformat"]:
            spent[row["layer"]] += row[column] or 0.0
    total = sum(row[column] or 0.0 for row in rows)
    layer = max(spent, key=lambda name: spent[name], default=None)
    if layer is None or len(spent) < 2 or spent[layer] < max(_FEWEST_S, _LARGE_SHARE * total):
        return None
    own = [row for row in rows if row["layer"] == layer]
    longest = max(own, key=lambda row: row[column] or 0.0)
    how = "as TensorRT states them" if stated else "by the time stamps, which are whole seconds"
    text = f"{layer} took {spent[layer]:.1f} s of {total:.1f} s of tuning ({100 * spent[layer] / total:.0f} %), {how}."
    evidence = [
        Evidence(
            f"{longest['runner']}, {counted(longest['tactics'], 'tactic', 'tactics')}: {longest[column]:.2f} s",
            longest["line"],
        ),
        Evidence(
            f"{counted(sum(row['tactics'] for row in own), 'tactic', 'tactics')} in {counted(len(own), 'try', 'tries')} of a runner"
        ),
    ]
    return Finding(
        "build-time-in-one-layer", "medium" if spent[layer] >= _HEAVY_SHARE * total else "low", "one layer took most of the tuning", text,
        tuple(evidence), "high" if stated else "medium",
        "keep a timing cache (--timingCacheFile): the next build takes its times from there", at_stake_s=spent[layer], layers=(layer,),
    )  # fmt: skip
