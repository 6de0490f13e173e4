"""A model built again with a change: tensors handed out so that nothing is fused across them, nodes held in FP32, tactics left out.

Each build lies in a folder of its own, with log, layers and engine, and its engine is run once on the inputs of the dump. An output
between two nodes forbids their fusion in every release; a debug tensor (10.0 on) may, and costs nothing while nobody listens.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from trtlens.accuracy.tensors import InMemory, Tensor
from trtlens.capture.backends.cuda import load_cuda
from trtlens.capture.building.compilation import build_marked, read_network
from trtlens.capture.building.layer_precision import converts_model, pinnable_nodes
from trtlens.capture.building.settings import check_supported
from trtlens.capture.dumping.engine_run import Execution, run_marked
from trtlens.capture.dumping.marking import Choice, inner_tensors, mark_debug, mark_outputs
from trtlens.capture.models.convert import asks_conversion
from trtlens.capture.models.inputs import InputRecipe
from trtlens.capture.models.onnx_inputs import inputs_file
from trtlens.capture.recorder import CONVERTED_ONNX, TIMING_CACHE
from trtlens.capture.timing.engine_session import TimingOptions
from trtlens.capture.timing.processes import TimedEngine, time_in_processes
from trtlens.errors import TrtlensError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from trtlens.capture.backends.backend import Backend
    from trtlens.capture.backends.cuda import Cuda
    from trtlens.capture.build_options import BuildOptions, Shape
    from trtlens.capture.dumping.engine_run import ReadTensor
    from trtlens.capture.progress import Progress
    from trtlens.statistics import Statistics

_TACTIC_BITS = 1 << 64


@dataclass(frozen=True, slots=True)
class Change:
    """What is done to a build: tensors cut and handed out, nodes pinned to FP32, and for each layer the tactic that it must not run."""

    cuts: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()
    pins: tuple[str, ...] = ()
    excluded: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """An engine, and the tensors that it handed out."""

    engine: Path
    tensors: Mapping[str, Tensor]


@dataclass(frozen=True, slots=True)
class Candidates:
    """Tensors that the network has between its layers, nodes that a constraint can hold to FP32, and whether tactics can be left out."""

    cuts: tuple[str, ...]
    pins: tuple[str, ...]
    takes_selector: bool


class Rebuilder(Protocol):
    """Builds, runs and times engines with changes; tests have another one."""

    def candidates(self, tensors: Sequence[str], nodes: Sequence[str], /) -> Candidates:
        """What can be changed of these tensors, nodes and tactics."""
        ...

    def build(self, change: Change, folder: Path, progress: Progress, /) -> Rebuilt:
        """Build and run; raises CaptureError where TensorRT refuses it."""
        ...

    def time(self, engine: Path, folder: Path, processes: int, progress: Progress, /) -> Statistics:
        """Time an engine in processes of its own; raises CaptureError where none could."""
        ...


@dataclass(frozen=True)
class TensorRTRebuilder:
    """Builds with an installed library as `run`, a dump, was built.

    Attributes:
        model: the ONNX model.
        run: the folder of the dump, whose inputs are fed.
        options: those that it was built with, its timing cache among them.
        shapes: what it ran at, by name of each dynamic input.
        kept_types: by tensor, the types that the dump's tensors had.
        method: how tensors are cut: outputs or debug.
    """

    model: Path
    run: Path
    backend: Backend
    options: BuildOptions
    shapes: Mapping[str, Shape]
    kept_types: Mapping[str, str]
    method: str = "outputs"
    device: int = 0
    cuda: Cuda | None = None

    def candidates(self, tensors: Sequence[str], nodes: Sequence[str]) -> Candidates:
        """What this release, and the network that it reads, let be changed; shape tensors and constants cannot be handed out."""
        builder, network = read_network(self.backend, self._network_model(), self.options)
        inner = {found.name for found in inner_tensors(network, Choice(frozenset(tensors))) if found.skipped is None}
        pins = pinnable_nodes(self.backend, network, nodes) if self._takes_pins() else []
        del network, builder
        return Candidates(
            tuple(name for name in tensors if name in inner), tuple(pins), can_exclude_tactics(self.backend)
        )

    def build(self, change: Change, folder: Path, progress: Progress) -> Rebuilt:
        """Build with the change, then run the engine once."""
        options = self._options(change)
        check_supported(self.backend, options)

        def mark(network: Any) -> None:
            makers = {inner.name: inner.producer for inner in inner_tensors(network, Choice(frozenset(change.ends)))}
            kept = {name: kind for name, kind in self.kept_types.items() if makers.get(name) not in change.pins}
            mark_outputs(self.backend, network, set(change.ends), Choice(dtypes=kept))
            if self.method == "outputs":
                mark_outputs(self.backend, network, set(change.cuts), Choice())
            else:
                mark_debug(network, set(change.cuts), self.method)

        selector = make_selector(self.backend, change.excluded) if change.excluded else None
        marked = build_marked(
            self.backend, self.model, folder, mark, options=options, progress=progress, selector=selector
        )
        tensors: dict[str, Tensor] = {}

        def take(name: str, read: ReadTensor) -> None:
            tensors[name] = Tensor(name, read.dtype, tuple(read.shape), InMemory(read.values()))

        execution = Execution(
            self.backend, self.cuda or load_cuda(), InputRecipe(file=self.run), self.shapes, self.device, options.plugins, "outputs",
        )  # fmt: skip
        run_marked(marked.engine_path, execution, take)
        return Rebuilt(marked.engine_path, tensors)

    def time(self, engine: Path, folder: Path, processes: int, progress: Progress) -> Statistics:
        """The GPU's time of an inference over the processes."""
        options = TimingOptions(
            shapes=self.shapes, inputs=InputRecipe(file=inputs_file(self.run)), device=self.device, plugins=self.options.plugins,
            latency_iterations=0, layer_iterations=0, allow_engine_host_code=True,
        )  # fmt: skip
        timed = TimedEngine(engine, self.backend.name, options)
        return time_in_processes(timed, folder, processes=processes, progress=progress).gpu

    def _network_model(self) -> Path:
        converted = self.run / CONVERTED_ONNX
        return converted if converted.is_file() else self.model

    def _takes_pins(self) -> bool:
        """Whether layers can be held to FP32: by constraints, or by leaving them out of a conversion."""
        return not converts_model(self.backend, self.options) or asks_conversion(self.options)

    def _options(self, change: Change) -> BuildOptions:
        """The dump's options with the pins behind its own constraints, which they overrule."""
        if not change.pins:
            return self.options
        given = self.options
        pins = {**given.layer_precision, **dict.fromkeys(change.pins, "fp32")}
        if converts_model(self.backend, given):
            return replace(given, layer_precision=pins)
        if given.precision_constraints in (None, "none") and not (given.layer_precision or given.plan):
            given = replace(given, layer_precisions={}, layer_output_types={})  # they did nothing so far
        return replace(given, layer_precision=pins, precision_constraints="obey")


