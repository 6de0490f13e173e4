"""Rows that commands print and that are no view or table of a run: each kind declared once, with units and meanings."""

from __future__ import annotations

from trtlens.tables.schema import declare

KERNEL = declare(
    "kernel", "one kernel name, decoded; null where the name does not say", "name",
    """
    name | text | | the name as it was given
    family | text | | who wrote or generated the kernel, or the kind of one of TensorRT's own
    precision | text | | type that it computes in
    unit | text | | tensor core or cuda core; null where the name does not settle it
    unit_reason | text | | why the unit is null
    evidence | text | | part of the name that settled the unit
    rule | text | | rule that settled the unit, or left it open; docs/kernels.md lists them
    sm | int | | architecture that it was written for, as 80; not the GPU that it runs on
    operation | text | | fprop, dgrad, gemm, mha, pooling, reformat, ...
    input_type | text | | type of the activations as they are read
    math_type | text | | type that the multiplications take
    accumulator_type | text | | type of the sums
    output_type | text | | type of the result as it is written
    tile | text | | what one thread block computes, MxNxK or MxN
    stages | int | | depth of the software pipeline
    warps | text | | how the warps share the tile
    cluster | text | | thread blocks in a cluster
    warpgroups | text | | how warp groups share the tile
    mma_shape | text | | shape of one matrix instruction
    layouts | text | | layouts of input, weights and output, or of a matrix product's operands
    split_k | bool | | whether the name says that several blocks share one sum
    epilogue | texts | | what is done to the sums before they are written
    sparse | bool | | whether the name says that it uses structured sparsity
    operations | texts | | operations that a generated kernel fuses, as its generator abbreviates them
    """,
)  # fmt: skip
VIEW_LIST = declare(
    "views", "one view", "view",
    """
    view | text | | name of the view
    question | text | | what it answers
    """,
)  # fmt: skip
QUESTION_LIST = declare(
    "fleet questions", "one question that a fleet answers", "question",
    """
    question | text | | name of the question
    asks | text | | its words
    """,
)  # fmt: skip
QUANTITIES = declare(
    "compare --list-quantities", "one quantity that --fail-on holds", "quantity",
    """
    quantity | text | | name of the quantity
    unit | text | | its unit
    meaning | text | | what is measured
    """,
)  # fmt: skip
DOCTOR = declare(
    "doctor", "one thing that was looked at", "section item",
    """
    section | text | | system, gpu, tensorrt, packages or abilities
    item | text | | what was looked at
    value | text | | what was found; null for nothing
    state | text | | ok, warning, missing or unknown
    advice | text | | what to do about it
    """,
)  # fmt: skip
DUMP_LIST = declare(
    "dump --list", "one output of one node of a model", "tensor",
    """
    index | int | | node in the graph, from 0
    node | text | | name of the node
    op | text | | its operator
    tensor | text | | the output
    dtype | text | | its type as onnx infers it; null where it cannot
    dims | text | | its extents, with x between them; null likewise
    """,
)  # fmt: skip
CACHE_ENTRIES = declare(
    "cache show", "one entry of a timing cache", "key",
    """
    key | text | | TensorRT's key of a layer with its types, formats and shapes
    tactic_hash | text | | hash of the tactic that won, in hexadecimal
    time_ms | float | ms | its time
    """,
)  # fmt: skip
CACHE_DIFFERENCES = declare(
    "cache diff", "one entry that differs between two timing caches", "key",
    """
    difference | text | | only in the first, only in the second, another tactic, another time
    key | text | | TensorRT's key of a layer with its types, formats and shapes
    tactic_hash | text | | hash of the tactic in the first cache; null where it has none
    other_tactic_hash | text | | the same in the second
    time_ms | float | ms | time in the first cache; null where it has none
    other_time_ms | float | ms | the same in the second
    """,
)  # fmt: skip
CACHE_CHECK = declare(
    "cache verify", "the timing cache that was checked", "file",
    """
    file | text | | the file
    bytes | int | bytes | its size
    sha256 | text | | its digest
    state | text | | ok, changed (another digest than --sha256), refused (by TensorRT), not opened (no TensorRT here took it)
    detail | text | | the same in a sentence
    """,
)  # fmt: skip
PINNED = declare(
    "cache pinned", "one build", "build",
    """
    build | int | | number of the build in the log, from 1
    pinned | bool | | whether every time came from a timing cache's file; null where the log does not tell
    layers | int | | layers whose times the log shows
    tuned_layers | int | | those of them that were tuned in this build
    tuned_reformats | int | | tactics of reformats that were timed
    detail | text | | the answer in a sentence, with its reason
    """,
)  # fmt: skip
FLEET_CHECK = declare(
    "fleet check", "one row of a question's answer that meets a condition; the question's columns follow", "",
    """
    condition | text | | the condition, as --fail-on gave it
    """,
)  # fmt: skip
QUERY = declare("fleet sql", "one row of a query, whose columns the query names", "", "")
