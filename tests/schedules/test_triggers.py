import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netgraph.errors import OptionError
from netgraph.schedules import EveryEpochs, Plateau, Stalled, WindowGain

losses = st.lists(st.integers(0, 40).map(lambda k: k / 8), max_size=14)


def history(*values, name="val_loss"):
    return [{name: value} for value in values]


@given(losses, st.integers(0, 14), st.integers(1, 4), st.integers(0, 6), st.integers(0, 16).map(lambda k: k / 16))
def test_plateau_is_the_mean_change_since_the_last_action(values, last, window, minimum, threshold):
    last = min(last, len(values))
    since = values[last:]
    changes = [abs(b - a) for a, b in pairwise(since)][-window:]
    expected = len(since) >= minimum and len(changes) == window and sum(changes) / window < threshold
    assert Plateau(threshold, window=window, minimum=minimum).fires(history(*values), last) == expected


def test_plateau_needs_as_many_changes_as_its_window():
    trigger = Plateau(1.0, window=3)
    assert [trigger.fires(history(*[2.0] * n), 0) for n in range(6)] == [False, False, False, False, True, True]


def test_plateau_waits_for_its_minimum():
    trigger = Plateau(1.0, window=1, minimum=4)
    assert [trigger.fires(history(*[2.0] * n), 0) for n in range(6)] == [False, False, False, False, True, True]
    assert [trigger.fires(history(*[2.0] * n), 2) for n in range(8)] == [False] * 6 + [True, True]


def test_plateau_forgets_what_was_before_the_last_action():
    flat_then_one_jump = history(1.0, 1.0, 1.0, 1.0, 9.0)
    assert Plateau(0.5, window=2).fires(flat_then_one_jump[:4], 0)
    assert not Plateau(0.5, window=2).fires(flat_then_one_jump[:4], 3)
    assert not Plateau(0.5, window=2).fires(flat_then_one_jump, 3)
    # The jump from before the action to after it is not a change.
    assert Plateau(0.5, window=1).fires(history(5.0, 1.0, 1.0), 1)


def test_plateau_looks_at_changes_up_and_down():
    assert not Plateau(0.5, window=2).fires(history(1.0, 2.0, 1.0), 0)


def test_plateau_threshold_itself_does_not_fire():
    assert not Plateau(0.5, window=1).fires(history(1.0, 1.5), 0)


def test_plateau_reads_the_metric_it_is_told():
    entries = [{"val_loss": float(k), "train_loss": 0.0} for k in range(4)]
    assert Plateau(0.1, window=2, metric="train_loss").fires(entries, 0)
    assert not Plateau(0.1, window=2).fires(entries, 0)


@given(st.integers(0, 20), st.integers(0, 20), st.integers(1, 7))
def test_every_epochs_counts_from_the_last_action(epoch, last, period):
    last = min(last, epoch)
    assert EveryEpochs(period).fires(history(*[0.0] * epoch), last) == (epoch - last >= period)


@pytest.mark.parametrize("make", [lambda: Plateau(0.1, window=0), lambda: Plateau(-0.1), lambda: EveryEpochs(0)])
def test_triggers_that_make_no_sense_are_refused(make):
    with pytest.raises(OptionError):
        make()


def test_a_metric_that_is_not_there_is_named_with_the_nearest():
    for trigger in (Plateau(0.1, metric="val_los"), WindowGain(0.1, metric="val_los")):
        with pytest.raises(OptionError, match="val_loss"):
            trigger.fires(history(*[1.0] * 8), 0)


# -- WindowGain -----------------------------------------------------------------------------------


def accuracies(*values):
    return [{"val_accuracy": value, "val_loss": 1 - value} for value in values]


def test_window_gain_compares_two_consecutive_windows():
    trigger = WindowGain(0.1, window=2)
    assert not trigger.fires(accuracies(0.5, 0.5, 0.5), 0)  # two windows need four epochs
    assert trigger.fires(accuracies(0.5, 0.5, 0.5, 0.5), 0)
    assert trigger.gain(accuracies(0.4, 0.6, 0.5, 0.7), 2, 4) == pytest.approx(0.2)
    assert not trigger.fires(accuracies(0.4, 0.6, 0.5, 0.7), 0)
    assert trigger.fires(accuracies(0.9, 0.6, 0.5, 0.7), 0)  # a loss is no gain


def test_window_gain_waits_for_a_window_after_the_last_action():
    trigger, flat = WindowGain(0.1, window=3), accuracies(*[0.5] * 9)
    assert [trigger.fires(flat[:n], 5) for n in (6, 7, 8, 9)] == [False, False, True, True]


def test_the_gain_of_a_loss_is_its_fall():
    by_loss = WindowGain(0.1, window=1, metric="val_loss")
    assert by_loss.gain(accuracies(0.2, 0.6), 1, 2) == pytest.approx(0.5)
    assert not by_loss.fires(accuracies(0.2, 0.6), 0)
    assert by_loss.fires(accuracies(0.6, 0.2), 0)


def test_the_gain_from_nothing_is_without_bound_and_of_nothing_none():
    trigger = WindowGain(0.1, window=1)
    assert trigger.gain(accuracies(0.0, 0.5), 1, 2) == math.inf
    assert trigger.gain(accuracies(0.0, 0.0), 1, 2) == 0


@pytest.mark.parametrize(("options", "word"), [({"window": 0}, "window=0"), ({"threshold": math.nan}, "not a number")])
def test_window_gain_checks_its_options(options, word):
    with pytest.raises(OptionError, match=word):
        WindowGain(**options)


def test_stalled_waits_for_a_new_best_value():
    losses = [{"val_loss": value} for value in (3.0, 2.0, 2.5, 2.1, 2.0, 1.0)]
    fired = [Stalled(3).fires(losses[:n], 0) for n in range(1, 7)]
    assert fired == [False, False, False, False, True, False]


def test_stalled_forgets_what_was_before_the_last_action():
    losses = [{"val_loss": value} for value in (1.0, 2.0, 1.9, 1.8)]
    assert not Stalled(2).fires(losses, 1)
    assert not Stalled(1).fires([], 0)


def test_stalled_looks_for_large_accuracies():
    history = [{"val_accuracy": value} for value in (0.5, 0.6, 0.55)]
    assert Stalled(1, "val_accuracy").fires(history, 0)
    assert not Stalled(1, "val_accuracy").fires(history[:2], 0)


def test_stalled_needs_some_patience():
    with pytest.raises(OptionError, match="patience=0"):
        Stalled(0)


@pytest.mark.parametrize("metric", ["val_loss", "val_rmse"])
def test_errors_gain_by_falling(metric):
    falling = [{metric: value} for value in (8.0, 8.0, 4.0, 4.0)]
    assert WindowGain(0.1, window=2, metric=metric).gain(falling, 2, 4) == 0.5
    assert not WindowGain(0.1, window=2, metric=metric).fires(falling, 0)
    assert WindowGain(0.1, window=2, metric=metric).fires(falling[::-1], 0)
