"""What a message means: warnings, errors and other lines with a known meaning, of TensorRT 5.0 to 11 and the tools around it.

Holds one table of entries (code, severity, versions, title, and below them the templates of the lines), in a module per
domain, and the search through it. Imports the standard library and `trtlens_parsers.text`. Hands out `classify`,
which tells the meaning of one message, `MESSAGE_CODES`, all entries by code, and `MESSAGE_SCREEN`, which quickly says no.

The wording comes from real logs of 5.1 to 10.16, from the message texts inside the libraries of TensorRT 8.6.0 and
TensorRT-RTX 1.7.1, from trtexec's sources 5.1 to 11.1 and from public bug reports. ``docs/messages.md`` says of every
code what to do about it.
"""

from trtlens_parsers.meanings.catalogue import MESSAGE_CODES, MESSAGE_SCREEN, classify
from trtlens_parsers.meanings.entry import Entry, Meaning, Severity

__all__ = ["MESSAGE_CODES", "MESSAGE_SCREEN", "Entry", "Meaning", "Severity", "classify"]
