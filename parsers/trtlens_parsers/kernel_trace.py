"""Kernels that ran: each launch of an inference, and how long it took in each of many inferences.

trtlens writes a trace as JSON lines, one file for launches into a stream and one for launches from a CUDA graph
(``kernels-stream.jsonl``, ``kernels-graph.jsonl``): a header ``{"format":1,"kernel_trace":"stream",...}``; a line for each
launch of an inference in launch order, ``{"kernel":...,"range":...,"stream":...,"grid":[x,y,z],"block":[x,y,z],...}``; a
line for each inference, ``{"duration_ns":[...],"start_ns":[...]}``, a value for each launch. A writer that is killed
leaves whole inferences behind: a last line that is cut, and an inference with fewer values than launches, are left
out and counted. Other programs' files become the same records (`trace_of`).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from trtlens_parsers.errors import FormatError
from trtlens_parsers.json_text import (
    integer_of,
    is_shape,
    kind_by_start,
    optional_text,
    parse_json,
    required_text,
    spelled,
)

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

FORMAT = 1
KERNEL, COPY, FILL = "kernel", "copy", "fill"
"""What a launch is: a kernel, or a copy or a fill of memory without one (cudaMemcpyAsync, cudaMemsetAsync)."""
STREAM, GRAPH = "stream", "graph"
_KINDS = (("kernel_trace", re.compile(r'\{\s*"format"\s*:\s*\d+\s*,\s*"kernel_trace"')),)
_LONGEST_NS = 10**15
_AXES = 3


@dataclass(frozen=True, slots=True)
class KernelLaunch:
    """One launch of an inference; None for what the trace does not say.

    Attributes:
        kernel: the name as the driver gives it, mangled or not; of a copy what is copied where.
        kind: `KERNEL`, `COPY` or `FILL`.
        range: the NVTX range around the launch: the layer's name, as a rule.
        stream: id of the CUDA stream.
        grid: thread blocks, x, y, z.
        block: threads of a block, x, y, z.
        blocks: thread blocks in all.
        registers: registers of a thread.
        shared_bytes: shared memory of a block, static and dynamic.
        graph_node: id of the node of the CUDA graph.
    """

    kernel: str
    kind: str = KERNEL
    range: str | None = None
    stream: int | None = None
    grid: tuple[int, ...] | None = None
    block: tuple[int, ...] | None = None
    blocks: int | None = None
    registers: int | None = None
    shared_bytes: int | None = None
    graph_node: int | None = None


@dataclass(frozen=True, slots=True)
class TracedInference:
    """Nanoseconds of each launch of one inference; ``start_ns`` counts from any moment, None where it was not kept."""

    duration_ns: tuple[int, ...]
    start_ns: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class KernelTrace:
    """The launches of one inference in launch order, and the inferences that were traced whole.

    Attributes:
        source: `STREAM` or `GRAPH`, as the inferences were launched.
        collector: the program that traced.
        kinds: kinds of launches that it recorded: without copies among them, a layer that only copies has no launch.
        left_out: inferences that were not whole, or not like the others.
        inferences_marked: whether the trace itself says where an inference begins; else the kernels' order repeats there.
    """

    source: str
    collector: str
    kinds: tuple[str, ...]
    launches: tuple[KernelLaunch, ...]
    inferences: tuple[TracedInference, ...]
    left_out: int = 0
    inferences_marked: bool = True


def recognise_trace(text_head: str) -> str | None:
    """`kernel_trace` for a trace that trtlens wrote; None for anything else."""
    return kind_by_start(text_head, _KINDS)


def read_kernel_trace(text: str) -> KernelTrace:
    """Read a trace that trtlens wrote.

    Raises:
        FormatError: a line but the last is damaged, the format is newer, or no inference is whole.

    """
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    rows = [(number, row) for number, row in _rows(lines) if row is not None]
    header = _header(rows[0][1]) if rows else {}
    launches = tuple(_launch(row) for _, row in rows[1:] if "kernel" in row)
    told = [_inference(row, number) for number, row in rows[1:] if "duration_ns" in row]
    whole = tuple(one for one in told if len(one.duration_ns) == len(launches))
    cut = len(lines) - len(rows) + len(told) - len(whole)
    if not launches or not whole:
        raise FormatError("the kernel trace holds no whole inference: trace again")
    kinds = header.get("kinds")
    return KernelTrace(
        required_text(header, "kernel_trace"), optional_text(header, "collector") or "unknown",
        tuple(kinds) if isinstance(kinds, list) and all(isinstance(one, str) for one in kinds) else (KERNEL,), launches, whole, cut,
    )  # fmt: skip


def kernel_trace_text(trace: KernelTrace) -> str:
    """The trace in the form that `read_kernel_trace` reads."""
    header = {"format": FORMAT, "kernel_trace": trace.source, "collector": trace.collector, "kinds": trace.kinds}
    inferences = ({"start_ns": one.start_ns, "duration_ns": one.duration_ns} for one in trace.inferences)
    rows = [header, *map(_launch_row, trace.launches), *inferences]
    return "".join(f"{json.dumps(row, ensure_ascii=False, separators=(',', ':'))}\n" for row in rows)


def _launch_row(launch: KernelLaunch) -> dict[str, Any]:
    """What is known of a launch; ``blocks`` is told by the grid."""
    named = ((field.name, getattr(launch, field.name)) for field in fields(launch))
    known = {name: value for name, value in named if value is not None and name != "blocks"}
    return known if launch.grid is not None or launch.blocks is None else {**known, "blocks": launch.blocks}


def _rows(lines: Sequence[tuple[int, str]]) -> Iterable[tuple[int, dict[str, Any] | None]]:
    """The object of each line; None for a last line that is cut."""
    for number, line in lines:
        try:
            row = parse_json(line, "kernel trace")
        except FormatError as error:
            if number != lines[-1][0] or number == lines[0][0]:
                raise FormatError(
                    f"line {number} of the kernel trace is damaged ({error}): trace again", number
                ) from None
            row = None
        if row is not None and not isinstance(row, dict):
            raise FormatError(f"line {number} of the kernel trace is no object: {spelled(row)}", number)
        yield number, row


def _header(row: dict[str, Any]) -> dict[str, Any]:
    number = integer_of(row, "format")
    if number is not None and number > FORMAT:
        raise FormatError(f"format {number} is newer than this trtlens reads ({FORMAT}): update trtlens")
    return row


def _launch(row: dict[str, Any]) -> KernelLaunch:
    grid, block = _extents(row, "grid"), _extents(row, "block")
    return KernelLaunch(
        required_text(row, "kernel"), optional_text(row, "kind") or KERNEL, optional_text(row, "range"), integer_of(row, "stream"),
        grid, block, blocks_of(grid) if grid is not None else integer_of(row, "blocks"), integer_of(row, "registers"),
        integer_of(row, "shared_bytes"), integer_of(row, "graph_node"),
    )  # fmt: skip


def _extents(row: dict[str, Any], key: str) -> tuple[int, ...] | None:
    value = row.get(key)
    if value is None:
        return None
    if not is_shape(value) or len(value) != _AXES:
        raise FormatError(f"{key} is no list of three whole numbers: {spelled(value)}")
    return tuple(value)


def blocks_of(grid: Sequence[int]) -> int | None:
    """Thread blocks of a grid; None beyond 64 bits, which no GPU launches."""
    x, y, z = grid
    blocks = x * y * z
    return blocks if blocks < 2**63 else None


def _inference(row: dict[str, Any], line: int) -> TracedInference:
    durations, starts = _nanoseconds(row, "duration_ns", line), row.get("start_ns")
    own = None if starts is None else _nanoseconds(row, "start_ns", line)
    return TracedInference(durations, own if own is None or len(own) == len(durations) else None)


def _nanoseconds(row: dict[str, Any], key: str, line: int) -> tuple[int, ...]:
    values = row[key]
    if (
        not isinstance(values, list)
        or not {int}.issuperset(map(type, values))
        or not 0 <= min(values, default=0) <= max(values, default=0) < 2**63
    ):
        raise FormatError(f"line {line} of the kernel trace: {key} is no list of whole nanoseconds", line)
    if key == "duration_ns" and max(values, default=0) > _LONGEST_NS:
        raise FormatError(f"line {line} of the kernel trace holds a kernel of more than eleven days", line)
    return tuple(values)


# -- from the events of another program -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Execution:
    """One kernel or copy as a profiler recorded it; ``inference`` is the same for all of one inference, None where it is not told."""

    launch: KernelLaunch
    start_ns: int
    duration_ns: int
    inference: Hashable | None = None


def trace_of(collector: str, kinds: tuple[str, ...], executions: Sequence[Execution]) -> KernelTrace:
    """The trace of executions in launch order: those of a CUDA graph if there are any, else those of a stream.

    Inferences are what the executions say; where they say nothing, the order of kernels that repeats most. The inferences
    with the sequence of kernels that most of them have are kept.

    Raises:
        FormatError: no order of kernels repeats, so that inferences cannot be told apart.

    """
    from_graph = [one for one in executions if one.launch.graph_node is not None]
    source, own = (GRAPH, from_graph) if from_graph else (STREAM, list(executions))
    told = [one for one in own if one.inference is not None]
    groups = _told_apart(told) if told else _repeats(own)
    if not groups:
        raise FormatError(
            "no order of kernels repeats in the trace: inferences cannot be told apart; trace several of one engine"
        )
    often = Counter(tuple(one.launch.kernel for one in group) for group in groups)
    # Of sequences that occur equally often the longer one is the inference; a set-up occurs once.
    wanted = max(often, key=lambda names: (often[names], len(names)))
    whole = [group for group in groups if tuple(one.launch.kernel for one in group) == wanted]
    inferences = tuple(
        TracedInference(tuple(one.duration_ns for one in group), tuple(one.start_ns for one in group))
        for group in whole
    )
    return KernelTrace(
        source, collector, kinds, tuple(_alike(group) for group in zip(*whole, strict=True)), inferences,
        len(groups) - len(whole), bool(told),
    )  # fmt: skip


def _told_apart(executions: Sequence[Execution]) -> list[list[Execution]]:
    """The executions of each inference, which may stand among those of others."""
    groups: dict[Hashable, list[Execution]] = {}
    for one in executions:
        groups.setdefault(one.inference, []).append(one)
    return list(groups.values())


def _alike(group: tuple[Execution, ...]) -> KernelLaunch:
    """What all executions of a launch have in common: the first's record, its stream only if it is everyone's."""
    first = group[0].launch
    return first if len({one.launch.stream for one in group}) == 1 else replace(first, stream=None)


def _repeats(executions: Sequence[Execution]) -> list[list[Execution]]:
    """Stretches of the executions in which one sequence of kernels repeats; none where none does.

    A period is a distance at which the last kernels' names recur; the one that covers most of the end is taken, the
    shortest of those that cover as much.
    """
    names = [one.launch.kernel for one in executions]
    count = len(names)
    failure = _failure(names[::-1])
    best = (0, 0)
    for covered in range(2, count + 1):
        period = covered - failure[covered - 1]
        if 2 * period <= covered and covered - covered % period > best[0]:
            best = (covered - covered % period, period)
    if not best[1]:
        return []
    covered, period = best
    return [list(executions[place : place + period]) for place in range(count - covered, count, period)]


def _failure(names: Sequence[str]) -> list[int]:
    """Of each beginning of a sequence, the length of the longest other beginning that it ends with (Knuth, Morris, Pratt)."""
    failure = [0] * len(names)
    length = 0
    for place in range(1, len(names)):
        while length and names[place] != names[length]:
            length = failure[length - 1]
        length += names[place] == names[length]
        failure[place] = length
    return failure
