"""Line forms: each declared one is read, none takes another's lines, and a declaration that lacks something is refused."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.doubles.made_logs import PREFIX
from trtlens_parsers.build import LINE_FORMS
from trtlens_parsers.line_forms import LineForm, discover, dispatch, line_form, watch
from trtlens_parsers.log import read_log
from trtlens_parsers.records import Records

if TYPE_CHECKING:
    from pathlib import Path

FORMS = [
    pytest.param(form, id=f"{form.read.__module__.rpartition('.')[2]}.{form.read.__qualname__}")
    for form in LINE_FORMS.all
]


def log_of(form: LineForm) -> bytes:
    """The examples as the log of a build; ``[W] `` before one makes it a warning."""
    lines = [
        (PREFIX.replace("[V]", "[W]") + text[4:] if text.startswith("[W] ") else PREFIX + text)
        for text in form.examples
    ]
    return ("\n".join(lines) + "\n").encode()


@pytest.mark.parametrize("form", FORMS)
def test_every_example_gives_its_record(form: LineForm) -> None:
    """The examples of each form are read as TensorRT's, and records of its class come of them."""
    assert form.record is not None
    log = read_log(log_of(form))
    assert log.reading.unread == log.reading.foreign == ()
    assert log.reading.counts["tensorrt"] == len(form.examples)
    records: list[Any] = [record for build in log.builds for record in build.found[form.record]]
    assert records, f"{form.read.__module__}: no {form.record.__name__} comes of {form.examples}"
    if not form.is_method:
        assert [record.line for record in records] == list(range(1, len(form.examples) + 1))


@pytest.mark.parametrize("form", FORMS)
def test_no_other_form_reads_an_example(form: LineForm) -> None:
    """Which form reads a line does not hang on the order in which they are asked: a pattern matches its own lines alone."""
    own = [
        text for text in form.examples if text.startswith(form.starts) or any(words in text for words in form.within)
    ]
    for example in own:
        others = [
            other.read.__qualname__
            for other in LINE_FORMS.functions
            if other is not form and other.pattern and example.startswith(other.starts) and other.pattern.match(example)
        ]
        assert not others, f"{form.read.__module__}: {example!r} is also read by {others}"


# -- what is refused -------------------------------------------------------------------------------------------------

HEAD = """
from typing import NamedTuple
from trtlens_parsers.line_forms import LineReader, line_form

class Cache(NamedTuple):
    size: int
    line: int

"""
GOOD = """
@line_form(Cache, "Cache of ", pattern=r"Cache of (\\d+)", versions="8.0", examples=("Cache of 12",))
def read_cache(found, line):
    return Cache(int(found[1]), line)
"""


def refusal(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, *modules: str) -> str:
    """What `discover` says of a package with these modules."""
    package = folder / f"made_up_{re.sub(r'[^a-z]', '_', name)}"
    package.mkdir()
    (package / "__init__.py").write_text("")
    for number, module in enumerate(modules):
        (package / f"caches_{number}.py").write_text(HEAD + module)
    monkeypatch.syspath_prepend(str(folder))
    with pytest.raises(TypeError) as refused:
        discover(package.name)
    return str(refused.value)


@pytest.mark.parametrize(
    ("module", "said"),
    [
        ("", "no line form gives the record Cache"),
        (GOOD.replace('"Cache of ", ', ""), "neither first words nor words within"),
        (GOOD.replace('"Cache of ", ', '"Cache", '), "'Cache', which is shorter than 6 characters"),
        (GOOD.replace('"Cache of 12",', ""), "no example with the words 'Cache of '"),
        (GOOD.replace('"Cache of 12"', '"Cache of many"'), "pattern that its example 'Cache of many' does not match"),
        (GOOD.replace('"Cache of ", ', '"Cache of ", within=(" cached",), '), "no example with the words ' cached'"),
        (GOOD.replace('"8.0"', '""'), "names no versions"),
        (GOOD.replace('pattern=r"Cache of (\\d+)", ', ""), "no pattern, which a function needs"),
        ("class Caches:\n" + GOOD.replace("\n", "\n    "), "a method of Caches, which is no LineReader"),
    ],
    ids=lambda value: "" if "\n" in value else value[:30],
)
def test_a_declaration_that_lacks_something_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, module: str, said: str
) -> None:
    """Whoever forgets a part of a declaration is told at import, by module and record."""
    message = refusal(tmp_path, monkeypatch, request.node.name, module)
    assert said in message
    assert "caches_0" in message
    assert "Cache" in message


def test_two_forms_of_one_key_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which of two forms a line is of must be told by its words; both are named."""
    message = refusal(tmp_path, monkeypatch, "twice", GOOD, GOOD)
    assert "'Cache of '" in message
    assert "caches_0.read_cache" in message
    assert "caches_1.read_cache" in message


def test_watching_for_words_that_no_line_is_told_by_is_refused() -> None:
    """Lines are told by six characters: a method that watches for fewer would never be asked."""
    with pytest.raises(TypeError, match=r"watches for .'Tact',.: give at least 6 characters"):
        watch("Tact")(test_watching_for_words_that_no_line_is_told_by_is_refused)


# -- who is asked ------------------------------------------------------------------------------------------------------


class Asked:
    """Readers of lines with one key; those that watch are asked before the one that reads."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    @line_form(int, "Use backend", versions="none", examples=())
    def read(self, text: str, line: int) -> bool:  # noqa: ARG002  a handler is called with text and line
        """Takes each line."""
        self.asked.append("read")
        return True

    @watch("Use ba")
    def look(self, text: str, line: int) -> bool:  # noqa: ARG002
        """Takes none."""
        self.asked.append("look")
        return False

    @watch("Use bags")
    def other(self, text: str, line: int) -> bool:  # noqa: ARG002
        """Is never asked: the lines have other first words."""
        raise AssertionError


def test_readers_of_one_key_are_asked_in_turn() -> None:
    """A reader that leaves a line leaves it to the next; one that takes it is the last."""
    first, second = Asked(), Asked()
    forms = replace(LINE_FORMS, functions=())
    handlers = dispatch(forms, Records((), {}), (first, second)).handlers
    assert handlers["Use ba"]("Use backend", 1)
    assert (first.asked, second.asked) == (["look", "read"], ["look"])
    assert not handlers["Use ba"]("Use bands", 1)
