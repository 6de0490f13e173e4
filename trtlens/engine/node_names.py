"""The parts of an engine layer's name: nodes, constants, and what the builder put in, told apart by known names.

Forms of TensorRT 5 to 11: ``A + B`` (fused), ``A || B`` (merged), ``PWN(A, B)`` (pointwise), ``{ForeignNode[A...B]}`` (from A
to B), ``reshape_before_A``, ``squeeze_after_A``, ``A_clone_1``, ``A copy``, ``A_myl0_3``. A node's own name may hold `` + ``
or ``, ``, so known names are matched first, the longest first; the log's chain of fusions tells parts for certain.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

_DELIMITER = re.compile(r" \+ | \|\| |, |\)|\]\}|\.\.\.|$")
_POINTWISE_ONLY = (", ", ")")
"""Delimiters that the builder writes inside ``PWN(..)`` alone; elsewhere they are part of a name."""
_SEPARATOR = re.compile(r"[)\]}+|, ]+|\.\.\.")
_OPENING = re.compile(r"PWN\(|\{ForeignNode\[")
_UNNAMED = re.compile(r"\(Unnamed Layer\* \d{1,9}\) \[[^\]]{1,80}\]")
_ADDED = re.compile(r"(?:copied_)?(?:un)?(?:squeeze|reshape|shuffle)(?:_node)?_(?:before|after)_")
_SUFFIX = re.compile(r"(?:_clone_\d{1,9}|_copy_(?:input|output)| copy|_myl\d{1,9}_\d{1,9})$")
_SUFFIX_ENDS = ("copy", "_input", "_output")
_PROFILE = re.compile(r" \[profile \d{1,4}\]")
_LONGEST = 32_768
"""Names beyond this many characters are left alone."""
_LONGEST_ADDITION = 80
"""Characters that prefixes and suffixes of the builder add to a name, at most."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a name consists of. ``ends`` are the two ends of a ForeignNode; ``other`` is text that is no known name."""

    nodes: tuple[str, ...] = ()
    constants: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    other: tuple[str, ...] = ()
    ends: tuple[str | None, str | None] | None = None

    @property
    def complete(self) -> bool:
        """Whether every part is a known node or constant."""
        return bool(self.nodes) and not self.other and self.ends is None


class NameReader:
    """Takes names of one engine apart, knowing its nodes, its constants, and the fusions that its log reports.

    ``leaves`` are further names of single layers, such as those that other logs of the model fuse.
    """

    def __init__(
        self,
        nodes: Collection[str],
        constants: Collection[str],
        fusions: Iterable[tuple[Sequence[str], str | None]] = (),
        leaves: Collection[str] = (),
    ) -> None:
        self._products = _products(fusions)
        self._leaves = frozenset(leaves) | _leaves(self._products)
        self._nodes, self._constants = nodes, constants
        self._known = frozenset(nodes) | frozenset(constants) | self._leaves
        self._longest = max(map(len, self._known), default=0)

    def read(self, name: str) -> Parts:
        """The parts of one layer's name, a mark of its optimisation profile left aside."""
        text = _PROFILE.sub("", name)
        if len(text) > _LONGEST:
            return Parts(other=(name,))
        kind = self._kind(text)
        if kind is not None:
            return _parts([kind])
        if text in self._products:
            return _parts([self._kind(leaf) or ("other", leaf) for leaf in self._leaves_of(text)])
        if text.startswith("{ForeignNode[") and text.endswith("]}"):
            return self._range(text[13:-2])
        return _parts(self._scan(text))

    def _kind(self, text: str) -> tuple[str, str] | None:
        """What a whole name is: a node, a constant, an addition to a node; None where it is not known as a whole."""
        for candidate in (text, _without_suffix(text)):
            if candidate in self._nodes:
                return "node", candidate
            if candidate in self._constants:
                return "constant", candidate
        if candidate in self._leaves and not self._nodes:
            return "node", candidate
        added = _ADDED.match(candidate)
        if added is not None and (inner := self._kind(candidate[added.end() :])) is not None:
            return ("added", inner[1]) if inner[0] == "node" else inner
        return None

    def _leaves_of(self, product: str) -> list[str]:
        leaves: list[str] = []
        front = [product]
        while front and len(leaves) < _LONGEST:
            name = front.pop()
            sources = self._products.get(name)
            if sources is None or name in self._known:
                leaves.append(name)
            else:
                front += reversed(sources)
        return leaves

    def _range(self, inside: str) -> Parts:
        """``A...B`` inside ForeignNode, or one name where there is one node only."""
        if self._kind(inside) is not None or "..." not in inside:
            return _parts(self._scan(inside))
        for cut in (match.start() for match in re.finditer(r"\.\.\.", inside)):
            first, last = self._end(inside[:cut], 0), self._end(inside[cut + 3 :], -1)
            if first is not None or last is not None:
                return Parts(ends=(first, last))
        return Parts(other=(inside,))

    def _end(self, text: str, which: int) -> str | None:
        parts = _parts(self._scan(text))
        known = parts.nodes or parts.added or parts.constants
        return known[which] if known else None

    def _scan(self, text: str) -> list[tuple[str, str]]:
        """Parts from left to right: at each place the longest known name that ends before a delimiter."""
        stops = [match.start() for match in _DELIMITER.finditer(text)]
        found: list[tuple[str, str]] = []
        place = depth = 0
        while place < len(text):
            if between := _SEPARATOR.match(text, place):
                depth = max(depth - between[0].count(")"), 0)
                place = between.end()
            elif known := self._longest_known(text, place, stops):
                found.append(known[0])
                place = known[1]
            elif opening := _OPENING.match(text, place):
                depth += opening[0] == "PWN("
                place = opening.end()
            else:
                end = _unknown_end(text, place, stops, pointwise=depth > 0)
                found.append(("other", text[place:end]))
                place = end
        return found

    def _longest_known(self, text: str, place: int, stops: Sequence[int]) -> tuple[tuple[str, str], int] | None:
        best = None
        for number in range(bisect_right(stops, place), len(stops)):
            end = stops[number]
            if end - place > self._longest + _LONGEST_ADDITION:
                break
            if (kind := self._kind(text[place:end])) is not None:
                best = kind, end
        return best


