"""One build from model to serialized engine, stage by stage, in the thread that TensorRT works in.

Each stage writes what it made into the run before the next one starts, and none starts once the build was cancelled:
an engine that is finished after that is discarded.

A marked build differs from a finished one in its outputs and debug tensors alone, and shares its timing cache; log, layers
and engine lie in a folder of their own under `marked/` in the run.
"""

from __future__ import annotations

import time
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import trtlens.capture.building.network as networks
from trtlens.capture.building import configuration, settings
from trtlens.capture.building import layer_precision as precision
from trtlens.capture.building.inspection import inspect_engine, load_engine, require_gpu
from trtlens.capture.building.layer_precision import converts_model
from trtlens.capture.building.logger import LogFile, capturing, last_errors, process_logger
from trtlens.capture.models.calibration import (
    BatchFeed,
    CalibrationCache,
    InputSpec,
    load_calibration_data,
    make_calibrator,
    usable_cache,
)
from trtlens.capture.models.convert import asks_conversion, convert_model
from trtlens.capture.models.model import hash_identity, identify_model, is_engine, operator_types
from trtlens.capture.planning.typed_model import check_planned, convert_as_planned
from trtlens.capture.progress import Cancellation, make_monitor
from trtlens.capture.recorder import (
    CALIBRATION_CACHE,
    ENGINE,
    LAYERS_JSON,
    PLAN_JSON,
    VERBOSE_LOG,
    create_recorder,
)
from trtlens.errors import CaptureError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from trtlens.capture.backends.backend import Backend
    from trtlens.capture.build_options import BuildOptions
    from trtlens.capture.building.configuration import ProfilePlan
    from trtlens.capture.progress import Progress
    from trtlens.capture.recorder import Recorder


class CancelledBuild(Exception):  # noqa: N818  it is no error, and never leaves this module
    """The build was asked to stop, and did."""


