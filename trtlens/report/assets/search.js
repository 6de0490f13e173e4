// Finds layers, ONNX nodes, tensors, kernels, findings and parts of the page over all runs: / or Ctrl-K, arrow keys, Enter.

const MOST_FOUND = 60;
const PARTS_OF_NAMES = /[/.:_\s+[\]]/;
const KINDS = ["layer", "ONNX node", "tensor", "kernel", "finding", "part of the page"];

// How well a text fits, the less the better; null where a word is not in it.
function fit(text, typed, words) {
  const lower = text.toLowerCase();
  if (!words.every((word) => lower.includes(word))) return null;
  if (lower === typed) return 0;
  if (lower.startsWith(typed)) return 1;
  const before = lower[lower.indexOf(words[0]) - 1];
  return before === undefined || PARTS_OF_NAMES.test(before) ? 2 : 3;
}

class Search {
  constructor(page) {
    this.page = page;
    this.box = make("input", {
      type: "text", role: "combobox", "aria-expanded": "true", "aria-controls": "found", "aria-autocomplete": "list", autocomplete: "off", spellcheck: "false",
      "aria-label": "Find layers, ONNX nodes, tensors, kernels, findings and parts of the page", placeholder: "Layer, ONNX node, tensor, kernel, finding …",
      oninput: () => this.find(), onkeydown: (event) => this.onKey(event),
    });
    this.list = make("ul", { id: "found", role: "listbox", "aria-label": "What was found" });
    this.told = make("p", { class: "how", role: "status" });
    this.dialog = make("dialog", { id: "search-dialog", "aria-label": "Find" }, this.box, this.list, this.told);
    this.dialog.addEventListener("click", (event) => { if (event.target === this.dialog) this.dialog.close(); });
    document.body.append(this.dialog);
    document.getElementById("search").addEventListener("click", () => this.open());
    document.addEventListener("keydown", (event) => {
      const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
      if ((event.key === "/" && !typing) || (event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey))) { event.preventDefault(); this.open(); }
    });
  }

  async open() {
    if (this.dialog.open || !this.page.data) return;
    await this.page.loadAll();
    if (this.known !== this.page.runs.length) { this.entries = this.collect(); this.known = this.page.runs.length; }
    this.dialog.showModal();
    this.box.select();
    this.find();
  }

  // Everything with a name; of several runs that have it one entry, with the places in each.
  collect() {
    const entries = new Map();
    const add = (kind, name, run, index) => {
      if (name === null || name === "") return;
      const key = `${kind} ${name}`;
      if (!entries.has(key)) entries.set(key, { kind, name, places: new Map() });
      const places = entries.get(key).places;
      if (run !== undefined) places.set(run, [...(places.get(run) || []), index]);
    };
    this.page.runs.forEach((run, place) => {
      const layers = run.table("layers");
      for (let row = 0; row < layers.rows; row += 1) {
        add(0, layers.value("name", row), place, layers.value("index", row));
        add(3, layers.value("kernel", row), place, layers.value("index", row));
      }
      for (const [index, names] of Object.entries(run.nodes)) for (const name of names) add(1, name, place, Number(index));
      const tensors = run.table("tensors");
      const makers = tensors.byName.direction.texts.indexOf("output");
      const order = [...tensors.byName.direction.values.keys()].sort((a, b) => (tensors.byName.direction.values[b] === makers) - (tensors.byName.direction.values[a] === makers));
      for (const row of order) add(2, tensors.value("name", row), place, tensors.value("layer_index", row));
    });
    const all = [...entries.values()];
    document.querySelectorAll("details.finding").forEach((one) => all.push({ kind: 4, name: one.querySelector(".what").textContent, element: one }));
    document.querySelectorAll("main > section > h2 > a, [data-chart] h3, [data-table] h3").forEach((one) => {
      all.push({ kind: 5, name: one.textContent, element: one.closest("[data-chart],[data-table],section") });
    });
    return all;
  }

  find() {
    const typed = this.box.value.trim().toLowerCase();
    const words = typed.split(/\s+/).filter(Boolean);
    const ranked = [];
    for (const entry of words.length ? this.entries : []) {
      const byIndex = entry.kind === 0 && [...entry.places.values()].some((indices) => String(indices[0]) === typed);
      const rank = byIndex ? -1 : entry.element && (entry.element.hidden || entry.element.closest("[hidden]")) ? null : fit(entry.name, typed, words);
      if (rank !== null) ranked.push([rank, entry]);
    }
    ranked.sort(([a, one], [b, other]) => a - b || one.kind - other.kind || one.name.length - other.name.length || (one.name < other.name ? -1 : 1));
    this.found = ranked.slice(0, MOST_FOUND).map(([, entry]) => entry);
    this.list.replaceChildren(...this.found.map((entry, place) => this.option(entry, place)));
    const more = ranked.length > MOST_FOUND ? `, the first ${MOST_FOUND} are shown` : "";
    this.told.textContent = words.length ? `${ranked.length.toLocaleString("en-US")} found${more}` : `${this.entries.length.toLocaleString("en-US")} names; arrow keys choose, Enter goes there, Esc closes`;
    this.choose(0);
  }

  option(entry, place) {
    const runs = entry.places ? [...entry.places.keys()].map((run) => this.page.data.runs[run]) : [];
    const where = this.page.data.runs.length > 1 ? runs.join(", ") : "";
    return make("li", { role: "option", id: `found-${place}`, "aria-selected": "false", onclick: () => this.go(place) },
      make("span", { class: "kind", text: KINDS[entry.kind] }), make("span", { class: "name", text: entry.name, title: entry.name }), make("span", { class: "muted", text: where }));
  }

  choose(place) {
    this.place = Math.max(0, Math.min(this.found.length - 1, place));
    [...this.list.children].forEach((one, n) => one.setAttribute("aria-selected", String(n === this.place)));
    const active = this.list.children[this.place];
    if (active) { this.box.setAttribute("aria-activedescendant", active.id); active.scrollIntoView({ block: "nearest" }); } else this.box.removeAttribute("aria-activedescendant");
  }

  onKey(event) {
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 };
    if (event.key in steps) { event.preventDefault(); this.choose(this.place + steps[event.key]); }
    if (event.key === "Enter" && this.found.length) { event.preventDefault(); this.go(this.place); }
  }

  // A layer is picked, with all others of the name, in the shown run if it has the name; a part of the page comes into sight.
  async go(place) {
    const { element, places } = this.found[place];
    this.dialog.close();
    if (element) {
      if (element.tagName === "DETAILS") element.open = true;
      writeAddress({}, element.id);
      element.scrollIntoView();
      (element.querySelector("summary, a") || element).focus({ preventScroll: true });
      return;
    }
    const run = places.has(this.page.current) ? this.page.current : places.keys().next().value;
    await this.page.show(run);
    const [index, ...others] = [...new Set(places.get(run))];
    this.page.pick(index, others);
    document.getElementById("table-layers").scrollIntoView({ block: "center" });
  }
}
