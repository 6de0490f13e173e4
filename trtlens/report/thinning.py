"""Which candidates the page holds where a run has more than a mail attachment can take, and a note on those left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from trtlens.tables.arrays import filled, known_true, of_numpy, to_numpy

if TYPE_CHECKING:
    import pyarrow as pa

MOST_CANDIDATES = 60_000
"""Candidates of one run that the page carries."""


def thin_candidates(table: pa.Table, most: int = MOST_CANDIDATES) -> tuple[pa.Table, str | None]:
    """All candidates, or those that run and the fastest of each layer in equal number; and a sentence on what is missing."""
    total = table.num_rows
    if total <= most:
        return table, None
    rows = pd.DataFrame({
        "layer": to_numpy(filled(table["layer"].combine_chunks().indices, -1)),
        "time_ms": to_numpy(table["time_ms"]), "chosen": to_numpy(known_true(table["chosen"])),
    })  # fmt: skip
    ordered = rows.sort_values(["chosen", "time_ms"], ascending=[False, True], kind="stable", na_position="last")
    rank = ordered.groupby("layer", sort=False, dropna=False).cumcount().reindex(rows.index)
    counts = rank.value_counts().sort_index().cumsum()
    fitting = counts[counts <= most]
    each = int(fitting.index[-1]) + 1 if len(fitting) else 1
    kept = table.filter(of_numpy(rank.to_numpy() < each))
    note = (
        f"{kept.num_rows:,} of {total:,} candidates are on this page: the chosen and the fastest ones, at most {each:,} for each layer; "
        "trtlens show candidates RUN --format csv lists all"
    )
    return kept, note
