"""A function run in a process of its own, which loads everything anew as a deployment does; its answer or error comes back.

What a process did before stays in it: memory that a build left, a profiler that was attached, launches that CUPTI slows
down for good. A process that crashes takes nothing else with it.
"""

from __future__ import annotations

import multiprocessing
import signal
import traceback
from typing import TYPE_CHECKING, Any, TypeVar

from trtlens.errors import CaptureError

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

T = TypeVar("T")

_GRACE_SECONDS = 30.0


class ProcessTraceback(Exception):  # noqa: N818  it is the cause of an error, and holds where that was raised
    """The traceback in the other process of the error that it caused here."""


def in_own_process(purpose: str, function: Callable[..., T], *arguments: Any) -> T:
    """What the function returns in a new process; function, arguments and answer can be pickled.

    `purpose` completes "the process that ...". Raises what the function raised, and CaptureError where the process ended
    before it answered. Nothing of it is left when this returns or raises.
    """
    context = multiprocessing.get_context("spawn")
    answers, answering = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(answering, function, arguments), daemon=True)
    process.start()
    answering.close()  # else the end of the process would not be seen
    try:
        answer, error, told = answers.recv()
    except EOFError:
        process.join()
        raise CaptureError(f"the process that {purpose} {_ending(process.exitcode)} before it was done") from None
    except BaseException:
        process.kill()
        raise
    finally:
        answers.close()
        process.join(_GRACE_SECONDS)
        if process.is_alive():  # TensorRT's destructors may hang; the answer is there
            process.kill()
            process.join()
    if error is not None:
        raise error from ProcessTraceback(told)
    return answer


def _answer(answering: Connection, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    """Run in the other process: Ctrl-C reaches both, and the one that waits decides."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answer: tuple[Any, Exception | None, str]
    try:
        answer = (function(*arguments), None, "")
    except Exception as error:  # noqa: BLE001  it is raised where it is waited for
        answer = (None, error, f"\n{traceback.format_exc()}")
    answering.send(answer)
    answering.close()


def _ending(code: int | None) -> str:
    if code is not None and code < 0:
        try:
            return f"was ended by {signal.Signals(-code).name}"
        except ValueError:
            return f"was ended by signal {-code}"
    return f"exited with code {code}"
