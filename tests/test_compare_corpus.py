"""Public logs: builds of one model by other releases and in other precisions align, without any times."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest

from trtlens import Run, open_run
from trtlens.comparison import compare_runs

if TYPE_CHECKING:
    from pathlib import Path

# Number of a file and, where the log holds several builds, the build. Each line is one model.
PAIRS = [
    (("038", None), ("045", None)),  # 8.0 and 8.2
    (("035", None), ("044", None)),  # 8.4 in FP16 and FP32
    (("016", 1), ("023", 1)),  # 8.4: multiplications as convolutions and as themselves
    (("018", None), ("020", None)),  # 10.16 and 10.14: Myelin regions, and layers
    (("020", None), ("021", 3)),  # 10.14 and 10.16 with Metadata
    (("004", None), ("010", None)),  # 10.9 and 10.7: INT8 alone, and with FP16 and BF16
    (("010", None), ("028", None)),  # 10.7 by trtexec and 10.3 by Polygraphy, which breaks Metadata over lines
]


@cache
def read(path: Path) -> Run:
    return open_run(path)


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: "-".join(number for number, _ in pair))
def test_builds_of_one_model_align(corpus: list[Path], pair: tuple[tuple[str, int | None], ...]) -> None:
    """Every layer that works is in a region with layers of the other build that hold the same nodes."""
    paths = [next((path for path in corpus if path.name.startswith(f"{number}_")), None) for number, _ in pair]
    if any(path is None for path in paths):
        pytest.skip("these logs are not in the folder")
    runs = [read(path) for path in paths if path is not None]
    comparison = compare_runs(runs, builds=[build for _, build in pair])
    assert comparison.left == ()
    assert all(all(row.region.layers) for row in comparison.rows)
    placed = [sum(len(row.region.layers[place]) for row in comparison.rows) for place in range(2)]
    assert placed == [len(side.layers) for side in comparison.engines]
    works = [sum(layer.works for layer in side.layers) for side in comparison.engines]
    assert len(comparison.rows) >= 0.5 * min(works)
