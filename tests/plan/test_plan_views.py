"""A plan beside the run that was built with it: tables, sentences, and error against time as a picture."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import FIXTURES
from tests.doubles.made_runs import MadeLayer, MadeRun
from tests.schemas import fits
from trtlens import open_run
from trtlens.charts import CHARTS
from trtlens.cli import app
from trtlens.comparison import compare_runs
from trtlens.comparison.headlines import tell
from trtlens.errors import TrtlensError
from trtlens.plan.document import write_plan
from trtlens.runs.plan_rows import plan_tables
from trtlens.runs.run import Run
from trtlens.tables.declarations import TABLES
from trtlens.views import VIEWS
from trtlens_parsers.saved_plan import Plan, read_plan_text

PLAN = FIXTURES / "plans" / "tiny_encoder-rtx" / "plan.json"
_LOST = {"relative_l2": 0.0001, "cosine_similarity": 0.999, "new_nan": 1, "new_inf": 0}


def timed(**changes: Any) -> Plan:
    """A plan with times: 2 ms in FP32, 1 ms as planned, and one engine of a proof that took 1.1 ms."""
    plan = read_plan_text(PLAN.read_text("utf-8"))
    scale = 2 / plan.fp32_ms
    units = tuple(replace(unit, fp32_ms=unit.fp32_ms * scale, low_ms=unit.low_ms * scale) for unit in plan.units)
    checks = tuple(replace(check, time_ms=check.time_ms * scale) for check in plan.checks)
    built = {"folder": "1", "predicted_ms": 1.0, "time_ms": 1.1, "low_ms": 1.09, "high_ms": 1.12, "emulated": 2e-4, "measured": 2.5e-4, "holds": True}  # fmt: skip
    known = {"time_ms": 1.1, "time_is": "measured", "fp32_ms": 2.0, "low_ms": 0.8, "time_is_weight": False}
    return replace(plan, **{**known, "units": units, "checks": checks, "front": (), "proof": {"builds": [built]}, **changes})  # fmt: skip


def built_with(plan: Plan, outputs: list[dict[str, Any]], times_ms: list[float]) -> Run:
    """A run with one layer, its plan, and errors of its outputs."""
    made = MadeRun([MadeLayer("a")], inference_ms=times_ms).run()
    errors = {name: [row.get(name) for row in outputs] for name in ("role", *_LOST)}
    compared = MadeRun([], tables={"tensor_errors": {"tensor": ["y"] * len(outputs), **errors}}).run()["tensor_errors"]
    return Run("made", {**made.tables, **plan_tables(plan, 1), "tensor_errors": compared})


def run_row(run: Run) -> dict[str, Any]:
    return next(row for row in run.view("plan_choices").to_pylist() if row["kind"] == "run")


def test_a_run_stands_beside_its_plan() -> None:
    """Measured time and error of the run; its worst output counts, inner tensors do not; the answer says how far off the prediction was."""
    outputs = [
        {"role": "output", "relative_l2": 3e-4, "cosine_similarity": 1.0},
        {"role": "output", "relative_l2": 1e-5, "cosine_similarity": 1.0},
        {"role": "inner", "relative_l2": 0.5, "cosine_similarity": 0.1},
    ]
    run = built_with(timed(), outputs, [1.25] * 20)
    row = run_row(run)
    assert (row["time_ms"], row["measured_error"], row["holds"]) == (1.25, 3e-4, True)
    told = VIEWS["plan_choices"].answers(run.view("plan_choices"))[0]
    assert "1.25 ms an inference" in told
    assert "23.1 % less than predicted" in told
    assert "error 0.0003 on the engine, within error<=0.00033" in told
    beyond = built_with(timed(), [{"role": "output", "relative_l2": 0.01, "cosine_similarity": 1.0}], [])
    assert run_row(beyond)["holds"] is False
    assert "not timed" in VIEWS["plan_choices"].answers(beyond.view("plan_choices"))[0]


def test_values_that_were_lost_are_no_error_that_is_known() -> None:
    """An output with new NaN has no error, however small the rest of it is; nor has a run whose outputs nobody compared."""
    assert run_row(built_with(timed(), [{"role": "output", **_LOST}], []))["measured_error"] is None
    assert run_row(built_with(timed(), [], []))["holds"] is None


def test_a_cosine_is_told_by_what_it_lacks() -> None:
    """All errors of a plan for a cosine are 1 less the cosine, those of units too."""
    plan = timed(quantity="cosine", bound="cosine>=0.999", measured=0.9995, proof=None)
    plan = replace(plan, checks=(replace(plan.checks[1], measured=0.9995, predicted=0.9994),))
    tables = plan_tables(plan, 1)
    check = next(row for row in tables["plan_choices"].to_pylist() if row["kind"] == "check")
    assert check["measured_error"] == pytest.approx(5e-4)
    assert check["bound_error"] == pytest.approx(1e-3)
    run = built_with(plan, [{"role": "output", "relative_l2": 9.0, "cosine_similarity": 0.9991}], [])
    assert run_row(run)["measured_error"] == pytest.approx(9e-4)
    assert run_row(run)["holds"] is True


def test_the_chart_of_a_timed_plan() -> None:
    """Microseconds: checks as predicted, engines as measured with their intervals, the bound across all of them."""
    figure = CHARTS["plan"].draw(built_with(timed(), [], [1.25] * 20))
    traces = {trace.name: trace for trace in figure.data if trace.name}
    built = traces["built, holds"]
    assert (list(built.x), list(built.y)) == ([1100.0], [2.5e-4])
    assert list(traces["all in FP32: no error"].x) == [2000.0, 2000.0]
    assert set(traces["the bound, error&lt;=0.00033"].y) == {0.00033}
    assert traces["this run, not measured in full"].marker.symbol == "star-open"
    intervals = [list(trace.x) for trace in figure.data if not trace.name]
    assert [1090.0, 1120.0] in intervals
    assert "[µs]" in figure.layout.xaxis.title.text


def test_a_bound_is_no_markup() -> None:
    """What a plan's file gives as its bound is text in the chart."""
    figure = CHARTS["plan"].draw(built_with(timed(bound="<img src=x>=0.5"), [], []))
    assert all("<img" not in (trace.name or "") for trace in figure.data)


