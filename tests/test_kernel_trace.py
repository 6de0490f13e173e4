"""Kernel traces: what is read of them, to which layer a launch belongs, what is refused, and what the tables add up to."""

from __future__ import annotations

import json
import lzma
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from tests.doubles.made_logs import run_of
from trtlens import open_run
from trtlens.charts import CHARTS
from trtlens.errors import TrtlensError
from trtlens.report.overview import card
from trtlens.report.subject import read_subject
from trtlens.report.trace_events import trace_json
from trtlens.runs.ingest import Document, join_documents
from trtlens.runs.run import Run
from trtlens.runs.stated_kernels import same_kernel
from trtlens.summary import summarise
from trtlens_parsers.errors import FormatError
from trtlens_parsers.inspector import read_inspector
from trtlens_parsers.kernel_trace import Execution, KernelLaunch, read_kernel_trace, trace_of

H200 = Path(__file__).parents[1] / "fixtures" / "h200"
TRACED = ("resnet50-fp16-traced", "resnet50-fp16-folded-traced")
GEMM, ELEMENTWISE = "sm80_xmma_gemm_f16f16_f16f16_f16_nn_n_tilesize64x64x64", "__myl_bb0_1_AddMul"


def text_of(launches: list[dict[str, Any]], inferences: list[dict[str, Any]], **header: Any) -> str:
    """A trace as trtlens writes it."""
    first = {"format": 1, "kernel_trace": "stream", "collector": "CUPTI", "kinds": ["kernel"], **header}
    return "".join(json.dumps(row) + "\n" for row in (first, *launches, *inferences))


def engine_of(*layers: tuple[str, str, str | None]) -> Document:
    """The inspector's file of an engine: name, type and kernel of each layer."""
    rows = [
        {"Name": name, "LayerType": kind, "Inputs": [], "Outputs": [], **({"TacticName": kernel} if kernel else {})}
        for name, kind, kernel in layers
    ]
    return Document("layers.json", read_inspector(json.dumps({"Layers": rows})))


def joined(text: str, *layers: tuple[str, str, str | None]) -> Run:
    """The run of an engine and a trace of it."""
    return Run("made", join_documents([engine_of(*layers), Document("kernels-stream.jsonl", read_kernel_trace(text))]))


def raw_rows(name: str, source: str) -> tuple[list[dict[str, Any]], list[list[int]]]:
    """Launches and durations of a fixture's trace, read with nothing of trtlens."""
    lines = lzma.decompress((H200 / name / f"kernels-{source}.jsonl.xz").read_bytes()).decode().strip().split("\n")
    rows = [json.loads(line) for line in lines[1:]]
    return [row for row in rows if "kernel" in row], [row["duration_ns"] for row in rows if "duration_ns" in row]


# -- the captured runs -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TRACED)
def test_every_launch_has_its_layer(name: str) -> None:
    """Launches whose range is a layer's name are that layer's; those of Myelin have a Myelin layer between its neighbours."""
    run = open_run(H200 / name)
    types = {row["index"]: (row["name"], row["type"]) for row in run["layers"].to_pylist()}
    rows = run["kernel_launches"].to_pylist()
    assert len(rows) == 2 * len(raw_rows(name, "stream")[0])
    for row in rows:
        layer, kind = types[row["layer_index"]]
        assert row["layer"] == layer
        assert row["range"] in {layer, None} or (row["range"].startswith("myelin") and kind == "MyelinReformat")
        assert row["kernel"].startswith("__myl") == (kind == "MyelinReformat")
    stream = [row["layer_index"] for row in rows if row["source"] == "stream"]
    assert stream == sorted(stream)
    assert stream == [row["layer_index"] for row in rows if row["source"] == "graph"]


