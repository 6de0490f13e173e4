"""The network side of the double: an ONNX model as layers and tensors, named and typed as the parser does it."""

# ruff: noqa: D101, D102  (the members are those of TensorRT, which documents them)

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.doubles.tensorrt_players import Dims, Player, Severities

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_OPERATORS = {
    "Conv": "CONVOLUTION",
    "Relu": "ACTIVATION",
    "MaxPool": "POOLING",
    "GlobalAveragePool": "POOLING",
    "MatMul": "MATRIX_MULTIPLY",
    "Gemm": "MATRIX_MULTIPLY",
    "Softmax": "SOFTMAX",
    "QuantizeLinear": "QUANTIZE",
    "DequantizeLinear": "DEQUANTIZE",
    "Cast": "CAST",
    "Shape": "SHAPE",
}
_TYPES = {1: "FLOAT", 10: "HALF", 16: "BF16", 3: "INT8", 6: "INT32", 7: "INT64", 9: "BOOL"}
_FLOATING = (1, 10, 16)


class ITensor(Player):
    def __init__(self, name: str, shape: Sequence[int], dtype: Any, axes: Sequence[str] = ()) -> None:
        self.name, self.shape, self.dtype = name, Dims(shape), dtype
        self._axes = axes
        self.allowed_formats = 1
        self.is_shape_tensor = name.startswith("shape_")
        self._range: tuple[float, float] | None = None

    def get_dimension_name(self, index: int) -> str | None:
        return self._axes[index] or None

    @property
    def dynamic_range(self) -> tuple[float, float] | None:
        return self._range

    def set_dynamic_range(self, minimum: float, maximum: float) -> bool:
        self._range = (minimum, maximum)
        self._script.note("set_dynamic_range", (self.name, minimum, maximum))
        return True


class ILayer(Player):
    def __init__(self, node: Any, tensors: dict[str, Any], dtype: Any) -> None:
        self.name, self.metadata = node.name, f"[ONNX Layer: {node.name}]"
        self.type = getattr(self._trt.LayerType, _OPERATORS.get(node.op_type, "ELEMENTWISE"))
        self._inputs = [tensors[name] for name in node.input if name in tensors]
        self._outputs = [tensors.setdefault(name, self._trt.ITensor(name, (-1,), dtype)) for name in node.output]
        self.num_inputs, self.num_outputs = len(self._inputs), len(self._outputs)
        self._precision: Any = None

    def get_input(self, index: int) -> Any:
        return self._inputs[index]

    def get_output(self, index: int) -> Any:
        return self._outputs[index]

    def set_output_type(self, index: int, dtype: Any) -> None:
        self._script.note("set_output_type", (self.name, index, dtype.name))

    @property
    def precision(self) -> Any:
        return self._precision

    @precision.setter
    def precision(self, dtype: Any) -> None:
        self._precision = dtype
        self._script.note("precision", (self.name, dtype.name))


class INetworkDefinition(Player):
    def __init__(self, flags: int) -> None:
        self._flags = flags
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []
        self._layers: list[Any] = []
        self._debug: list[str] = []
        self._unfused = False
        self._model = ""
        self.num_inputs = self.num_outputs = self.num_layers = 0

    def get_flag(self, flag: Any) -> bool:
        return bool(self._flags >> int(flag) & 1)

    def get_input(self, index: int) -> Any:
        return self._inputs[index]

    def get_output(self, index: int) -> Any:
        return self._outputs[index]

    def get_layer(self, index: int) -> Any:
        return self._layers[index]

    def mark_output(self, tensor: Any) -> None:
        self._outputs.append(tensor)
        self.num_outputs = len(self._outputs)
        self._script.note("mark_output", tensor.name)

    def mark_debug(self, tensor: Any) -> bool:
        self._debug.append(tensor.name)
        return not self._script.saw("refuse debug")

    def mark_unfused_tensors_as_debug_tensors(self) -> bool:
        self._unfused = True
        return True

    def _is_strongly_typed(self) -> bool:
        flag = getattr(self._trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
        has_precision_flags = hasattr(self._trt.BuilderFlag, "FP16")
        return not has_precision_flags or (flag is not None and self.get_flag(flag))

    def _read(self, model: Any, say: Callable[[Any, str], None]) -> None:
        tensors: dict[str, Any] = {}
        weights = {tensor.name for tensor in model.graph.initializer}
        for info in model.graph.input:
            if info.name not in weights:
                tensors[info.name] = self._tensor(info)
                self._inputs.append(tensors[info.name])
        kinds = {tensor.data_type for tensor in model.graph.initializer if tensor.data_type in _FLOATING}
        dtype = getattr(self._trt.DataType, _TYPES[max(kinds, default=1)])
        for node in model.graph.node:
            say(Severities.VERBOSE, f"Parsing node: {node.name} [{node.op_type}]")
            self._layers.append(self._trt.ILayer(node, tensors, dtype))
        for name in self._script.saw("shape tensor"):
            tensors[name].is_shape_tensor = True
        self._outputs = [tensors[info.name] for info in model.graph.output]
        self.num_inputs, self.num_outputs = len(self._inputs), len(self._outputs)
        self.num_layers = len(self._layers)

    def _tensor(self, info: Any) -> Any:
        kind = info.type.tensor_type
        shape = [dim.dim_value if dim.HasField("dim_value") else -1 for dim in kind.shape.dim]
        axes = [dim.dim_param for dim in kind.shape.dim]
        return self._trt.ITensor(info.name, shape, getattr(self._trt.DataType, _TYPES[kind.elem_type]), axes)


class ParserError(Player):
    def desc(self) -> str:
        return "In node 0: unsupported operator"

    def node(self) -> int:
        return 0

    def node_name(self) -> str:
        return "broken"

    def node_operator(self) -> str:
        return "Custom"


class OnnxParser(Player):
    """Reads any model but one with an operator called Custom."""

    def __init__(self, network: Any, logger: Any) -> None:
        self._network, self._logger = network, logger
        self.num_errors = 0

    def set_flag(self, flag: Any) -> None:
        self._script.note("parser.set_flag", flag.name)

    def clear_flag(self, flag: Any) -> None:
        self._script.note("parser.clear_flag", flag.name)

    def parse_from_file(self, model: str) -> bool:
        import onnx

        self._script.note("parse_from_file", model)
        self._network._model = model
        proto = onnx.load(model)
        if any(node.op_type == "Custom" for node in proto.graph.node):
            self.num_errors = 1
            return False
        self._network._read(proto, self._logger.log)
        return True

    def get_error(self, index: int) -> Any:
        assert index == 0
        return self._trt.ParserError()


PLAYERS = (ITensor, ILayer, INetworkDefinition, ParserError, OnnxParser)
