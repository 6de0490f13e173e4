"""A run whose every name tries to be markup, script, a terminal sequence or endless."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tests.doubles.made_runs import MadeLayer, MadeRun

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trtlens.runs.run import Run

CANARY = "window.canary=1"
NAMES = (
    f"</script><script>{CANARY}</script>",
    f'"><img src=x onerror="{CANARY}">',
    f'<b>bold</b><a href="javascript:{CANARY}">link</a>',
    "one\x1etwo\x1f\x00three",
    "right\u202eto\u2066left\u200f",
    "x" * 5000,
    "{{style}} %{x} &lt;&amp; ${y} `z` '",
    "__proto__",
    "constructor",
    "=1+1",
)  # fmt: skip


def hostile_run() -> Run:
    """Layers, nodes, tensors, kernels, candidates, messages and flags with such names, all with times."""
    layers = [
        MadeLayer(
            name,
            type="Reformat" if place == 1 else name,
            nodes=(name,),
            kernel=name,
            reads=(name,),
            writes=(name + "!",),
        )
        for place, name in enumerate(NAMES)
    ]
    count = len(NAMES)
    tables: dict[str, dict[str, Sequence[Any]]] = {
        "builds": {"is_build": [True], "finished": [True], "complete": [True], "gpu": [NAMES[0]], "tensorrt_version": [NAMES[1]], "precision_flags": [NAMES[2]]},
        "candidates": {
            "layer": list(NAMES), "tactic_name": list(NAMES), "time_ms": [0.1 + n for n in range(count)], "chosen": [True] * count,
            "line": list(range(1, count + 1)), "input_formats": list(NAMES), "outcome": ["timed"] * count,
        },
        "tuned_layers": {"layer_index": list(range(count)), "layer": list(NAMES)},
        "messages": {
            "severity": ["warning"] * count, "count": [1] * count, "text": list(NAMES), "layer": list(NAMES), "line": list(range(1, count + 1)),
        },
        "memory": {"layer": list(NAMES), "scratch_bytes": [2**20] * count, "line": list(range(1, count + 1))},
        "phases": {"name": list(NAMES), "seconds": [1.0] * count, "source": ["stamps"] * count, "line": list(range(1, count + 1))},
        "options": {"section": ["Model"], "key": ["Model"], "value": [NAMES[0]], "line": [1]},
        "tensor_errors": {
            "index": list(range(count)), "tensor": [name + "!" for name in NAMES], "status": ["compared"] * count,
            "error": [0.001 * (n + 1) for n in range(count)], "error_added": [0.001] * count, "verdict": ["wrong"] * count,
            "first_wrong": [n == 0 for n in range(count)], "cause": list(NAMES), "producer": list(NAMES), "compared": [8] * count,
        },
    }  # fmt: skip
    made = MadeRun(
        layers,
        times=np.full((count, 6), 0.25),
        inference_ms=[0.5, 0.6, 0.7],
        tables=tables,
        info={"notes": list(NAMES)},
    )
    return made.run(NAMES[0])
