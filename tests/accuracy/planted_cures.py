"""Faults that a change cures: an engine is built of a faulty model as long as two neighbouring nodes may be fused, or a node may run in FP16.

What builds is the real path, or a double of TensorRT; here it is only handed the faulty model in the place of the healthy one until the
tensors between the nodes are handed out, or the nodes pinned. A dump hands out few tensors, so that regions have many inside.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import numpy_helper

from tests.accuracy.conftest import save_npz
from tests.accuracy.planted_faults import (
    HEALTHY,
    Network,
    _attribute,
    _becomes,
    _changed,
    _normal,
    _reads,
    _scalar,
    _swapped,
    _weight,
    network,
)
from trtlens.accuracy.readers import open_dump
from trtlens.capture.build_options import parse_options
from trtlens.capture.dumping.dump import DumpRequest, dump_run
from trtlens.capture.dumping.engine_dump import EngineDumpRequest, dump_engine
from trtlens.capture.models.inputs import InputRecipe
from trtlens.commands.cure import Asked, cured, make_curing, opened_rebuilder
from trtlens.commands.region_errors import Regions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from tests.accuracy.planted_faults import Row
    from trtlens.capture.backends.backend import Backend
    from trtlens.capture.backends.cuda import Cuda
    from trtlens.capture.dumping.rebuild import Candidates, Change, Rebuilder, Rebuilt
    from trtlens.capture.progress import Progress
    from trtlens.commands.region_cure import Curing, Found
    from trtlens.statistics import Statistics


@dataclass(frozen=True)
class Planted:
    """A fault in a region, and what cures it: all of these tensors handed out, these nodes pinned, a tactic left out, or any build.

    `kept` are the tensors that the dump hands out beside the outputs.
    """

    name: str
    healthy: Network
    change: Callable[[Any], None]
    region: str
    kept: Sequence[str]
    cuts: frozenset[str] = frozenset()
    pins: frozenset[str] = frozenset()
    is_tactic: bool = False
    goes: bool = False

    def shows(self, change: Change) -> bool:
        """Whether a build with that change still has the fault."""
        cut = bool(self.cuts) and self.cuts <= {*change.cuts, *change.ends}
        pinned = bool(self.pins) and self.pins <= set(change.pins)
        return not (cut or pinned or (self.is_tactic and change.excluded) or self.goes)


def attention(seed: int) -> Network:
    """A root mean square norm and one head of attention, in operators that every release has."""
    size, length = 32, 16
    weights: dict[str, Any] = {
        f"w{key}": _normal(seed + place, size, size, scale=size**-0.5) for place, key in enumerate("qkvo")
    }
    weights |= {
        "gain": 1 + _normal(seed + 7, size, scale=0.1),
        "two": _scalar(2),
        "eps": _scalar(1e-3),
        "scale": _scalar(size**-0.5),
    }
    rows: list[Row] = [
        ("Pow", ["x", "two"], "squares", {}), ("ReduceMean", ["squares"], "mean", {"axes": [-1], "keepdims": 1}),
        ("Add", ["mean", "eps"], "lifted", {}), ("Sqrt", ["lifted"], "root", {}), ("Div", ["x", "root"], "unit", {}), ("Mul", ["unit", "gain"], "n", {}),
        ("MatMul", ["n", "wq"], "q", {}), ("MatMul", ["n", "wk"], "k", {}), ("MatMul", ["n", "wv"], "v", {}),
        ("Transpose", ["k"], "kt", {"perm": [0, 2, 1]}), ("MatMul", ["q", "kt"], "scores", {}), ("Mul", ["scores", "scale"], "scaled", {}),
        ("Softmax", ["scaled"], "soft", {"axis": -1}), ("MatMul", ["soft", "v"], "mixed", {}), ("MatMul", ["mixed", "wo"], "out", {}),
        ("Add", ["out", "x"], "y", {}),
    ]  # fmt: skip
    return network("attention", rows, {"x": _normal(seed + 20, 2, length, size)}, weights)


def _with_weight(given: Network, name: str, value: Any) -> Network:
    model = onnx.ModelProto()
    model.CopyFrom(given.model)
    model.graph.initializer.append(numpy_helper.from_array(value, name))
    return replace(given, model=model)


def _healthy(name: str, seed: int) -> Network:
    return next(net for make in HEALTHY for net in [make(seed)] if net.name == name)


def planted(seed: int = 1) -> tuple[Planted, ...]:
    """Six faults that a cut cures; in four of them a single tensor among many."""
    residual, gated = _healthy("residual", seed), _healthy("gated", seed)
    separable = _with_weight(_healthy("separable", seed), "bound", _scalar(2))
    norm = attention(seed)
    return (
        Planted("dropped addition", residual, _becomes("Add", "Identity"), "t0", ("t0",), frozenset({"d0"})),
        Planted("stale buffer", residual, _reads("Add", 1, "r2", 1), "t2", ("t0",), frozenset({"c2"})),
        Planted("clipped range", separable, _reads("Clip", 2, "bound"), "c1", ("c1",), frozenset({"a0"})),
        Planted("swapped input", gated, _swapped("Concat"), "y", ("m",), frozenset({"both"})),
        Planted("wrong axis", norm, _attribute("Softmax", "axis", 1), "out", ("out",), frozenset({"scaled"})),
        Planted(
            "epsilon", norm, _weight("eps", lambda eps: eps + np.float32(0.5)), "out", ("out",), frozenset({"mean"})
        ),
    )


def of_two(seed: int = 1) -> Planted:
    """A fault that two cuts cure together."""
    return replace(planted(seed)[2], name="two fusions", cuts=frozenset({"a0", "c0"}))


def of_pins(seed: int = 1) -> Planted:
    """A fault that goes as soon as one node runs in FP32, whatever is cut."""
    gated = _healthy("gated", seed)
    return Planted("kernel in FP16", gated, _becomes("Tanh", "Sigmoid"), "y", ("m",), pins=frozenset({"tanh7"}))


def of_tactics(seed: int = 1) -> Planted:
    """A fault of one kernel, which goes with any other."""
    return Planted(
        "faulty kernel", _healthy("residual", seed), _becomes("Add", "Identity"), "t0", ("t0",), is_tactic=True
    )


# -- searched ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FaultyRebuilder:
    """Hands a builder the faulty model until the change is there that cures it."""

    fault: Planted
    healthy: Rebuilder
    faulty: Rebuilder

    def candidates(self, tensors: Sequence[str], nodes: Sequence[str], /) -> Candidates:
        """As the healthy network has them."""
        return self.healthy.candidates(tensors, nodes)

    def build(self, change: Change, folder: Path, progress: Progress, /) -> Rebuilt:
        """Build the one or the other."""
        return (self.faulty if self.fault.shows(change) else self.healthy).build(change, folder, progress)

    def time(self, engine: Path, folder: Path, processes: int, progress: Progress, /) -> Statistics:
        """Time it as it is."""
        return self.healthy.time(engine, folder, processes, progress)


@dataclass(frozen=True)
class Place:
    """A folder with what a search needs, and the flags of its builds."""

    folder: Path
    backend: Backend
    flags: Mapping[str, Any] = field(default_factory=dict)
    cuda: Cuda | None = None

    def models(self, fault: Planted) -> tuple[Path, Path]:
        """The healthy and the faulty model, saved."""
        self.folder.mkdir(parents=True, exist_ok=True)
        paths = self.folder / "healthy.onnx", self.folder / "faulty.onnx"
        for path, net in zip(paths, (fault.healthy, _changed(fault.healthy, fault.change)), strict=True):
            onnx.save(_with_shapes(net.model), str(path))
        return paths

    def dumped(self, fault: Planted) -> tuple[Path, Path]:
        """The reference of the healthy model, and the dump of the faulty engine."""
        healthy, faulty = self.models(fault)
        recipe = InputRecipe(file=save_npz(self.folder / "feeds.npz", fault.healthy.feeds))
        reference = dump_run(healthy, self.folder / "reference", DumpRequest(recipe=recipe)).folder
        options = parse_options({"fp16": True, **self.flags})
        request = EngineDumpRequest(options, recipe, mark=",".join(fault.kept), method="outputs")
        return reference, dump_engine(faulty, self.folder / "run", request, self.backend, cuda=self.cuda).folder


def _with_shapes(model: Any) -> Any:
    """The model with the shapes of its outputs, which a parser needs no less than ONNX Runtime does not."""
    inferred = onnx.shape_inference.infer_shapes(model)
    assert all(info.type.tensor_type.elem_type for info in inferred.graph.output)
    return inferred


def searched(fault: Planted, place: Place, **asked: Any) -> tuple[Curing, Found | None]:
    """Dump the faulty engine, and search for the cure of its region."""
    reference, run = place.dumped(fault)
    return search_again(fault, place, reference, run, **asked)


def search_again(fault: Planted, place: Place, reference: Path, run: Path, **asked: Any) -> tuple[Curing, Found | None]:
    """Search in dumps that are there."""
    healthy, faulty = place.folder / "healthy.onnx", place.folder / "faulty.onnx"
    wanted = Asked(run, healthy, fault.region, "fp16", **{"processes": 0, **asked})
    theirs = open_dump(run)
    rebuilder, _ = opened_rebuilder(wanted, theirs)
    real: Any = replace(rebuilder, backend=place.backend, cuda=place.cuda)  # type: ignore[type-var]
    both = FaultyRebuilder(fault, real, replace(real, model=faulty))
    curing = make_curing(Regions(open_dump(reference), theirs, healthy), theirs, wanted, both)
    return curing, cured(curing, wanted)
