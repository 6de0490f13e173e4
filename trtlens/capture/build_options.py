"""What a build is asked for: one record, made from flags by trtexec's names or ours."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from trtlens.capture.spelling import (
    HARDWARE_LEVELS,
    PROFILING_VERBOSITIES,
    IoFormat,
    Shape,
    parse_io_formats,
    parse_layer_output_types,
    parse_layer_precision,
    parse_layer_precisions,
    parse_memory_pools,
    parse_paths,
    parse_preview_features,
    parse_shapes,
    parse_sparsity,
    parse_tactic_sources,
    parser_of_choice,
    parser_of_integer,
)
from trtlens.errors import TrtlensError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["BuildOptions", "IoFormat", "Shape", "option_name", "parse_options"]

Constraints = Literal["none", "obey", "prefer"]


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """Everything that decides what is built; the defaults are TensorRT's own, but for `profiling_verbosity`.

    Switches and numbers are named as trtexec's flags. Shapes are by input name; `memory_pools` is in bytes; `layer_precision` maps a pattern over layer names, ONNX node
    names or ONNX operator types to a type; `plan` is a file of `trtlens plan`. `int8_ranges="dummy"` gives every tensor the range that trtexec makes up:
    such an engine is good for timing alone.
    """

    fp16: bool = False
    bf16: bool = False
    int8: bool = False
    fp8: bool = False
    int4: bool = False
    best: bool = False
    no_tf32: bool = False
    strongly_typed: bool = False
    shapes: Mapping[str, Shape] = field(default_factory=dict)
    min_shapes: Mapping[str, Shape] = field(default_factory=dict)
    opt_shapes: Mapping[str, Shape] = field(default_factory=dict)
    max_shapes: Mapping[str, Shape] = field(default_factory=dict)
    memory_pools: Mapping[str, int] = field(default_factory=dict)
    tactic_sources: tuple[str, ...] = ()
    builder_optimization_level: int | None = None
    timing_cache_file: Path | None = None
    sparsity: Literal["disable", "enable"] = "disable"
    version_compatible: bool = False
    hardware_compatibility_level: str = "none"
    layer_precisions: Mapping[str, str] = field(default_factory=dict)
    layer_output_types: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    layer_precision: Mapping[str, str] = field(default_factory=dict)
    precision_constraints: Constraints | None = None
    plan: Path | None = None
    plugins: tuple[Path, ...] = ()
    calibration_data: Path | None = None
    calibration_method: Literal["entropy", "minmax"] = "entropy"
    calib: Path | None = None
    int8_ranges: Literal["dummy"] | None = None
    input_io_formats: tuple[IoFormat, ...] = ()
    output_io_formats: tuple[IoFormat, ...] = ()
    max_aux_streams: int | None = None
    avg_timing: int | None = None
    min_timing: int | None = None
    max_tactics: int | None = None
    l2_limit_for_tiling: int | None = None
    tiling_optimization_level: int | None = None
    profiling_verbosity: str = "detailed"
    refit: bool = False
    direct_io: bool = False
    exclude_lean_runtime: bool = False
    heuristic: bool = False
    no_builder_cache: bool = False
    no_compilation_cache: bool = False
    error_on_timing_cache_miss: bool = False
    allow_weight_streaming: bool = False
    monitor_memory: bool = False
    restricted: bool = False
    distributive_independence: bool = False
    use_dla_core: int | None = None
    allow_gpu_fallback: bool = False
    preview: tuple[str, ...] = ()
    plugin_instance_norm: bool = False
    enable_plugin_override: bool = False
    uint8_asymmetric_quantization_dla: bool = False
    report_capability_dla: bool = False
    adjust_for_dla: bool = False
    set_plugins_to_serialize: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what no TensorRT could build, before anything is started."""
        ranges = [bool(shapes) for shapes in (self.min_shapes, self.opt_shapes, self.max_shapes)]
        if any(ranges) and not (all(ranges) or ranges == [False, True, False]):
            raise TrtlensError("give --optShapes alone, or all of --minShapes, --optShapes and --maxShapes")
        if self.int8 and self.fp8:
            raise TrtlensError("--int8 and --fp8 exclude each other: choose one")
        if self.int8_ranges == "dummy" and self.calibration_data is not None:
            raise TrtlensError("--int8-ranges dummy and calibration data exclude each other: choose one")

    @property
    def wants_int8(self) -> bool:
        """Whether INT8 was asked for by name or through `--best`."""
        return self.int8 or self.best

    def given(self) -> dict[str, Any]:
        """The options that differ from the defaults, as JSON values, for the record of the run."""
        default = BuildOptions()
        return {
            option.name: _jsonable(value)
            for option in fields(self)
            if (value := getattr(self, option.name)) != getattr(default, option.name)
        }


def _jsonable(value: object) -> object:
    if isinstance(value, IoFormat):
        return ":".join(filter(None, (value.precision, "+".join(value.layouts))))
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple) and value and all(isinstance(item, int) for item in value):
        return "x".join(str(item) for item in value)
    if isinstance(value, tuple | list):
        return [_jsonable(item) for item in value]
    if hasattr(value, "items"):
        return {name: _jsonable(item) for name, item in value.items()}
    return value


