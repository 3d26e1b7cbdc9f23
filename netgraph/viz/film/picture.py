"""A film as pictures: every step as a PNG in the light colours of the page, and all steps as a GIF."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from netgraph.columns import Array
from netgraph.markup import printable
from netgraph.viz.film.film import EdgeLives, Film, Track, VertexLives
from netgraph.viz.film.scene import Scene, make_scene
from netgraph.viz.plots import import_matplotlib
from netgraph.viz.themes import LIGHT

if TYPE_CHECKING:
    from PIL.Image import Image

# Widths in pixels; the first width of a GIF is taken whose file is not too large.
_GIF_WIDTHS, _PNG_WIDTH = (800, 680, 560, 440), 1000
_MOST_BYTES = 4_000_000
# Number of colours of a GIF, and smallest distance of other colours from those of `LIGHT`.
_COLORS, _APART = 96, 20
# Heights of the text above and below the scene, in its units.
_HEAD, _FOOT = 66.0, 62.0
# Pictures are drawn larger by this factor, and then made smaller, which smooths lines.
_SHARPNESS = 2
# Smallest font size, in pixels.
_SMALLEST = 11
_NEED = "Pictures of a timeline need"
# Number of pieces of a bent line.
_BENDS = 12
# Durations in milliseconds: of the film, of the shortest, the longest and the last step.
_FILM, _SHORTEST, _LONGEST, _PAUSE = 20_000, 100, 1000, 2500


def render_png(film: Film, step: int) -> bytes:
    """Render one step as a PNG, 1000 pixels wide."""
    data = io.BytesIO()
    _paint(film, make_scene(film, portrait=False), step, _PNG_WIDTH).save(data, "PNG")
    return data.getvalue()


def render_gif(film: Film) -> bytes:
    """Render all steps as a GIF that loops, 800 pixels wide, or narrower (down to 440) to stay below 4 MB."""
    _require_pillow()
    scene = make_scene(film, portrait=False)
    count = film.final + 1

    def painted(width: int, steps: Iterable[int]) -> Iterator[Image]:
        return (_paint(film, scene, step, width) for step in steps)

    def encoded(width: int) -> tuple[list[Image], bytes]:
        # Full-colour pictures of many steps would need too much memory, so each is reduced to the palette at once.
        palette = _palette(list(painted(width, _typical(count))))
        frames = [_reduce(picture, palette) for picture in painted(width, range(count))]
        return frames, _gif(frames)

    frames, data = encoded(_GIF_WIDTHS[0])
    if len(data) <= _MOST_BYTES:
        return data
    for width in _GIF_WIDTHS[1:]:
        if len(_gif([_resize(frame, width) for frame in frames])) <= 0.95 * _MOST_BYTES:
            break
    # Resized letters are hard to read, so the pictures are painted again in the final size.
    return encoded(width)[1]


def _gif(frames: list[Image]) -> bytes:
    between = max(_SHORTEST, min(_LONGEST, _FILM // len(frames)))
    times = [max(between, 700), *[between] * (len(frames) - 2), _PAUSE][-len(frames) :]
    data = io.BytesIO()
    frames[0].save(data, "GIF", save_all=True, append_images=frames[1:], loop=0, optimize=False, duration=times)
    return data.getvalue()


def _reduce(picture: Image, palette: Image) -> Image:
    from PIL import Image

    return picture.quantize(palette=palette, dither=Image.Dither.NONE)


def _resize(frame: Image, width: int) -> Image:
    from PIL.Image import Resampling

    size = (width, round(frame.height * width / frame.width))
    return _reduce(frame.convert("RGB").resize(size, Resampling.LANCZOS), frame)


def _typical(count: int) -> list[int]:
    """Numbers of at most seven steps whose colours represent the colours of all steps."""
    return sorted({round(k * (count - 1) / 5) for k in range(6)} | {min(1, count - 1)})


def _palette(pictures: list[Image]) -> Image:
    """One palette for all frames, so that unchanged items have the same colour in each.

    It has all colours of `LIGHT`, paler versions of them, and frequent colours of the pictures.
    """
    from PIL import Image

    width, height = pictures[0].size
    sheet = Image.new("RGB", (width, height * len(pictures)))
    for row, picture in enumerate(pictures):
        sheet.paste(picture, (0, row * height))
    exact = np.array([list(bytes.fromhex(color[1:])) for color in dict.fromkeys(LIGHT.values())])
    faint = (exact + 2 * 255) // 3
    found = sheet.quantize(_COLORS, method=Image.Quantize.MEDIANCUT).getpalette() or []
    others = np.concatenate([faint, np.array(found).reshape(-1, 3)])
    # A colour close to an exact one would replace it in parts of a picture.
    apart = np.abs(others[:, None] - exact).sum(axis=2).min(axis=1) > _APART
    colors = np.concatenate([exact, others[apart]])[:_COLORS]
    palette = Image.new("P", (1, 1))
    palette.putpalette(colors.ravel().tolist())
    return palette


def _paint(film: Film, scene: Scene, step: int, width: int) -> Image:
    brush = _Brush(scene, width)
    text = film.captions[step]
    counts = f"{text.edges:,} edges, {text.vertices:,} vertices, {text.layers:,} layers"
    brush.write(_line(film.title), scene.width / 2, 16 - _HEAD, scene.width - 20, 19, LIGHT["ink"], bold=True)
    brush.write(f"{_line(text.heading)}  ({counts})", scene.width / 2, 42 - _HEAD, scene.width - 20, 15, LIGHT["quiet"])
    if film.vertices is not None and film.edges is not None:
        _paint_vertices(brush, film, film.vertices, film.edges, step)
    else:
        _paint_layers(brush, film, step)
    _paint_foot(brush, film, step)
    return brush.finish()


def _line(text: str) -> str:
    """Join the lines of a text, and replace characters that cannot be drawn."""
    return printable(" ".join(text.split()))


# ---- vertices one by one -------------------------------------------------------------------------------


def _paint_vertices(brush: _Brush, film: Film, vertices: VertexLives, edges: EdgeLives, step: int) -> None:
    scene, crests = brush.scene, brush.scene.crests(film, step)
    rows = edges.alive(step)
    new, going = edges.states(rows, step, film.final)
    kept = rows[~new & ~going]
    levels = edges.levels(kept, step).astype(np.int64)
    shown = edges.wire[kept] | (np.abs(levels) >= edges.threshold[step])
    kept, levels = kept[shown], levels[shown]
    base = min(0.6, _opacity(len(kept), 350))
    strength = np.minimum(np.abs(levels) // 42, 2)
    ends = np.stack([edges.source, edges.target], axis=1)

    def lines(chosen: Array, color: str, alpha: float, width: float) -> None:
        source, target = ends[chosen].T
        pairs = np.stack([vertices.layer[source], vertices.layer[target]], axis=1)
        crest = np.full(len(chosen), np.nan)
        for pair, at in crests.items():
            crest[(pairs == pair).all(axis=1)] = at
        brush.lines(scene.points[source], scene.points[target], crest, color, alpha, width)

    lines(kept[edges.wire[kept]], LIGHT["wire"], base, 0.8)
    for k in range(3):
        for sign, color in ((-1, LIGHT["negative"]), (1, LIGHT["positive"])):
            some = (strength == k) & ((levels < 0) == (sign < 0)) & ~edges.wire[kept]
            lines(kept[some], color, min(1.0, base * (0.6 + 0.6 * k)), 0.6 + 0.5 * k)
    lines(rows[going], LIGHT["going"], max(0.2, 0.9 * _opacity(int(going.sum()), 300)), 1.0)
    lines(rows[new], LIGHT["new"], max(0.03, 0.9 * _opacity(int(new.sum()), 300)), 1.0)
    for track in film.widths:
        all_, added, _ = track.counts[step].tolist()
        if all_:
            _paint_frame(brush, film, track.ends[0], all_, added == all_ and step > 0)
    _paint_dots(brush, film, vertices, step)


def _opacity(n: int, half: int) -> float:
    """Opacity of each of `n` lines, which falls with their number, `half / (n + half)`."""
    return half / (n + half)


def _paint_frame(brush: _Brush, film: Film, place: int, count: int, fresh: bool) -> None:
    x, y, w, h = brush.scene.boxes[place].tolist()
    color = LIGHT["new"] if fresh else LIGHT[f"{film.layers[place].role}-line"]
    brush.box(x, y, w + 8, h + 8, None, color, 1.0)
    brush.write(
        f"{_line(film.label(place))} · {count:,}", x, y - h / 2 - 14, brush.scene.rooms[place], 14, LIGHT["ink"]
    )


def _paint_dots(brush: _Brush, film: Film, vertices: VertexLives, step: int) -> None:
    rows = vertices.alive(step)
    new, going = vertices.states(rows, step, film.final)
    for row, fresh, leaving in zip(rows.tolist(), new.tolist(), going.tolist(), strict=True):
        role = film.layers[int(vertices.layer[row])].role
        mark = LIGHT["new"] if fresh else LIGHT["going"] if leaving else None
        x, y = brush.scene.points[row].tolist()
        r = brush.scene.radius * (1.15 if mark else 1.0)
        brush.dot(x, y, r, mark or LIGHT[role], mark or LIGHT[f"{role}-line"])
        if leaving:
            brush.cross(x, y, 1.9 * r, LIGHT["going"])


# ---- layers as boxes -----------------------------------------------------------------------------------


def _paint_layers(brush: _Brush, film: Film, step: int) -> None:
    crests = brush.scene.crests(film, step)
    counts = {track.ends[0]: track.counts[step].tolist() for track in film.widths}
    labels = []
    for track in film.links:
        a, b = track.ends
        if track.counts[step, 0] and counts[a][0] and counts[b][0]:
            labels.append(_paint_link(brush, track, crests.get((a, b)), step))
    for place, (count, added, going) in counts.items():
        if count:
            _paint_box(brush, film, place, count, added, going, step)
    for text, x, y, room, color in labels:
        if len(film.links) <= 40 and room >= 60:
            brush.write(text, x, y, max(room, 200.0), 13, color)


def _paint_link(brush: _Brush, track: Track, crest: float | None, step: int) -> tuple[str, float, float, float, str]:
    """Draw the kept, new and leaving edges of a link as lines side by side.

    Args:
        brush: picture.
        track: numbers of edges of the link in every step.
        crest: y of the middle of a link that bends around layers between its ends; None for a straight link.
        step: step of the film.

    Returns:
        Text, x, y, room and colour of the label, which is drawn later.
    """
    scene, (a, b), (count, added, going) = brush.scene, track.ends, track.counts[step].tolist()
    x0, y0 = scene.boxes[a, 0] + scene.boxes[a, 2] / 2, scene.boxes[a, 1]
    x1, y1 = scene.boxes[b, 0] - scene.boxes[b, 2] / 2, scene.boxes[b, 1]
    thick = min(1.2 + 2.2 * math.log10(1 + count), 20.0)
    parts = ((max(0, count - added - going), LIGHT["wire"]), (added, LIGHT["new"]), (going, LIGHT["going"]))
    widths = [max(2.0, thick * n / count) if n else 0.0 for n, _ in parts]
    shift = -sum(widths) / 2
    for width, (_, color) in zip(widths, parts, strict=True):
        if width:
            middle = shift + width / 2
            bend = np.array([np.nan if crest is None else crest + middle])
            brush.lines(np.array([[x0, y0 + middle]]), np.array([[x1, y1 + middle]]), bend, color, 1.0, width)
        shift += width
    gain = " new" if added == count and step else f"  +{added:,}" if added else ""
    text = f"{count:,}{' wires' if track.wires else ''}{gain}" + (f"  \u2212{going:,}" if going else "")
    color = LIGHT["new"] if added else LIGHT["going"] if going else LIGHT["quiet"]
    y = (y0 + y1) / 2 if crest is None else crest
    return text, float(x0 + x1) / 2, float(y) - thick / 2 - 10, float(x1 - x0) if crest is None else 200.0, color


def _paint_box(brush: _Brush, film: Film, place: int, count: int, added: int, going: int, step: int) -> None:
    x, y, w, _ = brush.scene.boxes[place].tolist()
    h, role = brush.scene.length(count), film.layers[place].role
    fresh = added == count and step > 0
    line = LIGHT["new"] if added else LIGHT["going"] if going else LIGHT[f"{role}-line"]
    brush.box(x, y, w, h, LIGHT[role], line, 2.6 if added or going else 1.2)
    change = f" +{added:,}" if added and not fresh else f" \u2212{going:,}" if going else ""
    color = LIGHT["new"] if added else LIGHT["going"] if going else LIGHT["quiet"]
    name = _line(film.label(place))
    if w >= 64 and h < 34:
        if h >= 14:
            brush.write(f"{name} · {count:,}{change}", x, y, w - 8, 12, LIGHT["ink"])
    elif w >= 64:
        brush.write(name, x, y - 9, w - 8, 14, LIGHT["ink"], bold=True)
        brush.write(f"{count:,}{change}", x, y + 9, w - 8, 13, color)
    elif w >= 13:
        brush.write(f"{name} · {count:,}{change}", x, y, h - 8, 12, LIGHT["ink"], upright=True)


# ---- below the scene -----------------------------------------------------------------------------------


def _paint_foot(brush: _Brush, film: Film, step: int) -> None:
    """Draw the legend of the colours, and the curve of edges over all steps with a mark at this step."""
    scene = brush.scene
    sums = {
        which: (sum(int(t.counts[step, k]) for t in film.links), sum(int(t.counts[step, k]) for t in film.widths))
        for which, k in (("new", 1), ("going", 2))
    }
    top, lines = scene.height + 8, "edges and wires" if film.frozen else "edges"
    for which, x, text in (("new", 0.25, "new"), ("going", 0.75, "gone in the next step")):
        edges, vertices = sums[which]
        brush.write(f"{text}: {edges:,} {lines}, {vertices:,} vertices", scene.width * x, top, 460, 14, LIGHT[which])
    low, high, largest = top + 48, 30.0, max(text.edges for text in film.captions) or 1
    across = scene.width - 40
    xs = [20 + across * (k / film.final if film.final else 0.5) for k in range(film.final + 1)]
    curve = [(x, low - high * text.edges / largest) for x, text in zip(xs, film.captions, strict=True)]
    brush.area([(xs[0], low), *curve, (xs[-1], low)], LIGHT["faint"])
    brush.path(curve, LIGHT["quiet"], 1.5)
    brush.path([(xs[step], low - high - 4), (xs[step], low)], LIGHT["positive"], 3.0)


class _Brush:
    """A picture that is drawn in the units of a scene, at twice its final size, to smooth lines when it is reduced."""

    def __init__(self, scene: Scene, width: int) -> None:
        _require_pillow()
        from PIL import Image, ImageDraw

        self.scene = scene
        self._size = (width, round((scene.height + _HEAD + _FOOT) * width / scene.width))
        self._scale = _SHARPNESS * width / scene.width
        self._image = Image.new("RGB", (self._size[0] * _SHARPNESS, self._size[1] * _SHARPNESS), LIGHT["paper"])
        self._pen = ImageDraw.Draw(self._image, "RGBA")

    def finish(self) -> Image:
        """Return the picture in its final size."""
        from PIL import Image

        return self._image.resize(self._size, Image.Resampling.LANCZOS)

    def _at(self, points: Any) -> Array:
        return np.asarray((np.asarray(points) + np.array([0.0, _HEAD])) * self._scale)

    def _wide(self, width: float) -> int:
        return max(1, round(width * self._scale))

    def lines(self, start: Array, end: Array, crest: Array, color: str, alpha: float, width: float) -> None:
        """Draw lines between points; a line with a crest bends so that its middle reaches the height of the crest.

        Args:
            start, end: ends of the lines, `(n, 2)`.
            crest: y of each crest, NaN for straight lines, `(n,)`.
            color, alpha, width: appearance of all lines.
        """
        ink = (*bytes.fromhex(color[1:]), round(255 * min(1.0, alpha)))
        wide = self._wide(width)
        bent = ~np.isnan(crest)
        for a, b in zip(self._at(start[~bent]).tolist(), self._at(end[~bent]).tolist(), strict=True):
            self._pen.line([*a, *b], fill=ink, width=wide)
        middle = (start[bent] + end[bent]) / 2
        middle[:, 1] = 2 * crest[bent] - middle[:, 1]
        t = np.linspace(0, 1, _BENDS * (4 if len(middle) < 50 else 1) + 1)[None, :, None]
        curves = (1 - t) ** 2 * start[bent][:, None] + 2 * t * (1 - t) * middle[:, None] + t**2 * end[bent][:, None]
        for curve in self._at(curves).tolist():
            self._pen.line([tuple(point) for point in curve], fill=ink, width=wide, joint="curve" if wide > 4 else None)

    def box(self, x: float, y: float, w: float, h: float, fill: str | None, line: str, width: float) -> None:
        """Draw a box with round corners, given by its centre and size."""
        low, high = self._at([(x - w / 2, y - h / 2), (x + w / 2, y + h / 2)]).tolist()
        radius = min(7.0, w / 2, h / 2) * self._scale
        self._pen.rounded_rectangle([*low, *high], radius, fill=fill, outline=line, width=self._wide(width))

    def dot(self, x: float, y: float, radius: float, fill: str, line: str) -> None:
        """Draw a circle."""
        (a, b), r = self._at((x, y)).tolist(), radius * self._scale
        self._pen.ellipse(
            [a - r, b - r, a + r, b + r], fill=fill, outline=line, width=self._wide(min(2.0, max(0.8, radius / 4)))
        )

    def cross(self, x: float, y: float, reach: float, color: str) -> None:
        """Draw a cross, which marks a vertex that the next step removes."""
        for sign in (-1, 1):
            self.path([(x - reach, y - sign * reach), (x + reach, y + sign * reach)], color, 1.2)

    def path(self, points: list[tuple[float, float]], color: str, width: float) -> None:
        """Draw a line through points."""
        self._pen.line([tuple(p) for p in self._at(points).tolist()], fill=color, width=self._wide(width))

    def area(self, points: list[tuple[float, float]], color: str) -> None:
        """Fill a polygon."""
        self._pen.polygon([tuple(p) for p in self._at(points).tolist()], fill=color)

    def write(self, text: str, x: float, y: float, room: float, size: float, color: str, *, bold: bool = False,
              upright: bool = False) -> None:  # fmt: skip
        """Write a line of text centred at a point and kept inside the picture.

        The text is shortened to the length `room`, and left out if not even one letter fits. With `upright` it runs
        from bottom to top.
        """
        from PIL import Image, ImageDraw

        font = _font(max(_SMALLEST * _SHARPNESS, round(size * self._scale)), bold)
        while len(text) > 1 and font.getlength(text) > room * self._scale:
            text = text[:-2].rstrip() + "…"
        length = font.getlength(text)
        if length > room * self._scale:
            return
        a, b = self._at((x, y)).tolist()
        halo = max(1, round(size * self._scale / 8))
        if upright:
            strip = Image.new("RGBA", (math.ceil(length) + 2 * halo, round(2 * size * self._scale)))
            ImageDraw.Draw(strip).text((strip.width / 2, strip.height / 2), text, color, font, "mm")
            turned = strip.rotate(90, expand=True)
            self._image.paste(turned, (round(a - turned.width / 2), round(b - turned.height / 2)), turned)
            return
        a = max(length / 2 + halo, min(self._image.width - length / 2 - halo, a))
        self._pen.text((a, b), text, color, font, "mm", stroke_width=halo, stroke_fill=LIGHT["paper"])


def _require_pillow() -> None:
    """Raise `OptionError` when Pillow is missing, a dependency of matplotlib."""
    import_matplotlib(_NEED, "PIL.Image")


@cache
def _font(size: int, bold: bool) -> Any:
    """Font that matplotlib brings along, so that pictures are the same on all machines."""
    matplotlib = import_matplotlib(_NEED, "matplotlib")
    from pathlib import Path

    from PIL import ImageFont

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name), size)
