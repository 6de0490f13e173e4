r"""Line forms: how one kind of line reads, declared beside the record that comes of it.

A module of `messages` holds the records of one subject and what reads their lines. A line that says all by itself is read
by a function; it gets the match of the form's pattern::

    @line_form(
        Pass,
        "After ",
        pattern=r"After (?P<name>.+): (?P<count>\d{1,9}) layers",
        versions="5.0 to 10.16",
        examples=("After reformat layers: 93 layers",),
    )
    def read_pass(found, line): return Pass(found["name"], int(found["count"]), line)

Lines that give records only together are read by the methods of a `LineReader`, which get the text and have no pattern.
A line is dispatched by its first words, or by words within it where it begins with a name. `discover` finds all
declarations of a package, and refuses, with module and record, those that no line could reach or that lack something.
"""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from types import FunctionType
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from trtlens_parsers.records import Records

KEY = 6
"""Characters of a message that choose its readers; every reader then checks the whole line itself."""

Handler = Callable[[str, int], bool]
"""Reads the text of a message and the number of its line; whether the line was one of its own."""

_Read = TypeVar("_Read", bound=Callable[..., object])


@dataclass(frozen=True, slots=True)
class LineForm:
    """One kind of line.

    Attributes:
        record: the class of the records that come of it; None for a line that only tells how the build goes on.
        starts: its first words; of at least `KEY` characters.
        within: words inside it, for lines that begin with a name; with first words too, if some of the names have any.
        pattern: what a function's whole line reads like; None for a method, which reads the text itself.
        versions: TensorRT versions that were seen to print it.
        examples: lines made up in TensorRT's spelling that give the record, one at least for each of the words.
        read: the function or the method.
    """

    record: type | None
    starts: tuple[str, ...]
    within: tuple[str, ...]
    pattern: re.Pattern[str] | None
    versions: str
    examples: tuple[str, ...]
    read: Callable[..., object]

    @property
    def is_method(self) -> bool:
        """Whether a method of a `LineReader` reads it, which needs the lines around it too."""
        return "." in self.read.__qualname__


_DECLARED: dict[object, LineForm] = {}
_FORMS_OF: dict[type, tuple[LineForm, ...]] = {}


def line_form(
    record: type,
    *starts: str,
    within: tuple[str, ...] = (),
    pattern: str | None = None,
    versions: str,
    examples: tuple[str, ...],
) -> Callable[[_Read], _Read]:
    """Declare what the function or method below reads; the arguments are those of `LineForm`.

    A function takes the match and the line's number and answers with the record, or None where the line is no such line
    after all. A method takes the text and the line's number and answers whether the line was its own.
    """
    compiled = None if pattern is None else re.compile(pattern)

    def declare(read: _Read) -> _Read:
        _DECLARED[read] = LineForm(record, starts, within, compiled, versions, examples, read)
        return read

    return declare


def watch(*starts: str) -> Callable[[_Read], _Read]:
    """Have the method below see lines with these first words before their reader does; True keeps them from it.

    Raises:
        TypeError: the words are shorter than `KEY`: no line would reach the method.
    """

    def declare(read: _Read) -> _Read:
        if not starts or min(map(len, starts)) < KEY:
            raise TypeError(
                f"{read.__module__}.{read.__qualname__} watches for {starts!r}: give at least {KEY} characters"
            )
        _DECLARED[read] = LineForm(None, starts, (), None, "", (), read)
        return read

    return declare


class LineReader:
    """Reads, for one build, lines that give records only together."""

    def __init__(self, records: Records) -> None:
        self.records = records

    def alarm(self, text: str, line: int) -> None:
        """See a warning or an error, which the messages keep whatever a reader makes of it."""

    def finish(self) -> None:
        """Complete the records: the build's last line was read."""


# -- what a package declares ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LineForms:
    """The forms that functions read, the classes of readers, and all forms, those that readers' methods read included."""

    functions: tuple[LineForm, ...]
    readers: tuple[type[LineReader], ...]
    all: tuple[LineForm, ...]

    @property
    def records(self) -> tuple[type, ...]:
        """The classes of the records."""
        return tuple(dict.fromkeys(form.record for form in self.all if form.record is not None))


def discover(package: str) -> LineForms:
    """What the modules of a package declare, in the order of their names.

    Raises:
        TypeError: a declaration lacks something, no line could reach it, or it stands twice; or a record has none.
    """
    forms: list[LineForm] = []
    readers: list[type[LineReader]] = []
    for found in pkgutil.iter_modules(import_module(package).__path__, f"{package}."):
        values = vars(import_module(found.name)).values()
        classes = [value for value in values if isinstance(value, type) and value.__module__ == found.name]
        readers += [kind for kind in classes if issubclass(kind, LineReader)]
        own = [form for form in _DECLARED.values() if form.record is not None and form.read.__module__ == found.name]
        _check_module(found.name, own, classes)
        forms += own
    _check_words(forms)
    functions = (form for form in forms if not form.is_method)
    leaves = (kind for kind in readers if not any(kind in other.__bases__ for other in readers))
    return LineForms(tuple(functions), tuple(leaves), tuple(forms))


def _is_record(kind: type) -> bool:
    """Whether a class is a record of a line: it keeps the line's number."""
    return "line" in (getattr(kind, "_fields", ()) or getattr(kind, "__slots__", ()))


