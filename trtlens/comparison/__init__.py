"""Comparing runs of one model: other precisions, other TensorRT versions, other builds.

`compare_runs` aligns the engines of several runs into regions that hold the same ONNX nodes and takes their figures; the
views ``compare`` and ``changes`` turn a `Comparison` into tables, `gate` judges it for CI.
"""

from __future__ import annotations

from trtlens.comparison.comparison import Comparison, compare_runs

__all__ = ["Comparison", "compare_runs"]
