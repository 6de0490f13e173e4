"""Everything that a search needs of one model: its types, inputs, ranges, units, costs, and the emulator."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from trtlens.capture.models.inputs import InputRecipe
from trtlens.capture.models.model import check_model, identify_model, is_engine, model_errors
from trtlens.capture.planning.emulator import Emulator
from trtlens.capture.planning.gated_model import gate_model
from trtlens.capture.planning.ranges import read_ranges
from trtlens.capture.planning.samples import LEAST, read_samples
from trtlens.capture.planning.typed_reading import read_typed
from trtlens.capture.planning.unit_graph import group_nodes, make_network
from trtlens.errors import TrtlensError
from trtlens.limits.roofs import sheet_roofs
from trtlens.plan.solver import Damages, Model
from trtlens.plan.tuner_times import price
from trtlens_parsers.saved_plan import ERROR

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from trtlens.capture.models.io_tensors import Shape
    from trtlens.capture.planning.ranges import Ranges
    from trtlens.capture.planning.samples import Samples
    from trtlens.capture.planning.typed_reading import TypedModel
    from trtlens.plan.bound import Bound
    from trtlens.plan.network import Network
    from trtlens.plan.tuner_times import LogTimes, Priced


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """What to plan.

    Attributes:
        low_type: fp16 or bf16.
        bound: None where a command judges.
        logs: what builds of the model tell of times; without, `gpu` is the one by whose data sheet units are weighed.
        inputs: the user's data; `count` are made up without.
        alone_s: seconds that measuring the units one by one may take; beyond that fewer inputs are used for it.
    """

    model: Path
    low_type: str
    bound: Bound | None = None
    logs: Sequence[LogTimes] = ()
    gpu: str | None = None
    inputs: Path | None = None
    shapes: Mapping[str, Shape] = field(default_factory=dict)
    recipe: InputRecipe = field(default_factory=InputRecipe)
    count: int = LEAST
    alone_s: float = 600.0


@dataclass(frozen=True)
class Prepared:
    """The model as it is searched."""

    request: PlanRequest
    identity: Mapping[str, Any]
    typed: TypedModel
    groups: Sequence[Sequence[Any]]
    samples: Samples
    ranges: Ranges
    network: Network
    priced: Priced
    emulator: Emulator
    notes: tuple[str, ...]

    def model(self) -> Model:
        """Costs, and damages of which nothing is known but which tensors cannot be cast."""
        network = self.network
        units = np.zeros((len(network.units), len(network.outputs)))
        boundaries = np.zeros((len(network.boundaries), len(network.outputs)))
        unfit = [place for place, one in enumerate(network.boundaries) if one.tensor in self.ranges.unfit]
        boundaries[unfit] = np.inf
        return Model(network, self.priced.costs, Damages(units, boundaries))

    def low_nodes(self, low: Any) -> frozenset[str]:
        """The nodes of the units that go down."""
        return frozenset(
            node for unit, is_low in zip(self.network.units, low, strict=True) if is_low for node in unit.nodes
        )


def prepare_search(request: PlanRequest) -> Prepared:
    """Read, run and price a model.

    Raises:
        TrtlensError: a package is missing, the model is of a kind that cannot be planned or does not run, an input does
            not fit, or the outputs in FP32 are not finite.

    """
    check_model(request.model)
    if is_engine(request.model):
        raise TrtlensError(f"{request.model} is an engine, whose types are fixed: give the ONNX model")
    with model_errors(request.model, "planning it"):
        typed = read_typed(request.model, request.low_type)
        samples = read_samples(typed.proto, request.inputs, request.shapes, request.recipe, count=request.count)
        ranges = read_ranges(typed, samples.arrays, request.low_type)
        groups = group_nodes(typed, [group for log in request.logs for group in log.groups])
        network = make_network(typed, groups, ranges.shapes, ranges.forbidden)
        quantity = ERROR if request.bound is None else request.bound.quantity
        gated = gate_model(typed, groups, network, request.low_type)
        emulator = Emulator(gated, network.outputs, samples.arrays, quantity)
    priced = price(network, request.logs, request.low_type, None if request.gpu is None else sheet_roofs(request.gpu))
    notes = [*samples.notes, *priced.notes]
    if typed.unnamed:
        notes.append(f"{typed.unnamed} nodes have no name of their own: a plan names them by operator and position")
    identity = identify_model(request.model)
    return Prepared(request, identity, typed, groups, samples, ranges, network, priced, emulator, tuple(notes))
