"""Messages of several lines: what belongs to one is in it, and no line of the hosting program is."""

from __future__ import annotations

import time

import pytest

from tests.doubles.made_logs import run_of
from trtlens_parsers.message_store import continues

PYTHON_WARNING = "[11/20/2026-22:01:26] [TRT] [W] "
ENQUEUE = "Using default stream in enqueueV3() may lead to performance issues. Please use non-default stream instead."


def texts(log: str) -> list[str]:
    """The texts of a log's messages."""
    found: list[str] = run_of(log)["messages"]["text"].to_pylist()
    return found


@pytest.mark.parametrize(
    "line",
    [
        "============================== Start [case_normal,(True,),{}]",
        "Input ->DataType.FLOAT, (-1, 1, 28, 28), (1, 1, 28, 28), x",
        "[[[[0. 1. 2.]",
        "[check]:True,maxAbsDiff=0.00e+00",
        "Succeed building engine",
        "name of nothing",
        "2026-11-20 22:01:26,998 - INFO - other: line",
        "</div>",
        "/home/user/script.py:12: DeprecationWarning: Use set_memory_pool_limit instead.",
        "ERROR: Deserialize engine failed",
    ],
)
def test_the_next_print_of_a_program_is_no_part_of_a_warning(line: str) -> None:
    """A message that is whole ends on its line, whatever stands below it; the line is the program's."""
    run = run_of(f"{PYTHON_WARNING}{ENQUEUE}\n{line}\n")
    assert run["messages"]["text"].to_pylist() == [ENQUEUE]
    assert {row["kind"]: row["lines"] for row in run["reading"].to_pylist()}["foreign"] == 1


@pytest.mark.parametrize(
    "lines",
    [
        ["Tactic Device request: 8193MB. Skipping tactic 3 due to insufficient memory on requested size of 8589934592.",
         "Try decreasing the workspace size with IBuilderConfig::setMemoryPoolLimit()."],
        ["parsers/onnx/ModelImporter.cpp:796: ERROR: parsers/onnx/ModelImporter.cpp:179 In function parseGraph:",
         "[6] Invalid Node - Pad_1", "[shuffleNode.cpp::symbolicExecute::387] Error Code 4: Internal Error (no)"],
        ["ModelImporter.cpp:796: ERROR: ModelImporter.cpp:179 In function parseGraph:", "[6] Invalid Node - Identity_0",
         "scale: invalid weights type of Int8"],
        ['ModelImporter.cpp:793: input: "x"', 'output: "y"', 'name: "Pad_1"', 'op_type: "Pad"', "attribute {", '  name: "mode"',
         '  s: "reflect"', "  type: STRING", "}"],
        ["1: [runtime.cpp::run::12] Error Code 3: API Usage Error (Parameter check failed, condition: a[x] || ok", ")"],
        ["Weights [name=conv.weight] had the following issues when converted to FP16:", "- Subnormal FP16 values detected."],
        ["Error Code: 9: Skipping tactic 0x0000000000000000 due to exception [shape.cpp:~op_streamer_t:136]",
         "Error during shape inference of", "", "/scale_out = mul(a', b')"],
    ],
)  # fmt: skip
def test_messages_of_several_lines_are_whole(lines: list[str]) -> None:
    """What a message leaves open, or what begins as its lines do, belongs to it; the print below does not."""
    head, *rest = lines
    log = f"[11/20/2026-22:01:26] [E] [TRT] {head}\n" + "".join(f"{line}\n" for line in rest)
    after = "" if " due to exception [" in head else "Succeed building engine\n"
    whole = "\n".join([head, *(line.strip() for line in rest if line)])
    assert texts(log + after + f"{PYTHON_WARNING}{ENQUEUE}\nprinted\n") == [whole, ENQUEUE]


def test_polygraphy_indents_the_lines_of_a_message() -> None:
    """Whatever they say; and other programs indent what they print."""
    polygraphy = "[W] Input tensor: x | Will generate data of shape: [1, 3].\n    Any other text.\nnot indented\n"
    assert texts(polygraphy) == ["Input tensor: x | Will generate data of shape: [1, 3].\nAny other text."]
    assert texts(f"{PYTHON_WARNING}{ENQUEUE}\n    indented print\n") == [ENQUEUE]


@pytest.mark.parametrize(
    "unit", ["[1] Invalid Node - ", "In node 1 (", "a: ", '.cpp:1: a: "', "[a::b::1] ", " ", "[x.cpp:", "}"]
)
def test_a_long_line_takes_the_time_of_its_length(unit: str) -> None:
    """A megabyte of anything is told in one pass."""
    text = unit * (1_000_000 // len(unit))
    begin = time.process_time()
    for message, line in ((text, "x"), ("x", text), (text, text)):
        continues(message, line)
    assert time.process_time() - begin < 1
