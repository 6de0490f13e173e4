"""What the double's classes have in common: the script that they play by, and the small ones that users derive from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.doubles.tensorrt_surface import EnumMember

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass
class Script:
    """How the double behaves, and what it saw."""

    fails: bool = False
    refuses_timing_cache: bool = False
    on_build: Callable[[], None] | None = None
    step_seconds: float = 0.0
    steps: int = 3
    calls: list[tuple[str, Any]] = field(default_factory=list)
    loggers: list[Any] = field(default_factory=list)
    cancelled: bool = False

    def saw(self, name: str) -> list[Any]:
        """What was given in the calls of that name."""
        return [value for call, value in self.calls if call == name]

    def note(self, name: str, value: Any) -> None:
        """Remember a call."""
        self.calls.append((name, value))


class Player:
    """A class of the double; `_trt` and `_script` are filled in for each release."""

    _trt: Any
    _script: Script


class Dims(tuple[int, ...]):
    """A shape, as the bindings give it."""

    __slots__ = ()


class HostMemory(bytes):
    """A buffer with its size."""

    __slots__ = ()

    @property
    def nbytes(self) -> int:
        """The size in bytes."""
        return len(self)


class Severities:
    """`ILogger.Severity`."""

    INTERNAL_ERROR = EnumMember("Severity", "INTERNAL_ERROR", 0)
    ERROR = EnumMember("Severity", "ERROR", 1)
    WARNING = EnumMember("Severity", "WARNING", 2)
    INFO = EnumMember("Severity", "INFO", 3)
    VERBOSE = EnumMember("Severity", "VERBOSE", 4)


class Interface(Player):
    """A class that users derive from: pybind11 refuses an object whose base was not initialised."""

    _open = True

    def __init__(self) -> None:
        self._initialised = True


class ILogger(Interface):
    """The logger that users derive from; its severities are also members of the class."""

    Severity = Severities
    INTERNAL_ERROR = Severities.INTERNAL_ERROR
    ERROR = Severities.ERROR
    WARNING = Severities.WARNING
    INFO = Severities.INFO
    VERBOSE = Severities.VERBOSE


class Registry:
    """The plugin registry; a path that ends in `missing.so` does not load."""

    def __init__(self, script: Script) -> None:
        self._script = script

    def load_library(self, plugin_path: str) -> object:
        """A handle of the library."""
        if plugin_path.endswith("missing.so"):
            raise RuntimeError("cannot open shared object file")
        self._script.note("load_library", plugin_path)
        return object()
