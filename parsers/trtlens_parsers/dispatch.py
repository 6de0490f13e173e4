"""Which reader takes a message, by how it begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trtlens_parsers.records import Handler

KEY = 6
"""Characters of a message that choose its readers; every reader then checks the whole line itself."""


def dispatch_table(*tables: Mapping[str, Handler]) -> dict[str, Handler]:
    """One table of several: readers of one beginning are asked in the tables' order until one takes the line."""
    readers: dict[str, list[Handler]] = {}
    for table in tables:
        for key, reader in table.items():
            readers.setdefault(key, []).append(reader)
    return {key: found[0] if len(found) == 1 else _in_turn(found) for key, found in readers.items()}


def _in_turn(readers: Sequence[Handler]) -> Handler:
    def read(text: str, line: int) -> bool:
        return any(reader(text, line) for reader in readers)

    return read
