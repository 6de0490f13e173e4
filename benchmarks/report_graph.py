"""Measures the engine graph of a report: its layout, the page, and how it is to use in headless Chromium.

The engine is made up from a seed: blocks of a transformer with branches, skips, reformats and Myelin regions, in 200 and in 5,000 layers.
"Opened" is from the start of the navigation, at the graph's address, until the graph is drawn; "ready" from when the graph is asked for (it comes into
sight) until then. Frames are those of 2 s of panning, and of zooming between the whole and single layers, counted by requestAnimationFrame.
Run: ``python benchmarks/report_graph.py [TIMES]`` (default 3).
"""

from __future__ import annotations

import itertools
import os
import random
import shutil
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.doubles.made_runs import MadeLayer, MadeRun
from tests.report.chromium import started
from trtlens import Run, open_run
from trtlens.engine.flow import read_flow
from trtlens.report import read_subject, render
from trtlens.report.engine_picture import engine_picture

H200 = Path(__file__).parents[1] / "fixtures" / "h200"
THREE = ("resnet50-fp32", "resnet50-fp16", "resnet50-int8")
SIZES = (200, 5000)
PRECISIONS = ("fp16",) * 6 + ("int8",) * 3 + ("fp32",)
SECONDS = 2
_FRAMES = """
const done = arguments[arguments.length - 1], canvas = document.querySelector("#engine-graph canvas"), frames = [];
const box = canvas.getBoundingClientRect(), kind = arguments[0], begin = performance.now();
const fire = (type, more) => canvas.dispatchEvent(new PointerEvent(type, { pointerId: 7, bubbles: true, ...more }));
canvas.setPointerCapture = () => {};
const at = (n) => ({ clientX: box.left + 300 + 200 * Math.sin(n / 9), clientY: box.top + 200 + 150 * Math.cos(n / 7) });
if (kind === "pan") fire("pointerdown", at(0));
let n = 0;
function step(now) {
  frames.push(now); n += 1;
  if (kind === "pan") fire("pointermove", at(n));
  else canvas.dispatchEvent(new WheelEvent("wheel", { ctrlKey: true, cancelable: true, deltaY: n % 60 < 30 ? -90 : 90, clientX: box.left + 400, clientY: box.top + 200 }));
  if (performance.now() - begin < SECONDS * 1000) requestAnimationFrame(step);
  else { if (kind === "pan") fire("pointerup", at(n)); done(frames); }
}
requestAnimationFrame(step);
""".replace("SECONDS", str(SECONDS))


def made_engine(count: int, seed: int = 1) -> Run:
    """A run of so many layers: blocks of attention and two matrix products, each with skips, some reformats, times of a heavy tail."""
    random.seed(seed)
    layers: list[MadeLayer] = []
    stream = "input"
    for block in itertools.count():
        if len(layers) >= count:
            break
        stream = _block(layers, f"/model/encoder/layer.{block}", stream)
    times = np.random.default_rng(seed).pareto(2.0, (len(layers[:count]), 1)) * 0.004 + 0.002
    return MadeRun(layers[:count], times=np.repeat(times, 3, axis=1)).run(f"made {count}")


def _block(layers: list[MadeLayer], path: str, stream: str) -> str:
    def add(name: str, *reads: str, type: str = "gemm") -> str:  # noqa: A002  the field's name
        writes = f"{path}/{name}_output"
        precision = None if type == "Reformat" else random.choice(PRECISIONS)  # noqa: S311  a made-up engine
        layers.append(MadeLayer(f"{path}/{name}", type, (f"{path}/{name}",), precision, reads=reads, writes=(writes,)))
        return writes

    heads = [add(f"attention/{one}/MatMul", stream) for one in ("query", "key", "value")]
    heads[0] = add("attention/to_chw", heads[0], type="Reformat") if random.random() < 0.5 else heads[0]  # noqa: S311
    score = add("attention/scores/Softmax", *heads[:2], type="kgen")
    mixed = add("attention/context/MatMul", score, heads[2])
    after = add("attention/output/Add", mixed, stream)
    hidden = add("mlp/up/MatMul", after)
    hidden = add("mlp/to_int8", hidden, type="Reformat") if random.random() < 0.3 else hidden  # noqa: S311
    return add("mlp/down/Add", add("mlp/act/Gelu", hidden, type="kgen"), after)


