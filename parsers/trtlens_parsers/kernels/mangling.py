"""Codes of the Itanium C++ ABI (chapter 5.1.5): built-in types, abbreviated names, identifiers with their length."""

from __future__ import annotations

import re
from typing import Final

LENGTH: Final = re.compile(r"[0-9]{1,5}")

BUILTIN: Final[dict[str, str]] = {
    "v": "void",
    "w": "wchar_t",
    "b": "bool",
    "c": "char",
    "a": "signed char",
    "h": "unsigned char",
    "s": "short",
    "t": "unsigned short",
    "i": "int",
    "j": "unsigned int",
    "l": "long",
    "m": "unsigned long",
    "x": "long long",
    "y": "unsigned long long",
    "n": "__int128",
    "o": "unsigned __int128",
    "f": "float",
    "d": "double",
    "e": "long double",
    "g": "__float128",
    "z": "...",
}
BUILTIN_D: Final[dict[str, str]] = {
    "Dh": "half",
    "Dn": "decltype(nullptr)",
    "Di": "char32_t",
    "Ds": "char16_t",
    "Du": "char8_t",
    "Da": "auto",
    "Dc": "decltype(auto)",
}
STANDARD: Final[dict[str, str]] = {
    "Sa": "std::allocator",
    "Sb": "std::basic_string",
    "Ss": "std::string",
    "Si": "std::istream",
    "So": "std::ostream",
    "Sd": "std::iostream",
}
SUFFIX: Final[dict[str, str]] = {"P": "*", "R": "&", "O": "&&", "K": " const", "V": " volatile", "r": " restrict"}


def identifiers(name: str) -> list[str]:
    """Every ``<length><identifier>`` in order: what can be saved from a name that does not parse."""
    found = []
    at = 2
    while match := LENGTH.search(name, at):
        at = match.end() + int(match.group())
        word = name[match.end() : at]
        if not word[:1].isidentifier():
            at = match.end()
            continue
        found.append(word)
    return found
