"""Takes the advice of findings on models of its own, and prints predicted against gained.

Each trial has two variants of a model: as it is, and with the advice taken (constants folded, a CUDA graph, FP16 beside INT8,
pins taken back). Each variant is built and timed once by ``trtlens profile`` in a process of its own, all with one timing cache.
What a finding of the first variant says is at stake stands beside what an inference of the second one takes less.

    python benchmarks/advice.py [--models resnet,mobilenet] [--seconds 900] [--duration 1] [--out advice.json]
    python benchmarks/advice.py --plan

``--plan`` prints what it would do, and needs no GPU. Needs TensorRT (8.6 or 10), a GPU and the package onnx. No variant is started after
``--seconds``, and one that still runs a minute later is ended; what is known by then is in the JSON file, which is written after each variant.
Where this Python has no package onnx, make the models first with another: ``python3 benchmarks/advice_models.py FOLDER``.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trtlens import open_run
from trtlens.engine.inference_timing import read_timing
from trtlens.findings.stakes import stake_text
from trtlens.quantities import duration, signed_duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from trtlens.runs.run import Run

CLOSE = 0.25
"""A prediction comes true within this share of what was gained, or if its interval holds that."""
_GRACE_S = 60
_ALWAYS = (
    "--tacticSources=-CUBLAS,-CUBLAS_LT,-CUDNN,+EDGE_MASK_CONVOLUTIONS,+JIT_CONVOLUTIONS",
    "--builderOptimizationLevel",
    "2",
)
_GRAPH, _FP16, _INT8 = "--useCudaGraph", "--fp16", ("--int8", "--int8-ranges", "dummy")


@dataclass(frozen=True, slots=True)
class Variant:
    """One build of a model, or with ``of`` another timing of the engine of that variant."""

    model: str
    name: str
    flags: tuple[str, ...]
    folded: bool = False
    of: str | None = None

    @property
    def label(self) -> str:
        """Name of its folder."""
        return f"{self.model}-{self.name}"


@dataclass(frozen=True, slots=True)
class Trial:
    """An advice: the variants without and with it, and the findings of which one gives it."""

    advice: str
    codes: tuple[str, ...]
    before: Variant
    after: Variant


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was predicted and gained, in milliseconds of an inference; None for what is not known."""

    model: str
    advice: str
    finding: str
    before_ms: float | None
    after_ms: float | None
    low_ms: float | None
    likely_ms: float | None
    high_ms: float | None
    basis: str | None
    by_profile: tuple[float | None, float | None, float | None] | None

    @property
    def gained_ms(self) -> float | None:
        """What an inference takes less."""
        return None if self.before_ms is None or self.after_ms is None else self.before_ms - self.after_ms

    @property
    def verdict(self) -> str:
        """Whether the prediction came true: close, inside its interval, missed, or why it cannot be said."""
        gained = self.gained_ms
        if gained is None or self.before_ms is None:
            return "not timed"
        if self.low_ms is None and self.likely_ms is None:
            return "not predicted"
        if self.likely_ms is not None and abs(self.likely_ms - gained) <= CLOSE * abs(gained):
            return "close"
        most = self.before_ms if self.high_ms is None else self.high_ms
        return "inside" if (self.low_ms or 0.0) <= gained <= most else "missed"


# -- what is tried -----------------------------------------------------------------------------------------------------


def trials(models: Sequence[str]) -> list[Trial]:
    """All trials of the named models; variants are shared between them."""
    return [trial for model in models for made in _TRIALS[model] for trial in made(model)]


def _of_fp16(model: str) -> Iterator[Trial]:
    graph = Variant(model, "fp16", (_FP16, _GRAPH))
    if model != "transformer":  # which shares no constants
        bare = Variant(model, "fp16-folded", (_FP16, _GRAPH), folded=True)
        yield Trial("fold constants", ("constants-copied",), graph, bare)
    yield Trial(
        "CUDA graph", ("launch-bound", "gaps-between-kernels"), Variant(model, "fp16-stream", (), of=graph.label), graph
    )
    if model in _PINS:
        pinned = Variant(model, "fp16-pinned", (_FP16, _GRAPH, "--layer-precision", f"{_PINS[model]}=fp32"))
        yield Trial("pins taken back", ("layers-pinned",), pinned, graph)


