"""What ``accuracy --blame`` does: run each region of the model alone on what the engine fed it, and say whose its error is."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from trtlens.commands.progress import shown_progress
from trtlens.errors import TrtlensError
from trtlens.output import layout, print_table
from trtlens.suggestions import did_you_mean
from trtlens.tables.schema import declare

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from trtlens.accuracy.blame import Subgraph
    from trtlens.accuracy.local_errors import LocalError, RegionRun
    from trtlens.accuracy.readers import Dump
    from trtlens.capture.dumping.region_models import RegionModels
    from trtlens.runs.run import Run

COLUMNS = declare(
    "regions of accuracy --blame", "one region of the model between dumped tensors, in the order of the graph", "index",
    """
    index | int | | place in the order of the graph
    tensor | text | | the region's output
    nodes | texts | | ONNX nodes of the region
    precision | text | | what its layers ran in: by the profiled run, else what the dump was asked for
    error | float | | what the region errs by itself, on what the engine fed it: noise over signal; null where values are not finite
    explained | float | | what its types explain of it: the larger of the error of the region rounded to them and that of sums in FP16; null likewise
    ratio | float | | the first over the second
    verdict | text | | suspect kernel or fusion, precision, unclear, ok; null where it could not be run
    detail | text | | what the output looks like, or why there is no verdict
    """,
)  # fmt: skip
LAYOUT = layout("tensor verdict error explained ratio precision detail nodes", stretches="tensor", prose="detail")
_MOST_TOLD = 3
_LARGEST_INT8 = 127


class Regions:
    """The regions of a model between the tensors that a run holds, and what an engine fed each.

    Raises:
        TrtlensError: a package is missing, or the model cannot be read.

    """

    def __init__(
        self, reference: Dump, run: Dump, model: Path | RegionModels, scales: Mapping[str, float] | None = None
    ) -> None:
        """Match the dumps' tensors to the model's; ``scales`` are those of the engine's INT8 tensors."""
        from trtlens.accuracy.blame import make_graph  # noqa: PLC0415
        from trtlens.accuracy.compare import matched_names  # noqa: PLC0415
        from trtlens.capture.dumping.region_models import RegionModels  # noqa: PLC0415

        self.run_name, self._reference = run.name, reference
        self.models = model if isinstance(model, RegionModels) else RegionModels(model, scales)
        matched = matched_names(reference, run)
        self.run_names = {ours: theirs for ours, theirs in matched.items() if theirs in run.tensors}
        self._fed = {name: reference.tensors[name] for name in self.models.inputs if name in reference.tensors}
        self._fed |= {name: run.tensors[theirs] for name, theirs in self.run_names.items()}
        found = make_graph(self.models.described).subgraphs(list(self._fed))
        self.by_output: dict[str, Subgraph] = dict(sorted(found.items(), key=lambda each: self.models.place(each[0])))

    def of_run(self, run: Dump) -> Regions:
        """The regions of the same model between the tensors that another run holds."""
        return Regions(self._reference, run, self.models)

    def inside(self, name: str) -> list[str]:
        """The tensors between the nodes of a region, in the order of the graph: what an engine may have fused across."""
        made = [tensor for node in self.by_output[name].nodes for tensor in node.outputs]
        return [tensor for tensor in made if tensor and tensor != name and tensor not in self._fed]

    def row(self, index: int, name: str, precision: str | None) -> dict[str, Any]:
        """The row of one region that ran in a precision; None where nothing says in which."""
        from trtlens.accuracy.local_errors import local_error  # noqa: PLC0415
        from trtlens.accuracy.tensors import UnreadableTensor  # noqa: PLC0415

        try:
            return self.row_of(index, name, precision, local_error(self.run(name, precision)))
        except (TrtlensError, UnreadableTensor) as error:
            return self.row_of(index, name, precision, None, str(error))

    def row_of(
        self, index: int, name: str, precision: str | None, found: LocalError | None, why: str = ""
    ) -> dict[str, Any]:
        """The row of a verdict, or of why there is none."""
        return {
            "index": index, "tensor": name, "nodes": [node.name for node in self.by_output[name].nodes], "precision": precision,
            "error": found and found.error, "explained": found and found.explained, "ratio": found and found.ratio,
            "verdict": found and found.verdict, "detail": found.detail if found is not None else why,
        }  # fmt: skip

    def run(self, name: str, precision: str | None) -> RegionRun:
        """What the engine made of a region, and what the CPU makes of the engine's inputs.

        Raises:
            TrtlensError: ONNX Runtime does not run it, or what it needs is not known or not in the dumps.
            UnreadableTensor: a tensor cannot be read.

        """
        from trtlens.accuracy.local_errors import RegionRun  # noqa: PLC0415

        region = self.by_output[name]
        known, reads = self._known_precision(region, precision), self.models.reads(region)
        lacking = [read for read in reads if read not in self._fed]
        if lacking:
            raise TrtlensError(f"the dumps do not hold {lacking[0]}")

        def result(given: Mapping[str, NDArray[Any]], kind: str | None = None) -> NDArray[np.float64]:
            return np.asarray(self.models.run(region, name, given, kind), np.float64)

        inputs = {read: _in_full(self._fed[read].array()) for read in reads}
        return RegionRun(
            name, known, inputs, np.asarray(self._fed[name].array(), np.float64), result(inputs), result(inputs, known), self.models.sum_noise(region, inputs), result,
            {other: tensor for other, tensor in self._fed.items() if other != name},
        )  # fmt: skip

    def row_with(self, found: RegionRun, pinned: Collection[str]) -> dict[str, Any]:
        """The row of a region as an engine with these nodes in FP32 would have it, by emulation."""
        from trtlens.accuracy.local_errors import local_error  # noqa: PLC0415

        region = self.by_output[found.tensor]
        kept = {tensor for node in region.nodes if node.name in pinned for tensor in node.outputs}
        values = self.models.run(region, found.tensor, found.inputs, found.precision, kept)
        error = local_error(replace(found, engine=np.asarray(values, np.float64)))
        return self.row_of(0, found.tensor, found.precision, error)

    def _known_precision(self, region: Subgraph, precision: str | None) -> str:
        """The precision, if the region can be rounded to it."""
        from trtlens.accuracy.blame import INTEGER_PRECISIONS  # noqa: PLC0415

        if precision is None:
            raise TrtlensError("what its layers ran in is not known: give --precision, or --profile RUN")
        if precision in INTEGER_PRECISIONS and not self.models.knows_ranges(region):
            raise TrtlensError(
                f"the ranges of its {precision.upper()} tensors are neither in the model nor in the engine's log: they cannot be rounded"
            )
        return precision


