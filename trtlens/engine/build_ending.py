"""How a build ended, and why: finished, failed, stopped, killed, cut off, not shown by the log, or not to be told."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trtlens.runs.run import build_rows
from trtlens.tables.arrays import of_build
from trtlens.tuning.kept_strategy import kept_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from trtlens.runs.run import Run

FINISHED, FAILED, INTERRUPTED, KILLED, CUT, NOT_SHOWN, MIXED = (
    "finished", "failed", "interrupted", "killed", "cut off", "not shown", "mixed",
)  # fmt: skip
_NODE_CODE = "onnx-node-failed"
_CONSEQUENCES = frozenset({_NODE_CODE, "parse-failed", "build-failed"})
"""Errors that say that something failed, not why."""
_NO_IMPORTER = frozenset({"plugin-not-found", "unsupported-op"})
_ENDS = _NO_IMPORTER | {"no-implementation", "model-file-missing"}
"""Causes that end a build, so that they count before errors that a build survives (a tactic that fails)."""
_FATAL = _CONSEQUENCES | (_ENDS - {"plugin-not-found"})
"""Errors after which no engine comes; a plugin that is not found can be an optional one."""
_NODE = re.compile(r"[Ww]hile parsing node number (?P<number>\d{1,9})(?: \[(?P<op>[^\s\]]{1,200}))?")
_PREFIX = re.compile(
    r"(?:Error\[\d{1,3}\]: |\d{1,3}: |Error Code:? \d{1,3}: |\[\w{1,60}\.cpp::\w{1,80}::\d{1,6}\] |I\w{1,40}::\w{1,60}: )+"
)
_LONGEST = 300
_AGAIN = "build again; trtlens show tactics has what was timed before it ended"
_WHOLE_LOG = (
    "keep stdout and stderr of the whole build in one file (> build.log 2>&1), and see whether the program was killed"
)
_OWN_LOGGER = "give each builder a logger that writes a file of its own (each trtexec its own file), and build again"


@dataclass(frozen=True, slots=True)
class Ending:
    """How one build ended: its state, why in a clause that can stand behind a colon, and the lines that say so.

    ``reason`` is None where the build finished. ``next_check`` is what to do about a failure, where that is known.
    """

    state: str
    reason: str | None = None
    lines: tuple[int, ...] = ()
    next_check: str | None = None

    @property
    def text(self) -> str:
        """State and reason in a sentence's beginning: ``the build failed: node 0 has no importer``."""
        states = {
            FINISHED: "the build finished", FAILED: "the build failed", INTERRUPTED: "the build was stopped",
            KILLED: "the build was killed, or is still running", CUT: "the log breaks off before the build's end",
            NOT_SHOWN: "the log does not show how the build ended",
            MIXED: "nothing can be told of this build",
        }  # fmt: skip
        return states[self.state] + (f": {self.reason}" if self.reason else "")


def read_ending(run: Run, build: int) -> Ending | None:
    """How a build ended; None for an engine that was not built here, and where there is no log that could say it.

    Stated are: the end of engine generation, the engine's rows behind it, trtexec's last line, the status of a captured run, errors after which no engine
    comes, a last line without its end.
    """
    (row,) = of_build(run["builds"], build).to_pylist()
    if not row["is_build"] or not row["last_line"]:
        return None
    if row["mixed_line"] is not None:
        return _mixed(row)
    below = of_build(run["builds"].select(["build", "run"]), build + 1).to_pylist()
    status = run.info.status if run.info.kind == "profile" and not below else None
    listed = of_build(run["layers"], build).num_rows > 0
    if row["finished"] or listed or row["state"] == "PASSED" or status in {"done", "built"}:
        return Ending(FINISHED)
    messages = of_build(kept_rows(run, "messages"), build).to_pylist()
    errors = [message for message in messages if "error" in message["severity"]]
    if status == "failed" or row["state"] == "FAILED" or any(error["code"] in _FATAL for error in errors):
        return _failure(run, build, errors)
    if status == "interrupted":
        return Ending(INTERRUPTED, "by the user, before an engine was built", (row["last_line"],), _AGAIN)
    if status == "building":
        reason = f"run.json says that it was building when line {row['last_line']:,} was written{_said(row)}"
        return Ending(KILLED, reason, (row["last_line"],), _AGAIN)
    return _without_end(run, row, errors, ends_run=not below or below[0]["run"] != row["run"])


def _mixed(row: dict[str, Any]) -> Ending:
    """A build whose lines stand among those of another one."""
    line = row["mixed_line"]
    reason = (
        f"the log has its lines and another build's mixed, as line {line:,} shows, and nothing says which are whose"
    )
    return Ending(MIXED, reason, (line,), _OWN_LOGGER)


