"""The doctor: what it finds on a bare machine and on others, and how it reads versions without running anything."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from trtlens.capture.backends import doctor, libraries
from trtlens.capture.backends.backend import Backend
from trtlens.capture.backends.doctor import Finding, examine
from trtlens.capture.backends.gpu import GpuIdentity, GpuLimits, NoMonitor
from trtlens.capture.backends.installation import PACKAGES, Installation, abilities, find_package, is_installed
from trtlens.capture.backends.libraries import FileVersion, decode_version, file_version, find_libraries
from trtlens_parsers.captured import GpuReading

CAPTURE = Path(doctor.__file__).parents[1]
COMPILER = shutil.which("cc") or ""
THIRD_PARTIES = (
    *("tensorrt", "tensorrt_rtx", "cuda", "pynvml", "onnx", "onnxruntime", "onnxconverter_common", "modelopt"),
    "ml_dtypes",
)
H200 = GpuIdentity("NVIDIA H200", "9.0", 132, 150 << 30, "580.95", "13.0")
ADA = GpuIdentity("NVIDIA L4", "8.9", 58, 24 << 30, "535.1", "12.2")


def _backend(name: str = "tensorrt", version: str = "10.3.0", **members: Any) -> Backend:
    numbers = tuple(map(int, version.split(".")))
    return Backend(SimpleNamespace(**members), name, numbers, version)


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without GPU, TensorRT and any of the packages."""
    for name in THIRD_PARTIES:
        for loaded in [module for module in sys.modules if module.partition(".")[0] == name]:
            monkeypatch.delitem(sys.modules, loaded)
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr(doctor, "identify_gpu", lambda _: None)
    monkeypatch.setattr(doctor, "find_libraries", tuple)
    monkeypatch.setattr(doctor, "find_headers", tuple)


def _section(report: tuple[Finding, ...], name: str) -> list[Finding]:
    return [finding for finding in report if finding.section == name]


def _found(report: tuple[Finding, ...], item: str) -> Finding:
    return next(finding for finding in report if finding.item == item)


def _modules() -> list[str]:
    root = CAPTURE.parents[1]
    return sorted(".".join(path.relative_to(root).with_suffix("").parts) for path in CAPTURE.rglob("[a-z]*.py"))


# -- a bare machine ----------------------------------------------------------------------------------------------------


def test_every_module_of_capture_imports_without_its_libraries() -> None:
    """No module here imports TensorRT, CUDA or NVML before a function asks for it."""
    code = (
        "import importlib, sys\n"
        f"sys.modules.update(dict.fromkeys({THIRD_PARTIES!r}))\n"
        f"for name in {_modules()!r}: importlib.import_module(name)\n"
    )

    done = subprocess.run([sys.executable, "-c", code], cwd=CAPTURE.parents[1], capture_output=True, check=False)

    assert (done.returncode, done.stderr.decode()) == (0, "")


@pytest.mark.usefixtures("bare")
def test_a_bare_machine_reads_logs_and_nothing_else() -> None:
    """Without anything installed the report has every section, one ability, and an advice for each that is missing."""
    report = examine()

    able = [finding.item for finding in _section(report, "abilities") if finding.state == "ok"]
    assert able == ["read logs"]
    assert all(finding.advice for finding in report if finding.state == "missing")
    assert [finding.state for finding in _section(report, "tensorrt")] == ["missing", "missing"]
    assert [finding.state for finding in _section(report, "packages")] == ["missing"] * len(PACKAGES)
    assert [(finding.item, finding.state) for finding in _section(report, "gpu")] == [("GPU", "missing")]


def test_this_machine_is_examined() -> None:
    """Whatever this machine is, the doctor comes to an end, with states it knows and nothing found but unnamed."""
    report = examine()

    assert {finding.state for finding in report} <= {"ok", "warning", "missing", "unknown"}
    assert dict.fromkeys(finding.section for finding in report) == dict.fromkeys(
        ("system", "gpu", "tensorrt", "packages", "abilities")
    )
    assert all(finding.value for finding in report if finding.state == "ok")


@pytest.mark.usefixtures("bare")
def test_a_library_that_does_not_load_is_a_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """TensorRT without its shared libraries is installed, but broken: the loader's words are the advice."""
    (tmp_path / "tensorrt.py").write_text("raise ImportError('libcublas.so.12: cannot open shared object file')")
    monkeypatch.delitem(sys.modules, "tensorrt")
    monkeypatch.syspath_prepend(tmp_path)

    finding = _found(examine(), "tensorrt")

    assert finding.state == "warning"
    assert "libcublas.so.12" in (finding.advice or "")


