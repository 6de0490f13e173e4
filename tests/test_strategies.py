"""Strategies and optimisation profiles: what a build says of one of them is no fact about another."""

from __future__ import annotations

from typing import Any

import pytest

from tests.doubles.made_logs import header, log, run_of, runner, tactic

FORMATS = "Float(784,784,28,1) -> Float(25088,784,28,1)"


def report(size: int) -> tuple[str, ...]:
    """The memory report of TensorRT 10, with sizes that tell it from others."""
    return (
        "Detected 1 inputs and 1 output network tensors.",
        f"Layer: conv Host Persistent: {size} bytes Device Persistent: 0 bytes Scratch Memory: {size + 1} bytes",
        f"Total Host Persistent Memory: {size} bytes",
        "Total Device Persistent Memory: 0 bytes",
        f"Max Scratch Memory: {size + 1} bytes",
        f"Total Activation Memory: {size + 2} bytes",
    )


def generated(size: int, seconds: float) -> tuple[str, ...]:
    """What stands once behind the reports of all profiles."""
    return (f"Total Weights Memory: {size} bytes", f"Engine generation completed in {seconds} seconds.")


def tried(number: int, size: int, *, kernel: str = "k") -> tuple[str, ...]:
    """One strategy from its opening to its engine."""
    return (
        f"Building graph using backend strategy {number}",
        "Constructing optimization profile number 0 [1/1].",
        f"ConvReluFusion: Fusing conv{number} with relu",
        "=============== Computing costs for conv",
        header(FORMATS),
        runner("conv"),
        tactic(f"{kernel}{number}", number, size / 1000),
        f"Formats and tactics selection completed in {size}.5 seconds.",
        f"After reformat layers: {number} layers",
        *report(size),
        *generated(size + 3, size + 0.75),
    )


def judged(*verdicts: str) -> str:
    """Three strategies, each with the line that judges it; an empty verdict prints none."""
    texts = []
    for number, verdict in zip((4, 3, 2), verdicts, strict=True):
        texts += [*tried(number, 100 * number), *([verdict] if verdict else [])]
    return log("Original: 5 layers", *texts, "Loaded engine size: 1 MiB")


FIRST = "Use backend strategy 4 with estimated inference time (0.33) as the initial choice."
FASTER = "Chose this engine with backend strategy 3 since its estimated inference time (0.31) is faster than the previous engine with estimated inference time (0.33)."
SLOWER = {
    3: "Skip backend strategy 3since its estimated inference time (0.5) is not faster than the previous engine with estimated inference time (0.33).",
    2: "Skip backend strategy 2since its estimated inference time (0.5) is not faster than the previous engine with estimated inference time (0.31).",
}
KEPT = {
    4: judged(FIRST, SLOWER[3], SLOWER[2]),
    3: judged(FIRST, FASTER, SLOWER[2]),
}


def build_row(text: str) -> dict[str, Any]:
    """The one build of a log."""
    (row,) = run_of(text)["builds"].to_pylist()
    found: dict[str, Any] = row
    return found


@pytest.mark.parametrize("kept", KEPT)
def test_a_build_states_what_its_kept_strategy_states(kept: int) -> None:
    """Seconds and sizes are those of the strategy whose engine was kept, whichever came last."""
    row, size = build_row(KEPT[kept]), 100 * kept
    assert row["tactic_selection_s"] == size + 0.5
    assert row["engine_generation_s"] == size + 0.75
    sizes = [row[f"{name}_bytes"] for name in ("host_persistent", "scratch", "activation", "weights")]
    assert sizes == [size, size + 1, size + 2, size + 3]
    assert row["layer_count"] == kept
    assert row["finished"]


@pytest.mark.parametrize("kept", KEPT)
def test_views_of_the_engine_leave_other_strategies_out(kept: int) -> None:
    """Memory, fusions and candidates that are shown of the engine are of its own strategy; the tables hold all."""
    run = run_of(KEPT[kept])
    assert run.view("memory").select(["strategy", "host_persistent_bytes"]).to_pylist() == [
        {"strategy": kept, "host_persistent_bytes": 100 * kept}
    ]
    assert run.view("fusions")["sources"].to_pylist() == [[f"conv{kept}", "relu"]]
    for name in ("memory", "fusions", "passes", "runners", "candidates", "combinations"):
        rows = run[name].to_pylist()
        found = [row["strategy"] for row in rows if row.get("name") != "Original"]
        assert found == [4, 3, 2], name
    assert run["combinations"]["chosen"].to_pylist().count(None) <= 1  # only the kept one's can be open


@pytest.mark.parametrize(
    ("verdicts", "known"),
    [((FIRST, "", ""), None), ((FIRST, FASTER, ""), None), (("", "", ""), None)],
    ids=["two open", "last open", "none judged"],
)
def test_what_no_line_judges_is_open(verdicts: tuple[str, ...], known: None) -> None:
    """While a strategy is not judged none is known to be the engine's, and only what all agree on is stated."""
    row = build_row(judged(*verdicts))
    assert row["tactic_selection_s"] is known
    assert row["activation_bytes"] is known
    assert row["device_persistent_bytes"] == 0


