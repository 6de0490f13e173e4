"""The plan of precisions that a run was built with: its units, and the choices that its search knows."""

from __future__ import annotations

from trtlens.tables.schema import BUILD, declare

_ERROR = "norm of the difference over norm of the reference, or what the cosine lacks of 1; lower is better"

PLANS = (
    declare(
        "plan_choices", "one choice of types that the search of a plan knows, or an engine that was built so", "build index",
        f"""
        {BUILD}
        index | int | | position in the list, from 0
        kind | text | | all fp32; all reduced (what may go down); check (judged on the CPU); front (the fastest that the model knows within an error); build (an engine of the proof); in the view also run: this run itself
        low_units | int | | units in the reduced type; null for a build
        units | int | | units of the model
        low_type | text | | the reduced type
        predicted_percent | float | % | predicted time as a share of the whole in FP32
        predicted_ms | float | ms | predicted time; null where times are weights
        time_ms | float | ms | median time of the engine of a build
        time_low_ms | float | ms | lower end of its interval; null for too few samples
        time_high_ms | float | ms | upper end of its interval
        predicted_error | float | | error by the model: {_ERROR}
        measured_error | float | | error as it was measured: of a check emulated on the CPU, of a build its engine's
        holds | bool | | whether the bound or the command was met; null where nothing was measured
        chosen | bool | | whether it is the plan, as checked or as built
        within_error | float | | of the front: the error that it keeps within by the model
        least_percent | float | % | of the front: no choice that keeps within it is faster by the model, as a share of the whole in FP32
        quantity | text | | error or cosine: what is limited
        bound | text | | the bound as it was given; null where a command judged
        bound_error | float | | the bound as an error
        """,
    ),
    declare(
        "plan_units", "one unit of a plan: nodes that have one type", "build index",
        f"""
        {BUILD}
        index | int | | position in the model, from 0
        name | text | | its first ONNX node, and how many others
        nodes | texts | | its ONNX nodes
        operators | texts | | operators of its nodes
        type | text | | what the plan has it compute in
        error | float | | error that it adds where it alone goes down, emulated on the CPU: {_ERROR}; null where that was not measured
        fp32_percent | float | % | its predicted time in FP32 as a share of the whole in FP32
        fp32_ms | float | ms | the same as a time; null where times are weights
        costs_percent | float | % | what FP32 costs it, without casts, as a share of the whole in FP32; negative where FP32 is faster
        costs_ms | float | ms | the same as a time; null where times are weights
        why | text | | why it cannot go down
        remedy | text | | what would let it go down
        """,
    ),
)  # fmt: skip
