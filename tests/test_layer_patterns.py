"""Patterns over names: globs fit as fnmatch has it, no expression hangs, every command that takes names takes both."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from contextlib import suppress
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import FIXTURES
from tests.golden.commands import say
from trtlens import layer_patterns
from trtlens.capture.build_options import parse_options
from trtlens.errors import TrtlensError
from trtlens.layer_patterns import expression, glob, listed, lookup, read_pattern, read_patterns

if TYPE_CHECKING:
    from pathlib import Path

FP32, FP16 = (str(FIXTURES / "small-cnn-rtx" / name / "verbose.log.xz") for name in ("fp32", "fp16"))
ALPHABET = "ab.*?/\n"
HOSTILE = (
    "(a+)+$",
    "(a|a)*$",
    r"(a*)*\1\1\1$",
    "(?R)",
    "(?:a{1,30}){1,30}(?:a{1,3}){1,3}b",
    "(?b)(?:(?:a+)+){e<=3}$",
)
TOO_LARGE = (
    "(?:(?:(?:x{1000}){1000}){1000}){1000}",
    "(?:" * 150 + "a|b" + ")+" * 150,
    "x" * 1001,
    "(?:(?:a{3,}){3,}){2000}",
    "(" * 400 + ")" * 400,
)
WRONG = ("(", "*a", "\\", "(?P<n>a)(?P<n", "[a")


# -- globs -------------------------------------------------------------------------------------------------------------


@given(pattern=st.text(ALPHABET, max_size=8), name=st.text("ab./\n", max_size=8))
def test_globs_fit_what_fnmatch_fits(pattern: str, name: str) -> None:
    """`*` is any text and `?` one character, over the whole name, line ends included."""
    assert glob(pattern).fits(name) is fnmatchcase(name, pattern)


@given(st.text("ab[]!^-*?\\", max_size=8), st.lists(st.text("ab[]!^-\\", max_size=3), max_size=4))
def test_a_name_made_from_a_glob_fits_it(pattern: str, fills: list[str]) -> None:
    """Whatever stands for each `*` and `?`, the name fits; brackets, backslashes and the like are themselves."""
    rest = iter(fills)
    name = "".join(next(rest, "") if one == "*" else "x" if one == "?" else one for one in pattern)
    assert glob(pattern).fits(name)
    assert not glob(pattern.replace("*", "") + "y").fits(name)


def test_case_counts_unless_told_otherwise() -> None:
    """Builds take names as they are; reading commands do not care."""
    assert not glob("*CONV*").fits("conv1")
    assert glob("*CONV*", ignore_case=True).fits("conv1")


def test_exact_names_come_first_and_long_names_take_no_long_time() -> None:
    """An exact name wins over a glob that fits too; a glob of many stars takes time in proportion to the name."""
    assert lookup({"conv*": 1, "conv1": 2}, "conv1") == 2
    assert lookup({"conv*": 1}, "pool") is None
    started = time.monotonic()
    assert not glob("*a" * 20 + "b").fits("a" * 100_000)
    assert time.monotonic() - started < 5


# -- regular expressions -----------------------------------------------------------------------------------------------


@given(
    st.lists(st.sampled_from(["a", "b", ".", "a*", "(a|b)", "[ab]+", "^", "$", "b{1,2}"]), max_size=5),
    st.text("ab", max_size=8),
)
def test_expressions_are_found_anywhere_as_re_finds_them(parts: list[str], name: str) -> None:
    """An ordinary expression means what it means to Python."""
    text = "".join(parts)
    assert expression(text).fits(name) is (re.search(text, name) is not None)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_expressions_end_with_an_error_that_names_them(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What would search for ever is stopped, and the error says which expression and at which name."""
    monkeypatch.setattr(layer_patterns, "_SECONDS", 0.05)
    started = time.monotonic()
    with pytest.raises(TrtlensError, match=re.escape(repr(text))) as raised:
        [expression(text).fits("a" * length + "!") for length in range(40, 8000, 40)]
    assert "\n" not in raised.value.message
    assert time.monotonic() - started < 5


@settings(max_examples=40)
@given(
    st.lists(
        st.sampled_from(["a", "(", ")", "(?:", "|", "*", "+", "{2,}", "{50}", "{,9}", "?", ".", "[", "]", "\\1", "$"]),
        max_size=30,
    )
)
def test_no_expression_hangs(parts: list[str]) -> None:
    """Any expression is refused, or fits, or fits not, within seconds."""
    started = time.monotonic()
    with suppress(TrtlensError):
        expression("".join(parts)).fits("a" * 3000 + "!")
    assert time.monotonic() - started < 8


@pytest.mark.parametrize("text", TOO_LARGE)
def test_expressions_that_take_long_to_compile_are_refused_before(text: str) -> None:
    """Length, depth and counted repeats are limited, for the package compiles groups as often as they repeat."""
    started = time.monotonic()
    with pytest.raises(TrtlensError, match=r"the regular expression .* give a simpler one"):
        expression(text)
    assert time.monotonic() - started < 1


