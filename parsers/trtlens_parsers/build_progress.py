"""How far a build is, read from the log that it is still writing (TensorRT 6 to 11.1, behind any prefix).

A log can grow by megabytes a second while one looks on, so that lines are not read one by one: the few that tell of
progress are searched for, and timed tactics are counted. `read_log` reads the whole, once it is there.

How many layers will be tuned is not said beforehand: constants are not, and twins are tuned once. The number of layers
after the last optimisation pass is an upper bound. Logs of TensorRT-RTX, and of networks that are one region of Myelin, do
not say which layer is tuned.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from trtlens_parsers.prefixes import message_start, read_prefix, read_stamp

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

READING = "reading the model"
OPTIMIZING = "optimising the graph"
TUNING = "timing tactics"
GENERATING = "generating the engine"
BUILT = "engine built"
RUNNING = "running inferences"

_LONGEST_LINE = 4000
_LONGEST_REST = 1 << 20
"""Bytes without the end of a line after which no more than the last of them are kept."""
_REACH = 300
"""Bytes before a message in which its stamp stands."""
_MOST_ALARMS = 200
"""Warnings and errors that are read of one piece."""
_MOST_KEPT = 1000
_FLT_MAX = 3e38
_FEWEST = 3
"""Layers after which there is a pace."""
_REFORMATS = "reformats"
_REFORMAT_NAMES = ("<reformat>", "Optimizer Reformat", "Reformat")
_TAIL = 4096
"""Bytes at the end of the log in which trtexec's last line stands."""
_VERDICT = re.compile(rb"&&&& (PASSED|FAILED)")
_COUNT = re.compile(r"(?:After .{1,300}|Original): (\d{1,9}) layers")
_FASTEST = re.compile(r"Fastest Tactic: \S{1,40} Time: (\S{1,40})")
_TIMING = re.compile(r"--------------- Timing (?:Runner: )?(.{1,2000}) ?\(")
_COSTS = re.compile(r"=============== Computing (?:costs for ?(.{0,2000})|reformatting)")


@dataclass(frozen=True, slots=True)
class Alarm:
    """A warning or an error of the log."""

    severity: str
    text: str


