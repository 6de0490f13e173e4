"""Timing caches opened by TensorRT itself: their entries (10.8 and later), and several merged into one."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from trtlens.capture.backends.backend import find_backend
from trtlens.capture.building.logger import capturing, process_logger
from trtlens.errors import CaptureError, TrtlensError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trtlens.capture.backends.backend import Backend
    from trtlens.runs.cache_file import CacheFile

_REFUSED = ("Failed to deserialize timing cache", "timing cache will not be used", "iming cache header mismatch")
_COUNT = re.compile(r"Serialized (\d{1,12}) timing cache entries")


@dataclass(slots=True)
class _Messages:
    """What TensorRT says of a cache."""

    texts: list[str] = field(default_factory=list)

    def write(self, severity: int, message: str) -> None:  # noqa: ARG002  a sink is given both
        """Keep one message."""
        self.texts.append(message.strip())


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: the key of a problem, the hash of the tactic that won it, and its time in milliseconds."""

    key: str
    tactic_hash: int
    time_ms: float


@dataclass(frozen=True, slots=True)
class Opened:
    """A cache as TensorRT reads it.

    Attributes:
        library: name and version of the TensorRT that opened it.
        count: entries by its own count; None where it does not say.
        entries: each entry by its key; None where the release does not list them, with the reason in ``why_none``.
    """

    library: str
    count: int | None
    entries: dict[str, Entry] | None
    why_none: str | None


@dataclass(frozen=True, slots=True)
class Merged:
    """Several caches in one: the bytes, and how many entries each step left; None where TensorRT does not count."""

    data: bytes
    counts: tuple[int | None, ...]


def library_for_caches() -> Backend | str:
    """The TensorRT that can open caches here, or why there is none: it asks the GPU whether a cache is of its kind."""
    try:
        backend = find_backend()
    except TrtlensError as error:
        return error.message
    return backend if backend.can_run else f"{backend.name} opens a timing cache on a machine with a GPU alone"


def open_cache(file: CacheFile, backend: Backend) -> Opened:
    """The cache's entries.

    Raises:
        CaptureError: TensorRT does not take the file.

    """
    messages = _Messages()
    with capturing(process_logger(backend.trt), messages):
        config = _config(backend)
        cache = _created(config, file, messages)
        _, count = _serialized(cache, messages)
        entries, why = _entries(backend, cache)
    return Opened(f"{backend.name} {backend.version_text}", count, entries, why)


def merge_caches(files: Sequence[CacheFile], backend: Backend) -> Merged:
    """The first cache with the entries of the others that it lacks; of two with one key the earlier one stays.

    Raises:
        CaptureError: TensorRT does not take a file, or not together with the first.

    """
    messages = _Messages()
    with capturing(process_logger(backend.trt), messages):
        config = _config(backend)
        merged = _created(config, files[0], messages)
        data, count = _serialized(merged, messages)
        counts = [count]
        for file in files[1:]:
            added = _created(config, file, messages)
            if not merged.combine(added, ignore_mismatch=False):
                raise CaptureError(
                    f"{file.path} does not go with {files[0].path}: {_told(messages)}; merge caches of one release and GPU"
                )
            data, count = _serialized(merged, messages)
            counts.append(count)
    return Merged(data, tuple(counts))


def _config(backend: Backend) -> Any:
    builder = backend.trt.Builder(process_logger(backend.trt))
    return builder.create_builder_config()


def _created(config: Any, file: CacheFile, messages: _Messages) -> Any:
    messages.texts.clear()
    cache = config.create_timing_cache(file.data)
    if cache is None or any(words in text for text in messages.texts for words in _REFUSED):
        raise CaptureError(
            f"{file.path} is not taken as a timing cache: {_told(messages)}; it may be of another release or GPU"
        )
    return cache


def _serialized(cache: Any, messages: _Messages) -> tuple[bytes, int | None]:
    """The cache's bytes, and its entries by the line that TensorRT logs of them."""
    messages.texts.clear()
    data = bytes(memoryview(cache.serialize()))
    found = [match for match in map(_COUNT.match, messages.texts) if match is not None]
    return data, int(found[-1][1]) if found else None


def _entries(backend: Backend, cache: Any) -> tuple[dict[str, Entry] | None, str | None]:
    if not backend.has("ITimingCache.queryKeys"):
        return None, f"{backend.name} {backend.version_text} does not list them (10.8 and later do)"
    try:
        values = {str(key): cache.query(key) for key in cache.queryKeys()}
    except RuntimeError as error:
        return None, f"TensorRT does not list them ({error}): build with an editable timing cache"
    return {key: Entry(key, int(one.tacticHash), float(one.timingMSec)) for key, one in sorted(values.items())}, None


def _told(messages: _Messages) -> str:
    return "; ".join(dict.fromkeys(messages.texts)) or "TensorRT says no more"
