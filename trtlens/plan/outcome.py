"""What became of a plan in a run that was built with it: the plan's row, the inference's time and the outputs' error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trtlens.engine.inference_samples import samples_of
from trtlens.runs.plan_rows import BUILD, CHECK, RUN
from trtlens_parsers.saved_plan import ALL_FULL, ERROR

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trtlens.engine.inference_samples import Samples
    from trtlens.runs.run import Run


@dataclass(frozen=True, slots=True)
class Outcome:
    """A run beside its plan.

    Attributes:
        planned: the row of the table ``plan_choices`` that was chosen, as it was checked; of all rows the first where none was.
        samples: times of its inferences, None where it was not timed.
        error: of the worst compared output, as the plan's bound measures it; None where no output was compared.
    """

    planned: Mapping[str, Any]
    low_units: int
    samples: Samples | None
    error: float | None

    @property
    def holds(self) -> bool | None:
        """Whether the measured error is within the bound; None where either is not known."""
        limit = self.planned["bound_error"]
        return None if self.error is None or limit is None else self.error <= limit

    def row(self) -> dict[str, Any]:
        """The run as a choice of the plan."""
        told = None if self.samples is None else self.samples.told
        return {
            **self.planned, "kind": RUN, "low_units": self.low_units, "chosen": True,
            "time_ms": None if told is None else told.median_ms, "time_low_ms": None if told is None else told.median_low_ms,
            "time_high_ms": None if told is None else told.median_high_ms, "measured_error": self.error, "holds": self.holds,
        }  # fmt: skip


def outcome_of(run: Run, build: int) -> Outcome | None:
    """What became of the plan of one build; None where it has no plan, or the run is the plan alone."""
    own = run.build(build)
    rows = own["plan_choices"].to_pylist()
    if not rows or not own["layers"].num_rows:
        return None
    planned = chosen_row(rows)
    low_units = sum(kind != "fp32" for kind in own["plan_units"]["type"].to_pylist())
    return Outcome(planned, low_units, samples_of(own), output_error(own, planned["quantity"]))


def chosen_row(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The plan among the choices of its search: as it was checked, else as it was built, else what is told first."""
    chosen = [row for row in rows if row["chosen"]]
    order = (CHECK, ALL_FULL, BUILD)
    return min(chosen or rows[:1], key=lambda row: order.index(row["kind"]) if row["kind"] in order else len(order))


def output_error(run: Run, quantity: str) -> float | None:
    """The worst output's error as a bound of that quantity measures it; None where one was not compared, or values were lost."""
    outputs = [row for row in run["tensor_errors"].to_pylist() if row["role"] == "output"]
    name = "relative_l2" if quantity == ERROR else "cosine_similarity"
    if not outputs or any(row[name] is None or row["new_nan"] or row["new_inf"] for row in outputs):
        return None
    return max(row[name] if quantity == ERROR else 1 - row[name] for row in outputs)
