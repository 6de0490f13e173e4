"""Itanium C++ mangled names (``_ZN...``), as far as CUDA kernels need: the qualified name and its template arguments.

Source: Itanium C++ ABI, chapter 5.1 (mangling). Parameter types of the function are left out, since the words that
decide stand before them. What this reader does not know (expressions, decltype) leaves the identifiers of the name.
"""

from __future__ import annotations

from typing import Final

from trtlens_parsers.kernels.mangling import BUILTIN, BUILTIN_D, LENGTH, STANDARD, SUFFIX, identifiers

_MAX_DEPTH: Final = 60
_BUDGET: Final = 500_000  # characters written in all: substitutions can double a name with every use


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
    except (_UnreadableError, RecursionError):
        return "::".join(identifiers(name))


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
        if self.peek() == "L":  # internal linkage
            self.at += 1
        return self.name()

    def peek(self, count: int = 1) -> str:
        return self.text[self.at : self.at + count]

    def take(self, expected: str) -> None:
        if not self.text.startswith(expected, self.at):
            raise _UnreadableError
        self.at += len(expected)

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
        while self.peek() != "E":
            self.type()
        self.take("E")
        if self.peek() == "s":  # a string literal
            self.at += 1
            return outer
        return self.write(f"{outer}::{self.name()}")

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
        if self.peek(2) == "St":
            self.at += 2
            return "std" if prefix or self.peek() == "I" else f"std::{self.component()}"
        if self.peek() == "L":
            self.at += 1
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
        match = LENGTH.match(self.text, self.at)
        if match is None:
            raise _UnreadableError
        end = match.end() + int(match.group())
        word = self.text[match.end() : end]
        if not word or end > len(self.text):
            raise _UnreadableError
        self.at = end
        while self.peek() == "B":  # ABI tags
            self.at += 1
            self.source_name()
        return "(anonymous namespace)" if word.startswith("_GLOBAL__N") else self.write(word)

    def operator_name(self) -> str:
        code = self.peek(2)
        self.at += 2
        if code == "cv":
            return f"operator {self.type()}"
        if not code.isalpha():
            raise _UnreadableError
        return f"operator {code}"

    def unnamed(self) -> str:
        if self.peek(2) == "Ul":
            self.at += 2
            while self.peek() != "E":
                self.type()
            self.take("E")
        else:
            self.take("Ut")
        self.number_to_underscore()
        return "(unnamed)"

    def number_to_underscore(self) -> str:
        end = self.text.find("_", self.at, self.at + 12)
        if end < 0:
            raise _UnreadableError
        digits, self.at = self.text[self.at : end], end + 1
        return digits

    def template_param(self) -> str:
        self.take("T")
        return f"T{self.number_to_underscore()}"

    def substitution(self) -> str:
        code = self.peek(2)
        if code in STANDARD:
            self.at += 2
            return STANDARD[code]
        self.take("S")
        digits = self.number_to_underscore()
        try:
            index = int(digits, 36) + 1 if digits else 0
            return self.write(self.seen[index])
        except (ValueError, IndexError):
            raise _UnreadableError from None

    def template_args(self) -> str:
        if self.peek() != "I":
            return ""
        return self.write(f"<{', '.join(self.arguments('I'))}>")

    def arguments(self, opening: str) -> list[str]:
        self.take(opening)
        found = []
        while self.peek() != "E":
            if self.peek() == "L":
                found.append(self.literal())
            elif self.peek() == "J":
                found.extend(self.arguments("J"))
            else:
                found.append(self.type())
        self.take("E")
        return found

    def literal(self) -> str:
        self.take("L")
        if self.peek(2) == "_Z":
            self.at += 2
            value = self.qualified_name()
            while self.peek() != "E":
                self.type()
            self.take("E")
            return value
        kind = self.type()
        end = self.text.find("E", self.at, self.at + 40)
        if end < 0:
            raise _UnreadableError
        value, self.at = self.text[self.at : end], end + 1
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
        if first in BUILTIN:
            self.at += 1
            return BUILTIN[first]
        if first in SUFFIX:
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
        if first == "u":  # vendor type
            self.at += 1
            return self.remember(self.source_name())
        return self.remember(self.name())

    def suffixed_type(self) -> str:
        """Pointers and references one by one; "restrict volatile const" together, as one substitution candidate."""
        first = self.peek()
        self.at += 1
        if first in "PRO":
            return self.remember(self.type() + SUFFIX[first])
        suffix = SUFFIX[first]
        while self.peek() in ("K", "V", "r"):
            suffix += SUFFIX[self.peek()]
            self.at += 1
        return self.remember(self.type() + suffix)

    def d_type(self) -> str:
        code = self.peek(2)
        self.at += 2
        if code in BUILTIN_D:
            return BUILTIN_D[code]
        if code == "DF":
            bits = self.number_to_underscore() if "_" in self.peek(4) else self.peek(3)
            self.at += 3 if bits.endswith("b") and self.peek(3) == bits else 0
            return f"bfloat{bits[:-1]}" if bits.endswith("b") else f"float{bits}"
        if code == "Dp":
            return self.remember(self.type())
        raise _UnreadableError

    def composed_type(self, first: str) -> str:
        self.at += 1
        if first == "A":
            size = self.number_to_underscore()
            return f"{self.type()} [{size}]"
        if first == "M":
            owner = self.type()
            return f"{self.type()} {owner}::*"
        if self.peek() == "Y":
            self.at += 1
        result, parameters = self.type(), []
        while self.peek() != "E":
            parameters.append(self.type())
        self.take("E")
        return f"{result} ({', '.join(parameters)})"
