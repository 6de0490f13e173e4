"""Messages about INT8 and FP8: scales, calibration, Q/DQ networks.

Implicit quantisation (calibrator, dynamic ranges) exists to TensorRT 10 and is gone in 11; Q/DQ layers since 8.0.
"""

from __future__ import annotations

from trtlens_parsers.messages.entry import Entry

QUANTIZATION = (
    Entry(
        "int8-missing-scale",
        "warning",
        "7 to 10",
        "A tensor has no INT8 scale, so its layers cannot run in INT8",
        (
            "Missing scale and zero-point for tensor <tensor>, expect fall back",
            "Missing scale and zero-point for tensor <tensor>. Tensor scale and zero-point must be known",
            "Missing dynamic range for tensor <tensor>, expect fall back",
            "^<tensor>: input/output with DataType Int8 in network without Q/DQ layers must have dynamic range set",
        ),
    ),
    Entry(
        "int8-implementation-rejected",
        "warning",
        "7 and later",
        "A faster INT8 kernel was left out because a tensor has no scale",
        (
            "Rejecting some int8 implementation of layer <layer> due to missing int8 scales for tensor <tensor> at <*>",
            "Rejecting some int8 implementation of layer <layer> due to missing int8 scales for tensor <tensor>",
        ),
        quiet=True,
    ),
    Entry(
        "int8-only-implementation",
        "error",
        "7 and later",
        "A layer exists in INT8 alone, and its scales are missing",
        ("No non-int8 implementation of layer <layer> is supported",),
    ),
    Entry(
        "int8-fusion-incomplete",
        "info",
        "8 to 10",
        "Layers were not merged side by side because scales are missing",
        ("Incomplete horizontal fusion due to missing scales for <*>",),
        quiet=True,
    ),
    Entry(
        "int8-default-scale",
        "info",
        "8.4 to 8.6",
        "A tensor got a default scale because nothing was given for it",
        ("Setting a default quantization params because quantization data is missing for <tensor>",),
        quiet=True,
    ),
    Entry(
        "int8-range-set",
        "info",
        "8.4 to 10",
        "A tensor's dynamic range was set by the caller",
        ("Setting dynamic range for <tensor> to [<*>]",),
        quiet=True,
    ),
    Entry(
        "int8-scale-overridden",
        "info",
        "8.4 to 10",
        "A given dynamic range replaces a computed scale",
        ("User overriding scale with scale and zero-point",),
        quiet=True,
    ),
    Entry(
        "int8-without-fp16",
        "info",
        "trtexec 7 to 10",
        "INT8 is enabled and FP16 is not, so that unquantised layers run in FP32",
        ("FP32 and INT8 precisions have been specified",),
        quiet=True,
    ),
    Entry(
        "calibrator-missing",
        "warning",
        "5 to 10",
        "INT8 is enabled without a calibrator: every tensor needs a range",
        ("Calibrator is not being used", "Int8 mode specified but no calibrator specified"),
        quiet=True,
    ),
    Entry(
        "calibrator-ignored",
        "warning",
        "8.0 to 10",
        "The network has Q/DQ layers, so the calibrator is not asked",
        ("Calibrator won't be used in explicit", "Calibration skipped."),
        quiet=True,
    ),
    Entry(
        "calibration-cache-used",
        "info",
        "7 to 10",
        "Scales come from a calibration cache",
        (
            "Reading Calibration Cache for calibrator",
            "Generated calibration scales using calibration cache",
            "To regenerate calibration cache",
        ),
        quiet=True,
    ),
    Entry(
        "calibration-cache-mismatch",
        "error",
        "7 to 10",
        "The calibration cache belongs to another calibrator or network",
        ("Calibration table does not match", "Could not parse the following line from the calibration cache"),
    ),
    Entry(
        "calibration-failed",
        "error",
        "5 to 10",
        "Calibration ended without scales",
        ("Calibration failure occurred", "Building FP32 calibration engine failed", "Init calibration params failed"),
    ),
    Entry(
        "calibration-profile-default",
        "warning",
        "7 to 10",
        "No calibration profile was given; shapes of profile 0 are used",
        ("Calibration Profile is not defined",),
        quiet=True,
    ),
    Entry(
        "int8-flag-missing",
        "error",
        "8.0 to 10",
        "The network asks for INT8 and the builder was not allowed to use it",
        (
            "INT8 mode needs to be enabled for networks with",
            "but int8 is not configured in the builder",
            "INT8 data type constraint is set on input <tensor>, but INT8 data-type is not enabled",
        ),
    ),
    Entry(
        "fp8-flag-missing",
        "error",
        "8.6 to 10",
        "The network asks for FP8 and the builder was not allowed to use it",
        ("FP8 mode needs to be enabled for networks with",),
    ),
    Entry(
        "int8-with-fp8",
        "error",
        "8.6 and later",
        "INT8 and FP8 cannot be mixed in this build",
        (
            "INT8 mode and FP8 mode aren't allowed to be enabled together",
            "INT8 and FP8 mixed precision is allowed only",
        ),
    ),
    Entry(
        "range-with-qdq",
        "error",
        "8.0 to 10",
        "Dynamic ranges were set on a network with Q/DQ layers",
        ("Setting dynamic range is only allowed when there are no Q/DQ layers",),
    ),
    Entry(
        "zero-point-nonzero",
        "error",
        "8 and later (ONNX parser)",
        "A Q/DQ node has a zero point other than 0",
        (
            "TensorRT only supports symmetric quantization",
            "only zero shifts values for Qua",
            "`zero_point` whose coefficients aren't all zeros",
        ),
    ),
    Entry(
        "qdq-not-fused",
        "info",
        "TensorRT-RTX 1.7",
        "INT8 is slower than FP16 on this GPU, so Q/DQ layers stay on their own",
        ("Q/DQ nodes will not be fused because INT8 is slower than FP16",),
        quiet=True,
    ),
)
