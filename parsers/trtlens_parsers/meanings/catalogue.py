"""The whole catalogue in the order in which it is tried, and the search through it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtlens_parsers.meanings.engine import ENGINE
from trtlens_parsers.meanings.entry import Entry, Meaning, Template
from trtlens_parsers.meanings.environment import ENVIRONMENT
from trtlens_parsers.meanings.network import NETWORK
from trtlens_parsers.meanings.precision import PRECISION
from trtlens_parsers.meanings.tactics import TACTICS
from trtlens_parsers.text import Beginnings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_LONGEST = 65536
"""Characters of a message that are looked at; the longest real ones, with fused names, hold a few thousand."""

# The precise comes before the general: a missing plugin before the operator that needs it, an allocation that failed
# before the CUDA call that did, any known cause before the bare error code.
_ENTRIES = (*PRECISION, *TACTICS, *ENGINE, *NETWORK, *ENVIRONMENT)

MESSAGE_CODES: Mapping[str, Entry] = {entry.code: entry for entry in _ENTRIES}
"""Every code with its entry, in the order in which the catalogue is tried."""

_PARSED = tuple(Template.parse(entry, text) for entry in _ENTRIES for text in entry.templates)
_TEMPLATES = tuple((template.key, template) for template in _PARSED)
_ROLES = (".weight", ".bias")


def _by_head() -> dict[str, list[tuple[str, Template]]]:
    heads: dict[str, list[tuple[str, Template]]] = {}
    for template in _PARSED:
        head = template.literals[0]
        if template.entry.below_warning and head:
            heads.setdefault(head, []).append((template.key, template))
    return heads


_HEADS = _by_head()

MESSAGE_SCREEN = Beginnings(_HEADS, key=3)
"""For INFO and VERBOSE lines: a message that has none of these beginnings has no known meaning.

Beginnings only: the words may stand inside a name, and looking for them there takes far longer.
"""


def classify(text: str) -> Meaning | None:
    """What a logger message means, or None where it has no general meaning.

    ``text`` is the message without its wrapper's prefix; its continuation lines may follow, joined with newlines. For
    INFO and VERBOSE messages ask ``MESSAGE_SCREEN.match`` first: it is far quicker to say no.
    """
    text = text[:_LONGEST]
    head = MESSAGE_SCREEN.longest(text)
    if head is not None:
        meaning = _first_fit(_HEADS[head], text)
        if meaning is not None:
            return meaning
    return _first_fit(_TEMPLATES, text)


def _first_fit(keyed: Iterable[tuple[str, Template]], text: str) -> Meaning | None:
    for key, template in keyed:
        if key in text:
            names = template.fit(text)
            if names is not None:
                entry = template.entry
                layer = names.layer or _layer_of_weights(entry.code, names.tensor)
                return Meaning(entry.code, entry.severity, layer, names.tensor)
    return None


def _layer_of_weights(code: str, weights: str | None) -> str | None:
    """The layer that ``weights`` belong to: TensorRT 8.4 names them LAYER.weight and LAYER.bias.

    A constant's weights bear the constant's own name, which may be a PyTorch parameter's (``model.fc.weight``); a name
    that reads like one is left alone.
    """
    if code != "weights-conversion" or weights is None:
        return None
    layer = next((weights.removesuffix(role) for role in _ROLES if weights.endswith(role)), None)
    return layer if layer and ("/" in layer or " " in layer or "." not in layer) else None
