"""What an installed trtlens must do: every view in every format, and each reading command, over runs of the fixtures.

Run by `benchmarks/release.py` with the Python of a fresh environment, in a folder outside of the checkout. Prints the seconds that importing trtlens takes and
those to the first answer, and writes all rows to ``answers.json``: they are the same with every version of Python and of the dependencies.
"""

from __future__ import annotations

import importlib.util
import io
import os
import subprocess
import sys
import tempfile
import time
from contextlib import redirect_stderr, redirect_stdout
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

FIXTURES = Path(sys.argv[1])
_RUNS = ("h200/resnet50-int8-compared", "h200/transformer-fp16-traced", "releases/8.2-two-builds.log", "h200/refused")
_PAIR = ("h200/resnet50-fp16-compared", "h200/resnet50-int8-compared")
_DUMPS = ("h200-dumps/overflowing_rms_norm-reference", "h200-dumps/overflowing_rms_norm-held")
_EXTRAS = {
    "fleet": ("dask", "distributed", "duckdb", "fsspec"),
    "onnxruntime": ("onnx", "onnxconverter_common", "onnxruntime"),
    "images": ("kaleido",),
}
"""Modules that an extra promises, of those that need no GPU."""


def main() -> None:
    """Run everything; a command that fails ends the process with its error."""
    if Path(str(importlib.util.find_spec("trtlens").origin)).is_relative_to(FIXTURES.parent):  # type: ignore[union-attr]
        sys.exit("trtlens is read from the checkout, not from the environment")
    import_s = float(
        _in_own_process("import time; a = time.perf_counter(); import trtlens; print(time.perf_counter() - a)")
    )
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "trtlens", "parse", FIXTURES / _RUNS[0]], check=True, stdout=subprocess.PIPE)
    answer_s = time.perf_counter() - began
    for extra in sys.argv[2:]:
        for module in _EXTRAS[extra]:
            importlib.import_module(module)
    Path("answers.json").write_text("\n".join(_answers()), "utf-8")
    print(f"{import_s:.3f} {answer_s:.2f}")


def _in_own_process(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True).stdout


def _answers() -> Iterator[str]:
    """Rows as JSON; what people read is made, too, and not compared: it is rounded, and the report holds Plotly's own script."""
    from trtlens import VIEWS  # noqa: PLC0415

    for run in (str(FIXTURES / one) for one in _RUNS):
        for words in (["parse"], ["findings"], ["why", "--all"], *(["show", view] for view in VIEWS)):
            yield _said([*words, run, "--format", "json"])
    for view, form in product(VIEWS, ("table", "csv")):
        _said(["show", view, str(FIXTURES / _RUNS[2]), "--format", form])
    pair, dumps = ([str(FIXTURES / run) for run in several] for several in (_PAIR, _DUMPS))
    yield _said(["compare", *pair, "--format", "json"])
    yield _said(["accuracy", *dumps, "--format", "json"])
    with tempfile.TemporaryDirectory() as folder:
        _said(["report", *pair, "-o", str(Path(folder, "report.html"))])
        _said(["export", str(FIXTURES / _RUNS[1]), "--to", "perfetto", "-o", str(Path(folder, "trace.json"))])
        _said(["parse", str(FIXTURES / _RUNS[2]), "--build", "1", "-o", str(Path(folder, "run"))])
        yield _said(["show", "layers", str(Path(folder, "run")), "--format", "json"])


def _said(words: list[str]) -> str:
    from typer.main import get_command  # noqa: PLC0415

    from trtlens.cli import app  # noqa: PLC0415

    out = io.StringIO()
    with redirect_stdout(out), redirect_stderr(io.StringIO()):
        get_command(app)(words, standalone_mode=False)
    return out.getvalue().replace(str(FIXTURES), "")


if __name__ == "__main__":
    os.environ["COLUMNS"] = "110"
    main()