def parse_options(flags: Mapping[str, Any]) -> BuildOptions:
    """Options from flags as they were typed, by trtexec's name or ours: `minShapes` and `min-shapes` are one.

    A value may also be what the option holds already. Raises TrtlensError for a name or a value that is not understood.
    """
    known = {option.name for option in fields(BuildOptions)}
    values: dict[str, Any] = {}
    for flag, value in flags.items():
        name = option_name(flag)
        if name not in known:
            raise TrtlensError(f"unknown build option --{flag}")
        if value is not None:
            values[name] = _read_value(name, value)
    return BuildOptions(**{**values, **_planned(values)})


def restored_options(given: Mapping[str, Any]) -> BuildOptions:
    """The options whose `given` stands in the record of a run.

    Raises:
        TrtlensError: it holds what is no option, or no value of one.

    """
    try:
        return parse_options({name: _restored(name, value) for name, value in given.items()})
    except (ValueError, TypeError, AttributeError) as error:
        raise TrtlensError(f"the record of the run's flags cannot be read ({error}): dump the model again") from error


def _restored(name: str, value: Any) -> object:
    if name in ("shapes", "min_shapes", "opt_shapes", "max_shapes"):
        return {key: tuple(map(int, shape.split("x"))) if shape else () for key, shape in value.items()}
    if name == "layer_output_types":
        return {key: tuple(types) for key, types in value.items()}
    return value


def _planned(values: Mapping[str, Any]) -> dict[str, Any]:
    """The precision that a plan needs; raises TrtlensError where the file is none, or another precision is asked for."""
    if values.get("plan") is None:
        return {}
    from trtlens.plan.document import read_plan  # noqa: PLC0415  most builds have none

    low_type = read_plan(values["plan"]).low_type
    other = next(
        (name for name in ("fp16", "bf16", "int8", "fp8", "best") if values.get(name) and name != low_type), None
    )
    if other is not None:
        raise TrtlensError(
            f"--plan {values['plan']} is a plan in {low_type}, which --{other} contradicts: leave one of them out"
        )
    return {low_type: True}


def _read_value(name: str, value: object) -> object:
    """A flag that was given several times comes as a list of texts: one list to trtexec as well."""
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        if name == "layer_precision":  # a regular expression may hold commas
            return {pattern: kind for item in value for pattern, kind in parse_layer_precision(item).items()}
        value = ",".join(value)
    return _PARSERS[name](value) if isinstance(value, str) and name in _PARSERS else value


_ALIASES = {
    "mem_pool_size": "memory_pools",
    "input_ioformats": "input_io_formats",
    "output_ioformats": "output_io_formats",
    "static_plugins": "plugins",
    "dynamic_plugins": "plugins",
    "use_dlacore": "use_dla_core",
    "allow_gpufallback": "allow_gpu_fallback",
}


def option_name(flag: str) -> str:
    """The option that a flag sets, by trtexec's name, in kebab case or as it is."""
    text = flag.lstrip("-").replace("-", "_")
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text).lower()
    return _ALIASES.get(snake, snake)


_PARSERS: dict[str, Callable[[str], object]] = {
    "shapes": parse_shapes,
    "min_shapes": lambda text: parse_shapes(text, "minShapes"),
    "opt_shapes": lambda text: parse_shapes(text, "optShapes"),
    "max_shapes": lambda text: parse_shapes(text, "maxShapes"),
    "memory_pools": parse_memory_pools,
    "tactic_sources": parse_tactic_sources,
    "builder_optimization_level": parser_of_integer("builderOptimizationLevel"),
    "timing_cache_file": Path,
    "sparsity": parse_sparsity,
    "hardware_compatibility_level": parser_of_choice("hardwareCompatibilityLevel", HARDWARE_LEVELS),
    "layer_precisions": parse_layer_precisions,
    "layer_output_types": parse_layer_output_types,
    "layer_precision": parse_layer_precision,
    "precision_constraints": parser_of_choice("precisionConstraints", ("none", "obey", "prefer")),
    "plan": Path,
    "plugins": parse_paths,
    "calibration_data": Path,
    "calibration_method": parser_of_choice("calibration-method", ("entropy", "minmax")),
    "calib": Path,
    "int8_ranges": parser_of_choice("int8-ranges", ("dummy",)),
    "input_io_formats": parse_io_formats,
    "output_io_formats": lambda text: parse_io_formats(text, "outputIOFormats"),
    "max_aux_streams": parser_of_integer("maxAuxStreams"),
    "avg_timing": parser_of_integer("avgTiming"),
    "min_timing": parser_of_integer("minTiming"),
    "max_tactics": parser_of_integer("maxTactics"),
    "l2_limit_for_tiling": parser_of_integer("l2LimitForTiling"),
    "tiling_optimization_level": parser_of_integer("tilingOptimizationLevel"),
    "profiling_verbosity": parser_of_choice("profilingVerbosity", PROFILING_VERBOSITIES),
    "use_dla_core": parser_of_integer("useDLACore"),
    "preview": parse_preview_features,
    "set_plugins_to_serialize": parse_paths,
}
