// Painting of a graph into a canvas, in slices, so that a large one never holds up the page.

const SAMPLE = 1500;
const MOST_LABELS = 400;

/** State of one painting: a generator that stops after every slice; `slice()` is the whole number of edges of the next one. */
export function* painting(context, scene, transform, slice) {
  const { width, height, ratio } = scene.size;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  context.lineCap = "butt";
  const map = { k: transform.k, x: transform.x + scene.margin.x, y: transform.y + scene.margin.y, width, height };
  const { layers } = scene.graph;
  paintBands(context, scene, map);
  yield* paintEdges(context, scene, map, slice);
  paintMarks(context, scene, map, "edges");
  yield* paintVertices(context, scene, map);
  for (let at = 0; at < layers.length; at++) if (scene.graph.folded[at]) paintBox(context, scene, map, at);
  paintMarks(context, scene, map, "vertices");
}

function* paintEdges(context, scene, map, slice) {
  const { graph, shown, theme } = scene;
  const density = crowd(graph, shown, map);
  let left = slice();
  for (const run of shown.runs) {
    const { strength, dashed } = run.class;
    context.strokeStyle = run.class.color(theme);
    context.globalAlpha = Math.min(1, density.alpha * (0.1 + 0.9 * strength ** density.contrast));
    context.lineWidth = density.width * (0.5 + strength);
    context.setLineDash(dashed ? [4, 3] : []);
    for (let at = 0; at < run.rows.length; ) {
      const end = Math.min(run.rows.length, at + left);
      context.beginPath();
      for (let i = at; i < end; i++) trace(context, graph, run.rows[i], map);
      context.stroke();
      left -= end - at;
      at = end;
      if (left <= 0) {
        yield;
        left = slice();
      }
    }
  }
  context.setLineDash([]);
  context.globalAlpha = 1;
}

/** Append an edge to the path, when it can be in sight. */
export function trace(context, graph, e, map) {
  const [x0, y0] = [graph.sx[e] * map.k + map.x, graph.sy[e] * map.k + map.y];
  const [x1, y1] = [graph.tx[e] * map.k + map.x, graph.ty[e] * map.k + map.y];
  const bend = graph.bend[e] * map.k;
  if ((x0 < 0 && x1 < 0) || (x0 > map.width && x1 > map.width)) return;
  if ((y0 < 0 && y1 < 0) || (y0 + bend > map.height && y1 + bend > map.height)) return;
  context.moveTo(x0, y0);
  if (bend) context.quadraticCurveTo((x0 + x1) / 2, (y0 + y1) / 2 + 2 * bend, x1, y1);
  else context.lineTo(x1, y1);
}

/**
 * Opacity and width of lines: the more lines lie over a pixel on average, the paler they are, and the more the strong
 * ones stand out.
 */
function crowd(graph, shown, map) {
  let [seen, length] = [0, 0];
  for (const { rows } of shown.runs) {
    const step = Math.max(1, Math.floor((rows.length * shown.runs.length) / SAMPLE));
    for (let i = 0; i < rows.length; i += step) {
      const e = rows[i];
      const y0 = graph.sy[e] * map.k + map.y;
      const y1 = graph.ty[e] * map.k + map.y;
      const x0 = graph.sx[e] * map.k + map.x;
      const x1 = graph.tx[e] * map.k + map.x;
      const [wide, high] = [inside(x0, x1, map.width), inside(y0, y1, map.height)];
      if (wide < 0 || high < 0) continue;
      seen += step;
      length += step * Math.hypot(wide, high);
    }
  }
  const width = Math.max(0.7, Math.min(2, 3.1 - 0.5 * Math.log10(seen + 1)));
  const overlap = (length * width) / (map.width * map.height);
  return {
    alpha: Math.max(0.07, Math.min(1, 0.95 * overlap ** -0.5)),
    contrast: Math.max(1.2, Math.min(3.2, 1.2 + 0.5 * Math.log2(1 + overlap))),
    width,
  };
}

/** Length of the part of an interval that lies between 0 and `end`; below 0 when there is none. */
function inside(a, b, end) {
  return Math.min(end, Math.max(a, b)) - Math.max(0, Math.min(a, b));
}

/** Radius of the vertices of a layer in pixels. */
export function radius(layer, k) {
  return Math.max(0.8, layer.radius * k);
}

