"""Damages inputs of every reader and runs the commands on them: nothing but the user's error may come out, in bounded time.

Each input is made from a seed (fixtures, cut down) by `mutations`, from `--seed`, the reader's name and the input's number alone.
It is read by one command, in a child process that may be killed: an exception other than `TrtlensError`, a crash, more than
5 s of processor time or more than 1 GB of memory is a failure, and its input is saved under `--keep`.

Run: ``python benchmarks/fuzz.py [--inputs 200000] [--reader NAME] [--first N] [--seed 1] [--keep FOLDER]`` (Linux)
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import asdict, dataclass, field
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import IO, TYPE_CHECKING

from fuzzed_readers import READERS, Reader

from trtlens.errors import TrtlensError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

_MOST_SECONDS = 5.0
_MOST_MIB = 1024
_ROOM_BYTES = 4 << 30
"""Address space that an input may ask for at once before Python is told that there is no memory."""
_SILENT_SECONDS = 120
"""After which a child that does not even hear its alarm is killed."""
_BATCH = 2000
"""Inputs that one child reads, so that nothing piles up."""
_PAGE_KIB = resource.getpagesize() // 1024


class _TooSlow(BaseException):
    """The alarm; no handler of exceptions may take it for the input's."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one input: `kind` is done, refused (the user's error) or failed, with the reason of a failure."""

    number: int
    kind: str
    seconds: float
    mib: float
    reason: str = ""
    trace: str = ""


@dataclass(slots=True)
class Tally:
    """What became of a reader's inputs."""

    kinds: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    slowest: float = 0.0
    slowest_number: int = 0
    largest_mib: float = 0.0

    def add(self, outcome: Outcome) -> None:
        """Count one input."""
        self.kinds[outcome.kind] += 1
        self.seconds += outcome.seconds
        if outcome.seconds > self.slowest:
            self.slowest, self.slowest_number = outcome.seconds, outcome.number
        self.largest_mib = max(self.largest_mib, outcome.mib)
        if outcome.reason:
            self.reasons[outcome.reason] += 1


# -- one input -------------------------------------------------------------------------------------------------------


def made_input(reader: Reader, seeds: list[bytes], seed: int, number: int) -> tuple[bytes, random.Random]:
    """The damaged input of that number, and the source of what is done with it."""
    source = random.Random(f"{seed}/{reader.name}/{number}")  # noqa: S311  nothing here is secret
    return reader.change(source, source.choice(seeds), seeds), source


def _read(reader: Reader, seeds: list[bytes], seed: int, number: int, place: Path) -> Outcome:
    data, source = made_input(reader, seeds, seed, number)
    before, started = _memory_mib("VmRSS"), time.process_time()
    Path("/proc/self/clear_refs").write_text("5")  # forgets the peak
    kind, reason, trace = "done", "", ""
    signal.setitimer(signal.ITIMER_PROF, _MOST_SECONDS)
    try:
        reader.read(data, place, source)
    except TrtlensError:
        kind = "refused"
    except (Exception, SystemExit, _TooSlow) as error:  # noqa: BLE001  whatever it is, it is a failure
        kind, trace = "failed", traceback.format_exc()[-20_000:]
        reason = f"{type(error).__name__} in {_culprit(error)}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    mib = max(_memory_mib("VmHWM") - before, 0.0)
    if mib > _MOST_MIB and not reason:
        kind, reason = "failed", "more memory than may be"
    return Outcome(number, kind, time.process_time() - started, mib, reason, trace)


