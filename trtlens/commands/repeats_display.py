"""What is printed of repeated builds: how many layers change, what that costs, and what a second set changes beyond it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trtlens.comparison.comparison import compare_runs
from trtlens.comparison.repeats import read_effect, read_repeats
from trtlens.comparison.settings import read_settings
from trtlens.comparison.times import NO_DIFFERENCE
from trtlens.errors import TrtlensError
from trtlens.output import Format, console, layout, print_table, wrapped, write_table
from trtlens.quantities import duration
from trtlens.runs.arguments import read_arguments, run_names
from trtlens.runs.run_info import is_run
from trtlens.runs.sources import hash_file
from trtlens.tables.schema import declare
from trtlens.tuning.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trtlens.comparison.comparison import Comparison
    from trtlens.comparison.repeats import Effect, RepeatedLayer, Repeats
    from trtlens.runs.arguments import RunArgument

COLUMNS = declare(
    "repeats", "one layer of several builds of one thing", "layer type",
    """
    layer | text | | layer; of several of one name each has a row
    type | text | | layer or runner type
    changes | texts | | in what builds differ: tactic, types, formats, presence (not every build has such a layer)
    tactics | int | | different tactics; null where a build names none
    usual_percent | float | % | share of the builds that have the most frequent tactic, of those that name one
    time_ms | float | ms | what it adds to a build on average; null without times
    low_ms | float | ms | least time in a build that has it
    high_ms | float | ms | most time in a build that has it
    """,
)  # fmt: skip
_LAYOUT = layout("layer changes tactics usual_percent time_ms low_ms high_ms", stretches="layer")
_NOT_FLAGS = frozenset({"SM clock", "executions timed", "ONNX nodes", "model file"})
"""Settings that differ between captures of one build."""


def show_repeats(runs: Sequence[str], against: Sequence[str], form: Format = Format.TABLE) -> None:
    """Print what `repeats` says.

    Raises:
        TrtlensError: a set has fewer than two runs, or they are of different models.

    """
    sets = [read_arguments(_expanded(texts)) for texts in (runs, against) if texts]
    few = next((one for one in sets if len(one) < 2), None)
    if few is not None:
        raise TrtlensError(f"{few[0].text} is one run: give two repeats or more, trtlens profile --repeat 3 makes them")
    arguments = [argument for one in sets for argument in one]
    comparison = compare_runs(
        [argument.open() for argument in arguments],
        names=run_names(arguments),
        builds=[argument.build for argument in arguments],
    )
    cut = len(sets[0])
    halves = [read_repeats(engines) for engines in (comparison.engines[:cut], comparison.engines[cut:]) if engines]
    if form is not Format.TABLE:
        write_table(_table(halves[-1].layers if len(halves) == 1 else read_repeats(comparison.engines).layers), form)
        return
    titles = ("first set: ", "second set: ") if len(halves) == 2 else ("",)
    for title, one, members in zip(titles, halves, (range(cut), range(cut, len(arguments))), strict=False):
        files = [arguments[place] for place in members]
        _say([title + _sentence(one), *_rest(one), *_same_files(files), *_unlike(comparison, members)])
    if len(halves) == 2:
        _say(_effect(read_effect(*halves), halves))
    elif halves[0].changing:
        sys.stdout.write("\n")
        print_table(_table(halves[0].changing), _LAYOUT)


def _expanded(texts: Sequence[str]) -> list[str]:
    """The arguments, a folder of runs as its runs."""
    found: list[str] = []
    for text in texts:
        folder = Path(text)
        inner = sorted(map(str, filter(is_run, folder.iterdir()))) if folder.is_dir() and not is_run(folder) else []
        found += inner or [text]
    return found


def _sentence(repeats: Repeats) -> str:
    """``28 of 103 layers change between 3 builds (28 tactic); they carry 38 % of the layers' time; keep ...``."""
    changing, count = repeats.changing, len(repeats.layers)
    nameless = sum(not one.names_tactics for one in repeats.layers)
    doubt = f"; of {counted(nameless, 'layer', 'layers')} no tactic is named, so theirs may differ" if nameless else ""
    if not changing:
        return f"all {count} layers agree in what the {len(repeats.engines)} builds show of tactics, types and formats{doubt}"
    kinds: dict[str, int] = {}
    for one in changing:
        for kind in one.changes:
            kinds[kind] = kinds.get(kind, 0) + 1
    told = ", ".join(f"{number} in {kind}" for kind, number in kinds.items())
    moving = sum(one.is_reformat for one in changing)
    told += f"; {moving} of them are reformats and copies" if moving else ""
    text = f"{len(changing)} of {count} layers change between {len(repeats.engines)} builds ({told})"
    share = repeats.changing_share
    text += f"; they carry {100 * share:.0f} % of the layers' time" if share is not None else "; no layer was timed"
    return f"{text}{doubt}; {_keep(repeats)}"


