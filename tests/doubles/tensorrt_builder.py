"""The builder of the double: it goes through the steps of a build, logs a few lines of it, and makes an engine.

A Relu is fused into what makes its input unless that is an output.
"""

# ruff: noqa: D101, D102  (the members are those of TensorRT, which documents them)

from __future__ import annotations

import json
import struct
import threading
import time
import weakref
from typing import Any

from tests.doubles.tensorrt_players import HostMemory, Player, Registry, Severities

_PRECISION_FLAGS = {"FP16", "BF16", "INT8", "FP8", "INT4"}
DEFAULT_SOURCES = 0b11000


class IOptimizationProfile(Player):
    def set_shape(self, name: str, minimum: Any, optimum: Any, maximum: Any) -> None:
        self._script.note("set_shape", (name, tuple(minimum), tuple(optimum), tuple(maximum)))

    def set_shape_input(self, name: str, minimum: Any, optimum: Any, maximum: Any) -> None:
        self._script.note("set_shape_input", (name, tuple(minimum), tuple(optimum), tuple(maximum)))


class TimingCacheKey(Player):
    def __init__(self, text: str) -> None:
        self._text = text

    def __str__(self) -> str:
        return self._text


class TimingCacheValue(Player):
    def __init__(self, tactic_hash: int, time_ms: float) -> None:
        self.tacticHash, self.timingMSec = tactic_hash, time_ms


class ITimingCache(Player):
    """A cache of the double: lines of key, hash and time behind ``ptrt``; any other content is kept as it is."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        rows = [line.split() for line in content[20:].split(b"\n") if line] if content.startswith(b"ptrt") else []
        self._entries = {key.decode(): (int(tactic, 16), float(time_ms)) for key, tactic, time_ms in rows}

    def serialize(self) -> HostMemory:
        self._script.loggers[-1].log(Severities.INFO, f"Serialized {len(self._entries)} timing cache entries")
        if not self._entries:
            return HostMemory(self._content + b"+measured")
        return HostMemory(made_cache(self._entries))

    def queryKeys(self) -> list[Any]:  # noqa: N802  TensorRT's name
        return [self._trt.TimingCacheKey(key) for key in self._entries]

    def query(self, key: Any) -> Any:
        return self._trt.TimingCacheValue(*self._entries[str(key)])

    def combine(self, input_cache: Any, ignore_mismatch: bool) -> bool:
        assert not ignore_mismatch
        self._entries = {**input_cache._entries, **self._entries}
        return not self._script.refuses_timing_cache


def made_cache(entries: dict[str, tuple[int, float]]) -> bytes:
    """A timing cache's file with TensorRT's head, and entries as the double keeps them."""
    rows = b"".join(b"%b %x %r\n" % (key.encode(), tactic, time_ms) for key, (tactic, time_ms) in entries.items())
    return struct.pack("<4sIQI", b"ptrt", 100, len(rows), 0) + rows


class Setting:
    """A setting of the configuration that is written and remembered."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __set__(self, config: Any, value: Any) -> None:
        config._script.note(self._name, getattr(value, "name", value))


