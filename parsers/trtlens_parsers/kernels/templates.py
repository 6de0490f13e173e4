"""C++ kernels that a profiler shows with their template arguments: ``wgrad_alg0_engine<float, 128, 5, ...>``.

Seen in profiles of TensorRT, cuDNN and cuBLAS since 2016. The first floating type among the arguments is that of the
data.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from trtlens_parsers.kernels.dtypes import type_of

if TYPE_CHECKING:
    from trtlens_parsers.kernels.record import Facts
    from trtlens_parsers.kernels.words import Words

_FIRST_FLOAT: Final = re.compile(r"<(?:[^<>,]{0,40}, ?){0,3}?(float|double|__half|half|__nv_bfloat16)\b")


def element_type(text: str) -> str | None:
    """The first floating type among the first four template arguments of a C++ kernel."""
    found = _FIRST_FLOAT.search(text)
    return None if found is None else type_of(found.group(1).removeprefix("__").removeprefix("nv_"))


def read_template(words: Words, facts: Facts) -> None:
    """The element type; what such a kernel sums in, its arguments do not tell."""
    facts.input_type = element_type(words.text)


def read_float_template(words: Words, facts: Facts) -> None:
    """A matrix product over float sums float; over half it may do either."""
    facts.input_type = element_type(words.text)
    facts.accumulator_type = "fp32" if facts.input_type == "fp32" else None


def read_sgemm_convolution(words: Words, facts: Facts) -> None:
    """``implicit_convolve_sgemm``: whatever is stored, the product is the single-precision one."""
    facts.input_type = element_type(words.text)
    facts.math_type = facts.accumulator_type = "fp32"
