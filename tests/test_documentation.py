"""README and docs: what a command is shown to print is what it prints, and every command that stands there can be given."""

from __future__ import annotations

import doctest
import json
import re
import shlex
from functools import cache
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import pytest
from typer.main import get_command

from tests.conftest import FIXTURES, docs_program
from tests.golden.commands import say
from tests.golden.inputs import read_once
from trtlens.cli import app
from trtlens.runs.run import open_run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROGRAM: Any = get_command(app)
ROOT = FIXTURES.parent
TRANSCRIPTS = docs_program("transcripts")
SHOWN = sorted(TRANSCRIPTS.pages())
WRITTEN = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "skills").rglob("*.md"))]
STAND_INS = {
    "build.log": "resnet50-h200/fp16/verbose.log.xz",
    "layers.json": "resnet50-h200/fp16/layers.json.xz",
    "profile.json": "resnet50-h200/fp16/layer-times.json.xz",
    "model.onnx": "models/overflowing_rms_norm.onnx",
    "RUN": "h200/resnet50-fp16-traced",
    "reference": "h200-dumps/overflowing_rms_norm-reference",
}
"""What names of runs and files in the docs stand for when their commands are run."""
RUN_HERE = {"parse", "show", "why", "findings", "overflow", "schema"}
"""Commands that are run as they stand where all their files have a stand-in; of others the words are checked alone."""
_CODE = re.compile(r"^```\w*\n(.*?)^```|^((?:    .*\n)+)|`([^`\n]*(?:\n[^`\n]+)?)`", re.MULTILINE | re.DOTALL)
_MENTION = 2
"""Words of a command that is named, such as `show pins`, and need not be complete."""
_PLACEHOLDER = re.compile(
    r"\.\.\.| \[|\w\||\b(?:VIEW|NAME|COMMAND|QUESTION|FILE|REGEX|GLOB|MODEL|LAYER|BASELINE|VERSION|GPU)\b"
)


def words_of(line: str) -> list[str]:
    """The words of a command as a shell parts them, without what follows it there."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    return list(takewhile(lambda word: not set(word) <= set("();<>|&"), lexer))


def commands(path: Path) -> Iterator[str]:
    """Every command line of trtlens in a page's code, as words with blanks between them."""
    for block, indented, inline in _CODE.findall(path.read_text("utf-8")):
        text = (block or indented or inline.replace("\n", " ")).replace("\\\n", " ")
        for found in re.finditer(r"(?:^|[\s|/])trtlens ((?=[a-z])[^\n]*)", text):
            if not _PLACEHOLDER.search(found[1].partition("#")[0]) and found[1].split()[0] in PROGRAM.commands:
                yield shlex.join(words_of(found[1]))


@pytest.mark.parametrize("page", SHOWN, ids=lambda page: page.stem)
@pytest.mark.usefixtures("fixtures_read_once")
def test_a_page_shows_what_commands_print(page: Path) -> None:
    """Every line of output stands there as it is printed now."""
    text = page.read_text("utf-8")
    assert text == TRANSCRIPTS.renewed(text), "run python docs/transcripts.py"


LINES = sorted({line for page in WRITTEN for line in commands(page)})


def _fits(line: str) -> bool:
    """Whether a command only reads, and all its files have a stand-in."""
    words = [part for word in shlex.split(line) for part in word.split(",")]
    files = [
        word
        for word in words[1:]
        if re.fullmatch(r"[\w-]+\.\w+|[\w.-]+/.*|.*-dump|.*@\d", word) and word[0] not in "/-"
    ]
    reads = words[0] in RUN_HERE and set(words) & set(STAND_INS) and not {"-o", "-", "REGION", "--chart"} & set(words)
    return bool(reads) and set(files) <= set(STAND_INS)


HERE = [line for line in LINES if _fits(line)]


def test_every_command_has_words_that_it_takes() -> None:
    """Its options are there, and its words are of their types."""
    wrong = []
    for line in LINES:
        words = shlex.split(line)
        try:
            context = PROGRAM.make_context("trtlens", list(words))
            name, command, rest = PROGRAM.resolve_command(context, words)
            inner = getattr(command, "commands", {})
            if rest and rest[0] in inner:
                name, command, rest = rest[0], inner[rest[0]], rest[1:]
            if rest or len(words) > 1:
                command.make_context(name, list(rest), parent=context)
        except Exception as error:  # noqa: BLE001  each is told
            if len(words) > _MENTION:
                wrong.append(f"{line}: {error}")
    assert not wrong
    assert len(LINES) > 80
    assert len(HERE) > 20


OPENED = cache(open_run)
"""Each stand-in is read once."""


@pytest.fixture(scope="module")
def stand_ins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the docs' names stand for fixtures."""
    folder = tmp_path_factory.mktemp("docs")
    for name, place in STAND_INS.items():
        (folder / name).symlink_to(FIXTURES / place)
    return folder


@pytest.mark.parametrize("line", HERE)
def test_a_command_runs(line: str, stand_ins: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends as it should, with an answer."""
    monkeypatch.chdir(stand_ins)
    with read_once(OPENED):
        said = say(*shlex.split(line))
    assert said.code == (1 if "--fail-on" in line else 0), said.text
    assert said.out


@pytest.mark.usefixtures("fixtures_read_once")
@pytest.mark.parametrize("name", ["saved_log", "precisions"])
def test_a_notebook_runs(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each cell in turn, in a checkout; that of a fleet runs among the tests of fleets."""
    monkeypatch.chdir(ROOT)
    cells = json.loads((ROOT / "docs" / "notebooks" / f"{name}.ipynb").read_text("utf-8"))["cells"]
    names: dict[str, Any] = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            assert not cell["outputs"]
            exec("".join(cell["source"]), names)  # noqa: S102  our own notebook


PYTHON = {
    f"{path.stem} {number}": block
    for path in WRITTEN
    for number, block in enumerate(
        re.findall(r"^```python\n(.*?)^```", path.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    )
    if path.stem != "fleet"
}


@pytest.mark.parametrize("name", PYTHON)
def test_python_in_the_docs_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a program, or as a session whose answers stand below."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "build.log").symlink_to(FIXTURES / "releases" / "8.2-two-builds.log")
    (tmp_path / "runs").mkdir()
    for run in ("fp16", "int8"):
        (tmp_path / "runs" / run).symlink_to(FIXTURES / "h200" / f"resnet50-{run}")
    if PYTHON[name].startswith(">>>"):
        session = doctest.DocTestParser().get_doctest(PYTHON[name], {}, name, None, None)
        assert doctest.DocTestRunner().run(session).failed == 0
    else:
        exec(PYTHON[name], {})  # noqa: S102  our own docs
