"""What an installed trtlens must do: every view in every format, and each reading command, over runs of the fixtures.

Run by `benchmarks/release.py` with the Python of a fresh environment, in a folder outside of the checkout. Prints one line: the seconds that importing
trtlens takes, the seconds to the first answer, and a digest of all that was printed, which is the same with every version of Python and of the dependencies.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import os
import re
import subprocess
import sys
import tempfile
import time
from contextlib import redirect_stderr, redirect_stdout
from itertools import product
from pathlib import Path

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


_FIGURE = re.compile(r"-?\d+\.\d+(?:e[+-]?\d+)?")


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
    print(f"{import_s:.3f} {answer_s:.2f} {_digest()}")


def _in_own_process(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True).stdout


def _digest() -> str:
    """A digest of all outputs; the report, which holds Plotly's own script, is made and not counted."""
    from trtlens import VIEWS, open_run  # noqa: PLC0415
    from trtlens.output import to_json  # noqa: PLC0415

    digest = hashlib.sha256()
    for name in _RUNS:
        run = open_run(FIXTURES / name)
        for view in VIEWS:
            digest.update(_FIGURE.sub(_rounded, to_json(run.view(view))).encode())
        for words in (["parse"], ["findings"], ["why", "--all"]):
            digest.update(_said([*words, str(FIXTURES / name)]))
    for view, form in product(VIEWS, ("table", "csv")):
        digest.update(_said(["show", view, str(FIXTURES / _RUNS[2]), "--format", form]))
    digest.update(_said(["compare", *(str(FIXTURES / run) for run in _PAIR), "--format", "markdown"]))
    digest.update(_said(["accuracy", *(str(FIXTURES / run) for run in _DUMPS)]))
    with tempfile.TemporaryDirectory() as folder:
        _said(["report", *(str(FIXTURES / run) for run in _PAIR), "-o", str(Path(folder, "report.html"))])
        _said(["export", str(FIXTURES / _RUNS[1]), "--to", "perfetto", "-o", str(Path(folder, "trace.json"))])
        _said(["parse", str(FIXTURES / _RUNS[2]), "--build", "1", "-o", str(Path(folder, "run"))])
        digest.update(_said(["show", "layers", str(Path(folder, "run"))]))
    return digest.hexdigest()[:16]


def _rounded(figure: re.Match[str]) -> str:
    """Six significant digits: from 3.12 on Python's own sums are rounded once, not at every step."""
    return f"{float(figure[0]):.6g}"


def _said(words: list[str]) -> bytes:
    from typer.main import get_command  # noqa: PLC0415

    from trtlens.cli import app  # noqa: PLC0415

    out = io.StringIO()
    with redirect_stdout(out), redirect_stderr(io.StringIO()):
        get_command(app)(words, standalone_mode=False)
    return out.getvalue().replace(str(FIXTURES), "").encode()


if __name__ == "__main__":
    os.environ["COLUMNS"] = "110"
    main()
