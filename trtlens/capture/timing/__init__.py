"""Timing: whole inferences and layers of a built engine, with the state of the GPU around them."""
