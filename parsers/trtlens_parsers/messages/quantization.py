"""What number formats cost: INT8 ranges and scales of tensors, and weights that lost something when they were converted."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from trtlens_parsers.line_forms import LineReader, line_form
from trtlens_parsers.messages.memory_lines import FLOAT

if TYPE_CHECKING:
    from trtlens_parsers.records import Records

_SCALE = r"Quantization\(scale: \{(?P<scale>[^{}]{0,200})\}, zero-point: \{(?P<zero_point>[^{}]{0,200})\}\)"


class DynamicRange(NamedTuple):
    """The INT8 range or scale that a tensor was given; ``origin`` is ``set``, ``default``, ``override`` or ``calibration``."""

    tensor: str | None
    low: float | None
    high: float | None
    scale: float | None
    zero_point: float | None
    origin: str
    line: int


@line_form(
    DynamicRange,
    "Setting dynamic range for ",
    pattern=rf"Setting dynamic range for (?P<tensor>.*) to \[(?P<low>-?{FLOAT}),(?P<high>-?{FLOAT})\]\s*$",
    versions="8.4 to 8.6",
    examples=("Setting dynamic range for x to [-2.5,2.5]",),
)
def read_range(found: re.Match[str], line: int) -> DynamicRange:
    """Both bounds."""
    return DynamicRange(found["tensor"], float(found["low"]), float(found["high"]), None, None, "set", line)


@line_form(
    DynamicRange,
    "Setting a default quantization params because quantization data is missing for ",
    pattern="Setting a default quantization params because quantization data is missing for (?P<tensor>.*)",
    versions="8.4 to 8.6",
    examples=("Setting a default quantization params because quantization data is missing for x",),
)
def read_default(found: re.Match[str], line: int) -> DynamicRange:
    """A tensor without data; its name is empty in nearly all lines."""
    return DynamicRange(found["tensor"].strip() or None, None, None, None, None, "default", line)


@line_form(
    DynamicRange,
    "User overriding scale ",
    pattern=rf"User overriding scale .*?{_SCALE}",
    versions="8.4 to 8.6",
    examples=("User overriding scale with scale and zero-point Quantization(scale: {0.01,}, zero-point: {0,})",),
)
def read_override(found: re.Match[str], line: int) -> DynamicRange:
    """A scale that the network's Q/DQ layers give; no tensor is named."""
    return DynamicRange(None, None, None, *_scale_of(found), "override", line)


@line_form(
    DynamicRange,
    "INT8 Inference Tensor scales and zero-points: ",
    pattern=rf"INT8 Inference Tensor scales and zero-points: (?P<tensor>.*) scale and zero-point {_SCALE}",
    versions="8.6",
    examples=(
        "INT8 Inference Tensor scales and zero-points: x scale and zero-point Quantization(scale: {0.01,}, zero-point: {0,})",
    ),
)
def read_calibrated(found: re.Match[str], line: int) -> DynamicRange:
    """What a calibration found; a scale of 0 stands for none."""
    scale, zero_point = _scale_of(found)
    return DynamicRange(found["tensor"], None, None, scale or None, zero_point, "calibration", line)


def _scale_of(found: re.Match[str]) -> tuple[float | None, float | None]:
    return _only_number(found["scale"]), _only_number(found["zero_point"])


def _only_number(text: str) -> float | None:
    """The number of ``0.015748,``; None for per-channel lists, which have no single value."""
    parts = [part for part in text.split(",") if part.strip()]
    try:
        return float(parts[0]) if len(parts) == 1 else None
    except ValueError:
        return None


class WeightIssue(NamedTuple):
    """What some weights lost when they were converted; ``weights`` is None where their list is absent or ambiguous."""

    issue: str
    affected: int
    weights: tuple[str, ...] | None
    text: str | None
    line: int


class WeightReader(LineReader):
    """Joins a warning that counts weights (8.5 on) with the line below it that lists them in a verbose log."""

    _COUNTED = re.compile(r"- (?P<count>\d{1,9}) weights are affected by this issue: (?P<issue>.{1,500})", re.DOTALL)

    def __init__(self, records: Records) -> None:
        super().__init__(records)
        self._issues = records.of(WeightIssue)

    def alarm(self, text: str, line: int) -> None:
        """A warning that may count weights."""
        match = self._COUNTED.match(text) if text.startswith("- ") else None
        if match is not None:
            self._issues.append(WeightIssue(match["issue"].rstrip(), int(match["count"]), None, None, line))

    @line_form(
        WeightIssue,
        "List of affected weights: ",
        "  List of affected weights: ",
        versions="8.5 and 8.6",
        examples=(
            "[W] - 2 weights are affected by this issue: Detected subnormal FP16 values.",
            "List of affected weights: conv1.weight, fc.weight",
            "[W] - 1 weights are affected by this issue: Detected subnormal FP16 values.",
            "  List of affected weights: conv1.weight",
        ),
    )
    def weights(self, text: str, line: int) -> bool:  # noqa: ARG002  a handler is called with the line
        """The names behind the warning above; a name can hold commas, so only as many as were counted are told apart."""
        names = text.strip().removeprefix("List of affected weights: ")
        last = self._issues[-1] if self._issues else None
        if last is None or last.text is not None or names == text.strip():
            return False
        weights = tuple(names.split(", "))
        self._issues[-1] = last._replace(text=names, weights=weights if len(weights) == last.affected else None)
        return True