class Held:
    """An object that the builder points at and does not keep alive."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, config: Any, owner: type) -> Any:
        return self if config is None else config._held[self._name]() if self._name in config._held else None

    def __set__(self, config: Any, value: Any) -> None:
        assert value._initialised
        config._held[self._name] = weakref.ref(value)


class IBuilderConfig(Player):
    profiling_verbosity = Setting()
    builder_optimization_level = Setting()
    max_aux_streams = Setting()
    hardware_compatibility_level = Setting()
    avg_timing_iterations = Setting()
    min_timing_iterations = Setting()
    max_num_tactics = Setting()
    l2_limit_for_tiling = Setting()
    tiling_optimization_level = Setting()
    default_device_type = Setting()
    DLA_core = Setting()
    plugins_to_serialize = Setting()
    progress_monitor = Held()
    int8_calibrator = Held()

    def __init__(self) -> None:
        self._flags: set[str] = {"TF32"}
        self._held: dict[str, Any] = {}
        self._timing_cache: Any = None

    def set_flag(self, flag: Any) -> None:
        self._flags.add(flag.name)
        self._script.note("set_flag", flag.name)

    def clear_flag(self, flag: Any) -> None:
        self._flags.discard(flag.name)
        self._script.note("clear_flag", flag.name)

    def set_memory_pool_limit(self, pool: Any, pool_size: int) -> None:
        self._script.note("set_memory_pool_limit", (pool.name, pool_size))

    def set_preview_feature(self, feature: Any, enable: bool) -> None:
        self._script.note("set_preview_feature", (feature.name, enable))

    def get_tactic_sources(self) -> int:
        return DEFAULT_SOURCES

    def set_tactic_sources(self, tactic_sources: int) -> bool:
        self._script.note("set_tactic_sources", tactic_sources)
        return True

    def add_optimization_profile(self, profile: Any) -> int:
        self._script.note("add_optimization_profile", type(profile).__name__)
        return 0

    def set_calibration_profile(self, profile: Any) -> bool:
        self._script.note("set_calibration_profile", type(profile).__name__)
        return True

    def create_timing_cache(self, serialized_timing_cache: bytes) -> Any:
        if bytes(serialized_timing_cache).startswith(b"ptrtbroken"):
            said = "Failed to deserialize timing cache. Returning an empty timing cache."
            self._script.loggers[-1].log(Severities.WARNING, said)
            return self._trt.ITimingCache(b"")
        return self._trt.ITimingCache(bytes(serialized_timing_cache))

    def set_timing_cache(self, cache: Any, ignore_mismatch: bool) -> bool:
        assert not ignore_mismatch
        self._timing_cache = cache
        return not self._script.refuses_timing_cache

    def get_timing_cache(self) -> Any:
        return self._timing_cache


class Builder(Player):
    num_DLA_cores = 1  # noqa: N815  TensorRT's name

    def __init__(self, logger: Any) -> None:
        assert logger._initialised
        self._script.loggers.append(logger)
        self._logger = logger

    def create_network(self, flags: int = 0) -> Any:
        self._script.note("create_network", flags)
        return self._trt.INetworkDefinition(flags)

    def create_builder_config(self) -> Any:
        return self._trt.IBuilderConfig()

    def create_optimization_profile(self) -> Any:
        return self._trt.IOptimizationProfile()

    def get_plugin_registry(self) -> Registry:
        return Registry(self._script)

    def build_serialized_network(self, network: Any, config: Any) -> HostMemory | None:
        say = self._logger.log
        say(Severities.VERBOSE, f"Original: {network.num_layers} layers")
        say(Severities.VERBOSE, f"After reformat layers: {network.num_layers} layers")
        if not self._advance(config):
            self._script.cancelled = True
            return None
        if network._is_strongly_typed() and config._flags & _PRECISION_FLAGS:
            say(Severities.ERROR, "Error Code 3: API Usage Error (precision flags in a strongly typed network)")
            return None
        self._calibrate(network, config)
        if self._script.fails:
            say(Severities.ERROR, "Error Code 10: Internal Error (Could not find any implementation for node conv.)")
            return None
        names = [layer.name for layer in network._layers]
        say(Severities.VERBOSE, "Formats and tactics selection completed in 0.01 seconds.")
        say(Severities.VERBOSE, "Engine Layer Information:\n" + "\n".join(f"Layer(Cask): {name}" for name in names))
        say(Severities.INFO, "Engine generation completed in 0.02 seconds.")
        outputs = {tensor.name: tensor.dtype.name for tensor in network._outputs}
        refused = [name for name in self._script.saw("no kernel for") if name in outputs]
        if refused:
            layer = next(one for one in network._layers if one.get_output(0).name == refused[0])
            self._say_refused(f"before + {layer.name}")
            return None
        half = "FP16" in config._flags
        content = {
            "model": network._model, "inputs": {tensor.name: list(tensor.shape) for tensor in network._inputs},
            "outputs": outputs, "debug": network._debug, "unfused": network._unfused,
            "half": half, "layers": _layers(network, outputs, half=half),
        }  # fmt: skip
        return HostMemory(b"ftrt" + json.dumps(content).encode())

    def _say_refused(self, layer: str) -> None:
        """Log what 8.6 says of a layer whose output was marked and that computes in INT8 alone."""
        said = f"Assertion !n->candidateRequirements.empty() failed. {layer} requires output to be in floating point precision. No format"
        say = self._logger.log
        say(Severities.ERROR, f"2: {said} available with unquantized output.")

    def _advance(self, config: Any) -> bool:
        """Go through the steps, in the monitor's eyes where the release has one, and in the log."""
        say = self._logger.log
        is_watched = "progress_monitor" in config._held
        assert not is_watched or config.progress_monitor is not None, "nobody held on to the monitor"
        if is_watched:
            config.progress_monitor.phase_start("Building engine", None, self._script.steps)
        for step in range(self._script.steps):
            say(Severities.VERBOSE, f"=============== Computing costs for layer {step}")
            if step == 1 and self._script.on_build is not None:
                self._script.on_build()
            time.sleep(self._script.step_seconds)
            if is_watched and not self._tell(config.progress_monitor, step):
                return False
        if is_watched:
            config.progress_monitor.phase_finish("Building engine")
        return True

    def _tell(self, monitor: Any, step: int) -> bool:
        """Tell of the step from another thread, as the real one may."""
        answers: list[bool] = []
        thread = threading.Thread(target=lambda: answers.append(monitor.step_complete("Building engine", step)))
        thread.start()
        thread.join()
        return answers[0]

    def _calibrate(self, network: Any, config: Any) -> None:
        if "int8_calibrator" not in config._held:
            return
        calibrator = config.int8_calibrator
        assert calibrator is not None, "nobody held on to the calibrator"
        assert calibrator.get_batch_size() == 1
        cache = calibrator.read_calibration_cache()
        self._script.note("calibration_cache", cache)
        if cache is not None:
            return
        while (addresses := calibrator.get_batch([tensor.name for tensor in network._inputs])) is not None:
            self._script.note("get_batch", addresses)
        calibrator.write_calibration_cache(b"TRT-8600-EntropyCalibration2\ninput: 3c010a14\n")


