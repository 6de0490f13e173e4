"""Which wrong answers would the tests notice? `python -m benchmarks.mutate [--count N] [--package P] [--again | --rest]`.

Makes small wrong changes to what computes answers, one at a time, and asks the golden products and tests that reach the
changed line, the quickest first, until one differs or fails. Prints what nothing notices, and the rates by package. What
each test reaches, and the verdicts, are kept in ``.mutation/``. Changes that cannot make an answer wrong are listed in
``mutation/equivalent.txt`` with the reason.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import time
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import hypothesis

from benchmarks.mutation.judging import judged
from benchmarks.mutation.mutants import Mutant, mutants_of, sample
from benchmarks.mutation.operators import ROOT
from benchmarks.mutation.reach import KEPT, read_json, recorded
from benchmarks.mutation.verdicts import Share, verdicts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SCOPE = {
    "views": ("views/*.py",),
    "charts": ("charts/*.py", "charts/drawing/*.py"),
    "findings": ("findings/*.py", "findings/rules/*.py"),
    "explain": ("explain/*.py",),
    "comparison": ("comparison/*.py",),
    "accuracy": tuple(f"accuracy/{name}.py" for name in (
        "blame", "causes", "compare", "error_rows", "metrics", "overflow", "remedies", "streaming", "summary",
    )),
    "report": tuple(f"report/{name}.py" for name in ("overview", "finding_list", "payload", "sections", "subject")),
    "summary and exports": ("summary/*.py", "output/*.py", "quantities.py", "commands/compare.py", "report/trace_events.py"),
    "engine": ("engine/*.py", "statistics.py"),
    "tuning": ("tuning/*.py",),
}  # fmt: skip
"""What is changed, by package; parsers and the reading of tables are not."""
EQUIVALENT = ROOT / "benchmarks" / "mutation" / "equivalent.txt"
_UNNOTICED = {"survived", "not reached", "broken"}


def main() -> None:
    """Sample, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=600, help="mutants in all, shared out by the size of the packages")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--package", action="append", choices=SCOPE, help="only this package (may be given again)")
    parser.add_argument("--again", action="store_true", help="judge only those that nothing noticed before")
    parser.add_argument("--rest", action="store_true", help="judge only those that were not judged before")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="how many judge side by side")
    parser.add_argument(
        "--minutes", type=float, default=1e6, help="judge no further mutant after so long; --rest goes on"
    )
    chosen = parser.parse_args()
    began = time.monotonic()
    os.nice(10)
    os.chdir(ROOT)
    KEPT.mkdir(exist_ok=True)
    files = {package: files_of(package) for package in SCOPE}
    mutants = _sampled(files, chosen.count, chosen.seed, chosen.package or list(SCOPE))
    for name in ("pandas", "pyarrow.parquet", "plotly.graph_objects", "onnx", "rich.console"):
        importlib.import_module(name)
    reach = recorded([path for paths in files.values() for path in paths], chosen.processes)
    known = read_json(KEPT / "results.json") | verdicts()
    (KEPT / "results.json").write_text(json.dumps(known, indent=1), "utf-8")
    reasons = equivalent()
    wanted = (
        {"not judged"}
        if chosen.rest
        else _UNNOTICED
        if chosen.again
        else {"not judged", "killed", "timeout", *_UNNOTICED}
    )
    todo = [m for m in mutants if m.change not in reasons and known.get(m.change, ["not judged"])[0] in wanted]
    print(f"{len(todo)} mutants, {len(reach)} tests and products ({time.monotonic() - began:.0f} s)", flush=True)
    known |= judged(todo, reach, Share(chosen.processes, began + 60 * chosen.minutes))
    (KEPT / "results.json").write_text(json.dumps(known, indent=1), "utf-8")
    _tell(mutants, known, reasons, {path: package for package, paths in files.items() for path in paths})
    print(f"{time.monotonic() - began:.0f} s")


def files_of(package: str) -> list[Path]:
    """What is changed of a package.

    Raises:
        SystemExit: a pattern names no file, since a module moved.

    """
    found = {glob: sorted((ROOT / "trtlens").glob(glob)) for glob in SCOPE[package]}
    for glob, files in found.items():
        if not files:
            raise SystemExit(f"no file of trtlens is named {glob}: change SCOPE in benchmarks/mutate.py")
    return [path for files in found.values() for path in files]


def _sampled(files: dict[str, list[Path]], count: int, seed: int, packages: Sequence[str]) -> list[Mutant]:
    found = {package: [m for path in files[package] for m in mutants_of(path)] for package in packages}
    total = sum(len(mutants) for mutants in found.values())
    return [m for mutants in found.values() for m in sample(mutants, round(count * len(mutants) / total), seed)]


def _tell(mutants: Sequence[Mutant], known: dict[str, Any], reasons: dict[str, str], packages: dict[Path, str]) -> None:
    """What nothing notices, then the rates."""
    by_package: dict[str, Counter[str]] = defaultdict(Counter)
    for mutant in mutants:
        package = packages[ROOT / mutant.file]
        status = "equivalent" if mutant.change in reasons else known.get(mutant.change, ["not judged"])[0]
        if status not in {"killed", "timeout", "equivalent"}:
            print(f"{package}: {status}, {mutant.kind}, line {mutant.lines[0]}: {mutant.change}")
        by_package[package][status] += 1
    print("| package | mutants | killed | equivalent | not noticed | rate |\n|---|---|---|---|---|---|")
    for package, counts in [*by_package.items(), ("all", sum(by_package.values(), Counter()))]:
        killed, same, total = counts["killed"] + counts["timeout"], counts["equivalent"], counts.total()
        rate = 100 * killed / max(total - same, 1)
        print(f"| {package} | {total} | {killed} | {same} | {total - killed - same} | {rate:.1f} % |")


def equivalent() -> dict[str, str]:
    """Changes that cannot make an answer wrong, with the reason."""
    lines = EQUIVALENT.read_text("utf-8").splitlines() if EQUIVALENT.exists() else []
    return dict(line.rsplit(" | ", 1) for line in lines if line and not line.startswith("#"))


if __name__ == "__main__":
    hypothesis.settings.register_profile("mutation", deadline=None, derandomize=True, database=None, max_examples=20)
    hypothesis.settings.load_profile("mutation")
    main()
