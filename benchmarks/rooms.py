"""Packages of the product ("rooms"), the imports between them, and the imports in the wrong direction.

python -m benchmarks.rooms                          a table of this checkout
python -m benchmarks.rooms --out rooms.svg          and a picture
python -m benchmarks.rooms --root OTHER_CHECKOUT    of another one, to compare

A room is a folder of modules, or a module that lies at the top of the product. Modules beside the folders inside of a
room are rooms on several floors where those folders stand between them. An arrow counts the names that one room
takes from another, wherever they were imported from: at the start, inside of functions (local), for type checkers alone
(typing). A room stands a floor above all that it uses. Where rooms use each other in a circle, the fewest arrows that
would break it count as running back up.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import networkx as nx
from graphviz import Digraph

from benchmarks.imports import PRODUCT, Arrow, Checkout, When, read_imports
from netgraph.viz import render_svg

ROOT = Path(__file__).parents[1]
USERS = ("benchmarks", "examples", "tests")
"""Folders outside of the product; only their imports that bypass a facade are counted."""

Way = tuple[str, str]
"""Pair of the importing room and the imported room."""

KINDS: tuple[When, ...] = ("start", "local", "typing")


@dataclass(frozen=True)
class House:
    """Rooms and arrows of a checkout.

    Attributes:
        rooms: modules of each room.
        lines: lines of each module.
        arrows: number of names by way, and by when they are imported.
        bypasses: number of names of the product that bypass a facade, by the module that they are taken from.
        users: the same number for the folders outside of the product.
    """

    rooms: Mapping[str, Sequence[str]]
    lines: Mapping[str, int]
    arrows: Mapping[Way, Mapping[When, int]]
    bypasses: Mapping[str, int]
    users: Mapping[str, int] = field(default_factory=dict)

    @property
    def names(self) -> int:
        """Number of names that one room imports from another."""
        return sum(sum(counts.values()) for counts in self.arrows.values())

    @cached_property
    def circles(self) -> list[list[str]]:
        """Groups of rooms that use each other, directly or through other rooms."""
        found = nx.strongly_connected_components(self._graph)
        return sorted((sorted(rooms) for rooms in found if len(rooms) > 1), key=lambda rooms: (-len(rooms), rooms))

    @cached_property
    def back(self) -> list[Way]:
        """Arrows in the wrong direction: the fewest, then thinnest, whose removal breaks all circles (by a search)."""
        found = []
        for rooms in self.circles:
            place = {room: i for i, room in enumerate(self._ordered(rooms))}
            found += [way for way in self.arrows if place.keys() >= {*way} and place[way[0]] < place[way[1]]]
        return sorted(found)

    @cached_property
    def floors(self) -> list[list[str]]:
        """Rooms by floor, the lowest first; rooms of the lowest floor use no others."""
        return [sorted(floor) for floor in nx.topological_generations(self.downward.reverse())]

    @cached_property
    def downward(self) -> nx.DiGraph:
        """Graph of the arrows without those in the wrong direction."""
        graph = self._graph.copy()
        graph.remove_edges_from(self.back)
        return graph

    @cached_property
    def _graph(self) -> nx.DiGraph:
        graph = nx.DiGraph()
        graph.add_nodes_from(sorted(self.rooms))
        graph.add_edges_from(sorted(self.arrows))
        return graph

    def _ordered(self, rooms: Sequence[str]) -> list[str]:
        """Order rooms so that few arrows run up: move each to its best place until nothing improves."""
        inside = {way: sum(self.arrows[way].values()) for way in self.arrows if {*way} <= {*rooms}}
        order = sorted(rooms, key=lambda room: sum(way[0] == room for way in inside))

        def cost(order: Sequence[str]) -> tuple[int, int]:
            place = {room: i for i, room in enumerate(order)}
            up = [size for way, size in inside.items() if place[way[0]] < place[way[1]]]
            return len(up), sum(up)

        best = cost(order)
        while True:
            moves = []
            for room in order:
                others = [other for other in order if other != room]
                moves += [[*others[:i], room, *others[i:]] for i in range(len(order))]
            better = min(moves, key=cost)
            if cost(better) >= best:
                return order
            order, best = better, cost(better)


def house(root: Path = ROOT) -> House:
    """Read a checkout."""
    checkout = Checkout(root)
    found = list(checkout.arrows())
    home = rooms_of(checkout, found)
    rooms: defaultdict[str, list[str]] = defaultdict(list)
    for module, room in home.items():
        rooms[room].append(module)
    arrows: defaultdict[Way, Counter[When]] = defaultdict(Counter)
    bypasses: Counter[str] = Counter()
    for arrow in found:
        way = home[arrow.source], home[arrow.target]
        if way[0] != way[1]:
            arrows[way][arrow.given.when] += 1
        bypasses[arrow.reached] += arrow.bypass
    used = {room for way in arrows for room in way}
    bare = [room for room in rooms if rooms[room] == [room] and room not in used and checkout.is_package(room)]
    for room in bare:  # a facade before rooms of its own
        del rooms[room]
    lines = {module: path.read_text(encoding="utf-8").count("\n") for module, path in checkout.files.items()}
    users = {user: _bypasses_of(checkout, root / user) for user in USERS}
    return House(dict(rooms), lines, dict(arrows), +bypasses, users)


def rooms_of(checkout: Checkout, arrows: Sequence[Arrow]) -> dict[str, str]:
    """Find the room of every module."""
    home = {m: m if m.count(".") == 1 else checkout.package(m) for m in checkout.files}
    ways = {(arrow.source, arrow.target) for arrow in arrows}
    for room in {*home.values()}:
        if any(other.startswith(f"{room}.") for other in home.values()):
            for module, floor in _floors_inside(room, home, ways).items():
                home[module] = f"{room} ({floor + 1})" if floor else room
    return home


def _floors_inside(room: str, home: Mapping[str, str], ways: Iterable[tuple[str, str]]) -> dict[str, int]:
    """Floors of the modules of a room that has folders; a folder is above the modules that it uses."""
    place = {m: m if home[m] == room else f"{room}.{m.removeprefix(room).split('.')[1]}/"
             for m in home if m.startswith(f"{room}.")}  # fmt: skip
    use = nx.DiGraph((place[a], place[b]) for a, b in ways if a in place and b in place and place[a] != place[b])
    circles = nx.condensation(use)
    floors: dict[int, int] = {}
    for circle in reversed(list(nx.topological_sort(circles))):
        folder = any(name.endswith("/") for name in circles.nodes[circle]["members"])
        below = [(floors[c], circles.nodes[c]["members"]) for c in circles[circle]]
        step = [folder and any(not name.endswith("/") for name in members) for _floor, members in below]
        floors[circle] = max((floor + up for (floor, _), up in zip(below, step, strict=True)), default=0)
    found = {name: floors[circle] for name, circle in circles.graph["mapping"].items()}
    return {name: floor for name, floor in found.items() if home.get(name) == room}


def _bypasses_of(checkout: Checkout, folder: Path) -> int:
    """Count the names that files of a folder outside of the product import past facades."""
    return sum(
        arrow.bypass
        for path in sorted(folder.rglob("*.py"))
        for arrow in checkout.arrows_of(folder.name, read_imports(path))
    )


# -- the linter ---------------------------------------------------------------------------------------------

HEAD = """\
# Modules that others import by the package above them, for the rule TID251 of ruff. Written by
# `python -m benchmarks.rooms --facades`. Left out are modules of the name of something that their package exports.

