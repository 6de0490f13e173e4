"""Messages about the network before it is built: plugins, the ONNX parser, weights, single layers, dynamic shapes.

Line forms of TensorRT 5.0 to 11, of the ONNX parser that ships with it, of trtexec and Polygraphy.
"""

from __future__ import annotations

from trtlens_parsers.meanings.entry import Entry

NETWORK = (
    Entry("plugin-not-found", "error", "5 and later", "An operator needs a plugin that is not registered", (
        "getPluginCreator could not find plugin",
        "Plugin not found, are the plugin name",
        "Cannot find plugin: ",
        "since corresponding IPluginCreator",
    )),
    Entry("op-as-plugin", "info", "7 and later (ONNX parser)", "The parser does not know an operator and looks for a plugin of that name", (
        "No importer registered for op: ",
        ". Attempting to check as plugin",
        ". Importing this node as a plugin",
    ), quiet=True),
    Entry("plugin-formats", "error", "7 and later", "A plugin accepts none of the formats and types at its inputs and outputs", (
        "^<layer>: could not find any supported formats consistent",
        "could not find any supported formats",
    )),
    Entry("plugin-attribute-missing", "warning", "7 and later (ONNX parser)", "The model does not give a plugin's field", (
        " not found in plugin node!",
    )),
    Entry("plugin-already-registered", "info", "5 and later", "Two libraries bring the same plugin; the first one counts", (
        "Plugin creator already registered",
        "annot register the library as plugin creator",
        "an not register the library as plugin creator",
    )),
    Entry("plugin-formats-cut", "warning", "7 and later", "A plugin has so many format combinations that not all are tried", (
        "ignores some format combinations because combination limit",
    )),
    Entry("int64-weights", "warning", "7 to 8.6 (ONNX parser)", "The model holds INT64 numbers, which are cast to INT32", (
        "Your ONNX model has been generated with INT64 weights",
    )),
    Entry("double-weights", "warning", "7 to 10 (ONNX parser)", "The model holds FP64 numbers, which are cast to FP32", (
        "Your ONNX model has been generated with double-typed weights",
    )),
    Entry("weights-clamped", "warning", "7 and later (ONNX parser)", "Some numbers did not fit the smaller format and were clamped", (
        "One or more weights outside the range of",
    )),
    Entry("int64-binding", "warning", "10 and later (ONNX parser)", "An input or output holds INT64", (
        "Make sure input <tensor> has Int64 binding",
        "Make sure output <tensor> has Int64 binding",
    )),
    Entry("shape-output-type", "warning", "8", "A shape output is INT32, whatever the model says", (
        "Output type must be INT32 for shape outputs",
    )),
    Entry("model-file-missing", "error", "8 and later", "The model file does not exist", (
        "Input file cannot be found",
        "Input is not a regular file",
        "Could not open file ",
    )),
    Entry("unsupported-op", "error", "5 and later (ONNX parser)", "The parser cannot import an operator", (
        "In node <*> with name: <layer> and operator: <*>UNSUPPORTED_NODE",
        "UNSUPPORTED_NODE",
        "cannot be imported into TensorRT",
    )),
    Entry("onnx-node-failed", "error", "5 and later (ONNX parser)", "The ONNX node at which parsing stopped", (
        'While parsing node number <*> -> "<tensor>"]',
        "While parsing node number ",
        "In node <*> with name: <layer> and operator: ",
        "In node <*> (parse",
    )),
    Entry("parse-failed", "error", "5 and later", "The model could not be read", (
        "Failed to parse onnx file",
        "Failed to parse ONNX model",
        "Parsing model failed",
        "--- Begin node ---",
        "--- End node ---",
        "In function parseGraph",
        'ModelImporter.cpp:<*>: input: "',
        "Failed to parse the ONNX model",
    )),
    Entry("constant-folding-advised", "info", "8 and later (ONNX parser)",
          "The model computes something at run time that it could hold as a constant", (
        "Try applying constant folding on the model",
    )),
    Entry("onnx-opset-old", "warning", "7 and later (ONNX parser)", "The model's opset is older than the parser supports", (
        "TensorRT supports ONNX graphs generated with at least opset",
    ), quiet=True),
    Entry("seed-ignored", "warning", "8 and later (ONNX parser)", "A random operator's seed is not used", (
        'currently ignores the "seed" field',
    ), quiet=True),
    Entry("layer-weights-invalid", "error", "5 and later", "A layer's weights have the wrong number of elements or the wrong type", (
        "^<layer>: count of <*> weights in ",
        "^<layer>: number of kernel weights does not match",
        "^<layer>: kernel weights are not permitted",
        "^<layer>: bias weights are not permitted",
        "^<layer>:kernel weights has count",
        "^<layer>:bias weights has count",
        "^<layer>: kernel weights has count",
        "^<layer>: bias weights has count",
        "^<layer>: invalid weights type of",
    )),
    Entry("layer-validation-failed", "error", "8.0 to 10", "A layer's parameters or inputs do not fit together", (
        "Layer <layer> failed validation",
    )),
    Entry("shape-tensor-unsupported", "error", "7 and later", "A layer computes a shape in a way that TensorRT cannot follow", (
        "^<layer>: IShuffleLayer applied to shape tensor",
        " cannot be used to compute a shape tensor",
        " requires bool I/O but node can not be handled",
        " requires bool or uint8 I/O but node can not be handled",
    )),
    Entry("broadcast-mismatch", "error", "7 and later", "The shapes of a layer's inputs do not fit each other", (
        "^<layer>: broadcast dimensions must be conformable",
        "broadcast dimensions must be conformable",
        "broadcast dimensions incompatible",
    )),
    Entry("graph-cycle", "error", "5 and later", "The network has a cycle", (
        "Graph contains a cycle",
        "Found illegal cycle in network",
        "Network contains cycle",
    )),
    Entry("name-repeated", "error", "7 to 10", "Two layers or two tensors have the same name", (
        "Repeated layer name: <layer> (layers must have distinct names)",
        "Repeated tensor name: <tensor> (tensors must have distinct names)",
    )),
    Entry("no-output", "error", "5 and later", "The network has no output", (
        "Network must have at least one output",
    )),
    Entry("profile-missing", "error", "6 and later", "The network has dynamic inputs and no optimization profile", (
        "but no optimization profile has been defined",
    )),
    Entry("profile-incomplete", "error", "6 and later", "An optimization profile lacks an input", (
        "^<tensor>: dynamic input is missing dimensions in profile",
        "ynamic input tensor <tensor> is missing dimensions in profile",
        "^<tensor>: optimization profile is missing values for shape input",
    )),
    Entry("profile-inconsistent", "error", "6 and later", "The shapes of an optimization profile contradict each other or the network", (
        "values are not self-consistent",
        "MIN<=OPT<=MAX",
        "Min value of this profile is not valid",
        "Max value of this profile is not valid",
        "Opt value of this profile is not valid",
        "violate shape constraints",
        "impossible for the given optimization profiles",
    )),
    Entry("profile-input-unknown", "error", "Polygraphy", "An optimization profile names an input that the network does not have", (
        "Invalid inputs were provided to the optimization profile",
    )),
    Entry("shapes-not-given", "warning", "trtexec and Polygraphy", "A dynamic input got a shape that nobody asked for", (
        "Dynamic dimensions required for input: <tensor>, but no shapes were provided",
        "Shape missing for input with dynamic shape: <tensor>Automatically setting shape to",
        "Input tensor: <tensor> (dtype=<*> | No shapes provided; Will use shape",
        "Input tensor: <tensor> [shape=<*> | Will generate data of shape",
    )),
    Entry("opt-value-guessed", "warning", "8.6", "A profile's optimum for a shape input was not given", (
        "Was not able to infer a kOPT value for tensor <tensor>. Using one(s)",
        "Inferred kOPT values for tensor <*>",
    ), quiet=True),
    Entry("dimension-uncertain", "warning", "8.4 and later", "A dimension may be zero or one, which TensorRT can decide only at run time", (
        "that might or might not be zero",
        "that might or might not be equal to 1",
    )),
    Entry("input-unused", "warning", "7 and later", "A network input changes nothing", (
        "Input Tensor <tensor> is unused or used only at compile-time",
        "Unused Input: <tensor>",
    )),
    Entry("input-unknown", "warning", "Polygraphy", "Data or metadata was given for an input that the model does not have", (
        "Input tensor: <tensor> | Metadata was provided, but the input does not exist",
    )),
    Entry("input-shape-mismatch", "warning", "Polygraphy", "The data for an input has another shape than the model wants", (
        "Input tensor: <tensor> | Buffer shape (",
    )),
)  # fmt: skip