# -- gpu ---------------------------------------------------------------------------------------------------------------


def _with_gpu(
    monkeypatch: pytest.MonkeyPatch,
    *gpus: GpuIdentity,
    reading: GpuReading | None = None,
    limits: GpuLimits | None = None,
) -> tuple[Finding, ...]:
    monitor = SimpleNamespace(
        read=lambda _: reading, limits=lambda: limits, close=lambda: None, reason=None if reading else "NVML is silent"
    )
    monkeypatch.setattr(doctor, "identify_gpu", lambda number: gpus[number] if number < len(gpus) else None)
    monkeypatch.setattr(doctor, "open_monitor", lambda _: monitor)
    return examine()


LIMITS = GpuLimits("NVIDIA H200", "GPU-1", "580.95", 1980, 3201, 1980, 700.0, 0)


@pytest.mark.usefixtures("bare")
def test_gpus_are_told_with_driver_and_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each GPU has a line of its own."""
    report = _with_gpu(monkeypatch, H200, ADA)

    assert _found(report, "GPU 0").value == "NVIDIA H200, compute capability 9.0, 132 multiprocessors, 150 GiB"
    assert _found(report, "GPU 1").state == "ok"
    assert (_found(report, "driver").value, _found(report, "CUDA of the driver").value) == ("580.95", "13.0")


@pytest.mark.usefixtures("bare")
def test_clocks_without_nvml_are_unknown_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is said of the clocks but why."""
    finding = _found(_with_gpu(monkeypatch, H200), "clocks")

    assert (finding.value, finding.state, finding.advice) == (None, "unknown", "NVML is silent")


@pytest.mark.usefixtures("bare")
def test_clocks_held_by_application_clocks_are_fine(monkeypatch: pytest.MonkeyPatch) -> None:
    """NVML names application clocks as the reason of the clocks."""
    reading = GpuReading("now", 1500, 3201, 90.0, 30, ("application clocks",))

    finding = _found(_with_gpu(monkeypatch, H200, reading=reading, limits=LIMITS), "clocks")

    assert finding.state == "ok"
    assert finding.value == "held at application clocks (1980 MHz), SM at 1500 MHz of 1980 MHz"


@pytest.mark.usefixtures("bare")
def test_whether_clocks_are_locked_is_not_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    """NVML does not tell of `nvidia-smi -lgc`: a low clock of an idle GPU proves nothing."""
    reading = GpuReading("now", 345, None, 90.0, 30, ("idle",))

    finding = _found(_with_gpu(monkeypatch, H200, reading=reading, limits=LIMITS), "clocks")

    assert (finding.state, finding.value) == ("unknown", "SM at 345 MHz of 1980 MHz")