def _in_full(values: NDArray[Any]) -> NDArray[Any]:
    """Real numbers in FP32, as the widened model takes them; whole numbers as they are."""
    return values.astype(np.float32) if values.dtype.kind in "fV" else values


def region_table(regions: Regions, precisions: Mapping[str, str | None], precision: str | None) -> pa.Table:
    """A row for each region; ``precisions`` by tensor are those of the profiled layers, ``precision`` that of all others."""
    rows = []
    with shown_progress() as progress:
        for index, name in enumerate(regions.by_output):
            progress("Running regions", index, len(regions.by_output), name)
            rows.append(regions.row(index, name, precisions.get(name) or precision))
    return COLUMNS.of_rows(rows)


@dataclass(frozen=True, slots=True)
class Isolated:
    """One region by itself: the row with its verdict, the tensors, and its model with one output."""

    row: Mapping[str, Any]
    run: RegionRun
    model: Any


def isolated(regions: Regions, tensor: str, precision: str | None) -> Isolated:
    """The region that puts a tensor out.

    Raises:
        TrtlensError: no region does, or it cannot be run.

    """
    from trtlens.accuracy.local_errors import local_error  # noqa: PLC0415
    from trtlens.accuracy.tensors import UnreadableTensor  # noqa: PLC0415

    if tensor not in regions.by_output:
        raise TrtlensError(
            f"no region of {regions.run_name} puts {tensor!r} out: {did_you_mean(tensor, regions.by_output) or 'trtlens accuracy --blame lists them'}"
        )
    try:
        found = regions.run(tensor, precision)
        row = regions.row_of(0, tensor, precision, local_error(found))
    except (TrtlensError, UnreadableTensor) as error:
        raise TrtlensError(f"the region of {tensor} cannot be run: {error}") from error
    return Isolated(row, found, regions.models.model(regions.by_output[tensor], tensor, found.inputs))


