"""What a search has measured so far, in a file beside the plan, so that an interrupted one goes on with `--resume`."""

from __future__ import annotations

import hashlib
import json
import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from trtlens.errors import TrtlensError
from trtlens.runs.folders import write_whole
from trtlens_parsers.json_text import parse_json

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from trtlens.capture.planning.prepared import Prepared

    Flags = NDArray[np.bool_]
    Floats = NDArray[np.float64]

_FORMAT = 1
_SECONDS = 2.0


def search_key(prepared: Prepared, judge: str) -> str:
    """One hash of all that what is measured depends on."""
    request = prepared.request
    facts = [
        prepared.identity, request.low_type, judge, prepared.samples.sha256, len(prepared.samples.arrays),
        prepared.emulator.quantity, [unit.nodes for unit in prepared.network.units],
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


@dataclass(slots=True)
class KeptSearch:
    """Damages of units and casts by number, and what became of each choice, by the numbers of the units that go down."""

    path: Path | None
    key: str
    alone: dict[int, list[float]] = field(default_factory=dict)
    casts: dict[int, list[float]] = field(default_factory=dict)
    checks: dict[str, tuple[bool, list[float] | None]] = field(default_factory=dict)
    _written: float = 0.0

    def keep(self, *, now: bool = False) -> None:
        """Write the file, at most every few seconds; without a path nothing is kept."""
        if self.path is None:
            return
        if not now and time.monotonic() - self._written < _SECONDS:
            return
        document = {
            "trtlens_plan_search": _FORMAT, "key": self.key, "alone": _told(self.alone), "casts": _told(self.casts),
            "checks": {low: [holds, None if found is None else _finite(found)] for low, (holds, found) in self.checks.items()},
        }  # fmt: skip
        write_whole(self.path, (json.dumps(document, allow_nan=False) + "\n").encode())
        self._written = time.monotonic()

    def add_alone(self, unit: int, damage: Floats) -> None:
        """Keep the damage of one unit."""
        self.alone[unit] = damage.tolist()
        self.keep()

    def add_cast(self, boundary: int, damage: Floats) -> None:
        """Keep the damage of one cast."""
        self.casts[boundary] = damage.tolist()
        self.keep()

    def add_check(self, low: Flags, holds: bool, damage: Floats | None) -> None:
        """Keep a judgement at once: it may have taken long."""
        self.checks[_numbers(low)] = (holds, None if damage is None else damage.tolist())
        self.keep(now=True)

    def checked(self, low: Flags) -> tuple[bool, Floats | None] | None:
        """What became of a choice before."""
        found = self.checks.get(_numbers(low))
        return None if found is None else (found[0], None if found[1] is None else np.array(found[1]))

    def remove(self) -> None:
        """The search is done."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def kept_path(out: Path) -> Path:
    """The file of the search whose plan goes to `out`."""
    return out.with_name(f"{out.name}.search")


def open_search(out: Path, key: str, *, resume: bool) -> KeptSearch:
    """A new search, or with `resume` the one that was interrupted.

    Raises:
        TrtlensError: there is none to go on with, or it is of another model, other inputs or options.

    """
    path = kept_path(out)
    kept = KeptSearch(path, key)
    if not resume:
        return kept
    try:
        document = parse_json(path.read_text("utf-8"), path.name)
        assert isinstance(document, dict)  # noqa: S101  what else it may be is told below
        kept.alone, kept.casts = (
            {int(place): _read(values) for place, values in document[name].items()} for name in ("alone", "casts")
        )
        kept.checks = {
            low: (bool(one[0]), None if one[1] is None else _read(one[1])) for low, one in document["checks"].items()
        }
    except FileNotFoundError as error:
        raise TrtlensError(f"--resume: there is no {path} of an interrupted search: leave --resume out") from error
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, AssertionError) as error:
        raise TrtlensError(
            f"--resume: {path} cannot be read ({type(error).__name__}): remove it and start anew"
        ) from error
    if document.get("key") != key:
        raise TrtlensError(
            f"--resume: {path} is of another model, other inputs or options: give the same, or leave --resume out"
        )
    return kept


def _numbers(low: Flags) -> str:
    return np.packbits(low).tobytes().hex()


def _told(found: dict[int, list[float]]) -> dict[str, Any]:
    return {str(place): _finite(values) for place, values in found.items()}


def _finite(values: list[float]) -> list[float | None]:
    """Infinity as null: JSON has none."""
    return [value if math.isfinite(value) else None for value in values]


def _read(values: list[float | None]) -> list[float]:
    return [math.inf if value is None else float(value) for value in values]
