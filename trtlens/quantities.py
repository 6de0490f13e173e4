"""How quantities read in sentences: one spelling of times, sizes, large and small numbers, and tactic ids for every output.

Tables keep full precision in the unit of their columns; this is for text alone.
"""

from __future__ import annotations

from math import floor, isfinite, log10
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_DIGITS = 3
_TIMES = (("s", 1000.0), ("ms", 1.0), ("µs", 0.001))
_SIZES = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_MOST_PLACES = _MOST_DIGITS = 6
_IN_MS = {"ms": 1.0, "s": 1000.0}
_TINY = 0.001
"""Below it a number in a column has a power of ten."""
_PLAIN = 1e6
"""From here on a number is written with a power of ten."""


def duration(time_ms: float, digits: int = _DIGITS) -> str:
    """A time given in milliseconds, with three digits: ``8.29 µs``, ``515 µs``, ``1.23 ms``, ``20.6 s``."""
    if not isfinite(time_ms):
        return f"{time_ms} ms"
    rounded = abs(float(f"{time_ms:.{digits}g}"))
    if not rounded:
        return "0 µs"
    unit, length_ms = _unit(rounded)
    return f"{_digits(time_ms / length_ms, digits)} {unit}"


def durations(*times_ms: float) -> list[str]:
    """Times that are compared, with as many digits as tell them apart: ``44.13 µs`` and ``44.06 µs``."""
    for digits in range(_DIGITS, _MOST_DIGITS + 1):
        texts = [duration(time_ms, digits) for time_ms in times_ms]
        if len(set(texts)) == len(set(times_ms)):
            break
    return texts


def signed_duration(time_ms: float) -> str:
    """A difference of times with its sign: ``+96.0 µs``, ``-1.20 ms``, ``0 µs``."""
    return ("+" if time_ms > 0 else "") + duration(time_ms)


def interval(low_ms: float, high_ms: float) -> str:
    """Two ends in one unit, with as many digits as tell them apart: ``400.16 to 400.22 µs``."""
    unit, length_ms = _unit(max(abs(low_ms), abs(high_ms)))
    low, high = low_ms / length_ms, high_ms / length_ms
    places = [_DIGITS - 1 - floor(log10(abs(high)))] if high else [0]
    if high > low:
        places.append(-floor(log10(high - low)))
    shown = min(max(0, *places), _MOST_PLACES)
    return f"{low:,.{shown}f} to {high:,.{shown}f} {unit}"


def seconds(time_s: float) -> str:
    """A time given in seconds: ``20.6 s``, ``1,250 s``, ``4.00 ms``."""
    return duration(1000 * time_s)


def whole_seconds(time_s: float) -> str:
    """A time by clocks that count whole seconds: ``4 s``, ``250,097 s``."""
    return f"{time_s:,.0f} s"


def clock_text(time_s: float) -> str:
    """A time as one reads it off a clock: ``45 s``, ``2 min 05 s``, ``1 h 02 min``."""
    whole_s = round(time_s)
    if whole_s < 60:
        return f"{whole_s} s"
    if whole_s < 3600:
        return f"{whole_s // 60} min {whole_s % 60:02d} s"
    return f"{whole_s // 3600} h {whole_s % 3600 // 60:02d} min"


def byte_size(count: float) -> str:
    """Bytes with three digits: ``512 B``, ``88.0 KiB``, ``7.01 GiB``."""
    value, unit = float(count), _SIZES[0]
    for unit in _SIZES:
        if abs(float(f"{value:.{_DIGITS}g}")) < 1000 or unit == _SIZES[-1]:
            break
        value /= 1024
    return f"{value:.0f} {unit}" if unit == _SIZES[0] else f"{_digits(value, _DIGITS)} {unit}"


def number(value: float) -> str:
    """A number of any magnitude with three digits: ``-3.4e38``, ``65,500``, ``0.125``, ``1.2e-7``."""
    text = f"{value:,.0f}" if 1000 <= abs(float(f"{value:.3g}")) < _PLAIN else f"{value:.{_DIGITS}g}"
    mantissa, power, exponent = text.partition("e")
    return f"{mantissa}e{int(exponent)}" if power else text


def percent(value: float) -> str:
    """A share in percent with three digits: ``33.8 %``, ``0.0774 %``, ``100 %``."""
    return f"{digits(value) if value < 100 else f'{value:.0f}'} %"


def column_unit(unit: str, values: Sequence[float]) -> tuple[str, float]:
    """One unit for a column of times or sizes, by its largest value, and what a value is divided by; others keep theirs."""
    most = max((abs(value) for value in values if isfinite(value)), default=0.0)
    if unit == "bytes":
        power = next((place for place in range(len(_SIZES)) if most < 1000 * 1024**place), len(_SIZES) - 1)
        return _SIZES[power], float(1024**power)
    if unit not in _IN_MS or not most:
        return unit, 1.0
    shown, length_ms = _unit(float(f"{most * _IN_MS[unit]:.{_DIGITS}g}"))
    return shown, length_ms / _IN_MS[unit]


def digits(value: float) -> str:
    """A number of a column, whose heading has the unit, with three digits: ``21.6``, ``0.0312``, ``1,276``, ``0``."""
    if not value or not isfinite(value):
        return "0" if not value else str(value)
    return number(value) if abs(value) < _TINY else _digits(value, _DIGITS)


def tactic_text(tactic_id: int | None) -> str:
    """A tactic by its id as TensorRT 8.4 and later print it; ``a tactic without an id`` where the log prints none."""
    return "a tactic without an id" if tactic_id is None else f"tactic {hexadecimal(tactic_id)}"


def hexadecimal(tactic_id: int) -> str:
    """A tactic id as TensorRT 8.4 and later print it, with all sixteen digits."""
    return f"0x{tactic_id:016x}"


def _unit(time_ms: float) -> tuple[str, float]:
    return next(((unit, length_ms) for unit, length_ms in _TIMES if time_ms >= length_ms), _TIMES[-1])


def _digits(value: float, digits: int) -> str:
    """So many significant digits, trailing zeros kept: they tell how exact the number is."""
    if abs(value) >= _PLAIN:
        return number(value)
    places = digits - 1 - floor(log10(abs(float(f"{value:.{digits}g}"))))
    return f"{value:,.{max(places, 0)}f}"
