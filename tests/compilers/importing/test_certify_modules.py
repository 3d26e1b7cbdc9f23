"""Transforms of plain torch modules, right and wrong ones, and the verdicts on them."""

import functools
import re

import module_pairs as made
import pytest
import torch
from module_pairs import Pair
from torch import nn

from compilers.importing import certify_modules, from_module
from netgraph.testing import assert_same_function

ORDER = [3, 1, 4, 0, 5, 2]


@functools.cache
def relu_net():
    return made.mlp(6, 8, 3)


@functools.cache
def tanh_net():
    return made.mlp(6, 8, 3, activation=nn.Tanh)


attention, conv_net, block = (functools.cache(kind) for kind in (made.Attention, made.ConvNet, made.Block))
IMPORTED = {}


@pytest.fixture(autouse=True)
def modules_are_imported_once(monkeypatch):
    """The same module on the same domain is imported once: several pairs have one of their modules in common."""

    def import_once(module, example, *, domain):
        key = module, domain
        if key not in IMPORTED:
            IMPORTED[key] = from_module(module, example, domain=domain)
        return IMPORTED[key]

    monkeypatch.setattr("compilers.importing.certifying.from_module", import_once)


def with_dead_unit():
    return made.edited(relu_net(), lambda net: net[2].weight[:, 2].zero_())


def with_silent_unit():
    return made.edited(relu_net(), lambda net: (net[0].weight[5].zero_(), net[0].bias[5].fill_(-1.0)))


def of_vectors(old, new, domain=(-1.0, 1.0)):
    return Pair(old, new, made.vector(), domain)


def deeper_residual():
    old, new = made.Residual(1), made.Residual(2, zero_last=True)
    old.load_state_dict({name: values for name, values in new.state_dict().items() if not name.startswith("blocks.1")})
    return Pair(old, new, made.image(), None)


def noisy_copy(net):
    net[0].weight[8].copy_(net[0].weight[3])


def rows_swapped(net):
    for values in (net[0].weight, net[0].bias):
        values[:2] = values[[1, 0]]


EXACT = {
    "net2net, halves": lambda: of_vectors(relu_net(), made.picked(relu_net(), [*range(8), 2, 5])),
    "net2net, uneven": lambda: of_vectors(relu_net(), made.uneven(relu_net())),
    "units permuted": lambda: of_vectors(relu_net(), made.picked(relu_net(), [3, 1, 0, 2, 7, 6, 5, 4]), None),
    "units merged": lambda: of_vectors(*made.merged(relu_net())),
    "identity layer": lambda: of_vectors(relu_net(), made.deeper(relu_net()), None),
    "units rescaled": lambda: of_vectors(relu_net(), made.rescaled(relu_net()), None),
    "signs of tanh": lambda: of_vectors(tanh_net(), made.flipped(tanh_net(), [1, 4]), None),
    "dead unit dropped": lambda: of_vectors(with_dead_unit(), made.picked(with_dead_unit(), [0, 1, 3, 4, 5, 6, 7])),
    "silent unit dropped": lambda: of_vectors(
        with_silent_unit(), made.picked(with_silent_unit(), [0, 1, 2, 3, 4, 6, 7])
    ),
    "zero head pruned": lambda: Pair(
        made.zero_head(attention(), 2),
        made.with_heads(made.zero_head(attention(), 2), [0, 1, 3]),
        made.tokens(),
        None,
    ),
    "heads permuted": lambda: Pair(attention(), made.with_heads(attention(), [2, 0, 3, 1]), made.tokens(), None),
    "slots permuted": lambda: Pair(attention(), made.slots_permuted(attention()), made.tokens(), None),
    "channels permuted": lambda: Pair(conv_net(), made.permuted_channels(conv_net(), ORDER), made.image(), None),
    "zero branch added": deeper_residual,
    "lemon": lambda: Pair(block(), made.lemon(block()), made.stream()),
    "lemon, uneven shares": lambda: Pair(block(), made.lemon(block(), (0.25, 0.75)), made.stream()),
}

ROUNDED = {
    "net2net, thirds": lambda: of_vectors(relu_net(), made.picked(relu_net(), [*range(8), 2, 2])),
    "batch norm into convolution": lambda: Pair(conv_net(), made.fused(conv_net()), made.image()),
    "batch norm into linear": lambda: of_vectors(made.linear_norm(), made.linear_fused(made.linear_norm())),
    "layer norm into linear": lambda: Pair(block(), made.norm_into_linear(block()), made.stream()),
}

