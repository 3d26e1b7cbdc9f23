"""Graphs that pictures are tried on, what their DOT says, and what an SVG shows where."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass

import numpy as np
from ported import as_stored

import netgraph as ng
from netgraph.graph import Graph, GraphBuilder, Pool, mlp
from netgraph.rewriting import Result

SVG = "{http://www.w3.org/2000/svg}"
NASTY = '<b>&amp;"\\N\n\x00 {x|y} --> </text>'


def residual() -> Graph:
    b = GraphBuilder(seed=1)
    b.input("image", 2, grid=(4, 4))
    b.layer("a", 3, grid=(4, 4), norm="batch")
    b.layer("b", 3, grid=(4, 4), pool=Pool("max", (4, 4)))
    b.output("y", 2)
    b.conv2d("image", "a", kernel=3, padding=1, density=0.5)
    b.conv2d("a", "b", kernel=3, padding=1)
    b.identity("a", "b", port=1)
    b.dense("b", "y")
    return as_stored(b)


def nasty() -> Graph:
    b = GraphBuilder()
    b.input(NASTY, 1)
    b.output("x" * 200, 1)
    b.layer("", 1)
    b.dense(NASTY, "x" * 200)
    return b.build()


def skips() -> Graph:
    b = GraphBuilder(seed=3)
    b.input("x", 4)
    for name, size in (("a", 5), ("b", 4), ("c", 3)):
        b.layer(name, size)
    b.output("y", 2)
    for source, target in ("xa", "ab", "bc", "cy", "xy", "ac"):
        b.dense(source, target)
    return b.build()


def transformer(
    blocks: int = 1, *, width: int = 4, tokens: int = 4, symbols: int = 5, heads: int = 2, gated: bool = False
) -> Graph:
    """A causal transformer that reads symbols and classifies by its last token; gated ones share keys and values."""
    b = GraphBuilder(seed=7)
    groups = 1 if gated else heads
    b.input("tokens", symbols, grid=(tokens,), encoding="index")
    b.positions("positions", (tokens,))
    last = b.layer("embedding", width, grid=(tokens,), activation="identity", bias=False)
    b.dense("tokens", last)
    b.dense("positions", last)
    for k in range(1, blocks + 1):
        last = _attention(b, f"block{k}", last, width, tokens, heads, groups)
        last = _mlp(b, f"block{k}", last, width, tokens, gated)
    b.layer("last", width, activation="identity", bias=False)
    b.place(last, "last", 1 - tokens)
    b.output("class", 3)
    b.dense("last", "class")
    return b.build()


def _attention(b: GraphBuilder, block: str, last: str, width: int, tokens: int, heads: int, groups: int) -> str:
    norm = b.layer(f"{block}-norm1", width, grid=(tokens,), norm="layer", activation="identity")
    b.identity(last, norm)
    shared = width * groups // heads
    for name, size in (("q", width), ("k", shared), ("v", shared)):
        b.dense(norm, b.layer(f"{block}-{name}", size, grid=(tokens,), activation="identity"))
    frequencies = (1.0,) * (width // heads // 2) if groups < heads else ()
    b.attend(f"{block}-heads", f"{block}-q", f"{block}-k", heads=heads, causal=True, frequencies=frequencies)
    b.mix(f"{block}-mix", f"{block}-heads", f"{block}-v", groups=groups)
    total = b.layer(f"{block}-attended", width, grid=(tokens,), activation="identity")
    b.dense(f"{block}-mix", total)
    b.identity(last, total)
    return total


def _mlp(b: GraphBuilder, block: str, last: str, width: int, tokens: int, gated: bool) -> str:
    norm = b.layer(f"{block}-norm2", width, grid=(tokens,), norm="layer", activation="identity")
    b.identity(last, norm)
    hidden = b.layer(f"{block}-hidden", 2 * width, grid=(tokens,), activation="silu" if gated else "gelu")
    b.dense(norm, hidden)
    if gated:
        b.dense(norm, b.layer(f"{block}-up", 2 * width, grid=(tokens,), activation="identity"))
        hidden = b.product(f"{block}-gated", hidden, f"{block}-up")
    total = b.layer(block, width, grid=(tokens,), activation="identity")
    b.dense(hidden, total)
    b.identity(last, total)
    return total


def two_ends() -> Graph:
    """Two inputs, two outputs, and a layer without links."""
    b = GraphBuilder(seed=5)
    b.input("left", 2)
    b.input("right", 3)
    b.layer("both", 4)
    b.layer("alone", 1)
    b.output("one", 2)
    b.output("two", 1)
    for source, target in (("left", "both"), ("right", "both"), ("both", "one"), ("both", "two"), ("right", "two")):
        b.dense(source, target)
    return b.build()


def unlinked() -> Graph:
    b = GraphBuilder()
    b.input("x", 3)
    b.output("y", 2)
    return b.build()


def ladder(layers: int, back: int) -> Graph:
    """Many small layers between input and output, each linked from the `back` before it."""
    b = GraphBuilder(seed=3)
    names = [b.layer(f"split-{i}", 3) for i in range(layers)]
    b.input("x", 16)
    b.output("y", 10)
    b.dense("x", "y")
    for i, name in enumerate(names):
        b.dense("x", name)
        b.dense(name, "y")
        for earlier in names[max(0, i - back) : i]:
            b.dense(earlier, name)
    return b.build()


def all_pairs(layers: int) -> Graph:
    b = GraphBuilder()
    names = [b.input("in", 1), *(b.layer(f"h{i}", 1) for i in range(layers - 2)), b.output("out", 1)]
    for i, source in enumerate(names):
        for target in names[i + 1 :]:
            b.dense(source, target)
    return b.build()


def split(sizes: list[int], limit: int | None = None, seed: int = 1) -> Result:
    """A rewrite of a small network by splits."""
    graph = mlp(sizes, domain=(0, 1), seed=seed)
    return ng.apply(ng.rules.SplitEdges(), graph, limit=limit, rng=1, probe=None)


# ---- what DOT says ------------------------------------------------------------------------------------


def arrow(dot: str, source: object, target: object) -> str:
    """The attributes of the only arrow between two names."""
    (found,) = re.findall(rf'"?{source}"? -> "?{target}"? \[(.*)\]', dot)
    return str(found)


def item(dot: str, name: str) -> str:
    """The attributes of the only item with a name."""
    (found,) = re.findall(rf'^\s*"{name}" \[(.*)\]$', dot, re.M)
    return str(found)


def attribute(attributes: str, name: str) -> str:
    found = re.search(rf'\b{name}=(?:"([^"]*)"|(\S+))', attributes)
    assert found is not None, f"{name} in {attributes}"
    return found[1] or found[2]


def inside(attributes: str) -> list[str]:
    """The lines of a label, without the blanks around them."""
    return [line.strip() for line in re.split(r"\\[nl]", attribute(attributes, "label")) if line.strip()]


def notes(dot: str) -> str:
    """The title and the legend of a picture of vertices."""
    return "\n".join(re.findall(r'^\s*"note \d+" \[label="(.*?)\\l"', dot, re.M))


def arrows(dot: str) -> int:
    return len(re.findall(" -> ", dot))


def edges_said(dot: str) -> int:
    """Sum of the numbers of edges at arrows, and in boxes that stand for layers left out."""
    lines = [line for line in dot.splitlines() if " -> " in line or line.startswith('\t"left out')]
    return sum(int(n.replace(",", "")) for line in lines for n in re.findall(r"([\d,]+) edge", line))


# ---- what an SVG shows ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Text:
    """A text of a picture, where it stands, and the title of what it belongs to."""

    text: str
    left: float
    right: float
    top: float
    bottom: float
    owner: str


def texts(svg: str) -> list[str]:
    """All texts, in their order."""
    return ["".join(e.itertext()) for e in ET.fromstring(svg).iter(f"{SVG}text")]


def said(svg: str) -> str:
    """All texts in one, without the blanks around them."""
    return "\n".join(text.strip(" \xa0") for text in texts(svg))


def view_box(svg: str) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of the picture, in the coordinates of its items."""
    root = ET.fromstring(svg)
    left, top, width, height = map(float, root.attrib["viewBox"].split())
    moved = re.search(r"translate\(([-\d.]+)[ ,]+([-\d.]+)\)", root[0].attrib["transform"])
    assert moved is not None
    x, y = float(moved[1]), float(moved[2])
    return left - x, top - y, left - x + width, top - y + height


