"""Whether tests notice a change: each is judged in a fork, in which the changed function has its new code.

A change outside of functions takes effect on import, so it is judged in a fork that has not imported trtlens yet.
"""

from __future__ import annotations

import gc
import importlib
import importlib.machinery
import importlib.util
import sys
from collections import defaultdict
from itertools import zip_longest
from pathlib import Path
from types import CodeType, FunctionType
from typing import TYPE_CHECKING

import pytest

from benchmarks.mutation.operators import ROOT
from benchmarks.mutation.processes import in_fork
from benchmarks.mutation.reach import GOLDEN, SESSION, Memory, Reach, digest_of, file_of, forget
from benchmarks.mutation.verdicts import Share, Verdict, forget_verdicts, in_child, share_out, verdicts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.mutation.mutants import Mutant

    Tell = Callable[[str], object]

_SPARE_SECONDS = 20


def judged(mutants: Sequence[Mutant], reach: dict[str, Reach], share: Share) -> dict[str, Verdict]:
    """A verdict on each mutant by its change; of those that were not reached in time there is none.

    What no test executes may be executed on import: it is judged as what is in no function.
    """
    tests = {mutant.change: _tests(mutant, reach) for mutant in mutants}
    anew = [m for m in mutants if not m.function or not tests[m.change]]
    tests |= {mutant.change: _tests_of_file(mutant, reach) for mutant in anew}
    unreached = {change: Verdict("not reached", "", 0.0) for change, found in tests.items() if not found}
    forget_verdicts()
    judge = _Judge([m for m in mutants if m not in anew], tests, reach, share)
    in_fork(lambda: pytest.main([*SESSION, *sorted({file_of(test) for test in reach} - {GOLDEN})], plugins=[judge]))
    share_out(
        [m for m in anew if tests[m.change]],
        share,
        lambda m: in_child(lambda tell: _run_anew(m, tests[m.change], reach, tell), _limit(tests[m.change], reach)),
    )
    return unreached | verdicts()


def _tests(mutant: Mutant, reach: dict[str, Reach]) -> list[str]:
    """Tests that execute the changed statement; the quickest first."""
    low, high = mutant.lines
    found = [test for test, one in reach.items() if any(low <= line <= high for line in one.lines.get(mutant.file, ()))]
    return sorted(found, key=lambda test: reach[test].seconds)


def _tests_of_file(mutant: Mutant, reach: dict[str, Reach]) -> list[str]:
    """Tests that execute anything of the changed file; the quickest first."""
    return sorted(
        (test for test, one in reach.items() if one.lines.get(mutant.file)), key=lambda test: reach[test].seconds
    )


def _limit(tests: Sequence[str], reach: dict[str, Reach]) -> int:
    return round(3 * sum(reach[test].seconds for test in tests)) + _SPARE_SECONDS


