"""Images as maps: layouts, and methods that start at a graph of maps."""

import json

import numpy as np
import pytest
from grow_runs import refused

import netgraph as ng
from netgraph.app.data.images import ImageLayout, image_layout
from netgraph.app.prepare import prepare
from netgraph.app.requests import GrowRequest
from netgraph.methods import registry


@pytest.mark.parametrize(
    ("shape", "layout"),
    [
        ((28, 28), ImageLayout(1, 28, 28)),
        ((8, 6, 1), ImageLayout(1, 8, 6, channels_last=True)),
        ((32, 24, 3), ImageLayout(3, 32, 24, channels_last=True)),
        ((32, 24, 4), ImageLayout(4, 32, 24, channels_last=True)),
        ((3, 32, 24), ImageLayout(3, 32, 24)),
        ((3, 32, 3), ImageLayout(3, 32, 3)),
        ((16, 8, 8), ImageLayout(16, 8, 8)),
        ((64,), None),
        ((2, 3, 4, 5), None),
    ],
)
def test_layouts_are_told_by_the_shape(shape, layout):
    assert image_layout(shape) == layout


@pytest.mark.parametrize("shape", [(5, 4), (5, 4, 3), (3, 5, 4)])
def test_maps_have_every_pixel_where_it_was(shape):
    images = np.random.default_rng(0).random((6, *shape), np.float32)
    layout = image_layout(shape)
    found = layout.as_maps(images.reshape(6, -1))
    wanted = images[:, None] if len(shape) == 2 else np.moveaxis(images, 3, 1) if shape[2] == 3 else images
    assert np.array_equal(found, wanted)
    assert found.flags.c_contiguous


def test_a_start_with_a_grid_is_trained_on_maps(maps, tmp_path, call):
    assert call("grow", "digits", "--method", "maps", "--out", tmp_path / "run")[0] == 0
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["training"]["epochs"] == 2
    assert config["training"]["weight_decay"] == 0.25
    assert config["training"]["learning_rate"] == 4e-3  # of small data
    prepared = prepare(GrowRequest(data="digits", method="maps", assignments={}))
    assert prepared.test[0].shape == (359, 1, 8, 8)
    assert prepared.data.x_valid.shape[1:] == (1, 8, 8)
    output = ng.interpret(ng.load(tmp_path / "run" / "graph.safetensors"), prepared.test[0].numpy())
    accuracy = np.mean(output.argmax(axis=1) == prepared.dataset.y_test)
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["test_accuracy"] == pytest.approx(accuracy, abs=1 / 359)
    assert summary["test_accuracy_start"] == summary["test_accuracy"]


def test_set_and_epochs_overrule_what_suits_the_method(maps):
    prepared = prepare(GrowRequest(data="digits", method="maps", epochs=3, assignments={"weight_decay": "0.5"}))
    assert (prepared.settings.epochs, prepared.settings.weight_decay) == (3, 0.5)


def test_a_table_is_refused_where_maps_are_asked_for(maps, tmp_path, call):
    result = call("grow", "wine", "--method", "maps", "--out", tmp_path / "run")
    assert refused(result, "asks for maps", "row of 13 features", ".npz")
    assert not (tmp_path / "run").exists()


def test_settings_of_a_method_are_listed(maps, monkeypatch, call):
    import netgraph.methods

    monkeypatch.setattr(netgraph.methods, "METHODS", registry.METHODS)
    assert "With maps: epochs 2, weight_decay 0.25." in call("methods", "maps")[1]


def test_colour_images_are_fed_flat_in_the_order_of_the_file(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.random((60, 6, 5, 3))
    np.savez(tmp_path / "data.npz", x=x, y=np.arange(60) % 2)
    request = GrowRequest(data=str(tmp_path / "data.npz"), assignments={})
    prepared = prepare(request)
    assert prepared.maps is None
    assert prepared.first.inputs[0].grid == ()
    assert np.array_equal(prepared.test[0].numpy(), prepared.dataset.x_test)
