"""One build of a log while it is being read: its readers, and the record that comes of them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from trtlens_parsers.layers import is_layer_line, read_layer, read_metadata
from trtlens_parsers.line_forms import discover, dispatch, watch
from trtlens_parsers.message_store import MessageBudget, MessageStore
from trtlens_parsers.messages.graph import Node, ParsedLayer, Pass
from trtlens_parsers.messages.memory_lines import MemoryUse, Phase, Total
from trtlens_parsers.messages.strategies import Stretch
from trtlens_parsers.messages.tuning import TuningReader
from trtlens_parsers.messages.tuning_blocks import TuningBlock
from trtlens_parsers.program_run import TRTLENS
from trtlens_parsers.records import Build, EngineLayer, Moment, Records, UnreadRow
from trtlens_parsers.trtexec_times import PerformanceReader, ProfileTableReader

if TYPE_CHECKING:
    from trtlens_parsers.line_forms import Dispatch, LineReader
    from trtlens_parsers.prefixes import Prefix
    from trtlens_parsers.program_run import OpenRun

LINE_FORMS = discover("trtlens_parsers.messages")
_OF_A_BUILDER = (TuningBlock, Pass, Node, ParsedLayer, Total, Stretch)
"""Records that a builder, or the model's parser, alone gives."""
_DETECTED = re.compile(r"Detected \d{1,6} inputs? and \d{1,6} output network tensors")
_SAMPLES = frozenset({"sample", "polygraphy", "trtexec"})
"""Wrappers whose prefix NVIDIA's samples write, too."""
_FAILED = frozenset({"build-failed", "no-implementation"})


