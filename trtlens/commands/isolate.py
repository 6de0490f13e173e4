"""The commands ``isolate`` and ``rerun``: one region of a model by itself, with what shows that an engine computes it wrongly."""

from __future__ import annotations

import sys
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional, TextIO

import typer

from trtlens.commands.cure import Asked, search
from trtlens.commands.read import FormatOption  # noqa: TC001  typer reads it at run time
from trtlens.errors import TrtlensError
from trtlens.output import Format, visible, wrapped, write_table
from trtlens.quantities import byte_size

if TYPE_CHECKING:
    from trtlens.commands.region_errors import Regions
    from trtlens.runs.run_info import RunInfo

_LARGE_BYTES = 10 << 20


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(isolate)
    app.command()(rerun)


class Method(str, Enum):
    """How tensors are handed out so that nothing is fused across them."""

    OUTPUTS = "outputs"
    DEBUG = "debug"


def isolate(
    reference: Annotated[
        str,
        typer.Argument(help="The reference that the run was compared with: a folder of `trtlens dump --reference`."),
    ],
    run: Annotated[str, typer.Argument(help="The folder of `trtlens dump` whose region is wrong.")],
    tensor: Annotated[str, typer.Argument(help="The region's output, as `trtlens accuracy --blame` names it.")],
    bundle: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--bundle", help="Write the region to this zip, and build nothing."),
    ] = None,
    cure: Annotated[bool, typer.Option("--cure", help="Search for a cure beside writing the bundle.")] = False,
    model: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--model", help="The ONNX model, where the run does not tell where it is."),
    ] = None,
    precision: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--precision", help="What the region runs in, where the dump does not say."),
    ] = None,
    max_builds: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option("--max-builds", min=1, help="Builds at most; default: what finds one change that cures alone."),
    ] = None,
    processes: Annotated[
        int, typer.Option("--processes", min=0, max=20, help="Time original and cured engine in so many; 0: do not.")
    ] = 5,
    method: Annotated[
        Method, typer.Option("--method", help="Hand tensors out as outputs, or as debug tensors (10.0 on).")
    ] = Method.OUTPUTS,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a search that was interrupted.")] = False,
    write: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--write", help="Write the model with the curing tensors as outputs to this ONNX file."),
    ] = None,
    device: Annotated[int, typer.Option("--device", min=0, help="GPU.")] = 0,
    anonymise: Annotated[
        bool, typer.Option("--anonymise", help="Leave out of the bundle every name of the model, and the log.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the files.")] = False,
    form: FormatOption = Format.TABLE,
) -> None:
    """Find what cures a region that errs, or write it by itself.

    The cure: rebuilds with tensors inside of the region handed out, with its nodes in FP32, or without its tactics, in few builds; what the smallest
    change that cures costs is timed. With --bundle: the region with its inputs and a script that shows the fault, in ONNX Runtime and in TensorRT.
    """
    from trtlens.accuracy.readers import open_dump  # noqa: PLC0415
    from trtlens.commands.region_errors import Regions, model_of, scales_of  # noqa: PLC0415
    from trtlens.runs.folders import check_place  # noqa: PLC0415
    from trtlens.runs.run import open_run  # noqa: PLC0415
    from trtlens.runs.run_info import is_run  # noqa: PLC0415

    for path in (bundle, write):
        if path is not None and path.exists() and not force:
            raise TrtlensError(f"{path} is there already: give another name, or --force to replace it")
        if path is not None and not path.exists():
            check_place(path)
    ours, theirs = open_dump(reference), open_dump(run)
    scales = scales_of(open_run(run)) if is_run(Path(run)) else {}
    place = model or model_of(reference, run)
    regions = Regions(ours, theirs, place, scales)
    if bundle is not None:
        for line in _write_bundle(
            regions, Path(run), tensor, precision or theirs.precision, bundle, anonymous=anonymise
        ):
            _tell(line, sys.stdout if form is Format.TABLE else sys.stderr)
    if bundle is None or cure:
        asked = Asked(
            Path(run), place, tensor, precision or theirs.precision, method.value, max_builds, processes, device, resume=resume,
        )  # fmt: skip
        search(regions, theirs, asked, form, write)
    elif form is not Format.TABLE:
        from trtlens.commands.cure_told import COLUMNS  # noqa: PLC0415

        write_table(COLUMNS.empty(), form)


def _write_bundle(
    regions: Regions, run: Path, tensor: str, precision: str | None, bundle: Path, *, anonymous: bool
) -> tuple[str, str]:
    from trtlens.capture.dumping.bundle import facts_of, write_bundle  # noqa: PLC0415
    from trtlens.commands.region_errors import isolated  # noqa: PLC0415

    found = isolated(regions, tensor, precision)
    size = write_bundle(
        bundle, found.model, found.run.inputs, {"expected": found.run.exact, "obtained": found.run.engine},
        facts_of(_info_of(run), found.row, anonymous=anonymous), _log_of(run), anonymous=anonymous,
    )  # fmt: skip
    large = (
        f"; more than {byte_size(_LARGE_BYTES)}: choose a region with smaller inputs where a tracker refuses it"
        if size > _LARGE_BYTES
        else ""
    )
    return (
        f"{tensor}: {found.row['verdict']}; {found.row['detail'] or 'it errs as its types explain'}",
        f"bundle: {bundle}, {byte_size(size)}{large}   (trtlens rerun {bundle})",
    )


def rerun(bundle: Annotated[Path, typer.Argument(help="A zip that `trtlens isolate` wrote.")]) -> None:
    """Run a bundle's region again.

    Says whether its fault shows. It runs in ONNX Runtime and, with trtexec on the PATH, in TensorRT. The bundle's own script is not run. Exit code 1: the fault
    does not show.
    """
    from trtlens.capture.dumping.bundle import opened_bundle  # noqa: PLC0415
    from trtlens.capture.dumping.reference import require_onnxruntime  # noqa: PLC0415
    from trtlens.capture.dumping.rerun_region import compare, shows  # noqa: PLC0415

    require_onnxruntime("running a bundle")
    with opened_bundle(bundle) as folder:
        try:
            errors = compare(folder)
        except Exception as failure:  # whatever ONNX Runtime, trtexec and a foreign file raise
            raise TrtlensError(
                f"{bundle} cannot be run ({visible(str(failure))[:300]}): is it whole, and of this release?"
            ) from failure
    for name, error in errors.items():
        _tell(f"{name} errs {error:.3g} (noise over signal, against the operators in FP32)")
    if "TensorRT" not in errors:
        sys.stderr.write("trtexec is not on the PATH: TensorRT itself was not run\n")
    _tell("the fault shows" if shows(errors) else "the fault does not show")
    if not shows(errors):
        raise typer.Exit(1)


def _info_of(run: Path) -> RunInfo:
    from trtlens.runs.run_info import RunInfo, is_run, read_info  # noqa: PLC0415

    return read_info(run) if is_run(run) else RunInfo()


def _log_of(run: Path) -> Path | None:
    log = run / "verbose.log.xz"
    return log if log.is_file() else None


def _tell(text: str, out: TextIO | None = None) -> None:
    (out or sys.stdout).write("\n".join(wrapped(text)) + "\n")
