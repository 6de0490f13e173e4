"""Kernel names: labelled examples, properties over any text, and the documentation's completeness."""

from __future__ import annotations

import csv
import os
import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trtlens_parsers.kernels import FAMILIES, RULES, Kernel, demangle, read_kernel

ROOT = Path(__file__).parents[1]
LABELS = ROOT / "tests" / "data" / "kernel-labels.csv"
DOCUMENTATION = ROOT / "docs" / "kernels.md"

with LABELS.open(newline="", encoding="utf-8") as _file:
    LABELLED = list(csv.DictReader(_file))
NAMES = [row["name"] for row in LABELLED]
PLAIN_NAMES = [name for name in NAMES if re.fullmatch(r"\w+", name) and "_" in name.strip("_") and name[:2] != "_Z"]

PRODUCTS = frozenset(
    ["fprop", "dgrad", "wgrad", "deconv", "convolution", "depthwise", "grouped", "gemm", "gemv", "mha", "conv_act_pool"]
)
DIGEST = re.compile(r"0x[0-9a-f]+")


def outcome(kernel: Kernel) -> tuple[str | None, ...]:
    """What a reader of the record concludes, without the wording."""
    return kernel.family, kernel.operation, kernel.precision, kernel.unit, kernel.rule


def test_labels() -> None:
    """Family, precision and unit of every labelled name are those that its label gives."""
    for label in LABELLED:
        kernel = read_kernel(label["name"])
        found = {"family": kernel.family or "", "precision": kernel.precision or "", "unit": kernel.unit or ""}
        told = f"{label['name']}: {label['reason']}; decided by {kernel.rule}"
        assert found == {key: label[key] for key in found}, told


def test_labels_cover_every_family_and_rule() -> None:
    """At least 220 labelled names; every family of the table occurs among them, and every rule decides one of them."""
    kernels = [read_kernel(name) for name in NAMES]
    assert len(set(NAMES)) >= 220
    known = {kernel.family for kernel in kernels}
    assert {family.name for family in FAMILIES} <= known | {"cub", "reduce", "normalization"}
    assert {rule.name for rule in RULES} - {kernel.rule for kernel in kernels} == {"too-long"}