class _Judge:
    """Plugin of pytest: instead of running the tests, judges mutants in forks of the session."""

    def __init__(
        self, mutants: Sequence[Mutant], tests: dict[str, list[str]], reach: dict[str, Reach], share: Share
    ) -> None:
        self._mutants, self._tests, self._reach, self._share = mutants, tests, reach, share

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Read the fixtures, then judge."""
        for file in {mutant.file for mutant in self._mutants}:
            importlib.import_module(_module(file))
        from tests.golden.inputs import FILES, opened  # noqa: PLC0415

        memory = Memory()
        for path in sorted({path for one in self._reach.values() for path in one.documents}):
            memory.read(path)
        for name in FILES:
            opened(name)
        forget()
        self._items = {item.nodeid: item for item in session.items}
        self._functions = _functions()
        gc.collect()
        gc.freeze()
        share_out(self._mutants, self._share, self._judge)
        return True

    def _judge(self, mutant: Mutant) -> Verdict:
        tests = self._tests[mutant.change]
        return in_child(lambda tell: self._run(mutant, tests, tell), _limit(tests, self._reach))

    def _run(self, mutant: Mutant, tests: Sequence[str], tell: Tell) -> bool:
        """Whether a test fails with the mutant in place."""
        new = _code_of(mutant.code(), mutant.function.split("."), mutant.first_line)
        self._replace(mutant.file, mutant.function, new)
        products = _Products(self._reach)
        items = [self._items[test] for test in tests if test in self._items]
        following = {item.nodeid: after for item, after in zip_longest(items, items[1:])}
        for test in tests:
            if test.startswith(f"{GOLDEN}::"):
                failed = products.differ(test)
            else:
                item = self._items[test]
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=following[test])
                failed = bool(item.session.testsfailed)
            if failed:
                tell(test)
                return True
        return False

    def _replace(self, file: str, name: str, new: CodeType) -> None:
        """Give the functions of a name their new code, and those within them that an import has already made."""
        for function in self._functions[file, name, new.co_firstlineno]:
            if function.__code__.co_freevars == new.co_freevars:
                function.__code__ = new
        inner = [one for one in new.co_consts if isinstance(one, CodeType)]
        for code in inner:
            if sum(one.co_name == code.co_name for one in inner) == 1:
                self._replace(file, f"{name}.<locals>.{code.co_name}", code)


class _Products:
    """Golden products, made where they are asked for."""

    def __init__(self, reach: dict[str, Reach]) -> None:
        self._reach = reach
        self._made: dict[str, dict[str, Callable[[], str]]] = {}

    def differ(self, test: str) -> bool:
        """Whether a product is another one, or cannot be made any more."""
        from tests.golden.products import products  # noqa: PLC0415

        _, name, file = test.split("::")
        try:
            if name not in self._made:
                self._made[name] = products(name)
            return digest_of(self._made[name][file]) != self._reach[test].digest
        except Exception:  # noqa: BLE001  whatever it raises, the change is noticed
            return True


def _functions() -> dict[tuple[str, str, int], list[FunctionType]]:
    """Every function of trtlens by file, name and line: decorators may have made several of one code."""
    found: dict[tuple[str, str, int], list[FunctionType]] = defaultdict(list)
    for one in gc.get_objects():
        if isinstance(one, FunctionType) and one.__code__.co_filename.startswith(f"{ROOT}/trtlens/"):
            place = Path(one.__code__.co_filename).relative_to(ROOT).as_posix()
            found[place, one.__qualname__, one.__code__.co_firstlineno].append(one)
    return found


def _code_of(code: CodeType, names: Sequence[str], line: int) -> CodeType:
    """The code of a function within that of its module."""
    inner = [one for one in code.co_consts if isinstance(one, CodeType) and one.co_name == names[0]]
    if len(names) > 1:
        return _code_of(inner[0], names[1:], line)
    return next(one for one in inner if one.co_firstlineno == line)


class _Loader(importlib.machinery.SourceFileLoader):
    """Loads a module with a mutant in place."""

    mutant: Mutant

    def get_code(self, _fullname: str) -> CodeType:
        return self.mutant.code()


class _Finder:
    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant

    def find_spec(
        self, name: str, _path: object = None, _target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The changed module alone."""
        if name != _module(self._mutant.file):
            return None
        loader = _Loader(name, str(ROOT / self._mutant.file))
        loader.mutant = self._mutant
        return importlib.util.spec_from_file_location(name, ROOT / self._mutant.file, loader=loader)


class _Chosen:
    """Plugin of pytest: runs some tests, in an order that is given, until one fails."""

    def __init__(self, tests: Sequence[str], tell: Tell) -> None:
        self._order = {test: place for place, test in enumerate(tests)}
        self._tell = tell

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep the chosen tests."""
        items[:] = sorted((i for i in items if i.nodeid in self._order), key=lambda i: self._order[i.nodeid])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Say which test failed."""
        if report.failed:
            self._tell(report.nodeid)


def _run_anew(mutant: Mutant, tests: Sequence[str], reach: dict[str, Reach], tell: Tell) -> bool:
    """Whether a product differs, or a test fails, when trtlens is imported with the mutant in place."""
    sys.meta_path.insert(0, _Finder(mutant))
    try:
        importlib.import_module(_module(mutant.file))
    except Exception:  # noqa: BLE001  whatever the changed module raises, nothing runs with it
        tell("import")
        return True
    products = _Products(reach)
    for test in tests:
        if test.startswith(f"{GOLDEN}::") and products.differ(test):
            tell(test)
            return True
    files = sorted({file_of(test) for test in tests} - {GOLDEN})
    return bool(files) and pytest.main([*SESSION, "-x", *files], plugins=[_Chosen(tests, tell)]) != pytest.ExitCode.OK


def _module(file: str) -> str:
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
