"""trtexec's JSON exports and saved layer times."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trtlens_parsers.errors import FormatError
from trtlens_parsers.exports import (
    LayerTimes,
    ProfileExport,
    ProfileRow,
    TimesExport,
    read_export,
    read_layer_times,
    read_profile,
    read_times,
    recognise,
)

if TYPE_CHECKING:
    from collections.abc import Callable

FIXTURES = Path(__file__).parents[1] / "fixtures"

PROFILE = """[
  { "count" : 50 }
, { "name" : "a "b" C:\\new + {x}", "timeMs" : 1.5, "averageMs" : 0.03, "medianMs" : 0.0299, "percentage" : 75 }
, { "name" : "a\x1eb", "timeMs" : 0.5, "averageMs" : 0.01, "medianMs" : 0.01, "percentage" : 25 }
, { "name" : "a\x1eb", "timeMs" : 0, "averageMs" : nan, "medianMs" : -nan, "percentage" : -nan }
]
"""
ROWS = (
    ProfileRow('a "b" C:\\new + {x}', 1.5, 0.03, 0.0299, 75),
    ProfileRow("a\x1eb", 0.5, 0.01, 0.01, 25),
    ProfileRow("a\x1eb", 0, None, None, None),
)
TIMES = """[
  { "startEnqMs" : 1, "endEnqMs" : 1.25, "startH2dMs" : 1, "endH2dMs" : 1.5, "startComputeMs" : 1.5, "endComputeMs" : 2
, "startD2hMs" : 2, "endD2hMs" : 2.5, "h2dMs" : 0.5, "computeMs" : 0.5, "d2hMs" : 0.5, "latencyMs" : 1.5 }
, { "startEnqMs" : nan, "computeMs" : 0.75, "latencyMs" : -nan, "endToEndMs" : inf }
]
"""
OUTPUT = '[\n  { "name" : "logits"\n  , "dimensions" : "1x10"\n  , "values" : [ 1, 2 ]\n  }\n]\n'


def test_a_profile_of_trtexec() -> None:
    """Rows keep their order, repeated names, raw quotes and backslashes; nan is None."""
    assert read_profile(PROFILE) == ProfileExport(50, ROWS)
    assert read_profile(PROFILE.replace("\n", "\r\n")) == ProfileExport(50, ROWS)


def test_a_profile_of_8_2_has_no_median() -> None:
    """The column that 8.2 does not print is None."""
    text = '[\n  { "count" : 2 }\n, { "name" : "a", "timeMs" : 1, "averageMs" : 0.5, "percentage" : 100 }\n]\n'
    assert read_profile(text).rows == (ProfileRow("a", 1, 0.5, None, 100),)


def test_a_profile_that_a_json_library_wrote() -> None:
    """The same document with escapes and other blanks reads alike, with or without the count."""
    rows = [
        {
            "name": row.name,
            "timeMs": row.time_ms,
            "averageMs": row.average_ms,
            "medianMs": row.median_ms,
            "percentage": row.percentage,
        }
        for row in ROWS
    ]
    assert read_profile(json.dumps([{"count": 50}, *rows])) == ProfileExport(50, ROWS)
    assert read_profile(json.dumps(rows, indent=2)) == ProfileExport(None, ROWS)


def test_times_of_trtexec() -> None:
    """Each inference gives its points in time and durations; what is not printed, nan or infinite is None."""
    first, second = read_times(TIMES).rows
    assert (first.compute_ms, first.latency_ms, first.enqueue_ms, first.end_to_end_ms) == (0.5, 1.5, 0.25, None)
    assert (first.start_d2h_ms, first.end_h2d_ms, first.start_compute_ms) == (2, 1.5, 1.5)
    assert (second.compute_ms, second.latency_ms, second.enqueue_ms, second.end_to_end_ms) == (0.75, None, None, None)


def test_layer_times_keep_order_and_repeated_names() -> None:
    """Layer times are pairs in the document's order; a time that is not finite is None."""
    assert read_layer_times('{"b": [1, 0.5], "a": [], "b": [NaN]}') == LayerTimes(
        (("b", (1.0, 0.5)), ("a", ()), ("b", (None,)))
    )


