"""Messages about dynamic shapes: optimization profiles, guessed shapes, inputs that fit nothing.

Line forms of TensorRT 6.0 to 11, trtexec and Polygraphy.
"""

from __future__ import annotations

from trtlens_parsers.messages.entry import Entry

SHAPES = (
    Entry(
        "profile-missing",
        "error",
        "6 and later",
        "The network has dynamic inputs and no optimization profile",
        ("but no optimization profile has been defined",),
    ),
    Entry(
        "profile-incomplete",
        "error",
        "6 and later",
        "An optimization profile lacks an input",
        (
            "^<tensor>: dynamic input is missing dimensions in profile",
            "ynamic input tensor <tensor> is missing dimensions in profile",
            "^<tensor>: optimization profile is missing values for shape input",
        ),
    ),
    Entry(
        "profile-inconsistent",
        "error",
        "6 and later",
        "The shapes of an optimization profile contradict each other or the network",
        (
            "values are not self-consistent",
            "MIN<=OPT<=MAX",
            "Min value of this profile is not valid",
            "Max value of this profile is not valid",
            "Opt value of this profile is not valid",
            "violate shape constraints",
            "impossible for the given optimization profiles",
        ),
    ),
    Entry(
        "profile-input-unknown",
        "error",
        "Polygraphy",
        "An optimization profile names an input that the network does not have",
        ("Invalid inputs were provided to the optimization profile",),
    ),
    Entry(
        "shapes-not-given",
        "warning",
        "trtexec and Polygraphy",
        "A dynamic input got a shape that nobody asked for",
        (
            "Dynamic dimensions required for input: <tensor>, but no shapes were provided",
            "Shape missing for input with dynamic shape: <tensor>Automatically setting shape to",
            "Input tensor: <tensor> (dtype=<*> | No shapes provided; Will use shape",
            "Input tensor: <tensor> [shape=<*> | Will generate data of shape",
        ),
    ),
    Entry(
        "opt-value-guessed",
        "warning",
        "8.6",
        "A profile's optimum for a shape input was not given",
        ("Was not able to infer a kOPT value for tensor <tensor>. Using one(s)", "Inferred kOPT values for tensor <*>"),
        quiet=True,
    ),
    Entry(
        "dimension-uncertain",
        "warning",
        "8.4 and later",
        "A dimension may be zero or one, which TensorRT can decide only at run time",
        ("that might or might not be zero", "that might or might not be equal to 1"),
    ),
    Entry(
        "input-unused",
        "warning",
        "7 and later",
        "A network input changes nothing",
        ("Input Tensor <tensor> is unused or used only at compile-time", "Unused Input: <tensor>"),
    ),
    Entry(
        "input-unknown",
        "warning",
        "Polygraphy",
        "Data or metadata was given for an input that the model does not have",
        ("Input tensor: <tensor> | Metadata was provided, but the input does not exist",),
    ),
    Entry(
        "input-shape-mismatch",
        "warning",
        "Polygraphy",
        "The data for an input has another shape than the model wants",
        ("Input tensor: <tensor> | Buffer shape (",),
    ),
)
