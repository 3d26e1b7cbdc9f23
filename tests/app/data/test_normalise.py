"""Inputs with mean 0 and deviation 1, and the domain that belongs to them."""

import json

import numpy as np
import pytest
from grow_runs import grow

import netgraph as ng
from netgraph.app.data.images import image_layout
from netgraph.app.data.normalise import _ROWS, Normalisation
from netgraph.app.prepare import prepare
from netgraph.app.requests import GrowRequest


def request(data, **options):
    return GrowRequest(data=str(data), **{"assignments": {"normalise": "true"}, **options})


@pytest.mark.parametrize("shape", [(5, 4), (5, 4, 3), (3, 5, 4), (11,)])
@pytest.mark.parametrize("samples", [60, 2 * _ROWS + 5])
def test_training_rows_get_mean_0_and_deviation_1_channel_by_channel(shape, samples):
    layout = image_layout(shape)
    rng = np.random.default_rng(0)
    rows = (rng.random((samples, *shape)) * np.arange(1, shape[-1] + 1)).astype(np.float32).reshape(samples, -1)
    measured = Normalisation.measured(rows, layout)
    found = measured.apply(rows)
    assert (found.shape, found.dtype) == (rows.shape, np.float32)
    wide, plain = ((layout.by_channel(r) if layout else r[:, :, None]).astype(np.float64) for r in (found, rows))
    np.testing.assert_allclose(wide.mean(axis=(0, 2)), 0, atol=1e-6)
    np.testing.assert_allclose(wide.std(axis=(0, 2)), 1, atol=1e-6)
    np.testing.assert_allclose(measured.mean, plain.mean(axis=(0, 2)), rtol=1e-12)
    np.testing.assert_allclose(measured.std, plain.std(axis=(0, 2)), rtol=1e-9)
    low, high = measured.domain((0.0, 20.0))
    assert np.array_equal(np.ravel(low), np.ravel((-measured.mean / measured.std).astype(np.float32)))
    assert np.array_equal(np.ravel(high), np.ravel(((20 - measured.mean) / measured.std).astype(np.float32)))


@pytest.mark.parametrize("layout", [None, image_layout((2, 2))])
def test_what_has_one_value_keeps_its_size(layout):
    rows = np.full((1000, 4), 0.1, np.float32)
    measured = Normalisation.measured(rows, layout)
    assert (measured.std == 1).all()
    assert np.abs(measured.apply(rows)).max() < 1e-7


def test_every_input_lies_in_the_domain_to_the_last_bit():
    rng = np.random.default_rng(1)
    for layout in (None, image_layout((2, 3))):
        for _ in range(100):
            rows = rng.random((20, 6)).astype(np.float32)
            rows[:2] = [[0.0], [1.0]]
            measured = Normalisation.measured(rows, layout)
            low, high = measured.domain((0.0, 1.0))
            found = measured.apply(rows).astype(np.float64)
            over = (0, 1) if layout else 0
            assert np.array_equal(np.ravel(found.min(over)), low)
            assert np.array_equal(np.ravel(found.max(over)), high)


def test_every_column_of_a_table_has_a_mean_and_a_deviation_of_its_own():
    rows = np.random.default_rng(2).random((300, 3)).astype(np.float32) * [1.0, 0.1, 0.001] + [0.0, 0.5, 0.9]
    found = Normalisation.measured(rows, None).apply(rows).astype(np.float64)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(found.std(axis=0), 1, atol=1e-4)


def test_tables_are_normalised_unless_told_not_to_and_images_when_asked(tmp_path):
    x = np.random.default_rng(0).random((90, 3)) * [1.0, 100.0, 1e4]
    np.savez(tmp_path / "table.npz", x=x, y=np.arange(90) % 2)
    assert prepare(request(tmp_path / "table.npz", assignments={})).normalisation is not None
    assert prepare(request(tmp_path / "table.npz", assignments={"normalise": "false"})).normalisation is None
    assert prepare(request("digits", assignments={})).normalisation is None
    unit = tmp_path / "unit.npz"
    np.savez(unit, x=x / [1.0, 100.0, 1e4], y=np.arange(90) % 2)
    assert prepare(request(unit, assignments={})).normalisation is None


