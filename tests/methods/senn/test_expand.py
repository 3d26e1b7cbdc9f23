"""Expanding where it pays: decisions by golden numbers, limits, and what every addition leaves as it was."""

import math

import numpy as np
import pytest
from senn_case import EXPECTED
from senn_graph import golden_data, golden_net
from tiny_training import CPU, digits, settings

import netgraph as ng
from compilers import lift
from compilers.training import NothingSelected, Rewritten, TrainingData, TrainState, begin, make_optimizer, train
from compilers.training.context import TrainerContext
from netgraph.errors import OptionError
from netgraph.methods import Check, Expand, Limits, Method, Thresholds
from netgraph.methods.senn import SearchOptions

QUICK = SearchOptions(chains=20, steps=30, sampler="mala")
EASY = Thresholds(tau=0.01, alpha=1e-6, significance=0.0, layer_cost=1.0)


def context(graph, data, epoch=30, **options):
    """A context as the trainer gives, after so many epochs that never were."""
    made = settings(**{"epochs": 100, **options})
    state = begin(graph, made, CPU)
    state.history = [{"val_loss": 1.0}] * epoch
    return TrainerContext(state, data, made, None)


def expand(**options):
    return Expand(**{"search": QUICK, "samples": 128, **options})


def mlp(hidden=(4,), activation="rational", seed=0):
    return ng.mlp([64, *hidden, 10], domain=(0, 1), activation=activation, seed=seed)


# ---- golden ---------------------------------------------------------------------------------------------


COLD = 1e-6
"""A temperature at which the pooled score of a search is the largest of its chains."""


def golden_check(search=None, **options):
    net, made, data = golden_net(), settings(epochs=100), golden_data()
    state = TrainState(net, make_optimizer(net, made))
    seen = TrainerContext(state, data, made, None)
    return expand(search=SearchOptions(chains=200, steps=200, **(search or {})), **options).look(seen)


def test_scores_of_the_golden_network():
    check = golden_check(bias=False, judge="pooled", tangent="depth", search={"temperature": COLD})
    width, first, second = check.candidates
    assert [c.kind for c in check.candidates] == ["width", "depth", "depth"]
    assert width.layer_score == pytest.approx(EXPECTED["kfac"]["layer2"]["eta_layer_reference"], rel=1e-9)
    assert second.layer_score == width.layer_score
    assert first.layer_score == pytest.approx(EXPECTED["kfac"]["layer1"]["eta_layer_reference"], rel=1e-9)
    assert check.loss_gradient == pytest.approx(EXPECTED["forward"]["loss_sqnorm"], rel=1e-9)
    assert check.natural_score == pytest.approx(EXPECTED["exact"]["eta_damped"], rel=1e-6)
    # The search finds at least what the golden proposals, taken at random, are worth.
    assert width.score >= EXPECTED["width_proposal"]["delta_eta_lower"]
    assert second.score * check.thresholds.layer_cost >= EXPECTED["depth_proposal"]["delta_eta_lower"]


def test_the_numbers_of_a_decision():
    check = golden_check(thresholds=Thresholds(tau=1e-6, alpha=1e-6))
    best = check.best
    numbers = check.numbers(best)
    assert numbers["ratio"] == pytest.approx(numbers["score"] / numbers["layer_score"])
    assert numbers["share"] == pytest.approx(numbers["score"] / numbers["loss_gradient"])
    assert (numbers["tau"], numbers["alpha"], numbers["candidates"]) == (1e-6, 1e-6, 3)
    assert (numbers["significance"], numbers["layer_cost"]) == (check.thresholds.significance, 2.0)
    assert numbers["score"] > numbers["significance"] * numbers["chance"]
    width, first, _second = check.candidates
    assert check.numbers(width)["most_additions"] == check.max_additions(width) >= 1
    assert "most_additions" not in check.numbers(first)
    assert numbers.get("most_additions", 1) >= 1
    assert best.score == max(c.score for c in check.candidates if c.passes)


