// What the page says of the chosen item: its columns, its history, and what it touches.

import { curve } from "./curve.js";
import { count, format } from "./data.js";
import { el, facts } from "./dom.js";

const MOST_EDGES = 8;
const OWN_FACTS = new Set(["id", "name", "first", "depth", "frame", "size"]);

/** Name of an item for lists, tips and screen readers. */
export function itemName(app, item) {
  const graph = app.graphs[item.graph];
  if (item.kind === "edge") {
    const weight = graph.edges.get("weight");
    const value = weight ? `, weight ${format(weight[item.row])}` : "";
    return `Edge ${graph.edges.get("id")[item.row]}: ${graph.edgeName(item.row)}${value}`;
  }
  if (item.kind === "vertex") return `Vertex ${graph.vertices.get("id")[item.row]}: ${graph.vertexName(item.row)}`;
  if (item.kind === "link") {
    const link = graph.links[item.row];
    const [from, to] = [link.source, link.target].map((at) => graph.layers[at].facts.name);
    return `Link ${from} → ${to}: ${count(link.edges, "edge")}`;
  }
  if (item.kind === "rewrite") {
    const rewrite = graph.rewrites[item.row];
    return `Rewrite ${rewrite.number}: ${rewrite.rule}`;
  }
  return `Layer ${graph.layers[item.row].facts.name}: ${count(Number(graph.layers[item.row].facts.size), "vertex")}`;
}

/** Everything about an item, as elements. */
export function details(app, item) {
  const parts = { edge: edgeParts, vertex: vertexParts, layer: layerParts, link: linkParts, rewrite: rewriteParts };
  const where = app.graphs.length > 1 ? el("p", { class: "quiet" }, `In ${app.graphs[item.graph].name}`) : null;
  return [el("h3", {}, itemName(app, item)), where, ...parts[item.kind](app, item)];
}

function edgeParts(app, item) {
  const graph = app.graphs[item.graph];
  const [source, target] = ["source", "target"].map((name) => graph.edges.get(name)[item.row]);
  const link = graph.links[graph.edges.get("link")[item.row]];
  return [
    facts([
      ["from", jump(app, { kind: "vertex", graph: item.graph, row: source })],
      ["to", jump(app, { kind: "vertex", graph: item.graph, row: target })],
      ...columns(app, item, "edges", new Set(["source", "target", "link"])),
      ["kind of link", link.kind],
    ]),
    ...history(app, item, "edges"),
  ];
}

function vertexParts(app, item) {
  const graph = app.graphs[item.graph];
  const layer = graph.vertices.get("layer")[item.row];
  return [
    facts([
      ["layer", jump(app, { kind: "layer", graph: item.graph, row: layer })],
      ...columns(app, item, "vertices", new Set(["layer", "x", "y"])),
    ]),
    ...history(app, item, "vertices"),
    ...["in", "out"].map((direction) => edgeList(app, item, direction)),
  ];
}

function edgeList(app, item, direction) {
  const graph = app.graphs[item.graph];
  const weight = graph.edges.get("weight");
  const rows = Array.from(graph.edgesOf(item.row, direction));
  if (weight) rows.sort((a, b) => Math.abs(weight[b]) - Math.abs(weight[a]));
  const heading = `${count(rows.length, "edge")} ${direction}${rows.length > MOST_EDGES ? `, the ${MOST_EDGES} of largest weight` : ""}`;
  return el(
    "section",
    {},
    el("h4", {}, heading),
    el("ul", { class: "jumps" }, rows.slice(0, MOST_EDGES).map((row) => el("li", {}, jump(app, { kind: "edge", graph: item.graph, row })))),
  );
}

function layerParts(app, item) {
  const graph = app.graphs[item.graph];
  const layer = graph.layers[item.row];
  const rows = Object.entries(layer.facts).filter(([name, value]) => !OWN_FACTS.has(name) && value !== "" && value !== null);
  const folded = graph.folded[item.row];
  const links = graph.links.map((link, row) => ({ link, row })).filter(({ link }) => link.source === item.row || link.target === item.row);
  return [
    el("button", { onclick: () => app.fold(item.graph, item.row, !folded) }, folded ? "Unfold" : "Fold"),
    facts(rows.map(([name, value]) => [name, String(value)])),
    el("h4", {}, count(links.length, "link")),
    el("ul", { class: "jumps" }, links.map(({ row }) => el("li", {}, jump(app, { kind: "link", graph: item.graph, row })))),
  ];
}

