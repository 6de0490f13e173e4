// The drill-down: a part of the model, by the path of its names, to which tables, charts and graph are narrowed; it stands in the address.

class Scope {
  constructor(page) {
    Object.assign(this, { page, path: "" });
    this.badge = document.getElementById("scope");
    this.badge.addEventListener("click", () => this.set(""));
  }

  // Indices of a run's layers in the part; null where all are shown.
  layers(place = this.page.current) {
    const run = this.page.runs[place];
    if (!this.path || !run) return null;
    if (this.known !== `${place} ${this.path}`) {
      this.known = `${place} ${this.path}`;
      this.within = new Set(Object.keys(run.paths).map(Number).filter((index) => this.holds(run.paths[index])));
    }
    return this.within;
  }

  holds(path) {
    return path === this.path || path.startsWith(`${this.path}/`);
  }

  async set(path) {
    if (path === this.path) return;
    this.path = path;
    writeAddress({ in: path || null });
    await this.apply();
  }

  async apply() {
    const { page } = this;
    if (this.path) await page.loadAll(); // a comparison has rows of every run
    this.tell();
    for (const [place, grid] of page.grids) { grid.within = this.rows(place.dataset.table, grid.table); grid.refilter(); }
    await Promise.all([...page.inSight].filter((place) => place.dataset.chart).map((place) => page.fill(place)));
    page.graph.narrow();
    page.parts.draw();
  }

  tell() {
    const within = this.layers();
    this.badge.hidden = !within;
    if (!within) return;
    const name = this.path.split("/").at(-1);
    this.badge.replaceChildren("Only ", make("b", { text: name.slice(0, 40) }), ` (${within.size} ${within.size === 1 ? "layer" : "layers"}) ×`);
    this.badge.title = `Tables, charts and graph show ${this.path.slice(0, 300)} alone: click to show all`;
    this.badge.setAttribute("aria-label", `Only ${name}, ${within.size} layers: show all`);
  }

  // Which rows of a table are of the part; null for a table whose rows are of no layers.
  rows(name, table) {
    const { page } = this;
    if (!this.path) return null;
    if (table.picks) {
      const pathOf = (row) => (page.runs[page.data.runs.indexOf(table.value("run", row))] || { paths: {} }).paths[table.picks[row]];
      return (row) => this.holds(pathOf(row) || "");
    }
    const within = this.layers();
    if (name === "candidates") {
      const tuned = new Set([...within].map((index) => (page.runs[page.current].tuned[index] || [])[0]));
      return (row) => tuned.has(table.value("layer", row));
    }
    const key = page.keyOf(name);
    return key && ((row) => within.has(key(table, row)));
  }

  // A figure with the points of the part's layers alone; one without layers is as it is, and says so.
  figure(figure, place = this.page.current) {
    const within = this.layers(place);
    if (!within || figure.missing) return figure;
    const ofLayers = (trace) => Array.isArray(trace.customdata) && trace.customdata.some((one) => typeof one === "number");
    if (!figure.data.some(ofLayers)) return { ...figure, whole: true };
    const data = figure.data.map((trace) => (ofLayers(trace) ? only(trace, trace.customdata.map((one) => within.has(one))) : trace));
    const left = data.some((trace) => ofLayers(trace));
    return left ? { ...figure, data } : { missing: "no layer of the chosen part of the model stands in this chart" };
  }
}

// A trace, or a part of one, with the kept points alone: every list that has an entry for each point.
function only(value, kept) {
  if (Array.isArray(value)) return value.length === kept.length ? value.filter((_, n) => kept[n]) : value;
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, only(inner, kept)]));
}