# ---- decisions ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["width", "depth"])
def test_every_addition_is_certified_and_moves_nothing(kind):
    events = []
    data, made = digits(), settings(epochs=3)
    other = {"depth" if kind == "width" else "width": False}
    part = expand(thresholds=EASY, cooldown=1, layer_cooldown=0, at_once=2, **other)
    state = train(begin(mlp(), made, CPU), data, made, Method("grow", (part,)), [events.append])
    done = [event for event in events if isinstance(event, Rewritten)]
    assert len(done) == 4  # after two of three epochs; nothing is added after the last
    assert [event.proposal.numbers["addition"] for event in done] == [1, 2, 1, 2]
    for event in done:
        certificate = event.result.certificate
        # Intervals through layers at identity widen from one to the next, so that their bound is small for the first.
        assert certificate.kind == "exact" or (kind == "depth" and math.isfinite(certificate.bound))
        assert certificate.measured.relative < 1e-6
        assert set(event.proposal.numbers) >= {"score", "layer_score", "ratio", "share", "tau", "alpha"}
        assert event.proposal.reason.startswith(f"{kind} at")
        assert "verdict" in event.proposal.announcement
    grown = lift(state.net)
    assert (grown.num_layers, len(grown.layers["hidden1"])) == ((3, 8) if kind == "width" else (7, 4))


def test_nothing_passes_high_thresholds_and_the_table_says_why():
    events = []
    data, made = digits(), settings(epochs=3)
    part = expand(thresholds=Thresholds(tau=1e6, alpha=1e6), cooldown=1)
    train(begin(mlp(), made, CPU), data, made, Method("grow", (part,)), [events.append])
    told = [event.proposal for event in events if isinstance(event, NothingSelected)]
    assert len(told) == 2
    for proposal in told:
        assert "ratio <= tau=1e+06, share <= alpha=1e+06" in proposal.reason
        lines = proposal.announcement.splitlines()
        assert len(lines) == 4  # a head, a width and two depths
        assert all("too little" in line for line in lines[1:])
    assert not any(isinstance(event, Rewritten) for event in events)


def test_what_was_added_is_there_for_the_next_look():
    """The same proposal is worth nothing to a network that has it: the score is of the grown network."""
    seen = context(mlp(), digits())
    part = expand(thresholds=EASY, depth=False)
    first = part.look(seen)
    best = first.best
    result = ng.apply(best.rule, seen.graph, on=best.on)
    grown = context(result.graph, digits())
    second = part.look(grown)
    # Its eta_c counts the new vertex, by at least what was promised.
    gained = second.candidates[0].layer_score - first.candidates[0].layer_score
    assert gained >= best.score * (1 - 1e-6)
    assert second.candidates[0].upper_bound == pytest.approx(first.candidates[0].upper_bound, rel=1e-6)
    # And the residual does not hold it any more.
    signals = grown.capture(["input", "hidden1", "output"], samples=128)
    new = signals.activations["hidden1"][:, -1:]
    from netgraph.methods.senn import FedLayer, inputs_of, rows_of

    read = inputs_of(result.graph, result.graph.layer("output").id, signals.activations)
    norms = np.linalg.norm(signals.output_gradients, axis=1)
    fed = FedLayer(read, rows_of(signals.gradients["output"]), norms)
    assert float(fed.expansion().score(new)) < 1e-9 * best.score


def noise():
    """Inputs and classes that have nothing to do with each other."""
    rng = np.random.default_rng(0)
    x, y = rng.uniform(size=(256, 64)), rng.integers(0, 10, 256)
    return TrainingData.from_arrays(x, y, x[:20], y[:20], task="classification")


@pytest.mark.parametrize("kind", ["width", "depth"])
def test_noise_does_not_pass_on_samples_that_were_not_searched(kind):
    chosen = {"depth" if kind == "width" else "width": False, "thresholds": Thresholds(tau=0, alpha=0, significance=2)}
    search = SearchOptions(chains=20, steps=100, sampler="ascent", temperature=COLD)
    limits = Limits(max_inputs=16)
    verdicts = {}
    for judge in ("pooled", "fresh"):
        part = expand(**chosen, search=search, samples=256, judge=judge, limits=limits)
        check = part.look(context(mlp(), noise()))
        verdicts[judge] = [c.passes for c in check.candidates if not math.isnan(c.score)]
        assert len(verdicts[judge]) == 1
    assert verdicts == {"pooled": [True], "fresh": [False]}
    seen = part.look(context(mlp(), digits()))
    assert seen.best is not None
    assert seen.best.kind == kind


