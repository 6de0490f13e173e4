"""The builder configuration: each option of a build to the member of `IBuilderConfig` that means it in this release.

Profiling verbosity is always DETAILED: without it the engine cannot say which kernel and which type each layer got.
An option that a release lacks is refused by name (`hasattr`, never a version number).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trtlens.capture.recorder import write_whole
from trtlens.errors import CaptureError, TrtlensError, reason
from trtlens.runs.folders import regular_mode

if TYPE_CHECKING:
    from trtlens.capture.backends.backend import Backend
    from trtlens.capture.options.build_options import BuildOptions
    from trtlens.capture.recorder import Recorder

_POOLS = {
    "workspace": "WORKSPACE",
    "dlaSRAM": "DLA_MANAGED_SRAM",
    "dlaLocalDRAM": "DLA_LOCAL_DRAM",
    "dlaGlobalDRAM": "DLA_GLOBAL_DRAM",
    "tacticSharedMem": "TACTIC_SHARED_MEMORY",
}
_HARDWARE = {"none": "NONE", "ampere+": "AMPERE_PLUS", "sameComputeCapability": "SAME_COMPUTE_CAPABILITY"}


def check_supported(backend: Backend, options: BuildOptions) -> None:
    """Raise TrtlensError for an option that this release cannot honour, before a run is started."""
    needs = [
        (options.strongly_typed, "NetworkDefinitionCreationFlag.STRONGLY_TYPED", "--stronglyTyped"),
        (options.version_compatible, "BuilderFlag.VERSION_COMPATIBLE", "--versionCompatible"),
        (options.sparsity == "enable", "BuilderFlag.SPARSE_WEIGHTS", "--sparsity"),
        (options.max_aux_streams is not None, "IBuilderConfig.max_aux_streams", "--maxAuxStreams"),
        (options.builder_optimization_level is not None, *_LEVEL),
        (True, f"HardwareCompatibilityLevel.{_HARDWARE[options.hardware_compatibility_level]}", _HARDWARE_FLAG),
    ]
    needs += [(True, f"MemoryPoolType.{_POOLS[pool]}", f"--memPoolSize={pool}") for pool in options.memory_pools]
    needs += [(True, f"TacticSource.{source.lstrip('+-')}", f"--tacticSources={source}") for source in _added(options)]
    if backend.has_precision_flags and not options.strongly_typed:
        needs += [
            (getattr(options, name), f"BuilderFlag.{name.upper()}", f"--{name}")
            for name in ("fp16", "bf16", "int8", "fp8")
        ]
    for wanted, path, flag in needs:
        if wanted and not backend.has(path):
            raise TrtlensError(
                f"{backend.name} {backend.version_text} does not know {flag} ({path} is not in it): leave it out"
            )


_LEVEL = ("IBuilderConfig.builder_optimization_level", "--builderOptimizationLevel")
_HARDWARE_FLAG = "--hardwareCompatibilityLevel"


def _added(options: BuildOptions) -> list[str]:
    """The sources that are switched on; switching off one that is gone (cuDNN in 11.0) asks for nothing."""
    return [source for source in options.tactic_sources if not source.startswith("-")]


def configure(backend: Backend, config: Any, options: BuildOptions) -> None:
    """Set everything but precisions, profiles and the timing cache."""
    trt = backend.trt
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    if options.no_tf32:
        config.clear_flag(trt.BuilderFlag.TF32)
    if options.sparsity == "enable":
        config.set_flag(trt.BuilderFlag.SPARSE_WEIGHTS)
    if options.version_compatible:
        config.set_flag(trt.BuilderFlag.VERSION_COMPATIBLE)
    if options.builder_optimization_level is not None:
        config.builder_optimization_level = options.builder_optimization_level
    if options.max_aux_streams is not None:
        config.max_aux_streams = options.max_aux_streams
    if options.hardware_compatibility_level != "none":
        level = _HARDWARE[options.hardware_compatibility_level]
        config.hardware_compatibility_level = getattr(trt.HardwareCompatibilityLevel, level)
    for pool, size in options.memory_pools.items():
        config.set_memory_pool_limit(getattr(trt.MemoryPoolType, _POOLS[pool]), size)
    if options.tactic_sources:
        _set_tactic_sources(backend, config, options.tactic_sources)


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


def load_timing_cache(backend: Backend, config: Any, options: BuildOptions, recorder: Recorder) -> bool:
    """Give the builder the timing cache of `--timingCacheFile`; False where it must not be written back.

    TensorRT-RTX asks for a GPU as soon as a timing cache is used, so without one the cache is left alone.

    Raises:
        TrtlensError: the file cannot be read, or is none.

    """
    path = options.timing_cache_file
    if path is None:
        return False
    if backend.is_rtx and not backend.can_run:
        recorder.note(f"the timing cache {path} was not used: TensorRT-RTX needs a GPU for it")
        return False
    try:
        data = b"" if regular_mode(path) is None else path.read_bytes()
    except OSError as error:
        raise TrtlensError(f"{path} cannot be read ({reason(error)}): check the timing cache's file") from error
    cache = config.create_timing_cache(data)
    if cache is None or not config.set_timing_cache(cache, ignore_mismatch=False):
        recorder.note(
            f"the timing cache {path} was not used and stays as it is: TensorRT says that it is from elsewhere"
        )
        return False
    return True


def save_timing_cache(config: Any, options: BuildOptions) -> None:
    """Write the timing cache back to its file, together with what this build measured."""
    cache = config.get_timing_cache()
    if cache is not None and options.timing_cache_file is not None:
        options.timing_cache_file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(options.timing_cache_file, memoryview(cache.serialize()))
