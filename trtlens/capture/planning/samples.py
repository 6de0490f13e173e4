"""What a plan is measured on: the user's inputs, else seeded ones whose ranges are those that networks are trained on."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from trtlens.capture.models.calibration import InputSpec, load_calibration_data
from trtlens.capture.models.model import fed_inputs
from trtlens.capture.models.onnx_inputs import make_feeds
from trtlens.errors import TrtlensError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from trtlens.capture.models.inputs import InputRecipe
    from trtlens.capture.models.io_tensors import Shape

LEAST = 16
"""Inputs that are made up where none are given: with fewer, an output of two classes says little."""


@dataclass(frozen=True, slots=True)
class Samples:
    """Inputs by name, one mapping a run of the model; ``origin`` says in words where they are from."""

    arrays: tuple[dict[str, NDArray[Any]], ...]
    origin: str
    sha256: str
    notes: tuple[str, ...] = ()


def read_samples(
    proto: Any, file: Path | None, shapes: Mapping[str, Shape], recipe: InputRecipe, *, count: int
) -> Samples:
    """The user's inputs cut into runs, or `count` seeded ones.

    Raises:
        TrtlensError: a shape is not known, or the file does not fit the model.

    """
    if file is not None:
        return _given(proto, file, shapes, recipe)
    made = [make_feeds(proto, shapes, replace(recipe, seed=recipe.seed + number)) for number in range(count)]
    normal = [
        name
        for name, dtype in made[0].dtypes.items()
        if dtype == "fp32" and name not in recipe.ranges and made[0].arrays[name].min() < made[0].arrays[name].max()
    ]
    arrays = []
    for number, feeds in enumerate(made):
        own = {name: _normal(name, feeds.arrays[name].shape, recipe.seed + number) for name in normal}
        arrays.append({**feeds.arrays, **own})
    kinds = "floats of mean 0 and deviation 1, as normalised data has" if normal else "by type and name"
    origin = f"{count} made-up inputs (seed {recipe.seed}; {kinds})"
    return Samples(tuple(arrays), origin, made[0].sha256(), made[0].notes)


def _normal(name: str, shape: tuple[int, ...], seed: int) -> NDArray[np.float32]:
    generator = np.random.default_rng([seed, zlib.crc32(name.encode())])
    return generator.standard_normal(shape, dtype=np.float32)


def _given(proto: Any, file: Path, shapes: Mapping[str, Shape], recipe: InputRecipe) -> Samples:
    data = load_calibration_data(file)
    single = make_feeds(proto, {**_own_shapes(proto, data.arrays), **shapes}, recipe)
    specs = [InputSpec(name, array.shape, array.dtype) for name, array in single.arrays.items()]
    batches, notes = data.batches(specs)
    return Samples(tuple(batches), f"{len(batches)} inputs of {file.name}", data.sha256, (*single.notes, *notes))


def _own_shapes(proto: Any, arrays: Mapping[str, Any]) -> dict[str, Shape]:
    """Shapes of dynamic inputs as the arrays have them: the first axis is 1 where the model leaves it open."""
    found: dict[str, Shape] = {}
    for info in fed_inputs(proto):
        dims = info.type.tensor_type.shape.dim
        given = arrays.get(info.name) or (arrays.get("") if len(arrays) == 1 else None)
        if not given or all(dim.HasField("dim_value") for dim in dims):
            continue
        extents = given[0].shape
        if len(extents) == len(dims) - 1:
            extents = (1, *extents)
        if len(extents) != len(dims):
            raise TrtlensError(
                f"input {info.name!r} has {len(dims)} axes, its array {given[0].shape}: save it as the model takes it"
            )
        first = 1 if not dims[0].HasField("dim_value") else dims[0].dim_value
        found[info.name] = (first, *extents[1:])
    return found
