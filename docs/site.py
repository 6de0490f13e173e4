"""Pages of the site that are made from declarations while it is built (a hook of mkdocs, see mkdocs.yml): commands, views, schemas, Python, notebooks, and the first."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mkdocs.structure.files import File
from typer.main import get_command

import trtlens
from trtlens.charts import chart_of_view
from trtlens.cli import app
from trtlens.commands.help import EXAMPLES, GROUPS
from trtlens.commands.schema import OPEN, declared_rows
from trtlens.tables.json_schema import VERSION
from trtlens.views import VIEWS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

_ROOT = Path(__file__).parents[1]
_PROGRAM: Any = get_command(app)
_PUBLIC = (
    *(f"trtlens.{name}" for name in trtlens.__all__ if name not in {"TABLES", "VIEWS", "__version__"}),
    "trtlens.tables.schema.TableSpec", "trtlens.tables.schema.Column", "trtlens.views.View",
    "trtlens.comparison.compare_runs", "trtlens.comparison.comparison.Comparison",
    "trtlens.comparison.result_tables.change_table", "trtlens.comparison.result_tables.region_table",
    "trtlens.findings.find", "trtlens.findings.finding.Found", "trtlens_parsers.kernels.read_kernel",
)  # fmt: skip
"""What the page of the Python API documents."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made."""
    made = {
        "index.md": _from_root("README.md"), "changelog.md": _from_root("CHANGELOG.md"),
        "contributing.md": _from_root("CONTRIBUTING.md"), "agents.md": _skill(),
        "reference/commands.md": _commands(), "reference/views.md": _views(), "reference/schemas.md": _schemas(),
        "reference/python.md": _python(),
    }  # fmt: skip
    made |= {f"notebooks/{path.stem}.md": _notebook(path) for path in (_ROOT / "docs" / "notebooks").glob("*.ipynb")}
    for name, content in made.items():
        files.append(File.generated(config, name, content=content))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Links to notebooks lead to their pages here."""
    return markdown.replace(".ipynb)", ".md)")


def _notebook(path: Path) -> str:
    """A notebook as a page: its text and its code, which a reader runs to see what it says."""
    cells = json.loads(path.read_text("utf-8"))["cells"]
    texts = [("".join(cell["source"]), cell["cell_type"] == "code") for cell in cells]
    where = f"The notebook is docs/notebooks/{path.name}.\n"
    return "\n\n".join([*(f"```python\n{text}\n```" if is_code else text for text, is_code in texts), where])


def _from_root(name: str) -> str:
    """A page that stands beside the folder of docs; its links lead to where its pages are here."""
    return _linked((_ROOT / name).read_text("utf-8"))


def _linked(text: str) -> str:
    known = {
        "skills/trtlens/SKILL.md": "agents.md",
        "CONTRIBUTING.md": "contributing.md",
        "CHANGELOG.md": "changelog.md",
    }
    text = re.sub(r"(\]\()(?:\.\./\.\./)?docs/", r"\1", text)
    return re.sub(r"\]\((?:\.\./)*([\w/]+\.md)\)", lambda found: f"]({known.get(found[1], found[1])})", text)


def _skill() -> str:
    """The skill for agents, without the header that their programs read."""
    text = (_ROOT / "skills" / "trtlens" / "SKILL.md").read_text("utf-8")
    return _linked(text.split("---\n", 2)[2])


# -- commands ----------------------------------------------------------------------------------------------------------


def _commands() -> str:
    ends = (
        "Exit codes: 0 done, 1 a check that was asked for failed, 2 wrong usage or a file that cannot be read, 3 TensorRT or CUDA failed, 70 a bug "
        "(with the file of its traceback), 74 the output takes nothing; 128 and its number for a signal."
    )
    return "\n\n".join(["# Commands", ends, *_sections()]) + "\n"


def _sections() -> Iterator[str]:
    program = _PROGRAM.make_context("trtlens", ["views"])
    grouped = [name for names in GROUPS.values() for name in names]
    for name in [*grouped, *(name for name in _PROGRAM.commands if name not in grouped)]:
        command = _PROGRAM.commands[name]
        if not command.hidden:
            context = command.context_class(command, info_name=name, parent=program)
            yield _command(command, name, context, "##")
            for inner, one in getattr(command, "commands", {}).items():
                yield _command(one, f"{name} {inner}", one.context_class(one, info_name=inner, parent=context), "###")


def _command(command: Any, name: str, context: Any, heading: str) -> str:
    usage = command.get_usage(context).replace("Usage: ", "", 1)
    parts = [f"{heading} {name}", (command.help or "").strip(), f"```text\n{' '.join(usage.split())}\n```"]
    if not hasattr(command, "commands"):
        parts.append(_options(command, context))
    examples = EXAMPLES.get(name, ())
    return "\n\n".join([*parts, *(["```sh\n" + "\n".join(examples) + "\n```"] if examples else [])])


def _options(command: Any, context: Any) -> str:
    groups: dict[str, list[str]] = {}
    for param in command.get_params(context):
        record = param.get_help_record(context)
        if record is not None:
            is_argument = param.param_type_name == "argument"
            title = "Arguments" if is_argument else getattr(param, "rich_help_panel", None) or "Options"
            groups.setdefault(title, []).append(f"| `{record[0]}` | {_cell(record[1])} |")
    titles = sorted(groups, key=lambda title: title != "Arguments")
    return "\n\n".join(f"| {title} | |\n|---|---|\n" + "\n".join(groups[title]) for title in titles)


def _cell(text: str) -> str:
    """A text in a table's cell; what stands in angle brackets or between stars is text."""
    return re.sub(r"([|<*])", r"\\\1", " ".join(text.split()))


