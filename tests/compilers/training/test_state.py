import errno
import os
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from tiny_training import (
    CPU,
    EPOCHS,
    Killed,
    assert_same_state,
    diabetes,
    digits,
    growth,
    run,
    saving,
    settings,
    start_graph,
)

from compilers import CostTable, lift, lower, optimizer_state_arrays
from compilers.training import (
    TrainState,
    begin,
    checkpoint_graph,
    load_checkpoint,
    make_optimizer,
    save_checkpoint,
    train,
)
from compilers.training.state import CHECKPOINT_KIND, CHECKPOINT_VERSION
from netgraph.errors import DivergenceError, TrainingError
from netgraph.schedules import StopReason
from netgraph.storage.container import read_container, write_container


def interrupted(path, options, until, data=None, method=None):
    """A run that is killed just after its checkpoint of epoch `until`."""
    data = data or digits()
    state = begin(start_graph(data), options, CPU)
    with pytest.raises(Killed):
        train(state, data, options, method or growth(), [saving(path, state, until)])
    return state


def resumed(path, options, data=None, method=None):
    data = data or digits()
    state = load_checkpoint(path, options, CPU)
    return train(state, data, options, method or growth(), [saving(path, state, None)])


# -- exact resume ------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
@pytest.mark.parametrize("until", range(1, EPOCHS))
def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(optimizer, until, tmp_path):
    options = settings(optimizer=optimizer, learning_rate=3e-2)
    whole = run(options=options)
    assert {a.rule for a in whole.actions} >= {"SplitEdges", "PruneEdges"}
    interrupted(tmp_path / "c.safetensors", options, until)
    assert_same_state(resumed(tmp_path / "c.safetensors", options), whole)


def test_a_run_interrupted_after_every_epoch_is_the_uninterrupted_one(tmp_path):
    options, path = settings(), tmp_path / "c.safetensors"
    interrupted(path, options, 1)
    for until in range(2, EPOCHS):
        state = load_checkpoint(path, options, CPU)
        with pytest.raises(Killed):
            train(state, digits(), options, growth(), [saving(path, state, until)])
    assert_same_state(resumed(path, options), run(options=options))


def test_regression_resumes_exactly(tmp_path):
    data, method = diabetes(2), growth(40)
    interrupted(tmp_path / "c", settings(), 4, data, method)
    assert_same_state(resumed(tmp_path / "c", settings(), data, method), run(data, settings(), method))


@pytest.mark.parametrize("norm", ["none", "batch", "layer"])
def test_what_is_loaded_is_what_was_saved(norm, tmp_path):
    data, options = digits(), settings(epochs=2)
    state = begin(start_graph(data, hidden=(6,), norm=norm), options, CPU)
    train(state, data, options)
    reason = StopReason("other", "because", "so")
    state.elapsed, state.stopped = 12.5, reason
    save_checkpoint(state, tmp_path / "c")
    loaded = load_checkpoint(tmp_path / "c", options, CPU)
    assert_same_state(loaded, state)
    assert (loaded.elapsed, loaded.stopped, loaded.epoch) == (12.5, reason, 2)
    assert loaded.history == state.history
    assert torch.equal(loaded.net.running, state.net.running)


STOPPED = {
    "text of an earlier version": ("because", StopReason("other", "because")),
    "none": (None, None),
    "reason": (asdict(StopReason.no_improvement(3)), StopReason.no_improvement(3)),
}


def with_stopped(path, value):
    structure, arrays = read_container(path, CHECKPOINT_KIND, CHECKPOINT_VERSION)
    write_container(path, CHECKPOINT_KIND, CHECKPOINT_VERSION, {**structure, "stopped": value}, arrays)


@pytest.mark.parametrize(("written", "read"), STOPPED.values(), ids=STOPPED)
def test_reasons_to_stop_are_read_in_the_form_of_every_version(written, read, tmp_path):
    save_checkpoint(begin(start_graph(digits()), settings(), CPU), tmp_path / "c")
    with_stopped(tmp_path / "c", written)
    state = load_checkpoint(tmp_path / "c", settings(), CPU)
    assert state.stopped == read
    save_checkpoint(state, tmp_path / "again")
    assert load_checkpoint(tmp_path / "again", settings(), CPU).stopped == read


