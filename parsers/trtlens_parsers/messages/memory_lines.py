"""What a build states of its engine and of itself: memory per layer, sizes of the whole, and the seconds that phases took."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from trtlens_parsers.line_forms import line_form

if TYPE_CHECKING:
    import re

_BYTES = r"(\d{1,18})(?: bytes)?"
FLOAT = r"\d{1,15}(?:\.\d{0,15})?(?:e[+-]?\d{1,3})?"
"""Pattern of a number as TensorRT prints seconds, scales and bounds."""


class LayerMemory(NamedTuple):
    """The memory line of one engine layer; layers without any memory have no line."""

    layer: str
    host_persistent_bytes: int
    device_persistent_bytes: int
    scratch_bytes: int | None
    line: int


@line_form(
    LayerMemory,
    "Layer: ",
    pattern=rf"Layer: (.*) Host ?Persistent: {_BYTES} Device ?Persistent: {_BYTES}(?: Scratch Memory: {_BYTES})?\s*$",
    versions="8.0 to 10.16; in 8.0 without blanks and scratch",
    examples=(
        "Layer: conv1 Host Persistent: 1200 bytes Device Persistent: 0 bytes Scratch Memory: 64 bytes",
        "Layer: conv1 HostPersistent: 1200 DevicePersistent: 0",
    ),
)
def read_layer_memory(found: re.Match[str], line: int) -> LayerMemory:
    """The sizes of one layer."""
    layer, host, device, scratch = found.groups()
    return LayerMemory(layer, int(host), int(device), int(scratch) if scratch else None, line)


class Total(NamedTuple):
    """A size of a whole engine: activation, weights, scratch, host persistent, device persistent.

    Stated once for each strategy and optimisation profile.
    """

    name: str
    bytes: int
    line: int


@line_form(
    Total,
    "Total Activation Memory: ",
    "Total Weights Memory: ",
    "Total Scratch Memory: ",
    "Total Host Persistent Memory: ",
    "Total Device Persistent Memory: ",
    "Max Scratch Memory: ",
    pattern=(
        r"(?:Total (?P<name>Activation|Weights|Scratch|Host Persistent|Device Persistent)|Max (?P<most>Scratch)) Memory: "
        + _BYTES
    ),
    versions="5.1 to 10.16",
    examples=(
        "Total Activation Memory: 802816 bytes",
        "Total Weights Memory: 1024 bytes",
        "Total Scratch Memory: 0 bytes",
        "Total Host Persistent Memory: 4096 bytes",
        "Total Device Persistent Memory: 0 bytes",
        "Max Scratch Memory: 512 bytes",
    ),
)
def read_total(found: re.Match[str], line: int) -> Total:
    """A size by its name."""
    return Total((found["name"] or found["most"]).lower(), int(found[3]), line)


class MemoryUse(NamedTuple):
    """Memory at one step of the process; ``counts`` is ``in use`` or ``allocators``, which are TensorRT's own.

    Changes are None where the line states the level alone, the GPU's level where it states the host's alone.
    """

    event: str
    counts: str
    cpu_change_bytes: int | None
    gpu_change_bytes: int | None
    cpu_bytes: int
    gpu_bytes: int | None
    line: int


@line_form(
    MemoryUse,
    "[MemUsageChange] ",
    "[MemUsageSnapshot] ",
    "[MemUsageStats] ",
    pattern=(
        r"\[MemUsage(?P<kind>Change|Snapshot|Stats)\] (?P<event>.+?): CPU:? "
        r"(?:(?P<cpu_change>[+-]\d{1,9}), GPU (?P<gpu_change>[+-]\d{1,9}), now: CPU )?(?P<cpu>\d{1,9})(?: MiB)?(?:, GPU (?P<gpu>\d{1,9}))?"
    ),
    versions="8.0 to 10.16",
    examples=(
        "[MemUsageChange] Init CUDA: CPU +20, GPU +0, now: CPU 35, GPU 526 (MiB)",
        "[MemUsageSnapshot] Builder begin: CPU 391 MiB, GPU 1196 MiB",
        "[MemUsageStats] Peak memory usage of TRT CPU/GPU memory allocators: CPU 52 MiB, GPU 65 MiB",
    ),
)
def read_memory_use(found: re.Match[str], line: int) -> MemoryUse:
    """MiB as bytes; what TensorRT manages, and its peak, are of its allocators."""
    own = found["kind"] == "Stats" or found["event"].startswith("TensorRT-managed ")
    sizes = (
        None if found[name] is None else int(found[name]) << 20 for name in ("cpu_change", "gpu_change", "cpu", "gpu")
    )
    cpu_change, gpu_change, cpu, gpu = sizes
    return MemoryUse(found["event"], "allocators" if own else "in use", cpu_change, gpu_change, cpu or 0, gpu, line)


class Phase(NamedTuple):
    """A part of the build with the seconds that TensorRT itself printed for it."""

    name: str
    seconds: float
    line: int


_PHASES = {
    "Graph construction and optimization completed in": "graph optimization",
    "Graph construction completed in": "graph construction",
    "Graph optimization time:": "graph optimization",
    "Formats and tactics selection completed in": "tactic selection",
    "Subgraph compilation completed in": "subgraph compilation",
    "Data initialization and engine generation completed in": "engine generation",
    "Engine generation completed in": "engine generation",
    "Calibration completed in": "calibration",
    "Engine built in": "engine built",
    "Engine deserialized in": "engine loaded",
    "Engine loaded in": "engine loaded",
}
"""Phases by the words before their seconds."""


@line_form(
    Phase,
    *_PHASES,
    pattern=rf"(?P<words>{'|'.join(_PHASES)}) (?P<seconds>{FLOAT}) sec",
    versions="5.1 to 11.1",
    examples=tuple(f"{words} 1.25 seconds." for words in _PHASES),
)
def read_phase(found: re.Match[str], line: int) -> Phase:
    """A phase by its words."""
    return Phase(_PHASES[found["words"]], float(found["seconds"]), line)
