"""Keeps a comparison in the folder of the run, as `accuracy.json`, for every command and report that opens it later."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from trtlens.errors import TrtlensError
from trtlens.runs.folders import write_whole
from trtlens.runs.run_info import RUN_JSON, is_run, load_document, read_info
from trtlens_parsers.dump_index import ACCURACY_FORMAT

if TYPE_CHECKING:
    from pathlib import Path

    from trtlens.accuracy.error_rows import Errors

ACCURACY_JSON = "accuracy.json"


def keep_errors(folder: Path, reference: str, errors: Errors) -> Path:
    """Write the comparison into a run's folder; its tables are made anew when it is opened the next time.

    Raises:
        TrtlensError: the folder is no run, or cannot be written.

    """
    if not is_run(folder):
        raise TrtlensError(f"{folder} is not the folder of a run: --keep needs one")
    raw = read_info(folder).raw
    document = load_document(folder)
    rows = [{name: value for name, value in row.items() if value is not None} for row in errors.rows]
    kept_rows = {"trtlens_accuracy": ACCURACY_FORMAT, "reference": reference, "rows": rows}
    text = json.dumps(kept_rows, indent=1, ensure_ascii=True, allow_nan=False)
    kept = write_whole(folder / ACCURACY_JSON, (text + "\n").encode())
    document.pop("tables_by", None)
    if raw is not None:
        document["raw"] = [*(name for name in raw if name != ACCURACY_JSON), ACCURACY_JSON]
    write_whole(folder / RUN_JSON, (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode())
    return kept
