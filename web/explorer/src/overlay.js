// What every frame draws on top of the picture: names of open layers, and the chosen item.

import { bandOf, boxOf, caption, radius, text, trace } from "./paint.js";

/** Write name and size over every open layer, where there is room. */
export function drawLabels(context, view, map) {
  const { graph } = view;
  const taken = [];
  graph.layers.forEach((layer, at) => {
    if (graph.folded[at] || layer.first < 0) return;
    const r = radius(layer, map.k);
    const x = layer.x * map.k + map.x;
    const top = layer.y0 * map.k + map.y - r;
    const bottom = layer.y1 * map.k + map.y + r;
    if (bottom < 0 || top > map.height || x < -80 || x > map.width + 80) return;
    const y = Math.max(28, top - 18);
    const room = Math.min(Math.max(layer.width * map.k, (layer.x1 - layer.x0) * map.k) - 4, 226);
    if (room < 26) return;
    const name = fitted(context, layer.facts.name, room, 12, "600", true);
    const words = fitted(context, caption(layer), room, 10.5, "400", false);
    const half = Math.max(name.width, words.width) / 2 + 2;
    const place = x < 0 || x > map.width ? x : Math.max(half, Math.min(map.width - half, x)); // all of it in sight
    const spot = { x0: place - half, x1: place + half, y0: y - 14, y1: y + 14 };
    if (taken.some((o) => o.x0 < spot.x1 && spot.x0 < o.x1 && o.y0 < spot.y1 && spot.y0 < o.y1)) return;
    taken.push(spot);
    const theme = view.app.theme;
    text(context, theme, name.words, place, y - 6, 12, "middle", "ink-rim", "600");
    text(context, theme, words.words, place, y + 7, 10.5, "middle", "ink-rim");
  });
}

/** A text cut to a width in pixels, and its width. Of names of layers the end is kept, which tells them apart. */
function fitted(context, words, most, size, weight, keepEnd) {
  context.font = `${weight} ${size}px system-ui, sans-serif`;
  const width = (some) => context.measureText(some).width;
  const last = words.split(".").pop();
  for (const whole of keepEnd ? [words, last] : [words]) {
    if (width(whole) <= most) return { words: whole, width: width(whole) };
  }
  let kept = words.length - 1;
  const cut = () => (keepEnd ? `…${words.slice(words.length - kept)}` : `${words.slice(0, kept)}…`);
  while (kept > 1 && width(cut()) > most) kept -= 1;
  return { words: cut(), width: width(cut()) };
}

/** Draw the chosen item, in every graph that has it, with what it touches. */
export function drawSelection(context, view, map) {
  const chosen = view.app.chosenIn(view.at);
  if (!chosen) return;
  const { graph, app } = view;
  const ink = app.theme.color("ink");
  context.save();
  context.strokeStyle = ink;
  if (chosen.kind === "edge") {
    const [source, target] = ["source", "target"].map((name) => graph.edges.get(name)[chosen.row]);
    lines(context, app, graph, [chosen.row], map, 4);
    for (const v of [source, target]) ring(context, graph, v, map);
  } else if (chosen.kind === "vertex") {
    for (const direction of ["in", "out"]) {
      const rows = Array.from(graph.edgesOf(chosen.row, direction)).slice(0, 3000);
      lines(context, app, graph, rows.filter((e) => app.shown[view.at].edgePass[e] === 1), map, rows.length > 300 ? 1 : 1.8);
    }
    ring(context, graph, chosen.row, map);
  } else if (chosen.kind === "layer") {
    frame(context, graph, chosen.row, map);
  } else if (chosen.kind === "link") {
    const band = app.shown[view.at].bands.find((one) => one.at === chosen.row);
    if (band) {
      const { from, to, bend, width } = bandOf(graph, band, map);
      context.lineWidth = Math.max(3, width);
      context.beginPath();
      context.moveTo(from.x, from.y);
      context.quadraticCurveTo((from.x + to.x) / 2, (from.y + to.y) / 2 + 2 * bend, to.x, to.y);
      context.globalAlpha = 0.7;
      context.stroke();
    }
  }
  context.restore();
}

function lines(context, app, graph, rows, map, width) {
  context.beginPath();
  for (const row of rows) trace(context, graph, row, map);
  context.lineWidth = width + 2;
  context.strokeStyle = app.theme.color("paper");
  context.stroke();
  context.lineWidth = width;
  context.strokeStyle = app.theme.color("ink");
  context.stroke();
}

function ring(context, graph, v, map) {
  const at = graph.vertices.get("layer")[v];
  if (graph.folded[at]) return frame(context, graph, at, map);
  const [x, y] = ["x", "y"].map((name) => graph.vertices.get(name)[v]);
  context.lineWidth = 3;
  context.beginPath();
  context.arc(x * map.k + map.x, y * map.k + map.y, radius(graph.layers[at], map.k) + 3, 0, 2 * Math.PI);
  context.stroke();
}

function frame(context, graph, at, map) {
  const layer = graph.layers[at];
  const r = radius(layer, map.k) + 6;
  const box = graph.folded[at]
    ? boxOf(layer, map)
    : {
        x: layer.x0 * map.k + map.x - r,
        y: layer.y0 * map.k + map.y - r,
        w: (layer.x1 - layer.x0) * map.k + 2 * r,
        h: (layer.y1 - layer.y0) * map.k + 2 * r,
      };
  context.lineWidth = 3;
  context.beginPath();
  context.roundRect(box.x, box.y, box.w, box.h, 6);
  context.stroke();
}
