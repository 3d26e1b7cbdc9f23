// The page: its parts, filled from the payload that stands in it.

import { App } from "./app.js";
import { el } from "./dom.js";
import { helpDialog, listen } from "./keyboard.js";
import { search } from "./search.js";
import { View } from "./view.js";

const NARROW = "(max-width: 760px)";

function build(app) {
  const panels = [
    ["details", "Details"],
    ["controls", "Colours and filters"],
    ["layers", "Layers"],
    ["rewrites", "Rewrites"],
    ["rule", "Rule"],
  ];
  const tabs = el("div", { class: "tabs", role: "tablist", "aria-label": "Parts of the panel" });
  const bodies = [];
  for (const [name, words] of panels) {
    const body = el("div", { id: name, class: "panel", role: "tabpanel", "aria-labelledby": `tab-${name}`, tabindex: 0, hidden: true });
    const tab = el("button", { id: `tab-${name}`, role: "tab", "aria-controls": name, "aria-selected": "false", onclick: () => app.openPanel(name) }, words);
    app.parts[name] = body;
    app.parts[`${name}Tab`] = tab;
    tabs.append(tab);
    bodies.push(body);
  }
  tabs.addEventListener("keydown", (event) => moveTab(app, tabs, event));
  app.openPanel = (name) => {
    for (const [other] of panels) {
      app.parts[other].hidden = other !== name;
      app.parts[`${other}Tab`].setAttribute("aria-selected", String(other === name));
      app.parts[`${other}Tab`].tabIndex = other === name ? 0 : -1;
    }
  };
  app.parts.legend = el("section", { class: "legend", "aria-label": "Legend" });
  app.parts.live = el("div", { class: "unseen", "aria-live": "polite", role: "status" });
  app.help = helpDialog();
  app.views = app.graphs.map((_, at) => new View(app, at));
  const views = el("div", { class: "views", "data-views": app.views.length }, app.views.map((view) => view.element));
  document.body.append(
    header(app),
    el("main", {}, el("div", { class: "picture" }, views, app.parts.legend), el("aside", { "aria-label": "Details and settings" }, tabs, ...bodies)),
    el("p", { id: "keys", class: "unseen" }, "Keys: arrows move, plus and minus magnify, n chooses the next vertex, e the next edge, question mark lists all keys."),
    app.parts.live,
    app.help,
  );
}

function moveTab(app, tabs, event) {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const open = [...tabs.children].filter((tab) => !tab.hidden);
  const next = open[(open.indexOf(document.activeElement) + step + open.length) % open.length];
  next.focus();
  next.click();
}

function header(app) {
  const results = el("ul", { id: "results", role: "listbox", "aria-label": "Found", hidden: true });
  const box = el("input", {
    type: "search",
    placeholder: "Search: 12, e12, v12, 3 > 12, a layer",
    role: "combobox",
    "aria-label": "Search for an id, a pair of vertices, or a layer",
    "aria-expanded": "false",
    "aria-controls": "results",
    autocomplete: "off",
  });
  app.searchBox = box;
  searching(app, box, results);
  const button = (words, label, action) => el("button", { "aria-label": label, title: label, onclick: action }, words);
  return el(
    "header",
    {},
    el("h1", {}, app.title),
    el("div", { class: "search" }, box, results),
    el(
      "div",
      { class: "row" },
      button("−", "Reduce", () => app.views.forEach((view, at) => (at === 0 || !app.state.together) && view.zoomBy(1 / 1.4))),
      button("+", "Magnify", () => app.views.forEach((view, at) => (at === 0 || !app.state.together) && view.zoomBy(1.4))),
      button("Whole graph", "Show the whole graph", () => app.views.forEach((view) => view.fit())),
      button("◐", "Dark or light", () => app.switchTheme()),
      button("?", "Keys and search", () => app.help.showModal()),
    ),
  );
}

function searching(app, box, results) {
  let [found, at] = [[], -1];
  const close = () => {
    results.hidden = true;
    box.setAttribute("aria-expanded", "false");
    box.removeAttribute("aria-activedescendant");
  };
  const choose = (item) => {
    close();
    app.select(item, { go: true });
  };
  const mark = (next) => {
    at = next;
    [...results.children].forEach((row, place) => row.setAttribute("aria-selected", String(place === at)));
    if (at >= 0) box.setAttribute("aria-activedescendant", `found-${at}`);
  };
  box.addEventListener("input", () => {
    found = search(app.graphs, box.value);
    results.replaceChildren(
      ...found.map((item, place) =>
        el("li", { id: `found-${place}`, role: "option", "aria-selected": "false", onpointerdown: (event) => (event.preventDefault(), choose(item)) }, app.name(item), app.graphs.length > 1 ? el("span", { class: "quiet" }, ` in ${app.graphs[item.graph].name}`) : ""),
      ),
      ...(box.value.trim() && !found.length ? [el("li", { class: "quiet" }, "Nothing has this id or name.")] : []),
    );
    results.hidden = !results.children.length;
    box.setAttribute("aria-expanded", String(!results.hidden));
    mark(found.length ? 0 : -1);
  });
  box.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" && found.length) mark((at + 1) % found.length);
    else if (event.key === "ArrowUp" && found.length) mark((at - 1 + found.length) % found.length);
    else if (event.key === "Enter" && found[at]) choose(found[at]);
    else if (event.key === "Escape") close();
    else return;
    event.preventDefault();
  });
  box.addEventListener("blur", close);
}

const app = new App(JSON.parse(document.getElementById("payload").textContent));
build(app);
app.start();
app.select(null);
app.openPanel(matchMedia(NARROW).matches ? "details" : app.highlights ? "rule" : "controls");
listen(app);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", (event) => {
  if (event.matches !== app.theme.dark) app.switchTheme();
});
window.explorer = app;
