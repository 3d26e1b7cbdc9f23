// Filters, and the items that they and the folded layers leave to be drawn.

/** A filter: items of a kind whose column lies between two numbers. */
export function passes(filter, values, row) {
  return values[row] >= filter.low && values[row] <= filter.high;
}

/**
 * Items of a graph that are drawn: edges sorted by their class, vertices, and links as bands with a count.
 *
 * An edge is drawn when it passes all filters, both of its vertices are drawn, and neither layer is folded. A link with
 * a folded end is a band; its count is that of its edges which pass the filters.
 */
export function shown(graph, filters, edgeColors) {
  const vertexPass = mask(graph, "vertices", filters);
  const edgePass = mask(graph, "edges", filters);
  const [source, target, link] = ["source", "target", "link"].map((name) => graph.edges.get(name));
  const layer = graph.vertices.get("layer");
  const counts = new Float64Array(graph.links.length);
  const foldedLink = graph.links.map((item) => graph.folded[item.source] || graph.folded[item.target]);
  for (let e = 0; e < edgePass.length; e++) {
    edgePass[e] &= vertexPass[source[e]] & vertexPass[target[e]];
    if (!edgePass[e]) continue;
    counts[link[e]]++;
    if (foldedLink[link[e]]) edgePass[e] = 2; // passes, but as part of a band
  }
  const vertices = [];
  for (let v = 0; v < vertexPass.length; v++) if (vertexPass[v] && !graph.folded[layer[v]]) vertices.push(v);
  const bands = [];
  graph.links.forEach((item, at) => {
    if (foldedLink[at] && counts[at]) bands.push({ at, count: counts[at] });
  });
  let total = 0;
  for (const number of counts) total += number;
  return { edgePass, vertexPass, runs: sorted(edgePass, edgeColors), vertices: Int32Array.from(vertices), bands, total };
}

function mask(graph, kind, filters) {
  const found = new Uint8Array(graph[kind].size).fill(1);
  for (const filter of filters) {
    const values = filter.kind === kind && graph[kind].get(filter.column);
    if (!values) continue;
    for (let i = 0; i < found.length; i++) if (!passes(filter, values, i)) found[i] = 0;
  }
  return found;
}

/** Rows of drawn edges, those of one class together, weak classes first: `[{class, rows}]`. */
function sorted(edgePass, colors) {
  const { classes, of } = colors;
  const sizes = new Int32Array(classes.length);
  for (let e = 0; e < edgePass.length; e++) if (edgePass[e] === 1) sizes[of[e]]++;
  const lists = Array.from(sizes, (size) => new Int32Array(size));
  const next = new Int32Array(classes.length);
  for (let e = 0; e < edgePass.length; e++) if (edgePass[e] === 1) lists[of[e]][next[of[e]]++] = e;
  return lists
    .map((rows, at) => ({ class: classes[at], rows }))
    .filter((run) => run.rows.length)
    .sort((a, b) => a.class.order - b.class.order);
}
