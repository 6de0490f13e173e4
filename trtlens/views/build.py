"""Where did the build's time go?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from trtlens.joins import frame, share
from trtlens.schema import declare

if TYPE_CHECKING:
    import pandas as pd

    from trtlens.runs import Run

COLUMNS = declare(
    "view build", "one part of a build", "build source name",
    """
    build | int | | number of the build
    name | text | | part of the build
    seconds | float | s | duration
    percent | float | % | share of the build by the time stamps; null for stated parts, which hold one another
    source | text | | stated by TensorRT, or stamps: differences of the log's time stamps (whole seconds)
    tactics | int | | tactics that the log names for tactic selection
    line | int | | line that states it, or where the part begins
    """,
)  # fmt: skip


def table(run: Run) -> pa.Table:
    """Parts of each build in the order of the log: by the time stamps, then as TensorRT states them."""
    rows = frame(run["phases"])
    rows["percent"] = share(rows, "seconds", ["build", "source"]).where(rows["source"] == "stamps")
    rows = rows.join(_tactics(run), on=["build", "name"])
    rows = rows.sort_values(["build", "source", "line"])
    names = [column.name for column in COLUMNS.columns]
    return pa.Table.from_pandas(rows[names], schema=COLUMNS.schema, preserve_index=False)


def _tactics(run: Run) -> pd.Series:
    tried = frame(run["runners"]).groupby("build")["tactics"].sum().rename("tactics").to_frame()
    tried["name"] = "tactic selection"
    return tried.set_index("name", append=True)["tactics"]
