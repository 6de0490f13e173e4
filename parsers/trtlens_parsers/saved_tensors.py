"""Tensors that other tools saved: Polygraphy's run results, trtexec's outputs and debug tensors, dumps of NVIDIA's samples.

Polygraphy (0.49 to 0.53) wraps each array as base64 of numpy's own file format, `{"array": ..., "polygraphy_class":
"ndarray"}`; older releases mark the class by the key `__polygraphy_encoded_<Type>` and may write the bytes as Latin-1.
A torch tensor is a pickle inside; it is named and never opened. `--exportOutput` (trtexec 7.1 to 11) escapes no name
and prints nan and inf bare. `tensor_summary.json` (trtexec 10.12 and later, samples/common/debugTensorWriter.cpp) lists
debug tensors with type, shape and files.

Text: `BufferManager::dumpBuffer` (samples/common/buffers.h, TensorRT 5.1 to 10) writes `[1, 10, 1, 1]` in the first line,
then the values, one row of the last dimension a line. trtexec's debug tensors of format `string` (10.12 and later) are
nested brackets without a shape. Neither states the data type. INT8 values of `dumpBuffer` are characters, not numbers, and
are refused as such.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trtlens_parsers.errors import FormatError
from trtlens_parsers.json_text import (
    MOST_EXTENTS,
    is_shape,
    kind_by_start,
    object_of,
    optional_text,
    parse_json,
    required_text,
    spelled,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

TORCH_REFUSED = "it is a torch tensor, whose bytes are a pickle and could run code: save it as a numpy array"

OUTPUT_START = re.compile(r'\[\s*\{\s*"name"\s*:\s*"[^\n]*"\s{0,9},?\s{0,9}"dimensions"\s*:')
"""How a `--exportOutput` document begins."""
_KINDS = (
    ("polygraphy", re.compile(r'\{\s*"lst"\s*:|\[\s*\{\s*"[^"\\]{0,4000}"\s*:\s*\{\s*"(?:array|values|tensor)"\s*:')),
    ("output", OUTPUT_START),
    ("summary", re.compile(r'\{\s*"metadata"\s*:\s*\{\s*"title"\s*:')),
)
_OUTPUT_NAME = re.compile(r'[ ,]{0,9}\{ "name" : "(.*)"')
_OUTPUT_DIMENSIONS = re.compile(r'[ ,]{0,9}"dimensions" : "([0-9x]{0,400})"')
_OUTPUT_VALUES = re.compile(r'[ ,]{0,9}"values" : \[(.*)\]')
_EXTENT = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class EncodedTensor:
    """One tensor of a Polygraphy document: bytes in numpy's file format (`npy` or `npz`), or why there are none."""

    name: str
    npy: bytes | None
    refused: str | None


@dataclass(frozen=True, slots=True)
class Iteration:
    """The outputs of one inference by one runner."""

    runner: str
    number: int
    tensors: tuple[EncodedTensor, ...]


@dataclass(frozen=True, slots=True)
class OutputTensor:
    """One binding of `--exportOutput`; values are flat in row-major order, the type is not stated."""

    name: str
    shape: tuple[int, ...]
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class SummarizedTensor:
    """One debug tensor of `tensor_summary.json`; `files` maps numpy, raw, string or assigned to a file's name."""

    name: str
    shape: tuple[int, ...]
    type: str
    files: dict[str, str]


def recognise_dump(text_head: str) -> str | None:
    """`polygraphy`, `output` or `summary` by the beginning of a document, None for anything else."""
    return kind_by_start(text_head, _KINDS)


# -- Polygraphy ------------------------------------------------------------------------------------------------------


