"""Backend strategies, optimisation profiles and Myelin regions: which part of a build its lines are about.

From TensorRT 8.6 on `Building graph using backend strategy N` opens a try; 10.14 and later may make several in one
build and keep the fastest, so that the last tuning of a log need not be the engine's. Within a try, and without any in
older versions, `Constructing optimization profile number 1 [2/2].` opens the tuning for one profile. From 10.x on
`ForeignNode NAME metadata: ..` lists the ONNX nodes of a subgraph that Myelin compiles.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from trtlens_parsers.layers import read_metadata
from trtlens_parsers.records import Region, Strategy, Stretch
from trtlens_parsers.tactic_lines import read_time

if TYPE_CHECKING:
    from trtlens_parsers.records import Handler
_OPENED = re.compile(r"Building graph using backend strategy (\d{1,4})\b")
_KEPT = re.compile(
    r"(?:Use|Chose this engine with) backend strategy (\d{1,4}) (?:with|since its) estimated inference time \(([^()]{1,40})\)"
)
# "Skip backend strategy 2since its ..": the blank is missing in 10.14 and 10.16.
_LEFT = re.compile(r"Skip backend strategy (\d{1,4}) ?since its estimated inference time \(([^()]{1,40})\)")
_PROFILE = re.compile(r"Constructing optimization profile number (\d{1,4}) \[\d{1,4}/\d{1,4}\]")


class StrategyReader:
    """Collects one build's strategies, profiles and regions; each method answers whether the line was one of theirs."""

    def __init__(self) -> None:
        self.regions: list[Region] = []
        self.stretches: list[Stretch] = []
        self._tried: list[Strategy] = []
        self._generated: Strategy | None = None  # the strategy whose engine is finished and not judged yet

    @property
    def handlers(self) -> dict[str, Handler]:
        """The reader of each line, by how the line begins."""
        return {
            "Buildi": self.opened, "Use ba": self.judged, "Chose ": self.judged, "Skip b": self.judged,
            "Constr": self.profile, "Total ": self.whole_engine, "Engine": self.generated, "Data i": self.generated,
            "Foreig": self.region,
        }  # fmt: skip

    @property
    def strategies(self) -> list[Strategy]:
        """The strategies so far; while one is tried that no line judges yet, none is known to be the final one."""
        undecided = len(self._tried) > 1 and self._tried[-1].kept is None
        return [tried._replace(kept=None) if undecided and tried.kept else tried for tried in self._tried]

    def opened(self, text: str, line: int) -> bool:
        """``Building graph using backend strategy N``: all tuning behind it is this try's, until it is judged."""
        match = _OPENED.match(text)
        if match is None:
            return False
        self._tried.append(Strategy(int(match[1]), None, None, line))
        self.stretches.append(Stretch(line, int(match[1]), None))
        self._generated = None
        return True

    def profile(self, text: str, line: int) -> bool:
        """``Constructing optimization profile number 0 [1/2].``: what follows is tuned for this profile."""
        match = _PROFILE.match(text)
        if match is None:
            return False
        self.stretches.append(Stretch(line, self._strategy, int(match[1])))
        self._generated = None
        return True

    def whole_engine(self, text: str, line: int) -> bool:
        """``Total Weights Memory``: the profiles share their weights, and none is tuned behind this line."""
        if text.startswith("Total Weights Memory"):
            self._leave_profile(line)
        return False  # the line's size is another reader's

    def generated(self, text: str, line: int) -> bool:
        """``Engine generation completed``: of a strategy only the line that judges it can follow."""
        if "generation completed in " in text:
            self._leave_profile(line)
            if self._strategy is not None:
                self._generated = self._tried[-1]
                self.stretches.append(Stretch(line + 1, None, None))
        return False  # the line's seconds are another reader's

    def judged(self, text: str, line: int) -> bool:
        """``Use ..``, ``Chose this engine with ..``, ``Skip backend strategy N ..``: which try's engine is kept so far."""
        kept = _KEPT.match(text)
        match = kept or _LEFT.match(text)
        if match is None:
            return False
        number, estimate = int(match[1]), read_time(match[2])
        last = max((i for i, tried in enumerate(self._tried) if tried.number == number), default=None)
        if last is not None:
            if kept:
                self._tried = [tried._replace(kept=False) if tried.kept else tried for tried in self._tried]
            self._tried[last] = self._tried[last]._replace(kept=kept is not None, estimate=estimate)
            self._end_strategy(number, line)
        return True

    def region(self, text: str, line: int) -> bool:
        """``ForeignNode NAME metadata: [ONNX Layer: a]<U+001E>[ONNX Layer: b]``."""
        name, found, nodes = text.removeprefix("ForeignNode ").partition(" metadata: ")
        if not found or not text.startswith("ForeignNode "):
            return False
        self.regions.append(Region(name, read_metadata(nodes) or (), line))
        return True

    # -- stretches -------------------------------------------------------------------------------------------------

    @property
    def _strategy(self) -> int | None:
        return self.stretches[-1].strategy if self.stretches else None

    def _leave_profile(self, line: int) -> None:
        if self.stretches and self.stretches[-1].profile is not None:
            self.stretches.append(Stretch(line, self._strategy, None))

    def _end_strategy(self, number: int, line: int) -> None:
        """The lines between the strategy's engine and its judgement are its own too."""
        if self._generated is not None and self._generated.number == number:
            self.stretches.pop()
            self._generated = None
        if self._strategy == number:
            self.stretches.append(Stretch(line + 1, None, None))
