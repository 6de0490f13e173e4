"""The tables of a fleet: those of a run, each row with its run, and four that only a fleet has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtlens.tables.declarations import TABLES
from trtlens.tables.schema import Column, TableSpec, declare

if TYPE_CHECKING:
    from collections.abc import Mapping

RUN_ID = Column("run_id", "label", None, "run: first 32 digits of the SHA-256 of its log, decompressed")
TRT = Column(
    "trt",
    "text",
    None,
    "TensorRT version of the row's build as MAJOR.MINOR, unknown where the log does not state it; a folder of the dataset",
)

_SPECS = (
    declare(
        "runs", "one log, or folder of a run, that was added", "run_id",
        """
        source | text | | where it was when it was added
        status | text | | read or broken
        reason | text | | why nothing could be read of it; null where it could
        bytes | int | bytes | size of its files as they were
        added | text | | when it was added, UTC
        read_by | text | | version of trtlens that read it
        raw | texts | | its compressed files within the fleet; null where they were left where they are
        labels | text | | labels that were given, as a JSON object of texts
        """,
    ),
    declare(
        "engines", "one engine build, or loaded engine, of a run, with what series of runs are made of", "run_id build",
        """
        build | int | | number of the build in the log, from 1
        is_calibration | bool | | whether this is the network that TensorRT calibrates INT8 with, not the engine
        complete | bool | | whether an engine was finished and its layers are all listed; null where none was built
        tensorrt_version | text | | version as the log states it
        model | text | | file name of the model, else of the engine that was loaded, else the label of that name
        model_sha256 | text | | SHA-256 of the model; null for all but captured runs
        network | text | | hash of the names and operators of all ONNX nodes; null where the log does not list them
        gpu | text | | GPU, else the label of that name
        driver | text | | driver
        machine | text | | the label of that name, else the UUID of the GPU
        settings | text | | flags of trtexec or of trtlens profile that decide the engine or its timing, sorted, without names of files; else the allowed precisions
        when_s | float | s | when it began: first time stamp of its build, seconds since 1970 in the log's own clock; of captured runs the start
        latency_ms | float | ms | GPU time of one inference
        latency_source | text | | what that is: median or mean, of samples or of trtexec's summary
        layer_count | int | | engine layers
        tactic_selection_s | float | s | seconds of formats and tactics selection, as TensorRT states them
        engine_generation_s | float | s | seconds of engine generation, as TensorRT states them
        profiling_s | float | s | seconds of profiling runners, summed as TensorRT states them (8.6 on)
        timed | int | | candidates with a time of their own
        cached | int | | candidates with a time from a timing cache
        untimed | int | | candidates that were skipped or failed
        activation_bytes | int | bytes | activation memory
        weights_bytes | int | bytes | weights memory
        scratch_bytes | int | bytes | scratch memory
        device_persistent_bytes | int | bytes | device persistent memory
        """,
    ),
    declare(
        "engine_layers", "one engine layer with what tells it from others in every build", "run_id build index",
        """
        build | int | | number of the build in the log, from 1
        index | int | | position in the engine, from 0
        name | text | | name as TensorRT prints it
        type | label | | layer or runner type
        region | label | | hash of the ONNX nodes that the layer, and those that hold the same ones, hold; of a reformat those it serves; null where they are not known
        region_nodes | int | | how many nodes that is
        shapes | label | | hash of the types, extents and layouts of its inputs and outputs; null where the log does not show all of them
        tactic_id | uint | | tactic id
        tactic_name | label | | kernel
        precision | label | | what the layer computes in
        unit | label | | tensor core or cuda core; null with a reason
        works | bool | | whether it launches a kernel that does more than move data
        is_reformat | bool | | whether it only changes type or layout, or copies
        time_ms | float | ms | time of one execution, of one clock within a build
        time_source | label | | what measured it: kernels, samples, profile table, export; null without a time
        tuner_ms | float | ms | the tuner's time for the tactic that the engine runs
        """,
    ),
    declare(
        "tried_runners", "one runner of one build: sums over the rows of `runners`", "run_id build runner is_reformat",
        """
        build | int | | number of the build in the log, from 1
        runner | label | | runner, as TensorRT names it
        is_reformat | bool | | whether reformats were timed
        blocks | int | | layers or reformats in one format combination that it was tried for
        tactics | int | | tactics that the log names
        timed | int | | tactics with a time
        profiling_s | float | s | seconds of profiling, as TensorRT states them (8.6 on)
        stamps_s | float | s | seconds by the log's time stamps; null without stamps
        """,
    ),
)  # fmt: skip


def _of_run(spec: TableSpec) -> TableSpec:
    return TableSpec(
        spec.name, spec.doc, ("run_id", *(name for name in spec.key if name != "run_id")), (RUN_ID, *spec.columns)
    )


FLEET_TABLES: Mapping[str, TableSpec] = {spec.name: _of_run(spec) for spec in (*_SPECS, *TABLES.values())}
"""Every table of a fleet by name, with the column ``run_id``; DuckDB and Arrow add `TRT`."""
