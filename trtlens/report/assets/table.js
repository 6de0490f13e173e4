// A table of any number of rows: only those in sight are in the document. Sorts, filters, searches, saves; works by keyboard.

const ROW_HEIGHT = 27;
const SPARE_ROWS = 12;
const PRINTED_ROWS = 60;
const PRINTED_WIDTH = 1150; // pixels of a screen that fit on a sheet, in smaller type
const CHARACTER_WIDTH = 7;
const PLACES = /^(index|layer_index|rank|region|line|build)$/; // sort upwards first

class Grid {
  // `options.pick` is called with a picked row, `options.isPicked` tells rows that are; `options.sort` names the column whose
  // largest values come first.
  constructor(place, table, options) {
    Object.assign(this, { place, table, pick: options.pick, name: options.name, isPicked: options.isPicked, within: options.within });
    this.shares = sharesOf(table, options.sort);
    this.columns = withShares(table.columns.filter((one) => !one.isEmpty), options.sort, this.shares);
    this.filters = new Map();
    this.search = "";
    this.sorted = null;
    this.active = -1;
    this.printed = 0;
    this.build();
    const first = options.sort && table.byName[options.sort];
    if (first && !first.isEmpty) this.order({ column: first, down: true, turns: 1 }); else this.refilter();
  }

  build() {
    const empty = this.table.columns.filter((one) => one.isEmpty).map((one) => one.title);
    this.counter = make("span", { class: "count", "aria-live": "polite" });
    this.searchBox = make("input", {
      type: "search", placeholder: "Search all columns", "aria-label": "Search all columns",
      oninput: () => { this.search = this.searchBox.value; this.refilter(); },
    });
    const save = make("button", { type: "button", class: "quiet", text: "Save as CSV", onclick: () => this.save() });
    const copy = copyButton(() => markdownTable(this.columns, this.shown));
    const clear = make("button", { type: "button", class: "quiet", text: "Clear filters", onclick: () => this.clear() });
    this.head = make("tr");
    this.inputs = new Map();
    const widths = make("colgroup");
    let total = 0;
    for (const column of this.columns) {
      const width = this.widthOf(column);
      total += width;
      const heading = this.heading(column);
      this.head.append(heading);
      column.shown = { width, parts: [heading, make("col", { style: `--wide:${width}` })] };
      widths.append(column.shown.parts[1]);
    }
    this.body = make("tbody");
    const grid = make("table", { style: `width:${total}px;min-width:100%`, "aria-rowcount": this.table.rows }, widths, make("thead", {}, this.head), this.body);
    this.scroller = make("div", {
      class: "scroll", tabindex: "0", role: "region", "aria-label": `${this.name}: arrow keys move, Enter picks`,
      onscroll: () => this.later(), onkeydown: (event) => this.onKey(event),
    }, grid);
    this.body.addEventListener("click", (event) => {
      const row = event.target.closest("tr[data-row]");
      if (row) this.choose(Number(row.dataset.row));
    });
    this.place.replaceChildren(make("div", { class: "tools" }, this.searchBox, this.counter, make("span", { class: "fill" }), clear, copy, save), this.scroller);
    if (empty.length) this.place.append(make("p", { class: "empties", text: `Empty columns: ${empty.join(", ")}.` }));
  }

  widthOf(column) {
    let longest = column.title.length + (column.unit && column.unit !== "bytes" ? column.unit.length + 3 : 0) + 2;
    const step = Math.max(1, Math.floor(this.table.rows / 300));
    for (let row = 0; row < this.table.rows; row += step) longest = Math.max(longest, column.text(row).length);
    return Math.min(46, longest) * CHARACTER_WIDTH + 26;
  }

