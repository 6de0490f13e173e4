"""Which lines each test and each golden product reaches: that tells which of them can notice a change."""

from __future__ import annotations

import functools
import gc
import json
import re
import sys
import time
from collections import defaultdict
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from benchmarks.mutation.operators import ROOT
from benchmarks.mutation.processes import side_by_side

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from coverage import Coverage

    from trtlens.runs.run import Run

KEPT = ROOT / ".mutation"
SESSION = [
    "-s", "-m", "not gpu", "-o", "addopts=", "-o", "tmp_path_retention_policy=none", "-p", "no:xdist", "-p", "no:cacheprovider",
    "-p", "no:terminal", "-W", "ignore::pytest.PytestAssertRewriteWarning",
]  # fmt: skip
GOLDEN = "golden"
"""Golden products stand among the tests as ``golden::NAME::FILE``."""
_LEFT_OUT = re.compile(
    r"tests/(golden|capture/(?!test_statistics)|report/test_report_browser|accuracy/test_(engine|gpu)_dump"
    r"|test_(formats|inspector|kernels|layer_lines|log|messages|damaged_logs|every_command|fuzzer|mutations))"
)
"""Tests of what is not changed, those that drive a browser or see only whether commands end, and the goldens', asked product by product."""
_AT_ONCE = 4
_GOLDEN_PARTS = 16


class Reach(NamedTuple):
    """What a test reaches: its seconds of processor time, lines by file, fixtures that it reads; of a product its digest."""

    seconds: float
    lines: dict[str, list[int]]
    documents: Sequence[str] = ()
    digest: str = ""


def recorded(files: Sequence[Path], processes: int) -> dict[str, Reach]:
    """What everything reaches; run is only what changed, or what reaches a file that changed, since the last time."""
    tests = [path for path in sorted((ROOT / "tests").rglob("test_*.py")) if not _left_out(path)]
    states = {path.relative_to(ROOT).as_posix(): sha256(path.read_bytes()).hexdigest() for path in (*tests, *files)}
    states[GOLDEN] = sha256(
        b"".join(path.read_bytes() for path in sorted((ROOT / "tests/golden").glob("*.py")))
    ).hexdigest()
    before = read_json(KEPT / "reach.json") or {"states": {}, "reach": {}}
    same = {file for file, state in states.items() if before["states"].get(file) == state}
    reach = {test: Reach(*entry) for test, entry in before["reach"].items()}
    reach = {test: one for test, one in reach.items() if {file_of(test), *one.lines} <= same}
    known = {file_of(test) for test in before["reach"]} & same
    stale = {file_of(test) for test in before["reach"].keys() - reach.keys()} & states.keys()
    stale |= {file for file in states if file.startswith(("tests/", GOLDEN))} - known
    batches = [[f"{GOLDEN}::{part}"] for part in range(_GOLDEN_PARTS) if GOLDEN in stale]
    run = sorted(stale - {GOLDEN})
    batches += [run[start : start + _AT_ONCE] for start in range(0, len(run), _AT_ONCE)]
    waiting = dict(enumerate(batches))
    works = [partial(_record, number, batch, set(reach), files) for number, batch in enumerate(batches)]
    for number in side_by_side(works, processes):
        reach |= _made(number, waiting.pop(number))
        rest = {file_of(test): "" for batch in waiting.values() for test in batch}
        (KEPT / "reach.json").write_text(json.dumps({"states": states | rest, "reach": reach}), "utf-8")
    return {test: one for test, one in reach.items() if one.lines}


def _record(number: int, tests: Sequence[str], known: set[str], files: Sequence[Path]) -> None:
    """Keep what tests reach of which nothing is known."""
    import coverage  # noqa: PLC0415  only where something is traced

    tracer = coverage.Coverage(data_file=None, include=[str(path) for path in files], config_file=False)
    _, _, part = tests[0].partition(f"{GOLDEN}::")
    reach = record_products(tracer, int(part)) if part else _record_tests(tracer, tests, known)
    (KEPT / f"made-{number}.json").write_text(json.dumps(reach), "utf-8")


def _made(number: int, tests: Sequence[str]) -> dict[str, Reach]:
    made = KEPT / f"made-{number}.json"
    if not made.exists():
        raise SystemExit(f"what these tests reach cannot be recorded: {', '.join(tests)}")
    found = {test: Reach(*entry) for test, entry in read_json(made).items()}
    made.unlink()
    return found


def _record_tests(tracer: Coverage, tests: Sequence[str], known: set[str]) -> dict[str, Reach]:
    recorder = _Recorder(tracer, known)
    if pytest.main([*SESSION, *tests], plugins=[recorder]) > pytest.ExitCode.TESTS_FAILED:
        raise SystemExit(1)
    return recorder.reach()


