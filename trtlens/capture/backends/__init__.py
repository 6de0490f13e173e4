"""The libraries that run engines: which are installed, what they can do, and the GPU they do it on.

TensorRT, TensorRT-RTX, CUDA and NVML are imported in functions only. Imports nothing else of `trtlens.capture`.
"""
