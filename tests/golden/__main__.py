"""``python -m tests.golden NAME FOLDER`` writes a run's products with all rows, for what the golden files show in part."""

from __future__ import annotations

import sys
from pathlib import Path
from unittest.mock import patch

from tests.golden import text_of_tables
from tests.golden.products import produce

_EVERY = sys.maxsize


def main(name: str, folder: Path) -> None:
    """Write every product of a run or a comparison into a folder."""
    with patch.object(text_of_tables, "WHOLE", _EVERY), patch.object(text_of_tables, "RAW_WHOLE", _EVERY):
        made = produce(name)
    for file, text in made.items():
        place = folder / file
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, "utf-8")


main(sys.argv[1], Path(sys.argv[2]))
