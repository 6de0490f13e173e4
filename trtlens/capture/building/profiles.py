"""The optimization profile of a network with dynamic shapes, from trtexec's minShapes, optShapes and maxShapes.

As in trtexec: `--shapes` alone is minimum, optimum and maximum; shapes of an input that is a shape tensor are its values;
an input may be named with `*`. Where no flag gives the batch, it is 1; other extents are not made up, as trtexec does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trtlens.capture.building.network import network_inputs
from trtlens.capture.dynamic_shapes import DynamicInput, require_shapes
from trtlens.errors import TrtlensError
from trtlens.layer_patterns import glob, lookup

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trtlens.capture.options.build_options import BuildOptions, Shape


@dataclass(frozen=True, slots=True)
class InputRange:
    """The shapes, or for a shape tensor the values, that one dynamic input may take."""

    name: str
    is_shape_tensor: bool
    minimum: Shape
    optimum: Shape
    maximum: Shape


@dataclass(frozen=True, slots=True)
class ProfilePlan:
    """What the profile will hold: the dynamic inputs, the shapes to run at, and what had to be made up."""

    ranges: tuple[InputRange, ...]
    run_shapes: dict[str, Shape]
    notes: tuple[str, ...]


def plan_profile(network: Any, options: BuildOptions) -> ProfilePlan:
    """The shapes that each dynamic input gets; raises TrtlensError for names and shapes that do not fit the network."""
    inputs = {tensor.name: tensor for tensor in network_inputs(network)}
    optimum = options.opt_shapes or options.shapes
    sides = (options.min_shapes or optimum, optimum, options.max_shapes or optimum)
    _check_names(inputs, {**options.shapes, **options.min_shapes, **options.opt_shapes, **options.max_shapes})
    require_shapes(_dynamic(tensor) for name, tensor in inputs.items() if _lacks_shape(name, tensor, sides))
    ranges, notes, run_shapes = [], [], {}
    for name, tensor in inputs.items():
        dims = tuple(tensor.shape)
        given = [lookup(side, name) for side in sides]
        if not tensor.is_shape_tensor and -1 not in dims:
            _check_static(name, dims, [*given, lookup(options.shapes, name)])
            continue
        if None in given:
            single = (1, *dims[1:])
            given = [single if shape is None else shape for shape in given]
            notes.append(f"no shape was given for input {name}: its batch was set to 1, {_spell(single)}")
        wanted = InputRange(name, bool(tensor.is_shape_tensor), *given)
        _check_range(wanted, dims)
        ranges.append(wanted)
        run_shapes[name] = lookup(options.shapes, name) or wanted.optimum
        _check_within(wanted, run_shapes[name])
    return ProfilePlan(tuple(ranges), run_shapes, tuple(notes))


def add_profile(builder: Any, config: Any, plan: ProfilePlan) -> Any:
    """Add the profile to the configuration and return it; None for a network of static shapes."""
    if not plan.ranges:
        return None
    profile = builder.create_optimization_profile()
    for wanted in plan.ranges:
        setter = profile.set_shape_input if wanted.is_shape_tensor else profile.set_shape
        setter(wanted.name, wanted.minimum, wanted.optimum, wanted.maximum)
    config.add_optimization_profile(profile)
    return profile


def calibration_profile(builder: Any, plan: ProfilePlan) -> Any:
    """A profile that allows the optimum alone, for INT8 calibration with dynamic shapes."""
    profile = builder.create_optimization_profile()
    for wanted in plan.ranges:
        setter = profile.set_shape_input if wanted.is_shape_tensor else profile.set_shape
        setter(wanted.name, wanted.optimum, wanted.optimum, wanted.optimum)
    return profile


def _lacks_shape(name: str, tensor: Any, sides: Sequence[Mapping[str, Shape]]) -> bool:
    is_dynamic = tensor.is_shape_tensor or -1 in tuple(tensor.shape)
    return is_dynamic and any(lookup(side, name) is None for side in sides)


def _dynamic(tensor: Any) -> DynamicInput:
    dims = tuple(tensor.shape)
    axes = tuple(tensor.get_dimension_name(place) or None for place in range(len(dims)))
    return DynamicInput(tensor.name, dims, axes, is_shape_tensor=bool(tensor.is_shape_tensor))


def _check_names(inputs: Mapping[str, Any], given: Mapping[str, Shape]) -> None:
    for pattern in given:
        if not any(glob(pattern).fits(name) for name in inputs):
            raise TrtlensError(f"the model has no input {pattern!r}: its inputs are {', '.join(inputs)}")


def _check_static(name: str, dims: Shape, given: list[Shape | None]) -> None:
    for shape in given:
        if shape is not None and shape != dims:
            raise TrtlensError(
                f"input {name} has the static shape {_spell(dims)}, so it cannot take {_spell(shape)}: "
                "leave the shape out, or export the model with a dynamic one"
            )


def _check_range(wanted: InputRange, dims: Shape) -> None:
    """Every shape has the rank of the input and its static extents, and minimum, optimum and maximum are in order."""
    for shape in (wanted.minimum, wanted.optimum, wanted.maximum):
        rank = (dims[0] if dims else 1) if wanted.is_shape_tensor else len(dims)
        fits = len(shape) == rank and (
            wanted.is_shape_tensor or all(have in (-1, want) for have, want in zip(dims, shape, strict=True))
        )
        if not fits:
            raise TrtlensError(f"input {wanted.name} is {_spell(dims)}, which {_spell(shape)} does not fit")
    for low, middle, high in zip(wanted.minimum, wanted.optimum, wanted.maximum, strict=True):
        if not low <= middle <= high:
            spelled = " <= ".join(_spell(shape) for shape in (wanted.minimum, wanted.optimum, wanted.maximum))
            raise TrtlensError(f"input {wanted.name}: {spelled} does not hold for every extent")


def _check_within(wanted: InputRange, shape: Shape) -> None:
    inside = len(shape) == len(wanted.minimum) and all(
        low <= extent <= high for low, extent, high in zip(wanted.minimum, shape, wanted.maximum, strict=True)
    )
    if not inside:
        raise TrtlensError(
            f"--shapes gives input {wanted.name} {_spell(shape)}, outside of "
            f"{_spell(wanted.minimum)} to {_spell(wanted.maximum)}"
        )


def _spell(shape: Shape) -> str:
    return "x".join(str(extent) for extent in shape) or "scalar"
