"""Writes docs/questions.md: questions, the command that answers each, and what it prints; a test checks that the file is up to date.

Run: ``python docs/make_questions.py``, in a checkout: the commands read its fixtures.
"""

from __future__ import annotations

import io
import os
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

from typer.main import get_command

from trtlens.cli import app

_ROOT = Path(__file__).parents[1]
_MOST_LINES = 10
_WIDTH = "110"
_HEAD = """# Questions

What people ask of a TensorRT engine, the command that answers it, and the first lines of what it prints, here of this repository's fixtures (each
command runs in a checkout). The first line is the answer; what is not known is said to be unknown. This page is made by `docs/make_questions.py`.
"""

QUESTIONS = (
    ("What did this build do?", "parse fixtures/h200/resnet50-int8-compared"),
    ("Why did the build fail?", "parse fixtures/h200/refused"),
    ("How long does an inference take?", "show latency fixtures/h200/resnet50-fp16-traced"),
    ("What is the time of an inference made of?", "show inference fixtures/h200/resnet50-fp16-traced"),
    ("How fast could each layer be on this GPU, and what stands in the way?", "show bound fixtures/h200/resnet50-fp16-traced --top 3"),
    ("What would it take on another GPU?", "show bound fixtures/h200/resnet50-fp16-traced --on T4 --top 3"),
    ("Which layers take the most time?", "show slowest fixtures/h200/resnet50-int8-compared"),
    ("Which layers run in which precision, with which kernel?", "show layers fixtures/h200/resnet50-int8-compared"),
    ("FP16 is as slow as FP32: how much of the engine is FP16, INT8, FP32?", "show precision fixtures/h200/resnet50-fp16-traced"),
    ("What uses tensor cores, and what does not although it could?", "show tensorcores fixtures/releases/8.6-cuda-cores.log"),
    ("What does this kernel's name mean?", "kernel ampere_fp16_s16816gemm_fp16_128x64_ldg8_f2f_stages_64x4_tn"),
    ("What do the reformats cost?", "show reformats fixtures/h200/resnet50-int8-compared"),
    ("Who causes the reformats, and what can be done about them?", "show reformat_causes fixtures/h200/resnet50-int8-compared"),
    ("Why did TensorRT choose this tactic for that ONNX node?", "why /conv1/Conv fixtures/h200/resnet50-int8-compared"),
    ("Which layers could run faster tactics?", "why --all fixtures/h200/resnet50-int8-compared"),
    ("What would a seasoned engineer notice?", "findings fixtures/h200/resnet50-int8-compared"),
    ("What runs inside a Myelin region (ForeignNode)?", "show kernels_run fixtures/traces/myelin-region"),
    ("Which ONNX nodes became which layer?", "show onnx_nodes fixtures/h200/resnet50-int8-compared"),
    ("Where did the build's time go?", "show build fixtures/h200/resnet50-fp16-traced"),
    ("Which warnings matter?", "show messages fixtures/h200/resnet50-fp16-traced"),
    ("Which layers need memory?", "show memory fixtures/h200/resnet50-fp16-traced"),
    ("Why is INT8 slower than FP16 here? What changed between two builds?", "compare fixtures/h200/resnet50-fp16-compared fixtures/h200/resnet50-int8-compared"),
    ("Which layer first goes wrong in FP16?", "accuracy fixtures/h200-dumps/overflowing_rms_norm-reference fixtures/h200-dumps/overflowing_rms_norm-held"),
    ("What overflows in FP16, before any engine is built?", "show overflow fixtures/h200-dumps/overflowing_rms_norm-reference"),
    ("Which few layers should stay in FP32?", "show pins fixtures/h200/resnet50-int8-compared"),
)  # fmt: skip
"""Questions, and the words of the command behind ``trtlens``."""


def page() -> str:
    """The whole page."""
    return "\n".join([_HEAD, *(_section(question, words) for question, words in QUESTIONS)])


def _section(question: str, words: str) -> str:
    lines = _printed(words)
    shown = [*lines[:_MOST_LINES], "..."] if len(lines) > _MOST_LINES else lines
    text = "\n".join(line.rstrip() for line in shown)
    return f"## {question}\n\n```console\n$ trtlens {words}\n{text}\n```\n"


def _printed(words: str) -> list[str]:
    """What a command writes to standard output, with names of files as in a checkout."""
    out, place = io.StringIO(), f"{_ROOT}/fixtures/"
    with patch.dict(os.environ, COLUMNS=_WIDTH), redirect_stdout(out), redirect_stderr(io.StringIO()):
        get_command(app)(words.replace("fixtures/", place).split(), standalone_mode=False)
    return out.getvalue().replace(place, "fixtures/").rstrip("\n").split("\n")


if __name__ == "__main__":
    (Path(__file__).parent / "questions.md").write_text(page(), "utf-8")