def placed_texts(svg: str) -> list[Text]:
    """Texts with the room that a common font needs for them."""
    from netgraph.viz.text import text_width

    result = []
    for group in ET.fromstring(svg).iter(f"{SVG}g"):
        title = group.findtext(f"{SVG}title") or ""
        for e in [*group.findall(f"{SVG}text"), *group.findall(f"{SVG}g/{SVG}a/{SVG}text")]:
            size, x, y = float(e.attrib["font-size"]), float(e.attrib["x"]), float(e.attrib["y"])
            text = "".join(e.itertext()).strip(" \xa0")
            width = 0.85 * text_width(text, size)  # of what is reserved, what the common ones take
            left = {"start": x, "middle": x - width / 2, "end": x - width}[e.attrib["text-anchor"]]
            result.append(Text(text, left, left + width, y - 0.8 * size, y + 0.2 * size, title))
    return result


def circles(svg: str) -> dict[str, tuple[float, float, float]]:
    """Middle and radius of each vertex, by its title."""
    result = {}
    for title, group in groups(svg, "node"):
        ellipse = next(group.iter(f"{SVG}ellipse"), None)
        if ellipse is not None and title.startswith("vertex"):
            x, y, r = (float(ellipse.attrib[name]) for name in ("cx", "cy", "rx"))
            result[title] = (x, y, r)
    return result


def groups(svg: str, kind: str) -> list[tuple[str, ET.Element]]:
    """Items of a kind ("node" or "edge") with their titles, in the order of the picture."""
    found = [g for g in ET.fromstring(svg).iter(f"{SVG}g") if g.attrib.get("class") == kind]
    return [(g.findtext(f"{SVG}title") or "", g) for g in found]


def middle(group: ET.Element) -> tuple[float, float]:
    """Middle of all points of an item."""
    numbers: list[tuple[float, float]] = []
    for e in group.iter():
        data = f"{e.attrib.get('points', '')} {e.attrib.get('d', '')}"
        numbers += [(float(x), float(y)) for x, y in re.findall(r"(-?[\d.]+),(-?[\d.]+)", data)]
        if "cx" in e.attrib:
            numbers.append((float(e.attrib["cx"]), float(e.attrib["cy"])))
        elif e.tag == f"{SVG}text":
            numbers.append((float(e.attrib["x"]), float(e.attrib["y"])))
    x, y = (np.min(numbers, axis=0) + np.max(numbers, axis=0)) / 2
    return float(x), float(y)
