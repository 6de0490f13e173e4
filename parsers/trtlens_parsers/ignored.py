"""Lines that are known and left out on purpose: they say nothing that a table of ours holds.

Each entry is how such a line begins, grouped by who writes it. A line that begins so is counted as read and ignored;
whatever is in no list is reported as unread.
"""

from __future__ import annotations

import re

from trtlens_parsers.text import Beginnings

_ONNX_PARSER = (
    "Parsing node: ", "Searching for input: ", "Registering layer: ", "Registering tensor: ", "Importing initializer: ",
    "Static check for parsing node", "Adding network input: ", "Found BatchNormalization node",
    "Convolution input dimensions: ", "Convolution output dimensions: ", "Using kernel: ", "Original shape: ",
    "Using opA: ", "Kernel weights are not set yet", "Bias weights are not set yet", "Start parsing network model",
    "Finish parsing network model", "Finished parsing network model", "Input filename:", "ONNX IR version:",
    "Opset version:", "Producer name:", "Producer version:", "Domain:", "Model version:", "Doc string:", "Marking ",
    "Running resize layer with:", "Calculating Maxima", "Starting Calibration", "  Calibrated batch ",
    "  Post Processing Calibration data in ", "Writing Calibration Cache for calibrator: ", "Casting to type: ",
    "GlobalAveragePool operators are implemented", "Searching for plugin: ", "Successfully created plugin: ",
    "GEMM: using FC layer", "Running deconvolution with:", "Trying to split Reshape", "Original input tensor",
    "Found Conv-Transpose", "Using Gather",
)  # fmt: skip
_PLUGINS = (
    "Registered plugin creator - ", "Plugin creator already registered - ", "Plugin creator registration succeeded - ",
    "Loading standard plugins", "Trying to load shared library ", "CUDA lazy loading is enabled",
    "The logger passed into createInfer", "Loading supplied plugin library", "Initializing plugin at: ",
    "Global registry found ", "Global registry did not find ", "Local registry found ", "Local registry did not find ",
)  # fmt: skip
_BUILDER = (
    "Applying generic optimizations", "Applying ScaleNodes fusions", "QDQ graph optimizer", "Running: ", "Finalize: ",
    "Kernel: ", "Block size ", "[BlockAssignment] ",
    "Layer Device Types", "--------------- Layers running on ",
    "Skipped printing memory information for ", "Total number of ", "Total per-runner device persistent memory is ",
    "Total per-runner host persistent memory is ", "Using cublas", "Using cuBLAS", "Using cuDNN",
    "Reserving memory for ", "Allocated ", "Setting persistentCacheLimit to ", "Deleting timing cache: ", "Serialized ",
    "Adding 1 engine(s)", "Set number of tactics to ", "Setting workspace to ", "Deserialization required ",
    "Compiler backend is used during engine", "Created execution context with ", "Created engine with size: ",
    "Enabling FP", "Pre-optimized block assignment", "Optimized block assignment", "Replacing input ",
    "Replacing slice ", "- Runner scratch: ", "Loaded ", "Using enqueueV", "Trying to set exclusive file lock ",
    "RunnerBuilder of layer ", "STILL ALIVE: ", "Found and reassigned Myelin backends",
    "Example of equivalent trtexec option", "File locked in ", "File unlocked in ",
    "Trying to remove exclusive file lock ", "Generating copy before ", "Generating copy after ",
    "InternalBuildFlags::", "Glob Size is ", "Deserialize required ", "This engine can stream its weights",
    "- Minimum budget: ", "- Maximum budget: ", " Example of equivalent trtexec", " Try increasing the workspace size with ",
    "DLA Memory Consumption Summary", "Swapping ", "Skipping profiling other tactics after evaluating ", "QDQ optimization pass",
    "Configuring builder for ", "Assigning ", "Overriding ", "using ", "Adding 1 engine weights(s)",
    "Serializing timing cache", "Unrecognized MMA instruction source ", "[GraphReduction] ",
    "Added linear block of size ", "---------- Layers Running on ", "Layer Information:", "Output Tensors:",
    "Input Tensors:", "Total per-runner device memory is ", "Total per-runner host memory is ", "Capturing CUDA graph",
    "Successfully captured CUDA graph", "Modifying configuration of ", "-----------SqueezePushDown ", "[MS] ",
    "ForeignNode ",
)  # fmt: skip
_TRTEXEC = (
    "Using random values for ", "Input binding for ", "Output binding for ", "Starting inference", "Warmup completed ",
    "Timing trace has ", "Trace averages of ", "Average on ", "Average over ", "=== Explanations", "=== Trace details",
    "Set shape of input tensor ", "Input shape for ", "... Omitting ", "Created input binding for ",
    "Created output binding for ", "Using values loaded from ", "Explanations of the performance metrics ",
    "Skipped inference phase ", "List of affected weights: ", "  List of affected weights: ",
)  # fmt: skip
_IGNORED = Beginnings(_ONNX_PARSER + _PLUGINS + _BUILDER + _TRTEXEC, key=5)


# Lines that begin with a layer's name or with a number.
_INFIXES = (
    " which duplicates (Q) ",
    " by retargeting ",
    " requirements combinations were removed due to type constraints.",
    " is out of range. Clamping to: ",
    " to make tensors conform, dims(input0)=",
    " remaining after tactic pruning.",
    " to be part of self-attention pattern.",
    " successfully offloaded to DLA.",
)
_RULER = re.compile(r"[-=+|_#*. ]{3,}$")


is_ignored = _IGNORED.match
"""Whether the message is known and says nothing that a table holds."""


def is_ignored_within(text: str) -> bool:
    """Whether the message is known by what stands inside it, or is a ruler; slower, for lines that nothing else took."""
    return any(infix in text for infix in _INFIXES) or _RULER.match(text) is not None


_DUMP_ROW = re.compile(r"[A-Z_\d]{2,40} \S|\t| {2,}\S")


def is_dump_row(text: str) -> bool:
    """Whether the text is a row of a graph dump: a layer's type and name, or an indented detail."""
    return _DUMP_ROW.match(text) is not None
