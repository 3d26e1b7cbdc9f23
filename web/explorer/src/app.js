// The state of the page, and everything that changes it.

import { coloring, Theme } from "./color.js";
import { decode } from "./data.js";
import { details, itemName } from "./details.js";
import { shown } from "./filter.js";
import { showLegend } from "./legend.js";
import { Graph } from "./model.js";
import { controls, layerList, rewriteList, ruleFacts } from "./panels.js";

const MOST_OPEN_EDGES = 250000; // a graph with more edges or layers begins with its layers folded
const MOST_OPEN_LAYERS = 80;
const FORMAT = 1;

export class App {
  constructor(payload) {
    if (payload.format !== FORMAT) throw new Error(`This page reads payloads of format ${FORMAT}, not ${payload.format}.`);
    this.title = payload.title;
    this.theme = new Theme(payload.palette);
    this.graphs = payload.graphs.map((raw, at) => new Graph(raw, payload.rewrites?.[at], payload.history?.[at]));
    this.paired = Boolean(payload.paired) && this.graphs.length === 2;
    this.highlights = payload.highlights && readHighlights(payload.highlights);
    this.views = [];
    this.parts = {};
    this.state = {
      edgeColumn: this.paired ? "change" : "weight",
      vertexColumn: this.paired ? "change" : "role",
      filters: [],
      chosen: null,
      matches: true,
      misses: true,
      together: true,
    };
    for (const graph of this.graphs) {
      if (graph.edges.size > MOST_OPEN_EDGES || graph.layers.length > MOST_OPEN_LAYERS) graph.folded.fill(1);
    }
    this.#color();
    this.#sieve();
  }

  // -- what is drawn ----------------------------------------------------------------------------------