@dataclass(slots=True)
class BuildProgress:
    """What the lines so far say of the last build; `feed` takes them as they come, in pieces of any size.

    Attributes:
        phase: what the build is doing, None before it begins.
        nodes: ONNX nodes that were read.
        layer: the layer that is tuned; None where the log does not say.
        layers: layers whose tuning has begun.
        most_layers: the most that can be; None where the log does not say.
        candidates: tactics that were timed, those of reformats among them.
        slowest: the layer whose fastest tactic is the slowest so far, with that time in ms.
        tuning_s: seconds between the stamps of the first and the last layer; None without stamps.
        verdict: PASSED or FAILED, where trtexec said so at the end of what came last.
        size_bytes: bytes so far.
    """

    phase: str | None = None
    nodes: int = 0
    layer: str | None = None
    layers: int = 0
    most_layers: int | None = None
    candidates: int = 0
    slowest: tuple[str, float] | None = None
    tuning_s: float | None = None
    verdict: str | None = None
    size_bytes: int = 0
    _alarms: dict[str, Alarm] = field(default_factory=dict)
    _told: int = 0
    _rest: bytes = b""
    _head: bytes = b""
    _is_stated: bool = False
    _best_ms: float | None = None
    _first_s: float | None = None

    def feed(self, data: bytes) -> None:
        """Take the next bytes; an unfinished last line waits for its end."""
        self.size_bytes += len(data)
        whole, found, rest = (self._rest + data).rpartition(b"\n")
        self._rest = rest if len(rest) <= _LONGEST_REST else rest[-_LONGEST_LINE:]
        if found:
            piece = whole + found
            self._read_progress(piece)
            self._read_alarms(piece)
            verdict = _VERDICT.search(piece, max(len(piece) - _TAIL, 0))
            self.verdict = verdict[1].decode() if verdict is not None else None

    def new_alarms(self) -> list[Alarm]:
        """Warnings and errors that came since this was asked last, each text once."""
        alarms = list(self._alarms.values())[self._told :]
        self._told = len(self._alarms)
        return alarms

    @property
    def alarm_count(self) -> int:
        """Different warnings and errors so far."""
        return len(self._alarms)

    @property
    def left_s(self) -> float | None:
        """Seconds of tuning that are left at the pace so far, at most; None where size or pace are not known."""
        done = self.layers - 1  # the last one has only begun
        if (
            self.phase != TUNING
            or self.most_layers is None
            or not self.tuning_s
            or not _FEWEST <= done <= self.most_layers
        ):
            return None
        return self.tuning_s / done * (self.most_layers - done)

    # -- lines that tell of progress -------------------------------------------------------------------------------

    def _read_progress(self, piece: bytes) -> None:
        start, times_of_layers = 0, 0
        found = sorted((place, mark) for mark in self._marks(piece) for place in _places(piece, mark))
        for place, mark in found:
            before = self.phase
            end = min(piece.find(b"\n", place), place + _LONGEST_LINE)
            text = piece[place:end].decode("utf-8", "replace").rstrip("\r")
            _MARKS[mark](self, text, piece[max(place - _REACH, 0) : place])
            times_of_layers += mark == _BEST
            if self.phase != before:
                self._count(piece[start:place], times_of_layers, before)
                start, times_of_layers = place, 0
        self._count(piece[start:], times_of_layers, self.phase)

    def _marks(self, piece: bytes) -> Iterable[bytes]:
        """What to search for: passes are over once layers are tuned, unless another network is begun."""
        if self.phase in (None, READING, OPTIMIZING) or _FIRST_PASS in piece:
            return _MARKS
        return (mark for mark in _MARKS if mark not in (_FIRST_PASS, _PASS))

    def _count(self, piece: bytes, times_of_layers: int, phase: str | None) -> None:
        """Count timed tactics: every time in these lines but the ones of whole layers; to 8.0 they are spelled small."""
        if phase == TUNING:
            count = piece.count(b" Time: ") - times_of_layers
            self.candidates += count or piece.count(b" time ")

    def _begin(self, phase: str, *after: str) -> None:
        """Enter a phase; behind one that it cannot follow, another build or another stage of it begins."""
        if self.phase != phase and self.phase not in after:
            self.nodes = self.layers = self.candidates = 0
            self.most_layers = self.slowest = self.tuning_s = self._first_s = None
            self._is_stated = False
        if phase != TUNING or self.phase != TUNING:
            self.layer = self._best_ms = None
        self.phase = phase

    def _node(self, _text: str, _before: bytes) -> None:
        self._begin(READING)
        self.nodes += 1

    def _pass(self, text: str, _before: bytes) -> None:
        found = _COUNT.match(text)
        if found is not None and (self.phase in (None, READING, OPTIMIZING) or text.startswith("Original")):
            self._begin(OPTIMIZING, READING)
            self.most_layers = int(found[1])

    def _costs(self, text: str, before: bytes) -> None:
        found = _COSTS.match(text)
        if found is None:
            return
        self._begin(TUNING, READING, OPTIMIZING, GENERATING)
        self._end_layer()
        if found[1] is None:
            self.layer = _REFORMATS
            return
        self._is_stated = True
        self.layer = found[1].strip() or None
        self._next_layer(before)

    def _timing(self, text: str, before: bytes) -> None:
        """A runner of a layer, which alone names it in releases that do not say when a layer begins (to 8.0, and 8.4)."""
        found = _TIMING.match(text)
        if found is None:
            return
        self._begin(TUNING, READING, OPTIMIZING, GENERATING)
        name = _REFORMATS if found[1].startswith(_REFORMAT_NAMES) else found[1].strip()
        if name == self.layer:
            return
        if name == _REFORMATS:
            self._end_layer()
            self.layer = name
            return
        if self._is_stated and self.layer != _REFORMATS:
            self.layer = self.layer or name
            return
        self._end_layer()
        self.layer = name
        self._next_layer(before)

    def _next_layer(self, before: bytes) -> None:
        self.layers += 1
        stamp = read_stamp(before.rpartition(b"\n")[2].decode("utf-8", "replace"))
        if stamp is None:
            return
        self._first_s = stamp if self._first_s is None else self._first_s
        self.tuning_s = stamp - self._first_s

    def _fastest(self, text: str, _before: bytes) -> None:
        found = _FASTEST.match(text)
        try:
            time_ms = float(found[1]) if found is not None else _FLT_MAX
        except ValueError:
            return
        if 0 < time_ms < _FLT_MAX and self.layer not in (None, _REFORMATS):
            self._best_ms = time_ms if self._best_ms is None else min(time_ms, self._best_ms)

    def _end_layer(self) -> None:
        if self.layer and self._best_ms is not None and (self.slowest is None or self._best_ms > self.slowest[1]):
            self.slowest = self.layer, self._best_ms
        self._best_ms = None

    def _selected(self, _text: str, _before: bytes) -> None:
        self._end_layer()
        self._begin(GENERATING, READING, OPTIMIZING, TUNING)

    def _generated(self, _text: str, _before: bytes) -> None:
        self._begin(BUILT, READING, OPTIMIZING, TUNING, GENERATING)

    def _inference(self, _text: str, _before: bytes) -> None:
        self.phase = RUNNING

    # -- warnings and errors ---------------------------------------------------------------------------------------

    def _read_alarms(self, piece: bytes) -> None:
        head = piece[: max(_SAMPLE - len(self._head), 0)]
        self._head += head
        others = (mark for sign, some in _OTHER_ALARM_MARKS.items() if sign in self._head for mark in some)
        piece = b"\n" + piece
        found = (*_mark_places(b"\n" + head, _EVERY_ALARM_MARK), *_mark_places(piece, (*_ALARM_MARKS, *others)))
        places = {piece.rfind(b"\n", 0, place + 1) + 1 for place in found}
        for start in sorted(places)[:_MOST_ALARMS]:
            line = (
                piece[start : min(piece.find(b"\n", start), start + _LONGEST_LINE)]
                .decode("utf-8", "replace")
                .rstrip("\r")
            )
            begin = message_start(line)
            prefix = read_prefix(line[begin:]) if begin is not None else None
            if prefix is not None and begin is not None and prefix.severity in _ALARMING:
                text = line[begin + prefix.length :].strip()
                if len(self._alarms) < _MOST_KEPT:
                    self._alarms.setdefault(text, Alarm(prefix.severity, text))


