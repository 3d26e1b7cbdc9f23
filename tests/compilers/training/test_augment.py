"""Crops and flips against a loop over samples, and runs that train on them."""

import numpy as np
import pytest
import torch
from map_training import digit_maps, settings, tiny_resnet
from tiny_training import CPU, assert_same_state, start_graph

import netgraph as ng
from compilers.training import Settled, TrainingData, begin, check_augment, load_checkpoint, save_checkpoint, train
from compilers.training.augment import Augment
from netgraph.errors import OptionError
from netgraph.graph import GraphBuilder

DRAWN = ("crop", "flip", "crop+flip")


def maps_graph(grid=(6, 5), domain=(0, 1), channels=3):
    b = GraphBuilder()
    b.input("input", channels, grid=grid, domain=domain)
    b.output("output", 2)
    b.conv2d("input", "output", kernel=grid)
    return b.build()


def augmented(kind, x, *, graph=None, padding=2, seed=3):
    return Augment(settings(augment=kind, crop_padding=padding), graph or maps_graph(), len(x), seed, CPU)


def reference(x, moves, flips, fill):
    """Pad, cut out and mirror, sample by sample."""
    result = np.empty_like(x)
    height, width = x.shape[2:]
    for i, image in enumerate(x):
        padded = np.empty((len(image), 3 * height, 3 * width), x.dtype)
        padded[:] = np.reshape(fill, (-1, 1, 1))
        padded[:, height : 2 * height, width : 2 * width] = image
        top, left = height + moves[i, 0], width + moves[i, 1]
        cut = padded[:, top : top + height, left : left + width]
        result[i] = cut[:, :, ::-1] if flips[i] else cut
    return result


@pytest.mark.parametrize("kind", DRAWN)
@pytest.mark.parametrize(("domain", "fill"), [((0, 1), 0), ((-2, 3), 0), (((0.5, -1, -2), (1, 1, -1)), (0.5, 0, -1))])
def test_a_batch_is_what_a_loop_over_its_samples_gives(kind, domain, fill):
    low, high = (np.broadcast_to(np.asarray(bound, float), 3) for bound in domain)
    x = np.random.default_rng(0).uniform(low[:, None, None], high[:, None, None], (200, 3, 6, 5)).astype(np.float32)
    augment = augmented(kind, x, graph=maps_graph(domain=(low, high)))
    rows = torch.randperm(200, generator=torch.Generator().manual_seed(1))[:150]
    found = augment(torch.from_numpy(x)[rows], rows)
    moves, flips = augment._moves[rows].numpy(), augment._flips[rows].numpy()
    assert np.array_equal(found.numpy(), reference(x[rows], moves, flips, fill))
    if "crop" in kind:
        assert {tuple(m) for m in moves.tolist()} == {(i, j) for i in range(-2, 3) for j in range(-2, 3)}
    else:
        assert not moves.any()
    assert 50 < flips.sum() < 100 if "flip" in kind else not flips.any()
    by_channel = found.transpose(0, 1).flatten(1).double().numpy()
    assert (by_channel >= low[:, None].astype(np.float32)).all()
    assert (by_channel <= high[:, None].astype(np.float32)).all()


@pytest.mark.parametrize("kind", DRAWN)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_shape_dtype_and_device_are_kept_and_the_input_is_not_changed(kind, dtype):
    x = torch.rand((7, 3, 6, 5), dtype=dtype)
    before = x.clone()
    found = augmented(kind, x)(x, torch.arange(7))
    assert (found.shape, found.dtype, found.device) == (x.shape, x.dtype, x.device)
    assert torch.equal(x, before)


def test_draws_belong_to_samples_and_depend_on_the_seed_alone():
    x = torch.rand((50, 3, 6, 5))
    rows = torch.arange(50)
    whole = augmented("crop+flip", x)(x, rows)
    for part in torch.split(torch.randperm(50), 13):
        assert torch.equal(augmented("crop+flip", x)(x[part], part), whole[part])
    assert not torch.equal(augmented("crop+flip", x, seed=4)(x, rows), whole)
    cropped = augmented("crop", x)(x, rows)
    flips = augmented("crop+flip", x)._flips
    assert torch.equal(torch.where(flips[:, None, None, None], cropped.flip(3), cropped), whole)


def test_epochs_differ_and_runs_of_a_seed_do_not():
    data, options = digit_maps(96, 32), settings(epochs=3, augment="crop+flip", crop_padding=2)
    one, two = (train(begin(tiny_resnet(), options, CPU), data, options) for _ in range(2))
    assert_same_state(one, two)
    plain = settings(epochs=3)
    losses = [entry["train_loss"] for entry in train(begin(tiny_resnet(), plain, CPU), data, plain).history]
    assert all(a["train_loss"] != b for a, b in zip(one.history, losses, strict=True))
    draws = [Augment(options, tiny_resnet(), 96, seed, CPU)._moves for seed in (1, 2)]
    assert not torch.equal(*draws)


@pytest.mark.parametrize("kind", DRAWN)
def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(kind, tmp_path):
    data, options = digit_maps(64, 32), settings(epochs=4, augment=kind, crop_padding=1)
    whole = train(begin(tiny_resnet(), options, CPU), data, options)
    state = begin(tiny_resnet(), options, CPU)

    def stop(event):
        if isinstance(event, Settled) and event.epoch == 2:
            save_checkpoint(state, tmp_path / "c")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(state, data, options, None, [stop])
    assert_same_state(train(load_checkpoint(tmp_path / "c", options, CPU), data, options), whole)


@pytest.mark.parametrize("kind", DRAWN)
def test_inputs_without_a_grid_are_refused_before_training(kind):
    data, options = digit_maps(64, 32), settings(epochs=1, augment=kind)
    flat = TrainingData(data.x_train.flatten(1), data.y_train, data.x_valid.flatten(1), data.y_valid, data.task)
    state = begin(start_graph(flat), options, CPU)
    with pytest.raises(OptionError, match="needs maps, but input 'input' takes 64 features without a grid; use"):
        train(state, flat, options)
    assert state.epoch == 0


def test_targets_that_are_maps_and_crops_out_of_sight_are_refused():
    b = GraphBuilder()
    b.input("input", 1, grid=(4, 4), domain=(0, 1))
    b.output("output", 2, grid=(4, 4))
    b.conv2d("input", "output", kernel=3, padding=1)
    with pytest.raises(OptionError, match="output 'output' gives maps"):
        check_augment(settings(augment="flip"), b.build())
    with pytest.raises(OptionError, match=r"crop_padding=5 .* use at most 4"):
        check_augment(settings(augment="crop", crop_padding=5), maps_graph())
    check_augment(settings(augment="flip", crop_padding=5), maps_graph())
    check_augment(settings(augment="none"), ng.mlp([2, 2]))
