"""What ``isolate`` does to find a cure: builds with changes inside of a region, each judged as ``accuracy --blame`` judges.

Tensors between the region's nodes are handed out first, so that nothing is fused across them; then its nodes are held in FP32; then the
tactics of its layers are left out. Where the precision explains the error, FP32 alone is tried. A build hands the region's ends out as
the dump did, and is judged at its output; the confirming one hands out nothing but the cut, and is judged at the engine's outputs.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from trtlens.accuracy.cure_search import CURED, ERRS, UNKNOWN, find_cure, usual_builds
from trtlens.accuracy.local_errors import PRECISION
from trtlens.capture.dumping.rebuild import Change
from trtlens.capture.recorder import ENGINE
from trtlens.errors import TrtlensError
from trtlens.runs.folders import remove_folder, write_whole
from trtlens_parsers.json_text import parse_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from trtlens.accuracy.cure_search import Chosen, Cure
    from trtlens.capture.dumping.rebuild import Candidates, Rebuilder
    from trtlens.capture.progress import Progress
    from trtlens.commands.region_judge import RegionJudge

CUTS, PINS, TACTICS, NOTHING = "cut", "fp32", "tactic", "nothing"
FOLDER, RECORD = "cure", "cure.json"
_FORMAT = 1
_KEPT = (
    "build", "kind", "changed", "bare", "outcome", "tensor", "error", "explained", "verdict", "detail", "build_s",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Found:
    """What was found: by what kind of change, which one, and of how many candidates; the number of the build that showed it.

    `is_emulated` where an emulation named it, by which each part of it is needed.
    """

    kind: str
    cure: Cure
    candidates: int
    build: int
    is_emulated: bool


@dataclass
class Curing:
    """One search, with a row for each build so far; `tactics` are the layers of the region with the tactic that each ran.

    `earlier` are the rows of a search that was interrupted: its builds are not made again.
    """

    judge: RegionJudge
    rebuilder: Rebuilder
    folder: Path
    key: str
    tactics: Mapping[str, int] = field(default_factory=dict)
    most_builds: int | None = None
    earlier: Sequence[Mapping[str, Any]] = ()
    rows: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    _left: int = 0

    def run(self, progress: Progress) -> Found | None:
        """Search kind by kind until one cures."""
        self._clear()
        candidates, found = self.rebuilder.candidates(self.judge.inside, self.judge.nodes), None
        for kind, names in self._kinds(candidates):
            self.notes += _untried(kind, names, self.judge.inside, takes_selector=candidates.takes_selector)
            found = self._searched(kind, names, progress)
            if found is not None:
                break
        if found is not None and self._goes_by_itself(progress):
            found = None
        self._drop_engines(None if found is None else found.build)
        return found

    def _searched(self, kind: str, names: Chosen, progress: Progress) -> Found | None:
        """Search among the candidates of one kind."""
        bare, made = self.judge.bare_before is not None, len(self.rows)
        guess = self.judge.guess(names) if kind == PINS else ()
        usual = usual_builds(len(names)) + bool(guess)
        builds = usual if self.most_builds is None else self.most_builds - made

        def judge(chosen: Chosen, /, *, bare: bool) -> str:
            return self._build(kind, chosen, progress, bare=bare)

        cure = find_cure(names, judge, builds, bare=bare, guess=guess)
        self._left = builds - (len(self.rows) - made)
        if cure is None:
            return None
        build = next(row["build"] for row in reversed(self.rows) if _shows(row, kind, cure))
        return Found(kind, cure, len(names), build, is_emulated=cure.chosen == guess)

    def _goes_by_itself(self, progress: Progress) -> bool:
        """Whether a build with nothing changed is right; asked where no build has erred, the emulation does not explain it, and one is left."""
        explained = self.judge.before["verdict"] == PRECISION
        if explained or self._left < 1 or any(row["outcome"] == ERRS for row in self.rows):
            return False
        if self._build(NOTHING, (), progress, bare=self.judge.bare_before is not None) != CURED:
            return False
        self.notes.append(
            "a build with nothing changed does not err: the fault comes and goes, and no change is known to cure it"
        )
        return True

    def _clear(self) -> None:
        """Remove the builds of an earlier search, if it is not gone on with."""
        for place in () if self.earlier else self.folder.glob("[0-9]*"):
            if place.name.isdigit():
                remove_folder(place)

    def keep(self) -> None:
        """Write the record of the builds so far."""
        document = {
            "trtlens_cure": _FORMAT, "key": self.key, "region": dict(self.judge.before), "builds": self.rows, "notes": self.notes,
            **self.facts,
        }  # fmt: skip
        self.folder.mkdir(parents=True, exist_ok=True)
        write_whole(self.folder / RECORD, (json.dumps(document, indent=1, default=str) + "\n").encode())

    def _kinds(self, candidates: Candidates) -> list[tuple[str, Chosen]]:
        if self.judge.before["verdict"] == PRECISION:
            return [(PINS, candidates.pins)]
        layers = tuple(self.tactics) if candidates.takes_selector else ()
        return [(CUTS, candidates.cuts), (PINS, candidates.pins), (TACTICS, layers)]

    def _build(self, kind: str, chosen: Chosen, progress: Progress, *, bare: bool) -> str:
        """One build, or what is known of it from an earlier search; keeps its row."""
        row = self._known(kind, chosen, bare=bare)
        if row is None:
            row = self._made(kind, chosen, progress, bare=bare)
        self.rows.append(row)
        self.keep()
        return str(row["outcome"])

    def _known(self, kind: str, chosen: Chosen, *, bare: bool) -> dict[str, Any] | None:
        place = len(self.rows)
        if place >= len(self.earlier):
            return None
        row = dict(self.earlier[place])
        return row if (row["kind"], tuple(row["changed"]), row["bare"]) == (kind, chosen, bare) else None

    def _made(self, kind: str, chosen: Chosen, progress: Progress, *, bare: bool) -> dict[str, Any]:
        number, started = len(self.rows) + 1, time.monotonic()
        progress("Rebuilding", None, None, f"build {number}: {len(chosen)} changed")
        error, found = "", None
        try:
            rebuilt = self.rebuilder.build(self._change(kind, chosen, bare=bare), self.folder / str(number), progress)
            found = self.judge.bare_row(rebuilt.tensors) if bare else self.judge.row(rebuilt.tensors)
        except TrtlensError as refusal:
            error = refusal.message
        outcome = UNKNOWN if found is None else self.judge.outcome(found, self.judge.bare_before if bare else None)
        return {
            "build": number, "kind": kind, "changed": list(chosen), "bare": bare, "outcome": outcome,
            "tensor": found and found["tensor"], "error": found and found["error"], "explained": found and found["explained"],
            "verdict": found and found["verdict"], "detail": error or (found["detail"] if found else ""),
            "build_s": round(time.monotonic() - started, 3),
        }  # fmt: skip

    def _change(self, kind: str, chosen: Chosen, *, bare: bool) -> Change:
        ends = () if bare else self.judge.ends
        if kind == CUTS:
            return Change(cuts=chosen, ends=ends)
        if kind == PINS:
            return Change(pins=chosen, ends=ends)
        return Change(excluded=tuple((layer, self.tactics[layer]) for layer in chosen), ends=ends)

    def engine(self, build: int) -> Path:
        """The engine of a build, which is kept of those that cured."""
        return self.folder / str(build) / ENGINE

    def _drop_engines(self, kept: int | None) -> None:
        """Engines are large: only that of the cure stays."""
        for row in self.rows:
            if row["build"] != kept:
                self.engine(row["build"]).unlink(missing_ok=True)


def _untried(kind: str, names: Chosen, inside: Sequence[str], *, takes_selector: bool) -> Iterator[str]:
    """What cannot be tried of a kind of change, and why."""
    if kind == CUTS and not inside:
        yield "nothing lies inside of the region that could be handed out: it is a single node"
    elif kind == CUTS and len(names) < len(inside):
        yield f"{len(inside) - len(names)} of {len(inside)} tensors inside of the region were not tried: the network has them not, or as shapes"
    elif kind == PINS and not names:
        yield "no node of the region can be held in FP32: the types of the model decide, or it computes on whole numbers"
    elif kind == TACTICS and not takes_selector:
        yield "tactics cannot be left out: this release has no algorithm selector (8.x to 10.x have one)"
    elif kind == TACTICS and not names:
        yield "no tactic can be left out: the layers of the region have none, as those of Myelin"


def _shows(row: Mapping[str, Any], kind: str, cure: Cure) -> bool:
    return (row["kind"], tuple(row["changed"]), row["bare"], row["outcome"]) == (kind, cure.chosen, cure.bare, CURED)


def earlier_rows(folder: Path, key: str) -> list[dict[str, Any]]:
    """The builds of a search that was interrupted.

    Raises:
        TrtlensError: there is none, or it is of another region, model or release.

    """
    path = folder / RECORD
    try:
        document = parse_json(path.read_text("utf-8"), path.name)
        rows = [dict(row) for row in document["builds"]]
        known = document["key"]
        lacking = next((name for row in rows for name in _KEPT if name not in row), None)
    except FileNotFoundError as error:
        raise TrtlensError(f"--resume: there is no {path} of an interrupted search: leave --resume out") from error
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise TrtlensError(f"--resume: {path} cannot be read ({type(error).__name__}): leave --resume out") from error
    if lacking is not None:
        raise TrtlensError(f"--resume: {path} holds a build without {lacking}: leave --resume out")
    if known != key:
        raise TrtlensError(f"--resume: {path} is of another region, model or release: leave --resume out")
    return rows


def timed(curing: Curing, original: Path, build: int, processes: int, progress: Progress) -> None:
    """Time the engine of the dump and that of a build in processes of their own; why not, in a note."""
    costs: dict[str, Any] = {}
    for name, engine, place in (
        ("original", original, curing.folder / "0"),
        ("cured", curing.engine(build), curing.folder / str(build)),
    ):
        if not engine.is_file():
            curing.notes.append(f"the cost is not known: there is no engine at {engine}")
            return
        place.mkdir(parents=True, exist_ok=True)
        try:
            found = curing.rebuilder.time(engine, place, processes, progress)
        except TrtlensError as error:
            curing.notes.append(f"the cost is not known: {engine} was not timed ({error.message})")
            return
        costs[name] = {
            "time_ms": found.median_ms, "low_ms": found.median_low_ms, "high_ms": found.median_high_ms, "processes": found.processes,
        }  # fmt: skip
    curing.facts["cost"] = costs
    curing.keep()
