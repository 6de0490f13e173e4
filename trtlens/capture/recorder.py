"""The folder of a run while it is being captured: `run.json` and the raw files, each of them complete or absent.

`run.json` (format 1) is rewritten as a whole, to a temporary name and then renamed, whenever something is known; the
folder itself appears under its name with a first `run.json` in it. `verbose.log` alone grows in place, so that a build
that is killed leaves a run that can be read.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from trtlens._version import VERSION
from trtlens.errors import TrtlensError
from trtlens.runs.folders import new_folder, remove_folder, take_back, write_whole
from trtlens.runs.run_info import FORMAT, RUN_JSON, read_info

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "CALIBRATION_CACHE",
    "CONVERTED_ONNX",
    "ENGINE",
    "LAYERS_JSON",
    "RUN_JSON",
    "TIMING_CACHE",
    "VERBOSE_LOG",
    "Recorder",
    "Status",
    "create_recorder",
    "host_facts",
    "reopen_recorder",
    "write_whole",
]

Status = Literal["building", "built", "failed", "interrupted", "done"]

HISTORY = "1: kind, status, library, gpu, flags, model, times, notes and timings"
VERBOSE_LOG = "verbose.log"
LAYERS_JSON = "layers.json"
ENGINE = "engine.plan"
PLAN_JSON = "plan.json"
CONVERTED_ONNX = "converted.onnx"
CALIBRATION_CACHE = "calibration.cache"
TIMING_CACHE = "timing.cache"


@dataclass(slots=True)
class Recorder:
    """Writes one run folder; `document` is what `run.json` holds, and every method that changes it writes it out."""

    folder: Path
    document: dict[str, Any]
    _started: float = field(default_factory=time.monotonic)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _replaced: list[Path] = field(default_factory=list)

    def path(self, name: str) -> Path:
        """Path of a file of the run."""
        return self.folder / name

    def update(self, **facts: Any) -> None:
        """Set fields of `run.json`."""
        with self._lock:
            self.document.update(facts)
            self.save()

    def note(self, text: str) -> None:
        """Add a sentence that everyone who reads the run must see; the same sentence is not kept twice."""
        with self._lock:
            if text not in self.document["notes"]:
                self.document["notes"].append(text)
                self.save()

    def add_time(self, name: str, seconds: float) -> None:
        """Record how long a stage took, in seconds."""
        with self._lock:
            self.document["times"][name] = round(seconds, 6)
            self.save()

    def add_timing(self, timing: Mapping[str, Any]) -> None:
        """Append the description of one timing pass."""
        with self._lock:
            self.document["timings"].append(dict(timing))
            self.save()

    def finish(self, status: Status, **facts: Any) -> None:
        """Set the status, the moment and the time that has passed since the run began; a run that it replaced is gone then."""
        with self._lock:
            self.document["times"]["total_s"] = round(time.monotonic() - self._started, 6)
            self.update(status=status, finished=_now(), **facts)
            while self._replaced:
                remove_folder(self._replaced.pop())

    def discard(self) -> None:
        """Remove a run that was refused before it began, and restore the run that it was to replace.

        It stays, as failed, where other files were put into it.
        """
        with self._lock:
            try:
                take_back(self.folder, self._replaced[0] if self._replaced else None)
            except (TrtlensError, OSError):
                self.finish("failed")

    def save(self) -> None:
        """Write `run.json` out, whole."""
        with self._lock:
            text = json.dumps(self.document, indent=2, ensure_ascii=False, default=str)
            self.write(RUN_JSON, (text + "\n").encode("utf-8", "replace"))

    def write(self, name: str, data: bytes | memoryview) -> Path:
        """Write a file of the run: to a temporary name, then renamed."""
        return write_whole(self.path(name), data)


def create_recorder(out: Path, facts: Mapping[str, Any], *, force: bool = False) -> Recorder:
    """A new run folder at `out`, with its first `run.json`.

    Raises TrtlensError where `out` is a file or holds something, and, even with `force`, where what it holds is no run.
    """
    document = {
        "format": FORMAT,
        "history": HISTORY,
        "kind": "profile",
        "trtlens": VERSION,
        "status": "building",
        "started": _now(),
        "finished": None,
        **facts,
        "times": {},
        "notes": [],
        "errors": [],
        "timings": [],
    }
    replaced: list[Path] = []
    with new_folder(out, force=force, replaced=replaced.append) as made:
        Recorder(made, document).save()
    place = Path(os.path.abspath(out))  # noqa: PTH100  resolve() would follow a link of the user
    return Recorder(place, document, _replaced=replaced)


def reopen_recorder(folder: Path) -> Recorder:
    """The recorder of a run that is there already, to add to it; raises TrtlensError where its `run.json` cannot be read."""
    read_info(folder)  # says what is wrong with it
    return Recorder(folder, json.loads((folder / RUN_JSON).read_text(encoding="utf-8")))


def host_facts(command: Sequence[str] | None) -> dict[str, Any]:
    """Operating system, Python, and what the user typed (None takes `sys.argv`), for `run.json`."""
    return {
        "platform": {"system": platform.platform(), "python": platform.python_version()},
        "command": list(sys.argv if command is None else command),
    }


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")
