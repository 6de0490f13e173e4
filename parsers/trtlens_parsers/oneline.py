"""The grammar of one-line layer information, `Name: a, LayerType: T, Inputs: [ { Name: x, .. }], ..`, without meaning.

TensorRT prints it for engines of detailed profiling verbosity: trtexec `--dumpLayerInfo` (8.2 on), the verbose log
under `Layers:` (9 on), and the inspector's ONELINE form; TensorRT-RTX adds `Constants`, `Strides` and `I/O Tensors:`.
Nothing is quoted or escaped: a layer name may itself hold `, LayerType: y` (seen), commas, brackets and U+001E. What
delimits a name is therefore always the run of keys that TensorRT puts behind it, never a single character.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

TensorFields = list[tuple[str, str]]
Fields = list[tuple[str, str | list[TensorFields]]]
"""Keys with their text, in printed order; the value of a tensor list is one list of keys per tensor."""

TENSOR_LISTS = frozenset({"Inputs", "Outputs", "Constants"})

_TYPE = re.compile(r", LayerType: ([^,]*), Inputs: \[")
_KEY = re.compile(r", ([A-Za-z][\w/-]*):(?: |$)")
_NESTING = re.compile(r'[\[\]{}]|"[^"]*(?:"|$)')
_TENSOR_KEYS = r"Location|Dimensions|Strides|StrideOrder|Data[tT]ype|Format/Datatype|Format"
_TENSOR_KEY = re.compile(rf", ({_TENSOR_KEYS}): ")
_TENSOR_STOP = re.compile(rf", (?:{_TENSOR_KEYS}): | \}}(?=\]|, \{{ Name: )")
_PADDED_TACTIC = re.compile(r"0x[0-9a-fA-F]{16}")
_ANY_TACTIC = re.compile(r"0x(?:[0-9a-fA-F]{16}|0|[1-9a-fA-F][0-9a-fA-F]{0,14})")
_FIRST_TENSOR, _NEXT_TENSOR = " { Name: ", ", { Name: "
# A value nested deeper or longer than this was not printed by TensorRT.
_MOST_BRACKETS = 100_000

_IO_TENSOR = re.compile(
    r" ?Name: (?P<Name>.*), IOMode: (?P<IOMode>\w+), DataType: (?P<DataType>\w+), "
    r"Dimensions: (?P<Dimensions>\[[\w, -]*\]), Location: (?P<Location>\w+), "
    r"IsShapeInferenceIO: (?P<IsShapeInferenceIO>\w+), ProfileInfo: \[(?P<ProfileInfo>[^\n]*)\]",
)
_PROFILE = re.compile(r"\{ ([^{}]*)\}")
_PROFILE_KEY = re.compile(r"(MinShape|OptShape|MaxShape): (\[[\w, -]*\])|(Format): (.*)$")


def read_layer_fields(line: str) -> Fields | None:
    """Cut one detailed layer into its keys and values.

    Returns:
        None if the line is something else or ends inside a value: a line that was cut is not a shorter layer.
    """
    start = _TYPE.search(line)
    if not line.startswith("Name: ") or not start:
        return None
    inputs, position = _read_tensors(line, start.end())
    fields: Fields = [("Name", line[6 : start.start()]), ("LayerType", start[1])]
    if inputs is None:
        return None
    fields.append(("Inputs", inputs))
    while position < len(line):
        key = _KEY.match(line, position)
        if not key:
            return None
        value, position = _read_value(line, key[1], key.end())
        if value is None:
            return None
        fields.append((key[1], value))
    return fields if _is_whole(fields) else None


def _is_whole(fields: Fields) -> bool:
    """Whether the last key is one that TensorRT prints last (the tactic to 8.5, the metadata from 8.6 on), complete."""
    key, value = fields[-1]
    if not isinstance(value, str):
        return False
    if key == "TacticValue":
        # Versions that print a tensor's location also pad the tactic to 16 digits; 8.2 does neither.
        tensors = [tensor for _, listed in fields if not isinstance(listed, str) for tensor in listed]
        located = any(text_of(tensor, "Location") for tensor in tensors)
        return bool((_PADDED_TACTIC if located else _ANY_TACTIC).fullmatch(value))
    closing = {"[": "]", "{": "}"}.get(value[:1])
    return key == "Metadata" and (closing is None or value.endswith(closing))


def _read_value(line: str, key: str, position: int) -> tuple[str | list[TensorFields] | None, int]:
    if key in TENSOR_LISTS and line.startswith(("[ { Name: ", "[]"), position):
        return _read_tensors(line, position + 1)
    if key == "Metadata":  # names of ONNX nodes, unescaped: only the end of the line bounds them
        return line[position:], len(line)
    if line.startswith(("[", "{"), position):
        end = _nested_end(line, position)
        return (None, position) if end is None else (line[position:end], end)
    stop = _KEY.search(line, position)
    end = stop.start() if stop else len(line)
    return line[position:end], end


def _nested_end(line: str, position: int) -> int | None:
    """Position behind the bracket that closes the one at position; text in quotes does not count."""
    depth = 0
    for found in islice(_NESTING.finditer(line, position), _MOST_BRACKETS):
        if found[0] in "[{":
            depth += 1
        elif found[0] in "]}":
            depth -= 1
            if depth == 0:
                return found.end()
    return None


def _read_tensors(line: str, position: int) -> tuple[list[TensorFields] | None, int]:
    """Read ` { Name: a, Dimensions: [..], .. }, { .. }]` from behind the opening bracket; None where it breaks off."""
    tensors: list[TensorFields] = []
    if line.startswith("]", position):
        return tensors, position + 1
    opening = _FIRST_TENSOR
    while line.startswith(opening, position):
        name_at = position + len(opening)
        key = _TENSOR_KEY.search(line, name_at)
        if not key:
            break
        tensor: TensorFields = [("Name", line[name_at : key.start()])]
        end = _read_tensor_fields(line, key, tensor)
        if end is None:
            break
        tensors.append(tensor)
        position = end + 2  # " }"
        if line.startswith("]", position):
            return tensors, position + 1
        opening = _NEXT_TENSOR
    return None, position


def _read_tensor_fields(line: str, key: re.Match[str], into: TensorFields) -> int | None:
    """Read keys until the tensor's ` }`; its position, or None where the line ends before."""
    current: re.Match[str] | None = key
    while current:
        stop = _TENSOR_STOP.search(line, current.end())
        if not stop or any(current[1] == known for known, _ in into):  # a key twice: one is part of the name
            return None
        into.append((current[1], line[current.end() : stop.start()]))
        if stop[0] == " }":
            return stop.start()
        current = _TENSOR_KEY.match(line, stop.start())
    return None


def read_io_tensor_fields(line: str) -> Fields | None:
    """Cut one row of `I/O Tensors:` (TensorRT 11, TensorRT-RTX); ProfileInfo is one list of keys per profile."""
    match = _IO_TENSOR.fullmatch(line.rstrip(" "))
    if not match:
        return None
    fields: Fields = [(key, value) for key, value in match.groupdict().items() if key != "ProfileInfo"]
    profiles = [_profile_fields(found[1]) for found in _PROFILE.finditer(match["ProfileInfo"])]
    return [*fields, ("ProfileInfo", profiles)]


def _profile_fields(text: str) -> TensorFields:
    return [(found[1] or found[3], (found[2] or found[4]).rstrip(" ")) for found in _PROFILE_KEY.finditer(text)]


def text_of(fields: Sequence[tuple[str, object]], key: str) -> str | None:
    """Look a key up; None if it is absent or no plain text."""
    value = next((value for name, value in fields if name == key), None)
    return value if isinstance(value, str) else None
