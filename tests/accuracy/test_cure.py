"""The search for a cure with a double of TensorRT that computes: what is built, what is told, what is kept."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from math import ceil, log2
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import onnx
import pytest

from tests.accuracy.conftest import FIXTURES, MODELS, needs_runtime
from tests.accuracy.planted_cures import (
    FaultyRebuilder,
    Place,
    of_pins,
    of_tactics,
    of_two,
    planted,
    search_again,
    searched,
)
from tests.doubles.tensorrt_double import Script, running_backend
from tests.doubles.tensorrt_runtime import host_cuda
from tests.schemas import fits
from trtlens.accuracy.local_errors import OK, PRECISION, SUSPECT, UNCLEAR
from trtlens.accuracy.readers import open_dump
from trtlens.capture.backends import backend as backends
from trtlens.capture.dumping.rebuild import Candidates, Rebuilt, make_selector
from trtlens.capture.models.inputs import load_arrays
from trtlens.capture.progress import silent
from trtlens.commands import cure as cure_command
from trtlens.commands.cure import Asked, cured, make_curing
from trtlens.commands.cure_told import applied, cost_sentence, sentences
from trtlens.commands.region_cure import RECORD, timed
from trtlens.commands.region_errors import Regions
from trtlens.commands.region_judge import outcome
from trtlens.errors import CaptureError, TrtlensError
from trtlens.runs.run_info import foreign_files
from trtlens.statistics import summarize

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.accuracy.conftest import Typed
    from tests.accuracy.planted_cures import Planted
    from trtlens.capture.dumping.rebuild import Change
    from trtlens.capture.progress import Progress
    from trtlens.capture.timing.processes import TimedEngine
    from trtlens.commands.region_cure import Curing, Found
    from trtlens.statistics import Statistics

pytestmark = needs_runtime


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Place]:
    """A folder and the double of a release, which the commands find."""

    def make(release: str = "8.6.0", **notes: Any) -> Place:
        script = Script()
        for name, value in notes.items():
            script.note(name.replace("_", " "), value)
        backend, (cuda, _) = running_backend(release, script), host_cuda()
        make.script = script  # type: ignore[attr-defined]
        monkeypatch.setattr(backends, "gpu_present", lambda: True)
        monkeypatch.setattr(backends, "find_backend", lambda _=None: backend)
        monkeypatch.setattr("trtlens.capture.backends.gpu.identify_gpu", lambda: None)
        monkeypatch.setattr("trtlens.capture.dumping.rebuild.load_cuda", lambda: cuda)
        return Place(tmp_path / "search", backend, {}, cuda)

    return make


@pytest.mark.parametrize("fault", [planted()[place] for place in (1, 4)], ids=lambda fault: fault.name)
def test_the_cut_is_found_in_few_builds(fault: Planted, place: Callable[..., Place]) -> None:
    """One tensor handed out cures: it is found in ceil(log2(edges)) + 2 builds, confirmed in an engine that hands nothing else out."""
    curing, found = searched(fault, place())
    assert found is not None, (curing.rows, curing.judge.before)
    assert (found.kind, frozenset(found.cure.chosen), found.cure.bare) == ("cut", fault.cuts, True)
    assert len(curing.rows) <= ceil(log2(found.candidates)) + 2
    told = [name for row in curing.rows for name in (*(() if row["bare"] else curing.judge.ends), *row["changed"])]
    assert place.script.saw("mark_output") == [*fault.kept, *told]  # type: ignore[attr-defined]
    assert [path.parent.name for path in curing.folder.rglob("engine.plan")] == [str(found.build)]
    assert foreign_files(curing.folder.parent, ()) == []


def test_two_cuts_are_kept_where_one_does_not_cure(place: Callable[..., Place]) -> None:
    """With builds enough both are found; with those for one the choice is larger, and nobody says that it is the smallest."""
    where, fault = place(), of_two()
    reference, run = where.dumped(fault)
    curing, found = search_again(fault, where, reference, run, max_builds=20)
    assert found is not None
    assert (frozenset(found.cure.chosen), curing.rows[-1]["outcome"]) == (fault.cuts, "cured")
    few, larger = search_again(fault, where, reference, run)
    assert larger is not None
    assert fault.cuts < set(larger.cure.chosen)
    assert any("smallest choice that was found" in line for line in sentences(few, larger))


def test_what_cuts_do_not_cure_is_pinned(place: Callable[..., Place]) -> None:
    """One build shows that cuts do not cure; then nodes are halved, and the flags that hold the one in FP32 are told."""
    curing, found = searched(of_pins(), place())
    assert found is not None
    assert (found.kind, found.cure.chosen) == ("fp32", ("tanh7",))
    assert [row["kind"] for row in curing.rows].count("cut") == 1
    pinned = [(node, "FLOAT") for row in curing.rows if row["kind"] == "fp32" for node in row["changed"]]
    assert sorted(place.script.saw("precision")) == sorted(pinned)  # type: ignore[attr-defined]
    assert any("--layer-precision=tanh7=fp32" in line for line in applied(curing, found, "m.onnx", "outputs"))


def test_a_fault_that_goes_by_itself_is_cured_by_nothing(place: Callable[..., Place]) -> None:
    """Where every build is right, one with nothing changed tells, if a build is left; if none is, that is said."""
    where, fault = place(), planted()[2]
    reference, run = where.dumped(fault)
    gone = replace(fault, cuts=frozenset(), goes=True)
    curing, found = search_again(gone, where, reference, run, max_builds=9)
    assert found is None
    assert (curing.rows[-1]["kind"], curing.rows[-1]["outcome"]) == ("nothing", "cured")
    assert any("comes and goes" in note for note in curing.notes)
    few, kept = search_again(gone, where, reference, run, max_builds=len(curing.rows) - 1)
    assert kept is not None
    assert any("No build erred" in line for line in sentences(few, kept))
    assert not (few.folder / str(len(curing.rows))).exists()


@dataclass(frozen=True)
class Captured:
    """What engines on an H200 put out: of the model held to FP16, and with four nodes of it in FP32."""

    folder: Path
    needed: frozenset[str]

    def candidates(self, tensors: Sequence[str], nodes: Sequence[str], /) -> Candidates:
        """All of them."""
        return Candidates(tuple(tensors), tuple(nodes), takes_selector=True)

    def build(self, change: Change, folder: Path, _progress: Progress, /) -> Rebuilt:
        """The dump of the one engine or of the other, without what nobody asked for."""
        kind = "pinned" if self.needed <= set(change.pins) else "held"
        tensors = open_dump(f"{self.folder}-{kind}").tensors
        return Rebuilt(
            folder / "engine.plan", {name: tensors[name] for name in tensors if name in {*change.ends, "output"}}
        )

    def time(self, engine: Path, folder: Path, processes: int, progress: Progress, /) -> Statistics:
        """Nothing was timed."""
        raise NotImplementedError


def overflow(tmp_path: Path, needed: frozenset[str], **asked: Any) -> tuple[Curing, Found | None]:
    """The search for what cures the captured overflow, whose region is the whole norm."""
    folder, region = FIXTURES / "h200-dumps" / "overflowing_rms_norm", "norm/scale_output"
    shutil.copytree(f"{folder}-held", tmp_path / "run")
    given, model = open_dump(tmp_path / "run"), MODELS / "overflowing_rms_norm.onnx"
    run = replace(given, tensors={name: given.tensors[name] for name in ("input", "boost_output", region, "output")})
    wanted = Asked(tmp_path / "run", model, region, "fp16", processes=0, **asked)
    curing = make_curing(Regions(open_dump(f"{folder}-reference"), run, model), run, wanted, Captured(folder, needed))
    return curing, cured(curing, wanted)


def test_emulation_names_what_an_overflow_needs(tmp_path: Path) -> None:
    """The nodes that hold the large numbers are named on the CPU, and one build confirms them; cuts are not even tried."""
    needed = frozenset({"norm/pow", "norm/mean", "norm/add", "norm/sqrt"})
    curing, found = overflow(tmp_path, needed)
    assert found is not None
    assert (frozenset(found.cure.chosen), len(curing.rows), found.cure.bare) == (needed, 1, True)
    assert any("each of them is needed" in line for line in sentences(curing, found))
    assert curing.judge.before["verdict"] == "precision"


def test_an_engine_that_needs_more_than_emulated_is_searched(tmp_path: Path) -> None:
    """Where what the emulation names does not cure, the builds decide."""
    needed = frozenset({"norm/pow", "norm/mean", "norm/add", "norm/sqrt", "norm/div"})
    curing, found = overflow(tmp_path, needed, max_builds=12)
    assert found is not None
    assert frozenset(found.cure.chosen) == needed
    assert not found.is_emulated
    assert curing.rows[0]["outcome"] == "errs"


def test_a_tactic_is_left_out_where_nothing_else_cures(place: Callable[..., Place]) -> None:
    """Where the release has an algorithm selector; where it has none that is said, and nothing is found."""
    curing, found = searched(of_tactics(), place())
    assert found is not None
    assert (found.kind, found.cure.chosen[0]) == ("tactic", next(iter(curing.tactics)))
    assert any("IAlgorithmSelector" in line for line in applied(curing, found, "m.onnx", "outputs"))


def test_a_release_without_selectors_says_so(place: Callable[..., Place]) -> None:
    """11.0 has neither constraints nor an algorithm selector: what is left are cuts, and nodes that are kept out of the conversion."""
    curing, found = searched(of_tactics(), place("11.0.0.114"))
    assert found is None
    assert {row["kind"] for row in curing.rows} <= {"cut", "fp32"}
    assert any("no algorithm selector" in note for note in curing.notes)


def test_a_refused_build_counts_and_cures_nothing(place: Callable[..., Place]) -> None:
    """A tensor that TensorRT has no kernel to hand out: the builds with it are unknown with the reason, and no cut is told to cure."""
    curing, found = searched(planted()[0], place(no_kernel_for="d0"))
    cuts = [row for row in curing.rows if row["kind"] == "cut"]
    assert [(row["outcome"], row["verdict"]) for row in cuts] == [("unknown", None)]
    assert "floating point precision" in cuts[0]["detail"]
    assert found is None or found.kind != "cut"


def test_an_interrupted_search_goes_on(place: Callable[..., Place]) -> None:
    """Builds that are in the record are not made again, and the same cure comes out; another region is refused."""
    where, fault = place(), planted()[2]
    reference, run = where.dumped(fault)
    first, found = search_again(fault, where, reference, run)
    record = first.folder / RECORD
    document = json.loads(record.read_text())
    record.write_text(json.dumps({**document, "builds": document["builds"][:3]}))
    again, found_again = search_again(fault, where, reference, run, resume=True)
    assert found == found_again
    assert [row["build_s"] for row in again.rows[:3]] == [row["build_s"] for row in first.rows[:3]]
    record.write_text(json.dumps({**document, "key": "other"}))
    with pytest.raises(TrtlensError, match="another region"):
        search_again(fault, where, reference, run, resume=True)


@pytest.fixture
def command(
    place: Callable[..., Place], monkeypatch: pytest.MonkeyPatch, typed: Typed
) -> Callable[..., tuple[int, str, str]]:
    """Run `trtlens isolate` with a library that plants a fault."""

    def run(fault: Planted, *more: object) -> tuple[int, str, str]:
        where = place()
        reference, run = where.dumped(fault)
        healthy = where.folder / "healthy.onnx"
        opened = cure_command.opened_rebuilder

        def faulty(asked: Asked, dump: Any) -> Any:
            real, notes = opened(asked, dump)
            return FaultyRebuilder(fault, real, replace(real, model=where.folder / "faulty.onnx")), notes  # type: ignore[type-var]

        monkeypatch.setattr(cure_command, "opened_rebuilder", faulty)
        return typed("isolate", reference, run, fault.region, "--model", healthy, *more)

    return run


def test_the_command_says_what_cures(command: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    """The cut by its ONNX tensor, errors before and after, that its cost was not timed, and a model that has it as an output."""
    written = tmp_path / "cured.onnx"
    code, out, err = command(planted()[3], "--processes", 0, "--write", written)
    text = " ".join(out.split())
    assert code == 0, out + err
    assert "y is cured by handing out 1 tensor: both (of 3 tensors inside of the region, in 4 builds)" in text
    assert "the engine's output y errs" in text
    assert "What it costs was not timed" in text
    assert [info.name for info in onnx.load(str(written)).graph.output] == ["y", "both"]


def test_without_a_cure_the_exit_code_is_one(command: Callable[..., tuple[int, str, str]]) -> None:
    """A fault that nothing cures: every kind is tried, and each build is an object of the JSON."""
    code, out, _ = command(replace(planted()[3], cuts=frozenset({"never"})), "--processes", 0, "--format", "json")
    rows = fits("isolate", out)
    assert code == 1
    assert [row["build"] for row in rows] == list(range(1, len(rows) + 1))
    assert [(row["kind"], row["outcome"]) for row in rows] == [(kind, "errs") for kind in ("cut", "fp32", "tactic")]
    assert (rows[0]["changed"], rows[0]["count"], rows[0]["judged_at"]) == (["h", "both", "z"], 3, "region")


def test_what_cannot_be_built_again_is_refused(
    dump_of: Callable[..., Path], typed: Typed, place: Callable[..., Place], tmp_path: Path
) -> None:
    """A dump of ONNX Runtime, a release without debug tensors, a region that is right, and an engine without a GPU; nothing is built."""
    dumps = dump_of("overflowing_rms_norm", None), dump_of("overflowing_rms_norm", "fp16")
    code, _, err = typed("isolate", *dumps, "norm/pow_output")
    assert (code, "is no dump of TensorRT" in " ".join(err.split())) == (2, True)
    where, fault = place(), planted()[3]
    reference, run = where.dumped(fault)
    given = ("isolate", reference, run)
    code, _, err = typed(*given, "y", "--method", "debug", "--model", where.folder / "healthy.onnx")
    assert (code, "has no debug tensors" in " ".join(err.split())) == (2, True)
    code, _, err = typed(*given, "m", "--model", where.folder / "healthy.onnx")
    assert (code, "nothing to cure" in " ".join(err.split())) == (2, True)
    code, _, err = typed(*given, "y", "--model", where.folder / "healthy.onnx", "--write", tmp_path / "none" / "m.onnx")
    assert (code, "cannot be written" in " ".join(err.split())) == (2, True)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(backends, "gpu_present", lambda: False)
        code, _, err = typed(*given, "y", "--model", where.folder / "healthy.onnx")
    assert (code, "there is no GPU" in " ".join(err.split())) == (3, True)
    assert not (run / "cure").exists()


def test_both_engines_are_timed_on_the_inputs_of_the_dump(
    place: Callable[..., Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The undisturbed engine and the cured one, each with the dump's inputs, into folders of their own; a failure is a note."""
    asked: list[tuple[Path, Path, int]] = []

    def time_in_processes(engine: TimedEngine, out: Path, *, processes: int, progress: Progress) -> Any:
        assert progress is not None
        assert load_arrays(engine.options.inputs.file).keys() == {"x"}
        assert engine.path.is_file()
        if asked[1:]:
            raise CaptureError("no process timed it")
        asked.append((engine.path, out, processes))
        return SimpleNamespace(gpu=summarize([0.01 * (1 + len(asked))] * 20))

    monkeypatch.setattr("trtlens.capture.dumping.rebuild.time_in_processes", time_in_processes)
    where, fault = place(), planted()[2]
    reference, run = where.dumped(fault)
    curing, found = search_again(fault, where, reference, run, processes=3)
    assert found is not None
    places = run / "engine.plan", curing.engine(found.build)
    assert asked == [(places[0], run / "cure" / "0", 3), (places[1], places[1].parent, 3)]
    assert "30.0 µs" in cost_sentence(curing.facts["cost"])
    assert foreign_files(run, ()) == []
    assert json.loads((run / "cure" / RECORD).read_text())["cure"]["changed"] == ["a0"]
    timed(curing, run / "engine.plan", found.build, 3, silent)
    assert "was not timed (no process timed it)" in curing.notes[-1]


