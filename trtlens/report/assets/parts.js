// The parts of the model by the names of its ONNX nodes, as an icicle: a level a row, as wide as the part's share. A part opens as a drill-down.

const ICICLE_ROWS = 7;
const LEAST_WIDTH = 0.0022; // of the whole: three pixels
const LETTER = 7.5;
const MEASURES = {
  time: { title: "Time", text: timeText, about: "time of its layers" },
  memory: { title: "Memory", text: sizeText, about: "bytes of the tensors that its layers write" },
  error: { title: "Error", text: numberText, about: "error that its layers add to their outputs" },
  layers: { title: "Layers", text: (count) => countText(count, "layer"), about: "number of its layers" },
};

class Parts {
  constructor(page) {
    this.page = page;
    this.place = document.getElementById("model-parts");
    this.part = (name) => this.place.querySelector(`[data-part=${name}]`);
    this.part("icicle").addEventListener("keydown", (event) => this.onKey(event));
  }

  // The layers of the shown run: where they stand, and what each measure gives for them.
  read() {
    const run = this.page.runs[this.page.current];
    if (run.parts) return run.parts;
    const layers = run.table("layers");
    const sums = { time: new Map(), memory: new Map(), error: new Map(), layers: new Map() };
    const add = (name, index, value) => { if (typeof value === "number") sums[name].set(index, (sums[name].get(index) || 0) + Math.max(0, value)); };
    for (let row = 0; row < layers.rows; row += 1) {
      add("time", layers.value("index", row), layers.value("time_ms", row));
      add("layers", layers.value("index", row), 1);
    }
    const { tensors, accuracy } = { tensors: run.table("tensors"), accuracy: run.table("accuracy") };
    for (let row = 0; row < tensors.rows; row += 1) if (tensors.value("direction", row) === "output") add("memory", tensors.value("layer_index", row), tensors.value("bytes", row));
    for (let row = 0; accuracy && row < accuracy.rows; row += 1) add("error", accuracy.value("layer_index", row), accuracy.value("error_added", row));
    run.parts = { layers, sums, trees: {} };
    return run.parts;
  }

  tree(measure) {
    const read = this.read();
    if (read.trees[measure]) return read.trees[measure];
    const run = this.page.runs[this.page.current];
    const made = (path, label) => ({ path, label, sum: 0, parts: new Map(), colours: {}, first: Infinity });
    const root = made("", "all");
    const { layers, sums } = read;
    for (let row = 0; row < layers.rows; row += 1) {
      const index = layers.value("index", row);
      const value = sums[measure].get(index);
      if (!value) continue;
      const precision = layers.value("precision", row) || "unknown";
      let node = root;
      const walk = [root];
      let path = "";
      for (const label of (run.paths[index] || "").split("/").filter(Boolean)) {
        path = path ? `${path}/${label}` : label;
        if (!node.parts.has(path)) node.parts.set(path, made(path, label));
        node = node.parts.get(path);
        walk.push(node);
      }
      const layer = { ...made(path, layers.value("name", row)), index };
      node.parts.set(`${path}#${index}`, layer);
      const place = layers.value("is_reformat", row) === "yes" ? Infinity : index; // reformats of weights run first, wherever they belong
      for (const one of [...walk, layer]) {
        one.sum += value;
        one.colours[precision] = (one.colours[precision] || 0) + value;
        one.first = Math.min(one.first, place);
      }
    }
    read.trees[measure] = root;
    return root;
  }

  find(root, path) {
    let node = root;
    for (let at = ""; node && at !== path;) {
      at = path.slice(0, path.indexOf("/", at.length + 1) < 0 ? path.length : path.indexOf("/", at.length + 1));
      node = node.parts.get(at);
    }
    return node;
  }

