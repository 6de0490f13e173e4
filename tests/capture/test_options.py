"""Options as trtexec's users type them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trtlens.capture.build_options import BuildOptions, option_name, parse_options, restored_options
from trtlens.capture.spelling import (
    IoFormat,
    parse_io_formats,
    parse_layer_output_types,
    parse_layer_precisions,
    parse_memory_pools,
    parse_shapes,
    parse_tactic_sources,
)
from trtlens.commands.flags import BUILD_FLAGS, build_values
from trtlens.errors import TrtlensError

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="',"), min_size=1).filter(
    lambda name: name == name.strip()
)


@given(st.dictionaries(NAMES, st.lists(st.integers(0, 2**31), min_size=1, max_size=8).map(tuple)))
def test_shapes_come_back(shapes: dict[str, tuple[int, ...]]) -> None:
    """Any name, quoted as trtexec asks for, keeps its shape: colons belong to the name."""
    text = ",".join(f"'{name}':{'x'.join(map(str, shape))}" for name, shape in shapes.items())
    assert parse_shapes(text) == shapes


@pytest.mark.parametrize(
    ("text", "shapes"),
    [
        ("input:1x3x224x224", {"input": (1, 3, 224, 224)}),
        ("input_ids:0:1x128,mask:1x128", {"input_ids:0": (1, 128), "mask": (1, 128)}),
        (r"'a,b:0':2", {"a,b:0": (2,)}),
        ("step:scalar,other:", {"step": (), "other": ()}),
    ],
)
def test_shapes_as_trtexec_spells_them(text: str, shapes: dict[str, tuple[int, ...]]) -> None:
    """Names with colons and commas, and tensors without dimensions."""
    assert parse_shapes(text) == shapes


@given(
    st.text(max_size=200),
    st.sampled_from(
        [
            *("shapes", "minShapes", "memPoolSize", "tacticSources", "builderOptimizationLevel", "sparsity"),
            *("hardwareCompatibilityLevel", "layerPrecisions", "layerOutputTypes", "layer-precision", "int8-ranges"),
            *("precisionConstraints", "calibration-method", "inputIOFormats", "outputIOFormats", "maxAuxStreams"),
        ]
    ),
)
def test_any_text_is_understood_or_refused(text: str, flag: str) -> None:
    """No text makes another error than the one that users see."""
    try:
        parse_options({flag: text})
    except TrtlensError as error:
        assert error.exit_code == 2  # noqa: PT017  hypothesis wants both outcomes


def test_memory_pools_are_in_bytes() -> None:
    """A bare number is MiB, units and fractions are taken, unknown pools are refused."""
    assert parse_memory_pools("workspace:512,tacticSharedMem:32K,dlaSRAM:0.5") == {
        "workspace": 512 << 20,
        "tacticSharedMem": 32 << 10,
        "dlaSRAM": 1 << 19,
    }
    assert parse_memory_pools("workspace:2G,dlaLocalDRAM:100B") == {"workspace": 2 << 30, "dlaLocalDRAM": 100}
    with pytest.raises(TrtlensError, match="unknown pool 'work'"):
        parse_memory_pools("work:512")


def test_tactic_sources_are_signed_or_bare() -> None:
    """A list changes the default set or replaces it, never both."""
    assert parse_tactic_sources("+CUBLAS,-cudnn") == ("+CUBLAS", "-CUDNN")
    assert parse_tactic_sources("EDGE_MASK_CONVOLUTIONS, JIT_CONVOLUTIONS") == (
        "EDGE_MASK_CONVOLUTIONS",
        "JIT_CONVOLUTIONS",
    )
    with pytest.raises(TrtlensError, match="mixes"):
        parse_tactic_sources("+CUBLAS,CUDNN")


def test_types_by_layer() -> None:
    """Names may hold colons, outputs have types of their own, formats are many."""
    assert parse_layer_precisions("conv_*:fp32,/a:0/b:int8") == {"conv_*": "fp32", "/a:0/b": "int8"}
    assert parse_layer_output_types("split:fp16+int32") == {"split": ("fp16", "int32")}
    assert parse_io_formats("fp16:chw+hwc8,int8:chw32") == (
        IoFormat("fp16", ("chw", "hwc8")),
        IoFormat("int8", ("chw32",)),
    )
    assert parse_io_formats("chw+hwc8") == (IoFormat(None, ("chw", "hwc8")),)  # as trtexec 11 spells it
    with pytest.raises(TrtlensError, match="is not TYPE:LAYOUT or LAYOUT"):
        parse_io_formats("fp16")
    with pytest.raises(TrtlensError, match="unknown type 'half'"):
        parse_layer_precisions("conv:half")


def test_flags_by_any_spelling() -> None:
    """The camel case of trtexec, dashes and underscores name the same option; a repeated flag is one list."""
    expected = BuildOptions(min_shapes={"a": (1,)}, opt_shapes={"a": (2,)}, max_shapes={"a": (3,)}, no_tf32=True)
    for flags in (
        {"minShapes": "a:1", "optShapes": "a:2", "maxShapes": "a:3", "noTF32": True},
        {"min-shapes": "a:1", "opt-shapes": "a:2", "max-shapes": "a:3", "no-tf32": True},
        {"--min_shapes": ["a:1"], "opt_shapes": "a:2", "max_shapes": {"a": (3,)}, "no_tf32": True},
    ):
        assert parse_options(flags) == expected
    assert parse_options({"plugins": ["a.so", "b.so"]}).plugins == (Path("a.so"), Path("b.so"))
    assert parse_options({"memPoolSize": "workspace:1"}).memory_pools == {"workspace": 1 << 20}
    assert parse_options({"hardwareCompatibilityLevel": "AMPERE+"}).hardware_compatibility_level == "ampere+"
    assert parse_options({"fp16": None}) == BuildOptions()
    with pytest.raises(TrtlensError, match="unknown build option --fp17"):
        parse_options({"fp17": True})


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"minShapes": "a:1"}, "--optShapes alone"),
        ({"minShapes": "a:1", "maxShapes": "a:2"}, "--optShapes alone"),
        ({"int8": True, "fp8": True}, "exclude each other"),
        ({"int8_ranges": "dummy", "calibration_data": "x.npz"}, "exclude each other"),
        ({"sparsity": "force"}, "overwrites the model's weights"),
        ({"sparsity": "maybe"}, "choose from disable, enable"),
        ({"builderOptimizationLevel": "high"}, "not a number"),
        ({"shapes": "3x3"}, "is not NAME:VALUE"),
        ({"shapes": "a:3xN"}, "not a shape"),
    ],
)
def test_contradictions_are_refused(flags: dict[str, object], words: str) -> None:
    """What no TensorRT could build is refused as the options are made."""
    with pytest.raises(TrtlensError, match=words):
        parse_options(flags)


def test_every_build_flag_of_a_command_is_an_option() -> None:
    """What the command line hands on is understood, a zero included; switches that are off and texts not given are left out."""
    for flag in BUILD_FLAGS:
        assert option_name(flag.parameter) in BuildOptions.__dataclass_fields__ or flag.name.startswith("calib-")
    assert build_values({"max_aux_streams": 0, "fp16": False, "plugins": [], "calib": None}) == {"max_aux_streams": 0}
    assert parse_options({"input_ioformats": "fp16:chw"}).input_io_formats == (IoFormat("fp16", ("chw",)),)


def test_given_options_are_restored() -> None:
    """What stands in the record of a run makes the same options again, through JSON; what is no option is refused."""
    options = parse_options({
        "fp16": True, "shapes": "a:1x3,b:2", "minShapes": "a:1x3", "optShapes": "a:1x3", "maxShapes": "a:4x3", "inputIOFormats": "fp16:chw+hwc8,int8:chw",
        "plugins": "p.so", "memPoolSize": "workspace:1", "tacticSources": "-CUDNN,+CUBLAS", "timingCacheFile": "t.cache", "precisionConstraints": "obey",
        "layerPrecisions": "*:fp16", "layerOutputTypes": "split:fp16+fp32", "layer_precision": ["*Conv*=fp32", "match:a{1,2}=fp32"], "preview": "+profileSharing0806", "sparsity": "enable",
    })  # fmt: skip
    assert restored_options(json.loads(json.dumps(options.given()))) == options
    assert restored_options({}) == BuildOptions()
    for wrong in ({"fp17": True}, {"shapes": {"a": "1xN"}}, {"shapes": [1]}):
        with pytest.raises(TrtlensError):
            restored_options(wrong)


def test_given_options_are_json() -> None:
    """The record of a run holds what differs from the defaults, as JSON."""
    options = parse_options(
        {"fp16": True, "shapes": "a:1x3", "inputIOFormats": "fp16:chw", "plugins": "p.so", "memPoolSize": "workspace:1"}
    )
    assert json.loads(json.dumps(options.given())) == {
        "fp16": True,
        "shapes": {"a": "1x3"},
        "input_io_formats": ["fp16:chw"],
        "plugins": ["p.so"],
        "memory_pools": {"workspace": 1 << 20},
    }
    assert BuildOptions().given() == {}
    assert parse_options({"outputIOFormats": "chw+hwc8"}).given() == {"output_io_formats": ["chw+hwc8"]}
