// Unpacks the data of the page and gives tables by column. Text from the data only ever becomes text nodes.

async function unpackText(id) {
  const packed = atob(document.getElementById(id).textContent);
  const bytes = new Uint8Array(packed.length);
  for (let i = 0; i < packed.length; i += 1) bytes[i] = packed.charCodeAt(i);
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
}

async function unpack(id) {
  return JSON.parse(await unpackText(id));
}

function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") node.textContent = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children) if (child !== null && child !== undefined) node.append(child);
  return node;
}

function numberText(value) {
  if (typeof value !== "number") return String(value);
  if (Number.isInteger(value)) return value.toLocaleString("en-US");
  const large = Math.abs(value) >= 1000;
  return large ? value.toLocaleString("en-US", { maximumFractionDigits: 1 }) : String(Number(value.toPrecision(4)));
}

// Headings of columns whose names say less than they could.
const HEADINGS = { unit: "core type", unit_evidence: "core type from", unit_reason: "why core type unknown", words: "change", label: "region's nodes", regret_ms: "potential saving" };

class Column {
  constructor(packed) {
    Object.assign(this, packed);
    this.isNumber = packed.kind === "number";
    this.title = HEADINGS[packed.name] || packed.name.replaceAll("_", " ");
    if (this.unit && !HEADINGS[packed.name] && packed.name.endsWith(`_${this.unit}`)) this.title = packed.name.slice(0, -this.unit.length - 1).replaceAll("_", " ");
    this.isWhole = this.isNumber && this.values.every((v) => v === null || Number.isInteger(v));
    this.isEmpty = this.isNumber ? this.values.every((v) => v === null) : this.texts.length === 0;
  }

  value(row) {
    if (this.isNumber) return this.values[row];
    const place = this.values[row];
    return place < 0 ? null : this.texts[place];
  }

  text(row) {
    const value = this.value(row);
    if (value === null) return "";
    if (!this.isNumber) return value;
    return this.unit === "bytes" ? sizeText(value) : /(^|_)(line|index|build)$/.test(this.name) ? String(value) : numberText(value);
  }

  // Ranks by which rows sort: numbers themselves, texts by their alphabetical place.
  ranks() {
    if (this.isNumber) return this.values.map((v) => (typeof v === "number" ? v : v === null ? null : Infinity));
    if (!this.order) {
      const sorted = this.texts.map((text, place) => [text, place]).sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
      this.order = new Int32Array(this.texts.length);
      sorted.forEach(([, place], rank) => { this.order[place] = rank; });
    }
    return this.values.map((place) => (place < 0 ? null : this.order[place]));
  }

  // Which rows hold what was typed; numbers also understand > < >= <= =.
  matches(typed) {
    const wanted = typed.trim().toLowerCase();
    const compared = /^(>=|<=|>|<|=)\s*(-?[\d.]+(?:e-?\d+)?)$/.exec(wanted);
    if (this.isNumber && compared) {
      const limit = Number(compared[2]);
      const tests = { ">": (v) => v > limit, "<": (v) => v < limit, ">=": (v) => v >= limit, "<=": (v) => v <= limit, "=": (v) => v === limit };
      const test = tests[compared[1]];
      return (row) => typeof this.values[row] === "number" && test(this.values[row]);
    }
    if (this.isNumber) return (row) => this.values[row] !== null && this.text(row).toLowerCase().includes(wanted);
    const exact = wanted.startsWith("=") ? wanted.slice(1) : null;
    const hits = this.texts.map((text) => (exact === null ? text.toLowerCase().includes(wanted) : text.toLowerCase() === exact));
    return (row) => this.values[row] >= 0 && hits[this.values[row]];
  }
}

class Table {
  constructor(packed) {
    this.rows = packed.rows;
    this.picks = packed.picks || null;
    this.answers = packed.answers || [];
    this.columns = packed.columns.map((one) => new Column(one));
    if (!this.columns.some((one) => one.name === "precision")) for (const one of this.columns) if (one.name === "unit") one.title = "unit"; // of a figure, not of a layer
    this.byName = Object.fromEntries(this.columns.map((one) => [one.name, one]));
  }

  value(name, row) { return this.byName[name].value(row); }

  where(name, wanted) {
    const column = this.byName[name];
    if (!column) return [];
    const key = column.isNumber ? wanted : column.texts.indexOf(wanted);
    if (!column.isNumber && key < 0) return [];
    if (!column.places) {
      column.places = new Map();
      column.values.forEach((value, row) => {
        if (!column.places.has(value)) column.places.set(value, []);
        column.places.get(value).push(row);
      });
    }
    return column.places.get(key) || [];
  }
}

class RunData {
  constructor(raw) {
    Object.assign(this, raw);
    this.packed = raw.tables;
    this.tables = {};
  }

  table(name) {
    if (!(name in this.tables)) this.tables[name] = this.packed[name] ? new Table(this.packed[name]) : null;
    return this.tables[name];
  }
}
