"""Reads a line that was written for trtexec as the arguments of `trtlens profile`.

trtexec takes values as `--flag=value` alone; `--flag value` is understood as well. INT8 without calibration gets the ranges
that trtexec makes up, since the line was written for that.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trtlens.commands.trtexec_flags import BY_NAME, NOTHING, REFUSED
from trtlens.errors import TrtlensError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from trtlens.commands.trtexec_flags import TrtexecFlag

_MODEL, _ENGINE = "onnx", "loadEngine"
_PATHS = ("saveEngine", "exportTimes", "exportProfile", "exportLayerInfo", "timingCacheFile", "calib")
_INT8 = ("--int8", "--best")
_RANGES = ("--calib", "--calib-data", "--int8-ranges")


@dataclass(frozen=True, slots=True)
class _Word:
    """An argument as it was typed, with the flag of trtexec that it is, if any, and that flag's value."""

    text: str
    flag: TrtexecFlag | None = None
    value: str | None = None

    def own(self) -> str:
        """The argument of `trtlens profile` that means the same."""
        if self.flag is None:
            return self.text
        if self.flag.name == "workspace":
            return f"--memPoolSize=workspace:{self.value}"
        value = self.value
        if value is not None and self.flag.name in _PATHS:
            value = str(Path(value).expanduser())  # the shell leaves ~ alone behind an =
        return f"--{self.flag.means or self.flag.name}" + ("" if value is None else f"={value}")


def read_line(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """The line as `trtlens profile` takes it, and what is to be said of flags that have no effect there.

    Raises:
        TrtlensError: flags that trtlens cannot honour, each with the reason; a model that is named twice.

    """
    words = list(_words(arguments))
    refused = [f"{word.text}: {word.flag.reason}" for word in words if word.flag is not None and _is_refused(word)]
    if refused:
        raise TrtlensError(f"trtlens profile cannot do all of this line: {'; '.join(refused)}")
    models = {word.flag.name: word.value or "" for word in words if word.flag and word.flag.name in (_MODEL, _ENGINE)}
    idle = [word for word in words if word.flag is not None and word.flag.happens in (NOTHING, REFUSED)]
    notes = [f"{word.text} needs nothing: {word.flag.reason}" for word in idle if word.flag is not None]
    kept = [word.own() for word in words if word not in idle and (word.flag is None or word.flag.name not in models)]
    if not models:
        return kept, notes
    if len(models) > 1:
        notes.append(f"--{_MODEL} is not read: the engine of --{_ENGINE} is timed as it is")
    return [*_with_ranges(kept, models), _path(models)], notes


def _words(arguments: Sequence[str]) -> Iterator[_Word]:
    begun = arguments[1:] if arguments[:1] == ["--"] and _is_trtexec(arguments[1:]) else arguments
    rest = iter(begun[1:] if _is_trtexec(begun) else begun)
    for text in rest:
        name, equals, value = text.partition("=")
        flag = BY_NAME.get(name[2:]) if name.startswith("--") else None
        if flag is None:
            yield _Word(text)
        elif equals or not flag.takes_value:
            yield _Word(text, flag, value if equals else None)
        else:
            behind = next(rest, None)
            yield _Word(text if behind is None else f"{text} {behind}", flag, behind)


def _is_trtexec(arguments: Sequence[str]) -> bool:
    return bool(arguments) and Path(arguments[0]).name in ("trtexec", "trtexec.exe")


def _is_refused(word: _Word) -> bool:
    return word.flag is not None and word.flag.happens == REFUSED and word.value not in word.flag.allowed


def _with_ranges(kept: list[str], models: dict[str, str]) -> list[str]:
    """The arguments with made-up INT8 ranges where trtexec would make them up."""
    names = {text.partition("=")[0] for text in kept}
    makes_up = _ENGINE not in models and names.intersection(_INT8) and not names.intersection(_RANGES)
    return [*kept, "--int8-ranges=dummy"] if makes_up else kept


def _path(models: dict[str, str]) -> str:
    name = _ENGINE if _ENGINE in models else _MODEL
    if not models[name]:
        raise TrtlensError(f"--{name} has no file: give --{name}=FILE")
    return str(Path(models[name]).expanduser())
