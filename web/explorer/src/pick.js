// The item below a place of the drawing: a vertex, a folded layer, an edge, or a band.

import { bandOf, boxOf, radius } from "./paint.js";

const PIECES = 12; // straight pieces by which a curve is measured

/** Find `{kind, row}` at a place in pixels, at most `reach` pixels away, or null. Cost: O(vertices + edges). */
export function pick(graph, shown, transform, x, y, reach) {
  const map = { k: transform.k, x: transform.x, y: transform.y };
  return (
    vertexAt(graph, shown, map, x, y, reach) ??
    layerAt(graph, map, x, y) ??
    edgeAt(graph, shown, map, x, y, reach) ??
    bandAt(graph, shown, map, x, y, reach)
  );
}

function vertexAt(graph, shown, map, x, y, reach) {
  const [xs, ys, layer] = ["x", "y", "layer"].map((name) => graph.vertices.get(name));
  let [best, row] = [Infinity, -1];
  for (const v of shown.vertices) {
    const distance = Math.hypot(xs[v] * map.k + map.x - x, ys[v] * map.k + map.y - y);
    const near = Math.max(radius(graph.layers[layer[v]], map.k), Math.min(reach, 4));
    if (distance <= near && distance < best) [best, row] = [distance, v];
  }
  return row < 0 ? null : { kind: "vertex", row };
}

function layerAt(graph, map, x, y) {
  for (let at = 0; at < graph.layers.length; at++) {
    if (!graph.folded[at]) continue;
    const box = boxOf(graph.layers[at], map);
    if (x >= box.x && x <= box.x + box.w && y >= box.y && y <= box.y + box.h) return { kind: "layer", row: at };
  }
  return null;
}

function edgeAt(graph, shown, map, x, y, reach) {
  let [best, row] = [reach, -1];
  for (const { rows } of shown.runs) {
    for (const e of rows) {
      const [x0, y0] = [graph.sx[e] * map.k + map.x, graph.sy[e] * map.k + map.y];
      const [x1, y1] = [graph.tx[e] * map.k + map.x, graph.ty[e] * map.k + map.y];
      const bend = graph.bend[e] * map.k;
      if (x < Math.min(x0, x1) - reach || x > Math.max(x0, x1) + reach) continue;
      if (y < Math.min(y0, y1, y0 + bend, y1 + bend) - reach || y > Math.max(y0, y1) + reach) continue;
      const distance = bend ? toCurve(x, y, x0, y0, x1, y1, bend) : toLine(x, y, x0, y0, x1, y1);
      if (distance <= best) [best, row] = [distance, e]; // of equals the last, which lies on top
    }
  }
  return row < 0 ? null : { kind: "edge", row };
}

function bandAt(graph, shown, map, x, y, reach) {
  let [best, row] = [Infinity, -1];
  for (const band of shown.bands) {
    const { from, to, bend, width } = bandOf(graph, band, map);
    const distance = bend ? toCurve(x, y, from.x, from.y, to.x, to.y, bend) : toLine(x, y, from.x, from.y, to.x, to.y);
    if (distance <= Math.max(reach, width / 2) && distance < best) [best, row] = [distance, band.at];
  }
  return row < 0 ? null : { kind: "link", row };
}

function toLine(x, y, x0, y0, x1, y1) {
  const [dx, dy] = [x1 - x0, y1 - y0];
  const length = dx * dx + dy * dy;
  const t = length ? Math.max(0, Math.min(1, ((x - x0) * dx + (y - y0) * dy) / length)) : 0;
  return Math.hypot(x - x0 - t * dx, y - y0 - t * dy);
}

function toCurve(x, y, x0, y0, x1, y1, bend) {
  let [best, px, py] = [Infinity, x0, y0];
  for (let k = 1; k <= PIECES; k++) {
    const t = k / PIECES;
    const [qx, qy] = [x0 + t * (x1 - x0), y0 + t * (y1 - y0) + 4 * t * (1 - t) * bend];
    best = Math.min(best, toLine(x, y, px, py, qx, qy));
    [px, py] = [qx, qy];
  }
  return best;
}
