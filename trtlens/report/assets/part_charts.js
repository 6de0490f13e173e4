// Charts of sums for a part of the model: made of the page's tables as trtlens/charts/figures makes them of the whole engine, in the looks
// of the figure of the whole. `own` is the run, the layers of the part, and how precisions look.

const MOST_GROUPS = 20;
const GROUP_ROOM = 1.7; // width of the axis over the longest bar
const MOST_LIMITED = 24;
const MOST_NAMED = 3;
const ROOM_FOR_NAMES = 0.8; // share of the axis up to which a name stands on the right of its point
const THIN_FLOW = 0.002; // of all costs: a flow that costs nothing is a thin line
const UNITS_FROM_BELOW = ["reformats", "core type unknown", "cuda core", "tensor core"];
const LIMITS = { "needed at the roof": "roof_ms", "below the roof: a better kernel": "recoverable_ms", launch: "launch_ms", "not known": "unknown_ms" };
const KINDS_OF_CHANGE = { compute_ms: null, reformat_ms: "reformats and casts", constant_ms: "copies of constants" };
const NOTHING_OF_PART = "no layer of the chosen part of the model stands in this chart";

const OF_PART = {
  layer_types: (own, base) => shareBars(own, base, "type", "type unknown", (name) => name),
  kernels: (own, base) => shareBars(own, base, "kernel", "kernel unknown", (name) => shortKernel(own.run, name)),
  units: unitBars,
  bound: limitBars,
  candidates: candidatesOfPart,
  reformat_flow: reformatFlow,
  reformat_costs: reformatCosts,
  waterfall: waterfallOfPart,
};

// -- rows and sums -----------------------------------------------------------------------------------------------------

function round(value, places) {
  return Number(value.toFixed(places));
}

function total(rows, of) {
  return rows.reduce((sum, one) => sum + of(one), 0);
}

// Rows by a key, in the order of its first row.
function grouped(rows, key) {
  const groups = new Map();
  for (const one of rows) {
    if (!groups.has(key(one))) groups.set(key(one), []);
    groups.get(key(one)).push(one);
  }
  return groups;
}

// The part's rows of a table, each as an object of these columns.
function rowsOf(own, name, columns) {
  const table = own.run.table(name);
  const rows = [];
  for (let row = 0; row < table.rows; row += 1) {
    if (own.within.has(table.value("index", row))) rows.push(Object.fromEntries(columns.map((one) => [one, table.value(one, row)])));
  }
  return rows;
}

// Layers that launch something, or have a time; and whether the run's layers are timed.
function runningLayers(own) {
  const timed = !own.run.table("layers").byName.time_ms.isEmpty;
  const rows = rowsOf(own, "layers", ["index", "type", "kernel", "precision", "unit", "is_reformat", "time_ms"]).map((one) => ({
    ...one, precision: one.precision || "unknown", reformats: one.is_reformat === "yes", weight: timed ? one.time_ms || 0 : 1,
  }));
  return { timed, rows: rows.filter((one) => one.reformats || one.time_ms > 0 || !own.styles.idle.includes(one.type)) };
}

// Groups of the rows by precision, in the order of legends.
function byPrecision(own, rows) {
  const groups = grouped(rows, (one) => one.precision);
  return Object.keys(own.styles.colours).filter((one) => groups.has(one)).map((one) => [one, groups.get(one)]);
}

function withTitle(axis, text) {
  return { ...axis, title: { ...axis.title, text } };
}

// -- bars --------------------------------------------------------------------------------------------------------------