function* paintVertices(context, scene, map) {
  const { graph, shown, theme, vertexColors } = scene;
  const [x, y, layerOf] = ["x", "y", "layer"].map((name) => graph.vertices.get(name));
  const groups = new Map();
  for (const v of shown.vertices) {
    const [px, py] = [x[v] * map.k + map.x, y[v] * map.k + map.y];
    if (px < -20 || py < -20 || px > map.width + 20 || py > map.height + 20) continue;
    const key = vertexColors.of[v];
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push([v, px, py]);
  }
  let labels = 0;
  for (const [key, items] of groups) {
    const style = vertexColors.classes[key];
    context.fillStyle = style.color(theme);
    context.strokeStyle = style.line ? style.line(theme) : theme.color("hidden-line");
    context.lineWidth = 1;
    context.beginPath();
    for (const [v, px, py] of items) shape(context, graph.layers[layerOf[v]], px, py, radius(graph.layers[layerOf[v]], map.k));
    context.fill();
    if (radius(graph.layers[layerOf[items[0][0]]], map.k) > 2.5) context.stroke();
    for (const [v, px, py] of items) {
      if (graph.layers[layerOf[v]].radius * map.k < 14 || labels++ > MOST_LABELS) continue;
      text(context, theme, String(graph.vertices.get("id")[v]), px, py, 10, "middle", style.line ? "ink" : null);
    }
    yield;
  }
}

/** Append the outline of a vertex: a disc for a number, a square for a map, a diamond for tokens, by the grid. */
export function shape(context, layer, x, y, r) {
  const axes = gridAxes(layer);
  if (axes === 2) context.rect(x - 0.9 * r, y - 0.9 * r, 1.8 * r, 1.8 * r);
  else if (axes === 1) {
    context.moveTo(x, y - 1.2 * r);
    context.lineTo(x + 1.2 * r, y);
    context.lineTo(x, y + 1.2 * r);
    context.lineTo(x - 1.2 * r, y);
    context.closePath();
  } else {
    context.moveTo(x + r, y);
    context.arc(x, y, r, 0, 2 * Math.PI);
  }
}

/** Number of axes of the grid of a layer. */
export function gridAxes(layer) {
  return (String(layer.facts.grid ?? "").match(/\d+/g) || []).length;
}

/** Rectangle of a folded layer in pixels. */
export function boxOf(layer, map) {
  const [x, y, width, height] = layer.facts.frame ?? [layer.x, layer.y, 0.5 * layer.width, layer.height];
  const w = Math.max(12, Math.min(150, Math.max(width, 0.6 * layer.width) * map.k));
  const h = Math.max(10, Math.min(52, height * map.k));
  return { x: x * map.k + map.x - w / 2, y: y * map.k + map.y - h / 2, w, h };
}

function paintBox(context, scene, map, at) {
  const { graph, theme } = scene;
  const layer = graph.layers[at];
  const box = boxOf(layer, map);
  const role = layer.facts.role in { input: 1, position: 1, output: 1 } ? layer.facts.role : "hidden";
  context.fillStyle = theme.color(role);
  context.strokeStyle = theme.color(`${role}-line`);
  context.lineWidth = 1.4;
  context.beginPath();
  context.roundRect(box.x, box.y, box.w, box.h, Math.min(7, box.h / 3));
  context.fill();
  context.stroke();
  if (box.w < 44 || box.h < 14) return;
  const [x, y] = [box.x + box.w / 2, box.y + box.h / 2];
  const two = box.h >= 30;
  text(context, theme, fit(layer.facts.name, box.w / 6.6), x, two ? y - 8 : y, 12, "middle", "ink", "600");
  if (two) text(context, theme, fit(caption(layer), box.w / 5.6), x, y + 9, 10.5, "middle", "ink");
}

/** Second line of a layer: its size and grid, and what it computes. */
export function caption(layer) {
  const { size, grid, operations, activation, role } = layer.facts;
  const words = operations || activation || "";
  const many = Number(size).toLocaleString("en-US") + (grid ? ` on ${grid}` : "");
  return !words || words === "identity" || words === role ? many : `${many} · ${words}`;
}

export function fit(words, most) {
  return words.length <= most ? words : words.slice(0, Math.max(1, Math.floor(most) - 1)) + "…";
}

