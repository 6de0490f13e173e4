"""Progress that is read from the log, where a release has no monitor."""

from __future__ import annotations

from trtlens.capture.progress import Cancellation, LogPhases, guarded

MESSAGES = [
    "Registering tensor: x for ONNX tensor: x",
    "Parsing node: stem/conv [Conv]",
    "Parsing node: stem/relu [Relu]",
    "Original: 179 layers",
    "After dead-layer removal: 178 layers",
    "After this: many layers",
    "=============== Computing reformatting costs",
    "=============== Computing costs for ",
    "=============== Computing costs for stem/conv + stem/relu",
    "stem/conv + stem/relu profiling completed",
    "Formats and tactics selection completed in 1.5 seconds.",
    "Engine generation completed in 2 seconds.",
]


def test_phases_are_read_from_messages() -> None:
    """Nodes, passes and timed layers are counted; timing has no number of steps, only an upper bound."""
    seen: list[tuple[str, int | None, int | None, str]] = []
    read = LogPhases(lambda *advance: seen.append(advance))
    for message in MESSAGES:
        read(message)
    assert seen == [
        ("Parsing the model", 1, None, "stem/conv [Conv]"),
        ("Parsing the model", 2, None, "stem/relu [Relu]"),
        ("Optimizing the graph", None, None, "Original"),
        ("Optimizing the graph", None, None, "After dead-layer removal"),
        ("Timing tactics", 0, None, "reformats (of at most 178 layers)"),
        ("Timing tactics", 1, None, " (of at most 178 layers)"),
        ("Timing tactics", 2, None, "stem/conv + stem/relu (of at most 178 layers)"),
        ("Generating the engine", None, None, ""),
        ("Generating the engine", 1, 1, ""),
    ]


def test_the_first_failure_is_kept() -> None:
    """A callback that raises cancels the build once, and the first exception is the one to raise."""
    cancellation = Cancellation()

    def fail(phase: str, step: int | None, steps: int | None, detail: str) -> None:
        raise ValueError(phase, step, steps, detail)

    told = guarded(fail, cancellation)
    told("first", None, None, "")
    told("second", None, None, "")
    assert cancellation.cancelled
    assert isinstance(cancellation.failure, ValueError)
    assert cancellation.failure.args[0] == "first"