@dataclass(slots=True)
class Compilation:
    """State of one build; `plan` is known once the network was read, `building` set once the builder is at work."""

    backend: Backend
    logger: Any
    model: Path
    options: BuildOptions
    recorder: Recorder
    progress: Progress
    cancellation: Cancellation
    plan: ProfilePlan = field(default_factory=lambda: configuration.ProfilePlan((), {}, ()))
    building: bool = False
    _identity: dict[str, Any] = field(default_factory=dict)
    _feed: BatchFeed | None = None
    _origin: dict[str, str | None] = field(default_factory=dict)

    def run(self) -> None:
        """Make, or take, the engine and ask it for its layers; raises CaptureError, TrtlensError or CancelledBuild."""
        with self._stage("Hashing the model", "hash_s"):
            self._identity = identify_model(self.model)
            self.recorder.update(model=self._identity)
        if self.options.plan is not None:
            check_planned(self.options.plan, self.model, self._identity)
            self.recorder.write(PLAN_JSON, self.options.plan.read_bytes())
        if is_engine(self.model):
            self.recorder.write(ENGINE, self.model.read_bytes())
        else:
            try:
                self._build()
            finally:
                if self._feed is not None:
                    self._feed.release()
        with self._stage("Inspecting the engine", "inspect_s"):
            self._inspect()

    @contextmanager
    def _stage(self, phase: str, time_name: str) -> Iterator[None]:
        self._check_cancelled()
        self.progress(phase, None, None, "")
        started = time.monotonic()
        yield
        self._check_cancelled()
        self.recorder.add_time(time_name, time.monotonic() - started)

    def _check_cancelled(self) -> None:
        if self.cancellation.cancelled:
            raise CancelledBuild

    def _build(self) -> None:
        model = self.model
        if precision.converts_model(self.backend, self.options) and asks_conversion(self.options):
            with self._stage("Converting the model", "convert_s"):
                convert = convert_model if self.options.plan is None else convert_as_planned
                model = convert(self.model, self.options, self.recorder)
        builder = self._create_builder()
        settings.check_dla(self.backend, builder, self.options)
        networks.load_plugins(self.backend, builder, self.logger, self.options.plugins)
        with self._stage("Parsing the model", "parse_s"):
            strongly_typed = precision.converts_model(self.backend, self.options)
            network = networks.create_network(self.backend, builder, strongly_typed=strongly_typed)
            networks.parse_onnx(self.backend, network, self.logger, model, self.options)
        self._compile(builder, network)

    def _create_builder(self) -> Any:
        """A builder; where there is no GPU it is not even asked for, unless it can do without."""
        if not self.backend.is_rtx:
            require_gpu(self.backend, f"building with {self.backend.name}")
        try:
            return self.backend.trt.Builder(self.logger)
        except (TypeError, RuntimeError) as error:  # pybind11's way to say that the factory returned nothing
            raise CaptureError(f"{self.backend.name} makes no builder: {last_errors(self.logger)}") from error

    def _compile(self, builder: Any, network: Any) -> None:
        config = self._create_config(builder)
        networks.set_io_formats(self.backend, network, self.options.input_io_formats, self.options.output_io_formats)
        self.plan = configuration.plan_profile(network, self.options)
        self._note(*self.plan.notes)
        configuration.add_profile(builder, config, self.plan)
        calibrator = self._set_precisions(builder, network, config)
        monitor = None
        if hasattr(config, "progress_monitor") and self.backend.has("IProgressMonitor"):
            monitor = config.progress_monitor = make_monitor(self.backend.trt, self.progress, self.cancellation)
        keeps_cache = configuration.load_timing_cache(self.backend, config, self.options, self.recorder)
        self.building = True
        with self._stage("Building the engine", "build_s"):
            serialized = builder.build_serialized_network(network, config)
            self._check_cancelled()
        del monitor  # until here, since TensorRT holds no reference to it
        if serialized is None:
            raise CaptureError(f"{self.backend.name} cannot build the engine: {last_errors(self.logger)}")
        self.recorder.write(ENGINE, memoryview(serialized))
        if keeps_cache:
            configuration.save_timing_cache(config, self.options)
        self._keep_calibration(calibrator)

    def _create_config(self, builder: Any) -> Any:
        config = builder.create_builder_config()
        settings.configure(self.backend, config, self.options)
        return config

    def _set_precisions(self, builder: Any, network: Any, config: Any) -> Any:
        """Flags, ranges and constraints; returns the calibrator, which must live as long as the build."""
        operators = operator_types(self.model) if self.options.layer_precision else {}
        constraints = precision.apply_constraints(self.backend, network, config, self.options, operators)
        self._note(*constraints)
        if networks.is_strongly_typed(self.backend, network):
            return None
        int8 = precision.plan_int8(self.backend, network, self.options) if self.options.wants_int8 else None
        self.recorder.update(precision_flags=precision.set_precision_flags(self.backend, config, self.options, int8))
        if int8 is None:
            return None
        self._note(*[note for note in (int8.note,) if note])
        if int8.source == "dummy":
            self.recorder.update(int8_ranges="dummy")
            precision.set_dummy_ranges(self.backend, network)
        return self._set_calibrator(builder, network, config) if int8.source == "calibration" else None

    def _set_calibrator(self, builder: Any, network: Any, config: Any) -> Any:
        from trtlens.capture.backends.cuda import load_cuda  # noqa: PLC0415  only calibration copies to the GPU here

        method, path = self.options.calibration_method, self.options.calibration_data
        data = None if path is None else load_calibration_data(path)
        model, data_hash = hash_identity(self._identity), None if data is None else data.sha256
        self._origin = {"model": model, "data": data_hash, "method": method}
        cache = usable_cache(self.options, self._origin, self.recorder)
        batches: list[dict[str, Any]] = []
        if data is not None and cache is None:
            batches, notes = data.batches(list(self._input_specs(network)))
            self._note(*notes, f"INT8 ranges come from {len(batches)} calibration batches ({method})")
        self._feed = BatchFeed(batches, load_cuda(), self.cancellation)
        calibrator = make_calibrator(self.backend.trt, method, self._feed, cache)
        config.int8_calibrator = calibrator
        if self.plan.ranges:
            config.set_calibration_profile(configuration.calibration_profile(builder, self.plan))
        if cache is not None:
            self.recorder.write(CALIBRATION_CACHE, cache)
        return calibrator

    def _input_specs(self, network: Any) -> Iterator[InputSpec]:
        import numpy as np  # noqa: PLC0415

        for tensor in networks.network_inputs(network):
            shape = self.plan.run_shapes.get(tensor.name, tuple(tensor.shape))
            optimum = next((wanted.optimum for wanted in self.plan.ranges if wanted.name == tensor.name), shape)
            yield InputSpec(tensor.name, optimum, np.dtype(self.backend.trt.nptype(tensor.dtype)))

    def _keep_calibration(self, calibrator: Any) -> None:
        if calibrator is None or calibrator.written is None:
            return
        self.recorder.write(CALIBRATION_CACHE, calibrator.written)
        if self.options.calib is not None:
            CalibrationCache(self.options.calib).write(calibrator.written, self._origin)

    def _inspect(self) -> None:
        if not self.backend.can_run:
            self._note(
                "there is no layers.json: the engine cannot be loaded without a GPU; its layers are in verbose.log"
            )
            return
        options = self.options
        try:
            engine = load_engine(self.backend, self.recorder.path(ENGINE), options)
            self.recorder.write(LAYERS_JSON, inspect_engine(self.backend, engine, self.plan.run_shapes))
        except CaptureError as error:
            if is_engine(self.model):
                raise
            self._note(f"there is no layers.json: {error.message}")  # such as an engine for another kind of GPU

    def _note(self, *sentences: str) -> None:
        for sentence in sentences:
            self.recorder.note(sentence)


