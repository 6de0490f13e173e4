"""The message catalogue: what each line of a log means, in the wording of every TensorRT version."""

from __future__ import annotations

import lzma
import os
import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trtlens_parsers.meanings import MESSAGE_CODES, MESSAGE_SCREEN, Entry, classify

DOCS = Path(__file__).parent.parent / "docs" / "messages.md"
NAMES = (
    "conv1",
    "Conv_5 + PWN(LeakyRelu_6, Mul_7)",
    "Conv_7 || Conv_9",
    "{ForeignNode[fc.weight + (Unnamed Layer* 3) [Shuffle]...Gather_12]}",
    "(Unnamed Layer* 5) [Convolution]",
    "node_conv2d [Conv]",
    "/layer1/layer1.0/conv1/Conv + /layer1/layer1.0/relu/Relu",
    "model::block",
    "2-layer MLP: fc_1 + relu -> fc_2",
    "a\x1eb",
)
SLOT = re.compile(r"<(layer|tensor|\*)>")
TEMPLATES = [(entry, template) for entry in MESSAGE_CODES.values() for template in entry.templates]
FILLERS = {"*": "0x000000000000002a"}
UNTIED = {"tensorrt-error", "internal-assertion", "unsupported-op"}
"""Codes whose wording can stand beside an error prefix's own."""


def spell(template: str, name: str) -> str:
    """The message that ``template`` gives with ``name`` in all its named slots."""
    bare = template.removeprefix("^").removesuffix("$")
    return SLOT.sub(lambda slot: FILLERS.get(slot[1], name), bare)


def test_every_template_gives_its_code_and_its_names() -> None:
    """No entry hides another, and every kind of layer name comes out of a message as it went in."""
    for entry, template in TEMPLATES:
        slots = set(SLOT.findall(template))
        for name in NAMES:
            meaning, case = classify(spell(template, name)), (entry.code, template, name)
            assert meaning is not None, case
            assert (meaning.code, meaning.severity_hint) == (entry.code, entry.severity), case
            assert meaning.tensor == (name if "tensor" in slots else None), case
            assert "layer" not in slots or meaning.layer == name, case


def test_error_prefixes_do_not_hide_a_meaning() -> None:
    """A message has the same meaning and names behind the error prefixes of TensorRT 7, 8 and 10 as without them."""
    for template in [template for entry, template in TEMPLATES if entry.code not in UNTIED]:
        plain = classify(spell(template, "conv1"))
        for prefix in (
            "4: [network.cpp::validate::2917] Error Code 4: Internal Error (",
            "Error[3]: [engine.cpp::run::12] Error Code 3: Internal Error (",
            "IBuilder::buildSerializedNetwork: Error Code 4: Internal Error (",
            "../builder/tacticOptimizer.cpp (1715) - TRTInternal Error in computeCosts: 0 (",
            "ModelImporter.cpp:776: ",
            "UNSUPPORTED_STATE: ",
            "3: ",
        ):
            assert classify(prefix + spell(template, "conv1")) == plain, (prefix, template)


