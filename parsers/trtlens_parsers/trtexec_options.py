"""Reads the option and device sections that trtexec 6.0 to 11 prints before it starts (``=== Build Options ===`` ..).

Source: ``operator<<`` of the options in ``samples/common/sampleOptions.cpp`` and ``sampleDevice.cpp``. 5.x has no
sections. 6.0 to 7.2 print no device section.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_HEADER = re.compile(r"=== (?P<section>[A-Z][\w ]{0,60}(?: Options| Information)) ===")
_OPTION = re.compile(r"(?P<key>[A-Za-z][\w()./-]{0,60}(?: [\w()./-]{1,60}){0,10}) ?:(?P<value>.*)")
_INPUT_FILE = re.compile(r"\S.*<-")

# A blank line stands between sections, and some wrappers put one between all lines. These sections are the last ones:
# behind their blank line only a key that they are known to have is still theirs.
_LAST_SECTIONS = {
    "Reporting Options": re.compile(r"(?:Verbose|Averages|Percentiles?|Dump [\w ]+|Profile|Export [\w ]+):"),
    "Device Information": re.compile(
        r"(?:Available Devices|Selected Device(?: \w+)?|Compute Capability|SMs|\w+ Global Memory|Shared Memory per SM"
        r"|Memory Bus Width|[\w ]*Clock Rate|Note):"
    ),
}
_NOT_OPTIONS = ("TensorRT version:", "Note:")


class OptionRow(NamedTuple):
    """One option as printed; ``section`` as in ``Build Options``, ``value`` empty where nothing is set."""

    section: str
    key: str
    value: str
    line: int


class OptionsReader:
    """Feed it messages in order; ``rows`` are the options of every section seen so far."""

    def __init__(self) -> None:
        self.rows: list[OptionRow] = []
        self._section: str | None = None
        self._after_blank = False

    def feed(self, text: str, line: int) -> bool:
        """Whether ``text`` belongs to a section; False also ends the section that was open."""
        header = _HEADER.fullmatch(text.strip())
        if header is not None:
            self._section, self._after_blank = header["section"], False
            return True
        if self._section is None:
            return False
        if not text.strip():
            self._after_blank = True
            return True
        if self._is_foreign(text) or not self._read(self._section, text.rstrip(), line):
            self._section = None
        return self._section is not None

    def _is_foreign(self, text: str) -> bool:
        known = _LAST_SECTIONS.get(self._section or "")
        if text.startswith("TensorRT version:"):
            return True
        return self._after_blank and known is not None and text[:1] not in {" ", "\t"} and known.match(text) is None

    def _read(self, section: str, text: str, line: int) -> bool:
        last = self.rows[-1] if self.rows and self.rows[-1].section == section else None
        if last is not None and (text[0] in " \t" or (last.key == "Inputs" and _INPUT_FILE.match(text))):
            self._add_item(last, text.strip(), line)
            return True
        option = _OPTION.fullmatch(text.strip())
        if option is None:
            return False
        if not text.startswith(_NOT_OPTIONS):
            self.rows.append(OptionRow(section, option["key"], option["value"].strip(), line))
        return True

    def _add_item(self, last: OptionRow, value: str, line: int) -> None:
        """A list's items follow its key one per line; the key's own row is empty and gives way to the first item."""
        if not last.value:
            self.rows.pop()
        self.rows.append(OptionRow(last.section, last.key, value, line))
