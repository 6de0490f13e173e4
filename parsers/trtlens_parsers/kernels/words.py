"""A kernel name cut into words, with hashes taken out: only whole words may decide anything.

Then what single words say, whatever the family: instructions, architectures, types, sizes, epilogues. Words repeat from
name to name, so each is looked at once and remembered. TensorRT appends digests to generated names (``__myl_Tran_0x4d2a...``, ``_gemm_mha_v2_0xe7a8...``). One in 150 of them
contains "884" or "16816" by chance, so they go before anybody looks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from trtlens_parsers.data_types import ANY_TYPE

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


# -- what words say --------------------------------------------------------------------------------------------------

_SCALAR: Final = {
    "int8x4": "dp4a",
    "dp4a": "dp4a",
    "ffma": "scalar-fma",
    "simt": "scalar-fma",
    "mmasimt": "scalar-fma",
    "opclasssimt": "scalar-fma",
    "scudnn": "scalar-letter",
    "hcudnn": "scalar-letter",
    "icudnn": "scalar-letter",
    "sgemm": "scalar-letter",
    "hgemm": "scalar-letter",
    "igemm": "scalar-letter",
}
_SCALAR_ORDER: Final = ("dp4a", "scalar-fma", "scalar-letter")

_MATRIX: Final = re.compile(
    r"(?P<shape>(?:sp)?tensor(?:\d+x[\dx]*|884|1688|8816|16816|16832|16864))"
    r"|(?P<digits>[shic](?:884|1688|16816|8816|8832|16832|16864|161616)(?:[a-z][a-z0-9]*)?)"
    r"|(?P<opcode>(?:bs)?(?:sp)?(?:wmma)?tensorop|opclass(?:wmma)?tensorop|mmatensorop)"
    r"|(?P<word>k?imma|hmma|qmma|omma|bmma|dmma|wmma|[hiq]?gmma|wgmma|umma|utcmma|tcgen05)"
    r"|(?P<group>warpgroupsize\d[\dx]*|gmmastage\d+)"
)
_MATRIX_RULES: Final = {
    "shape": "mma-shape",
    "digits": "mma-digits",
    "opcode": "opcode-class",
    "word": "mma-word",
    "group": "warpgroup",
}
_SM: Final = re.compile(r"sm(\d{2,3})[a-z]?")
_CUTLASS_SM: Final = re.compile(r"_cutlass_(\d{2,3})_")
_ARCHITECTURES: Final = {
    "kepler": 35,
    "maxwell": 50,
    "pascal": 60,
    "volta": 70,
    "turing": 75,
    "ampere": 80,
    "ada": 89,
    "hopper": 90,
    "blackwell": 100,
}
_SIZE: Final = re.compile(r"(tilesize|tile|stage|warpsize|cgasize|warpgroupsize|sptensor|tensor)(\d[\dx]*)")
_TYPES: Final = re.compile(rf"({ANY_TYPE})({ANY_TYPE})?({ANY_TYPE})?")
_EPILOGUES: Final = frozenset({"relu", "swish", "silu", "gelu", "bias", "scalebias", "sigmoid", "tanh"})
_SPARSE: Final = re.compile(r"sptensor\d[\dx]*|(?:bs)?sptensorop|sparse|[a-z0-9]*spgemm")


@dataclass(frozen=True, slots=True)
class WordMeaning:
    """What one word says by itself; every field is empty for a word that says nothing."""

    scalar: str | None = None
    matrix: str | None = None
    sm: int | None = None
    architecture: int | None = None
    size: tuple[str, str] | None = None
    types: tuple[str, ...] = ()
    epilogue: bool = False
    split_k: bool = False
    sparse: bool = False

    @property
    def rare(self) -> bool:
        """Whether it says more than a type, a size or an architecture."""
        return bool(self.scalar or self.matrix or self.sm or self.epilogue or self.split_k or self.sparse)


_NOTHING: Final = WordMeaning()


@lru_cache(maxsize=8_192)
def word_meaning(word: str) -> WordMeaning:
    """The meaning of one word in lower case."""
    matrix = _MATRIX.fullmatch(word)
    sm = _SM.fullmatch(word)
    size = _SIZE.fullmatch(word)
    types = _TYPES.fullmatch(word)
    found = WordMeaning(
        scalar=_SCALAR.get(word),
        matrix=_MATRIX_RULES[matrix.lastgroup or ""] if matrix else None,
        sm=int(sm.group(1)) if sm else None,
        architecture=_ARCHITECTURES.get(word),
        size=(size.group(1), size.group(2)) if size else None,
        types=tuple(filter(None, types.groups())) if types else (),
        epilogue=word in _EPILOGUES,
        split_k=word.startswith("splitk"),
        sparse=_SPARSE.fullmatch(word) is not None,
    )
    return _NOTHING if found == _NOTHING else found


@dataclass(slots=True)
class WordFacts:
    """What the words of one name say together; an index is that of the word that says it.

    Attributes:
        scalar: rule and word of an instruction of the ordinary units.
        matrix: rule and word of a matrix instruction.
        sm: the architecture that the kernel was written for, and the word.
        sizes: tile, stages and the like by their key in the name.
        typed: indexes of the words that are made of type names alone.
        epilogue: what is fused behind the sums.
        split_k: whether several blocks share a sum.
        sparse: whether a word speaks of structured sparsity.
    """

    scalar: tuple[str, str] | None = None
    matrix: tuple[str, str] | None = None
    sm: tuple[int, str] | None = None
    sizes: dict[str, str] = field(default_factory=dict)
    typed: list[int] = field(default_factory=list)
    epilogue: tuple[str, ...] = ()
    split_k: bool = False
    sparse: bool = False


def read_words(words: Words) -> WordFacts:
    """Everything that single words say, first come first served; "no_relu_up" is not a ReLU."""
    stated = WordFacts()
    architecture: tuple[int, str] | None = None
    for index, word in enumerate(words.lower):
        said = word_meaning(word)
        if said is _NOTHING:
            continue
        if said.types:
            stated.typed.append(index)
        if said.size is not None:
            stated.sizes.setdefault(*said.size)
        if said.architecture is not None and architecture is None:
            architecture = said.architecture, words.words[index]
        if said.rare:
            _merge(stated, said, words, index)
    _read_pairs(words, stated)
    stated.sm = stated.sm or architecture
    return stated


def _merge(stated: WordFacts, said: WordMeaning, words: Words, index: int) -> None:
    """What few words of a name say."""
    word = words.words[index]
    if said.matrix is not None and stated.matrix is None:
        stated.matrix = said.matrix, word
    if said.scalar is not None and _comes_before(said.scalar, stated.scalar):
        stated.scalar = said.scalar, word
    if said.sm is not None and stated.sm is None:
        stated.sm = said.sm, word
    if said.epilogue and words.lower[index] not in stated.epilogue and words.lower[index - 1] != "no":
        stated.epilogue = (*stated.epilogue, words.lower[index])
    stated.split_k = stated.split_k or said.split_k
    stated.sparse = stated.sparse or said.sparse


def _comes_before(rule: str, known: tuple[str, str] | None) -> bool:
    return known is None or _SCALAR_ORDER.index(rule) < _SCALAR_ORDER.index(known[0])


def _read_pairs(words: Words, stated: WordFacts) -> None:
    """The few facts that take two words: "tensor_op", "cutlass_80", "split_k"."""
    flat = words.flat
    if stated.matrix is None and "_tensor_op_" in flat:
        stated.matrix = "opcode-class", "tensor_op" if "tensor_op" in words.name else "tensor"
    if stated.sm is None and (found := _CUTLASS_SM.search(flat)) is not None:
        stated.sm = int(found.group(1)), words.quote(found)
    if "_split_k_" in flat:
        stated.split_k = True