@pytest.mark.parametrize("value", [3, {"kind": "bored", "text": "so"}, {"kind": "other"}, ["because"]])
def test_reasons_to_stop_of_no_version_are_refused(value, tmp_path):
    save_checkpoint(begin(start_graph(digits()), settings(), CPU), tmp_path / "c")
    with_stopped(tmp_path / "c", value)
    with pytest.raises(TrainingError, match=r"cannot be used: .*'stopped"):
        load_checkpoint(tmp_path / "c", settings(), CPU)


def test_resuming_does_not_depend_on_global_random_state(tmp_path):
    options = settings()
    whole = run(options=options)
    interrupted(tmp_path / "c", options, 3)
    torch.manual_seed(99)
    np.random.seed(99)  # noqa: NPY002 (the point is the global state)
    assert_same_state(resumed(tmp_path / "c", options), whole)


def test_a_finished_run_has_nothing_left_to_train(tmp_path):
    state = run()
    save_checkpoint(state, tmp_path / "c")
    again = load_checkpoint(tmp_path / "c", settings(), CPU)
    events = []
    train(again, digits(), settings(), growth(), [events.append])
    assert events == []
    assert_same_state(again, state)


def test_a_fresh_state_can_be_saved(tmp_path):
    state = begin(start_graph(digits()), settings(), CPU)
    save_checkpoint(state, tmp_path / "c")
    assert_same_state(load_checkpoint(tmp_path / "c", settings(), CPU), state)


# -- how the network was lowered ---------------------------------------------------------------------


LOWERINGS = {
    "float64": {"dtype": torch.float64},
    "csr": {"kernels": {"layer1": "csr", "output": "csr"}},
    "dense": {"kernels": {"layer1": "padded-dense", "output": "padded-dense"}},
    "costs": {"costs": CostTable(sparse_edge=0.0, sampled_edge=0.0, call=0.0)},
}


def lowered(options, **lowering):
    """A state trained for two epochs from a sparse graph that is lowered in another way than by default."""
    graph = start_graph(digits(), hidden=(8,), density=0.3)
    names = [layer.name for layer in graph.layers.values()][1:]
    if "kernels" in lowering:
        lowering["kernels"] = dict(zip(names, lowering["kernels"].values(), strict=True))
    net = lower(graph, **lowering)
    data = digits()
    if net.weights.dtype == torch.float64:
        data = replace(data, x_train=data.x_train.double(), x_valid=data.x_valid.double())
    return train(TrainState(net, make_optimizer(net, options)), data, options), data


@pytest.mark.parametrize("lowering", LOWERINGS.values(), ids=LOWERINGS)
def test_a_resumed_network_is_lowered_as_it_was(lowering, tmp_path):
    state, data = lowered(settings(epochs=2), **lowering)
    save_checkpoint(state, tmp_path / "c")
    loaded = load_checkpoint(tmp_path / "c", settings(epochs=2), CPU)
    assert loaded.net.options == state.net.options
    assert loaded.net.plan.digest == state.net.plan.digest
    assert loaded.net.plan.summary() == state.net.plan.summary()
    for one in (state, loaded):
        train(one, data, settings(epochs=4))
    assert_same_state(loaded, state)
    assert loaded.net.weights.dtype == state.net.weights.dtype
    assert torch.equal(loaded.net.weights, state.net.weights)
    assert torch.equal(loaded.net.vertex_parameters, state.net.vertex_parameters)


def rewrite_structure(path, change):
    structure, arrays = read_container(path, CHECKPOINT_KIND, CHECKPOINT_VERSION)
    change(structure)
    write_container(path, CHECKPOINT_KIND, CHECKPOINT_VERSION, structure, arrays)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"plan": "00" * 16}, "another plan"),
        ({"kernels": {"output": "gone"}}, "cannot be lowered"),
        ({"dtype": "float16"}, "cannot be used"),
        ({"costs": {"gone": 1.0}}, "cannot be used"),
    ],
)
def test_a_network_that_would_be_lowered_otherwise_is_refused(change, message, tmp_path):
    save_checkpoint(begin(start_graph(digits()), settings(), CPU), tmp_path / "c")
    rewrite_structure(tmp_path / "c", lambda structure: structure["lowering"].update(change))
    with pytest.raises(TrainingError, match=message):
        load_checkpoint(tmp_path / "c", settings(), CPU)


