"""The inputs of an ONNX model as arrays, made as those of a timed engine are: same names, same seed, same values.

So a run of ONNX Runtime and one of TensorRT see the same numbers without a file; a dump keeps them all the same, in
`inputs.npz`, for runs of another origin.
"""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from trtlens.accuracy.dumps import INPUTS_NPZ
from trtlens.capture.models.inputs import InputRecipe, load_arrays, make_inputs
from trtlens.capture.models.io_tensors import (
    ChosenShapes,
    DynamicInput,
    IoTensor,
    Shape,
    onnx_axes,
    require_shapes,
    shape_fits,
    shape_text,
)
from trtlens.capture.models.model import fed_inputs, onnx_extents
from trtlens.errors import TrtlensError
from trtlens.layer_patterns import glob, lookup
from trtlens.runs.folders import whole_file
from trtlens_parsers.data_types import onnx_dtype

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

_INPUT_TYPES = frozenset({"fp32", "fp16", "bf16", "fp8", "int64", "int32", "int8", "uint8", "bool"})
"""What TensorRT takes as the type of an input."""


@dataclass(frozen=True, slots=True)
class Feeds:
    """One array for each input, in the type that the model declares, and what was made up."""

    arrays: dict[str, NDArray[Any]]
    dtypes: dict[str, str]
    notes: tuple[str, ...]

    def widened(self) -> dict[str, NDArray[Any]]:
        """The arrays with FP16 and BF16 as FP32, which a widened model takes."""
        return {
            name: array.astype(np.float32) if self.dtypes[name] in ("fp16", "bf16") else array
            for name, array in self.arrays.items()
        }

    def save(self, folder: Path) -> None:
        """Write them as `inputs.npz`, for `--load-inputs`; raises TrtlensError where they cannot be written."""
        # numpy.savez cannot take an input called `file`
        with whole_file(folder / INPUTS_NPZ) as file, zipfile.ZipFile(file, "w") as archive:
            for name, array in self.arrays.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array(
                        member, np.ascontiguousarray(array).reshape(array.shape), allow_pickle=False
                    )

    def sha256(self) -> str:
        """One hash of names, shapes and numbers: runs with the same one were fed the same.

        Whole numbers count by their values, since TensorRT 8.x takes 32 bits where ONNX has 64.
        """
        digest = hashlib.sha256()
        for name, given in sorted(self.arrays.items()):
            array = given.astype(np.int64) if given.dtype.kind in "iu" and given.dtype.itemsize > 2 else given
            digest.update(f"{name}\0{array.dtype.str}\0{array.shape}\0".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


def graph_inputs(proto: Any) -> tuple[IoTensor, ...]:
    """The inputs that have to be fed: those of the graph that are no weights.

    Raises:
        TrtlensError: an input is of a type that TensorRT takes none of.

    """
    return tuple(map(_input, fed_inputs(proto)))


def _input(info: Any) -> IoTensor:
    kind = info.type.tensor_type
    dtype = onnx_dtype(kind.elem_type)
    if dtype not in _INPUT_TYPES:
        raise TrtlensError(
            f"input {info.name!r} has ONNX type {kind.elem_type}, which TensorRT takes none of: change it"
        )
    return IoTensor(info.name, is_input=True, dtype=dtype, shape=onnx_extents(info), on_host=False)


def make_feeds(proto: Any, shapes: Mapping[str, Shape], recipe: InputRecipe) -> Feeds:
    """Arrays for the model's inputs: from the recipe's file (or the inputs of a dump), else made up by name and type.

    A dynamic extent is that of the file, else of `shapes`; a batch that neither gives is 1, with a note. Raises
    TrtlensError where another extent is not given, or a name, a type or a shape does not fit the model.
    """
    recipe = replace(recipe, file=inputs_file(recipe.file))
    loaded = load_arrays(recipe.file)
    tensors = graph_inputs(proto)
    unknown = next((name for name in shapes if not any(glob(name).fits(tensor.name) for tensor in tensors)), None)
    if unknown is not None:
        raise TrtlensError(f"the model has no input {unknown!r}: its inputs are {', '.join(t.name for t in tensors)}")
    require_shapes(
        DynamicInput(info.name, tensor.shape, onnx_axes(info))
        for info, tensor in zip(fed_inputs(proto), tensors, strict=True)
        if -1 in tensor.shape and lookup(shapes, tensor.name) is None and tensor.name not in loaded
    )
    notes: list[str] = []
    chosen = {tensor.name: _shape(tensor, shapes, loaded, notes) for tensor in tensors}
    arrays = make_inputs(tensors, ChosenShapes(0, chosen, {}), recipe, loaded)
    return Feeds(arrays, {tensor.name: tensor.dtype for tensor in tensors}, tuple(notes))


def inputs_file(given: Path | None) -> Path | None:
    """The given file, or the inputs of a dump whose folder is given."""
    return given / INPUTS_NPZ if given is not None and given.is_dir() else given


def _shape(
    tensor: IoTensor, shapes: Mapping[str, Shape], loaded: Mapping[str, NDArray[Any]], notes: list[str]
) -> Shape:
    wanted: Shape | None = lookup(shapes, tensor.name)
    if wanted is None and tensor.name in loaded:
        wanted = loaded[tensor.name].shape
    if wanted is None:
        if -1 not in tensor.shape:
            return tensor.shape
        single = (1, *tensor.shape[1:])
        notes.append(f"no shape was given for input {tensor.name}: its batch was set to 1, {shape_text(single)}")
        return single
    if not shape_fits(wanted, tensor.shape):
        model = shape_text(tensor.shape)
        raise TrtlensError(f"{shape_text(wanted)} does not fit input {tensor.name!r}, which is {model} in the model")
    return wanted
