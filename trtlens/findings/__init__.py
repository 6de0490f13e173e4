"""What costs time in an engine or in its build: one small rule a finding, in an explicit tuple.

A rule looks at one build, and at a second run of the same model where there is one; it returns what it found with the
rows that it stands on. docs/findings.md explains every code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtlens.findings.comparison import int8_slower_than_fp16
from trtlens.findings.engine import Engine
from trtlens.findings.launches import launch_bound, myelin_hides_layers
from trtlens.findings.moves import constants_copied, reformats_cost
from trtlens.findings.precision import fp16_weights, int8_without_fp16, missing_scales, tf32_in_fp32
from trtlens.findings.tuning import build_time_in_one_layer, unstable_choice, workspace_limit
from trtlens.findings.units import channels_rule_out_tensor_cores, cuda_cores_despite_tensor_cores

if TYPE_CHECKING:
    from collections.abc import Callable

    from trtlens.findings.finding import Finding
    from trtlens.runs import Run

    Rule = Callable[[Engine, "Engine | None"], "Finding | None"]

RULES: tuple[Rule, ...] = (
    int8_slower_than_fp16,
    int8_without_fp16,
    cuda_cores_despite_tensor_cores,
    channels_rule_out_tensor_cores,
    constants_copied,
    reformats_cost,
    launch_bound,
    myelin_hides_layers,
    fp16_weights,
    missing_scales,
    tf32_in_fp32,
    workspace_limit,
    unstable_choice,
    build_time_in_one_layer,
)
"""Every rule, in the order in which they are asked."""

CODES = tuple(rule.__name__.replace("_", "-") for rule in RULES)
"""The code that each rule gives: its name with hyphens."""


def find(run: Run, against: Run | None = None) -> list[tuple[int, Finding]]:
    """The findings of every build of a run; ``against`` is a second run, of which the last build counts."""
    other = None
    if against is not None:
        builds = [row["build"] for row in against["builds"].to_pylist() if row["is_build"]] or [1]
        other = Engine(against, builds[-1])
    found = []
    for row in run["builds"].to_pylist():
        engine = Engine(run, row["build"])
        for rule in RULES:
            finding = rule(engine, other)
            if finding is not None:
                found.append((row["build"], finding))
    return found
