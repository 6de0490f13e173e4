"""Tuning one layer took a large part of the time that tuning took."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from trtlens.findings.finding import BuildRule, Evidence, Finding
from trtlens.quantities import seconds, whole_seconds
from trtlens.tables.arrays import of_build, rows_of
from trtlens.tuning.wording import counted

if TYPE_CHECKING:
    from trtlens.findings.engine import Engine

_FEWEST_S = 1.0
_LARGE_SHARE = 0.2
_HEAVY_SHARE = 0.5


def finding(engine: Engine) -> Finding | None:
    """The layer, with the runner that took longest."""
    if engine.flags.timing_cache is not None:
        return None
    table = engine.run["runners"].select(
        ["build", "layer", "is_reformat", "runner", "tactics", "profiling_s", "stamps_s", "line"]
    )
    rows = rows_of(of_build(table, engine.number))
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
    spell = seconds if stated else whole_seconds
    how = "as TensorRT states them" if stated else "by the log's time stamps, which are whole seconds"
    text = (
        f"{layer} took {spell(spent[layer])} of {spell(total)} of tuning ({100 * spent[layer] / total:.0f} %), {how}."
    )
    evidence = [
        Evidence(
            f"{longest['runner']}, {counted(longest['tactics'], 'tactic', 'tactics')}: {spell(longest[column])}",
            longest["line"],
        ),
        Evidence(
            f"{counted(sum(row['tactics'] for row in own), 'tactic', 'tactics')} in {counted(len(own), 'try', 'tries')} of a runner"
        ),
    ]
    return Finding(
        "medium" if spent[layer] >= _HEAVY_SHARE * total else "low", "one layer took most of the tuning", text,
        tuple(evidence), "high" if stated else "medium",
        "keep a timing cache (--timingCacheFile): the next build reads its times from there", at_stake_s=spent[layer], layers=(layer,),
    )  # fmt: skip


FINDING = BuildRule(
    finding,
    section="The build",
    place=3,
    title="One layer took most of the tuning",
    meaning=(
        "Tuning one layer took a fifth of the tuning time or more, and at least a second. Seconds are those that TensorRT states (8.6 and "
        "later), else differences of the log's time stamps. Not reported if a timing cache is kept."
    ),
    stake="That layer's tuning time, which is build time only.",
    next_check="Keep a timing cache; `trtlens show build` lists the time of every layer and runner.",
    needs="The tuner's record, from a verbose log.",
)
