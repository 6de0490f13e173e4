"""Commands that answer in sentences: ``why``, ``findings``."""

from __future__ import annotations

import sys
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from trtlens.commands.layer_rows import MatchOption  # noqa: TC001  typer reads annotations at run time
from trtlens.commands.read import BuildOption, FormatOption, opened_run, print_answers, tell_empty
from trtlens.errors import TrtlensError
from trtlens.layer_patterns import REGEX_PREFIX
from trtlens.output import Format, console, print_table, visible, wrapped, write_table
from trtlens.quantities import seconds

if TYPE_CHECKING:
    import pyarrow as pa
    from rich.console import Console

    from trtlens.runs.run import Run

_MOST_CANDIDATES = 12
_MOST_LINES = 6
_LABEL = 12
_HANGING = " " * 6
_SEVERITY_STYLES = {"high": "bold red", "medium": "yellow", "low": "cyan"}


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(why)
    app.command()(findings)


def why(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="LAYER RUN|LOG...",
            help="A layer's name, a part of it or a glob; then a run folder, or a log with JSON files of the same run. "
            "With --all or --match give the run only.",
        ),
    ],
    everything: Annotated[
        bool, typer.Option("--all", help="Rank all layers by the potential saving of their fastest candidate.")
    ] = False,
    match: MatchOption = None,
    build: BuildOption = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """Explain why a layer's tactic was chosen.

    Also lists the alternatives that the tuner timed, with their times.
    """
    from trtlens.views import why as view  # noqa: PLC0415

    if everything and match is not None:
        raise TrtlensError("--all and --match exclude each other: give one of them")
    if not everything and match is None and len(words) < 2:
        raise TrtlensError(
            "give a layer and a run or log: trtlens why conv1 build.log; or rank all layers: trtlens why --all build.log"
        )
    if everything or match is not None:
        layer, paths = "*" if match is None else f"{REGEX_PREFIX}{match}", words
    else:
        layer, paths = words[0], words[1:]
    run = opened_run(paths, build)
    if everything:
        _write_ranking(run, view.rank(run), form)
    elif form is not Format.TABLE:
        write_table(view.table(run, layer), form)
    else:
        _print_why(run, layer)


def _write_ranking(run: Run, rows: pa.Table, form: Format) -> None:
    from trtlens.explain.ranking import LAYOUT, ranking_answer  # noqa: PLC0415

    if form is Format.TABLE and rows.num_rows:
        print_answers([ranking_answer(rows.to_pylist())])
    elif form is Format.TABLE:
        tell_empty(run, "why")
    write_table(rows, form, LAYOUT)


def _print_why(run: Run, layer: str) -> None:
    """One layer (of each build) in sentences, several as a list to choose from."""
    from trtlens.explain.ranking import LAYOUT, select  # noqa: PLC0415
    from trtlens.views import why as view  # noqa: PLC0415

    found = select(run, layer)
    if any(len(indices) > 1 for _, indices in found):
        count = sum(len(indices) for _, indices in found)
        print_answers(
            [f"{layer!r} fits {count} layers: give the name of one to read why, or use --format json for all"]
        )
        print_table(view.rank(run, layer), LAYOUT)
        return
    out = console()
    rows = view.table(run, layer).to_pylist()
    for (build, index), statements in groupby(rows, key=lambda row: (row["build"], row["layer_index"])):
        _print_layer(out, build, index, list(statements), several=run["builds"].num_rows > 1)


def _print_layer(out: Console, build: int, index: int, rows: list[dict[str, Any]], *, several: bool) -> None:
    from rich.text import Text  # noqa: PLC0415

    place = f"layer {index}" + (f" of build {build}" if several else "")
    out.print(Text.assemble((visible(rows[0]["layer"]), "bold"), f"  ({place})"))
    shown = [row for row in rows if row["section"] != "candidate"]
    candidates = [row for row in rows if row["section"] == "candidate"]
    previous = ""
    for row in shown:
        label = row["section"] if row["section"] != previous else ""
        _print_sentence(out, label, row["text"], row["lines"])
        previous = row["section"]
        if previous == "tried":
            for candidate in candidates[:_MOST_CANDIDATES]:
                _print_sentence(out, "", f"  {candidate['text']}", candidate["lines"])
            if len(candidates) > _MOST_CANDIDATES:
                rest = len(candidates) - _MOST_CANDIDATES
                _print_sentence(out, "", f"  {rest} slower precisions and formats: --format json lists them", [])
    out.print()


