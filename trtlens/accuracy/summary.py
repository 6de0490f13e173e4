"""What is said of a comparison: sentences, the few layers to keep in FP32, the table of NVIDIA's FAQ."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trtlens.accuracy.blame import INTEGER_PRECISIONS, OK
from trtlens.accuracy.compare import COMPARED, MISSING, REFUSED
from trtlens.layer_patterns import listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from trtlens.accuracy.error_rows import Errors

_SHOWN = 3
_LEAST_ADDED = 1e-9

DIRECTIONS = "lower is better: error, error added, max abs error, deviation ratio, ulp; higher is better: sqnr, cosine similarity"


def sentences(errors: Errors) -> Iterator[str]:
    """What to know of a comparison, the most important first."""
    rows = errors.rows
    yield _counts(rows)
    first = next((row for row in rows if row["first_wrong"]), None)
    if errors.precision in INTEGER_PRECISIONS:
        yield from _integer_advice(rows)
    if first is None:
        yield "no tensor goes wrong"
    else:
        yield f"first that goes wrong: {_named(first)}: {first['cause']}"
        if first["advice"]:
            yield f"what to do: {first['advice']}"
        if first["keep_fp32"]:
            yield f"to keep in FP32: {fp32_flags(first['keep_fp32'])}"
    added = sorted(
        (row for row in rows if (row["error_added"] or 0) > _LEAST_ADDED), key=lambda row: -row["error_added"]
    )
    if added:
        most = ", ".join(f"{row['producer'] or row['tensor']} {row['error_added']:.3g}" for row in added[:_SHOWN])
        yield f"most error is added by: {most}"
    yield from _refusals(rows)


def _refusals(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """One sentence for each reason, with the first tensors that it is about."""
    tensors: dict[str, list[str]] = {}
    for row in rows:
        if row["status"] == REFUSED:
            tensors.setdefault(str(row["reason"]), []).append(row["tensor"])
    for reason, names in list(tensors.items())[:_SHOWN]:
        yield f"not compared: {listed(names, _SHOWN)}: {reason}"


def _counts(rows: Sequence[Mapping[str, Any]]) -> str:
    counts = {status: sum(row["status"] == status for row in rows) for status in (COMPARED, REFUSED, MISSING)}
    bad = sum(row["verdict"] not in (None, OK) for row in rows)
    text = f"{counts[COMPARED]} tensors compared, {bad} not ok"
    if counts[REFUSED]:
        text += f", {counts[REFUSED]} refused"
    return f"{text}, {counts[MISSING]} only in the reference" if counts[MISSING] else text


def _integer_advice(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """NVIDIA's advice for INT8: middle layers deviate, the end counts."""
    yield "8 bits and fewer: large deviations of middle tensors are to be expected; judge by the outputs and the task's metric"
    for row in rows:
        if row["role"] == "output" and row["status"] == COMPARED:
            noise = "no noise" if row["sqnr_db"] is None else f"{row['sqnr_db']:.1f} dB of signal over noise"
            yield f"output {row['tensor']}: {row['verdict']}, {noise}"


def _named(row: Mapping[str, Any]) -> str:
    return f"{row['tensor']} ({row['producer']}, {row['op']})" if row["producer"] else str(row["tensor"])


def fp32_flags(nodes: Sequence[str]) -> str:
    """The options for `trtlens profile` and `trtlens dump` that keep these ONNX nodes in FP32, quoted for a shell."""
    return " ".join(f"--layer-precision {shlex.quote(f'{node}=fp32')}" for node in nodes)


