// One graph of the payload, with the geometry that drawing and picking need.

import { History, Table } from "./data.js";

const BEND = 0.22; // height of a curve over its straight line, as a share of its length
const TAP_SPREAD = 0.7; // taps of one pair of maps lie side by side over this share of a vertex

export class Graph {
  constructor(raw, rewrites, history) {
    this.name = raw.name;
    this.layers = raw.layers.map((facts) => ({ facts }));
    this.links = raw.links;
    this.vertices = new Table(raw.vertices.columns);
    this.edges = new Table(raw.edges.columns);
    this.rewrites = rewrites || [];
    this.byNumber = new Map(this.rewrites.map((rewrite) => [rewrite.number, rewrite]));
    this.history = history ? new History(history) : null;
    this.folded = new Uint8Array(this.layers.length);
    this.#placeLayers();
    this.#placeEdges();
    this.#listEdges();
  }

  /** Name of a vertex for people: its layer and its place in it. */
  vertexName(row) {
    const layer = this.layers[this.vertices.get("layer")[row]];
    return `${layer.facts.name} [${row - layer.first}]`;
  }

  edgeName(row) {
    return `${this.vertexName(this.edges.get("source")[row])} → ${this.vertexName(this.edges.get("target")[row])}`;
  }

  /** Rows of the edges into (`"in"`) or out of (`"out"`) a vertex. */
  edgesOf(vertex, direction) {
    const { start, rows } = this.lists[direction];
    return rows.subarray(start[vertex], start[vertex + 1]);
  }

  #placeLayers() {
    const [x, y, layer] = ["x", "y", "layer"].map((name) => this.vertices.get(name));
    for (const item of this.layers) {
      Object.assign(item, { x0: Infinity, x1: -Infinity, y0: Infinity, y1: -Infinity, first: -1, last: -1, gap: Infinity });
    }
    for (let v = 0; v < x.length; v++) {
      const item = this.layers[layer[v]];
      if (item.first < 0) item.first = v;
      else item.gap = Math.min(item.gap, Math.hypot(x[v] - x[v - 1], y[v] - y[v - 1]) || Infinity);
      item.last = v;
      item.x0 = Math.min(item.x0, x[v]);
      item.x1 = Math.max(item.x1, x[v]);
      item.y0 = Math.min(item.y0, y[v]);
      item.y1 = Math.max(item.y1, y[v]);
    }
    const placed = this.layers.filter((item) => item.first >= 0);
    for (const item of placed) Object.assign(item, { x: (item.x0 + item.x1) / 2, y: (item.y0 + item.y1) / 2 });
    this.#slots(placed);
    this.box = placed.reduce(
      (box, item) => ({
        x0: Math.min(box.x0, item.x0 - item.radius),
        x1: Math.max(box.x1, item.x1 + item.radius),
        y0: Math.min(box.y0, item.y0 - item.radius),
        y1: Math.max(box.y1, item.y1 + item.radius),
      }),
      { x0: Infinity, x1: -Infinity, y0: Infinity, y1: -Infinity },
    );
  }

  /** Room of each layer: width up to the next columns, height up to the next layers of its column. */
  #slots(placed) {
    const columns = [...new Set(placed.map((item) => item.x))].sort((a, b) => a - b);
    for (const item of placed) {
      const at = columns.indexOf(item.x);
      const besides = [columns[at + 1] - item.x, item.x - columns[at - 1]].filter((gap) => gap > 0);
      item.width = besides.length ? Math.min(...besides) : 120;
      item.height = Infinity;
      for (const other of placed) {
        if (other !== item && Math.abs(other.x - item.x) < item.width / 2) {
          item.height = Math.min(item.height, Math.abs(other.y - item.y) || Infinity);
        }
      }
      item.radius = Math.min(0.36 * item.gap, 0.14 * item.width, 0.36 * item.height);
    }
    // A vertex that is alone in its layer is as large as the others.
    const usual = placed.filter((item) => item.last > item.first).map((item) => item.radius).sort((a, b) => a - b);
    const cap = usual.length ? usual[Math.floor(usual.length / 2)] : Infinity;
    for (const item of placed) if (item.first === item.last) item.radius = Math.min(item.radius, cap);
  }

  #placeEdges() {
    const [source, target, link, tap] = ["source", "target", "link", "tap"].map((name) => this.edges.get(name));
    const [x, y, layer] = ["x", "y", "layer"].map((name) => this.vertices.get(name));
    const size = this.edges.size;
    const most = new Float64Array(this.links.length);
    for (let e = 0; tap && e < size; e++) most[link[e]] = Math.max(most[link[e]], tap[e]);
    this.links.forEach((item) => {
      const [from, to] = [this.layers[item.source], this.layers[item.target]];
      const columns = Math.abs(Number(to.facts.depth ?? 0) - Number(from.facts.depth ?? 0));
      item.bend = columns > 1 ? -BEND * Math.abs(to.x - from.x) : 0;
    });
    [this.sx, this.sy, this.tx, this.ty, this.bend] = Array.from({ length: 5 }, () => new Float32Array(size));
    for (let e = 0; e < size; e++) {
      const [s, t, taps] = [source[e], target[e], most[link[e]]];
      const spread = taps > 0 ? TAP_SPREAD * (tap[e] / taps - 0.5) : 0;
      this.sx[e] = x[s];
      this.sy[e] = y[s] + 2 * spread * this.layers[layer[s]].radius;
      this.tx[e] = x[t];
      this.ty[e] = y[t] + 2 * spread * this.layers[layer[t]].radius;
      this.bend[e] = this.links[link[e]].bend;
    }
  }

  #listEdges() {
    this.lists = {};
    for (const [direction, name] of [["out", "source"], ["in", "target"]]) {
      const ends = this.edges.get(name);
      const start = new Int32Array(this.vertices.size + 1);
      for (let e = 0; e < ends.length; e++) start[ends[e] + 1]++;
      for (let v = 0; v < this.vertices.size; v++) start[v + 1] += start[v];
      const next = start.slice();
      const rows = new Int32Array(ends.length);
      for (let e = 0; e < ends.length; e++) rows[next[ends[e]]++] = e;
      this.lists[direction] = { start, rows };
    }
  }
}

const STATES = ["kept", "changed", "removed", "added"];

/** State of every item of a graph beside the other one, as indices of `STATES`; with one graph every item is kept. */
export function states(graphs, at, kind) {
  const table = graphs[at][kind];
  const found = new Uint8Array(table.size);
  if (graphs.length < 2) return found;
  const other = graphs[1 - at][kind];
  const [ids, mine, theirs] = [table.get("id"), table.get("weight"), other.get("weight")];
  for (let i = 0; i < ids.length; i++) {
    const row = other.rowOf(ids[i]);
    if (row < 0) found[i] = at === 0 ? 2 : 3;
    else if (mine && theirs && mine[i] !== theirs[row]) found[i] = 1;
  }
  return found;
}

export { STATES };
