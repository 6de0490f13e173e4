"""How far a capture is: its phases, and while it builds what `trtlens watch` shows of the log."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from trtlens.commands.build_lines import build_details, build_sentence
from trtlens.quantities import clock_text
from trtlens_parsers.build_progress import BUILT, BuildProgress

if TYPE_CHECKING:
    from collections.abc import Callable

    from trtlens.commands.growing_log import GrowingFile
    from trtlens.commands.live import Live

_SHOWN = 3
"""Phases that are open at once: those of TensorRT lie inside one another."""
_BAR = 24


@dataclass(slots=True)
class CaptureDisplay:
    """The phases that were reported, and the log; `report` may be called from any thread, and only keeps what it is told."""

    live: Live
    log: GrowingFile | None = None
    clock: Callable[[], float] = time.monotonic
    progress: BuildProgress = field(default_factory=BuildProgress)
    _open: dict[str, tuple[int | None, int | None, str]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _began_s: float = 0.0

    def __post_init__(self) -> None:
        """Begin to count."""
        self._began_s = self.clock()

    def report(self, phase: str, step: int | None, steps: int | None, detail: str) -> None:
        """Take an advance; a phase without steps lasts until another begins, one with steps until its last."""
        with self._lock:
            for name in [name for name, (_, some, _) in self._open.items() if some is None]:
                del self._open[name]
            self._open.pop(phase, None)
            if steps is None or step is None or step < steps:
                self._open[phase] = (step, steps, detail)

    def refresh(self) -> None:
        """Read on in the log, and draw if it is time; raises TrtlensError or OSError where one of them cannot be done."""
        with self._lock:
            phases = list(self._open.items())[-_SHOWN:]
        if not phases:
            return
        self._read_log()
        if self.live.is_due:
            elapsed_s = self.clock() - self._began_s
            lines = [_phase_line(name, *state) for name, state in phases]
            lines[0] += f"  {clock_text(elapsed_s)}"
            is_building = self.progress.phase not in (None, BUILT)
            sentence = build_sentence(self.progress, "build", elapsed_s) if is_building else lines[0]
            self.live.draw([*lines, *(build_details(self.progress) if is_building else ())], sentence)

    def close(self) -> None:
        """Take the lines away."""
        self.live.clear()
        if self.log is not None:
            self.log.close()

    def _read_log(self) -> None:
        if self.log is None:
            return
        while data := self.log.read():
            self.progress.feed(data)
        if self.log.took_anew():
            self.progress = BuildProgress()
        self.live.warn([f"{alarm.severity}: {alarm.text}" for alarm in self.progress.new_alarms()])


def _phase_line(name: str, step: int | None, steps: int | None, detail: str) -> str:
    if not steps:
        return f"{name}  {detail}".rstrip() if step is None else f"{name}: {step:,}  {detail}".rstrip()
    filled = round(_BAR * min(step or 0, steps) / steps)
    return f"{name}  [{'#' * filled}{'.' * (_BAR - filled)}] {step or 0:,} of {steps:,}  {detail}".rstrip()
