"""Warnings, errors and other logger messages with a known meaning, from TensorRT 5.0 to 11 and the tools around it.

The catalogue is one table of entries (code, severity, versions, title, templates), kept in a module per domain. Its
wording comes from real logs of 5.1 to 10.16, from the message texts inside the libraries of TensorRT 8.6.0 and
TensorRT-RTX 1.7.1, from trtexec's sources 5.1 to 11.1 and from public bug reports. ``docs/messages.md`` says of every
code what to do about it.
"""

from trtlens_parsers.messages.catalogue import MESSAGE_CODES, MESSAGE_SCREEN, classify
from trtlens_parsers.messages.entry import Entry, Meaning, Severity

__all__ = ["MESSAGE_CODES", "MESSAGE_SCREEN", "Entry", "Meaning", "Severity", "classify"]
