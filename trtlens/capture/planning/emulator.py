"""Errors of choices, emulated: one ONNX Runtime session over the gated model, all inputs through it for each choice."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from trtlens.capture.dumping.reference import CpuModel, available_cores, hold
from trtlens.capture.models.onnx_graphs import with_outputs
from trtlens.errors import TrtlensError
from trtlens.plan.bound import Deviation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from trtlens.capture.planning.gated_model import GatedModel

    Flags = NDArray[np.bool_]
    Floats = NDArray[np.float64]


@dataclass(slots=True)
class Emulator:
    """A gated model ready to run; the reference is the same session with every gate off."""

    gated: GatedModel
    outputs: tuple[str, ...]
    samples: Sequence[Mapping[str, Any]]
    quantity: str
    passes: int = 0
    pass_s: float = 0.0
    _session: CpuModel = field(init=False)
    reference: list[list[NDArray[np.float32]]] = field(init=False)

    def __post_init__(self) -> None:
        """Load the model and keep the outputs of all inputs in FP32; raises TrtlensError where these are not finite."""
        self._session = CpuModel(with_outputs(self.gated.proto, list(self.outputs)), threads=1)
        nothing = np.zeros(self.gated.units, bool)
        self.samples = [{name: hold(array) for name, array in sample.items()} for sample in self.samples]
        began = time.monotonic()
        self.reference = list(self._runs(self.gated.feeds(nothing)))
        self.pass_s = time.monotonic() - began
        for number, values in enumerate(self.reference, 1):
            for name, array in zip(self.outputs, values, strict=True):
                lost = int(array.size - np.isfinite(array).sum())
                if lost:
                    raise TrtlensError(
                        f"output {name!r} holds {lost} values that are NaN or infinite in FP32 already (input {number} of "
                        f"{len(self.samples)}): no plan can be measured against that; give other inputs with --inputs"
                    )

    def damage(self, low: Flags, samples: int | None = None, **how: Any) -> Floats:
        """The damage of each output for a choice, over all or the first inputs; `how` is what `GatedModel.feeds` takes."""
        began = time.monotonic()
        found = self.deviation(low, samples, **how).damage(self.quantity)
        self.passes += 1
        self.pass_s = time.monotonic() - began
        return found

    def deviation(self, low: Flags, samples: int | None = None, **how: Any) -> Deviation:
        """The sums of a choice over all or the first inputs."""
        gates = self.gated.feeds(low, **how)
        sums = Deviation.of(len(self.outputs))
        for run, reference in zip(self._runs(gates, samples), self.reference, strict=False):
            sums.add(reference, run)
        return sums

    def alone(
        self,
        free: Flags,
        known: Mapping[int, Sequence[float]],
        keep: Callable[[int, Floats], None],
        samples: int | None = None,
    ) -> Floats:
        """The damage of each free unit that goes down alone, what it reads left as it is; others are 0.

        `known` are those of an earlier search, `keep` is told each new one.
        """
        rounds = {unit for _, unit, _, _ in self.gated.weights} | self._rounding_units()
        damages = np.zeros((len(free), len(self.outputs)))
        for unit in np.flatnonzero(free):
            if int(unit) in known:
                damages[unit] = known[int(unit)]
            elif int(unit) in rounds:
                low = np.zeros(len(free), bool)
                low[unit] = True
                damages[unit] = self.damage(low, samples, casts=False)
                keep(int(unit), damages[unit])
        return damages

    def rounding(self, boundary: int) -> Floats:
        """The damage of rounding one tensor before its readers."""
        return self.damage(np.zeros(self.gated.units, bool), rounded=boundary)

    def _rounding_units(self) -> set[int]:
        """The units with a gate of their own."""
        read = {name for node in self.gated.proto.graph.node if node.op_type == "Where" for name in node.input[:1]}
        return {unit for unit in range(self.gated.units) if f"trtlens_gate_{unit}" in read}

    def _runs(self, gates: Mapping[str, Any], samples: int | None = None) -> Iterator[list[NDArray[np.float32]]]:
        """The outputs of each input: a thread for each, since most operators are too small for several."""
        with ThreadPoolExecutor(min(available_cores(), len(self.samples))) as pool:
            for values in pool.map(lambda sample: self._session.run_held({**sample, **gates}), self.samples[:samples]):
                yield [np.asarray(values[name]) for name in self.outputs]
