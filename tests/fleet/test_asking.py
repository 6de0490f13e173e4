"""What a fleet answers: steps beside noise, and every question with documented columns."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from tests.golden.commands import say
from tests.schemas import fits
from trtlens.errors import TrtlensError
from trtlens.fleet.fleet import ask_duckdb
from trtlens.fleet.gate import judge, read_condition
from trtlens.fleet.questions import MACROS, QUESTIONS
from trtlens.output import to_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trtlens.fleet.fleet import Fleet

pytestmark = pytest.mark.usefixtures("asked_once")


def steps_of(series: Sequence[np.ndarray], fleet: Fleet) -> list[dict[str, Any]]:
    """What the shared step search finds in some series of values."""
    lengths = [len(values) for values in series]
    points = pa.table({
        "series": np.repeat(np.arange(len(series)), lengths), "moment": np.concatenate([np.arange(one, dtype=float) for one in lengths]),
        "run_id": pa.array([f"{number:05}" for number in range(sum(lengths))]), "value": np.concatenate(series),
    })  # fmt: skip
    connection = fleet.connect(["engines"])
    connection.register("points", points)
    return ask_duckdb(connection, f"{MACROS}; FROM steps('points') ORDER BY series, moment").to_pylist()


def test_every_question_documents_its_columns_and_has_an_answer(series: Fleet) -> None:
    """No column without a meaning, no meaning without a column, a place of its own; charts draw columns that are there."""
    assert sorted(one.place for one in QUESTIONS.values()) == list(range(1, len(QUESTIONS) + 1))
    for name, question in QUESTIONS.items():
        answer = series.ask(name)
        assert answer.column_names == [column.name for column in question.rows.columns], name
        assert all(field.metadata[b"doc"] for field in answer.schema), name
        assert question.chart is None or set(question.chart[1:]) <= {*answer.column_names, None}, name
        assert question.text.endswith("?"), name
        if answer.num_rows:
            fits(f"fleet ask {name}", to_json(answer))


def test_the_docs_list_every_question() -> None:
    """With its words."""
    text = (Path(__file__).parents[2] / "docs" / "fleet.md").read_text()
    listed = [line for line in text.splitlines() if line.startswith("| `")]
    assert listed == [f"| `{name}` | {question.text} |" for name, question in QUESTIONS.items()]


def test_the_notebook_runs(series: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each cell, in a folder with a fleet."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fleet").symlink_to(series.place.root)
    cells = json.loads((Path(__file__).parents[2] / "docs" / "notebooks" / "fleet.ipynb").read_text())["cells"]
    names: dict[str, Any] = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)  # noqa: S102  our own notebook
    assert len(names["engines"]) == 20
    assert len(names["firsts"]) == 1


def test_answers_are_those_of_the_planted_runs(series: Fleet) -> None:
    """A step of 10 % between two versions, a slow machine, a tactic that one build chose differently, a broken log."""
    [step] = series.ask("regressions").to_pylist()
    assert step["step_percent"] == pytest.approx(10, abs=0.1)
    assert (step["runs_before"], step["runs_after"], step["version_before"], step["version_after"]) == (
        10,
        10,
        "10.3.0",
        "10.9.0",
    )
    assert step["since"] == "2026-01-01 10:00:00"
    assert step["latest"] is True
    machines = {row["machine"]: row["slower_percent"] for row in series.ask("machines").to_pylist()}
    assert machines["GPU-1"] - machines["GPU-0"] == pytest.approx(18, abs=3)
    lottery = series.ask("lottery").to_pylist()
    assert [(row["version"], row["builds"], row["tactics"], row["usual_percent"]) for row in lottery] == [
        ("10.3.0", 10, 2, 90)
    ] * 2
    assert [row["reason"] for row in series.ask("left_out").to_pylist()] == []
    assert series.ask("broken").num_rows == 1
    assert series.ask("messages").to_pylist()[0] | {"first_run": None} == {
        "first_at": "2026-01-01 00:00:00", "severity": "warning", "code": None, "example": "Tensor x is not used", "messages": 20, "runs": 20,
        "versions": "10.3, 10.9", "models": 1, "first_run": None,
    }  # fmt: skip
    tuning = {row["trt"]: row["profiling_s"] for row in series.ask("tuning").to_pylist()}
    assert tuning == {"10.3": 5.0, "10.9": 5.0}


def test_planted_steps_are_found_and_noise_is_not(series: Fleet) -> None:
    """Steps of 5 % in 2 % noise: nearly all are found, at the place or next to it; in noise alone there are none."""
    random = np.random.default_rng(7)
    noise = np.exp(random.normal(0, 0.02, (120, 40)))
    places = random.integers(10, 31, 60)
    noise[:60] *= np.where(np.arange(40) >= places[:, None], 1.05, 1.0)
    found = steps_of(list(noise), series)
    near = {row["series"] for row in found if row["series"] < 60 and abs(row["moment"] - places[row["series"]]) <= 3}
    assert len(near) >= 55
    assert not [row for row in found if row["series"] >= 60]


def test_several_steps_of_one_series_are_told_apart(series: Fleet) -> None:
    """Up and down again; equal values give no step, and a series of seven runs is too short for one."""
    values = np.repeat([1.0, 1.2, 1.0], 10) * np.exp(np.random.default_rng(3).normal(0, 0.01, 30))
    found = steps_of([values, np.ones(20), np.array([1.0, 1, 1, 2, 2, 2, 2])], series)
    assert [(row["series"], row["moment"], round(row["step_percent"], -1), row["latest"]) for row in found] == [
        (0, 10, 20, False),
        (0, 20, -20, True),
    ]


def test_times_of_microseconds_have_steps_too(series: Fleet) -> None:
    """A step of two microseconds in forty is found; one that the timer cannot tell is none, however steady the values are."""
    noise = np.exp(np.random.default_rng(5).normal(0, 0.01, 40))
    [step] = steps_of([np.repeat([0.040, 0.042], 20) * noise, np.repeat([0.0051, 0.0056], 20)], series)
    assert step["series"] == 0
    assert step["step_percent"] == pytest.approx(5, abs=1)


def test_conditions_judge_known_values_only(series: Fleet) -> None:
    """A row is a breach if all its terms are met, unknown if one is not known and no other says no."""
    rows = pa.table({"step_percent": [4.0, 2.0, None, None], "latest": [True, True, True, False]})
    judged = judge(read_condition("regressions: step_percent > 3% and latest"), rows)
    assert (judged.breaches, judged.unknown) == ((0,), 1)
    for text, told in (
        ("regressions", "no condition"), ("nothing: a > 1", "no condition"), ("series: a > 1", "no column"),
        ("series: runs >", "no comparison"), ("series: runs > 1 or runs < 2", "no comparison"),
    ):  # fmt: skip
        with pytest.raises(TrtlensError, match=told):
            read_condition(text)
    with pytest.raises(TrtlensError, match="is a text"):
        judge(read_condition("series: model > 1"), series.ask("series"))


def test_commands_ask_check_and_draw(series: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each prints or writes what the library answers; a breached check ends with 1, a wrong query with one line."""
    fleet = series.place.root
    assert '"step_percent": 10.' in say("fleet", "ask", "regressions", fleet, "-f", "json").out
    assert fits("fleet sql", say("fleet", "sql", "SELECT 1 AS n", fleet, "-f", "json").out) == [{"n": 1}]
    assert say("fleet", "sql", "SELECT count(*) AS n FROM candidates", fleet, "-f", "csv").out == "n\n80\n"
    assert say("fleet", "check", fleet, "--fail-on", "regressions: step_percent > 12").code == 0
    breach = say("fleet", "check", fleet, "--fail-on", "regressions: step_percent > 3 and latest", "-f", "json")
    assert (breach.code, breach.err.split(":")[0]) == (1, "breach")
    assert say("fleet", "check", fleet, "--fail-on", "regressions: step_percent > 12", "-f", "json").out == "[]\n"
    met = [
        word
        for name, one in QUESTIONS.items()
        for word in ("--fail-on", f"{name}: {one.rows.columns[0].name} != 'none'")
    ]
    rows = fits("fleet check", say("fleet", "check", fleet, *met, "-f", "json").out)
    assert {row["condition"].split(":")[0] for row in rows} == {name for name in QUESTIONS if series.ask(name).num_rows}
    assert [row["condition"] for row in fits("fleet check", breach.out)] == ["regressions: step_percent > 3 and latest"]
    assert say("fleet", "ask", "regressions", fleet, "--chart", tmp_path / "c.html").code == 0
    assert say("fleet", "report", fleet, "-o", tmp_path / "r.html").code == 0
    assert "1 steps" in (tmp_path / "r.html").read_text()
    wrong = say("fleet", "sql", "SELECT nothing FROM runs", fleet)
    assert (wrong.code, wrong.err.count("\n")) == (2, 1)
    assert say("fleet", "ask", "nothing", fleet).code == 2
    monkeypatch.setattr(sys, "stdin", io.StringIO("SELECT 1 +\n1 AS n;\n.columns runs\nwrong;\n.quit\n"))
    shell = say("fleet", "shell", fleet, "-f", "csv")
    assert shell.out.startswith("n\n2\ncolumn,type,unit,meaning\nrun_id,")
    assert "DuckDB says" in shell.err
    monkeypatch.setattr(sys, "stdin", io.StringIO("SELECT 1 AS n;\n"))
    assert fits("fleet shell", say("fleet", "shell", fleet, "-f", "json").out) == [{"n": 1}]
    assert say("fleet", "questions", "-f", "csv").out.count("\n") == len(QUESTIONS) + 1


