"""What a build was allowed: precisions, constraints, workspace; from trtexec's options, else from the tuner's record."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trtlens.arrays import of_build

if TYPE_CHECKING:
    from trtlens.explain.tuner import Tuner
    from trtlens.runs import Run

_FLAG_OF = {"fp32": "FP32", "fp16": "FP16", "bf16": "BF16", "int8": "INT8", "fp8": "FP8", "int4": "INT4", "fp4": "FP4"}
_WORKSPACE = re.compile(
    r"(?:workspace: )?(?P<size>\d{1,12}(?:\.\d{1,12})?(?:e-?\d{1,3})?) (?P<unit>KiB|MiB|MB|GiB|B)\b"
)
_UNITS = {"B": 1, "KiB": 2**10, "MB": 2**20, "MiB": 2**20, "GiB": 2**30}
"""trtexec to 8.2 prints MB and means MiB."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """Whether a precision could be chosen in a build, how that is known, and the lines that say so.

    ``enabled`` is None where neither flags nor tactics show it and the log does not reach the end of the build.
    """

    precision: str
    enabled: bool | None
    how: str
    lines: tuple[int, ...]


class Flags:
    """The options of one build."""

    def __init__(self, run: Run, build: int, tuner: Tuner) -> None:
        options = run["options"]
        rows: list[dict[str, Any]] = of_build(options, build).to_pylist()
        self._options = {row["key"]: row for row in rows if row["value"]}
        self._tuner = tuner
        self._is_complete = any(of_build(run["builds"], build)["complete"].to_pylist())
        self._tried = tuner.precisions()

    def allowed(self, precision: str) -> Allowed:
        """Whether the precision was enabled: trtexec says so, or some layer of the build was tried in it."""
        name = _FLAG_OF.get(precision, precision.upper())
        option = self._options.get("Precision")
        tried = self._tried.get(precision)
        if tried is not None:
            how = f"{tried[0]} candidates of this build compute in {name}, the first on line {tried[1]}"
            return Allowed(precision, enabled=True, how=how, lines=(tried[1],))
        if option is not None and name in option["value"].split("+"):
            return Allowed(
                precision, enabled=True, how=f"trtexec's option Precision is {option['value']}", lines=(option["line"],)
            )
        line = self._tuner.formats_with(precision)
        if line is not None:
            how = f"the tuner considered formats in {name}, the first on line {line}"
            return Allowed(precision, enabled=True, how=how, lines=(line,))
        if option is not None:
            return Allowed(
                precision,
                enabled=False,
                how=f"trtexec's option Precision is {option['value']}",
                lines=(option["line"],),
            )
        if not self._is_complete:
            how = f"no candidate and no format combination of this log is in {name}, but the log does not show the whole build"
            return Allowed(precision, enabled=None, how=how, lines=())
        how = (
            f"not one candidate and not one format combination of the whole build is in {name}; the log prints no flags"
        )
        return Allowed(precision, enabled=False, how=how, lines=())

    def tried(self) -> list[str]:
        """Precisions that any candidate of the build computes in."""
        return list(self._tried)

    def layer_precisions(self) -> tuple[str, int] | None:
        """Trtexec's --layerPrecisions with its line; None where none were set or the log does not print options."""
        option = self._options.get("LayerPrecisions")
        return None if option is None else (option["value"], option["line"])

    def workspace_bytes(self) -> tuple[int, int] | None:
        """The workspace limit that trtexec prints, with its line; None where it is the default or not printed."""
        for key in ("Memory Pools", "Workspace"):
            option = self._options.get(key)
            match = _WORKSPACE.match(option["value"]) if option is not None else None
            if option is not None and match is not None:
                return round(float(match["size"]) * _UNITS[match["unit"]]), option["line"]
        return None
