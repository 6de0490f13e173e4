"""Ways to damage an input: bytes, lines, numbers, nesting, JSON values, members of archives, fields of ONNX models."""

from __future__ import annotations

import io
import json
import re
import zipfile
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import onnx
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

_ODD_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, 2**31, 2**63, 2**64, 10**400, 1e308, 5e-324, float("nan"), float("inf"), "", "x", "\ud800",
    "a\0b", "x" * 5000, "../../x", [], {}, [[]], [None], {"a": {}}, [1, "a"],
)  # fmt: skip
_LIKE: dict[type, tuple[Any, ...]] = {
    int: (0, 1, -1, 2, 8, 255, 2**31, 2**53, 2**62, 2**63 - 1, -(2**63)),
    float: (0.0, -0.0, -1.0, 1e-300, 5e-324, 1e300, 0.001, 65504.0, 1e9),
    str: (
        "",
        "a",
        "a" * 300,
        "x\x1ey",
        "input",
        "conv1",
        "fp16",
        "Reformat",
        "[1,2,3]",
        "Half",
        "\u202e",
        "a,b",
        "{",
        "%s",
        "-1",
    ),
    bool: (True, False),
    type(None): (None, 0, "", []),
    list: ([], [0], [-1, 1], [2**40] * 3, ["a"], [1] * 300),
    dict: ({}, {"Name": "a"}, {"name": "a"}),
}
_TOKENS = (
    b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\x1b[31m", b"\r", b"\xed\xa0\x80", b"\\ud800", b"\x1e", b"nan", b"null", b'"', b"{", b"]",
    b": ", b"\t", "\u202e\u061c".encode(), "\U0001f600".encode(),
)  # fmt: skip
_NUMBERS = (
    b"0", b"-1", b"4294967296", b"9223372036854775808", b"18446744073709551616", b"1e308", b"1e999", b"nan", b"-inf", b"0x",
    b"9" * 400, b"9" * 5000, b"0.", b"1_0", "\u0663".encode(),
)  # fmt: skip
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")
_MOST_BYTES = 200_000
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)


def change_bytes(random: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """The bytes with one to four changes of any kind; pieces may come from other inputs."""
    for _ in range(random.choice((1, 1, 2, 4))):
        data = random.choice(_CHANGES)(random, data, random.choice(others))[:_MOST_BYTES]
    return data


def _span(random: Random, data: bytes) -> tuple[int, int]:
    start = random.randint(0, len(data))
    return start, min(len(data), start + int(random.expovariate(1 / 40)))


def _flip(random: Random, data: bytes, _other: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 8)) if data else 0):
        changed[random.randrange(len(changed))] = random.randrange(256)
    return bytes(changed)


def _cut(random: Random, data: bytes, _other: bytes) -> bytes:
    start, end = _span(random, data)
    return random.choice((data[:start], data[start:], data[:start] + data[end:]))


def _insert(random: Random, data: bytes, _other: bytes) -> bytes:
    place = random.randint(0, len(data))
    return data[:place] + random.choice(_TOKENS) * random.choice((1, 1, 3, 2000)) + data[place:]


def _repeat(random: Random, data: bytes, _other: bytes) -> bytes:
    start, end = _span(random, data)
    return data[:end] + data[start:end] * random.choice((1, 2, 30, 1000)) + data[end:]


def _splice(random: Random, data: bytes, other: bytes) -> bytes:
    return data[: random.randint(0, len(data))] + other[random.randint(0, len(other)) :]


def _number(random: Random, data: bytes, _other: bytes) -> bytes:
    found = list(_NUMBER.finditer(data))
    if not found:
        return data
    match = random.choice(found)
    return data[: match.start()] + random.choice(_NUMBERS) + data[match.end() :]


def _lines(random: Random, data: bytes, other: bytes) -> bytes:
    lines, place = data.split(b"\n"), random.randint(0, data.count(b"\n"))
    kind = random.randrange(4)
    if kind == 0:
        del lines[place]
    elif kind == 1:
        lines[place:place] = [lines[place]] * random.choice((1, 2, 300))
    elif kind == 2:
        lines.insert(place, random.choice(other.split(b"\n")))
    else:
        lines.append(lines.pop(place))
    return b"\n".join(lines)


def _nest(random: Random, data: bytes, _other: bytes) -> bytes:
    place, depth = random.randint(0, len(data)), random.choice((3, 100, 990, 20_000))
    opening, closing = random.choice(((b"[", b"]"), (b"(", b")"), (b'{"a":', b"}")))
    return data[:place] + opening * depth + random.choice((b"", closing * depth)) + data[place:]


