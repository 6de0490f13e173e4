"""The search that ``isolate`` makes for a cure: what it is asked for, the library and options of the dump, and what is printed."""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from trtlens.commands.progress import shown_progress
from trtlens.commands.read import print_answers
from trtlens.errors import CaptureError, TrtlensError
from trtlens.output import Format, print_table, visible, wrapped, write_table

if TYPE_CHECKING:
    from pathlib import Path

    from trtlens.accuracy.readers import Dump
    from trtlens.capture.backends.backend import Backend
    from trtlens.capture.dumping.rebuild import Rebuilder
    from trtlens.commands.region_cure import Curing, Found
    from trtlens.commands.region_errors import Regions

_INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Asked:
    """One search: the dump, its model, the region's output with its precision, and the options of the command."""

    run: Path
    model: Path
    tensor: str
    precision: str | None
    method: str = "outputs"
    max_builds: int | None = None
    processes: int = 5
    device: int = 0
    resume: bool = False


def search(regions: Regions, run: Dump, asked: Asked, form: Format, write: Path | None) -> None:
    """Search and print; exit code 1 where nothing was found to cure."""
    rebuilder, notes = opened_rebuilder(asked, run)
    curing = make_curing(regions, run, asked, rebuilder)
    curing.notes += notes
    try:
        found = cured(curing, asked)
    except KeyboardInterrupt:
        sys.stderr.write(f"stopped; {len(curing.rows)} builds are in {curing.folder}: --resume goes on\n")
        raise typer.Exit(_INTERRUPTED) from None
    if write is not None and found is not None:
        _write_model(asked, found, write)
    _print(curing, found, asked, form)
    if found is None:
        raise typer.Exit(1)


def make_curing(regions: Regions, run: Dump, asked: Asked, rebuilder: Rebuilder) -> Curing:
    """The search of a region, with the builds of an interrupted one where it is to go on.

    Raises:
        TrtlensError: the region cannot be judged, errs no more than its types explain, or there is no search to go on with.

    """
    from trtlens.commands.region_cure import FOLDER, Curing, earlier_rows  # noqa: PLC0415
    from trtlens.commands.region_judge import RegionJudge  # noqa: PLC0415

    judge = RegionJudge(regions, run, asked.tensor, asked.precision)
    folder, key = asked.run / FOLDER, _key(asked)
    earlier = earlier_rows(folder, key) if asked.resume else []
    return Curing(judge, rebuilder, folder, key, _tactics(asked.run, judge.nodes), asked.max_builds, earlier)


def cured(curing: Curing, asked: Asked) -> Found | None:
    """Search, and time what was found."""
    from trtlens.capture.recorder import ENGINE  # noqa: PLC0415
    from trtlens.commands.region_cure import timed  # noqa: PLC0415

    with shown_progress() as progress:
        found = curing.run(progress)
        if found is not None and asked.processes:
            timed(curing, asked.run / ENGINE, found.build, asked.processes, progress)
    if found is not None:
        curing.facts["cure"] = {
            "kind": found.kind,
            "changed": found.cure.chosen,
            "bare": found.cure.bare,
            "build": found.build,
        }
    curing.keep()
    return found


