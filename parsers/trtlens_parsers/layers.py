"""Engine layers, from every line that TensorRT prints for one.

Three forms: `Layer(TYPE): NAME, Tactic: ID, in.. -> out..` of the block `Engine Layer Information:` (7.x to 11.x), the
same as `Layer: NAME (TYPE), Tactic: ID, ..` (6.0), and detailed one-line information (8.2 on, see `oneline`). Tactic
ids are signed decimals up to 8.2 and hexadecimal later, the same 64 bits. Tensors are `x[Half(1,64,56,56)]` up to 8.4
and `x (Half[1,64:8,56,56])` from 8.5 on. Names hold `, `, ` + `, ` || `, ` -> `, brackets, blanks and U+001E, so a name
ends where a whole tensor stands behind it and never at a single character.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from trtlens_parsers.formats import (
    BRACKETED_TENSOR,
    PARENTHESISED_TENSOR,
    Dims,
    TensorFormat,
    read_dims,
    read_format,
    read_int,
    read_tensor,
)
from trtlens_parsers.messages.tactic_lines import read_tactic_id
from trtlens_parsers.oneline import read_layer_fields, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from trtlens_parsers.oneline import Fields, TensorFields

_HEAD = re.compile(r"Layer\(([^()]*)\): ")
_TACTIC = re.compile(r", Tactic: (0x[0-9a-fA-F]{1,16}|-?\d{1,20}),(?: |$)")
_BRACKETED = re.compile(rf" \(({BRACKETED_TENSOR})\)(?=, | -> |$)")
_PARENTHESISED = re.compile(rf"\[({PARENTHESISED_TENSOR})\](?=, | -> |$)")
_NESTING = re.compile(r"[()\[\]{}]|, ")
_LONGEST_NAME = 1 << 16
_MOST_TACTICS = 4
"""Places of one line that are tried as the end of the name: each takes the time of one pass over the line."""
_NODE = "[ONNX Layer: "
_NODE_BREAK = re.compile(r"(?<=\])[\x1e\x1f]?(?=\[ONNX Layer: )")
_OWN_FIELDS = frozenset({"Name", "LayerType", "TacticName", "TacticValue", "StreamId", "Origin", "Metadata"})


class TensorRecord(NamedTuple):
    """One input, output or constant of a layer.

    Attributes:
        name: the tensor's name in the engine.
        format: type and layout as far as the text shows them.
        dims: one size per axis, None where dynamic; None as a whole where no dimensions are printed.
        strides: in elements, outermost axis first; None where they are not printed.
        location: `Device` or `Host`; None where it is not printed.
    """

    name: str
    format: TensorFormat
    dims: Dims | None
    strides: Dims | None = None
    location: str | None = None


class LayerRecord(NamedTuple):
    """One layer of an engine.

    Attributes:
        name: the layer's name.
        type: TensorRT's layer type, or the kernel kind in 6.0 and 7.x; None where only names are printed.
        tactic_id: the tactic as an unsigned 64-bit number; None where it is not printed.
        tactic_name: the kernel's name; None where it is not printed or empty.
        inputs: tensors read, in printed order.
        outputs: tensors written.
        constants: tensors baked into the engine (TensorRT-RTX prints them).
        parameters: every other key with its text as the one-line form spells it, in printed order.
        metadata: names of the ONNX nodes that the layer came from; text of another shape stays in `parameters`.
        stream: index of the CUDA stream within the engine.
        origin: why a reformat exists (`REFORMAT`, `QDQ`, `CONCAT`, ...).
        detailed: the record comes from detailed layer information.
    """

    name: str
    type: str | None
    tactic_id: int | None = None
    tactic_name: str | None = None
    inputs: tuple[TensorRecord, ...] = ()
    outputs: tuple[TensorRecord, ...] = ()
    constants: tuple[TensorRecord, ...] = ()
    parameters: tuple[tuple[str, str], ...] = ()
    metadata: tuple[str, ...] = ()
    stream: int | None = None
    origin: str | None = None
    detailed: bool = False


def is_layer_line(line: str) -> bool:
    """Test cheaply whether a line, its log prefix removed, claims to be a layer; only `read_layer` is sure."""
    text = line.lstrip(" ")
    if text.startswith("Layer("):
        return True
    if text.startswith("Layer: "):
        return ", Tactic: " in text
    return text.startswith("Name: ") and ", LayerType: " in text


def read_layer(line: str) -> LayerRecord | None:
    """Read one layer line, its log prefix removed.

    Returns:
        None if the line is no layer, or is one that breaks off in the middle. A line cut exactly behind the arrow,
        between two outputs, or between two nodes of the metadata, looks whole and is read as it stands.
    """
    text = line.strip(" \r\n")
    if text.startswith("Name: "):
        fields = read_layer_fields(text)
        return layer_of_fields(fields) if fields else None
    head = _HEAD.match(text)
    if head:
        return _read_simple(text, head)
    return _read_oldest(text) if text.startswith("Layer: ") else None


def read_metadata(text: str) -> tuple[str, ...] | None:
    """Read `[ONNX Layer: a]<U+001E or U+001F>[ONNX Layer: b]` to node names; None for text of another shape.

    The separators may be missing: terminals swallow them.
    """
    body = text.strip(" ")
    if not body:
        return ()
    if not body.startswith(_NODE):
        return None
    items = _NODE_BREAK.split(body)
    if not all(item.startswith(_NODE) and item.endswith("]") for item in items):
        return None
    return tuple(item[len(_NODE) : -1] for item in items)


def layer_of_fields(fields: Fields) -> LayerRecord:
    """Give detailed layer information its meaning; the inspector's JSON and one-line texts meet here."""
    metadata = text_of(fields, "Metadata") or ""
    nodes = read_metadata(metadata)
    parameters = [(key, value) for key, value in fields if key not in _OWN_FIELDS and isinstance(value, str)]
    if nodes is None:
        parameters.append(("Metadata", metadata))
    lists = {key: value for key, value in fields if not isinstance(value, str)}
    return LayerRecord(
        name=text_of(fields, "Name") or "",
        type=text_of(fields, "LayerType"),
        tactic_id=read_tactic_id((text_of(fields, "TacticValue") or "").strip(" ")),
        tactic_name=text_of(fields, "TacticName") or None,
        inputs=_tensors(lists.get("Inputs")),
        outputs=_tensors(lists.get("Outputs")),
        constants=_tensors(lists.get("Constants")),
        parameters=tuple(parameters),
        metadata=nodes or (),
        stream=read_int(text_of(fields, "StreamId") or ""),
        origin=text_of(fields, "Origin"),
        detailed=True,
    )