@dataclass(slots=True)
class OpenBuild:
    """The part of a log from one build's first line to the next build's."""

    number: int
    first_line: int
    run: OpenRun
    records: Records
    messages: MessageStore
    readers: tuple[LineReader, ...]
    tuning: TuningReader  # one of the readers
    performance: PerformanceReader = field(default_factory=PerformanceReader)
    profile: ProfileTableReader = field(default_factory=ProfileTableReader)
    layers: list[EngineLayer] = field(default_factory=list)
    detailed_layers: list[EngineLayer] = field(default_factory=list)
    layer_names: list[tuple[str, int]] = field(default_factory=list)
    unread_rows: list[UnreadRow] = field(default_factory=list)
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

    @classmethod
    def begin(cls, number: int, line: int, run: OpenRun, of_log: dict[type, Any]) -> OpenBuild:
        """A build that begins on this line; ``of_log`` is what the readers of all builds of the log share."""
        records = Records(LINE_FORMS.records, of_log)
        readers = tuple(kind(records) for kind in LINE_FORMS.readers)
        tuning = next(reader for reader in readers if isinstance(reader, TuningReader))
        return cls(number, line, run, records, MessageStore(records.shared(MessageBudget)), readers, tuning)

    def dispatch(self, *watching: object) -> Dispatch:
        """Which reader takes a line of the build; what else watches lines sees them first."""
        return dispatch(LINE_FORMS, self.records, (*watching, self.run, self, *self.readers))

    def alarm(self, text: str, prefix: Prefix, line: int) -> None:
        """Keep a warning or an error."""
        self.messages.add(text, prefix, line)
        for reader in self.readers:
            reader.alarm(text, line)

    def add_prefix(self, prefix: Prefix, line: int) -> None:
        """Keep who wrote a line and when: once for each prefix, for most lines share theirs with the line above."""
        self.wrappers[prefix.wrapper] = self.wrappers.get(prefix.wrapper, 0) + 1
        stamp = prefix.stamp_s
        if stamp is not None and (not self.moments or self.moments[-1].stamp_s != stamp):
            self.moments.append(Moment(stamp, self.phase(), line))

    @watch("Layer(", "Layer: ", "Name: ")
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

    def add_unread_row(self, text: str, line: int) -> None:
        """Count a line among the engine's rows that is not understood."""
        self.unread_rows.append(UnreadRow(line, is_layer_line(text), text.startswith("Name: ")))

    def read_section(self, text: str, line: int) -> bool:
        """Offer a line of the hosting program to the readers of trtexec's own sections."""
        return self.run.options.feed(text, line) or self.performance.feed(text, line) or self.profile.feed(text, line)

    # -- phases ----------------------------------------------------------------------------------------------------

    @watch("Detected ")
    def detected(self, text: str, line: int) -> bool:  # noqa: ARG002  a handler is called with the line
        """The builder counts the engine's inputs and outputs when tactics are selected."""
        found = _DETECTED.match(text) is not None
        self.is_builder_used |= found
        return found

    @watch("[MemUsage")
    def builder_done(self, text: str, line: int) -> bool:  # noqa: ARG002
        """``[MemUsageChange] .. in building engine`` (8.2 to 8.6), ``[MemUsageSnapshot] Builder end`` (8.0, 8.2)."""
        self.is_builder_done |= "in building engine" in text or "Builder end" in text
        return False

    @watch("Building graph using backend strategy ")
    def begin_strategy(self, text: str, line: int) -> bool:  # noqa: ARG002
        """Nothing is tuned or generated of it yet."""
        self.generated = self.tuning.selection_done = False
        self.blocks_before = self.tuning.block_count
        return False

    @watch("Formats and tactics selection completed")
    def end_selection(self, text: str, line: int) -> bool:  # noqa: ARG002
        """What is named from here on are the chosen kernels."""
        self.tuning.selection_done = True
        return False

    @watch("Engine generation completed", "Data initialization and engine generation completed")
    def end_generation(self, text: str, line: int) -> bool:  # noqa: ARG002
        """The builder made an engine."""
        self.generated = True
        return False

    @watch("Starting inference")
    def begin_inference(self, text: str, line: int) -> bool:  # noqa: ARG002
        """Trtexec runs the engine."""
        self.inferring = True
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
        if self.records.of(Pass):
            return "graph optimization"
        return "parsing" if self.records.of(Node) else "start"

    # -- the record ------------------------------------------------------------------------------------------------

    @property
    def is_built(self) -> bool:
        """Whether a line of the builder, or of the model's parser, says that an engine is built here."""
        built = any(self.records.of(kind) for kind in _OF_A_BUILDER)
        return built or self.is_builder_used or any(phase.name != "engine loaded" for phase in self.records.of(Phase))

    @property
    def has_content(self) -> bool:
        """Whether anything was read that a table holds, beside the time stamps of lines."""
        run = self.run
        of_engine = (self.layers, self.detailed_layers, self.layer_names, self.bindings)
        of_program = (self.messages.rows, self.performance.rows, self.profile.rows, run.state, run.options.rows)
        return (
            self.is_built
            or self.loaded_line is not None
            or self.records.any(MemoryUse)  # which programs print that build nothing, too
            or any(map(bool, of_engine + of_program))
        )

    @property
    def graph_ended(self) -> bool:
        """Whether the builder said that the graph is optimized."""
        return any(phase.name.startswith("graph ") for phase in self.records.of(Phase))

    @property
    def is_optimizing(self) -> bool:
        """Whether a verbose builder was at work on an engine, which it has not generated."""
        return bool(self.records.of(Pass)) and not self.generated

    @property
    def may_go_on(self) -> bool:
        """Whether more lines of a verbose builder can follow: it did not fail, and its engine is neither listed nor used."""
        if self.run.state not in {None, "RUNNING"} or not self.records.of(Pass):
            return False
        if self.generated:
            return not (self.layers or self.detailed_layers or self._is_used())
        return not any(message.code in _FAILED and "error" in message.severity for message in self.messages.rows)

    def end(self, last_line: int, last_text: tuple[int, str] | None) -> None:
        """Close what is open: the build's last line was read; ``last_text`` is the last one that is not blank."""
        self.last_line, self.last_text = last_line, last_text
        for reader in self.readers:
            reader.finish()

    def record(self) -> Build:
        """The finished record; of a build whose lines are mixed with another's only what it is known to hold."""
        if self.mixed_line is None:
            return self._record()
        kept = OpenBuild.begin(self.number, self.first_line, self.run, self.records.of_log)
        kept.messages, kept.wrappers = self.messages, self.wrappers
        kept.end(self.last_line, self.last_text)
        run = self.run.record()._replace(state=None, state_line=None, options=())
        return replace(kept.record(), run=run, is_build=True, finished=None, used=False, mixed_line=self.mixed_line)

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
            unread_rows=tuple(self.unread_rows),
            bindings=tuple(self.bindings),
            tactics=self.tuning.tactics,
            messages=self.messages.finish(),
            moments=tuple(self.moments),
            performance=tuple(self.performance.rows),
            profile=tuple(self.profile.rows),
            profile_total=self.profile.total,
            profile_iterations=self.profile.iterations,
            found=self.records.all(),
        )

    def _wrapper(self) -> str | None:
        """The program whose prefix most lines have.

        NVIDIA's samples, of which trtexec is one, share their prefix, and their banner says which of them it is. Up to 6.x
        they mark TensorRT's lines (``[I] [TRT] ``), while their own are like Polygraphy's.
        """
        found = max(self.wrappers, key=lambda name: self.wrappers[name], default=None)
        program = self.run.program or ""
        if program == TRTLENS:
            return TRTLENS
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
        built = any(phase.name == "engine built" for phase in self.records.of(Phase))
        used = self.loaded_line is not None or self.inferring or bool(self.performance.rows)
        passed = not self.run.loads and self.run.state == "PASSED"
        return built or used or passed or self.is_builder_done
