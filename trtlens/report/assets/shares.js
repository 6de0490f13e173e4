// Two columns beside a column of times: the share of each row of all rows, and the share of it with all rows above it.

const SHARED = /^(time|cost)_ms$/;

class Shares {
  constructor(base) {
    const total = base.values.reduce((sum, one) => sum + (one || 0), 0);
    const of = (name, doc, values) => Object.assign(new Column({ name, doc, unit: "%", kind: "number", values }), { text: (row) => shareText(values[row]), ranks: () => base.ranks() });
    this.part = base.values.map((one) => (one === null || !total ? null : 100 * one / total));
    this.sums = new Array(base.values.length).fill(null);
    this.columns = [of("share", `share of the ${base.title} of all rows`, this.part), of("cumulative", "share of this row and of all above it, as the table stands", this.sums)];
    this.columns[1].isEmpty = false;
  }

  addUp(rows) {
    let sum = 0;
    for (const row of rows) { sum += this.part[row] || 0; this.sums[row] = this.part[row] === null ? null : sum; }
  }
}

function shareText(value) {
  return value === null ? "" : `${value >= 9.95 ? value.toFixed(0) : value.toPrecision(2)}`;
}

function sharesOf(table, name) {
  const base = name && SHARED.test(name) && table.byName[name];
  return base && base.isNumber && !base.isEmpty && !table.byName.percent ? new Shares(base) : null;
}

function withShares(columns, name, shares) {
  if (!shares) return columns;
  const place = columns.findIndex((one) => one.name === name) + 1;
  return [...columns.slice(0, place), ...shares.columns, ...columns.slice(place)];
}
