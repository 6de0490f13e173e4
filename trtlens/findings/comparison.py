"""Rules that need a second run of the same model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtlens.findings.finding import Evidence, Finding
from trtlens.findings.pairs import Pair, common_layers, same_work
from trtlens.quantities import duration

if TYPE_CHECKING:
    from trtlens.findings.engine import Engine

_MOST_INT8 = 0.2
_FEWEST_PAIRS = 3
_SLOWER_COPIES = 1.2


def int8_slower_than_fp16(engine: Engine, other: Engine) -> Finding | None:
    """An INT8 engine takes longer than an FP16 engine of the same model; where the difference stands."""
    if _share_of_int8(engine) <= _MOST_INT8 or _share_of_int8(other) > _MOST_INT8:
        return None
    pairs = common_layers(engine, other)
    here, there = engine.total_ms, other.total_ms
    if (
        here is None
        or there is None
        or here <= there
        or len(pairs) < _FEWEST_PAIRS
        or engine.is_profiled != other.is_profiled
    ):
        return None
    parts = _parts(engine, other)
    evidence = [
        Evidence(f"{name}: {duration(a)} here (layers: {m}), {duration(b)} there ({n})") for name, a, m, b, n in parts
    ]
    evidence += _about_kernels(pairs)
    evidence += _about_launches(engine, other)
    evidence += _about_machine(engine, other)
    largest = max(parts, key=lambda part: part[1] - part[3])
    text = (
        f"The layers take {duration(here)} here and {duration(there)} in the other run ({engine.source}'s times). Of the "
        f"{duration(here - there)} more, {duration(largest[1] - largest[3])} stand in {largest[0]}."
    )
    text += _verdict(engine, other, pairs)
    return Finding(
        "int8-slower-than-fp16", "high", f"INT8 is slower than the other run, by {duration(here - there)} in {duration(here)}",
        text, tuple(evidence), "high" if engine.is_profiled else "medium",
        "build INT8 with FP16 enabled beside it; then take away what costs per layer: copies of constants (constants-copied), "
        "launches (launch-bound: CUDA graph, larger batch); time both engines as a whole too, without a profiler", stake=engine.clock.stake(here - there),
        layers=tuple(p.node.name for p in sorted(pairs, key=_loss, reverse=True) if _loss(p) > 0),
    )  # fmt: skip


def _share_of_int8(engine: Engine) -> float:
    precisions = [subject.node.row["precision"] for subject in engine.subjects.values()]
    known = [precision for precision in precisions if precision is not None]
    return sum(precision == "int8" for precision in known) / len(known) if known else 0.0


def _loss(pair: Pair) -> float:
    times = pair.measured or pair.tuned
    return times[0] - times[1] if times is not None else 0.0


def _parts(engine: Engine, other: Engine) -> list[tuple[str, float, int, float, int]]:
    """Kinds of layers with their time and number in this and in the other engine."""
    here, there = _by_kind(engine), _by_kind(other)
    return [(kind, *here.get(kind, (0.0, 0)), *there.get(kind, (0.0, 0))) for kind in dict.fromkeys([*here, *there])]


def _by_kind(engine: Engine) -> dict[str, tuple[float, int]]:
    causes = {reformat.node.index: reformat.cause for reformat in engine.reformats}
    sums: dict[str, tuple[float, int]] = {}
    for timed in engine.launched:
        cause = causes.get(timed.node.index)
        kind = (
            "layers that compute"
            if cause is None
            else "copies of constants"
            if cause == "constant"
            else "other reformats"
        )
        time_ms, count = sums.get(kind, (0.0, 0))
        sums[kind] = time_ms + timed.time_ms, count + 1
    return sums


def _about_kernels(pairs: list[Pair]) -> list[Evidence]:
    rows = []
    for name, times in (
        ("by the profiles", [p.measured for p in pairs if p.measured is not None]),
        ("by the two tuners", [p.tuned for p in pairs if p.tuned is not None]),
    ):
        if times:
            faster = sum(a < b for a, b in times)
            text = (
                f"{len(times)} computing layers that both engines have take {duration(sum(a for a, _ in times))} here and "
                f"{duration(sum(b for _, b in times))} there {name}; {faster} are faster here"
            )
            rows.append(Evidence(text))
    return rows


def _about_launches(engine: Engine, other: Engine) -> list[Evidence]:
    rows = []
    for label, one in (("here", engine), ("there", other)):
        if one.floor_ms is not None and one.total_ms is not None:
            floor, count = one.floor_ms
            rows.append(Evidence(
                f"{label}, {len(one.launched)} layers launch a kernel; the {count} smallest copies, which move 64 KiB or less, take "
                f"{duration(floor)} (median): if every launch costs that, {_fixed_share(one):.0f} % of {duration(one.total_ms)} "
                "pass without any work done"
            ))  # fmt: skip
    return rows


def _about_machine(engine: Engine, other: Engine) -> list[Evidence]:
    """Whether the GPU itself was slower in one of the runs: the same tactics of the same layers were timed in both."""
    same = same_work(engine, other)
    rows = []
    if same.long_ratio is not None:
        rows.append(Evidence(
            f"{same.long_count:,} tactics of 0.01 ms and more were timed in both builds: {same.long_ratio:.3f} times as long here "
            "(median), so the GPU was " + ("as fast" if 0.97 <= same.long_ratio <= 1.03 else "slower" if same.long_ratio > 1 else "faster")
        ))  # fmt: skip
    if same.short_ratio is not None:
        rows.append(
            Evidence(
                f"{same.short_count:,} shorter ones: {same.short_ratio:.3f} times as long here (median): that is launching"
            )
        )
    if engine.row["gpu"] and other.row["gpu"] and engine.row["gpu"] != other.row["gpu"]:
        rows.append(Evidence(f"the runs are of two GPUs: {engine.row['gpu']} and {other.row['gpu']}"))
    return rows


def _verdict(engine: Engine, other: Engine, pairs: list[Pair]) -> str:
    """Whether INT8 kernels themselves are faster, and how much of the time no kernel can save."""
    times = [p.tuned for p in pairs if p.tuned is not None]
    text = ""
    if times:
        here, there = sum(a for a, _ in times), sum(b for _, b in times)
        if here >= there:
            text += f" INT8 gains nothing in the kernels either: by the tuners' times they take {duration(here)} against {duration(there)}."
        else:
            text += f" The kernels themselves are faster in INT8: {duration(here)} against {duration(there)} by the tuners' times."
    if engine.floor_ms is not None and other.floor_ms is not None:
        text += (
            f" Layers this short pay for being launched, whatever the precision: about {_fixed_share(engine):.0f} % of the time here, "
            f"{_fixed_share(other):.0f} % there."
        )
        ratio = engine.floor_ms[0] / other.floor_ms[0]
        if ratio > _SLOWER_COPIES:
            text += (
                f" The smallest copies do next to nothing in either run and take {ratio:.3g} times as long here: that part is the "
                "host's or the profiler's, not INT8's."
            )
    return text


def _fixed_share(engine: Engine) -> float:
    """Percent of the time that passes if every layer costs at least what the smallest copies cost."""
    if engine.floor_ms is None or not engine.total_ms:
        return 0.0
    return 100 * sum(min(timed.time_ms, engine.floor_ms[0]) for timed in engine.launched) / engine.total_ms
