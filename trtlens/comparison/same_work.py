"""What has to agree before the times of two runs are held against one another: the GPU, the input shapes, the model.

A run folder states the model's hash, a log of trtexec its file name. Neither decides alone: a model with folded constants
or with Q/DQ nodes has another hash and may have another name, and many files are called ``model.onnx``. Where both engines
show which ONNX nodes they hold, the nodes that they share decide.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PureWindowsPath
from typing import TYPE_CHECKING

from trtlens.comparison.alignment import FEWEST_SHARED, align
from trtlens.engine.built_engine import read_engine

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trtlens.runs.run import Run

Extents = tuple[int, ...]

GPU, INPUTS, MODEL = "GPU", "input shapes", "model"
"""What a mismatch can be of."""

_MOST_INPUTS = 16
_SHAPE = re.compile(r"\d{1,9}(?:x\d{1,9})*")
_HASH_DIGITS = 12
_NOT_STATED = "not stated"


@dataclass(frozen=True, slots=True)
class Model:
    """The model's file name without its folder, and its SHA-256; None where the run does not state them."""

    file: str | None
    sha256: str | None

    @property
    def digest(self) -> str | None:
        """The hash, shortened, with its kind."""
        return None if self.sha256 is None else f"sha256 {self.sha256[:_HASH_DIGITS]}"

    def __str__(self) -> str:
        parts = [self.file, self.digest]
        return ", ".join(part for part in parts if part is not None)

    def __bool__(self) -> bool:
        return self.file is not None or self.sha256 is not None

    def is_same_as(self, other: Model) -> bool:
        """Whether both state the same hash, or the same file name."""
        hashes, files = (self.sha256, other.sha256), (self.file, other.file)
        return hashes[0] == hashes[1] if None not in hashes else None not in files and files[0] == files[1]

    def is_other_than(self, other: Model) -> bool:
        """Whether both state something that differs: the hashes, where both have one, else the file names."""
        if self.sha256 is not None and other.sha256 is not None:
            return self.sha256 != other.sha256
        return None not in {self.file, other.file} and self.file != other.file


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One thing in which two runs are not alike, as ``GPU``, with what the baseline and the run state.

    ``certain`` is False for models that nothing states to be one, of engines of which no layers could be matched.
    """

    what: str
    base: str
    run: str
    certain: bool = True

    @property
    def is_other_work(self) -> bool:
        """Whether the runs did not compute the same; on two GPUs they did."""
        return self.what != GPU

    def __str__(self) -> str:
        if not self.certain:
            stated = "neither run states it" if self.base == self.run else f"{self.base}, here {self.run}"
            return f"{self.what} may differ ({stated}; the layers of the two engines cannot be matched)"
        verb = "differ" if self.what.endswith("s") else "differs"
        if self.base == self.run:
            return f"{self.what} {verb} (both are called {self.base}, and hold other nodes)"
        return f"{self.what} {verb} ({self.base}, here {self.run})"


def model_of(run: Run) -> Model:
    """The model as the record of a captured run states it, else as trtexec's options in the log do."""
    known = run.info.model
    path = known.path or next(iter(_options(run, "Model Options", "Model")), "")
    # Both kinds of slash part the folders: a log of Windows may be read elsewhere.
    return Model(PureWindowsPath(path).name or None, known.sha256)


def gpu_of(run: Run) -> str | None:
    """The GPU's name, from the log or the record of the run."""
    stated: str | None = next(iter(run["builds"]["gpu"].to_pylist()), None)
    return stated or run.info.gpu.name


def inputs_of(run: Run) -> tuple[Extents, ...] | None:
    """Extents of the inputs, sorted, without their names: those that were timed, else those of the engine's inputs.

    None where nothing states them, or where a dimension is dynamic.
    """
    timings = run.info.timings
    shapes = timings[-1].shapes if timings else None
    if shapes and (timed := _extents(shapes.values())):
        return timed
    given = [text.rpartition("=")[2] for text in _options(run, "Inference Options", "Input inference shape")]
    return _extents(given) or _engine_inputs(run)


def shapes_text(inputs: Iterable[Extents]) -> str:
    """``[8,3,224,224], [8,10]``."""
    return ", ".join(f"[{','.join(map(str, extents))}]" for extents in inputs)