def test_a_checkpoint_that_does_not_say_how_it_was_lowered_is_refused(tmp_path):
    save_checkpoint(run(options=settings(epochs=2)), tmp_path / "c")
    rewrite_structure(tmp_path / "c", lambda structure: structure.pop("lowering"))
    with pytest.raises(TrainingError, match="lowering"):
        load_checkpoint(tmp_path / "c", settings(epochs=2), CPU)


def test_the_graph_of_a_checkpoint(tmp_path):
    state = run(options=settings(epochs=2))
    save_checkpoint(state, tmp_path / "c")
    assert checkpoint_graph(tmp_path / "c").equals(lift(state.net))


# -- damage ------------------------------------------------------------------------------------------


def damage_flip(data):
    return data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :]


DAMAGE = {
    "flipped bit": damage_flip,
    "truncated": lambda data: data[: len(data) // 2],
    "empty": lambda data: b"",
    "something else": lambda data: b"hello" * 100,
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_checkpoint_is_refused_and_the_one_before_it_is_good(damage, tmp_path):
    path, options = tmp_path / "c.safetensors", settings()
    interrupted(path, options, 5)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(TrainingError) as caught:
        load_checkpoint(path, options, CPU)
    previous = tmp_path / "c.previous"
    assert str(path) in str(caught.value)
    assert str(previous) in str(caught.value)
    path.write_bytes(previous.read_bytes())
    assert load_checkpoint(path, options, CPU).epoch == 4
    assert_same_state(resumed(path, options), run(options=options))


def test_without_one_before_it_none_is_named(tmp_path):
    save_checkpoint(begin(start_graph(digits()), settings(), CPU), tmp_path / "c.safetensors")
    (tmp_path / "c.safetensors").write_bytes(b"")
    with pytest.raises(TrainingError) as caught:
        load_checkpoint(tmp_path / "c.safetensors", settings(), CPU)
    assert "previous" not in str(caught.value)


def test_a_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(TrainingError, match="no file"):
        load_checkpoint(tmp_path / "c.safetensors", settings(), CPU)


def test_a_graph_file_is_no_checkpoint(tmp_path):
    from netgraph import save

    save(start_graph(digits()), tmp_path / "c")
    with pytest.raises(TrainingError, match=r"expected 'netgraph\.checkpoint'"):
        load_checkpoint(tmp_path / "c", settings(), CPU)


def test_a_checkpoint_of_another_optimizer_is_refused(tmp_path):
    state = run(options=settings(optimizer="adamw", epochs=1))
    save_checkpoint(state, tmp_path / "c")
    with pytest.raises(TrainingError, match="sgd"):
        load_checkpoint(tmp_path / "c", settings(optimizer="sgd"), CPU)


def test_a_loss_that_is_not_finite_leaves_the_last_checkpoint_good(tmp_path):
    path, data = tmp_path / "c", digits()
    interrupted(path, settings(), 2)
    wild = settings(learning_rate=1e38)
    state = load_checkpoint(path, wild, CPU)
    with pytest.raises(TrainingError, match="last state that is finite is that after epoch 2"):
        train(state, data, wild, growth(), [saving(path, state, None)])
    assert_same_state(resumed(path, settings()), run(options=settings()))


def test_a_full_disk_leaves_the_last_checkpoint_good_and_no_litter(tmp_path, monkeypatch):
    path, options = tmp_path / "c", settings()
    state = interrupted(path, options, 3)

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            save_checkpoint(state, path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c", "c.previous"]
    assert_same_state(resumed(path, options), run(options=options))


def test_file_systems_without_hard_links_keep_the_previous_one_too(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    path = tmp_path / "c.safetensors"
    interrupted(path, settings(), 3)
    assert load_checkpoint(path, settings(), CPU).epoch == 3
    assert load_checkpoint(tmp_path / "c.previous", settings(), CPU).epoch == 2


def test_the_files_of_one_state_are_equal_byte_for_byte(tmp_path):
    state = run()
    for name in "ab":
        save_checkpoint(state, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


# -- optimizers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "cls"), [("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW), ("sgd", torch.optim.SGD)]
)
def test_optimizers_by_name(name, cls):
    state = begin(start_graph(digits()), settings(optimizer=name, weight_decay=0.25, learning_rate=0.5), CPU)
    optimizer = make_optimizer(state.net, settings(optimizer=name, weight_decay=0.25, learning_rate=0.5))
    assert type(optimizer) is cls
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.25, 0.0]
    assert {group["lr"] for group in optimizer.param_groups} == {0.5}
    assert optimizer_state_arrays(optimizer) == {}
    assert lift(state.net).equals(start_graph(digits()))


# -- what is not finite --------------------------------------------------------------------------------


def overflown(state):
    """One gradient of 1e25: its square is infinite in float32, and the weights stay finite."""
    state.net.weights.grad = torch.full_like(state.net.weights, 1e25)
    state.net.vertex_parameters.grad = torch.zeros_like(state.net.vertex_parameters)
    state.optimizer.step()
    assert state.net.weights.isfinite().all()


def test_optimizer_state_that_is_not_finite_is_no_checkpoint(tmp_path):
    state = run(options=settings(epochs=2))
    save_checkpoint(state, tmp_path / "c.safetensors")
    good = (tmp_path / "c.safetensors").read_bytes()
    overflown(state)
    with pytest.raises(DivergenceError, match=r"exp_avg_sq of AdamW? \(weights\).*c\.safetensors.*earlier epoch stays"):
        save_checkpoint(state, tmp_path / "c.safetensors")
    assert (tmp_path / "c.safetensors").read_bytes() == good
    assert [p.name for p in tmp_path.iterdir()] == ["c.safetensors"]


@pytest.mark.parametrize("what", ["running statistics", "val_loss", "step of AdamW?"])
def test_nothing_else_that_is_not_finite_is_a_checkpoint(what, tmp_path):
    data, options = digits(), settings(epochs=1)
    state = train(begin(start_graph(data, hidden=(6,), norm="batch"), options, CPU), data, options)
    if what == "running statistics":
        state.net.running[0] = np.inf
    elif what == "val_loss":
        state.history[-1]["val_loss"] = np.nan
    else:
        state.optimizer.state[state.net.weights]["step"].fill_(np.nan)
    with pytest.raises(DivergenceError, match=rf"{what}.*not finite after epoch 1"):
        save_checkpoint(state, tmp_path / "c")
    assert not list(tmp_path.iterdir())


def test_a_gradient_that_overflows_ends_the_run_at_the_last_good_checkpoint(tmp_path):
    path, data = tmp_path / "c", digits()
    interrupted(path, settings(), 2)
    state = load_checkpoint(path, settings(), CPU)

    def once(optimizer, args, kwargs):
        overflown_gradient = next(iter(state.net.parameters())).grad
        overflown_gradient[0] = 1e25

    state.optimizer.register_step_pre_hook(once)
    with pytest.raises(DivergenceError, match=r"exp_avg_sq.*after epoch 2"):
        train(state, data, settings(), growth(), [saving(path, state, None)])
    assert_same_state(resumed(path, settings()), run(options=settings()))


@pytest.mark.parametrize("name", ["optimizer.0.exp_avg_sq", "optimizer.1.exp_avg"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_checkpoint_that_is_not_finite_is_refused_and_the_one_before_it_named(name, value, tmp_path):
    path = tmp_path / "c.safetensors"
    interrupted(path, settings(), 2)
    structure, arrays = read_container(path, CHECKPOINT_KIND, CHECKPOINT_VERSION)
    arrays = {key: values.copy() for key, values in arrays.items()}
    arrays[name][0] = value
    write_container(path, CHECKPOINT_KIND, CHECKPOINT_VERSION, structure, arrays)
    with pytest.raises(TrainingError, match=rf"{name.removeprefix('optimizer.')}.*not finite.*c\.previous"):
        load_checkpoint(path, settings(), CPU)
