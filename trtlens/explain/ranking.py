"""All layers by what the fastest candidate of any format would have saved, with the reason why it was not taken."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from trtlens.errors import TrtlensError
from trtlens.explain.precisions import ReformatOverhead
from trtlens.explain.subject import Build, Subject, read_build
from trtlens.layer_patterns import REGEX_PREFIX, listed, read_pattern
from trtlens.output import layout
from trtlens.suggestions import did_you_mean
from trtlens.tables.engine_layers import NO_WORK
from trtlens.tables.schema import declare
from trtlens.tuning.queries import best
from trtlens.tuning.wording import combination_text, counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import pyarrow as pa

    from trtlens.runs.run import Run

COLUMNS = declare(
    "view why, all layers", "one engine layer that launches a kernel, the most to gain first", "build index",
    """
    build | int | | number of the build
    index | int | | position in the engine
    name | text | | layer
    precision | text | | what it computes in
    unit | text | | tensor core or cuda core
    chosen_ms | float | ms | the tuner's time for what runs
    best_ms | float | ms | fastest time of any tactic of the layer in any format
    regret_ms | float | ms | chosen less best
    in_all_ms | float | ms | the fastest with the reformats that it would need, by the tuner's times; null where one was not timed
    verdict | text | | fastest, reformats, unexplained, unknown: see docs/why.md; null where what runs is not known
    formats | text | | formats that it runs in
    best_formats | text | | formats of the fastest
    reason | text | | why the fastest was not taken, or why it is not known what runs
    lines | ints | | lines of the log: what runs, the fastest, the reformats
    """,
)  # fmt: skip
_VERDICTS = {
    "fastest": "run the fastest that was timed",
    "reformats": "a slower one, since the fastest would need reformats that cost as much",
    "unexplained": "a slower one for no reason that the log shows",
    "unknown": "a slower one, the reformats for the fastest having no time",
    None: "without a time of what runs",
}
LAYOUT = layout(
    "name regret_ms chosen_ms best_ms in_all_ms verdict precision unit reason index", stretches="name", prose="reason"
)


def ranking(run: Run, chosen: Iterable[tuple[int, list[int]]]) -> pa.Table:
    """Layers of each build, those with the largest regret first, then those about which nothing is known."""
    rows = [_row(number, read_build(run, number), index_list) for number, index_list in chosen]
    flat = [row for build_rows in rows for row in build_rows]
    flat.sort(
        key=lambda row: (-(row["regret_ms"] if row["regret_ms"] is not None else -1.0), row["build"], row["index"])
    )
    return COLUMNS.of_rows(flat)


def ranking_answer(rows: Sequence[Mapping[str, Any]]) -> str:
    """For how many layers what runs is the fastest that was timed, and why it is not for the others."""
    counts = Counter(row["verdict"] for row in rows)
    told = [f"{counts[verdict]} {meaning}" for verdict, meaning in _VERDICTS.items() if counts[verdict]]
    return f"{counted(len(rows), 'layer', 'layers')}: {', '.join(told)}"


def _row(number: int, build: Build, indices: Iterable[int]) -> list[dict[str, Any]]:
    nodes = [build.graph.nodes[index] for index in indices]
    return [{"build": number, **_of(build.subject(node))} for node in nodes if node.type not in NO_WORK]


def _of(subject: Subject) -> dict[str, Any]:
    node, chosen = subject.node, subject.chosen
    fastest = best([c for c in subject.candidates if c.op == subject.op])
    row: dict[str, Any] = {
        "index": node.index, "name": node.name, "precision": node.row["precision"], "unit": node.row["unit"],
        "chosen_ms": None, "best_ms": None, "regret_ms": None, "in_all_ms": None, "verdict": None, "formats": None,
        "best_formats": None, "reason": node.tuned.get("reason"), "lines": [],
    }  # fmt: skip
    if subject.region is not None and subject.op is None:
        return {**row, "reason": f"a part of {subject.region}, which was timed as a whole"}
    if chosen is None or chosen.time_ms is None or fastest is None or fastest.time_ms is None:
        return row
    lines = [chosen.line, fastest.line]
    row.update(chosen_ms=chosen.time_ms, best_ms=fastest.time_ms, formats=combination_text(*chosen.formats),
               best_formats=combination_text(*fastest.formats), regret_ms=chosen.time_ms - fastest.time_ms)  # fmt: skip
    if fastest.time_ms >= chosen.time_ms:
        return {
            **row,
            "regret_ms": 0.0,
            "verdict": "fastest",
            "reason": "nothing timed for it was faster",
            "lines": [chosen.line],
        }
    overhead = ReformatOverhead.of(fastest, subject)
    return {**row, "verdict": overhead.verdict, "in_all_ms": overhead.total_ms, "reason": overhead.text,
            "lines": list(dict.fromkeys([*lines, *overhead.lines]))}  # fmt: skip


# -- which layers are meant -------------------------------------------------------------------------------------------
# Which engine layers a user's text means: a whole name, a glob, or a part of a name.


_EVERYTHING = "*"
_LONGEST_NAME = 1000
_PATH = re.compile(r"[/\s+]+")
"""What parts a layer's name into the parts of its nodes' paths."""


def select(run: Run, text: str) -> list[tuple[int, list[int]]]:
    """Indices of the layers of each build that the text means.

    The whole name of a layer wins over that of an ONNX node, then come the whole path of a module (``conv1`` of
    ``/conv1/Conv``), globs, parts of a name's path (``conv1`` of ``/layer1/conv1/Conv``), and parts of a name. A text that
    begins with ``match:`` is a regular expression.

    Raises:
        TrtlensError: no layer is meant, or the run lists no layers.

    """
    names = [
        (row["build"], row["index"], row["name"], row["type"])
        for row in run["layers"].select(["build", "index", "name", "type"]).to_pylist()
    ]
    if not names and text == _EVERYTHING:
        return []
    if not names:
        raise TrtlensError(_without_layers(run))
    working = [row for row in names if row[3] not in NO_WORK]
    for find in (_named, _holding_node, _holding_module, _fitting, _on_path, _holding):
        found = find(run, working, text) or (find(run, names, text) if find in {_named, _holding} else [])
        if found:
            return _by_build(found)
    if text == _EVERYTHING:
        return []
    raise TrtlensError(f"no layer's name is, matches or holds {text!r}: {_hint(text, [row[2] for row in names])}")


_Named = tuple[int, int, str, str]
"""Build, index, name and type of a layer."""


def _named(_: Run, layers: Sequence[_Named], text: str) -> list[_Named]:
    return [row for row in layers if row[2] == text]


def _holding_node(run: Run, layers: Sequence[_Named], text: str) -> list[_Named]:
    """Layers that contain the ONNX node of that name; a reformat beside one bears its name and contains none."""
    return _containing(run, layers, text, lambda node: node == text)


def _holding_module(run: Run, layers: Sequence[_Named], text: str) -> list[_Named]:
    """Layers that contain a node in the module of that path, as exporters name nodes: the path, then the operator."""
    path = text.strip("/") + "/"
    return _containing(run, layers, text, lambda node: node.lstrip("/").startswith(path)) if len(path) > 1 else []


def _containing(run: Run, layers: Sequence[_Named], text: str, is_meant: Callable[[str], bool]) -> list[_Named]:
    if set(text) & set("*?") or text.startswith(REGEX_PREFIX):
        return []
    from trtlens.engine.tensor_layers import held_nodes  # noqa: PLC0415  pandas: the name of a layer does without

    found = {
        (build, layer.index)
        for build in {row[0] for row in layers}
        for layer, held in held_nodes(run, build)
        if not layer.is_reformat and any(map(is_meant, held.nodes))
    }
    return [row for row in layers if row[:2] in found]


def _fitting(_: Run, layers: Sequence[_Named], text: str) -> list[_Named]:
    if not (text.startswith(REGEX_PREFIX) or set(text) & set("*?")):
        return []
    pattern = read_pattern(text, ignore_case=True)
    return [row for row in layers if pattern.fits(row[2])]


def _on_path(_: Run, layers: Sequence[_Named], text: str) -> list[_Named]:
    return [row for row in layers if text.lower() in _PATH.split(row[2].lower())]


def _holding(_: Run, layers: Sequence[_Named], text: str) -> list[_Named]:
    return [row for row in layers if text.lower() in row[2].lower()]


def _by_build(rows: Sequence[_Named]) -> list[tuple[int, list[int]]]:
    builds: dict[int, list[int]] = {}
    for build, index, _, _ in rows:
        builds.setdefault(build, []).append(index)
    return list(builds.items())


def _without_layers(run: Run) -> str:
    if run["candidates"].num_rows:
        return (
            f"{run.name} lists no engine layers, so what the engine runs is not known (was the log cut off?): "
            "`trtlens show combinations` has what the tuner tried"
        )
    return f"{run.name} lists no engine layers: build with trtexec --verbose and keep stdout and stderr in one file"


def _hint(text: str, names: list[str]) -> str:
    """Layers that share a word with the text, else those with a part that is near it, else the first ones."""
    words = [word.lower() for word in re.split(r"[^A-Za-z0-9]+", text[:200]) if len(word) > 1]
    near = [name for name in names if any(word in name.lower() for word in words)]
    if near:
        return f"layers are called {listed(near)}"
    parts = dict.fromkeys(part for name in names for part in re.split(r"[^A-Za-z0-9_.]+", name[:_LONGEST_NAME]) if part)
    return f"{did_you_mean(text, parts)}layers are called {listed(names)}"