[lint.flake8-tidy-imports.banned-api]
"""


def banned(root: Path = ROOT) -> str:
    """Make the text of `facades.toml`."""
    checkout = Checkout(root)
    lines = []
    for module in sorted(checkout.files):
        package, _, name = module.rpartition(".")
        if not checkout.is_facade(module) and name not in checkout.listed(package):
            lines.append(f'"{module}".msg = "import its names from {package}"\n')
    return HEAD + "".join(lines)


# -- text -----------------------------------------------------------------------------------------------


def text(house: House) -> str:
    """Make the table of rooms and arrows as text."""
    files, size = len(house.lines), sum(house.lines.values())
    lines = [
        f"{len(house.rooms)} rooms on {len(house.floors)} floors: {files} files, {size:,} lines",
        f"{len(house.arrows)} arrows with {house.names:,} names, "
        + ", ".join(f"{sum(c[kind] for c in house.arrows.values()):,} {kind}" for kind in KINDS),
        f"{len(house.back)} arrows run back up" + "".join(f"\n    {_way(house, way)}" for way in house.back),
        f"{len(house.circles)} circles between rooms" + "".join(f"\n    {', '.join(c)}" for c in house.circles),
        f"{sum(house.bypasses.values())} names of the product bypass a facade",
        *(f"    {count:4} {module}" for module, count in _largest(house.bypasses)),
        *(f"{count} names of {user} bypass a facade" for user, count in house.users.items()),
        "",
    ]
    for number, floor in reversed(list(enumerate(house.floors))):
        lines.append(f"floor {number}")
        for room in floor:
            lines.append(f"  {room}: {_size(house, room)}")
            lines += [f"    {_way(house, way)}" for way in sorted(house.arrows) if way[0] == room]
    return "\n".join(lines) + "\n"


def _largest(counts: Mapping[str, int]) -> Iterable[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _way(house: House, way: Way) -> str:
    parts = [f"{count} {kind}" for kind in KINDS if (count := house.arrows[way][kind])]
    return f"{way[0]} -> {way[1]}: {', '.join(parts)}"


def _size(house: House, room: str) -> str:
    modules = house.rooms[room]
    return f"{len(modules)} file{'s' * (len(modules) > 1)}, {sum(house.lines[m] for m in modules):,} lines"


# -- picture --------------------------------------------------------------------------------------------

UP, PLAIN = "#a8162a", "#57606a"


def picture(house: House) -> str:
    """Draw an SVG: rooms on their floors, arrows with their number of names, red in the wrong direction.

    An arrow between rooms that are also joined through other rooms is shown in the table only, as there are too many.
    """
    dot = Digraph(graph_attr={"ranksep": "0.5", "nodesep": "0.25", "bgcolor": "white"})
    dot.attr("node", shape="box", style="filled", fillcolor="#f1f3f5", color="#868e96", fontname="Helvetica")
    dot.attr("edge", fontname="Helvetica", fontsize="9", arrowsize="0.6")
    for floor in house.floors:
        with dot.subgraph(graph_attr={"rank": "same"}) as level:
            for room in floor:
                level.node(room, f"{room.removeprefix('netgraph.')}\n{_size(house, room)}")
    direct = {*nx.transitive_reduction(house.downward).edges, *house.back}
    for way in sorted(direct):
        counts, up = house.arrows[way], way in house.back
        style = "solid" if counts["start"] else "dashed" if counts["local"] else "dotted"
        size = sum(counts.values())
        dot.edge(
            *way, style=style, color=UP if up else PLAIN, penwidth=f"{min(0.6 + size / 20, 5):.1f}",
            label=str(size), tooltip=_way(house, way), constraint="false" if up else "true",
        )  # fmt: skip
    return render_svg(dot.source)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=ROOT, help=f"checkout that holds {' and '.join(PRODUCT)}")
    parser.add_argument("--out", type=Path, help="file for a picture in SVG")
    parser.add_argument("--facades", action="store_true", help="print the settings of ruff that keep to the facades")
    arguments = parser.parse_args()
    if arguments.facades:
        print(banned(arguments.root), end="")
        return
    found = house(arguments.root)
    print(text(found), end="")
    if arguments.out is not None:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(picture(found), encoding="utf-8")


if __name__ == "__main__":
    main()
