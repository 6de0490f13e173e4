"""Keeps a comparison in the folder of the run, as `accuracy.json`, for every command and report that opens it later."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from trtlens.errors import TrtlensError
from trtlens.folders import write_whole
from trtlens.run_files import RUN_JSON
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
    path = folder / RUN_JSON
    try:
        info = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise TrtlensError(f"{folder} is not the folder of a run ({error}): --keep needs one") from error
    rows = [{name: value for name, value in row.items() if value is not None} for row in errors.rows]
    document = {"trtlens_accuracy": ACCURACY_FORMAT, "reference": reference, "rows": rows}
    text = json.dumps(document, indent=1, ensure_ascii=True, allow_nan=False)
    kept = write_whole(folder / ACCURACY_JSON, (text + "\n").encode())
    info.pop("tables_by", None)
    if ACCURACY_JSON not in info.get("raw", [ACCURACY_JSON]):
        info["raw"].append(ACCURACY_JSON)
    write_whole(path, (json.dumps(info, indent=2, ensure_ascii=False) + "\n").encode())
    return kept
