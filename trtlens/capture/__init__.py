"""Builds engines, times them and writes down what TensorRT says: the only package that imports tensorrt or cuda.

Holds `backends` (libraries and the GPU), `options` (what a user asked for), `models` (ONNX files and their inputs),
`building`, `timing` and `dumping`. May import `runs`, `accuracy` and what is below; nothing but `commands` imports it.
Hands out run folders: what they hold is read like any saved log.
"""
