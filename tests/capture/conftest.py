"""Models and stand-in libraries that the tests of the build share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.doubles.tensorrt_double import Script, make_double
from trtlens.capture.backends import backend as backends
from trtlens.capture.backends.backend import Backend, backend_from_module
from trtlens.capture.building import engine_build as build

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OWN_TACTICS = "--tacticSources=EDGE_MASK_CONVOLUTIONS,JIT_CONVOLUTIONS"
"""Neither cuBLAS nor cuDNN, which a machine with a GPU may lack; the default of TensorRT 10 and later."""
MODELS = Path(__file__).parents[2] / "fixtures" / "models"
RELEASES = (
    *("8.6.0", "10.0.1", "10.3.0", "10.7.0", "10.9.0.34", "10.12.0.36", "10.13.3.9", "10.16.1.11"),
    *("11.0.0.114", "11.4.0.106", "rtx-1.7.1.116"),
)
WEAKLY_TYPED = RELEASES[:8]
STRONGLY_TYPED = RELEASES[8:]


@dataclass
class Double:
    """A stand-in library as a backend, and the script that it plays by."""

    backend: Backend
    script: Script

    @property
    def trt(self) -> Any:
        """The stand-in library itself."""
        return self.backend.trt


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the code believe in a GPU, so that the double is asked for everything."""
    monkeypatch.setattr(backends, "gpu_present", lambda: True)


@pytest.fixture
def play(gpu: None) -> Callable[..., Double]:  # noqa: ARG001  the double stands for a library with its GPU
    """Make the double of a release; keywords set its script."""

    def make(release: str, **script: Any) -> Double:
        plays = Script(**script)
        return Double(backend_from_module(make_double(release, plays)), plays)

    return make


@pytest.fixture(autouse=True)
def patience() -> Iterator[None]:
    """Wait for builders that a test left behind: no other build may begin beside them."""
    yield
    for thread in build._ABANDONED:
        thread.join(timeout=30)


@pytest.fixture
def small_cnn() -> Path:
    return MODELS / "small_cnn.onnx"


@pytest.fixture
def dynamic_cnn() -> Path:
    return MODELS / "small_cnn_dynamic.onnx"


@pytest.fixture
def tiny_encoder() -> Path:
    return MODELS / "tiny_encoder.onnx"
