"""The timing cache and the optimization profile of a build.

The optimization profile follows trtexec: `--shapes` alone is minimum, optimum and maximum; shapes of an input that is a
shape tensor are its values; an input may be named with `*`. Where no flag gives the batch, it is 1; other extents are not
made up, as trtexec does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trtlens.capture.building.network import network_inputs
from trtlens.capture.models.io_tensors import DynamicInput, require_shapes, shape_fits, shape_text
from trtlens.capture.recorder import write_whole
from trtlens.errors import TrtlensError, reason
from trtlens.layer_patterns import glob, lookup
from trtlens.runs.folders import regular_mode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from trtlens.capture.backends.backend import Backend
    from trtlens.capture.build_options import BuildOptions, Shape
    from trtlens.capture.recorder import Recorder


def load_timing_cache(backend: Backend, config: Any, options: BuildOptions, recorder: Recorder) -> bool:
    """Give the builder the timing cache of `--timingCacheFile`; False where it must not be written back.

    TensorRT-RTX asks for a GPU as soon as a timing cache is used, so without one the cache is left alone.

    Raises:
        TrtlensError: the file cannot be read, or is none.

    """
    path = options.timing_cache_file
    if path is None:
        return False
    if backend.is_rtx and not backend.can_run:
        recorder.note(f"the timing cache {path} was not used: TensorRT-RTX needs a GPU for it")
        return False
    try:
        data = b"" if regular_mode(path) is None else path.read_bytes()
    except OSError as error:
        raise TrtlensError(f"{path} cannot be read ({reason(error)}): check the timing cache's file") from error
    cache = config.create_timing_cache(data)
    if cache is None or not config.set_timing_cache(cache, ignore_mismatch=False):
        recorder.note(
            f"the timing cache {path} was not used and stays as it is: TensorRT says that it is from elsewhere"
        )
        return False
    return True


def save_timing_cache(config: Any, options: BuildOptions) -> None:
    """Write the timing cache back to its file, together with what this build measured."""
    cache = config.get_timing_cache()
    if cache is not None and options.timing_cache_file is not None:
        options.timing_cache_file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(options.timing_cache_file, memoryview(cache.serialize()))


# -- the optimization profile ------------------------------------------------------------------------------------------


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
    """What the profile will hold: the dynamic inputs, the shapes to run at, and notes on assumed ones."""

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
            notes.append(f"no shape was given for input {name}: its batch was set to 1, {shape_text(single)}")
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
    profile = _profile(builder, plan, lambda wanted: (wanted.minimum, wanted.optimum, wanted.maximum))
    config.add_optimization_profile(profile)
    return profile


def calibration_profile(builder: Any, plan: ProfilePlan) -> Any:
    """A profile that allows the optimum alone, for INT8 calibration with dynamic shapes."""
    return _profile(builder, plan, lambda wanted: (wanted.optimum,) * 3)


def _profile(builder: Any, plan: ProfilePlan, shapes: Callable[[InputRange], tuple[Shape, ...]]) -> Any:
    profile = builder.create_optimization_profile()
    for wanted in plan.ranges:
        (profile.set_shape_input if wanted.is_shape_tensor else profile.set_shape)(wanted.name, *shapes(wanted))
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
                f"input {name} has the static shape {shape_text(dims)}, so it cannot take {shape_text(shape)}: "
                "leave the shape out, or export the model with a dynamic one"
            )


def _check_range(wanted: InputRange, dims: Shape) -> None:
    """Every shape has the rank of the input and its static extents, and minimum, optimum and maximum are in order."""
    for shape in (wanted.minimum, wanted.optimum, wanted.maximum):
        values = dims[0] if dims else 1
        if not (len(shape) == values if wanted.is_shape_tensor else shape_fits(shape, dims)):
            raise TrtlensError(f"input {wanted.name} is {shape_text(dims)}, which {shape_text(shape)} does not fit")
    for low, middle, high in zip(wanted.minimum, wanted.optimum, wanted.maximum, strict=True):
        if not low <= middle <= high:
            spelled = " <= ".join(shape_text(shape) for shape in (wanted.minimum, wanted.optimum, wanted.maximum))
            raise TrtlensError(f"input {wanted.name}: {spelled} does not hold for every extent")


def _check_within(wanted: InputRange, shape: Shape) -> None:
    inside = len(shape) == len(wanted.minimum) and all(
        low <= extent <= high for low, extent, high in zip(wanted.minimum, shape, wanted.maximum, strict=True)
    )
    if not inside:
        raise TrtlensError(
            f"--shapes gives input {wanted.name} {shape_text(shape)}, outside of "
            f"{shape_text(wanted.minimum)} to {shape_text(wanted.maximum)}"
        )
