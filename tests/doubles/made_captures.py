"""Captures of other profilers, made by their documented schemas: exports of Nsight Systems, its reports, traces of Torch."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

CONV = "sm80_xmma_fprop_implicit_gemm_f16f16_f16f16_f16_nhwckrsc_nhwc_tilesize64x64x64_stage4_warpsize2x2x1_g1_tensor16x8x16"
POOL = "sm50_xmma_pooling_coalescedC_NHWC_kMAX_3_False"
LAYERS = {
    "Layers": [
        {"Name": "conv", "LayerType": "CaskConvolution", "Inputs": [], "Outputs": [], "TacticName": CONV},
        {"Name": "{ForeignNode[a...b]}", "LayerType": "Myelin", "Inputs": [], "Outputs": []},
        {"Name": "pool", "LayerType": "CaskPooling", "Inputs": [], "Outputs": [], "TacticName": POOL},
    ]
}
KERNELS = (f"{CONV}_execute_kernel_trt", "__myl_bb0_1_AddMul", "__myl_bb0_2_Res", f"{POOL}_execute_kernel_trt")
RANGES = ("conv", "{ForeignNode[a...b]}", "{ForeignNode[a...b]}", "pool")
INDICES = [0, 1, 1, 2]
PID = 77 << 24


def database(path: Path, *, graph: bool = False, ranges: bool = True, inferences: int = 3) -> Path:
    """An export: a set-up kernel, then inferences of four kernels, each launched within its layer's range, with a gap of 500 ns."""
    connection = sqlite3.connect(path)
    connection.executescript("""
        CREATE TABLE StringIds (id INTEGER PRIMARY KEY, value TEXT NOT NULL);
        CREATE TABLE CUPTI_ACTIVITY_KIND_KERNEL (start INT, end INT, deviceId INT, contextId INT, streamId INT, correlationId INT,
            globalPid INT, demangledName INT, shortName INT, mangledName INT, registersPerThread INT, gridX INT, gridY INT, gridZ INT,
            blockX INT, blockY INT, blockZ INT, staticSharedMemory INT, dynamicSharedMemory INT, graphNodeId INT);
        CREATE TABLE CUPTI_ACTIVITY_KIND_RUNTIME (start INT, end INT, eventClass INT, globalTid INT, correlationId INT, nameId INT);
        CREATE TABLE NVTX_EVENTS (start INT, end INT, eventType INT, text TEXT, textId INT, globalTid INT);
    """)
    strings = dict.fromkeys((*KERNELS, "setup", *RANGES))
    ids = {name: number for number, name in enumerate(strings, 1)}
    connection.executemany("INSERT INTO StringIds VALUES (?, ?)", [(number, name) for name, number in ids.items()])
    rows: list[tuple[int, int, int, str, int | None]] = [(10, 20, 1, "setup", None)]
    calls: list[tuple[int, int]] = [(5, 1)]
    told: list[tuple[int, int, int, str | None, int | None]] = []
    for inference in range(inferences):
        begin = 100_000 * (inference + 1)
        told.append((begin, begin + 9_000, 59, "ExecutionContext::enqueue", None))
        for place, name in enumerate(KERNELS):
            at, correlation = begin + 1_000 * (place + 1), 100 * (inference + 1) + (0 if graph else place)
            if not graph:
                told += [(at, at + 800, 59, None, ids[RANGES[place]])]
                told += [(at + 50, at + 700, 59, "myelinGraphExecute ", None)] if "myl" in name else []
                calls.append((at + 100, correlation))
            start = begin + 20_000 + 2_500 * place
            rows.append((start, start + 2_000 + inference, correlation, name, place + 1 if graph else None))
        if graph:
            calls.append((begin + 100, 100 * (inference + 1)))
    connection.executemany(
        "INSERT INTO CUPTI_ACTIVITY_KIND_KERNEL VALUES (?, ?, 0, 1, 7, ?, ?, ?, ?, ?, 64, 8, 2, 1, 128, 1, 1, 1024, 512, ?)",
        [
            (start, end, correlation, PID, ids[name], ids[name], ids[name], node)
            for start, end, correlation, name, node in rows
        ],
    )
    connection.executemany(
        "INSERT INTO CUPTI_ACTIVITY_KIND_RUNTIME VALUES (?, ?, 0, ?, ?, 1)",
        [(at, at + 10, PID + 1, one) for at, one in calls],
    )
    if ranges:
        connection.executemany("INSERT INTO NVTX_EVENTS VALUES (?, ?, ?, ?, ?, ?)", [(*one, PID + 1) for one in told])
    connection.commit()
    connection.close()
    return path


def trace_events(*, inferences: int = 3, graph: bool = False) -> list[dict[str, Any]]:
    """Events of a Torch trace, in no order, with a set-up kernel."""
    events = [{"ph": "X", "cat": "cpu_op", "name": "aten::copy_", "ts": 1, "dur": 2, "pid": 1, "tid": 1}]
    events.append({"ph": "X", "cat": "kernel", "name": "setup", "ts": 2, "dur": 1, "args": {"correlation": 1}})
    for inference in range(inferences):
        for place, name in enumerate(KERNELS):
            correlation = 100 * (inference + 1) + (0 if graph else place)
            at = 1_700_000_000_000_000 + 1000 * inference + 10 * place
            events.append({"ph": "X", "cat": "cuda_runtime", "name": "cudaLaunchKernel", "ts": at, "dur": 1, "pid": 1, "tid": 1, "args": {"correlation": correlation}})  # fmt: skip
            args = {"stream": 7, "correlation": correlation, "registers per thread": 64, "shared memory": 1536, "grid": [8, 2, 1], "block": [128, 1, 1]}  # fmt: skip
            events.append({"ph": "X", "cat": "kernel", "name": name, "ts": f"@{at + 20}.125@", "dur": 2.001, "pid": 0, "tid": 7, "args": {**args, **({"graph node id": place + 1} if graph else {})}})  # fmt: skip
    return events[::-1]


def trace_text(events: Sequence[dict[str, Any]]) -> str:
    """The trace with times as Torch prints them: more digits than a float holds."""
    return json.dumps({"schemaVersion": 1, "traceEvents": events}).replace('"@', "").replace('@"', "")


HEADING = "Start (ns),Duration (ns),CorrId,GrdX,GrdY,GrdZ,BlkX,BlkY,BlkZ,Reg/Trd,StcSMem (MB),DymSMem (MB),Bytes (MB),Throughput (MBps),SrcMemKd,DstMemKd,Device,Ctx,Strm,Name"


def report(*, inferences: int = 3, graph: bool = False, first: int = 0) -> str:
    """A report of every launch, with what nsys prints before it; ``first`` is where in an inference the report begins."""
    lines = ["Processing [capture.sqlite] with [cuda_gpu_trace.py]... ", HEADING]
    for place in range(first, 4 * inferences):
        at, correlation = 10_000 * (place // 4) + 2_500 * (place % 4), 100 * (place // 4) + (0 if graph else place)
        lines.append(f'{at},2000,{correlation},8,2,1,128,1,1,64,0.001,0.0005,,,,,GPU (0),1,7,"{KERNELS[place % 4]}"')
    return "\n".join(lines) + "\n"
