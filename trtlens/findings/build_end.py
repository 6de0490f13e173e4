"""The rule about builds that gave no engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtlens.findings.finding import Evidence, Finding
from trtlens.runs.endings import FAILED, FINISHED, NOT_SHOWN, read_ending

if TYPE_CHECKING:
    from trtlens.findings.engine import Engine


def build_not_finished(engine: Engine) -> Finding | None:
    """The build failed, was stopped or killed, or the log breaks off; nothing else about its engine can be known."""
    ending = read_ending(engine.run, engine.number)
    if ending is None or ending.state == FINISHED or (ending.state == NOT_SHOWN and not ending.lines):
        return None
    texts = {row["line"]: row["text"] for row in engine.run["messages"].to_pylist() if row["build"] == engine.number}
    evidence = [
        Evidence(texts.get(line, "the last line of this build").split("\n", 1)[0], line) for line in ending.lines
    ]
    evidence += [Evidence(f"run.json: {error}".split("\n", 1)[0]) for error in engine.run.info.errors[:1]]
    text = f"{ending.text[0].upper()}{ending.text[1:]}." + (" There is no engine." if ending.state == FAILED else "")
    return Finding(
        "build-not-finished", "medium" if ending.state == NOT_SHOWN else "high", ending.text, text, tuple(evidence),
        "low" if ending.state == NOT_SHOWN else "high", ending.next_check or "trtlens show messages has what the log says",
    )  # fmt: skip
