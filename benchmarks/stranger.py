"""How long until trtlens answers someone who just found it? ``just stranger``.

In a fresh environment and an empty folder: install, then the commands as they stand on the site's pages, over what trtexec leaves behind (a verbose log, and
times of inferences; made of the fixtures' ResNet-50, FP16 as the baseline and INT8, which is slower there). Seconds count from the start of the installation,
nothing is in pip's cache, and no module is compiled. Exits with 1 where a command does otherwise than its page says, or takes longer than is allowed.
Run: ``python benchmarks/stranger.py [PACKAGE]``, by default this checkout.
"""

from __future__ import annotations

import lzma
import os
import platform
import resource
import shlex
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path
from typing import NamedTuple

_ROOT = Path(__file__).parents[1]
_BASELINE, _SLOWER = (_ROOT / "fixtures" / "h200" / f"resnet50-{name}-compared" for name in ("fp16", "int8"))
_ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


class Step(NamedTuple):
    """One command of a page, its exit code, a part of what it prints, and the second by which it has to be done."""

    page: str
    command: str
    code: int
    told: str
    limit_s: float


_STEPS = (
    Step("README.md", "trtlens build.log", 0, "55 int8", 60),
    Step("docs/asking.md", "trtlens report build.log -o report.html", 0, "", 90),
    Step("docs/ci.md", "trtlens compare baseline/build.log,baseline/times.json build.log,times.json --fail-on 'latency > +3%'", 1, "breach", 600),
)  # fmt: skip


def main() -> None:
    """Install and ask, and print when each answer was there, and how much of that the processor worked."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        _leave_logs(folder)
        load = os.getloadavg()[0]
        print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores, load {load:.1f}")
        print(f"{'seconds':>8} {'processor':>10} {'allowed':>8}  done")
        began = time.perf_counter()
        programs = _installed(folder / "environment", sys.argv[1] if len(sys.argv) > 1 else str(_ROOT))
        _say(time.perf_counter() - began, "", "pip install")
        late = [step.command for step in _STEPS if not _in_time(step, folder, programs, began)]
    if late:
        sys.exit(f"too late: {'; '.join(late)}")


def _say(passed_s: float, limit: str, what: str) -> None:
    """A line, with the processor's seconds of everything so far: other work on the machine does not count in these."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"{passed_s:8.1f} {used.ru_utime + used.ru_stime:10.1f} {limit:>8}  {what}", flush=True)


def _leave_logs(folder: Path) -> None:
    """What builds with trtexec leave: a log and times, of the baseline and of now."""
    for run, to in ((_BASELINE, folder / "baseline"), (_SLOWER, folder)):
        to.mkdir(exist_ok=True)
        (to / "build.log").write_bytes(lzma.decompress((run / "verbose.log.xz").read_bytes()))
        (to / "times.json").write_bytes(lzma.decompress((run / "times.json.xz").read_bytes()))


def _installed(folder: Path, package: str) -> Path:
    """The folder of programs of a new environment that holds the package."""
    venv.create(folder, with_pip=True)
    programs = folder / "bin"
    words = [programs / "python", "-m", "pip", "install", "--quiet", "--no-cache-dir", package]
    subprocess.run(words, check=True, env=_ENVIRONMENT)
    return programs


def _in_time(step: Step, folder: Path, programs: Path, began: float) -> bool:
    """Take a step, and say whether it was done by its second; one that does otherwise than its page says ends the program."""
    if step.command not in (_ROOT / step.page).read_text("utf-8"):
        sys.exit(f"{step.page} no longer says {step.command}")
    program, *words = shlex.split(step.command)
    line = [programs / program, *words]
    done = subprocess.run(line, cwd=folder, check=False, capture_output=True, text=True, env=_ENVIRONMENT)
    passed_s = time.perf_counter() - began
    if done.returncode != step.code or step.told not in done.stdout + done.stderr:
        sys.exit(f"{step.command} ended with {done.returncode}: {(done.stdout + done.stderr)[:2000]}")
    _say(passed_s, f"{step.limit_s:.0f}", f"{step.command}   (exit code {step.code})")
    return passed_s <= step.limit_s


if __name__ == "__main__":
    main()
