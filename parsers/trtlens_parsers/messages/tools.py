"""Messages of trtexec and Polygraphy themselves, and the fallbacks for errors that name no known cause.

Line forms of trtexec 5.1 to 11.1 and of Polygraphy 0.30 to 0.53.
"""

from __future__ import annotations

from trtlens_parsers.messages.entry import Entry

TOOLS = (
    Entry(
        "unstable-gpu-compute-time",
        "warning",
        "trtexec 8.4 and later",
        "GPU times vary so much that the mean says little",
        ("GPU compute time is unstable, with coefficient of variance",),
    ),
    Entry(
        "enqueue-bound",
        "warning",
        "trtexec 8.0 and later",
        "The CPU launches kernels more slowly than the GPU runs them",
        ("Throughput may be bound by Enqueue Time",),
    ),
    Entry(
        "h2d-bound",
        "warning",
        "trtexec 8.0 and later",
        "Copying inputs to the GPU takes as long as computing",
        ("Throughput may be bound by host-to-device transfers",),
    ),
    Entry(
        "d2h-bound",
        "warning",
        "trtexec 8.0 and later",
        "Copying outputs from the GPU takes as long as computing",
        ("Throughput may be bound by device-to-host transfers",),
    ),
    Entry(
        "profile-total-inexact",
        "warning",
        "trtexec 8.6 and later",
        "Layers ran side by side, so the sum of their times is more than the whole",
        ('so the "Total" latency may not be accurate',),
    ),
    Entry(
        "profile-hides-timing",
        "info",
        "trtexec 8.2 and later",
        "Whole-network times are left out because layers were profiled in the same run",
        ("The e2e network timing is not reported", "To show e2e network timing report"),
        quiet=True,
    ),
    Entry(
        "profiling-verbosity-low",
        "info",
        "8.2 and later",
        "The engine keeps layer names only, no details",
        ("The profiling verbosity was set to ProfilingVerbosity::k",),
        quiet=True,
    ),
    Entry(
        "explicit-batch-implied",
        "info",
        "trtexec 7 to 8.6",
        "The network has an explicit batch dimension without having been asked for one",
        ("Explicit batch dim is automatically enabled",),
    ),
    Entry(
        "accuracy-mismatch",
        "error",
        "Polygraphy",
        "An output differs from the reference by more than the tolerance",
        ("FAILED | Output: '<tensor>' | ", "FAILED | Mismatched outputs: ", "Accuracy Summary | "),
    ),
    Entry(
        "build-failed",
        "error",
        "5 and later",
        "No engine came out of the build; the cause stands above",
        (
            "Engine set up failed",
            "Failed to create engine from model",
            "Engine could not be created",
            "Building engine failed",
            "Engine generation failed because",
            "Assertion engine != nullptr failed",
            "Assertion enginePtr != nullptr failed",
            "Internal error when building engine",
            "Builder failed while analyzing shapes",
        ),
    ),
    Entry(
        "advice",
        "info",
        "5 and later",
        "The second line of the warning above it",
        (
            "--useCudaGraph (utilize CUDA graphs where possible)",
            "--noCudaGraph",
            "Add --noDataTransfers flag",
            "--includeDataTransfers",
            "locking GPU clock frequency or adding --useSpinWait",
            "please modify the weights or retrain with regularization",
            "Check verbose logs for the list of affected weights",
            "This will cause the tensor to have a static shape",
        ),
    ),
)

FALLBACKS = (
    Entry(
        "api-usage-error",
        "error",
        "8 and later",
        "A TensorRT function was called with a value it cannot take",
        ("API Usage Error (", "Parameter check failed at"),
    ),
    Entry(
        "internal-assertion",
        "error",
        "8 and later",
        "TensorRT contradicted itself",
        ("Internal Error (Assertion ", "Assertion <*> failed."),
    ),
    Entry(
        "tensorrt-error",
        "error",
        "8 and later",
        "An error of TensorRT without a more precise meaning",
        ("Error Code: ", "Error Code ", "Internal Error ("),
    ),
)
