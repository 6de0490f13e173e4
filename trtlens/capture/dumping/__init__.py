"""Dumping: the tensors that an engine, or ONNX Runtime as its reference, computes for one input."""
