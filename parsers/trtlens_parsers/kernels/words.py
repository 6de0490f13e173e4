"""A kernel name cut into words, with hashes taken out: only whole words may decide anything.

TensorRT appends digests to generated names (``__myl_Tran_0x4d2a...``, ``_gemm_mha_v2_0xe7a8...``). One in 150 of them
contains "884" or "16816" by chance, so they go before anybody looks.
"""

from __future__ import annotations

import re
from typing import Final

_WORD: Final = re.compile(r"[A-Za-z0-9]+")
_DIGEST: Final = re.compile(r"0[xX][0-9a-fA-F]+|(?=[0-9]*[a-fA-F])[0-9a-fA-F]{12,}")


def is_digest(word: str) -> bool:
    """Whether a whole word is a hash: 0x and hexadecimal digits, or at least 12 of them bare, not all decimal."""
    return _DIGEST.fullmatch(word) is not None


class Words:
    """The words of one name.

    Attributes:
        name: the name as given.
        text: the same, demangled where it was mangled.
        words: its words, without digests, letter case as given.
        flat: ``_word_word_`` in lower case, so that a pattern sees every delimiter as "_".
        lower: the words of ``flat``.
    """

    __slots__ = ("flat", "lower", "name", "text", "words")

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text
        self.words = [
            word for word in _WORD.findall(text) if (len(word) < 12 and word[0] != "0") or not is_digest(word)
        ]
        joined = "_".join(self.words).lower()
        self.lower = joined.split("_") if self.words else []
        self.flat = f"_{joined}_"

    def index_at(self, delimiter: int) -> int:
        """The index of the word that follows the delimiter at this position of ``flat``."""
        return self.flat.count("_", 0, delimiter)

    def quote(self, found: re.Match[str]) -> str:
        """A match in ``flat`` as it stands in the name itself, or its first word when the name parts its words."""
        first = self.index_at(found.start())
        last = max(first + 1, self.index_at(found.end() - 1))
        for delimiter in ("_", "::"):
            together = delimiter.join(self.words[first:last])
            if together in self.name:
                return together
        spoken = (word for word in self.words[first:] + self.words if word in self.name and len(word) > 2)
        return next(spoken, "")  # a demangled "float" is an "f" in the name: then the first identifier speaks for it
