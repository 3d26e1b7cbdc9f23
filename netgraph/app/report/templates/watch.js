"use strict";
(() => {
  const main = document.getElementById("main");
  const live = document.getElementById("live");
  const contents = document.getElementById("contents");
  let version = "";

  function say(text) {
    if (live.textContent !== text) live.textContent = text;
  }

  // Files do not show whether a run still trains; the time of their last change is the best hint.
  function tell(changed) {
    const age = document.querySelector("#head .age");
    if (!age) return;
    const seconds = Math.max(0, Math.round(Date.now() / 1000 - changed)), minutes = Math.round(seconds / 60);
    const text = minutes < 2 ? `Last change ${seconds} s ago.`
      : `Nothing has changed for ${minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`}; if it was `
        + "interrupted, the command with --resume under “Make it again” goes on with it.";
    if (age.textContent !== text) age.textContent = text;
  }

  async function get(path) {
    const answer = await fetch(path, { cache: "no-store" });
    if (!answer.ok) throw new Error(path);
    return answer.json();
  }

  function keyed(root) {
    return [...root.querySelectorAll("[data-key]")];
  }

  // State that a person gave to elements of a section: opened, scrolled, focused.
  function remembered(root) {
    const focused = document.activeElement && document.activeElement.closest("[data-key]");
    return new Map(keyed(root).map((e) => [e.dataset.key, {
      open: e.open, left: e.scrollLeft, top: e.scrollTop, focused: e === focused,
    }]));
  }

  function restore(root, states) {
    for (const e of keyed(root)) {
      const state = states.get(e.dataset.key);
      if (!state) continue;
      if ("open" in e) e.open = state.open;
      e.scrollLeft = state.left;
      e.scrollTop = state.top;
      if (state.focused) (e.querySelector(":scope > summary") || e).focus({ preventScroll: true });
    }
  }

  function closed(root) {
    for (const e of root.querySelectorAll(".netgraph-timeline")) if (e.film) e.film.close();
    return root;
  }

  function fill(section, part) {
    const content = section.querySelector(".content");
    const states = remembered(content);
    const steps = [...content.querySelectorAll("input[type=range]")].map((e) => [e.value, e.value === e.max]);
    closed(content).innerHTML = part.html;
    // Browsers do not run scripts inserted as text, but run copies of them.
    for (const old of content.querySelectorAll("script")) {
      const script = document.createElement("script");
      for (const { name, value } of old.attributes) script.setAttribute(name, value);
      script.textContent = old.textContent;
      old.replaceWith(script);
    }
    section.dataset.digest = part.digest;
    restore(content, states);
    // Restore the step of a film; a film at its end moves to its new end.
    content.querySelectorAll("input[type=range]").forEach((e, at) => {
      const [value, ended] = steps[at] || ["0", false];
      if (value === "0") return;
      e.value = ended ? e.max : value;
      e.dispatchEvent(new Event("input", { bubbles: true }));
    });
  }

  function made(key, title) {
    const section = document.createElement("section");
    section.id = key;
    if (title) {
      const heading = document.createElement("h2");
      heading.id = `${key}-title`;
      heading.textContent = title;
      section.setAttribute("aria-labelledby", heading.id);
      section.append(heading);
    }
    const content = document.createElement("div");
    content.className = "content";
    section.append(content);
    return section;
  }

  function list(sections) {
    const shown = sections.filter(([, title]) => title);
    if (shown.map(([key]) => key).join() === [...contents.children].map((e) => e.dataset.of).join()) return;
    contents.replaceChildren(...shown.map(([key, title]) => {
      const item = document.createElement("li");
      const link = document.createElement("a");
      item.dataset.of = key;
      link.href = `#${key}`;
      link.textContent = title;
      item.append(link);
      return item;
    }));
  }

  async function update(state) {
    const fresh = new Map();
    for (const [key, , digest] of state.sections) {
      const old = document.getElementById(key);
      if (!old || old.dataset.digest !== digest) fresh.set(key, await get(`/section/${key}`));
    }
    // The visible part keeps its place on the screen, even when sections above it grow.
    const anchor = [...main.children].find((e) => e.getBoundingClientRect().bottom > 0);
    const before = anchor && anchor.getBoundingClientRect().top;
    const keys = new Set(state.sections.map(([key]) => key));
    for (const section of [...main.children]) if (!keys.has(section.id)) closed(section).remove();
    let last = null;
    for (const [key, title] of state.sections) {
      const section = document.getElementById(key) || made(key, title);
      const place = last ? last.nextSibling : main.firstChild;
      if (section !== place) main.insertBefore(section, place);
      if (fresh.has(key)) fill(section, fresh.get(key));
      last = section;
    }
    list(state.sections);
    document.title = state.title;
    if (window.scrollY > 0 && anchor && anchor.isConnected) {
      window.scrollBy({ top: anchor.getBoundingClientRect().top - before, behavior: "instant" });
    }
  }

  async function poll() {
    try {
      const state = await get("/state");
      if (state.version !== version) await update(state);
      version = state.version;
      tell(state.changed);
      say("Live: this page follows the run by itself.");
    } catch {
      say("No answer from netgraph watch: this page shows what was there last. Start it again to go on.");
    }
    setTimeout(poll, document.hidden ? 5000 : 1000);
  }

  poll();
})();
