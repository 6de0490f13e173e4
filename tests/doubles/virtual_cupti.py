# ruff: noqa: D102
"""CUPTI's records of what a virtual GPU did, in the shape of `cupti-python`'s module: made up at each flush from the GPU's log."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from enum import IntEnum
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.doubles.virtual_gpu import VirtualGpu


class CuptiError(Exception):
    """Stands for `cupti.cuptiError`."""


class _Kind(IntEnum):
    MEMCPY = 1
    MEMSET = 2
    DRIVER = 4
    RUNTIME = 5
    CONCURRENT_KERNEL = 10
    MARKER = 12


class _Flag(IntEnum):
    """cupti-python 13.0 names no MARKER_END."""

    MARKER_START = 2


_MARKER_END = 4


@dataclass
class VirtualCupti:
    """Each launch into a stream runs `layers` (range, kernel, nanoseconds; no kernel is a copy); a graph's launch the same without ranges."""

    gpu: VirtualGpu
    layers: tuple[tuple[str, str | None, int], ...] = (
        ("conv1", "sm80_conv", 4000),
        ("fc", None, 1000),
        ("fc", "gemm", 2000),
    )
    refusal: str | None = None
    lacks: str | None = None
    enabled: list[int] = field(default_factory=list)
    ActivityKind = _Kind
    ActivityFlag = _Flag
    _read: int = 0
    _now: int = 1000
    _ids: int = 0
    _taken: Callable[[list[Any]], None] = lambda _: None

    def activity_register_callbacks(
        self, _requested: Callable[[], Any], completed: Callable[[list[Any]], None]
    ) -> None:
        self._taken = completed

    def activity_enable(self, kind: int) -> None:
        if self.refusal is not None:
            raise CuptiError(self.refusal)
        if not self.enabled:
            self._read = len(self.gpu.log)
        self.enabled.append(kind)

    def activity_disable(self, kind: int) -> None:
        self.enabled.remove(kind)

    def activity_flush_all(self, _flag: int) -> None:
        """Hand out the records of all launches since the last flush, kernels last: they complete after their ranges."""
        assert self.gpu.is_idle, "records of work that goes on are not complete"
        happened, self._read = self.gpu.log[self._read :], len(self.gpu.log)
        for event in happened:
            if event in {"launch", "graph launch"}:
                self._give(self._launch(from_graph=event == "graph launch"))

    def _give(self, records: list[Any]) -> None:
        """CUPTI drops what a callback raises."""
        with suppress(Exception):
            self._taken(records)

    def _launch(self, *, from_graph: bool) -> list[Any]:
        outer = [] if from_graph else self._range("ExecutionContext::enqueue")
        records, ran = outer[:1], []
        correlation = self._number()
        for place, (name, kernel, duration) in enumerate(self.layers):
            around = [] if from_graph else self._range(name)
            if not from_graph:
                correlation = self._number()
            call = SimpleNamespace(kind=_Kind.RUNTIME, start=self._tick(), correlation_id=correlation)
            records += [*around[:1], call, *(self._closed(one) for one in around[1:])]
            ran.append(self._work(kernel, duration, correlation, 100 + place if from_graph else 0))
        return [*records, *(self._closed(one) for one in outer[1:]), *ran]

    def _work(self, kernel: str | None, duration: int, correlation: int, node: int) -> Any:
        start = self._tick()
        common = {
            "start": start, "end": start + duration, "correlation_id": correlation, "stream_id": 7, "graph_node_id": node,
        }  # fmt: skip
        if kernel is None:
            return SimpleNamespace(kind=_Kind.MEMCPY, copy_kind=8, **common)
        grid = {"grid_x": 4, "grid_y": 2, "grid_z": 1, "block_x": 128, "block_y": 1, "block_z": 1}
        memory = {"registers_per_thread": 90, "static_shared_memory": 16, "dynamic_shared_memory": 1024}
        known = {**grid, **memory, **common}
        known.pop(self.lacks or "", None)
        return SimpleNamespace(kind=_Kind.CONCURRENT_KERNEL, name=kernel, **known)

    def _range(self, name: str) -> list[Any]:
        identifier = self._number()
        start = SimpleNamespace(
            kind=_Kind.MARKER, id=identifier, flags_=_Flag.MARKER_START, name=name, timestamp=self._tick()
        )
        return [start, SimpleNamespace(kind=_Kind.MARKER, id=identifier, flags_=_MARKER_END, name=None)]

    def _closed(self, end: Any) -> Any:
        end.timestamp = self._tick()
        return end

    def _tick(self) -> int:
        self._now += 10
        return self._now

    def _number(self) -> int:
        self._ids += 1
        return self._ids
