"""How trtexec spells what a build is asked for: shapes, memory pools, tactic sources, precisions, formats.

The spellings are those of trtexec's help text, 8.6 to 11.x: `input:1x3x224x224,'mask:0':1x128`,
`workspace:512,tacticSharedMem:32K`, `+CUBLAS,-CUDNN`, `conv_*:fp32`, `relu:fp16+int32`, `fp16:chw+hwc8`. A bare tactic
source (`EDGE_MASK_CONVOLUTIONS`) is ours: it means exactly the sources that are named. Every function here raises
TrtlensError, with the flag and the text, for what it does not understand.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trtlens.errors import TrtlensError
from trtlens.layer_patterns import REGEX_PREFIX, read_pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Shape = tuple[int, ...]

PRECISIONS = ("fp32", "fp16", "bf16", "int8", "int32", "int64", "uint8", "bool", "fp8", "int4", "fp4")
_LINEAR_FORMATS = ("chw", "hwc", "dhwc")
_VECTOR_FORMATS = ("chw2", "chw4", "chw16", "chw32", "cdhw32", "hwc8", "hwc16", "dhwc8", "dla_linear", "dla_hwc4")
FORMATS = _LINEAR_FORMATS + _VECTOR_FORMATS
MEMORY_POOLS = ("workspace", "dlaSRAM", "dlaLocalDRAM", "dlaGlobalDRAM", "tacticSharedMem")
HARDWARE_LEVELS = ("none", "ampere+", "sameComputeCapability")
PROFILING_VERBOSITIES = ("layer_names_only", "detailed", "none")
PREVIEW_FEATURES = {
    "fasterDynamicShapes0805": "FASTER_DYNAMIC_SHAPES_0805",
    "disableExternalTacticSourcesForCore0805": "DISABLE_EXTERNAL_TACTIC_SOURCES_FOR_CORE_0805",
    "profileSharing0806": "PROFILE_SHARING_0806",
    "aliasedPluginIO1003": "ALIASED_PLUGIN_IO_10_03",
    "runtimeActivationResize": "RUNTIME_ACTIVATION_RESIZE_10_10",
}
"""The member of `PreviewFeature` that trtexec means by a name."""
_UNIT_BYTES = {"B": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


@dataclass(frozen=True, slots=True)
class IoFormat:
    """The type and the allowed memory layouts of one network input or output, as trtexec names them; None keeps the type."""

    precision: str | None
    layouts: tuple[str, ...]


def split_list(text: str) -> Iterator[str]:
    """The items of a comma-separated list; a comma between single quotes belongs to its item."""
    item: list[str] = []
    quoted = False
    for character in text:
        quoted ^= character == "'"
        if character == "," and not quoted:
            yield "".join(item)
            item = []
        else:
            item.append(character)
    if item:
        yield "".join(item)


def split_pairs(text: str, flag: str, separator: str = ":") -> Iterator[tuple[str, str]]:
    """Name and value of each item, cut at the last separator, without the single quotes that may wrap a name."""
    for item in split_list(text):
        name, found, value = item.rpartition(separator)
        name = name.replace("'", "").strip()
        if not found or not name:
            raise TrtlensError(f"--{flag}: {item!r} is not NAME{separator}VALUE")
        yield name, value.strip()


def parse_shapes(text: str, flag: str = "shapes") -> dict[str, Shape]:
    """Shapes by input name; `scalar` and an empty shape are a tensor without dimensions."""
    return {name: _parse_dims(value, flag) for name, value in split_pairs(text, flag)}


def _parse_dims(text: str, flag: str) -> Shape:
    if text in ("", "scalar"):
        return ()
    parts = text.split("x")
    if not all(part.isdecimal() and len(part) < 16 for part in parts):
        raise TrtlensError(f"--{flag}: {text!r} is not a shape such as 1x3x224x224")
    return tuple(int(part) for part in parts)


def parse_memory_pools(text: str) -> dict[str, int]:
    """Bytes by pool; a number without unit is in MiB, as trtexec reads it, and may be a fraction."""
    pools = {}
    for name, size in split_pairs(text, "memPoolSize"):
        if name not in MEMORY_POOLS:
            raise TrtlensError(f"--memPoolSize: unknown pool {name!r}, choose from {', '.join(MEMORY_POOLS)}")
        match = re.fullmatch(r"(\d{1,12}(?:\.\d{0,9})?)([BKMG]?)", size)
        if match is None:
            raise TrtlensError(f"--memPoolSize: {size!r} is not a size such as 512, 0.5M or 32K")
        pools[name] = int(float(match[1]) * _UNIT_BYTES[match[2] or "M"])
    return pools


def parse_tactic_sources(text: str) -> tuple[str, ...]:
    """Source names in upper case: with `+` or `-` they change the default set, all bare they replace it."""
    sources = tuple(item.strip().upper() for item in split_list(text) if item.strip())
    signed = [source[0] in "+-" for source in sources]
    if any(signed) and not all(signed):
        raise TrtlensError(
            f"--tacticSources: {text!r} mixes signed names, which change the default set, with bare ones"
        )
    if not all(re.fullmatch(r"[+-]?[A-Z][A-Z_]{0,63}", source) for source in sources):
        raise TrtlensError(f"--tacticSources: {text!r} is not a list such as +CUBLAS,-CUDNN")
    return sources


def parse_preview_features(text: str) -> tuple[str, ...]:
    """Names of preview features as trtexec spells them, each with the sign that switches it on or off."""
    features = tuple(item.strip() for item in split_list(text))
    for feature in features:
        if feature[:1] not in ("+", "-") or feature[1:] not in PREVIEW_FEATURES:
            raise TrtlensError(f"--preview: {feature!r} is not + or - and one of {', '.join(PREVIEW_FEATURES)}")
    return features


def parse_layer_precisions(text: str, flag: str = "layerPrecisions", separator: str = ":") -> dict[str, str]:
    """A type by layer name; a name may hold `*`."""
    return {name: _precision(value, flag) for name, value in split_pairs(text, flag, separator)}


def parse_layer_precision(text: str) -> dict[str, str]:
    """A type by glob, or by the regular expression of an item that begins with `match:`, which may hold commas and `=`."""
    flag = "layer-precision"
    if not text.startswith(REGEX_PREFIX):
        return parse_layer_precisions(text, flag, "=")
    pattern, found, precision = text.rpartition("=")
    if not found:
        raise TrtlensError(f"--{flag}: {text!r} is not {REGEX_PREFIX}REGEX=TYPE")
    read_pattern(pattern)
    return {pattern: _precision(precision.strip(), flag)}


def parse_layer_output_types(text: str) -> dict[str, tuple[str, ...]]:
    """The types of a layer's outputs by layer name, `+` between them; one type stands for all outputs."""
    flag = "layerOutputTypes"
    return {name: tuple(_precision(part, flag) for part in value.split("+")) for name, value in split_pairs(text, flag)}


