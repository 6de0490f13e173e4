"""What the parsers find in a log, as frozen records; every record keeps the number of its line, counted from 1."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from array import array

    from trtlens_parsers.layers import LayerRecord
    from trtlens_parsers.program_run import OptionRow
    from trtlens_parsers.trtexec_times import PerformanceRow, ProfileRow


Handler = Callable[[str, int], bool]
"""Reads the text of a message and the number of its line; whether the line was one of its own."""


class Kernel(NamedTuple):
    """What a tactic line calls the kernel: id, name and split-K; shared by all lines that spell it alike."""

    tactic_id: int | None
    name: str | None
    split_k: int | None


NO_KERNEL = Kernel(None, None, None)
"""Of a runner that had no valid tactic."""


class Remark(NamedTuple):
    """Why a tactic has no time of its own measurement: ``outcome`` is cached, skipped or failed."""

    outcome: str
    reason: str | None
    scratch_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Tactics:
    """The tactics of one build as columns of equal length: a log holds hundreds of thousands of them.

    Attributes:
        lines: line of each tactic.
        codes: position of each tactic's kernel in ``kernels``.
        times_ms: milliseconds; NaN where no time was printed.
        kernels: the distinct kernels of the log, shared by its builds.
        remarks: by position, the few tactics that were not simply timed.

    """

    lines: array[int]
    codes: array[int]
    times_ms: array[float]
    kernels: list[Kernel]
    remarks: dict[int, Remark]

    def __len__(self) -> int:
        return len(self.lines)


class TuningBlock(NamedTuple):
    """One runner tried for one layer (or one reformat) in one format combination.

    Its tactics stand at ``start`` to ``stop`` of the build's `Tactics`; a row of Myelin's cost tables has its own block,
    with ``op``, inside the runner's.
    """

    layer: str | None
    is_reformat: bool
    runner: str | None
    op: str | None
    input_formats: str | None
    output_formats: str | None
    line: int
    profiling_s: float | None
    start: int
    stop: int


class Choice(NamedTuple):
    """The runner and tactic that won one format combination of one layer (``Chose Runner Type``)."""

    layer: str | None
    is_reformat: bool
    input_formats: str | None
    output_formats: str | None
    runner: str
    tactic_id: int | None
    line: int


class Combination(NamedTuple):
    """One format combination that the tuner considered for a layer; ``layer`` is None where the log does not name it.

    A header without any runner behind it means that the timing cache answered: such a combination has no tactics.
    """

    layer: str | None
    input_formats: str | None
    output_formats: str | None
    line: int


class Strategy(NamedTuple):
    """One way to build the engine that the builder tried; ``kept`` is None where the log does not judge it.

    ``estimate`` is the estimated inference time as printed, without a unit.
    """

    number: int
    estimate: float | None
    kept: bool | None
    line: int


class Stretch(NamedTuple):
    """The lines of a build from ``line`` to the next stretch, all of one strategy and one optimisation profile.

    Either is None for lines that are of none: what the builder says before the first one, and of the engine as a whole.
    """

    line: int
    strategy: int | None
    profile: int | None


class Region(NamedTuple):
    """A subgraph that Myelin compiles, with the names of its ONNX nodes."""

    layer: str
    onnx_nodes: tuple[str, ...]
    line: int


class Node(NamedTuple):
    """One ONNX node as the parser read it; inputs or outputs are None where the log lacks the line that lists them."""

    name: str
    op: str
    inputs: tuple[str, ...] | None
    outputs: tuple[str, ...] | None
    line: int


class ParsedLayer(NamedTuple):
    """A layer that the parser put into the network for an ONNX node, or for an initializer."""

    layer: str
    node: str
    line: int


class WeightIssue(NamedTuple):
    """What some weights lost when they were converted; ``weights`` is None where their list is absent or ambiguous."""

    issue: str
    affected: int
    weights: tuple[str, ...] | None
    text: str | None
    line: int


class Fusion(NamedTuple):
    """One change that the builder reported to its graph; ``sources`` are the layers it took, ``result`` what came out."""

    kind: str  # fused, merged, removed, copied, retargeted, retyped
    pass_name: str | None
    sources: tuple[str, ...]
    result: str | None
    line: int


class Pass(NamedTuple):
    """One optimisation pass with the number of layers that it left."""

    name: str
    layers_after: int
    line: int


class Total(NamedTuple):
    """A size of a whole engine: activation, weights, scratch, host persistent, device persistent."""

    name: str
    bytes: int
    line: int


class LayerMemory(NamedTuple):
    """The memory line of one engine layer; layers without any memory have no line."""

    layer: str
    host_persistent_bytes: int
    device_persistent_bytes: int
    scratch_bytes: int | None
    line: int


class Message(NamedTuple):
    """A warning, an error, or a line with a known meaning (``code``); ``occurrences`` of the log's messages share the record."""

    severity: str
    code: str | None
    text: str
    layer: str | None
    tensor: str | None
    line: int
    occurrences: int = 1


