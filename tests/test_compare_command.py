"""The command `compare`: what it prints, in every format, and how it exits."""

from __future__ import annotations

import csv
import io
import json
import sys
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import FIXTURES, capture_files
from trtlens.cli import main
from trtlens.commands.markdown import escape, markdown_table
from trtlens.comparison.quantities import QUANTITIES
from trtlens.comparison.result_tables import CHANGE_COLUMNS, REGION_COLUMNS
from trtlens.runs.arguments import read_argument, run_names

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("fixtures_read_once")


def captured(name: str) -> str:
    """One capture as an argument: its files joined by commas."""
    return ",".join(map(str, capture_files(name)))


RTX = [str(FIXTURES / "small-cnn-rtx" / name / "verbose.log.xz") for name in ("fp32", "fp16", "qdq")]


def run_command(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], *arguments: str
) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of `trtlens compare`."""
    monkeypatch.setattr(sys, "argv", ["trtlens", "compare", *arguments])
    with pytest.raises(SystemExit) as stop:
        main()
    out, err = capfd.readouterr()
    return (stop.value.code if isinstance(stop.value.code, int) else 0), out, err


def test_the_answer_comes_first(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """Headlines in sentences, then the changes; regions only on request."""
    code, out, err = run_command(monkeypatch, capfd, captured("fp16"), captured("fp32"))
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == "fp32 against fp16"
    assert "3.20x slower" in out.split("How far to trust this")[0]
    assert out.index("How far to trust this") < out.index("Changes")
    assert "Regions\n" not in out
    _, longer, _ = run_command(monkeypatch, capfd, captured("fp16"), captured("fp32"), "--regions")
    assert longer.index("Changes") < longer.index("Regions")


def test_data_formats_hold_one_table(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """JSON, CSV and Parquet have the declared columns: of the changes, of the regions with --regions."""
    for arguments, columns in (((), CHANGE_COLUMNS), (("--regions",), REGION_COLUMNS)):
        names = [column.name for column in columns.columns]
        written = {}
        for form in ("json", "csv", "parquet"):
            monkeypatch.setattr(sys, "argv", ["trtlens", "compare", *RTX, *arguments, "--format", form])
            with pytest.raises(SystemExit):
                main()
            written[form] = capfdbinary.readouterr().out
        rows = json.loads(written["json"])
        assert list(rows[0]) == names
        assert next(csv.reader(io.StringIO(written["csv"].decode("utf-8")))) == names
        table = pq.read_table(io.BytesIO(written["parquet"]))
        assert (table.column_names, table.num_rows) == (names, len(rows))


def test_a_breach_exits_with_one_and_a_line(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """Each breach is a line on standard error; passed checks say nothing."""
    checks = ("--fail-on", "layer_time > +3%", "--fail-on", "reformats > +2", "--fail-on", "fp32_time_share > 10%")
    code, out, err = run_command(monkeypatch, capfd, captured("fp16"), captured("fp32"), *checks, "--format", "json")
    assert code == 1
    assert [line.split(":")[0] for line in err.splitlines()] == ["breach", "breach"]
    assert json.loads(out)


def test_what_is_unknown_fails_only_when_strict(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A quantity that the runs do not state is told; it fails the command with --strict alone."""
    arguments = (*RTX, "--fail-on", "latency > +3%")
    code, _, err = run_command(monkeypatch, capfd, *arguments)
    assert code == 0
    assert err.count("unknown, not judged") == 2
    assert run_command(monkeypatch, capfd, *arguments, "--strict")[0] == 1


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        ((RTX[0],), "two runs or more"),
        ((), "two runs or more"),
        ((*RTX, "--fail-on", "latancy > 3"), "did you mean latency"),
        ((*RTX, "--fail-on", "latency"), "QUANTITY OPERATOR LIMIT"),
        ((*RTX, "--baseline", "bf16"), "choose one of fp32, fp16, qdq"),
        ((RTX[0], "missing.log"), "missing.log cannot be read"),
        ((RTX[0], f"{RTX[1]}@7"), "has no build 7"),
        ((RTX[0], ","), "names no run"),
    ],
)
def test_wrong_usage_exits_with_two(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], arguments: tuple[str, ...], hint: str
) -> None:
    """A user's error is one line on standard error and exit code 2."""
    code, out, err = run_command(monkeypatch, capfd, *arguments)
    assert (code, out) == (2, "")
    assert hint in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("wanted", ["qdq", "3", RTX[2]])
