"""What a build was allowed: precisions, constraints, workspace; from trtexec's options, from run.json, else from the tuner's record."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trtlens.runs.captured_tables import captured_flags
from trtlens.runs.run import build_rows
from trtlens.tables.arrays import of_build
from trtlens.tuning.kept_strategy import kept_rows

if TYPE_CHECKING:
    from trtlens.runs.run import Run
    from trtlens.tuning.queries import Tuner

_SIZE = re.compile(r"(?:workspace: )?(?P<size>\d{1,12}(?:\.\d{1,12})?(?:e-?\d{1,3})?) (?P<unit>KiB|MiB|MB|GiB|B)\b")
_UNITS = {"B": 1, "KiB": 2**10, "MB": 2**20, "MiB": 2**20, "GiB": 2**30}
"""trtexec to 8.2 prints MB and means MiB."""
_STRONGLY_TYPED_FROM = 11
_CACHE_CODES = frozenset({"timing-cache-loaded", "timing-cache-saved"})
_MOST_DETAILED = frozenset({"2", "detailed", "verbose"})


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
        self._row: dict[str, Any] = next(iter(of_build(run["builds"], build).to_pylist()), {})
        rows: list[dict[str, Any]] = build_rows(run, "options", build).to_pylist()
        if self._row.get("is_build") is False:  # of a run that loads an engine they say nothing about its build
            rows = []
        self._options = {row["key"]: row for row in rows if row["value"]}
        self._tuner = tuner
        self._tried = tuner.precisions()
        generated = "engine generation" in of_build(run["phases"], build)["name"].to_pylist()
        self._is_tuning_whole = bool(generated and self._row.get("finished") and tuner.layers())
        self._told = {
            row["code"]: row["line"] for row in of_build(kept_rows(run, "messages"), build).to_pylist() if row["code"]
        }
        is_engine = self._row.get("is_build") and not self._row.get("is_calibration")
        self._captured = captured_flags(run.info) if is_engine else None

    # -- precisions ----------------------------------------------------------------------------------------------------

    def allowed(self, precision: str) -> Allowed:
        """Whether the precision was enabled: some layer was tried in it, or trtexec or run.json says so."""
        name = precision.upper()
        tried = self._tried.get(precision)
        if tried is not None:
            how = f"{tried[0]:,} candidates of this build compute in {name}, the first on line {tried[1]}"
            return Allowed(precision, enabled=True, how=how, lines=(tried[1],))
        stated = self._stated_precisions()
        if stated is not None and name in stated[0].split("+"):
            return Allowed(precision, enabled=True, how=stated[1], lines=stated[2])
        line = self._tuner.formats_with(precision)
        if line is not None:
            how = f"the tuner considered formats in {name}, the first on line {line}"
            return Allowed(precision, enabled=True, how=how, lines=(line,))
        if stated is not None:
            return Allowed(precision, enabled=False, how=stated[1], lines=stated[2])
        return self._unseen(precision, name)

    def _stated_precisions(self) -> tuple[str, str, tuple[int, ...]] | None:
        """The precisions as they are stated, by whom, and on which line."""
        option = self._options.get("Precision")
        if option is not None:
            return option["value"], f"trtexec's option Precision is {option['value']}", (option["line"],)
        known = self._row.get("precision_flags")
        if self._captured is None or known is None:
            return None
        return known, f"run.json says that the build was allowed {known}", ()

    def _unseen(self, precision: str, name: str) -> Allowed:
        """A precision that no candidate, no format and no flag names."""
        if not self._is_tuning_whole:
            how = f"no candidate and no format combination of this log is in {name}, but the log does not show the whole build"
            return Allowed(precision, enabled=None, how=how, lines=())
        how = f"not one candidate and not one format combination of the whole build is in {name}"
        how += "; neither the log nor a run.json states the build's flags" if self._captured is None else ""
        return Allowed(precision, enabled=False, how=how, lines=())

    def tried(self) -> list[str]:
        """Precisions that any candidate of the build computes in."""
        return list(self._tried)

    def layer_precisions(self) -> tuple[str, int] | None:
        """Trtexec's --layerPrecisions with its line; None where none were set or the log does not print options."""
        option = self._options.get("LayerPrecisions")
        return None if option is None else (option["value"], option["line"])

    @property
    def strongly_typed(self) -> bool:
        """Whether the model's own types count, by what is stated; from 11 on and in TensorRT-RTX they always do."""
        version = self._row.get("tensorrt_version") or ""
        number = version.partition(".")[0]
        by_release = version.startswith("RTX") or (number.isdigit() and int(number) >= _STRONGLY_TYPED_FROM)
        option = self._options.get("Precision")
        stated = option is not None and "strongly typed" in option["value"].lower()
        stated = stated or "--stronglyTyped" in (self._row.get("command") or "").split()
        return bool(by_release or stated or "strongly-typed" in self._told or self._asked("strongly_typed"))

    @property
    def tf32_disabled(self) -> bool:
        """Whether TF32 was ruled out, by what is stated."""
        typed = "--noTF32" in (self._row.get("command") or "").split()
        return bool(typed or "tf32-disabled" in self._told or self._asked("no_tf32"))

    # -- the rest ------------------------------------------------------------------------------------------------------

    def switch(self, key: str) -> bool | None:
        """Trtexec's option as a switch; None where it is not printed as one."""
        option = self._options.get(key)
        return None if option is None else {"Enabled": True, "Disabled": False}.get(option["value"])

    def text(self, key: str) -> str | None:
        """Trtexec's option as printed; None where it is empty or not printed."""
        option = self._options.get(key)
        return None if option is None else str(option["value"])

    @property
    def timing_cache(self) -> str | None:
        """What says that the build used a timing cache that is kept in a file; None where nothing does."""
        option = self._options.get("timingCacheFile")
        if option is not None:
            return f"trtexec's option timingCacheFile is {option['value']}"
        asked = self._asked("timing_cache_file")
        if asked:
            return f"run.json says that the build had the timing cache {asked}"
        code = next((code for code in sorted(_CACHE_CODES) if code in self._told), None)
        return None if code is None else f"line {self._told[code]}: {code}"

    @property
    def is_detailed(self) -> bool:
        """Whether the engine was built with detailed profiling verbosity, by what is stated; a capture always is."""
        option = self._options.get("Profiling verbosity")
        return self._captured is not None or (option is not None and option["value"].lower() in _MOST_DETAILED)

    def workspace_bytes(self) -> tuple[int, int] | None:
        """The workspace limit that trtexec prints, with its line; None where it is the default or not printed."""
        for key in ("Memory Pools", "Workspace"):
            count = self.bytes_of(key)
            if count is not None:
                return count, self._options[key]["line"]
        return None

    def bytes_of(self, key: str) -> int | None:
        """The size that begins trtexec's option; None where it is not printed as one."""
        option = self._options.get(key)
        match = _SIZE.match(option["value"]) if option is not None else None
        return None if match is None else round(float(match["size"]) * _UNITS[match["unit"]])

    def has_default_workspace(self) -> bool:
        """Whether the workspace is stated to be the default, which from 8.4 on is all of the GPU's memory."""
        option = self._options.get("Memory Pools")
        if option is not None:
            return bool(option["value"].startswith("workspace: default"))
        pools = self._asked("memory_pools")
        return self._captured is not None and not (isinstance(pools, dict) and "workspace" in pools)

    def _asked(self, name: str) -> Any:
        return None if self._captured is None else self._captured.get(name)