def _culprit(error: BaseException) -> str:
    """The innermost place of ours that an exception went through."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "trtlens" in Path(frame.filename).parts or "trtlens_parsers" in frame.filename]
    frame = (ours or frames)[-1]
    return f"{Path(frame.filename).name}:{frame.lineno}"


def _memory_mib(what: str) -> float:
    status = Path("/proc/self/status").read_text("utf-8")
    return int(status.split(f"{what}:", 1)[1].split(None, 1)[0]) / 1024


# -- the child that reads, and who watches it ------------------------------------------------------------------------


def _child(reader: Reader, seed: int, numbers: range, out: IO[str]) -> None:
    """Read inputs and write an outcome a line, with the number of the next one before it."""

    def alarm(_signal: int, _frame: FrameType | None) -> None:
        raise _TooSlow

    signal.signal(signal.SIGPROF, alarm)
    # A library that starts a thread for each core reserves their stacks, on many cores more than what is allowed here.
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[os.getpid() % len(cores)]})
    used = int(Path("/proc/self/statm").read_text("utf-8").split()[0]) * _PAGE_KIB * 1024
    resource.setrlimit(resource.RLIMIT_AS, (used + _ROOM_BYTES, used + _ROOM_BYTES))
    warnings.simplefilter("ignore")
    with (
        tempfile.TemporaryDirectory(prefix="fuzz-") as folder,
        redirect_stdout(TextIOWrapper(BytesIO(), "utf-8")),
        redirect_stderr(TextIOWrapper(BytesIO(), "utf-8")),
    ):
        os.chdir(folder)
        seeds = reader.seeds()
        for number in numbers:
            out.write(f"{number}\n")
            out.flush()
            place = Path(folder, "input")
            place.mkdir()
            out.write(json.dumps(asdict(_read(reader, seeds, seed, number, place))) + "\n")
            shutil.rmtree(place)
            for stream in (sys.stdout, sys.stderr):
                stream.seek(0)
                stream.truncate()


def outcomes(reader: Reader, seed: int, numbers: range) -> Iterator[Outcome]:
    """What becomes of each input; where it takes its child along, the next child goes on behind it."""
    while numbers:
        batch = numbers[:_BATCH]
        done = batch.start
        for outcome in _watched(reader, seed, batch):
            done = outcome.number + 1
            yield outcome
        numbers = range(done, numbers.stop)


def _watched(reader: Reader, seed: int, numbers: range) -> Iterator[Outcome]:
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(ours)
        code = 1
        try:
            with os.fdopen(theirs, "w") as out:
                _child(reader, seed, numbers, out)
            code = 0
        except BaseException:  # noqa: BLE001  the child ends here, with a word on its way
            os.write(2, traceback.format_exc().encode())
        os._exit(code)
    os.close(theirs)
    current = numbers.start
    with os.fdopen(ours, "r") as lines:
        while True:
            if not select.select([lines], [], [], _SILENT_SECONDS)[0]:
                os.kill(pid, signal.SIGKILL)
            line = lines.readline()
            if not line:
                break
            if line.startswith("{"):
                yield Outcome(**json.loads(line))
            else:
                current = int(line)
    _, status = os.waitpid(pid, 0)
    if status:
        yield Outcome(current, "failed", 0.0, 0.0, f"the process ended with {os.waitstatus_to_exitcode(status)}")


# -- the whole -------------------------------------------------------------------------------------------------------


def _keep(folder: Path, reader: Reader, seed: int, outcome: Outcome, seeds: list[bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{reader.name}-{outcome.number}"
    data, _ = made_input(reader, seeds, seed, outcome.number)
    (folder / f"{stem}{reader.suffix}").write_bytes(data)
    again = f"python benchmarks/fuzz.py --seed {seed} --reader {reader.name} --first {outcome.number} --inputs 1"
    (folder / f"{stem}.txt").write_text(f"{outcome.reason}\n{again}\n{outcome.trace}", "utf-8")


def _shares(readers: list[Reader], inputs: int) -> dict[str, int]:
    weight = sum(reader.share for reader in readers)
    return {reader.name: round(inputs * reader.share / weight) for reader in readers}


def _print_row(name: str, tally: Tally) -> None:
    count = tally.kinds.total()
    mean_ms = 1000 * tally.seconds / max(count, 1)
    print(
        f"{name:<10} {count:>8,} {tally.kinds['refused']:>8,} {tally.kinds['failed']:>7,} {mean_ms:>8.1f} {tally.slowest:>10.2f}"
        f" {tally.slowest_number:>11} {tally.largest_mib:>12.0f}",
        flush=True,
    )


def _fuzz(reader: Reader, options: argparse.Namespace, count: int) -> Tally:
    """Read that many inputs of one reader and keep those that fail."""
    tally, seeds = Tally(), reader.seeds()
    for outcome in outcomes(reader, options.seed, range(options.first, options.first + count)):
        tally.add(outcome)
        if outcome.kind == "failed":
            _keep(options.keep.absolute(), reader, options.seed, outcome, seeds)
    return tally


def main() -> int:
    """Read the inputs and print what became of them; 1 where any failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=200_000)
    parser.add_argument("--reader", choices=[reader.name for reader in READERS])
    parser.add_argument("--first", type=int, default=0, help="number of the first input of each reader")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir(), "fuzz-failures"))
    options = parser.parse_args()
    readers = [reader for reader in READERS if options.reader in (None, reader.name)]
    started, whole = time.monotonic(), Tally()
    print("reader       inputs  refused  failed  mean ms  slowest s  that input  largest MiB")
    for reader in readers:
        tally = _fuzz(reader, options, _shares(readers, options.inputs)[reader.name])
        _print_row(reader.name, tally)
        for reason, count in tally.reasons.most_common():
            print(f"  {count} of them: {reason}", flush=True)
        whole.kinds.update(tally.kinds)
    failed = whole.kinds["failed"]
    print(f"{whole.kinds.total():,} inputs, {failed:,} failed, {time.monotonic() - started:.0f} s")
    if failed:
        print(f"the failing inputs are in {options.keep}")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
