"""The rows of an engine in a log: none is lost without being counted, and nothing else is taken for one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.doubles.made_logs import PREFIX, log, run_of
from trtlens.runs.run import open_run
from trtlens.summary import summarise

if TYPE_CHECKING:
    from pathlib import Path

ROW = "Layer(CaskConvolution): conv{}, Tactic: 0x00000000000000{:02x}, x{} (Float[1,8]) -> y{} (Float[1,8])"
ROWS = [ROW.format(n, n, n, n) for n in range(4)]
BROKEN = "Layer(CaskConvolution): conv2, Tactic: 0x0000000000000002, x2 (Float[1,8]) -> y2 (Flo"
HEAD = ("Engine generation completed in 2 seconds.", "Engine Layer Information:")
BEHIND = "Adding 1 engine(s) to plan file."


def facts(text: str) -> dict[str, str]:
    """What a summary says of the only build."""
    (summary,) = summarise(run_of(text))
    return {fact.label: fact.value for fact in summary.facts}


def kinds(text: str) -> dict[str, int]:
    """Lines by how they were read."""
    return {row["kind"]: row["lines"] for row in run_of(text)["reading"].to_pylist() if row["lines"]}


def test_a_layer_that_is_not_understood_is_unread_and_keeps_its_place() -> None:
    """It is no other program's line, the build and the summary count it, and the layers behind it keep their index."""
    text = log(*HEAD, *ROWS[:2], BROKEN, ROWS[3], BEHIND)
    run = run_of(text)
    assert [(row["index"], row["name"]) for row in run["layers"].to_pylist()] == [
        (0, "conv0"), (1, "conv1"), (3, "conv3"),
    ]  # fmt: skip
    assert run["layer_tensors"]["layer_index"].to_pylist() == [0, 0, 1, 1, 3, 3]
    assert (run["builds"]["unread_rows"][0].as_py(), run["builds"]["layer_count"][0].as_py()) == (1, 4)
    assert facts(text)["layers"] == "3: 3 CaskConvolution; 1 row among them not understood"
    assert kinds(text)["unread"] == 1
    assert "foreign" not in kinds(text)


def test_what_is_not_understood_in_the_inspectors_file_is_counted(tmp_path: Path) -> None:
    """Beside a log or alone, the build counts rows that are neither layers nor tensors, the summary says how many."""
    layers = tmp_path / "layers.json"
    good = {"Name": "conv0", "LayerType": "CaskConvolution", "Inputs": [], "Outputs": []}
    layers.write_text(json.dumps({"Layers": [good, {"LayerType": "T"}, 7], "Bindings": ["x", []]}))
    (tmp_path / "build.log").write_text(log(*HEAD, ROWS[0], BEHIND))
    for files in ([layers], [tmp_path / "build.log", layers]):
        run = open_run(files)
        assert run["builds"]["unread_rows"].to_pylist() == [3]
        (summary,) = summarise(run)
        assert {fact.label: fact.value for fact in summary.facts}["layers"].endswith(
            "; 3 rows among them not understood"
        )


@pytest.mark.parametrize("prefix", ["[X] ", PREFIX])
def test_a_prefixed_row_that_is_not_understood_is_unread(prefix: str) -> None:
    """7.x puts its prefix before each row, and Polygraphy's could be another program's: a layer's row is TensorRT's."""
    text = "".join(f"{prefix}{line}\n" for line in (*HEAD, *ROWS[:2], BROKEN, ROWS[3]))
    assert kinds(text).get("unread") == 1
    assert run_of(text)["builds"]["unread_rows"].to_pylist() == [1]


def test_whatever_stands_among_the_rows_is_unread() -> None:
    """A line that begins like nothing is not taken for another program's while the block lasts, and is behind it."""
    text = log(*HEAD, *ROWS[:2]) + "...more\n" + ROWS[2] + "\n" + log(BEHIND) + "another program's\n"
    assert run_of(text)["builds"]["unread_rows"].to_pylist() == [1]
    assert run_of(text)["layers"]["index"].to_pylist() == [0, 1, 2]
    assert (kinds(text)["unread"], kinds(text)["foreign"]) == (1, 1)


def test_a_message_between_two_rows_does_not_end_the_block() -> None:
    """Warnings come through another stream and can stand anywhere."""
    text = log(*HEAD, *ROWS[:2]) + f"{PREFIX.replace('[V]', '[W]')}a warning\n" + f"{ROWS[2]}\nodd\n"
    assert run_of(text)["layers"].num_rows == 3
    assert run_of(text)["builds"]["unread_rows"].to_pylist() == [1]


def test_names_of_layers_end_with_their_block() -> None:
    """An engine built with names alone lists them behind `Layers:`, also below rows of the verbose log."""
    names = log(*HEAD, *ROWS[:2], BEHIND, "Layers:") + "first\nsecond\n\n" + log(BEHIND) + "another program's\n"
    run = run_of(names)
    assert run["builds"]["layer_count"].to_pylist() == [2]
    assert run["builds"]["unread_rows"].to_pylist() == [0]
    assert kinds(names)["foreign"] == 1
    alone = log("Layers:") + "first\nsecond\nthird\n\n" + log(BEHIND) + "another program's\n"
    assert run_of(alone)["builds"]["layer_count"].to_pylist() == [3]


def test_bindings_end_with_their_block() -> None:
    """What a program prints lines below the bindings is no binding."""
    text = log(*HEAD, *ROWS) + "\nBindings:\nx\ny\n" + log(BEHIND) + "[[0.1 0.2]\n [0.3 0.4]]\n"
    assert run_of(text)["bindings"]["name"].to_pylist() == ["x", "y"]
    assert kinds(text)["foreign"] == 2


TUNED = ("Original: 9 layers", "After reformat layers: 7 layers")


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (TUNED, "7, not listed: they are printed when an engine is finished"),
        (TUNED[:1], "not listed: they are printed when an engine is finished"),
        ((*TUNED, "Engine generation completed in 1 seconds."), "7, not listed, although the log is verbose (TensorRT 5 lists none)"),
        (("Detected 1 inputs and 1 output network tensors.",), "not listed in the log (they are at verbose level)"),
    ],
)  # fmt: skip
def test_why_no_layers_are_listed(texts: tuple[str, ...], said: str) -> None:
    """A verbose log that is cut is not called one without verbose lines."""
    assert facts(log(*texts))["layers"] == said


def test_every_type_of_layer_is_counted() -> None:
    """No type hides behind others, however many there are."""
    types = ["CaskConvolution", "Reformat", "NoOp", "Shuffle", "Constant", "PointWiseV2", "Myelin", "Reduce"]
    rows = [
        f"Layer({kind}): l{n}, Tactic: 0x0000000000000000, x{n} (Float[1]) -> y{n} (Float[1])"
        for n, kind in enumerate(types)
    ]
    assert facts(log(*HEAD, *rows, BEHIND))["layers"] == "8: " + ", ".join(f"1 {kind}" for kind in types)
