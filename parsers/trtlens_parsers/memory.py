"""Memory, timing and size lines of a build: per-layer memory, totals, and the seconds that phases took (5.0 to 10.16)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from trtlens_parsers.records import DynamicRange, LayerMemory, Phase

if TYPE_CHECKING:
    from trtlens_parsers.records import Handler
_BYTES = r"(\d{1,18})(?: bytes)?"
_LAYER = re.compile(
    rf"Layer: (.*) Host ?Persistent: {_BYTES} Device ?Persistent: {_BYTES}(?: Scratch Memory: {_BYTES})?\s*$"
)
_FLOAT = r"\d{1,15}(?:\.\d{0,15})?(?:e[+-]?\d{1,3})?"
_NUMBER = rf"({_FLOAT})"

# What a build states once (or once a backend strategy): the line's form and the scalar's name.
_SCALARS = (
    (re.compile(rf"Total Activation Memory: {_BYTES}"), "activation_bytes"),
    (re.compile(rf"Total Weights Memory: {_BYTES}"), "weights_bytes"),
    (re.compile(rf"(?:Total|Max) Scratch Memory: {_BYTES}"), "scratch_bytes"),
    (re.compile(rf"Total Host Persistent Memory: {_BYTES}"), "host_persistent_bytes"),
    (re.compile(rf"Total Device Persistent Memory: {_BYTES}"), "device_persistent_bytes"),
    (re.compile(r"Detected (\d{1,6}) inputs"), "input_count"),
)
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
    """Collects one build's memory lines, scalars, phases and INT8 ranges.

    One 10.16 build can try several backend strategies, each with its own totals; ``scalars`` are those of the strategy
    that the builder kept, and a value is missing where several strategies state different ones and no line tells which.
    """

    def __init__(self) -> None:
        self.layers: list[LayerMemory] = []
        self.phases: list[Phase] = []
        self.ranges: list[DynamicRange] = []
        self._kept: dict[str, float] | None = None
        self._tried: list[dict[str, float]] = [{}]

    @property
    def handlers(self) -> dict[str, Handler]:
        """The reader of each line, by how the line begins."""
        return {
            "Layer:": self.layer, "Settin": self.range, "User o": self.scale, "INT8 I": self.calibrated, "Buildi": self.strategy,
            "Use ba": self.keep, "Chose ": self.keep, "Skip b": self.drop,
            **dict.fromkeys(_STARTS, self.stated),
        }  # fmt: skip

    @property
    def scalars(self) -> dict[str, float]:
        """What the build states of itself, by scalar name."""
        if self._kept is not None:
            return self._kept
        names = {name for tried in self._tried for name in tried}
        stated = {name: {tried[name] for tried in self._tried if name in tried} for name in names}
        return {name: values.pop() for name, values in stated.items() if len(values) == 1}

    def stated(self, text: str, line: int) -> bool:
        """A total, a count or the seconds of a phase."""
        for pattern, name in _SCALARS:
            if match := pattern.match(text):
                self._tried[-1][name] = float(match[1])
                return True
        for pattern, name in _PHASES:
            if match := pattern.match(text):
                self.phases.append(Phase(name, float(match[1]), line))
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

    def strategy(self, text: str, line: int) -> bool:  # noqa: ARG002
        """``Building graph using backend strategy N`` (8.6 on)."""
        if not text.startswith("Building graph using backend strategy"):
            return False
        if self._tried[-1]:
            self._tried.append({})
        return True

    def keep(self, text: str, line: int) -> bool:  # noqa: ARG002
        """``Use backend strategy 4 .. as the initial choice``, ``Chose this engine with backend strategy 3 ..``."""
        if "backend strategy" not in text:
            return False
        self._kept = self._tried[-1]
        return True

    def drop(self, text: str, line: int) -> bool:  # noqa: ARG002
        """``Skip backend strategy 2since ..`` (the blank is missing in 10.16)."""
        return text.startswith("Skip backend strategy")

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
