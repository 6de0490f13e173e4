"""What an engine is: its builds, layers and their tensors."""

from __future__ import annotations

from trtlens.tables.schema import BUILD, LINE, RUN, declare

ENGINE = (
    declare(
        "builds", "one engine build (or loaded engine) found in a log", "build",
        f"""
        {BUILD}
        {RUN}
        tensorrt_version | text | | version as the log states it: in a banner or a line of its own, else in the name of a library of TensorRT
        version_line | int | | line that states the version
        wrapper | text | | program whose prefix stands before the lines: trtexec, python, polygraphy, ...
        command | text | | trtexec's command line
        state | text | | how trtexec ended: RUNNING (cut off), PASSED, FAILED, WAIVED
        state_line | int | | line that says so: trtexec's last banner, for RUNNING its first
        first_line | int | | first line of this build's part of the log
        last_line | int | | last line of this build's part of the log
        last_text | text | | the last line of it that is not blank, without its prefix, at most 500 characters
        last_phase | text | | part of the build that this line stands in
        mixed_line | int | | a line that shows that another build's lines stand among this one's, so that its tables hold nothing but messages; null where none does
        is_build | bool | | whether an engine was built here, or was to be, not only loaded
        is_calibration | bool | | whether this is the network that TensorRT calibrates INT8 with, not the engine
        finished | bool | | whether the builder finished an engine: a line says so, or the engine was loaded or run afterwards; null where none was built, and where another build's lines stand among its own
        complete | bool | | whether an engine was finished and the list of its layers, where the log is verbose, is whole: it has an end, and no fewer rows than the builder counted layers; null where none was built
        loaded_line | int | | first line that says that an engine was loaded; null where none does
        started_s | float | s | first time stamp, seconds since 1970 in the log's own clock
        finished_s | float | s | last time stamp, seconds since 1970 in the log's own clock
        tactic_selection_s | float | s | seconds that TensorRT states for formats and tactics selection of the strategy that was kept, all profiles together; null where the log does not tell which it was
        engine_generation_s | float | s | seconds that TensorRT states for engine generation, of the strategy that was kept
        engine_built_s | float | s | seconds that trtexec states for the whole build
        unread_rows | int | | rows of the layer information, in the log and in the inspector's file, that were not understood; null where there is none
        layer_count | int | | engine layers: rows of the layer information, those not understood too; where it is missing or cut what the last pass left; null where that counts otherwise
        layers_note | text | | why the layer information is not whole; null where it is, or where there is none
        activation_bytes | int | bytes | total activation memory of the strategy that was kept, the largest of its profiles; to 8.1 with the workspace in it; null where the log does not tell which it was
        weights_bytes | int | bytes | total weights memory, likewise
        scratch_bytes | int | bytes | scratch memory, likewise
        host_persistent_bytes | int | bytes | total host persistent memory, likewise
        device_persistent_bytes | int | bytes | total device persistent memory, likewise
        gpu | text | | GPU as trtexec names it
        precision_flags | text | | precisions that the build was allowed, as trtexec prints them
        """,
    ),
    declare(
        "layers", "one engine layer", "build index",
        f"""
        {BUILD}
        index | int | | position in the engine, from 0
        name | text | | name as TensorRT prints it
        type | text | | layer or runner type as TensorRT prints it
        tactic_id | uint | | tactic id, unsigned whatever the spelling
        tactic_name | text | | kernel: stated by the layer, else found among the candidates by tactic id or layer name
        precision | text | | what the layer computes in: fp32, tf32, fp16, bf16, fp8, fp4, int8, int4, int32, int64, bool
        precision_from | text | | kernel, tensors (no kernel name, floating tensors agree); null when unknown
        unit | text | | tensor core or cuda core; null with a reason
        unit_evidence | text | | part of the kernel's name that decided the unit
        unit_reason | text | | why the unit is unknown
        is_reformat | bool | | whether the layer only changes type or layout, or copies
        reformat_kind | text | | dtype, layout, both or copy; null where the log does not show the layout
        origin | text | | Origin of the inspector: QDQ, CONCAT, REFORMAT, CAST, ...
        onnx_nodes | texts | | ONNX nodes that the layer holds, from its Metadata, of a Myelin region else from the builder's line about it; null where neither is there
        stream | int | | stream id
        parameters | text | | further fields of the detailed form, as a JSON object of raw values
        {LINE}
        """,
    ),
    declare(
        "layer_tensors", "one input or output of an engine layer", "build layer_index direction position",
        f"""
        {BUILD}
        layer_index | int | | index of the layer
        direction | text | | input or output
        position | int | | position among the inputs or outputs, from 0
        name | text | | tensor name
        dtype | text | | fp32, fp16, int8, ...
        dims | ints | | dimensions; null inside for a dynamic one
        strides | ints | | strides in elements, outermost first; null where not shown
        vector_width | int | elements | elements packed along the vectorised dimension; 1 for none, null where not shown
        format | text | | memory layout: linear, hwc8, chw32, ...; null where not shown
        bytes | int | bytes | size with vector padding; null for dynamic dimensions
        location | text | | Device or Host
        {LINE}
        """,
    ),
    declare(
        "layer_constants", "one tensor baked into an engine layer, where the detailed form lists it", "build layer_index position",
        f"""
        {BUILD}
        layer_index | int | | index of the layer
        position | int | | position among the constants, from 0
        name | text | | tensor name
        dtype | text | | fp32, fp16, int8, ...
        dims | ints | | dimensions; null inside for a dynamic one
        format | text | | memory layout; null where not shown
        bytes | int | bytes | size with vector padding
        {LINE}
        """,
    ),
)  # fmt: skip
