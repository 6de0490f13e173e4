"""Itanium C++ mangled names (``_ZN...``), as far as CUDA kernels need: the qualified name and its template arguments.

Source: Itanium C++ ABI, chapter 5.1 (mangling). Parameter types of the function are left out, since the words that
decide stand before them. What this reader does not know (expressions, decltype) leaves the identifiers of the name.
"""

from __future__ import annotations

import re
from typing import Final

_MAX_DEPTH: Final = 60
_BUDGET: Final = 500_000  # characters written in all: substitutions can double a name with every use
_LENGTH: Final = re.compile(r"[0-9]{1,5}")

_BUILTIN: Final = {
    "v": "void", "w": "wchar_t", "b": "bool", "c": "char", "a": "signed char", "h": "unsigned char", "s": "short",
    "t": "unsigned short", "i": "int", "j": "unsigned int", "l": "long", "m": "unsigned long", "x": "long long",
    "y": "unsigned long long", "n": "__int128", "o": "unsigned __int128", "f": "float", "d": "double",
    "e": "long double", "g": "__float128", "z": "...", "Dh": "half", "Dn": "decltype(nullptr)", "Di": "char32_t",
    "Ds": "char16_t", "Du": "char8_t", "Da": "auto", "Dc": "decltype(auto)",
}  # fmt: skip
_STANDARD: Final = {
    "Sa": "std::allocator", "Sb": "std::basic_string", "Ss": "std::string", "Si": "std::istream",
    "So": "std::ostream", "Sd": "std::iostream",
}  # fmt: skip
_SUFFIX: Final = {"P": "*", "R": "&", "O": "&&", "K": " const", "V": " volatile", "r": " restrict"}


class _UnreadableError(Exception):
    """The name uses what this reader does not know, or is cut short."""


def demangle(name: str) -> str | None:
    """The readable form of a mangled kernel name, without its parameters.

    Returns:
        None when ``name`` is not mangled. A name that cannot be read whole gives its identifiers, separated by "::".
    """
    if not name.startswith("_Z"):
        return None
    try:
        return _Reader(name).qualified_name()
    except (_UnreadableError, RecursionError, ValueError, IndexError):  # the latter two by substitutions that are none
        return "::".join(_identifiers(name))