def _of_int8(model: str) -> Iterator[Trial]:
    int8 = Variant(model, "int8", (*_INT8, _GRAPH))
    bare = Variant(model, "int8-folded", (*_INT8, _GRAPH), folded=True)
    both = Variant(model, "int8-fp16-folded", (*_INT8, _FP16, _GRAPH), folded=True)
    yield Trial("fold constants", ("constants-copied",), int8, bare)
    yield Trial("FP16 beside INT8", ("int8-without-fp16",), bare, both)


_PINS = {"resnet": "layer4*conv*", "transformer": "layer?.up*"}
_TRIALS = {
    "resnet": (_of_fp16, _of_int8), "mobilenet": (_of_fp16, _of_int8), "transformer": (_of_fp16,), "quantized": (_of_int8,),
}  # fmt: skip


def variants(asked: Sequence[Trial]) -> list[Variant]:
    """Each variant once; one that times the engine of another stands behind it."""
    found = dict.fromkeys(variant for trial in asked for variant in (trial.before, trial.after))
    return sorted(found, key=lambda variant: variant.of is not None)


def command(variant: Variant, folder: Path, more: Sequence[str], duration_s: float) -> list[str]:
    """The call of ``trtlens profile`` for a variant."""
    timed = ["--force", "--duration", f"{duration_s:g}", "-o", str(folder / variant.label), *more]
    start = [sys.executable, "-m", "trtlens", "profile"]
    if variant.of is not None:
        return [*start, str(folder / variant.of), *variant.flags, *timed]
    cache = ["--timingCacheFile", str(folder / "timing.cache")]
    return [*start, str(_model_path(variant, folder)), *variant.flags, *_ALWAYS, *cache, *timed]


def _model_path(variant: Variant, folder: Path) -> Path:
    return folder / f"{variant.model}{'-folded' if variant.folded else ''}.onnx"


# -- what comes of it --------------------------------------------------------------------------------------------------


def outcome(trial: Trial, folder: Path) -> Outcome:
    """What the finding of the first variant predicts, and what the second gained."""
    runs = [_opened(folder / variant.label) for variant in (trial.before, trial.after)]
    before_ms, after_ms = (None if run is None else _inference_ms(run) for run in runs)
    low, likely, high, basis = _predicted(runs[0], trial.codes)
    traced = runs[0] is not None and runs[0]["kernel_launches"].num_rows > 0
    by_profile = _predicted(_without_trace(runs[0]), trial.codes)[:3] if traced and runs[0] is not None else None
    return Outcome(
        trial.before.model,
        trial.advice,
        " or ".join(trial.codes),
        before_ms,
        after_ms,
        low,
        likely,
        high,
        basis,
        by_profile,
    )


def _opened(path: Path) -> Run | None:
    return open_run(path) if (path / "run.json").exists() else None


def _is_done(path: Path) -> bool:
    """Whether a variant was built and timed before."""
    run = _opened(path)
    return run is not None and run.info.status == "done"


def _build(run: Run) -> int:
    return int(run["builds"]["build"].to_pylist()[-1])


def _inference_ms(run: Run) -> float | None:
    return read_timing(run, _build(run)).inference_ms


def _predicted(run: Run | None, codes: Sequence[str]) -> tuple[float | None, float | None, float | None, str | None]:
    rows = [] if run is None else run.view("findings").to_pylist()
    for row in rows:
        if row["code"] in codes and run is not None and row["build"] == _build(run):
            return row["at_stake_low_ms"], row["at_stake_ms"], row["at_stake_high_ms"], row["at_stake_from"]
    return None, None, None, None


def _without_trace(run: Run) -> Run:
    """The run by the layer profiler alone."""
    bare = {name: run[name].slice(0, 0) for name in ("kernel_launches", "kernel_samples")}
    return replace(run, tables={**run.tables, **bare})


