// Paints the engine's graph on a canvas: only what is in sight, and the less of each node the smaller it is.

const KERNEL_ROW = 17;
const KERNELS_FROM = 44; // below the text of their layer
const SHADES = { node: 0.17, kernel: 0.3 }; // of a precision's colour behind text, so that ink is read on it
const READABLE = 0.4; // scale from which names are written
const BESIDE = 0.25; // scale from which names of groups fit beside a column
const BLOCKS = 0.12; // scale up to which nodes are plain blocks of their colour
const FONT = "system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif";
const BUCKET = 1600; // height of the stretches by which edges are kept

class GraphPainter {
  constructor(canvas, colours) {
    Object.assign(this, { canvas, colours, pen: canvas.getContext("2d"), view: { k: 1, x: 0, y: 0 }, fits: new Map() });
  }

  use(model) {
    this.model = model;
    this.fits.clear();
    this.trace();
  }

  // Edges as one path for each stretch of a column and for each pair of columns, with curves and, for small scales, without.
  trace() {
    const { model } = this;
    this.buckets = new Map();
    model.lines.forEach((line, edge) => {
      const [source, target] = model.edges[edge];
      const key = [model.columns[source], model.columns[target], Math.floor(model.y[source] / BUCKET)].join(" ");
      if (!this.buckets.has(key)) this.buckets.set(key, { path: new Path2D(), coarse: new Path2D(), within: model.columns[source] === model.columns[target], left: Infinity, top: Infinity, right: -Infinity, bottom: -Infinity });
      const bucket = this.buckets.get(key);
      drawRoute(bucket.path, line);
      for (let n = 0; n < line.length; n += 2) {
        if (n) bucket.coarse.lineTo(line[n], line[n + 1]); else bucket.coarse.moveTo(line[n], line[n + 1]);
        bucket.left = Math.min(bucket.left, line[n]);
        bucket.right = Math.max(bucket.right, line[n]);
        bucket.top = Math.min(bucket.top, line[n + 1]);
        bucket.bottom = Math.max(bucket.bottom, line[n + 1]);
      }
    });
  }

