"""Kernel names: what TensorRT's tactics and a profiler's kernels say about themselves.

Holds the grammars of names by family, and the rules that tell tensor cores from CUDA cores and the precision. Imports the
standard library and `trtlens_parsers.data_types`. Hands out ``read_kernel``, which decodes one name to a ``Kernel``, the
declared ``FAMILIES`` and ``RULES``, and ``demangle``. It knows names seen in TensorRT 5 to 10 logs, in the engine
inspector, and in profiles of TensorRT engines (mangled, demangled or cut short). docs/kernels.md explains every rule.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from trtlens_parsers.kernels.demangle import demangle
from trtlens_parsers.kernels.families import FAMILIES, family_of
from trtlens_parsers.kernels.record import CUDA_CORE, TENSOR_CORE, Facts, Kernel
from trtlens_parsers.kernels.rules import RULES, decide, precision_of
from trtlens_parsers.kernels.words import Words, read_words

__all__ = ["CUDA_CORE", "FAMILIES", "RULES", "TENSOR_CORE", "Kernel", "demangle", "read_kernel"]

_LONGEST: Final = 32_768  # mangled CUTLASS templates reach 10,000 characters
_LONGEST_KEPT: Final = 1_024


def read_kernel(name: str) -> Kernel:
    """Everything that a kernel or tactic name says, from TensorRT or from a profiler.

    Never raises. Names up to 1,024 characters are remembered (16,384 of them); names beyond 32,768 are not read.
    """
    if len(name) > _LONGEST:
        return Kernel(name, rule="too-long", unit_reason=f"{len(name)} characters: too long for a kernel name")
    return _remembered(name) if len(name) <= _LONGEST_KEPT else _read(name)


def _read(name: str) -> Kernel:
    if not name.strip():
        return Kernel(name, rule="empty", unit_reason="the name is empty")
    words = Words(name, demangle(name) or name)
    stated = read_words(words)
    family = family_of(words.flat)
    facts = Facts(stated)
    if family is not None:
        if family.read is not None:
            family.read(words, facts)
        facts.operation = facts.operation or family.operation
    decision = decide(words, family, facts)
    return Kernel(
        name=name,
        family=family.name if family else None,
        sm=stated.sm[0] if stated.sm else None,
        split_k=stated.split_k,
        epilogue=stated.epilogue,
        sparse=stated.sparse,
        precision=precision_of(facts, decision.unit),
        unit=decision.unit,
        unit_reason=decision.reason,
        evidence=decision.evidence,
        rule=decision.rule,
        **facts.found(),
    )


_remembered = lru_cache(maxsize=16_384)(_read)
