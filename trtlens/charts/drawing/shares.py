"""The tree behind treemap and sunburst: precision, then layer type, then kernel, weighed by time, else by layers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from trtlens.charts.drawing.layer_rows import running_layers
from trtlens.charts.drawing.style import fills, plain
from trtlens.output import visible
from trtlens.quantities import duration
from trtlens_parsers.kernels import read_kernel

if TYPE_CHECKING:
    import pyarrow as pa

_NO_KERNEL = "kernel unknown"


@dataclass(slots=True)
class Tree:
    """Nodes in the order of first use; the parent of a top node is the empty text."""

    timed: bool
    clock: str | None
    ids: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    parents: list[str] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    layers: list[int] = field(default_factory=list)
    precisions: list[str] = field(default_factory=list)
    kernels: list[str | None] = field(default_factory=list)
    depths: list[int] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    def trace(self) -> dict[str, Any]:
        """What treemap and sunburst have in common; customdata is the kernel of a leaf."""
        texts = [self._text(value, count) for value, count in zip(self.values, self.layers, strict=True)]
        by = f" ({self.clock})" if self.clock else ""
        return {
            "ids": self.ids, "labels": self.labels, "parents": self.parents, "values": self.values, "text": texts,
            "customdata": self.kernels, "branchvalues": "total", "marker": fills(self.precisions, self.depths), "sort": False,
            "hovertext": self.names, "hovertemplate": f"<b>%{{hovertext}}</b><br>%{{text}}<br>%{{percentRoot:.1%}} of all{by}<extra></extra>",
        }  # fmt: skip

    def _text(self, value: float, count: int) -> str:
        layers = f"{count} layer{'' if count == 1 else 's'}"
        return f"{duration(value)}, {layers}" if self.timed else layers


def read_tree(table: pa.Table) -> Tree:
    """The tree of the view ``layers``.

    Raises:
        MissingData: no layers are known.

    """
    layers = running_layers(table)
    layers["kernel"] = layers["kernel"].fillna(_NO_KERNEL)
    tree = Tree(layers.attrs["timed"], layers.attrs["clock"])
    places: dict[str, int] = {}
    groups = layers.groupby(["shown", "type", "kernel"], sort=False, dropna=False)["weight"].agg(["sum", "size"])
    groups = groups[groups["sum"] > 0].sort_values("sum", ascending=False, kind="stable")
    kernels: dict[str, int] = {}
    for (precision, kind, kernel), row in zip(groups.index, groups.itertuples(index=False), strict=True):
        number = kernels.setdefault(kernel, len(kernels))
        path = [(precision, precision), (f"{precision}/{kind}", kind), (f"{precision}/{kind}/{number}", kernel)]
        for depth, (key, label) in enumerate(path):
            if key not in places:
                places[key] = len(tree.ids)
                tree.ids.append(plain(key, 5000))
                tree.labels.append(plain(_short(label) if depth == len(path) - 1 else label, 40))
                tree.names.append(plain(label, 120))
                tree.depths.append(depth)
                tree.parents.append(tree.ids[places[path[depth - 1][0]]] if depth else "")
                tree.values.append(0.0)
                tree.layers.append(0)
                tree.precisions.append(precision)
                tree.kernels.append(visible(kernel) if depth == len(path) - 1 and kernel != _NO_KERNEL else None)
            tree.values[places[key]] += float(row[0])
            tree.layers[places[key]] += int(row[1])
    return tree


def _short(kernel: str) -> str:
    """A short name of a kernel: family, operation and tile, if its name states them."""
    known = read_kernel(kernel)
    return " ".join(part for part in (known.family, known.operation, known.tile) if part) or kernel
