"""Classes that have exactly the members of one TensorRT release, and refuse every other name.

The lists are in `fixtures/tensorrt-api`; what the members do is told by plain classes, from which each release takes
the part that it has. A member that a release has and the double does nothing for says so, instead of passing for
absent.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

SURFACES = Path(__file__).parents[2] / "fixtures" / "tensorrt-api"
RELEASES = tuple(sorted(path.stem for path in SURFACES.glob("*.json")))


class EnumMember:
    """A member of a pybind11 enumeration: a name and a number, equal to itself alone."""

    def __init__(self, kind: str, name: str, value: int) -> None:
        self._kind, self.name, self.value = kind, name, value

    def __int__(self) -> int:
        return self.value

    __index__ = __int__

    def __repr__(self) -> str:
        return f"{self._kind}.{self.name}"


def make_enum(kind: str, members: dict[str, int | None]) -> type:
    """A class with those members; numbers that were not recorded are given out in order."""
    taken = {number for number in members.values() if number is not None}
    free = (number for number in range(1000) if number not in taken)
    made = {name: EnumMember(kind, name, next(free) if number is None else number) for name, number in members.items()}
    return type(kind, (), made)


class Guarded:
    """Refuses to read or write a public name that this release does not list for the class."""

    _members: frozenset[str] = frozenset()
    _open = False  # whether users derive from the class, and may then add members of their own

    def __getattribute__(self, name: str) -> Any:
        kind = type(self)
        if not (name.startswith("_") or kind._open or name in kind._members):
            raise AttributeError(f"{kind.__name__} has no attribute {name!r} in this release")
        return object.__getattribute__(self, name)

    def __setattr__(self, name: str, value: object) -> None:
        kind = type(self)
        if not (name.startswith("_") or kind._open or name in kind._members):
            raise AttributeError(f"{kind.__name__} has no attribute {name!r} in this release")
        object.__setattr__(self, name, value)


class Missing:
    """A member that the release has and the double does not play."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __get__(self, instance: object, owner: type) -> Any:
        if instance is None:
            return self
        raise NotImplementedError(f"the double of TensorRT does not play {self._path}")


def restrict(name: str, members: list[str], played: type | None, shared: dict[str, Any]) -> type:
    """The class of that name with these members, played by another class where there is one."""
    namespace: dict[str, Any] = {member: Missing(f"{name}.{member}") for member in members}
    for base in reversed(played.__mro__[:-1] if played is not None else ()):
        known = {key: value for key, value in vars(base).items() if key.startswith("_") or key in members}
        namespace |= {key: value for key, value in known.items() if key not in ("__dict__", "__weakref__")}
    namespace |= {"_members": frozenset(members), "__module__": "tensorrt", **shared}
    return type(name, (Guarded,), namespace)


def build_module(release: str, players: dict[str, type], functions: dict[str, Any], script: object) -> ModuleType:
    """The stand-in for `tensorrt`, or `tensorrt_rtx`, of that release.

    Each class can reach the module as `_trt` and the script as `_script`.
    """
    surface = json.loads((SURFACES / f"{release}.json").read_text())
    module = ModuleType("tensorrt_rtx" if release.startswith("rtx-") else "tensorrt")
    vars(module)["__version__"] = release.removeprefix("rtx-")
    shared = {"_trt": module, "_script": script}
    for name, members in surface.items():
        if isinstance(members, dict):
            setattr(module, name, make_enum(name, members))
        elif members:
            setattr(module, name, restrict(name, members, players.get(name), shared))
        elif name in functions:
            setattr(module, name, functions[name])
    return module
