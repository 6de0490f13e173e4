"""Messages about choosing kernels and the memory it takes: tactics, workspace, out of memory, the timing cache.

Line forms of TensorRT 5.0 to 11 and of TensorRT-RTX.
"""

from __future__ import annotations

from trtlens_parsers.meanings.entry import Entry

TACTICS = (
    Entry("no-implementation", "error", "5 and later", "The builder found no kernel at all for a layer", (
        "ould not find any implementation for node <layer>, try increasing the workspace",
        "ould not find any implementation for node <layer> due to insufficient workspace",
        "ould not find any implementation for node <layer>. In computeCosts",
        "ould not find any implementation for node <layer>.)$",
        "ould not find any implementation for node <layer>.$",
        "ould not find any implementation for node <*>",
    )),
    Entry("tactic-exception", "warning", "8.6 and later", "A tactic threw an exception while it was tried, and is left out", (
        "Skipping tactic <*> due to exception",
    )),
    Entry("tactic-oom", "warning", "7 and later", "A tactic was left out because the GPU had too little free memory to try it", (
        "Tactic Device request: <*> Available: ",
        "Skipping tactic <*> due to oom error",
        "Skipping tactic <*> due to insufficient memory",
        "Skipping tactic <*> due to insuficient memory",
        "Out of memory error while finding fastest tactic for <layer>.$",
        "Out of memory error while finding fastest tactic for <layer>",
        "Memory requirements of format conversion cannot be satisfied",
        "Try decreasing the workspace size",
    )),
    Entry("tactic-index-overflow", "warning", "8.4 and later",
          "A tactic was left out because the tensor is too large for its index arithmetic", (
        "Skipping tactic due to integer overflow",
        "Integer overflow while computing strides",
    )),
    Entry("tactic-gpu-error", "error", "5 and later", "The GPU reported an error while a tactic was timed", (
        "GPU error during getBestTactic",
        "Caught cuda error during timing",
    )),
    Entry("workspace-too-small", "warning", "5 and later", "Tactics were left out because they need more workspace than is allowed", (
        "Some tactics do not have sufficient workspace memory",
        "ry increasing the workspace size",
        "Compiling this graph requires workspace memory greater than 0",
    ), quiet=True),
    Entry("memory-dump", "info", "8.4 and later",
          "A list of TensorRT's own allocations, printed when memory ran out or was not given back", (
        " memory allocations dump as below ",
        "] <*> in <*>: at <*> idx: <*> time: ",
        "]:<*> in <*>: at <*> idx: <*> time: ",
    )),
    Entry("out-of-memory", "error", "5 and later", "An allocation failed", (
        "Requested amount of GPU memory (",
        "Requested amount of memory (",
        "OutOfMemory",
        "out of memory",
        "Out of memory",
        "CUBLAS_STATUS_ALLOC_FAILED",
        "CUDNN_STATUS_ALLOC_FAILED",
    )),
    Entry("io-formats-need-reformat", "warning", "6 and later",
          "The formats that were asked for the network's inputs and outputs force reformats", (
        " reformatting nodes are needed",
    ), quiet=True),
    Entry("direct-io-impossible", "error", "8.2 and later", "Direct I/O was asked for, and a reformat would be needed", (
        "kDIRECT_IO specified but no conformant implementation",
    )),
    Entry("tactic-heuristic-ignored", "warning", "8.5 to 10", "The tactic heuristic was asked for on a GPU that does not have it", (
        "kENABLE_TACTIC_HEURISTIC has been ignored",
    ), quiet=True),
    Entry("tactic-source", "info", "8.0 and later", "A library that kernels may come from is used or left out", (
        "Using cublas as ",
        "Using cublas a ",
        "Using cublasLt as ",
        "Using cublasLt a ",
        "Using cuDNN as ",
        "Using cuDNN a ",
        "Disabling unused tactic source: ",
        "Disabling external tactic sources",
    ), quiet=True),
    Entry("myelin-dynamic-values", "warning", "8.4 and later",
          "A compiled region depends on several dynamic sizes and may be slow if they differ", (
        "Myelin graph with multiple dynamic values",
        "Myelin graph multiple dynamic values are",
        "^(# <*> (SHAPE <tensor>))$",
    ), quiet=True),
    Entry("loop-not-timed", "info", "8 and later", "A loop cannot be run alone, so its time is estimated", (
        "^<layer>: Loop has insufficient context to run reliably in auto-tuner",
    )),
    Entry("backend-strategy-failed", "warning", "8.6 to 10", "One of several ways to build the engine failed, and the next is tried", (
        "Engine generation failed with backend strategy",
    )),
    Entry("timing-cache-not-stored", "info", "8.0 and later", "The timings of this build are not kept", (
        "Local timing cache in use.",
    ), quiet=True),
    Entry("timing-cache-global", "info", "8.0 and later", "Timings are taken from and added to a timing cache", (
        "Global timing cache in use.",
    ), quiet=True),
    Entry("timing-cache-disabled", "info", "7 and later", "Every layer is timed anew, even where two are alike", (
        "Timing cache disabled.",
        "Disabling tactic timing cache because algorithm selector",
        "It is suggested to disable layer timing cache while using AlgorithmSelector",
    ), quiet=True),
    Entry("timing-cache-loaded", "info", "trtexec and Polygraphy, 8.0 and later", "A timing cache was read from a file", (
        "Loaded <*> bytes of timing cache from ",
        "Loading tactic timing cache from ",
    ), quiet=True),
    Entry("timing-cache-saved", "info", "trtexec and Polygraphy, 8.0 and later", "The timing cache was written to a file", (
        "Saved <*> bytes of timing cache to ",
        "Saving tactic timing cache to ",
    ), quiet=True),
    Entry("timing-cache-unreadable", "warning", "trtexec, 8.0 and later",
          "The timing cache file could not be read; the build starts without one", (
        "Could not read cache from",
        "Could not read timing cache from",
        "Failed to deserialize timing cache",
    )),
    Entry("timing-cache-mismatch", "warning", "8.0 and later",
          "The timing cache comes from another GPU or TensorRT version and is not used", (
        "Timing cache header mismatch",
        "incoming ITimingCache is built from a different TensorRT version",
        "The UUID in incoming ITimingCache is different",
        "The timing cache will not be used!",
        "The incoming cache will not be used!",
    ), quiet=True),
    Entry("timing-cache-entry-invalid", "info", "8.4 and later", "A cached timing does not fit its layer any more, which is timed anew", (
        "Cache result detected as invalid for node: <layer>, LayerImpl: ",
        "Cache result detected as invalid for node: <layer>",
    ), quiet=True),
    Entry("timing-cache-miss", "error", "10.3 and later", "A layer is not in the timing cache, and the build was told to fail then", (
        "kERROR_ON_TIMING_CACHE_MISS",
    )),
)  # fmt: skip