@pytest.mark.parametrize(
    ("before", "error", "row", "expected"),
    [
        (SUSPECT, 0.5, (OK, 0.0005, 1.1), "cured"),
        (SUSPECT, 0.5, (PRECISION, 0.02, 3.0), "cured"),
        (SUSPECT, None, (OK, 0.0005, 1.1), "cured"),
        (SUSPECT, 0.02, (OK, 0.009, 18.0), "unknown"),
        (SUSPECT, 0.5, (PRECISION, None, None), "unknown"),
        (SUSPECT, 0.5, (UNCLEAR, 0.2, 9.0), "unknown"),
        (SUSPECT, 0.5, (None, None, None), "unknown"),
        (SUSPECT, 0.5, (SUSPECT, 0.4, 90.0), "errs"),
        (PRECISION, 0.92, (OK, 0.0008, 0.1), "cured"),
        (PRECISION, 0.92, (PRECISION, 0.5, 0.6), "errs"),
        (PRECISION, 0.0101, (OK, 0.0099, 1.0), "unknown"),
        (UNCLEAR, 0.3, (UNCLEAR, 0.3, 9.0), "errs"),
        (UNCLEAR, 0.3, (PRECISION, 0.3, 2.0), "errs"),
    ],
)
def test_cured_is_what_errs_as_its_types_explain(
    before: str, error: float | None, row: tuple[str | None, float | None, float | None], expected: str
) -> None:
    """By the verdict of the dump; an error that only fell under a limit is not known to be gone, and NaN never are."""
    assert outcome(dict(zip(("verdict", "error", "ratio"), row, strict=True)), error, before) == expected


