"""What IEngineInspector says about an engine: JSON of TensorRT 8.2 to 11 and of TensorRT-RTX, and its one-line text.

The JSON is `{"Layers": [..], "Bindings": [..]}` up to 10; 11 prints `I/O Tensors` and `Engine Metadata` for `Bindings`
and parts `Format/Datatype` into `Datatype` and `Format`. With ProfilingVerbosity.LAYER_NAMES_ONLY layers are strings.
Strings are printed raw: U+001E and U+001F stand in them, and metadata may hold bare quotes. Both shapes of output end
in the same records, so that an engine reads alike from `--exportLayerInfo`, `--dumpLayerInfo` and the log.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeGuard

from trtlens_parsers.data_types import read_dtype
from trtlens_parsers.errors import FormatError
from trtlens_parsers.formats import read_format
from trtlens_parsers.json_text import Members, parse_json
from trtlens_parsers.layers import LayerRecord, bracketed_dims, layer_of_fields, read_layer
from trtlens_parsers.oneline import TENSOR_LISTS, read_io_tensor_fields, text_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trtlens_parsers.formats import Dims, TensorFormat
    from trtlens_parsers.oneline import Fields, TensorFields

_SECTIONS = ("Layers:", "Bindings:", "I/O Tensors:", "Engine Metadata:")
_MOST_LAYERS = 1_000_000
_STRING_LINE = re.compile(r'^(,?[ \t]*"[^"\n]{1,64}": ")([^\n]*)("[ \t\r]{0,9},?)$', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ProfileRange:
    """Shapes that one optimisation profile allows for an input; an output has the format alone."""

    min_dims: Dims | None
    opt_dims: Dims | None
    max_dims: Dims | None
    format: TensorFormat | None


@dataclass(frozen=True, slots=True)
class IoTensorRecord:
    """An input or output of the engine (TensorRT 11, TensorRT-RTX).

    Attributes:
        mode: `Input` or `Output`.
        is_shape_inference: the tensor takes part in computing shapes.
    """

    name: str
    mode: str | None
    dtype: str | None
    dims: Dims | None
    location: str | None
    is_shape_inference: bool | None
    profiles: tuple[ProfileRange, ...]


@dataclass(frozen=True, slots=True)
class InspectorRecord:
    """An inspected engine.

    Attributes:
        layers: in execution order; a row that is printed twice in a row is one layer.
        bindings: names of inputs and outputs, `[profile 1]` included, up to TensorRT 10.
        io_tensors: the same with their types and shapes, from TensorRT 11 on.
        engine_metadata: keys and values of `Engine Metadata`.
        names_only: the engine was built without detailed profiling verbosity: layers have names and nothing else.
        unreadable: rows among the layers that cannot be read, as printed.
        unreadable_tensors: likewise among the inputs and outputs of the engine.
    """

    layers: tuple[LayerRecord, ...]
    bindings: tuple[str, ...]
    io_tensors: tuple[IoTensorRecord, ...]
    engine_metadata: tuple[tuple[str, str], ...]
    names_only: bool
    unreadable: tuple[str, ...]
    unreadable_tensors: tuple[str, ...] = ()


class _Number(str):
    """A JSON number in the spelling of its document."""

    __slots__ = ()


_Json = str | bool | list["_Json"] | Members | None


def read_inspector(text: str) -> InspectorRecord:
    """Read the inspector's output in either shape.

    Raises:
        FormatError: it is neither, or was made with ProfilingVerbosity.NONE and is empty.
    """
    body = text.lstrip("\ufeff \t\r\n")
    if not body:
        raise FormatError("the layer information is empty: build the engine with ProfilingVerbosity.DETAILED")
    if body[0] == "{":
        try:
            return _from_json(_load(body))
        except RecursionError:
            raise FormatError("the layer information is nested too deeply to be TensorRT's") from None
    return _from_text(text)


def _load(text: str) -> _Json:
    try:
        return _parse(text)
    except FormatError as plain:
        try:  # TensorRT does not escape: a quote or backslash in a name or in metadata breaks the document
            return _parse(_STRING_LINE.sub(_escaped, text))
        except FormatError:
            raise plain from None


def _parse(text: str) -> _Json:
    loaded: _Json = parse_json(text, "layer information", members=Members, number=_Number, constant=_Number)
    return loaded


def _escaped(line: re.Match[str]) -> str:
    value = line[2].replace("\\", "\\\\").replace('"', '\\"')
    return f"{line[1]}{value}{line[3]}"


def _from_json(document: _Json) -> InspectorRecord:
    members = dict(document) if isinstance(document, Members) else {}
    rows = members.get("Layers")
    if not isinstance(rows, list):
        raise FormatError('the layer information has no list "Layers": it is not what IEngineInspector prints')
    _check_count(len(rows))
    layers: list[LayerRecord] = []
    unreadable: list[str] = []
    for row in rows:
        if _is_text(row):
            layers.append(LayerRecord(row, None))
        elif isinstance(row, Members) and isinstance(dict(row).get("Name"), str):
            _append(layers, layer_of_fields(_fields(row)))
        else:
            unreadable.append(_spell(row))
    bindings, tensors, metadata = (
        _rows(members, "Bindings"),
        _rows(members, "I/O Tensors"),
        members.get("Engine Metadata"),
    )
    odd = [
        *(name for name in bindings if not _is_text(name)),
        *(row for row in tensors if not isinstance(row, Members)),
    ]
    return InspectorRecord(
        layers=tuple(layers),
        bindings=tuple(name for name in bindings if _is_text(name)),
        io_tensors=tuple(_io_tensor(_fields(row)) for row in tensors if isinstance(row, Members)),
        engine_metadata=tuple((k, _spell(v)) for k, v in metadata) if isinstance(metadata, Members) else (),
        names_only=_names_only(layers),
        unreadable=tuple(unreadable),
        unreadable_tensors=tuple(map(_spell, odd)),
    )


def _is_text(value: _Json) -> TypeGuard[str]:
    return isinstance(value, str) and not isinstance(value, _Number)


def _check_count(layers: int) -> None:
    if layers > _MOST_LAYERS:
        raise FormatError(f"the layer information has {layers:,} layers, more than any engine: is it TensorRT's?")


def _rows(members: dict[str, _Json], key: str) -> list[_Json]:
    rows = members.get(key)
    return rows if isinstance(rows, list) else []


def _from_text(text: str) -> InspectorRecord:
    _check_count(text.count("\n"))
    rows: dict[str, list[str]] = {section: [] for section in _SECTIONS}
    section = None
    for line in text.split("\n"):
        row = line.rstrip("\r")
        heading = _heading(row) if row.endswith(":") else None
        if heading or (section is None and row.startswith("Name: ")):
            section = heading or "Layers:"
        if section and not heading and row.strip(" "):
            rows[section].append(row)
    if section is None:
        raise FormatError('the text is no layer information: neither a JSON object nor a line "Layers:"')
    detailed = any(row.startswith("Name: ") for row in rows["Layers:"])
    layers: list[LayerRecord] = []
    unreadable: list[str] = []
    for row in rows["Layers:"]:
        record = read_layer(row) if detailed else LayerRecord(row, None)
        if record is None:
            unreadable.append(row)
        else:
            _append(layers, record)
    io_fields = [(row, read_io_tensor_fields(row)) for row in rows["I/O Tensors:"]]
    metadata = (row.strip(" ").partition(": ") for row in rows["Engine Metadata:"])
    return InspectorRecord(
        layers=tuple(layers),
        bindings=tuple(rows["Bindings:"]),
        io_tensors=tuple(_io_tensor(fields) for _, fields in io_fields if fields),
        engine_metadata=tuple((key, value) for key, _, value in metadata),
        names_only=_names_only(layers),
        unreadable=tuple(unreadable),
        unreadable_tensors=tuple(row for row, fields in io_fields if not fields),
    )


def _heading(row: str) -> str | None:
    """Name the section that a line opens; trtexec puts its log prefix before the first one."""
    if row.startswith((" ", "Name: ")):
        return None
    return next((section for section in _SECTIONS if row.endswith(section)), None)


def _append(layers: list[LayerRecord], record: LayerRecord) -> None:
    """Keep a layer unless it repeats the row before it: two layers never write the same tensors."""
    if not (layers and record.outputs and record == layers[-1]):
        layers.append(record)


def _names_only(layers: Iterable[LayerRecord]) -> bool:
    kinds = {record.detailed for record in layers}
    return kinds == {False}


def _fields(members: Members) -> Fields:
    """Bring a JSON object into the shape of the one-line form."""
    fields: Fields = []
    for key, value in members:
        lists = key in TENSOR_LISTS or key == "ProfileInfo"
        if lists and isinstance(value, list) and all(isinstance(item, Members) for item in value):
            fields.append((key, [_plain(item) for item in value if isinstance(item, Members)]))
        else:
            fields.append((key, _spell(value)))
    return fields


def _plain(members: Members) -> TensorFields:
    return [(key, _spell(value)) for key, value in members]


def _spell(value: _Json, *, inside: bool = False) -> str:
    """Spell a JSON value as the one-line form does: `RELU`, `[1,1]`, `["a", "b"]`, `{"Type": "Half", "Count": 64}`."""
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, str):
        return f'"{value}"' if inside else value
    if isinstance(value, Members):
        return "{" + ", ".join(f'"{key}": {_spell(member, inside=True)}' for key, member in value) + "}"
    if isinstance(value, list):
        separator = "," if all(isinstance(item, _Number) for item in value) else ", "
        return "[" + separator.join(_spell(item, inside=True) for item in value) + "]"
    return "null" if value is None else str(value).lower()


def _io_tensor(fields: Fields) -> IoTensorRecord:
    profiles = next((value for key, value in fields if key == "ProfileInfo" and isinstance(value, list)), [])
    flag = text_of(fields, "IsShapeInferenceIO")
    return IoTensorRecord(
        name=text_of(fields, "Name") or "",
        mode=text_of(fields, "IOMode"),
        dtype=read_dtype(text_of(fields, "DataType") or text_of(fields, "Datatype") or ""),
        dims=bracketed_dims(text_of(fields, "Dimensions")),
        location=text_of(fields, "Location"),
        is_shape_inference={"true": True, "false": False, "1": True, "0": False}.get(flag or ""),
        profiles=tuple(_profile(profile) for profile in profiles),
    )


def _profile(fields: TensorFields) -> ProfileRange:
    sentence = text_of(fields, "Format")
    return ProfileRange(
        min_dims=bracketed_dims(text_of(fields, "MinShape")),
        opt_dims=bracketed_dims(text_of(fields, "OptShape")),
        max_dims=bracketed_dims(text_of(fields, "MaxShape")),
        format=None if sentence is None else read_format(sentence),
    )