  draw() {
    const { sums, layers } = this.read();
    const known = Object.keys(MEASURES).filter((name) => [...sums[name].values()].some((value) => value > 0));
    this.place.classList.toggle("is-missing", !layers.rows);
    if (!layers.rows) return;
    const measure = known.includes(this.measure) ? this.measure : known[0];
    this.part("measures").replaceChildren(...Object.entries(MEASURES).map(([name, one]) => make("button", {
      type: "button", class: "quiet", "aria-pressed": String(name === measure), disabled: !known.includes(name), title: known.includes(name) ? one.about : `not known: ${one.about}`, text: one.title,
      onclick: () => { this.measure = name; this.draw(); this.part("measures").querySelector("[aria-pressed=true]").focus(); },
    })));
    const root = this.tree(measure);
    const { path } = this.page.scope;
    const top = this.find(root, path);
    this.crumbs(path);
    const cells = [];
    if (top) this.cells(top, 0, 0, top, measure, cells);
    this.part("icicle").style.height = `${30 * (1 + Math.max(0, ...cells.map((one) => Number(one.dataset.row))))}px`;
    this.part("icicle").replaceChildren(...cells);
    if (cells[0]) cells[0].tabIndex = 0;
    const without = layers.rows - sums[measure].size;
    this.part("say").textContent = top
      ? `${MEASURES[measure].title}: ${MEASURES[measure].text(top.sum)}${path ? `, ${percentText(100 * top.sum / root.sum)} of the engine` : ""}; width is the ${MEASURES[measure].about}${without ? `; of ${countText(without, "layer")} it is not known` : ""}.`
      : "This run has no layer in the chosen part of the model.";
  }

  crumbs(path) {
    const parts = path ? path.split("/") : [];
    const to = (count, label) => make("button", { type: "button", class: "quiet", text: label.slice(0, 60), "aria-current": count === parts.length ? "true" : null, onclick: () => this.page.scope.set(parts.slice(0, count).join("/")) });
    this.part("crumbs").replaceChildren(to(0, "whole model"), ...parts.flatMap((part, n) => ["›", to(n + 1, part)]));
  }

  cells(node, left, row, top, measure, cells) {
    const share = node.sum / top.sum;
    if (row >= ICICLE_ROWS || share < LEAST_WIDTH) return;
    const shown = this.outer(node);
    const main = Object.entries(shown.colours).sort((a, b) => b[1] - a[1])[0][0];
    const label = shown.index === undefined ? shown.path.slice(node.path.length - node.label.length) || node.label : this.short(shown);
    const tight = label.length * LETTER > share * this.part("icicle").clientWidth - 12;
    const text = tight && /^[^/]+\.\d+$/.test(label) ? label.slice(label.lastIndexOf(".")) : label; // the number tells a member of a list from the others
    const told = `${shown.index === undefined ? shown.path || "whole model" : shown.label}: ${MEASURES[measure].text(shown.sum)}, ${percentText(100 * share)}`;
    const cell = make("button", {
      type: "button", tabindex: "-1", title: told.slice(0, 400), "aria-label": told.slice(0, 400), "data-row": row, "data-left": left, "data-path": shown.index === undefined ? shown.path : null,
      class: shown.index === undefined ? null : "layer", onclick: () => (shown.index === undefined ? this.page.scope.set(shown.path) : this.page.pick(shown.index)),
    }, make("span", { text }));
    cell.style.cssText = `left:${100 * left}%;width:${100 * share}%;top:${30 * row}px;--own:${this.page.data.colours[main] || this.page.data.colours.unknown}`;
    cells.push(cell);
    let from = left;
    for (const inner of [...shown.parts.values()].sort((a, b) => (a.first === b.first ? 0 : a.first - b.first))) {
      this.cells(inner, from, row + 1, top, measure, cells);
      from += inner.sum / top.sum;
    }
  }

  // The innermost of parts one in another that hold nothing else: they share a cell.
  outer(node) {
    let inner = node;
    while (inner.parts.size === 1) {
      const [next] = inner.parts.values();
      if (next.index !== undefined) break;
      inner = next;
    }
    return inner;
  }

  short(layer) {
    return layer.label.replaceAll(`${layer.path}/`, "").replace(/^\/|(?<= \+ )\//g, "");
  }

  // Arrow keys: along a row, down into a part, up out of it.
  onKey(event) {
    const cells = [...this.part("icicle").children];
    const here = document.activeElement;
    const of = (cell) => [Number(cell.dataset.row), Number(cell.dataset.left)];
    const [row, left] = of(here);
    const step = { ArrowRight: 0, ArrowLeft: 0, ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const line = cells.filter((cell) => of(cell)[0] === row + step);
    const next = step > 0 ? line.find((cell) => of(cell)[1] >= left - 1e-9) : step < 0 ? line.findLast((cell) => of(cell)[1] <= left + 1e-9)
      : line[line.indexOf(here) + (event.key === "ArrowRight" ? 1 : -1)];
    if (next) next.focus();
  }
}
