// The page: which run and which layer are shown; draws what comes into sight.

const MOST_BUTTONS = 6;
const MOST_LOADED = 6; // of more runs each is unpacked when it is shown

class Page {
  constructor() {
    this.figures = new Figures(this);
    this.runs = [];
    this.grids = new Map();
    this.current = 0;
    this.picked = null; // the layer in the panel
    this.others = []; // further layers that are marked
    this.theme = "light";
    this.baseline = new Baseline(this);
    this.graph = new GraphView(this);
    this.scope = new Scope(this);
    this.parts = new Parts(this);
  }

  async start() {
    this.setTheme(this.savedTheme() || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));
    this.listen();
    this.search = new Search(this);
    if (!("DecompressionStream" in window)) throw new Error("this browser is too old to unpack the data (Chrome 80, Firefox 113 or Safari 16.4 on)");
    this.data = await unpack("page-data");
    await Promise.all([this.load(0), this.baseline.load()]);
    this.label();
    await this.graph.watch();
    const script = document.createElement("script");
    script.textContent = await unpackText("plotly");
    document.head.append(script);
    this.parts.draw();
    this.watch();
    addCopyButtons();
    await this.fromHash();
    document.documentElement.dataset.ready = "yes";
    if (this.data.runs.length <= MOST_LOADED) await this.loadAll();
    document.documentElement.dataset.loaded = "yes";
  }

  async load(place) {
    if (this.runs[place]) return;
    this.runs[place] = new RunData(await unpack(`run-${place}`));
    this.tellThinned(place);
  }

  async loadAll() {
    await Promise.all(this.data.runs.map((_, place) => this.load(place)));
  }

  listen() {
    document.getElementById("theme").addEventListener("click", () => this.setTheme(this.theme === "dark" ? "light" : "dark", true));
    document.getElementById("print").addEventListener("click", () => this.print());
    window.addEventListener("resize", () => this.later());
    window.addEventListener("beforeprint", () => this.prepareForPrint());
    window.addEventListener("afterprint", () => this.afterPrint());
    document.addEventListener("keydown", (event) => { if (event.key === "Escape" && this.picked !== null) this.pick(null); });
    document.addEventListener("click", (event) => {
      const button = event.target.closest("[data-pick]");
      const shown = event.target.closest("[data-show]");
      if (shown) this.show(Number(shown.dataset.show));
      if (button) { const [run, index] = button.dataset.pick.split(":").map(Number); this.show(run).then(() => this.pick(index)); }
    });
    const list = document.getElementById("run");
    if (list) list.addEventListener("change", () => this.show(Number(list.value)));
    const buttons = [...document.querySelectorAll(".switch button")];
    buttons.forEach((button, place) => {
      button.addEventListener("click", () => this.show(place));
      button.addEventListener("keydown", (event) => {
        const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
        if (step) { event.preventDefault(); const next = buttons[(place + step + buttons.length) % buttons.length]; next.focus(); next.click(); }
      });
    });
    window.addEventListener("hashchange", () => this.fromHash());
  }

  savedTheme() {
    try { return localStorage.getItem("trtlens-theme"); } catch { return null; }
  }

  setTheme(theme, keep = false) {
    this.theme = theme === "dark" ? "dark" : "light";
    document.documentElement.dataset.theme = this.theme;
    document.getElementById("theme").textContent = this.theme === "dark" ? "Light theme" : "Dark theme";
    if (keep) { try { localStorage.setItem("trtlens-theme", this.theme); } catch { /* a file from a mail may have no storage */ } }
    if (this.data) { this.figures.retheme(); this.graph.retheme(); }
  }

  // -- what is in sight --------------------------------------------------------------------------------------------

  watch() {
    this.places = [...document.querySelectorAll("[data-chart],[data-table]")];
    this.inSight = new Set();
    const seen = new IntersectionObserver((entries) => {
      for (const { target } of entries.filter((entry) => entry.isIntersecting)) {
        if (this.inSight.has(target)) this.figures.catchUp(target.querySelector(".plot"));
        else { this.inSight.add(target); this.fill(target); }
      }
    }, { rootMargin: `${NEAR}px` });
    this.places.forEach((place) => seen.observe(place));
    const links = new Map([...document.querySelectorAll("nav a")].map((link) => [link.getAttribute("href").slice(1), link]));
    const here = new IntersectionObserver((entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        for (const [anchor, link] of links) link.classList.toggle("here", anchor === entry.target.id);
      }
    }, { rootMargin: "-15% 0px -75% 0px" });
    document.querySelectorAll("main > section").forEach((section) => here.observe(section));
  }

  async fill(place) {
    if (place.hidden) return;
    if (place.dataset.chart) await this.fillChart(place, this.source(place));
    else this.fillTable(place, this.source(place));
  }

  // Where the data of a place are: in the shown run, the comparison, or what is of all runs.
  source(place) {
    return { comparison: this.comparison, runs: this.data }[place.dataset.scope] || this.runs[this.current];
  }

  async fillChart(place, source) {
    const name = place.dataset.chart;
    const of = { run: this.current, comparison: this.other(), runs: null }[place.dataset.scope];
    const base = place.dataset.scope === "comparison" ? source.figures[this.other()][name] : source.figures[name];
    const figure = name === "candidates" && this.picked !== null ? this.candidatesOf(source, base) : this.scope.figure(place, base, of);
    await this.figures.draw(place, figure, (point) => this.onPoint(name, point));
    if (this.picked !== null) this.figures.markIn(place.querySelector(".plot"), this.marked());
  }

  // The run that is held against the baseline: the current one, else the first that is not the baseline.
  other() {
    return this.current === this.baseline.place ? Number(this.baseline.place === 0) : this.current;
  }

  candidatesOf(run, base) {
    const tuned = run.tuned[this.picked];
    if (!base || base.missing) return base;
    return tuned ? candidateFigure(run, base, tuned[0], tuned[1], this.data) : { missing: "The tuner has no record of the selected layer: it launches no kernel, or the log does not name it." };
  }

  onPoint(name, point) {
    if (name === "kernels" || name === "layer_types") {
      this.showLayers(name === "kernels" ? "kernel" : "type", point.customdata);
    } else if (name === "regions") {
      const index = point.customdata;
      if (typeof index === "number") this.show(this.other()).then(() => this.pick(index));
    } else if (name === "run_times") {
      this.show(point.customdata);
    } else if (typeof point.customdata === "number") {
      this.pick(point.customdata);
    }
  }

  // Lists the layers of a kernel or of a type.
  showLayers(column, value) {
    const place = document.getElementById("table-layers");
    this.inSight.add(place);
    if (!this.grids.has(place)) this.fillTable(place, this.runs[this.current]);
    const grid = this.grids.get(place);
    if (grid) grid.filter(column, `=${value}`);
    place.scrollIntoView({ block: "center" });
  }

  fillTable(place, source) {
    const name = place.dataset.table;
    const table = source.table(name);
    const grid = place.querySelector(".grid");
    place.querySelectorAll(".said").forEach((one) => one.remove());
    grid.before(...(table.answers || []).map((text) => make("p", { class: "said", text: sentence(text) })));
    this.scope.tellWhole(place, table);
    if (table.rows === 1) return this.fillRow(place, grid, table);
    const options = table.picks ? this.picksOfRegions() : this.picksOf(this.keyOf(name));
    this.grids.set(place, new Grid(grid, table, { name, sort: place.dataset.sort, within: this.scope.rows(name, table), ...options }));
    if (this.picked !== null) revealPicked([this.grids.get(place)]);
  }

  // A table of one row is a list of what the row says.
  fillRow(place, grid, table) {
    this.grids.delete(place);
    const told = table.columns.filter((one) => !one.isEmpty).map((one) => [one.unit && one.unit !== "bytes" ? `${one.title} [${one.unit}]` : one.title, one.text(0)]);
    const copy = copyButton(() => markdownTable(table.columns.filter((one) => !one.isEmpty), [0]));
    grid.replaceChildren(facts(told), make("div", { class: "tools" }, make("span", { class: "fill" }), copy));
  }

  // Rows of the shown run; `key` gives a row's layer, and is null where rows are of none.
  picksOf(key) {
    if (!key) return {};
    return {
      pick: (rows, row) => { const index = key(rows, row); if (typeof index === "number") this.pick(index); },
      isPicked: (rows, row) => this.picked !== null && this.isMarked(key(rows, row)),
    };
  }

  // Rows of any run, each with the layer that it stands for.
  picksOfRegions() {
    const runOf = (rows, row) => this.data.runs.indexOf(rows.value("run", row));
    return {
      pick: (rows, row) => { if (rows.picks[row] !== null) this.show(runOf(rows, row)).then(() => this.pick(rows.picks[row])); },
      isPicked: (rows, row) => this.picked !== null && rows.picks[row] === this.picked && runOf(rows, row) === this.current,
    };
  }

  // How a row of a table names a layer: by index, by the name, or by the tuner's name.
  keyOf(name) {
    if (["layers", "tactics", "reformats"].includes(name)) return (table, row) => table.value("index", row);
    if (name === "accuracy" || name === "kernels_run") return (table, row) => table.value("layer_index", row);
    if (name === "memory" || name === "pins") return (table, row) => this.indexOf(table.value("layer", row));
    if (name === "candidates") {
      return (table, row) => {
        const layer = table.value("layer", row);
        if (this.picked !== null && (this.runs[this.current].tuned[this.picked] || [])[0] === layer) return this.picked;
        return this.tunedIndex(layer);
      };
    }
    return null;
  }

  indexOf(name) {
    const layers = this.runs[this.current].table("layers");
    const row = name === null ? undefined : layers.where("name", name)[0];
    return row === undefined ? null : layers.value("index", row);
  }

  tunedIndex(layer) {
    const run = this.runs[this.current];
    if (!run.byTuned) {
      run.byTuned = new Map();
      for (const [index, [name]] of Object.entries(run.tuned)) if (!run.byTuned.has(name)) run.byTuned.set(name, Number(index));
    }
    return run.byTuned.has(layer) ? run.byTuned.get(layer) : null;
  }

  // -- run and layer -----------------------------------------------------------------------------------------------

  async show(place) {
    if (place === this.current || !this.data.runs[place]) return;
    const name = this.picked === null ? null : this.nameOf(this.picked);
    await this.load(place);
    this.current = place;
    this.label();
    this.scope.tell();
    this.parts.draw();
    this.graph.show();
    this.picked = name === null ? null : this.indexOf(name);
    this.others = [];
    await Promise.all([...this.inSight].map((one) => (one.dataset.scope === "comparison" && one.dataset.table ? null : this.fill(one))));
    this.afterPick();
  }

  label() {
    document.querySelectorAll(".switch button").forEach((button, place) => {
      button.setAttribute("aria-checked", String(place === this.current));
      button.tabIndex = place === this.current ? 0 : -1;
    });
    document.querySelectorAll("[data-run]").forEach((one) => one.classList.toggle("shown", Number(one.dataset.run) === this.current));
    const list = document.getElementById("run");
    if (list) list.value = String(this.current);
    this.baseline.tellShown();
    tellAbsent(this);
    if (this.data.runs.length > 1) document.querySelectorAll("h2 .which").forEach((one) => { one.textContent = this.data.runs[this.current].slice(0, 80); });
  }

  isMarked(index) {
    return index !== null && (index === this.picked || this.others.includes(index));
  }

  // Marked layers with their names, the one in the panel first.
  marked() {
    return this.picked === null ? [] : [this.picked, ...this.others].map((index) => [index, this.nameOf(index) || ""]);
  }

  nameOf(index) {
    const layers = this.runs[this.current].table("layers");
    const row = layers.where("index", index)[0];
    return row === undefined ? null : layers.value("name", row);
  }

  // A layer for the panel, and others that are marked with it.
  pick(index, others = []) {
    if (index === this.picked && others.join() === this.others.join()) return;
    Object.assign(this, { picked: index, others });
    this.afterPick();
    const chart = document.getElementById("chart-candidates");
    if (this.inSight.has(chart)) this.fill(chart);
  }

  afterPick() {
    const panel = document.getElementById("panel");
    const found = this.picked === null ? null : describe(this.runs[this.current], this.picked);
    const before = panel.hidden;
    panel.hidden = !found;
    document.body.classList.toggle("with-panel", Boolean(found));
    if (found) {
      const close = make("button", { type: "button", class: "quiet", text: "Close", title: "Close (Esc)", onclick: () => this.pick(null) });
      const also = this.others.length ? make("p", { class: "picks" }, `marked with ${this.others.length} more layer${this.others.length > 1 ? "s" : ""}`, ...this.others.slice(0, MOST_BUTTONS).map((index) => this.button(index))) : null;
      panel.replaceChildren(make("div", { class: "top" }, make("h2", { text: found.name }), close), ...[also, ...found.parts].filter(Boolean));
      panel.scrollTop = 0;
    }
    if (before !== panel.hidden) this.figures.resize();
    this.figures.mark(found ? this.marked() : []);
    revealPicked([...this.grids.values()]);
    this.graph.mark();
    if (found) writeAddress({}, `layer-${this.current}-${[this.picked, ...this.others].join(",")}`);
    else if (/^layer-/.test(readAddress().place)) writeAddress({}, "layers");
  }

  // Shows a layer of the shown run.
  button(index) {
    return make("button", { type: "button", class: "pick", "data-pick": `${this.current}:${index}`, text: this.nameOf(index) });
  }

  async fromHash() {
    const { place: named, chosen } = readAddress();
    await this.baseline.choose(chosen.has("baseline") ? Number(chosen.get("baseline")) : this.baseline.place);
    if ((chosen.get("in") || "") !== this.scope.path) { this.scope.path = chosen.get("in") || ""; await this.scope.apply(); }
    const match = /^layer-(\d+)-(\d+(?:,\d+)*)$/.exec(named);
    if (match) {
      await this.show(Number(match[1]));
      const [index, ...others] = match[2].split(",").map(Number);
      this.pick(index, others);
      document.getElementById("layers").scrollIntoView();
    }
    const place = named && !match ? document.getElementById(named) : null;
    if (place && place.tagName === "DETAILS") place.open = true;
    if (place) (place.hidden ? place.closest("section") : place).scrollIntoView();
  }

  // -- the rest ----------------------------------------------------------------------------------------------------

  tellThinned(place) {
    const { thinned } = this.runs[place];
    if (!thinned) return;
    const sentence = this.data.runs.length > 1 ? `${this.data.runs[place]}: ${thinned}.` : `${thinned}.`;
    document.getElementById("thinned").append(make("li", { text: sentence }));
    if (place === this.current) document.querySelector("#table-candidates h3").after(make("p", { class: "question", text: sentence }));
  }

  async drawAll() {
    for (const place of this.places) if (!this.inSight.has(place)) { this.inSight.add(place); await this.fill(place); }
  }

  async print() {
    await this.drawAll();
    window.print();
  }

  // Resizes once for a burst of events.
  later() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => { this.waiting = false; this.figures.resize(); });
  }

  afterPrint() {
    this.figures.fitPaper(false);
    for (const grid of this.grids.values()) grid.print(0);
    this.figures.resize();
  }

  prepareForPrint() {
    this.figures.fitPaper(true);
    for (const grid of this.grids.values()) grid.print(PRINTED_ROWS);
    document.querySelectorAll("details.finding").forEach((one) => { one.open = true; });
  }
}

const page = new Page();
page.start().catch((error) => {
  const trouble = document.getElementById("trouble");
  trouble.textContent = `Charts and tables could not be drawn: ${error.message}`;
  trouble.hidden = false;
  throw error;
});
