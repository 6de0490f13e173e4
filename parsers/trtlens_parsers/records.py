"""A log as a whole, read: its builds, the runs they are of, and how its lines were read. Lines are counted from 1.

The records of single lines stand beside their forms, in `messages`; a build gives them by class.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from trtlens_parsers.messages.tuning_blocks import TuningBlock

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from trtlens_parsers.layers import LayerRecord
    from trtlens_parsers.message_store import Message
    from trtlens_parsers.messages.tactic_store import Tactics
    from trtlens_parsers.program_run import ProgramRun
    from trtlens_parsers.trtexec_times import PerformanceRow, ProfileTableRow


Record = TypeVar("Record")


class Records:
    """The records of one build so far, by their class, and what the readers of all builds of a log share."""

    def __init__(self, kinds: Iterable[type], of_log: dict[type, Any]) -> None:
        self._rows: dict[type, list[Any]] = {kind: [] for kind in kinds}
        self.of_log = of_log

    def of(self, kind: type[Record]) -> list[Record]:
        """The records of one class, to which readers add."""
        return self._rows[kind]

    def shared(self, kind: type[Record]) -> Record:
        """The one object of a class that the builds of the log share; made without arguments."""
        if kind not in self.of_log:
            self.of_log[kind] = kind()
        found: Record = self.of_log[kind]
        return found

    def any(self, *but: type) -> bool:
        """Whether there is a record of any class other than these."""
        return any(rows for kind, rows in self._rows.items() if kind not in but)

    def all(self) -> Mapping[type, tuple[Any, ...]]:
        """The records as they stand now."""
        return {kind: tuple(rows) for kind, rows in self._rows.items()}


class Moment(NamedTuple):
    """The first line that carries a given time stamp (whole seconds), with the phase that was running."""

    stamp_s: float
    phase: str
    line: int


class EngineLayer(NamedTuple):
    """One row of the engine layer information, with the line it stands on; None for a row of the inspector's JSON."""

    layer: LayerRecord
    line: int | None


class UnreadRow(NamedTuple):
    """A row of an engine's layer information that was not understood; ``is_layer`` where it begins as a layer's does.

    It has no line where it stands in the inspector's file.
    """

    line: int | None
    is_layer: bool
    detailed: bool


@dataclass(frozen=True, slots=True)
class Build:
    """Everything that one build's part of a log says; fields that the log does not state are None or empty.

    ``is_build`` is false for an engine that was only loaded, and ``finished`` is None for it: whether the builder made an
    engine. ``used`` is whether lines behind engine generation say so. ``last_text`` is the last line that is not blank, as
    it stands in the log; ``mixed_line`` one that shows that another build's lines stand among its own, so that nothing but
    messages is kept of it, None where none does; ``extended_line`` the last one that completes a row of the engine's layers, 0 for none.
    """

    number: int
    first_line: int
    last_line: int
    run: ProgramRun
    is_build: bool
    finished: bool | None
    used: bool
    last_text: tuple[int, str] | None
    last_phase: str
    mixed_line: int | None
    extended_line: int
    loaded_line: int | None
    wrapper: str | None
    layers: tuple[EngineLayer, ...]
    detailed_layers: tuple[EngineLayer, ...]
    layer_names: tuple[tuple[str, int | None], ...]
    unread_rows: tuple[UnreadRow, ...]
    bindings: tuple[str, ...]
    tactics: Tactics
    messages: tuple[Message, ...]
    moments: tuple[Moment, ...]
    performance: tuple[PerformanceRow, ...]
    profile: tuple[ProfileTableRow, ...]
    profile_total: ProfileTableRow | None
    profile_iterations: int | None
    found: Mapping[type, tuple[Any, ...]]

    def records(self, kind: type[Record]) -> tuple[Record, ...]:
        """The records of one class of `messages`, in the order of their lines.

        Raises:
            KeyError: no line form gives records of this class.
        """
        return self.found[kind]

    @property
    def blocks(self) -> tuple[TuningBlock, ...]:
        """The runners that were tried; their tactics stand in ``tactics``."""
        return self.records(TuningBlock)


@dataclass(frozen=True, slots=True)
class Reading:
    """How the lines of a log were read: counts by ``tensorrt`` (read), ``ignored``, ``foreign``, ``unread``, ``unfinished``, ``doubled``, ``blank``.

    ``unfinished`` is the text behind the last line end, of which nothing was read; None where the log ends in a line end.
    """

    lines: int
    counts: dict[str, int]
    unread: tuple[tuple[int, str], ...]
    foreign: tuple[tuple[int, str], ...]
    overlong: int
    unfinished: str | None = None


@dataclass(frozen=True, slots=True)
class Log:
    """A whole log: its builds in order, and how its lines were read."""

    builds: tuple[Build, ...]
    reading: Reading
