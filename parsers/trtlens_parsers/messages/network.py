"""Messages about the network before it is built: the ONNX parser, weights, checks of single layers.

Line forms of TensorRT 5.0 to 11 and of the ONNX parser that ships with it.
"""

from __future__ import annotations

from trtlens_parsers.messages.entry import Entry

NETWORK = (
    Entry(
        "int64-weights",
        "warning",
        "7 to 8.6 (ONNX parser)",
        "The model holds INT64 numbers, which are cast to INT32",
        ("Your ONNX model has been generated with INT64 weights",),
    ),
    Entry(
        "double-weights",
        "warning",
        "7 to 10 (ONNX parser)",
        "The model holds FP64 numbers, which are cast to FP32",
        ("Your ONNX model has been generated with double-typed weights",),
    ),
    Entry(
        "weights-clamped",
        "warning",
        "7 and later (ONNX parser)",
        "Some numbers did not fit the smaller format and were clamped",
        ("One or more weights outside the range of",),
    ),
    Entry(
        "int64-binding",
        "warning",
        "10 and later (ONNX parser)",
        "An input or output holds INT64",
        ("Make sure input <tensor> has Int64 binding", "Make sure output <tensor> has Int64 binding"),
    ),
    Entry(
        "shape-output-type",
        "warning",
        "8",
        "A shape output is INT32, whatever the model says",
        ("Output type must be INT32 for shape outputs",),
    ),
    Entry(
        "model-file-missing",
        "error",
        "8 and later",
        "The model file does not exist",
        ("Input file cannot be found", "Input is not a regular file", "Could not open file "),
    ),
    Entry(
        "unsupported-op",
        "error",
        "5 and later (ONNX parser)",
        "The parser cannot import an operator",
        (
            "In node <*> with name: <layer> and operator: <*>UNSUPPORTED_NODE",
            "UNSUPPORTED_NODE",
            "cannot be imported into TensorRT",
        ),
    ),
    Entry(
        "onnx-node-failed",
        "error",
        "5 and later (ONNX parser)",
        "The ONNX node at which parsing stopped",
        (
            'While parsing node number <*> -> "<tensor>"]',
            "While parsing node number ",
            "In node <*> with name: <layer> and operator: ",
            "In node <*> (parse",
        ),
    ),
    Entry(
        "parse-failed",
        "error",
        "5 and later",
        "The model could not be read",
        (
            "Failed to parse onnx file",
            "Failed to parse ONNX model",
            "Parsing model failed",
            "--- Begin node ---",
            "--- End node ---",
            "In function parseGraph",
            'ModelImporter.cpp:<*>: input: "',
            "Failed to parse the ONNX model",
        ),
    ),
    Entry(
        "constant-folding-advised",
        "info",
        "8 and later (ONNX parser)",
        "The model computes something at run time that it could hold as a constant",
        ("Try applying constant folding on the model",),
    ),
    Entry(
        "onnx-opset-old",
        "warning",
        "7 and later (ONNX parser)",
        "The model's opset is older than the parser supports",
        ("TensorRT supports ONNX graphs generated with at least opset",),
        quiet=True,
    ),
    Entry(
        "seed-ignored",
        "warning",
        "8 and later (ONNX parser)",
        "A random operator's seed is not used",
        ('currently ignores the "seed" field',),
        quiet=True,
    ),
    Entry(
        "layer-weights-invalid",
        "error",
        "5 and later",
        "A layer's weights have the wrong number of elements or the wrong type",
        (
            "^<layer>: count of <*> weights in ",
            "^<layer>: number of kernel weights does not match",
            "^<layer>: kernel weights are not permitted",
            "^<layer>: bias weights are not permitted",
            "^<layer>:kernel weights has count",
            "^<layer>:bias weights has count",
            "^<layer>: kernel weights has count",
            "^<layer>: bias weights has count",
            "^<layer>: invalid weights type of",
        ),
    ),
    Entry(
        "layer-validation-failed",
        "error",
        "8.0 to 10",
        "A layer's parameters or inputs do not fit together",
        ("Layer <layer> failed validation",),
    ),
    Entry(
        "shape-tensor-unsupported",
        "error",
        "7 and later",
        "A layer computes a shape in a way that TensorRT cannot follow",
        (
            "^<layer>: IShuffleLayer applied to shape tensor",
            " cannot be used to compute a shape tensor",
            " requires bool I/O but node can not be handled",
            " requires bool or uint8 I/O but node can not be handled",
        ),
    ),
    Entry(
        "broadcast-mismatch",
        "error",
        "7 and later",
        "The shapes of a layer's inputs do not fit each other",
        (
            "^<layer>: broadcast dimensions must be conformable",
            "broadcast dimensions must be conformable",
            "broadcast dimensions incompatible",
        ),
    ),
    Entry(
        "graph-cycle",
        "error",
        "5 and later",
        "The network has a cycle",
        ("Graph contains a cycle", "Found illegal cycle in network", "Network contains cycle"),
    ),
    Entry(
        "name-repeated",
        "error",
        "7 to 10",
        "Two layers or two tensors have the same name",
        (
            "Repeated layer name: <layer> (layers must have distinct names)",
            "Repeated tensor name: <tensor> (tensors must have distinct names)",
        ),
    ),
    Entry(
        "no-output",
        "error",
        "5 and later",
        "The network has no output",
        ("Network must have at least one output",),
    ),
)