@pytest.mark.parametrize("path", sorted(FIXTURES.glob("inspector-*/*/layer-times.json")), ids=lambda p: p.parent.name)
def test_measured_layer_times(path: Path) -> None:
    """Measured layer times are recognised and give every layer as many times as there were executions."""
    text = path.read_bytes().decode()
    assert recognise(text) == "layer_times"
    times = read_layer_times(text)
    assert {len(row) for _, row in times.rows} == {5}
    assert all(time_ms is not None and time_ms >= 0 for _, row in times.rows for time_ms in row)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (PROFILE, "profile"),
        ('[{"name": "a", "timeMs": 1}]', "profile"),
        (TIMES, "times"),
        (OUTPUT, "output"),
        ('{"a \\"b\\"": [0.5, 1]}', "layer_times"),
        ('{"Layers": ["a"]}', "inspector"),
        ('\ufeff\n{"Bindings" : [], "Layers": []}', "inspector"),
        ('{"lst": [["trt", []]], "polygraphy_class": "RunResults"}', None),
        ('{"a": {"b": [1]}}', None),
        ('{"a": []}', None),
        ("[]", None),
        ("{}", None),
        ("[07/07/2026-02:11:38] [I] Layers:", None),
        ("Layer(T): a", None),
        ("", None),
    ],
)
def test_a_document_is_known_by_its_content(text: str, kind: str | None) -> None:
    """The beginning of a document tells its kind; a log, another JSON or nothing has none."""
    assert recognise(text) == kind


def test_export_of_a_kind() -> None:
    """A recognised kind leads to its reader; a kind without times is refused with a sentence."""
    assert isinstance(read_export(PROFILE, "profile"), ProfileExport)
    assert isinstance(read_export(TIMES, "times"), TimesExport)
    assert isinstance(read_export('{"a": [1]}', "layer_times"), LayerTimes)
    with pytest.raises(FormatError, match="'output' holds no times"):
        read_export(OUTPUT, "output")


@pytest.mark.parametrize(
    ("reader", "text", "sentence"),
    [
        (read_profile, "", "not JSON"),
        (read_profile, "{}", "no list of objects"),
        (read_profile, "[1]", "something else than objects"),
        (read_profile, '[{"count": 1.5}]', "no whole number"),
        (read_profile, '[{"name": "a"}]', "no timeMs"),
        (read_profile, '[{"name": "a", "timeMs": "1"}]', "a time is no number"),
        (read_profile, '[\n  { "count" : 2 }\n, { "name" : "a", "ti', "line 3 of the profile is no layer"),
        (read_profile, PROFILE.replace("1.5", "1.5.5"), "line 3 of the profile holds a time that is no number"),
        (read_times, "[{}]", "no computeMs"),
        (read_times, '[{"computeMs": true}]', "a time is no number"),
        (read_times, "[" * 200_000, "nested too deeply"),
        (read_layer_times, '{"a": 1}', "no object of layer names"),
        (read_layer_times, '{"a": [[1]]}', "a time is no number"),
        (read_layer_times, "[]", "no object of layer names"),
    ],
)
def test_a_broken_document_is_refused_with_a_sentence(
    reader: Callable[[str], object], text: str, sentence: str
) -> None:
    """What cannot be read raises one error that says what was wrong, with the value or the line."""
    with pytest.raises(FormatError, match=sentence):
        reader(text)


@given(
    st.text() | st.text().map(lambda text: PROFILE.replace("nan", text)),
    st.sampled_from(["profile", "times", "layer_times"]),
)
def test_any_text_reads_or_is_refused(text: str, kind: str) -> None:
    """No text makes a reader raise anything but its own error, and any text has a kind or none."""
    assert recognise(text) in {None, "inspector", "profile", "times", "output", "layer_times"}
    with suppress(FormatError):
        assert isinstance(read_export(text, kind).rows, tuple)


@pytest.mark.parametrize("unit", ["a", '"', "[", "\\", "-", " ", "\n", '{"a": ', 'nan "name" : "'])
def test_time_is_bounded_by_length(unit: str) -> None:
    """Two megabytes of one repeated piece are read or refused in the time of one pass, not of a square."""
    for head in ("", "[", '{"', '[\n  { "count" : 1 }\n, { "name" : "'):
        text = head + unit * (2_000_000 // len(unit))
        start = time.process_time()
        recognise(text)
        assert time.process_time() - start < 3
        for kind in ("profile", "times", "layer_times"):
            start = time.process_time()
            with pytest.raises(FormatError):
                read_export(text, kind)
            assert time.process_time() - start < 3
