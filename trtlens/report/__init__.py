"""The report: charts, tables and findings of one or several runs in one HTML file that needs nothing else.

`render` makes the page from opened runs; the commands open them and write it.
"""

from __future__ import annotations

from trtlens.report.page import render
from trtlens.report.subject import Subject, read_subject

__all__ = ["Subject", "read_subject", "render"]