def _forms_of(owner: type) -> tuple[LineForm, ...]:
    """The forms that methods of a class read; a log can hold thousands of builds, which all ask the same."""
    if owner not in _FORMS_OF:
        _FORMS_OF[owner] = tuple(_methods_forms(owner))
    return _FORMS_OF[owner]


def _methods_forms(owner: type) -> Iterable[LineForm]:
    methods = [value for kind in reversed(owner.__mro__) for value in vars(kind).values()]
    return (_DECLARED[value] for value in methods if isinstance(value, FunctionType) and value in _DECLARED)


def _check_module(module: str, forms: Sequence[LineForm], classes: Sequence[type]) -> None:
    readers = {kind.__name__ for kind in classes if issubclass(kind, LineReader)}
    for form in forms:
        owner = form.read.__qualname__.rpartition(".")[0]
        problem = (
            _problem(form) if owner in {"", *readers} else f"is read by a method of {owner}, which is no LineReader"
        )
        if problem is not None:
            raise TypeError(f"{module}: the line form of {_title(form)} {problem}")
    given = {form.record for form in forms}
    unread = next((kind for kind in classes if _is_record(kind) and kind not in given), None)
    if unread is not None:
        raise TypeError(
            f"{module}: no line form gives the record {unread.__name__}: declare one with @line_form beside it"
        )


def _problem(form: LineForm) -> str | None:
    """What keeps a line from its reader, or the reader from being tested."""
    if not form.starts and not form.within:
        return "has neither first words nor words within: no line would reach it"
    if (short := next((words for words in form.starts if len(words) < KEY), None)) is not None:
        return f"begins with {short!r}, which is shorter than {KEY} characters"
    if form.is_method != (form.pattern is None):
        return "has no pattern, which a function needs, or has one, which a method does not look at"
    missing = [words for words in form.starts if not any(example.startswith(words) for example in form.examples)]
    missing += [words for words in form.within if not any(words in example for example in form.examples)]
    if missing:
        return f"has no example with the words {missing[0]!r}"
    pattern = form.pattern
    unlike = [example for example in form.examples if pattern is not None and not pattern.match(example)]
    if unlike:
        return f"has a pattern that its example {unlike[0]!r} does not match"
    return None if form.versions else "names no versions"


def _check_words(forms: Iterable[LineForm]) -> None:
    owners: dict[str, LineForm] = {}
    for form in forms:
        for words in form.within or form.starts:  # words within tell lines with the same first words apart
            other = owners.setdefault(words, form)
            if other is not form:
                raise TypeError(
                    f"the words {words!r} tell lines of {_title(other)} and of {_title(form)}: make one form of both"
                )


def _title(form: LineForm) -> str:
    record = form.record.__name__ if form.record is not None else "no record"
    return f"{record} ({form.read.__module__}.{form.read.__qualname__})"


# -- which reader takes a line ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Dispatch:
    """The readers of one build's lines: by the first `KEY` characters, and by words within them."""

    handlers: Mapping[str, Handler]
    infixes: tuple[tuple[str, Handler], ...]


def dispatch(forms: LineForms, records: Records, owners: Sequence[object]) -> Dispatch:
    """All readers of a build's lines.

    Methods of the owners (the build's readers, and whatever else watches lines) and functions are asked in that order,
    those that only watch before all others, until one takes the line.
    """
    asked = [(form, getattr(owner, form.read.__name__)) for owner in owners for form in _forms_of(type(owner))]
    asked += [(form, _to_records(form, records)) for form in forms.functions]
    asked.sort(key=lambda each: each[0].record is not None)
    readers: dict[str, list[tuple[LineForm, Handler]]] = {}
    infixes: list[tuple[str, Handler]] = []
    for form, handler in asked:
        for key in dict.fromkeys(words[:KEY] for words in form.starts):
            readers.setdefault(key, []).append((form, handler))
        infixes += [(words, handler) for words in form.within]
    return Dispatch({key: _in_turn(key, found) for key, found in readers.items()}, tuple(infixes))


def _in_turn(key: str, readers: Sequence[tuple[LineForm, Handler]]) -> Handler:
    """Asks the readers of one key whose first words the line has, in turn.

    A single one is asked at once if the key is all it asks for, or if its pattern looks at the words anyway.
    """
    asked = [(tuple(words for words in form.starts if words.startswith(key)), reader) for form, reader in readers]
    if len(asked) == 1:
        ((starts, reader),) = asked
        is_told = starts == (key,) or readers[0][0].pattern is not None
        return reader if is_told else lambda text, line: text.startswith(starts) and reader(text, line)

    def read(text: str, line: int) -> bool:
        for starts, reader in asked:  # noqa: SIM110  any() would take twice as long
            if text.startswith(starts) and reader(text, line):
                return True
        return False

    return read


def _to_records(form: LineForm, records: Records) -> Handler:
    """Reads a line with the form's function and keeps the record."""
    assert form.pattern is not None  # noqa: S101  `discover` refuses functions without one
    assert form.record is not None  # noqa: S101  a function gives records
    match, read, rows = form.pattern.match, form.read, records.of(form.record)

    def handler(text: str, line: int) -> bool:
        found = match(text)
        record = None if found is None else read(found, line)
        if record is None:
            return False
        rows.append(record)
        return True

    return handler