@pytest.mark.parametrize(
    ("text", "code", "layer", "tensor"),
    [
        # FP16 weights: 8.4 names the layer's weights, 8.5 and later count them
        (
            "Weights [name=Conv_5 + PWN(LeakyRelu_6).weight] had the following issues when converted to FP16:",
            "weights-conversion",
            "Conv_5 + PWN(LeakyRelu_6)",
            "Conv_5 + PWN(LeakyRelu_6).weight",
        ),
        (
            "Weights [name=/fc/Gemm.bias] had the following issues when converted to FP16:",
            "weights-conversion",
            "/fc/Gemm",
            "/fc/Gemm.bias",
        ),
        (
            "Weights [name=decoder.embedding.weight] had the following issues when converted to FP16:",
            "weights-conversion",
            None,
            "decoder.embedding.weight",
        ),
        (
            ("Weights [name=LSTM_29 + (Unnamed Layer* 79) [Shuffle]] had the following issues when converted to FP16:"),
            "weights-conversion",
            None,
            "LSTM_29 + (Unnamed Layer* 79) [Shuffle]",
        ),
        (" - Subnormal FP16 values detected. ", "fp16-subnormal-weights", None, None),
        (
            "- 24 weights are affected by this issue: Detected subnormal FP16 values.",
            "fp16-subnormal-weights",
            None,
            None,
        ),
        (
            (
                "- 2 weights are affected by this issue: Detected values less than smallest positive FP16 "
                "subnormal value and converted them to the FP16 minimum subnormalized value."
            ),
            "fp16-underflow-weights",
            None,
            None,
        ),
        (
            (
                "- 1 weights are affected by this issue: Detected finite FP32 values which would overflow "
                "in FP16 and converted them to the closest finite FP16 value."
            ),
            "fp16-overflow-weights",
            None,
            None,
        ),
        # precision constraints: 5, 7, 8.0, 8.6
        (
            "no implementation of conv1 + relu1 obeys the requested constraints, using a higher precision type",
            "strict-constraint-not-met",
            "conv1 + relu1",
            None,
        ),
        (
            (
                "No implementation of layer Conv_70[Conv] + Relu_71[Relu] obeys the requested constraints "
                "in strict mode. No conforming implementation was found"
            ),
            "strict-constraint-not-met",
            "Conv_70[Conv] + Relu_71[Relu]",
            None,
        ),
        (
            (
                "For layer {ForeignNode[conv...relu]} a non-conforming implementation was chosen than was "
                "requested i.e. requested layer computation precision"
            ),
            "precision-constraint-ignored",
            "{ForeignNode[conv...relu]}",
            None,
        ),
        # INT8
        (
            (
                "Missing scale and zero-point for tensor (Unnamed Layer* 78) [Convolution]_output, expect "
                "fall back to non-int8 implementation"
            ),
            "int8-missing-scale",
            None,
            "(Unnamed Layer* 78) [Convolution]_output",
        ),
        (
            "Missing dynamic range for tensor x, expect fall back to non-int8 implementation",
            "int8-missing-scale",
            None,
            "x",
        ),
        (
            (
                "Rejecting some int8 implementation of layer Conv_2 due to missing int8 scales for tensor "
                "427 at output index 0"
            ),
            "int8-implementation-rejected",
            "Conv_2",
            "427",
        ),
        (
            "Setting a default quantization params because quantization data is missing for ",
            "int8-default-scale",
            None,
            None,
        ),
        ("Setting dynamic range for onnx::Unsqueeze_0 to [-2,2]", "int8-range-set", None, "onnx::Unsqueeze_0"),
        (
            "Calibrator is not being used. Users must provide dynamic range for all tensors that are not Int32.",
            "calibrator-missing",
            None,
            None,
        ),
        # no kernel: 5, 7, 8.2, 8.5, 10
        (
            (
                "Internal error: could not find any implementation for node (Unnamed Layer* 1) [TopK], try "
                "increasing the workspace size with IBuilder::setMaxWorkspaceSize()"
            ),
            "no-implementation",
            "(Unnamed Layer* 1) [TopK]",
            None,
        ),
        (
            (
                "../builder/tacticOptimizer.cpp (1715) - TRTInternal Error in computeCosts: 0 (Could not "
                "find any implementation for node 2-layer MLP: fc1 + relu -> fc2.)"
            ),
            "no-implementation",
            "2-layer MLP: fc1 + relu -> fc2",
            None,
        ),
        (
            (
                "10: [optimizer.cpp::computeCosts::2011] Error Code 10: Internal Error (Could not find any "
                "implementation for node conv1.weight + Quantize_7 + Conv_9.)"
            ),
            "no-implementation",
            "conv1.weight + Quantize_7 + Conv_9",
            None,
        ),
        (
            (
                "10: [optimizer.cpp::computeCosts::3728] Error Code 10: Internal Error (Could not find any "
                "implementation for node X due to insufficient workspace. See verbose log for requested "
                "sizes.)"
            ),
            "no-implementation",
            "X",
            None,
        ),
        (
            (
                "IBuilder::buildSerializedNetwork: Error Code 10: Internal Error (Could not find any "
                "implementation for node {ForeignNode[/a/Add.../b/Mul]}. In computeCosts at "
                "optimizer/common/tactic/optimizer.cpp:4115)"
            ),
            "no-implementation",
            "{ForeignNode[/a/Add.../b/Mul]}",
            None,
        ),
        # memory
        (
            "Tactic Device request: 414MB Available: 216MB. Device memory is insufficient to use tactic.",
            "tactic-oom",
            None,
            None,
        ),
        (
            "Skipping tactic 3 due to oom error on requested size of 2100 detected for tactic 4.",
            "tactic-oom",
            None,
            None,
        ),
        (
            "Skipping tactic 0 due to insuficient memory on requested size of 117 detected for tactic 0.",
            "tactic-oom",
            None,
            None,
        ),
        ("Requested amount of GPU memory (8589934592 bytes) could not be allocated.", "out-of-memory", None, None),
        (
            (
                "Error[2]: [virtualMemoryBuffer.cpp::resizePhysical::144] Error Code 2: OutOfMemory (no "
                "further information)"
            ),
            "out-of-memory",
            None,
            None,
        ),
        (
            (
                "[0x56e8fc80]:4 :: weight scales in internalAllocate: at runtime/common/weightsPtr.cpp: "
                "102 idx: 256 time: 2e-08"
            ),
            "memory-dump",
            None,
            None,
        ),
        (
            ("[0]:85 :HybridGlobWriter in reserveMemory: at optimizer/common/globWriter.cpp: 438 idx: 29 time: 0.005"),
            "memory-dump",
            None,
            None,
        ),
        (
            (
                "Some tactics do not have sufficient workspace memory to run. Increasing workspace size "
                "may increase performance"
            ),
            "workspace-too-small",
            None,
            None,
        ),
        (" (# 1 (SHAPE encoder_hidden_states))", "myelin-dynamic-values", None, "encoder_hidden_states"),
        # timing cache
        (
            "Local timing cache in use. Profiling results in this builder pass will not be stored.",
            "timing-cache-not-stored",
            None,
            None,
        ),
        ("Loaded 3079078 bytes of timing cache from ./timing.cache", "timing-cache-loaded", None, None),
        (
            "Cache result detected as invalid for node: Conv_1 + Relu_2, LayerImpl: CaskConvolution",
            "timing-cache-entry-invalid",
            "Conv_1 + Relu_2",
            None,
        ),
        # runtime cache and DLA
        ("[Runtime Cache]: Deserializing 4096 bytes of JIT static shape cache.", "runtime-cache-loaded", None, None),
        ("[Runtime Cache]: Missing device fingerprint; rejecting cache.", "runtime-cache-rejected", None, None),
        ("[Runtime Cache]: Serializing runtime cache. ", "runtime-cache-saved", None, None),
        (
            "[Runtime Cache]: Failed to capture the device fingerprint; cannot serialize runtime cache. This can happen.",
            "runtime-cache-not-saved",
            None,
            None,
        ),
        ("/n/Concat: DLA only supports concatenation on the C dimension.", "dla-unsupported", "/n/Concat", None),
        ("Splitting DLA subgraph at: /n/R because DLA validation failed for this layer.", "dla-split", "/n/R", None),
        ("DLA supports only 8 subgraphs per DLA core. Switching to GPU for layer c_1", "dla-fallback", "c_1", None),
        # engines at run time
        (
            (
                "6: The engine plan file is not compatible with this version of TensorRT, expecting "
                "library version 8.5.2.2 got 8.5.0.12, please rebuild."
            ),
            "engine-version-mismatch",
            None,
            None,
        ),
        (
            (
                "1: [runtime.cpp::parsePlan::314] Error Code 1: Serialization (Serialization assertion "
                "plan->header.magicTag == rt::kPLAN_MAGIC_TAG failed.)"
            ),
            "engine-file-invalid",
            None,
            None,
        ),
        (
            (
                "3: [executionContext.cpp::setInputShape::2288] Error Code 3: API Usage Error (Parameter "
                "check failed at: runtime/api/executionContext.cpp::setInputShape::2288, condition: "
                "satisfyProfile Runtime dimension does not satisfy any optimization profile.)"
            ),
            "shape-out-of-profile",
            None,
            None,
        ),
        (
            (
                "IExecutionContext::setInputShape: Error Code 3: API Usage Error (Parameter check failed, "
                "condition: satisfyProfile. Set dimension [9,3] for tensor images does not satisfy any "
                "optimization profiles.)"
            ),
            "shape-out-of-profile",
            None,
            "images",
        ),
        (
            (
                "IExecutionContext::enqueueV3: Error Code 3: API Usage Error (Parameter check failed, "
                "condition: x. Address is not set for input tensor images. Call setInputTensorAddress or "
                "setTensorAddress before enqueue/execute.)"
            ),
            "tensor-address-missing",
            None,
            "images",
        ),
        # network and parser
        (
            (
                "onnx2trt_utils.cpp:375: Your ONNX model has been generated with INT64 weights, while "
                "TensorRT does not natively support INT64. Attempting to cast down to INT32."
            ),
            "int64-weights",
            None,
            None,
        ),
        ("ModelImporter.cpp:804: Make sure output labels has Int64 binding.", "int64-binding", None, "labels"),
        (
            'parsers/onnx/ModelImporter.cpp:780: While parsing node number 13 [Pad -> "output"]:',
            "onnx-node-failed",
            None,
            "output",
        ),
        (
            (
                "Error[4]: In node 7 with name: /a/Foo and operator: Foo (importFallbackPluginImporter): "
                "UNSUPPORTED_NODE: x"
            ),
            "unsupported-op",
            "/a/Foo",
            None,
        ),
        (
            (
                "In node 0 (importFallbackPluginImporter): UNSUPPORTED_NODE: Assertion failed: creator && "
                '"Plugin not found, are the plugin name, version, and namespace correct?"'
            ),
            "plugin-not-found",
            None,
            None,
        ),
        (
            "4: (Unnamed Layer* 0) [Convolution]: count of 32 weights in bias, but number of output maps is 64",
            "layer-weights-invalid",
            "(Unnamed Layer* 0) [Convolution]",
            None,
        ),
        (
            "Error[3]: onnx::QuantizeLinear_429: invalid weights type of Int8",
            "layer-weights-invalid",
            "onnx::QuantizeLinear_429",
            None,
        ),
        (
            (
                "4: [network.cpp::validate::2871] Error Code 4: Internal Error (Layer (Unnamed Layer* 0) "
                "[Convolution] failed validation)"
            ),
            "layer-validation-failed",
            "(Unnamed Layer* 0) [Convolution]",
            None,
        ),
        (
            (
                "[shuffleNode.cpp::symbolicExecute::387] Error Code 4: Internal Error (Reshape_3: "
                "IShuffleLayer applied to shape tensor must have 0 or 1 reshape dimensions: dimensions "
                "were [-1,2])"
            ),
            "shape-tensor-unsupported",
            "Reshape_3",
            None,
        ),
        (
            (
                "4: [network.cpp::validate::3008] Error Code 4: Internal Error (images: dynamic input is "
                "missing dimensions in profile 0.)"
            ),
            "profile-incomplete",
            None,
            "images",
        ),
        (
            (
                "Error[9]: [pluginV2Builder.cpp::reportPluginError::23] Error Code 9: Internal Error "
                "(/Rebatch: could not find any supported formats consistent with input/output data types)"
            ),
            "plugin-formats",
            "/Rebatch",
            None,
        ),
        (
            ("[RemoveDeadLayers] Input Tensor mask is unused or used only at compile-time, but is not being removed."),
            "input-unused",
            None,
            "mask",
        ),
        (
            "Shape missing for input with dynamic shape: xAutomatically setting shape to: 1x1x28x28",
            "shapes-not-given",
            None,
            "x",
        ),
        # trtexec, environment
        (
            "* GPU compute time is unstable, with coefficient of variance = 1.99541%.",
            "unstable-gpu-compute-time",
            None,
            None,
        ),
        ("TensorRT was linked against cuDNN 8.4.1 but loaded cuDNN 8.3.2", "cudnn-version-mismatch", None, None),
        (
            "TensorRT was linked against cuBLAS/cuBLAS LT 11.6.1 but loaded cuBLAS/cuBLAS LT 11.5.1",
            "cublas-version-mismatch",
            None,
            None,
        ),
        (
            "Layer '/model.24/Pow' (ELEMENTWISE): Unsupported on DLA. Switching this layer's device type to GPU.",
            "dla-fallback",
            "/model.24/Pow",
            None,
        ),
        ("1: [softMaxV2Runner.cpp::execute::226] Error Code 1: Cask (shader run failed)", "cuda-error", None, None),
        (
            "1: [defaultAllocator.cpp::allocate::20] Error Code 1: Cuda Runtime (out of memory)",
            "out-of-memory",
            None,
            None,
        ),
        (
            (
                "1: [cudaResources.cpp::~ScopedCudaStream::47] Error Code 1: Cuda Runtime (an illegal "
                "memory access was encountered)"
            ),
            "cuda-error",
            None,
            None,
        ),
        (
            (
                "2: [builder.cpp::buildSerializedNetwork::743] Error Code 2: Internal Error (Assertion "
                "engine != nullptr failed. )"
            ),
            "build-failed",
            None,
            None,
        ),
        (
            "2: [x.cpp::y::1] Error Code 2: Internal Error (Assertion scales.size() == 1 failed. )",
            "internal-assertion",
            None,
            None,
        ),
        (
            "9: [graph.cpp::computeInputExecutionUses::555] Error Code 9: Internal Error (odd)",
            "tensorrt-error",
            None,
            None,
        ),
    ],
)
def test_known_lines(text: str, code: str, layer: str | None, tensor: str | None) -> None:
    """Lines as TensorRT 5 to 11 print them get their code, and the layer and tensor that they name."""
    meaning = classify(text)
    assert meaning is not None
    assert (meaning.code, meaning.layer, meaning.tensor) == (code, layer, tensor)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "Engine generation completed in 3 seconds.",
        "Tactic: 0x5deb29b7a8e275f7 Time: 0.05",
        "\n\n",
        "Layer",
        "1: ",
    ],
)
def test_ordinary_lines_have_no_meaning(text: str) -> None:
    """What carries no warning gets no code."""
    assert classify(text) is None