@pytest.mark.parametrize("name", TRACED)
def test_layers_take_what_their_kernels_take(name: str) -> None:
    """Each layer's time is the median of its kernels' sum from the graph, and all of them are the raw file's sums."""
    run = open_run(H200 / name)
    launches, inferences = raw_rows(name, "graph")
    expected: dict[int, list[float]] = {}
    rows = [row for row in run["kernel_launches"].to_pylist() if row["source"] == "graph"]
    for place, row in enumerate(rows):
        assert row["kernel"] == launches[place]["kernel"]
        own = [one[place] for one in inferences]
        before = expected.setdefault(row["layer_index"], [0.0] * len(own))
        expected[row["layer_index"]] = [a + b for a, b in zip(before, own, strict=True)]
    layers = {row["index"]: row for row in run.view("layers").to_pylist() if row["time_source"] == "kernels"}
    for index, sums in expected.items():
        assert layers[index]["time_ms"] == pytest.approx(median(sums) / 1e6)
    assert all(layers[index]["time_ms"] == 0.0 for index in layers.keys() - expected.keys())
    parts = {row["part"]: row for row in run.view("inference").to_pylist()}
    assert parts["kernels"]["time_ms"] == pytest.approx(median(sum(one) for one in inferences) / 1e6)
    assert parts["kernels"]["time_ms"] + parts["gaps"]["time_ms"] == pytest.approx(parts["inference"]["time_ms"])
    assert 98 < parts["kernels"]["percent"] < 100
    assert sum(row["time_ms"] for row in run.view("kernels_run").to_pylist()) == pytest.approx(
        sum(median(one[place] for one in inferences) for place in range(len(launches))) / 1e6
    )


def test_a_layer_that_copies_without_a_kernel_has_no_time() -> None:
    """15 copies of constants run no kernel; the trace records no copies, so that their time is unknown, not 0."""
    run = open_run(H200 / TRACED[0])
    untimed = [row for row in run.view("layers").to_pylist() if row["time_ms"] is None]
    assert len(untimed) == 15
    assert {row["type"] for row in untimed} == {"Reformat"}
    (found,) = [row for row in run.view("findings").to_pylist() if row["code"] == "constants-copied"]
    assert "32 of them take" in found["text"]
    assert "the other 15 have no time" in found["text"]


@pytest.mark.parametrize("name", TRACED)
def test_names_are_verified_by_what_ran(name: str) -> None:
    """Every layer with a stated kernel ran it."""
    rows = open_run(H200 / name).view("kernels").to_pylist()
    stated = [row for row in rows if row["family"] is not None]
    assert [row["confirmed"] for row in stated] == [row["layers"] for row in stated]
    assert all(row["differing"] == 0 and row["ran"] is None for row in stated)
    assert all(row["confirmed"] is None for row in rows if row["family"] is None)


@pytest.mark.parametrize("source", ["stream", "graph"])
def test_a_trace_of_another_engine_is_refused(source: str) -> None:
    """The same model built from other nodes has most layers' names, and other kernels: refused with how many agree."""
    files = [path for path in (H200 / TRACED[0]).glob("*.xz") if "kernels" not in path.name]
    other = H200 / TRACED[1] / f"kernels-{source}.jsonl.xz"
    with pytest.raises(TrtlensError, match=r"is of another engine: \d+ of \d+ .* \(4\d %\)"):
        open_run([*files, other])


# -- reading -----------------------------------------------------------------------------------------------------------


def test_a_cut_trace_keeps_whole_inferences() -> None:
    """What a killed writer leaves: a last line that is cut, or an inference that is short, is left out and counted."""
    text = text_of([{"kernel": "a"}, {"kernel": "b"}], [{"duration_ns": [1, 2]}, {"duration_ns": [3, 4]}])
    for cut in range(text.index('{"duration_ns": [3') + 1, len(text) - 1):
        read = read_kernel_trace(text[:cut])
        assert read.inferences[0].duration_ns == (1, 2)
        assert len(read.inferences) + read.left_out == 2
    with pytest.raises(FormatError, match="no whole inference"):
        read_kernel_trace(text[: text.index('{"duration_ns": [1') + 5])


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ({"duration_ns": [1.5]}, "no list of whole nanoseconds"),
        ({"duration_ns": [-1]}, "no list of whole nanoseconds"),
        ({"duration_ns": [10**16]}, "more than eleven days"),
        ({"kernel": 7}, "kernel is no text"),
        ({"kernel": "a", "grid": [1, 2]}, "grid is no list of three"),
        ([1], "is no object"),
    ],
)
def test_damaged_traces_are_refused(line: Any, told: str) -> None:
    """A line that says something impossible is named, not skipped."""
    with pytest.raises(FormatError, match=told):
        read_kernel_trace(text_of([{"kernel": "a"}], [line, {"duration_ns": [1]}]))


