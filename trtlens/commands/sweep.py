"""The times of several engines of one model side by side: samples a second, and how they grow with the batch."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from trtlens.output import layout, print_table
from trtlens.quantities import number
from trtlens.runs.run_info import read_info
from trtlens.tables.schema import declare

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from trtlens.capture.models.sweep import PlannedEngine

COLUMNS = declare(
    "sweep", "one engine of a sweep", "run",
    """
    batch | int | | samples of one inference
    gpu_ms | float | ms | median GPU time of an inference
    per_sample_ms | float | ms | that time over the batch
    samples_per_s | float | 1/s | the batch over that time
    scaling | float | | samples a second over those of the smallest batch
    shapes | text | | shapes of the inputs
    run | text | | folder of the run
    """,
)  # fmt: skip
_LAYOUT = layout("batch samples_per_s scaling gpu_ms per_sample_ms run shapes", stretches="run")
_GAIN = 1.1
"""From this much on a larger batch is worth its latency."""


def print_sweep(engines: Iterable[tuple[PlannedEngine, Path]]) -> None:
    """Print which batch gives the most, and the times of all."""
    rows = sweep_rows(engines)
    sentence = sweep_sentence(rows)
    sys.stdout.write(f"\n{sentence}\n" if sentence else "\n")
    print_table(COLUMNS.of_rows(rows), _LAYOUT)


def sweep_rows(engines: Iterable[tuple[PlannedEngine, Path]]) -> list[dict[str, Any]]:
    """One row an engine, as `COLUMNS` says; null where it was not timed, or no batch was asked for."""
    rows: list[dict[str, Any]] = []
    for engine, folder in engines:
        timings = read_info(folder).timings
        median = timings[-1].gpu_median_ms if timings else None
        per_sample = median / engine.batch if median and engine.batch else None
        rate = 1000 / per_sample if per_sample else None
        rows.append(
            {"batch": engine.batch, "gpu_ms": median, "per_sample_ms": per_sample, "samples_per_s": rate,
             "shapes": engine.shapes, "run": str(folder)}
        )  # fmt: skip
    timed = _timed(rows)
    base = timed[0]["samples_per_s"] if timed else None
    return [{**row, "scaling": row["samples_per_s"] / base if row["samples_per_s"] and base else None} for row in rows]


def sweep_sentence(rows: Sequence[dict[str, Any]]) -> str | None:
    """Which batch gives the most samples a second, and which smaller one nearly as many; None with fewer than two times."""
    timed = _timed(rows)
    if len(timed) < 2:
        return None
    best = max(timed, key=lambda row: row["samples_per_s"])
    text = f"batch {best['batch']} gives the most: {number(best['samples_per_s'])} samples/s"
    if best is not timed[0]:
        text += f", {number(best['scaling'])} times those of batch {timed[0]['batch']}"
    enough = next(row for row in timed if row["samples_per_s"] * _GAIN >= best["samples_per_s"])
    if enough["batch"] < best["batch"]:
        text += f"; batch {enough['batch']} gives {100 * enough['samples_per_s'] / best['samples_per_s']:.0f} % of it"
    return text


def _timed(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with a rate, by batch."""
    return sorted((row for row in rows if row["samples_per_s"]), key=lambda row: row["batch"])
