"""Which kernel that an engine states a traced one is: compiled kernels have suffixes that the engine's names lack."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_PREFIX = "trt_"
"""Some releases put it before a kernel's name."""
_SUFFIX = re.compile(r"(?:_execute\w{0,60})?(?:_conv_func)?(?:_kernel)*(?:_trt|__5x_cudnn)?")
_SUFFIX_START = re.compile(r"_(?=execute|conv_func_kernel|kernel|trt$|_5x_cudnn$)")


def same_kernel(traced: str, stated: str) -> bool:
    """Whether a traced kernel is the one that the engine states."""
    return key_of(stated) in possible_keys(traced)


def key_of(stated: str) -> str:
    """A stated name as it is compared."""
    return stated.removeprefix(_PREFIX)


@lru_cache(maxsize=4096)
def possible_keys(traced: str) -> tuple[str, ...]:
    """Keys of the names by which an engine may state a traced kernel, the longest first."""
    name = key_of(traced)
    cuts = [match.start() for match in _SUFFIX_START.finditer(name)]
    return (name, *(name[:cut] for cut in reversed(cuts) if _SUFFIX.fullmatch(name, cut)))


def stated_key(traced: str, stated: Mapping[str, object] | Iterable[str]) -> str | None:
    """The key among those stated that a traced kernel has; None for a kernel that the engine does not state."""
    return next((key for key in possible_keys(traced) if key in stated), None)
