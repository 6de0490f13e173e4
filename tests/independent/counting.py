"""Facts of a log by plain counting over its raw lines, a regular expression a fact; the standard library alone.

It shares no code with trtlens and none with its parsers, on purpose: it is slow, and knows nothing of a build's parts. What it
cannot tell apart (several builds of one log, strategies) is counted together.
"""

from __future__ import annotations

import gzip
import lzma
import re
from bisect import bisect_right
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_INFINITE = 3.4e38
_WORKING = re.compile(r"-{15} Timing (?:Runner: )?(?P<layer>.*?) ?\((?P<runner>[\w<>]+)(?:\[0x[0-9a-f]+\])?\)$")
_TIMED = re.compile(r"(?<!Fastest )Tactic:? (?:Name: (?P<kernel>.*?) (?:num\w+: \d+ )*Tactic: )?(?P<id>0x[0-9a-fA-F]+|-?\d+) [Tt]ime:? (?P<time>\S+)$")  # fmt: skip
_MYELIN = re.compile(r"\(foreignNode\) +\d+, (?P<time>[^,\s]+), [^,]*, [^,]*, [^,]*, 0x[0-9a-f]+,")
_CACHED = re.compile(r"got cached result: \w+, tactic (?P<id>0x[0-9a-f]+), (?P<time>\S+) ms$")
_ROW = re.compile(r"(?:^|[\] :.-] ?)Layer\((?P<type>[\w.]+)\): (?P<name>.*), Tactic: (?P<id>0x[0-9a-fA-F]+|-?\d+),(?P<tensors>.*)$")  # fmt: skip
_ROW_OF_6 = re.compile(r"Layer: (?P<name>.*) \((?P<type>\w+)\), Tactic: (?P<id>-?\d+),(?P<tensors>.*)$")
_DETAILED = re.compile(r"^ *Name: (?P<name>.*?), LayerType: (?P<type>\w+), .*Outputs: \[.*?(?:TacticValue: (?P<id>0x[0-9a-fA-F]+)|$)")  # fmt: skip
_NETWORK = re.compile(r"Original: \d+ layers")
_MEMORY = re.compile(r"Layer: .* Host ?Persistent: (\d+)(?: bytes)? Device ?Persistent: (\d+)(?: bytes)?(?: Scratch Memory: (\d+))?")  # fmt: skip
_OPERAND = re.compile(r"(Float|Half|BFloat16|Int8|Int32|Int64|Bool|FP8|UInt8)(?:\(|\[)")
_ADDED = re.compile(r"Adding reformat layer: Reformatted (?P<side>Input|Output) Tensor (?P<number>\d+) to (?P<layer>.*) \(.*\) from (?P<before>\w+\(.*\)) to (?P<after>\w+\(.*\))$")  # fmt: skip


def lines_of(path: Path) -> list[str]:
    """Lines of a log without colours; what stands behind the last line's end is no line."""
    packed = path.read_bytes()
    unpack = {".xz": lzma.decompress, ".gz": gzip.decompress}.get(path.suffix, bytes)
    text = unpack(packed).decode("utf-8", "replace")
    return [_COLOUR.sub("", line).rstrip("\r ") for line in text.split("\n")[:-1]]


def tells_of_tensorrt(line: str) -> bool:
    """Whether a line names TensorRT or a tactic."""
    return bool(re.search(r"\[TRT\]|TensorRT|\bTactic\b", line))


# -- the engine ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EngineRows:
    """Rows of layer information: how many a log has in each form, and, of each network, those of one form."""

    short: int
    detailed: int
    rows: list[re.Match[str]]
    """Of a network that has rows in both forms the short ones."""


def engine_rows(lines: list[str]) -> EngineRows:
    """Every row of layer information."""
    starts = [number for number, line in enumerate(lines) if "Original: " in line and _NETWORK.search(line)]
    forms = [_rows_of_network(lines[begin:end]) for begin, end in pairwise([0, *starts, len(lines)])]
    rows = [row for short, detailed in forms for row in short or detailed]
    return EngineRows(sum(len(short) for short, _ in forms), sum(len(detailed) for _, detailed in forms), rows)


def _rows_of_network(lines: list[str]) -> tuple[list[re.Match[str]], list[re.Match[str]]]:
    lines = [line for line in lines if "Layer" in line]
    short = [match for line in lines if (match := _ROW.search(line) or _ROW_OF_6.search(line))]
    return short, [match for line in lines if (match := _DETAILED.match(line))]


def layers_by_type(engine: EngineRows) -> Counter[str]:
    """How many rows each layer type has."""
    return Counter(row["type"] for row in engine.rows)


def engine_tactics(engine: EngineRows) -> set[tuple[str, int]]:
    """Names of layers with the id of their tactic, where rows have one."""
    return {(row["name"], unsigned(row["id"])) for row in engine.rows if row["id"]}


