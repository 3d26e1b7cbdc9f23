"""Runs of a small transformer on images: the command line, the report and the table of layers know its layers."""

import dataclasses

import pytest
from html_pages import Page

import netgraph as ng
from netgraph.methods import METHODS, Method, MethodSpec, registry


@dataclasses.dataclass(frozen=True)
class NoFurtherOptions:
    """No options."""


def patches_start(_options, start):
    """Patches of an image as tokens behind a class token, one block of attention, and the class token out."""
    channels, height, width = start.maps
    patches = (height // 4, width // 4)
    grid = (patches[0] * patches[1] + 1,)
    b = ng.GraphBuilder(seed=start.seed)
    b.input("image", channels, domain=start.domain, grid=(height, width))
    b.layer("patches", 8, grid=patches, activation="identity")
    b.conv2d("image", "patches", kernel=4, stride=4)
    b.positions("positions", grid)
    b.layer("stream", 8, grid=grid, activation="identity", bias=False)
    b.place("patches", "stream", 1)
    b.dense("positions", "stream")
    b.layer("norm", 8, grid=grid, norm="layer", activation="identity")
    b.identity("stream", "norm")
    for name in ("q", "k", "v"):
        b.layer(name, 8, grid=grid, activation="identity")
        b.dense("norm", name)
    b.attend("heads", "q", "k", heads=2)
    b.mix("mix", "heads", "v")
    b.layer("sum", 8, grid=grid, activation="identity")
    b.dense("mix", "sum")
    b.identity("stream", "sum")
    b.layer("token", 8, activation="identity", bias=False)
    b.place("sum", "token", 0)
    b.output("class", start.outputs)
    b.dense("token", "class")
    return b.build()


PATCHES = MethodSpec(
    "patches", NoFurtherOptions, patches_start, lambda _graph, _options: Method("patches", ()), "nothing",
    training={"epochs": 2},
)  # fmt: skip


@pytest.fixture
def transformer_run(monkeypatch, tmp_path, call):
    """A run of one epoch on digits as images."""
    monkeypatch.setattr(registry, "METHODS", {**METHODS, "patches": PATCHES})
    code, _out, err = call(
        "grow", "digits", "--method", "patches", "--epochs", 1, "--set=batch_size=256", "--out", tmp_path / "run"
    )
    assert code == 0, err
    return tmp_path / "run"


def test_a_run_of_a_transformer_is_reported_shown_and_drawn(transformer_run, call):
    html = (transformer_run / "report.html").read_text()
    page = Page(html)
    for text in ("heads", "attention", "mix", "to positions 1 to 4 of 5", "position 0 of 5", "queries", "slot 3"):
        assert text in html, text
    assert page.foreign() == []
    code, out, _err = call("show", transformer_run)
    assert code == 0
    out = " ".join(out.replace("│", " ").split())
    assert "heads hidden 2 attention 0" in out
    assert "mix hidden 8 mix 0" in out
    assert "positions position 5 positions 0" in out
    graph = ng.load(transformer_run / "graph.safetensors")
    assert call("replay", transformer_run)[0] == 0
    assert graph.layers["heads"].merge == ng.Attend(0.5)