def test_training_samples_alone_tell_mean_and_deviation():
    plain, normal = prepare(request("digits", assignments={})), prepare(request("digits"))
    mean, std = (float(getattr(normal.normalisation, name)[0]) for name in ("mean", "std"))
    assert mean == pytest.approx(float(plain.data.x_train.double().mean()))
    assert std == pytest.approx(float(plain.data.x_train.double().std(correction=0)))
    for a, b in ((plain.data.x_valid, normal.data.x_valid), (plain.test[0], normal.test[0])):
        np.testing.assert_allclose(b, (a - mean) / std, atol=1e-6)
    low, high = normal.first.inputs[0].domain
    assert (low, high) == (np.float32(-mean / std), np.float32((1 - mean) / std))
    assert plain.dataset.fingerprint == normal.dataset.fingerprint
    assert normal.notes[-1].startswith("Each channel was normalised by mean 0.3")
    assert plain.notes == plain.dataset.notes


def test_colour_images_fed_flat_have_the_bounds_of_their_channels(tmp_path):
    x = np.random.default_rng(0).random((90, 6, 5, 3)) * [1.0, 0.5, 0.25]
    np.savez(tmp_path / "data.npz", x=x, y=np.arange(90) % 2)
    prepared = prepare(request(tmp_path / "data.npz"))
    layer = prepared.first.inputs[0]
    low, high = prepared.normalisation.domain((0.0, 1.0))
    assert np.array_equal(layer.values["low"].reshape(6, 5, 3), np.broadcast_to(low, (6, 5, 3)))
    assert np.array_equal(layer.values["high"].reshape(6, 5, 3), np.broadcast_to(high, (6, 5, 3)))
    assert len(set(low)) == 3


def test_colour_images_as_maps_have_the_bounds_of_their_channels(maps, tmp_path, call):
    x = np.random.default_rng(0).random((90, 6, 5, 3)) * [1.0, 0.5, 0.25]
    np.savez(tmp_path / "data.npz", x=x, y=np.arange(90) % 2)
    code, out, _err = call("grow", tmp_path / "data.npz", "--method", "maps", "--set=normalise=true",
                           "--set=augment=crop+flip", "--set=crop_padding=1", "--out", tmp_path / "run")  # fmt: skip
    assert code == 0
    assert "Each channel was normalised by mean 0.5" in out
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert len(config["normalisation"]["mean"]) == len(config["normalisation"]["std"]) == 3
    prepared = prepare(request(tmp_path / "data.npz", method="maps"))
    assert config["normalisation"] == prepared.normalisation.to_json()
    layer = ng.load(tmp_path / "run" / "graph.safetensors").inputs[0]
    for bound, name in zip(prepared.normalisation.domain((0.0, 1.0)), ("low", "high"), strict=True):
        assert np.array_equal(layer.values[name], bound)


def test_growth_on_normalised_inputs_is_still_proved_exact(tmp_path, capsys):
    from netgraph.app.cli import main

    assert main(grow(tmp_path / "run", "--json", normalise="true", peak_edges=2000)) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["growth_proof"] in ("exact", "exact up to rounding")
    assert values["growth_change"] < 1e-6
    assert values["layers"] > 2
    assert main(grow(tmp_path / "run", "--resume", normalise="true", peak_edges=2000)) == 0
    assert json.loads((tmp_path / "run" / "config.json").read_text())["normalisation"]["std"][0] > 0


def test_features_without_maps_cannot_be_augmented_and_nothing_is_written(tmp_path, call):
    code, _out, err = call(*grow(tmp_path / "run", augment="flip"))
    assert code == 2
    assert "needs maps" in err
    assert not (tmp_path / "run").exists()