def bracketed_dims(text: str | None) -> Dims | None:
    """Read `[1,3,-1]`; None if there is no such text."""
    return read_dims(text[1:-1]) if text and text[0] == "[" and text[-1] == "]" else None


def _tensors(tensors: Sequence[TensorFields] | None) -> tuple[TensorRecord, ...]:
    return tuple(_tensor(fields) for fields in tensors or ())


def _tensor(fields: TensorFields) -> TensorRecord:
    dims = bracketed_dims(text_of(fields, "Dimensions"))
    sentence = text_of(fields, "Format/Datatype")
    datatype = None
    if sentence is None:
        sentence = text_of(fields, "Format") or ""
        datatype = text_of(fields, "Datatype") or text_of(fields, "DataType")
    return TensorRecord(
        name=text_of(fields, "Name") or "",
        format=read_format(sentence, datatype, None if dims is None else len(dims)),
        dims=dims,
        strides=bracketed_dims(text_of(fields, "Strides")),
        location=text_of(fields, "Location"),
    )


def _read_simple(text: str, head: re.Match[str]) -> LayerRecord | None:
    tactic = None
    for tactic in _tactics(text, head.end()):
        name = text[head.end() : tactic.start()]
        if record := _with_tensors(name, head[1], read_tactic_id(tactic[1]), text[tactic.end() :]):
            return record
    return _read_without_tactic(text, head) if tactic is None else None