def unsigned(text: str) -> int:
    """A tactic id of either spelling as 64 bits."""
    return int(text, 0) % 2**64


def added_reformats(lines: list[str]) -> dict[str, str]:
    """The class of each reformat that the builder says it adds, by the reformat layer's name: from the strides that it prints."""
    found = {}
    for line in lines:
        if "Adding reformat" in line and (match := _ADDED.search(line)):
            name = f"Reformatting CopyNode for {match['side']} Tensor {match['number']} to {match['layer']}"
            (type_before, before), (type_after, after) = (match[side].split("(", 1) for side in ("before", "after"))
            found[name] = reformat_class(type_before, type_after, before, after)
    return found


def reformat_class(type_before: str, type_after: str, before: str, after: str) -> str:
    """What a reformat changes."""
    changed = (type_before != type_after, before != after)
    return {(True, True): "both", (True, False): "dtype", (False, True): "layout", (False, False): "copy"}[changed]


def retyping_reformats(engine: EngineRows) -> Counter[bool]:
    """How many reformat rows change the type, and how many do not; nothing where rows are in the detailed form."""
    found: Counter[bool] = Counter()
    for row in engine.rows:
        if row.re is _DETAILED:
            return Counter()
        if row["type"] == "Reformat":
            before, _, after = row["tensors"].rpartition(" -> ")
            found[_OPERAND.findall(before)[-1:] != _OPERAND.findall(after)[-1:]] += 1
    return found


# -- the tuner -----------------------------------------------------------------------------------------------------


def timed_tactics(lines: list[str]) -> Iterator[tuple[str | None, int, float]]:
    """Every finite time in the order of the log: the layer that was worked on (None for a reformat), the tactic, the time."""
    layer: str | None = None
    for line in lines:
        if "Timing " in line and (working := _WORKING.search(line)):
            layer = None if working["layer"].startswith(("Optimizer Reformat", "<reformat>")) else working["layer"]
        elif ("ime" in line and (timed := _TIMED.search(line))) and float(timed["time"]) < _INFINITE:
            yield layer, unsigned(timed["id"]), float(timed["time"])


def fastest_by_layer(lines: list[str]) -> dict[str, tuple[float, int]]:
    """The smallest time of each layer with its tactic."""
    found: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for layer, tactic, time in timed_tactics(lines):
        if layer is not None:
            found[layer].append((time, tactic))
    return {layer: min(times) for layer, times in found.items()}


def tactics_by_outcome(lines: list[str]) -> Counter[str]:
    """Timed by TensorRT, by Myelin, answered by a cache, without a finite time, skipped for want of workspace."""
    found: Counter[str] = Counter()
    for line in lines:
        if "ime" in line and (timed := _TIMED.search(line)):
            found["timed" if float(timed["time"]) < _INFINITE else "no time"] += 1
        elif "(foreignNode)" in line and _MYELIN.search(line):
            found["timed by Myelin"] += 1
        elif "cached result" in line and _CACHED.search(line):
            found["cached"] += 1
    return found


def unnamed(candidates: Iterable[tuple[str | None, int]], lines: list[str]) -> list[int]:
    """Lines of candidates whose layer no line of their block names, from the block's heading down to the candidate."""
    headings = [0, *(number for number, line in enumerate(lines) if "=============== Computing" in line)]
    named: dict[tuple[int, str], int | None] = {}  # first line of a block that names a layer
    wrong = []
    for layer, line in candidates:
        if layer is None:
            continue
        begin = headings[bisect_right(headings, line - 1) - 1]
        known = named.get((begin, layer))
        if known is None:
            known = named[begin, layer] = next((n for n in range(begin, line) if layer in lines[n]), None)
        if known is None:
            wrong.append(line)
    return wrong


# -- sizes and seconds ---------------------------------------------------------------------------------------------


def last_number(text: str, form: str) -> float | None:
    """The number in the last line of a form; None where no line has it."""
    found = re.findall(form + r" ?(\d[\d.e+-]*)", text)
    return float(found[-1]) if found else None


def memory_lines(lines: list[str]) -> tuple[int, int, int]:
    """How many layers have a memory line, and the sums of their device persistent and scratch bytes."""
    found = [match.groups("0") for line in lines if "ersistent" in line and (match := _MEMORY.search(line))]
    return len(found), sum(int(device) for _, device, _ in found), sum(int(scratch) for *_, scratch in found)


def is_one_build(text: str) -> bool:
    """Whether the log holds one build with one strategy and one profile, of which every size is stated once."""
    return (
        len(re.findall(r"Original: \d+ layers", text)) == 1
        and len(re.findall(r"Formats and tactics selection completed", text)) == 1
        and "INT8 calibration" not in text
    )
