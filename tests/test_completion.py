"""What shells complete: commands, options, views, tables, columns, quantities, and the layers of a run."""

from __future__ import annotations

import json
import lzma
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import FIXTURES
from trtlens import TABLES, VIEWS, open_run
from trtlens.cli import app
from trtlens.commands.description import describe, write_description
from trtlens.commands.typed_words import (
    answer,
    complete,
    description_file,
    escaped,
    layer_names,
    read_description,
    split_line,
)

PROGRAM: Any = typer.main.get_command(app)
DESCRIBED = describe(PROGRAM)
LISTED = tuple(
    FIXTURES / "releases" / name for name in ("7.2.log", "8.5-int8.log", "8.6-cuda-cores.log", "10.3-polygraphy.log")
)


def words(*typed: str, later: tuple[str, ...] = ()) -> list[str]:
    """The words that the last one may become."""
    return [word for word, _ in complete(list(typed), DESCRIBED, list(later))]


def test_every_command_view_and_table_is_described() -> None:
    """Nothing is left out that is not hidden, with what it means."""
    assert words("") == [name for name, one in PROGRAM.commands.items() if not one.hidden]
    assert words("show", "") == [*VIEWS, *(name for name in TABLES if name not in VIEWS)]
    assert words("show", "table:") == [f"table:{name}" for name in TABLES]
    assert dict(complete(["show", "layers"], DESCRIBED))["layers"] == VIEWS["layers"].question
    assert all(meaning for _, meaning in complete(["profile", "--"], DESCRIBED))


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        (["sho"], ["show"]),
        (["show", "tensorc"], ["tensorcores"]),
        (["show", "layers", "--fo"], ["--format"]),
        (["show", "layers", "log", "--format", "j"], ["json"]),
        (["show", "layers", "log", "--format=j"], ["--format=json"]),
        (["show", "layers", "log", "--sort", "time_m"], ["time_ms"]),
        (["show", "layers", "log", "--columns", "name,time_m"], ["name,time_ms"]),
        (["compare", "a", "b", "--fail-on", "late"], ["latency"]),
        (["profile", "m.onnx", "--minSh"], ["--minShapes"]),
        (["profile", "m.onnx", "--min-shapes", "--fp1"], []),
        (["profile", "m.onnx", "--fp16", "--useCuda"], ["--useCudaGraph"]),
        (["fleet", "as"], ["ask"]),
        (["build.log", "--unr"], ["--unread"]),
        (["parse", "bu"], []),
        (["show", "layers", "bu"], []),
        (["completion", ""], ["bash", "zsh", "fish"]),
        (["nonsense", "--x", "-"], []),
    ],
)
def test_words_are_completed(typed: list[str], found: list[str]) -> None:
    """Options belong to their command, values to their option; files are left to the shell, and so is what is not understood."""
    assert words(*typed) == found or (
        not found and words(*typed) == [word for word in words(*typed) if word.startswith("-")]
    )


def test_layers_come_from_the_run_of_the_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a log before or behind the word, else from the only run of the folder; from two none, for neither is meant."""
    log = str(FIXTURES / "releases" / "8.6-cuda-cores.log")
    names = open_run(log)["layers"]["name"].to_pylist()
    assert words("why", "", later=(log,)) == words("show", "layers", log, "--layer", "") == names
    assert words("why", names[0][:4], later=("", log)) == [name for name in names if name.startswith(names[0][:4])]
    assert words("why", "conv", log, "") == []
    monkeypatch.chdir(tmp_path)
    assert words("why", "") == []
    (tmp_path / "a.log").write_bytes(Path(log).read_bytes())
    assert words("why", "") == names
    (tmp_path / "b.log").write_bytes(b"")
    assert words("why", "") == []


@pytest.mark.parametrize("log", LISTED, ids=lambda log: log.name)
def test_a_quick_look_finds_the_layers(log: Path) -> None:
    """The names are those that reading the whole log gives."""
    assert layer_names(log) == list(dict.fromkeys(open_run(log)["layers"]["name"].to_pylist()))


def test_layers_of_a_run_folder_and_of_json(tmp_path: Path) -> None:
    """The inspector's JSON says them, else the log; what is no log has none."""
    folder = FIXTURES / "h200" / "resnet50-fp16"
    (tmp_path / "layers.json").write_bytes(lzma.decompress((folder / "layers.json.xz").read_bytes()))
    true = open_run(str(folder))["layers"]["name"].to_pylist()
    assert layer_names(tmp_path) == layer_names(tmp_path / "layers.json") == list(dict.fromkeys(true))
    assert layer_names(tmp_path / "missing") == []


@pytest.mark.parametrize(
    ("line", "behind", "said"),
    [
        ("trtlens sho", "", ["show"]),
        ("trtlens why 'conv", "' LOG", ["conv + relu"]),
        ("trtlens why conv\\ +", " LOG", ["conv\\ +\\ relu"]),
        ("trtlens why a:b", " LOG", ["b=c"]),
        ("trtlens show layers x --format=js", "", ["json"]),
        ("trtlens ", "", None),
    ],
)
def test_bash_gets_words_as_they_are_typed(line: str, behind: str, said: list[str] | None, tmp_path: Path) -> None:
    """Inside of quotes as they are, else with backslashes, and without what stands before a colon or =."""
    log = tmp_path / "x.log"
    log.write_text("".join(f"[V] [TRT] Layer(Conv): {name}, Tactic: 0x1, \n" for name in ("conv + relu", "a:b=c")))
    behind = behind.replace("LOG", str(log))
    out = answer(["bash", line + behind, str(len(line))], DESCRIBED).splitlines()
    assert out == (words("") if said is None else said)


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Z"]), min_size=1), min_size=1))
def test_words_that_were_escaped_are_read_back(typed: list[str]) -> None:
    """Whatever a word holds, the shell's line gives it back."""
    assert split_line(" ".join(map(escaped, typed))) == (typed, "")


def test_other_shells_get_the_meaning_as_well() -> None:
    """A tab stands between word and meaning; zsh tells words with the quotes that are typed."""
    assert answer(["fish", "0", "sho"], DESCRIBED) == f"show\t{DESCRIBED['commands']['show']['summary']}\n"
    assert answer(["zsh", "1", "show", "'tensorc"], DESCRIBED).startswith("tensorcores\t")


def test_the_description_is_kept_until_commands_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is of this very installation, else made anew; a home that cannot be written makes it no worse."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert read_description() is None
    assert write_description(PROGRAM) == DESCRIBED == json.loads(json.dumps(read_description()))
    kept = json.loads(description_file().read_text())
    description_file().write_text(json.dumps({**kept, "stamp": "older"}))
    assert read_description() is None
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert write_description(PROGRAM) == DESCRIBED


def test_an_answer_imports_no_more_than_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A press of the tab key waits for neither the commands nor pyarrow, and no question ends in a traceback."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    write_description(PROGRAM)
    code = (
        "import sys; from trtlens.__main__ import main\n"
        "for words in (['zsh', '0', 'sho'], ['bash', 'trtlens x', 'y'], ['zsh'], []):\n"
        "    sys.argv = ['trtlens', '__complete', *words]; main()\n"
        "print(sorted({'typer', 'rich', 'pyarrow', 'regex', 'trtlens.cli'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[0].startswith("show\t")
    assert done.stdout.endswith("[]\n")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_script(shell: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """The script asks trtlens in the name of its shell."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("trtlens.commands.description.write_description", lambda _program: DESCRIBED)
    app(args=["completion", shell], standalone_mode=False)
    assert f"trtlens __complete {shell} " in capsys.readouterr().out
