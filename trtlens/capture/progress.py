"""Progress of a build: from TensorRT's IProgressMonitor (9.1 and later), else from the lines of its log as they come.

The monitor may be called from several threads, steps may
come out of order, and a phase may finish before its last step; `step_complete` returning False makes the builder stop.
"""

from __future__ import annotations

import threading
from typing import Any, Protocol


class Progress(Protocol):
    """Receives every advance of a build; may be called from any thread, and often: it must return quickly."""

    def __call__(self, phase: str, step: int | None, steps: int | None, detail: str, /) -> None:
        """The phase has done `step` of `steps`, None where TensorRT does not say, and is at `detail` now."""


def silent(phase: str, step: int | None, steps: int | None, detail: str) -> None:
    """Show nothing."""


class Cancellation:
    """Thread-safe cancel flag, with the callback's exception if any."""

    __slots__ = ("_event", "failure")

    def __init__(self) -> None:
        self._event = threading.Event()
        self.failure: BaseException | None = None

    def cancel(self, failure: BaseException | None = None) -> None:
        """Ask the build to stop, because of an exception if one is given."""
        if failure is not None and self.failure is None:
            self.failure = failure
        self._event.set()

    @property
    def cancelled(self) -> bool:
        """Whether the build was asked to stop."""
        return self._event.is_set()


def guarded(progress: Progress, cancellation: Cancellation) -> Progress:
    """The same progress, whose exception stops the build instead of being lost in TensorRT's own thread."""

    def report(phase: str, step: int | None, steps: int | None, detail: str) -> None:
        try:
            progress(phase, step, steps, detail)
        except BaseException as error:  # noqa: BLE001  it is raised again where the build is waited for
            cancellation.cancel(error)

    return report


def make_monitor(trt: Any, progress: Progress, cancellation: Cancellation) -> Any:
    """An `IProgressMonitor` that reports every phase, and stops the build once it was cancelled."""

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]
        """Keeps the number of steps of each open phase; phases of one name may be open at once."""

        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self._steps: dict[str, int] = {}
            self._lock = threading.Lock()

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            with self._lock:
                self._steps[phase_name] = num_steps
            progress(phase_name, 0, num_steps, parent_phase or "")

        def step_complete(self, phase_name: str, step: int) -> bool:
            with self._lock:
                steps = self._steps.get(phase_name)
            progress(phase_name, step + 1, steps, "")
            return not cancellation.cancelled

        def phase_finish(self, phase_name: str) -> None:
            with self._lock:
                steps = self._steps.pop(phase_name, None)
            progress(phase_name, steps, steps, "")

    return Monitor()


PARSING = "Parsing the model"
OPTIMIZING = "Optimizing the graph"
TIMING = "Timing tactics"
GENERATING = "Generating the engine"

_NODE = "Parsing node: "
_LAYERS_LEFT = "After "
_FIRST_LAYERS = "Original: "
_COSTS = "=============== Computing costs for "
_REFORMATS = "=============== Computing reformatting costs"
_SELECTED = "Formats and tactics selection completed"
_GENERATED = "Engine generation completed"
_KNOWN = (_NODE, _LAYERS_LEFT, _FIRST_LAYERS, _COSTS, _REFORMATS, _SELECTED, _GENERATED)


class LogPhases:
    """Reads the phases of a build from its messages, for releases without a monitor (seen in 8.2 to 8.6).

    How many layers will be timed is not said beforehand (constants are not, twins are timed once), so timing has no
    number of steps; the layers left after the last optimisation pass stand in the detail, as an upper bound.
    """

    __slots__ = ("_layers", "_nodes", "_progress", "_timed")

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._nodes = 0
        self._timed = 0
        self._layers: int | None = None

    def __call__(self, message: str) -> None:
        """Read one message; one that tells of no progress costs a prefix test."""
        if message.startswith(_KNOWN):
            self._advance(message)

    def _advance(self, message: str) -> None:
        if message.startswith(_NODE):
            self._nodes += 1
            self._progress(PARSING, self._nodes, None, message[len(_NODE) :])
        elif message.startswith(_COSTS):
            self._timed += 1
            self._progress(TIMING, self._timed, None, self._bounded(message[len(_COSTS) :]))
        elif message.startswith(_REFORMATS):
            self._progress(TIMING, self._timed, None, self._bounded("reformats"))
        elif message.startswith(_SELECTED):
            self._progress(GENERATING, None, None, "")
        elif message.startswith(_GENERATED):
            self._progress(GENERATING, 1, 1, "")
        else:
            self._layers_left(message)

    def _layers_left(self, message: str) -> None:
        name, found, count = message.rpartition(": ")
        number = count.removesuffix(" layers")
        if found and number.isdecimal():
            self._layers = int(number[:9])
            self._progress(OPTIMIZING, None, None, name)

    def _bounded(self, detail: str) -> str:
        return f"{detail} (of at most {self._layers} layers)" if self._layers is not None else detail
