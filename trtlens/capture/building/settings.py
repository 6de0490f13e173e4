"""The builder configuration: each option of a build to the member of `IBuilderConfig` that means it in this release.

Profiling verbosity is DETAILED unless another is asked for: without it the engine cannot say which kernel and which type
each layer got. An option that a release lacks is refused by name (`hasattr`, never a version number).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trtlens.capture.build_options import option_name
from trtlens.capture.spelling import PREVIEW_FEATURES
from trtlens.errors import CaptureError, TrtlensError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trtlens.capture.backends.backend import Backend
    from trtlens.capture.build_options import BuildOptions

_POOLS = {
    "workspace": "WORKSPACE",
    "dlaSRAM": "DLA_MANAGED_SRAM",
    "dlaLocalDRAM": "DLA_LOCAL_DRAM",
    "dlaGlobalDRAM": "DLA_GLOBAL_DRAM",
    "tacticSharedMem": "TACTIC_SHARED_MEMORY",
}
_HARDWARE = {"none": "NONE", "ampere+": "AMPERE_PLUS", "sameComputeCapability": "SAME_COMPUTE_CAPABILITY"}


_SWITCHES = {
    "versionCompatible": "VERSION_COMPATIBLE",
    "refit": "REFIT",
    "directIO": "DIRECT_IO",
    "excludeLeanRuntime": "EXCLUDE_LEAN_RUNTIME",
    "heuristic": "ENABLE_TACTIC_HEURISTIC",
    "noBuilderCache": "DISABLE_TIMING_CACHE",
    "noCompilationCache": "DISABLE_COMPILATION_CACHE",
    "errorOnTimingCacheMiss": "ERROR_ON_TIMING_CACHE_MISS",
    "allowWeightStreaming": "WEIGHT_STREAMING",
    "monitorMemory": "MONITOR_MEMORY",
    "restricted": "SAFETY_SCOPE",
    "distributiveIndependence": "DISTRIBUTIVE_INDEPENDENCE",
    "allowGPUFallback": "GPU_FALLBACK",
}
"""The builder flag that a switch sets."""
_NUMBERS = {
    "builderOptimizationLevel": "builder_optimization_level",
    "maxAuxStreams": "max_aux_streams",
    "avgTiming": "avg_timing_iterations",
    "minTiming": "min_timing_iterations",
    "maxTactics": "max_num_tactics",
    "l2LimitForTiling": "l2_limit_for_tiling",
    "useDLACore": "DLA_core",
}
"""The member of the configuration that a number is given to."""
_PARSER_SWITCHES = {
    "pluginInstanceNorm": "NATIVE_INSTANCENORM",
    "enablePluginOverride": "ENABLE_PLUGIN_OVERRIDE",
    "uint8AsymmetricQuantizationDLA": "ENABLE_UINT8_AND_ASYMMETRIC_QUANTIZATION_DLA",
    "reportCapabilityDLA": "REPORT_CAPABILITY_DLA",
    "adjustForDLA": "ADJUST_FOR_DLA",
}
"""The flag of the ONNX parser that a switch sets; the first one clears it."""
_TILING_LEVELS = ("NONE", "FAST", "MODERATE", "FULL")


def _given(options: BuildOptions, flag: str) -> Any:
    """The value of the option that a flag sets, None where it is not given."""
    value = getattr(options, option_name(flag))
    return None if value is False else value


def _needs(options: BuildOptions) -> Iterator[tuple[str, str]]:
    """What of the library each option needs, with the flag as it is typed."""
    if options.strongly_typed:
        yield "NetworkDefinitionCreationFlag.STRONGLY_TYPED", "stronglyTyped"
    if options.sparsity == "enable":
        yield "BuilderFlag.SPARSE_WEIGHTS", "sparsity"
    yield from ((f"BuilderFlag.{member}", flag) for flag, member in _SWITCHES.items() if _given(options, flag))
    yield from (
        (f"IBuilderConfig.{name}", flag) for flag, name in _NUMBERS.items() if _given(options, flag) is not None
    )
    if options.tiling_optimization_level is not None:
        yield f"TilingOptimizationLevel.{_tiling(options)}", "tilingOptimizationLevel"
    yield f"HardwareCompatibilityLevel.{_HARDWARE[options.hardware_compatibility_level]}", "hardwareCompatibilityLevel"
    yield from ((f"MemoryPoolType.{_POOLS[pool]}", f"memPoolSize={pool}") for pool in options.memory_pools)
    # switching off a source that is gone (cuDNN in 11.0) needs nothing
    wanted = (source for source in options.tactic_sources if source[0] != "-")
    yield from ((f"TacticSource.{source.lstrip('+')}", f"tacticSources={source}") for source in wanted)
    yield from ((f"PreviewFeature.{PREVIEW_FEATURES[name[1:]]}", f"preview={name}") for name in options.preview)
    yield from (
        (f"OnnxParserFlag.{member}", flag) for flag, member in _PARSER_SWITCHES.items() if _given(options, flag)
    )


def _tiling(options: BuildOptions) -> str:
    level = options.tiling_optimization_level or 0
    if level >= len(_TILING_LEVELS):
        raise TrtlensError(f"--tilingOptimizationLevel: {level} is not from 0 to {len(_TILING_LEVELS) - 1}")
    return _TILING_LEVELS[level]


def check_supported(backend: Backend, options: BuildOptions) -> None:
    """Raise TrtlensError for an option that this release cannot honour, before a run is started."""
    if options.use_dla_core is not None and not (options.fp16 or options.wants_int8 or options.strongly_typed):
        raise TrtlensError("DLA computes in FP16 and INT8 alone: give --fp16, --int8 or --best with --useDLACore")
    needs = list(_needs(options))
    if backend.has_precision_flags and not options.strongly_typed:
        precisions = ("fp16", "bf16", "int8", "fp8", "int4")
        needs += [(f"BuilderFlag.{name.upper()}", name) for name in precisions if getattr(options, name)]
    for path, flag in needs:
        if not backend.has(path):
            raise TrtlensError(
                f"{backend.name} {backend.version_text} does not know --{flag} ({path} is not in it): leave it out"
            )


def configure(backend: Backend, config: Any, options: BuildOptions) -> None:
    """Set everything but precisions, profiles and the timing cache."""
    trt = backend.trt
    config.profiling_verbosity = getattr(trt.ProfilingVerbosity, options.profiling_verbosity.upper())
    if options.no_tf32:
        config.clear_flag(trt.BuilderFlag.TF32)
    for member in _builder_flags(options):
        config.set_flag(getattr(trt.BuilderFlag, member))
    if options.use_dla_core is not None:
        config.default_device_type = trt.DeviceType.DLA
    for flag, name in _NUMBERS.items():
        if (value := _given(options, flag)) is not None:
            setattr(config, name, value)
    for pool, size in options.memory_pools.items():
        config.set_memory_pool_limit(getattr(trt.MemoryPoolType, _POOLS[pool]), size)
    _configure_choices(backend, config, options)


def _builder_flags(options: BuildOptions) -> Iterator[str]:
    if options.sparsity == "enable":
        yield "SPARSE_WEIGHTS"
    yield from (member for flag, member in _SWITCHES.items() if _given(options, flag))


def _configure_choices(backend: Backend, config: Any, options: BuildOptions) -> None:
    """Set what is one of several members, or a set of them."""
    trt = backend.trt
    if options.tiling_optimization_level is not None:
        config.tiling_optimization_level = getattr(trt.TilingOptimizationLevel, _tiling(options))
    if options.hardware_compatibility_level != "none":
        level = _HARDWARE[options.hardware_compatibility_level]
        config.hardware_compatibility_level = getattr(trt.HardwareCompatibilityLevel, level)
    if options.tactic_sources:
        _set_tactic_sources(backend, config, options.tactic_sources)
    for name in options.preview:
        config.set_preview_feature(getattr(trt.PreviewFeature, PREVIEW_FEATURES[name[1:]]), name[0] == "+")
    if options.set_plugins_to_serialize:
        config.plugins_to_serialize = [str(path) for path in options.set_plugins_to_serialize]


def _set_tactic_sources(backend: Backend, config: Any, sources: tuple[str, ...]) -> None:
    """Signed names change the default set, bare names replace it."""
    chosen = int(config.get_tactic_sources()) if sources[0][0] in "+-" else 0
    for source in sources:
        member = backend.find(f"TacticSource.{source.lstrip('+-')}")
        if member is None:
            continue
        bit = 1 << int(member)
        chosen = chosen & ~bit if source.startswith("-") else chosen | bit
    if not config.set_tactic_sources(chosen):
        raise CaptureError(f"TensorRT refuses the tactic sources {', '.join(sources)}: try --tacticSources with fewer")


def configure_parser(backend: Backend, parser: Any, options: BuildOptions) -> None:
    """Set the flags of the ONNX parser that were asked for."""
    for flag, member in _PARSER_SWITCHES.items():
        if _given(options, flag):
            change = parser.clear_flag if flag == "pluginInstanceNorm" else parser.set_flag
            change(getattr(backend.trt.OnnxParserFlag, member))


def check_dla(backend: Backend, builder: Any, options: BuildOptions) -> None:
    """Raise TrtlensError for a DLA core that this machine does not have."""
    core, cores = options.use_dla_core, builder.num_DLA_cores if options.use_dla_core is not None else 0
    if core is not None and core >= cores:
        found = f"the cores from 0 to {cores - 1}" if cores else "no DLA"
        raise TrtlensError(f"--useDLACore={core}: {backend.name} finds {found} here: leave it out")
