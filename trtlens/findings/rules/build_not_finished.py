"""The build failed, was stopped or killed, or the log breaks off; nothing else about its engine can be known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtlens.engine.build_ending import FAILED, FINISHED, MIXED, NOT_SHOWN, read_ending
from trtlens.findings.finding import BuildRule, Evidence, Finding

if TYPE_CHECKING:
    from trtlens.findings.engine import Engine


def finding(engine: Engine) -> Finding | None:
    """How the build ended, with the lines that show it."""
    ending = read_ending(engine.run, engine.number)
    if ending is None or ending.state == FINISHED or (ending.state == NOT_SHOWN and not ending.lines):
        return None
    texts = {row["line"]: row["text"] for row in engine.run["messages"].to_pylist() if row["build"] == engine.number}
    other = "a line out of a build's order" if ending.state == MIXED else "the last line of this build"
    evidence = [Evidence(texts.get(line, other).split("\n", 1)[0], line) for line in ending.lines]
    evidence += [Evidence(f"run.json: {error}".split("\n", 1)[0]) for error in engine.run.info.errors[:1]]
    text = f"{ending.text[0].upper()}{ending.text[1:]}." + (" There is no engine." if ending.state == FAILED else "")
    is_unknown = ending.state in {NOT_SHOWN, MIXED}
    return Finding(
        "medium" if is_unknown else "high", ending.text, text, tuple(evidence), "low" if is_unknown else "high",
        ending.next_check or "trtlens show messages has what the log says",
    )  # fmt: skip


FINDING = BuildRule(
    finding,
    section="No engine",
    place=1,
    title="The build gave no engine",
    meaning=(
        "Without an engine little else is known; this finding comes before all others. A build *failed* if trtexec or "
        "`run.json` says so, or an error was printed after which no engine comes: the text names the ONNX node with its operator, "
        "or the layer, and the reason. It was *stopped* or *killed* if `run.json` says so, and the log is *cut off* if it ends while the tuner "
        "is at work or without trtexec's last line. Builds whose lines are mixed with another's are not judged. An error after which the build goes on (a tactic that fails) is no failure, and a log at "
        "info level that shows neither an end nor an error is not called unfinished. `trtlens parse` prints the same."
    ),
    stake="None: there is no engine.",
    next_check="Mend the cause that the error names.",
    needs="A log, or a run folder with its `run.json`.",
)
