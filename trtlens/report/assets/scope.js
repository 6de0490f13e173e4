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
    for (const place of page.inSight) if (place.dataset.table) this.tellWhole(place, page.source(place).table(place.dataset.table));
    await Promise.all([...page.inSight].filter((place) => place.dataset.chart).map((place) => page.fill(place)));
    page.graph.narrow();
    page.parts.draw();
  }

  tell() {
    const within = this.layers();
    this.badge.hidden = !within;
    if (!within) return;
    const name = this.path.split("/").at(-1);
    this.badge.replaceChildren("Only ", make("b", { text: name.slice(0, 40) }), ` (${countText(within.size, "layer")}) ×`);
    this.badge.title = `Tables, charts and graph show ${this.path.slice(0, 300)} alone: click to show all`;
    this.badge.setAttribute("aria-label", `Only ${name}, ${countText(within.size, "layer")}: show all`);
  }

  // Says what of a table is of the whole engine though a part is chosen: all of it, or the sentences above its rows.
  tellWhole(place, table) {
    const follows = Boolean(this.rows(place.dataset.table, table));
    const say = (one, isWhole) => { if (isWhole) one.dataset.whole = " (the whole engine)"; else delete one.dataset.whole; };
    say(place.querySelector("h3"), this.path && !follows);
    place.querySelectorAll(".said").forEach((one) => say(one, this.path && follows));
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

  // A figure of the part, as the chart follows it: `of` is the number of the run, and null for what is of all runs.
  figure(place, figure, of) {
    if (!this.path || figure.missing) return figure;
    const { chart, follows } = place.dataset;
    const within = of === null ? null : this.layers(of);
    if (follows === "whole" || !within) return { ...figure, whole: true };
    const { runs, data, baseline, comparison } = this.page;
    const own = { run: runs[of], within, styles: data, comparison, name: data.runs[of], baseline: data.runs[baseline.place] };
    return follows === "sums" ? OF_PART[chart](own, figure) : pointsOfPart(own, figure, chart);
  }
}