def opened_rebuilder(asked: Asked, run: Dump) -> tuple[Rebuilder, list[str]]:
    """TensorRT as the dump used it, and notes on what is otherwise here.

    Raises:
        TrtlensError: the folder is no dump of TensorRT, or the library is not installed.
        CaptureError: there is no GPU.

    """
    from trtlens.capture.backends.backend import find_backend  # noqa: PLC0415
    from trtlens.capture.build_options import restored_options  # noqa: PLC0415
    from trtlens.capture.dumping.rebuild import TensorRTRebuilder, timing_cache_of  # noqa: PLC0415
    from trtlens.runs.run_info import info_of, is_run, load_document  # noqa: PLC0415

    document = load_document(asked.run) if is_run(asked.run) else {}
    info = info_of(document)
    if info.kind != "dump" or info.library not in ("tensorrt", "tensorrt_rtx"):
        raise TrtlensError(
            f"{asked.run} is no dump of TensorRT (`trtlens dump MODEL -o RUN`), so that it cannot be built again: --bundle writes the region by itself"
        )
    backend = find_backend(info.library)
    if not backend.can_run:
        raise CaptureError(
            "engines have to run to be judged, and there is no GPU: --bundle writes the region by itself"
        )
    if asked.method == "debug" and not backend.has("INetworkDefinition.mark_debug"):
        raise TrtlensError(f"{backend.name} {backend.version_text} has no debug tensors: leave --method out")
    options = timing_cache_of(asked.run, restored_options(info.flags or {}))
    shapes = {name: tuple(shape) for name, shape in (document.get("shapes") or {}).items()}
    kinds = {name: tensor.dtype for name, tensor in run.tensors.items() if tensor.dtype is not None}
    made = TensorRTRebuilder(asked.model, asked.run, backend, options, shapes, kinds, asked.method, asked.device)
    return made, _differences(info.tensorrt_version, info.gpu.name, backend)


def _differences(version: str | None, gpu: str | None, backend: Backend) -> list[str]:
    from trtlens.capture.backends.gpu import identify_gpu  # noqa: PLC0415

    here = identify_gpu()
    return [
        f"the dump is of {was}, and here is {now}: what cures may be that"
        for was, now in ((f"TensorRT {version}", f"TensorRT {backend.version_text}"), (gpu, here and here.name))
        if was and now and was != now
    ]


def _key(asked: Asked) -> str:
    """What the builds of a search depend on."""
    from trtlens.runs.run_info import load_document  # noqa: PLC0415

    document = load_document(asked.run)
    facts = [
        document.get("started"),
        document.get("model"),
        document.get("tensorrt_version"),
        asked.tensor,
        asked.precision,
        asked.method,
    ]
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()


def _tactics(run: Path, nodes: list[str]) -> dict[str, int]:
    """The layers that compute nodes of the region, with the tactic that each ran; Myelin's regions have none."""
    from trtlens.runs.run import open_run  # noqa: PLC0415

    wanted = set(nodes)
    layers = open_run(run)["layers"].select(["name", "tactic_id", "onnx_nodes", "is_reformat"]).to_pylist()
    return {
        row["name"]: row["tactic_id"]
        for row in layers
        if row["tactic_id"] and not row["is_reformat"] and wanted & set(row["onnx_nodes"] or ())
    }


def _write_model(asked: Asked, found: Found, path: Path) -> None:
    """Write the model with the tensors of the cut among its outputs."""
    from trtlens.capture.models.model import load_onnx, save_onnx  # noqa: PLC0415
    from trtlens.capture.models.onnx_graphs import with_outputs  # noqa: PLC0415
    from trtlens.commands.region_cure import CUTS  # noqa: PLC0415

    if found.kind != CUTS:
        sys.stderr.write(f"{path} was not written: the cure needs no other outputs\n")
        return
    proto = load_onnx(asked.model, "writing the cut")
    outputs = [info.name for info in proto.graph.output]
    save_onnx(with_outputs(proto, [*outputs, *found.cure.chosen]), path)


def _print(curing: Curing, found: Found | None, asked: Asked, form: Format) -> None:
    from trtlens.commands.cure_told import LAYOUT, applied, rows, sentences  # noqa: PLC0415

    if form is not Format.TABLE:
        write_table(rows(curing), form)
        return
    print_answers(sentences(curing, found))
    for line in applied(curing, found, str(asked.model), asked.method) if found is not None else ():
        sys.stdout.write(f"to apply: {visible(line)}\n")
    print_table(rows(curing), LAYOUT)
    for note in curing.notes:
        sys.stdout.write("\n".join(wrapped(f"note: {note}")) + "\n")
    sys.stdout.write(visible(f"builds: {curing.folder}") + "\n")