def test_unit_has_evidence_and_none_has_a_reason() -> None:
    """A unit comes with words of the name that settled it; an open one comes with a reason; never both."""
    for name in NAMES:
        kernel = read_kernel(name)
        assert (kernel.evidence is None) == (kernel.unit is None), name
        assert (kernel.unit_reason is None) == (kernel.unit is not None), name
        assert kernel.evidence is None or (kernel.evidence and kernel.evidence in name), name
        assert kernel.unit_reason is None or kernel.unit_reason, name
        assert kernel.name == name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            (
                "sm80_xmma_fprop_implicit_gemm_interleaved_i8f32_i8i32_f32_nchw_vect_c_32kcrs_vect_c_32_nchw_tilesize64x32x64_"
                "stage6_warpsize2x1x1_g1_tensor16x8x32_simple_t1r1s1_swish"
            ),
            {
                "sm": 80,
                "operation": "fprop",
                "input_type": "int8",
                "math_type": "int8",
                "accumulator_type": "int32",
                "output_type": "fp32",
                "tile": "64x32x64",
                "stages": 6,
                "warps": "2x1x1",
                "mma_shape": "16x8x32",
                "layouts": "nchw_vect_c_32/kcrs_vect_c_32/nchw",
                "epilogue": ("swish",),
                "evidence": "tensor16x8x32",
                "rule": "mma-shape",
            },
        ),
        (
            "sm90_xmma_gemm_f16f16_f16f32_f32_tn_n_tilesize64x128x64_cgasize2x1x1_warpgroupsize1x1x1_no_relu_up_beta0",
            {
                "sm": 90,
                "operation": "gemm",
                "accumulator_type": "fp32",
                "cluster": "2x1x1",
                "warpgroups": "1x1x1",
                "layouts": "t/n/n",
                "epilogue": (),
                "stages": None,
                "rule": "warpgroup",
            },
        ),
        (
            "turing_fp16_i8816cudnn_int8_128x128_ldg16_relu_interior_nt_v1",
            {
                "sm": 75,
                "operation": "fprop",
                "input_type": "int8",
                "output_type": "fp16",
                "accumulator_type": "int32",
                "mma_shape": "8x8x16",
                "tile": "128x128",
                "layouts": "n/t",
                "epilogue": ("relu",),
                "evidence": "i8816cudnn",
            },
        ),
        (
            "ampere_fp16_s16816gemm_fp16_64x128_sliced1x2_ldg8_relu_f2f_stages_64x3_nn_v1",
            {"tile": "64x128x64", "stages": 3, "accumulator_type": "fp32", "output_type": "fp16", "operation": "gemm"},
        ),
        ("volta_scudnn_128x64_stridedB_splitK_xregs_large_nn_v1", {"split_k": True, "operation": "convolution"}),
        (
            "cutlass3x_sm90_tensorop_s64x128x8tf32gemm_f32_f32_f32_f32_f32_128x128x32_2x1x1_0_tnn_align4",
            {
                "sm": 90,
                "math_type": "tf32",
                "input_type": "fp32",
                "tile": "128x128x32",
                "cluster": "2x1x1",
                "stages": None,
                "mma_shape": "64x128x8",
                "layouts": "t/n/n",
            },
        ),
        (
            "cutlass_80_tensorop_s1688gemm_128x128_32x5_nt_align4",
            {
                "sm": 80,
                "tile": "128x128x32",
                "stages": 5,
                "mma_shape": "16x8x8",
                "layouts": "n/t",
                "output_type": "fp32",
            },
        ),
        (
            "cutlass_tensorop_s16832spgemm_bf16_64x128_64x6_tn_align8",
            {"sparse": True, "operation": "gemm", "sm": None, "mma_shape": "16x8x32"},
        ),
        (
            (
                "sm80_xmma_fprop_sparse_conv_f16f16_f16f16_f16_nhwckrsc_nhwc_tilesize128x128x64_stage3_warpsize2x2x1_g1_"
                "sptensor16x8x32_t1r1s1"
            ),
            {"sparse": True, "evidence": "sptensor16x8x32", "operation": "fprop"},
        ),
        (
            "nvjet_hsh_256x128_64x4_2x1_v_bz_splitK_TNN",
            {
                "operation": "gemm",
                "input_type": "fp16",
                "accumulator_type": "fp32",
                "output_type": "fp16",
                "tile": "256x128x64",
                "stages": 4,
                "cluster": "2x1x1",
                "layouts": "t/n/n",
                "split_k": True,
            },
        ),
        (
            "nvjet_qqtst_128x256_128x6_2x1_2cta_v_bz_TNT",
            {"input_type": "fp8", "output_type": "bf16", "accumulator_type": "fp32", "tile": "128x256x128"},
        ),
        ("__myl_MulAddRelu_myl3_12", {"operations": ("Mul", "Add", "Relu"), "rule": "generated"}),
        ("__myl_bb1_3_MaxSubExp", {"operations": ("Max", "Sub", "Exp")}),
        ("__myl_SlicSlicEtc_0x512e4e090512be7f3a2664df602e37a2", {"operations": ("Slic", "Slic", "Etc")}),
        ("sm72_trt_conv_act_pool_v2_tile_rows_12_tile_cols_200", {"tile": "12x200", "operation": "conv_act_pool"}),
        (
            "fmha_v2_flash_attention_e4m3_fp32_64_64_S_q_k_v_192x128_output_bf16_sm120_nl_tiled",
            {"sm": 120, "input_type": "fp8", "accumulator_type": "fp32", "output_type": "bf16", "operation": "mha"},
        ),
        (
            "void cutlass::Kernel<cutlass::gemm::kernel::Gemm<cutlass::arch::OpClassSimt, cutlass::arch::Sm50>>()",
            {"family": "cutlass", "unit": "cuda core", "evidence": "OpClassSimt", "sm": 50},
        ),
        ("sm90_gemm_f16_f16_f16_tensor_op_f32", {"evidence": "tensor_op", "accumulator_type": "fp32"}),
        (
            "sm70_xmma_fprop_conv1x1_i8f32_f32_f32_nchw_vect_c_4kcrs_vect_c_4_nchw_simt_small_batch_bias_relu",
            {"input_type": "int8", "math_type": None, "accumulator_type": "fp32", "epilogue": ("bias", "relu")},
        ),
    ],
)
def test_parts_of_a_name(name: str, expected: dict[str, object]) -> None:
    """Each position of a family's grammar lands in the field that the documentation gives it."""
    kernel = read_kernel(name)
    assert {field: getattr(kernel, field) for field in expected} == expected


@pytest.mark.parametrize(
    ("cut", "rest"),
    [
        ("volta_fp16_s884gemm", "_fp16_128x128_ldg8_f2f_tn"),
        ("cutlass_80_tensorop_s1688gemm", "_f16_64x64_32x2_nn_align1"),
        ("sm80_xmma_fprop_implicit_gemm_f16f16", "_f32f32_f32_nhwckrsc_nhwc_tilesize32x32x8_g1_ffma"),
        ("ampere_fp16_sgemm", "_fp16_128x32_sliced1x4_tn_v1"),
    ],
)
def test_a_cut_name_claims_nothing_that_its_rest_denies(cut: str, rest: str) -> None:
    """Profilers cut names; types that a cut name still states are those of the whole name, the others are unknown."""
    whole, part = read_kernel(cut + rest), read_kernel(cut)
    assert part.input_type in (None, whole.input_type)
    assert part.precision in (None, whole.precision)
    assert part.unit in (None, whole.unit)


