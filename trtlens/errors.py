"""The one class of error that a user may see as a single line; everything else is a bug, whose traceback `commands.process` keeps."""

from __future__ import annotations


class TrtlensError(Exception):
    """Wrong usage or unreadable input: what happened, with the value, then what to do."""

    exit_code: int = 2

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class CaptureError(TrtlensError):
    """TensorRT or CUDA failed while building or running an engine."""

    exit_code = 3


def reason(error: OSError | ValueError) -> str:
    """What is wrong with a file in a few words; errors that Python raises itself have no ``strerror``."""
    return getattr(error, "strerror", None) or str(error)
