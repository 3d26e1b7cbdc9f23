// The legend: every colour, shape and line of the drawings with its meaning, always in sight.

import { format } from "./data.js";
import { el, svg } from "./dom.js";
import { gridAxes } from "./paint.js";

/** Fill the legend anew. */
export function showLegend(app, into) {
  const groups = [
    scale(app, "edges", app.edgeColors),
    scale(app, "vertices", app.vertexColors),
    shapes(app),
    marks(app),
  ];
  into.replaceChildren(...groups.filter(Boolean));
}

function scale(app, kind, colors) {
  const name = el("b", {}, colors.column === "role" ? "layers:" : `${kind} by ${colors.column}:`);
  if (colors.kind === "list") return group(name, ...listed(app, kind, colors.classes));
  const own = colors.classes.filter((item) => item.text === undefined);
  const ramp = svg("svg", { width: 96, height: 10, "aria-hidden": "true" });
  own.forEach((item, at) => {
    const width = 96 / own.length;
    ramp.append(svg("rect", { x: at * width, y: 0, width: width + 0.5, height: 10, fill: item.color(app.theme), "fill-opacity": kind === "edges" ? 0.12 + 0.88 * item.strength : 1 }));
  });
  const ends = colors.low === colors.high ? [format(colors.low)] : [format(rounded(colors.low)), ramp, format(rounded(colors.high))];
  return group(name, ...ends, ...listed(app, kind, colors.classes.filter((item) => item.text !== undefined)));
}

function rounded(value) {
  return Number.isInteger(value) ? value : Number(value.toPrecision(2));
}

function listed(app, kind, classes) {
  return classes.filter((item) => !item.hidden).map((item) => {
    const color = item.color(app.theme);
    const mark = kind === "edges" ? stroke(color, 3, item.dashed) : disc(color, item.line ? item.line(app.theme) : color);
    return el("span", { class: "key" }, mark, item.text);
  });
}

function shapes(app) {
  const axes = new Set(app.graphs.flatMap((graph) => graph.layers.map(gridAxes)));
  const known = [[0, "one number"], [1, "a number per token"], [2, "a feature map or a head"]];
  const own = app.theme.color("hidden-line");
  const keys = known.filter(([count]) => axes.has(count)).map(([count, words]) => el("span", { class: "key" }, outline(count, own), words));
  const anyFolded = app.graphs.some((graph) => graph.folded.includes(1));
  const band = anyFolded ? [el("span", { class: "key" }, stroke(app.theme.color("band"), 8), "edges of a link; wider: more")] : [];
  return keys.length + band.length > 0 ? group(el("b", {}, "shapes:"), ...keys, ...band) : null;
}

function marks(app) {
  const keys = [[stroke(app.theme.color("ink"), 4), "chosen"]];
  if (app.highlights && app.state.matches) keys.push([stroke(app.theme.color("match"), 3), "match of the rule"]);
  if (app.highlights && app.state.misses) keys.push([stroke(app.theme.color("match"), 3, true), "near miss"]);
  if (app.state.chosen && app.state.chosen.kind === "rewrite") keys.push([stroke(app.theme.color("match"), 3), "born by the chosen rewrite"]);
  return group(el("b", {}, "marks:"), ...keys.map(([mark, words]) => el("span", { class: "key" }, mark, words)));
}

function group(...parts) {
  return el("div", { class: "group" }, ...parts);
}

function stroke(color, width, dashed = false) {
  const line = svg("line", { x1: 0, y1: 6, x2: 22, y2: 6, stroke: color, "stroke-width": width, "stroke-dasharray": dashed ? "5 3" : "none" });
  return svg("svg", { width: 22, height: 12, "aria-hidden": "true" }, line);
}

function disc(fill, line) {
  return svg("svg", { width: 14, height: 12, "aria-hidden": "true" }, svg("circle", { cx: 6, cy: 6, r: 5, fill, stroke: line, "stroke-width": 1.4 }));
}

function outline(axes, color) {
  const style = { fill: "none", stroke: color, "stroke-width": 1.6 };
  const one = [
    () => svg("circle", { cx: 6, cy: 6, r: 4.6, ...style }),
    () => svg("path", { d: "M6 0.8 11.2 6 6 11.2 0.8 6Z", ...style }),
    () => svg("rect", { x: 1.4, y: 1.4, width: 9.2, height: 9.2, ...style }),
  ][axes]();
  return svg("svg", { width: 14, height: 12, "aria-hidden": "true" }, one);
}