def test_newer_formats_are_refused() -> None:
    """A file of a later trtlens says so."""
    with pytest.raises(FormatError, match="format 2 is newer"):
        read_kernel_trace(text_of([{"kernel": "a"}], [{"duration_ns": [1]}], format=2))


def test_hostile_names_do_no_harm() -> None:
    """Escapes, half characters, endless names and text of HTML are names like others; no view fails on them."""
    names = ["\x1b[2J", "\ud800", "a" * 200_000, "<script>alert(1)</script>", "", "__myl_bb0_" + "9" * 5000 + "_Add"]
    run = joined(text_of([{"kernel": name, "range": name} for name in names], [{"duration_ns": [1] * len(names)}]))
    assert run["kernel_launches"].num_rows == len(names)
    for view in ("kernels_run", "inference", "slowest", "kernels", "layers", "findings"):
        run.view(view)


# -- gaps and order ----------------------------------------------------------------------------------------------------


def test_gaps_and_overlaps() -> None:
    """A gap counts from the end of all that began before; a kernel that begins earlier on another stream overlaps."""
    launches = [{"kernel": name, "stream": stream} for name, stream in (("a", 7), ("b", 8), ("c", 7))]
    trace = text_of(launches, [{"duration_ns": [100, 10, 50], "start_ns": [1000, 1050, 1120]}, {"duration_ns": [100, 10, 50], "start_ns": [2000, 2050, 2130]}])  # fmt: skip
    run = joined(trace)
    rows = run["kernel_samples"].to_pylist()
    assert [row["gap_ns"] for row in rows] == [None, -50, 20, None, -50, 30]
    assert [row["start_ns"] for row in rows] == [0, 50, 120, 1000, 1050, 1130]
    parts = {row["part"]: row["time_ms"] for row in run.view("inference").to_pylist()}
    assert parts == pytest.approx({"kernels": 160e-6, "beside one another": -10e-6, "gaps": 25e-6, "inference": 175e-6})


def test_launches_of_two_neighbouring_regions_are_told_by_their_numbers() -> None:
    """Myelin numbers the kernels of each graph from 1; where executions and regions differ in number, none is guessed."""
    layers = [
        ("conv", "CaskConvolution", GEMM),
        ("one", "Myelin", None),
        ("two", "Myelin", None),
        ("end", "CaskConvolution", GEMM),
    ]
    inner = [{"kernel": f"__myl_bb0_{number}_Add", "range": "myelinGraphExecute "} for number in (1, 2, 1)]
    ends = [{"kernel": f"{GEMM}_execute_kernel_trt", "range": name} for name in ("conv", "end")]
    run = joined(text_of([ends[0], *inner, ends[1]], [{"duration_ns": [1] * 5}]), *layers)
    assert run["kernel_launches"]["layer"].to_pylist() == ["conv", "one", "one", "two", "end"]
    alone = joined(text_of([ends[0], inner[0], ends[1]], [{"duration_ns": [1] * 3}]), *layers)
    assert alone["kernel_launches"]["layer"].to_pylist() == ["conv", None, "end"]
    thrice = joined(text_of([ends[0], *[inner[0]] * 3, ends[1]], [{"duration_ns": [1] * 5}]), *layers)
    assert thrice["kernel_launches"]["layer"].to_pylist() == ["conv", None, None, None, "end"]


# -- from executions ---------------------------------------------------------------------------------------------------


def executions(*names: str, inference: int | None = None) -> list[Execution]:
    """Kernels one behind the other."""
    return [Execution(KernelLaunch(name), 10 * place, 5, inference) for place, name in enumerate(names)]


def test_inferences_are_told_by_repetition() -> None:
    """Set-up kernels come once; the sequence that repeats at the end is the inference, repeats within it included."""
    trace = trace_of("other", ("kernel",), executions("setup", *("a", "a", "b") * 3))
    assert [one.kernel for one in trace.launches] == ["a", "a", "b"]
    assert (len(trace.inferences), trace.inferences_marked) == (3, False)
    with pytest.raises(FormatError, match="no order of kernels repeats"):
        trace_of("other", ("kernel",), executions("a", "b", "c"))