@pytest.mark.usefixtures("bare")
def test_throttling_and_other_work_are_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A throttled or shared GPU does not time well."""
    reading = GpuReading("now", 900, 3201, 700.0, 90, ("hardware thermal slowdown",))
    limits = GpuLimits("NVIDIA H200", "GPU-1", "580.95", 1980, 3201, None, 700.0, 2)

    report = _with_gpu(monkeypatch, H200, reading=reading, limits=limits)

    assert _found(report, "throttling").value == "hardware thermal slowdown"
    assert _found(report, "other work").value == "2 processes compute on the GPU"
    assert {_found(report, "throttling").state, _found(report, "other work").state} == {"warning"}


@pytest.mark.usefixtures("bare")
def test_bindings_newer_than_the_driver_are_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    """cuda-bindings 13 with a driver that serves CUDA 12 fails at the first call; the advice is the older package."""
    monkeypatch.setattr(doctor, "find_package", lambda _: "13.5.0")

    old, new = (_found(_with_gpu(monkeypatch, gpu), "cuda-bindings") for gpu in (ADA, H200))

    assert (old.state, new.state) == ("warning", "ok")
    assert "cuda-bindings<13" in (old.advice or "")


# -- abilities ---------------------------------------------------------------------------------------------------------

ALL_PACKAGES = frozenset(package.name for package in PACKAGES)
TENSORRT = _backend(IInt8EntropyCalibrator2=object)
TENSORRT_11 = _backend(version="11.4.0")
RTX = _backend("tensorrt_rtx", "1.7.1")


def _needs(
    gpus: tuple[GpuIdentity, ...], *backends: Backend, packages: frozenset[str] = ALL_PACKAGES
) -> dict[str, str]:
    found = abilities(Installation(gpus, backends, packages))
    return {ability.name: ability.needs for ability in found if ability.needs is not None}


def test_a_whole_installation_can_do_everything() -> None:
    """With both libraries, a GPU and all packages nothing is missing."""
    assert _needs((H200,), TENSORRT, RTX) == {}


def test_tensorrt_11_has_no_calibrators() -> None:
    """Calibration is gone there, whatever is installed; quantizing the model is the way."""
    needs = _needs((H200,), TENSORRT_11, RTX)

    assert list(needs) == ["calibrate INT8"]
    assert "quantize the model" in needs["calibrate INT8"]


def test_rtx_without_a_gpu_builds_and_does_not_time() -> None:
    """Building ahead of time is what TensorRT-RTX can do on any machine."""
    needs = _needs((), RTX)

    assert "build with TensorRT-RTX, no GPU needed" not in needs
    assert needs["time engines"] == "needs an NVIDIA GPU with its driver"


def test_rtx_does_not_run_on_a_data_centre_gpu() -> None:
    """TensorRT-RTX refuses compute capability 9.0 and takes 8.9 and 12.0."""
    blackwell = GpuIdentity("NVIDIA RTX", "12.0", 170, 32 << 30, "580", "13.0")

    assert "does not run on this GPU" in _needs((H200,), RTX)["time engines"]
    assert "time engines" not in _needs((ADA,), RTX)
    assert "time engines" not in _needs((blackwell,), RTX)


@pytest.mark.parametrize(
    ("package", "lost"),
    [
        ("cuda-bindings", {"time engines", "trace kernels", "calibrate INT8", "dump tensors"}),
        ("cupti-python", {"trace kernels"}),
        ("nvidia-ml-py", {"record clocks"}),
        ("onnx", {"quantize models to INT8", "convert models to FP16"}),
        ("onnxruntime", {"compute reference outputs"}),
        ("onnxconverter-common", set()),
        ("nvidia-modelopt", set()),
    ],
)
def test_each_missing_package_costs_what_needs_it(package: str, lost: set[str]) -> None:
    """What is lost without one package names that package; modelopt and onnxconverter-common stand in for each other."""
    needs = _needs((H200,), TENSORRT, RTX, packages=ALL_PACKAGES - {package})

    assert set(needs) == lost
    assert all(f"pip install {package}" in advice for advice in needs.values())


# -- packages ----------------------------------------------------------------------------------------------------------


def test_a_package_is_found_without_being_imported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A package that would fail to import is still found, and without metadata its version is unknown."""
    (tmp_path / "onnxconverter_common.py").write_text("raise RuntimeError")
    monkeypatch.delitem(sys.modules, "onnxconverter_common", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    package = next(package for package in PACKAGES if package.module == "onnxconverter_common")

    found = find_package(package)

    assert found is not None
    assert not found or found[0].isdecimal()


def test_an_odd_module_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module without a spec, or a parent that is no package, is no exception."""
    monkeypatch.setitem(sys.modules, "pynvml", ModuleType("pynvml"))
    monkeypatch.setitem(sys.modules, "cuda", ModuleType("cuda"))

    assert not is_installed("pynvml")
    assert not is_installed("cuda.bindings")


# -- versions of files -------------------------------------------------------------------------------------------------


def _library(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def test_a_librarys_symbol_tells_its_version(tmp_path: Path) -> None:
    """The symbol's name is read from the file; a longer name that begins the same is passed over."""
    content = b"\x7fELF...\0tensorrt_version_of_nothing\0x\0tensorrt_version_8_6_0_12\0getInferLibVersion\0"
    path = _library(tmp_path, "libnvinfer.so.8", content)

    assert file_version(path) == FileVersion(path, "8.6.0.12", "symbol")


def test_a_library_without_symbol_and_not_of_this_machine_is_told_by_its_name(tmp_path: Path) -> None:
    """What does not load is named by its file, through a link as well; without numbers nothing is claimed."""
    real = _library(tmp_path, "libnvinfer.so.10.3.0", b"\x7fELF of another machine")
    link = tmp_path / "libnvinfer.so"
    link.symlink_to(real)
    bare = _library(tmp_path, "libother.so", b"")

    assert file_version(link) == FileVersion(link, "10.3.0", "file name")
    assert file_version(bare).version is None
    assert "does not load" in (file_version(bare).reason or "")


@pytest.mark.skipif(not COMPILER, reason="needs a C compiler")
@pytest.mark.parametrize(("body", "version"), [("return 100300;", "10.3.0"), ("__builtin_trap();", None)])
def test_a_library_is_asked_in_a_process_of_its_own(tmp_path: Path, body: str, version: str | None) -> None:
    """The function's answer is taken, and a library that ends its process does not end this one."""
    source, path = tmp_path / "v.c", tmp_path / "libnvinfer.so"
    source.write_text(f"int getInferLibVersion(void) {{ {body} }}\n")
    subprocess.run([COMPILER, "-shared", "-fPIC", "-o", path, source], check=True)

    assert file_version(path).version == version
    assert ctypes.CDLL(None) is not None


@pytest.mark.parametrize(
    ("number", "version"),
    [(8601, "8.6.1"), (8600, "8.6.0"), (7234, "7.2.34"), (9300, "9.3.0"), (100001, "10.0.1"), (101303, "10.13.3")],
)
def test_version_numbers_of_both_kinds_are_decoded(number: int, version: str) -> None:
    """Up to 9.x the major number counts thousands, from 10.0 on ten thousands."""
    assert decode_version(number) == version


OLD_HEADER = """
#define NV_TENSORRT_MAJOR 8 //!< TensorRT major version.
#define NV_TENSORRT_MINOR 6 //!< TensorRT minor version.
#define NV_TENSORRT_PATCH 1
#define NV_TENSORRT_BUILD 6
"""
NEW_HEADER = """
#define TRT_MAJOR_ENTERPRISE 10
#define TRT_MINOR_ENTERPRISE 14
#define TRT_PATCH_ENTERPRISE 1
#define TRT_BUILD_ENTERPRISE 48
#define NV_TENSORRT_MAJOR TRT_MAJOR_ENTERPRISE //!< TensorRT major version.
#define NV_TENSORRT_MINOR TRT_MINOR_ENTERPRISE
#  define NV_TENSORRT_PATCH TRT_PATCH_ENTERPRISE
#define NV_TENSORRT_BUILD TRT_BUILD_ENTERPRISE
"""


@pytest.mark.parametrize(("text", "version"), [(OLD_HEADER, "8.6.1.6"), (NEW_HEADER, "10.14.1.48")])
def test_headers_tell_their_version(tmp_path: Path, text: str, version: str) -> None:
    """Numbers stand in the macros themselves up to 10.9 or so, and behind other macros later."""
    (tmp_path / "NvInferVersion.h").write_text(text)
    main = tmp_path / "NvInfer.h"
    main.write_text('#include "NvInferVersion.h"\n')

    assert file_version(tmp_path / "NvInferVersion.h").version == version
    assert file_version(main).version == version


def test_files_without_a_version_have_a_reason(tmp_path: Path) -> None:
    """An odd header, a folder and a missing file are answers, not exceptions."""
    header = tmp_path / "other.h"
    header.write_text("#define NV_TENSORRT_MAJOR self\n" + "#define " * 1000)

    assert "defines no" in (file_version(header).reason or "")
    assert file_version(tmp_path).reason == "no such file"
    assert file_version(tmp_path / "absent.so").reason == "no such file"


def test_libraries_on_the_search_path_are_found_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A library and its links are one library; plugins and parsers are not listed."""
    real = _library(tmp_path, "libnvinfer.so.8.6.1", b"tensorrt_version_8_6_1_6\0")
    (tmp_path / "libnvinfer.so.8").symlink_to(real)
    _library(tmp_path, "libnvinfer_plugin.so.8", b"")
    monkeypatch.setenv("LD_LIBRARY_PATH", f"{tmp_path}::/nonexistent")
    monkeypatch.setattr(libraries, "_LIBRARY_FOLDERS", ())
    monkeypatch.setattr(libraries, "_PACKAGES", ())

    assert find_libraries() == (real.resolve(),)


@pytest.mark.usefixtures("bare")
def test_a_given_library_of_another_version_is_a_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Two TensorRTs on one machine: engines of the one do not load in the other."""
    same = _library(tmp_path, "libnvinfer.so.10.3.0", b"tensorrt_version_10_3_0_26\0")
    other = _library(tmp_path, "libnvinfer.so.8.6.1", b"tensorrt_version_8_6_1_6\0")
    monkeypatch.setattr(doctor, "is_installed", lambda name: name == "tensorrt")
    monkeypatch.setattr(doctor, "find_backend", lambda _: TENSORRT)

    report = examine(same, other, tmp_path / "absent.so")

    assert (_found(report, str(same)).state, _found(report, str(same)).value) == ("ok", "10.3.0.26 (by its symbol)")
    assert _found(report, str(other)).state == "warning"
    assert _found(report, str(tmp_path / "absent.so")).state == "unknown"


def test_a_monitor_that_is_none_has_nothing_to_close() -> None:
    """The stand-in for NVML answers every question with nothing."""
    monitor: Any = NoMonitor("absent")
    monitor.close()

    assert (monitor.read("now"), monitor.limits(), monitor.reason) == (None, None, "absent")