def read_run_results(text: str) -> tuple[Iteration, ...]:
    """Every inference of a Polygraphy document; a list of inputs (`--save-inputs`) is one runner called `inputs`.

    Raises:
        FormatError: the document is no JSON, or holds no run results.

    """
    document = parse_json(text, "Polygraphy")
    if isinstance(document, list):
        return tuple(
            Iteration("inputs", number, tuple(_encoded(name, value) for name, value in feed.items()))
            for number, feed in enumerate(document)
            if isinstance(feed, dict)
        )
    runners = document.get("lst") if isinstance(document, dict) else None
    if not isinstance(runners, list):
        raise FormatError("the Polygraphy document holds no run results: save them with --save-outputs")
    return tuple(iteration for entry in runners for iteration in _iterations(entry))


def _iterations(entry: Any) -> Iterator[Iteration]:
    if not (isinstance(entry, list) and len(entry) == 2 and isinstance(entry[1], list)):
        raise FormatError("the Polygraphy document holds a runner that is no pair of a name and its iterations")
    runner = entry[0] if isinstance(entry[0], str) else spelled(entry[0])
    for number, iteration in enumerate(entry[1]):
        outputs = iteration.get("outputs") if isinstance(iteration, dict) else None
        if not isinstance(outputs, dict):
            raise FormatError(f"iteration {number} of runner {runner!r:.60} holds no outputs")
        yield Iteration(runner, number, tuple(_encoded(name, value) for name, value in outputs.items()))


def _encoded(name: str, value: Any) -> EncodedTensor:
    while isinstance(value, dict) and isinstance(value.get("values"), dict):
        value = value["values"]
    if not isinstance(value, dict):
        return EncodedTensor(name, None, f"it is {type(value).__name__} in the file, not an array")
    if "tensor" in value or value.get("polygraphy_class") == "Tensor":
        return EncodedTensor(name, None, TORCH_REFUSED)
    payload = value.get("array")
    if not isinstance(payload, str):
        return EncodedTensor(name, None, f"it is {spelled(value.get('polygraphy_class'))} without an array in it")
    return EncodedTensor(name, _payload(payload), None)


def _payload(text: str) -> bytes:
    """The bytes of numpy's file: base64, or Latin-1 text in documents of old releases."""
    try:
        return base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        return text.encode("latin-1", "replace")


# -- trtexec ---------------------------------------------------------------------------------------------------------


def read_outputs(text: str) -> tuple[OutputTensor, ...]:
    """The bindings of a `--exportOutput` document, by its lines where trtexec wrote it, else as JSON.

    Raises:
        FormatError: the document is another one, or dimensions or values of a binding are broken.

    """
    lines = text.lstrip("\ufeff").split("\n")
    names = [match[1] for line in lines if (match := _OUTPUT_NAME.fullmatch(line.rstrip("\r")))]
    if not names:
        return tuple(
            _output(entry) for entry in _list(parse_json(text, "--exportOutput", constant=float), "--exportOutput")
        )
    dimensions = [match[1] for line in lines if (match := _OUTPUT_DIMENSIONS.fullmatch(line.rstrip("\r")))]
    values = [match[1] for line in lines if (match := _OUTPUT_VALUES.fullmatch(line.rstrip("\r")))]
    if not len(names) == len(dimensions) == len(values):
        raise FormatError(
            f"the --exportOutput document has {len(names)} names, {len(dimensions)} dimensions and {len(values)} lists "
            "of values: is it complete?"
        )
    return tuple(
        OutputTensor(name, _dimensions(extents), tuple(read_values(numbers.replace(",", " "))))
        for name, extents, numbers in zip(names, dimensions, values, strict=True)
    )


def _output(entry: Any) -> OutputTensor:
    if not isinstance(entry, dict) or not isinstance(entry.get("values"), list):
        raise FormatError("an entry of the --exportOutput document has no values")
    name, values = required_text(entry, "name"), entry["values"]
    if not {int, float}.issuperset(map(type, values)):
        raise FormatError(f"the values of {name!r:.60} are not all numbers")
    try:
        numbers = tuple(map(float, values))
    except OverflowError as error:
        raise FormatError(f"the values of {name!r:.60} hold a number that no float holds") from error
    return OutputTensor(name, _dimensions(optional_text(entry, "dimensions") or ""), numbers)


