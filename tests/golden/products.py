"""What trtlens says of a run or a comparison, as small texts by file name; and how that differs from what is expected.

Usable without pytest: ``compare("h200/resnet50-best")`` lists the differences.
"""

from __future__ import annotations

from difflib import unified_diff
from itertools import islice
from typing import TYPE_CHECKING

from tests.conftest import FIXTURES
from tests.golden.inputs import COMPARED, DUMPED, RUNS, read_once
from tests.golden.products_of_comparisons import of_comparison
from tests.golden.products_of_dumps import of_dumps
from tests.golden.products_of_runs import AbsentError, of_run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

EXPECTED = FIXTURES / "expected"
NAMES = (*RUNS, *(f"compared/{name}" for name in COMPARED), *(f"accuracy/{name}" for name in DUMPED))
"""Everything that has golden files: runs, comparisons behind ``compared/``, dumps beside a reference behind ``accuracy/``."""
_SHOWN_DIFFERENCE = 40


def produce(name: str) -> dict[str, str]:
    """All products of a run, or of a comparison, by the name of their file."""
    with read_once():
        tried = {file: _tried(make) for file, make in products(name).items()}
    made = {file: text for file, (text, _) in tried.items() if text is not None}
    absent = "\n".join(reason for _, reason in tried.values() if reason is not None)
    return made | {"absent.txt": f"{absent}\n"} if name in RUNS else made


def _tried(make: Callable[[], str]) -> tuple[str | None, str | None]:
    """A product, or why there is none."""
    try:
        return make(), None
    except AbsentError as reason:
        return None, str(reason)


def products(name: str) -> dict[str, Callable[[], str]]:
    """How each product of a run, a comparison or compared dumps is made, within `read_once`; each can be made alone.

    Raises:
        AbsentError: when called, a product cannot be made of this run.

    """
    kind, _, rest = name.partition("/")
    if kind == "compared":
        return dict(of_comparison(COMPARED[rest]))
    if kind == "accuracy":
        return dict(of_dumps(DUMPED[rest]))
    return dict(of_run(name))


def compare(name: str) -> list[str]:
    """How the products differ from the golden files; nothing where they are the same."""
    return differences(expected(name), produce(name))


def expected(name: str) -> dict[str, str]:
    """The golden files of a run or a comparison."""
    folder = EXPECTED / name
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_text("utf-8") for path in files}


def differences(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """One text for each file that is new, gone or changed."""
    found = []
    for file in sorted({*before, *after}):
        if file not in before:
            found.append(f"{file}: no golden file")
        elif file not in after:
            found.append(f"{file}: nothing makes this golden file")
        elif before[file] != after[file]:
            lines = unified_diff(
                before[file].split("\n"), after[file].split("\n"), "expected", "made", n=0, lineterm=""
            )
            found.append(f"{file}:\n" + "\n".join(line[:300] for line in islice(lines, _SHOWN_DIFFERENCE)))
    return found


def update(name: str) -> list[str]:
    """Write the golden files anew, and remove those that nothing makes; what changed is returned."""
    before, made = expected(name), produce(name)
    for file in before.keys() - made.keys():
        (EXPECTED / name / file).unlink()
    for file, text in made.items():
        path = EXPECTED / name / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8", newline="\n")
    return differences(before, made)


def left_over() -> list[str]:
    """Golden files of runs and comparisons that are not there."""
    known = {path for name in NAMES for path in (EXPECTED / name).rglob("*")}
    return sorted(_place(path) for path in EXPECTED.rglob("*") if path.is_file() and path not in known)


def _place(path: Path) -> str:
    return path.relative_to(FIXTURES).as_posix()