_CHANGES: tuple[Callable[[Random, bytes, bytes], bytes], ...] = (
    _flip, _flip, _cut, _insert, _repeat, _splice, _number, _number, _lines, _lines, _nest,
)  # fmt: skip


# -- structures ------------------------------------------------------------------------------------------------------


def change_json(random: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """The document with a value, a key or an entry changed; as bytes where it is no JSON, and now and then anyway."""
    try:
        document = json.loads(data, strict=False)
    except ValueError:
        return change_bytes(random, data, others)
    if random.random() < 0.3:
        return change_bytes(random, data, others)
    for _ in range(random.choice((1, 1, 1, 3))):
        document = _changed(random, document)
    return json.dumps(document, ensure_ascii=random.random() < 0.9).encode(errors="surrogatepass")


def _changed(random: Random, value: Any) -> Any:
    """Walk down to a value and change it there, more often to one of its own type than not."""
    if not isinstance(value, (dict, list)) or not value:
        return deepcopy(random.choice(_LIKE.get(type(value), _ODD_VALUES) if random.random() < 0.7 else _ODD_VALUES))
    place = random.choice(list(value) if isinstance(value, dict) else range(len(value)))
    lot = random.random()
    if lot < 0.05:
        return deepcopy(random.choice(_ODD_VALUES))
    if lot < 0.15 and isinstance(value, dict):
        return {name: inner for name, inner in value.items() if name != place}
    if lot < 0.25 and isinstance(value, list):
        return value[:place] + value[place : place + 1] * random.choice((0, 2, 300)) + value[place + 1 :]
    value[place] = _changed(random, value[place])
    return value


def change_npz(random: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """The archive with one member changed and packed again, so that checksums hold; or its bytes."""
    if not data.startswith(b"PK") or random.random() < 0.4:
        return change_bytes(random, data, others)
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(packed, "w", random.choice(_METHODS)) as target:
        names = source.namelist()
        changed = random.choice(names)
        for name in names:
            content = source.read(name)
            target.writestr(name, change_bytes(random, content, [content]) if name == changed else content)
    return packed.getvalue()


def change_table(random: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """A Parquet file without a column, with one of another type, or with other bytes."""
    if random.random() < 0.7:
        return change_bytes(random, data, others)
    table = pq.read_table(io.BytesIO(data))
    place = random.randrange(table.num_columns)
    if random.random() < 0.5:
        table = table.remove_column(place)
    else:
        values = [random.choice(("x", 1, None))] * table.num_rows
        table = table.set_column(place, table.column_names[place], [values])
    written = io.BytesIO()
    pq.write_table(table, written)
    return written.getvalue()


def change_model(random: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """The model with some of its fields changed, or its bytes."""
    if random.random() < 0.3:
        return change_bytes(random, data, others)
    model = onnx.load_from_string(data)
    for _ in range(random.choice((1, 1, 2, 4))):
        _change_message(random, model)
    return model.SerializeToString()


def _change_message(random: Random, message: Any) -> None:
    """Walk down to a field of the message and change it there."""
    field, value = random.choice(message.ListFields() or [(None, None)])
    if field is None:
        return
    if hasattr(value, "add") or hasattr(value, "append"):
        _change_list(random, value)
    elif hasattr(value, "ListFields"):
        if random.random() < 0.05:
            message.ClearField(field.name)
        else:
            _change_message(random, value)
    else:
        kinds = None if field.enum_type is None else list(field.enum_type.values_by_number)  # others are not settable
        setattr(message, field.name, _odd_scalar(random, value) if kinds is None else random.choice(kinds))


def _change_list(random: Random, values: Any) -> None:
    place = random.randrange(len(values))
    if random.random() < 0.1:
        del values[place]
    elif random.random() < 0.1:
        values.extend([values[place]])
    elif hasattr(values[place], "ListFields"):
        _change_message(random, values[place])
    else:
        values[place] = _odd_scalar(random, values[place])


def _odd_scalar(random: Random, value: Any) -> Any:
    if isinstance(value, str):
        return random.choice(
            ("", "x", "x" * 300, "../x", "/etc/passwd", "Constant", "Cast", "Loop", "ai.onnx.ml", value + "_")
        )
    if isinstance(value, bytes):
        return change_bytes(random, value, [value])[: len(value) + 40]
    if isinstance(value, float):
        return random.choice((0.0, -1.0, float("nan"), float("inf"), 3e38))
    # No 2**20: a model with such an extent is large, not wrong, and its reference run takes what it asks for.
    return random.choice((0, 1, -1, 2, 7, 10, 16, 99, 2**31 - 1))
