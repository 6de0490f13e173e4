"""What ``compare`` says of two plan.json files, which are no runs: their figures, and the units whose types differ."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from trtlens.commands.markdown import markdown_table
from trtlens.commands.read import print_answers
from trtlens.errors import TrtlensError
from trtlens.output import Format, print_table, write_table
from trtlens.plan.against import LAYOUT, differing_units, sentences
from trtlens.plan.document import read_plan
from trtlens.runs.arguments import run_names
from trtlens.runs.ingest import export_kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trtlens.runs.arguments import RunArgument

_MARKDOWN = "markdown"
_SHOWN = ("name", "baseline_type", "type", "error", "costs_percent")


def plans_among(arguments: Sequence[RunArgument]) -> list[RunArgument]:
    """The arguments that are a plan's file alone, and no run."""
    files = [one for one in arguments if len(one.paths) == 1 and Path(one.paths[0]).is_file()]
    return [one for one in files if export_kind(one.paths[0]) == "plan"]


def compare_plans(arguments: Sequence[RunArgument], plans: Sequence[RunArgument], form: str) -> None:
    """Write how the second plan differs from the first.

    Raises:
        TrtlensError: a run stands beside a plan, there are not two plans, or they are of two models.

    """
    if len(plans) < len(arguments):
        raise TrtlensError(
            f"{plans[0].text} is a plan and no run: build it with trtlens profile MODEL --plan {plans[0].text} and compare the run; "
            "a run that was built with a plan knows it already"
        )
    if len(plans) != 2:
        raise TrtlensError(f"{len(plans)} plans were given: compare takes two; trtlens plan {plans[0].text} reads one")
    base, other = (read_plan(Path(one.paths[0])) for one in plans)
    first, second = run_names(plans)
    rows = differing_units(base, other)
    told = list(sentences(base, other, (first, second), rows.num_rows))
    if form == _MARKDOWN:
        cells = [["" if row[name] is None else str(row[name]) for name in _SHOWN] for row in rows.to_pylist()]
        sys.stdout.write("\n".join([*(f"- {one}" for one in told), ""]) + "\n" + markdown_table(_SHOWN, cells))
    elif form == Format.TABLE.value:
        print_answers(told)
        print_table(rows, LAYOUT)
    else:
        write_table(rows, Format(form))
