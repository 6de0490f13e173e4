// The engine's graph on the page: pan, zoom, search, keys, and what is asked of it; a picked layer opens the page's panel.

const GRAPH_MARGIN = 26;
const ZOOMS = [0.02, 4];

class GraphView {
  constructor(page) {
    this.page = page;
    this.place = document.getElementById("engine-graph");
    this.part = (name) => this.place.querySelector(`[data-part=${name}]`);
    this.canvas = this.part("canvas");
    this.painter = new GraphPainter(this.canvas, {});
    Object.assign(this, { models: [], run: null, cursor: null, focus: null, waiting: null, matched: new Set(), at: 0 });
    this.listen();
  }

  // The graph of the shown run, unpacked the first time that it comes into sight; where the page opens at it, before all else.
  async watch() {
    const seen = new IntersectionObserver((entries) => { this.inSight = entries.at(-1).isIntersecting; if (this.inSight) this.show(); }, { rootMargin: `${NEAR}px` });
    new ResizeObserver(() => this.resize()).observe(this.canvas);
    const box = this.place.getBoundingClientRect();
    this.inSight = box.top < window.innerHeight && box.bottom > 0;
    await this.show();
    seen.observe(this.place);
  }

  async show() {
    const run = this.page.current;
    if (!this.inSight || this.run === run) return;
    this.run = run;
    performance.mark("graph-asked");
    if (!this.models[run]) {
      const raw = await unpack(`graph-${run}`);
      this.models[run] = raw.missing ? { missing: raw.missing } : new GraphModel(raw, this.canvas.clientWidth < this.canvas.clientHeight ? "tall" : "wide");
    }
    if (this.run !== run) return;
    const model = this.models[run];
    this.place.classList.toggle("is-missing", Boolean(model.missing));
    this.part("missing").textContent = model.missing ? sentence(model.missing) : "";
    this.model = model.missing ? null : model;
    this.place.dataset.state = model.missing ? "missing" : "drawn";
    if (!this.model) return;
    Object.assign(this, { cursor: null, focus: null, asking: null });
    this.painter.colours = this.page.data.colours;
    this.painter.restyle();
    this.painter.use(model);
    this.painter.resize();
    this.tell();
    this.search();
    this.narrow();
    this.draw();
    performance.measure("graph ready", "graph-asked");
  }

  // -- what the graph says in words ---------------------------------------------------------------------------------

