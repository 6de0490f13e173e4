"""What is told of a search for a cure: a sentence of what cures, one of what it costs, how it is applied, and a row a build."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from trtlens.accuracy.cure_search import CURED, UNKNOWN
from trtlens.accuracy.local_errors import PRECISION
from trtlens.commands.region_cure import CUTS, PINS
from trtlens.layer_patterns import listed
from trtlens.output import layout
from trtlens.quantities import durations, hexadecimal, interval, number, percent, signed_duration
from trtlens.tables.schema import declare

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa

    from trtlens.commands.region_cure import Curing, Found

COLUMNS = declare(
    "builds of isolate", "one build of the search for a cure, in their order", "build",
    """
    build | int | | number of the build, and of its folder
    kind | label | | what was changed: cut (tensors handed out), fp32 (nodes held in it), tactic (those of layers left out), nothing
    count | int | | how many were changed
    changed | texts | | tensors, ONNX nodes or layers
    judged_at | label | | region (its ends were handed out, too) or outputs (those of the engine: nothing was handed out but the cut)
    outcome | label | | cured, errs, unknown
    tensor | text | | the tensor that it was judged at; null where the build was refused
    error | float | | noise over signal there; null where values are not finite or the build was refused
    explained | float | | what the types explain of it; null likewise
    verdict | text | | as of accuracy --blame; null where it is not known
    detail | text | | what the output looks like, or why the build was refused
    build_s | float | s | time of the build, its run and its judgement
    """,
)  # fmt: skip
LAYOUT = layout(
    "build kind count changed outcome error explained verdict judged_at tensor build_s detail",
    stretches="changed",
    prose="detail",
)
_WHAT = {
    CUTS: ("handing out {0} tensor{1}", "tensors inside of the region"),
    PINS: ("holding {0} node{1} in FP32", "nodes of the region"),
}
_TACTIC = ("leaving out the tactic{1} of {0} layer{1}", "layers of the region")


def rows(curing: Curing) -> pa.Table:
    """A row for each build."""
    return COLUMNS.of_rows(
        [
            {**row, "count": len(row["changed"]), "judged_at": "outputs" if row["bare"] else "region"}
            for row in curing.rows
        ]
    )


def sentences(curing: Curing, found: Found | None) -> Iterator[str]:
    """What cures, what it costs, and what is not known."""
    yield from _cured(curing, found) if found is not None else [_not_cured(curing)]
    if found is not None:
        yield cost_sentence(curing.facts.get("cost"))


def _cured(curing: Curing, found: Found) -> Iterator[str]:
    before, cure = curing.judge.before, found.cure
    row = next(row for row in curing.rows if row["build"] == found.build)
    what, of = _WHAT.get(found.kind, _TACTIC)
    told = what.format(len(cure.chosen), "s" if len(cure.chosen) > 1 else "")
    yield f"{before['tensor']} is cured by {told}: {listed(cure.chosen)} (of {found.candidates} {of}, in {_builds(curing.rows)})"
    compared = curing.judge.bare_before if cure.bare else before
    where = f"the engine's output {row['tensor']}" if cure.bare else before["tensor"]
    was = (compared or before)["error"]
    yield f"{where} errs {number(row['error'])} in place of {'NaN or infinities' if was is None else number(was)}"
    if not cure.bare:
        yield f"The ends of the region were handed out beside it ({listed(curing.judge.ends)}): whether it cures without them is not known"
    if found.is_emulated and len(cure.chosen) > 1:
        yield "By emulation on the CPU each of them is needed"
    elif not cure.is_smallest:
        yield "It is the smallest choice that was found; whether less would do is not known: more --max-builds look further"
    if before["verdict"] != PRECISION and all(one["outcome"] == CURED for one in curing.rows):
        yield "No build erred: that the dump did is all that tells the change from building anew"


def _not_cured(curing: Curing) -> str:
    before, made = curing.judge.before["tensor"], curing.rows
    if any(row["outcome"] == CURED for row in made):
        return f"No cure of {before} is known after {_builds(made)}: builds contradict each other, so that the fault may come and go by itself"
    unknown = sum(row["outcome"] == UNKNOWN for row in made)
    doubt = f"; of {unknown} it is not known" if unknown else ""
    return (
        f"No cure of {before} was found in {_builds(made)}{doubt}"
        if made
        else f"Nothing could be changed to cure {before}"
    )


def _builds(made: Sequence[Mapping[str, Any]]) -> str:
    return f"{len(made)} build{'' if len(made) == 1 else 's'}"


def cost_sentence(cost: Mapping[str, Mapping[str, Any]] | None) -> str:
    """What the cured engine takes in place of the original one, each with its interval."""
    if cost is None:
        return "What it costs was not timed"
    was, now = cost["original"], cost["cured"]
    first, second = durations(now["time_ms"], was["time_ms"])
    sides = f"{first}{_ends(now)} in place of {second}{_ends(was)}"
    change = now["time_ms"] - was["time_ms"]
    if None in (now["low_ms"], was["low_ms"]):
        return f"An inference takes {sides}: {signed_duration(change)}; how sure that is cannot be told"
    if now["low_ms"] <= was["high_ms"] and was["low_ms"] <= now["high_ms"]:
        return f"An inference takes {sides}: a cost is not told from noise"
    share = percent(100 * abs(change) / was["time_ms"])
    return f"An inference takes {sides}: {signed_duration(change)}, {share} {'more' if change > 0 else 'less'}"


def _ends(cost: Mapping[str, Any]) -> str:
    return "" if cost["low_ms"] is None else f" ({interval(cost['low_ms'], cost['high_ms'])})"


def applied(curing: Curing, found: Found, model: str, method: str) -> Iterator[str]:
    """How the cure is applied, a line each: flags as a shell takes them, and what has none."""
    chosen = found.cure.chosen
    if found.kind == CUTS and method == "debug":
        yield shlex.join(["trtexec", f"--onnx={model}", f"--markDebug={','.join(chosen)}"])
        yield f"Python API: network.mark_debug(tensor) for {listed(chosen)}"
    elif found.kind == CUTS:
        yield f"Python API: network.mark_output(tensor) for {listed(chosen)}; for other tools --write MODEL.onnx writes the model with such outputs"
    elif found.kind == PINS:
        types = ",".join(f"{name}:fp32" for name in chosen)
        yield (
            shlex.join(["trtlens", "profile", model, *(f"--layer-precision={name}=fp32" for name in chosen)])
            + "  (beside the flags of the dump)"
        )
        yield shlex.join(
            [
                "trtexec",
                f"--onnx={model}",
                "--precisionConstraints=obey",
                f"--layerPrecisions={types}",
                f"--layerOutputTypes={types}",
            ]
        )
    else:
        told = ", ".join(f"{layer}: {hexadecimal(curing.tactics[layer])}" for layer in chosen)
        yield f"Python API: an IAlgorithmSelector that leaves out {told}; trtexec has no flag for it"
