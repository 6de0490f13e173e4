"""Models and their inputs: ONNX files, conversions, calibration data, quantization, tensors by name and shape."""