def _without_suffix(text: str) -> str:
    """A name without what the builder hangs on to copies of a layer."""
    if text[-1:].isdigit() or text.endswith(_SUFFIX_ENDS):
        return _SUFFIX.sub("", text)
    return text


def _unknown_end(text: str, place: int, stops: Sequence[int], *, pointwise: bool) -> int:
    """Where an unknown part ends: at the next delimiter, a stand-in name taken as a whole."""
    unnamed = _UNNAMED.match(text, place)
    for number in range(bisect_left(stops, unnamed.end() if unnamed else place + 1), len(stops)):
        if pointwise or not text.startswith(_POINTWISE_ONLY, stops[number]):
            return stops[number]
    return len(text)


def is_unnamed(text: str) -> bool:
    """Whether a part is TensorRT's stand-in for a layer without a name: its number depends on the whole network."""
    return _UNNAMED.search(text) is not None or text.startswith("ONNXTRT_")


def _products(fusions: Iterable[tuple[Sequence[str], str | None]]) -> dict[str, tuple[str, ...]]:
    """Names that fusions give to what they make, and what it is made of; ``A + B`` where the log states no name."""
    products: dict[str, tuple[str, ...]] = {}
    for sources, result in fusions:
        if len(sources) < 2:
            continue
        names = [" + ".join(sources), f"PWN({', '.join(sources)})"] if result is None else [result]
        for name in names:
            products.setdefault(name, tuple(sources))
    return products


def _leaves(products: dict[str, tuple[str, ...]]) -> frozenset[str]:
    """Names that go into fusions and come out of none: single layers."""
    parts = {source for sources in products.values() for source in sources}
    return frozenset(name for name in parts - set(products) if _UNNAMED.match(name) is None)


def fused_names(fusions: Iterable[tuple[Sequence[str], str | None]]) -> frozenset[str]:
    """Single layers that fusions of a log name."""
    return _leaves(_products(fusions))


def _parts(kinds: Iterable[tuple[str, str]]) -> Parts:
    grouped: dict[str, list[str]] = {"node": [], "constant": [], "added": [], "other": []}
    for kind, name in kinds:
        grouped[kind].append(name)
    nodes, constants, added, other = (tuple(dict.fromkeys(names)) for names in grouped.values())
    return Parts(nodes, constants, added, other)
