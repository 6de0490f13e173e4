"""Quantities in sentences: one unit by magnitude, three digits, one spelling, and nothing that is not there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from trtlens.quantities import (
    byte_size,
    clock_text,
    duration,
    durations,
    hexadecimal,
    interval,
    number,
    seconds,
    signed_duration,
    tactic_text,
    whole_seconds,
)

ROOT = Path(__file__).parents[1] / "trtlens"


@pytest.mark.parametrize(
    ("time_ms", "text"),
    [
        (0.0, "0 µs"), (0.008288, "8.29 µs"), (0.0663, "66.3 µs"), (0.0999, "99.9 µs"), (0.09996, "100 µs"),
        (0.515, "515 µs"), (0.9994, "999 µs"), (0.9996, "1.00 ms"), (1.0, "1.00 ms"), (1.23456, "1.23 ms"),
        (999.4, "999 ms"), (999.6, "1.00 s"), (20620.48, "20.6 s"), (1_234_567, "1,235 s"), (-0.096, "-96.0 µs"),
    ],
)  # fmt: skip
def test_times_have_three_digits_in_the_unit_that_fits(time_ms: float, text: str) -> None:
    """Microseconds below one millisecond, seconds from a thousand on; rounding never shows a thousand of the smaller unit."""
    assert duration(time_ms) == text


def test_compared_times_are_told_apart() -> None:
    """A sentence that says which of two times is shorter shows it; equal ones look equal."""
    assert durations(0.0441293, 0.044056) == ["44.13 µs", "44.06 µs"]
    assert durations(0.0663, 0.0137) == ["66.3 µs", "13.7 µs"]
    assert durations(0.0663, 0.0663) == ["66.3 µs", "66.3 µs"]
    assert durations(0.99996, 1.0) == ["999.96 µs", "1.0000 ms"]


def test_differences_carry_their_sign() -> None:
    """Plus for more, minus for less, none for nothing; long times read as on a clock."""
    assert [signed_duration(t) for t in (0.096, -0.096, 0.0)] == ["+96.0 µs", "-96.0 µs", "0 µs"]
    assert seconds(20.6) == "20.6 s"
    assert (whole_seconds(4.0), whole_seconds(250_097.0)) == ("4 s", "250,097 s")
    clocks = [clock_text(time_s) for time_s in (0.4, 59.6, 3599, 3661)]
    assert clocks == ["0 s", "1 min 00 s", "59 min 59 s", "1 h 01 min"]


@pytest.mark.parametrize(
    ("low_ms", "high_ms", "text"),
    [
        (0.40016, 0.400224, "400.16 to 400.22 µs"), (1.2, 1.2, "1.20 to 1.20 ms"), (0.0, 0.0, "0 to 0 µs"),
        (0.999, 1.001, "0.999 to 1.001 ms"), (515.0, 516.0, "515 to 516 ms"),
    ],
)  # fmt: skip
def test_two_ends_stand_in_one_unit_and_are_told_apart(low_ms: float, high_ms: float, text: str) -> None:
    """As many digits as tell the ends apart, three at least."""
    assert interval(low_ms, high_ms) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"), (512, "512 B"), (90_112, "88.0 KiB"), (1_048_575, "1.00 MiB"), (1_073_741_824, "1.00 GiB"),
        (7_527_202_816, "7.01 GiB"),
    ],
)  # fmt: skip
def test_sizes_have_three_digits_in_the_unit_that_fits(count: int, text: str) -> None:
    """Powers of 1024, with their own names."""
    assert byte_size(count) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (-3.4028234663852886e38, "-3.4e38"), (65504.0, "65,504"), (0.125, "0.125"), (1.2e-7, "1.2e-7"), (0.0, "0"),
        (2.5e9, "2.5e9"), (float("inf"), "inf"),
    ],
)  # fmt: skip
def test_numbers_of_any_magnitude_are_short(value: float, text: str) -> None:
    """The largest FP32 number has 39 digits; nobody reads them."""
    assert number(value) == text


def test_a_tactic_without_an_id_is_not_tactic_zero() -> None:
    """Zero is an id that TensorRT gives."""
    assert tactic_text(0) == "tactic 0x0000000000000000"
    assert tactic_text(None) == "a tactic without an id"
    assert hexadecimal(2**64 - 1) == "0xffffffffffffffff"


@pytest.mark.parametrize("value", [1e308, -1e308, float("inf"), float("nan")])
def test_no_value_is_long_or_an_error(value: float) -> None:
    """Whatever a file holds, its text fits into a sentence."""
    assert all(len(write(value)) < 20 for write in (duration, signed_duration, number))


def test_one_module_writes_times_and_sizes() -> None:
    """No other module formats a number and puts a unit of time, a binary size or a sixteen-digit id behind it itself."""
    own = re.compile(r"^(?: s| ?(?:ms|us|µs|[KMGT]i?B))\b(?!/)")
    found = []
    for path in ROOT.rglob("*.py"):
        if path.name == "quantities.py":
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.JoinedStr):
                pairs = zip(node.values, node.values[1:], strict=False)
                ends = [b.value for a, b in pairs if isinstance(a, ast.FormattedValue) and isinstance(b, ast.Constant)]
                specs = [
                    ast.unparse(v.format_spec)
                    for v in node.values
                    if isinstance(v, ast.FormattedValue) and v.format_spec
                ]
                if any(own.match(str(end)) for end in ends) or any("016x" in spec for spec in specs):
                    found.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert not found, found