def _dimensions(text: str) -> tuple[int, ...]:
    parts = text.split("x") if text else []
    if len(parts) > MOST_EXTENTS or not all(_EXTENT.fullmatch(part) for part in parts):
        raise FormatError(f"{text[:60]!r} are no dimensions such as 1x10")
    return tuple(int(part) for part in parts)


def read_summary(text: str) -> tuple[SummarizedTensor, ...]:
    """The debug tensors of `tensor_summary.json`, in the order in which they were made.

    Raises:
        FormatError: the document is no JSON (a tensor's name is written without escapes) or lists no tensors.

    """
    document = parse_json(text, "tensor summary")
    if not isinstance(document, dict):
        raise FormatError("the tensor summary is no object")
    return tuple(_summarized(entry) for entry in _list(document.get("tensors"), "tensor summary"))


def _summarized(entry: Any) -> SummarizedTensor:
    if not isinstance(entry, dict) or not is_shape(entry.get("shape")):
        raise FormatError("an entry of the tensor summary has no shape")
    files = {kind: name for kind, name in object_of(entry, "files").items() if isinstance(name, str)}
    return SummarizedTensor(
        required_text(entry, "name"), tuple(entry["shape"]), optional_text(entry, "type") or "", files
    )


def _list(document: Any, what: str) -> list[Any]:
    if not isinstance(document, list):
        raise FormatError(f"the {what} document holds no list of tensors")
    return document


# -- text -----------------------------------------------------------------------------------------------------------------

LONGEST_TOKEN = 64
"""Characters that no printed number exceeds; longer runs are refused before anything tries to read them."""

_SHAPE = re.compile(r"\s{0,9}\[([0-9, ]{0,400})\]\s{0,9}")
_NAN = re.compile(r"[+-]?(?:nan\(?[a-z0-9_()]{0,20}|1\.#(?:qnan|snan|ind)[0-9]{0,9})", re.IGNORECASE)
_INFINITY = re.compile(r"([+-]?)1\.#inf[0-9]{0,9}", re.IGNORECASE)
_BRACKETS = str.maketrans("[]", "  ")


def read_shape(line: str) -> tuple[int, ...]:
    """The shape that the first line of a dump states; `[]` is a tensor without dimensions.

    Raises:
        FormatError: the line is no list of extents in brackets.

    """
    match = _SHAPE.fullmatch(line)
    parts = [part.strip() for part in match[1].split(",")] if match and match[1].strip() else []
    if match is None or not all(_EXTENT.fullmatch(part) for part in parts):
        raise FormatError(f"the first line is no shape such as [1, 10, 1, 1]: {line[:60]!r}", 1)
    return tuple(int(part) for part in parts)


def read_values(text: str, *, nested: bool = False) -> list[float]:
    """The numbers of a piece of text that is cut between numbers; `nested` also allows brackets around them.

    Raises:
        FormatError: something else than a number stands there.

    """
    tokens = (text.translate(_BRACKETS) if nested else text).split()
    if text.isascii() and "_" not in text and max(map(len, tokens), default=0) <= LONGEST_TOKEN:
        try:
            return list(map(float, tokens))
        except ValueError:
            pass
    return [_number(token) for token in tokens]


def _number(token: str) -> float:
    """One number, also as Microsoft's runtime prints those that are none."""
    if len(token) <= LONGEST_TOKEN and token.isascii() and "_" not in token:
        try:
            return float(token)
        except ValueError:
            if _NAN.fullmatch(token):
                return float("nan")
            infinity = _INFINITY.fullmatch(token)
            if infinity:
                return float(f"{infinity[1]}inf")
    raise FormatError(f"{token[:40]!r} is no number")
