"""Programs' runs in one log: what one of them prints is no fact about an engine of another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.doubles.made_logs import INT8_BUILD, header, line_of, log, run_of, runner, tactic
from trtlens.explain.flags import Flags
from trtlens.summary import summarise
from trtlens.tuning.queries import Tuner

if TYPE_CHECKING:
    from trtlens.runs.run import Run

_STAMP = "[11/20/2026-22:01:26]"


def trtexec(command: str, *texts: str, version: str = " [TensorRT v8401]", ended: str | None = "PASSED") -> str:
    """A run of trtexec with its options; texts of TensorRT stand behind [TRT], its own as they are given."""
    options = (
        "=== Build Options ===",
        "Precision: FP32+FP16",
        "=== Device Information ===",
        "Selected Device: Made GPU",
    )
    lines = [f"&&&& RUNNING TensorRT.trtexec{version} # {command}", *(f"{_STAMP} [I] {text}" for text in options)]
    lines += [f"{_STAMP} [I] "] + [text if text.startswith("[") else f"{_STAMP} [I] [TRT] {text}" for text in texts]
    lines += [f"&&&& {ended} TensorRT.trtexec{version} # {command}"] if ended else []
    return "\n".join(lines) + "\n"


def python(*texts: str) -> str:
    """Lines of TensorRT in a Python program."""
    return "".join(f"{_STAMP} [TRT] [V] {text}\n" for text in texts)


LOADED = (
    "Loaded engine size: 3 MiB",
    f"{_STAMP} [I] Engine deserialized in 0.4 sec.",
    f"{_STAMP} [I] Starting inference",
    f"{_STAMP} [W] * GPU compute time is unstable, with coefficient of variance = 5%.",
    f"{_STAMP} [I] === Performance summary ===",
    f"{_STAMP} [I] Throughput: 812.5 qps",
)
LOADING = trtexec("trtexec --loadEngine=a.plan --fp16", *LOADED)
BUILT = (
    "Parsing node: conv [Conv]",
    "Original: 5 layers",
    "Constructing optimization profile number 0 [1/1].",
    "=============== Computing costs for conv",
    header("Float(784,784,28,1) -> Float(25088,784,28,1)"),
    runner("conv"),
    tactic("k", 1, 0.5),
    "Formats and tactics selection completed in 1.5 seconds.",
    "After reformat layers: 1 layers",
    "Total Activation Memory: 100",
    "Engine generation completed in 2 seconds.",
)
PYTHON_BUILD = python(*BUILT)
SCRIPT_END = "Succeeded building b.plan!\n"


def rows(text: str, *columns: str) -> list[tuple[Any, ...]]:
    """Columns of the table `builds`."""
    table = run_of(text)["builds"]
    return [tuple(row[name] for name in columns) for row in table.to_pylist()]


def facts(run: Run) -> list[dict[str, str]]:
    """What a summary says of each build."""
    return [{fact.label: fact.value for fact in summary.facts} for summary in summarise(run)]


def test_a_run_that_loads_an_engine_has_its_own_row() -> None:
    """Command, version, GPU, options and latency of a loading run are its own, and none of the builds' around it."""
    text = PYTHON_BUILD + LOADING + PYTHON_BUILD + SCRIPT_END
    assert rows(text, "build", "run", "is_build", "finished", "state", "gpu", "tensorrt_version") == [
        (1, 1, True, True, None, None, None),
        (2, 2, False, None, "PASSED", "Made GPU", "8.4.1"),
        (3, 3, True, True, None, None, None),
    ]
    run = run_of(text)
    assert run["performance"]["build"].to_pylist() == [2]
    assert set(run["options"]["run"].to_pylist()) == {2}
    assert run["messages"]["build"].to_pylist() == [2]
    assert run["candidates"]["build"].to_pylist() == [1, 3]
    assert [run.build(number)["options"].num_rows for number in (1, 2, 3)] == [0, 2, 0]


def test_a_row_ends_with_the_last_line_of_its_run() -> None:
    """PASSED ends a run: what a script prints behind it is of no build, and the line that says PASSED is known."""
    text = LOADING + SCRIPT_END + LOADING.replace("a.plan", "b.plan") + SCRIPT_END
    first, second = (line_of(text, "&&&& PASSED", occurrence) for occurrence in (1, 2))
    begin = line_of(text, "&&&& RUNNING", 2)
    assert rows(text, "run", "first_line", "last_line", "state_line", "version_line", "loaded_line") == [
        (1, 1, first, first, 1, line_of(text, "Loaded engine", 1)),
        (2, begin, second, second, begin, line_of(text, "Loaded engine", 2)),
    ]