def test_repetition_alone_is_believed_only_beside_an_engine() -> None:
    """Without layers to hold it against, a repeated kernel may be a part of an inference: refused."""
    trace = trace_of("other", ("kernel",), executions("a", "b", "b", "b"))
    with pytest.raises(TrtlensError, match="does not say where an inference begins"):
        join_documents([Document("trace", trace)])


def test_inferences_unlike_most_are_left_out() -> None:
    """An inference with another kernel, such as the first one, is counted and not mixed with the others."""
    told = [
        *executions("a", "x", inference=0),
        *(one for number in (1, 2) for one in executions("a", "b", inference=number)),
    ]
    trace = trace_of("other", ("kernel",), told)
    assert ([one.kernel for one in trace.launches], len(trace.inferences), trace.left_out) == (["a", "b"], 2, 1)


def test_a_trace_without_an_engine_names_ranges() -> None:
    """Ranges stand for layers; nothing is said of an index."""
    run = joined(
        text_of([{"kernel": "a", "range": "conv"}, {"kernel": "b", "range": "conv"}], [{"duration_ns": [1000, 2000]}])
    )
    (row,) = run.view("slowest").to_pylist()
    assert (row["name"], row["time_ms"]) == ("conv", pytest.approx(0.003))


def test_two_traces_of_one_source_are_refused() -> None:
    """Which of them would count cannot be told."""
    trace = read_kernel_trace(text_of([{"kernel": "a", "range": "a"}], [{"duration_ns": [1]}]))
    with pytest.raises(TrtlensError, match="two traces of launches from one stream"):
        join_documents([Document("one", trace), Document("two", trace)])


def test_a_log_without_a_trace_has_empty_tables() -> None:
    """The tables and views are there for every run."""
    run = run_of("[11/20/2026-22:01:26] [V] [TRT] a\n")
    assert (run["kernel_launches"].num_rows, run.view("kernels_run").num_rows, run.view("inference").num_rows) == (
        0,
        0,
        0,
    )


@pytest.mark.parametrize(
    ("traced", "same"),
    [(f"{GEMM}{end}", True) for end in ("", "_trt", "_execute_kernel_trt", "_execute_segment_k_off_kernel_trt", "_conv_func_kernel_trt", "__5x_cudnn")]
    + [(f"trt_{GEMM}", True), (f"{GEMM}_conv_func", False), (f"{GEMM}_relu_execute_kernel_trt", False), (f"{GEMM[:-2]}_kernel_trt", False)],
)  # fmt: skip
def test_what_stands_behind_a_stated_name_is_known(traced: str, *, same: bool) -> None:
    """Kernels run under the name that the engine states and an ending of a few; more or less of a name is another kernel."""
    assert same_kernel(traced, GEMM) is same


def test_another_kernel_than_the_stated_one_is_named() -> None:
    """Where a layer ran another kernel, `kernels` counts it and names what ran; `why` says it too."""
    layers = [(f"conv{number}", "CaskConvolution", f"{GEMM}_{number}") for number in range(20)]
    launches = [{"kernel": f"{kernel}_execute_kernel_trt", "range": name} for name, _, kernel in layers]
    launches[3]["kernel"] = "sm80_xmma_gemm_f32f32_other"
    run = joined(text_of(launches, [{"duration_ns": [1000] * 20}]), *layers)
    (row,) = run.view("kernels").to_pylist()
    assert (row["confirmed"], row["differing"], row["ran"]) == (19, 1, ["sm80_xmma_gemm_f32f32_other"])
    texts = [one["text"] for one in run.view("why", layer="conv3").to_pylist()]
    assert any("none is the kernel that the engine states: sm80_xmma_gemm_f32f32_other ran" in text for text in texts)