def _tactics(text: str, start: int) -> Iterator[re.Match[str]]:
    """The tactics that may end the name, the last first, for a layer's name may hold the words.

    A tensor's never did; where it does, and what stands behind it is no list of tensors, the one before ends the name.
    """
    end, left = len(text), _MOST_TACTICS
    while left and (position := text.rfind(", Tactic: ", start, end)) >= 0:
        if match := _TACTIC.match(text, position):
            left -= 1
            yield match
        end = position


def _read_oldest(text: str) -> LayerRecord | None:
    """Read the form of 6.0, where the type stands in parentheses behind the name."""
    for tactic in _tactics(text, 0):
        name, opening, kind = text[len("Layer: ") : tactic.start()].rpartition(" (")
        if opening and kind.endswith(")"):
            record = _with_tensors(name, kind[:-1], read_tactic_id(tactic[1]), text[tactic.end() :])
            if record is not None:
                return record
    return None


def _read_without_tactic(text: str, head: re.Match[str]) -> LayerRecord | None:
    """Read `Layer(T): NAME, in.. -> out..`; None where a comma inside leaves open which one ends the name."""
    first = _pattern(text.removesuffix(" ->")).search(text, head.end())
    if not first or first.start() > _LONGEST_NAME:
        return None
    until_first = text[head.end() : first.start()]
    name, no_inputs, _ = until_first.partition(",  -> ")
    if no_inputs:
        return _with_tensors(name, head[1], None, text[head.end() + len(name) + 2 :])
    cuts, depth = [], 0
    for found in _NESTING.finditer(until_first):
        if found[0] == ", ":
            cuts += [found] if depth == 0 else []
        else:
            depth += 1 if found[0] in "([{" else -1
    if len(cuts) != 1:
        return None
    name = until_first[: cuts[0].start()]
    return _with_tensors(name, head[1], None, text[head.end() + cuts[0].end() :])


def _pattern(text: str) -> re.Pattern[str]:
    return _PARENTHESISED if text.endswith(")]") else _BRACKETED


def _with_tensors(name: str, kind: str, tactic_id: int | None, operands: str) -> LayerRecord | None:
    """Read `in.., in.. -> out..` and complete the record; None if the operands break off.

    Nothing stands behind the arrow of layers that write to the host or to nowhere (DeviceToShapeHost, TrainStation).
    """
    before, arrow, behind = operands.rstrip(" ").rpartition("->")
    if arrow and not behind and (not before or before[-1] == " "):
        lists = _read_operands(before.rstrip(" "))
        return LayerRecord(name, kind, tactic_id, None, tuple(lists[0])) if lists and len(lists) == 1 else None
    lists = _read_operands(operands)
    if lists is None or len(lists) != 2 or not lists[1]:
        return None
    return LayerRecord(name, kind, tactic_id, None, tuple(lists[0]), tuple(lists[1]))


def _read_operands(operands: str) -> list[list[TensorRecord]] | None:
    """Tensors before and behind each arrow; None where the text is not made of whole tensors."""
    tensors: list[TensorRecord] = []
    lists = [tensors]
    position = 0
    if operands.startswith((" -> ", "-> ")):
        tensors = []
        lists.append(tensors)
        position = operands.index("> ") + 2
    for found in _pattern(operands).finditer(operands, position):
        shaped = read_tensor(found[1])
        if shaped is None:
            return None
        tensors.append(TensorRecord(operands[position : found.start()], shaped.format, shaped.dims))
        position = found.end() + 2
        if operands.startswith(" -> ", found.end()):
            tensors = []
            lists.append(tensors)
            position = found.end() + 4
    return lists if position == len(operands) + 2 or not operands else None
