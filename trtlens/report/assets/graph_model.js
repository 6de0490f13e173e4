// The engine's graph as data: its nodes, who feeds whom, and what is asked of it (found, near, between).

const AT_LEAST = 22; // pixels of the screen that a group of layers has when it is labelled

class GraphModel {
  constructor(raw, form) {
    Object.assign(this, raw, raw.layouts[form]);
    const decoded = ({ texts, places }) => places.map((place) => texts[place]);
    for (const name of ["kinds", "labels", "details", "precisions", "names", "paths", "forms"]) this[name] = decoded(raw[name]);
    this.count = this.kinds.length;
    this.out = this.names.map(() => []);
    this.into = this.names.map(() => []);
    for (const [source, target] of this.edges) { this.out[source].push(target); this.into[target].push(source); }
    for (const lists of [this.out, this.into]) for (const list of lists) list.sort((a, b) => this.x[a] - this.x[b]);
    this.byIndex = new Map(this.indices.map((index, node) => [index, node]));
    this.total = this.times.reduce((sum, one) => sum + (one || 0), 0);
    this.slowest = this.times.map((_, node) => node).filter((node) => this.times[node]).sort((a, b) => this.times[b] - this.times[a]).slice(0, 5);
    this.y0 = this.y;
    this.opened = new Set();
    this.flow();
  }

  // Opens a region into its kernels or closes it: what stands below it in its column moves.
  toggle(node) {
    if (!this.kernels[node]) return;
    if (!this.opened.delete(node)) this.opened.add(node);
    this.flow();
  }

  extra(node) {
    return this.opened.has(node) ? Math.max(0, KERNEL_ROW * this.kernels[node].length + KERNELS_FROM + 6 - this.h[node]) : 0;
  }

  flow() {
    const added = [...this.opened].map((node) => ({ column: this.columns[node], from: this.y0[node] + this.h[node] / 2 - 1, more: this.extra(node) }));
    const columnAt = (x) => { let column = 0; while (column + 1 < this.lefts.length && this.lefts[column + 1] <= x) column += 1; return column; };
    const moved = (column, y) => added.reduce((sum, one) => (one.column === column && y >= one.from ? sum + one.more : sum), y);
    this.tall = this.h.map((height, node) => height + this.extra(node));
    this.y = this.y0.map((y, node) => moved(this.columns[node], y) + this.extra(node) / 2);
    this.lines = added.length ? this.routes.map((route) => route.map((part, n) => (n % 2 ? moved(columnAt(route[n - 1]), part) : part))) : this.routes;
    this.bottom = Math.max(this.size[1], ...added.map((one) => this.size[1] + one.more));
  }

  share(node) { return this.total ? (100 * (this.times[node] || 0)) / this.total : 0; }

  found(typed) {
    const wanted = typed.trim().toLowerCase();
    const nodes = this.names.map((_, node) => node);
    return wanted ? nodes.filter((node) => `${this.names[node]}\n${this.paths[node]}/${this.labels[node]}`.toLowerCase().includes(wanted)) : [];
  }

  near(node) {
    return new Set([node, ...this.out[node], ...this.into[node]]);
  }

  reach(node, lists) {
    const seen = new Set([node]);
    for (const one of seen) for (const next of lists[one]) seen.add(next);
    return seen;
  }

  // Everything on a way from one node to the other, whichever comes first; null where there is none.
  between(one, other) {
    for (const [from, to] of [[one, other], [other, one]]) {
      const after = this.reach(from, this.out);
      if (!after.has(to)) continue;
      const before = this.reach(to, this.into);
      return new Set([...after].filter((node) => before.has(node)));
    }
    return null;
  }

  // The neighbour that an arrow key goes to: along an edge, or within the rank.
  beside(node, key) {
    if (key === "ArrowDown") return this.out[node][0];
    if (key === "ArrowUp") return this.into[node][0];
    const way = key === "ArrowRight" ? 1 : -1;
    const row = this.y0.map((_, other) => other).filter((other) => this.columns[other] === this.columns[node] && this.y0[other] === this.y0[node] && way * (this.x[other] - this.x[node]) > 0);
    return row.sort((a, b) => way * (this.x[a] - this.x[b]))[0];
  }

  // Stretches of a column whose layers share the first parts of their path: as many parts as leave most of them room for a label.
  groups(scale) {
    this.grouped = this.grouped || [];
    let best = this.groupsOf(1);
    for (let depth = 2; depth <= 8 && scale * this.groupsOf(depth).usual >= AT_LEAST; depth += 1) best = this.groupsOf(depth);
    return best;
  }

  groupsOf(depth) {
    if (this.grouped[depth]) return this.grouped[depth];
    const rows = new Map(); // one layer stands for its rank
    this.kinds.forEach((kind, node) => {
      const key = `${this.columns[node]} ${this.y0[node]}`;
      if (kind === "layer" && (!rows.has(key) || this.h[rows.get(key)] < this.h[node])) rows.set(key, node);
    });
    const order = [...rows.values()].sort((a, b) => this.columns[a] - this.columns[b] || this.y0[a] - this.y0[b]);
    const found = [];
    for (const node of order) {
      const parts = this.paths[node].split("/");
      const path = parts.slice(0, depth).join("/");
      const last = found.at(-1);
      const inner = parts[depth] || "";
      if (last && last.path === path && last.column === this.columns[node]) Object.assign(last, { to: this.y0[node] + this.h[node] / 2, end: inner || last.end });
      else found.push({ path, column: this.columns[node], from: this.y0[node] - this.h[node] / 2, to: this.y0[node] + this.h[node] / 2, start: inner, end: inner, label: path.split("/").at(-1), longer: path.split("/").slice(-2).join("/") });
    }
    const named = found.filter((one) => one.path);
    const heights = named.map((one) => one.to - one.from).sort((a, b) => a - b);
    named.usual = heights[heights.length >> 1] || 0;
    this.grouped[depth] = named;
    return named;
  }
}
