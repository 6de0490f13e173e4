"""Packages in which every module declares one thing: a view, a chart, a finding. A new module needs no registration."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_Declared = TypeVar("_Declared")


class Declarations(Mapping[str, _Declared], Generic[_Declared]):
    """What the modules of a package declare, by the module's name; a module is imported when its declaration is asked for.

    Args:
        package: name of the package, and ``path`` its ``__path__``; packages within it declare nothing.
        variable: what each module calls its declaration, of the type ``kind``.
        place: gives the place of a declaration among all of them.

    Raises:
        TypeError: on first use of a module without such a variable.

    """

    def __init__(
        self, package: str, path: Iterable[str], variable: str, kind: type[_Declared], place: Callable[[_Declared], Any]
    ) -> None:
        self._package, self._variable, self._kind, self._place = package, variable, kind, place
        self._names = frozenset(module.name for module in iter_modules(path) if not module.ispkg)
        self._loaded: dict[str, _Declared] = {}

    def __getitem__(self, name: str) -> _Declared:
        if name not in self._names:
            raise KeyError(name)
        if name not in self._loaded:
            self._loaded[name] = self._load(name)
        return self._loaded[name]

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._names, key=lambda name: (self._place(self[name]), name)))

    def __len__(self) -> int:
        return len(self._names)

    def _load(self, name: str) -> _Declared:
        declared = getattr(import_module(f"{self._package}.{name}"), self._variable, None)
        if not isinstance(declared, self._kind):
            folder = self._package.replace(".", "/")
            raise TypeError(f"{folder}/{name}.py declares no {self._variable}: every module of {folder} declares one")
        return declared
