"""Messages about a built engine: loading it, the shapes it is given, running it, refitting it.

Line forms of TensorRT 5.1 to 11 and of TensorRT-RTX.
"""

from __future__ import annotations

from trtlens_parsers.meanings.entry import Entry

ENGINE = (
    Entry("engine-version-mismatch", "error", "5 and later",
          "The engine was built by another TensorRT version than the one that loads it", (
        "The engine plan file is not compatible with this version of TensorRT",
        "Version tag does not match",
        "engine created with incompatible serialization version",
        "The engine has been created with TensorRT-RTX version",
        "TensorRT plan major version does not match",
        "old deserialization call on a newer plan file",
        "Engine Version Forward Compatibility supported starting",
    )),
    Entry("engine-device-mismatch", "error", "5 and later", "The engine was built for another GPU architecture", (
        "The engine plan file is generated on an incompatible device",
        "not compatible with this hardware-compatible engine",
        "The engine cannot run on this GPU",
        "but the current GPU only has ",
    )),
    Entry("engine-other-device", "warning", "5 and later", "The engine was built on another GPU model of the same architecture", (
        "Using an engine plan file across different models of devices",
    )),
    Entry("engine-file-invalid", "error", "5 and later", "What was loaded is not a TensorRT engine, or only a part of one", (
        "MAGIC_TAG failed",
        "Magic tag does not match",
        "Cannot deserialize with an empty",
        "Cannot deserialize empty blob",
        "Not a valid plan stream",
        "Engine plan blob size mismatches",
    )),
    Entry("engine-file-missing", "error", "trtexec and DeepStream", "The engine file does not exist or cannot be opened", (
        "Deserialize engine failed because file path",
        "Error opening engine file",
    )),
    Entry("engine-host-code-not-allowed", "error", "8.6 and later",
          "A version-compatible engine brings its own runtime, and the caller did not allow that", (
        "IRuntime::getEngineHostCodeAllowed() is false",
    )),
    Entry("shape-out-of-profile", "error", "6 and later", "An input shape lies outside the optimization profile", (
        "for tensor <tensor> does not satisfy any optimization profile",
        "does not satisfy any optimization profile",
        "Static dimension mismatch while setting input shape for <tensor>. Set dimensions are ",
        "Static dimension mismatch while setting input shape",
        "Supplied binding dimension",
        "Supplied binding shapes [",
        "exceed min..max range for profile",
    )),
    Entry("input-shape-missing", "error", "10 and later", "Inference was started before every dynamic input had a shape", (
        "ollowing input tensors' dimensions are not specified",
        "Not all input tensors' dimensions or shape bindings",
        "ollowing input shape bindings are not specified",
    )),
    Entry("tensor-address-missing", "error", "8 and later", "Inference was started before every input and output had memory", (
        "Address is not set for input tensor <tensor>. Call ",
        "ddress or allocator is set for output tensor <tensor>. Call ",
        "nullBindingOK",
        " is bound to nullptr",
    )),
    Entry("tensor-name-unknown", "error", "7 and later", "The engine has no input or output of that name", (
        "Cannot find binding of given name: <tensor>",
        "given invalid tensor name: <tensor>",
        "Cannot find debug tensor with specified tensor name <tensor>. Make sure",
    )),
    Entry("default-stream", "warning", "10 and later", "Inference runs on CUDA's default stream, which costs extra synchronisation", (
        "Using default stream in enqueueV3()",
    )),
    Entry("implicit-batch-api", "warning", "7 to 10", "A function of the old implicit-batch mode was called", (
        "The getMaxBatchSize() function should not be used",
        "The enqueue() method has been deprecated",
        "The execute() method has been deprecated",
        "The implicit batch dimension mode has been deprecated",
        "hasImplicitBatchDimension is deprecated",
        "BroadcastAcrossBatch is deprecated",
    )),
    Entry("weight-streaming", "warning", "10 and later", "Weight streaming needs more memory than it has to", (
        "deserialization memory with weight streaming enabled",
        "Please try reducing the weight streaming budget",
    )),
    Entry("profile-under-cuda-graph", "warning", "8.5 and later", "Layer times cannot be measured inside a CUDA graph", (
        "Skip layer timing collection in CUDA graph capture mode",
        "Failed to collect layer timing info",
    )),
    Entry("stream-not-capturable", "error", "8.6 and later", "The engine cannot be captured into a CUDA graph", (
        "this TRT engine is not stream capturable",
    )),
    Entry("object-lifetime", "warning", "8 and later", "A TensorRT object was destroyed before another that depends on it", (
        "leads to undefined behavior",
    )),
    Entry("multi-stream-disabled", "warning", "10 and later", "Layers run one after the other although several streams were allowed", (
        "Multi stream is disabled because",
    )),
    Entry("refit-weights-transposed", "warning", "7 and later (ONNX parser)",
          "Weights are stored transposed and must be refitted transposed", (
        "Weights <tensor> has been transposed with permutation",
    )),
    Entry("refit-weights-folded", "warning", "8.5 and later", "Some weights are part of a compiled region and cannot be refitted", (
        "Weights are folded into Myelin graph when building a refittable engine",
        "These folded weights cannot be refitted",
    )),
    Entry("refit-type-mismatch", "warning", "8.6 and later",
          "Refitting with another number format than the engine was built with is slow", (
        "Refitting engines with weights of different types",
        "Refitting engines with weights of types different",
    )),
    Entry("refit-incomplete", "error", "7 and later", "Some weights that belong together were not given to the refitter", (
        "Call IRefitter::getMissing",
    )),
    Entry("sparsity-eligible", "info", "8.0 and later", "Layers whose weights have the 2:4 pattern", (
        "(Sparsity) Layers eligible for sparse math",
        "(Sparsity) <*> layer(s) eligible to use sparse tactics",
    ), quiet=True),
    Entry("sparsity-picked", "info", "8.0 and later", "Layers that run a sparse kernel", (
        "(Sparsity) TRT inference plan picked sparse implementation",
        "(Sparsity) <*> layer(s) using sparse tactics",
    ), quiet=True),
    Entry("sparsity-refit", "warning", "8.0 and later", "Sparse layers need weights of the same pattern when they are refitted", (
        "(Sparsity) Please provide sparse weights",
        "dense weights provided for the sparse layer. Layer Name: <layer>",
    ), quiet=True),
)  # fmt: skip
