"""Chrome traces of the Torch profiler (Kineto), in which a TensorRT engine ran: JSON with ``traceEvents``.

Read as PyTorch 1.8 to 2.x write them: complete events (``"ph": "X"``) with times in microseconds, of category ``kernel``,
``gpu_memcpy`` and ``gpu_memset`` on the GPU and ``cuda_runtime`` or ``cuda_driver`` for the calls, joined by
``args.correlation``; a kernel's ``args`` are named as in Kineto's ``CuptiActivity.cpp`` (``stream``, ``grid``, ``block``,
``registers per thread``, ``shared memory``, ``graph node id``). NVTX ranges of TensorRT are not in such a trace, so that layers
are told by kernels' names and order alone.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from trtlens_parsers.errors import FormatError
from trtlens_parsers.json_text import kind_by_start, parse_json
from trtlens_parsers.kernel_trace import COPY, FILL, KERNEL, KernelLaunch, KernelTrace, blocks_of, trace_of
from trtlens_parsers.profiler_events import ApiCall, GpuEvent, executions_of

if TYPE_CHECKING:
    from collections.abc import Iterable

_KINDS = (("torch_trace", re.compile(r'\{(?=.*"traceEvents"\s*:\s*\[)|\[\s*\{(?=[^{}]*"ph"\s*:)', re.DOTALL)),)
_OURS = re.compile(r'\{[^{}]*\{"generator": "trtlens ')
_ON_GPU = {"kernel": KERNEL, "gpu_memcpy": COPY, "gpu_memset": FILL}
_CALLS = frozenset({"cuda_runtime", "cuda_driver", "runtime"})
_LONGEST_US = 10**15
_NUMBER = re.compile(r"-?\d{1,25}(?:\.\d{1,12})?")
_TRIPLE = re.compile(r"\[?\s*(\d{1,10})\s*,\s*(\d{1,10})\s*,\s*(\d{1,10})\s*\]?")


def recognise_torch(text_head: str) -> str | None:
    """`torch_trace` for a Chrome trace; None for anything else."""
    return kind_by_start(text_head, _KINDS)


def read_torch_trace(text: str) -> KernelTrace:
    """Read a Chrome trace.

    Raises:
        FormatError: it is damaged, is an export of trtlens, holds no kernels, or inferences cannot be told apart.

    """
    if _OURS.match(text.lstrip("\ufeff \t\r\n")[:4096]):
        raise FormatError(
            "this is an export of trtlens for Perfetto, which holds no measurement: give the run or the trace that it was made from"
        )
    document = parse_json(text, "trace", number=_exact)
    events = document.get("traceEvents") if isinstance(document, dict) else document
    if not isinstance(events, list):
        raise FormatError("traceEvents is no list")
    complete = [row for row in events if isinstance(row, dict) and row.get("ph") == "X"]
    on_gpu = [event for row in complete if (event := _gpu_event(row)) is not None]
    if not any(event.launch.kind == KERNEL for event in on_gpu):
        raise FormatError("the trace holds no kernel of a GPU: profile with ProfilerActivity.CUDA")
    return trace_of("the Torch profiler", (KERNEL, COPY, FILL), executions_of(on_gpu, _calls(complete), ()))


def _exact(text: str) -> int | float | Decimal:
    """A number as it is written: times since 1970 in microseconds with three decimals are more than a float holds."""
    if _NUMBER.fullmatch(text):
        return Decimal(text) if "." in text else int(text)
    return float(text)


def _gpu_event(row: dict[str, Any]) -> GpuEvent | None:
    kind = _ON_GPU.get(str(row.get("cat")).lower())
    start, length = _nanoseconds(row.get("ts")), _nanoseconds(row.get("dur"))
    if kind is None or start is None or length is None or not isinstance(row.get("name"), str):
        return None
    told = _arguments(row)
    grid, block = _triple(told.get("grid")), _triple(told.get("block"))
    launch = KernelLaunch(
        row["name"], kind, None, _whole(told.get("stream")), grid, block, None if grid is None else blocks_of(grid),
        _whole(told.get("registers per thread")), _whole(told.get("shared memory")), _whole(told.get("graph node id")) or None,
    )  # fmt: skip
    return GpuEvent(launch, start, length, _whole(told.get("correlation")))


def _calls(rows: Iterable[dict[str, Any]]) -> Iterable[ApiCall]:
    for row in rows:
        correlation, start = _whole(_arguments(row).get("correlation")), _nanoseconds(row.get("ts"))
        if str(row.get("cat")).lower() in _CALLS and correlation is not None and start is not None:
            yield ApiCall(correlation, str(row.get("tid"))[:60], start)


def _arguments(row: dict[str, Any]) -> dict[str, Any]:
    told = row.get("args")
    return told if isinstance(told, dict) else {}


def _nanoseconds(value: Any) -> int | None:
    """Microseconds as whole nanoseconds; None for what is no time."""
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)) or not 0 <= value < _LONGEST_US * 10:
        return None
    return round(value * 1000)


def _whole(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value < 2**63 else None


def _triple(value: Any) -> tuple[int, ...] | None:
    """Three whole numbers, as a list or as the text of one."""
    text = ",".join(map(str, value)) if isinstance(value, list) and len(value) == 3 else value
    match = _TRIPLE.fullmatch(text) if isinstance(text, str) and len(text) < 60 else None
    return None if match is None else tuple(map(int, match.groups()))
