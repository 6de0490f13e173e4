"""Commands that write files for others: ``report``, ``export``."""

from __future__ import annotations

import sys
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from trtlens.runs.folders import check_place, write_document

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from trtlens.report.subject import Subject
    from trtlens.runs.run import Run

_RUN_HELP = (
    "A run folder or a log; files of one run joined by commas (verbose.log,layers.json,layer-times.json); LOG@2 is the second "
    "build of a log."
)


class Target(str, Enum):
    """What ``export`` writes.

    ``perfetto`` is the Trace Event Format, which chrome://tracing reads too; ``netron-onnx`` is an ONNX file that Netron shows.
    """

    PERFETTO = "perfetto"
    DOT = "dot"
    SVG = "svg"
    GRAPHML = "graphml"
    NETRON_ONNX = "netron-onnx"


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(report)
    app.command()(export)


def report(
    runs: Annotated[list[str], typer.Argument(help=_RUN_HELP + " The first of several runs is the baseline.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The HTML file to write.")] = Path("report.html"),
    png: Annotated[
        Optional[Path],  # noqa: UP045  typer reads annotations at run time, on Python 3.10 too
        typer.Option("--png", help="Also write every chart as PNG into this folder (needs the extra images)."),
    ] = None,
    svg: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--svg", help="Also write every chart as SVG into this folder (needs the extra images)."),
    ] = None,
) -> None:
    """Write an HTML report of runs.

    The one file holds charts, tables and findings, and needs no network.
    """
    check_place(out)
    from trtlens.report import render  # noqa: PLC0415
    from trtlens.report.images import check_images_folder  # noqa: PLC0415

    images = {form: folder for form, folder in (("png", png), ("svg", svg)) if folder is not None}
    for folder in images.values():
        check_images_folder(folder)
    subjects = _open(runs)
    write_document(out, render(subjects))
    sys.stderr.write(f"report written to {out}\n")
    if images:
        _write_images(subjects, images)


def export(
    run: Annotated[str, typer.Argument(help=_RUN_HELP)],
    out: Annotated[Path, typer.Option("--out", "-o", help="The file to write.")],
    to: Annotated[Target, typer.Option("--to", help="The format to write.")] = Target.PERFETTO,
    inferences: Annotated[
        int,
        typer.Option(
            "--inferences", min=1, max=1000, help="So many traced inferences in a row; 1 is the one of median length."
        ),
    ] = 1,
) -> None:
    """Write a run for another tool: as a trace or a graph.

    The trace holds the kernels where they were traced, else the layers by stream, and the tuner's candidates. The graph holds layers and
    the tensors between them, with precision, time, tactic and kernel; constants are left out.
    """
    check_place(out)
    (subject,) = _open([run])
    write_document(out, _exported(to, subject, inferences))
    sys.stderr.write(f"{to.value} {'trace' if to is Target.PERFETTO else 'graph'} written to {out}\n")


def _exported(to: Target, subject: Subject, inferences: int) -> str | bytes:
    if to is Target.PERFETTO:
        from trtlens.report.trace_events import trace_json  # noqa: PLC0415

        return trace_json(subject.run, inferences)
    if to is Target.SVG:
        from trtlens.report.graph_svg import graph_svg  # noqa: PLC0415

        return graph_svg(subject.run, subject.build)
    from trtlens.report.graph_files import graph_dot, graph_graphml, graph_onnx  # noqa: PLC0415

    write: dict[Target, Callable[[Run, int | None], str | bytes]] = {
        Target.DOT: graph_dot, Target.GRAPHML: graph_graphml, Target.NETRON_ONNX: graph_onnx,
    }  # fmt: skip
    return write[to](subject.run, subject.build)


def _open(texts: Sequence[str]) -> list[Subject]:
    from trtlens.report.subject import read_subject  # noqa: PLC0415
    from trtlens.runs.arguments import read_arguments, run_names  # noqa: PLC0415

    arguments = read_arguments(texts)
    # A single run keeps its own name: names that tell runs apart are for several.
    names = run_names(arguments) if len(arguments) > 1 else [None]
    return [read_subject(one.open(), name, one.build) for one, name in zip(arguments, names, strict=True)]


def _write_images(subjects: Sequence[Subject], folders: Mapping[str, Path]) -> None:
    from trtlens.report.images import write_images  # noqa: PLC0415
    from trtlens.report.payload import compare  # noqa: PLC0415

    comparison = compare(subjects).comparison if len(subjects) > 1 else None
    for form, files in write_images(subjects, comparison, folders).items():
        sys.stderr.write(f"{len(files)} images written to {folders[form]}\n")
