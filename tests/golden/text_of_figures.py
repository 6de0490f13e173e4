"""Charts as small texts: what each trace draws, point by point, and what the layout says; how it is painted is left out."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from tests.golden.text_of_tables import Columns, columns_text, rounded

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_PAINT = re.compile(
    r"(^|\.)(template|font|textfont|insidetextfont|outsidetextfont|hoverlabel|margin|height|width|thickness|opacity|fgcolor|"
    r"bgcolor|bordercolor|solidity|fillmode|gridcolor|zerolinecolor|cliponaxis|pad|paper_bgcolor|plot_bgcolor|connector|line|"
    r"marker\.size|pattern\.size|colorbar|showgrid|yshift|xshift)(\.|$)"
)


def figure_text(figure: Figure) -> str:
    """The figure's layout and traces, with numbers at six significant digits."""
    layout = _flat(figure.layout.to_plotly_json())
    parts = [_section("layout", {name: value for name, value in layout.items() if not _PAINT.search(name)})]
    for number, trace in enumerate(figure.data):
        parts.append(_trace(number, trace.to_plotly_json()))
    return "\n".join(parts)


def _trace(number: int, content: dict[str, Any]) -> str:
    facts = {name: value for name, value in _flat(content).items() if not _PAINT.search(name)}
    series = {name: value for name, value in facts.items() if isinstance(value, list)}
    text = _section(f"trace {number}", {name: value for name, value in facts.items() if name not in series})
    for length in sorted({len(values) for values in series.values()}):
        names = [name for name, values in series.items() if len(values) == length]
        text += columns_text(Columns(names, [[_plain(one) for one in series[name]] for name in names]))
    return text


def _section(title: str, facts: dict[str, Any]) -> str:
    lines = [f"{name}: {_shown(value)}" for name, value in sorted(facts.items())]
    return "\n".join([f"[{title}]", *lines]) + "\n"


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(rounded(_plain(value)), ensure_ascii=False)


def _flat(content: dict[str, Any], above: str = "") -> dict[str, Any]:
    """Nested objects as dotted names; what is None stands for nothing."""
    found: dict[str, Any] = {}
    for name, value in content.items():
        plain = _plain(value)
        if isinstance(plain, dict):
            found |= _flat(plain, f"{above}{name}.")
        elif plain is not None:
            found[f"{above}{name}"] = plain
    return found


def _plain(value: Any) -> Any:
    """Arrays as lists; numbers of numpy as Python's."""
    if hasattr(value, "tolist"):
        return value.tolist()
    return [_plain(one) for one in value] if isinstance(value, (list, tuple)) else value
