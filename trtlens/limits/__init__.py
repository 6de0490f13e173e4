"""What a GPU could do at most, what an engine asks of it, and what stands between the two.

`roofs` are rates of a GPU at the clocks of a run, `work` the operations and bytes of each layer, `split` the time of an
inference by what it is spent on.
"""
