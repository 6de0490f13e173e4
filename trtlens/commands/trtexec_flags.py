"""Every flag of trtexec from 8.6 to 11.1, and what `trtlens profile` does with it.

Names and releases are those of `samples/common/sampleOptions.cpp` in NVIDIA/TensorRT; flags of its builder for safety and
of its tasks for several engines are not of this program.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SUPPORTED: Literal["supported"] = "supported"
NOTHING: Literal["nothing to do"] = "nothing to do"
REFUSED: Literal["refused"] = "refused"


@dataclass(frozen=True, slots=True)
class TrtexecFlag:
    """One flag: the releases that have it, what happens with it, and why where it has no effect here.

    `means` is the flag of trtlens with that meaning, where it has another name. A value in `allowed` is what trtlens does
    anyway, so that a flag that is refused otherwise needs nothing.
    """

    name: str
    releases: str
    happens: Literal["supported", "nothing to do", "refused"]
    reason: str = ""
    takes_value: bool = False
    means: str = ""
    allowed: tuple[str, ...] = ()


_SAFETY = "an engine for safety runtimes can be neither inspected nor timed here"
_ONE_BUILD = "trtlens builds once: give the flags of one build, and compare runs with trtlens compare"
_DUMP = "trtlens dump keeps the values of tensors"
_ACCURACY = "trtlens accuracy compares outputs with a reference"
_ONNX_ALONE = "UFF and Caffe models are gone since TensorRT 9: export the model to ONNX"

FLAGS = (
    TrtexecFlag("adjustForDLA", "10.16-11.1", SUPPORTED),
    TrtexecFlag("allowGPUFallback", "8.6-11.1", SUPPORTED),
    TrtexecFlag("allowWeightStreaming", "10.0-11.1", SUPPORTED),
    TrtexecFlag("avgTiming", "8.6-11.1", SUPPORTED, takes_value=True),
    TrtexecFlag("best", "8.6-10.16", SUPPORTED),
    TrtexecFlag("bf16", "9.3-10.16", SUPPORTED),
    TrtexecFlag("builderOptimizationLevel", "8.6-11.1", SUPPORTED, takes_value=True),
    TrtexecFlag("buildOnly", "8.6-9.3", SUPPORTED, means="skipInference"),
    TrtexecFlag("calib", "8.6-10.16", SUPPORTED, takes_value=True),
    TrtexecFlag("device", "8.6-11.1", SUPPORTED, takes_value=True),
    TrtexecFlag("directIO", "8.6-11.1", SUPPORTED),
    TrtexecFlag("distributiveIndependence", "10.12-11.1", SUPPORTED),
    TrtexecFlag("duration", "8.6-11.1", SUPPORTED, takes_value=True),
    TrtexecFlag("dynamicPlugins", "8.6-11.1", SUPPORTED, takes_value=True, means="plugins"),
    TrtexecFlag("enablePluginOverride", "10.15-11.1", SUPPORTED),
    TrtexecFlag("errorOnTimingCacheMiss", "9.3-11.1", SUPPORTED),
    TrtexecFlag("excludeLeanRuntime", "8.6-11.1", SUPPORTED),
    TrtexecFlag("exportLayerInfo", "8.6-11.1", SUPPORTED, takes_value=True),
    TrtexecFlag("exportProfile", "8.6-11.1", SUPPORTED, takes_value=True),
    TrtexecFlag("exportTimes", "8.6-11.1", SUPPORTED, takes_value=True),
    TrtexecFlag("fp16", "8.6-10.16", SUPPORTED),
    TrtexecFlag("fp8", "8.6-10.16", SUPPORTED),
    TrtexecFlag("hardwareCompatibilityLevel", "8.6-11.1", SUPPORTED, takes_value=True),
    TrtexecFlag("help", "8.6-11.1", SUPPORTED),
    TrtexecFlag("heuristic", "8.6-9.3", SUPPORTED),
    TrtexecFlag("inputIOFormats", "8.6-11.1", SUPPORTED, takes_value=True),
    TrtexecFlag("int4", "10.1-10.16", SUPPORTED),
    TrtexecFlag("int8", "8.6-10.16", SUPPORTED),
    TrtexecFlag("iterations", "8.6-11.1", SUPPORTED, takes_value=True),
    TrtexecFlag("l2LimitForTiling", "10.8-11.1", SUPPORTED, takes_value=True),
    TrtexecFlag("layerOutputTypes", "8.6-10.16", SUPPORTED, takes_value=True),
    TrtexecFlag("layerPrecisions", "8.6-10.16", SUPPORTED, takes_value=True),
    TrtexecFlag("loadEngine", "8.6-11.1", SUPPORTED, takes_value=True),
    TrtexecFlag("maxAuxStreams", "8.6-11.1", SUPPORTED, takes_value=True),
    TrtexecFlag("maxShapes", "8.6-11.1", SUPPORTED, takes_value=True),
    TrtexecFlag("maxTactics", "10.4-11.1", SUPPORTED, takes_value=True),
    TrtexecFlag("memPoolSize", "8.6-11.1", SUPPORTED, takes_value=True),
    TrtexecFlag("minShapes", "8.6-11.1", SUPPORTED, takes_value=True),
    TrtexecFlag("minTiming", "8.6-9.3", SUPPORTED, takes_value=True),
    TrtexecFlag("monitorMemory", "10.6-11.1", SUPPORTED),
    TrtexecFlag("noBuilderCache", "8.6-11.1", SUPPORTED),
    TrtexecFlag("noCompilationCache", "9.3-11.1", SUPPORTED),
    TrtexecFlag("noTF32", "8.6-11.1", SUPPORTED),
    TrtexecFlag("nvtxMode", "8.6-9.3", SUPPORTED, takes_value=True, means="profilingVerbosity"),
    TrtexecFlag("onnx", "8.6-11.1", SUPPORTED, takes_value=True),
    TrtexecFlag("optShapes", "8.6-11.1", SUPPORTED, takes_value=True),
    TrtexecFlag("outputIOFormats", "8.6-11.1", SUPPORTED, takes_value=True),
    TrtexecFlag("pi", "10.0-11.1", SUPPORTED, means="pluginInstanceNorm"),
    TrtexecFlag("pluginInstanceNorm", "10.0-11.1", SUPPORTED),
    TrtexecFlag("plugins", "8.6-11.1", SUPPORTED, takes_value=True),
    TrtexecFlag("precisionConstraints", "8.6-10.16", SUPPORTED, takes_value=True),
    TrtexecFlag("preview", "8.6-11.1", SUPPORTED, takes_value=True),
    TrtexecFlag("profilingVerbosity", "8.6-11.1", SUPPORTED, takes_value=True),
    TrtexecFlag("refit", "8.6-11.1", SUPPORTED),
    TrtexecFlag("reportCapabilityDLA", "10.16-11.1", SUPPORTED),
    TrtexecFlag("restricted", "8.6-10.16", SUPPORTED),
    TrtexecFlag("saveEngine", "8.6-11.1", SUPPORTED, takes_value=True),
    TrtexecFlag("setPluginsToSerialize", "8.6-11.1", SUPPORTED, takes_value=True),
    TrtexecFlag("shapes", "8.6-11.1", SUPPORTED, takes_value=True),
    TrtexecFlag("skipInference", "8.6-11.1", SUPPORTED),
    TrtexecFlag("sparsity", "8.6-11.1", SUPPORTED, takes_value=True),
    TrtexecFlag("staticPlugins", "8.6-11.1", SUPPORTED, takes_value=True, means="plugins"),
    TrtexecFlag("stronglyTyped", "9.3-11.1", SUPPORTED),
    TrtexecFlag("tacticSources", "8.6-11.1", SUPPORTED, takes_value=True),
    TrtexecFlag("tilingOptimizationLevel", "10.8-11.1", SUPPORTED, takes_value=True),
    TrtexecFlag("timingCacheFile", "8.6-11.1", SUPPORTED, takes_value=True),
    TrtexecFlag("uint8AsymmetricQuantizationDLA", "10.11-11.1", SUPPORTED),
    TrtexecFlag("useCudaGraph", "8.6-11.1", SUPPORTED),
    TrtexecFlag("useDLACore", "8.6-11.1", SUPPORTED, takes_value=True),
    TrtexecFlag("useProfile", "9.3-11.1", SUPPORTED, takes_value=True),
    TrtexecFlag("vc", "8.6-11.1", SUPPORTED, means="versionCompatible"),
    TrtexecFlag("versionCompatible", "8.6-11.1", SUPPORTED),
    TrtexecFlag("warmUp", "8.6-11.1", SUPPORTED, takes_value=True),
    TrtexecFlag("weightStreamingBudget", "10.0-11.1", SUPPORTED, takes_value=True),
    TrtexecFlag("workspace", "8.6-9.3", SUPPORTED, takes_value=True),
    TrtexecFlag("asyncFileReader", "10.7-11.1", NOTHING, "how the file is read changes nothing in the engine"),
    TrtexecFlag("avgRuns", "8.6-11.1", NOTHING, "every sample is kept, none are averaged", takes_value=True),
    TrtexecFlag("dumpLayerInfo", "8.6-11.1", NOTHING, "the layers are always kept: trtlens show layers RUN"),
    TrtexecFlag("dumpOptimizationProfile", "9.3-11.1", NOTHING, "the shapes are kept in run.json"),
    TrtexecFlag("dumpProfile", "8.6-11.1", NOTHING, "layers are always timed: trtlens show slowest RUN"),
    TrtexecFlag("explicitBatch", "8.6-9.3", NOTHING, "every network has explicit batches"),
    TrtexecFlag("explicitPrecision", "8.6-9.3", NOTHING, "trtexec 8.6 ignores it as well"),
    TrtexecFlag("exposeDMA", "8.6-11.1", NOTHING, "copies of inputs and outputs are not timed"),
    TrtexecFlag(
        "ignoreParsedPluginLibs",
        "8.6-11.1",
        NOTHING,
        "no plugin library is put into an engine but those of --setPluginsToSerialize",
    ),
    TrtexecFlag("nativeInstanceNorm", "9.3-9.3", NOTHING, "it is the default since TensorRT 10"),
    TrtexecFlag("ni", "9.3-9.3", NOTHING, "it is the default since TensorRT 10"),
    TrtexecFlag(
        "noCudaGraph", "11.0-11.1", NOTHING, "inferences run without a CUDA graph unless --useCudaGraph is given"
    ),
    TrtexecFlag("noDataTransfers", "8.6-11.1", NOTHING, "copies of inputs and outputs are never timed"),
    TrtexecFlag("noSpinWait", "11.0-11.1", NOTHING, "GPU times come from CUDA events, however the host waits"),
    TrtexecFlag("percentile", "8.6-11.1", NOTHING, "every sample is kept: trtlens show latency RUN", takes_value=True),
    TrtexecFlag("separateProfileRun", "8.6-11.1", NOTHING, "layers are always timed in a pass of their own"),
    TrtexecFlag("threads", "8.6-11.1", NOTHING, "there is one stream, and one thread that feeds it"),
    TrtexecFlag("useSpinWait", "8.6-11.1", NOTHING, "GPU times come from CUDA events, however the host waits"),
    TrtexecFlag("verbose", "8.6-11.1", NOTHING, "every build is logged verbosely"),
    TrtexecFlag("accuracyAlgorithm", "11.1-11.1", REFUSED, _ACCURACY, takes_value=True),
    TrtexecFlag("accuracyThreshold", "11.1-11.1", REFUSED, _ACCURACY, takes_value=True),
    TrtexecFlag(
        "allocationStrategy",
        "10.0-11.1",
        REFUSED,
        "memory is allocated for the largest shapes",
        takes_value=True,
        allowed=("static",),
    ),
    TrtexecFlag("atol", "11.1-11.1", REFUSED, _ACCURACY, takes_value=True),
    TrtexecFlag(
        "batch",
        "8.6-8.6",
        REFUSED,
        "an ONNX model has its batch in its shapes: give --shapes",
        takes_value=True,
        allowed=("1",),
    ),
    TrtexecFlag("buildDLAStandalone", "8.6-11.1", REFUSED, _SAFETY),
    TrtexecFlag(
        "calibProfile",
        "9.3-10.16",
        REFUSED,
        "there is one optimization profile, whose --optShapes calibration runs at",
        takes_value=True,
        allowed=("0",),
    ),
    TrtexecFlag("consistency", "8.6-11.1", REFUSED, _SAFETY),
    TrtexecFlag("continue", "11.1-11.1", REFUSED, _ONE_BUILD),
    TrtexecFlag("cpuOnly", "10.15-11.1", REFUSED, _SAFETY),
    TrtexecFlag(
        "decomposableAttentions", "10.14-11.1", REFUSED, "it is not passed on to the network", takes_value=True
    ),
    TrtexecFlag("deploy", "8.6-8.6", REFUSED, _ONNX_ALONE, takes_value=True),
    TrtexecFlag("dryRun", "11.1-11.1", REFUSED, _ONE_BUILD),
    TrtexecFlag("dumpKernelText", "10.13-11.1", REFUSED, _SAFETY),
    TrtexecFlag("dumpOutput", "8.6-11.1", REFUSED, _DUMP),
    TrtexecFlag("dumpRawBindingsToFile", "8.6-11.1", REFUSED, _DUMP),
    TrtexecFlag("dumpRefit", "8.6-11.1", REFUSED, "trtlens does not list weights that can be refitted"),
    TrtexecFlag("exportOutput", "8.6-11.1", REFUSED, _DUMP, takes_value=True),
    TrtexecFlag(
        "getPlanVersionOnly", "9.3-11.1", REFUSED, "trtlens loads the engine with the TensorRT that is installed"
    ),
    TrtexecFlag("helpBuildRoute", "11.1-11.1", REFUSED, _ONE_BUILD),
    TrtexecFlag("idleTime", "8.6-11.1", REFUSED, "inferences are timed back to back", takes_value=True, allowed=("0",)),
    TrtexecFlag("includeDataTransfers", "11.0-11.1", REFUSED, "copies of inputs and outputs are not timed"),
    TrtexecFlag(
        "infStreams", "8.6-11.1", REFUSED, "inferences are timed in one stream", takes_value=True, allowed=("1",)
    ),
    TrtexecFlag(
        "layerDeviceTypes",
        "8.6-11.1",
        REFUSED,
        "DLA takes whole networks here, with --useDLACore and --allowGPUFallback",
        takes_value=True,
    ),
    TrtexecFlag("leanDLLPath", "8.6-11.1", REFUSED, "engines run in the full runtime", takes_value=True),
    TrtexecFlag(
        "loadInputs",
        "8.6-11.1",
        REFUSED,
        "raw files state neither type nor shape: save arrays with numpy.savez(FILE.npz, name=array) and give --load-inputs FILE.npz",
        takes_value=True,
    ),
    TrtexecFlag("loadRefOutputs", "11.1-11.1", REFUSED, _ACCURACY, takes_value=True),
    TrtexecFlag("markDebug", "10.0-11.1", REFUSED, _DUMP, takes_value=True),
    TrtexecFlag("markUnfusedTensorsAsDebugTensors", "10.12-11.1", REFUSED, _DUMP),
    TrtexecFlag(
        "maxBatch",
        "8.6-8.6",
        REFUSED,
        "an ONNX model has its batch in its shapes: give --maxShapes",
        takes_value=True,
        allowed=("1",),
    ),
    TrtexecFlag("maxShapesCalib", "8.6-10.16", REFUSED, "calibration runs at --optShapes", takes_value=True),
    TrtexecFlag("minShapesCalib", "8.6-10.16", REFUSED, "calibration runs at --optShapes", takes_value=True),
    TrtexecFlag("model", "8.6-8.6", REFUSED, _ONNX_ALONE, takes_value=True),
    TrtexecFlag("optShapesCalib", "8.6-10.16", REFUSED, "calibration runs at --optShapes", takes_value=True),
    TrtexecFlag("output", "8.6-8.6", REFUSED, _ONNX_ALONE, takes_value=True),
    TrtexecFlag(
        "persistentCacheRatio", "8.6-11.1", REFUSED, "the L2 cache is left as it is", takes_value=True, allowed=("0",)
    ),
    TrtexecFlag(
        "profile",
        "9.3-11.1",
        REFUSED,
        "a build gets one optimization profile: build once for each range of shapes",
        takes_value=True,
        allowed=("0",),
    ),
    TrtexecFlag(
        "refitFromOnnx",
        "10.14-11.1",
        REFUSED,
        "the weights of an engine are not exchanged here: build from the ONNX model",
    ),
    TrtexecFlag("refPair", "11.1-11.1", REFUSED, _ACCURACY, takes_value=True),
    TrtexecFlag("remoteAutoTuningConfig", "10.13-11.1", REFUSED, _SAFETY, takes_value=True),
    TrtexecFlag("rtol", "11.1-11.1", REFUSED, _ACCURACY, takes_value=True),
    TrtexecFlag(
        "runtimePlatform",
        "10.2-11.1",
        REFUSED,
        "an engine for another platform cannot be timed",
        takes_value=True,
        allowed=("SameAsBuild",),
    ),
    TrtexecFlag("safe", "8.6-11.1", REFUSED, _SAFETY),
    TrtexecFlag("safetyPlugins", "10.13-11.1", REFUSED, _SAFETY, takes_value=True),
    TrtexecFlag("saveAllDebugTensors", "10.12-11.1", REFUSED, _DUMP, takes_value=True),
    TrtexecFlag("saveAllEngines", "11.1-11.1", REFUSED, _ONE_BUILD),
    TrtexecFlag("saveDebugTensors", "10.0-11.1", REFUSED, _DUMP, takes_value=True),
    TrtexecFlag("setBuildRoute", "11.1-11.1", REFUSED, _ONE_BUILD, takes_value=True),
    TrtexecFlag(
        "sleepTime", "8.6-11.1", REFUSED, "inferences are timed back to back", takes_value=True, allowed=("0",)
    ),
    TrtexecFlag("streams", "8.6-11.1", REFUSED, "inferences are timed in one stream", takes_value=True, allowed=("1",)),
    TrtexecFlag("stripAllWeights", "10.1-11.1", REFUSED, "an engine without its weights cannot be timed"),
    TrtexecFlag("stripWeights", "10.0-11.1", REFUSED, "an engine without its weights cannot be timed"),
    TrtexecFlag("tempdir", "8.6-11.1", REFUSED, "set the environment variable TMPDIR instead", takes_value=True),
    TrtexecFlag(
        "tempfileControls", "8.6-11.1", REFUSED, "TensorRT decides where its temporary files are", takes_value=True
    ),
    TrtexecFlag("timeDeserialize", "8.6-11.1", REFUSED, "only inferences are timed"),
    TrtexecFlag("timeRefit", "8.6-11.1", REFUSED, "only inferences are timed"),
    TrtexecFlag("tuneBuildRouteFile", "11.1-11.1", REFUSED, _ONE_BUILD, takes_value=True),
    TrtexecFlag("tuneBuildRoutes", "11.1-11.1", REFUSED, _ONE_BUILD, takes_value=True),
    TrtexecFlag("tuningCacheFile", "11.1-11.1", REFUSED, _ONE_BUILD, takes_value=True),
    TrtexecFlag("tuningResultFile", "11.1-11.1", REFUSED, _ONE_BUILD, takes_value=True),
    TrtexecFlag("tuningSearch", "11.1-11.1", REFUSED, _ONE_BUILD, takes_value=True),
    TrtexecFlag("tuningTimeOut", "11.1-11.1", REFUSED, _ONE_BUILD, takes_value=True),
    TrtexecFlag("uff", "8.6-8.6", REFUSED, _ONNX_ALONE, takes_value=True),
    TrtexecFlag("uffInput", "8.6-8.6", REFUSED, _ONNX_ALONE, takes_value=True),
    TrtexecFlag("uffNHWC", "8.6-8.6", REFUSED, _ONNX_ALONE),
    TrtexecFlag("useManagedMemory", "8.6-11.1", REFUSED, "inputs and outputs lie in device memory"),
    TrtexecFlag(
        "useRuntime", "8.6-11.1", REFUSED, "engines run in the full runtime", takes_value=True, allowed=("full",)
    ),
    TrtexecFlag("weightless", "9.3-10.16", REFUSED, "an engine without its weights cannot be timed"),
)
BY_NAME = {flag.name: flag for flag in FLAGS}
