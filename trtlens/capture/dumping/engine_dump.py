"""Dumps from TensorRT: an undisturbed build, then one or more with marked tensors, each run once.

The first build leaves log, layers and engine in the run, and tells which tensors stand between its layers and in which
types. The others share a timing cache with it, so that what is not disturbed keeps its tactics; they lie in `marked/`
and lose their engines. What the marking did to the plan is told in the run's notes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import prod
from typing import TYPE_CHECKING, Any

from trtlens.accuracy.dumps import DumpWriter, Origin
from trtlens.capture.backends.cuda import load_cuda
from trtlens.capture.build_options import BuildOptions
from trtlens.capture.building.compilation import build_marked, read_network
from trtlens.capture.building.engine_build import build_run
from trtlens.capture.dumping.dump import finishing
from trtlens.capture.dumping.engine_run import Execution, run_marked
from trtlens.capture.dumping.marking import (
    ALL,
    BOUNDARIES,
    Choice,
    InnerTensor,
    choose_method,
    compare_plans,
    inner_tensors,
    mark_debug,
    mark_outputs,
    refused_outputs,
)
from trtlens.capture.dumping.reference import grouped
from trtlens.capture.models.inputs import InputRecipe
from trtlens.capture.models.model import check_model, is_engine, load_onnx
from trtlens.capture.models.onnx_graphs import described_nodes
from trtlens.capture.progress import silent
from trtlens.capture.recorder import CONVERTED_ONNX, TIMING_CACHE
from trtlens.errors import CaptureError, TrtlensError
from trtlens.layer_patterns import read_patterns
from trtlens_parsers.errors import FormatError
from trtlens_parsers.inspector import read_inspector

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from trtlens.capture.backends.backend import Backend
    from trtlens.capture.backends.cuda import Cuda
    from trtlens.capture.building.compilation import MarkedEngine
    from trtlens.capture.building.engine_build import BuiltRun
    from trtlens.capture.dumping.engine_run import ReadTensor
    from trtlens.capture.models.onnx_inputs import Feeds
    from trtlens.capture.progress import Progress
    from trtlens.capture.recorder import Recorder
    from trtlens_parsers.dump_index import DumpedNode
    from trtlens_parsers.layers import LayerRecord

MARKED_FOLDER = "marked"
_VALUE_BYTES = 4
_TAKEN_AWAY = "the engine did not hand it out: fusion took it away"
_NO_KERNEL = "TensorRT has no kernel that hands it out: its layer has INT8 outputs alone"


@dataclass(frozen=True, slots=True)
class EngineDumpRequest:
    """What to build and what to hand out; `mark` is boundaries, all, or what `read_patterns` reads."""

    options: BuildOptions = field(default_factory=BuildOptions)
    recipe: InputRecipe = field(default_factory=InputRecipe)
    mark: str = BOUNDARIES
    method: str | None = None
    max_memory_bytes: int = 4 << 30
    device: int = 0


def dump_engine(
    model: Path,
    out: Path,
    request: EngineDumpRequest,
    backend: Backend,
    *,
    progress: Progress = silent,
    cuda: Cuda | None = None,
    command: Sequence[str] | None = None,
    force: bool = False,
) -> Recorder:
    """Build, mark, build again and run, and keep the tensors in a run; returns the finished record.

    Raises TrtlensError for what cannot be asked for, CaptureError where TensorRT or CUDA fails.
    """
    check_model(model)
    if is_engine(model):
        raise TrtlensError(f"{model} is an engine, whose inner tensors cannot be marked: give the ONNX model")
    if not backend.can_run:
        raise CaptureError(
            "an engine has to run to hand its tensors out, and there is no GPU: use --reference or --emulate"
        )
    method = choose_method(backend, request.method)
    shared_cache = request.options.timing_cache_file or out / TIMING_CACHE
    options = replace(request.options, timing_cache_file=shared_cache)
    built = build_run(model, out, options, backend=backend, progress=progress, command=command, force=force)
    built.recorder.update(kind="dump")
    with finishing(built.recorder):
        _EngineDump(model, request, built, method, cuda or load_cuda(), progress).run()
    return built.recorder


def asked_precision(built: BuiltRun) -> str:
    """The lowest precision that the engine was allowed, which its tensors are judged by."""
    flags = {str(flag).lower() for flag in built.recorder.document.get("precision_flags", ())}
    options = built.options
    if not flags and built.layers_path is not None:  # a strongly typed network has no flags
        asked = {
            "int8": options.wants_int8,
            "fp8": options.fp8,
            "fp16": options.fp16 or options.best,
            "bf16": options.bf16,
        }
        flags = {name for name, is_asked in asked.items() if is_asked}
    lowest = next((name for name in ("int8", "fp8", "fp16", "bf16") if name in flags), None)
    return lowest or ("fp32" if options.no_tf32 else "tf32")


@dataclass(slots=True)
class _EngineDump:
    model: Path
    request: EngineDumpRequest
    built: BuiltRun
    method: str
    cuda: Cuda
    progress: Progress
    nodes: tuple[DumpedNode, ...] = ()
    order: dict[str, int] = field(default_factory=dict)
    producers: dict[str, str] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)
    feeds: Feeds | None = None

    def run(self) -> None:
        """Dump in as many builds as the memory takes and write the index."""
        if self.built.layers_path is None:
            raise CaptureError("the undisturbed engine cannot be inspected here: the notes of the run say why")
        undisturbed = self.built.layers_path.read_bytes().decode("utf-8", "replace")
        layers = _layers(undisturbed)
        self.nodes = described_nodes(load_onnx(self.model, "reading the graph", weights=False))
        self.order = {tensor.name: place for place, layer in enumerate(layers) for tensor in layer.outputs}
        choice = self._choice(layers)
        wanted = self._wanted(choice)
        writer = DumpWriter(self.built.folder)
        for number, group in enumerate(self._groups(wanted, layers), 1):
            marked = self._build_retrying_without_refused(number, group, choice)
            self._tell_plan(undisturbed, marked, number)
            self._execute(marked, writer)
            marked.engine_path.unlink(missing_ok=True)
        for inner in wanted:
            if inner.name not in self.taken:
                reason = inner.skipped or self.refused.get(inner.name) or _TAKEN_AWAY
                writer.skip(inner.name, reason, self._origin(inner.name), order=self.order.get(inner.name))
        self._finish(writer)

    def _choice(self, layers: Sequence[LayerRecord]) -> Choice:
        dtypes = {tensor.name: tensor.format.dtype or "" for layer in layers for tensor in layer.outputs}
        if self.request.mark == ALL:
            return Choice(dtypes=dtypes)
        if self.request.mark == BOUNDARIES:
            return Choice(names=frozenset(dtypes), dtypes=dtypes)
        return Choice(patterns=read_patterns(self.request.mark), dtypes=dtypes)

    def _wanted(self, choice: Choice) -> list[InnerTensor]:
        converted = self.built.recorder.path(CONVERTED_ONNX)
        builder, network = read_network(
            self.built.backend, converted if converted.is_file() else self.model, self.built.options
        )
        found = inner_tensors(network, choice)
        self.producers = {inner.name: inner.producer for inner in inner_tensors(network, Choice())}
        del network, builder
        if not found and choice.patterns is not None:
            raise TrtlensError(
                f"no inner tensor fits --mark {self.request.mark}: `trtlens dump MODEL --list` lists them"
            )
        return found

    def _groups(self, wanted: list[InnerTensor], layers: Sequence[LayerRecord]) -> list[list[InnerTensor]]:
        """What goes out together; a listener holds one tensor at a time, so debug tensors need no groups."""
        readable = [inner for inner in wanted if inner.skipped is None]
        if self.method != "outputs" or not readable:
            return [readable]
        sizes = {
            tensor.name: _VALUE_BYTES * prod(extent for extent in tensor.dims if extent)
            for layer in layers
            for tensor in layer.outputs
            if tensor.dims is not None
        }
        most_bytes = self.request.max_memory_bytes
        return list(grouped(readable, lambda inner: sizes.get(inner.name, inner.size_bytes), most_bytes))

    def _build_retrying_without_refused(
        self, number: int, group: Sequence[InnerTensor], choice: Choice
    ) -> MarkedEngine:
        """Build with the group marked, without the tensors that TensorRT has no kernel to hand out."""
        names = {inner.name for inner in group} - self.refused.keys()
        try:
            return self._build(number, names, choice)
        except CaptureError as error:
            refused = refused_outputs(str(error), group) & names
            if not refused:
                raise
        self.progress(f"Building again without {', '.join(sorted(refused))}", None, None, "")
        self.refused |= dict.fromkeys(refused, _NO_KERNEL)
        return self._build_retrying_without_refused(number, group, choice)

    def _build(self, number: int, names: set[str], choice: Choice) -> MarkedEngine:
        def mark(network: Any) -> None:
            if self.method == "outputs":
                mark_outputs(self.built.backend, network, names, choice)
            else:
                mark_debug(network, names, self.method)

        built, folder = self.built, self.built.folder / MARKED_FOLDER / str(number)
        return build_marked(built.backend, self.model, folder, mark, options=built.options, progress=self.progress)

    def _tell_plan(self, undisturbed: str, marked: MarkedEngine, number: int) -> None:
        recorder = self.built.recorder
        try:
            difference = compare_plans(undisturbed, marked.layers)
        except FormatError as error:
            recorder.note(f"whether handing tensors out changed the engine is not known: {error}")
            return
        recorder.note(difference.sentence())
        changes = {
            "gone": difference.gone, "new": difference.new, "reformats": difference.reformats, "retuned": difference.retuned,
        }  # fmt: skip
        known = recorder.document.get("plan_changes", {})
        recorder.update(plan_changes={**known, str(number): changes})

    def _execute(self, marked: MarkedEngine, writer: DumpWriter) -> None:
        built, request = self.built, self.request
        execution = Execution(
            backend=built.backend, cuda=self.cuda, recipe=request.recipe, shapes=built.shapes, device=request.device,
            plugins=built.options.plugins, method=self.method,
        )  # fmt: skip

        def take(name: str, tensor: ReadTensor) -> None:
            self._take(writer, name, tensor)

        feeds, skipped = run_marked(marked.engine_path, execution, take)
        for name, reason in skipped.items():
            if name not in self.taken:
                self.taken.add(name)
                writer.skip(name, reason, self._origin(name), order=self.order.get(name))
        if self.feeds is None:
            self.feeds = feeds
            feeds.save(built.folder)
            for name, array in feeds.arrays.items():
                writer.add(name, array, Origin("input"), order=-1)

    def _take(self, writer: DumpWriter, name: str, tensor: ReadTensor) -> None:
        if name in self.taken:
            return
        self.taken.add(name)
        origin, order = self._origin(name), self.order.get(name)
        if tensor.is_packed:
            writer.add_packed(name, tensor.data, tensor.dtype, tensor.shape, origin, order=order)
        else:
            writer.add(name, tensor.values(), origin, dtype=tensor.dtype, order=order)

    def _origin(self, tensor: str) -> Origin:
        made = next((node for node in self.nodes if tensor in node.outputs), None)
        if made is not None:
            readers = any(tensor in node.inputs for node in self.nodes)
            return Origin("inner" if readers else "output", made.name, made.op)
        return Origin("inner", self.producers.get(tensor))

    def _finish(self, writer: DumpWriter) -> None:
        precision = asked_precision(self.built)
        gpu: Mapping[str, Any] = self.built.recorder.document.get("gpu") or {}
        backend = self.built.backend
        writer.finish(
            source="tensorrt",
            label=f"{backend.name} {backend.version_text} in {precision} on {gpu.get('name', 'the GPU')}",
            precision=precision,
            nodes=self.nodes,
            inputs_sha256=None if self.feeds is None else self.feeds.sha256(),
        )


def _layers(text: str) -> tuple[LayerRecord, ...]:
    try:
        return tuple(read_inspector(text).layers)
    except FormatError as error:
        raise CaptureError(f"the layers of the undisturbed engine cannot be read ({error})") from error
