"""What the tuner tried and chose."""

from __future__ import annotations

from trtlens.tables.schema import BUILD, LINE, PROFILE, STRATEGY, declare

TUNING = (
    declare(
        "candidates", "one tactic that the tuner tried or skipped for a layer", "build line",
        f"""
        {BUILD}
        {STRATEGY}
        {PROFILE}
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
        {LINE}
        """,
    ),
    declare(
        "reformat_candidates", "one tactic that the tuner tried for a reformat", "build line",
        f"""
        {BUILD}
        {STRATEGY}
        {PROFILE}
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
        {LINE}
        """,
    ),
    declare(
        "runners", "one runner tried for one layer or reformat in one format combination", "build line",
        f"""
        {BUILD}
        {STRATEGY}
        {PROFILE}
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
        {LINE}
        """,
    ),
    declare(
        "choices", "the runner that won one format combination of one layer or reformat", "build line",
        f"""
        {BUILD}
        {STRATEGY}
        {PROFILE}
        layer | label | | layer; null for a reformat
        is_reformat | bool | | whether a reformat was timed
        input_formats | label | | dtype and strides of the inputs
        output_formats | label | | dtype and strides of the outputs
        runner | label | | runner
        tactic_id | uint | | tactic id
        {LINE}
        """,
    ),
    declare(
        "combinations", "one format combination that the tuner considered for one layer", "build line",
        f"""
        {BUILD}
        layer | label | | layer as the tuner names it; null where the log does not (8.2 to 8.5, all times from the cache)
        layer_index | int | | index of the first engine layer that is this layer, or a part of it; null for none
        {STRATEGY}
        {PROFILE}
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
        {LINE}
        """,
    ),
    declare(
        "tuned_layers", "one engine layer as the tuner's record knows it", "build layer_index",
        f"""
        {BUILD}
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
        {BUILD}
        strategy | int | | TensorRT's number for it
        estimate | float | | estimated inference time as printed, without a unit
        kept | bool | | whether its engine is the final one; null where the log does not judge it
        last_line | int | | last line of its tuning
        {LINE}
        """,
    ),
    declare(
        "regions", "one subgraph that Myelin compiles, as the tuner names it", "build line",
        f"""
        {BUILD}
        {STRATEGY}
        {PROFILE}
        layer | text | | name of the region
        onnx_nodes | texts | | ONNX nodes that it holds
        {LINE}
        """,
    ),
)  # fmt: skip