  tell() {
    const { model } = this;
    const of = (kind) => model.kinds.map((_, node) => node).filter((node) => model.kinds[node] === kind);
    const reformats = of("reformat");
    const took = reformats.reduce((sum, node) => sum + (model.times[node] || 0), 0);
    const left = [model.folded ? countText(model.folded, "constant") : null, model.apart ? `${countText(model.apart, "layer")} without tensors or kernels` : null].filter(Boolean).join(" and ");
    const parts = [
      `${countText(of("layer").length, "layer")}, ${countText(reformats.length, "reformat")}${model.total && reformats.length ? ` (${timeText(took)}, ${percentText(100 * took / model.total)} of the layers' time)` : ""}`,
      left ? `left out: ${left}` : null, model.clock ? `times from the ${model.clock}` : "no times: all nodes of a kind are of one size",
    ];
    const slow = model.slowest.map((node, rank) => make("button", {
      type: "button", class: "pick", title: model.names[node], onclick: () => { this.reveal(node); this.pick(node); },
    }, make("b", { text: `${rank + 1}: ${percentText(model.share(node))} ` }), this.short(node)));
    this.part("told").replaceChildren(make("p", { class: "question", text: `${parts.filter(Boolean).join("; ")}.` }));
    if (slow.length) this.part("told").append(make("p", { class: "picks" }, make("span", { class: "muted", text: "Slowest:" }), ...slow));
    const used = [...new Set(of("layer").map((node) => model.precisions[node]))];
    const keys = used.map((one) => make("li", {}, make("i", { class: `p-${/^\w+$/.test(one) ? one : "unknown"}` }), one));
    this.part("keys").replaceChildren(...keys, make("li", {}, make("i", { class: "reformat" }), "reformat"), make("li", { class: "muted", text: "the higher a node, the longer it takes" }));
  }

  // A name that tells more than the label: with the last part of the path.
  short(node) {
    const { model } = this;
    const last = model.paths[node].split("/").at(-1);
    return model.kinds[node] === "reformat" ? `reformat ${model.labels[node]}` : `${last ? `${last}/` : ""}${model.labels[node]}`.slice(0, 44);
  }

  say(text) {
    this.part("say").textContent = text;
  }

  sayOf(node) {
    const { model } = this;
    const count = (list, one, many) => `${list.length} ${list.length === 1 ? one : many}`;
    this.say(`${model.names[node]}: ${[model.kinds[node], model.details[node], count(model.into[node], "input", "inputs"), count(model.out[node], "reader", "readers")].filter(Boolean).join(", ")}`);
  }

  // -- view ---------------------------------------------------------------------------------------------------------

  fit(keep = null) {
    const { painter, model } = this;
    const { left, top, right, bottom } = keep || { left: -40, top: Math.min(0, ...this.tops()), right: model.size[0], bottom: model.bottom };
    const k = Math.min(keep ? 1.2 : 1.4, (painter.width - 2 * GRAPH_MARGIN) / (right - left), (painter.height - 2 * GRAPH_MARGIN) / (bottom - top));
    painter.view = { k: Math.max(ZOOMS[0], k), x: painter.width / 2 - (k * (left + right)) / 2, y: painter.height / 2 - (k * (top + bottom)) / 2 };
    this.later();
  }

  tops() {
    return this.model.lines.filter((line) => line.length > 12).map((line) => line[5]);
  }

  zoom(factor, x = this.painter.width / 2, y = this.painter.height / 2) {
    const { view } = this.painter;
    const k = Math.max(ZOOMS[0], Math.min(ZOOMS[1], view.k * factor));
    this.painter.view = { k, x: x - ((x - view.x) * k) / view.k, y: y - ((y - view.y) * k) / view.k };
    this.later();
  }

  pan(x, y) {
    const { view } = this.painter;
    this.painter.view = { ...view, x: view.x + x, y: view.y + y };
    this.later();
  }

  // Brings a node into the middle unless it is in sight already, at a scale at which it can be read.
  reveal(node) {
    const { painter, model } = this;
    const k = Math.max(painter.view.k, READABLE * 1.6);
    const { view } = painter;
    const [x, y] = [model.x[node] * view.k + view.x, model.y[node] * view.k + view.y];
    const inside = x > 60 && y > 40 && x < painter.width - 60 && y < painter.height - 40;
    if (!inside || k !== view.k) painter.view = { k, x: painter.width / 2 - model.x[node] * k, y: painter.height / 2 - model.y[node] * k };
    this.later();
  }

  resize() {
    if (!this.model) return;
    const before = this.painter.width;
    this.painter.resize();
    if (!before) this.fit();
    this.later();
  }

  retheme() {
    if (!this.model) return;
    this.painter.restyle();
    this.later();
  }

  later() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => { this.frame = null; this.draw(); });
  }

  draw() {
    if (!this.model) return;
    const marked = this.page.picked === null ? [] : [this.page.picked, ...this.page.others].map((index) => this.model.byIndex.get(index)).filter((node) => node !== undefined);
    const shown = this.painter.paint({ lit: this.lit(), marked, cursor: this.cursor, matched: this.matched, active: document.activeElement === this.canvas });
    const { view } = this.painter;
    const at = this.cursor ?? marked[0];
    if (at !== undefined) this.canvas.dataset.at = [at, Math.round(this.model.x[at] * view.k + view.x), Math.round(this.model.y[at] * view.k + view.y)].join(" ");
    this.canvas.dataset.shown = String(shown);
  }

  // -- what is asked ------------------------------------------------------------------------------------------------

  // The nodes that stand out: all conditions together; null for no condition.
  lit() {
    const { model } = this;
    const least = Number(this.part("least").value) || 0;
    const within = this.page.scope.layers();
    if (!least && !this.focus && !within && !this.part("search").value.trim()) return null;
    const searched = this.part("search").value.trim() ? this.matched : null;
    const nodes = model.names.map((_, node) => node);
    return new Set(nodes.filter((node) => (!least || model.share(node) >= least) && (!this.focus || this.focus.has(node))
      && (!within || within.has(model.indices[node])) && (!searched || searched.has(node))));
  }

  search() {
    const typed = this.part("search").value;
    const found = this.model.found(typed);
    this.matched = new Set(found);
    this.at = -1;
    this.part("count").textContent = typed.trim() ? `${found.length} found` : "";
    this.later();
  }

  next(step) {
    const found = [...this.matched];
    if (!found.length) return;
    this.at = (this.at + step + found.length) % found.length;
    this.cursor = found[this.at];
    this.part("count").textContent = `${this.at + 1} of ${found.length}`;
    this.reveal(this.cursor);
    this.sayOf(this.cursor);
  }

  // Shows the part of the model that the page is narrowed to.
  narrow() {
    if (!this.model) return;
    const within = this.page.scope.layers();
    const { model } = this;
    const nodes = within ? model.names.map((_, node) => node).filter((node) => within.has(model.indices[node])) : [];
    const side = (list, way) => Math[way < 0 ? "min" : "max"](...nodes.map((node) => list[node] + (way * (list === model.x ? model.w[node] : model.tall[node])) / 2));
    this.fit(nodes.length ? { left: side(model.x, -1) - 60, right: side(model.x, 1) + 20, top: side(model.y, -1) - 20, bottom: side(model.y, 1) + 20 } : null);
  }

  here() {
    if (this.cursor !== null) return this.cursor;
    return this.page.picked === null ? null : this.model.byIndex.get(this.page.picked) ?? null;
  }

  neighbours() {
    const node = this.here();
    if (this.focus || node === null) return this.unfocus(node === null ? "Choose a layer first: click it, or go to it with the arrow keys." : "All layers are shown.");
    this.focus = this.model.near(node);
    this.press("near", true);
    this.later();
    return this.say(`${this.focus.size - 1} neighbours of ${this.model.names[node]}.`);
  }

  path() {
    const node = this.here();
    if (this.focus || this.asking || node === null) return this.unfocus(node === null ? "Choose a layer first, then the other end." : "All layers are shown.");
    this.asking = { from: node };
    this.press("path", true);
    return this.say(`From ${this.model.names[node]}: now choose the other end.`);
  }

  unfocus(text) {
    Object.assign(this, { focus: null, asking: null });
    for (const name of ["near", "path"]) this.press(name, false);
    this.later();
    this.say(text);
  }

  press(name, on) {
    this.part(name).setAttribute("aria-pressed", String(on));
  }

  ended(node) {
    const { model } = this;
    const { from } = this.asking;
    this.asking = null;
    this.focus = model.between(from, node);
    if (!this.focus) return this.unfocus(`No tensor leads from one to the other: ${model.names[from]}, ${model.names[node]}.`);
    const time = [...this.focus].reduce((sum, one) => sum + (model.times[one] || 0), 0);
    this.later();
    return this.say(`Between both: ${this.focus.size} nodes${time ? `, ${timeText(time)}, ${percentText((100 * time) / model.total)} of the layers' time` : ""}.`);
  }

  kernels() {
    const node = this.here();
    if (node === null || !this.model.kernels[node]) return this.say(Object.keys(this.model.kernels).length ? "Choose a layer of several kernels (marked ▸) first." : "No kernels of layers are known: they come from a trace (trtlens profile --trace).");
    const { model } = this;
    model.toggle(node);
    this.painter.trace();
    const [w, h] = [model.w[node] / 2 + 80, model.tall[node] / 2 + 30];
    return this.fit({ left: model.x[node] - w, right: model.x[node] + w, top: model.y[node] - h, bottom: model.y[node] + h });
  }

  pick(node) {
    this.cursor = node;
    if (this.asking && node !== this.asking.from) this.ended(node);
    else this.sayOf(node);
    if (this.model.indices[node] >= 0) this.page.pick(this.model.indices[node]);
    this.later();
  }

  // Another part of the page picked a layer.
  mark() {
    if (!this.model) return;
    const node = this.page.picked === null ? undefined : this.model.byIndex.get(this.page.picked);
    if (node !== undefined && node !== this.cursor) { this.cursor = node; this.reveal(node); }
    this.later();
  }

  // -- hands --------------------------------------------------------------------------------------------------------

  nodeAt(event) {
    const { model, painter: { view } } = this;
    const box = this.canvas.getBoundingClientRect();
    const [x, y] = [(event.clientX - box.left - view.x) / view.k, (event.clientY - box.top - view.y) / view.k];
    const slack = 4 / view.k;
    for (let node = model.count - 1; node >= 0; node -= 1) {
      if (Math.abs(x - model.x[node]) <= model.w[node] / 2 + slack && Math.abs(y - model.y[node]) <= model.tall[node] / 2 + slack) return node;
    }
    return null;
  }

  listen() {
    const { canvas } = this;
    const acts = {
      in: () => this.zoom(1.4), out: () => this.zoom(1 / 1.4), fit: () => this.fit(), near: () => this.neighbours(), path: () => this.path(), kernels: () => this.kernels(),
    };
    for (const [name, act] of Object.entries(acts)) this.part(name).addEventListener("click", () => { if (this.model) act(); });
    this.part("search").addEventListener("input", () => { if (this.model) this.search(); });
    this.part("search").addEventListener("keydown", (event) => { if (event.key === "Enter" && this.model) this.next(event.shiftKey ? -1 : 1); });
    this.part("least").addEventListener("input", () => this.later());
    canvas.addEventListener("keydown", (event) => { if (this.model && this.onKey(event.key)) event.preventDefault(); });
    canvas.addEventListener("focus", () => { if (this.model) { this.cursor = this.cursor ?? 0; this.sayOf(this.cursor); this.later(); } });
    canvas.addEventListener("blur", () => this.later());
    canvas.addEventListener("dblclick", (event) => { const node = this.model && this.nodeAt(event); if (node !== null && this.model.kernels[node]) this.kernels(); else this.zoom(1.8, event.offsetX, event.offsetY); });
    canvas.addEventListener("wheel", (event) => {
      if (!this.model || !(event.ctrlKey || event.metaKey || document.activeElement === canvas)) return;
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)), event.offsetX, event.offsetY);
    }, { passive: false });
    this.drag();
  }

  // Dragging moves the picture, two fingers zoom, a press that does not move picks.
  drag() {
    const { canvas } = this;
    const held = new Map();
    let moved = 0;
    canvas.addEventListener("pointerdown", (event) => { held.set(event.pointerId, event); moved = 0; canvas.setPointerCapture(event.pointerId); });
    canvas.addEventListener("pointermove", (event) => {
      const before = held.get(event.pointerId);
      if (!this.model || !before) { if (this.model) this.hover(event); return; }
      const others = [...held.values()].filter((one) => one.pointerId !== event.pointerId);
      moved += Math.abs(event.clientX - before.clientX) + Math.abs(event.clientY - before.clientY);
      if (others.length) {
        const far = (one) => Math.hypot(one.clientX - others[0].clientX, one.clientY - others[0].clientY) || 1;
        this.zoom(far(event) / far(before), event.offsetX, event.offsetY);
      } else if (moved > 4) this.pan(event.clientX - before.clientX, event.clientY - before.clientY);
      held.set(event.pointerId, event);
    });
    const end = (event) => {
      const pressed = held.delete(event.pointerId) && event.type === "pointerup" && moved <= 4 && this.model;
      const node = pressed ? this.nodeAt(event) : null;
      if (node !== null) this.pick(node);
    };
    canvas.addEventListener("pointerup", end);
    canvas.addEventListener("pointercancel", end);
    canvas.addEventListener("pointerleave", () => { this.part("hover").hidden = true; });
  }

  hover(event) {
    const node = this.nodeAt(event);
    const told = this.part("hover");
    this.canvas.style.cursor = node === null ? "grab" : "pointer";
    told.hidden = node === null;
    if (node === null) return;
    const { model } = this;
    const text = [model.names[node].slice(0, 300), [model.kinds[node], model.details[node]].filter(Boolean).join(" · "), model.paths[node] ? `in ${model.paths[node].slice(0, 200)}` : null];
    told.replaceChildren(...text.filter(Boolean).map((line) => make("div", { text: line })));
    told.style.left = `${Math.max(4, Math.min(event.offsetX + 14, this.painter.width - told.offsetWidth - 8))}px`;
    told.style.top = `${event.offsetY + (event.offsetY > this.painter.height - 90 ? -80 : 18)}px`;
  }

  onKey(key) {
    const { model } = this;
    const acts = { "+": () => this.zoom(1.3), "=": () => this.zoom(1.3), "-": () => this.zoom(1 / 1.3), 0: () => this.fit(), n: () => this.neighbours(), p: () => this.path(), " ": () => this.kernels(), Home: () => this.go(0), End: () => this.go(model.count - 1) };
    if (key in acts) acts[key]();
    else if (key === "Enter" && this.cursor !== null) this.pick(this.cursor);
    else if (key.startsWith("Arrow")) this.go(this.cursor === null ? 0 : model.beside(this.cursor, key));
    else return false;
    return true;
  }

  go(node) {
    if (node === undefined) return;
    this.cursor = node;
    this.reveal(node);
    this.sayOf(node);
  }
}
