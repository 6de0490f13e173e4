"""`plan.json` as a file: written whole, and read with errors that name it. `trtlens_parsers.saved_plan` knows its form."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from trtlens.errors import TrtlensError, reason
from trtlens.runs.folders import GENERATOR, write_document
from trtlens_parsers.errors import FormatError
from trtlens_parsers.saved_plan import PLAN_FORMAT, Plan, read_plan_text, recognise_plan

if TYPE_CHECKING:
    from pathlib import Path


def write_plan(plan: Plan, path: Path) -> None:
    """Write a plan so that it is never seen half written; raises TrtlensError where something else stands there."""
    document = {"trtlens_plan": PLAN_FORMAT, "generator": GENERATOR, **_plain(asdict(plan))}
    write_document(path, json.dumps(document, indent=1, allow_nan=False) + "\n")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def read_plan(path: Path) -> Plan:
    """Read a plan; raises TrtlensError where the file is none, or is of a later format."""
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise TrtlensError(f"{path} cannot be read ({reason(error)}): make a plan with trtlens plan") from error
    except UnicodeDecodeError as error:
        raise TrtlensError(f"{path} is no plan ({error}): make one with trtlens plan") from error
    if recognise_plan(text) is None:
        raise TrtlensError(f"{path} is no plan: make one with trtlens plan")
    try:
        return read_plan_text(text)
    except FormatError as error:
        raise TrtlensError(f"{path} is a damaged plan, or one of a later trtlens ({error}): make it again") from error
