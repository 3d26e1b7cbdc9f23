// Elements of the page.

/** Make an element. Properties that begin with "on" are listeners; "class", "for", "role" and "aria-*" are attributes. */
export function el(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return made;
}

const SVG = "http://www.w3.org/2000/svg";

/** Make an element of an SVG picture. */
export function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** A select element with its label. */
export function choice(label, options, value, changed) {
  const select = el("select", { onchange: (event) => changed(event.target.value) });
  for (const [key, text] of options) select.append(el("option", { value: key }, text));
  select.value = value;
  return el("label", { class: "field" }, el("span", {}, label), select);
}

/** A checkbox with its label. */
export function tick(label, value, changed) {
  const box = el("input", { type: "checkbox", onchange: (event) => changed(event.target.checked) });
  box.checked = value;
  return el("label", { class: "tick" }, box, el("span", {}, label));
}

/** Names and values in two columns. */
export function facts(rows) {
  return el(
    "dl",
    { class: "facts" },
    rows.map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]),
  );
}
