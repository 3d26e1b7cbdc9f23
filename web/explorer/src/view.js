// The drawing of one graph: a picture that moves at once, and is painted again in slices behind it.

import { select } from "d3-selection";
import { zoom, zoomIdentity } from "d3-zoom";
import { count, format } from "./data.js";
import { el } from "./dom.js";
import { drawLabels, drawSelection } from "./overlay.js";
import { painting } from "./paint.js";
import { pick } from "./pick.js";

const MARGIN = 0.15; // part of the window painted beyond each side, so that a small move shows no gap
const FRAME = 24; // milliseconds of a frame above which slices get smaller
const STILL = 120; // milliseconds after the last move from which on slices may be large

export class View {
  constructor(app, at) {
    this.app = app;
    this.at = at;
    this.graph = app.graphs[at];
    this.transform = zoomIdentity;
    this.front = null; // the last complete picture with its transform
    this.work = null; // the painting in progress
    this.slice = 12000; // edges between two frames, which follows the time that they take
    this.moved = -Infinity;
    this.frames = [];
    this.painted = 0; // number of complete pictures
    this.canvas = el("canvas", {
      tabindex: 0,
      role: "img",
      "aria-label": this.#label(),
      "aria-describedby": "keys",
      onpointermove: (event) => this.#hover(event),
      onpointerleave: () => this.#point(null),
      onclick: (event) => this.#click(event),
    });
    this.tip = el("div", { class: "tip", hidden: true, "aria-hidden": "true" });
    this.counts = el("span", { class: "counts" });
    const title = el("figcaption", {}, el("b", {}, this.graph.name), " ", this.counts);
    this.element = el("figure", { class: "view" }, title, el("div", { class: "stage" }, this.canvas, this.tip));
    this.context = this.canvas.getContext("2d");
    this.buffers = [document.createElement("canvas"), document.createElement("canvas")];
    this.zoom = zoom()
      .scaleExtent([1e-4, 1e4])
      .on("zoom", (event) => this.#zoomed(event));
    select(this.canvas).call(this.zoom).on("dblclick.zoom", null);
    new ResizeObserver(() => this.#resized()).observe(this.canvas.parentElement);
  }

  #label() {
    const { layers, vertices, edges, name } = this.graph;
    return (
      `Drawing of ${name}: ${count(layers.length, "layer")}, ${count(vertices.size, "vertex")}, ` +
      `${count(edges.size, "edge")}. Layers from left to right: ${layers.slice(0, 12).map((layer) => layer.facts.name).join(", ")}` +
      `${layers.length > 12 ? ", and more" : ""}.`
    );
  }

  #resized() {
    const { clientWidth: width, clientHeight: height } = this.canvas.parentElement;
    if (!width || !height || (width === this.width && height === this.height)) return;
    const fitted = !this.width || this.#isFitted();
    [this.width, this.height] = [width, height];
    this.ratio = Math.min(2, devicePixelRatio || 1);
    this.canvas.width = width * this.ratio;
    this.canvas.height = height * this.ratio;
    this.margin = { x: Math.round(width * MARGIN), y: Math.round(height * MARGIN) };
    for (const buffer of this.buffers) {
      buffer.width = (width + 2 * this.margin.x) * this.ratio;
      buffer.height = (height + 2 * this.margin.y) * this.ratio;
    }
    this.front = null;
    this.work = null;
    if (fitted) this.fit();
    else this.repaint();
  }

