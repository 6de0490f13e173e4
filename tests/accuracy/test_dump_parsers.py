"""The text and JSON forms of dumps, as text alone: what is read, what is refused, and that nothing takes long."""

from __future__ import annotations

import json
import math
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trtlens_parsers.dump_index import read_comparison, read_index, read_saved, recognise_index
from trtlens_parsers.errors import FormatError
from trtlens_parsers.saved_tensors import (
    read_outputs,
    read_run_results,
    read_shape,
    read_summary,
    read_values,
    recognise_dump,
)

if TYPE_CHECKING:
    from collections.abc import Callable

READERS: list[Callable[[str], Any]] = [
    read_shape, read_values, read_run_results, read_outputs, read_summary, read_index, read_comparison,
    recognise_dump, recognise_index,
]  # fmt: skip


@pytest.mark.parametrize("reader", READERS)
@given(
    text=st.text(alphabet=st.characters(codec="utf-8"), max_size=200) | st.from_regex(r"[\[\]{}\",:0-9 .naif-]{0,80}")
)
def test_any_text_is_read_or_refused(reader: Callable[[str], Any], text: str) -> None:
    """Whatever the text, a reader returns or raises FormatError and nothing else."""
    with suppress(FormatError):
        reader(text)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("unit", ["[", "1", "{", '"', "1 ", '{"', "[ ", "\\", "nan", ",", '[{"name" : "'])
def test_two_megabytes_of_one_thing_take_the_time_of_one_pass(reader: Callable[[str], Any], unit: str) -> None:
    """No reader is slow on a long line of one repeated piece."""
    text = unit * (2_000_000 // len(unit))
    start = time.process_time()
    with suppress(FormatError):
        reader(text)
    # numbers are really read: 5 million of them
    assert time.process_time() - start < (8.0 if unit == "1 " and reader is read_values else 3.0)


@pytest.mark.parametrize(
    ("line", "shape"),
    [("[1, 10, 1, 1]", (1, 10, 1, 1)), ("[8]", (8,)), ("[]", ()), (" [2,3] \r", (2, 3)), ("[0, 5]", (0, 5))],
)
def test_shape_of_the_first_line(line: str, shape: tuple[int, ...]) -> None:
    """The extents in brackets, with or without blanks."""
    assert read_shape(line) == shape


@pytest.mark.parametrize(
    "line", ["1, 10", "[1, -1]", "[1, x]", "[1,,2]", "[1.5]", "", "[1, 2", "[99999999999999999999]"]
)
def test_what_is_no_shape_is_refused(line: str) -> None:
    """Negative, missing, fractional and endless extents are no shape."""
    with pytest.raises(FormatError, match="no shape"):
        read_shape(line)


def test_values_in_rows_and_as_printed_by_any_runtime() -> None:
    """White space of any kind separates; nan and inf are read in the C and in Microsoft's spelling."""
    assert read_values("1 2.5\n-3e-2\r\n\t+4") == [1.0, 2.5, -0.03, 4.0]
    odd = read_values("nan -nan inf -inf 1.#INF -1.#INF000 -1.#IND nan(0x1) -nan(ind)")
    assert [value for value in odd if not math.isnan(value)] == [math.inf, -math.inf, math.inf, -math.inf]
    assert len(odd) == 9
    assert read_values("[[1 2]\n [3]]", nested=True) == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("text", ["1_0", "0x10", "\x01", "\uff11", "abc", "1,5", "[1]", "9" * 65, "1.#INFINITY"])
def test_what_is_no_printed_number_is_refused(text: str) -> None:
    """Python's own spellings, characters of INT8 dumps, and endless digits are no numbers here."""
    with pytest.raises(FormatError, match="no number"):
        read_values(f"1 {text} 2")


def test_exported_outputs_with_odd_names_and_values() -> None:
    """Names are not escaped and nan is bare; the lines tell what is what all the same."""
    text = '[\n  { "name" : "a"b\\c"\n  , "dimensions" : "1x3"\n  , "values" : [ 1, nan, -inf ]\n  }\n]\n'
    (output,) = read_outputs(text)
    assert (output.name, output.shape) == ('a"b\\c', (1, 3))
    assert math.isnan(output.values[1])
    assert output.values[2] == -math.inf


def test_exported_outputs_of_another_json_writer() -> None:
    """The same document in any other spelling is read as JSON."""
    text = json.dumps([{"name": "x", "dimensions": "2", "values": [1, 2.5]}], indent=3)
    assert read_outputs(text)[0].values == (1.0, 2.5)


@pytest.mark.parametrize(
    "text",
    [
        '[\n  { "name" : "a"\n  , "dimensions" : "1x3"\n',
        '[{"name": "x", "dimensions": "2", "values": ["1"]}]',
        '[{"name": "x", "dimensions": "-2", "values": [1]}]',
        '[{"name": "x", "dimensions": "1"}]',
        '[{"name": "x", "dimensions": "1", "values": [1' + "0" * 400 + "]}]",
    ],
)
def test_broken_exported_outputs_are_refused(text: str) -> None:
    """A document that is cut off, or whose values are none, is not half read."""
    with pytest.raises(FormatError):
        read_outputs(text)


def run_results(tensor: dict[str, Any]) -> str:
    """RunResults with one tensor."""
    iteration = {"outputs": {"x": tensor}, "runtime": 1.0, "polygraphy_class": "IterationResult"}
    return json.dumps({"lst": [["r", [iteration]]], "polygraphy_class": "RunResults"})


def test_torch_tensors_are_named_and_never_opened() -> None:
    """A torch tensor of Polygraphy is a pickle: it is refused, whichever way it is marked."""
    for marked in (
        {"tensor": "gASV", "polygraphy_class": "Tensor"},
        {"polygraphy_class": "Tensor"},
        {"tensor": "gASV"},
    ):
        (iteration,) = read_run_results(run_results({"values": marked, "polygraphy_class": "LazyArray"}))
        assert iteration.tensors[0].npy is None
        assert "pickle" in (iteration.tensors[0].refused or "")


def test_legacy_results_are_read() -> None:
    """Old releases mark classes by a key of their own and write bytes as Latin-1 text."""
    legacy = {"array": "\x93NUMPY\x01\x00", "__polygraphy_encoded_ndarray": "polygraphy_serialized_json_type"}
    (iteration,) = read_run_results(run_results(legacy))
    assert iteration.tensors[0].npy == b"\x93NUMPY\x01\x00"


def test_saved_inputs_are_a_runner_of_their_own() -> None:
    """`--save-inputs` writes a list of feeds."""
    iterations = read_run_results(json.dumps([{"x": {"array": "AAAA"}}, {"x": {"array": "AAAA"}}]))
    assert [(iteration.runner, iteration.number) for iteration in iterations] == [("inputs", 0), ("inputs", 1)]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('{\n "lst": [', "polygraphy"),
        ('[{"input": {"array": "x"', "polygraphy"),
        ('[\n  { "name" : "out"\n  , "dimensions" : "1"', "output"),
        ('{\n  "metadata": {\n    "title": "Tensor', "summary"),
        ('{"Layers": []}', None),
        ("[1, 2]\n1\n", None),
    ],
)
def test_documents_are_told_apart(text: str, kind: str | None) -> None:
    """The beginning tells which document it is."""
    assert recognise_dump(text) == kind


