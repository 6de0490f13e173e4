"""What the builder does to the network before tuning: ONNX nodes, fusions and other graph changes, passes.

Line forms of TensorRT 5.0 (fusions at INFO level, ``Eliminating contatenation`` sic) to 10.16.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from trtlens_parsers.records import AddedReformat, Fusion, Node, ParsedLayer, Pass

if TYPE_CHECKING:
    from trtlens_parsers.records import Handler
_SOURCE_FILE = re.compile(r"[\w./-]{1,120}\.cpp:\d{1,6}: ")
_PASS = re.compile(r"After (?P<name>.+): (?P<count>\d{1,9}) layers\s*$")
_FUSE = re.compile(r"(?:(?P<pass>\w{1,120}): )?(?P<verb>Fusing|fusing) (?P<what>.+)$")
_COPY = re.compile(r"Generating copy for (?P<source>.+?) to (?P<result>.+?)(?: because .*)?$")
_RETYPE = re.compile(r"(?:Swap the layer type|Convert layer type) of (?P<source>.+) from (?P<old>\w+) to (?P<new>\w+)")


class GraphReader:
    """Collects one build's nodes, fusions and passes; each method answers whether the line was the graph's."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.parsed_layers: list[ParsedLayer] = []
        self.fusions: list[Fusion] = []
        self.passes: list[Pass] = []
        self.added_reformats: list[AddedReformat] = []
        self._node: tuple[str, str, tuple[str, ...], int] | None = None

    @property
    def handlers(self) -> dict[str, Handler]:
        """The reader of each line, by how the line begins."""
        return {
            "After ": self.after, "Origin": self.original, "Fusing": self.fuse, "Mergin": self.merge,
            "Removi": self.change, "Elimin": self.change, "Genera": self.copy, "Retarg": self.retarget,
            "Regist": self.registered, "Swap t": self.retype, "Conver": self.retype, "Adding": self.added,
        }  # fmt: skip

    def finish(self) -> None:
        """Keep the node whose outputs line the log's end cut off."""
        if self._node is not None:
            name, op, inputs, line = self._node
            self.nodes.append(Node(name, op, inputs, None, line))
            self._node = None

    def node(self, text: str, line: int) -> bool:
        """``NAME [Op] inputs: [tensor -> (1, 3)[FLOAT]], ..`` and the ``outputs:`` line that follows it."""
        side = "inputs" if "] inputs: " in text else "outputs"
        head, found, operands = text.partition(f"] {side}: ")
        name, bracket, op = _without_file(head).rpartition(" [")
        if not found or not bracket:
            return False
        tensors = _read_operands(operands)
        if side == "inputs":
            self.finish()
            self._node = (name, op, tensors, line)
        elif self._node is not None and self._node[:2] == (name, op):
            self.nodes.append(Node(name, op, self._node[2], tensors, self._node[3]))
            self._node = None
        else:
            self.nodes.append(Node(name, op, None, tensors, line))
        return True

    def registered(self, text: str, line: int) -> bool:
        """``Registering layer: LAYER for ONNX node: NODE``."""
        layer, found, node = text.removeprefix("Registering layer: ").partition(" for ONNX node: ")
        if not found or not text.startswith("Registering layer: "):
            return False
        self.parsed_layers.append(ParsedLayer(layer, node.rstrip(), line))
        return True

    def after(self, text: str, line: int) -> bool:
        """``After NAME: N layers``."""
        match = _PASS.match(text)
        if match is None:
            return False
        self.passes.append(Pass(match["name"], int(match["count"]), line))
        return True

    def original(self, text: str, line: int) -> bool:
        """``Original: N layers``: the network before any pass."""
        match = re.match(r"Original: (\d{1,9}) layers", text)
        if match is None:
            return False
        self.passes.append(Pass("Original", int(match[1]), line))
        return True

    def fuse(self, text: str, line: int) -> bool:
        """``PASS: Fusing A with B``, ``PASS: fusing A into B``, 5.x ``Fusing A with B``."""
        match = _FUSE.match(text)
        if match is None:
            return False
        what = match["what"].rstrip()
        if match["verb"] == "Fusing":
            sources, result = _split_once(what, " with "), None
        else:
            parts = _split_once(what, " into ")
            sources = _split_once(parts[0].removeprefix("(").removesuffix(")"), " and ") + parts[1:]
            result = parts[1] if len(parts) > 1 else None
        self.fusions.append(Fusion("fused", match["pass"], sources, result, line))
        return True

    def merge(self, text: str, line: int) -> bool:
        """``Merging layers: A || B || C``: one layer that does the work of all."""
        if not text.startswith("Merging layers: "):
            return False
        result = text[16:].rstrip()
        self.fusions.append(Fusion("merged", None, tuple(result.split(" || ")), result, line))
        return True

    def change(self, text: str, line: int) -> bool:
        """``Removing X``, ``Eliminating concatenation X`` (``contatenation`` in 5.x)."""
        for start in ("Removing ", "Eliminating concatenation ", "Eliminating contatenation "):
            if text.startswith(start):
                self.fusions.append(Fusion("removed", None, (text[len(start) :].rstrip(),), None, line))
                return True
        return False

    def copy(self, text: str, line: int) -> bool:
        """``Generating copy for A to B because input is not movable.``."""
        match = _COPY.match(text)
        if match is None:
            return False
        self.fusions.append(Fusion("copied", None, (match["source"],), match["result"].rstrip(), line))
        return True

    def retarget(self, text: str, line: int) -> bool:
        """``Retargeting A to B``: a concatenation's input is written straight into its output."""
        source, found, result = text.removeprefix("Retargeting ").partition(" to ")
        if not found or not text.startswith("Retargeting "):
            return False
        self.fusions.append(Fusion("retargeted", None, (source,), result.rstrip(), line))
        return True

    def retype(self, text: str, line: int) -> bool:
        """``Swap the layer type of X from REDUCE to POOLING``, ``Convert layer type of ..``."""
        match = _RETYPE.match(text)
        if match is None:
            return False
        self.fusions.append(Fusion("retyped", None, (match["source"],), match["new"], line))
        return True

    def added(self, text: str, line: int) -> bool:
        """``Adding reformat layer: TENSOR (SOURCE) from Float(..) to Half(..)`` (8.0 on): strides on both sides."""
        body, found, after = text.rstrip().rpartition(" to ")
        body, also_found, before = body.rpartition(" from ")
        if not (found and also_found and text.startswith("Adding reformat layer: ")):
            return False
        tensor, source = _split_last_bracket(body[23:])
        self.added_reformats.append(AddedReformat(tensor, source, before, after, line))
        return True


def _without_file(text: str) -> str:
    """7.x puts ``ModelImporter.cpp:125: `` before what the parser says."""
    match = _SOURCE_FILE.match(text)
    return text[match.end() :] if match else text


def _read_operands(text: str) -> tuple[str, ...]:
    """Tensor names of ``[a -> (1, 3)[FLOAT]], [optional input, not set], ..``; an input that is not set is empty."""
    body = text.strip().removesuffix(",").removeprefix("[").removesuffix("]")
    return tuple(part.rpartition(" -> (")[0] for part in body.split("], [")) if body else ()


def _split_last_bracket(text: str) -> tuple[str, str]:
    """``A`` and ``B`` of ``A (B)``, where both may hold balanced brackets of their own."""
    depth = 0
    for position in range(len(text) - 1, -1, -1):
        depth += (text[position] == ")") - (text[position] == "(")
        if depth == 0:
            return text[:position].rstrip(), text[position + 1 : -1]
    return text, ""


def _split_once(text: str, word: str) -> tuple[str, ...]:
    """Both sides of ``word``; the whole text where it stands more than once, since no side is then certain."""
    return tuple(text.split(word)) if text.count(word) == 1 else (text,)
