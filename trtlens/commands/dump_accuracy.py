"""The commands ``accuracy`` and ``overflow``: what two runs computed, compared, and what FP16 would not hold."""

from __future__ import annotations

import itertools
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from trtlens.commands.flags import TIMING_FLAGS, Flag, recipe_of, with_flags
from trtlens.commands.read import FormatOption, print_answers
from trtlens.errors import TrtlensError
from trtlens.output import Format, print_table, visible, wrapped, write_table

if TYPE_CHECKING:
    import pyarrow as pa

    from trtlens.accuracy.blame import Limits
    from trtlens.accuracy.error_rows import Errors
    from trtlens.accuracy.readers import Dump
    from trtlens.runs.run import Run
    from trtlens_parsers.dump_index import DumpedNode

INPUT_FLAGS = tuple(flag for flag in TIMING_FLAGS if flag.name in ("seed", "load-inputs", "input"))

_OVERFLOW_PARTS = (
    ("beyond FP16's largest number, 65504", {"overflow"}, True),
    ("too small for FP16, with nothing larger beside it or divided by", {"flushed", "subnormal"}, True),
    ("small values beside larger ones, whose rounding in FP16 costs more", {"flushed", "subnormal"}, False),
    ("standing for infinity", {"mask"}, False),
    ("within FP16's range", {"near", "fits"}, False),
)
"""Titles with the states of their rows, and whether these are harmful."""


_ACCURACY_FLAGS = (
    Flag("threshold", "float", "Deviation that counts, as a share of the reference.", 0.1),
    Flag("classic", "int", "The table of NVIDIA's FAQ instead: 0 Euclidean, 1 cosine, 2 relative difference."),
    Flag("precision", "text", "Precision of the run, where its dump does not say: fp16, bf16, int8, ..."),
    Flag("min-sqnr", "float", "Least signal over noise [dB]; default 20, for 8 bits and fewer 10."),
    Flag("min-cosine", "float", "Least cosine similarity; default 0.997, for 8 bits and fewer none."),
    Flag("model", "text", "The ONNX model, for its graph, where neither dump has it."),
    Flag("profile", "text", "A profiled run of the same engine: its layers, precisions and times."),
    Flag(
        "blame",
        "switch",
        "Say of each region whether its error is the precision's or TensorRT's; runs them on the CPU.",
    ),
    Flag("pins", "switch", "Also show which few layers to keep in FP32."),
    Flag("fp32-profile", "text", "A profiled FP32 run of the model: what --pins would cost."),
    Flag("all", "switch", "Show every tensor, not only the telling ones."),
    Flag(
        "keep", "switch", "Keep the comparison in the run's folder (with --profile: in that one), for show and report."
    ),
    Flag("fail", "switch", "Exit with 1 where a tensor is not ok."),
)


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(with_flags(accuracy, *_ACCURACY_FLAGS))
    app.command()(with_flags(overflow, *INPUT_FLAGS))


def accuracy(
    reference: Annotated[
        str,
        typer.Argument(
            help="The reference: a folder of `trtlens dump`, a folder of npy or text files, npz, Polygraphy results "
            "(results.json#RUNNER), trtexec's --exportOutput or debug tensors."
        ),
    ],
    runs: Annotated[list[str], typer.Argument(help="What to compare with it, in any of these forms.")],
    form: FormatOption = Format.TABLE,
    **flags: Any,
) -> None:
    """Compare tensors with a reference, layer by layer.

    Says where runs go wrong, and why.
    """
    from trtlens.accuracy.readers import open_dump  # noqa: PLC0415

    if flags["classic"] not in (None, 0, 1, 2) or flags["threshold"] < 0:
        raise TrtlensError("--classic is 0, 1 or 2, and --threshold is not negative")
    if flags["keep"] and flags["profile"] and len(runs) > 1:
        raise TrtlensError("--keep with --profile keeps one comparison, in the profiled run: give one run")
    ours = open_dump(reference)
    compared = [_compared(ours, name, flags) for name in runs]
    if flags["blame"]:
        _blame(ours, compared, form, {**flags, "reference": reference})
        return
    if form is not Format.TABLE:
        write_table(_stacked(compared, flags), form)
    else:
        for one in compared:
            _print_one(ours, one, flags)
    if flags["fail"] and any(row["verdict"] in ("suspect", "wrong") for one in compared for row in one.errors.rows):
        raise typer.Exit(1)


@dataclass(frozen=True)
class _Compared:
    """One run against the reference; `run` has the comparison among its tables."""

    name: str
    dump: Dump
    errors: Errors
    run: Run