def scales_of(run: Run) -> dict[str, float]:
    """The scales of INT8 tensors that the engine's log states, as it states them last."""
    rows = run["dynamic_ranges"].select(["tensor", "low", "high", "scale"]).to_pylist()
    ends = (
        (row["tensor"], row["scale"], max(abs(row["low"] or 0.0), abs(row["high"] or 0.0)) / _LARGEST_INT8)
        for row in rows
    )
    return {tensor: scale or by_range for tensor, scale, by_range in ends if tensor and (scale or by_range)}


def model_of(*folders: str) -> Path:
    """The model that one of these runs was made of, if it is still where it was.

    Raises:
        TrtlensError: none of them tells.

    """
    from trtlens.runs.run_info import is_run, read_info  # noqa: PLC0415

    for folder in map(Path, folders):
        known = read_info(folder).model.path if is_run(folder) else None
        if known and Path(known).is_file():
            return Path(known)
    raise TrtlensError(
        "the regions of the ONNX model are run, which neither dump tells where to find: give --model MODEL.onnx"
    )


def sentences(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Whose the errors are: regions that err more than their types explain, those of the precision, and what is not known."""
    from trtlens.accuracy.local_errors import PRECISION, SUSPECT, UNCLEAR  # noqa: PLC0415

    counts = Counter(row["verdict"] for row in rows)
    judged = sum(counts.values()) - counts[None]
    if counts[SUSPECT]:
        yield f"{counts[SUSPECT]} of {judged} regions {'errs' if counts[SUSPECT] == 1 else 'err'} far more than the types explain: suspect a kernel or a fusion of TensorRT, not the precision"
        yield from _told([row for row in rows if row["verdict"] == SUSPECT])
    elif counts[PRECISION]:
        yield f"No region errs far more than its types explain: of {judged} regions {counts[PRECISION]} {'errs' if counts[PRECISION] == 1 else 'err'} as the precision makes {'it' if counts[PRECISION] == 1 else 'them'}"
        yield from _told([row for row in rows if row["verdict"] == PRECISION])
    else:
        yield f"No region of {judged} errs by itself more than its types explain: where outputs are wrong, later regions magnify what earlier ones round"
    if counts[UNCLEAR]:
        yield f"{counts[UNCLEAR]} {'is' if counts[UNCLEAR] == 1 else 'are'} unclear"
    if counts[None]:
        yield f"{counts[None]} of {len(rows)} regions could not be run: {next(row['detail'] for row in rows if row['verdict'] is None)}"


def _told(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for row in sorted(rows, key=lambda row: -(row["ratio"] or float("inf")))[:_MOST_TOLD]:
        if row["error"] is None:
            yield f"{row['tensor']}: {row['detail']}"
        else:
            times = f", {row['ratio']:.3g} times what {row['precision'].upper()} explains"
            yield f"{row['tensor']} errs {row['error']:.3g} by itself{times}: {row['detail']}"


def print_regions(table: pa.Table, *, everything: bool) -> None:
    """The table, the regions that are ok left out unless all are asked for."""
    shown = table if everything else table.filter([verdict != "ok" for verdict in table["verdict"].to_pylist()])
    print_table(shown, LAYOUT)
    if shown.num_rows < table.num_rows:
        sys.stderr.write(f"{shown.num_rows} of {table.num_rows} regions shown; --all shows every one\n")
