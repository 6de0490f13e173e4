"""What costs time in an engine or in its build, and what puts the result at risk: one module a finding, in `rules`.

Most findings are about one build. A pair's are about one build beside a second run of the same model, and such a run adds
numbers to some of the others. Each finding comes with its evidence. docs/findings.md explains every code.
"""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from trtlens.errors import TrtlensError
from trtlens.findings.engine import Engine, read_engine
from trtlens.findings.finding import BuildRule, Found, PairRule
from trtlens.findings.pairs import Pair
from trtlens.findings.rules import FINDINGS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trtlens.comparison.same_work import Mismatch
    from trtlens.findings.finding import Finding, Rule
    from trtlens.runs.run import Run

_READ_TABLES = ("layers", "runners", "messages", "performance", "layer_profile", "kernel_launches")
"""Tables of which each rule reads one at least."""


def find(run: Run, against: Run | None = None) -> list[Found]:
    """The findings of every build of a run; ``against`` is a second run, of which the last build counts.

    A second run of other work or on another GPU is not used.

    Raises:
        TrtlensError: the runs are of different models.

    """
    other = None if against is None else _last_build(against)
    found = []
    for number in _builds_with_rows(run):
        engine = read_engine(run, number)
        findings = _of_build(engine) if other is None else _of_pair(Pair(engine, other))
        found += [Found(number, rule, finding) for rule, finding in findings if finding is not None]
    return found


def _builds_with_rows(run: Run) -> list[int]:
    """Numbers of the builds of which a rule could say something: a log can consist of thousands of banners and nothing else."""
    builds = run["builds"]
    mixed = builds["build"].filter(pc.is_valid(builds["mixed_line"])).to_pylist()  # a rule says why they have no rows
    return sorted({*mixed, *(number for name in _READ_TABLES for number in pc.unique(run[name]["build"]).to_pylist())})


def _build_rules() -> list[BuildRule]:
    return [rule for rule in FINDINGS.values() if isinstance(rule, BuildRule)]


def _pair_rules() -> list[PairRule]:
    return [rule for rule in FINDINGS.values() if isinstance(rule, PairRule)]


def _of_build(engine: Engine) -> list[tuple[Rule[Any], Finding | None]]:
    return [(rule, rule.find(engine)) for rule in _build_rules()]


def _of_pair(pair: Pair) -> list[tuple[Rule[Any], Finding | None]]:
    """The findings about two runs, and those about the first with what the second adds to them."""
    if pair.mismatches:
        return _of_build(pair.engine)
    return [
        *((rule, rule.find(pair)) for rule in _pair_rules()),
        *((rule, rule.find_beside(pair)) for rule in _build_rules()),
    ]


def _last_build(run: Run) -> Engine:
    builds = [row["build"] for row in run["builds"].to_pylist() if row["is_build"]] or [1]
    return read_engine(run, builds[-1])


def unlike(run: Run, against: Run) -> tuple[Mismatch, ...]:
    """How a run and the second one differ, so that the second cannot be used.

    Raises:
        TrtlensError: the runs are of different models.

    """
    return Pair(_last_build(run), _last_build(against)).mismatches


def find_across(runs: Sequence[tuple[str, Run]]) -> list[tuple[int, Found]]:
    """Findings about each ordered pair of several named runs of one build each, with the position of the run that has them.

    Pairs of different models, or without engine layers, are skipped.
    """
    engines = [
        (place, name, read_engine(run, number))
        for place, (name, run) in enumerate(runs)
        for number in run["builds"]["build"].to_pylist()
    ]
    found = []
    for (place, name, engine), (_, other_name, other) in permutations(engines, 2):
        pair = Pair(engine, other, name=name, other_name=other_name)
        asked = ((rule, _asked(rule, pair)) for rule in _pair_rules())
        found += [(place, Found(engine.number, rule, one)) for rule, one in asked if one is not None]
    return found


def _asked(rule: PairRule, pair: Pair) -> Finding | None:
    try:
        return rule.find(pair)
    except TrtlensError:
        return None
