// Draws the figures, in the reader's theme, and marks the picked layer in those that show layers.

const CONFIG = {
  displaylogo: false, showSendToCloud: false, modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d"],
  toImageButtonOptions: { format: "svg" },
};
const STRIP_SPREAD = 0.28;
const MOST_ARROWS = 40;
const PAPER_WIDTH = 670;
const NEAR = 500; // pixels around the window in which figures are kept up to date

function plainText(text, width = 70) {
  const tail = Math.floor((width - 1) / 2);
  const shown = text.length <= width ? text : `${text.slice(0, width - 1 - tail)}…${text.slice(-tail)}`;
  return shown.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function sentence(text) {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${text.endsWith(".") ? "" : "."}`;
}

class Figures {
  constructor(page) {
    this.page = page;
    this.drawn = new Map();
    this.keys = new Map();
    this.missed = new Map(); // for plots out of sight: what is to be done when they come into it
    this.printing = false;
  }

  // Does something to every plot: at once in sight, else when it comes into sight. The last of a kind counts.
  each(kind, work) {
    for (const plot of this.drawn.keys()) {
      const box = plot.getBoundingClientRect();
      if (this.printing || (box.bottom > -NEAR && box.top < window.innerHeight + NEAR)) work(plot);
      else this.missed.set(plot, (this.missed.get(plot) || new Map()).set(kind, work));
    }
  }

  catchUp(plot) {
    const works = this.missed.get(plot) || new Map();
    this.missed.delete(plot);
    for (const work of works.values()) work(plot);
  }

  catchUpAll() {
    for (const plot of [...this.missed.keys()]) this.catchUp(plot);
  }

  resize() {
    this.each("size", (plot) => {
      if (this.drawn.get(plot).fitted === stepOf(plot)) window.Plotly.Plots.resize(plot);
      else this.page.fill(plot.closest("[data-chart]")); // labels and legends are laid out for a width
    });
  }

  // On paper every figure is as wide as a sheet of A4 or Letter; afterwards as wide as its place again.
  fitPaper(printing) {
    this.printing = printing;
    if (printing) this.catchUpAll();
    for (const plot of this.drawn.keys()) window.Plotly.relayout(plot, printing ? { autosize: false, width: PAPER_WIDTH } : { autosize: true, width: null });
  }

  async draw(place, figure, onPick) {
    const plot = place.querySelector(".plot");
    if (figure.missing) {
      if (this.drawn.has(plot)) { window.Plotly.purge(plot); this.drawn.delete(plot); }
      plot.replaceChildren(make("p", { class: "missing", text: sentence(figure.missing) }));
      plot.style.height = "";
      plot.removeAttribute("tabindex");
      place.dataset.state = "missing";
      place.classList.add("is-missing");
      return;
    }
    place.classList.remove("is-missing");
    place.querySelector(".question").dataset.whole = figure.whole ? " The whole engine, not the chosen part alone." : "";
    if (!this.drawn.has(plot)) plot.replaceChildren();
    const narrow = plot.clientWidth < NARROW;
    const layout = { ...structuredClone(figure.layout), template: this.page.data.themes[this.page.theme], autosize: true };
    const traces = structuredClone(figure.data);
    if (narrow) fitNarrow(layout, traces);
    fitColumns(layout, traces, plot.clientWidth);
    fitTitle(layout, plot.clientWidth);
    plot.style.height = `${layout.height}px`;
    await window.Plotly.react(plot, traces, layout, { ...CONFIG, displayModeBar: narrow ? false : "hover" });
    if (!this.drawn.has(plot)) plot.on("plotly_click", (event) => { if (event.points.length) onPick(event.points[0]); });
    if (!this.keys.has(plot)) this.keys.set(plot, new ChartKeys(plot, onPick));
    plot.tabIndex = 0;
    this.missed.delete(plot);
    this.explain(place, layout.meta);
    this.drawn.set(plot, { figure, notes: layout.annotations || [], fitted: stepOf(plot) });
    place.dataset.state = "drawn";
  }

  // How to read the chart: what the figure itself says of it, else what the page says.
  explain(place, meta) {
    const reading = place.querySelector(".reading");
    if (!("usual" in reading.dataset)) reading.dataset.usual = reading.textContent;
    reading.textContent = meta && meta.reading ? meta.reading : reading.dataset.usual;
  }

  retheme() {
    this.each("theme", (plot) => window.Plotly.relayout(plot, { template: this.page.data.themes[this.page.theme] }));
  }

  // An arrow on the point of each of these layers in every figure, the name at the first; without layers the arrows go.
  mark(layers) {
    this.each("mark", (plot) => this.markIn(plot, layers));
  }

  markIn(plot, layers) {
    if (!this.drawn.has(plot)) return;
    const { figure, notes } = this.drawn.get(plot);
    const arrows = layers.slice(0, MOST_ARROWS).map(([index, name], place) => this.arrow(figure, pointOf(figure, index), place ? "" : name)).filter(Boolean);
    if (arrows.length || plot.dataset.marked) window.Plotly.relayout(plot, { annotations: [...notes, ...arrows] });
    if (arrows.length) plot.dataset.marked = "yes"; else delete plot.dataset.marked;
  }

  arrow(figure, point, name) {
    return point && {
      x: onAxis(figure.layout.xaxis, point.x), y: onAxis(figure.layout.yaxis, point.y), text: plainText(name, 34), showarrow: true, arrowhead: 2, ax: 0, ay: name ? -30 : -18,
      bgcolor: this.page.theme === "dark" ? "#1b3140" : "#e3f1f7", borderpad: name ? 3 : 0, font: { size: 11 },
    };
  }
}

const NARROW = 520; // pixels
const STEP = 60; // pixels by which a width changes before a figure is laid out anew
const NARROW_CHARACTERS = 36;
const LINE_HEIGHT = 14;
const AROUND = 90; // pixels beside the columns
const CHARACTER = 6.2; // pixels
const LEAST_TITLE = 18; // characters
const UPRIGHT = 20; // characters of a name that stands upright, where columns are too narrow for its words
const WIDE_RANGE = 3; // the largest over the smallest value, from which ticks at 1, 2 and 5 are enough

function stepOf(plot) {
  return Math.round(plot.clientWidth / STEP);
}

// Lines of at most so many characters, broken at spaces and between words that a hyphen joins.
function wrapped(text, most = NARROW_CHARACTERS) {
  const lines = [""];
  for (const word of text.replaceAll("<br>", " ").split(/(?<= )|(?<=\w-)(?=\w)/)) {
    if (lines.at(-1) && lines.at(-1).length + word.trimEnd().length > most) lines.push(word); else lines[lines.length - 1] += word;
  }
  return lines.map((line) => line.trim());
}

// Names below columns stand level, in lines as wide as their column.
function fitColumns(layout, traces, width) {
  const moments = [...new Set(traces.filter((one) => one.xaxis === "x2").flatMap((one) => one.x))];
  if (moments.length) layout.xaxis2 = { ...layout.xaxis2, tickvals: moments, ticktext: moments };
  for (const axis of [layout.xaxis, layout.xaxis2]) {
    if (!axis || !axis.ticktext || axis.type === "log") continue;
    const most = Math.floor((width - AROUND) / axis.ticktext.length / CHARACTER);
    const told = axis.ticktext.map((one) => wrapped(one, most));
    const fits = told.flat().every((line) => line.length <= most);
    Object.assign(axis, fits ? { ticktext: told.map((lines) => lines.join("<br>")), tickangle: 0 } : { ticktext: axis.ticktext.map((one) => shortened(one, UPRIGHT)), tickangle: -90 });
    layout.height += fits ? LINE_HEIGHT * (Math.max(...told.map((lines) => lines.length)) - 1) : UPRIGHT * 4;
  }
}

// The title below a chart in lines as wide as the room beside the labels of its rows; what stands below it moves down.
function fitTitle(layout, width) {
  const title = layout.xaxis && layout.xaxis.title;
  const labels = (layout.yaxis && (layout.yaxis.ticktext || layout.yaxis.categoryarray)) || [];
  const beside = CHARACTER * Math.max(0, ...labels.map((one) => one.length));
  const lines = title && title.text ? wrapped(title.text, Math.max(LEAST_TITLE, Math.floor((width - AROUND - beside) / CHARACTER))) : [""];
  if (lines.length > 1) title.text = lines.join("<br>");
  const below = (layout.annotations || []).filter((one) => one.xref === "paper");
  for (const note of below) note.yshift -= LINE_HEIGHT * (lines.length - 1);
  layout.height += LINE_HEIGHT * (lines.length - 1);
  if (below.length) layout.margin = { ...layout.margin, b: layout.margin.b + LINE_HEIGHT * (lines.length - 1) };
}

// A text that is escaped already, shortened.
function shortened(escaped, width) {
  return plainText(escaped.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&"), width);
}

// On a phone: small margins, and no text that is wider than the plot.
function fitNarrow(layout, traces) {
  layout.margin = { ...layout.margin, l: 44, r: Math.min((layout.margin || {}).r || 8, 48) };
  for (const trace of traces) {
    if (trace.name) trace.name = wrapped(trace.name).join("<br>");
    if (trace.mode === "text") trace.visible = false;
  }
  const { yaxis } = layout;
  if (yaxis && yaxis.categoryarray) Object.assign(yaxis, { tickvals: yaxis.categoryarray, ticktext: yaxis.categoryarray });
  if (yaxis && yaxis.ticktext) yaxis.ticktext = yaxis.ticktext.map((one) => shortened(one, 20));
  if (layout.title && layout.title.text) layout.title.text = shortened(layout.title.text, NARROW_CHARACTERS);
  const values = traces.flatMap((one) => (Array.isArray(one.x) && layout.xaxis && layout.xaxis.type === "log" && !layout.xaxis.tickvals && !layout.xaxis.dtick ? one.x : []));
  if (values.length && Math.max(...values) > WIDE_RANGE * Math.min(...values)) layout.xaxis.dtick = "D2";
  for (const note of layout.annotations || []) {
    if (note.xref !== "paper") { note.text = shortened(note.text, 18); continue; }
    const told = wrapped(note.text);
    const room = LINE_HEIGHT * (1 + told.length);
    note.text = told.join("<br>");
    layout.margin.b += room;
    layout.height += room;
  }
}

function onAxis(axis, value) {
  return axis && axis.type === "log" ? Math.log10(value) : value;
}

function pointOf(figure, index) {
  for (const trace of figure.data) {
    if (!Array.isArray(trace.customdata) || !Array.isArray(trace.x) || trace.yaxis === "y2") continue;
    const place = trace.customdata.indexOf(index);
    if (place >= 0) return { x: trace.x[place], y: trace.y[place] };
  }
  return null;
}

// The strips of one layer's candidates, as trtlens/charts/figures/candidates.py draws them.
function candidateFigure(run, base, layer, op, styles) {
  const table = run.table("candidates");
  let rows = table.where("layer", layer).filter((row) => table.value("time_ms", row) !== null);
  if (op !== null) rows = rows.filter((row) => table.value("op", row) === op);
  if (!rows.length) return { missing: "The tuner timed no tactic of this layer: it launches no kernel, or its times come from an identical layer or a timing cache." };
  const precisionOf = (row) => table.value("precision", row) || "unknown";
  const known = new Set(rows.map(precisionOf));
  const order = Object.keys(styles.colours).filter((one) => known.has(one));
  const hover = (row) => `<b>${timeText(table.value("time_ms", row))}</b><br>${plainText(table.value("tactic_name", row) || "kernel unknown")}<br>${
    plainText(table.value("input_formats", row) || "?")} → ${plainText(table.value("output_formats", row) || "?")}<br>line ${table.value("line", row)}`;
  const micro = (row) => 1000 * table.value("time_ms", row);
  const data = order.map((precision, place) => {
    const here = rows.filter((row) => precisionOf(row) === precision);
    return {
      type: "scatter", mode: "markers", name: precision, showlegend: false, x: here.map(micro),
      y: here.map((_, n) => round(place + (((n * 0.618) % 1) - 0.5) * 2 * STRIP_SPREAD, 3)), hovertext: here.map(hover), hovertemplate: "%{hovertext}<extra></extra>",
      marker: { color: styles.colours[precision], symbol: styles.symbols[precision] || "circle", size: 8, opacity: 0.75, line: { width: precision === "unknown" ? 1.6 : 0.8, color: "rgba(90,100,110,0.8)" } },
    };
  });
  const chosen = rows.filter((row) => table.value("chosen", row) === "yes");
  if (chosen.length) {
    data.push({
      type: "scatter", mode: "markers", name: "runs in the engine", x: chosen.map(micro), y: chosen.map((row) => order.indexOf(precisionOf(row))),
      marker: { symbol: "circle-open", size: 18, color: "#2563eb", line: { width: 3 } }, hovertext: chosen.map(hover), hovertemplate: "%{hovertext}<extra>runs</extra>",
    });
  }
  const layout = structuredClone(base && base.layout ? base.layout : {});
  return {
    data,
    layout: {
      ...layout, height: 120 + 64 * Math.max(2, order.length), showlegend: chosen.length > 0, title: { ...layout.title, text: plainText(layer, 100) },
      yaxis: { tickvals: order.map((_, n) => n), ticktext: order, range: [-0.6, order.length - 0.4], showgrid: false },
    },
  };
}
