"""Builds that differ from a finished one in nothing but what is handed out; they share its timing cache and converter.

The log, the layers and the engine of each lie in a folder of their own under `marked/` in the run.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import trtlens.capture.building.network as networks
from trtlens.capture.building.compilation import Compilation
from trtlens.capture.building.layer_precision import converts_model
from trtlens.capture.building.logger import LogFile, capturing, process_logger
from trtlens.capture.progress import Cancellation
from trtlens.capture.recorder import CONVERTED_ONNX, ENGINE, LAYERS_JSON, VERBOSE_LOG, create_recorder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from trtlens.capture.building.engine_build import BuiltRun
    from trtlens.capture.options.build_options import BuildOptions
    from trtlens.capture.progress import Progress

MARKED_FOLDER = "marked"


@dataclass(frozen=True, slots=True)
class MarkedEngine:
    """A marked engine in its folder, and its layers as the inspector's JSON."""

    folder: Path
    engine_path: Path
    layers: str


class _MarkedCompilation(Compilation):
    """A build whose network is marked once it was read."""

    mark: Callable[[Any], None]

    def _compile(self, builder: Any, network: Any) -> None:
        self.mark(network)
        super()._compile(builder, network)


def read_network(built: BuiltRun, model: Path) -> tuple[Any, Any]:
    """The network that the run was built from, with the builder that must outlive it.

    Raises CaptureError where TensorRT cannot read the model.
    """
    backend, logger = built.backend, process_logger(built.backend.trt)
    converted = built.recorder.path(CONVERTED_ONNX)
    builder = backend.trt.Builder(logger)
    networks.load_plugins(backend, builder, logger, built.options.plugins)
    network = networks.create_network(backend, builder, strongly_typed=converts_model(backend, built.options))
    networks.parse_onnx(backend, network, logger, converted if converted.is_file() else model)
    return builder, network


def build_marked(
    built: BuiltRun,
    model: Path,
    number: int,
    mark: Callable[[Any], None],
    *,
    options: BuildOptions,
    progress: Progress,
) -> MarkedEngine:
    """Build the model once more with its network marked by `mark`.

    The build runs in this thread, so Ctrl-C takes effect when it is done. Raises CaptureError where TensorRT fails.
    """
    backend = built.backend
    folder = built.folder / MARKED_FOLDER / str(number)
    recorder = create_recorder(folder, {"kind": "marked"}, force=True)
    logger, log = process_logger(backend.trt), LogFile(recorder.path(VERBOSE_LOG))
    work = _MarkedCompilation(backend, logger, model, options, recorder, progress, Cancellation())
    work.mark = mark
    try:
        with capturing(logger, log), warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # releases before 11.0 warn of what they still need
            work.run()
    finally:
        log.close()
    recorder.finish("done")
    layers = recorder.path(LAYERS_JSON)
    text = layers.read_bytes().decode("utf-8", "replace") if layers.is_file() else ""
    return MarkedEngine(recorder.folder, recorder.path(ENGINE), text)
