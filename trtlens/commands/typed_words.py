"""Completes the words of a command line from what was described before: a shell asks at every press of the tab key.

A process that imports no more than the standard library answers in a few hundredths of a second; importing the commands
themselves takes ten times as long. So `trtlens.commands.description` writes down once what there is to complete.
"""

from __future__ import annotations

import json
import os
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from trtlens._version import VERSION

Description = dict[str, Any]
"""A command: `summary`, `options` (each with `takes` and `help`), `arguments` (what each takes), `commands` inside of it."""
Candidate = tuple[str, str]
"""A word, and what it means."""

FILE, LAYER, VIEW, COLUMN = "file", "layer", "view", "column"
_TABLE = "table:"
_PARSE = "parse"
_BREAKS = ":="
"""Characters of COMP_WORDBREAKS behind which bash replaces what is completed."""
_PLAIN = re.compile(r"[^\w@%+,./:=\-]")
_TAIL_BYTES = 1 << 24
_MOST_LAYERS = 5000


def description_file() -> Path:
    """Where the description is kept: in the user's cache, one file for each version."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return Path(cache, "trtlens", f"completion-{VERSION}.json")


def stamp() -> str:
    """A text that changes with the files of the commands and views."""
    root = Path(__file__).parents[1]
    files = (entry.stat() for folder in ("commands", "views") for entry in os.scandir(root / folder))
    return f"{root} {max(file.st_mtime_ns for file in files)}"


def read_description() -> Description | None:
    """What was written down of this very installation; None where it is not."""
    try:
        found = json.loads(description_file().read_text("utf-8"))
        return found["trtlens"] if found["stamp"] == stamp() else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def complete(words: list[str], described: Description, later: list[str] | None = None) -> list[Candidate]:
    """What the last word may become; nothing where it is a file, which shells know best.

    Args:
        words: the words behind `trtlens`, the last one as far as it is typed.
        described: the description of the program.
        later: the words behind that one.

    """
    *before, typed = words
    node, given, pending = _walk(before, described)
    if pending is not None:
        kind, start, begun = pending, "", typed
    elif typed.startswith("--") and "=" in typed:
        name, _, begun = typed.partition("=")
        kind, start = node["options"].get(name, {}).get("takes"), f"{name}="
    elif typed.startswith("-"):
        shown = [(name, option["help"]) for name, option in node["options"].items() if option["shown"]]
        return [(name, meaning) for name, meaning in shown if name.startswith(typed)]
    elif node["commands"] and not given:
        return [(name, one["summary"]) for name, one in node["commands"].items() if name.startswith(typed)]
    else:
        arguments = node["arguments"] or [FILE]
        kind, start, begun = arguments[min(len(given), len(arguments) - 1)], "", typed
    found = _values(kind, begun, described, [*given, *(later or [])])
    return [(start + word, meaning) for word, meaning in found]


def _walk(words: list[str], described: Description) -> tuple[Description, list[str], Any]:
    """The command that the words lead to, its arguments so far, and what an option at the end waits for."""
    node, pending = described, None
    given: list[str] = []
    for word in words:
        if pending is not None:
            pending = None
        elif word.startswith("-") and len(word) > 1:
            option = node["options"].get(word)
            pending = option["takes"] if option is not None else None
        elif not given and word in node["commands"]:
            node = node["commands"][word]
        else:
            if node is described:
                node = node["commands"][_PARSE]  # a file in place of a command
            given.append(word)
    return node, given, pending


def _values(kind: Any, begun: str, described: Description, given: list[str]) -> list[Candidate]:
    if isinstance(kind, list):
        return [(word, "") for word in kind if word.startswith(begun)]
    if kind == VIEW:
        hidden = () if begun.startswith(_TABLE[:-1]) else (_TABLE,)
        known = described["views"].items()
        return [(name, text) for name, text in known if name.startswith(begun) and not name.startswith(hidden)]
    if kind == COLUMN:
        known = next((described["columns"][word] for word in given if word in described["columns"]), [])
        start, comma, last = begun.rpartition(",")
        return [(start + comma + name, "") for name in known if name.startswith(last)]
    if kind == LAYER:
        names = dict.fromkeys(name for path in _runs(given) for name in layer_names(path))
        return [(name, "") for name in names if name.startswith(begun)]
    return []


# -- layers of a run ---------------------------------------------------------------------------------------------------


_LOGS = ("verbose.log", "layers.json")
_NAMES = (
    re.compile(r"^(?:.*\] |.*: )?Layer\([^)\n]{1,80}\): (.{1,2000}?), Tactic: ", re.MULTILINE),
    re.compile(r"^(?:.*\] )?[ \t]*Name: (.{1,2000}?), LayerType: ", re.MULTILINE),
    re.compile(r'"Name" ?: ?"((?:[^"\\\n]|\\.){1,2000})",\s*"LayerType"'),
    re.compile(r"Computing costs for (.{1,2000})$", re.MULTILINE),
)


def _runs(given: list[str]) -> list[Path]:
    """The runs and logs that were named, else the only one of the working folder."""
    named = [Path(word).expanduser() for word in given if word]
    there = [path for path in named if path.exists()]
    if there:
        return there
    around = [path for path in Path().iterdir() if path.suffix == ".log" or (path / "run.json").is_file()]
    return around if len(around) == 1 else []


def layer_names(path: Path) -> list[str]:
    """The layers of a run, a log or an inspector's JSON, by a quick look at the end of the file; few rather than slow."""
    if path.is_dir():
        return next((names for name in reversed(_LOGS) if (names := layer_names(path / name))), [])
    try:
        with path.open("rb") as file:
            file.seek(max(path.stat().st_size - _TAIL_BYTES, 0))
            text = file.read(_TAIL_BYTES).decode("utf-8", "replace")
    except OSError:
        return []
    last = max(text.rfind("Engine Layer Information"), text.rfind("Layers:\n"), 0)
    for part in (text[last:], text):
        for pattern in _NAMES:
            found = dict.fromkeys(name.strip().replace('\\"', '"') for name in pattern.findall(part))
            if found:
                return list(found)[:_MOST_LAYERS]
    return []