def parse_io_formats(text: str, flag: str = "inputIOFormats") -> tuple[IoFormat, ...]:
    """One format for each input or output in network order, or one for all of them; trtexec 11 names layouts alone."""
    formats = []
    for item in split_list(text):
        precision, found, layouts = item.rpartition(":")
        names = tuple(layouts.lower().split("+"))
        if any(name not in FORMATS for name in names):
            raise TrtlensError(
                f"--{flag}: {item!r} is not TYPE:LAYOUT or LAYOUT, with layouts from {', '.join(FORMATS)}"
            )
        formats.append(IoFormat(_precision(precision, flag) if found else None, names))
    return tuple(formats)


def _precision(text: str, flag: str) -> str:
    if text not in PRECISIONS:
        raise TrtlensError(f"--{flag}: unknown type {text!r}, choose from {', '.join(PRECISIONS)}")
    return text


def parser_of_choice(flag: str, choices: tuple[str, ...]) -> Callable[[str], str]:
    """A parser of one of these words, whatever its case and with or without `_`."""
    by_lower = {choice.lower().replace("_", ""): choice for choice in choices}

    def parse(text: str) -> str:
        found = by_lower.get(text.lower().replace("_", ""))
        if found is None:
            raise TrtlensError(f"--{flag}: unknown value {text!r}, choose from {', '.join(choices)}")
        return found

    return parse


def parser_of_integer(flag: str) -> Callable[[str], int]:
    """A parser of a number that is not negative."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"\d{1,9}", text):
            raise TrtlensError(f"--{flag}: {text!r} is not a number")
        return int(text)

    return parse


def parse_sparsity(text: str) -> str:
    """`disable` or `enable`; trtexec's `force` is refused, since it changes what is computed."""
    if text == "force":
        raise TrtlensError(
            "--sparsity force overwrites the model's weights: prune the model, then use --sparsity enable"
        )
    return parser_of_choice("sparsity", ("disable", "enable"))(text)


def parse_paths(text: str) -> tuple[Path, ...]:
    """Paths with commas between them."""
    return tuple(Path(item) for item in split_list(text))
