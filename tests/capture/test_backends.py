"""Which library is taken, and what is said where there is none."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType, SimpleNamespace

import pytest

from tests.capture.conftest import RELEASES
from tests.doubles.tensorrt_double import make_double
from trtlens.capture.backends import backend as backends
from trtlens.capture.backends import gpu
from trtlens.capture.backends.backend import backend_from_module, find_backend
from trtlens.errors import TrtlensError


def install(monkeypatch: pytest.MonkeyPatch, *names: str, gpu: bool) -> None:
    """Pretend that these libraries, and no others, are installed, on a machine with or without a GPU."""
    monkeypatch.setattr(backends, "gpu_present", lambda: gpu)
    real = importlib.util.find_spec

    def find_spec(name: str) -> object:
        return (name in names or None) if name in backends.LIBRARIES else real(name)

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    releases = {"tensorrt": "10.3.0", "tensorrt_rtx": "rtx-1.7.1.116"}
    for name in names:
        monkeypatch.setitem(sys.modules, name, make_double(releases[name]))


def test_neither_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence says what to install, as wrong usage."""
    install(monkeypatch, gpu=False)
    with pytest.raises(TrtlensError, match=r"pip install tensorrt.*pip install tensorrt-rtx") as caught:
        find_backend()
    assert caught.value.exit_code == 2
    assert "\n" not in caught.value.message


def test_the_library_that_can_build_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a GPU that is tensorrt, without one tensorrt_rtx; what the user names is taken anywhere."""
    install(monkeypatch, "tensorrt", "tensorrt_rtx", gpu=True)
    assert find_backend().name == "tensorrt"
    install(monkeypatch, "tensorrt", "tensorrt_rtx", gpu=False)
    assert find_backend().name == "tensorrt_rtx"
    assert find_backend("tensorrt").name == "tensorrt"
    install(monkeypatch, "tensorrt", gpu=False)
    assert find_backend().name == "tensorrt"
    with pytest.raises(TrtlensError, match=r"tensorrt_rtx is not installed: `pip install tensorrt-rtx`"):
        find_backend("tensorrt_rtx")
    with pytest.raises(TrtlensError, match="choose one of tensorrt, tensorrt_rtx"):
        find_backend("tensorflow")


def test_a_library_that_does_not_load(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the import said is passed on; another library that loads is taken instead."""
    install(monkeypatch, "tensorrt", gpu=True)
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(TrtlensError, match="tensorrt is installed but does not load"):
        find_backend()
    install(monkeypatch, "tensorrt", "tensorrt_rtx", gpu=True)
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    assert find_backend().name == "tensorrt_rtx"


@pytest.mark.parametrize("release", RELEASES)
def test_features_are_asked_for(release: str) -> None:
    """Versions are numbers for the record; precision flags and the monitor are found by name."""
    backend = backend_from_module(make_double(release))
    assert backend.version_text == release.removeprefix("rtx-")
    assert ".".join(map(str, backend.version)) == backend.version_text
    assert backend.is_rtx == release.startswith("rtx-")
    assert backend.has_precision_flags == (not backend.is_rtx and backend.version < (11,))
    assert backend.has("IProgressMonitor") == (release != "8.6.0")
    assert not backend.has("BuilderFlag.NO_SUCH")
    assert not backend.has("NoSuchClass.member")


def test_versions_with_letters() -> None:
    """A local build's suffix is kept in the text and out of the numbers; a module without a version is none."""
    module = ModuleType("tensorrt")
    vars(module)["__version__"] = "10.3.0+cuda12.5"
    backend = backend_from_module(module)
    assert (backend.version, backend.version_text) == ((10, 3, 0), "10.3.0+cuda12.5")
    vars(module).update(__version__="unknown", __file__="somewhere")
    with pytest.raises(TrtlensError, match="states no version"):
        backend_from_module(module)


def test_gpu_is_asked_of_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """No driver, a driver that fails and a driver that counts no GPU all mean that there is none."""

    def count(devices: int) -> SimpleNamespace:
        def write(pointer: object) -> int:
            pointer._obj.value = devices  # type: ignore[attr-defined]
            return 0

        return SimpleNamespace(cuInit=lambda _flags: 0, cuDeviceGetCount=write)

    for library, present in (
        (None, False),
        (SimpleNamespace(cuInit=lambda _flags: 100), False),
        (count(0), False),
        (count(1), True),
    ):
        monkeypatch.setattr(gpu, "_load", lambda _names, library=library: library)
        gpu._cuda.cache_clear()
        assert gpu.gpu_present() is present
    gpu._cuda.cache_clear()
    monkeypatch.setattr(gpu, "_load", lambda _names: None)
    assert gpu.identify_gpu() is None
    gpu._cuda.cache_clear()
