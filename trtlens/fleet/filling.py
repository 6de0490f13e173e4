"""Fills a fleet: sources in groups of some megabytes, each read and written by one task of Dask, or here if there is little."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from trtlens.errors import TrtlensError
from trtlens.fleet.batches import Added, add_batch
from trtlens.fleet.store import check_fleet, is_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from trtlens.fleet.batches import Adding
    from trtlens.fleet.sources import Source
    from trtlens.fleet.store import Place

    Report = Callable[[Added], None]

_GROUP_BYTES = 64 * 10**6
_GROUP_RUNS = 256
_FEW_BYTES = 32 * 10**6
"""Bytes below which starting processes takes longer than reading."""
_TIMEOUT_S = 10
_PACKED_GROWTH = 10
"""Times that a compressed log grows, about: groups are of what is read."""


@dataclass(frozen=True, slots=True)
class Workers:
    """Who reads: a running Dask scheduler by its address, else so many processes here (None for one each core)."""

    scheduler: str | None = None
    processes: int | None = None


def fill(place: Place, sources: Sequence[Source], adding: Adding, workers: Workers, report: Report) -> Added:
    """Add sources to a fleet, which is made where there is none; ``report`` is told of each group that is done.

    Raises:
        TrtlensError: the fleet cannot be written, or the scheduler not be reached.

    """
    check_fleet(place, create=True)
    total = Added()
    for added in _added(place, _groups(sources), adding, workers):
        report(added)
        fresh = tuple(run for run in added.runs if run not in set(total.runs))
        total = Added(
            (*total.runs, *fresh), total.known + added.known + len(added.runs) - len(fresh),
            (*total.broken, *added.broken), (*total.unread, *added.unread), total.bytes + added.bytes,
        )  # fmt: skip
    return total


def _groups(sources: Sequence[Source]) -> list[list[Source]]:
    """Sources in groups of a size that one task reads in seconds; members of an archive stay in its order."""
    groups: list[list[Source]] = []
    room = 0
    for source in sources:
        size = _read_bytes(source)
        if not groups or size > room or len(groups[-1]) >= _GROUP_RUNS:
            groups.append([])
            room = _GROUP_BYTES
        groups[-1].append(source)
        room -= size
    return groups


def _read_bytes(source: Source) -> int:
    packed = (source.member or source.paths[0]).endswith((".gz", ".xz", ".zst"))
    return source.bytes * (_PACKED_GROWTH if packed else 1)


def _added(place: Place, groups: Sequence[Sequence[Source]], adding: Adding, workers: Workers) -> Iterator[Added]:
    cores = workers.processes or os.cpu_count() or 1
    little = sum(_read_bytes(source) for group in groups for source in group) < _FEW_BYTES
    if workers.scheduler is None and (cores == 1 or little or len(groups) == 1):
        for group in groups:
            yield add_batch(place, group, adding)
        return
    with _client(workers.scheduler, min(cores, len(groups))) as client:
        yield from _on_cluster(client, place, groups, adding)


@contextmanager
def _client(scheduler: str | None, processes: int) -> Iterator[Any]:
    """A client of the scheduler, or of processes of our own that end with it."""
    try:
        from distributed import Client, LocalCluster  # noqa: PLC0415  a few logs need no Dask
    except ImportError as error:
        raise TrtlensError(
            f"Dask is not installed ({error}): pip install 'trtlens[fleet]', or add with --processes 1"
        ) from error
    if scheduler is None:
        with (
            LocalCluster(
                n_workers=processes, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs=50
            ) as cluster,
            Client(cluster) as client,
        ):
            yield client
        return
    try:
        client = Client(scheduler, timeout=_TIMEOUT_S)
    except (OSError, TimeoutError, ValueError) as error:
        raise TrtlensError(
            f"no Dask scheduler answers at {scheduler} ({error}): start one with dask scheduler"
        ) from error
    with client:
        yield client


def _on_cluster(client: Any, place: Place, groups: Sequence[Sequence[Source]], adding: Adding) -> Iterator[Added]:
    """What became of each group, as they are done; one whose worker was lost is read again, at last run by run."""
    from distributed import KilledWorker, as_completed  # noqa: PLC0415

    tasks = {client.submit(add_batch, place, group, adding, pure=False): group for group in groups}
    waiting = as_completed(tasks)
    for task in waiting:
        group = tasks.pop(task)
        try:
            added = task.result()
        except KilledWorker as error:
            if len(group) == 1:
                yield Added(unread=(f"{group[0].name}: every process that read it was lost ({error})",))
                continue
            again = {client.submit(add_batch, place, [one], adding, pure=False): [one] for one in group}
            tasks.update(again)
            waiting.update(again)
        else:
            yield added
        finally:
            task.release()


def absolute(sources: Sequence[Source]) -> list[Source]:
    """The sources with names and paths that a worker in another folder finds, and a later refresh."""
    return [
        replace(
            one,
            name=one.name if len(one.paths) > 1 else _absolute(one.name),
            paths=tuple(_absolute(path) for path in one.paths),
        )
        for one in sources
    ]


def _absolute(path: str) -> str:
    return path if is_url(path) else os.path.abspath(path)  # noqa: PTH100  links stay as they are