function shareBars(own, base, column, unknown, label) {
  const { timed, rows } = runningLayers(own);
  const keyOf = (one) => one[column] ?? unknown;
  const amount = (one) => (timed ? 1000 * one.weight : 1);
  const groups = [...grouped(rows, keyOf)].map(([name, members]) => ({ name, members, sum: total(members, amount) })).filter((one) => one.sum > 0);
  if (!groups.length) return { missing: NOTHING_OF_PART };
  groups.sort((a, b) => b.sum - a.sum || (a.name < b.name ? -1 : 1));
  const shown = groups.slice(0, MOST_GROUPS);
  const left = groups.length - shown.length;
  const untimed = timed ? rows.filter((one) => one.time_ms === null).length : 0;
  const more = (left ? `; ${countText(left, "more group is", "more groups are")} shorter` : "") + (untimed ? `; ${countText(untimed, "layer has", "layers have")} no time` : "");
  const all = total(groups, (one) => one.sum);
  let soFar = 0;
  const told = shown.map((one) => {
    soFar += one.sum;
    return `  ${timed ? `${timeText(one.sum / 1000)}, ` : ""}${percentText(100 * one.sum / all)}, Σ ${percentText(100 * soFar / all)}`;
  });
  const bars = byPrecision(own, rows).map(([precision, members]) => {
    const sums = grouped(members, keyOf);
    const here = shown.map((one, place) => [one.name, place, sums.get(one.name)]).filter(([, , inner]) => inner);
    return {
      ...base.data[0], name: precision, marker: own.styles.fills[precision], customdata: here.map(([name]) => name), y: here.map(([, place]) => place),
      x: here.map(([, , inner]) => round(total(inner, amount), 4)),
      hovertext: here.map(([name, , inner]) => `<b>${plainText(name, 120)}</b><br>${precision}, ${countText(inner.length, "layer")}`),
    };
  }).filter((one) => one.x.length);
  const texts = { ...base.data.at(-1), x: shown.map((one) => round(one.sum, 4)), y: shown.map((_, place) => place), text: told };
  return {
    data: [...bars, texts],
    layout: {
      ...base.layout, height: base.layout.height + 27 * (shown.length - base.data.at(-1).x.length),
      xaxis: { ...withTitle(base.layout.xaxis, base.layout.xaxis.title.text.split(";")[0] + more), range: [0, GROUP_ROOM * shown[0].sum] },
      yaxis: {
        ...base.layout.yaxis, tickvals: shown.map((_, place) => place), range: [shown.length - 0.4, -0.6],
        ticktext: numbered(shown.map((one) => plainText(label(one.name), 40))).map((one, place) => `${one} (${shown[place].members.length})`),
      },
    },
  };
}

// Texts that repeat with their number: one label for two bars would tell nothing.
function numbered(texts) {
  const seen = new Map();
  const often = (text) => texts.filter((one) => one === text).length;
  return texts.map((text) => {
    seen.set(text, (seen.get(text) || 0) + 1);
    return often(text) === 1 ? text : `${text} #${seen.get(text)}`;
  });
}

// What a kernel's name states of its family, operation and form; of an unknown one the name.
function shortKernel(run, name) {
  const known = run.kernels[name] || {};
  if (!known.family) return name;
  return [known.family, known.operation, known.tile, known.stages && `${known.stages} stages`, known.sm && `sm${known.sm}`].filter(Boolean).join(" ");
}

function unitBars(own, base) {
  const { timed, rows } = runningLayers(own);
  const kept = rows.filter((one) => one.weight > 0);
  if (!kept.length) return { missing: NOTHING_OF_PART };
  const all = total(kept, (one) => one.weight);
  const data = byPrecision(own, kept).map(([precision, members]) => {
    const groups = grouped(members, (one) => (one.reformats ? "reformats" : one.unit || "core type unknown"));
    const here = UNITS_FROM_BELOW.filter((unit) => groups.has(unit)).map((unit) => [unit, groups.get(unit), 100 * total(groups.get(unit), (one) => one.weight) / all]);
    return {
      ...base.data[0], name: precision, marker: own.styles.fills[precision], y: here.map(([unit]) => unit), x: here.map(([, , share]) => round(share, 4)),
      text: here.map(([, , share]) => (share >= 6 ? `${precision} ${share.toFixed(0)} %` : "")),
      hovertext: here.map(([unit, inner]) => `<b>${unit}, ${precision}</b><br>${timed ? `${timeText(total(inner, (one) => one.weight))}, ` : ""}${countText(inner.length, "layer")}`),
    };
  });
  const used = new Set(data.flatMap((one) => one.y));
  return { data, layout: { ...base.layout, yaxis: { ...base.layout.yaxis, categoryarray: UNITS_FROM_BELOW.filter((one) => used.has(one)) } } };
}