WRONG = {
    "net2net, not divided": (
        lambda: of_vectors(relu_net(), made.picked(relu_net(), [*range(8), 2], divide=False)),
        "layer '2'",
    ),
    "net2net, wrong row": (
        lambda: of_vectors(relu_net(), made.edited(made.picked(relu_net(), [*range(8), 2]), noisy_copy)),
        "layer '2'",
    ),
    "one side permuted": (lambda: of_vectors(relu_net(), made.edited(relu_net(), rows_swapped)), "layer '2'"),
    "rescaled on one side": (
        lambda: of_vectors(relu_net(), made.rescaled(relu_net(), outgoing=False)),
        "layer '0'",
    ),
    "signs of relu": (lambda: of_vectors(relu_net(), made.flipped(relu_net(), [1, 4])), "layer '0'"),
    "tanh twice": (
        lambda: of_vectors(tanh_net(), nn.Sequential(*tanh_net()[:2], nn.Tanh(), tanh_net()[2]).eval()),
        "layer '3'",
    ),
    "another activation": (
        lambda: of_vectors(relu_net(), nn.Sequential(relu_net()[0], nn.GELU(), relu_net()[2]).eval()),
        "layer '0'",
    ),
    "epsilon forgotten": (
        lambda: Pair(conv_net(), made.fused(conv_net(), epsilon=0.0), made.image()),
        "layer 'first'",
    ),
    "statistics not permuted": (
        lambda: Pair(conv_net(), made.permuted_channels(conv_net(), ORDER, False), made.image()),
        "layer 'first'",
    ),
    "head with output pruned": (
        lambda: Pair(attention(), made.with_heads(attention(), [0, 1, 3]), made.tokens()),
        "layer 'o'",
    ),
    "slots of queries permuted": (
        lambda: Pair(attention(), made.slots_permuted(attention(), both=False), made.tokens()),
        "heads'",
    ),
    "lemon, shares of 3/4": (
        lambda: Pair(block(), made.lemon(block(), (0.5, 0.25)), made.stream()),
        "layer 'up'",
    ),
}


def certified(pair, **options):
    return certify_modules(pair.old, pair.new, pair.example, domain=pair.domain, **options)


def largest_difference(pair, samples=256):
    low, high = pair.domain or (-1.0, 1.0)
    x = torch.rand(samples, *pair.example.shape[1:], dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        old, new = (made.edited(net, lambda net: net.double())(low + (high - low) * x) for net in (pair.old, pair.new))
    return float((old - new).abs().max())


@pytest.mark.parametrize("name", EXACT)
def test_right_transforms_are_exact(name):
    certificate = certified(EXACT[name]())
    assert certificate.kind == "exact", certificate


@pytest.mark.parametrize("name", ROUNDED)
def test_rounded_transforms_are_exact_up_to_rounding(name):
    pair = ROUNDED[name]()
    certificate = certified(pair)
    assert certificate.level == "exact up to rounding", certificate
    assert largest_difference(pair) <= certificate.bound + 1e-12


@pytest.mark.parametrize("name", WRONG)
def test_wrong_transforms_are_bounded_and_the_place_and_an_input_are_named(name):
    make, place = WRONG[name]
    pair = make()
    certificate = certified(pair)
    assert certificate.level == "bounded", certificate
    assert certificate.bound >= largest_difference(pair)
    assert place in " ".join(certificate.stopped)


def test_pruned_weights_have_a_bound_above_what_is_measured():
    pair = of_vectors(relu_net(), made.pruned(relu_net(), 0.3))
    certificate = certified(pair)
    assert certificate.level == "bounded"
    assert 0 < largest_difference(pair) <= certificate.bound < 10 * largest_difference(pair)


def test_folded_norms_are_another_function_in_train_mode():
    pair = ROUNDED["batch norm into convolution"]()
    assert certified(pair).eval_only
    assert certified(pair, mode="train").kind == "unknown"


def test_permuted_channels_are_exact_in_train_mode_too():
    assert certified(EXACT["channels permuted"](), mode="train").kind == "exact"


def test_tensors_of_another_order_are_not_compared():
    class Transposed(nn.Module):
        def __init__(self, net):
            super().__init__()
            self.net = net

        def forward(self, x):
            return self.net(x).transpose(1, 2)

    net = made.mlp(4, 4)
    certificate = certify_modules(net, Transposed(net), torch.zeros(2, 4, 4))
    assert certificate.kind == "unknown"
    assert "order of their numbers" in certificate.reason


def test_modules_are_read_by_the_assertion(monkeypatch):
    from importlib.metadata import EntryPoint

    entry = EntryPoint("torch", "compilers.importing:reader", "netgraph.readers")
    monkeypatch.setattr("netgraph.testing.readers.entry_points", lambda group: [entry])
    right, wrong = EXACT["net2net, halves"](), WRONG["net2net, not divided"][0]()
    assert assert_same_function(right.old, right.new, right.example, domain=right.domain).kind == "exact"
    with pytest.raises(AssertionError) as error:
        assert_same_function(wrong.old, wrong.new, wrong.example, domain=wrong.domain)
    assert re.search(r"Place: .*layer '2'.*\nCounterexample: output '2', sample \d+, vertex row \d", str(error.value))
