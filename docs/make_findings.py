"""Writes docs/findings.md from the declarations of the findings; the text before the first section is written by hand.

Run: ``python docs/make_findings.py``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from trtlens.findings.finding import SECTIONS, BuildRule, PairRule
from trtlens.findings.rules import FINDINGS

if TYPE_CHECKING:
    from trtlens.findings.finding import Rule

_PAGE = Path(__file__).parent / "findings.md"


def page() -> str:
    """The whole page."""
    before = _PAGE.read_text("utf-8").partition("\n## ")[0]
    return "\n".join([before, *(_section(name) for name in SECTIONS)])


def _section(name: str) -> str:
    rules = [rule for rule in FINDINGS.values() if rule.section == name]
    return "\n".join([f"## {name}\n", *map(_finding, rules)])


def _finding(rule: Rule[Any]) -> str:
    beside = rule.second_run if isinstance(rule, BuildRule) else ""
    rows = {"At stake": rule.stake, "With `--against`": beside, "Next": rule.next_check, "Needs": rule.needs}
    parts = [f"*{rule.title}.*" + (" *Needs two runs.*" if isinstance(rule, PairRule) else ""), rule.meaning]
    parts.append("\n".join(f"- **{name}:** {text}" for name, text in rows.items() if text))
    return f"### `{rule.code}`\n\n" + "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    _PAGE.write_text(page(), "utf-8")
