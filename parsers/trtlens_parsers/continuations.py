"""Whether a line without a prefix goes on with the message above it, or is the hosting program's.

TensorRT writes most messages on one line. Those of several lines show it: a bracket or a colon leaves the line above
open, the parser prints a node as protocol buffer text, or the line begins as such lines do. Polygraphy indents all
further lines by four blanks.
"""

from __future__ import annotations

import re

from trtlens_parsers.beginnings import Beginnings

INDENT = "    "
"""What Polygraphy puts before every further line of a message."""
_STARTS = Beginnings(
    (
        "Try decreasing the workspace",
        "Try increasing the workspace",
        "If this is not the desired behavior",
        "If not already in use",
        "Check verbose logs for the list of affected weights",
    ),
    key=5,
)
_SOURCE = re.compile(r"\[[\w./~]{1,120}(?:::|:)[\w~: ]{1,200}(?:::|:)\d{1,6}\] ")  # [shuffleNode.cpp::execute::387]
_EXCEPTION = " due to exception ["
_REFUSED = "Invalid Node - "
_LONGEST_NAME = 400
_PROTOCOL = re.compile(r"\s{0,40}(?:[a-z][a-z_]{0,30}(?:: (?:\"|-?\d|[A-Z_]{1,30}\s*$)| \{\s*$)|\}\s*$)")
_LAST_FIELD = re.compile(r"(?:^|\.cpp:\d{1,6}: )(?P<field>[a-z][a-z_]{0,30}: \".{0,4000})$", re.DOTALL)


def continues(message: str, line: str) -> bool:
    """Whether a line goes on with the message so far, which stands right above it."""
    last = message[message.rfind("\n") + 1 :].rstrip()
    if _STARTS.match(line) or _SOURCE.match(line) or last.endswith(":") or is_open(message):
        return True
    if _REFUSED in last[-_LONGEST_NAME:]:  # the reason stands below the node's name
        return True
    return bool(_PROTOCOL.match(line) and (_PROTOCOL.match(last) or _LAST_FIELD.search(last)))


def is_open(message: str) -> bool:
    """Whether a bracket of the message still waits for its end, or it tells of an exception, whose text has many lines."""
    waits = message.count("(") > message.count(")") or message.count("[") > message.count("]")
    return waits or _EXCEPTION in message
