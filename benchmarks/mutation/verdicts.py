"""Verdicts on changes, given by processes side by side, each kept when it is given."""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import signal
import tempfile
import time
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.mutation.processes import side_by_side
from benchmarks.mutation.reach import KEPT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from benchmarks.mutation.mutants import Mutant

    Tell = Callable[[str], object]

_ANSWERS = KEPT / "answers.jsonl"
"""A line for each verdict of the run that goes on, or that was broken off."""
_LONGEST_ERROR = 200
_BROKEN = 2
_ENDINGS = {0: "survived", 1: "killed", _BROKEN: "broken"}
"""What the exit code of a judging process means."""


class Share(NamedTuple):
    """How many processes judge side by side, and until when [s of the monotonic clock] they begin with another mutant."""

    processes: int
    until: float


class Verdict(NamedTuple):
    """What became of a mutant: killed, timeout, survived or not reached, or broken where judging failed; what failed, and how long it took."""

    status: str
    by: str
    seconds: float


def verdicts() -> dict[str, Verdict]:
    """What was judged in the last run, also where it was broken off."""
    lines = _ANSWERS.read_text("utf-8").splitlines() if _ANSWERS.exists() else []
    return {change: Verdict(*verdict) for change, verdict in map(json.loads, lines)}


def forget_verdicts() -> None:
    """Begin another run."""
    _ANSWERS.unlink(missing_ok=True)


def share_out(mutants: Sequence[Mutant], share: Share, judge: Callable[[Mutant], Verdict]) -> None:
    """Judge in processes side by side, each with a folder of its own for what tests write; each verdict becomes a line."""
    taken = multiprocessing.Value("i", 0)

    def take() -> Iterator[Mutant]:
        """The next mutant that no process has taken."""
        while time.monotonic() < share.until:
            with taken.get_lock():
                place, taken.value = taken.value, taken.value + 1
            if place >= len(mutants):
                return
            yield mutants[place]

    def work() -> None:
        with tempfile.TemporaryDirectory() as folder:
            os.environ["PYTEST_DEBUG_TEMPROOT"] = folder
            for mutant in take():
                line = json.dumps([mutant.change, judge(mutant)])
                with _ANSWERS.open("a", encoding="utf-8") as file:
                    file.write(f"{line}\n")

    for _ in side_by_side([work] * share.processes, share.processes):
        pass


def in_child(run: Callable[[Tell], bool], limit: int) -> Verdict:
    """Judge in a fork whose processor time is limited; what never ends is noticed as well."""
    began = time.monotonic()
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
        signal.alarm(10 * limit)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        code = _BROKEN
        try:
            code = int(run(lambda test: os.write(writing, test.encode())))
        except Exception as error:  # noqa: BLE001  the judge itself failed, which says nothing of the change
            os.write(writing, f"{type(error).__name__}: {error}"[:_LONGEST_ERROR].encode())
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        by = file.read().decode(errors="replace")
    _, status = os.waitpid(child, 0)
    found = "timeout" if os.WIFSIGNALED(status) else _ENDINGS[os.WEXITSTATUS(status)]
    return Verdict(found, by, round(time.monotonic() - began, 2))
