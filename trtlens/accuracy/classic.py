"""The table of the layer analysis in NVIDIA's TensorRT FAQ: LayerName, LayerShape, Similarity%.

https://elinux.org/TensorRT/LayerDumpAndAnalyze offers three metrics: 0 Euclidean distance, 1 cosine similarity, 2 relative
difference. It prints percent for each of them, 100 for equal tensors; how it normalises a distance it does not say. Here
0 is 1 - norm(a - b) / (norm(a) + norm(b)), and 2 is 1 - sum of abs(a - b) / sum of abs(a), 0 at least.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

CLASSIC_METRICS = ("euclidean_similarity", "cosine_similarity", "relative_difference")
_HEADINGS = ("LayerName", "LayerShape", "Similarity%")


def classic_table(rows: Iterable[Mapping[str, Any]], metric: int) -> str:
    """The FAQ's table of rows of `tensor_errors` by metric 0, 1 or 2; what has no similarity is left empty."""
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
