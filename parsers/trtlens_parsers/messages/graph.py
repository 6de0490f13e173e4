"""What the builder does to the network before tuning: ONNX nodes, fusions and other graph changes, passes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from trtlens_parsers.line_forms import LineReader, line_form

if TYPE_CHECKING:
    from trtlens_parsers.records import Records

_SOURCE_FILE = re.compile(r"[\w./-]{1,120}\.cpp:\d{1,6}: ")


# -- ONNX nodes --------------------------------------------------------------------------------------------------------


class Node(NamedTuple):
    """One ONNX node as the parser read it; inputs or outputs are None where the log lacks the line that lists them.

    The shapes are as they are printed, ``(8, 3, 224, 224)[FLOAT]``, -1 for a dynamic extent; empty for an input that is not set.
    """

    name: str
    op: str
    inputs: tuple[str, ...] | None
    outputs: tuple[str, ...] | None
    line: int
    input_shapes: tuple[str, ...] | None = None
    output_shapes: tuple[str, ...] | None = None


class NodeReader(LineReader):
    """Joins the two lines of each ONNX node."""

    def __init__(self, records: Records) -> None:
        super().__init__(records)
        self._nodes = records.of(Node)
        self._open: dict[tuple[str, str], int | None] = {}
        """Places of the nodes whose outputs are not listed yet; None for a name and operator that two nodes had at once."""

    @line_form(
        Node,
        within=("] inputs: ", "] outputs: "),
        versions="8.0 to 11.1",
        examples=(
            "Conv_0 [Conv] inputs: [x -> (1, 3, 8, 8)[FLOAT]], [w -> (4, 3, 1, 1)[FLOAT]], ",
            "Conv_0 [Conv] outputs: [y -> (1, 4, 8, 8)[FLOAT]], ",
        ),
    )
    def node(self, text: str, line: int) -> bool:
        """``NAME [Op] inputs: [tensor -> (1, 3)[FLOAT]], ..`` and its ``outputs:`` line, behind those of the nodes inside it.

        Two nodes of one name and operator that both wait for their outputs are of two models that are parsed at once: which
        outputs are whose cannot be told.
        """
        side = "inputs" if "] inputs: " in text else "outputs"
        head, found, operands = text.partition(f"] {side}: ")
        name, bracket, op = _without_file(head).rpartition(" [")
        if not found or not bracket:
            return False
        tensors, shapes = _read_operands(operands)
        key = name, op
        if side == "inputs":
            self._open[key] = None if key in self._open else len(self._nodes)
            self._nodes.append(Node(name, op, tensors, None, line, shapes))
        elif (place := self._open.get(key)) is not None:
            self._nodes[place] = self._nodes[place]._replace(outputs=tensors, output_shapes=shapes)
            del self._open[key]
        else:
            self._nodes.append(Node(name, op, None, tensors, line, None, shapes))
        return True


def _without_file(text: str) -> str:
    """7.x puts ``ModelImporter.cpp:125: `` before what the parser says."""
    match = _SOURCE_FILE.match(text)
    return text[match.end() :] if match else text


def _read_operands(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names and shapes of ``[a -> (1, 3)[FLOAT]], [optional input, not set], ..``; both are empty for an input that is not set."""
    body = text.strip().removesuffix(",").removeprefix("[").removesuffix("]")
    parts = [part.rpartition(" -> (") for part in body.split("], [")] if body else []
    return tuple(name for name, _, _ in parts), tuple(_shape(text) if found else "" for _, found, text in parts)


def _shape(text: str) -> str:
    """The shape behind its bracket; splitting has cut the bracket of the type."""
    return f"({text}" if text.endswith("]") else f"({text}]"


class ParsedLayer(NamedTuple):
    """A layer that the parser put into the network for an ONNX node, or for an initializer."""

    layer: str
    node: str
    line: int


@line_form(
    ParsedLayer,
    "Registering layer: ",
    pattern=r"Registering layer: (?P<layer>.*?) for ONNX node: (?P<node>.*)",
    versions="8.0 to 10.16",
    examples=("Registering layer: Conv_0 for ONNX node: Conv_0",),
)
def read_parsed_layer(found: re.Match[str], line: int) -> ParsedLayer:
    """The layer and its node."""
    return ParsedLayer(found["layer"], found["node"].rstrip(), line)


# -- passes ------------------------------------------------------------------------------------------------------------


class Pass(NamedTuple):
    """One optimisation pass with the number of layers that it left."""

    name: str
    layers_after: int
    line: int


@line_form(
    Pass,
    "After ",
    pattern=r"After (?P<name>.+): (?P<count>\d{1,9}) layers\s*$",
    versions="5.1 to 10.16",
    examples=("After vertical fusions: 71 layers",),
)
def read_pass(found: re.Match[str], line: int) -> Pass:
    """A pass and what it left."""
    return Pass(found["name"], int(found["count"]), line)


@line_form(
    Pass,
    "Original: ",
    pattern=r"Original: (\d{1,9}) layers",
    versions="5.1 to 11.1",
    examples=("Original: 122 layers",),
)
def read_original(found: re.Match[str], line: int) -> Pass:
    """The network before any pass."""
    return Pass("Original", int(found[1]), line)


# -- changes of the graph ----------------------------------------------------------------------------------------------


