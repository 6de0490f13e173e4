"""A comparison as rows of the table `tensor_errors`: metrics, place in the graph, verdict, cause and advice together.

`keep_errors` writes them into the run's folder as `accuracy.json`, for every command and report that opens it later.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from trtlens.accuracy.blame import Judged, first_bad, judge, limits_for
from trtlens.accuracy.causes import diagnose
from trtlens.accuracy.compare import compare_dumps
from trtlens.accuracy.metrics import Metrics
from trtlens.accuracy.overflow import make_model
from trtlens.errors import TrtlensError
from trtlens.runs.folders import write_whole
from trtlens.runs.run_info import RUN_JSON, is_run, load_document, read_info
from trtlens_parsers.dump_index import ACCURACY_FORMAT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from trtlens.accuracy.blame import Limits
    from trtlens.accuracy.readers import Dump
    from trtlens.accuracy.remedies import Model
    from trtlens_parsers.dump_index import DumpedNode


METRIC_COLUMNS = tuple(column.name for column in fields(Metrics))


@dataclass(frozen=True, slots=True)
class ErrorOptions:
    """How to compare: the deviation that counts, the limits (None: those of the precision), and the precision.

    `precision` is what the run was made in, where its dump does not say; `nodes` are those of the ONNX model, where
    neither dump has them.
    """

    threshold: float = 0.1
    limits: Limits | None = None
    precision: str | None = None
    nodes: Sequence[DumpedNode] = ()


@dataclass(frozen=True, slots=True)
class Errors:
    """The rows by the columns of `tensor_errors` but `build`, and what only the run had."""

    rows: tuple[dict[str, Any], ...]
    only_in_run: tuple[str, ...]
    precision: str | None


def compare_to_rows(
    reference: Dump, run: Dump, options: ErrorOptions, progress: Callable[[str], None] | None = None
) -> Errors:
    """Compare two dumps and say of every tensor of the reference what became of it.

    Raises:
        TrtlensError: the dumps have no tensor in common, or were fed different inputs.

    """
    precision = options.precision or run.precision
    model = _model(reference, run, options)
    comparison = compare_dumps(reference, run, model.graph, threshold=options.threshold, progress=progress)
    judged = judge(comparison, model.graph, options.limits or limits_for(precision))
    by_name = {row.tensor.name: row for row in judged}
    first = first_bad(judged)
    roles = _roles(reference, run)
    rows = []
    for index, row in enumerate(judged):
        diagnosis = diagnose(row, by_name, model, precision)
        rows.append({
            "index": index, **_facts(row, model), "role": roles.get(row.tensor.name), **_metrics(row.tensor.metrics),
            "first_wrong": row is first, "cause": diagnosis.cause, "advice": diagnosis.advice,
            "keep_fp32": list(diagnosis.keep_fp32) or None, "reference": reference.label,
        })  # fmt: skip
    return Errors(tuple(rows), comparison.only_in_run, precision)


def _model(reference: Dump, run: Dump, options: ErrorOptions) -> Model:
    """The ranges of the reference, and the graph of whichever dump has it."""
    indices = [dump.index for dump in (reference, run) if dump.index is not None]
    nodes = options.nodes or next((index.nodes for index in indices if index.nodes), ())
    return make_model(reference.index.tensors if reference.index is not None else (), nodes)


def _roles(reference: Dump, run: Dump) -> dict[str, str]:
    """The role of each tensor; the reference, which says it last, has the last word."""
    return {
        tensor.name: tensor.role
        for dump in (run, reference)
        for tensor in (dump.index.tensors if dump.index is not None else ())
    }


def _facts(row: Judged, model: Model) -> dict[str, Any]:
    node = model.graph.producers.get(row.tensor.name)
    return {
        "tensor": row.tensor.name,
        "producer": None if node is None else node.name,
        "op": None if node is None else node.op,
        "inputs": None if row.subgraph is None else list(row.subgraph.inputs),
        "status": row.tensor.status,
        "reason": row.tensor.reason,
        "reference_dtype": row.tensor.reference_dtype,
        "dtype": row.tensor.dtype,
        "dims": None if row.tensor.shape is None else list(row.tensor.shape),
        "input_error": row.input_error,
        "error_added": row.error_added,
        "verdict": row.verdict,
    }


def _metrics(metrics: Metrics | None) -> dict[str, Any]:
    return {name: None if metrics is None else getattr(metrics, name) for name in METRIC_COLUMNS}


# -- in a run's folder -------------------------------------------------------------------------------------------------


ACCURACY_JSON = "accuracy.json"


def keep_errors(folder: Path, reference: str, errors: Errors) -> Path:
    """Write the comparison into a run's folder; its tables are made anew when it is opened the next time.

    Raises:
        TrtlensError: the folder is no run, or cannot be written.

    """
    if not is_run(folder):
        raise TrtlensError(f"{folder} is not the folder of a run: --keep needs one")
    raw = read_info(folder).raw
    document = load_document(folder)
    rows = [{name: value for name, value in row.items() if value is not None} for row in errors.rows]
    kept_rows = {"trtlens_accuracy": ACCURACY_FORMAT, "reference": reference, "rows": rows}
    text = json.dumps(kept_rows, indent=1, ensure_ascii=True, allow_nan=False)
    kept = write_whole(folder / ACCURACY_JSON, (text + "\n").encode())
    document.pop("tables_by", None)
    if raw is not None:
        document["raw"] = [*(name for name in raw if name != ACCURACY_JSON), ACCURACY_JSON]
    write_whole(folder / RUN_JSON, (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode())
    return kept