class _Reader:
    """A cursor over one mangled name; every method reads one production of the grammar and returns it as C++ text."""

    __slots__ = ("at", "budget", "depth", "seen", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 2
        self.depth = 0
        self.budget = _BUDGET
        self.seen: list[str] = []  # substitution candidates, in the order of the ABI

    def qualified_name(self) -> str:
        self.accept("L")  # internal linkage
        return self.name()

    def peek(self, count: int = 1) -> str:
        return self.text[self.at : self.at + count]

    def take(self, expected: str) -> None:
        if not self.accept(expected):
            raise _UnreadableError

    def accept(self, optional: str) -> bool:
        """Skip what may stand here; whether it did."""
        found = self.text.startswith(optional, self.at)
        self.at += len(optional) * found
        return found

    def until(self, mark: str, most: int) -> str:
        """The text before the next mark, which is skipped too."""
        end = self.text.find(mark, self.at, self.at + most)
        if end < 0:
            raise _UnreadableError
        found, self.at = self.text[self.at : end], end + 1
        return found

    def number(self) -> str:
        return self.until("_", 12)

    def types(self) -> list[str]:
        """All types up to the closing "E"."""
        found = []
        while not self.accept("E"):
            found.append(self.type())
        return found

    def write(self, text: str) -> str:
        self.budget -= len(text)
        if self.budget < 0:
            raise _UnreadableError
        return text

    def remember(self, text: str) -> str:
        self.seen.append(self.write(text))
        return text

    def name(self) -> str:
        first = self.peek()
        if first == "N":
            return self.nested_name()
        if first == "Z":
            return self.local_name()
        if first == "S" and self.peek(2) != "St":
            return self.substitution() + self.template_args()
        base = self.component()
        return self.remember(base) + self.template_args() if self.peek() == "I" else base

    def local_name(self) -> str:
        self.take("Z")
        outer = self.qualified_name()
        self.types()
        is_literal = self.accept("s")
        return outer if is_literal else self.write(f"{outer}::{self.name()}")

    def nested_name(self) -> str:
        self.take("N")
        while self.peek() in ("K", "V", "r", "R", "O"):
            self.at += 1
        prefix = ""
        while self.peek() != "E":
            if self.peek() == "I":
                prefix += self.template_args()
            elif self.peek() == "S" and self.peek(2) != "St":
                prefix = self.substitution()
                continue
            else:
                part = self.component(prefix)
                prefix = f"{prefix}::{part}" if prefix else part
            if self.peek() != "E":
                self.remember(prefix)
        self.take("E")
        return self.write(prefix)

    def component(self, prefix: str = "") -> str:
        """One name between "::"."""
        if self.accept("St"):
            return "std" if prefix or self.peek() == "I" else f"std::{self.component()}"
        self.accept("L")
        first = self.peek()
        if first.isdecimal():
            return self.source_name()
        if first == "T":
            return self.template_param()
        if first == "U":
            return self.unnamed()
        if first in ("C", "D") and prefix:
            self.at += 2
            return prefix.rpartition("::")[2]
        if first.islower():
            return self.operator_name()
        raise _UnreadableError

    def source_name(self) -> str:
        match = _LENGTH.match(self.text, self.at)
        if match is None:
            raise _UnreadableError
        end = match.end() + int(match.group())
        word = self.text[match.end() : end]
        if not word or end > len(self.text):
            raise _UnreadableError
        self.at = end
        while self.accept("B"):  # ABI tags
            self.source_name()
        return "(anonymous namespace)" if word.startswith("_GLOBAL__N") else self.write(word)

    def operator_name(self) -> str:
        if self.accept("cv"):
            return f"operator {self.type()}"
        code = self.peek(2)
        self.at += 2
        if not code.isalpha():
            raise _UnreadableError
        return f"operator {code}"

    def unnamed(self) -> str:
        if self.accept("Ul"):
            self.types()
        else:
            self.take("Ut")
        self.number()
        return "(unnamed)"

    def template_param(self) -> str:
        self.take("T")
        return f"T{self.number()}"

    def substitution(self) -> str:
        code = self.peek(2)
        if code in _STANDARD:
            self.at += 2
            return _STANDARD[code]
        self.take("S")
        digits = self.number()
        return self.write(self.seen[int(digits, 36) + 1 if digits else 0])

    def template_args(self) -> str:
        return self.write(f"<{', '.join(self.arguments())}>") if self.accept("I") else ""

    def arguments(self) -> list[str]:
        found = []
        while not self.accept("E"):
            if self.accept("L"):
                found.append(self.literal())
            elif self.accept("J"):
                found.extend(self.arguments())
            else:
                found.append(self.type())
        return found

    def literal(self) -> str:
        if self.accept("_Z"):
            value = self.qualified_name()
            self.types()
            return value
        kind, value = self.type(), self.until("E", 40)
        if kind == "bool":
            return "true" if value == "1" else "false"
        value = value.replace("n", "-", 1)
        return value if kind == "int" else f"({kind}){value}"

    def type(self) -> str:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise _UnreadableError
        found = self.any_type()
        self.depth -= 1
        return found

    def any_type(self) -> str:
        first = self.peek()
        code = self.peek(2) if first == "D" else first
        if code in _BUILTIN:
            self.at += len(code)
            return _BUILTIN[code]
        if first in _SUFFIX:
            return self.suffixed_type()
        if first == "D":
            return self.d_type()
        return self.class_type(first)

    def class_type(self, first: str) -> str:
        if first == "S" and self.peek(2) != "St":
            base = self.substitution()
            return self.remember(base + self.template_args()) if self.peek() == "I" else base
        if first == "T":
            return self.remember(self.template_param()) + self.template_args()
        if first in ("F", "A", "M"):
            return self.remember(self.composed_type(first))
        if self.accept("u"):  # vendor type
            return self.remember(self.source_name())
        return self.remember(self.name())

    def suffixed_type(self) -> str:
        """Pointers and references one by one; "restrict volatile const" together, as one substitution candidate."""
        first = self.peek()
        self.at += 1
        if first in "PRO":
            return self.remember(self.type() + _SUFFIX[first])
        suffix = _SUFFIX[first]
        while self.peek() in ("K", "V", "r"):
            suffix += _SUFFIX[self.peek()]
            self.at += 1
        return self.remember(self.type() + suffix)

    def d_type(self) -> str:
        """Float types by their bits, and packs."""
        if self.accept("DF"):
            bits = self.number() if "_" in self.peek(4) else self.peek(3)
            self.at += 3 if bits.endswith("b") and self.peek(3) == bits else 0
            return f"bfloat{bits[:-1]}" if bits.endswith("b") else f"float{bits}"
        self.take("Dp")
        return self.remember(self.type())

    def composed_type(self, first: str) -> str:
        self.at += 1
        if first == "A":
            size = self.number()
            return f"{self.type()} [{size}]"
        if first == "M":
            owner = self.type()
            return f"{self.type()} {owner}::*"
        self.accept("Y")
        return f"{self.type()} ({', '.join(self.types())})"


def _identifiers(name: str) -> list[str]:
    """Every ``<length><identifier>`` in order: what can be saved from a name that does not parse."""
    found = []
    at = 2
    while match := _LENGTH.search(name, at):
        at = match.end()
        word = name[at : at + int(match.group())]
        if word[:1].isidentifier():
            found.append(word)
            at += len(word)
    return found
