"""Which of a layer's combinations the engine's tensors can have, and what that says of its neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trtlens.tuning.operands import combination_fits, read_combination, shown_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trtlens.tuning.matching import Match
    from trtlens.tuning.operands import Operands
    from trtlens_parsers.strides import FormatCombination, StridedTensor

Known = dict[str, "StridedTensor"]
"""Formats of tensors of one build that a line, or a layer that is settled, has fixed."""


class Fitting:
    """Compares combinations with tensors; ``innermost_first`` says for which builds strides are printed so (7.x)."""

    def __init__(self, rows: Mapping[str, Sequence[Any]], innermost_first: Mapping[int, bool]) -> None:
        self._rows = rows
        self._innermost_first = innermost_first
        self._formats: dict[int, FormatCombination | None] = {}
        self._found: dict[tuple[Any, ...], list[int]] = {}  # many layers of one name can show the same of their tensors

    def fitting(
        self, groups: tuple[int, ...], match: Match, operands: Operands, known: Mapping[str, StridedTensor]
    ) -> list[int]:
        """Those combinations of one build that nothing contradicts.

        A tensor's name can be used again for a copy of it: where what is known of names leaves no combination, only the
        layer's own row counts. Of one build, ``known`` only ever grows.
        """
        for facts in (known, {}):
            if match.by == "name":
                shown: Any = shown_of(operands, facts)
            else:
                shown = match.layer, len(facts)
            key = groups, match.by, shown
            if key not in self._found:
                self._found[key] = self._compare(groups, match, operands, facts)
            if self._found[key]:
                return self._found[key]
        return []

    def _compare(
        self, groups: tuple[int, ...], match: Match, operands: Operands, facts: Mapping[str, StridedTensor]
    ) -> list[int]:
        if match.by == "name":
            return [group for group in groups if self._fits(group, operands, facts)]
        return [group for group in groups if self._region_fits(group, match.layer or "", facts)]

    def learn(self, group: int, operands: Operands, known: Known) -> None:
        """Keep the formats of a settled layer's tensors."""
        combination = self._combination(group)
        if combination is None:
            return
        for own, tried in ((operands.inputs, combination.inputs), (operands.outputs, combination.outputs)):
            if len(own) == len(tried):
                for operand, strided in zip(own, tried, strict=True):
                    known.setdefault(operand.name, strided)

    def _fits(self, group: int, operands: Operands, known: Mapping[str, StridedTensor]) -> bool:
        combination = self._combination(group)
        return combination is None or combination_fits(operands, combination, known)

    def _region_fits(self, group: int, region: str, known: Mapping[str, StridedTensor]) -> bool:
        """Whether the tensors that were reformatted for the region have the combination's formats."""
        combination = self._combination(group)
        if combination is None:
            return True
        for side, tried in (("Input", combination.inputs), ("Output", combination.outputs)):
            for position, strided in enumerate(tried):
                stated = known.get(f"Reformatted {side} Tensor {position} to {region}")
                if stated is not None and stated.format.text != strided.format.text:
                    return False
        return True

    def _combination(self, group: int) -> FormatCombination | None:
        if group not in self._formats:
            inputs, outputs = self._rows["input_formats"][group], self._rows["output_formats"][group]
            innermost_first = self._innermost_first.get(self._rows["build"][group], False)
            self._formats[group] = read_combination(inputs, outputs, innermost_first=innermost_first)
        return self._formats[group]
