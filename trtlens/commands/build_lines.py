"""How far a build is, in a few lines and in one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtlens.quantities import byte_size, clock_text, duration
from trtlens_parsers.build_progress import BUILT, GENERATING, OPTIMIZING, READING, RUNNING, TUNING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trtlens_parsers.build_progress import BuildProgress

_QUIET_S = 10.0
"""From here on a log that does not grow is worth a word."""


def build_lines(progress: BuildProgress, name: str, elapsed_s: float, quiet_s: float = 0.0) -> list[str]:
    """What to draw: the log and how long it was watched, the phase, and what is known of the tuning."""
    head = f"{name}  {byte_size(progress.size_bytes)}  {clock_text(elapsed_s)}"
    if quiet_s >= _QUIET_S:
        head += f"  (no new line for {clock_text(quiet_s)}; Ctrl-C ends with the summary)"
    return [head, phase_text(progress), *build_details(progress)]


def build_sentence(progress: BuildProgress, name: str, elapsed_s: float, quiet_s: float = 0.0) -> str:
    """The same in one line, for a log of a job."""
    parts = [phase_text(progress)]
    if progress.phase == TUNING:
        parts += [progress.layer] if progress.layer else []
        parts.append(f"{progress.candidates:,} tactics timed")
        parts += [f"about {clock_text(progress.left_s)} left at this pace"] if progress.left_s else []
    if quiet_s >= _QUIET_S:
        parts.append(f"no new line for {clock_text(quiet_s)}")
    return f"{name}, {clock_text(elapsed_s)}: {'; '.join(parts)}"


def phase_text(progress: BuildProgress) -> str:
    """The phase with what it counts."""
    counts = {
        READING: f"{progress.nodes:,} nodes",
        OPTIMIZING: f"{progress.most_layers or 0:,} layers",
        TUNING: _layers(progress),
    }
    if progress.phase is None:
        return "no build yet" if progress.size_bytes else "waiting for the first line"
    count = counts.get(progress.phase)
    return f"{progress.phase}: {count}" if count else progress.phase


def _layers(progress: BuildProgress) -> str:
    if not progress.layers:
        return ""
    most = progress.most_layers
    return f"layer {progress.layers:,}" + (f" of at most {most:,}" if most and progress.layers <= most else "")


def build_details(progress: BuildProgress) -> Iterator[str]:
    """What is known of the tuning, a line each."""
    if progress.phase not in (TUNING, GENERATING, BUILT, RUNNING):
        return
    if progress.layer:
        yield f"  now      {progress.layer}"
    if progress.candidates:
        yield f"  timed    {progress.candidates:,} tactics"
    if progress.slowest:
        layer, time_ms = progress.slowest
        yield f"  slowest  {duration(time_ms)} at best: {layer}"
    if progress.left_s is not None and progress.most_layers:
        rest = progress.most_layers - progress.layers + 1
        yield f"  left     about {clock_text(progress.left_s)}, if the other {rest:,} layers at most take as long as these"
    if progress.alarm_count:
        yield f"  warnings {progress.alarm_count:,}"
