"""Messages about what TensorRT runs in: trtexec, Polygraphy, driver, CUDA, libraries, devices, flags; errors without a cause.

Line forms of TensorRT 5.0 to 11, trtexec 5.1 to 11.1 and Polygraphy 0.30 to 0.53.
"""

from __future__ import annotations

from trtlens_parsers.meanings.entry import Entry

ENVIRONMENT = (
    Entry("unstable-gpu-compute-time", "warning", "trtexec 8.4 and later", "GPU times vary so much that the mean says little", (
        "GPU compute time is unstable, with coefficient of variance",
    )),
    Entry("enqueue-bound", "warning", "trtexec 8.0 and later", "The CPU launches kernels more slowly than the GPU runs them", (
        "Throughput may be bound by Enqueue Time",
    )),
    Entry("h2d-bound", "warning", "trtexec 8.0 and later", "Copying inputs to the GPU takes as long as computing", (
        "Throughput may be bound by host-to-device transfers",
    )),
    Entry("d2h-bound", "warning", "trtexec 8.0 and later", "Copying outputs from the GPU takes as long as computing", (
        "Throughput may be bound by device-to-host transfers",
    )),
    Entry("profile-total-inexact", "warning", "trtexec 8.6 and later",
          "Layers ran side by side, so the sum of their times is more than the whole", (
        'so the "Total" latency may not be accurate',
    )),
    Entry("profile-hides-timing", "info", "trtexec 8.2 and later",
          "Whole-network times are left out because layers were profiled in the same run", (
        "The e2e network timing is not reported",
        "To show e2e network timing report",
    ), quiet=True),
    Entry("profiling-verbosity-low", "info", "8.2 and later", "The engine keeps layer names only, no details", (
        "The profiling verbosity was set to ProfilingVerbosity::k",
    ), quiet=True),
    Entry("explicit-batch-implied", "info", "trtexec 7 to 8.6",
          "The network has an explicit batch dimension without having been asked for one", (
        "Explicit batch dim is automatically enabled",
    )),
    Entry("accuracy-mismatch", "error", "Polygraphy", "An output differs from the reference by more than the tolerance", (
        "FAILED | Output: '<tensor>' | ",
        "FAILED | Mismatched outputs: ",
        "Accuracy Summary | ",
    )),
    Entry("build-failed", "error", "5 and later", "No engine came out of the build; the cause stands above", (
        "Engine set up failed",
        "Failed to create engine from model",
        "Engine could not be created",
        "Building engine failed",
        "Engine generation failed because",
        "Assertion engine != nullptr failed",
        "Assertion enginePtr != nullptr failed",
        "Internal error when building engine",
        "Builder failed while analyzing shapes",
    )),
    Entry("advice", "info", "5 and later", "The second line of the warning above it", (
        "--useCudaGraph (utilize CUDA graphs where possible)",
        "--noCudaGraph",
        "Add --noDataTransfers flag",
        "--includeDataTransfers",
        "locking GPU clock frequency or adding --useSpinWait",
        "please modify the weights or retrain with regularization",
        "Check verbose logs for the list of affected weights",
        "This will cause the tensor to have a static shape",
    )),
    Entry("cudnn-version-mismatch", "warning", "7 to 10", "cuDNN is older than the one TensorRT was linked against", (
        "TensorRT was linked against cuDNN",
    )),
    Entry("cublas-version-mismatch", "warning", "7 to 10", "cuBLAS is older than the one TensorRT was linked against", (
        "TensorRT was linked against cuBLAS",
    )),
    Entry("lazy-loading-disabled", "warning", "8.5 and later", "CUDA loads every kernel at once", (
        "CUDA lazy loading is not enabled",
    )),
    Entry("lazy-loading-enabled", "info", "8.5 and later", "CUDA loads kernels when they are first needed", (
        "CUDA lazy loading is enabled",
    ), quiet=True),
    Entry("cuda-init-failed", "error", "5 and later", "CUDA cannot be used at all", (
        "CUDA initialization failure with error",
        "CUDA driver version is insufficient",
        "Cannot load CUDA driver library",
        "Failed to query CUDA driver version",
        "no CUDA-capable device is detected",
    )),
    Entry("gpu-not-supported", "error", "5 and later", "This TensorRT has no kernels for this GPU", (
        "no kernel image is available",
        "is not supported by this TensorRT release",
        "is not supported by current TensorRT",
        "TensorRT-RTX does not support this compute capability",
    )),
    Entry("driver-too-old", "warning", "8.6", "A fusion is left out because the driver or NVRTC is too old", (
        "fusion is disable due to incompatible driver",
    )),
    Entry("cuda-context-changed", "error", "8.6 and later",
          "The builder is used in another CUDA context, or on another GPU, than it was made in", (
        "The CUDA context changed between",
        "Builder was created on device different",
    )),
    Entry("library-not-loaded", "error", "8 and later", "A shared library of TensorRT was not found", (
        "Unable to load library: ",
        "Could not determine path for lean runtime",
        "The NVRTC library may be corrupt",
    )),
    Entry("embedded-device-unknown", "warning", "8.6 and later", "TensorRT does not know this board and assumes a limit for its memory", (
        "Unknown embedded device detected",
    )),
    Entry("logger-differs", "info", "8 and later", "A second logger was given and is not used", (
        "The logger passed into ",
    ), quiet=True),
    Entry("dla-fallback", "warning", "5 and later", "A layer cannot run on the DLA and runs on the GPU", (
        "Default DLA is enabled but layer <layer> is not supported on DLA, falling back to GPU",
        "Layer '<layer>' (<*>): Unsupported on DLA. Switching",
        "Validation failed for DLA layer: <layer>. Switching to GPU",
        "DLA only supports FP16 and Int8 precision type. Switching <layer> device type to GPU",
    )),
    Entry("dla-unsupported", "warning", "7 and later", "Why a layer cannot run on the DLA", (
        "DLA Layer <layer> does not support dynamic shapes",
        "^<layer>: DLA cores do not support",
        "dimensions for <layer>. At least one shuffle layer will be inserted which cannot run on DLA",
        "DLA does not support dynamic shape tensor: <tensor>",
    )),
    Entry("dla-unused", "warning", "5 and later", "The DLA was asked for and nothing runs on it", (
        "no layer in the network can run on DLA",
        "on TensorRT build with DLA disabled",
    )),
    Entry("deprecated-flag", "warning", "trtexec and Polygraphy", "A command-line flag has another name now, or no effect", (
        "flag has been deprecated",
        "--profilingVerbosity=verbose has been deprecated",
        " is deprecated and will be removed in Polygraphy",
        "This flag is deprecated and has no effect",
    )),
    Entry("deprecated-api", "warning", "7 and later", "A function, a layer or an operator is on its way out", (
        " has been deprecated",
        " is deprecated",
        " was deprecated",
    )),
    Entry("myelin-error", "error", "7 and later", "TensorRT's compiler for fused regions failed", (
        "Error Code 1: Myelin",
        "Myelin Error in",
        "Myelin internal error",
        "MyelinCheckException",
    )),
    Entry("cuda-error", "error", "5 and later", "A CUDA call failed, or a kernel did", (
        "Error Code 1: Cuda",
        "Cuda Runtime (",
        "Cuda Error in",
        "Cuda failure",
        "an illegal memory access",
        "Error Code 1: Cudnn",
        "Cudnn Error in",
        "Error Code 1: Cublas",
        "Cublas Error in",
        "Error Code 1: Cask",
        "Cask Error in",
        "Unable to determine GPU memory usage",
        "CUDA error",
    )),
    Entry("api-usage-error", "error", "8 and later", "A TensorRT function was called with a value it cannot take", (
        "API Usage Error (",
        "Parameter check failed at",
    )),
    Entry("internal-assertion", "error", "8 and later", "TensorRT contradicted itself", (
        "Internal Error (Assertion ",
        "Assertion <*> failed.",
    )),
    Entry("tensorrt-error", "error", "8 and later", "An error of TensorRT without a more precise meaning", (
        "Error Code: ",
        "Error Code ",
        "Internal Error (",
    )),
)  # fmt: skip