def test_a_loading_run_is_never_cut_off() -> None:
    """Of an engine that was only loaded nobody says that a build failed, and its flags are no build's."""
    run = run_of(PYTHON_BUILD + LOADING)
    assert facts(run)[1]["engine"] == "loaded, not built here"
    assert "allowed" not in str(facts(run)[1])
    assert run["builds"]["precision_flags"].to_pylist() == [None, None]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_flags_are_never_another_run_s(number: int) -> None:
    """Whether an engine was allowed FP16 is not told by the options of a run that loads one, nor of the run beside it."""
    run = run_of(PYTHON_BUILD + LOADING + PYTHON_BUILD)
    allowed = Flags(run, number, Tuner(run, number)).allowed("fp16")
    assert "trtexec" not in allowed.how


@pytest.mark.parametrize(
    ("builder", "finished"),
    [
        (("Detected 1 inputs and 1 output network tensors.", f"{_STAMP} [I] Starting inference threads"), True),
        (("Local timing cache in use. Profiling results in this builder pass will not be stored.",), False),
        ((), False),
    ],
    ids=["7.1", "cut in the builder", "cut at once"],
)
def test_a_run_of_trtexec_that_loads_nothing_is_a_build(builder: tuple[str, ...], finished: bool) -> None:
    """Whatever the builder prints at info level; it is finished where inference begins."""
    text = trtexec("trtexec --deploy=net.prototxt --int8", *builder, version="", ended=None)
    assert rows(text, "is_build", "finished", "precision_flags") == [(True, finished, "FP32+FP16")]


def test_passed_says_that_the_engine_was_finished() -> None:
    """A trtexec run that built and PASSED has an engine, one that FAILED before has none."""
    built = trtexec("trtexec --onnx=a.onnx --skipInference", "Detected 1 inputs and 1 output network tensors.")
    assert rows(built, "is_build", "finished") == [(True, True)]
    failed = trtexec("trtexec --onnx=a.onnx", ended="FAILED")
    assert rows(failed, "is_build", "finished") == [(True, False)]


def test_standard_error_behind_the_last_banner_is_the_run_s() -> None:
    """`> log 2>> log` puts trtexec's warnings behind PASSED, whatever program goes on behind them."""
    warning = (
        f"{_STAMP} [W] * Throughput may be bound by Enqueue Time.\n  If not already in use, --useCudaGraph may help.\n"
    )
    text = LOADING + warning + PYTHON_BUILD
    assert rows(text, "is_build", "last_line", "wrapper") == [
        (False, line_of(text, "Throughput may"), "trtexec"), (True, text.count("\n"), "python"),
    ]  # fmt: skip
    messages = run_of(text)["messages"].to_pylist()
    assert [row["build"] for row in messages] == [1, 1]
    assert messages[1]["text"].endswith("may help.")


def test_engines_that_a_program_loads_are_runs() -> None:
    """Each engine that no line built has a row; a build behind it is another run, one behind its own build the same."""
    load = ("Loaded engine size: 12 MiB", "Deserialization required 1021 microseconds.")
    text = python(*load, *load, *BUILT, *load, *load, *BUILT)
    assert rows(text, "run", "is_build", "finished") == [
        (1, False, None), (2, False, None), (3, True, True), (3, True, True),
    ]  # fmt: skip


def test_builds_at_info_level_are_told_apart_by_their_engines() -> None:
    """Without the parser's lines a loaded engine and the builder's next start stand between two builds."""
    build = (
        "Local timing cache in use. Profiling results in this builder pass will not be stored.",
        "Detected 1 inputs and 1 output network tensors.",
        "Total Activation Memory: {} bytes",
        "Engine generation completed in 9.5 seconds.",
        "Loaded engine size: 12 MiB",
    )
    text = python(*(line.format(100) for line in build), *(line.format(200) for line in build))
    assert rows(text, "build", "run", "activation_bytes") == [(1, 1, 100), (2, 1, 200)]