def chosen_rows(rows: Sequence[dict[str, Any]], most: int = 30) -> list[dict[str, Any]]:
    """At most about that many rows in their order: outputs, the first that are not ok, and those that add most error."""
    compared = [row for row in rows if row["status"] != MISSING]
    if len(compared) <= most:
        return compared
    bad = [row for row in compared if row["verdict"] not in (None, OK)]
    added = sorted(compared, key=lambda row: -(row["error_added"] or 0.0))
    outputs = [row for row in compared if row["role"] == "output"]
    wanted = {row["index"] for row in (*outputs[: most // 3], *bad[: most // 3], *added[: most // 3])}
    return [row for row in compared if row["index"] in wanted]


# -- layers to keep in FP32 --------------------------------------------------------------------------------------------


_LEAST_SHARE = 0.01
"""Share of the largest added error under which a layer is not worth a pin."""


@dataclass(frozen=True, slots=True)
class Pin:
    """A layer, or an ONNX node where no engine is known, that could stay in FP32.

    Attributes:
        error_added: noise over signal that its output adds to that of its inputs.
        time_ms: what it takes as it runs; `fp32_ms` what it would take in FP32. None where not known.
        nodes: the ONNX nodes that `--layer-precision` has to name.
    """

    layer: str
    precision: str | None
    error_added: float
    time_ms: float | None
    fp32_ms: float | None
    fp32_from: str | None
    nodes: tuple[str, ...]
    cause: str | None

    @property
    def cost_ms(self) -> float | None:
        """What keeping it in FP32 costs; negative where FP32 is the faster one."""
        return None if self.time_ms is None or self.fp32_ms is None else self.fp32_ms - self.time_ms

    @property
    def error_per_ms(self) -> float | None:
        """Error added for each millisecond that the precision saves; None where it saves nothing, or that is unknown."""
        cost = self.cost_ms
        return None if cost is None or cost <= 0 else self.error_added / cost

    def flags(self) -> str:
        """The options that keep it in FP32."""
        return fp32_flags(self.nodes)


def ranked(pins: Iterable[Pin]) -> list[Pin]:
    """Pins worth trying, best first: free ones, then by error per millisecond, then those of unknown cost by error."""
    found = list(pins)
    largest = max((pin.error_added for pin in found), default=0.0)
    worth = [pin for pin in found if pin.error_added > 0 and pin.error_added >= _LEAST_SHARE * largest]
    return sorted(worth, key=_rank)


def _rank(pin: Pin) -> tuple[int, float]:
    if pin.cost_ms is None:
        return 2, -pin.error_added
    if pin.error_per_ms is None:
        return 0, -pin.error_added
    return 1, -pin.error_per_ms


# -- the table of NVIDIA's FAQ -----------------------------------------------------------------------------------------


CLASSIC_METRICS = ("euclidean_similarity", "cosine_similarity", "relative_difference")
_HEADINGS = ("LayerName", "LayerShape", "Similarity%")


def classic_table(rows: Iterable[Mapping[str, Any]], metric: int) -> str:
    """LayerName, LayerShape, Similarity% of rows of `tensor_errors` by metric 0, 1 or 2; empty for no similarity.

    https://elinux.org/TensorRT/LayerDumpAndAnalyze offers 0 Euclidean distance, 1 cosine similarity, 2 relative difference,
    each in percent, 100 for equal tensors; how it normalises a distance it does not say. Here 0 is
    1 - norm(a - b) / (norm(a) + norm(b)), and 2 is 1 - sum of abs(a - b) / sum of abs(a), 0 at least.
    """
    cells = [
        (row["tensor"], str(list(row["dims"] or [])), _percent(row, metric))
        for row in rows
        if row["status"] == "compared"
    ]
    widths = [max(map(len, column)) + 2 for column in zip(_HEADINGS, *cells, strict=True)]
    lines = [
        "|".join(text.rjust(width) for text, width in zip(line, widths, strict=True)) for line in (_HEADINGS, *cells)
    ]
    return "".join(f"{line}|\n" for line in lines)


def _percent(row: Mapping[str, Any], metric: int) -> str:
    value = row[CLASSIC_METRICS[metric]]
    if value is None:
        return ""
    similarity = max(1.0 - value, 0.0) if CLASSIC_METRICS[metric] == "relative_difference" else value
    return f"{100 * similarity:.4f}%"
