"""The command ``kernel``: what a kernel's name means."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from trtlens.commands.read import FormatOption  # noqa: TC001  typer reads it at run time
from trtlens.output import Format, cell_text, console, layout, wrapped, write_table

if TYPE_CHECKING:
    import pyarrow as pa

    from trtlens_parsers.kernels import Kernel

_FIELDS = ("name", "family", "precision", "unit", "unit_reason", "evidence", "rule")
_LABEL = 18
_LAYOUT = layout("name precision unit family operation evidence sm unit_reason", stretches="name", prose="unit_reason")
_OPERATIONS = {
    "fprop": "a convolution", "dgrad": "a transposed convolution (dgrad)", "wgrad": "a convolution's weight gradient (wgrad)",
    "deconv": "a transposed convolution", "gemm": "a matrix product", "gemv": "a product of a matrix and a vector", "mha": "an attention",
    "pooling": "a pooling", "softmax": "a softmax", "grouped": "a grouped convolution", "depthwise": "a depthwise convolution",
    "reformat": "a reformat",
}  # fmt: skip
_TYPES = (
    ("reads", "input_type"),
    ("multiplies in", "math_type"),
    ("sums in", "accumulator_type"),
    ("writes", "output_type"),
)


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(kernel)


def kernel(
    names: Annotated[list[str], typer.Argument(help="Kernel or tactic names; - reads them from stdin, one a line.")],
    form: FormatOption = Format.TABLE,
) -> None:
    """Decode kernel names.

    Says the precision and core type of a kernel, and which part of its name shows them.
    """
    listed = [line for name in names for line in (_stdin_lines() if name == "-" else [name])]
    if form is not Format.TABLE or len(listed) != 1:
        write_table(_table(listed), form, _LAYOUT)
        return
    from trtlens_parsers.kernels import read_kernel  # noqa: PLC0415

    _print_kernel(read_kernel(listed[0]))


def _print_kernel(kernel: Kernel) -> None:
    """One sentence, then what the name says, a line each."""
    out = console()
    for line in wrapped(sentence(kernel)):
        out.print(line, style="bold")
    out.print()
    for name in _all_fields():
        text = cell_text(name, _plain(getattr(kernel, name)))
        for number, line in enumerate(wrapped(text, _LABEL, whole=True) if text else ()):
            out.print(f"{'' if number else 'core type' if name == 'unit' else name.replace('_', ' '):<{_LABEL}}{line}")


def sentence(kernel: Kernel) -> str:
    """A kernel's name in English: what it does, on what, in which types, and what shows it."""
    other = f"a kernel for {kernel.operation}" if kernel.operation else "a kernel"
    what = _OPERATIONS.get(kernel.operation or "", other)
    family = f" ({kernel.family})" if kernel.family and kernel.family != kernel.operation else ""
    target = f" for SM {kernel.sm // 10}.{kernel.sm % 10}" if kernel.sm is not None else ""
    where = f" on {kernel.unit.replace('cuda', 'CUDA')}s" if kernel.unit else ""
    types = [f"{verb} {getattr(kernel, name).upper()}" for verb, name in _TYPES if getattr(kernel, name)]
    types = types or ([f"computes in {kernel.precision.upper()}"] if kernel.precision else [])
    does = f": it {_joined(types)}" if types else ""
    fused = f"; it fuses {', '.join(kernel.operations)}" if kernel.operations else ""
    shown = f"; {kernel.evidence!r} in the name shows the core type" if kernel.unit and kernel.evidence else ""
    unknown = f"; whether it uses tensor cores is not known: {kernel.unit_reason}" if kernel.unit is None else ""
    return f"{what[:1].upper()}{what[1:]}{family}{target}{where}{does}{fused}{shown}{unknown}"


def _joined(parts: list[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _stdin_lines() -> list[str]:
    return [line.strip() for line in sys.stdin.read().split("\n") if line.strip()]


def _table(names: list[str]) -> pa.Table:
    from trtlens.commands.printed_rows import KERNEL  # noqa: PLC0415
    from trtlens_parsers.kernels import read_kernel  # noqa: PLC0415

    kernels = [read_kernel(name) for name in names]
    return KERNEL.table({column.name: [getattr(one, column.name) for one in kernels] for column in KERNEL.columns})


def _all_fields() -> list[str]:
    import dataclasses  # noqa: PLC0415

    from trtlens_parsers.kernels import Kernel  # noqa: PLC0415

    return [*_FIELDS, *(field.name for field in dataclasses.fields(Kernel) if field.name not in _FIELDS)]


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value
