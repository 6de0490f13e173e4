"""The help: commands in groups with whole summaries, options in groups, examples; and a file in place of a command.

Lines are as wide as the terminal, up to 100 characters.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand, TyperGroup

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

WIDEST = 100
_TERM_WIDTH = 34
_STDIN = "-"

GROUPS: dict[str, tuple[str, ...]] = {
    "Read": ("parse", "show", "views", "kernel", "schema"),
    "Explain": ("why", "findings", "overflow"),
    "Compare": ("compare", "repeats", "accuracy", "isolate", "rerun"),
    "Build": ("profile", "watch", "trace", "dump", "plan", "cache"),
    "Many runs": ("fleet",),
    "Share": ("report", "export"),
    "Set up": ("doctor", "completion"),
}
"""The commands by what they are for; one that stands in no group comes last."""
_REST = "More"

EXAMPLES: dict[str, tuple[str, ...]] = {
    "parse": (
        "trtlens parse build.log",
        "trtlens build.log                              # the same",
        "trtlens parse build.log layers.json times.json -o run",
        "trtexec --onnx=model.onnx --verbose 2>&1 | trtlens parse -",
    ),
    "show": (
        "trtlens show layers build.log",
        "trtlens show precision build.log --build 2",
        "trtlens show layers run --match 'layer[34]' --format csv",
        "trtlens show table:layers run --format parquet > layers.parquet",
    ),
    "views": ("trtlens views",),
    "kernel": (
        "trtlens kernel sm80_xmma_gemm_f16f16_f16f32_f32_tn_n_tilesize128x128x32",
        "trtlens kernel - < names.txt",
    ),
    "schema": (
        "trtlens schema layers",
        "trtlens schema compare --regions",
        "trtlens schema                                 # the names",
    ),
    "why": ("trtlens why conv1 build.log", "trtlens why '*attention*' run", "trtlens why --all run"),
    "findings": ("trtlens findings run", "trtlens findings int8 --against fp16"),
    "overflow": ("trtlens overflow model.onnx", "trtlens overflow reference"),
    "compare": (
        "trtlens compare fp16 int8",
        "trtlens compare before after --fail-on 'latency > +3%'",
        "trtlens compare build.log@1 build.log@2",
    ),
    "repeats": (
        "trtlens repeats out                            # what trtlens profile model.onnx --repeat 3 -o out built",
        "trtlens repeats a.log b.log c.log",
        "trtlens repeats level3 --against level0",
    ),
    "accuracy": (
        "trtlens accuracy reference fp16",
        "trtlens accuracy reference fp16 --profile run",
        "trtlens accuracy reference fp16 --blame",
    ),
    "isolate": (
        "trtlens isolate reference fp16 norm/pow_output",
        "trtlens isolate reference fp16 norm/pow_output --bundle fault.zip",
        "trtlens isolate reference fp16 norm/pow_output --bundle fault.zip --anonymise",
    ),
    "rerun": ("trtlens rerun fault.zip                     # 1 where the fault does not show",),
    "profile": (
        "trtlens profile model.onnx --fp16",
        "trtlens profile model.onnx --fp16 --shapes input:8x3x224x224 --useCudaGraph",
        "trtlens profile model.onnx --fp16 --batches 1,8,32",
        "trtlens profile model.onnx --int8 --calib-data images.npz -o int8",
        "trtlens profile --onnx=model.onnx --saveEngine=model.plan --fp16 --verbose",
        "trtlens profile model.plan                     # time an engine that is there",
    ),
    "watch": (
        "trtlens watch build.log",
        "trtexec --onnx=model.onnx --verbose 2>&1 | trtlens watch - --tee build.log",
        "trtlens watch model.trtlens        # a run that trtlens profile is making",
    ),
    "trace": ("trtlens trace run", "trtlens trace model.plan -o traced"),
    "dump": (
        "trtlens dump model.onnx --reference -o reference",
        "trtlens dump model.onnx --fp16 -o fp16-dump",
        "trtlens dump model.onnx --list",
    ),
    "cache": (
        "trtlens cache show model.cache",
        "trtlens cache verify model.cache --sha256 DIGEST",
        "trtlens cache pinned build.log     # 1 where a layer was tuned anew",
    ),
    "cache show": ("trtlens cache show model.cache", "trtlens cache show model.cache --format csv"),
    "cache diff": ("trtlens cache diff monday.cache friday.cache",),
    "cache verify": ("trtlens cache verify model.cache --sha256 DIGEST",),
    "cache merge": ("trtlens cache merge a.cache b.cache -o both.cache",),
    "cache pinned": ("trtlens cache pinned build.log", "trtlens cache pinned run"),
    "plan": (
        "trtlens plan model.onnx --fp16 --bound 'error<=5e-4'",
        "trtlens plan model.onnx --fp16 --bound 'cosine>=0.9999' --inputs data.npz --log fp16-run",
        "trtlens plan model.onnx --bf16 --check 'python evaluate.py {model}' --write typed.onnx",
        "trtlens plan plan.json --trtexec",
    ),
    "fleet": (
        "trtlens fleet add 'ci/**/*.log*' --to fleet",
        "trtlens fleet ask regressions fleet",
        "trtlens fleet COMMAND --help       # options and examples of a command",
    ),
    "fleet add": (
        "trtlens fleet add 'ci/**/*.log*' artifacts.zip --to fleet --label machine=ci-7",
        "trtlens fleet add s3://bucket/logs --to fleet --path-labels '{machine}/{date}/*.log'",
        "trtlens fleet add logs --to fleet --scheduler tcp://host:8786",
    ),
    "fleet ask": ("trtlens fleet ask regressions fleet", "trtlens fleet ask precision fleet --chart precision.html"),
    "fleet questions": ("trtlens fleet questions",),
    "fleet sql": ('trtlens fleet sql "SELECT gpu, median(latency_ms) FROM engines GROUP BY gpu" fleet',),
    "fleet shell": ("trtlens fleet shell fleet", "trtlens fleet shell fleet --format csv < queries.sql"),
    "fleet check": ("trtlens fleet check fleet --fail-on 'regressions: step_percent > 3 and latest'",),
    "fleet report": ("trtlens fleet report fleet -o fleet.html",),
    "fleet compact": ("trtlens fleet compact fleet",),
    "fleet refresh": ("trtlens fleet refresh fleet",),
    "report": (
        "trtlens report fp16 int8 -o report.html",
        "trtlens report build.log,layers.json,times.json -o report.html",
    ),
    "export": ("trtlens export run --to perfetto -o trace.json", "trtlens export run --to svg -o engine.svg"),
    "completion": (
        "trtlens completion bash > ~/.local/share/bash-completion/completions/trtlens",
        "trtlens completion zsh > ~/.zfunc/_trtlens   # fpath+=~/.zfunc in ~/.zshrc",
        "trtlens completion fish > ~/.config/fish/completions/trtlens.fish",
    ),
    "doctor": ("trtlens doctor", "trtlens doctor /usr/lib/x86_64-linux-gnu/libnvinfer.so.10"),
}


class Command(TyperCommand):
    """A command whose help has its options in groups, and ends with examples."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the arguments, then each group of options; of several spellings the first alone."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None:
                is_argument = param.param_type_name == "argument"
                title = "Arguments" if is_argument else getattr(param, "rich_help_panel", None) or "Options"
                sections.setdefault(title, []).append((_first_spelling(record[0], param.opts), record[1]))
        for title in sorted(sections, key=lambda title: title != "Arguments"):
            with formatter.section(title):
                formatter.write_dl(sections[title], col_max=min(_TERM_WIDTH, formatter.width // 3))

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the examples, whose lines are never broken."""
        _write_examples(formatter, EXAMPLES.get(ctx.command_path.partition(" ")[2], ()))


class Subcommands(TyperGroup):
    """A command of commands, whose help ends with examples."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the examples, whose lines are never broken."""
        _write_examples(formatter, EXAMPLES.get(ctx.command_path.partition(" ")[2], ()))


class CommandGroup(TyperGroup):
    """The program: its commands in groups; what is no command, and looks like a file, is read by `parse`."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write each group of commands with whole summaries."""
        width = max(map(len, self.list_commands(ctx)), default=0)
        for title, names in self._groups(ctx):
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), summary(self.commands[name].help)) for name in names])

    def format_epilog(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002  click passes both
        """Write how to begin."""
        _write_examples(
            formatter,
            (
                "trtexec --onnx=model.onnx --verbose > build.log 2>&1",
                "trtlens build.log                  # what this build did",
                "trtlens why conv1 build.log        # why a layer runs as it does",
                "trtlens COMMAND --help             # options and examples of a command",
            ),
        )

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The command; `parse` where a file stands in its place."""
        if args[0] not in self.commands and _is_file(args[0]):
            args = ["parse", *args]
        return super().resolve_command(ctx, args)

    def _groups(self, ctx: Any) -> Iterator[tuple[str, Sequence[str]]]:
        shown = [name for name in self.list_commands(ctx) if not self.commands[name].hidden]
        grouped = [(title, [name for name in names if name in shown]) for title, names in GROUPS.items()]
        rest = [name for name in shown if not any(name in names for names in GROUPS.values())]
        return ((title, names) for title, names in [*grouped, (_REST, rest)] if names)


class Application(typer.Typer):
    """A Typer whose commands have our help."""

    def command(self, name: str | None = None, *, cls: type[TyperCommand] | None = None, **settings: Any) -> Any:
        """Register a command; see `typer.Typer.command`."""
        return super().command(name, cls=cls or Command, **settings)


def _is_file(text: str) -> bool:
    """Whether a word is meant as a file: one that is there, standard input, or with a folder or an ending."""
    return text == _STDIN or os.sep in text or "." in text or os.path.exists(text)  # noqa: PTH110  any text is allowed


def _first_spelling(names: str, spellings: Sequence[str]) -> str:
    """The names of an option without the kebab case behind trtexec's spelling."""
    long = [text for text in spellings if text.startswith("--")]
    for text in long[1:]:
        names = names.replace(f", {text}", "")
    return names


def summary(text: str | None) -> str:
    """The first paragraph of a help, in one line."""
    return " ".join((text or "").partition("\n\n")[0].split())


def _write_examples(formatter: Any, lines: Sequence[str]) -> None:
    if lines:
        formatter.write("\nExamples:\n")
        formatter.write("".join(f"  {line}\n" for line in lines))
