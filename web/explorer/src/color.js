// Classes of colours: every shown item has a class; every class has a colour, a strength and a meaning in the legend.

import { STATES, states } from "./model.js";

const STEPS = 7; // classes on each side of 0, and half of those of a sequential scale
const WIRE_COLUMNS = new Set(["weight"]);

/** Colours by name in the present theme. */
export class Theme {
  constructor(palette) {
    this.palette = palette;
    this.dark = matchMedia("(prefers-color-scheme: dark)").matches;
  }

  get name() {
    return this.dark ? "dark" : "light";
  }

  color(name) {
    return this.palette[this.name][name];
  }

  /** Colour at a place from 0 to 1 of the sequential scale. */
  sequential(place) {
    const stops = this.palette[this.name].sequential;
    const at = Math.min(place, 0.9999) * (stops.length - 1);
    return mix(stops[Math.floor(at)], stops[Math.floor(at) + 1], at % 1);
  }

  /** Set the variables that the style sheet reads. */
  apply() {
    const root = document.documentElement;
    root.dataset.theme = this.name;
    for (const [name, value] of Object.entries(this.palette[this.name])) {
      if (typeof value === "string") root.style.setProperty(`--${name}`, value);
    }
  }
}

/** A colour between two others: `share` 0 is the first, 1 the second. */
export function mix(first, second, share) {
  const parts = [1, 3, 5].map((at) => {
    const [a, b] = [first, second].map((color) => parseInt(color.slice(at, at + 2), 16));
    return Math.round(a + (b - a) * share);
  });
  return "#" + parts.map((part) => part.toString(16).padStart(2, "0")).join("");
}

/**
 * Colours of edges or vertices by a column, over all graphs of the page, so that a colour means the same in both.
 *
 * `of[g]` has the class of every item of graph g; `classes` describes the classes: `color(theme)`, `strength` from 0 to
 * 1, `text` for the legend, and `order` for painting.
 */
export function coloring(graphs, kind, column) {
  if (column === "change") return byState(graphs, kind);
  if (column === "role") return byRole(graphs);
  const values = graphs.map((graph) => graph[kind].get(column));
  const wires = kind === "edges" && WIRE_COLUMNS.has(column) ? graphs.map((graph) => graph.edges.get("frozen")) : null;
  return byValue(values, wires, column);
}

function byState(graphs, kind) {
  const classes = STATES.map((state) => ({
    color: (theme) => theme.color({ kept: "kept", changed: "changed", removed: "going", added: "new" }[state]),
    strength: state === "kept" ? 0.3 : 1,
    text: { kept: "in both", changed: "other weight", removed: "removed", added: "added" }[state],
    order: STATES.indexOf(state),
  }));
  const of = graphs.map((_, at) => states(graphs, at, kind));
  return { column: "change", kind: "list", classes: used(classes, of), of };
}

const ROLES = ["input", "position", "hidden", "output"];

function byRole(graphs) {
  const classes = ROLES.map((role, order) => ({
    color: (theme) => theme.color(role),
    line: (theme) => theme.color(`${role}-line`),
    strength: 1,
    text: role,
    order,
  }));
  const of = graphs.map((graph) => {
    const roles = graph.layers.map((layer) => Math.max(0, ROLES.indexOf(layer.facts.role)));
    return Uint8Array.from(graph.vertices.get("layer"), (layer) => roles[layer]);
  });
  return { column: "role", kind: "list", classes: used(classes, of), of };
}

/** Classes with `hidden` on those that no item has, so that the legend leaves them out. */
function used(classes, of) {
  const seen = new Set();
  for (const list of of) for (const item of list) seen.add(item);
  return classes.map((item, at) => ({ ...item, hidden: !seen.has(at) }));
}

function byValue(values, wires, column) {
  const [low, high] = extent(values, wires);
  const diverging = low < 0 && high > 0;
  const largest = Math.max(-low, high);
  const classes = [];
  for (let k = 0; k <= 2 * STEPS; k++) {
    const place = diverging ? Math.abs(k - STEPS) / STEPS : k / (2 * STEPS);
    classes.push({
      color: (theme) =>
        !diverging ? theme.sequential(place) : k === STEPS ? theme.color("kept") : theme.color(k > STEPS ? "positive" : "negative"),
      strength: diverging ? place : 0.35 + 0.65 * place,
      order: place,
    });
  }
  const [missing, wire] = [classes.length, classes.length + 1];
  classes.push({ color: (theme) => theme.color("missing"), strength: 0.2, order: -1, text: "missing" });
  classes.push({ color: (theme) => theme.color("wire"), strength: 0.5, order: -0.5, text: "fixed wire", dashed: true });
  const of = values.map((list, g) => {
    const found = new Uint8Array(list ? list.length : 0).fill(missing);
    for (let i = 0; i < found.length; i++) {
      const value = list[i];
      if (wires && wires[g] && wires[g][i]) found[i] = wire;
      else if (!Number.isNaN(value)) {
        const place = diverging ? value / largest : high > low ? (2 * (value - low)) / (high - low) - 1 : 0;
        found[i] = STEPS + Math.round(STEPS * Math.max(-1, Math.min(1, place)));
      }
    }
    return found;
  });
  return { column, kind: diverging ? "diverging" : "sequential", low: diverging ? -largest : low, high: diverging ? largest : high, classes: used(classes, of), of };
}

/** Values between which the scale lies: all but the outermost hundredth, from a sample. */
function extent(values, wires) {
  const sample = [];
  values.forEach((list, g) => {
    if (!list) return;
    const step = Math.max(1, Math.floor(list.length / 20000));
    for (let i = 0; i < list.length; i += step) {
      if (Number.isFinite(list[i]) && !(wires && wires[g] && wires[g][i])) sample.push(list[i]);
    }
  });
  if (!sample.length) return [0, 0];
  sample.sort((a, b) => a - b);
  if (sample.every(Number.isInteger)) return [sample[0], sample[sample.length - 1]];
  const cut = Math.floor(sample.length / 100);
  return [sample[cut], sample[sample.length - 1 - cut]];
}

/** Names of columns by which edges or vertices can be coloured and filtered. */
export function columnsOf(graphs, kind) {
  const left = new Set(kind === "edges" ? ["source", "target"] : ["x", "y"]);
  return [...new Set(graphs.flatMap((graph) => Object.keys(graph[kind].columns)))].filter((name) => !left.has(name));
}