def test_two_builds_of_one_run_share_its_options() -> None:
    """A calibration and the engine behind it are built by one command: both have its options, its command and its end."""
    calibration = (
        "Original: 5 layers",
        "Calibration completed in 3 seconds.",
        "Engine generation completed in 1 seconds.",
    )
    text = trtexec(
        "trtexec --onnx=a.onnx --int8", *calibration, "Original: 5 layers", "Engine generation completed in 2 seconds."
    )
    assert rows(text, "run", "command", "state", "precision_flags", "is_calibration") == [
        (1, "trtexec --onnx=a.onnx --int8", "PASSED", "FP32+FP16", True),
        (1, "trtexec --onnx=a.onnx --int8", "PASSED", "FP32+FP16", False),
    ]
    run = run_of(text)
    assert run["options"].num_rows == run.build(2)["options"].num_rows == 2
    assert Flags(run, 2, Tuner(run, 2)).allowed("fp16").enabled


def test_a_part_that_says_nothing_is_no_row() -> None:
    """Prints of a program before the first banner and behind the last one make no build."""
    text = "[I] hello\nhello\n" + LOADING + "[I] done\n" + SCRIPT_END
    assert rows(text, "build", "run", "first_line") == [(1, 1, 3)]
    assert rows("hello\n", "build", "is_build") == [(1, False)]


@pytest.mark.parametrize(
    ("lines", "version", "stated_by"),
    [
        (["Trying to load shared library libnvinfer_builder_resource.so.8.6.0"], "8.6.0", 1),
        (
            ["Loaded shared library libnvinfer_builder_resource_sm90.so.10.16.2", "TensorRT version: 10.16.1"],
            "10.16.1",
            2,
        ),
        (["Loaded shared library libcudnn.so.8.9.0"], None, None),
    ],
)
def test_a_library_s_name_states_the_version_for_want_of_a_line(
    lines: list[str], version: str | None, stated_by: int | None
) -> None:
    """TensorRT's own libraries bear its version; a line that states it says more."""
    assert rows(log(*lines) + INT8_BUILD, "tensorrt_version", "version_line")[0] == (version, stated_by)


@pytest.mark.parametrize(
    ("banner", "lines", "wrapper"),
    [
        ("&&&& RUNNING TensorRT.trtexec # trtexec --deploy=net.prototxt", "[I] deploy: net.prototxt\n[I] [TRT] Original: 5 layers\n[I] Average over 10 runs", "trtexec"),
        ("&&&& RUNNING TensorRT.sample_mnist # ./sample_mnist", "[I] Building\n[I] Output:\n[I] [TRT] Original: 5 layers", "sample"),
        (None, '[I] Output "prob": 10x1x1\n[I] 0.1\n[I] [TRT] Original: 5 layers', "sample"),
        (None, "[I] Building\n[V] Original: 5 layers", "polygraphy"),
        ("&&&& RUNNING TensorRT.trtexec # trtexec --onnx=a.onnx", f"{_STAMP} [I] [TRT] Original: 5 layers", "trtexec"),
        ("&&&& RUNNING TensorRT.sample_mnist # ./sample_mnist", f"{_STAMP} [I] [TRT] Original: 5 layers", "sample"),
        ("&&&& RUNNING TensorRT.trtexec # trtexec --onnx=a.onnx", "[TRT] [V] Original: 5 layers", "python"),
    ],
)  # fmt: skip
def test_samples_are_told_from_polygraphy(banner: str | None, lines: str, wrapper: str) -> None:
    """Samples and the trtexec of 5.x write their own lines as Polygraphy does, but mark those of TensorRT."""
    text = f"{banner}\n{lines}\n" if banner else f"{lines}\n"
    assert rows(text, "wrapper") == [(wrapper,)]


def test_attributes_of_a_listed_engine_are_no_new_build() -> None:
    """``Origin = Unknown`` among the lines of an engine that a program lists begins as ``Original: N layers`` does."""
    lines = (
        "Loaded engine size: 12 MiB",
        "    Layer 0 | conv [Op: CaskConvolution]",
        "        Origin = Unknown",
        "        Tactic = 0x5",
    )
    run = run_of("".join(f"[V] {line}\n" if line.startswith("L") else f"{line}\n" for line in lines))
    (row,) = run["builds"].to_pylist()
    assert (row["first_line"], row["last_line"]) == (1, 4)
