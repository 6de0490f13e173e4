"""Colours of precisions, and how a terminal shows them whatever its ground is."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

PRECISION_COLOURS = {
    "fp32": "#ff0000", "tf32": "#d94f4f", "fp16": "#ffa500", "bf16": "#c98a1b", "fp8": "#00bfff", "fp4": "#f4d03f",
    "int8": "#76b900", "int4": "#cc66ff", "int32": "#a0a0a0", "int64": "#a0a0a0", "bool": "#a0a0a0",
}  # fmt: skip
"""NVIDIA's explorer's colours where it has one; tf32 and bf16 are darker kin of fp32 and fp16."""

_MIDDLE = 0.179
"""Relative luminance (WCAG 2) that has the same contrast, 4.6, with black and with white."""


@cache
def on_any_ground(colour: str) -> str:
    """The hue of a colour at a luminance that is read on a dark terminal as on a light one: ``#ffa500`` as ``#a46800``."""
    light = [_linear(int(colour[place : place + 2], 16) / 255) for place in (1, 3, 5)]
    factor = _MIDDLE / _luminance(light)
    if factor * max(light) > 1:  # a strong hue is not that light: mixed with white
        white = (_MIDDLE - _luminance(light)) / (1 - _luminance(light))
        light, factor = [part + white * (1 - part) for part in light], 1.0
    return "#" + "".join(f"{round(255 * _encoded(factor * part)):02x}" for part in light)


def _luminance(light: Sequence[float]) -> float:
    red, green, blue = light
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    """Light of a part of an sRGB colour (IEC 61966-2-1), both from 0 to 1."""
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4


def _encoded(light: float) -> float:
    return light * 12.92 if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055