def test_added_logs_are_named_by_their_whole_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative name says nothing later, or on another machine; members of archives too."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.log").write_text("nothing\n")
    said = say("fleet", "add", "a.log", "--to", "fleet", "--label", "machine=ci-7")
    assert (said.code, said.err.splitlines()[1]) == (
        0,
        "1 runs added, 1 of them broken (trtlens fleet ask broken fleet); 0 were known",
    )
    answer = json.loads(say("fleet", "ask", "broken", "fleet", "-f", "json").out)
    assert [row["source"] for row in answer] == [str(tmp_path / "a.log")]
    missing = say("fleet", "add", "nothing.log", "--to", "fleet")
    assert (missing.code, missing.err.count("\n")) == (2, 1)


def test_every_type_of_a_query_can_be_written(series: Fleet) -> None:
    """Dates, decimals and sums beyond 64 bits come as text and numbers that every format knows."""
    query = "SELECT DATE '2026-01-02' AS d, 1.50::DECIMAL(4, 2) AS x, sum(9e18::HUGEINT) OVER () AS s, 'a'::BLOB AS b FROM range(2)"
    row = series.sql(query).to_pylist()[0]
    assert (row["d"], row["x"], row["s"]) == ("2026-01-02", 1.5, 1.8e19)


def test_handles_of_other_libraries_hold_the_same_rows(series: Fleet) -> None:
    """Arrow's dataset, Dask's and Polars' frames."""
    pytest.importorskip("polars")
    assert series.dataset("candidates").count_rows() == 80
    if os.environ.get("TRTLENS_SMOKE") == "all":  # importing Dask's dataframes takes longer than all else here
        assert len(series.dask("candidates")) == 80
    assert series.polars("candidates").collect().height == 80
    assert series.polars("engines").filter(trt="10.9").collect().height == 10
    with pytest.raises(TrtlensError, match="no table"):
        series.dataset("nothing")
