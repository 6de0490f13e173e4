"""Memory, timing and size lines of a build: per-layer memory, totals, and the seconds that phases took (5.0 to 10.16)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from trtlens_parsers.records import DynamicRange, LayerMemory, Phase, Total

if TYPE_CHECKING:
    from trtlens_parsers.records import Handler
_BYTES = r"(\d{1,18})(?: bytes)?"
_LAYER = re.compile(
    rf"Layer: (.*) Host ?Persistent: {_BYTES} Device ?Persistent: {_BYTES}(?: Scratch Memory: {_BYTES})?\s*$"
)
_FLOAT = r"\d{1,15}(?:\.\d{0,15})?(?:e[+-]?\d{1,3})?"
_NUMBER = rf"({_FLOAT})"

# What a build states of an engine, once for each strategy and optimisation profile: the line's form and the size's name.
_TOTALS = (
    (re.compile(rf"Total Activation Memory: {_BYTES}"), "activation"),
    (re.compile(rf"Total Weights Memory: {_BYTES}"), "weights"),
    (re.compile(rf"(?:Total|Max) Scratch Memory: {_BYTES}"), "scratch"),
    (re.compile(rf"Total Host Persistent Memory: {_BYTES}"), "host persistent"),
    (re.compile(rf"Total Device Persistent Memory: {_BYTES}"), "device persistent"),
)
_DETECTED = re.compile(r"Detected \d{1,6} inputs? and \d{1,6} output network tensors")
# Seconds that TensorRT prints for a part of the build.
_PHASES = (
    (re.compile(rf"Graph construction and optimization completed in {_NUMBER} seconds"), "graph optimization"),
    (re.compile(rf"Graph construction completed in {_NUMBER} seconds"), "graph construction"),
    (re.compile(rf"Graph optimization time: {_NUMBER} seconds"), "graph optimization"),
    (re.compile(rf"Formats and tactics selection completed in {_NUMBER} seconds"), "tactic selection"),
    (re.compile(rf"Subgraph compilation completed in {_NUMBER} seconds"), "subgraph compilation"),
    (re.compile(rf"(?:Data initialization and engine|Engine) generation completed in {_NUMBER} seconds"),
     "engine generation"),
    (re.compile(rf"Calibration completed in {_NUMBER} seconds"), "calibration"),
    (re.compile(rf"Engine built in {_NUMBER} sec"), "engine built"),
    (re.compile(rf"Engine (?:deserialized|loaded) in {_NUMBER} sec"), "engine loaded"),
)  # fmt: skip
_STARTS = {
    "Total ", "Max Sc", "Detect", "Graph ", "Format", "Subgra", "Data i", "Engine", "Calibr",
}  # fmt: skip
_RANGE = "Setting dynamic range for "
_BOUNDS = re.compile(rf"(-?{_FLOAT}),(-?{_FLOAT})\]")
_CALIBRATED = "INT8 Inference Tensor scales and zero-points: "
_SCALE = re.compile(r"Quantization\(scale: \{([^{}]{0,200})\}, zero-point: \{([^{}]{0,200})\}\)")


class MemoryReader:
    """Collects one build's memory lines, totals, phases and INT8 ranges, of whatever strategy or profile they are.

    ``detected`` is whether the builder counted the engine's inputs and outputs, which it does when tactics are selected.
    """

    def __init__(self) -> None:
        self.layers: list[LayerMemory] = []
        self.totals: list[Total] = []
        self.phases: list[Phase] = []
        self.ranges: list[DynamicRange] = []
        self.detected = False

    @property
    def handlers(self) -> dict[str, Handler]:
        """The reader of each line, by how the line begins."""
        return {
            "Layer:": self.layer, "Settin": self.range, "User o": self.scale, "INT8 I": self.calibrated,
            **dict.fromkeys(_STARTS, self.stated),
        }  # fmt: skip

    def stated(self, text: str, line: int) -> bool:
        """A total, a count or the seconds of a phase."""
        for pattern, name in _TOTALS:
            if match := pattern.match(text):
                self.totals.append(Total(name, int(match[1]), line))
                return True
        for pattern, name in _PHASES:
            if match := pattern.match(text):
                self.phases.append(Phase(name, float(match[1]), line))
                return True
        if _DETECTED.match(text):
            self.detected = True
            return True
        return False

    def layer(self, text: str, line: int) -> bool:
        """``Layer: NAME Host Persistent: .. Device Persistent: .. Scratch Memory: ..`` ; 8.0 has neither blanks nor scratch."""
        match = _LAYER.match(text)
        if match is None:
            return False
        name, host, device, scratch = match.groups()
        self.layers.append(LayerMemory(name, int(host), int(device), int(scratch) if scratch else None, line))
        return True

    def range(self, text: str, line: int) -> bool:
        """``Setting dynamic range for X to [-2,2]`` and ``Setting a default quantization params .. for X``."""
        if text.startswith("Setting a default quantization params because quantization data is missing for "):
            tensor = text[79:].strip() or None  # the name is empty in nearly all lines of 8.4 to 8.6
            self.ranges.append(DynamicRange(tensor, None, None, None, None, "default", line))
            return True
        head, _, tail = text.rstrip().rpartition(" to [")
        bounds = _BOUNDS.fullmatch(tail)
        if bounds is None or not head.startswith(_RANGE):
            return False
        low, high = float(bounds[1]), float(bounds[2])
        self.ranges.append(DynamicRange(head[len(_RANGE) :], low, high, None, None, "set", line))
        return True

    def scale(self, text: str, line: int) -> bool:
        """``User overriding scale with scale and zero-point Quantization(scale: {..}, zero-point: {..})``."""
        match = _SCALE.search(text)
        if match is None:
            return False
        scale, zero_point = _only_number(match[1]), _only_number(match[2])
        self.ranges.append(DynamicRange(None, None, None, scale, zero_point, "override", line))
        return True

    def calibrated(self, text: str, line: int) -> bool:
        """``INT8 Inference Tensor scales and zero-points: X scale and zero-point Quantization(..)``, behind a calibration."""
        head, found, tail = text.rpartition(" scale and zero-point ")
        match = _SCALE.match(tail)
        if not found or not head.startswith(_CALIBRATED) or match is None:
            return False
        scale, zero_point = _only_number(match[1]) or None, _only_number(match[2])  # 0 stands for no scale
        self.ranges.append(DynamicRange(head[len(_CALIBRATED) :], None, None, scale, zero_point, "calibration", line))
        return True


def _only_number(text: str) -> float | None:
    """The number of ``0.015748,``; None for per-channel lists, which have no single value."""
    parts = [part for part in text.split(",") if part.strip()]
    try:
        return float(parts[0]) if len(parts) == 1 else None
    except ValueError:
        return None
