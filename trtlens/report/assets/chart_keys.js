// Keys on a chart: arrows walk over its points, whose hover text is shown and told; Enter picks as a click does.

const TOLD_AFTER = 90; // milliseconds: Plotly shows one hover text in 50 at most
const KEY_STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity };

class ChartKeys {
  constructor(plot, onPick) {
    Object.assign(this, { plot, onPick, at: null });
    plot.addEventListener("keydown", (event) => this.onKey(event));
    plot.addEventListener("blur", () => this.leave());
  }

  onKey(event) {
    const picks = event.key === "Enter" || event.key === " ";
    const step = KEY_STEPS[event.key];
    if ((step === undefined && !picks) || event.target !== this.plot || event.ctrlKey || event.altKey || event.metaKey) return;
    const points = this.points();
    if (!points.length) return;
    event.preventDefault();
    const here = this.at === null ? -1 : points.findIndex((one) => one.curve === this.at.curve && one.number === this.at.number);
    if (picks) {
      if (here >= 0) this.onPick({ customdata: points[here].index });
      return;
    }
    const next = here < 0 ? (step > 0 && step < Infinity ? 0 : step > 0 ? points.length - 1 : 0) : Math.min(points.length - 1, Math.max(0, here + step));
    this.show(points[next], next, points.length);
  }

  // The points in sight as one reads them: along the axis of the layers or of time, lane by lane where bars lie.
  points() {
    const { plot } = this;
    const flows = [...plot.querySelectorAll(".sankey-link")];
    if (flows.length) return flows.map((flow, number) => ({ curve: 0, number, flow }));
    const lying = plot._fullData.some((trace) => trace.orientation === "h" && trace.type === "bar");
    const points = plot.calcdata.flatMap((own, curve) => this.pointsOf(plot._fullData[curve], own, curve));
    const [main, other] = lying ? ["y", "x"] : ["x", "y"];
    points.sort((a, b) => a[main] - b[main] || a[other] - b[other]);
    return points.filter((one, n) => !n || one.index === undefined || one.index !== points[n - 1].index || one.text !== points[n - 1].text);
  }

  pointsOf(trace, points, curve) {
    if (trace.visible !== true || ["skip", "name", "none"].includes(trace.hoverinfo)) return [];
    const { _fullLayout: layout } = this.plot;
    const [xaxis, yaxis] = [trace.xaxis, trace.yaxis].map((one) => layout[`${one[0]}axis${one.slice(1)}`]);
    const isBar = trace.type !== "scatter";
    const lies = trace.orientation === "h" && isBar;
    return points.map((one, number) => {
      const along = isBar ? one.p : one.x;
      const x = xaxis.c2p(lies ? one.b : along);
      const y = yaxis.c2p(isBar ? (lies ? along : one.b + one.s) : one.y);
      return { curve, number, x, y, subplot: trace.xaxis + trace.yaxis, within: x >= -1 && x <= xaxis._length + 1, index: entry(trace.customdata, number), text: entry(trace.hovertext, number) };
    }).filter((one) => one.within && Number.isFinite(one.x) && Number.isFinite(one.y));
  }

  show(point, place, count) {
    this.leave();
    this.at = { curve: point.curve, number: point.number };
    if (point.flow) for (const kind of ["mouseover", "mousemove"]) point.flow.dispatchEvent(new MouseEvent(kind, { bubbles: true }));
    else window.Plotly.Fx.hover(this.plot, [{ curveNumber: point.curve, pointNumber: point.number }], point.subplot);
    this.shown = point.flow || null;
    clearTimeout(this.telling);
    this.telling = setTimeout(() => { document.getElementById("pointed").textContent = `${place + 1} of ${count}: ${this.told()}`; }, TOLD_AFTER);
  }

  // What the hover text says, line by line.
  told() {
    const labels = [...this.plot.querySelectorAll(".hoverlayer .hovertext")];
    const lines = labels.flatMap((label) => [...label.querySelectorAll("text")].flatMap((text) => {
      const spans = [...text.querySelectorAll("tspan.line")];
      return (spans.length ? spans : [text]).map((one) => one.textContent.trim());
    }));
    return lines.filter(Boolean).join(", ");
  }

  leave() {
    if (this.shown) this.shown.dispatchEvent(new MouseEvent("mouseout", { bubbles: true }));
    this.shown = null;
    clearTimeout(this.telling);
    if (this.plot._fullLayout) window.Plotly.Fx.unhover(this.plot);
  }
}

function entry(values, number) {
  return Array.isArray(values) ? values[number] : undefined;
}
