"""Input values: random by type and name, from ranges, from npz files; and the shapes that they are made in."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trtlens.accuracy.encodings import accepts, encode, stored_dtype, stored_shape
from trtlens.capture.models.inputs import InputRecipe, Range, load_arrays, make_inputs, parse_range
from trtlens.capture.models.io_tensors import (
    ChosenShapes,
    IoTensor,
    ProfileRange,
    Shape,
    choose_shapes,
    shape_text,
)
from trtlens.errors import TrtlensError
from trtlens_parsers.data_types import DATA_TYPES, DTYPE_BITS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


INPUT_TYPES = sorted(row.name for row in DATA_TYPES.values() if row.api)


def _input(name: str, dtype: str = "fp32", shape: Shape = (2, 8), **more: object) -> IoTensor:
    return IoTensor(name=name, is_input=True, dtype=dtype, shape=shape, on_host=False, **more)  # type: ignore[arg-type]


def _make(*tensors: IoTensor, recipe: InputRecipe | None = None) -> dict[str, np.ndarray]:
    recipe = recipe or InputRecipe()
    chosen = ChosenShapes(0, {tensor.name: tensor.shape for tensor in tensors}, {})
    return make_inputs(tensors, chosen, recipe, load_arrays(recipe.file))


def _one(tensor: IoTensor, **recipe: object) -> np.ndarray:
    return _make(tensor, recipe=InputRecipe(**recipe))[tensor.name]  # type: ignore[arg-type]


def _save(folder: Path, **arrays: np.ndarray) -> Path:
    file = folder / "inputs.npz"
    np.savez(file, **arrays)  # type: ignore[arg-type]
    return file


@pytest.mark.parametrize("dtype", INPUT_TYPES)
def test_every_data_type_fills_its_memory(dtype: str) -> None:
    """The array has the storage type, is contiguous, and holds exactly the bits that the engine reads."""
    made = _one(_input("x", dtype, (3, 5)))

    assert made.dtype == stored_dtype(dtype)
    assert made.shape == stored_shape(dtype, (3, 5))
    assert made.flags.c_contiguous
    assert made.nbytes == -(-15 * DTYPE_BITS[dtype] // 8)


@pytest.mark.parametrize("dtype", INPUT_TYPES)
def test_a_scalar_input_is_made(dtype: str) -> None:
    """An input without dimensions gets an array of one value, by default and from a range."""
    ranges = {} if dtype in {"int4", "fp4", "e8m0"} else {"x": Range(1, 1)}

    for made in (_one(_input("x", dtype, ())), _one(_input("x", dtype, ()), ranges=ranges)):
        assert isinstance(made, np.ndarray)
        assert made.size == 1


@pytest.mark.parametrize("dtype", ["fp32", "fp16", "bf16", "fp8"])
def test_floats_are_uniform_around_zero(dtype: str) -> None:
    """Floats of every width lie in [-1, 1], spread out and on both sides of zero."""
    values = _one(_input("x", dtype, (64, 64))).astype(np.float32)

    assert np.abs(values).max() <= 1
    assert np.abs(values.mean()) < 0.05
    assert values.std() == pytest.approx(1 / np.sqrt(3), rel=0.05)


@pytest.mark.parametrize(
    ("name", "dtype", "low", "high"),
    [
        ("input_ids", "int64", 0, 99),
        ("decoder_input_ids:0", "int32", 0, 99),
        ("tokens", "int32", 0, 99),
        ("indices", "int32", 0, 99),
        ("attention_mask", "int64", 1, 1),
        ("token_type_ids", "int64", 0, 0),
        ("timestep", "int32", 0, 1),
        ("image", "uint8", 0, 255),
        ("image", "int8", -128, 127),
        ("sequence_lengths", "int32", 1, 1),
    ],
)
def test_integers_suit_their_name(name: str, dtype: str, low: int, high: int) -> None:
    """Integers stay in the range of their kind and reach both of its ends."""
    values = _one(_input(name, dtype, (200, 200)))

    assert (values.min(), values.max()) == (low, high)


@pytest.mark.parametrize("dtype", ["fp32", "fp16", "int32", "bool", "bf16"])
def test_masks_let_everything_through(dtype: str) -> None:
    """A mask is all ones in every type."""
    assert (_one(_input("padding_mask", dtype)).astype(np.float32) == 1).all()


def test_booleans_are_true() -> None:
    """A boolean input takes the branch that does the work."""
    assert _one(_input("flag", "bool")).all()


def test_positions_count_along_the_last_axis() -> None:
    """Position ids are 0, 1, 2, ... in every row."""
    assert (_one(_input("position_ids", "int64", (2, 5))) == np.arange(5)).all()


def test_lengths_are_those_of_the_sequence() -> None:
    """A length is the second extent of the input that is no length, wherever that stands."""
    lengths, ids = _input("lengths", "int32", (4,)), _input("input_ids", "int32", (4, 77))

    assert (_make(lengths, ids)["lengths"] == 77).all()
    assert (_make(ids, lengths)["lengths"] == 77).all()


def test_a_name_that_only_contains_id_is_no_token() -> None:
    """`grid` ends in `id` but holds no token numbers: it gets 0 and 1 as any other integer."""
    assert _one(_input("grid", "int32", (50, 50))).max() == 1


def test_scales_are_one() -> None:
    """E8M0 values are powers of two whose exponent is biased by 127: 2 ** 0."""
    assert (_one(_input("scale", "e8m0")).view(ml_dtypes.float8_e8m0fnu).astype(np.float32) == 1).all()


def test_seed_and_name_decide_the_values() -> None:
    """The same seed gives the same values whatever other inputs there are; seeds and names tell values apart."""
    x, y = _input("x"), _input("y")

    assert (_make(x, y)["x"] == _make(x)["x"]).all()
    assert (_make(x, y)["x"] != _make(x, y)["y"]).any()
    assert (_one(x, seed=1) != _one(x, seed=2)).any()


def test_shape_tensors_get_the_chosen_values() -> None:
    """A shape tensor holds the values that were chosen, in its own type and shape."""
    tensor = IoTensor("size", is_input=True, dtype="int64", shape=(2,), on_host=True)
    chosen = ChosenShapes(0, {"size": (2,)}, {"size": (640, 480)})

    made = make_inputs([tensor], chosen, InputRecipe(), {})["size"]

    assert made.dtype == np.int64
    assert made.tolist() == [640, 480]


def test_fp8_saturates() -> None:
    """Values beyond 448 become the largest FP8 value, not NaN."""
    made = encode("fp8", np.array([1e9, -1e9], np.float32)).view(ml_dtypes.float8_e4m3fn)

    assert made.astype(np.float32).tolist() == [448, -448]


@pytest.mark.parametrize(
    ("dtype", "text", "allowed"),
    [
        ("fp32", "x:-3:5", (-3, 5)),
        ("fp16", "x:0:65504", (0, 65504)),
        ("int32", "x:5:30000", (5, 29999)),
        ("int8", "x:-128:128", (-128, 127)),
        ("uint8", "x:7:7", (7, 7)),
        ("int64", "x:0.5:2.5", (1, 2)),
        ("bool", "x:0:2", (0, 1)),
        ("bf16", "x:10:20", (10, 20)),
    ],
)
def test_ranges_hold_the_values(dtype: str, text: str, allowed: tuple[float, float]) -> None:
    """Values of a range stay in it, whole numbers below its end, and fill it."""
    name, wanted = parse_range(text)

    values = _one(_input("x", dtype, (100, 100)), ranges={name: wanted}).astype(np.float64)

    assert values.min() >= allowed[0]
    assert values.max() <= allowed[1]
    assert values.max() - values.min() >= 0.9 * (allowed[1] - allowed[0])


@pytest.mark.parametrize(
    ("dtype", "wanted"),
    [
        ("int8", Range(0, 200)),
        ("uint8", Range(-1, 5)),
        ("fp16", Range(0, 1e6)),
        ("fp8", Range(0, 500)),
        ("int32", Range(0.2, 0.8)),
        ("int4", Range(0, 5)),
        ("bool", Range(0, 3)),
    ],
)
def test_ranges_that_do_not_fit_are_refused(dtype: str, wanted: Range) -> None:
    """A range that the type cannot hold, or that holds no value of it, is an error and not something else."""
    with pytest.raises(TrtlensError, match=f"--input x.*{dtype}"):
        _one(_input("x", dtype), ranges={"x": wanted})


def test_range_names_may_hold_colons() -> None:
    """TensorFlow's names end in `:0`; the range is cut off from the right."""
    assert parse_range("serving/ids:0:5:9") == ("serving/ids:0", Range(5, 9))