  #isFitted() {
    const fit = this.fitted;
    return fit && fit.k === this.transform.k && fit.x === this.transform.x && fit.y === this.transform.y;
  }

  /** Show the whole graph. */
  fit() {
    const box = this.app.box(this.at);
    const [wide, high] = [Math.max(box.x1 - box.x0, 1e-6), Math.max(box.y1 - box.y0, 1e-6)];
    const k = Math.min((this.width - 72) / wide, (this.height - 84) / high, 60);
    const [x, y] = [(this.width - k * (box.x0 + box.x1)) / 2, (this.height + 26 - k * (box.y0 + box.y1)) / 2];
    this.fitted = zoomIdentity.translate(x, y).scale(k);
    select(this.canvas).call(this.zoom.transform, this.fitted);
  }

  panBy(x, y) {
    select(this.canvas).call(this.zoom.translateBy, x / this.transform.k, y / this.transform.k);
  }

  zoomBy(factor) {
    select(this.canvas).call(this.zoom.scaleBy, factor);
  }

  /** Bring a place of the graph into the middle, magnified until `reach` (in units of the graph) fits. */
  goTo(x, y, reach) {
    const k = Math.max(this.transform.k, Math.min(this.width, this.height) / (2.4 * reach));
    const to = zoomIdentity.translate(this.width / 2 - k * x, this.height / 2 - k * y).scale(k);
    select(this.canvas).call(this.zoom.transform, to);
  }

  #zoomed(event) {
    this.transform = event.transform;
    this.moved = performance.now();
    this.#point(null);
    this.#wake();
    if (!this.following) this.app.follow(this);
  }

  /** Move as another view did: the same magnification and shift, each beside its own fit. */
  like(other) {
    if (!this.fitted || !other.fitted) return;
    const scale = other.transform.k / other.fitted.k;
    const k = scale * this.fitted.k;
    const x = other.transform.x - scale * other.fitted.x + scale * this.fitted.x;
    const y = other.transform.y - scale * other.fitted.y + scale * this.fitted.y;
    this.following = true;
    select(this.canvas).call(this.zoom.transform, zoomIdentity.translate(x, y).scale(k));
    this.following = false;
  }

  /** Paint again, because what is shown has changed. */
  repaint() {
    this.work = null;
    this.stale = true;
    this.counts.textContent = this.#counts();
    this.#wake();
  }

  /** Draw what lies on top anew. */
  repaintTop() {
    this.#wake();
  }

  /** Whether the picture is complete and at its place. */
  isStill() {
    return !this.awake && !this.work && !this.stale && this.#current(this.front);
  }

  #counts() {
    const { total } = this.app.shown[this.at];
    const all = this.graph.edges.size;
    const part = total === all ? count(all, "edge") : `${format(total)} of ${count(all, "edge")}`;
    return `${count(this.graph.layers.length, "layer")} · ${count(this.graph.vertices.size, "vertex")} · ${part}`;
  }

  #wake() {
    if (this.awake || !this.width) return;
    this.awake = true;
    requestAnimationFrame((now) => this.#frame(now));
  }

  #frame(now) {
    this.awake = false;
    const last = this.frames[this.frames.length - 1];
    this.frames.push(now);
    if (this.frames.length > 240) this.frames.shift();
    const moving = now - this.moved < STILL;
    if (last !== undefined && now - last < 500) {
      this.slice = now - last > FRAME ? Math.max(400, this.slice * 0.6) : Math.min(40000, this.slice * 1.15);
    }
    if (!this.work && (this.stale || !this.#current(this.front))) this.#begin();
    if (this.work && this.work.steps.next().done) this.#finish();
    this.#compose();
    if (this.work || moving || !this.#current(this.front)) this.#wake();
  }

  #current(picture) {
    const [a, b] = [picture && picture.transform, this.transform];
    return a && a.k === b.k && a.x === b.x && a.y === b.y;
  }

  #begin() {
    const buffer = this.buffers.find((one) => !this.front || one !== this.front.buffer);
    const scene = {
      graph: this.graph,
      shown: this.app.shown[this.at],
      marks: this.app.marks(this.at),
      theme: this.app.theme,
      vertexColors: { classes: this.app.vertexColors.classes, of: this.app.vertexColors.of[this.at] },
      margin: this.margin,
      size: { width: this.width + 2 * this.margin.x, height: this.height + 2 * this.margin.y, ratio: this.ratio },
    };
    const steps = painting(buffer.getContext("2d"), scene, this.transform, () => Math.round(this.slice));
    this.work = { buffer, transform: this.transform, steps };
    this.stale = false;
  }

  #finish() {
    this.front = this.work;
    this.work = null;
    this.painted += 1;
    if (this.painted === 1) this.app.opened();
  }

  /** Show the last picture, moved to the present place, and what is drawn anew in every frame on top. */
  #compose() {
    const { context, ratio } = this;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.fillStyle = this.app.theme.color("paper");
    context.fillRect(0, 0, this.width, this.height);
    const picture = this.front ?? this.work;
    if (picture) {
      const scale = this.transform.k / picture.transform.k;
      const x = this.transform.x - scale * (picture.transform.x + this.margin.x);
      const y = this.transform.y - scale * (picture.transform.y + this.margin.y);
      const [width, height] = [this.width + 2 * this.margin.x, this.height + 2 * this.margin.y];
      context.drawImage(picture.buffer, x, y, scale * width, scale * height);
    }
    const map = { k: this.transform.k, x: this.transform.x, y: this.transform.y, width: this.width, height: this.height };
    drawLabels(context, this, map);
    drawSelection(context, this, map);
  }

  #place(event) {
    const box = this.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  #find(event) {
    const [x, y] = this.#place(event);
    const reach = event.pointerType === "touch" ? 14 : 6;
    return pick(this.graph, this.app.shown[this.at], this.transform, x, y, reach);
  }

  #click(event) {
    const found = this.#find(event);
    this.app.select(found && { ...found, graph: this.at });
  }

  #hover(event) {
    if (event.pointerType === "touch" || event.buttons) return;
    this.pending = event;
    if (this.asked) return;
    this.asked = true;
    requestAnimationFrame(() => {
      this.asked = false;
      if (this.pending) this.#point(this.#find(this.pending), this.#place(this.pending));
    });
  }

  #point(item, place) {
    if (!item) this.pending = null;
    this.canvas.style.cursor = item ? "pointer" : "grab";
    this.tip.hidden = !item;
    if (!item) return;
    this.tip.textContent = this.app.name({ ...item, graph: this.at });
    this.tip.style.left = `${Math.min(place[0] + 14, this.width - 180)}px`;
    this.tip.style.top = `${Math.min(place[1] + 16, this.height - 40)}px`;
  }
}