def _keep(repeats: Repeats) -> str:
    """Which timing cache pins the choices: the fastest build's, where it kept one."""
    number = repeats.fastest
    engine = repeats.engines[number if number is not None else 0]
    cache = (engine.run.info.flags or {}).get("timing_cache_file")
    which = f"of {engine.name}, the fastest," if number is not None else f"of {engine.name}"
    if cache:
        return f"keep the timing cache {which} and build with it: --timingCacheFile={cache}"
    return f"a timing cache would pin them: build with --timingCacheFile={engine.name}.cache and keep that file"


def _rest(repeats: Repeats) -> list[str]:
    """Times between builds against times within one, and outputs."""
    times, within, between = repeats.times_ms, repeats.within_ms, repeats.between_ms
    if times is None or between is None:
        waiting = [
            engine.name
            for engine, one in zip(repeats.engines, repeats.inferences, strict=True)
            if one is not None and one.waits
        ]
        why = (
            f"in {', '.join(waiting)} the GPU waited for the host (--useCudaGraph)"
            if waiting
            else "not every build was timed"
        )
        told = [f"times of the builds are not compared: {why}"]
    else:
        mean = sum(times) / len(times)
        inner = (
            "of one build nothing is known"
            if within is None
            else f"timings of one build by {100 * within / mean:.2f} %"
        )
        told = [
            f"an inference takes {duration(min(times))} to {duration(max(times))}: builds differ by {100 * between / mean:.2f} % (standard deviation), {inner}"
        ]
    same = (
        None
        if repeats.outputs is None
        else "outputs are equal, bit for bit"
        if repeats.outputs
        else "outputs differ in some bits"
    )
    return [*told, *([same] if same else [])]


def _same_files(runs: Sequence[RunArgument]) -> list[str]:
    """Whether the engines themselves are equal, where every run keeps its file: then nothing differs, seen or not."""
    files = [Path(run.paths[0]) / "engine.plan" for run in runs]
    if not all(map(Path.is_file, files)):
        return []
    equal = len(set(map(hash_file, files))) == 1
    return ["the engines' files are equal, byte for byte: nothing differs"] if equal else []


def _unlike(comparison: Comparison, members: range) -> list[str]:
    """Settings in which the runs of one set differ, so that they are no repeats."""
    stated = {
        one.name: {one.values[place] for place in members} - {None}
        for one in read_settings(comparison)
        if one.name not in _NOT_FLAGS
    }
    names = [name for name, values in stated.items() if len(values) > 1]
    return [f"note: these runs differ in {', '.join(names)}, so not all that changes is the lottery"] if names else []


def _effect(effect: Effect, halves: Sequence[Repeats]) -> list[str]:
    """What the second set changes, in times and in choices."""
    counts = " and ".join(str(len(one.engines)) for one in halves)
    told = []
    if effect.difference is None:
        told.append("whether an inference takes longer is not known: not every build was timed alike")
    else:
        base = halves[0].times_ms or [0.0]
        mean, one = sum(base) / len(base), effect.difference
        low, high = (100 * (end or 0.0) / mean for end in (one.low_ms, one.high_ms))
        what = {
            "slower": "the second set is slower, beyond the lottery",
            "faster": "the second set is faster, beyond the lottery",
        }
        told.append(
            f"{what.get(one.verdict, 'no difference beyond the lottery')}: an inference takes {100 * one.diff_ms / mean:+.1f} % "
            f"({low:+.1f} to {high:+.1f} %, 99 % interval over {counts} builds)"
        )
    found = (effect.difference is not None and effect.difference.verdict != NO_DIFFERENCE) or effect.apart
    names = ", ".join(effect.apart[:3]) + (", ..." if len(effect.apart) > 3 else "")
    told.append(
        f"choices: {len(effect.apart)} of {effect.layers} layers are built in one set as never in the other{f' ({names})' if names else ''}; "
        f"{effect.varying} change within a set"
    )
    if found and not effect.is_chance_ruled_out:
        told.append(
            f"with {counts} builds one choice that falls either way by chance parts the sets in {100 * effect.chance:.0f} % of cases: 4 and 4 rule it out"
        )
    return told


def _table(layers: Sequence[RepeatedLayer]) -> Any:
    return COLUMNS.of_rows([_row(one) for one in layers])


def _row(one: RepeatedLayer) -> dict[str, Any]:
    tactics = one.tactics
    return {
        "layer": one.name, "type": one.type, "changes": list(one.changes),
        "tactics": len(tactics) if one.names_tactics else None,
        "usual_percent": 100 * max(tactics.values()) / tactics.total() if tactics else None,
        "time_ms": one.mean_ms, "low_ms": min(one.times_ms, default=None), "high_ms": max(one.times_ms, default=None),
    }  # fmt: skip


def _say(sentences: Sequence[str]) -> None:
    out = console(sys.stdout)
    for sentence in sentences:
        for line in wrapped(sentence):
            out.print(line)