def test_lines_outside_a_strategy_are_none_s() -> None:
    """What stands above the first strategy and below the last judgement is of no strategy; a stretch ends at its judgement."""
    text = judged(FIRST, FASTER, SLOWER[2]) + "[11/20/2026-22:01:30] [W] [TRT] after all\n"
    run = run_of(text)
    assert run["messages"]["strategy"].to_pylist()[-1] is None
    assert [row["strategy"] for row in run["passes"].to_pylist()] == [None, 4, 3, 2]
    lines = text.split("\n")
    for row in run["strategies"].to_pylist():
        assert f"strategy {row['strategy']}" in lines[row["last_line"] - 1]


def test_each_strategy_has_its_own_phases() -> None:
    """Seconds that TensorRT states and seconds by the stamps are a strategy's own; nothing is inference that only generated."""
    lines = KEPT[3].rstrip("\n").split("\n")
    stamped = "\n".join(
        line.replace("22:01:26", f"22:{number // 60:02}:{number % 60:02}") for number, line in enumerate(lines)
    )
    rows = run_of(stamped + "\n")["phases"].to_pylist()
    stated = {(row["strategy"], row["name"]): row["seconds"] for row in rows if row["source"] == "stated"}
    assert stated[4, "tactic selection"] == 400.5
    assert stated[2, "engine generation"] == 200.75
    stamps = [(row["strategy"], row["name"]) for row in rows if row["source"] == "stamps"]
    assert {strategy for strategy, name in stamps if name == "tactic selection"} == {4, 3, 2}
    assert "inference" not in {name for _, name in stamps}


# -- at info level ---------------------------------------------------------------------------------------------------

INFO_STRATEGIES = log(
    "Global timing cache in use. Profiling results in this builder pass will be stored.",
    *report(100), *generated(10, 5.0),
    *report(200), *generated(20, 6.0),
)  # fmt: skip
INFO_PROFILES = log(
    "Global timing cache in use. Profiling results in this builder pass will be stored.",
    *report(100), *report(200), *generated(20, 6.0),
)  # fmt: skip


def test_strategies_that_no_line_names_stay_open() -> None:
    """Two engines generated in one build without a line that says which is kept: nothing is stated but what they share."""
    row = build_row(INFO_STRATEGIES)
    assert [row[name] for name in ("activation_bytes", "scratch_bytes", "weights_bytes", "engine_generation_s")] == [
        None
    ] * 4
    assert row["device_persistent_bytes"] == 0


def test_reports_before_one_generation_are_profiles() -> None:
    """Two reports and one engine are two optimisation profiles: the engine needs the larger."""
    row = build_row(INFO_PROFILES)
    assert (row["activation_bytes"], row["scratch_bytes"], row["weights_bytes"]) == (202, 201, 20)
    assert row["engine_generation_s"] == 6.0


# -- profiles --------------------------------------------------------------------------------------------------------

PROFILES = log(
    "Original: 5 layers",
    "Building graph using backend strategy 2",
    "Constructing optimization profile number 0 [1/2].",
    "Formats and tactics selection completed in 3.5 seconds.",
    "After reformat layers: 8 layers",
    *report(300),
    "Constructing optimization profile number 1 [2/2].",
    "Formats and tactics selection completed in 0.25 seconds.",
    "After reformat layers: 8 layers",
    *report(200),
    *generated(50, 4.0),
)


def test_profiles_have_their_own_sizes() -> None:
    """The engine needs its largest profile's memory, and all profiles' tuning took its time."""
    row = build_row(PROFILES)
    assert (row["activation_bytes"], row["weights_bytes"]) == (302, 50)
    assert (row["tactic_selection_s"], row["engine_generation_s"], row["layer_count"]) == (3.75, 4.0, 16)
    totals = run_of(PROFILES)["totals"].to_pylist()
    found = {(row["profile"], row["name"]): (row["bytes"], row["superseded"]) for row in totals}
    assert found[0, "activation"] == (302, False)
    assert found[1, "activation"] == (202, False)
    assert found[None, "weights"] == (50, False)
    assert run_of(PROFILES)["memory"]["profile"].to_pylist() == [0, 1]


def test_the_first_activation_memory_of_8_5_is_superseded() -> None:
    """8.2 to 8.5 state it with the whole workspace before the engine's own: both rows stand, one counts."""
    text = log(
        "Original: 5 layers", "Total Activation Memory: 8591369728", "Detected 1 inputs and 1 output network tensors.",
        "Total Host Persistent Memory: 10624", "Total Device Persistent Memory: 0", "Total Scratch Memory: 0",
        "Total Activation Memory: 3686912", "Engine generation completed in 2 seconds.",
    )  # fmt: skip
    assert build_row(text)["activation_bytes"] == 3686912
    totals = [row for row in run_of(text)["totals"].to_pylist() if row["name"] == "activation"]
    assert [(row["bytes"], row["superseded"]) for row in totals] == [(8591369728, True), (3686912, False)]
