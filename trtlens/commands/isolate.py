"""The commands ``isolate`` and ``rerun``: one region of a model by itself, with what shows that an engine computes it wrongly."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from trtlens.errors import TrtlensError
from trtlens.output import visible, wrapped
from trtlens.quantities import byte_size

if TYPE_CHECKING:
    from trtlens.runs.run_info import RunInfo

_LARGE_BYTES = 10 << 20


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(isolate)
    app.command()(rerun)


def isolate(
    reference: Annotated[
        str,
        typer.Argument(help="The reference that the run was compared with: a folder of `trtlens dump --reference`."),
    ],
    run: Annotated[str, typer.Argument(help="The folder of `trtlens dump` whose region is wrong.")],
    tensor: Annotated[str, typer.Argument(help="The region's output, as `trtlens accuracy --blame` names it.")],
    bundle: Annotated[Path, typer.Option("--bundle", help="The zip to write.")],
    model: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--model", help="The ONNX model, where the run does not tell where it is."),
    ] = None,
    precision: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--precision", help="What the region runs in, where the dump does not say."),
    ] = None,
    anonymise: Annotated[
        bool, typer.Option("--anonymise", help="Leave out every name of the model, and the log.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the file.")] = False,
) -> None:
    """Write a region by itself, with its inputs and a script.

    The bundle shows a suspect region's fault without the model around it, in ONNX Runtime and in TensorRT.
    """
    from trtlens.accuracy.readers import open_dump  # noqa: PLC0415
    from trtlens.capture.dumping.bundle import facts_of, write_bundle  # noqa: PLC0415
    from trtlens.commands.region_errors import Regions, isolated, model_of, scales_of  # noqa: PLC0415
    from trtlens.runs.run import open_run  # noqa: PLC0415
    from trtlens.runs.run_info import is_run  # noqa: PLC0415

    if bundle.exists() and not force:
        raise TrtlensError(f"{bundle} is there already: give another name, or --force to replace it")
    ours, theirs = open_dump(reference), open_dump(run)
    scales = scales_of(open_run(run)) if is_run(Path(run)) else {}
    regions = Regions(ours, theirs, model or model_of(reference, run), scales)
    found = isolated(regions, tensor, precision or theirs.precision)
    info = _info_of(Path(run))
    size = write_bundle(
        bundle, found.model, found.run.inputs, {"expected": found.run.exact, "obtained": found.run.engine},
        facts_of(info, found.row, anonymous=anonymise), _log_of(Path(run)), anonymous=anonymise,
    )  # fmt: skip
    _tell(f"{tensor}: {found.row['verdict']}; {found.row['detail'] or 'it errs as its types explain'}")
    large = (
        f"; more than {byte_size(_LARGE_BYTES)}: choose a region with smaller inputs where a tracker refuses it"
        if size > _LARGE_BYTES
        else ""
    )
    _tell(f"bundle: {bundle}, {byte_size(size)}{large}   (trtlens rerun {bundle})")


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


def _tell(text: str) -> None:
    sys.stdout.write("\n".join(wrapped(text)) + "\n")
