"""Whether handing tensors out changed the engine: its layers against those of the undisturbed one.

Layers are compared by name and tactic. Reformats that were added where a tensor goes out are told apart: they touch no
other layer's numbers. A changed layer may compute other numbers than the undisturbed engine does.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trtlens.layer_patterns import listed
from trtlens_parsers.inspector import read_inspector

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trtlens_parsers.layers import LayerRecord

_MOVES = frozenset({"Reformat", "NoOp"})
_SHOWN = 4


@dataclass(frozen=True, slots=True)
class PlanDifference:
    """Names of layers that only the undisturbed engine has, that only the marked one has, and with another tactic."""

    gone: tuple[str, ...]
    new: tuple[str, ...]
    reformats: tuple[str, ...]
    retuned: tuple[str, ...]

    @property
    def changed(self) -> bool:
        """Whether any layer that computes is another one."""
        return bool(self.gone or self.new or self.retuned)

    def sentence(self) -> str:
        """The note that everyone who reads the dump sees."""
        added = f"; {len(self.reformats)} reformats were added where tensors go out" if self.reformats else ""
        if not self.changed:
            return f"handing tensors out left every layer of the engine as it was{added}"
        parts = []
        if self.gone:
            parts.append(f"{len(self.gone)} layers are gone ({listed(self.gone, _SHOWN)})")
        if self.new:
            parts.append(f"{len(self.new)} are new ({listed(self.new, _SHOWN)})")
        if self.retuned:
            parts.append(f"{len(self.retuned)} run another tactic ({listed(self.retuned, _SHOWN)})")
        return f"handing tensors out changed the engine, whose numbers may differ there: {', '.join(parts)}{added}"


def compare_plans(undisturbed: str, marked: str) -> PlanDifference:
    """Compare two engines by their inspector's JSON; raises FormatError where one is not that."""
    before, after = (read_inspector(text).layers for text in (undisturbed, marked))
    gone = _names(before) - _names(after)
    new = _names(after) - _names(before)
    moves = {layer.name for layer in (*before, *after) if layer.type in _MOVES}
    tactics = {layer.name: layer.tactic_id for layer in before}
    retuned = (
        layer.name
        for layer in after
        if layer.name not in moves and tactics.get(layer.name, layer.tactic_id) != layer.tactic_id
    )
    return PlanDifference(
        gone=tuple(name for name in gone if name not in moves),
        new=tuple(name for name in new if name not in moves),
        reformats=tuple(name for name in new if name in moves),
        retuned=tuple(dict.fromkeys(retuned)),
    )


def _names(layers: Iterable[LayerRecord]) -> Counter[str]:
    return Counter(layer.name for layer in layers)
