"""Forked processes: one whose end is waited for, or several side by side."""

from __future__ import annotations

import os
import sys
import traceback
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


def in_fork(work: Callable[[], object]) -> None:
    """Do something in a process of its own, and wait for its end."""
    os.waitpid(_started(work), 0)


def side_by_side(works: Sequence[Callable[[], object]], processes: int) -> Iterator[int]:
    """Do each in a process of its own, so many at once; gives the place of each work when it ends."""
    waiting, running = iter(enumerate(works)), dict[int, int]()
    while True:
        for place, work in islice(waiting, processes - len(running)):
            running[_started(work)] = place
        if not running:
            return
        child, _ = os.wait()
        if child in running:
            yield running.pop(child)


def _started(work: Callable[[], object]) -> int:
    sys.stdout.flush()
    child = os.fork()
    if not child:
        try:
            work()
        except BaseException:  # noqa: BLE001  a fork that went on would do its parent's work
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(0)
    return child