def test_times_that_are_weights_are_never_told_as_times() -> None:
    """Shares of the time in FP32 alone, of choices and of units."""
    run = open_run(PLAN)
    assert set(run["plan_choices"]["predicted_ms"].to_pylist()) == {None}
    assert set(run["plan_units"]["costs_ms"].to_pylist()) == {None}
    shares = {
        row["kind"]: row["predicted_percent"] for row in run["plan_choices"].to_pylist() if row["kind"] == "all fp32"
    }
    assert shares == {"all fp32": 100.0}
    assert "ms" not in " ".join(VIEWS["plan_choices"].answers(run.view("plan_choices")))


def test_the_units_that_cost_most_error_stand_first() -> None:
    """FP32 before the others, by what each would add; the answer sums what FP32 costs them."""
    rows = open_run(PLAN).view("plan_units").to_pylist()
    kept = [row for row in rows if row["type"] == "fp32"]
    assert rows[: len(kept)] == kept
    assert [row["error"] for row in kept] == sorted((row["error"] for row in kept), reverse=True)
    told = VIEWS["plan_units"].answers(open_run(PLAN).view("plan_units"))[0]
    assert f"{sum(row['costs_percent'] for row in kept):.1f} %" in told


def test_a_plan_is_drawn_from_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--chart` writes a page; a place that is taken by a folder is refused before anything is done."""
    monkeypatch.chdir(tmp_path)
    app(args=["plan", str(PLAN), "--chart", "plan.html"], standalone_mode=False)
    assert "Error against time of the plan" in Path("plan.html").read_text("utf-8")
    Path("taken").mkdir()
    with pytest.raises(TrtlensError, match="taken"):
        app(args=["plan", str(PLAN), "--chart", "taken"], standalone_mode=False)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ({"fp32_ms": "soon"}, "fp32_ms is no number"),
        ({"low_type": "int8"}, "a type that no plan has"),
        ({"bound": "error<=small"}, "bound is not understood"),
        ({"quantity": "luck"}, "neither error nor cosine"),
        ({"units": {"a": 1}}, "units is no list of objects"),
        ({"proof": {"builds": [{"time_ms": 1.0}]}}, "holds is missing"),
        ({"checks": [{"low_units": 1.5}]}, "low_units is no whole number"),
    ],
)
def test_a_damaged_plan_is_refused(damage: dict[str, Any], said: str, tmp_path: Path) -> None:
    """Each with what is wrong, wherever the plan is read."""
    path = tmp_path / "plan.json"
    path.write_text(json.dumps({**json.loads(PLAN.read_text("utf-8")), **damage}))
    with pytest.raises(TrtlensError, match=said):
        open_run(path)


# -- comparisons -------------------------------------------------------------------------------------------------------


def compared_with(flags: str | None, outputs: list[dict[str, Any]]) -> str:
    """What is said of a run of 1.25 ms with a plan against one of 2.5 ms without, which allowed these types."""
    plan = timed(time_is="predicted", time_ms=1.625, proof=None)
    base = built_with(plan, outputs, [2.5] * 20)
    columns: dict[str, list[Any]] = {"build": [1], "is_build": [True], "precision_flags": [flags]}
    builds = MadeRun([], tables={"builds": columns}).run()["builds"]
    nothing = {name: TABLES[name].empty() for name in ("plan_choices", "plan_units")}
    other = Run("base", {**base.tables, **nothing, "builds": builds})
    told = tell(compare_runs([other, built_with(plan, outputs, [1.25] * 20)], names=["base", "planned"]))
    return " ".join(told[0].sentences)


def test_a_comparison_tells_what_the_plan_predicted() -> None:
    """All FP32 is what the plan weighs a run with FP32 alone by; prediction and measurement stand side by side, errors of both where both have them."""
    output = {"role": "output", "relative_l2": 3e-4, "cosine_similarity": 1.0, "new_nan": 0, "new_inf": 0}
    told = compared_with("FP32", [output])
    assert "The plan of planned predicts that planned takes 18.7 % less: 1.63 ms against 2.00 ms" in told
    assert "measured 50.0 % less: 1.25 ms against 2.50 ms" in told
    assert "base 0.0003; planned 0.0003 (0.0003 by the plan's emulation)" in told
    assert "keeps 6 units (29 nodes) in FP32" in told
    low = compared_with("FP32+FP16", [])
    assert "planned takes 44.6 % more: 1.63 ms against 1.12 ms" in low
    assert "on the engines" not in low


def test_a_plan_says_nothing_of_types_that_it_does_not_weigh() -> None:
    """A run that allowed INT8 is none of the plan's choices."""
    assert "predicts nothing of base" in compared_with("FP32+FP16+INT8", [])


def test_two_plans_are_compared_by_their_units(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Units whose types differ, as rows; a plan beside a run, a third plan and another model are refused with what to do."""
    plan = read_plan_text(PLAN.read_text("utf-8"))
    turned = (replace(plan.units[0], type="fp16" if plan.units[0].type == "fp32" else "fp32"), *plan.units[1:])
    paths = [tmp_path / name / "plan.json" for name in ("a", "b")]
    for path, one in zip(paths, (plan, replace(plan, units=turned)), strict=True):
        path.parent.mkdir()
        write_plan(one, path)
    app(args=["compare", *map(str, paths), "--format", "json"], standalone_mode=False)
    [row] = fits("compare of two plans", capsys.readouterr().out)
    assert (row["name"], row["baseline_type"], row["type"]) == (plan.units[0].name, plan.units[0].type, turned[0].type)
    app(args=["compare", *map(str, paths)], standalone_mode=False)
    assert "1 unit of a have other types in b" in " ".join(capsys.readouterr().out.split())
    for others, said in (
        ([str(PLAN.parent), str(paths[0])], "is a plan and no run: build it"),
        ([*map(str, paths), str(PLAN)], "compare takes two"),
        ([*map(str, paths), "--fail-on", "latency > +3%"], "plans have no layers"),
    ):
        with pytest.raises(TrtlensError, match=said):
            app(args=["compare", *others], standalone_mode=False)
    write_plan(replace(plan, model={"path": "other.onnx", "sha256": "0"}), paths[1])
    with pytest.raises(TrtlensError, match="of two models"):
        app(args=["compare", *map(str, paths)], standalone_mode=False)
