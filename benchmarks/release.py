"""Is this checkout a release? Builds wheel and sdist, and tries both in fresh environments: ``just release-check``.

Each Python from 3.10 to 3.13 that the machine has gets the wheel with the newest dependencies and with the lowest that pyproject.toml states, and
the oldest and the newest of them the sdist. `benchmarks/release_smoke.py` runs in each; all must print the same. Needs ``pip install 'trtlens[release]'``.
"""

from __future__ import annotations

import argparse
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

_ROOT = Path(__file__).parents[1]
_SMOKE = _ROOT / "benchmarks" / "release_smoke.py"
_PYTHONS = ("3.10", "3.11", "3.12", "3.13")
_EXTRAS = ("fleet", "images", "onnxruntime")
_FIGURE = re.compile(r"-?\d+\.\d+(?:e[+-]?\d+)?")
_RESOLUTIONS = ("highest", "lowest-direct")


class Trial(NamedTuple):
    """One environment to be made: what is installed, for which Python, with which versions and extras."""

    package: Path
    python: Path
    version: str
    resolution: str
    extras: tuple[str, ...]


def main() -> None:
    """Build, check, install, try; exit with 1 where anything fails or two environments answer differently."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", action="append", choices=_PYTHONS, help="only this one; may be given several times")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wheel, sdist = _built(Path(folder, "dist"))
        pythons = _interpreters(asked.python or _PYTHONS)
        print(f"{'package':8} {'Python':7} {'versions':14} {'extras':26} install [s]  import [s]  answer [s]")
        answers = [_tried(trial, Path(folder)) for trial in _trials(wheel, sdist, pythons)]
    differing = sum(not _same(answers[0], other) for other in answers)
    if differing:
        sys.exit(f"{differing} environments answer otherwise than the first: every one must give the same rows")


def _same(one: str, other: str) -> bool:
    """Whether two texts are equal but for the last digits of figures: from Python 3.12 on a sum is rounded once, not at every step."""
    if _FIGURE.sub("", one) != _FIGURE.sub("", other):
        return False
    pairs = zip(_FIGURE.findall(one), _FIGURE.findall(other), strict=True)
    return all(math.isclose(float(a), float(b), rel_tol=1e-9, abs_tol=1e-15) for a, b in pairs)


def _trials(wheel: Path, sdist: Path, pythons: dict[str, Path]) -> list[Trial]:
    wheels = [Trial(wheel, path, version, kind, ()) for version, path in pythons.items() for kind in _RESOLUTIONS]
    ends = list(pythons)[:1] + list(pythons)[1:][-1:]
    return [
        *wheels,
        *(Trial(wheel, pythons[ends[0]], ends[0], kind, _EXTRAS) for kind in _RESOLUTIONS),
        *(Trial(sdist, pythons[version], version, _RESOLUTIONS[0], ()) for version in ends),
    ]


def _built(folder: Path) -> tuple[Path, Path]:
    """The wheel and the sdist, as PyPI would take them."""
    subprocess.run([sys.executable, "-m", "build", "--outdir", folder, _ROOT], check=True, stdout=subprocess.DEVNULL)
    made = sorted(folder.iterdir())
    subprocess.run([sys.executable, "-m", "twine", "check", "--strict", *made], check=True)
    for path in made:
        print(f"{path.name}: {path.stat().st_size / 1024:,.0f} KiB")
    return next(path for path in made if path.suffix == ".whl"), next(path for path in made if path.suffix == ".gz")


def _interpreters(versions: Sequence[str]) -> dict[str, Path]:
    """Pythons of this machine by version, on the path or of pyenv; says which are missing.

    Raises:
        SystemExit: there is none.

    """
    found = {}
    for version in versions:
        named, pyenv = shutil.which(f"python{version}"), Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
        places = [*([Path(named)] if named else []), *sorted(pyenv.glob(f"versions/{version}.*/bin/python"))]
        runs = [
            one for one in places if subprocess.run([one, "-c", ""], check=False, capture_output=True).returncode == 0
        ]
        if runs:
            found[version] = runs[0]
        else:
            print(f"no Python {version} on this machine: not tried")
    return found or sys.exit("no Python to try")


def _tried(trial: Trial, folder: Path) -> str:
    """Install a package in a fresh environment, run the smoke test in it, print its figures, and give its answers."""
    environment = folder / "environment"
    shutil.rmtree(environment, ignore_errors=True)
    quiet = ["uv", "--quiet", "--no-python-downloads"]
    subprocess.run([*quiet, "venv", "--python", trial.python, environment], check=True)
    wanted = str(trial.package) + (f"[{','.join(trial.extras)}]" if trial.extras else "")
    python = environment / "bin" / "python"
    began = time.perf_counter()
    subprocess.run(
        [*quiet, "pip", "install", "--compile-bytecode", "--python", python, "--resolution", trial.resolution, wanted],
        check=True,
    )
    install_s = time.perf_counter() - began
    smoke = [python, "-W", "error::DeprecationWarning:trtlens", _SMOKE, _ROOT / "fixtures", *trial.extras]
    said = subprocess.run(smoke, check=True, stdout=subprocess.PIPE, text=True, cwd=folder).stdout
    import_s, answer_s = said.split()
    kind = "sdist" if trial.package.suffix == ".gz" else "wheel"
    extras = ",".join(trial.extras)
    print(
        f"{kind:8} {trial.version:7} {trial.resolution:14} {extras:26} {install_s:11.1f}  {import_s:>10}  {answer_s:>10}",
        flush=True,
    )
    return (folder / "answers.json").read_text("utf-8")


if __name__ == "__main__":
    main()
