"""Messages about number formats: weights that do not fit FP16, precision constraints, weak and strong typing.

Line forms of TensorRT 5.1 to 11, of TensorRT-RTX, and of the ONNX parser that ships with them.
"""

from __future__ import annotations

from trtlens_parsers.messages.entry import Entry

PRECISION = (
    Entry(
        "weights-conversion",
        "warning",
        "8.4 and later",
        "Weights lose accuracy when they are converted to the layer's precision",
        (
            "Weights [name=<tensor>] had the following issues when converted to ",
            "TensorRT encountered issues when converting weights between types",
        ),
    ),
    Entry(
        "fp16-subnormal-weights",
        "warning",
        "8.4 and later",
        "Some weights become subnormal FP16 numbers",
        ("Subnormal FP16 values detected", "Detected subnormal FP16 values"),
    ),
    Entry(
        "fp16-underflow-weights",
        "warning",
        "8.4 and later",
        "Some weights are smaller than any FP16 number and are replaced by the smallest one",
        ("Values less than smallest positive FP16 Subnormal value", "less than smallest positive FP16 subnormal value"),
    ),
    Entry(
        "fp16-overflow-weights",
        "error",
        "8.4 and later",
        "Some weights are larger than FP16 can hold and are clipped",
        ("which would overflow in FP16", "Finite FP32 values which would overflow"),
    ),
    Entry(
        "fp16-infinite-weights",
        "error",
        "8.4 and later",
        "Some weights are infinite already in FP32",
        ("FP32 infinity values",),
    ),
    Entry(
        "fp16-nan-weights",
        "error",
        "8.4 and later",
        "Some weights are not numbers (NaN)",
        ("Detected NaN values", "NaN values detected"),
    ),
    Entry(
        "bf16-overflow-weights",
        "error",
        "10 and later",
        "Some weights are larger than BF16 can hold and are clipped",
        ("which would overflow in BF16",),
    ),
    Entry(
        "int8-clipped-weights",
        "warning",
        "8.6 and later",
        "Some weights lie outside the INT8 range and are clipped",
        ("Detected values which are outside of int8_t range",),
    ),
    Entry(
        "layernorm-fp16-overflow",
        "warning",
        "8.6 and later",
        "A layer normalisation runs in FP16, where its sum of squares can overflow",
        ("Detected layernorm nodes in FP16", "Running layernorm after self-attention"),
    ),
    Entry(
        "precision-constraint-ignored",
        "warning",
        "8.0 and later",
        "A layer runs in another precision than was asked for, because that is faster",
        ("For layer <layer> a non-conforming implementation was chosen than was requested",),
        quiet=True,
    ),
    Entry(
        "strict-constraint-not-met",
        "warning",
        "5 and later",
        "No kernel exists for the precision that was asked for",
        (
            "No implementation of layer <layer> obeys the requested constraints",
            "no implementation of <layer> obeys the requested constraints",
            "No IAlgorithm obeys the requested constraints for <layer> in strict mode",
        ),
        quiet=True,
    ),
    Entry(
        "no-obedient-candidate",
        "info",
        "8.6 and later",
        "No candidate of a layer has the precision that was asked for; the others are timed",
        ("No valid obedient candidate choices for node <layer> that meet the preferred precision",),
        quiet=True,
    ),
    Entry(
        "fp16-not-native",
        "warning",
        "5 to 10",
        "The GPU has no fast FP16 arithmetic",
        (
            "FP16 support requested on hardware without native FP16 support",
            "Half2 support requested on hardware without native FP16 support",
        ),
    ),
    Entry(
        "int8-not-native",
        "warning",
        "5 to 10",
        "The GPU has no fast INT8 arithmetic",
        (
            "Int8 support requested on hardware without native Int8 support",
            "INT8 not supported by platform",
            "require hardware with Int8 support",
        ),
    ),
    Entry(
        "fp8-not-supported",
        "error",
        "8.6 to 10",
        "The GPU has no FP8 arithmetic",
        ("Networks with FP8 precision require hardware with FP8 support", "FP8 is only supported for networks with"),
    ),
    Entry(
        "tf32-enabled",
        "info",
        "trtexec 8.6 and later",
        "FP32 layers may compute in TF32",
        ("TF32 is enabled by default.",),
        quiet=True,
    ),
    Entry(
        "tf32-disabled",
        "info",
        "Polygraphy",
        "FP32 layers compute in full FP32",
        ("TF32 is disabled by default.",),
        quiet=True,
    ),
    Entry(
        "weak-typing-deprecated",
        "warning",
        "10.14 to 10.16",
        "The network is weakly typed; TensorRT 11 has strong typing alone",
        ("Weakly-typed networks have been deprecated", "Weakly typed networks have been deprecated"),
    ),
    Entry(
        "strongly-typed",
        "info",
        "10 and later, TensorRT-RTX",
        "The network is strongly typed: every tensor keeps the type that the model gives it",
        ("Strongly typed network detected", "In JIT build, strongly typed is enabled by default"),
        quiet=True,
    ),
    Entry(
        "type-mismatch",
        "error",
        "8 and later",
        "The inputs of a layer have different number formats",
        (
            "IElementWiseLayer with inputs <tensor> and <*>: first input has type",
            "ISelectLayer with inputs <*> has type",
            "^<layer>: ElementWiseOperation <*> must have same input types",
            "Type mismatch detected for a strongly typed network. Output tensor <*>",
        ),
    ),
    Entry(
        "tensor-type-ignored",
        "warning",
        "8.4 and later",
        "A type or format was set on a tensor that is neither input nor output, and is ignored",
        (
            "was called on non I/O tensor: <tensor>. This will have no effect",
            "Tensor DataType is determined at build time",
            "Tensor Formats are determined at build time",
        ),
    ),
    Entry(
        "conv-precision-missing",
        "error",
        "TensorRT-RTX 1.7",
        "A strongly typed convolution has no kernel in its precision",
        ("No low-precision conv kernel available for this strongly-typed",),
    ),
    Entry(
        "int32-as-float",
        "warning",
        "8 (ONNX parser)",
        "Integers are computed as FP32 and may be rounded",
        ("TensorRT is using FLOAT32 precision to run an INT32",),
    ),
)
