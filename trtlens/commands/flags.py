"""Flags that several commands share, declared once: trtexec's spelling first, then the same in kebab case."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from trtlens.errors import TrtlensError

if TYPE_CHECKING:
    from collections.abc import Callable

    from trtlens.capture.models.inputs import InputRecipe


@dataclass(frozen=True, slots=True)
class Flag:
    """One option: ``kind`` is ``switch``, ``text``, ``texts`` (may be given several times), ``int`` or ``float``.

    One that is ``rare`` is understood, and not listed in the help; ``group`` is the section of the help that lists it.
    """

    name: str
    kind: str
    help: str
    default: Any = None
    rare: bool = False
    group: str | None = None

    @property
    def parameter(self) -> str:
        """The name in Python: ``min_shapes`` for ``minShapes``."""
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", self.name).replace("-", "_").lower()

    @property
    def spellings(self) -> tuple[str, ...]:
        """``--minShapes`` and ``--min-shapes``; one where both are the same."""
        return tuple(dict.fromkeys((f"--{self.name}", f"--{self.parameter.replace('_', '-')}")))

    def as_parameter(self) -> inspect.Parameter:
        """The parameter from which typer makes the option."""
        switch = self.kind == "switch"
        shown = not switch and self.default is not None
        option = typer.Option(
            *self.spellings, help=self.help, show_default=shown, hidden=self.rare, rich_help_panel=self.group
        )
        annotation: Any = bool if switch else Optional[_TYPES[self.kind]]  # noqa: UP045  typer, on Python 3.10
        default = False if switch else self.default
        return inspect.Parameter(
            self.parameter, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[annotation, option]
        )


def grouped(title: str, *flags: Flag) -> tuple[Flag, ...]:
    """The flags, those without a section of the help in this one."""
    return tuple(flag if flag.group else replace(flag, group=title) for flag in flags)


_TYPES: dict[str, Any] = {"text": str, "texts": list[str], "int": int, "float": float}

PRECISION_FLAGS = grouped(
    "Precision",
    Flag("fp16", "switch", "Allow FP16 (or convert the model to FP16 where TensorRT has no such flag)."),
    Flag("bf16", "switch", "Allow BF16, likewise."),
    Flag("int8", "switch", "Allow INT8; give --calib-data, --calib, a Q/DQ model or --int8-ranges dummy."),
    Flag("fp8", "switch", "Allow FP8."),
    Flag("int4", "switch", "Allow INT4 weights, of a model that is quantized to them."),
    Flag("best", "switch", "Allow every precision."),
    Flag("noTF32", "switch", "Do not compute FP32 in TF32."),
    Flag("stronglyTyped", "switch", "Build a strongly typed network."),
    Flag("precisionConstraints", "text", "none, obey or prefer."),
    Flag("layerPrecisions", "text", "Precision of layers: NAME:TYPE,..., as trtexec."),
    Flag("layerOutputTypes", "text", "Output types of layers: NAME:TYPE+TYPE,..., as trtexec."),
    Flag(
        "layer-precision",
        "texts",
        "GLOB=TYPE, or match:REGEX=TYPE, over layer names or ONNX operator types; may be given several times.",
    ),
    Flag("plan", "text", "A plan of `trtlens plan`: what it keeps in FP32 stays in FP32."),
)
SHAPE_FLAGS = grouped(
    "Shapes",
    Flag("minShapes", "text", "Smallest shapes of the optimization profile: input:1x3x224x224,..."),
    Flag("optShapes", "text", "Shapes to optimise for."),
    Flag("maxShapes", "text", "Largest shapes."),
)
RARE_BUILD_FLAGS = (
    Flag("minTiming", "int", "Measurements of each tactic at least (until TensorRT 9).", rare=True),
    Flag("tilingOptimizationLevel", "int", "0 to 3.", rare=True),
    Flag("l2LimitForTiling", "int", "Bytes of L2 cache that tiling may count on.", rare=True),
    Flag("refit", "switch", "Let the weights of the engine be exchanged.", rare=True),
    Flag("directIO", "switch", "Reformat no input and no output.", rare=True),
    Flag("excludeLeanRuntime", "switch", "Leave the runtime out of a version compatible engine.", rare=True),
    Flag("heuristic", "switch", "Choose tactics by a heuristic (until TensorRT 9).", rare=True),
    Flag("noBuilderCache", "switch", "Time without a timing cache.", rare=True),
    Flag("noCompilationCache", "switch", "Build without a compilation cache.", rare=True),
    Flag("errorOnTimingCacheMiss", "switch", "Fail where a tactic is not in the timing cache.", rare=True),
    Flag("allowWeightStreaming", "switch", "Build an engine that can stream its weights.", rare=True),
    Flag("monitorMemory", "switch", "Log the memory that the build takes.", rare=True),
    Flag("restricted", "switch", "Check that the network keeps to the safety scope.", rare=True),
    Flag(
        "distributiveIndependence", "switch", "Compute each sample of a batch independently of the others.", rare=True
    ),
    Flag("preview", "text", "Preview features: +NAME,-NAME,...", rare=True),
    Flag("pluginInstanceNorm", "switch", "Parse InstanceNorm as a plugin.", rare=True),
    Flag("enablePluginOverride", "switch", "Prefer plugins over ONNX operators of their name.", rare=True),
    Flag("uint8AsymmetricQuantizationDLA", "switch", "Parse UINT8 quantization for DLA.", rare=True),
    Flag("reportCapabilityDLA", "switch", "Check that DLA can run every node.", rare=True),
    Flag("adjustForDLA", "switch", "Rewrite layers so that DLA can run them.", rare=True),
    Flag("setPluginsToSerialize", "texts", "Plugin library to put into the engine.", rare=True),
)
BUILD_FLAGS = grouped(
    "Build",
    *PRECISION_FLAGS,
    *SHAPE_FLAGS,
    Flag("calib-data", "text", "Calibration data: an npz file or a folder of npy files."),
    Flag("calib-method", "text", "entropy or minmax.", "entropy"),
    Flag("calib", "text", "Calibration cache to read, and to write after calibrating."),
    Flag("int8-ranges", "text", "dummy: made-up ranges, good for timing alone."),
    Flag("memPoolSize", "texts", "Memory pools: workspace:1024,..., in MiB."),
    Flag("tacticSources", "text", "Tactic sources: -CUDNN,+CUBLAS,..."),
    Flag("builderOptimizationLevel", "int", "0 to 5."),
    Flag("timingCacheFile", "text", "Timing cache to read and write."),
    Flag("sparsity", "text", "disable or enable."),
    Flag("versionCompatible", "switch", "Build an engine that later TensorRT releases load."),
    Flag("hardwareCompatibilityLevel", "text", "none, ampere+ or sameComputeCapability."),
    Flag("maxAuxStreams", "int", "Auxiliary streams at most."),
    Flag("inputIOFormats", "text", "Types and formats of the inputs: fp16:hwc8,..."),
    Flag("outputIOFormats", "text", "Types and formats of the outputs."),
    Flag("plugins", "texts", "Plugin library; may be given several times."),
    Flag("avgTiming", "int", "Measurements of each tactic that are averaged; more make the choice steadier."),
    Flag("maxTactics", "int", "Tactics to time at most where there is a choice."),
    Flag("profilingVerbosity", "text", "detailed (default), layer_names_only or none: what the engine says of itself."),
    Flag("useDLACore", "int", "Run the layers on this DLA core."),
    Flag("allowGPUFallback", "switch", "Let the GPU run layers that DLA cannot."),
    *RARE_BUILD_FLAGS,
)
TIMING_FLAGS = grouped(
    "Timing",
    Flag("warmUp", "float", "Warm up for this long [ms].", 200.0),
    Flag("duration", "float", "Time for at least this long [s].", 3.0),
    Flag("iterations", "int", "Time at least this many inferences.", 10),
    Flag("useCudaGraph", "switch", "Run inferences from a CUDA graph."),
    Flag("seed", "int", "Seed of the random inputs.", 0),
    Flag("load-inputs", "text", "npz file with values by input name."),
    Flag("input", "texts", "NAME:LOW:HIGH, range of random values; may be given several times."),
    Flag("device", "int", "GPU.", 0),
    Flag("useProfile", "int", "Optimization profile of the engine, from 0; default: the first that holds the shapes."),
    Flag(
        "weightStreamingBudget", "text", "Weights that stay on the GPU: 512M, ...; of an engine that streams weights."
    ),
)
EXPORT_FLAGS = grouped(
    "Files, as trtexec writes them",
    Flag("saveEngine", "text", "Copy the engine to this file."),
    Flag("exportTimes", "text", "Write the time of each inference as trtexec's JSON."),
    Flag("exportProfile", "text", "Write the time of each layer as trtexec's JSON."),
    Flag("exportLayerInfo", "text", "Copy the inspector's JSON of the engine to this file."),
)
# Flags whose name in BuildOptions differs.
_BUILD_NAMES = {"calib_data": "calibration_data", "calib_method": "calibration_method"}


def build_values(given: dict[str, Any]) -> dict[str, Any]:
    """The given flags that decide the build, by their names in BuildOptions; what was not given is left out."""
    names = [flag.parameter for flag in BUILD_FLAGS]
    values = {_BUILD_NAMES.get(name, name): given.get(name) for name in names}
    return {name: value for name, value in values.items() if value or (value == 0 and value is not False)}


def recipe_of(flags: dict[str, Any]) -> InputRecipe:
    """Where the input values come from, by the flags `seed`, `load_inputs` and `input`."""
    from trtlens.capture.models.inputs import InputRecipe, parse_range  # noqa: PLC0415

    file = Path(flags["load_inputs"]) if flags["load_inputs"] else None
    return InputRecipe(seed=flags["seed"], ranges=dict(map(parse_range, flags["input"] or [])), file=file)


_SIZE = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)\s?([KMGT]?)(?:i?B)?", re.IGNORECASE)
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def parse_size(text: str, flag: str) -> int:
    """Bytes of a size such as 512M or 4G; raises TrtlensError for what is none."""
    match = _SIZE.fullmatch(text.strip())
    size = int(float(match[1]) * _UNITS[match[2].upper()]) if match else 0
    if size <= 0:
        raise TrtlensError(f"--{flag} {text!r} is not a size such as 512M or 4G")
    return size


def with_flags(function: Callable[..., None], *flags: Flag) -> Callable[..., None]:
    """The function as typer shall see it: its own parameters, then one option for each flag, passed as keywords."""
    own = inspect.signature(function, eval_str=True)
    kept = [p for p in own.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
    signature = own.replace(parameters=[*kept, *(flag.as_parameter() for flag in flags)])

    def command(**values: Any) -> None:
        function(**values)

    command.__signature__ = signature  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in signature.parameters.values()}
    command.__name__, command.__doc__ = function.__name__, function.__doc__
    return command
