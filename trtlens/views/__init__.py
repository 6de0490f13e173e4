"""One file a question: each view module has ``table(run) -> pyarrow.Table``, pure and sorted.

Views never import one another; what two of them share stands in a module beside this package.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    import pyarrow as pa

    from trtlens.runs import Run


class ViewModule(Protocol):
    """What a view's module offers."""

    def table(self, run: Run) -> pa.Table:
        """Answer the question for one run."""


@dataclass(frozen=True, slots=True)
class View:
    """A view by name, with the question that it answers; its module is loaded on first use."""

    name: str
    question: str

    def load(self) -> ViewModule:
        """The view's module."""
        return cast("ViewModule", import_module(f"trtlens.views.{self.name}"))


_VIEWS = (
    View("layers", "Which layers does the engine run, in which precision, with which kernel, how long?"),
    View("slowest", "Which layers take the most time?"),
    View("precision", "How many layers compute in which precision, and how much of the time is theirs?"),
    View("tensorcores", "What runs on tensor cores, what on CUDA cores although a tensor core kernel was timed?"),
    View("kernels", "Which kernel families does the engine consist of?"),
    View("tactics", "Which tactic does each layer run, and what would the fastest that was timed have saved?"),
    View("why", "Why does a layer run what it runs, and what did everything else that was tried cost?"),
    View("findings", "What costs time here, what puts the result at risk, and what should be checked next?"),
    View(
        "reformats", "Which layers only change type or layout, between whom, what do they cost, and why are they there?"
    ),
    View("reformat_causes", "What do reformats cost in all, by cause and by part of the network?"),
    View("fusions", "What did the builder do to the network before tuning?"),
    View("memory", "Which layers need memory beside their tensors?"),
    View("build", "Where did the build's time go?"),
    View("messages", "Which warnings and errors did the build print, and what do they mean?"),
    View("latency", "How long does one inference take?"),
    View(
        "accuracy",
        "Which tensor goes wrong first, in which layer and precision, and how much error does each layer add?",
    ),
    View(
        "overflow",
        "Which tensors, weights and sums would FP16 not hold, and which power of two brings them into range?",
    ),
    View("pins", "Which few layers to keep in FP32: how much error does each add for the time that it saves?"),
)

VIEWS: dict[str, View] = {view.name: view for view in _VIEWS}
"""Every view by name."""