@pytest.mark.parametrize("copies", [(True, True), (True, False), (False, True)])
def test_a_graph_takes_its_layers_from_the_stream(copies: tuple[bool, bool]) -> None:
    """Kernels in the same order are those of the same layers; a copy is only where both traces have it at its place."""
    launches = [
        {"kernel": "a", "range": "one"},
        {"kernel": "copied", "kind": "copy", "range": "two"},
        {"kernel": "b", "range": "three"},
    ]
    texts = []
    for source, with_copy in zip(("stream", "graph"), copies, strict=True):
        own = [row for row in launches if with_copy or row.get("kind") != "copy"]
        bare = (
            own if source == "stream" else [{key: value for key, value in row.items() if key != "range"} for row in own]
        )
        texts.append(text_of(bare, [{"duration_ns": [10] * len(own)}], kernel_trace=source))
    engine = engine_of(*((name, "CaskConvolution", None) for name in ("one", "two", "three")))
    traces = [Document("kernels.jsonl", read_kernel_trace(text)) for text in texts]
    rows = [row for row in join_documents([engine, *traces])["kernel_launches"].to_pylist() if row["source"] == "graph"]
    told = {row["kernel"]: (row["layer"], row["layer_from"]) for row in rows}
    assert (told["a"], told["b"]) == (("one", "stream"), ("three", "stream"))
    assert told.get("copied") == {(True, True): ("two", "stream"), (False, True): ("two", "order")}.get(copies)


@pytest.mark.parametrize("inferences", [1, 10])
def test_the_exported_trace_shows_gaps_between_kernels_and_layers_above(inferences: int) -> None:
    """So many inferences of the fixture made by hand: in each, kernels that run and gaps between them are the time from first start to last end."""
    run = open_run(H200.parent / "traces" / "myelin-region")
    events = [one for one in json.loads(trace_json(run, inferences))["traceEvents"] if one["pid"] == 3]
    threads = {one["tid"]: one["args"]["name"] for one in events if one["name"] == "thread_name"}
    assert list(threads.values())[:2] == ["layers", "gaps: no kernel runs"]
    slices: dict[str, list[Any]] = {name: [] for name in threads.values()}
    for one in events:
        if one["ph"] == "X":
            slices[threads[one["tid"]]].append((one["ts"], one["ts"] + one["dur"]))
    kernels = sorted(span for name, spans in slices.items() if name.startswith("kernels") for span in spans)
    assert len(kernels) == 10 * inferences
    first = sorted(kernels)[:10]
    whole = max(end for _, end in first) - first[0][0]
    idle = sum(end - start for start, end in slices["gaps: no kernel runs"]) / inferences
    covered, end = 0.0, 0.0
    for start, stop in first:
        covered, end = covered + max(stop - max(start, end), 0.0), max(end, stop)
    if inferences == 1:
        assert covered + idle == pytest.approx(whole)
        assert idle > 0
    layers = [(start - 0.001, stop + 0.001) for start, stop in slices["layers"]]  # the file has four decimals
    assert all(any(a <= start and stop <= b for a, b in layers) for start, stop in kernels)


@pytest.mark.parametrize(
    ("name", "clock"), [(TRACED[0], "kernel trace"), ("resnet50-fp16", "layer profiler, 1.61 times an inference")]
)
def test_the_clock_is_said_with_its_stretch(name: str, clock: str) -> None:
    """What run.json noted of the profile when it was captured stands neither in the summary nor in the report; what holds of the run does."""
    run = open_run(H200 / name)
    assert any("read layer times as shares" in note for note in run.info.notes)
    (summary,) = summarise(run)
    assert not [note for note in summary.notes if "add up to" in note]
    told = {fact.label: fact.value for fact in summary.facts}
    assert ("layer times" in told) is (clock != "kernel trace")
    assert told.get("layer times", clock).endswith(
        clock.partition(", ")[2] + ": read them as shares" if "," in clock else clock
    )
    page = card(read_subject(run), 0, None)
    assert "read layer times as shares" not in page
    assert f"share of the time of the layers ({clock})" in page
    figure = CHARTS["timeline"].draw_from(run.view("layers"))
    assert figure.layout.yaxis.title.text == f"time [µs], {clock.partition(',')[0]}"
    assert f"({clock.partition(',')[0]})" in figure.data[0].hovertext[0]
