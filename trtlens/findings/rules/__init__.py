"""Findings, one module each: ``finding(engine)`` or ``finding(pair)``, and its declaration ``FINDING``.

A module's name with hyphens is the finding's code. Rules never import one another: what they share is in `trtlens.findings`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trtlens.discovery import Declarations
from trtlens.findings.finding import SECTIONS, Rule

if TYPE_CHECKING:
    from collections.abc import Mapping

FINDINGS: Mapping[str, Rule[Any]] = Declarations(
    __name__, __path__, "FINDING", Rule, lambda rule: (SECTIONS.index(rule.section), rule.place)
)
"""Every finding's declaration by the name of its module, in the order of docs/findings.md."""
