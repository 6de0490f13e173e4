"""Messages about number formats: weights that do not fit FP16, precision constraints, typing; scales, calibration, Q/DQ.

Line forms of TensorRT 5.1 to 11, of TensorRT-RTX, and of the ONNX parser that ships with them. Implicit quantisation
(calibrator, dynamic ranges) exists to TensorRT 10 and is gone in 11; Q/DQ layers since 8.0.
"""

from __future__ import annotations

from trtlens_parsers.meanings.entry import Entry

PRECISION = (
    Entry("weights-conversion", "warning", "8.4 and later", "Weights lose accuracy when they are converted to the layer's precision", (
        "Weights [name=<tensor>] had the following issues when converted to ",
        "TensorRT encountered issues when converting weights between types",
    )),
    Entry("fp16-subnormal-weights", "warning", "8.4 and later", "Some weights become subnormal FP16 numbers", (
        "Subnormal FP16 values detected",
        "Detected subnormal FP16 values",
    )),
    Entry("fp16-underflow-weights", "warning", "8.4 and later",
          "Some weights are smaller than any FP16 number and are replaced by the smallest one", (
        "Values less than smallest positive FP16 Subnormal value",
        "less than smallest positive FP16 subnormal value",
    )),
    Entry("fp16-overflow-weights", "error", "8.4 and later", "Some weights are larger than FP16 can hold and are clipped", (
        "which would overflow in FP16",
        "Finite FP32 values which would overflow",
    )),
    Entry("fp16-infinite-weights", "error", "8.4 and later", "Some weights are infinite already in FP32", (
        "FP32 infinity values",
    )),
    Entry("fp16-nan-weights", "error", "8.4 and later", "Some weights are not numbers (NaN)", (
        "Detected NaN values",
        "NaN values detected",
    )),
    Entry("bf16-overflow-weights", "error", "10 and later", "Some weights are larger than BF16 can hold and are clipped", (
        "which would overflow in BF16",
    )),
    Entry("int8-clipped-weights", "warning", "8.6 and later", "Some weights lie outside the INT8 range and are clipped", (
        "Detected values which are outside of int8_t range",
    )),
    Entry("layernorm-fp16-overflow", "warning", "8.6 and later",
          "A layer normalisation runs in FP16, where its sum of squares can overflow", (
        "Detected layernorm nodes in FP16",
        "Running layernorm after self-attention",
    )),
    Entry("precision-constraint-ignored", "warning", "8.0 and later",
          "A layer runs in another precision than was asked for, because that is faster", (
        "For layer <layer> a non-conforming implementation was chosen than was requested",
    ), quiet=True),
    Entry("strict-constraint-not-met", "warning", "5 and later", "No kernel exists for the precision that was asked for", (
        "No implementation of layer <layer> obeys the requested constraints",
        "no implementation of <layer> obeys the requested constraints",
        "No IAlgorithm obeys the requested constraints for <layer> in strict mode",
    ), quiet=True),
    Entry("no-obedient-candidate", "info", "8.6 and later",
          "No candidate of a layer has the precision that was asked for; the others are timed", (
        "No valid obedient candidate choices for node <layer> that meet the preferred precision",
    ), quiet=True),
    Entry("fp16-not-native", "warning", "5 to 10", "The GPU has no fast FP16 arithmetic", (
        "FP16 support requested on hardware without native FP16 support",
        "Half2 support requested on hardware without native FP16 support",
    )),
    Entry("int8-not-native", "warning", "5 to 10", "The GPU has no fast INT8 arithmetic", (
        "Int8 support requested on hardware without native Int8 support",
        "INT8 not supported by platform",
        "require hardware with Int8 support",
    )),
    Entry("fp8-not-supported", "error", "8.6 to 10", "The GPU has no FP8 arithmetic", (
        "Networks with FP8 precision require hardware with FP8 support",
        "FP8 is only supported for networks with",
    )),
    Entry("tf32-enabled", "info", "trtexec 8.6 and later", "FP32 layers may compute in TF32", (
        "TF32 is enabled by default.",
    ), quiet=True),
    Entry("tf32-disabled", "info", "Polygraphy", "FP32 layers compute in full FP32", (
        "TF32 is disabled by default.",
    ), quiet=True),
    Entry("weak-typing-deprecated", "warning", "10.14 to 10.16", "The network is weakly typed; TensorRT 11 has strong typing alone", (
        "Weakly-typed networks have been deprecated",
        "Weakly typed networks have been deprecated",
    )),
    Entry("strongly-typed", "info", "10 and later, TensorRT-RTX",
          "The network is strongly typed: every tensor keeps the type that the model gives it", (
        "Strongly typed network detected",
        "In JIT build, strongly typed is enabled by default",
    ), quiet=True),
    Entry("type-mismatch", "error", "8 and later", "The inputs of a layer have different number formats", (
        "IElementWiseLayer with inputs <tensor> and <*>: first input has type",
        "ISelectLayer with inputs <*> has type",
        "^<layer>: ElementWiseOperation <*> must have same input types",
        "Type mismatch detected for a strongly typed network. Output tensor <*>",
    )),
    Entry("tensor-type-ignored", "warning", "8.4 and later",
          "A type or format was set on a tensor that is neither input nor output, and is ignored", (
        "was called on non I/O tensor: <tensor>. This will have no effect",
        "Tensor DataType is determined at build time",
        "Tensor Formats are determined at build time",
    )),
    Entry("conv-precision-missing", "error", "TensorRT-RTX 1.7", "A strongly typed convolution has no kernel in its precision", (
        "No low-precision conv kernel available for this strongly-typed",
    )),
    Entry("int32-as-float", "warning", "8 (ONNX parser)", "Integers are computed as FP32 and may be rounded", (
        "TensorRT is using FLOAT32 precision to run an INT32",
    )),
    Entry("int8-missing-scale", "warning", "7 to 10", "A tensor has no INT8 scale, so its layers cannot run in INT8", (
        "Missing scale and zero-point for tensor <tensor>, expect fall back",
        "Missing scale and zero-point for tensor <tensor>. Tensor scale and zero-point must be known",
        "Missing dynamic range for tensor <tensor>, expect fall back",
        "^<tensor>: input/output with DataType Int8 in network without Q/DQ layers must have dynamic range set",
    )),
    Entry("int8-implementation-rejected", "warning", "7 and later", "A faster INT8 kernel was left out because a tensor has no scale", (
        "Rejecting some int8 implementation of layer <layer> due to missing int8 scales for tensor <tensor> at <*>",
        "Rejecting some int8 implementation of layer <layer> due to missing int8 scales for tensor <tensor>",
    ), quiet=True),
    Entry("int8-only-implementation", "error", "7 and later", "A layer exists in INT8 alone, and its scales are missing", (
        "No non-int8 implementation of layer <layer> is supported",
    )),
    Entry("int8-fusion-incomplete", "info", "8 to 10", "Layers were not merged side by side because scales are missing", (
        "Incomplete horizontal fusion due to missing scales for <*>",
    ), quiet=True),
    Entry("int8-default-scale", "info", "8.4 to 8.6", "A tensor got a default scale because nothing was given for it", (
        "Setting a default quantization params because quantization data is missing for <tensor>",
    ), quiet=True),
    Entry("int8-range-set", "info", "8.4 to 10", "A tensor's dynamic range was set by the caller", (
        "Setting dynamic range for <tensor> to [<*>]",
    ), quiet=True),
    Entry("int8-scale-overridden", "info", "8.4 to 10", "A given dynamic range replaces a computed scale", (
        "User overriding scale with scale and zero-point",
    ), quiet=True),
    Entry("int8-without-fp16", "info", "trtexec 7 to 10", "INT8 is enabled and FP16 is not, so that unquantised layers run in FP32", (
        "FP32 and INT8 precisions have been specified",
    ), quiet=True),
    Entry("calibrator-missing", "warning", "5 to 10", "INT8 is enabled without a calibrator: every tensor needs a range", (
        "Calibrator is not being used",
        "Int8 mode specified but no calibrator specified",
    ), quiet=True),
    Entry("calibrator-ignored", "warning", "8.0 to 10", "The network has Q/DQ layers, so the calibrator is not asked", (
        "Calibrator won't be used in explicit",
        "Calibration skipped.",
    ), quiet=True),
    Entry("calibration-cache-used", "info", "7 to 10", "Scales come from a calibration cache", (
        "Reading Calibration Cache for calibrator",
        "Generated calibration scales using calibration cache",
        "To regenerate calibration cache",
    ), quiet=True),
    Entry("calibration-cache-mismatch", "error", "7 to 10", "The calibration cache belongs to another calibrator or network", (
        "Calibration table does not match",
        "Could not parse the following line from the calibration cache",
    )),
    Entry("calibration-failed", "error", "5 to 10", "Calibration ended without scales", (
        "Calibration failure occurred",
        "Building FP32 calibration engine failed",
        "Init calibration params failed",
    )),
    Entry("calibration-profile-default", "warning", "7 to 10", "No calibration profile was given; shapes of profile 0 are used", (
        "Calibration Profile is not defined",
    ), quiet=True),
    Entry("int8-flag-missing", "error", "8.0 to 10", "The network asks for INT8 and the builder was not allowed to use it", (
        "INT8 mode needs to be enabled for networks with",
        "but int8 is not configured in the builder",
        "INT8 data type constraint is set on input <tensor>, but INT8 data-type is not enabled",
    )),
    Entry("fp8-flag-missing", "error", "8.6 to 10", "The network asks for FP8 and the builder was not allowed to use it", (
        "FP8 mode needs to be enabled for networks with",
    )),
    Entry("int8-with-fp8", "error", "8.6 and later", "INT8 and FP8 cannot be mixed in this build", (
        "INT8 mode and FP8 mode aren't allowed to be enabled together",
        "INT8 and FP8 mixed precision is allowed only",
    )),
    Entry("range-with-qdq", "error", "8.0 to 10", "Dynamic ranges were set on a network with Q/DQ layers", (
        "Setting dynamic range is only allowed when there are no Q/DQ layers",
    )),
    Entry("zero-point-nonzero", "error", "8 and later (ONNX parser)", "A Q/DQ node has a zero point other than 0", (
        "TensorRT only supports symmetric quantization",
        "only zero shifts values for Qua",
        "`zero_point` whose coefficients aren't all zeros",
    )),
    Entry("qdq-not-fused", "info", "TensorRT-RTX 1.7", "INT8 is slower than FP16 on this GPU, so Q/DQ layers stay on their own", (
        "Q/DQ nodes will not be fused because INT8 is slower than FP16",
    ), quiet=True),
)  # fmt: skip