def test_a_selector_leaves_one_tactic_out() -> None:
    """Of that layer alone; the tactic's 64 bits count, whatever their sign, and a layer without another one keeps it."""
    selector = make_selector(running_backend("8.6.0", Script()), [("conv", (1 << 64) - 7)])

    def chosen(layer: str, *tactics: int) -> list[int]:
        variants = [SimpleNamespace(algorithm_variant=SimpleNamespace(tactic=tactic)) for tactic in tactics]
        return selector.select_algorithms(SimpleNamespace(name=layer), variants)

    assert chosen("conv", 3, -7, 9) == [0, 2]
    assert chosen("other", 3, -7, 9) == [0, 1, 2]
    assert chosen("conv", -7) == [0]
    with pytest.raises(TrtlensError, match="no algorithm selector"):
        make_selector(running_backend("11.0.0.114", Script()), [("conv", 7)])


def test_times_are_told_with_their_intervals() -> None:
    """A cost, or that there is none that can be told from noise, or that it is not known how sure it is."""
    facts = {"time_ms": 0.02, "low_ms": 0.019, "high_ms": 0.021, "processes": 5}
    slower = {"time_ms": 0.03, "low_ms": 0.029, "high_ms": 0.031, "processes": 5}
    assert "50.0 % more" in cost_sentence({"original": facts, "cured": slower})
    assert "33.3 % less" in cost_sentence({"original": slower, "cured": facts})
    assert "not told from noise" in cost_sentence({"original": facts, "cured": {**facts, "time_ms": 0.0205}})
    unsure = {**slower, "low_ms": None, "high_ms": None}
    assert "how sure that is cannot be told" in cost_sentence({"original": facts, "cured": unsure})
    assert "not timed" in cost_sentence(None)
