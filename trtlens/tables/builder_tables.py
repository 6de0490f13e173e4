"""What the parser and the builder say on the way to an engine."""

from __future__ import annotations

from trtlens.tables.schema import BUILD, LINE, PROFILE, RUN, STRATEGY, declare

BUILDER = (
    declare(
        "nodes", "one ONNX node as the parser read it", "build index",
        f"""
        {BUILD}
        index | int | | position in the model, from 0
        name | text | | node name
        op | text | | operator
        inputs | texts | | input tensors, empty text for one that is not set; null where the log lacks their line
        outputs | texts | | output tensors; null where the log lacks their line
        input_shapes | texts | | shape and type of each input as TensorRT prints them, (8, 3, 224, 224)[FLOAT], -1 for a dynamic extent; empty text for one that is not set; null where the log lacks their line
        output_shapes | texts | | shape and type of each output, likewise
        {LINE}
        """,
    ),
    declare(
        "parsed_layers", "one layer that the parser put into the network for an ONNX node or an initializer", "build line",
        f"""
        {BUILD}
        layer | text | | layer of the network before any pass
        node | text | | ONNX node, or initializer, as the parser names it
        {LINE}
        """,
    ),
    declare(
        "fusions", "one change that the builder reported to its graph", "build line",
        f"""
        {BUILD}
        {STRATEGY}
        {PROFILE}
        kind | text | | fused, merged, removed, copied, retargeted, retyped
        pass | text | | optimisation pass
        sources | texts | | layers or tensors that it took
        result | text | | what came of them; null where the line does not say
        {LINE}
        """,
    ),
    declare(
        "passes", "one optimisation pass", "build index",
        f"""
        {BUILD}
        index | int | | position, from 0
        {STRATEGY}
        {PROFILE}
        name | text | | pass
        layers_after | int | | layers that it left
        {LINE}
        """,
    ),
    declare(
        "memory", "one engine layer's memory line; layers without memory have none", "build line",
        f"""
        {BUILD}
        {STRATEGY}
        {PROFILE}
        layer | text | | layer
        host_persistent_bytes | int | bytes | host persistent memory
        device_persistent_bytes | int | bytes | device persistent memory
        scratch_bytes | int | bytes | scratch memory
        {LINE}
        """,
    ),
    declare(
        "memory_use", "memory at one step of the process, as TensorRT states it in whole MiB", "build line",
        f"""
        {BUILD}
        event | text | | what was done
        counts | text | | in use (the process's on the host, the device's on the GPU) or allocators (what TensorRT's own hold)
        cpu_change_bytes | int | bytes | host memory that the step took; negative for freed, null where the line states none
        gpu_change_bytes | int | bytes | GPU memory that it took, likewise
        cpu_bytes | int | bytes | host memory after it
        gpu_bytes | int | bytes | GPU memory after it; null where the line states none
        {LINE}
        """,
    ),
    declare(
        "totals", "one size that the build states of a whole engine", "build line",
        f"""
        {BUILD}
        {STRATEGY}
        {PROFILE}
        name | text | | activation, weights, scratch, host persistent, device persistent
        bytes | int | bytes | size
        superseded | bool | | whether the same report states it again below: 8.2 to 8.5 print the activation memory at first with the whole workspace limit in it
        {LINE}
        """,
    ),
    declare(
        "messages", "a warning, an error, or a line with a known meaning", "build line",
        f"""
        {BUILD}
        {STRATEGY}
        {PROFILE}
        severity | text | | internal error, error, warning, info, verbose, unknown
        code | text | | what it means, see docs/messages.md; null for a message without a known meaning
        count | int | | how many messages of the log the row stands for: more than 1 for those beyond the 50,000 that are kept
        text | text | | the message, its lines joined
        layer | text | | layer that it names
        tensor | text | | tensor that it names
        {LINE}
        """,
    ),
    declare(
        "weight_issues", "what some weights lost when they were converted to a narrower type (8.5 on)", "build line",
        f"""
        {BUILD}
        {STRATEGY}
        {PROFILE}
        issue | text | | what happened, as TensorRT says it
        affected | int | | how many weights it happened to
        weights | texts | | their names; null where the log lists none (it does at verbose level), or a comma inside of a name leaves them open
        text | text | | their list as printed
        {LINE}
        """,
    ),
    declare(
        "dynamic_ranges", "the INT8 range or scale that a tensor was given", "build line",
        f"""
        {BUILD}
        tensor | text | | tensor; null where the line does not name it
        low | float | | lower end
        high | float | | upper end
        scale | float | | scale
        zero_point | float | | zero point
        origin | text | | set, default (missing, so TensorRT put one), override (a scale in place of a range), calibration
        {LINE}
        """,
    ),
    declare(
        "added_reformats", "a reformat that the builder put before or behind a layer", "build line",
        f"""
        {BUILD}
        {STRATEGY}
        {PROFILE}
        tensor | text | | the new tensor, named after the layer that wanted it
        source | text | | the tensor it is made from
        input_format | text | | dtype and strides before
        output_format | text | | dtype and strides behind
        {LINE}
        """,
    ),
    declare(
        "placements", "the device of one layer, where the builder lists it: on the DLA a layer is a whole subgraph", "build line",
        f"""
        {BUILD}
        layer | text | | layer before tuning
        type | text | | TensorRT's type of the layer; null where the line has none (before 8.4, and on the DLA)
        device | text | | DLA or GPU
        {LINE}
        """,
    ),
    declare(
        "phases", "seconds of a part of the build, as TensorRT states them or as the time stamps show", "build source name line",
        f"""
        {BUILD}
        {STRATEGY}
        {PROFILE}
        name | text | | part of the build
        seconds | float | s | duration; of a graph construction without the INT8 calibration in it, which is a part of the build above
        source | text | | stated (by a line), stamps (differences of time stamps, whole seconds)
        {LINE}
        """,
    ),
    declare(
        "options", "one option or device property that trtexec printed", "run line",
        f"""
        {RUN}
        section | text | | Model, Build, System, Inference, Reporting, Device Information
        key | text | | option
        value | text | | value
        {LINE}
        """,
    ),
)  # fmt: skip