@given(st.sampled_from(PLAIN_NAMES), st.text("0123456789abcdef", min_size=8, max_size=64), st.data())
def test_a_hash_changes_nothing(name: str, digits: str, data: st.DataObject) -> None:
    """A digest, wherever it stands between two words, changes neither unit nor precision nor family nor rule."""
    delimiters = [match.start() for match in re.finditer("(?<!^)(?<!^_)_(?!_|$)", name)]
    at = data.draw(st.sampled_from([*delimiters, len(name)]))
    hashed = f"{name[:at]}_0x{digits}{name[at:]}"
    assert outcome(read_kernel(hashed)) == outcome(read_kernel(name))


@pytest.mark.parametrize(
    "digest",
    [
        "0x884884884884",
        "0xh884",
        "0x5h1688c",
        "a16816b8840f1688c",
        "0xffa884cc16816dd",
        "deadbeef00000016816",
        "0x16816",
    ],
)
def test_digits_of_an_instruction_inside_a_hash_decide_nothing(digest: str) -> None:
    """Only a whole word decides: 884 or 16816 inside a digest, or inside any longer word, says nothing."""
    assert read_kernel(f"__myl_Tran_{digest}").unit is None
    assert read_kernel(f"plugin_{digest}").unit is None


@given(
    st.one_of(st.text(), st.text("_ZN0123456789xXabcfhimst<>:, KIEL", max_size=200)), st.sampled_from(["", "_Z", "_ZN"])
)
def test_any_text_gives_a_record(text: str, prefix: str) -> None:
    """No text raises, and what is said about it keeps the promises of the record."""
    kernel = read_kernel(prefix + text)
    assert kernel.unit in ("tensor core", "cuda core", None)
    assert (kernel.unit is None) == (kernel.unit_reason is not None)
    assert kernel.evidence is None or kernel.evidence in kernel.name
    assert kernel.rule in {rule.name for rule in RULES}


@given(st.lists(st.sampled_from(sorted({word for name in NAMES for word in name.split("_")})), max_size=40))
def test_any_mixture_of_words_gives_a_record(words: list[str]) -> None:
    """Words of real names in any order are read without raising, and evidence is still a part of the name."""
    kernel = read_kernel("_".join(words))
    assert kernel.evidence is None or kernel.evidence in kernel.name
    assert (kernel.unit is None) == (kernel.evidence is None)


