"""What has goldens: runs by name with their files, and groups of runs that are compared with one another."""

from __future__ import annotations

import re
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

from tests.conftest import FIXTURES, PRECISIONS
from trtlens.report.subject import Subject, read_subject
from trtlens.runs.run import Run, open_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
_IN_PAIRS_ALONE = re.compile(
    r"h200/(mobilenet-batch-(1|32)|resnet50-(int8|fp32|fp16)|encoder-fp32)|alignment/(?!releases/).*"
)
"""Runs so like another one that their own goldens would say nothing new; they stand in comparisons."""
_CAPTURE = ("verbose.log.xz", "layers.json.xz", "layer-times.json.xz")

COMPARED: dict[str, tuple[str, ...]] = {
    "precisions": tuple(f"resnet50-h200/{name}" for name in PRECISIONS),
    "int8-slower-than-fp16": ("h200/resnet50-int8", "h200/resnet50-fp16"),
    "pinned": ("h200/resnet50-fp16", "h200/resnet50-fp16-pinned"),
    "launch-bound": ("h200/resnet50-int8", "h200/resnet50-int8-launch-bound"),
    "errors": ("h200/resnet50-fp16-compared", "h200/resnet50-int8-compared"),
    "batches": ("h200/mobilenet-batch-1", "h200/mobilenet-batch-8", "h200/mobilenet-batch-32"),
    "one-myelin-node": ("h200/encoder-fp32", "h200/encoder-fp16"),
    "traced": ("h200/resnet50-fp16-traced", "h200/resnet50-fp16-folded-traced"),
    "traced-and-profiled": ("h200/resnet50-fp16-traced", "h200/resnet50-fp16"),
    "other-models": ("h200/encoder-fp16", "h200/mobilenet-batch-8"),
    "rtx": ("small-cnn-rtx/fp32", "small-cnn-rtx/fp16", "small-cnn-rtx/qdq"),
    "releases": ("alignment/releases/8.0", "alignment/releases/8.6", "alignment/releases/10.16"),
    "trtexec": ("releases/8.2-two-builds@1", "releases/8.2-two-builds@2"),
    "numbered-names": ("alignment/numbered-names/fp16", "alignment/numbered-names/qdq"),
    "removed-head": ("alignment/removed-head/with-mask", "alignment/removed-head/without-mask"),
    "repeated-blocks": ("alignment/repeated-blocks/apart", "alignment/repeated-blocks/merged"),
}
"""Comparisons by name, the baseline first; ``@2`` behind a run means its second build."""

DUMPED: dict[str, tuple[str, ...]] = {
    "rms-norm": tuple(f"h200-dumps/overflowing_rms_norm-{one}" for one in ("reference", "held", "pinned")),
    "weights": tuple(f"h200-dumps/subnormal_weights-{one}" for one in ("reference", "held", "pinned")),
    "archives": ("dumps/reference.npz", "dumps/run.npz"),
    "numpy-files": ("dumps/npy-reference", "dumps/npy-run"),
    "text-files": ("dumps/text-reference", "dumps/text-run"),
    "debug-tensors": ("dumps/debug-reference", "dumps/debug-run"),
    "exported-outputs": ("dumps/exported-reference.json", "dumps/exported-run.json"),
    "polygraphy": ("dumps/polygraphy.json#onnxrt", "dumps/polygraphy.json#trt"),
}
"""Dumps to hold against a reference, which is the first."""


def all_files() -> dict[str, tuple[Path, ...]]:
    """Files of every run of the fixtures by the run's name, which is its place under ``fixtures``."""
    folders = [path.parent for path in sorted(FIXTURES.glob("*/*/run.json"))]
    found: dict[str, tuple[Path, ...]] = {_name(folder): (folder,) for folder in folders}
    found |= {
        f"resnet50-h200/{one}": tuple(FIXTURES / "resnet50-h200" / one / part for part in _CAPTURE)
        for one in PRECISIONS
    }
    alone = [*FIXTURES.glob("*/verbose.log"), *FIXTURES.glob("small-cnn-rtx/*/verbose.log.xz")]
    found |= {_name(path.parent): (path,) for path in sorted(alone)}
    listed = [*FIXTURES.glob("alignment/*/*.log"), *FIXTURES.glob("releases/*.log")]
    found |= {_name(path).removesuffix(".log"): (path,) for path in sorted(listed)}
    for layers in sorted(FIXTURES.glob("inspector-8.6-resnet50/*/layers.json")):
        found[_name(layers.parent)] = (layers, layers.parent / "layer-times.json")
    found |= {_name(path).removesuffix(".txt"): (path,) for path in sorted(FIXTURES.glob("inspector-rtx*/*.txt"))}
    return found


def _name(path: Path) -> str:
    return path.relative_to(FIXTURES).as_posix()


FILES = all_files()
RUNS = tuple(name for name in FILES if not _IN_PAIRS_ALONE.fullmatch(name))
"""Runs with goldens of their own."""


def named_build(argument: str) -> tuple[str, int | None]:
    """A compared run's name, and its build where one is named."""
    name, _, build = argument.partition("@")
    return name, int(build) if build else None


@cache
def opened(name: str) -> Run:
    """A run, read once."""
    return open_run(list(FILES[name]))


@cache
def subject(name: str) -> Subject:
    """A run as the report shows it."""
    return read_subject(opened(name))


@contextmanager
def read_once(open_other: Callable[..., Run] = open_run) -> Iterator[None]:
    """Within it the commands too take runs that were read before instead of reading their files again."""
    by_files = {tuple(map(str, files)): name for name, files in FILES.items()}

    def known(paths: str | Path | Sequence[str | Path], *, build: int | None = None) -> Run:
        files = (paths,) if isinstance(paths, (str, Path)) else paths
        name = by_files.get(tuple(map(str, files)))
        return opened(name) if name and build is None else open_other(tuple(map(str, files)), build=build)

    with patch("trtlens.runs.run.open_run", known), patch("trtlens.runs.arguments.open_run", known):
        yield