@pytest.mark.parametrize("text", ["x", "x:1", ":1:2", "x:a:b", "x:5:1", "x:nan:1", "x:0:inf", "", "::"])
def test_bad_ranges_are_refused(text: str) -> None:
    """What is not NAME:LOW:HIGH with finite numbers in order is an error that shows the text."""
    with pytest.raises(TrtlensError, match="--input"):
        parse_range(text)


@given(st.text(max_size=30))
def test_any_text_is_a_range_or_a_user_error(text: str) -> None:
    """No text makes the reader of ranges fail in another way."""
    try:
        name, wanted = parse_range(text)
    except TrtlensError:
        return
    assert name
    assert wanted.low <= wanted.high


def test_loaded_arrays_are_used_as_they_are(tmp_path: Path) -> None:
    """Values come from the file bit for bit, made contiguous where they are not."""
    array = np.arange(16, dtype=np.float32).reshape(8, 2).T
    made = _one(_input("x"), file=_save(tmp_path, x=array))

    assert (made == array).all()
    assert made.flags.c_contiguous


@pytest.mark.parametrize("saved", [ml_dtypes.bfloat16, np.uint16])
def test_loaded_bfloat16_is_taken_as_bits(tmp_path: Path, saved: type) -> None:
    """In a file, bfloat16 is two void bytes; those and 16-bit patterns are both taken for BF16."""
    values = np.linspace(-1, 1, 16, dtype=np.float32).astype(ml_dtypes.bfloat16).reshape(2, 8)
    array = values if saved is ml_dtypes.bfloat16 else values.view(np.uint16)

    made = _one(_input("x", "bf16"), file=_save(tmp_path, x=array))

    assert (made.view(np.uint16) == values.view(np.uint16)).all()


