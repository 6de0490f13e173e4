"""What a profiler records of a program that runs TensorRT, and how it becomes inferences: kernels, calls, ranges.

A kernel carries the correlation id of the API call that launched it; the call began within NVTX ranges of its thread.
TensorRT opens ``ExecutionContext::enqueue`` around an inference and, in it, a range with each layer's name (Myelin one more
within). All kernels of a CUDA graph carry the id of the one call that launched the graph.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from trtlens_parsers.kernel_trace import Execution

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence

    from trtlens_parsers.kernel_trace import KernelLaunch

_ENQUEUE = re.compile(r"\s*(?:\w+::)?ExecutionContext::(?:enqueue|execute)")
COPY_WORDS = {1: "HtoD", 2: "DtoH", 8: "DtoD", 10: "PtoP"}
"""Kinds of copies by CUPTI's number (CUpti_ActivityMemcpyKind)."""


@dataclass(frozen=True, slots=True)
class GpuEvent:
    """A kernel, copy or fill on the GPU; ``call`` finds the API call that launched it: process and correlation id."""

    launch: KernelLaunch
    start_ns: int
    duration_ns: int
    call: Hashable


@dataclass(frozen=True, slots=True)
class ApiCall:
    """A call of the CUDA runtime or driver; ``thread`` finds the ranges around it."""

    call: Hashable
    thread: Hashable
    start_ns: int


@dataclass(frozen=True, slots=True)
class RangeEvent:
    """An NVTX range that a thread pushed; ``end_ns`` None where it was not popped while the program was traced."""

    thread: Hashable
    start_ns: int
    end_ns: int | None
    name: str


@dataclass(frozen=True, slots=True)
class Around:
    """What is around a call: the inference that was being enqueued, the layer, and when the call began."""

    inference: Hashable | None = None
    layer: str | None = None
    start_ns: int = 0


def executions_of(
    events: Sequence[GpuEvent], calls: Iterable[ApiCall], ranges: Iterable[RangeEvent]
) -> list[Execution]:
    """Executions in launch order; of a CUDA graph in the order of its nodes, all of one launch being one inference."""
    around = _around(calls, ranges)
    nowhere = Around()
    placed = []
    for event in events:
        own = around.get(event.call, nowhere)
        node = event.launch.graph_node
        inference = event.call if node is not None else own.inference
        launch = event.launch if own.layer is None else replace(event.launch, range=own.layer)
        key = (own.start_ns or event.start_ns, event.start_ns if node is None else node)
        placed.append((key, Execution(launch, event.start_ns, event.duration_ns, inference)))
    placed.sort(key=lambda pair: pair[0])
    return [execution for _, execution in placed]


def _around(calls: Iterable[ApiCall], ranges: Iterable[RangeEvent]) -> Mapping[Hashable, Around]:
    """What is around each call, thread by thread."""
    opened: dict[Hashable, list[RangeEvent]] = defaultdict(list)
    for one in ranges:
        opened[one.thread].append(one)
    made: dict[Hashable, list[ApiCall]] = defaultdict(list)
    for call in calls:
        made[call.thread].append(call)
    found: dict[Hashable, Around] = {}
    for thread, own in made.items():
        found |= _around_of_thread(sorted(own, key=lambda call: call.start_ns), opened[thread])
    return found


def _around_of_thread(calls: Sequence[ApiCall], ranges: Sequence[RangeEvent]) -> dict[Hashable, Around]:
    """Ranges of one thread nest, so that one pass tells which are open at each call."""
    pending = sorted(ranges, key=lambda one: (one.start_ns, -(one.end_ns or 2**63)))[::-1]
    stack: list[tuple[int | None, Around]] = []
    found = {}
    for call in calls:
        while pending and pending[-1].start_ns <= call.start_ns:
            one = pending.pop()
            _close(stack, one.start_ns)
            stack.append((one.end_ns, _within(one, stack[-1][1] if stack else Around())))
        _close(stack, call.start_ns)
        found[call.call] = replace(stack[-1][1] if stack else Around(), start_ns=call.start_ns)
    return found


def _close(stack: list[tuple[int | None, Around]], moment_ns: int) -> None:
    while stack and stack[-1][0] is not None and stack[-1][0] < moment_ns:
        stack.pop()


def _within(one: RangeEvent, outer: Around) -> Around:
    """The layer is the outermost range within the inference's."""
    if outer.inference is None:
        return Around((one.thread, one.start_ns)) if _ENQUEUE.match(one.name) else Around()
    return Around(outer.inference, one.name) if outer.layer is None else outer
