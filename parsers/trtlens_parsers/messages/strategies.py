"""Backend strategies, optimisation profiles and Myelin regions: which part of a build its lines are about.

From TensorRT 8.6 on `Building graph using backend strategy N` opens a strategy; 10.14 and later may build an engine with
each of several and keep the fastest, so that the last tuning of a log need not be the engine's. Within a strategy, and
without any in older versions, `Constructing optimization profile number 1 [2/2].` opens the tuning for one profile.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from trtlens_parsers.layers import read_metadata
from trtlens_parsers.line_forms import LineReader, line_form, watch
from trtlens_parsers.messages.tactic_lines import read_time

if TYPE_CHECKING:
    from trtlens_parsers.records import Records

_OPENED = re.compile(r"Building graph using backend strategy (\d{1,4})\b")
_KEPT = re.compile(
    r"(?:Use|Chose this engine with) backend strategy (\d{1,4}) (?:with|since its) estimated inference time \(([^()]{1,40})\)"
)
# "Skip backend strategy 2since its ..": the blank is missing in 10.14 and 10.16.
_REJECTED = re.compile(r"Skip backend strategy (\d{1,4}) ?since its estimated inference time \(([^()]{1,40})\)")
_PROFILE = re.compile(r"Constructing optimization profile number (\d{1,4}) \[\d{1,4}/\d{1,4}\]")


class Strategy(NamedTuple):
    """One way to build the engine that the builder tried; ``kept`` is None where the log does not judge it.

    ``estimate`` is the estimated inference time as printed, without a unit.
    """

    number: int
    estimate: float | None
    kept: bool | None
    line: int


class Stretch(NamedTuple):
    """The lines of a build from ``line`` to the next stretch, all of one strategy and one optimisation profile.

    Either is None for lines that are of none: what the builder says before the first one, and of the engine as a whole.
    """

    line: int
    strategy: int | None
    profile: int | None


class StrategyReader(LineReader):
    """Tells strategies and profiles by the lines that open, judge and end them."""

    def __init__(self, records: Records) -> None:
        super().__init__(records)
        self._strategies = records.of(Strategy)
        self._stretches = records.of(Stretch)
        self._generated: Strategy | None = None  # the strategy whose engine is finished and not judged yet

    def finish(self) -> None:
        """While a strategy is open that no line judges yet, none is known to be the final one."""
        rows = self._strategies
        if len(rows) > 1 and rows[-1].kept is None:
            rows[:] = [row._replace(kept=None) if row.kept else row for row in rows]

    @line_form(
        Strategy,
        "Building graph using backend strategy ",
        versions="8.6 to 10.16",
        examples=("Building graph using backend strategy 2",),
    )
    def opened(self, text: str, line: int) -> bool:
        """All tuning behind it is this strategy's, until it is judged."""
        match = _OPENED.match(text)
        if match is None:
            return False
        self._strategies.append(Strategy(int(match[1]), None, None, line))
        self._stretches.append(Stretch(line, int(match[1]), None))
        self._generated = None
        return True

    @line_form(
        Strategy,
        "Use backend strategy ",
        "Chose this engine with backend strategy ",
        "Skip backend strategy ",
        versions="10.14 to 10.16",
        examples=(
            "Building graph using backend strategy 4",
            "Use backend strategy 4 with estimated inference time (0.4) as the initial choice.",
            "Building graph using backend strategy 3",
            "Chose this engine with backend strategy 3 since its estimated inference time (0.3) is faster than (0.4).",
            "Building graph using backend strategy 2",
            "Skip backend strategy 2since its estimated inference time (0.5) is not faster than (0.3).",
        ),
    )
    def judged(self, text: str, line: int) -> bool:
        """Which strategy's engine is kept so far."""
        kept = _KEPT.match(text)
        match = kept or _REJECTED.match(text)
        if match is None:
            return False
        number, estimate = int(match[1]), read_time(match[2])
        rows = self._strategies
        last = max((place for place, row in enumerate(rows) if row.number == number), default=None)
        if last is not None:
            if kept:
                rows[:] = [row._replace(kept=False) if row.kept else row for row in rows]
            rows[last] = rows[last]._replace(kept=kept is not None, estimate=estimate)
            self._end_strategy(number, line)
        return True

    # -- stretches -------------------------------------------------------------------------------------------------

    @line_form(
        Stretch,
        "Constructing optimization profile number ",
        versions="7.2 to 10.16",
        examples=("Constructing optimization profile number 0 [1/2].",),
    )
    def profile(self, text: str, line: int) -> bool:
        """What follows is tuned for this profile."""
        match = _PROFILE.match(text)
        if match is None:
            return False
        self._stretches.append(Stretch(line, self._strategy, int(match[1])))
        self._generated = None
        return True

    @watch("Total Weights Memory")
    def profiles_end(self, text: str, line: int) -> bool:  # noqa: ARG002  a handler is called with the text
        """The profiles share their weights, and none is tuned behind this line."""
        if self._stretches and self._stretches[-1].profile is not None:
            self._stretches.append(Stretch(line, self._strategy, None))
        return False

    @watch("Engine generation completed in ", "Data initialization and engine generation completed in ")
    def generated(self, text: str, line: int) -> bool:
        """Of a strategy only the line that judges it can follow."""
        self.profiles_end(text, line)
        if self._strategy is not None:
            self._generated = self._strategies[-1]
            self._stretches.append(Stretch(line + 1, None, None))
        return False

    @property
    def _strategy(self) -> int | None:
        return self._stretches[-1].strategy if self._stretches else None

    def _end_strategy(self, number: int, line: int) -> None:
        """The lines between the strategy's engine and its judgement are its own too."""
        if self._generated is not None and self._generated.number == number:
            self._stretches.pop()
            self._generated = None
        if self._strategy == number:
            self._stretches.append(Stretch(line + 1, None, None))


class Region(NamedTuple):
    """A subgraph that Myelin compiles, with the names of its ONNX nodes."""

    layer: str
    onnx_nodes: tuple[str, ...]
    line: int


@line_form(
    Region,
    "ForeignNode ",
    pattern=r"ForeignNode (?P<layer>.*?) metadata: (?P<nodes>.*)",
    versions="10.9 to 10.16",
    examples=("ForeignNode {ForeignNode[fc1...fc2]} metadata: [ONNX Layer: fc1]\x1e[ONNX Layer: fc2]",),
)
def read_region(found: re.Match[str], line: int) -> Region:
    """A subgraph and its nodes."""
    return Region(found["layer"], read_metadata(found["nodes"]) or (), line)