def _print_sentence(out: Console, label: str, text: str, lines: list[int]) -> None:
    """A label and a sentence, wrapped on a terminal, with the log lines that support it."""
    from rich.text import Text  # noqa: PLC0415

    indent = len(text) - len(text.lstrip())
    for number, part in enumerate(wrapped(f"{text.strip()}{_where(lines)}", _LABEL + 2 + indent, whole=True)):
        head = label if number == 0 else ""
        out.print(Text.assemble((f"  {head:<{_LABEL - 2}}", "bold"), " " * indent, part), soft_wrap=True)


def _where(lines: list[int]) -> str:
    if not lines:
        return ""
    shown = ", ".join(str(line) for line in lines[:_MOST_LINES]) + (", .." if len(lines) > _MOST_LINES else "")
    return f"  [{shown}]"


def findings(
    files: Annotated[
        list[str], typer.Argument(metavar="RUN|LOG...", help="A run folder, or a log with JSON files of the same run.")
    ],
    against: Annotated[
        Optional[str],  # noqa: UP045  typer reads annotations at run time, on Python 3.10 too
        typer.Option(
            "--against",
            metavar="RUN|LOG",
            help="A second run of the same model to compare with: a run folder, a log, or files of one run joined by commas; "
            "LOG@2 is the second build of a log.",
        ),
    ] = None,
    build: BuildOption = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """List what costs time or risks accuracy.

    Each finding about the engine or its build has evidence and the next check.
    """
    from trtlens.views import findings as view  # noqa: PLC0415

    run = opened_run(files, build)
    other = _second_run(against) if against else None
    rows = view.table(run, against=other)
    if other is not None:
        _note_unlike(run, other)
    if form is not Format.TABLE:
        write_table(rows, form)
    elif not rows.num_rows:
        sys.stderr.write(
            f"no findings in {visible(run.name)}: trtlens show tactics and trtlens why --all have the numbers\n"
        )
    else:
        _print_findings(rows.to_pylist())


def _note_unlike(run: Run, other: Run) -> None:
    from trtlens.findings import unlike  # noqa: PLC0415

    found = ", ".join(map(str, unlike(run, other)))
    if found:
        sys.stderr.write(visible(f"{other.name} is not used, because the runs cannot be compared: {found}") + "\n")


def _second_run(text: str) -> Run:
    from trtlens.runs.arguments import read_argument  # noqa: PLC0415

    argument = read_argument(text)
    run = argument.open()
    return run if argument.build is None else run.build(argument.build)


def _print_findings(rows: list[dict[str, Any]]) -> None:
    from rich.text import Text  # noqa: PLC0415

    from trtlens.findings.stakes import stake_text  # noqa: PLC0415

    out = console()
    several = len({row["build"] for row in rows}) > 1
    for row in rows:
        told = stake_text(row["at_stake_low_ms"], row["at_stake_ms"], row["at_stake_high_ms"])
        stake = f"  {told} at stake" if told else ""
        stake = f"{stake}  {seconds(row['at_stake_s'])} of build time" if row["at_stake_s"] is not None else stake
        style = _SEVERITY_STYLES.get(row["severity"], "")
        place = f"build {row['build']}: " if several else ""
        first, *rest = wrapped(f"{row['severity']}  {row['code']}  {place}{row['title']}{stake}", len(_HANGING))
        head = Text(first)
        head.stylize(style, 0, len(row["severity"]))
        head.stylize("bold", len(row["severity"]))
        out.print(head)
        for line in rest:
            out.print(_HANGING + line, style="bold")
        _print_sentence(out, "", row["text"], [])
        for evidence in row["evidence"]:
            _print_sentence(out, "", f"  {evidence}", [])
        if row["at_stake_from"] is not None:
            _print_sentence(out, "at stake", row["at_stake_from"], [])
        _print_sentence(out, "next", f"{row['next_check']} (confidence: {row['confidence']})", [])
        out.print()
