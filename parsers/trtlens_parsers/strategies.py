"""Backend strategies and Myelin regions: what the builder says of whole ways to build an engine, and of its subgraphs.

From TensorRT 8.6 on `Building graph using backend strategy N` opens a try; 10.14 and later may make several in one
build and keep the fastest, so that the last tuning of a log need not be the engine's. From 10.x on
`ForeignNode NAME metadata: ..` lists the ONNX nodes of a subgraph that Myelin compiles.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from trtlens_parsers.layers import read_metadata
from trtlens_parsers.records import Region, Strategy
from trtlens_parsers.tactic_lines import read_time

if TYPE_CHECKING:
    from trtlens_parsers.records import Handler
_OPENED = re.compile(r"Building graph using backend strategy (\d{1,4})\b")
_KEPT = re.compile(
    r"(?:Use|Chose this engine with) backend strategy (\d{1,4}) (?:with|since its) estimated inference time \(([^()]{1,40})\)"
)
# "Skip backend strategy 2since its ..": the blank is missing in 10.14 and 10.16.
_LEFT = re.compile(r"Skip backend strategy (\d{1,4}) ?since its estimated inference time \(([^()]{1,40})\)")


class StrategyReader:
    """Collects one build's strategies and regions; each method answers whether the line was one of theirs."""

    def __init__(self) -> None:
        self.strategies: list[Strategy] = []
        self.regions: list[Region] = []

    @property
    def handlers(self) -> dict[str, Handler]:
        """The reader of each line, by how the line begins."""
        return {
            "Buildi": self.opened, "Use ba": self.judged, "Chose ": self.judged, "Skip b": self.judged,
            "Foreig": self.region,
        }  # fmt: skip

    def opened(self, text: str, line: int) -> bool:
        """``Building graph using backend strategy N``: all tuning behind it is this try's, up to the next such line."""
        match = _OPENED.match(text)
        if match is None:
            return False
        self.strategies.append(Strategy(int(match[1]), None, None, line))
        return True

    def judged(self, text: str, line: int) -> bool:  # noqa: ARG002  a handler is called with the line
        """``Use ..``, ``Chose this engine with ..``, ``Skip backend strategy N ..``: which try's engine is kept so far."""
        kept = _KEPT.match(text)
        match = kept or _LEFT.match(text)
        if match is None:
            return False
        number, estimate = int(match[1]), read_time(match[2])
        last = max((i for i, tried in enumerate(self.strategies) if tried.number == number), default=None)
        if last is not None:
            if kept:
                self.strategies = [tried._replace(kept=False) if tried.kept else tried for tried in self.strategies]
            self.strategies[last] = self.strategies[last]._replace(kept=kept is not None, estimate=estimate)
        return True

    def region(self, text: str, line: int) -> bool:
        """``ForeignNode NAME metadata: [ONNX Layer: a]<U+001E>[ONNX Layer: b]``."""
        name, found, nodes = text.removeprefix("ForeignNode ").partition(" metadata: ")
        if not found or not text.startswith("ForeignNode "):
            return False
        self.regions.append(Region(name, read_metadata(nodes) or (), line))
        return True
