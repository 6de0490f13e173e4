"""Which layers compute in a reduced precision and which stay in FP32: the search, without anything that runs a model.

`trtlens.capture.planning` emulates, writes and proves; here are units, costs, the exact plan, and what is told of it.
"""
