"""Whether builds still err in a region, as ``accuracy --blame`` judges: on what the engine fed it, against what its types explain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trtlens.accuracy.cure_search import CURED, ERRS, UNKNOWN, find_cure
from trtlens.accuracy.local_errors import EXPLAINED, OK, PRECISION, SUSPECT, UNCLEAR
from trtlens.accuracy.readers import Dump
from trtlens.commands.region_errors import isolated
from trtlens.errors import TrtlensError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trtlens.accuracy.cure_search import Chosen
    from trtlens.accuracy.tensors import Tensor
    from trtlens.commands.region_errors import Regions

_WORST_FIRST = (SUSPECT, None, UNCLEAR, PRECISION, OK)
_MOST_EMULATIONS = 100
_LEFT = {SUSPECT: 0.1, PRECISION: 0.5, UNCLEAR: 0.5}
"""What may be left of an error that is gone, by its verdict: one just under a limit that it was just over before is not."""


class RegionJudge:
    """Whether builds still err in a region, against the operators' result on what the region was fed.

    Attributes:
        before: the row of the region in the dump.
        bare_before: that of the engine's outputs, None where the fault does not show there, so that builds cannot be judged by them.
        ends: the tensors around the region, by their names in the engine.

    Raises:
        TrtlensError: there is no such region, it cannot be run, or it errs no more than its types explain.
    """

    def __init__(self, regions: Regions, run: Dump, tensor: str, precision: str | None) -> None:
        """Judge the dump itself."""
        self._regions, self._tensor, self._precision = regions, tensor, precision
        found = isolated(regions, tensor, precision)
        self.before, self._found = found.row, found.run
        if self.before["verdict"] == OK:
            raise TrtlensError(f"{tensor} errs no more than its types explain: there is nothing to cure")
        region = regions.by_output[tensor]
        self.nodes = [node.name for node in region.nodes]
        self.inside = regions.inside(tensor)
        around = (*regions.models.reads(region), tensor)
        self._inputs = {name: run.tensors[name] for name in regions.models.inputs if name in run.tensors}
        self.ends = tuple(
            regions.run_names.get(name, name) for name in around if name not in (*self._inputs, *regions.models.outputs)
        )
        self._seen = (*self.ends, *regions.models.outputs)
        told = self.bare_row(run.tensors)
        self.bare_before = told if told is not None and self.outcome(told, told) == ERRS else None

    def row(self, tensors: Mapping[str, Tensor]) -> Mapping[str, Any]:
        """The region by itself, of an engine that handed its ends out.

        Raises:
            TrtlensError: it cannot be run on what the engine handed out.

        """
        regions = self._regions.of_run(self._dump(tensors, self._seen))
        return isolated(regions, self._tensor, self._precision).row

    def bare_row(self, tensors: Mapping[str, Tensor]) -> Mapping[str, Any] | None:
        """All that leads to one of the engine's outputs through the region, the output that errs the most; None where none does."""
        regions = self._regions.of_run(self._dump(tensors, self._regions.models.outputs))
        maker = self.nodes[-1]
        rows = [
            regions.row(0, name, self._precision)
            for name, found in regions.by_output.items()
            if any(node.name == maker for node in found.nodes)
        ]
        return min(rows, key=lambda row: (_WORST_FIRST.index(row["verdict"]), -(row["ratio"] or 0.0)), default=None)

    def outcome(self, row: Mapping[str, Any], before: Mapping[str, Any] | None = None) -> str:
        """What the row of a build says against that of the same tensors in the dump, by default that of the region."""
        return outcome(row, (before or self.before)["error"], self.before["verdict"])

    def guess(self, nodes: Sequence[str]) -> Chosen:
        """The nodes that have to stay in FP32 by emulation, where the precision explains the error; none where that is not known."""
        if self.before["verdict"] != PRECISION:
            return ()

        def judge(chosen: Chosen, /, *, bare: bool) -> str:  # noqa: ARG001  an emulation hands nothing out
            return self.outcome(self._regions.row_with(self._found, chosen))

        found = find_cure(nodes, judge, _MOST_EMULATIONS, bare=False)
        return () if found is None else found.chosen

    def _dump(self, tensors: Mapping[str, Tensor], names: Sequence[str]) -> Dump:
        ours = {theirs: name for name, theirs in self._regions.run_names.items()}
        shown = {ours.get(name, name): tensor for name, tensor in tensors.items() if name in names}
        return Dump("the engine", "rebuilt", {**self._inputs, **shown})


def outcome(row: Mapping[str, Any], error: float | None, verdict: str) -> str:
    """Whether what erred by that verdict and that much is cured: only what the types explain is left, nearly nothing where they explained it."""
    if row["verdict"] in ((OK, PRECISION) if verdict == SUSPECT else (OK,)):
        left, is_explained = row["error"], verdict == SUSPECT and (row["ratio"] or 0.0) < EXPLAINED
        return (
            CURED if left is not None and (error is None or is_explained or left <= _LEFT[verdict] * error) else UNKNOWN
        )
    return UNKNOWN if row["verdict"] is None or (row["verdict"] == UNCLEAR and verdict != UNCLEAR) else ERRS