# -- views, schemas, Python --------------------------------------------------------------------------------------------


def _views() -> str:
    head = (
        '# Views\n\nA view answers one question about a run: `trtlens show VIEW RUN`, or `run.view("VIEW")` in Python. Tables '
        "([all of them](../tables.md)) are shown likewise.\n\n"
    )
    return head + "\n".join(_view(name) for name in VIEWS)


def _view(name: str) -> str:
    view = VIEWS[name]
    chart = chart_of_view(name)
    drawn = f"- **Chart:** [{chart.title}](../charts/{chart.name}.md)\n" if chart else ""
    shown = ", ".join(f"`{column}`" for column in view.layout.shown)
    empty = f"- **Empty where:** {_cell(view.empty)}\n" if view.empty else ""
    rows = "\n".join(f"| `{c.name}` | {c.type} | {c.unit or ''} | {_cell(c.doc)} |" for c in view.columns.columns)
    columns = f"| column | type | unit | meaning |\n|---|---|---|---|\n{rows}\n"
    return f"## {name}\n\n{view.question}\n\n- **A terminal shows:** {shown}; `--wide` shows all\n{drawn}{empty}\n{columns}"


def _schemas() -> str:
    """How rows stand in JSON, and every name that has a schema."""
    head = (
        "# JSON\n\n`--format json` writes one array with an object for each row; every declared column is in every row, and unknown is null. "
        f"`trtlens schema NAME` prints the JSON Schema, with meanings and units (`x-unit`). Version {VERSION}, the number at the end of `$id`, goes up where a "
        "column goes or changes its type; a new column may come at any time. 64-bit ids of tactics are hexadecimal text.\n\n"
        "```sh\n"
        "trtlens schema layers                       # a view, or a table\n"
        "trtlens schema compare --regions            # what a command prints, under the command's words\n"
        "trtlens schema fleet ask regressions > regressions.schema.json\n"
        "```\n\n"
        "A command that fails writes no rows: one line on stderr, and the exit code says why. One that found nothing writes `[]`. With `show --columns` "
        "rows have those columns alone.\n\n"
    )
    rows = [
        f"| `{name}` | {_cell(spec.doc)} | {len(spec.columns)}{' and others' if name in OPEN else ''} |"
        for name, spec in declared_rows().items()
        if ":" not in name
    ]
    return (
        head
        + "| name | one row is | columns |\n|---|---|---|\n"
        + "\n".join(rows)
        + "\n\n`table:NAME` is the table of that name, where a view has it, too.\n"
    )


def _python() -> str:
    head = "# Python\n\n[Beginning with it](../python.md). Tables are Arrow tables whose fields carry unit and meaning; errors that a user can mend are `TrtlensError`.\n\n"
    return head + "\n".join(f"::: {name}\n" for name in _PUBLIC)