def timing_cache_of(run: Path, options: BuildOptions) -> BuildOptions:
    """The options with the timing cache that a dump's builds shared, so that what is not changed keeps its tactics."""
    own, named = run / TIMING_CACHE, options.timing_cache_file
    return replace(
        options, timing_cache_file=named if named is not None and named.is_file() and not own.is_file() else own
    )


def can_exclude_tactics(backend: Backend) -> bool:
    """Whether the release lets a builder be told which tactics not to run: 8.x to 10.x."""
    return backend.has("IAlgorithmSelector") and backend.has("IBuilderConfig.algorithm_selector")


def make_selector(backend: Backend, excluded: Sequence[tuple[str, int]]) -> Any:
    """An IAlgorithmSelector that leaves tactics of layers out, and all others to the builder.

    Raises:
        TrtlensError: the release has none.

    """
    if not can_exclude_tactics(backend):
        raise TrtlensError(
            f"{backend.name} {backend.version_text} cannot leave tactics out: it has no algorithm selector"
        )
    forbidden = {(layer, tactic % _TACTIC_BITS) for layer, tactic in excluded}
    interface: Any = backend.trt.IAlgorithmSelector

    class Selector(interface):  # type: ignore[misc]
        """Asked for each layer which of its algorithms may be timed."""

        def __init__(self) -> None:
            interface.__init__(self)  # pybind11 refuses an object whose base was not initialised

        def select_algorithms(self, context: Any, choices: Any) -> list[int]:
            """All but the forbidden ones; a layer that has no other keeps it, since an empty answer fails the build."""
            kept = [
                place
                for place, choice in enumerate(choices)
                if (context.name, choice.algorithm_variant.tactic % _TACTIC_BITS) not in forbidden
            ]
            return kept or list(range(len(choices)))

        def report_algorithms(self, contexts: Any, choices: Any) -> None:
            """Nothing is kept of what was chosen: the engine tells."""

    return Selector()
