"""The command ``plan``: which layers go down to FP16 or BF16 and which stay in FP32, for a bound of accuracy."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trtlens.commands.flags import BUILD_FLAGS, TIMING_FLAGS, Flag, build_values, grouped, recipe_of, with_flags
from trtlens.commands.progress import shown_progress
from trtlens.commands.read import FormatOption, print_answers, write_chart
from trtlens.errors import TrtlensError
from trtlens.output import Format, print_table, visible, wrapped, write_table
from trtlens.runs.folders import check_place, write_document

if TYPE_CHECKING:
    from trtlens.capture.planning.planning import Judging, Planned
    from trtlens.capture.planning.prepared import PlanRequest
    from trtlens.plan.tuner_times import LogTimes
    from trtlens_parsers.saved_plan import Plan

_INTERRUPTED = 130
_SHOWN_ROWS = 20
_EXPORTS = ("chart", "polygraphy", "builder")
_MOST_PROCESSES = 20
_BUILT_WITH = ("memPoolSize", "tacticSources", "builderOptimizationLevel", "timingCacheFile", "plugins", "noTF32")
_TIMED_WITH = ("warmUp", "duration", "useCudaGraph", "device")
_PROOF_FLAGS = grouped(
    "Builds of --prove",
    *(replace(flag, group=None) for flag in BUILD_FLAGS if flag.name in _BUILT_WITH),
    *(replace(flag, group=None) for flag in TIMING_FLAGS if flag.name in _TIMED_WITH),
    Flag("processes", "int", "Time each engine in this many processes one after another.", 5),
)
_FLAGS: tuple[Flag, ...] = (
    Flag("fp16", "switch", "Let units go down to FP16."),
    Flag("bf16", "switch", "Let units go down to BF16."),
    Flag("bound", "text", "What must hold: 'error<=5e-4' or 'cosine>=0.9999', of the worst output."),
    Flag(
        "check",
        "text",
        "A command in place of a bound: it is given the typed model ({model}, else behind it); exit 0 holds.",
    ),
    Flag("check-timeout", "float", "Seconds after which the command is stopped.", 600.0),
    Flag("inputs", "text", "Inputs to measure on: an npz file, or a folder of npy files."),
    Flag("samples", "int", "Inputs that are made up where none are given.", 16),
    Flag("shapes", "text", "Shapes of dynamic inputs: input:8x3x224x224,..."),
    Flag("log", "texts", "A verbose log or run of a build, for its tuner's times; several times for several builds."),
    Flag("on", "text", "Without a log: the GPU by whose data sheet operations and bytes are weighed.", "A10"),
    Flag("checks", "int", "Plans to check at most.", 6),
    Flag("resume", "switch", "Go on with a search that was interrupted."),
    Flag("prove", "int", "Build the plan, time it and plan again from what the build tells: so many builds at most."),
    Flag("write", "text", "Write the model with the plan's types to this ONNX file."),
    Flag("trtexec", "switch", "Print the flags for trtexec."),
    Flag("chart", "text", "Write error against time of all choices that the search knows to this HTML file."),
    Flag("polygraphy", "text", "Write a postprocess script for Polygraphy to this file."),
    Flag("builder", "text", "Write lines for TensorRT's Python API to this file."),
    *(flag for flag in TIMING_FLAGS if flag.name in ("seed", "input")),
    *_PROOF_FLAGS,
)


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(with_flags(plan, *_FLAGS))


def plan(
    model: Annotated[Path, typer.Argument(help="An ONNX model in FP32, or a plan.json to read again.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="File of the plan.")] = Path("plan.json"),
    form: FormatOption = Format.TABLE,
    **flags: Any,
) -> None:
    """Choose what stays in FP32 so that accuracy holds.

    At the least time: errors are measured on the CPU, times come from the log of a build.
    """
    from trtlens.plan.document import read_plan, write_plan  # noqa: PLC0415

    if model.suffix.lower() == ".json":
        kept = read_plan(model)
        _check_reading(model, flags)
        if flags["write"]:
            _write_kept(kept, model, Path(flags["write"]))
        _export(kept, model, flags)
        _print(kept, model, form, flags)
        return
    _check_places(out, flags)
    request, judging = _request(model, flags), _judging(flags)
    planned = _planned(request, judging, out)
    if flags["prove"] is not None:
        planned = _proved(planned, out, flags)
    if flags["write"]:
        _write_typed(planned, Path(flags["write"]))
    write_plan(planned.plan, out)
    _export(planned.plan, out, flags)
    _print(planned.plan, out, form, flags)


def _request(model: Path, flags: dict[str, Any]) -> PlanRequest:
    """What was asked for; raises TrtlensError for what does not go together."""
    from trtlens.capture.planning.prepared import PlanRequest  # noqa: PLC0415
    from trtlens.capture.spelling import parse_shapes  # noqa: PLC0415
    from trtlens.plan.bound import parse_bound  # noqa: PLC0415

    if flags["fp16"] == flags["bf16"]:
        raise TrtlensError("give --fp16 or --bf16: the type that layers may go down to")
    if (flags["bound"] is None) == (flags["check"] is None):
        raise TrtlensError("give --bound, such as 'error<=5e-4' or 'cosine>=0.9999', or --check COMMAND")
    if flags["prove"] is not None and flags["prove"] < 1:
        raise TrtlensError("--prove is a number of builds, at least 1")
    if not 1 <= flags["processes"] <= _MOST_PROCESSES:
        raise TrtlensError(f"--processes is 1 to {_MOST_PROCESSES}")
    if flags["samples"] < 1 or flags["checks"] < 1:
        raise TrtlensError("--samples and --checks are at least 1")
    low_type = "fp16" if flags["fp16"] else "bf16"
    return PlanRequest(
        model=model,
        low_type=low_type,
        bound=None if flags["bound"] is None else parse_bound(flags["bound"]),
        logs=tuple(_times(path, low_type) for path in flags["log"] or ()),
        gpu=flags["on"],
        inputs=None if flags["inputs"] is None else Path(flags["inputs"]),
        shapes=parse_shapes(flags["shapes"]) if flags["shapes"] else {},
        recipe=recipe_of({**flags, "load_inputs": None}),
        count=flags["samples"],
    )


def _times(path: str, low_type: str) -> LogTimes:
    from trtlens.plan.tuner_times import read_times  # noqa: PLC0415
    from trtlens.runs.run import open_run  # noqa: PLC0415

    return read_times(open_run(path), low_type)


def _judging(flags: dict[str, Any]) -> Judging:
    from trtlens.capture.planning.planning import Judging  # noqa: PLC0415

    if flags["check_timeout"] <= 0:
        raise TrtlensError("--check-timeout is a number of seconds above 0")
    return Judging(flags["check"], flags["check_timeout"], flags["checks"], flags["resume"])


def _planned(request: PlanRequest, judging: Judging, out: Path) -> Planned:
    from trtlens.capture.planning.kept_search import kept_path  # noqa: PLC0415
    from trtlens.capture.planning.planning import make_plan  # noqa: PLC0415

    try:
        with shown_progress() as progress:
            return make_plan(request, judging, out, progress)
    except KeyboardInterrupt:
        kept = kept_path(out)
        sys.stderr.write(
            f"stopped; what was measured is in {kept}: --resume goes on\n" if kept.exists() else "stopped\n"
        )
        raise typer.Exit(_INTERRUPTED) from None


def _proved(planned: Planned, out: Path, flags: dict[str, Any]) -> Planned:
    """The plan with what its builds told, in a folder beside it; all builds share a timing cache, so that tactics do not change by chance."""
    from trtlens.capture.backends.backend import find_backend  # noqa: PLC0415
    from trtlens.capture.build_options import parse_options  # noqa: PLC0415
    from trtlens.capture.planning.proof import TensorRTProver, prove, shapes_of  # noqa: PLC0415
    from trtlens.commands.capture import timing_options  # noqa: PLC0415

    request = planned.prepared.request
    folder = out.with_name(f"{out.stem}-proof")
    asked = {flag.parameter: flags[flag.parameter] for flag in BUILD_FLAGS if flag.name in _BUILT_WITH}
    asked["timing_cache_file"] = asked["timing_cache_file"] or str(folder / "timing.cache")
    options = parse_options({request.low_type: True, "shapes": shapes_of(planned), **build_values(asked)})
    prover = TensorRTProver(
        request.model, find_backend(), options, timing_options({**flags, "load_inputs": None}), flags["processes"]
    )
    with shown_progress() as progress:
        return prove(planned, prover, folder, flags["prove"], progress)


# -- files -------------------------------------------------------------------------------------------------------------


def _check_places(out: Path, flags: dict[str, Any]) -> None:
    """Refuse what cannot be written before the work begins."""
    check_place(out)
    for name in _EXPORTS:
        if flags[name]:
            check_place(Path(flags[name]))
    _check_typed(flags)


def _check_reading(path: Path, flags: dict[str, Any]) -> None:
    """Refuse what a plan that is there cannot take."""
    searching = ("fp16", "bf16", "bound", "check", "inputs", "log", "resume", "prove")
    asked = next((name for name in searching if flags[name]), None)
    if asked is not None:
        raise TrtlensError(f"{path} is a plan, which --{asked} does not change: give the ONNX model to plan anew")
    _check_typed(flags)


def _check_typed(flags: dict[str, Any]) -> None:
    if flags["write"] and Path(flags["write"]).exists():
        raise TrtlensError(f"--write {flags['write']}: the file is there already; choose another name")


def _write_kept(plan: Plan, path: Path, target: Path) -> None:
    """Write the model of a plan that is read again, where that model still stands as it was planned."""
    from trtlens.capture.models.model import check_model, identify_model  # noqa: PLC0415
    from trtlens.capture.planning.typed_model import check_planned, planned_proto, write_typed  # noqa: PLC0415

    model = Path(str(plan.model.get("path")))
    check_model(model)
    check_planned(path, model, identify_model(model))
    write_typed(planned_proto(plan, model), target)


def _write_typed(planned: Planned, path: Path) -> None:
    from trtlens.capture.planning.typed_model import typed_proto, write_typed  # noqa: PLC0415

    proto = typed_proto(planned.prepared.typed, planned.low_nodes(), planned.plan.low_type)
    write_typed(proto, path)


def _export(plan: Plan, path: Path, flags: dict[str, Any]) -> None:
    """Write the scripts of a plan, and the chart of what its file holds."""
    from trtlens.plan.scripts import builder_script, polygraphy_script  # noqa: PLC0415

    for name, script in (("polygraphy", polygraphy_script), ("builder", builder_script)):
        if flags[name]:
            write_document(Path(flags[name]), script(plan))
    if flags["chart"]:
        from trtlens.runs.run import open_run  # noqa: PLC0415

        write_chart(open_run(path), "plan_choices", Path(flags["chart"]))


# -- what is printed ---------------------------------------------------------------------------------------------------


def _print(plan: Plan, path: Path, form: Format, flags: dict[str, Any]) -> None:
    from trtlens.plan.told import LAYOUT, rows, sentences  # noqa: PLC0415

    if form is not Format.TABLE:
        write_table(rows(plan), form)
        return
    if flags["trtexec"]:
        _print_flags(plan)
        return
    print_answers(sentences(plan))
    table = rows(plan)
    print_table(table.slice(0, _SHOWN_ROWS), LAYOUT)
    if table.num_rows > _SHOWN_ROWS:
        sys.stdout.write(f"{table.num_rows - _SHOWN_ROWS} more units: --format csv lists all\n")
    for note in plan.notes:
        sys.stdout.write("\n".join(wrapped(f"note: {note}")) + "\n")
    sys.stdout.write(
        visible(f"plan: {path}   (trtlens profile {plan.model.get('path', 'MODEL')} --plan {path})") + "\n"
    )


def _print_flags(plan: Plan) -> None:
    from trtlens.plan.scripts import trtexec_flags, trtexec_line  # noqa: PLC0415

    sys.stdout.write(visible(trtexec_line(plan)) + "\n")
    odd = trtexec_flags(plan)[1]
    if odd:
        sys.stderr.write(
            visible(f"{len(odd)} nodes are left out, since trtexec cannot take their names: {', '.join(odd[:3])}")
            + "\n"
        )
