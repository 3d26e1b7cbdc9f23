import numpy as np
import pytest

from netgraph.storage import EPOCHS_FOLDER, EpochValues, forget_epochs, is_kept, load_epochs, save_epoch


def values(epoch, edges=5, gradient=False):
    weight = np.arange(edges, dtype=np.float32) + epoch
    return EpochValues(epoch, 2, "abc", weight, weight / 8 if gradient else None)


def test_epochs_come_back_in_order_as_they_were(tmp_path):
    for epoch in (10, 2, 1_000_000):
        save_epoch(tmp_path, values(epoch, gradient=epoch == 2))
    first, second, third = load_epochs(tmp_path)
    assert [first.epoch, second.epoch, third.epoch] == [2, 10, 1_000_000]
    assert (first.rewrites, first.topology_hash) == (2, "abc")
    assert np.array_equal(first.weight, values(2).weight)
    assert np.array_equal(first.gradient, values(2).weight / 8)
    assert second.gradient is None


def test_a_run_without_epochs_has_none(tmp_path):
    assert list(load_epochs(tmp_path)) == []
    forget_epochs(tmp_path, after=0)


def test_epochs_after_one_are_forgotten(tmp_path):
    for epoch in range(1, 6):
        save_epoch(tmp_path, values(epoch))
    forget_epochs(tmp_path, after=3)
    assert [one.epoch for one in load_epochs(tmp_path)] == [1, 2, 3]


def test_a_damaged_epoch_is_left_out(tmp_path):
    for epoch in (1, 2, 3):
        save_epoch(tmp_path, values(epoch))
    file = tmp_path / EPOCHS_FOLDER / "000002.safetensors"
    file.write_bytes(file.read_bytes()[:-4])
    assert [one.epoch for one in load_epochs(tmp_path)] == [1, 3]


@pytest.mark.parametrize("epochs", [1, 20, 64, 65, 1000])
@pytest.mark.parametrize("edges", [10, 100_000, 3_000_000])
@pytest.mark.parametrize("columns", [1, 2])
def test_the_kept_epochs_of_a_run_are_few_and_small(epochs, edges, columns):
    kept = [epoch for epoch in range(1, epochs + 1) if is_kept(epoch, epochs, edges, columns)]
    assert len(kept) <= 64
    assert len(kept) * edges * columns * 4 <= 32 << 20
    assert len(kept) >= min(epochs, 32) or edges > 10


def test_every_epoch_of_a_short_run_of_a_small_network_is_kept():
    assert all(is_kept(epoch, 50, 20_000, 2) for epoch in range(1, 51))