_FIRST_PASS, _PASS, _BEST = b"Original: ", b"After ", b"Fastest Tactic: "
_MARKS = {
    b"Parsing node: ": BuildProgress._node,  # noqa: SLF001  the table of this class
    _FIRST_PASS: BuildProgress._pass,  # noqa: SLF001
    _PASS: BuildProgress._pass,  # noqa: SLF001
    b"=============== Computing ": BuildProgress._costs,  # noqa: SLF001
    b"--------------- Timing ": BuildProgress._timing,  # noqa: SLF001
    _BEST: BuildProgress._fastest,  # noqa: SLF001
    b"tactics selection completed": BuildProgress._selected,  # noqa: SLF001
    b"Engine generation completed": BuildProgress._generated,  # noqa: SLF001
    b"Starting inference": BuildProgress._inference,  # noqa: SLF001
}
_ALARM_MARKS = (b"[W]", b"[E]")
_OTHER_ALARM_MARKS = {
    b"VERBOSE": (b"WARN", b"ERROR"),
    b"INFO": (b"WARN", b"ERROR"),
    b"DEBUG": (b"WARN", b"ERROR"),
    b":onnxruntime:": (b"[W:", b"[E:"),
    b"tensorflow/compiler": (b": W tensorflow", b": E tensorflow"),
    b"Severity.": (b"Severity.W", b"Severity.E"),
    b".cc:": (b"\nW0", b"\nW1", b"\nE0", b"\nE1"),  # Triton
}
"""What to search for besides, where the program whose sign this is writes the log: each of its lines bears it."""
_EVERY_ALARM_MARK = (*_ALARM_MARKS, *(mark for some in _OTHER_ALARM_MARKS.values() for mark in some))
_SAMPLE = 8192
"""Bytes at the head of the log in which the sign is looked for, and every mark, as the sign may come later than a mark."""
_ALARMING = ("warning", "error", "internal error")


def _places(piece: bytes, mark: bytes) -> Iterator[int]:
    place = piece.find(mark)
    while place >= 0:
        yield place
        place = piece.find(mark, place + len(mark))


def _mark_places(piece: bytes, marks: Iterable[bytes]) -> Iterator[int]:
    return (place for mark in dict.fromkeys(marks) for place in _places(piece, mark))
