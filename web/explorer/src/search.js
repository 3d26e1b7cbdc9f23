// Search: ids of edges and vertices, names of layers, pairs of vertices.

const MOST = 20;

/**
 * Items that a text names, at most 20, as `{kind, graph, row}`.
 *
 * `12` is the edge and the vertex with this id, `edge 12` or `e12` the edge, `vertex 12` or `v12` the vertex, `3 > 12`
 * the edges between two vertices, `rewrite 4` a rewrite, and any other text part of the name of a layer. Cost: O(edges) for a pair.
 */
export function search(graphs, words) {
  const asked = words.trim().toLowerCase();
  if (!asked) return [];
  const pair = asked.match(/^(\d+)\s*(?:->|→|>|to)\s*(\d+)$/);
  const one = asked.match(/^(e|edge|v|vertex|#)?\s*(\d+)$/);
  const rewrite = asked.match(/^rewrite\s*(\d+)$/);
  const found = [];
  graphs.forEach((graph, at) => {
    if (pair) found.push(...between(graph, Number(pair[1]), Number(pair[2])).map((row) => ({ kind: "edge", graph: at, row })));
    else if (one) found.push(...byId(graph, at, one[1] ?? "", Number(one[2])));
    if (rewrite) found.push(...byNumber(graph, at, Number(rewrite[1])));
    graph.layers.forEach((layer, row) => {
      if (!pair && layer.facts.name.toLowerCase().includes(asked)) found.push({ kind: "layer", graph: at, row });
    });
  });
  return found.slice(0, MOST);
}

function byId(graph, at, word, id) {
  const kinds = word.startsWith("e") ? ["edge"] : word.startsWith("v") ? ["vertex"] : ["edge", "vertex"];
  return kinds
    .map((kind) => ({ kind, graph: at, row: graph[kind === "edge" ? "edges" : "vertices"].rowOf(id) }))
    .filter((item) => item.row >= 0);
}

function byNumber(graph, at, number) {
  const rewrite = graph.byNumber.get(number);
  return rewrite ? [{ kind: "rewrite", graph: at, row: graph.rewrites.indexOf(rewrite) }] : [];
}

function between(graph, from, to) {
  const [source, target] = [from, to].map((id) => graph.vertices.rowOf(id));
  if (source < 0 || target < 0) return [];
  const ends = graph.edges.get("target");
  return Array.from(graph.edgesOf(source, "out")).filter((row) => ends[row] === target);
}