def table(outcomes: Sequence[Outcome]) -> str:
    """The outcomes as Markdown, with how many predictions came true."""
    lines = ["| model | advice | before | predicted | gained | by the profile | |", "|---|---|---|---|---|---|---|"]
    for one in outcomes:
        before = "" if one.before_ms is None else duration(one.before_ms)
        gained = "" if one.gained_ms is None else signed_duration(one.gained_ms)
        profile = "" if one.by_profile is None else stake_text(*one.by_profile)
        told = stake_text(one.low_ms, one.likely_ms, one.high_ms)
        lines.append(f"| {one.model} | {one.advice} | {before} | {told} | {gained} | {profile} | {one.verdict} |")
    judged = [one for one in outcomes if one.verdict in {"close", "inside", "missed"}]
    true = sum(one.verdict != "missed" for one in judged)
    return "\n".join(
        [*lines, "", f"{true} of {len(judged)} predictions came true, of {len(outcomes)} pieces of advice"]
    )


def write(path: Path, outcomes: Sequence[Outcome], built: Sequence[dict[str, Any]]) -> None:
    """One JSON document; replaced as a whole."""
    rows = [{**asdict(one), "gained_ms": one.gained_ms, "verdict": one.verdict} for one in outcomes]
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(json.dumps({"outcomes": rows, "variants": list(built)}, indent=1) + "\n", "utf-8")
    partial.replace(path)


def build(variant: Variant, folder: Path, words: Sequence[str], left_s: float) -> dict[str, Any]:
    """Make the model if need be, build and time the variant; what it took and how it ended."""
    started = time.monotonic()
    if variant.of is None and not _model_path(variant, folder).exists():
        from advice_models import write as write_models  # noqa: PLC0415  needs onnx, which not every Python has

        write_models(variant.model, folder)
    # A session of its own: profile starts processes, which are to end with it.
    with subprocess.Popen(
        words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            _, errors = process.communicate(timeout=left_s + _GRACE_S)
            ended = {"exit": process.returncode, "error": errors[-500:] if process.returncode else ""}
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            ended = {"exit": None, "error": "ended: the time was over"}
    return {
        "variant": variant.label,
        "command": shlex.join(words),
        "seconds": round(time.monotonic() - started, 1),
        **ended,
    }


def main() -> int:
    """Print the table and write the JSON file; 1 if a variant could not be built in time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default=",".join(_TRIALS), help="of these, with commas between them")
    parser.add_argument("--seconds", type=float, default=900, help="no variant is started later")
    parser.add_argument("--duration", type=float, default=1, help="seconds that each engine is timed")
    parser.add_argument("--flags", default="", help="further flags of trtlens profile: --flags='--processes 2'")
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path("advice"),
        help="for models, engines and runs; runs that it holds are not made again",
    )
    parser.add_argument("--out", type=Path, default=Path("advice.json"))
    parser.add_argument("--plan", action="store_true", help="print what would be done")
    given = parser.parse_args()
    asked = trials(given.models.split(","))
    calls = [(one, command(one, given.folder, shlex.split(given.flags), given.duration)) for one in variants(asked)]
    if given.plan:
        print("\n".join(f"{one.label:<28} {shlex.join(words)}" for one, words in calls))
        print(
            "\n".join(
                f"{one.advice}: {' or '.join(one.codes)} of {one.before.label}, then {one.after.label}" for one in asked
            )
        )
        return 0
    given.folder.mkdir(parents=True, exist_ok=True)
    end, built = time.monotonic() + given.seconds, []
    for one, words in calls:
        left_s = end - time.monotonic()
        if left_s > 0 and not _is_done(given.folder / one.label):
            built.append(build(one, given.folder, words, left_s))
            print(
                f"{one.label}: {built[-1]['seconds']} s, exit {built[-1]['exit']} {built[-1]['error']}", file=sys.stderr
            )
            write(given.out, [outcome(trial, given.folder) for trial in asked], built)
    outcomes = [outcome(trial, given.folder) for trial in asked]
    write(given.out, outcomes, built)
    print(table(outcomes))
    return 0 if all(one.gained_ms is not None for one in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
