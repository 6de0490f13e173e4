"""Whose fault a failure is: the model's, where onnx's own checker refuses it too, else that of whoever raised.

Models are rewritten by code that takes a valid model for granted. A broken one (a node with inputs that its operator does not
have, weights shorter than their shape, a graph in no order) makes it, onnx and onnxconverter-common raise anything.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from trtlens.capture.models.model import require_onnx
from trtlens.capture.models.onnx_rewriting import weights
from trtlens.errors import TrtlensError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LONGEST = 300


@contextmanager
def telling_faults(model: Path, purpose: str) -> Iterator[None]:
    """Turn what a broken model makes the block raise into one error that names the model; `purpose` is what was tried.

    Raises:
        TrtlensError: the checker refuses the model; what the block raises for a valid model passes on.

    """
    try:
        yield
    except TrtlensError:
        raise
    except Exception as error:
        fault = fault_of(model)
        if fault is None:
            raise
        raise TrtlensError(
            f"{model} is no valid ONNX model, and {purpose} failed ({fault}): export it again"
        ) from error


def fault_of(model: Path) -> str | None:
    """What onnx says against a model file: its checker, then whoever reads the weights; None where all pass."""
    onnx = require_onnx("checking a model")
    try:
        onnx.checker.check_model(str(model), full_check=True)
        for tensor in weights(onnx.load(str(model), load_external_data=False)):
            if not tensor.external_data:
                onnx.numpy_helper.to_array(tensor)  # the checker passes more values than the shape takes
    except Exception as error:  # noqa: BLE001  ValidationError, InferenceError, ValueError, RuntimeError and protobuf's
        return in_short(error)
    return None


def in_short(error: Exception) -> str:
    """The text of an error in one line of bounded length, its class where it has none."""
    return " ".join(str(error).split())[:_LONGEST] or type(error).__name__
