"""Which engine layers a user's text means: a whole name, a glob, or a part of a name."""

from __future__ import annotations

import re
from fnmatch import translate
from typing import TYPE_CHECKING

from trtlens.errors import TrtlensError
from trtlens.tables.layer_kinds import NO_WORK

if TYPE_CHECKING:
    from trtlens.runs.run import Run

_SHOWN = 8
_EVERYTHING = "*"


def select(run: Run, text: str) -> list[tuple[int, list[int]]]:
    """Indices of the layers of each build that the text means; whole names win over globs, and globs over parts.

    Raises:
        TrtlensError: no layer is meant, or the run lists no layers.

    """
    names = [
        (row["build"], row["index"], row["name"], row["type"])
        for row in run["layers"].select(["build", "index", "name", "type"]).to_pylist()
    ]
    if not names and text == _EVERYTHING:
        return []
    if not names:
        raise TrtlensError(_without_layers(run))
    for found in (
        [row for row in names if row[2] == text],
        [row for row in names if _glob(text).match(row[2]) and row[3] not in NO_WORK],
        [row for row in names if text.lower() in row[2].lower() and row[3] not in NO_WORK],
        [row for row in names if text.lower() in row[2].lower()],
    ):
        if found:
            return _by_build(found)
    if text == _EVERYTHING:
        return []
    raise TrtlensError(f"no layer's name is, matches or holds {text!r}: {_hint(text, [row[2] for row in names])}")


def _glob(text: str) -> re.Pattern[str]:
    """``*`` and ``?`` stand for anything; brackets stand for themselves, since layer names are full of them."""
    return (
        re.compile(translate(text.replace("[", "[[]")), re.IGNORECASE) if set(text) & set("*?") else re.compile(r"(?!)")
    )


def _by_build(rows: list[tuple[int, int, str, str]]) -> list[tuple[int, list[int]]]:
    builds: dict[int, list[int]] = {}
    for build, index, _, _ in rows:
        builds.setdefault(build, []).append(index)
    return list(builds.items())


def _without_layers(run: Run) -> str:
    if run["candidates"].num_rows:
        return (
            f"{run.name} lists no engine layers, so what the engine runs is not known (was the log cut off?): "
            "`trtlens show combinations` has what the tuner tried"
        )
    return f"{run.name} lists no engine layers: build with trtexec --verbose and keep stdout and stderr in one file"


def _hint(text: str, names: list[str]) -> str:
    """Layers that share a word with the text, else the first ones."""
    words = [word.lower() for word in re.split(r"[^A-Za-z0-9]+", text[:200]) if len(word) > 1]
    near = [name for name in names if any(word in name.lower() for word in words)] or names
    return f"layers are called {', '.join(near[:_SHOWN])}" + (
        f" and {len(near) - _SHOWN} more" if len(near) > _SHOWN else ""
    )