def test_a_multi_line_message_keeps_its_meaning() -> None:
    """Continuation lines neither change a code nor end up in a name."""
    first = "Error[9]: Error Code: 9: Skipping tactic 0x0000000000000000 due to exception [::0]"
    meaning = classify(f"{first}\n\nError during shape inference of\n/PRelu_6 = lt(a, b)")
    assert meaning is not None
    assert meaning.code == "tactic-exception"
    cut = classify("For layer conv\n1 a non-conforming implementation was chosen than was requested")
    assert cut is not None
    assert cut.layer is None


@pytest.mark.parametrize("entry", [e for e in MESSAGE_CODES.values() if e.below_warning], ids=lambda e: e.code)
def test_the_screen_lets_quiet_meanings_pass(entry: Entry) -> None:
    """Every INFO or VERBOSE wording that begins with fixed words passes the screen."""
    heads = [spell(t, "conv1") for t in entry.templates if not t.startswith(("^<", "<"))]
    assert heads
    assert all(MESSAGE_SCREEN.match(text) for text in heads)


@pytest.mark.parametrize(
    "text",
    [
        "Tactic: 0x5deb29b7a8e275f7 Time: 0.0521752",
        "Layer(CaskConvolution): conv1, Tactic: 0x00000000000003ea, a (Float[1,2]) -> b (Float[1,2])",
        "/conv1/Conv [Conv] outputs: [/conv1/Conv_output_0 -> (1, 32, 320, 320)[FLOAT]], ",
        "*************** Autotuning format combination: Float(784,784,28,1) -> Float(784,784,28,1) ***************",
        "Average on 10 runs - GPU latency: 0.07 ms - Host latency: 0.2 ms (enqueue 0.003 ms)",
    ],
)
def test_the_screen_rejects_ordinary_lines_quickly(text: str) -> None:
    """The bulk of a verbose log is turned away, in well under three microseconds a line."""
    assert not MESSAGE_SCREEN.match(text)
    start = time.perf_counter()
    for _ in range(20_000):
        MESSAGE_SCREEN.match(text)
    assert time.perf_counter() - start < 20_000 * 3e-6