class _Recorder:
    """Plugin of pytest: which lines each test executes, in what time."""

    def __init__(self, tracer: Coverage, known: set[str]) -> None:
        self._tracer, self._known = tracer, known
        self._seconds: dict[str, float] = {}
        self._failed: set[str] = set()
        self._documents: dict[str, list[str]] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep the tests of which nothing is known."""
        items[:] = [item for item in items if item.nodeid not in self._known]

    def pytest_collection_finish(self) -> None:
        """Start when everything is imported."""
        self._memory = Memory()
        self._tracer.start()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Give each test a context of its own."""
        forget()
        self._memory.asked.clear()
        self._tracer.switch_context(item.nodeid)
        began = time.process_time()
        result = yield
        self._seconds[item.nodeid] = time.process_time() - began
        self._documents[item.nodeid] = sorted(self._memory.asked)
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Tests that fail, or that are skipped, judge nothing."""
        if report.outcome != "passed":
            self._failed.add(report.nodeid)

    def reach(self) -> dict[str, Reach]:
        """What the tests that passed reach."""
        lines = _lines(self._tracer)
        passed = {test: seconds for test, seconds in self._seconds.items() if test not in self._failed}
        return {test: Reach(seconds, lines.get(test, {}), self._documents[test]) for test, seconds in passed.items()}


def record_products(tracer: Coverage, part: int) -> dict[str, Reach]:
    """What each golden product of a part of the runs reaches, and its digest."""
    from tests.golden.products import NAMES, products  # noqa: PLC0415

    tracer.start()
    measured: dict[str, tuple[float, str]] = {}
    for name in NAMES[part::_GOLDEN_PARTS]:
        forget()
        tracer.switch_context(f"{GOLDEN}::{name}")
        made = products(name)
        runs = _runs()
        for file, make in made.items():
            for run in runs:
                run._answers.clear()  # noqa: SLF001  each product reaches what it asks a run, whoever asked it before
            tracer.switch_context(f"{GOLDEN}::{name}::{file}")
            began = time.process_time()
            digest = digest_of(make)
            measured[f"{GOLDEN}::{name}::{file}"] = time.process_time() - began, digest
    lines = _lines(tracer)
    found = {}
    for test, (seconds, digest) in measured.items():
        own, shared = lines.get(test, {}), lines.get(test.rpartition("::")[0], {})
        found[test] = Reach(
            seconds, {file: [*own.get(file, ()), *shared.get(file, ())] for file in {**own, **shared}}, [], digest
        )
    return found


def _runs() -> list[Run]:
    """Every run in memory."""
    from trtlens.runs.run import Run  # noqa: PLC0415

    return [one for one in gc.get_objects() if isinstance(one, Run)]


def digest_of(make: Callable[[], str]) -> str:
    """Digest of a golden product, or of the reason why there is none."""
    from tests.golden.inputs import read_once  # noqa: PLC0415
    from tests.golden.products_of_runs import AbsentError  # noqa: PLC0415

    try:
        with read_once():
            text = make()
    except AbsentError as reason:
        text = f"absent: {reason}"
    return sha256(text.encode(errors="surrogatepass")).hexdigest()


def _lines(tracer: Coverage) -> dict[str, dict[str, list[int]]]:
    """Lines by context and file."""
    tracer.stop()
    data = tracer.get_data()
    found: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for path in data.measured_files():
        for line, tests in data.contexts_by_lineno(path).items():
            for test in tests:
                found[test][Path(path).relative_to(ROOT).as_posix()].append(line)
    return found


def file_of(test: str) -> str:
    """The file that holds a test."""
    return test.partition("::")[0]


def _left_out(path: Path) -> bool:
    return bool(_LEFT_OUT.match(path.relative_to(ROOT).as_posix()))


class Memory:
    """Logs of the fixtures that are read once, whoever asks: reading is not what is judged."""

    def __init__(self) -> None:
        from trtlens.runs import ingest  # noqa: PLC0415  not before a change outside of functions is in place

        self.asked: set[str] = set()
        self._read, self._join = ingest.read_document, ingest.join_documents
        self._documents: dict[str, Any] = {}
        self._tables: dict[Any, Any] = {}
        for module in [module for name, module in sys.modules.items() if name.startswith("trtlens.")]:
            for name, old, new in (("read_document", self._read, self.read), ("join_documents", self._join, self.join)):
                if module is not ingest and module.__dict__.get(name) is old:
                    setattr(module, name, new)

    def read(self, path: str) -> Any:
        """The document of a fixture, read once."""
        if not str(Path(path).resolve()).startswith(f"{ROOT}/fixtures/"):
            return self._read(path)
        if path not in self._documents:
            self._documents[path] = self._read(path)
        self.asked.add(path)
        return self._documents[path]

    def join(self, documents: Sequence[Any], *, build: int | None = None) -> Any:
        """The tables of documents, made once where all are fixtures."""
        if any(self._documents.get(document.path) is not document for document in documents):
            return self._join(documents, build=build)
        key = (*(document.path for document in documents), build)
        if key not in self._tables:
            self._tables[key] = self._join(documents, build=build)
        return self._tables[key]


def forget() -> None:
    """Empty what functions of trtlens and of the tests remember."""
    for one in gc.get_objects():
        if isinstance(one, functools._lru_cache_wrapper) and str(one.__module__).startswith(("trtlens.", "tests.")):  # noqa: SLF001
            one.cache_clear()


def read_json(path: Path) -> dict[str, Any]:
    """A kept file; nothing where there is none."""
    return json.loads(path.read_text("utf-8")) if path.exists() else {}
