"""Weights that lost something when they were converted: how many (8.5 on), and in a verbose log which."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from trtlens_parsers.records import WeightIssue

if TYPE_CHECKING:
    from trtlens_parsers.records import Handler

_COUNTED = re.compile(r"- (?P<count>\d{1,9}) weights are affected by this issue: (?P<issue>.{1,500})", re.DOTALL)
_LIST = "List of affected weights: "


class WeightReader:
    """Collects one build's issues; ``- 2 weights are affected by this issue: ..``, then ``List of affected weights: ..``."""

    def __init__(self) -> None:
        self.issues: list[WeightIssue] = []

    @property
    def handlers(self) -> dict[str, Handler]:
        """The reader of each line, by how the line begins."""
        return {"  List": self.listed, "List o": self.listed}

    def counted(self, text: str, line: int) -> None:
        """A warning that may count weights."""
        match = _COUNTED.match(text) if text.startswith("- ") else None
        if match is not None:
            self.issues.append(WeightIssue(match["issue"].rstrip(), int(match["count"]), None, None, line))

    def listed(self, text: str, line: int) -> bool:  # noqa: ARG002  a handler is called with the line
        """The names behind the warning above; a name can hold commas, so only as many as were counted are told apart."""
        names = text.strip().removeprefix(_LIST)
        last = self.issues[-1] if self.issues else None
        if last is None or last.text is not None or names == text.strip():
            return False
        weights = tuple(names.split(", "))
        self.issues[-1] = last._replace(text=names, weights=weights if len(weights) == last.affected else None)
        return True