@given(st.text(max_size=300))
def test_any_text_is_classified_without_an_exception(text: str) -> None:
    """Whatever the text, the answer is None or a known code with names that stand in the text."""
    meaning = classify(text)
    if meaning is not None:
        assert meaning.code in MESSAGE_CODES
        assert meaning.layer is None or meaning.layer in text
        assert meaning.tensor is None or meaning.tensor in text


@given(st.lists(st.sampled_from([part for _, t in TEMPLATES for part in SLOT.split(t)] + list(NAMES)), max_size=12))
def test_scrambled_messages_raise_nothing(parts: list[str]) -> None:
    """Pieces of real messages in any order give None or a known code."""
    meaning = classify("".join(parts))
    assert meaning is None or meaning.code in MESSAGE_CODES


REPEATED = (
    "a",
    " ",
    "\n",
    "(",
    "[",
    "0",
    ":",
    ".",
    "\x1e",
    "é",
    "1: ",
    "[a]: (",
    "Error Code 10: ",
    "For layer ",
    "A_A: ",
    "Could not find any implementation for node ",
    "Weights [name=",
    "In node ",
    "Input tensor: ",
    "Skipping tactic ",
)


@pytest.mark.parametrize("unit", REPEATED)
def test_two_megabytes_take_less_than_a_second(unit: str) -> None:
    """No text can make the search slow."""
    text = unit * (2_000_000 // len(unit))
    start = time.perf_counter()
    classify(text)
    MESSAGE_SCREEN.match(text)
    assert time.perf_counter() - start < 1


def test_codes_are_slugs_and_stand_once() -> None:
    """Codes can be used in file names and URLs, and no two entries share one or a template."""
    templates = [template for entry in MESSAGE_CODES.values() for template in entry.templates]
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", code) for code in MESSAGE_CODES)
    assert all(code == entry.code for code, entry in MESSAGE_CODES.items())
    assert len(templates) == len(set(templates))


def test_every_code_is_documented() -> None:
    """docs/messages.md has one section a code, with the catalogue's title, severity and versions, and no other."""
    sections = re.findall(r"^### `([a-z0-9-]+)`\n\n(.+)\.\n\n\*(\w+); (.+)\*\n\n(?=\S)", DOCS.read_text(), re.MULTILINE)
    documented = {code: (title, severity, versions) for code, title, severity, versions in sections}
    assert len(sections) == len(documented) == DOCS.read_text().count("\n### ")
    assert documented == {code: (e.title, e.severity, e.versions) for code, e in MESSAGE_CODES.items()}


CORPUS = os.environ.get("TRTLENS_CORPUS", "")
STAMP = r"(?:\[\d\d/\d\d/\d{4}-\d\d:\d\d:\d\d\] )*"
ALARM = re.compile(STAMP + r"(?:\[[WE]\] \[TRT\]|\[TRT\] \[[WE]\]|\[TensorRT\] (?:WARNING|ERROR):) (.*)")


@pytest.mark.skipif(not CORPUS, reason="TRTLENS_CORPUS does not name a folder of *.log.xz")
def test_warnings_and_errors_of_real_logs_have_a_code() -> None:
    """Of the library's own warnings and errors in real logs, at most one in two hundred has no known meaning."""
    known = unknown = 0
    for path in sorted(Path(CORPUS).glob("*.log.xz")):
        text = lzma.decompress(path.read_bytes()).decode(errors="replace")
        alarms = [ALARM.match(line) for line in text.replace("\r", "").split("\n")]
        meanings = [classify(alarm[1]) for alarm in alarms if alarm is not None]
        known += sum(meaning is not None for meaning in meanings)
        unknown += sum(meaning is None for meaning in meanings)
    assert known > 1000
    assert unknown <= known / 200