class DynamicRange(NamedTuple):
    """The INT8 range or scale that a tensor was given; ``origin`` is ``set``, ``default``, ``override`` or ``calibration``."""

    tensor: str | None
    low: float | None
    high: float | None
    scale: float | None
    zero_point: float | None
    origin: str
    line: int


class AddedReformat(NamedTuple):
    """A reformat that the builder put before or behind a layer (``Adding reformat layer``), with strides on both sides."""

    tensor: str
    source: str
    input_format: str
    output_format: str
    line: int


class Phase(NamedTuple):
    """A part of the build with the seconds that TensorRT itself printed for it."""

    name: str
    seconds: float
    line: int


class Moment(NamedTuple):
    """The first line that carries a given time stamp (whole seconds), with the phase that was running."""

    stamp_s: float
    phase: str
    line: int


class EngineLayer(NamedTuple):
    """One row of the engine layer information, with the line it stands on; None for a row of the inspector's JSON."""

    layer: LayerRecord
    line: int | None


class LostRow(NamedTuple):
    """A line among an engine's rows that was not understood; ``is_layer`` where it begins as a layer's row does."""

    line: int
    is_layer: bool
    detailed: bool


class ProgramRun(NamedTuple):
    """A run of trtexec from its banner to its end, or of another program as far as the log tells it from the next.

    ``state`` is RUNNING where trtexec's last line is missing, None for a program without banners; ``version`` is TensorRT's.
    """

    number: int
    program: str | None
    command: str | None
    state: str | None
    state_line: int | None
    version: str | None
    version_line: int | None
    options: tuple[OptionRow, ...]


@dataclass(frozen=True, slots=True)
class Build:
    """Everything that one build's part of a log says; fields that the log does not state are None or empty.

    ``is_build`` is false for an engine that was only loaded, and ``finished`` is None for it: whether the builder made an
    engine. ``used`` is whether lines behind engine generation say so. ``last_text`` is the last line that is not blank, as
    it stands in the log; ``mixed_line`` one that shows that another build's lines stand among its own, so that nothing but
    messages is kept of it, None where none does; ``extended_line`` the last one that completes a row of the engine's layers, 0 for none.
    """

    number: int
    first_line: int
    last_line: int
    run: ProgramRun
    is_build: bool
    finished: bool | None
    used: bool
    last_text: tuple[int, str] | None
    last_phase: str
    mixed_line: int | None
    extended_line: int
    loaded_line: int | None
    wrapper: str | None
    layers: tuple[EngineLayer, ...]
    detailed_layers: tuple[EngineLayer, ...]
    layer_names: tuple[tuple[str, int | None], ...]
    lost_rows: tuple[LostRow, ...]
    bindings: tuple[str, ...]
    blocks: tuple[TuningBlock, ...]
    choices: tuple[Choice, ...]
    combinations: tuple[Combination, ...]
    strategies: tuple[Strategy, ...]
    stretches: tuple[Stretch, ...]
    regions: tuple[Region, ...]
    tactics: Tactics
    chosen_kernels: tuple[tuple[str | None, Kernel], ...]
    nodes: tuple[Node, ...]
    parsed_layers: tuple[ParsedLayer, ...]
    fusions: tuple[Fusion, ...]
    passes: tuple[Pass, ...]
    memory: tuple[LayerMemory, ...]
    totals: tuple[Total, ...]
    messages: tuple[Message, ...]
    weight_issues: tuple[WeightIssue, ...]
    ranges: tuple[DynamicRange, ...]
    added_reformats: tuple[AddedReformat, ...]
    phases: tuple[Phase, ...]
    moments: tuple[Moment, ...]
    performance: tuple[PerformanceRow, ...]
    profile: tuple[ProfileRow, ...]
    profile_total: ProfileRow | None
    profile_iterations: int | None


@dataclass(frozen=True, slots=True)
class Reading:
    """How the lines of a log were read: counts by ``tensorrt`` (read), ``ignored``, ``foreign``, ``unread``, ``unfinished``, ``doubled``, ``blank``.

    ``unfinished`` is the text behind the last line end, of which nothing was read; None where the log ends in a line end.
    """

    lines: int
    counts: dict[str, int]
    unread: tuple[tuple[int, str], ...]
    foreign: tuple[tuple[int, str], ...]
    overlong: int
    unfinished: str | None = None


@dataclass(frozen=True, slots=True)
class Log:
    """A whole log: its builds in order, and how its lines were read."""

    builds: tuple[Build, ...]
    reading: Reading