@pytest.mark.parametrize(
    "unit",
    [
        "_",
        "a_",
        "sm80_",
        "<",
        "<a,",
        "f16",
        "f16f16_",
        "0x",
        "0",
        "a1",
        "1x",
        "Ab",
        "myl_A",
        "_ZN1a",
        "_Z",
        "PS_",
        "gemm_",
        "_act_fp32_nchw_fp32_nchw_kcrs_",
        "tensorop_",
        "cutlass_tensorop_s",
        "_nvjet_aaa_1",
        "nchw_vect_c_3",
        "wgrad_",
    ],
)
def test_time_is_bounded(unit: str) -> None:
    """The longest names that are read take a fraction of a second, and 2 MB of one thing no longer than that."""
    start = time.process_time()
    read_kernel((unit * 32_768)[:32_768])
    read_kernel("_ZN" + (unit * 32_768)[:32_000])
    read_kernel(unit * (2_000_000 // len(unit)))
    assert time.process_time() - start < 3


def test_five_thousand_names_in_a_moment() -> None:
    """5,000 names never seen before are read in well under 0.3 s each time; a loaded machine gets four times that."""
    tile = "sm80_xmma_gemm_f16f16_f16f32_f32_tn_n_tilesize{}x{}x32_stage3_warpsize2x2x1_tensor16x8x16"
    best = float("inf")
    for attempt in range(3):
        names = [tile.format(attempt, number) for number in range(5_000)]
        start = time.process_time()
        for name in names:
            read_kernel(name)
        best = min(best, time.process_time() - start)
    assert best < 1.2


def test_a_name_is_read_once() -> None:
    """The same name gives the same record, not a second one like it."""
    assert read_kernel("ampere_sgemm_128x64_nn") is read_kernel("ampere_sgemm_128x64_nn")


@pytest.mark.parametrize(
    ("mangled", "readable"),
    [
        ("_Z3foov", "foo"),
        (
            "_ZN15genericReformat16copyPackedKernelIff6__halfLb1ELi4EEEvjjPKvNS_6ArrayNIXT4_EEE",
            "genericReformat::copyPackedKernel<float, float, __half, true, 4>",
        ),
        (
            (
                "_ZN5flash16flash_fwd_kernelI23Flash_fwd_kernel_traitsILi128ELi64ELi64ELi4ELb0ELb0EN7cutlass6half_tE19"
                "Flash_kernel_traitsILi128ELi64ELi64ELi4ES3_EELb0ELb1EEEv16Flash_fwd_params"
            ),
            (
                "flash::flash_fwd_kernel<Flash_fwd_kernel_traits<128, 64, 64, 4, false, false, cutlass::half_t, "
                "Flash_kernel_traits<128, 64, 64, 4, cutlass::half_t>>, false, true>"
            ),
        ),
        ("_ZN12_GLOBAL__N_17softmaxIN2nv4halfEEEvv", "(anonymous namespace)::softmax<nv::half>"),
        ("_ZN1A1BIJilDF16bEE3runEv", "A::B<int, long, bfloat16>::run"),
        ("_ZNSt6vectorIiSaIiEE3fooEv", "std::vector<int, std::allocator<int>>::foo"),
        ("_ZN1a1bIPFviEEEvv", "a::b<void (int)*>"),
        ("_ZN1a1bIA10_KcEEvv", "a::b<char const [10]>"),
        ("_ZN1a1bIL_ZN1c1dEiEEEvv", "a::b<c::d>"),
        ("_ZN1a1bILin5EEEvv", "a::b<-5>"),
    ],
)
def test_demangling(mangled: str, readable: str) -> None:
    """Nested names, template arguments, substitutions and literals read as c++filt writes them, without parameters."""
    assert demangle(mangled) == readable


def test_demangling_saves_identifiers() -> None:
    """A name that is cut short or not understood still gives its words; a name that is not mangled gives nothing."""
    assert demangle("_ZN7cutlass6KernelINS_4gemm6kernel4GemmINS1_11threadblock13MmaM") is not None
    assert "threadblock" in str(demangle("_ZN7cutlass6KernelINS_4gemm6kernel4GemmINS1_11threadblock13MmaM"))
    assert demangle("sm80_xmma_gemm") is None


def test_documentation_has_every_rule() -> None:
    """docs/kernels.md gives every rule a row that starts with its name, and names no rule that does not exist."""
    rows = re.findall(r"^\| `([a-z0-9-]+)` \|", DOCUMENTATION.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(rows) == sorted(rule.name for rule in RULES)


def test_documentation_examples_are_read_as_they_say() -> None:
    """Every worked example of docs/kernels.md states the unit, the precision and the rule that the reader finds."""
    pattern = re.compile(r"^`([^`\n]+)`\n: (tensor core|cuda core|unknown), (\w+) \(`([a-z0-9-]+)`\)", re.MULTILINE)
    examples = pattern.findall(DOCUMENTATION.read_text(encoding="utf-8"))
    assert len(examples) >= 12
    for name, unit, precision, rule in examples:
        kernel = read_kernel(name)
        assert (kernel.unit or "unknown", kernel.precision or "unknown", kernel.rule) == (unit, precision, rule), name


def seen_in_the_wild() -> list[str]:
    """Names from public logs, where a list of them is at hand (family, name, ... separated by tabs, with a header)."""
    path = Path(os.environ.get("TRTLENS_KERNELS", ROOT.parent / "shared" / "knowledge" / "kernels.tsv"))
    if not path.is_file():
        pytest.skip(f"{path} is not there: set TRTLENS_KERNELS to a list of kernel names")
    lines = path.read_text(encoding="utf-8").split("\n")[1:]
    return [line.split("\t")[1] for line in lines if "\t" in line]


def test_names_seen_in_the_wild_have_families_and_units() -> None:
    """99 % of real names get a family; 98 % of convolutions, products and attention outside generated code get a unit."""
    kernels = [read_kernel(name) for name in seen_in_the_wild()]
    assert sum(kernel.family is not None for kernel in kernels) >= 0.99 * len(kernels)
    products = [kernel for kernel in kernels if kernel.operation in PRODUCTS and kernel.rule != "generated"]
    assert len(products) >= 0.3 * len(kernels)
    assert sum(kernel.unit is not None for kernel in products) >= 0.98 * len(products)


def test_names_seen_in_the_wild_are_not_decided_by_hashes() -> None:
    """Real names with a digest are decided as they are without it, by evidence that is not part of it."""
    hashed = [name for name in seen_in_the_wild() if DIGEST.search(name)]
    assert hashed
    for name in hashed:
        kernel = read_kernel(name)
        bare = DIGEST.sub("", name)
        assert outcome(kernel) == outcome(read_kernel(bare)), name
        assert kernel.evidence is None or kernel.evidence in bare, name
