"""The ONNX nodes of the network that an engine was built from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtlens.tables.arrays import of_build

if TYPE_CHECKING:
    import pyarrow as pa

    from trtlens.runs.run import Run


def network_nodes(run: Run, build: int) -> pa.Table:
    """Rows of `nodes` of a build's network: those parsed in its own part of the log, else in its calibration's.

    TensorRT parses a network once and builds it twice to calibrate INT8, first without it: the log names the nodes before
    the first of the two.
    """
    known = {
        row["build"]: row["is_calibration"] for row in run["builds"].select(["build", "is_calibration"]).to_pylist()
    }
    nodes = of_build(run["nodes"], build)
    while not nodes.num_rows and known.get(build - 1):
        build -= 1
        nodes = of_build(run["nodes"], build)
    return nodes
