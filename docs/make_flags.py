"""Writes docs/trtexec.md from the table of trtexec's flags; the text before the first section is written by hand.

Run: ``python docs/make_flags.py``.
"""

from __future__ import annotations

from pathlib import Path

from trtlens.commands.flags import BUILD_FLAGS, EXPORT_FLAGS, TIMING_FLAGS
from trtlens.commands.trtexec_flags import FLAGS, NOTHING, REFUSED, SUPPORTED, TrtexecFlag

_PAGE = Path(__file__).parent / "trtexec.md"
_MEANING = {flag.name: flag.help.replace("|", "\\|") for flag in (*BUILD_FLAGS, *TIMING_FLAGS, *EXPORT_FLAGS)} | {
    "onnx": "The model.",
    "loadEngine": "A serialized engine to time.",
    "shapes": "Shapes to build for and run at.",
    "workspace": "As --memPoolSize=workspace:MIB.",
    "skipInference": "Build only.",
    "help": "Show the help and exit.",
}
_SECTIONS = {"Honoured": SUPPORTED, "Taken, with nothing to do": NOTHING, "Refused": REFUSED}


def page() -> str:
    """The whole page."""
    before = _PAGE.read_text("utf-8").partition("\n## ")[0]
    return "\n".join([before, *(_section(title, state) for title, state in _SECTIONS.items())])


def _section(title: str, state: str) -> str:
    rows = [_row(flag) for flag in FLAGS if flag.happens == state]
    return "\n".join([f"## {title}\n", "| flag | trtexec | what it does, or why nothing |", "|---|---|---|", *rows, ""])


def _row(flag: TrtexecFlag) -> str:
    allowed = f"; `{'`, `'.join(flag.allowed)}` is what happens anyway" if flag.allowed else ""
    means = f"as `--{flag.means}`" if flag.means else ""
    text = flag.reason or means or _MEANING.get(flag.name, "")
    first, last = flag.releases.split("-")
    return f"| `--{flag.name}{'=' if flag.takes_value else ''}` | {first} to {last} | {text}{allowed} |"


if __name__ == "__main__":
    _PAGE.write_text(page(), "utf-8")
