"""Rules about the tuning itself: workspace, choices that noise decides, where the build's time went."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from trtlens.findings.finding import Evidence, Finding
from trtlens.findings.stakes import Stake
from trtlens.quantities import byte_size, durations, seconds, tactic_text
from trtlens.tables.arrays import of_build
from trtlens.tuning.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trtlens.findings.engine import Engine
    from trtlens.tuning.queries import Candidate

NOISE = 0.01
"""Two tactics whose times differ by less can change places from build to build."""
_NEVER_TIMED = Stake(None, "not known: tactics that were skipped have no time in this log")
_ALLOW_MORE = (
    "build with a larger workspace (--memPoolSize=workspace:N, in MiB; to 8.3 --workspace=N) and compare: "
    "trtlens findings NEW --against OLD"
)
_ALL_IS_ALLOWED = "the workspace is the default, all of the GPU's memory: free memory that other work holds, or build on a GPU with more"
_SHOWN = 3
_FEWEST_S = 1.0
_LARGE_SHARE = 0.2
_HEAVY_SHARE = 0.5


def workspace_limit(engine: Engine) -> Finding | None:
    """Tactics were skipped because they need more workspace than is allowed, and another build could allow it."""
    rows = skipped_for_workspace(engine)
    layers = tuple(dict.fromkeys(c.layer or "" for c in rows))
    told = [row for row in engine.messages if row["code"] == "workspace-too-small"]
    if not rows and (not told or _was_anything_skipped(engine)):
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
        _ALL_IS_ALLOWED if engine.flags.has_default_workspace() else _ALLOW_MORE, stake=_NEVER_TIMED, layers=layers,
    )  # fmt: skip


def skipped_for_workspace(engine: Engine) -> list[Candidate]:
    """Candidates without a time for want of workspace, the one that asks for most first.

    Those that ask for more than the GPU has are left out, and those that were timed in the same formats after all.
    """
    found = []
    for layer in engine.tuner.layers():
        candidates = engine.tuner.candidates(layer)
        timed = {(c.tactic_id, c.formats) for c in candidates if c.time_ms is not None}
        for candidate in candidates:
            asked = candidate.scratch_bytes
            if asked is None or (candidate.tactic_id, candidate.formats) in timed:
                continue
            if engine.gpu_bytes is None or asked <= engine.gpu_bytes:
                found.append(candidate)
    return sorted(found, key=lambda candidate: -(candidate.scratch_bytes or 0))


def _was_anything_skipped(engine: Engine) -> bool:
    """Whether the log names skipped tactics, so that a warning says nothing beyond them."""
    return any(c.scratch_bytes is not None for layer in engine.tuner.layers() for c in engine.tuner.candidates(layer))


def unstable_choice(engine: Engine) -> Finding | None:
    """Choices that another tactic missed by less than the noise of the measurement; a kept timing cache settles them."""
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
    for node, chosen, rival in close[:_SHOWN]:
        now, other = durations(chosen.time_ms or 0.0, rival.time_ms or 0.0)
        text = f"{node.name}: {tactic_text(chosen.tactic_id)} runs, {now} (line {chosen.line}); {tactic_text(rival.tactic_id)} took {other}"
        evidence.append(Evidence(text, rival.line))
    text = (
        f"For {len(close)} of {counted(len(judged), 'layer', 'layers')} with a record of their own another tactic in the same formats was within "
        f"{100 * NOISE:.0f} % of the one that runs. Such a choice can differ between two builds of the same model, and with it the engine's "
        "speed and its last bits."
    )
    return Finding(
        "unstable-choice", "low", f"noise decides the tactic of {counted(len(close), 'layer', 'layers')}", text, tuple(evidence), "medium",
        "keep a timing cache (--timingCacheFile) so that builds agree; lock the clocks and time more often (trtexec --avgTiming) to decide better",
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
        and abs(c.time_ms - chosen_ms) <= NOISE * chosen_ms
    ]  # fmt: skip
    return min(near)[2] if near else None


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
    if engine.flags.timing_cache is not None:
        return None
    if layer is None or len(spent) < 2 or spent[layer] < max(_FEWEST_S, _LARGE_SHARE * total):
        return None
    own = [row for row in rows if row["layer"] == layer]
    longest = max(own, key=lambda row: row[column] or 0.0)
    how = "as TensorRT states them" if stated else "by the time stamps, which are whole seconds"
    text = f"{layer} took {seconds(spent[layer])} of {seconds(total)} of tuning ({100 * spent[layer] / total:.0f} %), {how}."
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