def test_limits():
    seen = context(mlp(hidden=(4, 3)), digits())
    full = Limits(max_width=4, max_layers=2, max_inputs=3)
    check = expand(limits=full).look(seen)
    verdicts = {(c.kind, c.place): c.verdict for c in check.candidates}
    assert verdicts["width", "hidden1"] == "has 4 vertices, as many as it may"
    assert not math.isnan(next(c.score for c in check.candidates if c.place == "hidden2"))
    assert {v for (kind, _), v in verdicts.items() if kind == "depth"} == {"has 2 hidden layers, as many as it may"}
    check = expand(limits=Limits(max_inputs=3), width=False).look(seen)
    verdicts = {c.place: c.verdict for c in check.candidates}
    assert verdicts["input -> hidden1"] == "64 vertices feed it, more than 3"
    assert "too little" in verdicts["hidden2 -> output"] or verdicts["hidden2 -> output"] == "passes"
    check = expand(limits=Limits(max_edges=seen.graph.num_edges)).look(seen)
    assert all("would be more than" in c.verdict for c in check.candidates)
    assert check.best is None
    assert check.looked_at == 0


@pytest.mark.parametrize(
    ("options", "endless"),
    [
        ({}, True),
        ({"limits": Limits(max_width=8)}, True),
        ({"limits": Limits(max_width=8, max_layers=2)}, False),
        ({"limits": Limits(max_width=8), "depth": False}, False),
        ({"limits": Limits(max_edges=1_000)}, False),
        ({"at_once": 2}, False),
        ({"thresholds": Thresholds(tau=0, alpha=0, significance=1)}, False),
    ],
)
def test_a_look_ends(options, endless):
    chosen = {"thresholds": Thresholds(tau=0, alpha=0, significance=0), **options}
    if endless:
        with pytest.raises(OptionError, match="would not end"):
            Expand(**chosen)
    else:
        assert Expand(**chosen).cooldown == 30


def test_a_new_layer_waits():
    data, made, events = digits(), settings(epochs=9), []
    part = expand(thresholds=EASY, cooldown=1, layer_cooldown=3, width=False)
    train(begin(mlp(), made, CPU), data, made, Method("grow", (part,)), [events.append])
    assert [event.epoch for event in events if isinstance(event, Rewritten)] == [1, 4, 7]
    waits = [event.proposal.announcement for event in events if isinstance(event, NothingSelected)]
    assert "the last layer came 1 epochs ago, less than 3" in waits[0]


def test_when_it_looks():
    part = expand(cooldown=10, first=3, until=0.5)
    looks = [n for n in range(1, 101) if part._is_time(_after(n))]
    assert looks == [3, 13, 23, 33, 43]
    assert part.pending(_after(42))
    assert not part.pending(_after(43))
    assert [n for n in range(1, 101) if expand(cooldown=30)._is_time(_after(n))] == [30, 60, 90]


class _after:
    epochs = 100

    def __init__(self, done):
        self.history = [{}] * done


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"cooldown": 0}, "cooldown=0 is below 1"),
        ({"layer_cooldown": -1}, "layer_cooldown=-1"),
        ({"samples": 1}, "samples=1"),
        ({"until": 1.5}, "until=1.5"),
        ({"tangent": "al"}, "'al'"),
        ({"judge": "pool"}, "pooled"),
        ({"width": False, "depth": False}, "Neither width nor depth"),
    ],
)
def test_wrong_options(wrong, message):
    with pytest.raises(OptionError, match=message):
        expand(**wrong)


@pytest.mark.parametrize("wrong", [{"tau": -1}, {"alpha": math.nan}, {"layer_cost": 0}])
def test_wrong_thresholds(wrong):
    with pytest.raises(OptionError):
        Thresholds(**wrong)


def test_one_sample_has_no_half_to_judge_by():
    seen = context(mlp(), digits(1))
    with pytest.raises(OptionError, match="but there is 1; give more"):
        expand(judge="fresh").look(seen)
    assert expand(judge="pooled").look(seen).looked_at == 3


def test_a_check_without_candidates():
    empty = Check((), Thresholds(), 1.0, 0.0)
    assert empty.best is None
    assert empty.table().startswith("kind")
