// All that is known of one layer, in one panel.

const MOST_CANDIDATES = 10;

function describe(run, index) {
  const layers = run.table("layers");
  const row = layers.where("index", index)[0];
  if (row === undefined) return null;
  const of = (name) => layers.value(name, row);
  const parts = [facts([
    ["type", of("type")], ["precision", of("precision") || "unknown"], ["precision from", of("precision_from")],
    ["core type", of("unit") || `unknown: ${of("unit_reason") || "not stated"}`], ["core type from", of("unit_evidence")],
    ["time", of("time_ms") === null ? "no time for this layer" : `${timeText(of("time_ms"))}${share(layers, of("time_ms"))}`],
    ["time from", of("time_source")], ["position", String(index)], ["line of the log", of("line") === null ? null : String(of("line"))],
  ])];
  parts.push(...tensors(run, index), ...kernel(run, of("kernel"), of("tactic_id")), ...tactic(run, index), ...candidates(run, index));
  parts.push(...reformat(run, index), ...errors(run, index), ...memory(run, of("name")), ...nodes(run, index), ...parameters(run, index));
  return { name: of("name"), parts };
}

function share(layers, time) {
  const all = layers.byName.time_ms.values.reduce((sum, one) => sum + (one || 0), 0);
  return all ? `, ${percentText(100 * time / all)} of all layers` : "";
}

function facts(pairs) {
  const list = make("dl");
  for (const [label, value] of pairs) {
    if (value !== null && value !== undefined && value !== "") list.append(make("dt", { text: label }), make("dd", { text: value }));
  }
  return list;
}

function titled(title, ...content) {
  return [make("h3", { text: title }), ...content];
}

function listed(texts, className = null) {
  return make("ul", {}, ...texts.map((text) => make("li", {}, make("span", { class: className, text }))));
}

function tensors(run, index) {
  const table = run.table("tensors");
  const rows = table.where("layer_index", index);
  if (!rows.length) return [];
  const text = (row) => {
    const v = (name) => table.value(name, row);
    const layout = v("format") || (v("vector_width") > 1 ? `/${v("vector_width")}` : "");
    const bytes = v("bytes") === null ? "" : `, ${sizeText(v("bytes"))}`;
    return `${v("direction")}: ${v("name")}: ${v("dtype") || "type unknown"} ${layout} [${v("dims") ?? "?"}]${bytes}`;
  };
  return titled("Tensors", listed(rows.map(text)));
}

function kernel(run, name, id) {
  if (!name) return titled("Kernel", make("p", { class: "missing", text: "no kernel name in the log" }));
  const known = Object.entries(run.kernels[name] || {}).map(([label, value]) => [label.replaceAll("_", " "), value]);
  return titled("Kernel", make("p", { class: "mono", text: name }), facts([...known, ["tactic", id]]));
}

function tactic(run, index) {
  const table = run.table("tactics");
  const row = table ? table.where("index", index)[0] : undefined;
  if (row === undefined) return [];
  const v = (name) => table.value(name, row);
  const ms = (name) => (v(name) === null ? null : timeText(v(name)));
  return titled("Tuning", facts([
    ["chosen tactic", ms("chosen_ms")], ["fastest tactic, any format", ms("best_ms")], ["fastest kernel", v("best_kernel")], ["potential saving", ms("regret_ms")],
    ["record", v("record")], ["why unknown", v("chosen_reason")], ["tactics timed", v("tried") === null ? null : numberText(v("tried"))],
  ]));
}

function candidates(run, index) {
  const tuned = run.tuned[index];
  if (!tuned) return [];
  const table = run.table("candidates");
  let rows = table.where("layer", tuned[0]).filter((row) => table.value("time_ms", row) !== null);
  if (tuned[1] !== null) rows = rows.filter((row) => table.value("op", row) === tuned[1]);
  if (!rows.length) return [];
  rows.sort((a, b) => table.value("time_ms", a) - table.value("time_ms", b));
  const shown = rows.slice(0, MOST_CANDIDATES);
  for (const row of rows.slice(MOST_CANDIDATES)) if (table.value("chosen", row) === "yes") shown.push(row);
  const list = make("ul");
  for (const row of shown) {
    const runs = table.value("chosen", row) === "yes";
    list.append(make("li", { class: runs ? "runs" : null }, `${timeText(table.value("time_ms", row))} ${table.value("precision", row) || ""}${runs ? " (runs)" : ""} `,
      make("span", { class: "mono muted", text: table.value("tactic_name", row) || table.value("tactic_id", row) || "" })));
  }
  const rest = rows.length > shown.length ? make("p", { class: "muted", text: `${rows.length - shown.length} slower ones are in the chart and the table under Tuning.` }) : null;
  const alike = tuned[2] ? make("p", { class: "muted", text: `The times are those of an identical layer: ${tuned[2]}` }) : null;
  return titled(`Fastest candidates (${rows.length} timed)`, alike, list, rest);
}

function reformat(run, index) {
  const table = run.table("reformats");
  const row = table ? table.where("index", index)[0] : undefined;
  if (row === undefined) return [];
  const v = (name) => table.value(name, row);
  return titled("Reformat", facts([
    ["cause", v("cause")], ["evidence", v("detail")], ["advice", v("advice")], ["before", v("before")], ["after", v("after")],
    ["made by", v("producer")], ["read by", v("consumers")], ["cost", v("cost_ms") === null ? null : `${timeText(v("cost_ms"))} (${v("cost_source")})`],
  ]));
}

function errors(run, index) {
  const table = run.table("accuracy");
  const rows = table ? table.where("layer_index", index) : [];
  const added = (row) => (table.value("error_added", row) === null ? "" : `, of which the layer adds ${table.byName.error_added.text(row)}`);
  const text = (row) => `${table.value("tensor", row)}: error ${table.byName.error.text(row) || "unknown"}${added(row)}, ${table.value("verdict", row) || "no verdict"}${
    table.value("cause", row) ? `; ${table.value("cause", row)}` : ""}`;
  return rows.length ? titled("Error", listed(rows.map(text))) : [];
}

function memory(run, name) {
  const table = run.table("memory");
  const row = table ? table.where("layer", name)[0] : undefined;
  if (row === undefined) return [];
  const names = ["scratch_bytes", "device_persistent_bytes", "host_persistent_bytes"];
  return titled("Memory besides its tensors", facts(names.map((one) => [table.byName[one].title, table.byName[one].text(row)])));
}

function nodes(run, index) {
  const found = run.nodes[index];
  return found ? titled(`ONNX nodes (${found.length})`, listed(found)) : [];
}

function parameters(run, index) {
  const found = run.parameters[index];
  return found ? titled("Parameters", make("p", { class: "mono", text: found })) : [];
}
