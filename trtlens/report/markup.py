"""Text as HTML."""

from __future__ import annotations

from html import escape

from trtlens.output import visible


def text(value: object) -> str:
    """Any text as HTML that shows it letter by letter."""
    return escape(visible(str(value)))
