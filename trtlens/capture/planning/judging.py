"""Who says whether a choice of types holds: the emulator with a bound, or a command of the user's that is given the model."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trtlens.capture.planning.typed_model import typed_proto, write_typed
from trtlens.errors import TrtlensError
from trtlens.quantities import seconds

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from trtlens.capture.planning.kept_search import KeptSearch
    from trtlens.capture.planning.prepared import Prepared
    from trtlens.capture.progress import Progress
    from trtlens.plan.bound import Bound

    Flags = NDArray[np.bool_]
    Floats = NDArray[np.float64]

PLACE = "{model}"
_NOT_RUN = frozenset({126, 127})
_TAIL = 300


@dataclass(frozen=True, slots=True)
class EmulatedJudge:
    """Measures a choice on the CPU, once."""

    prepared: Prepared
    bound: Bound
    kept: KeptSearch
    progress: Progress

    def check(self, low: Flags) -> tuple[bool, Floats | None]:
        """Whether the damage of every output is within the bound, and that damage."""
        known = self.kept.checked(low)
        if known is None or known[1] is None:
            self.progress("Checking a plan", None, None, f"{int(low.sum())} units in {self.prepared.request.low_type}")
            damage = self.prepared.emulator.damage(low)
            known = (self.bound.holds(damage), damage)
            self.kept.add_check(low, *known)
        return self.bound.holds(known[1]) if known[1] is not None else known[0], known[1]

    def rounding(self, boundary: int) -> Floats | None:
        """The damage of one cast."""
        return cast_damage(self.prepared, self.kept, boundary)


@dataclass(frozen=True, slots=True)
class CommandJudge:
    """Writes the typed model and runs the command on it: exit code 0 means that it holds."""

    prepared: Prepared
    command: str
    timeout_s: float
    kept: KeptSearch
    progress: Progress

    def check(self, low: Flags) -> tuple[bool, Floats | None]:
        """What the command says; raises TrtlensError where it cannot be run or does not end."""
        known = self.kept.checked(low)
        if known is None:
            self.progress(
                "Running the check", None, None, f"{int(low.sum())} units in {self.prepared.request.low_type}"
            )
            known = (self._passes(low), None)
            self.kept.add_check(low, *known)
        return known

    def rounding(self, boundary: int) -> Floats | None:
        """The damage of one cast, as the emulator measures it."""
        return cast_damage(self.prepared, self.kept, boundary)

    def _passes(self, low: Flags) -> bool:
        proto = typed_proto(self.prepared.typed, self.prepared.low_nodes(low), self.prepared.request.low_type)
        with tempfile.TemporaryDirectory(prefix="trtlens-plan-") as folder:
            model = Path(folder, "typed.onnx")
            write_typed(proto, model)
            return run_check(self.command, model, self.timeout_s)


def cast_damage(prepared: Prepared, kept: KeptSearch, boundary: int) -> Floats:
    """The damage of rounding one tensor alone, measured once."""
    import numpy as np  # noqa: PLC0415

    if boundary in kept.casts:
        return np.array(kept.casts[boundary])
    damage = prepared.emulator.rounding(boundary)
    kept.add_cast(boundary, damage)
    return damage


def run_check(command: str, model: Path, timeout_s: float) -> bool:
    """Whether the command, with the path of the model in place of `{model}` or behind it, exits with 0.

    Raises:
        TrtlensError: it cannot be started, is ended by a signal, or does not end in time; all that it started is ended.

    """
    path = shlex.quote(str(model))
    line = command.replace(PLACE, path) if PLACE in command else f"{command} {path}"
    with subprocess.Popen(  # noqa: S602  the user's own command line
        line,
        shell=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired as error:
            _end(process)
            raise TrtlensError(
                f"the check {command!r} did not end within {seconds(timeout_s)} and was stopped: give a longer --check-timeout"
            ) from error
        except BaseException:
            _end(process)
            raise
    tail = " ".join(output.decode("utf-8", "replace").split())[-_TAIL:]
    if process.returncode in _NOT_RUN or process.returncode < 0:
        ending = f"was ended by signal {-process.returncode}" if process.returncode < 0 else "cannot be run"
        raise TrtlensError(f"the check {command!r} {ending} ({tail or 'it printed nothing'}): correct --check")
    return process.returncode == 0


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the command and what it started, which are a group of their own."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        process.kill()
    process.communicate()
