"""The command ``dump``: a run of a model with the tensors between its layers kept."""

from __future__ import annotations

import re
import sys
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from trtlens.commands.flags import BUILD_FLAGS, TIMING_FLAGS, Flag, build_values, with_flags
from trtlens.commands.progress import shown_progress
from trtlens.commands.read import FormatOption  # noqa: TC001  typer reads it at run time
from trtlens.errors import TrtlensError
from trtlens.output import Format, visible, write_table

if TYPE_CHECKING:
    from trtlens.capture.inputs import InputRecipe
    from trtlens.capture.recorder import Recorder

_DUMP_FLAGS: tuple[Flag, ...] = (
    *BUILD_FLAGS,
    *(flag for flag in TIMING_FLAGS if flag.name in ("seed", "load-inputs", "input", "device")),
)
_SIZE = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)\s?([KMGT]?)(?:i?B)?", re.IGNORECASE)
_INTERRUPTED = 130
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


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
    reference: Annotated[
        bool, typer.Option("--reference", help="Run in ONNX Runtime, in FP32, on the CPU: no GPU is needed.")
    ] = False,
    emulate: Annotated[
        Optional[Emulated],  # noqa: UP045  typer reads annotations at run time, on Python 3.10 too
        typer.Option("--emulate", help="Emulate a precision in ONNX Runtime on the CPU; int8 runs a model's Q/DQ pairs."),
    ] = None,
    list_tensors: Annotated[bool, typer.Option("--list", help="List every node's outputs, and stop.")] = False,
    mark: Annotated[
        str,
        typer.Option(
            "--mark",
            help="Which tensors: boundaries (between the engine's layers, so that fusion stays as it is), all, or names "
            "with *, separated by commas.",
        ),
    ] = "boundaries",
    method: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--method", help="How TensorRT hands tensors out: unfused, debug or outputs; default: the first it has."),
    ] = None,
    max_memory: Annotated[
        str, typer.Option("--max-memory", help="Memory for tensors at a time: 4G, 512M; more take several runs or builds.")
    ] = "4G",
    keep_quantization: Annotated[
        bool, typer.Option("--keep-quantization", help="Let Q/DQ pairs act in the reference, too.")
    ] = False,
    shapes: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--shapes", help="Shapes of dynamic inputs: input:8x3x224x224,..."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a run that the folder already holds.")] = False,
    form: FormatOption = Format.TABLE,
    **flags: Any,
) -> None:
    """Run a model with its layers' outputs kept, in TensorRT, or in ONNX Runtime on the CPU."""
    if list_tensors:
        _list(model, form)
        return
    if out is None:
        raise TrtlensError("give the folder of the run with -o, such as -o reference")
    if reference and emulate is not None:
        raise TrtlensError("--reference and --emulate exclude each other: dump them one after the other")
    memory = parse_size(max_memory)
    values = build_values(flags) | ({"shapes": shapes} if shapes else {})
    recipe = recipe_of(flags)
    if reference or emulate is not None:
        recorder = _dump_on_cpu(
            model, out, values, recipe, _patterns(mark), memory,
            emulate=None if emulate is None else emulate.value, keep_quantization=keep_quantization, force=force,
        )  # fmt: skip
    else:
        recorder = _dump_in_tensorrt(
            model, out, values, recipe, mark=mark, method=method, memory=memory, device=flags["device"], force=force
        )
    _tell(recorder, out)


def parse_size(text: str) -> int:
    """Bytes of a size such as 512M or 4G; raises TrtlensError for what is none."""
    match = _SIZE.fullmatch(text.strip())
    size = int(float(match[1]) * _UNITS[match[2].upper()]) if match else 0
    if size <= 0:
        raise TrtlensError(f"--max-memory {text!r} is not a size such as 512M or 4G")
    return size


def recipe_of(flags: dict[str, Any]) -> InputRecipe:
    """Where the input values come from, by the flags `seed`, `load_inputs` and `input`."""
    from trtlens.capture.inputs import InputRecipe, parse_range  # noqa: PLC0415

    file = Path(flags["load_inputs"]) if flags["load_inputs"] else None
    return InputRecipe(seed=flags["seed"], ranges=dict(map(parse_range, flags["input"] or [])), file=file)


def _patterns(mark: str) -> tuple[str, ...]:
    """What a name may fit; every tensor for the words, which speak of an engine."""
    return () if mark in ("boundaries", "all") else tuple(part for part in mark.split(",") if part)


def _dump_on_cpu(
    model: Path,
    out: Path,
    values: dict[str, Any],
    recipe: InputRecipe,
    patterns: tuple[str, ...],
    memory: int,
    *,
    emulate: str | None,
    keep_quantization: bool,
    force: bool,
) -> Recorder:
    from trtlens.capture.dump import DumpRequest, dump_run  # noqa: PLC0415
    from trtlens.capture.options import parse_options  # noqa: PLC0415
    from trtlens.capture.reference import Plan  # noqa: PLC0415

    options = parse_options(values)
    request = DumpRequest(
        emulate=emulate,
        options=options,
        shapes=options.shapes,
        recipe=recipe,
        plan=Plan(patterns, memory),
        keep_quantization=keep_quantization,
    )
    return dump_run(model, out, request, force=force)


def _dump_in_tensorrt(
    model: Path,
    out: Path,
    values: dict[str, Any],
    recipe: InputRecipe,
    *,
    mark: str,
    method: str | None,
    memory: int,
    device: int,
    force: bool,
) -> Recorder:
    from trtlens.capture.backends import find_backend  # noqa: PLC0415
    from trtlens.capture.engine_dump import EngineDumpRequest, dump_engine  # noqa: PLC0415
    from trtlens.capture.options import parse_options  # noqa: PLC0415

    request = EngineDumpRequest(
        options=parse_options(values), recipe=recipe, mark=mark, method=method, max_memory_bytes=memory, device=device
    )
    try:
        with shown_progress() as progress:
            return dump_engine(model, out, request, find_backend(), progress=progress, force=force)
    except KeyboardInterrupt:
        sys.stderr.write(f"stopped; what was captured stands in {out}\n")
        raise typer.Exit(_INTERRUPTED) from None


def _list(model: Path, form: Format) -> None:
    import pyarrow as pa  # noqa: PLC0415

    from trtlens.capture.dump import list_tensors  # noqa: PLC0415

    rows = list_tensors(model)
    names = ("index", "node", "op", "tensor", "dtype")
    columns: dict[str, Any] = {name: [getattr(row, name) for row in rows] for name in names}
    columns["dims"] = [None if row.dims is None else "x".join(map(str, row.dims)) for row in rows]
    write_table(pa.table(columns), form)


def _tell(recorder: Recorder, out: Path) -> None:
    from trtlens.runs import open_run  # noqa: PLC0415

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
