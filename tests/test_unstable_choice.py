"""Choices that noise decides, counted from the raw lines of a recorded log."""

from __future__ import annotations

import lzma
import re
from functools import cache

from tests.conftest import FIXTURES
from tests.golden.inputs import opened

RUN = FIXTURES / "h200" / "resnet50-int8"
TIMED = re.compile(r"Tactic: (0x[0-9a-f]{16}) Time: ([0-9.e-]+)$")
HEADER = "*************** Autotuning format combination: "
RUNNER = "--------------- Timing Runner: "


@cache
def lines() -> list[str]:
    """The raw log; line 1 is the first."""
    return ["", *lzma.decompress((RUN / "verbose.log.xz").read_bytes()).decode().split("\n")]


def block(number: int) -> dict[int, tuple[str, str, float]]:
    """Timed lines under the format combination that a line stands in: runner, tactic and time by line number."""
    raw, first = lines(), number
    while HEADER not in raw[first]:
        first -= 1
    found, runner, place = {}, "", first + 1
    while HEADER not in raw[place] and "Computing " not in raw[place]:
        if RUNNER in raw[place]:
            runner = raw[place].partition(RUNNER)[2]
        timed = TIMED.search(raw[place])
        if timed and "Fastest" not in raw[place]:
            found[place] = (runner, timed[1], float(timed[2]))
        place += 1
    return found


def test_rivals_are_counted_as_in_the_raw_log() -> None:
    """10 of 29 chosen lines of the second build that launch a kernel have another tactic within 1 % under the same header: counted from raw lines."""
    run = opened("h200/resnet50-int8")
    rows = [row for row in run["tuned_layers"].to_pylist() if row["build"] == 2 and row["candidate_line"] is not None]
    layers = [row for row in run["layers"].to_pylist() if row["build"] == 2]
    idle = {row["index"] for row in layers if row["is_reformat"] or row["type"] == "NoOp"}
    chosen = [row["candidate_line"] for row in rows if row["layer_index"] not in idle]
    close = 0
    for line in chosen:
        timed = block(line)
        runner, tactic, time_ms = timed[line]
        close += any(
            (other, rival) != (runner, tactic) and abs(rival_ms - time_ms) <= 0.01 * time_ms
            for other, rival, rival_ms in timed.values()
        )
    assert (close, len(chosen)) == (10, 29)
    row = next(row for row in run.view("findings").to_pylist() if row["code"] == "unstable-choice")
    assert row["text"].startswith(f"For {close} of {len(chosen)} layers")
    assert len(row["layers"]) == close


def test_each_rival_named_stands_under_the_same_header() -> None:
    """The evidence's two lines are of one format combination and name two tactics."""
    found = opened("h200/resnet50-int8").view("findings").to_pylist()
    evidence = next(row for row in found if row["code"] == "unstable-choice")["evidence"]
    for sentence in evidence:
        rival, runs = (int(number) for number in re.findall(r"line (\d+)", sentence))
        timed = block(runs)
        assert timed[rival][1] != timed[runs][1], sentence
