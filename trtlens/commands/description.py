"""Describes the program for shells that complete its words: commands, options, views, tables and columns."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from trtlens.commands.help import summary
from trtlens.commands.typed_words import COLUMN, FILE, LAYER, VIEW, description_file, stamp
from trtlens.errors import TrtlensError
from trtlens.runs.folders import write_whole

if TYPE_CHECKING:
    from trtlens.commands.typed_words import Description


def write_description(program: Any) -> Description:
    """Describe the program, and keep the description where that can be written."""
    described = describe(program)
    path = description_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps({"stamp": stamp(), "trtlens": described}).encode())
    except (OSError, TrtlensError):
        pass  # a home that cannot be written: the next answer is as slow as this one
    return described


def describe(program: Any) -> Description:
    """All that there is to complete, read from the program's commands, and from views and tables."""
    from trtlens.comparison.quantities import QUANTITIES  # noqa: PLC0415
    from trtlens.tables.declarations import TABLES  # noqa: PLC0415
    from trtlens.views import VIEWS  # noqa: PLC0415

    columns = {name: [column.name for column in table.columns] for name, table in TABLES.items()}
    columns |= {name: [column.name for column in view.columns.columns] for name, view in VIEWS.items()}
    tables = {name: f"table: {table.doc}" for name, table in TABLES.items()}
    views = {name: view.question for name, view in VIEWS.items()}
    return {
        **_command(program, "", {"quantity": list(QUANTITIES)}),
        "views": views
        | {name: text for name, text in tables.items() if name not in views}
        | {f"table:{name}": text for name, text in tables.items()},
        "columns": columns,
    }


_ARGUMENTS = {("show", "view"): VIEW, ("schema", "view"): VIEW, ("why", "words"): LAYER}
"""What an argument of a command takes, but for files; of `why` the first word."""
_OPTIONS = {"--layer": LAYER, "--columns": COLUMN, "--sort": COLUMN, "--fail-on": "quantity"}


def _command(command: Any, name: str, values: dict[str, list[str]]) -> Description:
    """One command with those inside of it."""
    options: dict[str, Any] = {}
    arguments: list[Any] = []
    for param in command.params:
        if param.param_type_name == "argument":
            arguments.append(_ARGUMENTS.get((name, param.name), _choices(param) or FILE))
            arguments += [FILE] if (name, param.name) in _ARGUMENTS and param.nargs != 1 else []
            continue
        kind = _OPTIONS.get(param.opts[-1], _choices(param) or FILE)
        takes = None if param.is_flag else values.get(kind, kind) if isinstance(kind, str) else kind
        help_text = " ".join((param.help or "").split())
        first = next((text for text in param.opts if text.startswith("--")), "")
        for text in param.opts:
            options[text] = {"takes": takes, "help": help_text, "shown": text == first and not param.hidden}
    options["--help"] = {"takes": None, "help": "Show this message and exit.", "shown": True}
    inner = {sub: _command(one, sub, values) for sub, one in getattr(command, "commands", {}).items() if not one.hidden}
    return {"summary": summary(command.help), "options": options, "arguments": arguments, "commands": inner}


def _choices(param: Any) -> list[str] | None:
    choices = getattr(param.type, "choices", None)
    return None if choices is None else [getattr(choice, "value", choice) for choice in choices]
