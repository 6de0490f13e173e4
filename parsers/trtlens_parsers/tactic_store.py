"""Collects the tactics of one build as columns, each distinct kernel once.

A log holds hundreds of thousands of tactics, so that what is done for one of them decides how fast a log is read: a time
goes into an array, a kernel is looked up by the text that spells it.
"""

from __future__ import annotations

import math
from array import array

from trtlens_parsers.records import Kernel, Remark, Tactics
from trtlens_parsers.tactic_lines import FLT_MAX, read_head


class KernelNames:
    """The distinct kernels of a log, and the texts that spell them: builds of one model name the same ones again."""

    def __init__(self) -> None:
        self.kernels: list[Kernel] = []
        self.heads: dict[str, int] = {}  # texts before the time that name their kernel, with its code
        self._nameless: dict[str, Kernel] = {}  # texts that give an id alone
        self._codes: dict[Kernel, int] = {}

    def read_head(self, head: str) -> Kernel | None:
        """The kernel that the text before a time spells; None where it spells none."""
        kernel = self._nameless.get(head) or read_head(head)
        if kernel is not None and kernel.name is None:
            self._nameless[head] = kernel
        return kernel

    def code(self, kernel: Kernel) -> int:
        """Position of a kernel among the distinct ones."""
        code = self._codes.get(kernel)
        if code is None:
            code = self._codes[kernel] = len(self._codes)
            self.kernels.append(kernel)
        return code


class TacticStore:
    """The growing columns of one build; ``add_line``, ``add_code`` and ``add_time`` are called together."""

    def __init__(self, names: KernelNames) -> None:
        self.columns = Tactics(array("q"), array("i"), array("d"), names.kernels, {})
        self.add_line = self.columns.lines.append
        self.add_code = self.columns.codes.append
        self.add_time = self.columns.times_ms.append
        self.heads = names.heads
        self._shared = names
        self._names: dict[int, Kernel] = {}
        self._next_name: str | None = None

    def __len__(self) -> int:
        return len(self.columns)

    def code_of_head(self, head: str) -> int | None:
        """Code of the kernel that the text before a time spells; None where it spells none."""
        kernel = self._shared.read_head(head)
        if kernel is None:
            return None
        if kernel.name is None:
            return self.code(kernel)
        code = self.heads[head] = self._shared.code(kernel)
        return code

    def code(self, kernel: Kernel) -> int:
        """Code of a kernel; one without a name takes the name that a line before gave its tactic."""
        return self._shared.code(kernel if kernel.name is not None else self._named(kernel))

    def add_run(self, lines: list[str], start: int, number: int) -> bool:
        """Keep a run of timed tactics at once; False, with nothing kept, where one of them is not plain.

        Each line is ``Tactic Name: KERNEL Tactic: ID Time: T`` from ``start`` on; the first one has that ``number``.
        Done for all lines at a time, this takes half of what it takes line by line.
        """
        parts = [line.rpartition(" Time: ") for line in lines]
        heads = self.heads
        codes = [heads.get(head[start:]) for head, _, _ in parts]
        if None in codes:
            codes = [self.code_of_head(parts[i][0][start:]) if c is None else c for i, c in enumerate(codes)]
        known = [code for code in codes if code is not None]
        try:
            times = [float(time) for _, _, time in parts]
        except ValueError:
            return False
        # the sum is no number below the limit for infinite times and for NaN, too
        if len(known) < len(codes) or min(times) < 0 or not sum(times) < FLT_MAX:
            return False
        self.columns.lines.extend(range(number, number + len(lines)))
        self.columns.codes.extend(known)
        self.columns.times_ms.extend(times)
        return True

    def add(self, line: int, code: int, time_ms: float | None, remark: Remark | None) -> None:
        """Keep one tactic."""
        if remark is not None:
            self.columns.remarks[len(self.columns)] = remark
        self.add_line(line)
        self.add_code(code)
        self.add_time(math.nan if time_ms is None else time_ms)

    def take_back(self) -> Kernel:
        """Remove the last tactic; its kernel."""
        self.columns.remarks.pop(len(self.columns) - 1, None)
        self.columns.lines.pop()
        self.columns.times_ms.pop()
        return self.columns.kernels[self.columns.codes.pop()]

    def kernel(self, code: int) -> Kernel:
        """The kernel of a code."""
        return self.columns.kernels[code]

    def last_kernel(self, start: int) -> Kernel | None:
        """Kernel of the last tactic at or behind ``start``."""
        return self.columns.kernels[self.columns.codes[-1]] if len(self.columns) > start else None

    # -- names that stand on a line before the time (to 8.5) -------------------------------------------------------

    def announce(self, kernel: Kernel) -> None:
        """Remember the name that a line gives a tactic whose time follows; without an id it is the next one's."""
        if kernel.tactic_id is None:
            self._next_name = kernel.name
        else:
            self._names[kernel.tactic_id] = kernel

    def forget_names(self) -> None:
        """End of a runner: a name that no time followed is nobody's."""
        self._next_name = None
        if self._names:
            self._names.clear()

    def _named(self, kernel: Kernel) -> Kernel:
        named = self._names.pop(kernel.tactic_id, None) if kernel.tactic_id is not None else None
        if named is not None:
            return named
        name, self._next_name = self._next_name, None
        return kernel if name is None else kernel._replace(name=name)