def test_the_baseline_is_chosen_by_name_place_or_as_typed(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], wanted: str
) -> None:
    """Runs are held against the run that --baseline names."""
    _, out, _ = run_command(monkeypatch, capfd, *RTX, "--baseline", wanted)
    assert [line for line in out.splitlines() if " against " in line] == ["fp32 against qdq", "fp16 against qdq"]


def test_quantities_are_listed(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """--list-quantities needs no runs and lists every quantity with its unit."""
    code, out, _ = run_command(monkeypatch, capfd, "--list-quantities", "--format", "json")
    assert code == 0
    assert [row["quantity"] for row in json.loads(out)] == list(QUANTITIES)


def test_markdown_begins_with_the_checks(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """A comment for a pull request: failed checks, sentences, a table of changes with as many cells in every row."""
    arguments = (
        captured("fp16"),
        captured("fp32"),
        "--fail-on",
        "layer_time > +3%",
        "--format",
        "markdown",
        "--regions",
    )
    code, out, _ = run_command(monkeypatch, capfd, *arguments)
    assert code == 1
    assert out.startswith("### Checks\n\n- breach: fp32: layer\\_time")
    assert "### fp32 against fp16" in out
    table = [line for line in out.split("<details><summary>Regions</summary>")[1].splitlines() if line.startswith("|")]
    assert len({line.count("|") - line.count("\\|") for line in table}) == 1
    assert len(table) == 2 + 56


def test_two_builds_of_one_log_are_compared(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """`@1` and `@2` behind a log are its builds."""
    logs = [(FIXTURES / "alignment" / "releases" / name).read_text("utf-8") for name in ("8.0.log", "8.6.log")]
    (tmp_path / "both.log").write_text("".join(logs), "utf-8")
    both = str(tmp_path / "both.log")
    code, out, _ = run_command(monkeypatch, capfd, f"{both}@1", f"{both}@2")
    assert code == 0
    assert out.startswith("both@2 against both@1\n")
    assert "All layers are aligned, in 6 regions" in out


# -- arguments and Markdown ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "names"),
    [
        (("a/fp16/verbose.log", "a/int8/verbose.log"), ["fp16", "int8"]),
        (("a/fp16/verbose.log.xz,a/fp16/layers.json", "b/fp16/verbose.log.xz"), ["a", "b"]),
        (("fp32.log", "fp16.log.gz"), ["fp32", "fp16"]),
        (("runs/one", "runs/two", "runs/three"), ["one", "two", "three"]),
        (("build.log@1", "build.log@2"), ["build@1", "build@2"]),
        (("x.log", "x.log"), ["x (1)", "x (2)"]),
        (("/deep/a/8.6/out.log", "/deep/b/8.6/out.log"), ["a", "b"]),
        (("a/8.6/x.log", "a/10.3/y.log"), ["x", "y"]),
        (("/deep/killed", "/deep/refused", "cut.log"), ["killed", "refused", "cut"]),
        (("a/x.log", "b/x.log", "y.log"), ["a/x", "b/x", "y"]),
    ],
)
def test_runs_are_called_by_what_tells_them_apart(texts: tuple[str, ...], names: list[str]) -> None:
    """Names are short and different."""
    assert run_names([read_argument(text) for text in texts]) == names


def test_commas_and_at_signs_in_existing_names_are_kept(tmp_path: Path) -> None:
    """A file whose name holds a comma or ends in @2 is one file."""
    for name in ("a,b.log", "log@2"):
        path = tmp_path / name
        path.write_text("x", "utf-8")
        assert read_argument(str(path)).paths == (str(path),)
        assert read_argument(str(path)).build is None


@given(st.text(max_size=60))
def test_no_name_breaks_a_markdown_table(text: str) -> None:
    """Whatever a layer is called, a row stays one line with as many cells as the heading has."""
    table = markdown_table(["name", "value"], [[text, 1.5]])
    heading, _, row = table.rstrip("\n").split("\n")
    assert row.count("|") - row.count("\\|") == heading.count("|")


def test_markdown_shows_names_as_they_are() -> None:
    """Characters that Markdown or HTML would act on are escaped, control characters made visible."""
    assert escape("a_b*c <b> @user #1 | \x1e") == "a\\_b\\*c &#60;b&#62; &#64;user \\#1 \\| \\\\x1e"
    assert markdown_table(["n"], [[None], [-0.5]]) == "| n |\n| ---: |\n|  |\n| -0.5 |\n"
