"""One engine of a run: its layers, tensors, times, reformats and ONNX nodes.

Holds the joins that several questions need, from a layer to its time, its tensors, its neighbours and its nodes. May
import `runs` and what is below. Hands out `EngineGraph`, `layers_with_times`, and who causes which reformat.
"""
