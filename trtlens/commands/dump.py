"""The command ``dump``: a run of a model with the tensors between its layers kept."""

from __future__ import annotations

import sys
from enum import Enum
from pathlib import Path  # noqa: TC003  typer reads it at run time
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from trtlens.commands.flags import BUILD_FLAGS, TIMING_FLAGS, Flag, build_values, parse_size, recipe_of, with_flags
from trtlens.commands.progress import shown_progress
from trtlens.commands.read import FormatOption  # noqa: TC001  typer reads it at run time
from trtlens.errors import TrtlensError
from trtlens.layer_patterns import REGEX_PREFIX, read_pattern, read_patterns
from trtlens.output import Format, visible, write_table

if TYPE_CHECKING:
    from trtlens.capture.build_options import BuildOptions
    from trtlens.capture.recorder import Recorder
    from trtlens.layer_patterns import LayerPattern

_BOUNDARIES = "boundaries"
_DUMP_FLAGS: tuple[Flag, ...] = (
    Flag("reference", "switch", "Run in ONNX Runtime, in FP32, on the CPU: no GPU is needed."),
    Flag("list", "switch", "List every node's outputs, and stop."),
    Flag(
        "mark",
        "text",
        "Which tensors: boundaries (between the engine's layers, so that fusion stays as it is), all, or names with *, "
        "separated by commas.",
        _BOUNDARIES,
    ),
    Flag("match", "text", "Which tensors, in place of --mark: those in whose name this regular expression is found."),
    Flag("method", "text", "How TensorRT hands tensors out: unfused, debug or outputs; default: the first it has."),
    Flag("max-memory", "text", "Memory for tensors at a time: 512M, ...; more take several runs or builds.", "4G"),
    Flag("keep-quantization", "switch", "Let Q/DQ pairs act in the reference, too."),
    Flag("shapes", "text", "Shapes of dynamic inputs: input:8x3x224x224,..."),
    Flag("force", "switch", "Replace a run that the folder already holds."),
    *BUILD_FLAGS,
    *(flag for flag in TIMING_FLAGS if flag.name in ("seed", "load-inputs", "input", "device")),
)
_INTERRUPTED = 130


class Emulated(str, Enum):
    """Precisions that the CPU can emulate."""

    FP16 = "fp16"
    BF16 = "bf16"
    INT8 = "int8"


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(with_flags(dump, *_DUMP_FLAGS))


def dump(
    model: Annotated[Path, typer.Argument(help="An ONNX model.")],
    out: Annotated[Optional[Path], typer.Option("--out", "-o", help="Folder of the run.")] = None,  # noqa: UP045
    emulate: Annotated[
        Optional[Emulated],  # noqa: UP045  typer reads annotations at run time, on Python 3.10 too
        typer.Option(
            "--emulate", help="Emulate a precision in ONNX Runtime on the CPU; int8 runs a model's Q/DQ pairs."
        ),
    ] = None,
    form: FormatOption = Format.TABLE,
    **flags: Any,
) -> None:
    """Run a model and keep its layers' outputs.

    It runs in TensorRT, or in ONNX Runtime on the CPU.
    """
    if flags["match"] is not None:
        if flags["mark"] != _BOUNDARIES:
            raise TrtlensError("--mark and --match exclude each other: give one of them")
        flags["mark"] = f"{REGEX_PREFIX}{flags['match']}"
        read_pattern(flags["mark"])
    if flags["list"]:
        _list(model, form)
        return
    if out is None:
        raise TrtlensError("give the folder of the run with -o, such as -o reference")
    if flags["reference"] and emulate is not None:
        raise TrtlensError("--reference and --emulate exclude each other: dump them one after the other")
    if flags["reference"] or emulate is not None:
        recorder = _dump_on_cpu(model, out, flags, None if emulate is None else emulate.value)
    else:
        recorder = _dump_in_tensorrt(model, out, flags)
    _tell(recorder, out)


def _patterns(mark: str) -> tuple[LayerPattern, ...]:
    """What a name may fit; every tensor for the words, which speak of an engine."""
    return () if mark in (_BOUNDARIES, "all") else read_patterns(mark)


def _build_options(flags: dict[str, Any]) -> BuildOptions:
    from trtlens.capture.build_options import parse_options  # noqa: PLC0415

    return parse_options(build_values(flags) | ({"shapes": flags["shapes"]} if flags["shapes"] else {}))


def _dump_on_cpu(model: Path, out: Path, flags: dict[str, Any], emulate: str | None) -> Recorder:
    from trtlens.capture.dumping.dump import DumpRequest, dump_run  # noqa: PLC0415
    from trtlens.capture.dumping.reference import Plan  # noqa: PLC0415

    options = _build_options(flags)
    request = DumpRequest(
        emulate=emulate,
        options=options,
        shapes=options.shapes,
        recipe=recipe_of(flags),
        plan=Plan(_patterns(flags["mark"]), parse_size(flags["max_memory"], "max-memory")),
        keep_quantization=flags["keep_quantization"],
    )
    return dump_run(model, out, request, force=flags["force"])


def _dump_in_tensorrt(model: Path, out: Path, flags: dict[str, Any]) -> Recorder:
    from trtlens.capture.backends.backend import find_backend  # noqa: PLC0415
    from trtlens.capture.dumping.engine_dump import EngineDumpRequest, dump_engine  # noqa: PLC0415

    request = EngineDumpRequest(
        options=_build_options(flags),
        recipe=recipe_of(flags),
        mark=flags["mark"],
        method=flags["method"],
        max_memory_bytes=parse_size(flags["max_memory"], "max-memory"),
        device=flags["device"],
    )
    try:
        backend = find_backend()
    except TrtlensError as error:
        raise TrtlensError(f"{error.message}; --reference and --emulate run without") from error
    try:
        with shown_progress() as progress:
            return dump_engine(model, out, request, backend, progress=progress, force=flags["force"])
    except KeyboardInterrupt:
        sys.stderr.write(f"stopped; the partial run is in {out}\n")
        raise typer.Exit(_INTERRUPTED) from None


def _list(model: Path, form: Format) -> None:
    from trtlens.capture.dumping.dump import list_tensors  # noqa: PLC0415
    from trtlens.commands.printed_rows import DUMP_LIST  # noqa: PLC0415

    rows = list_tensors(model)
    names = ("index", "node", "op", "tensor", "dtype")
    columns: dict[str, Any] = {name: [getattr(row, name) for row in rows] for name in names}
    columns["dims"] = [None if row.dims is None else "x".join(map(str, row.dims)) for row in rows]
    write_table(DUMP_LIST.table(columns), form)


def _tell(recorder: Recorder, out: Path) -> None:
    from trtlens.runs.run import open_run  # noqa: PLC0415

    run = open_run(recorder.folder)
    rows = run["dumps"].select(["tensor", "file", "skipped", "role"]).to_pylist()
    kept = sum(row["file"] is not None for row in rows)
    skipped = [row for row in rows if row["skipped"] is not None]
    sys.stdout.write(f"{kept} tensors kept in {out}\n")
    for row in skipped[:3]:
        sys.stdout.write(visible(f"skipped {row['tensor']}: {row['skipped']}") + "\n")
    if len(skipped) > 3:
        sys.stdout.write(f"and {len(skipped) - 3} more: trtlens show dumps {out}\n")
    for note in recorder.document["notes"]:
        sys.stdout.write(f"note: {visible(note)}\n")
