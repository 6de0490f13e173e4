"""Whether an engine computes in the types of its plan: what its layers say, from the log of a strongly typed build."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trtlens.engine.tensor_layers import held_nodes

if TYPE_CHECKING:
    from trtlens.runs.run import Run
    from trtlens_parsers.saved_plan import Plan

_FLOATING = frozenset({"fp32", "fp16", "bf16"})
_CAST = "__cast"
"""How the names of the casts end that the typed model brings."""


@dataclass(frozen=True, slots=True)
class TypeCheck:
    """Layers that hold planned nodes: how many state types that the plan has, and the names of those that state others.

    ``silent`` are layers that state no type, or of which nobody knows the nodes.
    """

    agree: int
    differ: tuple[str, ...]
    silent: int

    @property
    def sentence(self) -> str:
        """The check in words."""
        told = f"{self.agree} of {self.agree + len(self.differ)} layers that state types have the plan's"
        differ = f"; these have others: {', '.join(self.differ[:3])}" if self.differ else ""
        silent = f"; {self.silent} layers state none" if self.silent else ""
        return f"{told}{differ}{silent}"

    def facts(self) -> dict[str, Any]:
        """For the document of the plan."""
        return {"agree": self.agree, "differ": list(self.differ), "silent": self.silent}


def check_types_of(run: Run, plan: Plan) -> TypeCheck:
    """Hold every layer's floating tensors against the types of the nodes in it; a cast inside allows both.

    Raises:
        TrtlensError: the run lists no layers.

    """
    types = plan.node_types()
    agree, silent, differ = 0, 0, []
    for layer, held in held_nodes(run, None):
        planned = {types[node] for node in held.nodes if node in types}
        if any(node.endswith(_CAST) for node in held.nodes):
            planned = {"fp32", plan.low_type} if planned else set()
        stated = {tensor.dtype for tensor in (*layer.inputs, *layer.outputs)} & _FLOATING
        if not planned or not stated or layer.is_reformat:
            silent += not layer.is_reformat
        elif stated <= planned and (layer.precision not in _FLOATING or layer.precision in planned):
            agree += 1
        else:
            differ.append(layer.name)
    return TypeCheck(agree, tuple(differ), silent)