# -- builds with marked tensors ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MarkedEngine:
    """A marked engine, and its layers as the inspector's JSON."""

    engine_path: Path
    layers: str


class _MarkedCompilation(Compilation):
    """A build whose network is marked once it was read."""

    mark: Callable[[Any], None]
    selector: Any

    def _compile(self, builder: Any, network: Any) -> None:
        self.mark(network)
        super()._compile(builder, network)

    def _create_config(self, builder: Any) -> Any:
        config = super()._create_config(builder)
        if self.selector is not None:
            config.algorithm_selector = self.selector
        return config


def read_network(backend: Backend, model: Path, options: BuildOptions) -> tuple[Any, Any]:
    """The network of a model, which is converted already where it has to be, with the builder that must outlive it.

    Raises CaptureError where TensorRT cannot read the model.
    """
    logger = process_logger(backend.trt)
    builder = backend.trt.Builder(logger)
    networks.load_plugins(backend, builder, logger, options.plugins)
    network = networks.create_network(backend, builder, strongly_typed=converts_model(backend, options))
    networks.parse_onnx(backend, network, logger, model, options)
    return builder, network


def build_marked(
    backend: Backend,
    model: Path,
    folder: Path,
    mark: Callable[[Any], None],
    *,
    options: BuildOptions,
    progress: Progress,
    selector: Any = None,
) -> MarkedEngine:
    """Build a model into a folder with its network marked by `mark`; an algorithm selector chooses among tactics.

    The build runs in this thread, so Ctrl-C takes effect when it is done. Raises CaptureError where TensorRT fails.
    """
    recorder = create_recorder(folder, {"kind": "marked"}, force=True)
    logger, log = process_logger(backend.trt), LogFile(recorder.path(VERBOSE_LOG))
    work = _MarkedCompilation(backend, logger, model, options, recorder, progress, Cancellation())
    work.mark, work.selector = mark, selector
    try:
        with capturing(logger, log), warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # releases before 11.0 warn of what they still need
            work.run()
    finally:
        log.close()
    recorder.finish("done")
    layers = recorder.path(LAYERS_JSON)
    text = layers.read_bytes().decode("utf-8", "replace") if layers.is_file() else ""
    return MarkedEngine(recorder.path(ENGINE), text)