  heading(column) {
    const meaning = [column.doc, column.unit ? `in ${column.unit}` : null].filter(Boolean).join(", ");
    const label = make("button", { type: "button", title: meaning || null, onclick: () => this.sortBy(column) }, column.title);
    if (column.unit && column.unit !== "bytes") label.append(make("small", { text: ` [${column.unit}]` })); // sizes have their own units
    const mark = make("span", { class: "mark", "aria-hidden": "true" });
    label.append(mark);
    const input = make("input", {
      "aria-label": `Filter ${column.title}`, placeholder: column.isNumber ? (column.unit === "bytes" ? "> 4096" : column.isWhole ? "> 10" : "> 0.1") : "filter",
      oninput: () => {
        if (input.value.trim()) this.filters.set(column.name, input.value); else this.filters.delete(column.name);
        this.refilter();
      },
    });
    this.inputs.set(column.name, input);
    const cell = make("th", { scope: "col", class: column.isNumber ? "number" : null, "aria-sort": "none", title: meaning || null }, label, input);
    column.header = { cell, mark };
    return cell;
  }

  filter(name, typed) {
    this.filters.set(name, typed);
    if (this.inputs.has(name)) this.inputs.get(name).value = typed;
    this.refilter();
  }

  clear() {
    this.filters.clear();
    this.search = "";
    this.searchBox.value = "";
    for (const input of this.inputs.values()) input.value = "";
    this.refilter();
  }

  sortBy(column) {
    const again = this.sorted && this.sorted.column === column;
    if (again && this.sorted.turns === 2) this.order(null);
    else if (again) this.order({ column, down: !this.sorted.down, turns: 2 });
    else this.order({ column, down: column.isNumber && !PLACES.test(column.name), turns: 1 });
  }

  order(sorted) {
    this.sorted = sorted;
    for (const one of this.columns) {
      const here = this.sorted && one === this.sorted.column;
      one.header.cell.setAttribute("aria-sort", here ? (this.sorted.down ? "descending" : "ascending") : "none");
      one.header.mark.textContent = here ? (this.sorted.down ? " ▼" : " ▲") : "";
    }
    this.refilter();
  }

  refilter() {
    const tests = this.within ? [this.within] : [];
    for (const [name, typed] of this.filters) tests.push(this.columns.find((one) => one.name === name).matches(typed));
    if (this.search.trim()) {
      const any = this.columns.map((column) => column.matches(this.search));
      tests.push((row) => any.some((test) => test(row)));
    }
    const found = [];
    for (let row = 0; row < this.table.rows; row += 1) if (tests.every((test) => test(row))) found.push(row);
    if (this.sorted) {
      const ranks = this.sorted.column.ranks();
      const way = this.sorted.down ? -1 : 1;
      found.sort((a, b) => {
        if (ranks[a] === null || ranks[b] === null) return (ranks[a] === null) - (ranks[b] === null) || a - b;
        return way * (ranks[a] - ranks[b]) || a - b;
      });
    }
    this.shown = found;
    if (this.shares) this.shares.addUp(found);
    this.active = -1;
    const all = this.table.rows.toLocaleString("en-US") + (this.table.rows === 1 ? " row" : " rows");
    this.counter.textContent = found.length === this.table.rows ? all : `${found.length.toLocaleString("en-US")} of ${all}`;
    this.scroller.scrollTop = 0;
    this.draw();
  }