  restyle() {
    const style = getComputedStyle(document.documentElement);
    this.ink = Object.fromEntries(["ink", "faint", "line", "paper", "ground", "accent", "warn"].map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  }

  resize() {
    const ratio = window.devicePixelRatio || 1;
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (this.canvas.width !== Math.round(width * ratio) || this.canvas.height !== Math.round(height * ratio)) {
      this.canvas.width = Math.round(width * ratio);
      this.canvas.height = Math.round(height * ratio);
    }
    Object.assign(this, { ratio, width, height });
  }

  // The corners of the window on the picture.
  sight() {
    const { k, x, y } = this.view;
    return { left: -x / k, top: -y / k, right: (this.width - x) / k, bottom: (this.height - y) / k };
  }

  paint({ lit, marked, cursor, matched, active }) {
    const { pen, model, view: { k, x, y } } = this;
    const sight = this.sight();
    pen.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    pen.fillStyle = this.ink.paper;
    pen.fillRect(0, 0, this.width, this.height);
    pen.setTransform(this.ratio * k, 0, 0, this.ratio * k, this.ratio * x, this.ratio * y);
    this.paintEdges(sight, lit);
    const seen = [];
    for (let node = 0; node < model.count; node += 1) {
      const halfW = model.w[node] / 2;
      const halfH = model.tall[node] / 2;
      if (model.x[node] + halfW < sight.left || model.x[node] - halfW > sight.right || model.y[node] + halfH < sight.top || model.y[node] - halfH > sight.bottom) continue;
      seen.push(node);
    }
    if (k < BLOCKS) this.paintBlocks(seen, lit);
    else for (const node of seen) {
      pen.globalAlpha = lit && !lit.has(node) ? 0.15 : 1;
      this.paintNode(node);
    }
    pen.globalAlpha = 1;
    if (k >= READABLE * 2) this.paintForms(sight, lit);
    if (matched.size) for (const node of seen) if (matched.has(node)) this.ring(node, this.ink.warn, 2.5);
    for (const node of marked) this.ring(node, this.ink.accent, 3.5);
    if (active && cursor !== null) this.ring(cursor, this.ink.ink, 2, [5, 4]);
    pen.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    this.paintGroups(sight);
    this.paintRanks(lit);
    return seen.length;
  }

  paintEdges(sight, lit) {
    const { pen, model, view: { k } } = this;
    pen.strokeStyle = this.ink.faint;
    pen.lineWidth = Math.max(1.2, 0.7 / k);
    pen.globalAlpha = lit ? 0.18 : k < BLOCKS ? 0.45 : 0.75;
    for (const one of this.buckets.values()) {
      if (one.left > sight.right || one.right < sight.left || one.top > sight.bottom || one.bottom < sight.top) continue;
      if (k >= BLOCKS) pen.stroke(one.path);
      else if (!one.within || k >= BLOCKS / 2) pen.stroke(one.coarse);
    }
    pen.globalAlpha = 1;
    if (!lit) return;
    const kept = new Path2D();
    model.edges.forEach(([source, target], edge) => { if (lit.has(source) && lit.has(target)) drawRoute(kept, model.lines[edge]); });
    pen.strokeStyle = this.ink.accent;
    pen.lineWidth = Math.max(1.8, 1 / k);
    pen.stroke(kept);
  }

  inkOf(node) {
    const kind = this.model.kinds[node];
    return kind === "reformat" ? this.ink.ink : kind === "layer" ? this.colours[this.model.precisions[node]] || this.colours.unknown : this.ink.faint;
  }

  // Nodes as blocks, those of one colour together.
  paintBlocks(seen, lit) {
    const { pen, model } = this;
    const blocks = new Map();
    for (const node of seen) {
      const key = `${lit && !lit.has(node) ? 0.15 : 1} ${this.inkOf(node)}`;
      if (!blocks.has(key)) blocks.set(key, []);
      blocks.get(key).push(node);
    }
    for (const [key, nodes] of blocks) {
      const [alpha, colour] = key.split(" ");
      pen.globalAlpha = Number(alpha);
      pen.fillStyle = colour;
      for (const node of nodes) pen.fillRect(model.x[node] - model.w[node] / 2, model.y[node] - model.tall[node] / 2, model.w[node], model.tall[node]);
    }
  }

  paintNode(node) {
    const { pen, model, view: { k } } = this;
    const kind = model.kinds[node];
    const [w, h] = [model.w[node], model.tall[node]];
    const [left, top] = [model.x[node] - w / 2, model.y[node] - h / 2];
    const colour = this.inkOf(node);
    if (k * h < 5) {
      pen.fillStyle = colour;
      pen.fillRect(left, top, w, h);
      return;
    }
    pen.beginPath();
    pen.roundRect(left, top, w, h, kind === "layer" ? 5 : Math.min(10, h / 2));
    pen.fillStyle = kind === "reformat" ? this.ink.ink : this.ink.paper;
    pen.fill();
    if (kind === "layer") {
      const alpha = pen.globalAlpha;
      pen.globalAlpha = alpha * (k < READABLE ? Math.min(0.85, 1.2 - 2.4 * k) : SHADES.node); // small nodes are strong in colour
      pen.fillStyle = colour;
      pen.fill();
      pen.globalAlpha = alpha;
      pen.fillRect(left, top + 3, 6, h - 6);
    }
    pen.strokeStyle = kind === "layer" ? colour : this.ink.faint;
    pen.lineWidth = 1.2;
    pen.setLineDash(kind === "idle" ? [4, 3] : []);
    if (kind !== "reformat") pen.stroke();
    pen.setLineDash([]);
    if (k >= READABLE) this.write(node, left, top, kind);
    if (model.opened.has(node) && k >= READABLE) this.paintKernels(node, left, top + KERNELS_FROM);
  }

  write(node, left, top, kind) {
    const { pen, model } = this;
    pen.textBaseline = "middle";
    if (kind === "layer") {
      pen.fillStyle = this.ink.ink;
      const mark = model.kernels[node] ? (model.opened.has(node) ? "▾ " : "▸ ") : "";
      this.text(mark + model.labels[node], `600 12px ${FONT}`, left + 13, top + 14, model.w[node] - 18);
      this.text(model.details[node], `11px ${FONT}`, left + 13, top + 30, model.w[node] - 18);
      return;
    }
    pen.fillStyle = kind === "reformat" ? this.ink.paper : this.ink.ink;
    const said = kind === "reformat" && model.details[node] ? `${model.labels[node]} · ${model.details[node]}` : model.labels[node];
    this.text(said, `${kind === "reformat" ? 600 : 400} 11px ${FONT}`, model.x[node], model.y[node] + 0.5, model.w[node] - 12, "center");
  }

  // A text cut to a width; how much fits is measured once.
  text(text, font, x, y, width, align = "left") {
    const { pen } = this;
    pen.font = font;
    pen.textAlign = align;
    const key = `${width}${font}${text}`;
    if (!this.fits.has(key)) this.fits.set(key, this.cut(text, width));
    pen.fillText(this.fits.get(key), x, y);
  }

  cut(text, width) {
    if (text.length < 400 && this.pen.measureText(text).width <= width) return text;
    const shown = (count) => `${text.slice(0, Math.ceil(count * 0.6))}…${text.slice(text.length - Math.floor(count * 0.4))}`;
    let [low, high] = [0, Math.min(text.length, 200)];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.pen.measureText(shown(middle)).width <= width) low = middle; else high = middle - 1;
    }
    return shown(low);
  }

  paintKernels(node, left, top) {
    const { pen, model } = this;
    const rows = model.kernels[node];
    const longest = Math.max(...rows.map(([, time]) => time)) || 1;
    rows.forEach(([label, time, precision], place) => {
      const y = top + KERNEL_ROW * place;
      pen.fillStyle = this.colours[precision] || this.colours.unknown;
      pen.globalAlpha *= SHADES.kernel;
      pen.fillRect(left + 13, y, Math.max(1, ((model.w[node] - 22) * time) / longest), KERNEL_ROW - 3);
      pen.globalAlpha /= SHADES.kernel;
      pen.fillStyle = this.ink.ink;
      this.text(`${timeText(time)}  ${label}`, `10px ${FONT}`, left + 16, y + 7, model.w[node] - 28);
    });
  }

  // Type and dimensions of tensors beside their edges, above the node that reads them.
  paintForms(sight, lit) {
    const { pen, model } = this;
    pen.fillStyle = this.ink.ink;
    pen.textBaseline = "middle";
    model.edges.forEach(([source, target], edge) => {
      const y = model.y[source] + model.tall[source] / 2 + 12;
      if (model.out[source][0] !== target || y < sight.top || y > sight.bottom || model.x[source] < sight.left - 200 || model.x[source] > sight.right) return;
      if (lit && !lit.has(source)) return;
      this.text(model.forms[edge], `9.5px ${FONT}`, model.x[source] + 6, y, 190);
    });
  }

  ring(node, colour, width, dash = []) {
    const { pen, model, view: { k } } = this;
    const gap = 3 / k;
    const [w, h] = [model.w[node] + 2 * gap, model.tall[node] + 2 * gap];
    pen.beginPath();
    pen.roundRect(model.x[node] - w / 2, model.y[node] - h / 2, w, h, 6);
    pen.strokeStyle = colour;
    pen.lineWidth = width / k;
    pen.setLineDash(dash.map((one) => one / k));
    pen.stroke();
    pen.setLineDash([]);
  }

  // Names of groups of layers: beside the column where there is room, else over it.
  paintGroups(sight) {
    const { pen, model, view: { k, x, y } } = this;
    pen.textBaseline = "middle";
    for (const { column, from, to, label, longer, start, end } of model.groups(k)) {
      const left = model.lefts[column];
      const right = (model.lefts[column + 1] ?? model.size[0] + 64) - 64;
      if (to < sight.top || from > sight.bottom || right < sight.left || left - 40 > sight.right) continue;
      const [top, bottom] = [Math.max(0, from * k + y), Math.min(this.height, to * k + y)];
      const room = bottom - top;
      const middle = (top + bottom) / 2;
      if (k < BESIDE) {
        if (room < 15) continue;
        const ends = start !== end && room > 60 ? [[start, top + 9], [end, bottom - 9]] : [[longer, middle]];
        for (const [text, at] of ends) this.plate(text, left * k + x, at, (right - left) * k - 4);
        pen.fillStyle = this.ink.faint;
        pen.fillRect(left * k + x - 4, top + 1, 2, room - 2);
      } else {
        pen.save();
        pen.translate((left - 14) * k + x, middle);
        pen.fillStyle = this.ink.faint;
        pen.fillRect(5, -room / 2 + 1, 2, room - 2);
        pen.rotate(-Math.PI / 2);
        pen.textAlign = "center";
        const text = this.fitted(label, room - 6);
        if (text === label || text.length > 4) pen.fillText(text, 0, -3);
        pen.restore();
      }
    }
  }

  // A text on a ground of its own.
  plate(text, x, y, room) {
    const { pen } = this;
    const shown = this.fitted(text, room);
    pen.globalAlpha = 0.85;
    pen.fillStyle = this.ink.paper;
    pen.fillRect(x, y - 8, pen.measureText(shown).width + 6, 16);
    pen.globalAlpha = 1;
    pen.fillStyle = this.ink.ink;
    pen.textAlign = "left";
    pen.fillText(shown, x + 3, y);
  }

  fitted(text, width) {
    const room = Math.max(12, Math.round(width / 8) * 8);
    const key = `${room} ${text}`;
    this.pen.font = `600 11px ${FONT}`;
    if (!this.fits.has(key)) this.fits.set(key, this.cut(text, room));
    return this.fits.get(key);
  }

  // Numbers on the slowest layers, of one size at every scale.
  paintRanks(lit) {
    const { pen, model, view: { k, x, y } } = this;
    pen.font = `700 11px ${FONT}`;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    model.slowest.forEach((node, rank) => {
      if (lit && !lit.has(node)) return;
      const [left, top] = [(model.x[node] + model.w[node] / 2) * k + x, (model.y[node] - model.tall[node] / 2) * k + y];
      pen.beginPath();
      pen.arc(left, top, 9, 0, 2 * Math.PI);
      pen.fillStyle = this.ink.accent;
      pen.fill();
      pen.fillStyle = this.ink.paper;
      pen.fillText(String(rank + 1), left, top + 0.5);
    });
  }
}

// The curve through an edge's corners, as trtlens/report/graph_svg.py draws it.
function drawRoute(path, line) {
  let [x, y] = line;
  path.moveTo(x, y);
  for (let n = 2; n < line.length; n += 2) {
    const [toX, toY] = [line[n], line[n + 1]];
    if (x !== toX && y !== toY) path.bezierCurveTo(x, (y + toY) / 2, toX, (y + toY) / 2, toX, toY);
    else if (n + 2 < line.length && (line[n + 2] === toX) !== (x === toX) && (line[n + 3] === toY) !== (y === toY)) path.arcTo(toX, toY, line[n + 2], line[n + 3], 7);
    else path.lineTo(toX, toY);
    [x, y] = [toX, toY];
  }
}
