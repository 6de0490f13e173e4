"""The one exception that a parser raises: the text is not what it was said to be."""

from __future__ import annotations


class FormatError(ValueError):
    """A document cannot be read as the format it was given for.

    Attributes:
        line: 1-based line of the document where reading stopped; None when no single line is to blame.
    """

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line
