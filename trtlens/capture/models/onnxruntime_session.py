"""ONNX Runtime on the CPU, as a calculator: no optimisation, so that every tensor is what its operator says.

ONNX Runtime 1.17 and later. Models whose weights no message can hold leave them in files beside the model, whose folder
is named to the session (`session.model_external_initializers_file_folder_path`, which 1.17 does not know yet).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trtlens.capture.models.onnx_faults import in_short
from trtlens.errors import TrtlensError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

_FATAL = 4
_SPINNING_KEY = "session.intra_op.allow_spinning"
_FOLDER_KEY = "session.model_external_initializers_file_folder_path"


def require_onnxruntime(purpose: str) -> Any:
    """The `onnxruntime` package; raises TrtlensError, with what it was needed for, where it is not there."""
    try:
        import onnxruntime  # noqa: PLC0415  reading a log needs none of it
    except ImportError as error:
        raise TrtlensError(
            f"{purpose} needs ONNX Runtime: `pip install onnxruntime` (or `pip install 'trtlens[onnxruntime]'`)"
        ) from error
    return onnxruntime


class CpuModel:
    """A model loaded for the CPU; calling it runs it once.

    `folder` is where its external weights lie. Raises TrtlensError where ONNX Runtime refuses the model.
    """

    def __init__(self, proto: Any, folder: Path | None = None) -> None:
        runtime = require_onnxruntime("running a model")
        options = runtime.SessionOptions()
        options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.log_severity_level = _FATAL  # what it refuses it also raises
        options.add_session_config_entry(
            _SPINNING_KEY, "0"
        )  # between two of hundreds of small models it would burn time
        if folder is not None:
            options.add_session_config_entry(_FOLDER_KEY, str(folder))
        try:
            self._session = runtime.InferenceSession(
                proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its own classes, all derived from Exception, and protobuf's at 2 GiB
            raise TrtlensError(
                f"ONNX Runtime cannot load the model ({in_short(error)}): check it with onnx.checker"
            ) from error
        self.outputs: tuple[str, ...] = tuple(output.name for output in self._session.get_outputs())

    def __call__(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
        """Outputs by name: arrays, but for sequences and optionals; raises TrtlensError where an operator fails."""
        try:
            return dict(zip(self.outputs, self._session.run(None, dict(feeds)), strict=True))
        except Exception as error:
            raise TrtlensError(
                f"ONNX Runtime cannot run the model ({in_short(error)}): check the inputs' shapes and values"
            ) from error
