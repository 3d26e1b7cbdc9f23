// Player of the film in the JSON beside this script. `root` is the section with both; the player changes nothing else.
(function (root) {
  "use strict";
  const find = (selector) => root.querySelector(selector);
  const film = JSON.parse(find("script[type='application/json']").textContent);
  const final = film.steps.length - 1;
  const canvas = find("canvas"), pen = canvas.getContext("2d");
  const slider = find(".slide"), playButton = find(".play"), speed = find(".speed");
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const SVG = "http://www.w3.org/2000/svg";
  let step = 0, timer = 0, fade = 1, fading = 0, scene = null, scale = 1, ratio = 1, ink = {}, crests = new Map();

  // ---- data of the film ----

  function numbers(text, Kind) {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    return new Kind(bytes.buffer);
  }
  function unpack(columns, kinds) {
    if (columns) for (const [name, Kind] of Object.entries(kinds)) columns[name] = numbers(columns[name], Kind);
    return columns;
  }
  const vertices = unpack(film.vertices, { id: Float64Array, first: Uint8Array, last: Uint8Array, layer: Uint8Array });
  const edges = unpack(film.edges, {
    source: Uint16Array, target: Uint16Array, wire: Uint8Array, first: Uint8Array, last: Uint8Array,
    offset: Uint32Array, weights: Int8Array,
  });
  for (const own of film.scenes) {
    own.points = numbers(own.points, Uint16Array);
  }

  // Counts of a layer or link in a step: [all, new, removed in the next step].
  function at(changes, number) {
    let low = 0, high = changes.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (changes[middle][0] <= number) low = middle + 1; else high = middle;
    }
    return low ? changes[low - 1].slice(1) : [0, 0, 0];
  }
  // 0: does not exist, 1: stays, 2: new in this step, 3: removed in the next step.
  function state(things, row, number) {
    if (things.first[row] > number || things.last[row] < number) return 0;
    if (things.first[row] === number && number > 0) return 2;
    return things.last[row] === number && number < final ? 3 : 1;
  }
  const lines = film.wires ? ["edge or wire", "edges and wires"] : ["edge", "edges"];
  const spaced = (n) => n.toLocaleString("en-US");
  const counted = (n, one, many) => spaced(n) + " " + (n === 1 ? one : many);

  // ---- the picture ----

  function measure() {
    const width = canvas.parentElement.clientWidth;
    if (!width) return;
    scene = film.scenes[width < 530 ? 1 : 0];
    scale = width / scene.width;
    ratio = Math.min(window.devicePixelRatio || 1, 3);
    canvas.style.height = scene.height * scale + "px";
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(scene.height * scale * ratio);
    const style = getComputedStyle(root);
    ink = {};
    for (const name of ["paper", "ink", "quiet", "faint", "new", "going", "positive", "negative", "wire",
                        "input", "position", "hidden", "output",
                        "input-line", "position-line", "hidden-line", "output-line"])
      ink[name] = style.getPropertyValue("--" + name).trim();
    draw();
  }

  function draw() {
    if (!scene) return;
    pen.setTransform(ratio * scale, 0, 0, ratio * scale, 0, 0);
    pen.clearRect(0, 0, scene.width, scene.height);
    // A link bends when this step has a layer between its ends.
    const bent = scene.bows.filter((bow) => bow[3].some((place) => at(film.layers[place].changes, step)[0]));
    crests = new Map(bent.map(([a, b, crest]) => [a + " " + b, crest]));
    const drawn = edges ? drawVertices() : drawLayers();
    find(".drawn").textContent = drawn;
  }

  // Trace a line between two points. With a crest, its middle reaches the coordinate of the crest.
  function trace(x0, y0, x1, y1, crest) {
    pen.moveTo(x0, y0);
    if (crest === undefined) pen.lineTo(x1, y1);
    else if (scene.portrait) pen.quadraticCurveTo(2 * crest - (x0 + x1) / 2, (y0 + y1) / 2, x1, y1);
    else pen.quadraticCurveTo((x0 + x1) / 2, 2 * crest - (y0 + y1) / 2, x1, y1);
  }
  const size = (points) => Math.max(points, 11 / scale);
  function write(text, x, y, room, points, color, weight, turned) {
    pen.font = (weight || "normal") + " " + size(points) + "px system-ui, sans-serif";
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    let shown = text;
    while (shown.length > 1 && pen.measureText(shown).width > room) shown = shown.slice(0, -2).trimEnd() + "…";
    const wide = pen.measureText(shown).width;
    if (wide > room) return;
    if (!turned) x = Math.max(wide / 2 + 2, Math.min(scene.width - wide / 2 - 2, x));
    pen.strokeStyle = ink.paper; pen.lineWidth = size(points) / 4; pen.lineJoin = "round";
    pen.strokeText(shown, x, y);
    pen.fillStyle = color;
    pen.fillText(shown, x, y);
  }
  function frame(x, y, w, h, radius) {
    pen.beginPath();
    pen.roundRect(x - w / 2, y - h / 2, w, h, Math.min(radius, w / 2, h / 2));
  }

  // ---- vertices one by one ----

  const CHUNK = 120;
  function strokeAll(rows, color, alpha, width) {
    pen.strokeStyle = color; pen.globalAlpha = alpha; pen.lineWidth = width / scale;
    for (let from = 0; from < rows.length; from += CHUNK) {
      pen.beginPath();
      for (const row of rows.slice(from, from + CHUNK)) {
        const s = edges.source[row], t = edges.target[row], p = scene.points;
        trace(p[2 * s] / 8, p[2 * s + 1] / 8, p[2 * t] / 8, p[2 * t + 1] / 8,
          crests.get(vertices.layer[s] + " " + vertices.layer[t]));
      }
      pen.stroke();
    }
    pen.globalAlpha = 1;
  }

  // Rows of the edges that this step draws: kept ones (calm) by sign and strength, new ones, and ones removed next.
  function sorted() {
    const calm = { positive: [[], [], []], negative: [[], [], []], wire: [[]] }, fresh = [], going = [];
    let kept = 0, shown = 0;
    for (let row = 0; row < edges.first.length; row++) {
      const now = state(edges, row, step);
      if (!now) continue;
      if (now === 2) fresh.push(row);
      else if (now === 3) going.push(row);
      else {
        kept++;
        const stride = Math.floor((step - edges.first[row]) / edges.stride);
        const level = edges.weights[edges.offset[row] + stride], strength = Math.abs(level);
        if (edges.wire[row]) { calm.wire[0].push(row); shown++; }
        else if (strength >= film.threshold[step]) {
          calm[level < 0 ? "negative" : "positive"][strength < 42 ? 0 : strength < 84 ? 1 : 2].push(row);
          shown++;
        }
      }
    }
    return { calm, fresh, going, kept, shown };
  }

  function drawVertices() {
    const { calm, fresh, going, kept, shown } = sorted();
    // The opacity of a line falls with the number of lines.
    const among = (n, enough) => enough / (n + enough), base = Math.min(0.6, among(shown, 350));
    strokeAll(calm.wire[0], ink.wire, base, 0.8);
    for (const strength of [0, 1, 2])
      for (const sign of ["negative", "positive"])
        strokeAll(calm[sign][strength], ink[sign], Math.min(1, base * (0.6 + 0.6 * strength)), 0.6 + 0.5 * strength);
    strokeAll(going, ink.going, Math.max(0.2, 0.9 * among(going.length, 300)), 1);
    strokeAll(fresh, ink.new, Math.max(0.05, 0.9 * among(fresh.length, 300)) * fade, 1);
    film.layers.forEach((layer, place) => drawFrame(layer, place));
    drawDots();
    const all = kept + fresh.length + going.length;
    const rest = kept > shown ? `; ${spaced(kept - shown)} with smaller weights are left out` : "";
    return `Drawn: ${spaced(shown + fresh.length + going.length)} of ${spaced(all)} ${lines[1]}${rest}.`;
  }
  function drawFrame(layer, place) {
    const [all, added] = at(layer.changes, step);
    if (!all) return;
    const [x, y, w, h] = scene.boxes[place];
    const color = added === all && step > 0 ? ink.new : ink[layer.role + "-line"];
    frame(x, y, w + 8, h + 8, 6);
    pen.strokeStyle = color; pen.lineWidth = 1 / scale; pen.globalAlpha = 0.6; pen.stroke(); pen.globalAlpha = 1;
    const above = y - h / 2 - 14;
    write(`${layer.name} · ${spaced(all)}`, x, above, scene.rooms[place], 13, ink.ink);
  }
  function drawDots() {
    const r = scene.radius, p = scene.points;
    pen.lineWidth = Math.min(2, Math.max(0.8, r / 4));
    for (let row = 0; row < vertices.first.length; row++) {
      const now = state(vertices, row, step);
      if (!now) continue;
      const x = p[2 * row] / 8, y = p[2 * row + 1] / 8, role = film.layers[vertices.layer[row]].role;
      pen.beginPath(); pen.arc(x, y, now === 1 ? r : r * 1.15, 0, 2 * Math.PI);
      pen.fillStyle = now === 2 ? ink.new : now === 3 ? ink.going : ink[role];
      pen.globalAlpha = now === 2 ? fade : 1;
      pen.fill();
      pen.strokeStyle = now === 2 ? ink.new : now === 3 ? ink.going : ink[role + "-line"];
      pen.stroke();
      if (now === 3) { // a cross marks the difference without colour, too
        pen.beginPath(); pen.moveTo(x - 1.9 * r, y - 1.9 * r); pen.lineTo(x + 1.9 * r, y + 1.9 * r);
        pen.moveTo(x - 1.9 * r, y + 1.9 * r); pen.lineTo(x + 1.9 * r, y - 1.9 * r); pen.stroke();
      }
    }
    pen.globalAlpha = 1;
  }

  // ---- layers as boxes ----

  // Box of a layer in this step: centre, width and height.
  function box(place, all) {
    const [x, y, w, h] = scene.boxes[place], length = scene.base + scene.unit * Math.log2(1 + all);
    return scene.portrait ? [x, y, length, h] : [x, y, w, length];
  }
  function drawLayers() {
    const counts = film.layers.map((layer) => at(layer.changes, step));
    const labels = film.links.map((link) => drawLink(link, counts)).filter(Boolean);
    film.layers.forEach((layer, place) => drawBox(layer, place, counts[place]));
    for (const [text, x, y, color] of labels) write(text, x, y, 200, 11.5, color);
    return "";
  }
  function drawLink(link, counts) {
    const [all, added, going] = at(link.changes, step), [a, b] = link.ends;
    if (!all || !counts[a][0] || !counts[b][0]) return null;
    const [ax, ay, aw, ah] = box(a, counts[a][0]), [bx, by, bw, bh] = box(b, counts[b][0]);
    const crest = crests.get(a + " " + b), upright = scene.portrait;
    const [x0, y0, x1, y1] = upright ? [ax, ay + ah / 2, bx, by - bh / 2] : [ax + aw / 2, ay, bx - bw / 2, by];
    const thick = Math.min(1.2 + 2.2 * Math.log10(1 + all), 20), kept = Math.max(0, all - added - going);
    // Kept, new and leaving edges are lines side by side.
    const least = (n) => (n ? Math.max(2, thick * n / all) : 0);
    const strands = [[least(kept), ink.wire, 0.8], [least(added), ink.new, fade], [least(going), ink.going, 1]];
    let from = -strands.reduce((sum, strand) => sum + strand[0], 0) / 2;
    for (const [width, color, alpha] of strands) {
      const shift = from + width / 2, [dx, dy] = upright ? [shift, 0] : [0, shift];
      from += width;
      if (!width) continue;
      pen.beginPath();
      trace(x0 + dx, y0 + dy, x1 + dx, y1 + dy, crest === undefined ? undefined : crest + shift);
      pen.strokeStyle = color; pen.globalAlpha = alpha; pen.lineWidth = width; pen.stroke(); pen.globalAlpha = 1;
    }
    if (film.links.length > 40) return null;
    const gain = added === all && step ? " new" : added ? `  +${spaced(added)}` : "";
    const text = spaced(all) + (link.wires ? " wires" : "") + gain + (going ? `  −${spaced(going)}` : "");
    const color = added ? ink.new : going ? ink.going : ink.quiet;
    let x = (x0 + x1) / 2, y = (y0 + y1) / 2 - (upright ? 0 : thick / 2 + 9);
    if (crest !== undefined) upright ? (x = crest) : (y = crest - thick / 2 - 9);
    const gap = upright ? 400 : x1 - x0;
    return gap < 60 && crest === undefined ? null : [text, x, y, color];
  }
  function drawBox(layer, place, [all, added, going]) {
    if (!all) return;
    const [x, y, w, h] = box(place, all), fresh = added === all && step > 0, leaving = going === all;
    frame(x, y, w, h, 8);
    pen.fillStyle = ink.paper; pen.fill();
    pen.fillStyle = ink[layer.role]; pen.fill();
    pen.strokeStyle = fresh || added ? ink.new : leaving || going ? ink.going : ink[layer.role + "-line"];
    pen.lineWidth = added || going ? 2.6 : 1.2;
    if (going && !added) pen.setLineDash([6, 4]);
    pen.stroke(); pen.setLineDash([]);
    const change = added && !fresh ? ` +${spaced(added)}` : going ? ` −${spaced(going)}` : "";
    const color = added ? ink.new : going ? ink.going : ink.quiet;
    const whole = `${layer.name} · ${spaced(all)}${change}`;
    if ((scene.portrait || w >= 64) && h < 34) {
      if (h >= 14) write(whole, x, y, w - 8, 11, ink.ink);
    } else if (scene.portrait || w >= 64) {
      write(layer.name, x, y - size(12) * 0.65, w - 8, 12.5, ink.ink, "bold");
      write(spaced(all) + change, x, y + size(12) * 0.65, w - 8, 12, color);
    } else if (w >= 13) {
      pen.save();
      pen.translate(x, y); pen.rotate(-Math.PI / 2);
      write(whole, 0, 0, h - 8, 11, ink.ink, "normal", true);
      pen.restore();
    }
  }

  // ---- words, slider and spark line ----

  function say() {
    const said = film.steps[step];
    find(".heading").textContent = said.heading;
    const list = find("dl");
    list.replaceChildren();
    for (const [name, value] of said.facts)
      for (const [tag, text] of [["dt", name], ["dd", value]])
        list.appendChild(document.createElement(tag)).textContent = text;
    const counts = [counted(said.edges, "edge", "edges"), counted(said.vertices, "vertex", "vertices"),
                    counted(said.layers, "layer", "layers")].join(", ");
    find(".counts").textContent = counts;
    find(".at").textContent = `Step ${step} of ${final}`;
    canvas.setAttribute("aria-label", `The network at step ${step}: ${counts}. ${said.heading}.`);
    slider.setAttribute("aria-valuetext", `Step ${step} of ${final}: ${said.heading}`);
    const sum = (things, which) => things.reduce((total, thing) => total + at(thing.changes, step)[which], 0);
    for (const [name, which] of [["new", 1], ["going", 2]])
      find(`.legend .${name} b`).textContent =
        counted(sum(film.links, which), ...lines) + ", " + counted(sum(film.layers, which), "vertex", "vertices");
  }
  function spark() {
    const svg = find(".spark"), most = Math.max(...film.steps.map((s) => s.edges), 1);
    const x = (k) => (final ? (100 * k) / final : 50), y = (n) => 26 - (23 * n) / most;
    const line = film.steps.map((s, k) => `${k ? "L" : "M"}${x(k).toFixed(2)} ${y(s.edges).toFixed(2)}`).join("");
    const add = (name, d) => {
      const path = svg.appendChild(document.createElementNS(SVG, "path"));
      path.setAttribute("class", name);
      path.setAttribute("d", d);
      return path;
    };
    add("area", `${line}L${x(final)} 28L${x(0)} 28Z`);
    add("line", line);
    const here = add("here", "M0 0");
    svg.addEventListener("pointerdown", (event) => {
      const area = svg.getBoundingClientRect();
      stop();
      show(Math.round((final * (event.clientX - area.left)) / area.width));
    });
    return () => here.setAttribute("d", `M${x(step)} 0V28`);
  }
  const moveSpark = spark();

  function show(number) {
    step = Math.max(0, Math.min(final, number));
    slider.value = step;
    cancelAnimationFrame(fading);
    const changed = edges ? film.steps[step].fresh : 0;
    fade = 1;
    if (timer && !still.matches && changed < 3000) {
      const start = performance.now(), last = Math.min(220, delay() / 2);
      const brighten = (now) => {
        fade = Math.max(0.15, Math.min(1, (now - start) / last));
        draw();
        if (fade < 1) fading = requestAnimationFrame(brighten);
      };
      fade = 0.15;
      fading = requestAnimationFrame(brighten);
    }
    draw();
    say();
    moveSpark();
    find(".back").disabled = step === 0;
    find(".next").disabled = step === final;
  }
  const delay = () => 1000 / Number(speed.value);
  function stop() {
    clearTimeout(timer);
    timer = 0;
    playButton.setAttribute("aria-label", "Play");
    playButton.classList.remove("playing");
    find(".caption").setAttribute("aria-live", "polite");
  }
  function play() {
    if (!final) return;
    find(".caption").setAttribute("aria-live", "off"); // a reader cannot keep up with a film
    playButton.setAttribute("aria-label", "Pause");
    playButton.classList.add("playing");
    const tick = () => {
      timer = setTimeout(tick, delay());
      if (step < final) show(step + 1);
      if (step === final) stop();
    };
    timer = setTimeout(tick, delay());
    if (step === final) show(0);
  }
  const toggle = () => (timer ? stop() : play());

  // ---- keys, pointer and buttons ----

  function pressed(event) {
    const tag = event.target.tagName;
    if (event.ctrlKey || event.metaKey || event.altKey || tag === "SELECT") return;
    const own = { ArrowRight: step + 1, ArrowLeft: step - 1, Home: 0, End: final };
    if (event.key === " " && tag !== "BUTTON") toggle();
    else if (event.key in own && tag !== "INPUT") { stop(); show(own[event.key]); }
    else return;
    event.preventDefault();
  }
  (root.hasAttribute("data-alone") ? document : root).addEventListener("keydown", pressed);
  // The tooltip shows the full name of a layer, which the picture may shorten.
  canvas.addEventListener("pointermove", (event) => {
    const area = canvas.getBoundingClientRect();
    const x = (event.clientX - area.left) / scale, y = (event.clientY - area.top) / scale;
    const inside = ([a, b, w, h]) => Math.abs(x - a) < w / 2 + 4 && Math.abs(y - b) < h / 2 + 4;
    const place = scene.boxes.findIndex((own, k) => at(film.layers[k].changes, step)[0] && inside(own));
    const layer = film.layers[place];
    canvas.title = layer ? `${layer.full}: ${counted(at(layer.changes, step)[0], "vertex", "vertices")}` : "";
  });
  slider.addEventListener("input", () => { stop(); show(Number(slider.value)); });
  playButton.addEventListener("click", toggle);
  find(".back").addEventListener("click", () => { stop(); show(step - 1); });
  find(".next").addEventListener("click", () => { stop(); show(step + 1); });
  const dark = matchMedia("(prefers-color-scheme: dark)"), observer = new ResizeObserver(measure);
  dark.addEventListener("change", measure);
  observer.observe(canvas.parentElement);

  // For pages that remove a film: its listeners would keep it in memory.
  function close() {
    stop();
    cancelAnimationFrame(fading);
    dark.removeEventListener("change", measure);
    observer.disconnect();
  }

  // State of the picture, for tests and for pages with a film. Positions are in units of the scene.
  function inspect() {
    const points = {}, tally = [0, 0, 0, 0];
    if (edges) {
      for (let row = 0; row < vertices.first.length; row++) {
        const now = state(vertices, row, step);
        if (now) points[vertices.id[row]] = [scene.points[2 * row] / 8, scene.points[2 * row + 1] / 8, now];
      }
      for (let row = 0; row < edges.first.length; row++) tally[state(edges, row, step)]++;
    }
    const boxes = film.layers.map((layer, place) => [layer.name, ...scene.boxes[place], ...at(layer.changes, step)]);
    return { step, final, playing: timer !== 0, portrait: scene.portrait, points, edges: tally.slice(1), boxes };
  }
  root.film = { show, play, stop, inspect, close };
  slider.max = final;
  root.classList.toggle("single", !final);
  speed.value = final <= 12 ? "1" : final <= 60 ? "2" : final <= 120 ? "4" : "8";
  show(0);
  measure();
})(document.currentScript.parentElement);
