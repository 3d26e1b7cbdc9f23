// Keys. They act where no text is being written.

import { el } from "./dom.js";

const STEP = 80; // pixels of an arrow key

export const KEYS = [
  ["Arrow keys", "move the drawing"],
  ["+ and -", "magnify and reduce"],
  ["0", "show the whole graph"],
  ["/", "search"],
  ["n and p", "next and previous vertex, layer by layer"],
  ["e and Shift+e", "next and previous edge of the chosen vertex, or of the graph"],
  ["f", "fold or unfold the layer of the chosen item"],
  ["Shift+f", "fold all layers, or unfold them"],
  ["m and Shift+m", "next and previous match of the rule"],
  ["t", "dark or light"],
  ["Escape", "choose nothing"],
  ["?", "this list"],
];

/** Let keys act. */
export function listen(app) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.target.closest && event.target.closest("input, select, dialog, textarea")) return;
    const action = actions(app, event)[event.key];
    if (!action) return;
    const inPanel = event.target.closest && event.target.closest("aside");
    if (inPanel && event.key.startsWith("Arrow")) return;
    event.preventDefault();
    action();
  });
}

function actions(app, event) {
  const view = () => app.views.find((one) => one.canvas === document.activeElement) ?? app.views[app.state.chosen?.graph ?? 0];
  const back = event.shiftKey ? -1 : 1;
  return {
    ArrowLeft: () => view().panBy(STEP, 0),
    ArrowRight: () => view().panBy(-STEP, 0),
    ArrowUp: () => view().panBy(0, STEP),
    ArrowDown: () => view().panBy(0, -STEP),
    "+": () => view().zoomBy(1.4),
    "=": () => view().zoomBy(1.4),
    "-": () => view().zoomBy(1 / 1.4),
    0: () => app.views.forEach((one) => one.fit()),
    "/": () => app.searchBox.focus(),
    n: () => app.step("vertex", 1),
    p: () => app.step("vertex", -1),
    e: () => app.step("edge", back),
    E: () => app.step("edge", -1),
    f: () => app.foldChosen(),
    F: () => app.foldAll(!app.graphs.every((graph) => graph.folded.every(Boolean))),
    m: () => app.nextMatch(back),
    M: () => app.nextMatch(-1),
    t: () => app.switchTheme(),
    Escape: () => app.select(null),
    "?": () => app.help.showModal(),
  };
}

/** The list of keys, as a dialog. */
export function helpDialog() {
  const rows = KEYS.map(([key, words]) => [el("dt", {}, el("kbd", {}, key)), el("dd", {}, words)]);
  return el(
    "dialog",
    { "aria-labelledby": "help-title" },
    el("h2", { id: "help-title" }, "Keys and search"),
    el("dl", { class: "facts" }, rows.flat()),
    el("p", {}, "Search for an id (12), an edge (e12), a vertex (v12), the edges between two vertices (3 > 12), a rewrite (rewrite 4), or the name of a layer."),
    el("form", { method: "dialog" }, el("button", {}, "Close")),
  );
}