def _layers(network: Any, outputs: dict[str, str], *, half: bool) -> list[dict[str, Any]]:
    """Layers as the inspector tells them, Relus fused into what makes their input."""
    layers: list[dict[str, Any]] = []
    kind = "Row major linear FP16 format" if half else "Row major linear FP32"

    def ends(tensors: list[Any]) -> list[dict[str, Any]]:
        return [{"Name": t.name, "Dimensions": [1], "Format/Datatype": kind} for t in tensors]

    for layer in network._layers:
        tensors = [layer.get_output(index) for index in range(layer.num_outputs)]
        last = layers[-1] if layers else None
        fuses = layer.type.name == "ACTIVATION" and last is not None and last["Outputs"][0]["Name"] not in outputs
        if fuses and last is not None:
            last["Name"] += f" + {layer.name}"
            last["Metadata"] += f"\x1e[ONNX Layer: {layer.name}]"
            last["Outputs"] = ends(tensors)
            continue
        layers.append({
            "Name": layer.name, "LayerType": layer.type.name.title(), "Inputs": ends(layer._inputs), "Outputs": ends(tensors),
            "TacticName": f"kernel_of_{layer.type.name.lower()}", "TacticValue": f"0x{len(layer.name):016x}",
            "Metadata": f"[ONNX Layer: {layer.name}]",
        })  # fmt: skip
    return layers


PLAYERS = (IOptimizationProfile, ITimingCache, TimingCacheKey, TimingCacheValue, IBuilderConfig, Builder)