def _failure(run: Run, build: int, errors: Sequence[dict[str, Any]]) -> Ending:
    """The node or the first error that is no consequence of another, else what run.json keeps."""
    causes = [error for error in errors if error["code"] not in _CONSEQUENCES]
    nodes = [error for error in errors if error["code"] == _NODE_CODE]
    node = next((error for error in nodes if _NODE.search(error["text"])), nodes[0] if nodes else None)
    before = [error for error in causes if node is not None and error["line"] < node["line"]]
    ends = next((error for error in causes if error["code"] in _ENDS), None)
    if node is not None:
        return _failed_node(run, build, node, ends or (before[-1] if before else next(iter(causes), None)))
    first = ends or next(iter(causes), None) or next(iter(errors), None)
    if first is not None and first["code"] == "no-implementation" and first["layer"]:
        reason = f"no implementation was found for {first['layer']}"
        return Ending(FAILED, reason, (first["line"],), _explained(first))
    if first is not None:
        return Ending(FAILED, _first_line(first["text"]), (first["line"],), _explained(first))
    stated = next(iter(run.info.errors), None)
    if stated is not None:
        return Ending(FAILED, _first_line(stated))
    return Ending(
        FAILED, "trtexec says so; the log has no error, which trtexec writes to stderr", next_check=_WHOLE_LOG
    )


def _failed_node(run: Run, build: int, message: dict[str, Any], cause: dict[str, Any] | None) -> Ending:
    """A node of the model that was refused, by name and operator, and why."""
    match = _NODE.search(message["text"])
    number = int(match["number"]) if match is not None else None
    nodes = {row["index"]: row for row in build_rows(run, "nodes", build).select(["index", "name", "op"]).to_pylist()}
    row = nodes.get(number) if number is not None else None
    op = (match["op"] if match is not None else None) or (row["op"] if row is not None else None)
    name = row["name"] if row is not None and (op is None or row["op"] == op) else None
    of_name = f"{name} ({op})" if name and op else name or op or "unnamed"
    what = f"node {number}, {of_name}," if number is not None else "a node"
    lines = tuple(one["line"] for one in (message, cause) if one is not None)
    if cause is not None and cause["code"] in _NO_IMPORTER:
        known = f"an operator {op}" if op else "its operator"
        return Ending(
            FAILED, f"{what} has no importer, and no plugin of that name was found", lines,
            f"register a plugin for {known} before parsing (--staticPlugins, --dynamicPlugins, or trt.init_libnvinfer_plugins), or put "
            "operators in its place that TensorRT knows",
        )  # fmt: skip
    why = f": {_first_line(cause['text'])}" if cause is not None else ""
    return Ending(FAILED, f"{what} was refused{why}", lines, _explained(cause or message))


def _without_end(run: Run, row: dict[str, Any], errors: Sequence[dict[str, Any]], *, ends_run: bool) -> Ending:
    """A build whose end nobody states: a log that breaks off, that never had the lines, or that was not understood."""
    unknown = not_understood(run)
    if unknown is not None:
        return Ending(NOT_SHOWN, unknown)
    timed = of_build(kept_rows(run, "candidates").select(["build", "layer", "line"]), row["build"])
    is_tuning = timed.num_rows > 0 and row["tactic_selection_s"] is None
    if is_tuning or (ends_run and row["state"] == "RUNNING"):
        place = f"while the tuner is at {_last(timed)}" if is_tuning else "and trtexec's last line is missing"
        return Ending(
            CUT, f"it ends at line {row['last_line']:,}, {place}{_said(row)}", (row["last_line"],), _WHOLE_LOG
        )
    if errors:
        first = errors[0]
        said = f"no line says that an engine was made; the first error is on line {first['line']}: {_first_line(first['text'])}"
        return Ending(NOT_SHOWN, said, (first["line"],), _explained(first))
    return Ending(NOT_SHOWN, f"no line says that an engine was made, or that one was not{_said(row)}")


def _last(timed: pa.Table) -> str:
    layers = timed.sort_by("line")["layer"].drop_null().to_pylist()
    return str(layers[-1]) if layers else "work"


def _said(row: dict[str, Any]) -> str:
    """The last line of a build, as the log has it."""
    return f"; the last line is: {_first_line(row['last_text'])}" if row["last_text"] else ""


def _explained(error: dict[str, Any]) -> str:
    code = f"docs/messages.md explains {error['code']}; " if error["code"] else ""
    return f"{code}trtlens show messages has every error in the order of its severity"


def _first_line(text: str) -> str:
    """The first line of a message without its numbers, cut to a length that a sentence can hold."""
    line = _PREFIX.sub("", text.strip().split("\n", 1)[0], count=1).strip().rstrip(".")
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


# -- unread lines -----------------------------------------------------------------------------------------------------
# What is to be said of how the lines of a run's files were read, before anything else of them is believed.


_NO_TEXT = frozenset({"blank", "doubled"})


def line_counts(run: Run) -> dict[str, int]:
    """Lines by how they were read; see the table `reading`."""
    return {row["kind"]: row["lines"] for row in run["reading"].to_pylist()}


def not_understood(run: Run) -> str | None:
    """A sentence where most lines of a log are of no form that is known; None otherwise."""
    counts = line_counts(run)
    unread = counts.get("unread", 0)
    lines = sum(count for kind, count in counts.items() if kind not in _NO_TEXT)
    if unread * 2 <= lines:
        return None
    return (
        f"{unread:,} of {lines:,} lines are of no form that is known, so most of what the log says is missing here: trtlens parse --unread "
        "shows them"
    )


def reading_notes(run: Run) -> tuple[str, ...]:
    """What was left out of the files on purpose, and why."""
    doubled = line_counts(run).get("doubled", 0)
    if not doubled:
        return ()
    return (
        f"every message stands twice in the log, as two handlers on one logger write it: {doubled:,} lines that are second copies were left out",
    )