def test_all_names_together_have_one_limit_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that is slow at each of many names ends, too."""
    monkeypatch.setattr(layer_patterns, "_SECONDS", 0.1)
    pattern, started = expression("(a+)+$"), time.monotonic()
    with pytest.raises(TrtlensError, match=r"takes more than 0\.1 seconds"):
        [pattern.fits("a" * 14 + f"!{number}") for number in range(100_000)]
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("text", WRONG)
def test_what_is_no_expression_is_told_with_the_reason(text: str) -> None:
    """An error in one line with the expression and what the package says of it."""
    with pytest.raises(TrtlensError, match=re.escape(repr(text)) + " is no regular expression .*correct it"):
        expression(text)


def test_the_prefix_makes_an_expression() -> None:
    """`match:` before it takes the rest as it stands, commas included; without it commas separate globs."""
    assert read_pattern("match:^a{1,2}$").fits("aa")
    assert [pattern.text for pattern in read_patterns("match:^a{1,2}$")] == ["^a{1,2}$"]
    assert [pattern.text for pattern in read_patterns("a*,,b")] == ["a*", "b"]
    assert listed(["a", "b", "c"], 2) == "a, b and 1 more"


# -- commands ----------------------------------------------------------------------------------------------------------


def rows(*command: str) -> list[dict[str, Any]]:
    """What a command prints as JSON."""
    said = say(*command, "--format", "json")
    assert said.code == 0, said.err
    found: list[dict[str, Any]] = json.loads(said.out)
    return found


def test_show_takes_both() -> None:
    """`show` keeps the rows whose layer fits, and tells how many there were where none does."""
    everything = rows("show", "layers", FP16)
    wanted = [row for row in everything if re.search(r"^block/conv[12]", row["name"])]
    assert rows("show", "layers", FP16, "--match", "^block/conv[12]") == wanted
    assert 0 < len(wanted) < len(everything)
    assert rows("show", "layers", FP16, "--layer", "BLOCK*CONV2*") == [
        row for row in everything if fnmatchcase(row["name"].lower(), "block*conv2*")
    ]
    none = say("show", "layers", FP16, "--match", "nothing of this")
    assert (none.code, "fits 'nothing of this'" in none.err) == (0, True)


def test_show_refuses_patterns_where_no_row_has_a_name() -> None:
    """A view of whole engines has no layer to choose."""
    said = say("show", "precision", FP16, "--match", "conv")
    assert (said.code, said.err) == (
        2,
        "trtlens: precision names no layers for --layer or --match to choose: leave them out\n",
    )


def test_why_takes_an_expression() -> None:
    """`why --match` explains the same layers as their names do."""
    found = rows("why", "--match", r"^block/conv[23]", FP16)
    assert {row["layer"] for row in found} == {
        row["name"] for row in rows("show", "layers", FP16) if re.search(r"^block/conv[23]", row["name"])
    }  # fmt: skip


@pytest.mark.parametrize("form", ["json", "table", "markdown"])
def test_compare_takes_both(form: str) -> None:
    """`compare --match` and `--layer` tell of the regions of those layers alone, in each format."""
    said = [say("compare", FP32, FP16, "--format", form, *given) for given in ((), ("--match", "^block/conv2"), ("--layer", "block/conv2*"))]  # fmt: skip
    assert [one.code for one in said] == [0, 0, 0]
    assert said[1].out == said[2].out
    assert "block/conv2" in said[1].out
    assert "stem/conv" in said[0].out
    assert "stem/conv" not in said[1].out
    assert len(said[1].out) < len(said[0].out)


def test_compare_keeps_regions_by_node_or_layer() -> None:
    """The rows of the regions are those of the whole comparison whose nodes or layers fit."""
    whole = rows("compare", FP32, FP16, "--regions")
    kept = rows("compare", FP32, FP16, "--regions", "--match", "block")
    wanted = {
        row["label"]
        for row in whole
        if any("block" in name for name in [*(row["nodes"] or ()), *(row["layers"] or ()), row["label"]])
    }
    assert {row["label"] for row in kept} == wanted
    assert 0 < len(kept) < len(whole)


def test_dump_takes_an_expression(tmp_path: Path) -> None:
    """`dump --match` keeps the tensors in whose name it is found."""
    model = str(FIXTURES / "models" / "small_cnn.onnx")
    said = say("dump", model, "--reference", "-o", str(tmp_path / "run"), "--match", "relu|pool")
    assert said.code == 0, said.err
    kept = [row["tensor"] for row in rows("show", "dumps", str(tmp_path / "run")) if row["role"] in {"inner", "output"}]
    assert kept
    assert all(re.search("relu|pool", name) for name in kept)


def test_layer_precision_takes_an_expression() -> None:
    """`match:REGEX=TYPE`: the last `=` ends it, commas belong to it, and other items stay globs."""
    options = parse_options({"layer-precision": ["match:^/a{1,2}=b=fp32", "*norm*=fp16,relu=fp32"]})
    assert options.layer_precision == {"match:^/a{1,2}=b": "fp32", "*norm*": "fp16", "relu": "fp32"}
    for wrong in ("match:(=fp32", "match:abc", "match:a=fp99"):
        with pytest.raises(TrtlensError):
            parse_options({"layer-precision": [wrong]})


@pytest.mark.parametrize(
    "command", [("show", "layers", FP16), ("why", FP16), ("compare", FP32, FP16), ("dump", "x.onnx", "--list")]
)
def test_a_bad_expression_is_wrong_usage(command: tuple[str, ...]) -> None:
    """Each command refuses it with exit code 2 and one line that names it."""
    said = say(*command, "--match", "(a")
    assert said.code == 2
    assert said.err.count("\n") == 1
    assert "'(a' is no regular expression" in said.err


def test_logs_are_read_without_regex_and_ml_dtypes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only an expression and dumped tensors need these packages; globs do not."""
    for name in ("regex", "ml_dtypes"):
        monkeypatch.setitem(sys.modules, name, None)
    assert say("show", "layers", FP16, "--layer", "*conv*").code == 0
    assert say("why", "*conv2*", FP16).code == 0


def test_help_imports_no_regex() -> None:
    """The package takes longer to import than all the rest of the command line."""
    done = subprocess.run(
        [sys.executable, "-c", "import sys, trtlens.cli; print({'regex', 'ml_dtypes', 'numpy'} & set(sys.modules))"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "set()\n"