# -- shells ------------------------------------------------------------------------------------------------------------


def answer_shell(arguments: list[str], described: Description) -> None:
    """Print what a shell asked for; nothing where its question is not understood."""
    with suppress(ValueError, IndexError, KeyError):
        sys.stdout.write(answer(arguments, described))


def answer(arguments: list[str], described: Description) -> str:
    """What to print for a shell: `bash LINE POINT`, or `zsh` or `fish` with the place of the word, from 0, and the words."""
    shell, *rest = arguments
    if shell == "bash":
        line, point = rest[0], int(rest[1])
        return "".join(f"{word}\n" for word in _for_bash(line, point, described))
    number, words = int(rest[0]), rest[1:]
    if shell == "zsh":
        words = [split_line(word)[0][-1] for word in words]  # as they are typed, with their quotes
    found = complete(words[: number + 1] or [""], described, words[number + 1 :])
    return "".join(f"{word}\t{meaning}\n" if meaning else f"{word}\n" for word, meaning in found)


def _for_bash(line: str, point: int, described: Description) -> list[str]:
    words, quote = split_line(line[:point])
    found = complete(words[1:] or [""], described, split_line(line)[0][len(words) :])
    if quote:
        return [word for word, _ in found]
    typed = words[-1]
    cut = len(escaped(typed[: max(typed.rfind(mark) for mark in _BREAKS) + 1]))
    return [escaped(word)[cut:] for word, _ in found]


def escaped(word: str) -> str:
    """A word as it is typed in a shell without quotes."""
    return _PLAIN.sub(lambda match: f"\\{match[0]}", word)


def split_line(line: str) -> tuple[list[str], str]:
    """The words of a line that may end inside of quotes, the last one empty behind a blank; and the quote that is open."""
    words, quote, escape = [""], "", False
    for character in line:
        if escape:
            words[-1] += character
            escape = False
        elif character == "\\" and quote != "'":
            escape = True
        elif quote:
            quote = "" if character == quote else quote
            words[-1] += character if quote else ""
        elif character in "'\"":
            quote = character
        elif character.isspace():
            words += [""] if words[-1] else []
        else:
            words[-1] += character
    return words, quote
