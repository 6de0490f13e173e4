"""What costs time in an engine or in its build: one small rule a finding, in explicit tuples.

A rule of `RULES` looks at one build. A rule of `PAIR_RULES` looks at one build beside a second run of the same model;
what such a run adds to the findings of a rule of one build is in `ADDITIONS`. Each finding comes with the rows that it
stands on. docs/findings.md explains every code.
"""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING

import pyarrow.compute as pc

from trtlens.errors import TrtlensError
from trtlens.findings import second_run
from trtlens.findings.build_end import build_not_finished
from trtlens.findings.comparison import int8_slower_than_fp16
from trtlens.findings.engine import Engine
from trtlens.findings.launches import launch_bound, myelin_hides_layers
from trtlens.findings.moves import constants_copied, reformats_cost
from trtlens.findings.pairs import Pair
from trtlens.findings.precision import fp16_weights, int8_without_fp16, missing_scales, tf32_in_fp32
from trtlens.findings.tuning import build_time_in_one_layer, unstable_choice, workspace_limit
from trtlens.findings.units import channels_rule_out_tensor_cores, cuda_cores_despite_tensor_cores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from trtlens.comparison.same_work import Mismatch
    from trtlens.findings.finding import Finding
    from trtlens.runs.run import Run

    Rule = Callable[[Engine], "Finding | None"]
    PairRule = Callable[[Pair], "Finding | None"]
    Addition = Callable[[Finding, Pair], Finding]

RULES: tuple[Rule, ...] = (
    build_not_finished,
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
"""Every rule about one build, in the order in which they are asked."""

PAIR_RULES: tuple[PairRule, ...] = (int8_slower_than_fp16,)
"""Every rule about one build beside a second run."""

ADDITIONS: tuple[Addition, ...] = (
    second_run.constants_copied,
    second_run.int8_without_fp16,
    second_run.workspace_limit,
)
"""What a second run adds to the finding of the rule of the same name."""


def _code(rule: Rule | PairRule | Addition) -> str:
    return rule.__name__.replace("_", "-")


CODES = (*map(_code, PAIR_RULES), *map(_code, RULES))
"""The code that each rule gives: its name with hyphens."""


_RULED = ("layers", "runners", "messages", "performance", "layer_profile")
"""Tables of which each rule reads one at least."""


def find(run: Run, against: Run | None = None) -> list[tuple[int, Finding]]:
    """The findings of every build of a run; ``against`` is a second run, of which the last build counts.

    What a run of other work or on another GPU would add is left out.

    Raises:
        TrtlensError: the runs are of different models.

    """
    other = None if against is None else _last_build(against)
    found = []
    for number in _telling_builds(run):
        engine = Engine(run, number)
        findings = [rule(engine) for rule in RULES] if other is None else _beside(Pair(engine, other))
        found += [(number, finding) for finding in findings if finding is not None]
    return found


def _telling_builds(run: Run) -> list[int]:
    """Numbers of the builds of which a rule could say something: a log can hold thousands of banners and nothing else."""
    return sorted({number for name in _RULED for number in pc.unique(run[name]["build"]).to_pylist()})


def _last_build(run: Run) -> Engine:
    builds = [row["build"] for row in run["builds"].to_pylist() if row["is_build"]] or [1]
    return Engine(run, builds[-1])


def unlike(run: Run, against: Run) -> tuple[Mismatch, ...]:
    """In what a run and the one that it is held against are not alike, so that nothing of the second counts.

    Raises:
        TrtlensError: the runs are of different models.

    """
    return Pair(_last_build(run), _last_build(against)).mismatches


def find_across(runs: Sequence[tuple[str, Run]]) -> list[tuple[int, Finding]]:
    """What is found about two of several runs of one build each, in whatever order they stand: with the place of its run.

    Pairs of different models, or without engine layers, are passed over.
    """
    engines = [
        (place, name, Engine(run, number))
        for place, (name, run) in enumerate(runs)
        for number in run["builds"]["build"].to_pylist()
    ]
    found = []
    for (place, name, engine), (_, other_name, other) in permutations(engines, 2):
        pair = Pair(engine, other, name=name, other_name=other_name)
        found += [(place, finding) for rule in PAIR_RULES if (finding := _asked(rule, pair)) is not None]
    return found


def _asked(rule: PairRule, pair: Pair) -> Finding | None:
    try:
        return rule(pair)
    except TrtlensError:
        return None


def _beside(pair: Pair) -> Iterable[Finding | None]:
    """The findings about two runs, and those about the first with what the second adds to them."""
    if pair.mismatches:
        yield from (rule(pair.engine) for rule in RULES)
        return
    yield from (rule(pair) for rule in PAIR_RULES)
    additions = {_code(addition): addition for addition in ADDITIONS}
    for rule in RULES:
        finding = rule(pair.engine)
        add = additions.get(_code(rule))
        yield finding if finding is None or add is None else add(finding, pair)