  #color() {
    this.edgeColors = coloring(this.graphs, "edges", this.state.edgeColumn);
    this.vertexColors = coloring(this.graphs, "vertices", this.state.vertexColumn);
  }

  #sieve() {
    this.shown = this.graphs.map((graph, at) =>
      shown(graph, this.state.filters, { classes: this.edgeColors.classes, of: this.edgeColors.of[at] }),
    );
  }

  /** Box of a graph in its own units; graphs of one history share it, so that nothing moves from one to the other. */
  box(at) {
    const boxes = this.paired ? this.graphs.map((graph) => graph.box) : [this.graphs[at].box];
    return {
      x0: Math.min(...boxes.map((box) => box.x0)),
      x1: Math.max(...boxes.map((box) => box.x1)),
      y0: Math.min(...boxes.map((box) => box.y0)),
      y1: Math.max(...boxes.map((box) => box.y1)),
    };
  }

  /** Marked items of a graph: matches, misses, and births of the chosen rewrite. */
  marks(at) {
    const found = [];
    const { chosen } = this.state;
    if (this.highlights && this.highlights.graph === at) {
      for (const part of this.highlights.parts) {
        if (this.state.misses) found.push({ of: part.of, rows: part.misses, dashed: true });
        if (this.state.matches) found.push({ of: part.of, rows: part.matches });
      }
    }
    if (chosen && chosen.kind === "rewrite" && chosen.graph === at) {
      const { number } = this.graphs[at].rewrites[chosen.row];
      for (const kind of ["edges", "vertices"]) {
        const births = this.graphs[at][kind].get("birth");
        if (births) found.push({ of: kind, rows: rowsWith(births, number) });
      }
    }
    return found.filter((mark) => mark.rows.length);
  }

  /** The chosen item as an item of a graph, or null: of graphs of one history, both can have it. */
  chosenIn(at) {
    const { chosen } = this.state;
    if (!chosen || chosen.kind === "rewrite") return null;
    if (chosen.graph === at) return chosen;
    if (!this.paired || chosen.kind === "link") return null;
    const [from, to] = [this.graphs[chosen.graph], this.graphs[at]];
    if (chosen.kind === "layer") {
      const row = to.layers.findIndex((layer) => layer.facts.id === from.layers[chosen.row].facts.id);
      return row < 0 ? null : { ...chosen, graph: at, row };
    }
    const kind = chosen.kind === "edge" ? "edges" : "vertices";
    const row = to[kind].rowOf(from[kind].get("id")[chosen.row]);
    return row < 0 ? null : { ...chosen, graph: at, row };
  }

  name(item) {
    return itemName(this, item);
  }

  // -- changes ----------------------------------------------------------------------------------------

  /** Change parts of the state, and show what follows from it. */
  set(changes) {
    Object.assign(this.state, changes);
    if ("edgeColumn" in changes || "vertexColumn" in changes) this.#color();
    if ("edgeColumn" in changes || "filters" in changes) this.#sieve();
    this.#refresh(!("chosen" in changes) || Object.keys(changes).length > 1);
  }

  #refresh(repaint = true) {
    if (repaint) for (const view of this.views) view.repaint();
    showLegend(this, this.parts.legend);
    if (!this.parts.controls.contains(document.activeElement) || !repaint) controls(this, this.parts.controls);
    else this.#keepFocus(this.parts.controls, () => controls(this, this.parts.controls));
  }

  /** Fill a part of the page anew, and give the focus back to the element at the same place in it. */
  #keepFocus(part, fill) {
    const all = () => [...part.querySelectorAll("button, input, select")];
    const at = all().indexOf(document.activeElement);
    fill();
    const elements = all();
    if (at >= 0 && elements.length) elements[Math.min(at, elements.length - 1)].focus();
  }

  /** Show all parts for the first time. */
  start() {
    this.theme.apply();
    layerList(this, this.parts.layers);
    this.parts.rewritesTab.hidden = !rewriteList(this, this.parts.rewrites);
    this.parts.ruleTab.hidden = !ruleFacts(this, this.parts.rule);
    this.#refresh();
  }

  opened() {
    this.openedAfter ??= performance.now();
  }

  /** Choose an item, or nothing. With `go`, the drawing moves to it and unfolds its layer. */
  select(item, { go = false } = {}) {
    const rewrites = [this.state.chosen, item].some((one) => one && one.kind === "rewrite");
    this.set({ chosen: item });
    if (rewrites) for (const view of this.views) view.repaint();
    for (const view of this.views) view.repaintTop();
    const empty = document.createElement("p");
    empty.className = "quiet";
    empty.textContent = "Choose an edge, a vertex or a layer: click, tap, search, or use the keys n, p and e.";
    this.parts.details.replaceChildren(...(item ? details(this, item) : [empty]).filter(Boolean));
    this.parts.live.textContent = item ? this.name(item) : "";
    if (item) this.openPanel("details");
    if (item && go) this.#goTo(item);
    this.#tell(item);
  }

  /** Tell the page around this one, if there is one, what is chosen: kind, id and name of the graph, or null. */
  #tell(item) {
    if (window.parent === window) return;
    const graph = item && this.graphs[item.graph];
    const id = item && {
      edge: () => graph.edges.get("id")[item.row],
      vertex: () => graph.vertices.get("id")[item.row],
      layer: () => graph.layers[item.row].facts.id,
    }[item.kind]?.();
    const chosen = item && id !== undefined ? { kind: item.kind, id, graph: graph.name } : null;
    window.parent.postMessage({ netgraph: "chosen", chosen }, "*");
  }

  #goTo(item) {
    const graph = this.graphs[item.graph];
    const view = this.views[item.graph];
    if (item.kind === "layer") {
      const layer = graph.layers[item.row];
      view.goTo(layer.x, layer.y, Math.max(layer.width, (layer.y1 - layer.y0) / 1.6));
    } else if (item.kind === "vertex") {
      const row = item.row;
      this.#open(item.graph, [graph.vertices.get("layer")[row]]);
      view.goTo(graph.vertices.get("x")[row], graph.vertices.get("y")[row], graph.layers[graph.vertices.get("layer")[row]].radius * 24);
    } else if (item.kind === "edge") {
      const [source, target] = ["source", "target"].map((name) => graph.vertices.get("layer")[graph.edges.get(name)[item.row]]);
      this.#open(item.graph, [source, target]);
      const [sx, sy, tx, ty] = ["sx", "sy", "tx", "ty"].map((name) => graph[name][item.row]);
      view.goTo((sx + tx) / 2, (sy + ty) / 2, Math.max(Math.hypot(tx - sx, ty - sy) / 1.8, 1e-3));
    }
  }

  #open(at, layers) {
    const folded = layers.filter((layer) => this.graphs[at].folded[layer]);
    for (const layer of folded) this.graphs[at].folded[layer] = 0;
    if (folded.length) this.#folded();
  }

  /** Fold or unfold a layer, in both graphs of one history. */
  fold(at, row, folded) {
    const { id } = this.graphs[at].layers[row].facts;
    this.graphs.forEach((graph, other) => {
      const own = other === at ? row : this.paired ? graph.layers.findIndex((layer) => layer.facts.id === id) : -1;
      if (own >= 0) graph.folded[own] = folded ? 1 : 0;
    });
    this.#folded();
  }

  foldAll(folded) {
    for (const graph of this.graphs) graph.folded.fill(folded ? 1 : 0);
    this.#folded();
  }

  foldChosen() {
    const { chosen } = this.state;
    if (!chosen) return;
    const graph = this.graphs[chosen.graph];
    const layers = {
      layer: () => chosen.row,
      vertex: () => graph.vertices.get("layer")[chosen.row],
      edge: () => graph.vertices.get("layer")[graph.edges.get("target")[chosen.row]],
      link: () => graph.links[chosen.row].target,
    };
    const row = layers[chosen.kind]?.();
    if (row !== undefined) this.fold(chosen.graph, row, !graph.folded[row]);
  }

  #folded() {
    this.#sieve();
    this.#refresh();
    this.#keepFocus(this.parts.layers, () => layerList(this, this.parts.layers));
    if (this.state.chosen) this.parts.details.replaceChildren(...details(this, this.state.chosen).filter(Boolean));
  }

  /** Choose the next vertex, or the next edge of the chosen vertex. */
  step(kind, by) {
    const { chosen } = this.state;
    const at = chosen?.graph ?? 0;
    const graph = this.graphs[at];
    if (kind === "edge" && (chosen?.kind === "vertex" || this.walk?.edge === chosen)) {
      if (chosen.kind === "vertex") {
        const rows = ["in", "out"].flatMap((direction) => Array.from(graph.edgesOf(chosen.row, direction)));
        this.walk = { rows, place: by > 0 ? -1 : 0 };
      }
      const { rows } = this.walk;
      if (!rows.length) return;
      this.walk.place = (this.walk.place + by + rows.length) % rows.length;
      this.walk.edge = { kind: "edge", graph: at, row: rows[this.walk.place] };
      this.select(this.walk.edge);
      return;
    }
    const size = graph[kind === "edge" ? "edges" : "vertices"].size;
    const from = chosen?.kind === kind ? chosen.row : by > 0 ? -1 : 0;
    if (size) this.select({ kind, graph: at, row: (from + by + size) % size }, { go: kind === "edge" });
  }

  nextMatch(by) {
    const part = this.highlights?.parts.find((one) => one.matches.length);
    if (!part) return;
    const size = part.matches.length;
    this.matchAt = ((this.matchAt ?? (by > 0 ? -1 : 0)) + by + size) % size;
    const kind = part.of === "edges" ? "edge" : "vertex";
    this.select({ kind, graph: this.highlights.graph, row: part.matches[this.matchAt] }, { go: true });
  }

  switchTheme() {
    this.theme.dark = !this.theme.dark;
    this.theme.apply();
    this.#refresh();
  }

  /** Move the other views as one view has moved. */
  follow(view) {
    if (this.state.together) for (const other of this.views) if (other !== view) other.like(view);
  }

  /** State for tests and for curious people. */
  inspect() {
    return {
      openedAfter: this.openedAfter ?? null,
      theme: this.theme.name,
      chosen: this.state.chosen && this.name(this.state.chosen),
      edgeColumn: this.state.edgeColumn,
      graphs: this.graphs.map((graph, at) => ({
        name: graph.name,
        edges: this.shown[at].runs.reduce((sum, run) => sum + run.rows.length, 0),
        vertices: this.shown[at].vertices.length,
        bands: this.shown[at].bands.length,
        folded: graph.layers.filter((_, row) => graph.folded[row]).map((layer) => layer.facts.name),
        marks: this.marks(at).map((mark) => [mark.of, mark.rows.length, Boolean(mark.dashed)]),
        transform: this.views[at] && [this.views[at].transform.x, this.views[at].transform.y, this.views[at].transform.k],
        painted: this.views[at]?.painted,
        still: this.views[at]?.isStill(),
      })),
    };
  }
}

function readHighlights(raw) {
  const parts = raw.parts.map((part) => ({ ...part, matches: decode(part.matches), misses: decode(part.misses) }));
  return { graph: 0, ...raw, parts };
}

function rowsWith(values, wanted) {
  const rows = [];
  for (let i = 0; i < values.length; i++) if (values[i] === wanted) rows.push(i);
  return rows;
}
