"""Which device runs each layer, where a DLA may be used: the lists that the builder prints before it tunes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from trtlens_parsers.line_forms import line_form

if TYPE_CHECKING:
    import re


class Placement(NamedTuple):
    """The device of one layer, ``DLA`` or ``GPU``; ``type`` is TensorRT's type of the layer, which releases before 8.4 leave out."""

    layer: str
    type: str | None
    device: str
    line: int


@line_form(
    Placement,
    "[GpuLayer] ",
    "[DlaLayer] ",
    pattern=r"\[(?P<device>Gpu|Dla)Layer\] (?:(?P<type>[A-Z_]{2,40}): )?(?P<layer>.+)",
    versions="7.1 to 10.3",
    examples=("[GpuLayer] CONVOLUTION: conv1 + relu1", "[DlaLayer] {ForeignNode[conv1...relu9]}"),
)
def read_placement(found: re.Match[str], line: int) -> Placement:
    """A row of ``Layers Running on DLA`` or ``GPU``; on the DLA one row is one subgraph."""
    return Placement(found["layer"].rstrip(" ,"), found["type"], found["device"].upper(), line)