def _compared(ours: Dump, name: str, flags: dict[str, Any]) -> _Compared:
    from trtlens.accuracy.error_rows import (  # noqa: PLC0415
        ErrorOptions,
        compare_to_rows,
        keep_errors,
    )
    from trtlens.accuracy.readers import open_dump  # noqa: PLC0415

    theirs = open_dump(name)
    precision = flags["precision"] or theirs.precision
    nodes = _nodes_of(Path(flags["model"])) if flags["model"] else ()
    errors = compare_to_rows(
        ours, theirs, ErrorOptions(flags["threshold"], _limits(precision, flags), precision, nodes)
    )
    if flags["keep"]:
        kept = keep_errors(Path(flags["profile"] or name), ours.label, errors)
        sys.stderr.write(f"comparison kept in {kept}\n")
    return _Compared(name, theirs, errors, _run_with(name, flags["profile"], errors))


def _blame(ours: Dump, compared: list[_Compared], form: Format, flags: dict[str, Any]) -> None:
    """Each region of each run: whose its error is; exits with 1 for ``--fail`` where a kernel or a fusion is suspect."""
    import pyarrow as pa  # noqa: PLC0415

    from trtlens.accuracy.local_errors import SUSPECT  # noqa: PLC0415
    from trtlens.commands.region_errors import (  # noqa: PLC0415
        Regions,
        model_of,
        print_regions,
        region_table,
        scales_of,
        sentences,
    )

    tables = []
    for one in compared:
        layers = {row["tensor"]: row["precision"] for row in one.run.view("accuracy").to_pylist()}
        model = Path(flags["model"]) if flags["model"] else model_of(one.name, flags["reference"])
        regions = Regions(ours, one.dump, model, scales_of(one.run))
        tables.append(region_table(regions, layers, one.errors.precision))
        if form is Format.TABLE:
            print_answers(sentences(tables[-1].to_pylist()))
            _tell(f"{one.dump.label} against {ours.label}")
            print_regions(tables[-1], everything=flags["all"])
    if form is not Format.TABLE:
        named = zip(tables, compared, strict=True)
        write_table(
            pa.concat_tables([table.add_column(0, "run", pa.array([one.name] * table.num_rows, pa.string())) for table, one in named]), form
        )  # fmt: skip
    if flags["fail"] and any(SUSPECT in table["verdict"].to_pylist() for table in tables):
        raise typer.Exit(1)


def _limits(precision: str | None, flags: dict[str, Any]) -> Limits:
    """The limits of the run's precision, with those that were given in their place."""
    from trtlens.accuracy.blame import limits_for  # noqa: PLC0415

    given = {"min_sqnr_db": flags["min_sqnr"], "min_cosine": flags["min_cosine"]}
    return replace(limits_for(precision), **{name: value for name, value in given.items() if value is not None})


def _nodes_of(model: Path) -> tuple[DumpedNode, ...]:
    from trtlens.capture.models.model import check_model, load_onnx  # noqa: PLC0415
    from trtlens.capture.models.onnx_graphs import described_nodes  # noqa: PLC0415

    check_model(model)
    return described_nodes(load_onnx(model, "reading the graph", weights=False))


def _run_with(name: str, profile: str | None, errors: Errors) -> Run:
    """The run, or the profiled one, with the comparison among its tables."""
    from trtlens.runs.captured_tables import errors_table  # noqa: PLC0415
    from trtlens.runs.ingest import join_documents  # noqa: PLC0415
    from trtlens.runs.run import Run, open_run  # noqa: PLC0415
    from trtlens.runs.run_info import is_run  # noqa: PLC0415

    if profile is not None:
        run = open_run(profile)
    elif is_run(Path(name)):
        run = open_run(name)
    else:
        run = Run(Path(name).name, join_documents([]))
    build = next(
        (row["build"] for name in ("layers", "builds") for row in run[name].select(["build"]).to_pylist()[-1:]), 1
    )
    return replace(run, tables={**run.tables, "tensor_errors": errors_table(errors.rows, build)})


def _stacked(compared: list[_Compared], flags: dict[str, Any]) -> pa.Table:
    """The rows of all runs under one another, with the run that they are of."""
    import pyarrow as pa  # noqa: PLC0415

    tables = [(one.name, _pins(one.run, flags) if flags["pins"] else one.run.view("accuracy")) for one in compared]
    return pa.concat_tables(
        [table.add_column(0, "run", pa.array([name] * table.num_rows, pa.string())) for name, table in tables]
    )


def _pins(run: Run, flags: dict[str, Any]) -> pa.Table:
    from trtlens.runs.run import open_run  # noqa: PLC0415

    return run.view("pins", fp32=open_run(flags["fp32_profile"]) if flags["fp32_profile"] else None)


def _print_one(ours: Dump, one: _Compared, flags: dict[str, Any]) -> None:
    if flags["classic"] is not None:
        _print_classic(one.errors, flags["classic"])
    else:
        _print_rows(ours, one, everything=flags["all"])
    if flags["pins"]:
        _print_pins(one, flags)


def _print_classic(errors: Errors, metric: int) -> None:
    from trtlens.accuracy.summary import classic_table  # noqa: PLC0415

    sys.stdout.write("\n".join(map(visible, classic_table(errors.rows, metric).split("\n"))))