function limitBars(own, base) {
  const rows = rowsOf(own, "bound", ["index", "layer", "limit", "evidence", ...Object.values(LIMITS)]);
  const time = (one) => total(Object.values(LIMITS), (name) => one[name] || 0);
  const shown = rows.slice(0, MOST_LIMITED);
  const rest = rows.slice(MOST_LIMITED);
  if (!shown.length) return { missing: NOTHING_OF_PART };
  const labels = shown.map((one) => `${one.index} ${plainText(one.layer, 44)}`);
  const told = shown.map((one) => `${one.limit || "not known"}: ${plainText(one.evidence, 160)}`);
  const data = base.data.map((trace) => ({ ...trace, y: labels, x: shown.map((one) => round(1000 * (one[LIMITS[trace.name]] || 0), 5)), hovertext: told, customdata: shown.map((one) => one.index) }));
  const others = rest.length ? `; ${rest.length} shorter ones take ${timeText(total(rest, time))}` : "";
  return {
    data: data.filter((trace) => trace.x.some((one) => one > 0)),
    layout: {
      ...base.layout, meta: {}, height: base.layout.height + 22 * (labels.length - base.layout.yaxis.categoryarray.length),
      xaxis: withTitle(base.layout.xaxis, base.layout.xaxis.title.text.split(";")[0] + others), yaxis: { ...base.layout.yaxis, categoryarray: labels },
    },
  };
}

// -- tactics and reformats ---------------------------------------------------------------------------------------------

// The candidates of the layer with the largest chosen time.
function candidatesOfPart(own, base) {
  const table = own.run.table("candidates");
  const tuned = new Set([...own.within].map((index) => (own.run.tuned[index] || [])[0]));
  let largest = null;
  for (let row = 0; row < table.rows; row += 1) {
    const time = table.value("time_ms", row);
    if (time === null || !tuned.has(table.value("layer", row))) continue;
    const rank = [table.value("chosen", row) === "yes" ? 1 : 0, time];
    if (!largest || rank[0] > largest.rank[0] || (rank[0] === largest.rank[0] && rank[1] > largest.rank[1])) largest = { rank, layer: table.value("layer", row) };
  }
  return largest ? candidateFigure(own.run, base, largest.layer, null, own.styles) : { missing: "the tuner timed no tactic of the layers of the chosen part" };
}

function reformatFlow(own, base) {
  const rows = rowsOf(own, "reformats", ["before", "after", "cause", "cost_ms"]);
  if (!rows.length) return { missing: "the chosen part of the model has no reformats" };
  const form = (text) => (text ? text.split("[")[0].trim() : "unknown format");
  const cost = (members) => total(members, (one) => one.cost_ms || 0);
  const timed = rows.every((one) => one.cost_ms !== null) && cost(rows) > 0;
  const flows = [...grouped(rows, (one) => JSON.stringify([form(one.before), form(one.after), one.cause || "cause unknown"]))].map(([key, members]) => ({ key: JSON.parse(key), members }));
  const names = [0, 1].map((side) => [...new Set(flows.map(({ key }) => key[side]))]);
  const count = (side, name) => total(flows.filter(({ key }) => key[side] === name), ({ members }) => members.length);
  const labels = names.flatMap((own_, side) => own_.map((name) => `${plainText(name)} (${count(side, name)})`));
  const trace = base.data[0];
  return {
    data: [{
      ...trace, valuesuffix: timed ? " ms" : "",
      node: { ...trace.node, label: labels, color: names.flat().map((name) => own.styles.colours[name.split(" ")[0]] || own.styles.colours.unknown) },
      link: {
        ...trace.link, source: flows.map(({ key }) => names[0].indexOf(key[0])), target: flows.map(({ key }) => names[0].length + names[1].indexOf(key[1])),
        value: flows.map(({ members }) => (timed ? Math.max(cost(members), THIN_FLOW * cost(rows)) : members.length)),
        label: flows.map(({ key, members }) => plainText(`${key[2]}: ${members.length}${timed ? `, ${timeText(cost(members))}` : ""}`)),
      },
    }],
    layout: { ...base.layout, height: Math.min(620, 180 + 34 * Math.max(names[0].length, names[1].length)) },
  };
}

