"""`dump_run`: a run folder with the tensors of one inference, from ONNX Runtime or from TensorRT.

Whatever runs the model, the folder holds `dump.json` with the tensors in execution order, `tensors/`, the inputs as
`inputs.npz` for the next run, and a `run.json` that says what was done. Emulations are labelled as such in all of them.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from trtlens.capture.build_options import BuildOptions, Shape
from trtlens.capture.dumping.emulate import dump_emulated
from trtlens.capture.dumping.reference import Plan, dump_reference, require_onnxruntime
from trtlens.capture.models.inputs import InputRecipe
from trtlens.capture.models.model import check_model, identify_model, is_engine, load_onnx, model_errors, require_onnx
from trtlens.capture.models.onnx_graphs import inner_tensors
from trtlens.capture.models.onnx_inputs import make_feeds
from trtlens.capture.recorder import Recorder, create_recorder, host_facts
from trtlens.errors import TrtlensError
from trtlens_parsers.data_types import onnx_dtype

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

EMULATED = ("fp16", "bf16", "int8")


@dataclass(frozen=True, slots=True)
class DumpRequest:
    """What to run and what to keep of it.

    Attributes:
        emulate: a precision of `EMULATED`, or None for the FP32 reference.
        options: the precisions that an emulation is converted to, and the layers that stay in FP32.
        shapes: of dynamic inputs, by name.
        recipe: where the input values come from.
        plan: which tensors, and how much memory.
        keep_quantization: let the Q/DQ pairs of the model act in the reference too.
    """

    emulate: str | None = None
    options: BuildOptions = field(default_factory=BuildOptions)
    shapes: Mapping[str, Shape] = field(default_factory=dict)
    recipe: InputRecipe = field(default_factory=InputRecipe)
    plan: Plan = field(default_factory=Plan)
    keep_quantization: bool = False


@dataclass(frozen=True, slots=True)
class ListedTensor:
    """One output of one node of the main graph; type and shape as onnx infers them, None where it cannot."""

    index: int
    node: str
    op: str
    tensor: str
    dtype: str | None
    dims: tuple[int | str, ...] | None


def dump_run(
    model: Path, out: Path, request: DumpRequest, *, command: Sequence[str] | None = None, force: bool = False
) -> Recorder:
    """Run the model in ONNX Runtime on the CPU and keep its tensors in a run; returns the finished record.

    Raises TrtlensError for what cannot be asked for, where a package is missing, and where the model does not run.
    """
    check_model(model)
    if is_engine(model):
        raise TrtlensError(f"{model} is an engine, which ONNX Runtime cannot run: give the ONNX model")
    runtime = require_onnxruntime("a reference" if request.emulate is None else f"emulating {request.emulate}")
    with model_errors(model, "running it"):
        feeds = make_feeds(load_onnx(model, "dumping tensors", weights=False), request.shapes, request.recipe)
    options = _emulated_options(request)
    facts = {**_facts(model, options, command), "library": "onnxruntime", "library_version": runtime.__version__}
    recorder = create_recorder(out, facts, force=force)
    with finishing(recorder), model_errors(model, "running it"):
        for note in feeds.notes:
            recorder.note(note)
        feeds.save(recorder.folder)
        if request.emulate in ("fp16", "bf16"):
            dump_emulated(model, feeds, request.plan, options, recorder, precision=request.emulate)
        else:
            keep = request.keep_quantization or request.emulate == "int8"
            dump_reference(model, feeds, request.plan, recorder, keep_quantization=keep)
    return recorder


def _emulated_options(request: DumpRequest) -> BuildOptions:
    if request.emulate is None:
        return request.options
    if request.emulate not in EMULATED:
        raise TrtlensError(f"--emulate {request.emulate} is not known: choose one of {', '.join(EMULATED)}")
    fp16, bf16, int8 = (request.emulate == name for name in EMULATED)
    return replace(request.options, fp16=fp16, bf16=bf16, int8=int8)


def _facts(model: Path, options: BuildOptions, command: Sequence[str] | None) -> dict[str, Any]:
    return {
        "kind": "dump",
        "tensorrt_version": None,
        "gpu": None,
        "driver": None,
        **host_facts(command),
        "flags": options.given(),
        "model": identify_model(model),
        "precision_flags": [],
        "int8_ranges": None,
    }


@contextmanager
def finishing(recorder: Recorder) -> Iterator[None]:
    """Close the record with what became of the block: done, failed with the error, or interrupted."""
    try:
        yield
    except KeyboardInterrupt:
        recorder.finish("interrupted")
        raise
    except BaseException as error:
        recorder.finish("failed", errors=[str(error) or type(error).__name__])
        raise
    recorder.finish("done")


def list_tensors(model: Path) -> tuple[ListedTensor, ...]:
    """Every output of every node of the main graph; raises TrtlensError where the model cannot be read."""
    check_model(model)
    proto = load_onnx(model, "listing tensors", weights=False)
    onnx = require_onnx("listing tensors")
    try:
        proto = onnx.shape_inference.infer_shapes(proto)
    except Exception:  # noqa: BLE001  protobuf's and onnx's own classes; types and shapes are then unknown
        sys.stderr.write("types and shapes could not be inferred\n")
    infos = {info.name: info for info in (*proto.graph.value_info, *proto.graph.output)}
    return tuple(
        ListedTensor(index, name, node.op_type, tensor, *_described(infos.get(tensor)))
        for index, (tensor, name, node) in enumerate(inner_tensors(proto))
    )


def _described(info: Any) -> tuple[str | None, tuple[int | str, ...] | None]:
    kind = None if info is None else info.type.tensor_type
    if kind is None or not kind.elem_type:
        return None, None
    dims = tuple(dim.dim_value if dim.HasField("dim_value") else dim.dim_param or "?" for dim in kind.shape.dim)
    return onnx_dtype(kind.elem_type), dims
