"""One build of a log while it is being read: its readers, and the record that comes of them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from trtlens_parsers.graph import GraphReader
from trtlens_parsers.layers import is_layer_line, read_layer, read_metadata
from trtlens_parsers.memory import MemoryReader
from trtlens_parsers.records import Build, EngineLayer, LostRow, Moment
from trtlens_parsers.strategies import StrategyReader
from trtlens_parsers.trtexec_times import PerformanceReader, ProfileTableReader
from trtlens_parsers.tuning import TuningReader
from trtlens_parsers.weights import WeightReader

if TYPE_CHECKING:
    from trtlens_parsers.message_store import MessageStore
    from trtlens_parsers.prefixes import Prefix
    from trtlens_parsers.program_run import OpenRun

_SAMPLES = frozenset({"sample", "polygraphy", "trtexec"})
"""Wrappers whose prefix NVIDIA's samples write, too."""
_FAILED = frozenset({"build-failed", "no-implementation"})


@dataclass(slots=True)
class OpenBuild:
    """The part of a log from one build's first line to the next build's."""

    number: int
    first_line: int
    run: OpenRun
    messages: MessageStore
    tuning: TuningReader
    graph: GraphReader = field(default_factory=GraphReader)
    memory: MemoryReader = field(default_factory=MemoryReader)
    strategies: StrategyReader = field(default_factory=StrategyReader)
    weights: WeightReader = field(default_factory=WeightReader)
    performance: PerformanceReader = field(default_factory=PerformanceReader)
    profile: ProfileTableReader = field(default_factory=ProfileTableReader)
    layers: list[EngineLayer] = field(default_factory=list)
    detailed_layers: list[EngineLayer] = field(default_factory=list)
    layer_names: list[tuple[str, int]] = field(default_factory=list)
    lost_rows: list[LostRow] = field(default_factory=list)
    bindings: list[str] = field(default_factory=list)
    moments: list[Moment] = field(default_factory=list)
    wrappers: dict[str, int] = field(default_factory=dict)
    extended_line: int = 0  # last line that completed a row of the engine's layers
    last_line: int = 0
    last_text: tuple[int, str] | None = None  # the last line that is not blank
    loaded_line: int | None = None
    is_builder_used: bool = False  # the builder said that it starts
    is_builder_done: bool = False  # the builder said what memory it took
    generated: bool = False
    inferring: bool = False
    blocks_before: int = 0  # tuning blocks of the strategies before the one that is being tried
    mixed_line: int | None = None  # a line that shows that another build's lines stand among its own

    def add_prefix(self, prefix: Prefix, line: int) -> None:
        """Keep who wrote a line and when: once for each prefix, for most lines share theirs with the line above."""
        self.wrappers[prefix.wrapper] = self.wrappers.get(prefix.wrapper, 0) + 1
        stamp = prefix.stamp_s
        if stamp is not None and (not self.moments or self.moments[-1].stamp_s != stamp):
            self.moments.append(Moment(stamp, self.phase(), line))

    def add_layer(self, text: str, line: int) -> bool:
        """Keep a row of the engine layer information; False where the row is cut or no such row."""
        record = read_layer(text)
        if record is None:
            return False
        rows = self.detailed_layers if record.detailed else self.layers
        rows.append(EngineLayer(record, line))
        return True

    def extend_layer(self, text: str, line: int) -> bool:
        """Give the row above the nodes of a line of their own: Polygraphy breaks metadata where U+001E stands."""
        nodes = read_metadata(text) if self.detailed_layers else None
        if not nodes:
            return False
        above = self.detailed_layers[-1]
        layer = above.layer._replace(metadata=(*above.layer.metadata, *nodes))
        self.detailed_layers[-1] = above._replace(layer=layer)
        self.extended_line = line
        return True

    def lose_row(self, text: str, line: int) -> None:
        """Count a line among the engine's rows that is not understood."""
        self.lost_rows.append(LostRow(line, is_layer_line(text), text.startswith("Name: ")))

    def read_section(self, text: str, line: int) -> bool:
        """Offer a line of the hosting program to the readers of trtexec's own sections."""
        return self.run.options.feed(text, line) or self.performance.feed(text, line) or self.profile.feed(text, line)

    # -- phases ----------------------------------------------------------------------------------------------------

    def begin_strategy(self, text: str, line: int) -> bool:  # noqa: ARG002  a handler is called with the line
        """``Building graph using backend strategy N``: nothing is tuned or generated of it yet."""
        if text.startswith("Building graph using backend strategy "):
            self.generated = self.tuning.selection_done = False
            self.blocks_before = self.tuning.block_count
        return False

    def selected(self, text: str, line: int) -> bool:  # noqa: ARG002
        """``Formats and tactics selection completed``: what is named from here on are the chosen kernels."""
        self.tuning.selection_done |= text.startswith("Formats and tactics selection completed")
        return False

    def begin_inference(self, text: str, line: int) -> bool:  # noqa: ARG002
        """``Starting inference``: trtexec runs the engine."""
        self.inferring |= text.startswith("Starting inference")
        return False

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

    # -- the record ------------------------------------------------------------------------------------------------

    @property
    def is_built(self) -> bool:
        """Whether a line of the builder, or of the model's parser, says that an engine is built here."""
        graph, tuning = self.graph, self.tuning
        found = tuning.blocks or graph.passes or graph.nodes or graph.parsed_layers or self.memory.totals
        built = any(phase.name != "engine loaded" for phase in self.memory.phases)
        return bool(found or self.strategies.stretches) or built or self.is_builder_used or self.memory.detected

    @property
    def says_something(self) -> bool:
        """Whether anything was read that a table holds, beside the time stamps of lines."""
        run = self.run
        own = (
            self.layers,
            self.detailed_layers,
            self.layer_names,
            self.bindings,
            self.messages.rows,
            self.tuning.choices,
        )
        stated = (self.memory.layers, self.memory.phases, self.memory.ranges, self.performance.rows, self.profile.rows)
        graph = (self.graph.fusions, self.graph.added_reformats, self.tuning.combinations, self.strategies.regions)
        return (
            self.is_built or self.loaded_line is not None or bool(run.state or run.options.rows)
            or any(map(bool, (*own, *stated, *graph)))
        )  # fmt: skip

    @property
    def graph_ended(self) -> bool:
        """Whether the builder said that the graph is optimized."""
        return any(phase.name.startswith("graph ") for phase in self.memory.phases)

    @property
    def is_optimizing(self) -> bool:
        """Whether a verbose builder was at work on an engine, which it has not generated."""
        return bool(self.graph.passes) and not self.generated

    @property
    def may_go_on(self) -> bool:
        """Whether more lines of a verbose builder can follow: it did not fail, and its engine is neither listed nor used."""
        if self.run.state not in {None, "RUNNING"} or not self.graph.passes:
            return False
        if self.generated:
            return not (self.layers or self.detailed_layers or self._is_used())
        return not any(message.code in _FAILED and "error" in message.severity for message in self.messages.rows)

    def end(self, last_line: int, last_text: tuple[int, str] | None) -> None:
        """Close what is open: the build's last line was read; ``last_text`` is the last one that is not blank."""
        self.last_line, self.last_text = last_line, last_text
        self.tuning.finish()
        self.graph.finish()

    def record(self) -> Build:
        """The finished record; of a build whose lines are mixed with another's only what it is known to hold."""
        if self.mixed_line is None:
            return self._record()
        tuning = TuningReader(self.tuning.names)
        kept = OpenBuild(self.number, self.first_line, self.run, self.messages, tuning, wrappers=self.wrappers)
        kept.end(self.last_line, self.last_text)
        run = self.run.record()._replace(state=None, state_line=None, options=())
        return replace(kept._record(), run=run, is_build=True, finished=None, used=False, mixed_line=self.mixed_line)

    def _record(self) -> Build:
        run = self.run.record()
        is_build = self._is_build()
        return Build(
            number=self.number,
            first_line=self.first_line,
            last_line=self.last_line,
            run=run,
            is_build=is_build,
            finished=self.generated or self._is_used() or self._is_listed() if is_build else None,
            used=self._is_used(),
            last_text=self.last_text,
            last_phase=self.phase(),
            mixed_line=None,
            extended_line=self.extended_line,
            loaded_line=self.loaded_line,
            wrapper=self._wrapper(),
            layers=tuple(self.layers),
            detailed_layers=tuple(self.detailed_layers),
            layer_names=tuple(self.layer_names),
            lost_rows=tuple(self.lost_rows),
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
            parsed_layers=tuple(self.graph.parsed_layers),
            fusions=tuple(self.graph.fusions),
            passes=tuple(self.graph.passes),
            memory=tuple(self.memory.layers),
            totals=tuple(self.memory.totals),
            messages=self.messages.finish(),
            weight_issues=tuple(self.weights.issues),
            ranges=tuple(self.memory.ranges),
            added_reformats=tuple(self.graph.added_reformats),
            phases=tuple(self.memory.phases),
            moments=tuple(self.moments),
            performance=tuple(self.performance.rows),
            profile=tuple(self.profile.rows),
            profile_total=self.profile.total,
            profile_iterations=self.profile.iterations,
        )

    def _wrapper(self) -> str | None:
        """The program whose prefix most lines have.

        NVIDIA's samples, of which trtexec is one, share their prefix, and their banner says which of them it is. Up to 6.x
        they mark TensorRT's lines (``[I] [TRT] ``), while their own are like Polygraphy's.
        """
        found = max(self.wrappers, key=lambda name: self.wrappers[name], default=None)
        program = self.run.program or ""
        if found not in _SAMPLES or not (program or "sample" in self.wrappers):
            return found
        return "trtexec" if program.endswith("trtexec") else "sample"

    def _is_build(self) -> bool:
        """Whether an engine was built here, or was to be: an engine that is only loaded is no build."""
        if self.is_built:
            return True
        if self.run.loads is not None:
            return not self.run.loads
        return self._is_listed() and self.loaded_line is None

    def _is_listed(self) -> bool:
        """Whether layers of the engine are listed: there is one then."""
        return bool(self.layers or self.detailed_layers)

    def _is_used(self) -> bool:
        """Whether an engine came out of the builder, as what stands behind engine generation tells: it was loaded or run."""
        built = any(phase.name == "engine built" for phase in self.memory.phases)
        used = self.loaded_line is not None or self.inferring or bool(self.performance.rows)
        passed = not self.run.loads and self.run.state == "PASSED"
        return built or used or passed or self.is_builder_done
