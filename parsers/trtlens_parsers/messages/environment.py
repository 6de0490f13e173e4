"""Messages about what TensorRT runs on: driver, CUDA, libraries, devices, DLA, flags and functions on their way out.

Line forms of TensorRT 5.0 to 11, trtexec and Polygraphy.
"""

from __future__ import annotations

from trtlens_parsers.messages.entry import Entry

ENVIRONMENT = (
    Entry(
        "cudnn-version-mismatch",
        "warning",
        "7 to 10",
        "cuDNN is older than the one TensorRT was linked against",
        ("TensorRT was linked against cuDNN",),
    ),
    Entry(
        "cublas-version-mismatch",
        "warning",
        "7 to 10",
        "cuBLAS is older than the one TensorRT was linked against",
        ("TensorRT was linked against cuBLAS",),
    ),
    Entry(
        "lazy-loading-disabled",
        "warning",
        "8.5 and later",
        "CUDA loads every kernel at once",
        ("CUDA lazy loading is not enabled",),
    ),
    Entry(
        "lazy-loading-enabled",
        "info",
        "8.5 and later",
        "CUDA loads kernels when they are first needed",
        ("CUDA lazy loading is enabled",),
        quiet=True,
    ),
    Entry(
        "cuda-init-failed",
        "error",
        "5 and later",
        "CUDA cannot be used at all",
        (
            "CUDA initialization failure with error",
            "CUDA driver version is insufficient",
            "Cannot load CUDA driver library",
            "Failed to query CUDA driver version",
            "no CUDA-capable device is detected",
        ),
    ),
    Entry(
        "gpu-not-supported",
        "error",
        "5 and later",
        "This TensorRT has no kernels for this GPU",
        (
            "no kernel image is available",
            "is not supported by this TensorRT release",
            "is not supported by current TensorRT",
            "TensorRT-RTX does not support this compute capability",
        ),
    ),
    Entry(
        "driver-too-old",
        "warning",
        "8.6",
        "A fusion is left out because the driver or NVRTC is too old",
        ("fusion is disable due to incompatible driver",),
    ),
    Entry(
        "cuda-context-changed",
        "error",
        "8.6 and later",
        "The builder is used in another CUDA context, or on another GPU, than it was made in",
        ("The CUDA context changed between", "Builder was created on device different"),
    ),
    Entry(
        "library-not-loaded",
        "error",
        "8 and later",
        "A shared library of TensorRT was not found",
        ("Unable to load library: ", "Could not determine path for lean runtime", "The NVRTC library may be corrupt"),
    ),
    Entry(
        "embedded-device-unknown",
        "warning",
        "8.6 and later",
        "TensorRT does not know this board and assumes a limit for its memory",
        ("Unknown embedded device detected",),
    ),
    Entry(
        "logger-differs",
        "info",
        "8 and later",
        "A second logger was given and is not used",
        ("The logger passed into ",),
        quiet=True,
    ),
    Entry(
        "dla-fallback",
        "warning",
        "5 and later",
        "A layer cannot run on the DLA and runs on the GPU",
        (
            "Default DLA is enabled but layer <layer> is not supported on DLA, falling back to GPU",
            "Layer '<layer>' (<*>): Unsupported on DLA. Switching",
            "Validation failed for DLA layer: <layer>. Switching to GPU",
            "DLA only supports FP16 and Int8 precision type. Switching <layer> device type to GPU",
        ),
    ),
    Entry(
        "dla-unsupported",
        "warning",
        "7 and later",
        "Why a layer cannot run on the DLA",
        (
            "DLA Layer <layer> does not support dynamic shapes",
            "^<layer>: DLA cores do not support",
            "dimensions for <layer>. At least one shuffle layer will be inserted which cannot run on DLA",
            "DLA does not support dynamic shape tensor: <tensor>",
        ),
    ),
    Entry(
        "dla-unused",
        "warning",
        "5 and later",
        "The DLA was asked for and nothing runs on it",
        ("no layer in the network can run on DLA", "on TensorRT build with DLA disabled"),
    ),
    Entry(
        "deprecated-flag",
        "warning",
        "trtexec and Polygraphy",
        "A command-line flag has another name now, or no effect",
        (
            "flag has been deprecated",
            "--profilingVerbosity=verbose has been deprecated",
            " is deprecated and will be removed in Polygraphy",
            "This flag is deprecated and has no effect",
        ),
    ),
    Entry(
        "deprecated-api",
        "warning",
        "7 and later",
        "A function, a layer or an operator is on its way out",
        (" has been deprecated", " is deprecated", " was deprecated"),
    ),
)

CUDA = (
    Entry(
        "myelin-error",
        "error",
        "7 and later",
        "TensorRT's compiler for fused regions failed",
        ("Error Code 1: Myelin", "Myelin Error in", "Myelin internal error", "MyelinCheckException"),
    ),
    Entry(
        "cuda-error",
        "error",
        "5 and later",
        "A CUDA call failed, or a kernel did",
        (
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
        ),
    ),
)
