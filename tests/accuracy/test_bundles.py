"""A region by itself: what a bundle holds, that it shows the fault again, what an anonymous one leaves out, and foreign files."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest

from tests.accuracy.conftest import FIXTURES, MODELS, needs_runtime
from trtlens.capture.dumping.bundle import LOG, MEMBERS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from tests.accuracy.conftest import Typed

pytestmark = needs_runtime
DUMPS = FIXTURES / "h200-dumps"
TENSOR = "tiny/MatMul_output"


def isolate(typed: Typed, bundle: Path, *more: str) -> tuple[int, str, str]:
    """Bundle the region that a captured engine computes with subnormal weights."""
    places = (DUMPS / f"subnormal_weights-{name}" for name in ("reference", "held"))
    return typed("isolate", *places, TENSOR, "--bundle", bundle, "--model", MODELS / "subnormal_weights.onnx", *more)


def rewritten(bundle: Path, to: Path, parts: Mapping[str, bytes]) -> None:
    """A copy of a bundle with these parts in place of its own, or beside them."""
    with zipfile.ZipFile(bundle) as archive, zipfile.ZipFile(to, "w") as other:
        for name, data in ({name: archive.read(name) for name in archive.namelist()} | dict(parts)).items():
            other.writestr(name, data)


def part(bundle: Path, name: str) -> bytes:
    """One part of a bundle."""
    with zipfile.ZipFile(bundle) as archive:
        return archive.read(name)


def right_output(bundle: Path) -> NDArray[Any]:
    """What the region's operators give."""
    expected: NDArray[Any] = np.load(io.BytesIO(part(bundle, "outputs.npz")))["expected"]
    return expected


def test_a_bundle_shows_the_fault_again(typed: Typed, tmp_path: Path) -> None:
    """It holds the region, what the engine fed it and made of it, and its log; by the command and by its own script the fault shows."""
    bundle = tmp_path / "fault.zip"
    code, out, err = isolate(typed, bundle)
    assert code == 0, err
    assert f"{TENSOR}: precision" in out
    with zipfile.ZipFile(bundle) as archive:
        assert sorted(archive.namelist()) == sorted((*MEMBERS, LOG))
        archive.extractall(tmp_path / "unpacked")
    region = onnx.load(tmp_path / "unpacked" / "region.onnx")
    assert [node.op_type for node in region.graph.node] == ["MatMul"]
    facts = json.loads((tmp_path / "unpacked" / "facts.json").read_text())
    assert (facts["tensorrt"], facts["gpu"], facts["trtexec_flags"]) == ("8.6.0", "NVIDIA H200", ["--fp16"])
    code, out, _ = typed("rerun", bundle)
    assert (code, out.splitlines()[-1]) == (0, "the fault shows")
    assert f"engine errs {facts['error']['error']:.3g}" in out
    done = subprocess.run(
        [sys.executable, tmp_path / "unpacked" / "rerun.py"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "trtexec is not on the PATH" in done.stdout


def test_an_anonymous_bundle_has_no_names(typed: Typed, tmp_path: Path) -> None:
    """No tensor's, node's or model's name is in any part, nor the log; it runs as the other does."""
    bundle = tmp_path / "fault.zip"
    assert isolate(typed, bundle, "--anonymise")[0] == 0
    with zipfile.ZipFile(bundle) as archive:
        assert LOG not in archive.namelist()
        parts = {name: archive.read(name) for name in archive.namelist()}
    for name in (b"tiny", b"MatMul_output", b"relu", b"first"):
        assert not any(name in parts[part] for part in ("region.onnx", "facts.json", "inputs.npz", "outputs.npz"))
    assert typed("rerun", bundle)[0] == 0


def test_the_fault_does_not_show_where_the_engine_was_right(typed: Typed, tmp_path: Path) -> None:
    """With what ONNX Runtime gives as the engine's output the exit code is 1."""
    bundle, changed = tmp_path / "fault.zip", tmp_path / "healthy.zip"
    isolate(typed, bundle)
    expected = right_output(bundle)
    np.savez(tmp_path / "outputs.npz", expected=expected, obtained=expected)
    rewritten(bundle, changed, {"outputs.npz": (tmp_path / "outputs.npz").read_bytes()})
    code, out, _ = typed("rerun", changed)
    assert (code, out.splitlines()[-1]) == (1, "the fault does not show")


FAKE = """#!{python}
import json, sys
flags = dict(one.split("=", 1) if "=" in one else (one, "") for one in sys.argv[1:])
json.dump(sorted(flags), open({record!r}, "w"))
json.dump([{{"name": {tensor!r}, "dimensions": "1", "values": {values}}}], open(flags["--exportOutput"], "w"))
"""


@pytest.mark.skipif(os.name == "nt", reason="a script stands for trtexec")
def test_trtexec_is_run_with_harmless_flags_alone(
    typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bundle can come from anywhere: of its flags those of precisions are passed on; TensorRT's output decides."""
    bundle, changed = tmp_path / "fault.zip", tmp_path / "hostile.zip"
    isolate(typed, bundle)
    facts = {
        **json.loads(part(bundle, "facts.json")),
        "trtexec_flags": ["--fp16", "--plugins=evil.so", "--saveEngine=/etc/x"],
    }
    rewritten(bundle, changed, {"facts.json": json.dumps(facts).encode(), "../escaped": b"x"})
    fake = tmp_path / "trtexec"
    fake.write_text(
        FAKE.format(
            python=sys.executable,
            record=str(tmp_path / "flags"),
            tensor=TENSOR,
            values=right_output(bundle).ravel().tolist(),
        )
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    code, out, err = typed("rerun", changed)
    assert code == 1, err
    assert "TensorRT errs 0 " in out
    assert json.loads((tmp_path / "flags").read_text()) == ["--exportOutput", "--fp16", "--loadInputs", "--onnx"]
    assert not (tmp_path.parent / "escaped").exists()


@pytest.mark.parametrize("content", [b"", b"PK\x05\x06" + b"\0" * 18, b"no zip"])
def test_what_is_no_bundle_is_refused(typed: Typed, tmp_path: Path, content: bytes) -> None:
    """One line that names the file."""
    path = tmp_path / "other.zip"
    path.write_bytes(content)
    code, out, err = typed("rerun", path)
    assert (code, out) == (2, "")
    assert "other.zip" in err


def test_a_file_that_is_there_is_kept(typed: Typed, tmp_path: Path) -> None:
    """Without --force nothing is replaced, with it the file is, and a tensor that no region puts out is refused with its neighbours."""
    bundle = tmp_path / "fault.zip"
    bundle.write_bytes(b"mine")
    code, _, err = isolate(typed, bundle)
    assert (code, bundle.read_bytes()) == (2, b"mine")
    assert "--force" in err
    assert isolate(typed, bundle, "--force", "--format", "json")[:2] == (0, "[]\n"), "nothing was built"
    assert zipfile.is_zipfile(bundle)
    code, _, err = typed(
        "isolate", DUMPS / "subnormal_weights-reference", DUMPS / "subnormal_weights-held", "tiny/MatMul", "--bundle", tmp_path / "b.zip",
        "--model", MODELS / "subnormal_weights.onnx",
    )  # fmt: skip
    assert code == 2
    assert TENSOR in err
