// A small curve of values over epochs.

import { format } from "./data.js";
import { el, svg } from "./dom.js";

const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [300, 96, 46, 8, 8, 18];

/** A curve with its name, its ends, and a text for readers that see no picture; null when no value is known. */
export function curve(name, epochs, values, birth) {
  const known = values.map((value, k) => [epochs[k], value]).filter(([, value]) => Number.isFinite(value));
  if (!known.length) return null;
  const numbers = known.map(([, value]) => value);
  let [low, high] = [Math.min(...numbers), Math.max(...numbers)];
  if (low === high) [low, high] = [low - Math.max(1e-6, Math.abs(low) * 0.1), high + Math.max(1e-6, Math.abs(high) * 0.1)];
  const [first, last] = [epochs[0], epochs[epochs.length - 1]];
  const x = (epoch) => LEFT + ((WIDTH - LEFT - RIGHT) * (epoch - first)) / Math.max(1, last - first);
  const y = (value) => HEIGHT - BOTTOM - ((HEIGHT - TOP - BOTTOM) * (value - low)) / (high - low);
  const [[start, from], [end, to]] = [known[0], known[known.length - 1]];
  const text = `${name}: ${format(from)} after epoch ${start}, ${format(to)} after epoch ${end}; between ${format(Math.min(...numbers))} and ${format(Math.max(...numbers))}.`;
  const picture = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": text, class: "curve" });
  const line = (x1, y1, x2, y2, kind) => svg("line", { x1, y1, x2, y2, class: kind });
  const word = (x, y, anchor, words) => svg("text", { x, y, "text-anchor": anchor }, words);
  picture.append(line(LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT, HEIGHT - BOTTOM, "axis"));
  if (low < 0 && high > 0) picture.append(line(LEFT, y(0), WIDTH - RIGHT, y(0), "zero"));
  if (birth !== null && birth >= first) picture.append(line(x(birth), TOP, x(birth), HEIGHT - BOTTOM, "birth"));
  picture.append(
    svg("polyline", { points: known.map(([epoch, value]) => `${x(epoch)},${y(value)}`).join(" "), class: "values" }),
    ...(known.length < 40 ? known.map(([epoch, value]) => svg("circle", { cx: x(epoch), cy: y(value), r: 2 })) : []),
    word(LEFT - 4, TOP + 6, "end", format(Number(high.toPrecision(3)))),
    word(LEFT - 4, HEIGHT - BOTTOM, "end", format(Number(low.toPrecision(3)))),
    word(LEFT, HEIGHT - 4, "start", `epoch ${first}`),
    word(WIDTH - RIGHT, HEIGHT - 4, "end", String(last)),
  );
  return el("figure", { class: "history" }, el("figcaption", {}, `${name} over epochs`), picture);
}
