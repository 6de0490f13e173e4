"""Reads what TensorRT says while it builds: precision, tactics, reformats, memory and time, layer by layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trtlens._version import VERSION

if TYPE_CHECKING:
    from trtlens import charts
    from trtlens.errors import TrtlensError
    from trtlens.fleet.fleet import Fleet, open_fleet
    from trtlens.runs.run import Run, open_run
    from trtlens.tables.declarations import TABLES
    from trtlens.views import VIEWS

__version__ = VERSION

__all__ = ["TABLES", "VIEWS", "Fleet", "Run", "TrtlensError", "__version__", "charts", "open_fleet", "open_run"]

_HOMES = {
    "Fleet": "trtlens.fleet.fleet",
    "open_fleet": "trtlens.fleet.fleet",
    "Run": "trtlens.runs.run",
    "open_run": "trtlens.runs.run",
    "TABLES": "trtlens.tables.declarations",
    "VIEWS": "trtlens.views",
    "TrtlensError": "trtlens.errors",
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used: ``trtlens --help`` must not wait for pandas and pyarrow."""
    from importlib import import_module  # noqa: PLC0415

    if name == "charts":
        return import_module("trtlens.charts")
    if name not in _HOMES:
        raise AttributeError(f"module 'trtlens' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """The public names."""
    return sorted(__all__)
