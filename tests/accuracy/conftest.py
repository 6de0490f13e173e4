"""Dumps that the tests of the comparison share: of the fixtures' models, made once for the whole session."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from trtlens.accuracy.encodings import dtype_name
from trtlens.accuracy.tensors import InMemory, Tensor
from trtlens.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import ArrayLike, NDArray

    Typed = Callable[..., tuple[int, str, str]]

FIXTURES = Path(__file__).parents[2] / "fixtures"
MODELS = FIXTURES / "models"
DUMPS = FIXTURES / "dumps"

HAS_RUNTIME = all(importlib.util.find_spec(name) for name in ("onnx", "onnxruntime", "onnxconverter_common"))
needs_runtime = pytest.mark.skipif(
    not HAS_RUNTIME, reason="onnx, onnxruntime and onnxconverter-common are not installed"
)

FAULTY = {"overflowing_rms_norm": "fp16", "subnormal_weights": "fp16", "short_int8_range": "int8"}
"""Each faulty model with the precision in which its fault shows."""


def f32(values: ArrayLike) -> NDArray[Any]:
    """An array of float32."""
    return np.asarray(values, np.float32)


def f16(values: ArrayLike) -> NDArray[Any]:
    """An array of float16."""
    return np.asarray(values, np.float16)


def save_npz(path: Path, arrays: Mapping[str, NDArray[Any]]) -> Path:
    """An npz of these arrays."""
    members: dict[str, Any] = dict(arrays)
    np.savez(path, **members)
    return path


def tensor(values: ArrayLike, dtype: str | None = None, name: str = "t") -> Tensor:
    """A tensor of numbers that are there, in float32 unless they have a type."""
    array = np.asarray(values)
    array = array.astype(np.float32) if array.dtype == np.float64 and not isinstance(values, np.ndarray) else array
    return Tensor(name, dtype or dtype_name(array.dtype), array.shape, InMemory(array))


@pytest.fixture(scope="session")
def dump_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str | None], Path]:
    """The folder of a dump: of a model's reference (None), or emulated in a precision on the same inputs."""
    made: dict[tuple[str, str | None], Path] = {}
    root = tmp_path_factory.mktemp("dumps")

    def make(model: str, emulate: str | None = None) -> Path:
        from trtlens.capture.dumping.dump import DumpRequest, dump_run
        from trtlens.capture.models.inputs import InputRecipe

        key = model, emulate
        if key not in made:
            folder = root / f"{model}-{emulate or 'reference'}"
            recipe = InputRecipe(file=None if emulate is None else make(model, None))
            dump_run(MODELS / f"{model}.onnx", folder, DumpRequest(emulate=emulate, recipe=recipe))
            made[key] = folder
        return made[key]

    return make


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    """Run `trtlens` with arguments: exit code, stdout, stderr."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["trtlens", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        out, err = capsys.readouterr()
        return code, out, err

    return run
