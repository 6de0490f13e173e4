"""Collects the tactics of one build as columns, each distinct kernel once.

A log holds hundreds of thousands of tactics, so that what is done for one of them decides how fast a log is read: a time
goes into an array, a kernel is looked up by the text that spells it.
"""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass

from trtlens_parsers.messages.tactic_lines import FLT_MAX, Remark, TacticKernel, read_head


@dataclass(frozen=True, slots=True)
class Tactics:
    """The tactics of one build as columns of equal length: a log holds hundreds of thousands of them.

    Attributes:
        lines: line of each tactic.
        codes: position of each tactic's kernel in ``kernels``.
        times_ms: milliseconds; NaN where no time was printed.
        kernels: the distinct kernels of the log, shared by its builds.
        remarks: by position, the few tactics that were not simply timed.

    """

    lines: array[int]
    codes: array[int]
    times_ms: array[float]
    kernels: list[TacticKernel]
    remarks: dict[int, Remark]

    def __len__(self) -> int:
        return len(self.lines)


class KernelNames:
    """The distinct kernels of a log, and the texts that spell them: builds of one model name the same ones again."""

    def __init__(self) -> None:
        self.kernels: list[TacticKernel] = []
        self.heads: dict[str, int] = {}  # texts before the time that name their kernel, with its code
        # texts that give an id alone, with its kernel and code
        self.unnamed: dict[str, tuple[TacticKernel, int]] = {}
        self._codes: dict[TacticKernel, int] = {}

    def code(self, kernel: TacticKernel) -> int:
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
        self._names: dict[int, TacticKernel] = {}
        self._next_name: str | None = None

    def __len__(self) -> int:
        return len(self.columns)

    def code_of_head(self, head: str) -> int | None:
        """Code of the kernel that the text before a time spells; None where it spells none."""
        unnamed = self._shared.unnamed.get(head)
        if unnamed is not None:
            return self.code(unnamed[0]) if self._names or self._next_name is not None else unnamed[1]
        kernel = read_head(head)
        if kernel is None:
            return None
        code = self._shared.code(kernel)
        if kernel.name is None:
            self._shared.unnamed[head] = kernel, code
            return self.code(kernel)
        self.heads[head] = code
        return code

    def code(self, kernel: TacticKernel) -> int:
        """Code of a kernel; one without a name takes the name that a line before gave its tactic."""
        return self._shared.code(kernel if kernel.name is not None else self._named(kernel))

    def add_run(self, lines: list[str], first: int, width: int, number: int) -> int:
        """Keep the timed tactics from position ``first`` on that stand on lines in a row; how many they are.

        Each line is ``PREFIX Tactic Name: KERNEL Tactic: ID Time: T``, with the same prefix of ``width`` characters as
        the first one, whose number is ``number``. A tactic that is not plain (a time that is impossible or no number)
        ends the run, as does any other line.
        """
        start = lines[first][: width + len("Tactic Name: ")]
        find = self.heads.get
        codes: list[int] = []
        times: list[float] = []
        for position in range(first, len(lines)):
            line = lines[position]
            if start not in line:  # quicker than startswith, and a head that is known cannot hold a prefix
                break
            left, _, clock = line.rpartition(" Time: ")
            code = find(left[width:])
            if code is None:
                code = self.code_of_head(left[width:]) if line.startswith(start) else None
                if code is None:
                    break
            try:
                time_ms = float(clock)
            except ValueError:
                break
            if not 0 <= time_ms < FLT_MAX:
                break
            codes.append(code)
            times.append(time_ms)
        self.columns.lines.extend(range(number, number + len(codes)))
        self.columns.codes.extend(codes)
        self.columns.times_ms.extend(times)
        return len(codes)

    def add(self, line: int, code: int, time_ms: float | None, remark: Remark | None) -> None:
        """Keep one tactic."""
        if remark is not None:
            self.columns.remarks[len(self.columns)] = remark
        self.add_line(line)
        self.add_code(code)
        self.add_time(math.nan if time_ms is None else time_ms)

    def last_reason(self) -> str | None:
        """Why the last tactic has no time of its own."""
        remark = self.columns.remarks.get(len(self.columns) - 1)
        return None if remark is None else remark.reason

    def take_back(self) -> TacticKernel:
        """Remove the last tactic; its kernel."""
        self.columns.remarks.pop(len(self.columns) - 1, None)
        self.columns.lines.pop()
        self.columns.times_ms.pop()
        return self.columns.kernels[self.columns.codes.pop()]

    def kernel(self, code: int) -> TacticKernel:
        """The kernel of a code."""
        return self.columns.kernels[code]

    def last_kernel(self, start: int) -> TacticKernel | None:
        """TacticKernel of the last tactic at or behind ``start``."""
        return self.columns.kernels[self.columns.codes[-1]] if len(self.columns) > start else None

    # -- names that stand on a line before the time (to 8.5) -------------------------------------------------------

    def announce(self, kernel: TacticKernel) -> None:
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

    def _named(self, kernel: TacticKernel) -> TacticKernel:
        named = self._names.pop(kernel.tactic_id, None) if kernel.tactic_id is not None else None
        if named is not None:
            return named
        name, self._next_name = self._next_name, None
        return kernel if name is None else kernel._replace(name=name)
