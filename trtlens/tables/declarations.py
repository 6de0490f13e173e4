"""Every table of trtlens, declared once: builders, checks, joins, docs and tests read these declarations.

Unknown is null, never 0 and never a guess. Columns never come and go. Every row that came from a log keeps its line.
"""

from __future__ import annotations

from trtlens.tables.schema import TableSpec, declare

_BUILD = "build | int | | number of the build in the log, from 1"
_RUN = "run | int | | number of the program's run in the log, from 1: trtexec's from its banner to PASSED or FAILED, of others what stands between, or one engine that they load"
_STRATEGY = "strategy | int | | backend strategy that it is of (8.6 on); null for none"
_PROFILE = "profile | int | | optimisation profile that it is of, from 0; null where the log does not say"
_LINE = "line | int | | line of the log, from 1; null where the row came from another file"

_SPECS = (
    declare(
        "builds", "one engine build (or loaded engine) found in a log", "build",
        f"""
        {_BUILD}
        {_RUN}
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
        {_BUILD}
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
        {_LINE}
        """,
    ),
    declare(
        "layer_tensors", "one input or output of an engine layer", "build layer_index direction position",
        f"""
        {_BUILD}
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
        {_LINE}
        """,
    ),
    declare(
        "layer_constants", "one tensor baked into an engine layer, where the detailed form lists it", "build layer_index position",
        f"""
        {_BUILD}
        layer_index | int | | index of the layer
        position | int | | position among the constants, from 0
        name | text | | tensor name
        dtype | text | | fp32, fp16, int8, ...
        dims | ints | | dimensions; null inside for a dynamic one
        format | text | | memory layout; null where not shown
        bytes | int | bytes | size with vector padding
        {_LINE}
        """,
    ),
    declare(
        "candidates", "one tactic that the tuner tried or skipped for a layer", "build line",
        f"""
        {_BUILD}
        {_STRATEGY}
        {_PROFILE}
        layer | label | | layer as the tuner names it
        op | label | | operation inside a Myelin subgraph
        input_formats | label | | dtype and strides of the inputs
        output_formats | label | | dtype and strides of the outputs
        runner | label | | runner (5.x: its number)
        tactic_id | uint | | tactic id; null in the row of a runner that had no valid tactic
        tactic_name | label | | kernel
        split_k | int | | split-K of a gemm tactic
        time_ms | float | ms | time that the tuner measured
        outcome | label | | timed, cached (time from a timing cache), skipped, failed
        reason | label | | why it was skipped or failed; of a timed one, that it was skipped at first
        scratch_requested_bytes | int | bytes | scratch memory that a skipped tactic asked for
        precision | label | | what the kernel computes in
        unit | label | | tensor core or cuda core
        chosen | bool | | whether the engine runs it; null where the record does not allow to tell
        {_LINE}
        """,
    ),
    declare(
        "reformat_candidates", "one tactic that the tuner tried for a reformat", "build line",
        f"""
        {_BUILD}
        {_STRATEGY}
        {_PROFILE}
        source | label | | tensor before the reformat, <in> for any; null to 8.0
        target | label | | tensor behind the reformat, <out> for any; null to 8.0
        input_formats | label | | dtype and strides before
        output_formats | label | | dtype and strides behind
        runner | label | | runner
        tactic_id | uint | | tactic id
        tactic_name | label | | kernel
        time_ms | float | ms | time that the tuner measured
        outcome | label | | timed, cached, skipped, failed
        reason | label | | why it was skipped or failed
        {_LINE}
        """,
    ),
    declare(
        "runners", "one runner tried for one layer or reformat in one format combination", "build line",
        f"""
        {_BUILD}
        {_STRATEGY}
        {_PROFILE}
        layer | label | | layer, or the reformat's two ends
        is_reformat | bool | | whether a reformat was timed
        runner | label | | runner
        input_formats | label | | dtype and strides of the inputs
        output_formats | label | | dtype and strides of the outputs
        tactics | int | | tactics that the log names
        timed | int | | tactics with a time
        best_ms | float | ms | fastest time
        profiling_s | float | s | seconds that profiling took (8.6 on)
        stamps_s | float | s | seconds by the log's time stamps (whole ones) while this runner was timed; null without stamps
        {_LINE}
        """,
    ),
    declare(
        "choices", "the runner that won one format combination of one layer or reformat", "build line",
        f"""
        {_BUILD}
        {_STRATEGY}
        {_PROFILE}
        layer | label | | layer; null for a reformat
        is_reformat | bool | | whether a reformat was timed
        input_formats | label | | dtype and strides of the inputs
        output_formats | label | | dtype and strides of the outputs
        runner | label | | runner
        tactic_id | uint | | tactic id
        {_LINE}
        """,
    ),
    declare(
        "combinations", "one format combination that the tuner considered for one layer", "build line",
        f"""
        {_BUILD}
        layer | label | | layer as the tuner names it; null where the log does not (8.2 to 8.5, all times from the cache)
        layer_index | int | | index of the first engine layer that is this layer, or a part of it; null for none
        {_STRATEGY}
        {_PROFILE}
        input_formats | label | | dtype and strides of the inputs
        output_formats | label | | dtype and strides of the outputs
        outcome | text | | timed, cached (time from a cache), skipped, failed, not shown (the cache answered without a line), or cut off (the log ends before)
        reason | text | | why no time stands here
        time_ms | float | ms | fastest time of any tactic
        tactic_id | uint | | tactic that was fastest
        tactic_name | label | | its kernel
        split_k | int | | its split-K
        runner | label | | its runner
        precision | label | | what its kernel computes in
        unit | label | | unit that its kernel runs on
        timed | int | | tactics with a time
        skipped | int | | tactics that were skipped or failed; runners without a valid one are none
        chosen | bool | | whether the engine runs this combination; null where the record does not allow to tell
        candidate_line | int | | line of the fastest tactic
        {_LINE}
        """,
    ),
    declare(
        "tuned_layers", "one engine layer as the tuner's record knows it", "build layer_index",
        f"""
        {_BUILD}
        layer_index | int | | index of the engine layer
        layer | text | | the tuner's name for it: its own, or that of the Myelin region it is part of; null for none
        op | text | | operation inside that region
        matched_by | text | | name, region or operation; null for no match
        candidate_line | int | | line of the candidate that the engine runs (a whole region's, for a part of one)
        combination_line | int | | line of the format combination that the engine runs
        twin_index | int | | first engine layer that is alike in all the log shows and has a candidate, where this one has none
        reason | text | | why no candidate of this layer is marked as chosen; null where one is
        """,
    ),
    declare(
        "strategies", "one way to build the whole engine that the builder tried", "build line",
        f"""
        {_BUILD}
        strategy | int | | TensorRT's number for it
        estimate | float | | estimated inference time as printed, without a unit
        kept | bool | | whether its engine is the final one; null where the log does not judge it
        last_line | int | | last line of its tuning
        {_LINE}
        """,
    ),
    declare(
        "regions", "one subgraph that Myelin compiles, as the tuner names it", "build line",
        f"""
        {_BUILD}
        {_STRATEGY}
        {_PROFILE}
        layer | text | | name of the region
        onnx_nodes | texts | | ONNX nodes that it holds
        {_LINE}
        """,
    ),
    declare(
        "nodes", "one ONNX node as the parser read it", "build index",
        f"""
        {_BUILD}
        index | int | | position in the model, from 0
        name | text | | node name
        op | text | | operator
        inputs | texts | | input tensors, empty text for one that is not set; null where the log lacks their line
        outputs | texts | | output tensors; null where the log lacks their line
        {_LINE}
        """,
    ),
    declare(
        "parsed_layers", "one layer that the parser put into the network for an ONNX node or an initializer", "build line",
        f"""
        {_BUILD}
        layer | text | | layer of the network before any pass
        node | text | | ONNX node, or initializer, as the parser names it
        {_LINE}
        """,
    ),
    declare(
        "fusions", "one change that the builder reported to its graph", "build line",
        f"""
        {_BUILD}
        {_STRATEGY}
        {_PROFILE}
        kind | text | | fused, merged, removed, copied, retargeted, retyped
        pass | text | | optimisation pass
        sources | texts | | layers or tensors that it took
        result | text | | what came of them; null where the line does not say
        {_LINE}
        """,
    ),
    declare(
        "passes", "one optimisation pass", "build index",
        f"""
        {_BUILD}
        index | int | | position, from 0
        {_STRATEGY}
        {_PROFILE}
        name | text | | pass
        layers_after | int | | layers that it left
        {_LINE}
        """,
    ),
    declare(
        "memory", "one engine layer's memory line; layers without memory have none", "build line",
        f"""
        {_BUILD}
        {_STRATEGY}
        {_PROFILE}
        layer | text | | layer
        host_persistent_bytes | int | bytes | host persistent memory
        device_persistent_bytes | int | bytes | device persistent memory
        scratch_bytes | int | bytes | scratch memory
        {_LINE}
        """,
    ),
    declare(
        "totals", "one size that the build states of a whole engine", "build line",
        f"""
        {_BUILD}
        {_STRATEGY}
        {_PROFILE}
        name | text | | activation, weights, scratch, host persistent, device persistent
        bytes | int | bytes | size
        superseded | bool | | whether the same report states it again below: 8.2 to 8.5 print the activation memory at first with the whole workspace limit in it
        {_LINE}
        """,
    ),
    declare(
        "messages", "a warning, an error, or a line with a known meaning", "build line",
        f"""
        {_BUILD}
        {_STRATEGY}
        {_PROFILE}
        severity | text | | internal error, error, warning, info, verbose, unknown
        code | text | | what it means, see docs/messages.md; null for a message without a known meaning
        count | int | | how many messages of the log the row stands for: more than 1 for those beyond the 50,000 that are kept
        text | text | | the message, its lines joined
        layer | text | | layer that it names
        tensor | text | | tensor that it names
        {_LINE}
        """,
    ),
    declare(
        "weight_issues", "what some weights lost when they were converted to a narrower type (8.5 on)", "build line",
        f"""
        {_BUILD}
        {_STRATEGY}
        {_PROFILE}
        issue | text | | what happened, as TensorRT says it
        affected | int | | how many weights it happened to
        weights | texts | | their names; null where the log lists none (it does at verbose level), or a comma inside of a name leaves them open
        text | text | | their list as printed
        {_LINE}
        """,
    ),
    declare(
        "dynamic_ranges", "the INT8 range or scale that a tensor was given", "build line",
        f"""
        {_BUILD}
        tensor | text | | tensor; null where the line does not name it
        low | float | | lower end
        high | float | | upper end
        scale | float | | scale
        zero_point | float | | zero point
        origin | text | | set, default (missing, so TensorRT put one), override (a scale in place of a range), calibration
        {_LINE}
        """,
    ),
    declare(
        "added_reformats", "a reformat that the builder put before or behind a layer", "build line",
        f"""
        {_BUILD}
        {_STRATEGY}
        {_PROFILE}
        tensor | text | | the new tensor, named after the layer that wanted it
        source | text | | the tensor it is made from
        input_format | text | | dtype and strides before
        output_format | text | | dtype and strides behind
        {_LINE}
        """,
    ),
    declare(
        "phases", "seconds of a part of the build, as TensorRT states them or as the time stamps show", "build source name line",
        f"""
        {_BUILD}
        {_STRATEGY}
        {_PROFILE}
        name | text | | part of the build
        seconds | float | s | duration; of a graph construction without the INT8 calibration in it, which is a part of the build above
        source | text | | stated (by a line), stamps (differences of time stamps, whole seconds)
        {_LINE}
        """,
    ),
    declare(
        "options", "one option or device property that trtexec printed", "run line",
        f"""
        {_RUN}
        section | text | | Model, Build, System, Inference, Reporting, Device Information
        key | text | | option
        value | text | | value
        {_LINE}
        """,
    ),
    declare(
        "performance", "one figure of trtexec's performance summary", "build metric statistic line",
        f"""
        {_BUILD}
        metric | text | | throughput, latency, gpu_compute_time, enqueue_time, ...
        statistic | text | | value, min, max, mean, median, p90, p95, p99
        value | float | | figure
        unit | text | | qps, ms or s
        {_LINE}
        """,
    ),
    declare(
        "layer_profile", "one row of a per-layer profile that is already averaged", "build source index",
        f"""
        {_BUILD}
        index | int | | position in the profile, from 0; names can repeat
        layer | text | | layer
        executions | int | | inferences behind the row
        total_ms | float | ms | time of all inferences
        average_ms | float | ms | mean of one inference
        median_ms | float | ms | median of one inference; null to 8.2
        percent | float | % | share of the profiled time
        source | text | | profile table (in a log) or export (trtexec --exportProfile)
        {_LINE}
        """,
    ),
    declare(
        "profile_totals", "the last row of a per-layer profile in a log: the sum as trtexec prints it", "build",
        f"""
        {_BUILD}
        executions | int | | inferences behind it
        total_ms | float | ms | time of all inferences
        average_ms | float | ms | mean of one inference
        median_ms | float | ms | median of one inference; null to 8.2
        percent | float | % | share of the profiled time
        {_LINE}
        """,
    ),
    declare(
        "layer_times", "one timed execution of one layer", "build index iteration",
        """
        build | int | | number of the build, from 1
        index | int | | position of the layer in the execution, from 0; names can repeat
        layer | text | | layer
        iteration | int | | inference, from 0
        time_ms | float | ms | time of the layer
        """,
    ),
    declare(
        "kernel_launches", "one launch of an inference that was traced: a kernel, or a copy or fill of memory without one",
        "build source launch",
        """
        build | int | | number of the build, from 1
        source | label | | how the inference was launched: stream, or graph (a CUDA graph)
        launch | int | | position in launch order, from 0
        layer_index | int | | index of the engine layer that it belongs to; null where that cannot be told
        layer | text | | name of that layer; without an engine's layers the range around the launch
        layer_from | label | | how the layer is known: range (NVTX range around the launch), stream (the same launches from a stream), kernel (the kernel that the engine states for it), order (it stands between launches of other layers)
        range | text | | NVTX range around the launch, as the trace has it
        kernel | text | | kernel as the driver names it; of a copy what is copied where
        kind | label | | kernel, copy or fill
        stream | int | | id of the CUDA stream; null where it differs from inference to inference
        grid | ints | | thread blocks: x, y, z
        block | ints | | threads of a block: x, y, z
        blocks | int | | thread blocks in all
        registers | int | | registers of a thread
        shared_bytes | int | bytes | shared memory of a block, static and dynamic
        graph_node | int | | id of the node of the CUDA graph
        inferences | int | | inferences that were traced whole
        left_out | int | | inferences that were not whole, or had other launches than most
        recorded | texts | | kinds of launches that the trace records: without copies among them, what a layer copies is not in it
        collector | label | | program that traced
        """,
    ),
    declare(
        "kernel_samples", "one execution of one launch in one traced inference", "build source launch inference",
        """
        build | int | | number of the build, from 1
        source | label | | stream or graph
        launch | int | | position in launch order, from 0
        inference | int | | inference, from 0
        start_ns | int | ns | start, from the start of the trace's first inference; null where the trace has no starts
        duration_ns | int | ns | how long it ran
        gap_ns | int | ns | from the end of everything that began before it to its start, negative where it began before that end; null for the first of an inference
        """,
    ),
    declare(
        "kernel_counters", "one hardware counter of one launch that Nsight Compute profiled", "build launch metric",
        """
        build | int | | number of the build, from 1
        launch | int | | place among the launches that were profiled (ncu's ID); ncu runs each launch alone, and may leave launches out
        kernel | text | | kernel as ncu names it
        metric | label | | metric: of tensor cores, of device memory, or the kernel's time
        value | float | | value, bytes and nanoseconds in these units
        metric_unit | label | | bytes, ns, or ncu's unit (inst, cycle, %)
        stream | int | | id of the CUDA stream
        grid | ints | | thread blocks: x, y, z
        block | ints | | threads of a block: x, y, z
        """,
    ),
    declare(
        "run_times", "one whole inference", "build pass iteration",
        """
        build | int | | number of the build, from 1
        pass | text | | timing (queued back to back), latency (one at a time), graph (queued, from a CUDA graph, where those of timing were not and the GPU waited for launches), trtexec (--exportTimes)
        iteration | int | | inference, from 0
        process | int | | process in which it was timed, from 1; null where that is not told
        gpu_ms | float | ms | GPU compute time
        host_ms | float | ms | host latency, from the start of the copy in to the end of the copy out
        enqueue_ms | float | ms | time to enqueue
        h2d_ms | float | ms | copy to the GPU
        d2h_ms | float | ms | copy from the GPU
        queue_dry | bool | | whether the GPU waited for this inference, so that its time measures the launch
        """,
    ),
    declare(
        "gpu_readings",
        "one look at the GPU beside a timing",
        "build position",
        """
        build | int | | number of the build, from 1
        position | int | | order of the readings, from 0
        moment | text | | before, between or after which pass
        sm_clock_mhz | int | MHz | clock of the multiprocessors
        memory_clock_mhz | int | MHz | clock of the memory
        power_w | float | W | power
        temperature_c | int | C | temperature
        clock_reasons | texts | | why the clocks are not higher, in NVML's names
        """,
    ),
    declare(
        "bindings", "one input or output of the engine", "build index",
        """
        build | int | | number of the build, from 1
        index | int | | position, from 0
        name | text | | tensor
        mode | text | | input or output
        dtype | text | | fp32, fp16, int8, ...
        dims | ints | | dimensions; null inside for a dynamic one
        """,
    ),
    declare(
        "dumps", "one tensor of a dump, a weight, or what an operator computes inside", "build index",
        """
        build | int | | number of the build, from 1
        index | int | | position in the execution, from 0
        tensor | text | | tensor
        role | text | | input, inner, output, weight, hidden (computed inside of an operator)
        producer | text | | ONNX node, or engine layer, that makes it
        op | text | | operator of the node
        dtype | text | | fp32, fp16, int8, ...
        dims | ints | | dimensions
        elements | int | | elements
        file | text | | file in the run's folder; null for weights, hidden values and skipped tensors
        skipped | text | | why it was not dumped
        source | text | | onnxruntime, emulated (on the CPU, no GPU's numbers) or tensorrt
        minimum | float | | smallest finite value
        maximum | float | | largest finite value
        largest | float | | largest magnitude
        smallest | float | | smallest magnitude that is not zero
        mean | float | | mean of the finite values
        rms | float | | root mean square of the finite values
        zeros | int | | values that are zero
        nan_count | int | | values that are NaN
        inf_count | int | | values that are infinite
        beyond_fp16 | int | | finite values beyond 65504
        subnormal_fp16 | int | | values from 5.96e-8 to 6.1e-5, which FP16 holds with fewer bits
        flushed_fp16 | int | | values under 5.96e-8 that are not zero
        """,
    ),
    declare(
        "tensor_errors", "one tensor compared between a reference and this run", "build index",
        """
        build | int | | number of the build, from 1
        index | int | | position in the execution, from 0
        tensor | text | | tensor
        role | text | | input, inner or output; null where neither dump says
        producer | text | | ONNX node that makes it
        op | text | | operator of the node
        inputs | texts | | nearest compared tensors that it is made of
        status | text | | compared, missing (the run has no such tensor) or refused
        reason | text | | why it was not compared
        reference_dtype | text | | type in the reference; null where its form does not state one
        dtype | text | | type in the run
        dims | ints | | dimensions in the reference
        elements | int | | elements
        compared | int | | elements that are finite in both
        reference_min | float | | smallest value of the reference
        reference_max | float | | largest value of the reference
        run_min | float | | smallest value of the run
        run_max | float | | largest value of the run
        max_abs_error | float | | largest absolute error; lower is better
        mean_abs_error | float | | mean absolute error; lower is better
        error | float | | noise over signal, what became NaN or infinite counted as lost: then 1 at least; lower is better
        input_error | float | | largest error of its inputs; 0 for none
        error_added | float | | error less the input error, 0 at least: what was not passed on; lower is better
        relative_l2 | float | | norm of the error over norm of the reference; lower is better
        euclidean_similarity | float | | 1 - norm of the error over the sum of both norms; higher is better
        cosine_similarity | float | | cosine of the angle between both; higher is better
        relative_difference | float | | sum of absolute errors over sum of absolute reference; lower is better
        sqnr_db | float | dB | signal over noise, null without noise; higher is better
        psnr_db | float | dB | largest magnitude over root mean square error, null without noise; higher is better
        deviation_threshold | float | | deviation that counts, as a share of the reference
        deviating | int | | elements that deviate by more
        deviation_ratio | float | | share of elements that deviate by more; lower is better
        ulp_type | text | | type in whose last place the distance is counted
        ulp_median | float | ulp | median distance; lower is better
        ulp_p99 | float | ulp | 99th percentile of the distance; lower is better
        reference_nan | int | | NaN in the reference
        reference_inf | int | | infinities in the reference
        new_nan | int | | NaN where the reference has none
        new_inf | int | | infinities where the reference is finite
        beyond_fp16_share | float | | share of the reference beyond 65504
        subnormal_share | float | | share of the reference from 5.96e-8 to 6.1e-5
        flushed_share | float | | share of the reference under 5.96e-8 and not zero
        run_zeros | int | | zeros of the run
        new_zeros | int | | zeros of the run that are not zero in the reference
        new_zero_share | float | | share of the run's zeros that are not zero in the reference; lower is better
        saturated_share | float | | share of the run at an end of its range that the reference exceeds by 1 %; lower is better
        verdict | text | | ok, suspect or wrong; null where nothing was compared
        first_wrong | bool | | whether it is the first one that is not ok
        cause | text | | what made the error, for what is not ok
        advice | text | | what to do about it
        keep_fp32 | texts | | ONNX nodes to keep in FP32
        reference | text | | the reference, in words
        """,
    ),
    declare(
        "reading", "how the lines of the files were read", "file kind",
        """
        file | text | | name of the file
        kind | text | | tensorrt, ignored (known, holds nothing for a table), foreign (another program's), unread, unfinished (a last line without its end: nothing is read of it), doubled (second copies in a log that says everything twice), blank
        lines | int | | lines of this kind
        examples | texts | | first lines of this kind, with their numbers (unread, foreign and unfinished)
        """,
    ),
)  # fmt: skip

TABLES: dict[str, TableSpec] = {spec.name: spec for spec in _SPECS}
"""Every declared table by name."""