function linkParts(app, item) {
  const link = app.graphs[item.graph].links[item.row];
  return [
    facts([
      ["from", jump(app, { kind: "layer", graph: item.graph, row: link.source })],
      ["to", jump(app, { kind: "layer", graph: item.graph, row: link.target })],
      ["port", String(link.port)],
      ["kind", link.kind],
      ["edges", format(link.edges)],
    ]),
  ];
}

function rewriteParts(app, item) {
  const graph = app.graphs[item.graph];
  const rewrite = graph.rewrites[item.row];
  const made = ["vertices", "edges"].map((kind) => {
    const births = graph[kind].get("birth");
    return births ? births.reduce((sum, birth) => sum + (birth === rewrite.number), 0) : 0;
  });
  return [
    facts(rewriteFacts(rewrite)),
    el("p", { class: "quiet" }, `${count(made[0], "vertex")} and ${count(made[1], "edge")} of this graph were born by it; they are marked.`),
  ];
}

function rewriteFacts(rewrite) {
  const rows = [
    ["rule", rewrite.rule],
    ["parameters", rewrite.parameters],
    ["reason", rewrite.reason],
    ["epoch", rewrite.epoch],
    ["certificate", certificate(rewrite)],
    ["matches", rewrite.matches],
    ["change", rewrite.summary],
  ];
  return rows.filter(([, value]) => value !== "" && value !== null && value !== undefined).map(([name, value]) => [name, typeof value === "number" ? format(value) : value]);
}

function certificate(rewrite) {
  const level = el("b", { class: `level ${rewrite.level}` }, rewrite.level ?? "unproved");
  const words = String(rewrite.certificate ?? "");
  const rest = words.startsWith(rewrite.level) ? words.slice(rewrite.level.length) : ` ${words}`;
  return el("span", {}, level, rest);
}

/** Values of an item by column; with two graphs of one history, beside those of the other one. */
function columns(app, item, kind, left) {
  const graph = app.graphs[item.graph];
  const id = graph[kind].get("id")[item.row];
  const other = app.paired ? app.graphs[1 - item.graph] : null;
  const twin = other ? other[kind].rowOf(id) : -1;
  const rows = Object.entries(graph[kind].columns)
    .filter(([name]) => !left.has(name))
    .map(([name, values]) => {
      const theirs = twin >= 0 && other[kind].get(name);
      const same = !theirs || Object.is(theirs[twin], values[item.row]);
      const text = name === "id" ? String(values[item.row]) : format(values[item.row]);
      return [name, same ? text : `${text} (${other.name}: ${format(theirs[twin])})`];
    });
  if (other) rows.push([`in ${other.name}`, twin >= 0 ? "yes" : "no"]);
  return rows;
}

function history(app, item, kind) {
  const graph = app.graphs[item.graph];
  const table = graph[kind];
  const parts = [el("h4", {}, "History")];
  const births = table.get("birth");
  const born = births ? graph.byNumber.get(births[item.row]) : null;
  parts.push(...events(app, item, graph, table));
  if (kind === "edges" && graph.history) {
    const id = table.get("id")[item.row];
    const names = [
      ["weight", "Weight"],
      ["gradient", "Mean absolute gradient"],
    ];
    for (const [name, title] of names) {
      const values = graph.history.series(name, id);
      if (values) parts.push(curve(title, graph.history.epochs, values, born ? born.epoch : null) ?? "");
    }
  }
  return parts;
}

/** Birth and removal of an item, with the rewrites that made them. */
function events(app, item, graph, table) {
  const found = [];
  for (const [column, word] of [["birth", "Born by"], ["removed", "Removed by"]]) {
    const values = table.get(column);
    if (!values) continue;
    const number = values[item.row];
    if (!number) {
      if (column === "birth") found.push(el("p", {}, "Part of the first graph of its history."));
      continue;
    }
    const rewrite = graph.byNumber.get(number);
    if (!rewrite) {
      found.push(el("p", {}, `${word} rewrite ${number}, of which this page has no record.`));
      continue;
    }
    const row = graph.rewrites.indexOf(rewrite);
    found.push(el("p", {}, `${word} `, jump(app, { kind: "rewrite", graph: item.graph, row })), facts(rewriteFacts(rewrite).slice(1)));
  }
  return found;
}

/** A button that chooses an item. */
function jump(app, item) {
  return el("button", { class: "jump", onclick: () => app.select(item, { go: true }) }, itemName(app, item));
}
