"""What was measured of an engine, and compared: times, kernels, counters, tensors; and how the files were read."""

from __future__ import annotations

from trtlens.tables.schema import BUILD, LINE, declare

MEASURED = (
    declare(
        "performance", "one figure of trtexec's performance summary", "build metric statistic line",
        f"""
        {BUILD}
        metric | text | | throughput, latency, gpu_compute_time, enqueue_time, ...
        statistic | text | | value, min, max, mean, median, p90, p95, p99
        value | float | | figure
        unit | text | | qps, ms or s
        {LINE}
        """,
    ),
    declare(
        "layer_profile", "one row of a per-layer profile that is already averaged", "build source index",
        f"""
        {BUILD}
        index | int | | position in the profile, from 0; names can repeat
        layer | text | | layer
        executions | int | | inferences behind the row
        total_ms | float | ms | time of all inferences
        average_ms | float | ms | mean of one inference
        median_ms | float | ms | median of one inference; null to 8.2
        percent | float | % | share of the profiled time
        source | text | | profile table (in a log) or export (trtexec --exportProfile)
        {LINE}
        """,
    ),
    declare(
        "profile_totals", "the last row of a per-layer profile in a log: the sum as trtexec prints it", "build",
        f"""
        {BUILD}
        executions | int | | inferences behind it
        total_ms | float | ms | time of all inferences
        average_ms | float | ms | mean of one inference
        median_ms | float | ms | median of one inference; null to 8.2
        percent | float | % | share of the profiled time
        {LINE}
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