def _print_rows(ours: Dump, one: _Compared, *, everything: bool) -> None:
    from trtlens.accuracy.summary import DIRECTIONS, chosen_rows, sentences  # noqa: PLC0415
    from trtlens.views import VIEWS  # noqa: PLC0415

    rows = one.run.view("accuracy")
    chosen = one.errors.rows if everything else chosen_rows(one.errors.rows)
    wanted = {row["index"] for row in chosen}
    shown = rows.filter([index in wanted for index in rows["index"].to_pylist()])
    print_answers(sentences(one.errors))
    _tell(f"{one.dump.label} against {ours.label}")
    print_table(shown, VIEWS["accuracy"].layout)
    sys.stderr.write(f"{DIRECTIONS}\n")
    if shown.num_rows < rows.num_rows:
        sys.stderr.write(f"{shown.num_rows} of {rows.num_rows} compared tensors shown; --all shows every one\n")


def _print_pins(one: _Compared, flags: dict[str, Any]) -> None:
    from trtlens.views import VIEWS  # noqa: PLC0415

    rows = _pins(one.run, flags)
    if not rows.num_rows:
        sys.stderr.write(f"{visible(one.name)}: no layer of reduced precision adds an error whose inputs are known\n")
        return
    print_answers(VIEWS["pins"].answers(rows))
    print_table(rows, VIEWS["pins"].layout, title="layers to keep in FP32, the best first")
    sys.stderr.write("the flags of each layer: --pins --format csv\n")
    if rows["cost_ms"].null_count == rows.num_rows:
        sys.stderr.write("what they cost is not known: give --profile and --fp32-profile\n")


def overflow(
    reference: Annotated[
        Path, typer.Argument(help="A reference of `trtlens dump --reference`, or an ONNX model to run in FP32 first.")
    ],
    shapes: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--shapes", help="Shapes of a model's dynamic inputs: input:8x3x224x224,..."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Show what fits, too.")] = False,
    form: FormatOption = Format.TABLE,
    **flags: Any,
) -> None:
    """Say what FP16 would not hold of an FP32 run.

    Looks at tensors, weights and sums, and names the power of two that helps.
    """
    from trtlens.runs.run import open_run  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as place:
        run = open_run(reference) if reference.is_dir() else open_run(_referred(reference, Path(place), shapes, flags))
    if not run["dumps"].num_rows:
        raise TrtlensError(f"{reference} holds no dumped tensors: make them with `trtlens dump MODEL --reference`")
    _warn_of_precision(run)
    rows = run.view("overflow", everything=everything)
    if form is Format.TABLE:
        _print_overflow(run, rows)
    else:
        write_table(rows, form)


def _print_overflow(run: Run, rows: pa.Table) -> None:
    """How much overflows, is too small, and does no harm, in one line; then each of them, and what to do about it."""
    from trtlens.views import VIEWS  # noqa: PLC0415

    found = rows.to_pylist()
    parts = [
        [row["state"] in states and row["harmful"] is harmful for row in found]
        for _, states, harmful in _OVERFLOW_PARTS
    ]
    counts = [sum(chosen) for chosen in parts]
    print_answers([f"{_overflow_counts(*counts[:4])}, of {run['dumps'].num_rows} tensors and weights"])
    for (title, _, _), chosen in zip(_OVERFLOW_PARTS, parts, strict=True):
        if any(chosen):
            print_table(rows.filter(chosen), VIEWS["overflow"].layout, title=title)
        for row in itertools.compress(found, chosen):
            if row["advice"] is not None:
                remark = f" ({row['remark']})" if row["remark"] else ""
                _tell(f"{row['tensor']}{remark}: {row['advice']}")


def _tell(text: str) -> None:
    sys.stdout.write("\n".join(wrapped(text)) + "\n")


def _overflow_counts(beyond: int, small: int, beside: int, masks: int) -> str:
    """How many ranges overflow, are too small, hold small values beside large ones, and stand for infinity."""
    told = [f"{beyond or 'nothing'} overflow{'s' if beyond < 2 else ''} FP16"]
    told += [f"{small} {'is' if small == 1 else 'are'} too small for it"] if small else []
    told += (
        [f"{beside} hold{'s' if beside == 1 else ''} small values beside larger ones, which does no harm"]
        if beside
        else []
    )
    told += [f"{masks} stand{'s' if masks == 1 else ''} for infinity, as masks do, which does no harm"] if masks else []
    return "; ".join(told)


def _referred(model: Path, place: Path, shapes: str | None, flags: dict[str, Any]) -> Path:
    from trtlens.capture.dumping.dump import DumpRequest, dump_run  # noqa: PLC0415
    from trtlens.capture.spelling import parse_shapes  # noqa: PLC0415

    request = DumpRequest(shapes=parse_shapes(shapes) if shapes else {}, recipe=recipe_of(flags))
    return dump_run(model, place / "reference", request).folder


def _warn_of_precision(run: Run) -> None:
    sources = {row["source"] for row in run["dumps"].select(["source"]).to_pylist()}
    if sources - {"onnxruntime"}:
        sys.stderr.write("this is no FP32 reference of ONNX Runtime: what overflowed there already does not show\n")
