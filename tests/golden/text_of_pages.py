"""Pieces of a page as golden files hold them."""

from __future__ import annotations


def html_text(text: str) -> str:
    """An element a line, so that a difference stands alone."""
    return text.replace("><", ">\n<") + "\n"