  later() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => { this.waiting = false; this.draw(); });
  }

  // What of the rows is in sight: asking for it lays out the page anew after every change.
  sight() {
    return { top: this.scroller.scrollTop, height: this.scroller.clientHeight || 440 };
  }

  // On paper the table stands with its first rows, until it is told that this is over: a frame that was asked for before changes nothing.
  print(rows) {
    this.printed = rows;
    this.draw();
  }

  draw({ top, height } = this.sight()) {
    const { printed } = this;
    let first = Math.max(0, Math.floor(top / ROW_HEIGHT) - SPARE_ROWS);
    let last = Math.min(this.shown.length, first + Math.ceil(height / ROW_HEIGHT) + 2 * SPARE_ROWS);
    if (printed) { first = 0; last = Math.min(this.shown.length, printed); }
    const columns = printed ? this.columnsOnPaper() : this.columns;
    for (const column of this.columns) for (const part of column.shown.parts) part.hidden = !columns.includes(column);
    const rows = document.createDocumentFragment();
    if (!printed) rows.append(this.space(first));
    for (let place = first; place < last; place += 1) rows.append(this.row(place, columns));
    const left = [[this.shown.length - last, "rows"], [this.columns.length - columns.length, "columns"]].filter(([count]) => count);
    if (!printed) rows.append(this.space(this.shown.length - last));
    else if (left.length) {
      const text = `On screen the page shows ${left.map(([count, what]) => `${count} more ${what}`).join(" and ")}.`;
      rows.append(make("tr", {}, make("td", { colspan: columns.length, text })));
    }
    this.body.replaceChildren(rows);
  }

  // The first columns, as many as a sheet is wide.
  columnsOnPaper() {
    let room = PRINTED_WIDTH;
    return this.columns.filter((column) => { room -= column.shown.width; return room >= 0; });
  }

  space(count) {
    return make("tr", { class: "space", "aria-hidden": "true" }, make("td", { colspan: this.columns.length, style: `height:${count * ROW_HEIGHT}px` }));
  }

  row(place, columns) {
    const row = this.shown[place];
    const classes = [this.pick ? "can-pick" : "", this.isPicked && this.isPicked(this.table, row) ? "picked" : "", place === this.active ? "active" : ""];
    const line = make("tr", { "data-row": place, "aria-rowindex": place + 1, class: classes.filter(Boolean).join(" ") || null });
    for (const column of columns) {
      const text = column.text(row);
      const cell = make("td", { class: column.isNumber ? "number" : null, title: text.length > 18 ? text : null });
      if (text && /^(precision|dtype)$/.test(column.name)) cell.append(make("i", { class: `swatch p-${/^\w+$/.test(text) ? text : "unknown"}` }));
      cell.append(text);
      line.append(cell);
    }
    return line;
  }

  onKey(event) {
    if (event.target !== this.scroller) return;
    const page = Math.max(1, Math.floor(this.scroller.clientHeight / ROW_HEIGHT) - 3);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (event.key in steps) {
      event.preventDefault();
      this.moveTo(Math.min(this.shown.length - 1, Math.max(0, this.active + steps[event.key])));
    } else if (event.key === "Enter" && this.active >= 0) {
      this.choose(this.active);
    }
  }

  moveTo(place) {
    this.scroller.scrollTop = this.drawAt(place, this.sight());
  }

  // Draws with that row in sight, and says where the table is to be scrolled to.
  drawAt(place, { top, height }) {
    this.active = place;
    const row = place * ROW_HEIGHT;
    const visible = height - 70;
    const to = row < top ? row : Math.max(top, row - visible);
    this.draw({ top: to, height });
    return to;
  }

  choose(place) {
    this.active = place;
    this.draw();
    if (this.pick) this.pick(this.table, this.shown[place]);
  }

  // Draws with the first picked row in sight, and says where the table is to be scrolled to.
  reveal(sight) {
    const place = this.isPicked ? this.shown.findIndex((row) => this.isPicked(this.table, row)) : -1;
    if (place >= 0) return this.drawAt(place, sight);
    if (this.body.querySelector(".picked")) this.draw(sight);
    return sight.top;
  }

  save() {
    const cell = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
    const lines = [this.columns.map((one) => one.name).join(",")];
    for (const row of this.shown) lines.push(this.columns.map((one) => cell(String(one.value(row) ?? ""))).join(","));
    const link = make("a", { href: URL.createObjectURL(new Blob([`${lines.join("\n")}\n`], { type: "text/csv" })), download: `${this.name}.csv` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }
}

// Brings the first picked row of each table into sight: what each shows is asked for before one of them is changed.
function revealPicked(grids) {
  const scrolled = grids.map((grid) => [grid, grid.sight()]).map(([grid, sight]) => [grid.scroller, sight.top, grid.reveal(sight)]);
  for (const [scroller, before, top] of scrolled) if (top !== before) scroller.scrollTop = top;
}
