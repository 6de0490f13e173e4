"""``nsys stats --report cuda_gpu_trace --format csv``: every kernel and copy, in the order in which they ran.

Columns as the reports of Nsight Systems 2022.1 to 2025.6 name them: ``Start (ns)``, ``Duration (ns)``, ``CorrId``, ``GrdX`` to
``BlkZ``, ``Reg/Trd``, ``StcSMem (MB)``, ``DymSMem (MB)``, ``Strm``, ``Name``, whatever stands between them; units in
the heading. What nsys prints before the heading is passed over. All launches of one CUDA graph have one CorrId.
``cuda_gpu_kern_sum`` has sums by kernel and no launches: it is recognised and refused.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from trtlens_parsers.errors import FormatError
from trtlens_parsers.kernel_trace import COPY, FILL, KERNEL, KernelLaunch, KernelTrace, blocks_of, trace_of
from trtlens_parsers.profiler_events import GpuEvent, executions_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_HEADING = re.compile(r'^"?Start ?(?:\([num]?s\)|:ts_[num]?s)"?,"?Duration', re.MULTILINE)
_SUMS = re.compile(r'^"?Time ?(?:\(%\)|:ratio_%)"?,"?Total Time', re.MULTILINE)
_UNIT = re.compile(r"(.+?) ?(?:\((\w+)\)|:\w+?_(\w+))$")
_SECONDS = {"ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9}
_BYTES = {"b": 1, "byte": 1, "bytes": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "kib": 2**10, "mib": 2**20}
_HEAD = 1 << 16
_LONGEST_NS = 1e18
MOST_ROWS = 2_000_000


def recognise_gpu_trace(text_head: str) -> str | None:
    """`gpu_trace` or `kernel_sums` for a report of nsys; None for anything else."""
    head = text_head[:_HEAD]
    return "gpu_trace" if _HEADING.search(head) else "kernel_sums" if _SUMS.search(head) else None


def read_gpu_trace(text: str) -> KernelTrace:
    """Read a report of every launch.

    Raises:
        FormatError: it is the report of sums, a column is missing, or inferences cannot be told apart.

    """
    found = _HEADING.search(text)
    if found is None:
        raise FormatError(
            "this report has sums by kernel, not the launches of an inference: export nsys stats --report cuda_gpu_trace --format csv"
        )
    rows = csv.reader(io.StringIO(text[found.start() :]))
    try:
        events = _events(rows)
    except csv.Error as error:
        raise FormatError(f"the report is no CSV ({error})") from None
    return trace_of("Nsight Systems", (KERNEL, COPY, FILL), executions_of(_with_graphs(events), (), ()))


def _events(rows: Iterator[list[str]]) -> list[GpuEvent]:
    columns = _columns(next(rows))
    missing = sorted({"Start", "Duration", "Name"} - columns.keys())
    if missing:
        raise FormatError(
            f"the report of launches lacks the column {missing[0]}: export nsys stats --report cuda_gpu_trace --format csv"
        )
    events = []
    for row in rows:
        event = _event(row, columns)
        events += [event] if event is not None else []
        if len(events) > MOST_ROWS:
            raise FormatError(f"the report holds more than {MOST_ROWS:,} launches: trace fewer inferences")
    return events


def _columns(heading: Sequence[str]) -> dict[str, tuple[int, float]]:
    """Place of each column and how many nanoseconds or bytes its unit is."""
    found = {}
    for place, title in enumerate(heading):
        match = _UNIT.match(title.strip())
        name, unit = (match[1], (match[2] or match[3]).lower()) if match else (title.strip(), "")
        found[name] = (place, _SECONDS.get(unit) or _BYTES.get(unit) or 1.0)
    return found


def _event(row: Sequence[str], columns: Mapping[str, tuple[int, float]]) -> GpuEvent | None:
    """A launch; None for a row without times, such as the end of the report or a last line that is cut."""
    start, length = _number(row, columns, "Start"), _number(row, columns, "Duration")
    place = columns["Name"][0]
    if start is None or length is None or place >= len(row) or not row[place]:
        return None
    name = row[place]
    grid = _triple(row, columns, "Grd")
    kind = COPY if name.startswith("[CUDA memcpy") else FILL if name.startswith("[CUDA memset") else KERNEL
    shared = [_number(row, columns, one) for one in ("StcSMem", "DymSMem")]
    launch = KernelLaunch(
        name, kind, None, _whole(row, columns, "Strm"), grid, _triple(row, columns, "Blk"),
        None if grid is None else blocks_of(grid), _whole(row, columns, "Reg/Trd"),
        None if shared[0] is None or shared[1] is None else round(shared[0] + shared[1]),
    )  # fmt: skip
    return GpuEvent(launch, round(start), round(length), _whole(row, columns, "CorrId"))


def _with_graphs(events: Sequence[GpuEvent]) -> list[GpuEvent]:
    """Launches that share their call are of one CUDA graph: the report has no ids of nodes, so that their order stands for them."""
    often = Counter(event.call for event in events if event.call is not None)
    seen: Counter[object] = Counter()
    found = []
    for event in events:
        if event.call is None or often[event.call] == 1:
            found.append(event)
            continue
        found.append(replace(event, launch=replace(event.launch, graph_node=seen[event.call])))
        seen[event.call] += 1
    return found


def _number(row: Sequence[str], columns: Mapping[str, tuple[int, float]], name: str) -> float | None:
    place, unit = columns.get(name, (len(row), 1.0))
    try:
        value = float(row[place].replace(",", "")) * unit if place < len(row) else -1.0
    except ValueError:
        return None
    return value if 0 <= value < _LONGEST_NS else None


def _whole(row: Sequence[str], columns: Mapping[str, tuple[int, float]], name: str) -> int | None:
    value = _number(row, columns, name)
    return None if value is None else int(value)


def _triple(row: Sequence[str], columns: Mapping[str, tuple[int, float]], start: str) -> tuple[int, ...] | None:
    found = [_whole(row, columns, f"{start}{axis}") for axis in "XYZ"]
    known = tuple(one for one in found if one is not None)
    return known if len(known) == len(found) else None