function reformatCosts(own, base) {
  const rows = rowsOf(own, "reformats", ["index", "cause", "cost_ms", "cost_source", "advice"]);
  if (!rows.length) return { missing: "the chosen part of the model has no reformats" };
  const known = (members) => members.filter((one) => one.cost_ms !== null);
  const cost = (members) => total(known(members), (one) => one.cost_ms);
  const causes = [...grouped(rows, (one) => one.cause)].map(([cause, members]) => ({ cause, members, cost: cost(members) })).sort((a, b) => b.cost - a.cost);
  const timed = known(rows).length > 0;
  const values = causes.map((one) => (timed ? 1000 * one.cost : one.members.length));
  const most = Math.max(...values);
  const costText = ({ members, cost: sum }) => {
    if (!known(members).length) return "cost unknown";
    const untimed = members.length - known(members).length;
    return `${sum ? timeText(sum) : "no cost"}${untimed ? ` without ${untimed} of unknown cost` : ""}`;
  };
  const clocks = new Set(causes.map((one) => clocksOf(own, one.members)).filter(Boolean));
  return {
    data: [{
      ...base.data[0], y: causes.map((one) => plainText(one.cause)), x: values.map((one) => round(one, 4)), hovertext: causes.map((one) => plainText(one.members[0].advice || "", 160)),
      text: causes.map((one) => `${countText(one.members.length, "reformat")}, ${costText(one)}`), textposition: values.map((one) => (2 * one > most ? "inside" : "outside")),
    }],
    layout: {
      ...base.layout, height: 110 + 34 * causes.length,
      xaxis: withTitle(base.layout.xaxis, timed ? `cost [µs]${clocks.size === 1 ? `, ${[...clocks][0]}` : ""}` : "reformats (no costs are known)"),
    },
  };
}

// The clocks of the costs that are more than nothing.
function clocksOf(own, members) {
  const layers = own.run.table("layers");
  const sourceOf = (index) => layers.value("time_source", layers.where("index", index)[0]);
  const paid = members.filter((one) => one.cost_ms);
  const measured = paid.filter((one) => one.cost_source === "measured").map((one) => own.run.clocks[sourceOf(one.index)]).filter(Boolean);
  return [...[...new Set(measured)].sort(), ...(paid.some((one) => one.cost_source === "tuner") ? ["tuner"] : [])].join(" and ");
}

// -- several runs ------------------------------------------------------------------------------------------------------

