"""Compares what two runs computed, tensor by tensor, and says which layer went wrong and why.

Reads dumps of any origin (`readers`), measures a pair in one pass over its bytes (`streaming`, `metrics`), follows the
error through the graph (`blame`), names the cause (`causes`), and looks for what FP16 cannot hold before an engine is
built (`overflow`). Needs numpy alone; what runs a model is in `trtlens.capture`.
"""
