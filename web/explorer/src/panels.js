// The panel beside the drawings: colours and filters, layers, rewrites, and the rule.

import { columnsOf } from "./color.js";
import { count, format } from "./data.js";
import { choice, el, tick } from "./dom.js";

const MOST_ROWS = 200;

/** Choices of colours and filters. */
export function controls(app, into) {
  const change = app.paired ? [["change", "change"]] : [];
  const options = (kind, more) => [...more, ...columnsOf(app.graphs, kind).map((name) => [name, name])];
  const both = app.graphs.length > 1 ? tick("Move both drawings together", app.state.together, (value) => app.set({ together: value })) : null;
  into.replaceChildren(
    choice("Edges by", options("edges", change), app.state.edgeColumn, (value) => app.set({ edgeColumn: value })),
    choice("Vertices by", options("vertices", [["role", "role of the layer"], ...change]), app.state.vertexColumn, (value) => app.set({ vertexColumn: value })),
    both ?? "",
    el("h3", {}, "Filters"),
    ...app.state.filters.map((filter, at) => filterRow(app, filter, at)),
    el("button", { onclick: () => addFilter(app) }, "Add a filter"),
  );
}

function columnRange(app, kind, column) {
  let [low, high] = [Infinity, -Infinity];
  for (const graph of app.graphs) {
    for (const value of graph[kind].get(column) ?? []) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  return low <= high ? [low, high] : [0, 0];
}

function addFilter(app) {
  const column = columnsOf(app.graphs, "edges").includes("weight") ? "weight" : "id";
  const [low, high] = columnRange(app, "edges", column);
  app.set({ filters: [...app.state.filters, { kind: "edges", column, low, high }] });
}

function filterRow(app, filter, at) {
  const put = (changes) => {
    const changed = { ...filter, ...changes };
    if (changes.column) [changed.low, changed.high] = columnRange(app, changed.kind, changed.column);
    app.set({ filters: app.state.filters.map((one, place) => (place === at ? changed : one)) });
  };
  const names = [["edges", "edges: "], ["vertices", "vertices: "]].flatMap(([kind, words]) => columnsOf(app.graphs, kind).map((name) => [`${kind}/${name}`, words + name]));
  const bound = (end, words) =>
    el("label", { class: "bound" }, el("span", {}, words), numberInput(filter[end], (value) => put({ [end]: value })));
  return el(
    "fieldset",
    { class: "filter" },
    el("legend", { class: "unseen" }, `Filter ${at + 1}`),
    choice("Show", names, `${filter.kind}/${filter.column}`, (value) => {
      const cut = value.indexOf("/");
      put({ kind: value.slice(0, cut), column: value.slice(cut + 1) });
    }),
    bound("low", "from"),
    bound("high", "to"),
    el("button", { "aria-label": `Remove filter ${at + 1}`, onclick: () => app.set({ filters: app.state.filters.filter((_, place) => place !== at) }) }, "Remove"),
  );
}

function numberInput(value, changed) {
  const input = el("input", { type: "number", step: "any", onchange: (event) => Number.isFinite(event.target.valueAsNumber) && changed(event.target.valueAsNumber) });
  input.value = String(Number(value.toPrecision(7)));
  return input;
}

/** Layers of all graphs, each with a button that folds it. */
export function layerList(app, into) {
  const all = (folded) => () => app.foldAll(folded);
  into.replaceChildren(
    el("div", { class: "row" }, el("button", { onclick: all(true) }, "Fold all"), el("button", { onclick: all(false) }, "Unfold all")),
    ...app.graphs.flatMap((graph, at) => [
      app.graphs.length > 1 ? el("h3", {}, graph.name) : "",
      el("ul", { class: "layers" }, graph.layers.map((layer, row) => layerRow(app, graph, at, layer, row))),
    ]),
  );
}

function layerRow(app, graph, at, layer, row) {
  const open = !graph.folded[row];
  const fold = el(
    "button",
    { class: "fold", "aria-expanded": String(open), "aria-label": `${open ? "Fold" : "Unfold"} layer ${layer.facts.name}`, onclick: () => app.fold(at, row, open) },
    open ? "▾" : "▸",
  );
  const name = el("button", { class: "jump", onclick: () => app.select({ kind: "layer", graph: at, row }, { go: true }) }, layer.facts.name);
  return el("li", {}, fold, name, el("span", { class: "quiet" }, ` ${format(Number(layer.facts.size))} · ${layer.facts.operations || layer.facts.activation || layer.facts.role}`));
}

/** Rewrites of all graphs; those of two graphs with the same list are shown once. */
export function rewriteList(app, into) {
  const lists = app.graphs.map((graph, at) => ({ graph, at }));
  const seen = new Set();
  const parts = lists.reverse().flatMap(({ graph, at }) => {
    const key = JSON.stringify(graph.rewrites.map((rewrite) => [rewrite.number, rewrite.rule, rewrite.summary]));
    if (!graph.rewrites.length || seen.has(key)) return [];
    seen.add(key);
    const rows = graph.rewrites.slice(0, MOST_ROWS).map((rewrite, row) => rewriteRow(app, at, rewrite, row));
    const more = graph.rewrites.length > MOST_ROWS ? el("p", { class: "quiet" }, `The first ${MOST_ROWS} of ${format(graph.rewrites.length)}; find others by a search for "rewrite" and the number.`) : "";
    return [app.graphs.length > 1 ? el("h3", {}, graph.name) : "", el("ol", { class: "rewrites" }, rows), more];
  });
  into.replaceChildren(...parts);
  return parts.length > 0;
}

function rewriteRow(app, at, rewrite, row) {
  const epoch = rewrite.epoch === null || rewrite.epoch === undefined ? "" : `epoch ${rewrite.epoch} · `;
  return el(
    "li",
    {},
    el("button", { class: "jump", onclick: () => app.select({ kind: "rewrite", graph: at, row }) }, `${rewrite.number}. ${rewrite.rule}`),
    el("span", { class: "quiet" }, ` ${epoch}${count(rewrite.matches, "match")} · `),
    el("span", { class: `level ${rewrite.level}` }, rewrite.level ?? "unproved"),
  );
}

/** The rule: matches left after each condition, the nearest miss, and steps through the matches. */
export function ruleFacts(app, into) {
  const { highlights } = app;
  if (!highlights) return false;
  const most = Math.max(1, ...highlights.funnel.map(([, number]) => number));
  const bars = highlights.funnel.map(([words, number]) => {
    const bar = el("meter", { min: 0, max: most, "aria-label": `${words}: ${format(number)}` });
    bar.value = number;
    return el("li", {}, el("span", {}, `${words}: `, el("b", {}, format(number))), bar);
  });
  const parts = highlights.parts.map((part) => `${part.name}: ${count(part.matches.length, "match")}, ${count(part.misses.length, "miss")}`);
  into.replaceChildren(
    el("h3", {}, highlights.rule),
    el("p", { class: "quiet" }, "Matches left after each condition"),
    el("ol", { class: "funnel" }, bars),
    highlights.nearest_miss ? el("p", {}, el("b", {}, "Nearest miss: "), highlights.nearest_miss) : "",
    el("p", { class: "quiet" }, parts.join("; ")),
    tick("Mark matches", app.state.matches, (value) => app.set({ matches: value })),
    tick("Mark near misses", app.state.misses, (value) => app.set({ misses: value })),
    el("div", { class: "row" }, ...[["Previous match", -1], ["Next match", 1]].map(([words, step]) => el("button", { onclick: () => app.nextMatch(step) }, words))),
  );
  return true;
}
