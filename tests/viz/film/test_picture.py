"""The film as a GIF and as PNGs."""

from __future__ import annotations

import io
import sys
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image
from timeline_runs import ladder

from netgraph.errors import OptionError
from netgraph.graph import GraphBuilder, mlp
from netgraph.rewriting import apply
from netgraph.rules import SplitEdges, WidenLayer
from netgraph.viz import timeline
from netgraph.viz.film.picture import render_gif, render_png
from netgraph.viz.themes import LIGHT


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    return timeline(ladder(tmp_path_factory.mktemp("runs") / "ladder"))


@pytest.fixture(scope="module")
def gif(film):
    return Image.open(io.BytesIO(render_gif(film.film)))


def pixels(image, step=0):
    image.seek(step)
    return np.asarray(image.convert("RGB")).astype(int)


def count(image, name):
    """Pixels of about this colour of the palette."""
    wanted = list(bytes.fromhex(LIGHT[name][1:]))
    return int((np.abs(image - wanted).max(axis=2) < 12).sum())


def test_the_gif_has_a_frame_for_each_step_and_loops(film, gif):
    assert gif.n_frames == len(film)
    assert gif.info["loop"] == 0
    assert gif.size[0] == 800
    times = []
    for step in range(gif.n_frames):
        gif.seek(step)
        times.append(gif.info["duration"])
    assert times[-1] == 2500 > max(times[:-1])


def test_frames_differ_and_have_the_colours_that_mean_something(film, gif):
    frames = [pixels(gif, step) for step in range(gif.n_frames)]
    for a, b in pairwise(frames):
        assert (a != b).any()
    assert (frames[0][0, 0] == 255).all()
    scene = slice(60, -60)  # words above and below have colours of their own
    kinds = [caption.heading.split(": ")[-1] for caption in film.film.captions]
    assert count(frames[0][scene], "new") == 0
    assert count(frames[1][scene], "new") > 100
    assert count(frames[kinds.index("PruneEdges") - 1][scene], "going") > 20


def test_what_stays_keeps_its_place(gif):
    """The dots of the inputs, which no step touches, are the same in all frames."""
    frames = [pixels(gif, step) for step in range(gif.n_frames)]
    still = np.all([(frame == frames[0]).all(axis=2) for frame in frames], axis=0)
    inputs = np.abs(frames[0] - list(bytes.fromhex(LIGHT["input"][1:]))).max(axis=2) < 12
    assert inputs.sum() > 200
    assert still[inputs].mean() > 0.7


def test_large_gifs_shrink(monkeypatch):
    start = mlp([8, 4])
    film = timeline([start, apply(SplitEdges(), start).graph]).film
    whole = len(render_gif(film))
    monkeypatch.setattr("netgraph.viz.film.picture._MOST_BYTES", int(0.8 * whole))
    small = render_gif(film)
    assert len(small) < 0.85 * whole
    assert Image.open(io.BytesIO(small)).size[0] < 800


def test_frames_are_written_in_order(tmp_path, film):
    paths = film.frames(tmp_path / "a" / "frames")
    assert [path.name for path in paths] == [f"{k:04d}.png" for k in range(len(film))]
    first, last = (np.asarray(Image.open(io.BytesIO(path.read_bytes()))) for path in (paths[0], paths[-1]))
    assert first.shape == last.shape
    assert (first != last).any()


def test_one_step_is_a_gif_too(tmp_path):
    timeline([mlp([3, 2])]).save(tmp_path / "a.gif")
    with Image.open(tmp_path / "a.gif") as image:
        assert image.n_frames == 1


def test_layers_are_drawn_and_what_grows_is_green():
    start = mlp([30, 20, 4])
    wide = apply(WidenLayer(count=5), start, limit=1).graph
    film = timeline([start, wide, start], detail="layers").film
    frames = [np.asarray(Image.open(io.BytesIO(render_png(film, step)))).astype(int)[60:-90] for step in range(3)]
    assert [count(frame, "new") > 300 for frame in frames] == [False, True, False]
    assert count(frames[1], "going") > 100
    assert all(count(frame, "input") > 2000 for frame in frames)


@pytest.mark.parametrize("detail", ["vertices", "layers"])
@pytest.mark.parametrize("name", ["a\nb\x00\u2028", "", "x" * 300, "日本語", "</svg>"])
def test_any_text_can_be_drawn(detail, name):
    b = GraphBuilder()
    b.input(name, 2)
    b.output(name + "y", 2)
    b.dense(name, name + "y")
    graph = b.build()
    film = timeline([(graph, name), graph], title=name, detail=detail).film
    assert Image.open(io.BytesIO(render_png(film, 0))).size[0] == 1000


def test_names_of_many_layers_stand_upright():
    start = mlp([6] * 25)
    film = timeline([start, apply(SplitEdges(), start, limit=3).graph], detail="layers").film
    image = np.asarray(Image.open(io.BytesIO(render_png(film, 0)))).astype(int)
    assert count(image, "hidden") > 1000


@pytest.mark.parametrize("package", ["PIL", "matplotlib"])
def test_without_the_package_it_says_what_to_install(monkeypatch, tmp_path, package):
    from netgraph.viz.film import picture

    picture._font.cache_clear()
    # Parts of it that are loaded already could be imported all the same.
    for name in [name for name in sys.modules if name.startswith(f"{package}.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    for write in (lambda film: film.save(tmp_path / "a.gif"), lambda film: film.frames(tmp_path)):
        with pytest.raises(OptionError, match=r"pip install 'netgraph-growth\[viz\]'"):
            write(timeline([mlp([1, 1])]))