def index(**changes: Any) -> str:
    """A dump.json with one tensor."""
    tensor = {"name": "x", "role": "inner", "dtype": "fp32", "shape": [2], "file": "tensors/x.npy", **changes}
    return json.dumps({"trtlens_dump": 1, "tensors": [tensor], "nodes": []})


@pytest.mark.parametrize(
    "file", ["../x", "/etc/passwd", "a/../../x", "..", "C:\\x", "a\\..\\b", "tensors/\0", "", "c:x"]
)
def test_files_outside_of_the_dump_are_refused_for_their_tensor(file: str) -> None:
    """A name that could lead out of the folder is the reason why that tensor is skipped, and no file any more."""
    (tensor,) = read_index(index(file=file)).tensors
    assert tensor.file is None
    assert "outside" in (tensor.skipped or "")


@pytest.mark.parametrize("shape", [[-1], ["2"], [True], [2**63], [2**40, 2**40], 3, [1] * 65])
def test_impossible_shapes_are_refused_for_their_tensor(shape: Any) -> None:
    """A shape that no memory holds, or that is none, is the reason why that tensor is skipped."""
    (tensor,) = read_index(index(shape=shape)).tensors
    assert tensor.file is None
    assert "shape" in (tensor.skipped or "")


@pytest.mark.parametrize(
    "text",
    [
        "{}", "[]", '{"trtlens_dump": "1"}', '{"trtlens_dump": 1, "tensors": {}}', '{"trtlens_dump": 1, "tensors": [1]}',
        '{"trtlens_dump": 1, "tensors": [{"name": 1}]}', '{"trtlens_dump": 1, "nodes": [{"name": "a", "op": "b"}]}',
        '{"trtlens_dump": 1, "tensors": [{"name": "a", "role": "inner", "ranges": {"zeros": "x"}}]}',
        '{"trtlens_dump": 1, "tensors": [{"name": "a", "role": "inner", "ranges": {"zeros": 1e999}}]}',
    ],
)  # fmt: skip
def test_broken_indices_are_refused(text: str) -> None:
    """What is no index of a dump says so."""
    with pytest.raises(FormatError):
        read_index(text)


COUNTS = dict.fromkeys(("zeros", "nan", "inf", "beyond", "subnormal", "flushed"), 0)


@pytest.mark.parametrize("count", [None, 1.0, 1e308, -1, 2**63, True])
def test_counts_that_are_none_are_refused(count: Any) -> None:
    """A count is a whole number that a table holds: nothing is rounded, and what is missing is not 0."""
    ranges = {**COUNTS, "beyond": count}
    with pytest.raises(FormatError, match=r"whole number|lack counts"):
        read_index(index(ranges=ranges))


def test_extremes_that_are_not_finite_are_unknown() -> None:
    """Extremes are of the finite values."""
    (tensor,) = read_index(index(ranges={**COUNTS, "minimum": 1, "maximum": 10**400})).tensors
    assert tensor.ranges is not None
    assert (tensor.ranges.minimum, tensor.ranges.maximum, tensor.ranges.zeros) == (1.0, None, 0)


def test_newer_formats_ask_for_an_update() -> None:
    """An index or a comparison of a newer format is not guessed at."""
    for kind, text in (("dump", '{"trtlens_dump": 99}'), ("accuracy", '{"trtlens_accuracy": 99}')):
        assert recognise_index(text) == kind
        with pytest.raises(FormatError, match="update trtlens"):
            read_saved(text, kind)
