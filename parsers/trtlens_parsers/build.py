"""One build of a log while it is being read: its readers, and the record that comes of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from trtlens_parsers.graph import GraphReader
from trtlens_parsers.layers import read_layer, read_metadata
from trtlens_parsers.memory import MemoryReader
from trtlens_parsers.messages import classify
from trtlens_parsers.performance import PerformanceReader
from trtlens_parsers.profile_table import ProfileTableReader
from trtlens_parsers.records import Build, EngineLayer, Message, Moment
from trtlens_parsers.strategies import StrategyReader
from trtlens_parsers.trtexec_options import OptionsReader

if TYPE_CHECKING:
    from trtlens_parsers.trtexec import Banner
    from trtlens_parsers.tuning import TuningReader

_MOST_MESSAGE_LINES = 40


@dataclass(slots=True)
class OpenBuild:
    """The part of a log from one build's first line to the next build's."""

    number: int
    first_line: int
    tuning: TuningReader
    graph: GraphReader = field(default_factory=GraphReader)
    memory: MemoryReader = field(default_factory=MemoryReader)
    strategies: StrategyReader = field(default_factory=StrategyReader)
    options: OptionsReader = field(default_factory=OptionsReader)
    performance: PerformanceReader = field(default_factory=PerformanceReader)
    profile: ProfileTableReader = field(default_factory=ProfileTableReader)
    layers: list[EngineLayer] = field(default_factory=list)
    detailed_layers: list[EngineLayer] = field(default_factory=list)
    layer_names: list[tuple[str, int]] = field(default_factory=list)
    bindings: list[str] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    moments: list[Moment] = field(default_factory=list)
    wrappers: dict[str, int] = field(default_factory=dict)
    version: str | None = None
    version_line: int | None = None
    command: str | None = None
    state: str | None = None
    generated: bool = False
    inferring: bool = False
    blocks_before: int = 0  # tuning blocks of the strategies before the one that is being tried

    def add_layer(self, text: str, line: int) -> bool:
        """Keep a row of the engine layer information; False where the row is cut or no such row."""
        record = read_layer(text)
        if record is None:
            return False
        rows = self.detailed_layers if record.detailed else self.layers
        rows.append(EngineLayer(record, line))
        return True

    def extend_layer(self, text: str) -> bool:
        """Give the row above the nodes of a line of their own: Polygraphy breaks metadata where U+001E stands."""
        nodes = read_metadata(text) if self.detailed_layers else None
        if not nodes:
            return False
        above = self.detailed_layers[-1]
        layer = above.layer._replace(metadata=(*above.layer.metadata, *nodes))
        self.detailed_layers[-1] = above._replace(layer=layer)
        return True

    def add_message(self, severity: str, text: str, line: int) -> None:
        """Keep a warning, an error, or a line with a known meaning."""
        meaning = classify(text)
        if meaning is None:
            self.messages.append(Message(severity, None, text, None, None, line))
        else:
            self.messages.append(Message(severity, meaning.code, text, meaning.layer, meaning.tensor, line))

    def add_known(self, severity: str, text: str, line: int) -> bool:
        """Keep a line of lower severity if its meaning is known; False otherwise."""
        meaning = classify(text)
        if meaning is None:
            return False
        self.messages.append(Message(severity, meaning.code, text, meaning.layer, meaning.tensor, line))
        return True

    def read_section(self, text: str, line: int) -> bool:
        """Offer a line of the hosting program to the readers of trtexec's own sections."""
        return self.options.feed(text, line) or self.performance.feed(text, line) or self.profile.feed(text, line)

    def take_banner(self, banner: Banner, line: int) -> None:
        """Keep what trtexec's first or last line says: version, command, how it ended."""
        self.state = banner.state
        self.command = self.command or banner.command
        if banner.version is not None and self.version is None:
            self.version, self.version_line = banner.version, line

    def started(self) -> bool:
        """Whether anything of a build or of an engine was read yet."""
        return self._is_build() or bool(self.layer_names or self.performance.rows or self.options.rows)

    def begin_strategy(self) -> None:
        """The builder starts over with another backend strategy: nothing is tuned or generated of it yet."""
        self.generated = self.tuning.selection_done = False
        self.blocks_before = self.tuning.block_count

    def phase(self) -> str:
        """The part of the build that is running at this line."""
        if self.inferring:
            return "inference"
        if self.generated:
            return "after engine generation"
        if self.tuning.selection_done:
            return "engine generation"
        if self.tuning.block_count > self.blocks_before:
            return "tactic selection"
        if self.graph.passes:
            return "graph optimization"
        return "parsing" if self.graph.nodes else "start"

    def extend_message(self, text: str, line: int) -> bool:
        """Add a continuation line to the message right above it; False where there is none."""
        last = self.messages[-1] if self.messages else None
        if last is None or last.severity not in {"warning", "error", "internal error"}:
            return False
        lines = last.text.count("\n") + 1
        if line != last.line + lines or lines >= _MOST_MESSAGE_LINES:
            return False
        self.messages.pop()
        self.add_message(last.severity, f"{last.text}\n{text}", last.line)
        return True

    def close(self, last_line: int) -> Build:
        """The finished record."""
        self.tuning.finish()
        self.graph.finish()
        return Build(
            number=self.number,
            first_line=self.first_line,
            last_line=last_line,
            is_build=self._is_build(),
            complete=self.generated,
            wrapper=max(self.wrappers, key=lambda name: self.wrappers[name], default=None),
            version=self.version,
            version_line=self.version_line,
            command=self.command,
            state=self.state,
            layers=tuple(self.layers),
            detailed_layers=tuple(self.detailed_layers),
            layer_names=tuple(self.layer_names),
            bindings=tuple(self.bindings),
            blocks=tuple(self.tuning.blocks),
            choices=tuple(self.tuning.choices),
            combinations=tuple(self.tuning.combinations),
            strategies=tuple(self.strategies.strategies),
            stretches=tuple(self.strategies.stretches),
            regions=tuple(self.strategies.regions),
            tactics=self.tuning.tactics,
            chosen_kernels=tuple(self.tuning.chosen),
            nodes=tuple(self.graph.nodes),
            fusions=tuple(self.graph.fusions),
            passes=tuple(self.graph.passes),
            memory=tuple(self.memory.layers),
            totals=tuple(self.memory.totals),
            messages=tuple(self.messages),
            ranges=tuple(self.memory.ranges),
            added_reformats=tuple(self.graph.added_reformats),
            phases=tuple(self.memory.phases),
            moments=tuple(self.moments),
            options=tuple(self.options.rows),
            performance=tuple(self.performance.rows),
            profile=tuple(self.profile.rows),
            profile_iterations=self.profile.iterations,
        )

    def _is_build(self) -> bool:
        """Whether TensorRT built an engine here, as far as the log shows (a loaded engine is not a build)."""
        found = self.tuning.blocks or self.graph.passes or self.graph.nodes or self.layers or self.memory.phases
        return bool(found or self.memory.totals)