def measured(browser: Any, page: Path) -> dict[str, float]:
    """Seconds until the graph is there, from the navigation and from its turn; frames a second of panning and zooming."""
    browser.get("about:blank")
    browser.get(f"{page.as_uri()}#graph")
    while not browser.execute_script("return performance.getEntriesByName('graph ready').length"):
        time.sleep(0.02)
    asked, took = browser.execute_script(
        "const one = performance.getEntriesByName('graph ready')[0]; return [one.startTime, one.duration]"
    )
    while browser.execute_script("return document.documentElement.dataset.loaded !== 'yes'"):
        time.sleep(0.05)
    time.sleep(1)
    found = {"opened": (asked + took) / 1000, "ready": took / 1000}
    for kind in ("pan", "zoom"):
        before = cpu_seconds(browser.service.process.pid)
        frames = browser.execute_async_script(_FRAMES, kind)
        found[f"{kind} cpu"] = 1000 * (cpu_seconds(browser.service.process.pid) - before) / len(frames)
        gaps = np.diff(frames)
        found[kind] = 1000 / gaps.mean()
        found[f"{kind} worst"] = float(np.quantile(gaps, 0.99))
    return found


def cpu_seconds(process: int) -> float:
    """What a process and all that it started have used of the CPU; 0 where there is no /proc."""
    parents: dict[int, int] = {}
    used: dict[int, float] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            values = stat.read_text().rpartition(")")[2].split()
            parents[int(stat.parent.name)] = int(values[1])
            used[int(stat.parent.name)] = (int(values[11]) + int(values[12])) / os.sysconf("SC_CLK_TCK")
    own = {process}
    for _ in range(8):  # as deep as Chromium's processes stand below its driver, and more
        own |= {one for one, parent in parents.items() if parent in own}
    return sum(used.get(one, 0.0) for one in own)


def main(times: int) -> None:
    """Print every figure; of several measurements the fastest."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for count in SIZES:
            run = made_engine(count)
            begin = time.perf_counter()
            subject = read_subject(run)
            read_flow(subject.run, subject.build or 1)
            middle = time.perf_counter()
            engine_picture(subject.run, subject.build)
            laid = time.perf_counter()
            page = folder / f"{count}.html"
            page.write_text(render([subject]), "utf-8")
            print(
                f"{count} layers: read {middle - begin:.2f} s, laid out {laid - middle:.2f} s, page {time.perf_counter() - laid:.2f} s, {page.stat().st_size / 1e6:.1f} MB"
            )
            _tell(page, folder, times)
        page = folder / "three.html"
        page.write_text(render([read_subject(open_run(H200 / one)) for one in THREE]), "utf-8")
        print(f"three runs: {page.stat().st_size / 1e6:.1f} MB")
        _tell(page, folder, times)


def _tell(page: Path, folder: Path, times: int) -> None:
    if shutil.which("chromium") is None or shutil.which("chromedriver") is None:
        print("no chromium and chromedriver here")
        return
    browser = started(folder / "profile")
    try:
        rounds = [measured(browser, page) for _ in range(times)]
    finally:
        browser.quit()
    best = {name: (max if name in {"pan", "zoom"} else min)(one[name] for one in rounds) for name in rounds[0]}
    print(
        f"  opened {best['opened']:.2f} s, ready {best['ready']:.2f} s; frames a second: pan {best['pan']:.0f}, zoom {best['zoom']:.0f}; "
        f"99 of 100 frames within {best['pan worst']:.0f} ms and {best['zoom worst']:.0f} ms; "
        f"CPU of a frame, all processes: {best['pan cpu']:.0f} ms and {best['zoom cpu']:.0f} ms"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
