"""A plan for other tools: flags of trtexec, a postprocess script of Polygraphy, and lines for the builder's Python API."""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING

from trtlens.runs.folders import GENERATOR

if TYPE_CHECKING:
    from trtlens_parsers.saved_plan import Plan

_UNWRITABLE = re.compile(r"[,:*\s]")
"""What trtexec takes for the end of a name, or for a pattern."""


def trtexec_flags(plan: Plan) -> tuple[list[str], list[str]]:
    """Flags for TensorRT 8 to 10, and the nodes whose names trtexec cannot take."""
    kept = plan.kept_nodes()
    odd = [name for name in kept if _UNWRITABLE.search(name)]
    named = [name for name in kept if name not in set(odd)]
    flags = [f"--{plan.low_type}"]
    if named:
        types = ",".join(f"{name}:fp32" for name in named)
        flags += ["--precisionConstraints=obey", f"--layerPrecisions={types}", f"--layerOutputTypes={types}"]
    return flags, odd


def trtexec_line(plan: Plan) -> str:
    """The flags as a shell takes them."""
    return shlex.join(trtexec_flags(plan)[0])


def polygraphy_script(plan: Plan) -> str:
    """A script for `polygraphy run --trt --trt-network-postprocess-script FILE --precision-constraints obey`."""
    return f'''"""{GENERATOR}, plan: keeps {len(plan.kept_nodes())} nodes in FP32.

polygraphy run MODEL --trt --{plan.low_type} --precision-constraints obey --trt-network-postprocess-script THIS_FILE
"""

import tensorrt as trt

{_constraints(plan)}

def postprocess(network):
    constrain(network)
'''


def builder_script(plan: Plan) -> str:
    """Lines for a program that builds with TensorRT's Python API."""
    return f'''"""{GENERATOR}, plan: keeps {len(plan.kept_nodes())} nodes in FP32. Call it between parsing and building."""

import tensorrt as trt

{_constraints(plan)}

def configure(network, config):
    """Set the flags and constraints of the plan; for TensorRT 8 to 10 and networks that are not strongly typed."""
    config.set_flag(trt.BuilderFlag.{"FP16" if plan.low_type == "fp16" else "BF16"})
    config.set_flag(trt.BuilderFlag.OBEY_PRECISION_CONSTRAINTS)
    constrain(network)
'''


def _constraints(plan: Plan) -> str:
    names = "".join(f"        {json.dumps(name)},\n" for name in plan.kept_nodes())
    return f'''KEEP_FP32 = frozenset(
    [
{names}    ]
)


def nodes_of(layer):
    """The ONNX nodes of a layer: its metadata names them from TensorRT 8.6 on."""
    parts = (getattr(layer, "metadata", "") or "").split("\\x1e")
    return [part[13:-1] for part in parts if part.startswith("[ONNX Layer: ")] or [layer.name]


def constrain(network):
    """Compute the kept nodes in FP32, and hand out FP32."""
    floating = (trt.DataType.FLOAT, trt.DataType.HALF)
    for index in range(network.num_layers):
        layer = network.get_layer(index)
        outputs = [layer.get_output(place) for place in range(layer.num_outputs)]
        if KEEP_FP32.isdisjoint(nodes_of(layer)) or not any(one.dtype in floating for one in outputs):
            continue
        if any(one.is_shape_tensor for one in outputs) or layer.type == trt.LayerType.CONSTANT:
            continue
        layer.precision = trt.DataType.FLOAT
        for place, one in enumerate(outputs):
            if one.dtype in floating:
                layer.set_output_type(place, trt.DataType.FLOAT)
'''
