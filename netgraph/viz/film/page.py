"""A film as HTML: a section with its data and a player, which needs no other file."""

from __future__ import annotations

import base64
import re
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import Any

import numpy as np

from netgraph.columns import Array
from netgraph.errors import OptionError, not_installed
from netgraph.markup import json_script, printable
from netgraph.viz.film.film import EdgeLives, Film, Track, VertexLives
from netgraph.viz.film.scene import Scene, make_scene
from netgraph.viz.themes import DARK, LIGHT

_PLACES = 8  # positions are stored as multiples of 1/8
_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


def render_page(film: Film) -> str:
    """Render a film as a page of its own."""
    fragment = render_fragment(film, "timeline", alone=True)
    page = _template("timeline.page.j2")
    return str(page.render(title=_visible(film.title), fragment=_safe(fragment), light=LIGHT, dark=DARK))


def render_fragment(film: Film, key: str, *, alone: bool = False) -> str:
    """Render a film as a section of a page.

    Args:
        film: the film.
        key: id of the section.
        alone: the film is the only one of the page, so that the keyboard controls it wherever the focus is.

    Raises:
        OptionError: `key` cannot be an id: it must be a letter and then letters, digits, - and _.
    """
    if not _KEY.fullmatch(key):
        raise OptionError(f"key={key!r} cannot name a part of a page; use a letter and then letters, digits, - and _.")
    text = _template("timeline.fragment.j2").render(
        key=key,
        alone=alone,
        title=_visible(film.title),
        notes=[_visible(note) for note in film.notes],
        vertices=film.vertices is not None,
        wires=film.frozen,
        light=LIGHT,
        dark=DARK,
        css=_safe(_asset("timeline.css")),
        js=_safe(_asset("timeline.js")),
        data=_safe(json_script(_data(film))),
    )
    return str(text)


def _visible(text: str) -> str:
    """Replace characters that HTML forbids."""
    return printable(text, "\n\t")


def _data(film: Film) -> dict[str, Any]:
    data: dict[str, Any] = {
        "steps": [
            {
                "heading": _visible(text.heading),
                "facts": [[_visible(k), _visible(v)] for k, v in text.facts],
                "edges": text.edges,
                "vertices": text.vertices,
                "layers": text.layers,
                "fresh": int(sum(track.counts[number, 1] for track in film.links)),
            }
            for number, text in enumerate(film.captions)
        ],
        "layers": [
            {
                "name": _visible(film.label(at)),
                "full": _visible(layer.name),
                "role": layer.role,
                "changes": _changes(track.counts),
            }
            for at, (layer, track) in enumerate(zip(film.layers, _by_layer(film), strict=True))
        ],
        "links": [
            {"ends": track.ends, "changes": _changes(track.counts), "wires": track.wires} for track in film.links
        ],
        "wires": film.frozen,
        "scenes": [_scene(make_scene(film, portrait=portrait)) for portrait in (False, True)],
    }
    if film.vertices is not None and film.edges is not None:
        data.update(
            vertices=_vertices(film.vertices), edges=_edges(film.edges), threshold=film.edges.threshold.tolist()
        )
    return data


def _changes(counts: Array) -> list[list[int]]:
    """Return the rows of `Track.counts` that differ from the row before, each with its step as first number."""
    rows = counts.tolist()
    first = [[0, *rows[0]]] if rows and any(rows[0]) else []
    return first + [[k, *row] for k, (before, row) in enumerate(pairwise(rows), start=1) if row != before]


def _by_layer(film: Film) -> list[Track]:
    found = {track.ends[0]: track for track in film.widths}
    return [found[at] for at in range(len(film.layers))]


def _scene(scene: Scene) -> dict[str, Any]:
    return {
        "portrait": scene.portrait,
        "width": scene.width,
        "height": round(scene.height, 1),
        "boxes": np.round(scene.boxes, 1).tolist(),
        "rooms": np.round(scene.rooms, 1).tolist(),
        "base": round(scene.base, 2),
        "unit": round(scene.unit, 3),
        "bows": [[a, b, round(crest, 1), between] for a, b, crest, between in scene.bows],
        "points": _pack(np.rint(scene.points * _PLACES), "<u2"),
        "radius": round(scene.radius, 2),
    }


def _vertices(own: VertexLives) -> dict[str, Any]:
    return {
        "id": _pack(own.ids, "<f8"),
        "layer": _pack(own.layer, "u1"),
        "first": _pack(own.first, "u1"),
        "last": _pack(own.last, "u1"),
    }


def _edges(own: EdgeLives) -> dict[str, Any]:
    return {
        "source": _pack(own.source, "<u2"),
        "target": _pack(own.target, "<u2"),
        "wire": _pack(own.wire, "u1"),
        "first": _pack(own.first, "u1"),
        "last": _pack(own.last, "u1"),
        "offset": _pack(own.offset, "<u4"),
        "weights": _pack(own.weights, "i1"),
        "stride": own.stride,
    }


def _pack(values: Array, dtype: str) -> str:
    """Encode a column as base64 of little-endian numbers, the byte order of all common browsers."""
    return base64.b64encode(np.ascontiguousarray(values).astype(dtype).tobytes()).decode()


@cache
def _asset(name: str) -> str:
    return (files("netgraph.viz.film") / "templates" / name).read_text(encoding="utf-8")


@cache
def _environment() -> Any:
    try:
        from jinja2 import Environment, FunctionLoader, StrictUndefined
    except ImportError:
        raise OptionError(not_installed("A timeline page needs", "jinja2", "viz")) from None
    return Environment(
        autoescape=True, loader=FunctionLoader(_asset), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )


def _template(name: str) -> Any:
    return _environment().get_template(name)


def _safe(text: str) -> Any:
    """Mark a text as markup, so that the template does not escape it again."""
    from markupsafe import Markup

    return Markup(text)