def test_packed_inputs_are_loaded_flat(tmp_path: Path) -> None:
    """INT4 is given as bytes of two values each."""
    packed = np.arange(8, dtype=np.uint8)

    assert (_one(_input("x", "int4"), file=_save(tmp_path, x=packed)) == packed).all()


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"y": np.zeros((2, 8), np.float32)}, "names 'y', which is no input.*'x'"),
        ({}, "has no array for input 'x'.*--input x"),
        ({"x": np.zeros((2, 8), np.float64)}, "'x' is float64, the engine takes fp32: save it as float32"),
        ({"x": np.zeros((2, 8), np.int32)}, "'x' is int32, the engine takes fp32"),
        ({"x": np.zeros((2, 9), np.float32)}, "'x' is 2x9, the engine takes 2x8"),
        ({"x": np.zeros(16, np.float32)}, "'x' is 16, the engine takes 2x8"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(tmp_path: Path, arrays: dict[str, np.ndarray], message: str) -> None:
    """A wrong name, type or shape in the file is told with both sides, and what to do."""
    with pytest.raises(TrtlensError, match=message):
        _one(_input("x"), file=_save(tmp_path, **arrays))


def test_an_input_missing_in_the_file_may_be_a_range(tmp_path: Path) -> None:
    """What the file lacks can be given as a range."""
    file = _save(tmp_path, x=np.ones((2, 8), np.float32))

    made = _make(_input("x"), _input("y"), recipe=InputRecipe(file=file, ranges={"y": Range(5, 5)}))

    assert (made["y"] == 5).all()


def test_files_that_are_no_npz_are_user_errors(tmp_path: Path) -> None:
    """A missing file, other bytes, one bare array and pickled objects each are one error with the file's name."""
    (tmp_path / "text.npz").write_text("not an archive")
    (tmp_path / "empty.npz").write_bytes(b"")
    (tmp_path / "zip.npz").write_bytes(b"PK\x03\x04 broken")
    np.save(tmp_path / "bare.npy", np.zeros(3))
    np.savez(tmp_path / "objects.npz", x=np.array([{}], dtype=object))

    for name in ("absent.npz", "text.npz", "empty.npz", "zip.npz", "bare.npy", "objects.npz"):
        with pytest.raises(TrtlensError, match=name):
            load_arrays(tmp_path / name)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_damaged_files_are_user_errors(tmp_path: Path, save: Callable[..., None]) -> None:
    """Whatever bytes of an archive are changed, it is read or refused, and nothing else happens."""
    file, choose = tmp_path / "inputs.npz", np.random.default_rng(1)
    save(file, x=np.arange(60, dtype=np.float32), y=np.ones((2, 3)))
    whole = file.read_bytes()
    for _ in range(400):
        damaged = bytearray(whole)
        damaged[choose.integers(len(whole))] = choose.integers(256)
        file.write_bytes(damaged if choose.integers(2) else damaged[: choose.integers(len(whole))])
        with contextlib.suppress(TrtlensError):
            assert all(isinstance(array, np.ndarray) for array in load_arrays(file).values())


def test_types_are_only_taken_for_themselves() -> None:
    """No conversion happens unasked: wider, narrower and unsigned types are refused."""
    assert accepts("int32", np.dtype("int32"))
    assert not accepts("int32", np.dtype("int64"))
    assert not accepts("fp32", np.dtype(">f4"))
    assert not accepts("fp16", np.dtype("uint16"))
    assert not accepts("bf16", np.dtype("float32"))


def _ranged(name: str, *ranges: tuple[Shape, Shape, Shape], shape: Shape = (-1, 8)) -> IoTensor:
    return _input(name, shape=shape, shapes=tuple(ProfileRange(*shapes) for shapes in ranges))


SMALL = ((1, 8), (2, 8), (4, 8))
LARGE = ((8, 8), (16, 8), (32, 8))


def test_usual_shapes_are_the_default() -> None:
    """Without a wish every input gets the usual shape of the first profile."""
    assert choose_shapes([_ranged("x", SMALL, LARGE)], {}) == ChosenShapes(0, {"x": (2, 8)}, {})


def test_the_first_profile_that_holds_the_shapes_is_taken() -> None:
    """Wanted shapes select the profile; an input without a wish follows with that profile's usual shape."""
    tensors = [_ranged("x", SMALL, LARGE), _ranged("y", SMALL, LARGE)]

    assert choose_shapes(tensors, {"x": (20, 8)}) == ChosenShapes(1, {"x": (20, 8), "y": (16, 8)}, {})
    assert choose_shapes(tensors, {"*": (32, 8)}).inputs == {"x": (32, 8), "y": (32, 8)}


@pytest.mark.parametrize(
    ("wanted", "profile", "message"),
    [
        ({"z": (1, 8)}, None, "no input 'z': its inputs are 'x', 'y'"),
        ({"x": (6, 8)}, None, "6x8 of input 'x' is not within 1x8 to 4x8, or 8x8 to 32x8"),
        ({"x": (20, 8)}, 0, "20x8 of input 'x' is not within 1x8 to 4x8"),
        ({"x": (2, 9)}, None, "2x9 of input 'x'"),
        ({"x": (2,)}, None, "2 of input 'x'"),
        ({"x": (2, 8), "y": (20, 8)}, None, "no single optimization profile"),
        ({}, 2, "no optimization profile 2: it has 2"),
    ],
)
def test_shapes_outside_of_the_profiles_are_refused(
    wanted: dict[str, Shape], profile: int | None, message: str
) -> None:
    """What no profile holds is told with the input, the shape and the ranges."""
    with pytest.raises(TrtlensError, match=message):
        choose_shapes([_ranged("x", SMALL, LARGE), _ranged("y", SMALL, LARGE)], wanted, profile)


def test_shape_tensors_are_wished_for_by_value() -> None:
    """For a shape tensor a wish means its values, checked against the profile's, while its shape stays."""
    size = IoTensor(
        "size",
        is_input=True,
        dtype="int32",
        shape=(2,),
        on_host=True,
        shapes=(ProfileRange((2,), (2,), (2,)),),
        values=(ProfileRange((1, 1), (64, 64), (256, 256)),),
    )

    assert choose_shapes([size], {}) == ChosenShapes(0, {"size": (2,)}, {"size": (64, 64)})
    assert choose_shapes([size], {"size": (100, 8)}).values == {"size": (100, 8)}
    with pytest.raises(TrtlensError, match="300x8 of input 'size' is not within 1x1 to 256x256"):
        choose_shapes([size], {"size": (300, 8)})


def test_shapes_are_written_as_trtexec_does() -> None:
    """Extents are joined by x; no extents are a scalar."""
    assert (shape_text((1, 3, 224, 224)), shape_text(())) == ("1x3x224x224", "scalar")