class Fusion(NamedTuple):
    """One change that the builder reported to its graph; ``sources`` are the layers it took, ``result`` what came out."""

    kind: str  # fused, merged, removed, copied, retargeted, retyped
    pass_name: str | None
    sources: tuple[str, ...]
    result: str | None
    line: int


@line_form(
    Fusion,
    "Fusing ",
    within=(": Fusing ", ": fusing "),
    pattern=r"(?:(?P<pass>\w{1,120}): )?(?P<verb>Fusing|fusing) (?P<what>.+)$",
    versions="5.1 to 10.16",
    examples=(
        "Fusing conv1 with relu1",
        "ConvReluFusion: Fusing conv1 with relu1",
        "MatMulToConv: fusing (fc and b) into fc",
    ),
)
def read_fused(found: re.Match[str], line: int) -> Fusion:
    """``Fusing A with B``, ``fusing (A and B) into C``."""
    what = found["what"].rstrip()
    if found["verb"] == "Fusing":
        sources, result = _split_once(what, " with "), None
    else:
        parts = _split_once(what, " into ")
        sources = _split_once(parts[0].removeprefix("(").removesuffix(")"), " and ") + parts[1:]
        result = parts[1] if len(parts) > 1 else None
    return Fusion("fused", found["pass"], sources, result, line)


def _split_once(text: str, word: str) -> tuple[str, ...]:
    """Both sides of ``word``; the whole text where it stands more than once, since no side is then certain."""
    return tuple(text.split(word)) if text.count(word) == 1 else (text,)


@line_form(
    Fusion,
    "Merging layers: ",
    pattern=r"Merging layers: (?P<result>.*)",
    versions="5.1 to 8.5",
    examples=("Merging layers: conv1 || conv2 || conv3",),
)
def read_merged(found: re.Match[str], line: int) -> Fusion:
    """One layer that does the work of all."""
    result = found["result"].rstrip()
    return Fusion("merged", None, tuple(result.split(" || ")), result, line)


@line_form(
    Fusion,
    "Removing ",
    "Eliminating concatenation ",
    "Eliminating contatenation ",
    pattern=r"(?:Removing|Eliminating con[ct]atenation) (?P<source>.*)",
    versions="5.1 to 10.16; contatenation in 5.x",
    examples=("Removing drop1", "Eliminating concatenation concat1", "Eliminating contatenation concat1"),
)
def read_removed(found: re.Match[str], line: int) -> Fusion:
    """A layer that is gone."""
    return Fusion("removed", None, (found["source"].rstrip(),), None, line)


@line_form(
    Fusion,
    "Generating copy for ",
    pattern=r"Generating copy for (?P<source>.+?) to (?P<result>.+?)(?: because .*)?$",
    versions="5.1 to 10.9",
    examples=("Generating copy for x to concat1 because input is not movable.",),
)
def read_copied(found: re.Match[str], line: int) -> Fusion:
    """An input of a concatenation that cannot be written in place."""
    return Fusion("copied", None, (found["source"],), found["result"].rstrip(), line)


@line_form(
    Fusion,
    "Retargeting ",
    pattern=r"Retargeting (?P<source>.*?) to (?P<result>.*)",
    versions="5.1 to 10.9",
    examples=("Retargeting x to concat1",),
)
def read_retargeted(found: re.Match[str], line: int) -> Fusion:
    """A concatenation's input that is written straight into its output."""
    return Fusion("retargeted", None, (found["source"],), found["result"].rstrip(), line)


@line_form(
    Fusion,
    "Swap the layer type of ",
    "Convert layer type of ",
    pattern=r"(?:Swap the layer type|Convert layer type) of (?P<source>.+) from (?P<old>\w+) to (?P<new>\w+)",
    versions="8.0 to 10.16",
    examples=(
        "Swap the layer type of pool1 from REDUCE to POOLING",
        "Convert layer type of fc1 from CONVOLUTION to GEMM",
    ),
)
def read_retyped(found: re.Match[str], line: int) -> Fusion:
    """A layer that becomes one of another type."""
    return Fusion("retyped", None, (found["source"],), found["new"], line)


class AddedReformat(NamedTuple):
    """A reformat that the builder put before or behind a layer (``Adding reformat layer``), with strides on both sides."""

    tensor: str
    source: str
    input_format: str
    output_format: str
    line: int


@line_form(
    AddedReformat,
    "Adding reformat layer: ",
    pattern=r"Adding reformat layer: (?P<rest>.*)",
    versions="8.0 to 10.16",
    examples=("Adding reformat layer: Reformatted Input Tensor 0 to conv1 (x) from Float(8,4,2,1) to Half(8,4,2,1)",),
)
def read_added_reformat(found: re.Match[str], line: int) -> AddedReformat | None:
    """``TENSOR (SOURCE) from Float(..) to Half(..)``: strides on both sides."""
    body, has_output, output_format = found["rest"].rstrip().rpartition(" to ")
    body, has_input, input_format = body.rpartition(" from ")
    if not (has_output and has_input):
        return None
    tensor, source = _split_last_bracket(body)
    return AddedReformat(tensor, source, input_format, output_format, line)


def _split_last_bracket(text: str) -> tuple[str, str]:
    """``A`` and ``B`` of ``A (B)``, where both may hold balanced brackets of their own."""
    depth = 0
    for position in range(len(text) - 1, -1, -1):
        depth += (text[position] == ")") - (text[position] == "(")
        if depth == 0:
            return text[:position].rstrip(), text[position + 1 : -1]
    return text, ""
