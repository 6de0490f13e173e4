"""The GitHub action and the recipe for GitLab: their steps, run as their shells run them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.conftest import FIXTURES
from tests.doubles.made_runs import MadeLayer, MadeRun
from trtlens.commands.markdown import LONGEST, comment
from trtlens.comparison import compare_runs

if TYPE_CHECKING:
    from pathlib import Path

ROOT = FIXTURES.parent
BEFORE, AFTER = (str(FIXTURES / "alignment" / "removed-head" / f"{name}.log") for name in ("with-mask", "without-mask"))


def environment(folder: Path) -> dict[str, str]:
    """What a runner gives its steps; `trtlens` is that of this checkout."""
    program = folder / "bin" / "trtlens"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m trtlens "$@"\n')
    program.chmod(0o755)
    files = {name: str(folder / name.lower()) for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT", "GITHUB_PATH")}
    python = os.pathsep.join([str(ROOT), str(ROOT / "parsers")])
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, **files, "RUNNER_TEMP": str(folder), "PYTHONPATH": python, "PATH": path}


def run(script: str, given: dict[str, str], folder: Path) -> int:
    """The exit code of a script, as GitHub's ``shell: bash`` runs it."""
    words = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    return subprocess.run(words, check=False, env=given, cwd=folder).returncode


def test_the_action_judges_tells_and_makes_the_report(tmp_path: Path) -> None:
    """Every input reaches a step by its environment; a check that fails ends the step with 1, after the summary and the report."""
    action: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
    step = next(one for one in action["runs"]["steps"] if one.get("id") == "compare")
    assert "${{" not in step["run"]
    inputs = {name: one.get("default", "") for name, one in action["inputs"].items()}
    inputs |= {"baseline": BEFORE, "runs": f"{AFTER}\n", "fail-on": "layers > +100\nlayers != +0\n"}
    given = environment(tmp_path) | {
        name: re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda found: inputs[found[1]], value)
        for name, value in step["env"].items()
    }
    assert run(step["run"], given, tmp_path) == 1
    told = (tmp_path / "github_step_summary").read_text("utf-8")
    assert re.match(r"### Checks\n\n- passed: .*\n- breach: ", told)
    assert (tmp_path / "github_output").read_text().splitlines() == [f"comment={tmp_path}/trtlens/comment.md", "code=1"]
    assert (tmp_path / "trtlens" / "report.html").stat().st_size > 100_000
    asked = [f"inputs.{name}" for name in action["inputs"]]
    assert all(name in (ROOT / "action.yml").read_text("utf-8").partition("\nruns:")[2] for name in asked)


def test_the_recipe_for_gitlab_passes_where_no_check_fails(tmp_path: Path) -> None:
    """Its lines in one shell, as a GitLab runner does; installing is left out."""
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "ci.md").read_text("utf-8"), re.DOTALL)
    job = next(yaml.safe_load(block)["engine"] for block in blocks if block.startswith("engine:"))
    (tmp_path / "baseline").mkdir()
    (tmp_path / "baseline" / "build.log").symlink_to(BEFORE)
    (tmp_path / "build.log").symlink_to(AFTER)
    script = "\n".join(line for line in job["script"] if not line.startswith("pip install"))
    assert run(script.replace("trtlens report", ": report"), environment(tmp_path), tmp_path) == 0
    assert (tmp_path / "comment.md").read_text("utf-8").startswith("### Checks\n\n- passed: ")


@pytest.mark.parametrize("count", [3, 700])
def test_a_comment_fits_and_says_what_it_leaves_out(count: int) -> None:
    """However many layers changed: the tables are folded and lose their last lines, never the sentences."""
    before = MadeRun(
        [MadeLayer(f"/block{place}/a_layer_of_a_name_that_is_rather_long/Conv") for place in range(count)]
    ).run()
    text = comment(compare_runs([before, before], names=["a", "b"]), [], regions=True, top=0, whole=True)
    assert text.startswith("### b against a\n")
    assert text.count("<details>") == text.count("</details>")
    assert ("do not fit a comment" in text) == (count > 100)
    assert len(text) <= LONGEST + 1000
