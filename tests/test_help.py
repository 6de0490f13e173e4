"""What helps a user along: the help, a file in place of a command, and what a mistyped word may mean."""

from __future__ import annotations

import shlex
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import pytest
import typer.main

from tests.doubles.made_runs import MadeLayer, MadeRun
from trtlens.cli import app
from trtlens.commands.help import EXAMPLES, GROUPS, WIDEST
from trtlens.commands.row_choice import RowChoice
from trtlens.comparison.gate import read_check
from trtlens.errors import TrtlensError
from trtlens.explain.ranking import select
from trtlens.suggestions import did_you_mean

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM: Any = typer.main.get_command(app)
COMMANDS: dict[str, Any] = {name: one for name, one in PROGRAM.commands.items() if not one.hidden}
INNER: dict[str, Any] = {
    f"{name} {inner}": one for name, group in COMMANDS.items() for inner, one in getattr(group, "commands", {}).items()
}
"""Commands of a command, by both words."""


def help_of(name: str, width: int, monkeypatch: pytest.MonkeyPatch) -> str:
    """The text of the help of a command, or of the program for an empty name, at a width of the terminal."""
    monkeypatch.setenv("COLUMNS", str(width))
    context = PROGRAM.make_context("trtlens", ["views"])
    if name:
        command = (COMMANDS | INNER)[name]
        context = command.context_class(command, info_name=name, parent=context)
    return str(context.get_help())


def test_every_command_has_a_group_and_examples() -> None:
    """Each command stands in one group, and ends its help with examples."""
    grouped = [name for names in GROUPS.values() for name in names]
    assert sorted(grouped) == sorted(set(grouped)) == sorted(COMMANDS)
    assert sorted(EXAMPLES) == sorted(COMMANDS | INNER)


@pytest.mark.parametrize("line", [line for lines in EXAMPLES.values() for line in lines])
def test_an_example_is_a_line_of_its_command(line: str) -> None:
    """Its options are there, and its words are of their types."""
    words = shlex.split(line, comments=True)
    words = words[words.index("trtlens") + 1 :]
    words = list(takewhile(lambda word: word not in (">", "<"), words))
    context = PROGRAM.make_context("trtlens", words)
    name, command, rest = PROGRAM.resolve_command(context, words)
    assert name in COMMANDS
    if rest and f"{name} {rest[0]}" in INNER:
        command, name, rest = INNER[f"{name} {rest[0]}"], rest[0], rest[1:]
    command.make_context(name, rest, parent=context)


@pytest.mark.parametrize("width", [80, 100, 200])
def test_help_fits_the_terminal(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines are as wide as the terminal up to 100, but for examples; summaries stand on one line whole; no word is cut."""
    for name in ("", *COMMANDS, *INNER):
        text, _, examples = help_of(name, width, monkeypatch).partition("Examples:\n")
        assert examples
        assert max(map(len, text.split("\n"))) <= min(width, WIDEST)
    main = help_of("", width, monkeypatch)
    for name, command in COMMANDS.items():
        summary = command.help.partition("\n\n")[0]
        assert any(line.split(None, 1) == [name, summary] for line in main.split("\n")), (name, summary)


def test_options_stand_in_groups_under_one_spelling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two spellings trtexec's is shown; rare flags are understood and not shown."""
    text = help_of("profile", 100, monkeypatch)
    order = [
        text.index(f"\n{title}:\n") for title in ("Arguments", "Options", "Precision", "Shapes", "Build", "Timing")
    ]
    assert order == sorted(order)
    assert "--minShapes" in text
    assert "--min-shapes" not in text
    assert "--directIO" not in text


def test_a_file_stands_for_parse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that is there under any name, or a word with an ending or a folder, is read; any other word is no command."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "log").write_text("[11/21/2026-10:00:00] [V] [TRT] Original: 4 layers\n")
    app(args=["log", "--format", "csv"], standalone_mode=False)
    assert capsys.readouterr().out.startswith("build,")
    with pytest.raises(TrtlensError, match=r"missing\.log cannot be read"):
        app(args=["missing.log"], standalone_mode=False)
    with pytest.raises(SystemExit):
        app(args=["shwo", "log"])
    assert "Did you mean 'show'?" in capsys.readouterr().err


def test_near_words_are_proposed() -> None:
    """A near word of any case, the nearest first; nothing for a word that is near none, however long it is."""
    assert did_you_mean("LAYER", ["layers", "latency"]) == "did you mean layers? "
    assert did_you_mean("zzz", ["layers"]) == did_you_mean("layers" * 10_000, ["layers"]) == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["tensorcore", "log"], "did you mean tensorcores"),
        (["table:layer", "log"], "did you mean layers"),
        (["log", "layers"], "the view comes first: trtlens show layers log"),
        (["qqqq", "log"], "choose one of layers, "),
    ],
)
def test_a_wrong_view_is_told(words: list[str], said: str) -> None:
    """A near name, the order of words, or all names."""
    with pytest.raises(TrtlensError, match=said):
        app(args=["show", *words], standalone_mode=False)


def test_wrong_columns_layers_and_quantities_are_told() -> None:
    """Each names what may be meant."""
    run = MadeRun([MadeLayer("/layer1/conv1/Conv"), MadeLayer("/fc/Gemm")]).run()
    for ask, said in (
        (lambda: select(run, "cnov1"), "did you mean conv1"),
        (lambda: RowChoice(columns="nmae").rows(run["layers"]), "did you mean name"),
        (lambda: read_check("latnecy > 3%"), "did you mean latency"),
    ):
        with pytest.raises(TrtlensError, match=said):
            ask()