def batches(base: Run, run: Run) -> tuple[int, int] | None:
    """First extents of the inputs in both runs, where nothing else of the inputs differs; None where it is not so."""
    ours, theirs = inputs_of(base), inputs_of(run)
    if ours is None or theirs is None or len(ours) != len(theirs) or ours == theirs:
        return None
    by_rest = [sorted(one, key=lambda extents: (extents[1:], extents[:1])) for one in (ours, theirs)]
    if any(one[1:] != other[1:] or not one for one, other in zip(*by_rest, strict=True)):
        return None
    firsts = {(one[0], other[0]) for one, other in zip(*by_rest, strict=True) if one != other}
    return firsts.pop() if len(firsts) == 1 else None


def mismatches(base: Run, run: Run, shared: float | None = None) -> list[Mismatch]:
    """In what the runs are stated to differ; ``shared`` is the share of nodes that their engines have in common, if known."""
    found = []
    gpus = gpu_of(base), gpu_of(run)
    if None not in gpus and gpus[0] != gpus[1]:
        found.append(Mismatch(GPU, str(gpus[0]), str(gpus[1])))
    inputs = inputs_of(base), inputs_of(run)
    if inputs[0] is not None and inputs[1] is not None and inputs[0] != inputs[1]:
        found.append(Mismatch(INPUTS, shapes_text(inputs[0]), shapes_text(inputs[1])))
    return [*found, *_model_mismatch(base, run, shared)]


def _model_mismatch(base: Run, run: Run, shared: float | None) -> list[Mismatch]:
    models = model_of(base), model_of(run)
    first, second = (str(model) or _NOT_STATED for model in models)
    if shared is not None:
        return [Mismatch(MODEL, first, second)] if are_other_models(base, run, shared) else []
    if models[0].is_other_than(models[1]):
        return [Mismatch(MODEL, first, second)]
    shown = base["layers"].num_rows and run["layers"].num_rows
    return [Mismatch(MODEL, first, second, certain=False)] if shown and not models[0].is_same_as(models[1]) else []


def shared_nodes(base: Run, run: Run) -> float | None:
    """Share of the ONNX nodes that do work which the engines have in common; None where a run does not show its engine's."""
    if not base["layers"].num_rows or not run["layers"].num_rows:
        return None
    return align([read_engine("base", base), read_engine("run", run)]).shared(0, 1)


def are_other_models(base: Run, run: Run, shared: float | None) -> bool:
    """Whether the engines hold other nodes, and no hash says that the models are one all the same."""
    hashes = {model_of(one).sha256 for one in (base, run)}
    same = len(hashes) == 1 and None not in hashes
    return shared is not None and shared < FEWEST_SHARED and not same


def _options(run: Run, section: str, key: str) -> list[str]:
    rows = run["options"].select(["section", "key", "value"]).to_pylist()
    return [
        row["value"]
        for row in rows
        if (row["section"], row["key"]) == (section, key) and row["value"] not in {None, "", "*"}
    ]


def _extents(texts: Iterable[object]) -> tuple[Extents, ...] | None:
    shapes = [str(text) for text in texts]
    if not shapes or not all(_SHAPE.fullmatch(shape) for shape in shapes):
        return None
    return tuple(sorted(tuple(map(int, shape.split("x"))) for shape in shapes))


def _engine_inputs(run: Run) -> tuple[Extents, ...] | None:
    """Extents of tensors that some layer reads and neither a layer nor a node makes, with the batch of an implicit one."""
    rows = run["layer_tensors"].select(["direction", "name", "dims"]).to_pylist()
    made = {row["name"] for row in rows if row["direction"] == "output"}
    made.update(
        name for outputs in run["nodes"]["outputs"].to_pylist() for name in outputs or ()
    )  # 8.0 leaves out rows
    found = {row["name"]: row["dims"] for row in rows if row["direction"] == "input" and row["name"] not in made}
    shown = [dims for name, dims in found.items() if name is not None and not name.startswith("__")]
    if not shown or len(shown) > _MOST_INPUTS:  # some releases list Myelin's constants as inputs
        return None
    if any(dims is None or None in dims for dims in shown):
        return None
    implicit = [int(text) for text in _options(run, "Inference Options", "Batch") if text.isdigit()]
    return tuple(sorted((*implicit[:1], *dims) for dims in shown))
