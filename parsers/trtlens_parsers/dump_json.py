"""JSON documents that hold tensors: Polygraphy's run results, trtexec's outputs and its summary of debug tensors.

Polygraphy (0.49 to 0.53) wraps each array as base64 of numpy's own file format, `{"array": ..., "polygraphy_class":
"ndarray"}`; older releases mark the class by the key `__polygraphy_encoded_<Type>` and may write the bytes as Latin-1.
A torch tensor is a pickle inside; it is named and never opened. `--exportOutput` (trtexec 7.1 to 11) escapes no name
and prints nan and inf bare. `tensor_summary.json` (trtexec 10.12 and later, samples/common/debugTensorWriter.cpp) lists
debug tensors with type, shape and files.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trtlens_parsers.dump_text import read_values
from trtlens_parsers.errors import FormatError
from trtlens_parsers.json_text import (
    MOST_EXTENTS,
    is_shape,
    object_of,
    optional_text,
    parse_json,
    required_text,
    spelled,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

TORCH_REFUSED = "it is a torch tensor, whose bytes are a pickle and could run code: save it as a numpy array"

_HEAD = 1 << 16
_KINDS = (
    ("polygraphy", re.compile(r'\{\s*"lst"\s*:|\[\s*\{\s*"[^"\\]{0,4000}"\s*:\s*\{\s*"(?:array|values|tensor)"\s*:')),
    ("output", re.compile(r'\[\s*\{\s*"name"\s*:\s*"[^\n]*"\s{0,9},?\s{0,9}"dimensions"\s*:')),
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
    head = text_head[:_HEAD].lstrip("\ufeff \t\r\n")
    return next((kind for kind, pattern in _KINDS if pattern.match(head)), None)


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
