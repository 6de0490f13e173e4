"""Builds engines, times them and writes down what TensorRT says: the only room that imports tensorrt or cuda."""