// From the baseline's time in the part to the other run's: the part's regions are those whose main layer in that run is of it.
function waterfallOfPart(own, base) {
  const table = own.comparison.table("compare");
  const sides = new Map();
  for (let row = 0; row < table.rows; row += 1) {
    const region = table.value("region", row);
    const side = [own.baseline, own.name].indexOf(table.value("run", row));
    if (region === null || side < 0) continue;
    if (!sides.has(region)) sides.set(region, []);
    sides.get(region)[side] = { of: (name) => table.value(name, row), layer: table.picks[row] };
  }
  const regions = [...sides.values()].filter(([, run]) => own.within.has(run.layer));
  if (!regions.length) return { missing: NOTHING_OF_PART };
  const parts = new Map();
  for (const [before, after] of regions) {
    for (const [column, words] of Object.entries(KINDS_OF_CHANGE)) {
      const precisions = [before, after].map((one) => one.of("precision") || "unknown precision");
      const key = words || (precisions[0] === precisions[1] ? `${precisions[0]}, as before` : precisions.join(" → "));
      const part = parts.get(key) || { base: 0, run: 0 };
      parts.set(key, { base: part.base + (before.of(column) || 0), run: part.run + (after.of(column) || 0) });
    }
  }
  const steps = [...parts].filter(([, one]) => one.base || one.run).map(([label, one]) => [label, one.run - one.base]).sort((a, b) => Math.abs(b[1]) - Math.abs(a[1]));
  const [from, to] = [0, 1].map((side) => total(regions, (one) => one[side].of("time_ms") || 0));
  const rest = to - from - total(steps, (one) => one[1]);
  if (Math.abs(rest) > 0.002 * Math.max(from, to)) steps.push(["not aligned", rest]);
  const labels = [plainText(own.baseline, 30), ...steps.map((one) => one[0]), plainText(own.name, 30)];
  const values = [from, ...steps.map((one) => one[1]), to];
  const last = values.length - 1;
  return {
    data: [{
      ...base.data[0], x: values.map((_, place) => place), y: values.map((one) => round(1000 * one, 3)),
      measure: values.map((_, place) => (place === 0 ? "absolute" : place === last ? "total" : "relative")),
      text: values.map((one, place) => (place === 0 || place === last ? timeText(one) : signedTimeText(one))), hovertext: labels,
    }],
    layout: { ...base.layout, xaxis: { ...base.layout.xaxis, tickvals: values.map((_, place) => place), ticktext: labels } },
  };
}

// -- points ------------------------------------------------------------------------------------------------------------

// The points of the part's layers alone, with the marks that stand at one of them.
function pointsOfPart(own, base, name) {
  const ofLayers = (trace) => Array.isArray(trace.customdata);
  const data = base.data.map((trace) => (ofLayers(trace) ? only(trace, trace.customdata.map((one) => own.within.has(one))) : trace)).filter((trace) => !ofLayers(trace) || trace.customdata.length);
  if (!data.some(ofLayers)) return { missing: NOTHING_OF_PART };
  const kept = new Set(data.filter(ofLayers).flatMap((trace) => trace.x || []));
  const { annotations = [], shapes = [] } = base.layout;
  const layout = { ...base.layout, annotations: annotations.filter((one) => one.xref === "paper" || kept.has(one.x)), shapes: shapes.filter((one) => kept.has(one.x0)) };
  if (name === "accuracy_time") layout.annotations = namesOf(own, annotations[0], data);
  return { ...base, data, layout };
}

// Names of the layers that add most error for their time, as trtlens/charts/figures/accuracy_time.py places them.
function namesOf(own, looks, data) {
  const points = data.flatMap((trace) => trace.customdata.map((index, n) => ({ index, x: trace.x[n], y: trace.y[n] })));
  const best = [...points].sort((a, b) => b.y / b.x - a.y / a.x).slice(0, MOST_NAMED).sort((a, b) => b.y - a.y);
  const [low, high] = [Math.min, Math.max].map((choose) => Math.log10(choose(...points.map((one) => one.x))));
  const layers = own.run.table("layers");
  return best.map(({ index, x, y }, place) => {
    const right = Math.log10(x) <= low + ROOM_FOR_NAMES * (high - low);
    return { ...looks, x: Math.log10(x), y: Math.log10(y), text: plainText(layers.value("name", layers.where("index", index)[0]), 36), xanchor: right ? "left" : "right", ax: right ? 26 : -26, ay: 22 * (place - 1) };
  });
}

// A trace, or a part of one, with the kept points alone: every list that has an entry for each point.
function only(value, kept) {
  if (Array.isArray(value)) return value.length === kept.length ? value.filter((_, n) => kept[n]) : value;
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, only(inner, kept)]));
}
