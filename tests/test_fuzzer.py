"""The fuzzer of benchmarks/ starts, reads and counts; the long runs are made by hand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FUZZ = Path(__file__).parents[1] / "benchmarks" / "fuzz.py"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is measured through /proc")


def test_inputs_are_made_read_and_counted(tmp_path: Path) -> None:
    """A few inputs of one reader are read, none fails, and the table counts them."""
    pytest.importorskip("onnxruntime")
    command = [sys.executable, str(FUZZ), "--reader", "times", "--inputs", "20", "--keep", str(tmp_path / "kept")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    heading, row, whole = done.stdout.splitlines()
    counts = dict(zip(heading.split(), row.split(), strict=False))
    assert (counts["reader"], counts["inputs"], counts["failed"]) == ("times", "20", "0")
    assert whole.startswith("20 inputs, 0 failed")
    assert not (tmp_path / "kept").exists()
