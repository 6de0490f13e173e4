"""The overview cards as plain HTML without scripts: what each run is, its latency, and where its time goes."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from trtlens.charts.drawing.style import by_precision, colour
from trtlens.comparison.same_work import model_of
from trtlens.engine.build_ending import FINISHED, read_ending
from trtlens.engine.clocks import notes_of, stretch_text
from trtlens.engine.inference_samples import samples_of
from trtlens.engine.stated_figures import stated_figure
from trtlens.engine.times import profiled_layers
from trtlens.output import shorten
from trtlens.quantities import duration
from trtlens.report.against import Against, against
from trtlens.report.markup import text
from trtlens.report.region_bars import region_bars
from trtlens.tuning.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trtlens.comparison.same_work import Mismatch
    from trtlens.report.subject import Subject

_LONGEST_NOTE = 300
_MEANINGS = {
    "model": "file name of the model",
    "GPU": "the GPU that the engine was built on",
    "TensorRT": "TensorRT version that built the engine, from the log or run.json",
    "precisions allowed": "precisions that the builder was allowed to use, as trtexec prints them; those in use are below",
    "build": "which build of the log is shown; RUN@2 selects the second",
    "layers": "layers of the engine, including those that launch no kernel",
}
"""What each fact of a card means, on hover."""
_NOT_STATED = "not stated"
_NO_TIMINGS = "no timings in this run"
_HOW_TO_TIME = "trtlens profile times an engine; or add trtexec's --exportTimes and --exportProfile files"
_SUM_OF_LAYERS = "sum of layer times, each timed on its own with some overhead; no inference was timed"
_UNIT_LOOKS = {"tensor core": "unit-tensor", "cuda core": "unit-cuda"}


def card(subject: Subject, place: int, baseline: Subject | None, unlike: Sequence[Mismatch] = ()) -> str:
    """One run: what it is, its latency (against the baseline's), and its time by precision, core type and reformats.

    ``baseline`` is None where there is no other run, and the subject itself for the baseline's own card; ``unlike`` is in what the run differs from the baseline, so that their times are not of the same work.
    """
    line = "" if baseline is None else (Against() if baseline is subject else against(subject, baseline, unlike)).html
    return (
        f'<article class="card" data-run="{place}"><h3>{text(subject.name)}</h3>{_latency(subject)}{line}{_identity(subject)}'
        f"{_shares(subject)}{region_bars(subject.view('kernels_run').to_pylist())}{_state(subject)}</article>"
    )


def _identity(subject: Subject) -> str:
    facts = subject.facts
    layers = subject.run["layers"].num_rows
    builds = f"{subject.build} of {len(subject.builds)} in the log" if subject.builds else None
    values = {
        "model": model_of(subject.run).file, "GPU": facts.get("gpu"), "TensorRT": facts.get("tensorrt_version"),
        "precisions allowed": facts.get("precision_flags") or _typed(subject), "build": builds, "layers": f"{layers:,}" if layers else None,
    }  # fmt: skip
    rows = (f'<dt title="{_MEANINGS[label]}">{label}</dt><dd>{_known(value)}</dd>' for label, value in values.items())
    return f"<dl>{''.join(rows)}</dl>"


def _typed(subject: Subject) -> str | None:
    """Said where a captured run's builder had no choice: the types that the model states are those that it runs in."""
    info = subject.run.info
    strongly = info.flags is not None and info.flags.get("strongly_typed")
    return "the model's own types" if strongly or info.library == "tensorrt_rtx" else None


def _known(value: Any) -> str:
    return f'<span class="missing">{_NOT_STATED}</span>' if value is None else text(value)


def _state(subject: Subject) -> str:
    facts, info = subject.facts, subject.run.info
    notes = []
    if not facts:
        notes.append("no TensorRT build was found in this run: no line of its log was understood")
    else:
        ending = read_ending(subject.run, facts["build"])
        notes += [f"no engine: {ending.text}"] if ending is not None and ending.state != FINISHED else []
        notes += [f"the list of layers is incomplete: {facts['layers_note']}"] if facts.get("layers_note") else []
    notes += [*info.errors[:2], *notes_of(subject.run)]
    return (
        '<ul class="notes">' + "".join(f"<li>{text(shorten(note, _LONGEST_NOTE))}</li>" for note in notes) + "</ul>"
        if notes
        else ""
    )


def _latency(subject: Subject) -> str:
    """The median with its interval, else trtexec's figure, else how to get one."""
    sampled = samples_of(subject.run)
    if sampled is not None:
        found = sampled.told
        return _big(
            duration(found.median_ms),
            f"median {sampled.words}: {found.interval} ({found.count:,} inferences; p99 {duration(found.p99_ms)})",
        )
    for metric in ("gpu_compute_time", "latency"):
        figure = stated_figure(subject.run, metric)
        if figure is not None:
            words = f"{figure.statistic} {metric.replace('_', ' ')}, as trtexec prints it; no samples, so no interval"
            return _big(duration(figure.value) if figure.unit == "ms" else f"{figure.value:g} {figure.unit}", words)
    layers = profiled_layers(subject.run)["time_ms"].dropna()
    if len(layers):
        return _big(duration(layers.sum()), f"{_SUM_OF_LAYERS}: {_HOW_TO_TIME}")
    return f'<p class="big none">{_NO_TIMINGS}</p><p class="how">{_HOW_TO_TIME}</p>'


def _big(quantity: str, words: str) -> str:
    value, _, unit = quantity.partition(" ")
    return f'<p class="big" title="{text(words)}">{text(value)}<small> {text(unit)}</small></p><p class="how">{text(words)}</p>'


# -- shares --------------------------------------------------------------------------------------------------------


def _shares(subject: Subject) -> str:
    """Bars of precision, core type and reformats: shares of the time where it is known, else of the layers."""
    rows = subject.view("precision").to_pylist()
    if not rows:
        return '<p class="how">No engine layers, so no shares: the log ends before they are listed, or was not written at verbose level.</p>'
    timed = _are_timed(rows)
    clock = stretch_text(subject.run, subject.facts["build"]) if timed else None
    what = "time of the layers" if timed else "layers that launch a kernel (this run has no layer times)"
    what += f" ({clock})" if clock else ""
    count = sum(row["layers"] for row in rows if row["work"] == "reformat")
    moved = counted(count, "reformat", "reformats") if count else "no reformats"
    return f"<h4>Compute precision, share of the {what}</h4>{precision_shares(subject)}{_units(subject, moved)}"


def precision_shares(subject: Subject) -> str:
    """The bar of the precisions and of reformats, with its key; empty without layers."""
    rows = subject.view("precision").to_pylist()
    timed = _are_timed(rows)
    weights: dict[str, float] = defaultdict(float)
    for row in rows:
        kind = {"compute": row["precision"] or "unknown", "reformat": "reformats"}.get(row["work"])
        if kind is not None:
            weights[kind] += row["time_ms" if timed else "layers"] or 0.0
    order = [
        *by_precision(kind for kind in weights if kind != "reformats"),
        *(["reformats"] if "reformats" in weights else []),
    ]
    return _bar([(kind, weights[kind], f"p-{kind}") for kind in order], timed=timed)


def _are_timed(rows: Sequence[dict[str, Any]]) -> bool:
    return any(row["time_ms"] is not None for row in rows)


def _units(subject: Subject, moved: str) -> str:
    rows = [row for row in subject.view("tensorcores").to_pylist() if row["name"] is None]
    timed = any(row["time_ms"] is not None for row in rows)
    sums: dict[str, float] = defaultdict(float)
    for row in rows:
        sums[row["unit"] or "core type unknown"] += (row["time_ms"] if timed else row["layers"]) or 0.0
    parts = [
        (name, sums[name], _UNIT_LOOKS.get(name, "p-unknown"))
        for name in ("tensor core", "cuda core", "core type unknown")
        if sums.get(name)
    ]
    bar = _bar(parts, timed=timed) if parts else ""
    return f"<h4>Core type, share of the {'time of the layers' if timed else 'layers'} that compute; {moved}</h4>{bar}"


def _bar(parts: Sequence[tuple[str, float, str]], *, timed: bool) -> str:
    total = sum(weight for _, weight, _ in parts)
    if not total:
        return ""
    shown = [(name, 100 * weight / total, weight, look) for name, weight, look in parts if weight > 0]
    segments = "".join(
        f'<span class="{text(look)}" style="flex-basis:{share:.3f}%" title="{text(_said(name, share, weight, timed=timed))}"></span>'
        for name, share, weight, look in shown
    )
    keys = "".join(
        f'<li title="{text(_said(name, share, weight, timed=timed))}"><i class="{text(look)}"></i>{text(name)} <b>{_percent(share)}</b></li>'
        for name, share, weight, look in shown
    )
    words = ", ".join(f"{name} {_percent(share)}" for name, share, _, _ in shown)
    return f'<div class="bar" role="img" aria-label="{text(words)}">{segments}</div><ul class="keys">{keys}</ul>'


def _said(name: str, share: float, weight: float, *, timed: bool) -> str:
    amount = duration(weight) if timed else counted(int(weight), "layer", "layers")
    return f"{name}: {amount}, {_percent(share)}"


def _percent(share: float) -> str:
    return f"{share:.0f} %" if share >= 10 else f"{share:.1f} %"


def precision_styles() -> str:
    """CSS classes of the precisions: the charts' colours under hatching of different directions."""
    angles = {"fp32": 45, "tf32": 135, "int8": 90, "int4": 0, "fp8": 0, "fp4": 60, "bf16": 120, "reformats": 150}
    rules = []
    for name in (
        "fp32",
        "tf32",
        "fp16",
        "bf16",
        "fp8",
        "fp4",
        "int8",
        "int4",
        "int32",
        "int64",
        "bool",
        "unknown",
        "reformats",
    ):
        ink = "#64748b" if name == "reformats" else colour(None if name == "unknown" else name)
        lines = (
            f"repeating-linear-gradient({angles[name]}deg,rgba(255,255,255,.5) 0 1.5px,transparent 1.5px 7px),"
            if name in angles else ""
        )  # fmt: skip
        rules.append(f".p-{name}{{background:{lines}{ink}}}")
    return "\n".join(rules)
