"""Packages of declarations: every module declares one thing, stands in its place, and is imported when it is asked for."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from trtlens.discovery import Declarations

if TYPE_CHECKING:
    from pathlib import Path


def declarations(folder: Path, monkeypatch: pytest.MonkeyPatch, modules: dict[str, str]) -> Declarations[int]:
    """The numbers that the modules of a made package ``shop.shelf`` declare, the largest first."""
    shelf = folder / "shop" / "shelf"
    (shelf / "inner").mkdir(parents=True)
    for name, source in {"__init__": "", "inner/__init__": "", **modules}.items():
        (shelf / f"{name}.py").write_text(source, "utf-8")
    monkeypatch.syspath_prepend(folder)
    for name in [name for name in sys.modules if name.partition(".")[0] == "shop"]:
        monkeypatch.delitem(sys.modules, name)
    return Declarations("shop.shelf", [str(shelf)], "PRICE", int, lambda price: -price)


def test_modules_stand_in_their_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By place, then by name; packages in the package are none of them."""
    found = declarations(tmp_path, monkeypatch, {"a": "PRICE = 1", "b": "PRICE = 7", "c": "PRICE = 7"})
    assert dict(found) == {"b": 7, "c": 7, "a": 1}
    assert list(found) == ["b", "c", "a"]
    assert len(found) == 3
    with pytest.raises(KeyError):
        found["inner"]


@pytest.mark.parametrize("source", ["", "PRICE = 'dear'"])
def test_a_module_without_a_declaration_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    """None at all, or one of another kind: the error names the file and the variable."""
    found = declarations(tmp_path, monkeypatch, {"a": "PRICE = 1", "pear": source})
    assert "pear" in found
    with pytest.raises(TypeError, match=r"^shop/shelf/pear\.py declares no PRICE: every module of shop/shelf "):
        list(found)


def test_a_module_is_imported_when_it_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking for one, or whether one is there, imports no other."""
    found = declarations(tmp_path, monkeypatch, {"a": "PRICE = 1", "broken": "raise RuntimeError"})
    assert found["a"] == 1
    assert "broken" in found
    with pytest.raises(RuntimeError):
        found["broken"]