/** Write a text with a rim in the colour of the paper, so that it can be read on lines. */
export function text(context, theme, words, x, y, size, align = "middle", color = "ink", weight = "400") {
  context.font = `${weight} ${size}px system-ui, sans-serif`;
  context.textAlign = align === "middle" ? "center" : align;
  context.textBaseline = "middle";
  context.lineJoin = "round";
  if (color === null || color === "ink-rim") {
    context.strokeStyle = theme.color("paper");
    context.lineWidth = 3;
    context.strokeText(words, x, y);
  }
  context.fillStyle = theme.color("ink");
  context.fillText(words, x, y);
}

/** Points of a band: ends on the boxes of folded layers, or in the middle of the side of open ones; and its bend. */
export function bandOf(graph, band, map) {
  const link = graph.links[band.at];
  const ends = [link.source, link.target].map((at) => {
    const layer = graph.layers[at];
    if (graph.folded[at]) return boxOf(layer, map);
    const r = radius(layer, map.k);
    const [x, y] = [layer.x0 * map.k + map.x - r, layer.y0 * map.k + map.y - r];
    return { x, y, w: (layer.x1 - layer.x0) * map.k + 2 * r, h: (layer.y1 - layer.y0) * map.k + 2 * r };
  });
  const forward = ends[1].x + ends[1].w / 2 >= ends[0].x + ends[0].w / 2;
  const [from, to] = ends.map((end, k) => ({ x: end.x + (forward === (k === 0) ? end.w : 0), y: end.y + end.h / 2 }));
  if (link.bend) {
    for (const [k, point] of [from, to].entries()) {
      point.x = ends[k].x + ends[k].w / 2;
      point.y = ends[k].y;
    }
  }
  return { from, to, bend: link.bend * map.k, width: bandWidth(graph, band.count) };
}

/** Width of a band in pixels: grows with the square root of the number of edges. */
export function bandWidth(graph, count) {
  const most = Math.max(...graph.links.map((link) => link.edges), 1);
  return 1.2 + 14 * Math.sqrt(count / most);
}

function paintBands(context, scene, map) {
  const { graph, shown, theme } = scene;
  for (const band of shown.bands) {
    const { from, to, bend, width } = bandOf(graph, band, map);
    context.strokeStyle = theme.color("band");
    context.lineWidth = width;
    context.beginPath();
    context.moveTo(from.x, from.y);
    if (bend) context.quadraticCurveTo((from.x + to.x) / 2, (from.y + to.y) / 2 + 2 * bend, to.x, to.y);
    else context.lineTo(to.x, to.y);
    context.stroke();
    if (Math.hypot(to.x - from.x, to.y - from.y) < 52) continue;
    text(context, theme, band.count.toLocaleString("en-US"), (from.x + to.x) / 2, (from.y + to.y) / 2 + bend, 10.5, "middle", "ink-rim");
  }
}

/** Matches and misses of a rule, and the items of a rewrite that was chosen, of one kind. */
function paintMarks(context, scene, map, kind) {
  const { graph, theme, marks } = scene;
  const layerOf = graph.vertices.get("layer");
  const [x, y] = ["x", "y"].map((name) => graph.vertices.get(name));
  for (const mark of marks.filter(({ of }) => of === kind)) {
    context.strokeStyle = theme.color("match");
    context.setLineDash(mark.dashed ? [6, 4] : []);
    context.globalAlpha = Math.max(0.35, Math.min(1, 1.5 - 0.25 * Math.log10(mark.rows.length + 1)));
    context.lineWidth = mark.rows.length > 2000 ? 1.2 : 2.4;
    context.beginPath();
    for (const row of mark.rows) {
      if (kind === "edges") {
        if (scene.shown.edgePass[row] === 1) trace(context, graph, row, map);
        continue;
      }
      const layer = graph.layers[layerOf[row]];
      if (graph.folded[layerOf[row]]) continue;
      const [px, py, r] = [x[row] * map.k + map.x, y[row] * map.k + map.y, radius(layer, map.k) + 3];
      context.moveTo(px + r, py);
      context.arc(px, py, r, 0, 2 * Math.PI);
    }
    context.stroke();
  }
  context.setLineDash([]);
  context.globalAlpha = 1;
}
