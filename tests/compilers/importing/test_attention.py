"""Attention as one operation and by hand, rotary positions, masks, and attention that no graph has."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F
from torch_models import drawn

import netgraph as ng
from compilers.export import to_module
from compilers.importing import from_module
from netgraph.errors import ImportRefused
from netgraph.graph import Attend, Mix

TOKENS, WIDTH, HEADS, SLOTS = 5, 6, 2, 4
CAUSAL = torch.ones(TOKENS, TOKENS, dtype=torch.bool).tril()
FREQUENCY = 100.0 ** -torch.linspace(0, 0.5, 2, dtype=torch.float64)
ANGLE = torch.arange(TOKENS, dtype=torch.float64)[:, None] * FREQUENCY


class Attention(nn.Module):
    """Projections around a function of queries, keys and values, `(batch, heads, tokens, slots)`."""

    def __init__(self, attend, groups=HEADS, turn=None):
        super().__init__()
        self.q, self.k = nn.Linear(WIDTH, HEADS * SLOTS), nn.Linear(WIDTH, groups * SLOTS)
        self.v, self.o = nn.Linear(WIDTH, groups * SLOTS), nn.Linear(HEADS * SLOTS, WIDTH)
        self.attend, self.turn = attend, turn

    def forward(self, x):
        q, k, v = (part(x).unflatten(-1, (-1, SLOTS)).transpose(1, 2) for part in (self.q, self.k, self.v))
        if self.turn is not None:
            q, k = self.turn(q), self.turn(k)
        return self.o(self.attend(q, k, v).transpose(1, 2).flatten(-2))


def imported(module, *example):
    """Import of a module with drawn parameters, whose graph computes what the module does."""
    module = drawn(module).eval()
    example = example or (torch.randn(2, TOKENS, WIDTH, dtype=torch.float64),)
    result = from_module(module, example)
    with torch.no_grad():
        wanted = module(*example)
    inputs = {name: values.numpy() for name, values in result.to_inputs(example).items()}
    (found,) = result.from_outputs(ng.interpret(result.graph, inputs))
    np.testing.assert_allclose(found.numpy(), wanted.numpy(), atol=1e-9 * max(1.0, float(wanted.abs().max())))
    return result


def merges(result, kind):
    """Layers of a graph with a merge of a kind."""
    return [layer for layer in result.graph.layers_by_id.values() if isinstance(layer.merge, kind)]


def scores(q, k):
    return q @ k.transpose(-2, -1) / math.sqrt(SLOTS)


def by_bmm(q, k, v):
    """Heads and samples on one axis."""
    q, k, v = (part.reshape(-1, TOKENS, SLOTS) for part in (q, k, v))
    weights = torch.bmm(q * SLOTS**-0.5, k.transpose(1, 2)).view(-1, HEADS, TOKENS, TOKENS)
    weights = F.dropout(weights.softmax(-1), 0.1, training=False).view(-1, TOKENS, TOKENS)
    return torch.bmm(weights, v).view(-1, HEADS, TOKENS, SLOTS)


def by_baddbmm(q, k, v):
    q, k, v = (part.flatten(0, 1) for part in (q, k, v))
    mask = torch.zeros(TOKENS, TOKENS, dtype=q.dtype).masked_fill(~CAUSAL, -math.inf)
    weights = torch.baddbmm(mask, q, k.transpose(1, 2), alpha=SLOTS**-0.5).softmax(-1)
    return torch.bmm(weights, v).unflatten(0, (-1, HEADS))


def by_einsum(q, k, v):
    weights = torch.einsum("bhid,bhjd->bhij", q, k).mul(SLOTS**-0.5).softmax(-1)
    return torch.einsum("...ij,...jd->...id", weights, v)


FORMS = {
    "one operation": F.scaled_dot_product_attention,
    "mask of booleans": lambda q, k, v: F.scaled_dot_product_attention(q, k, v, CAUSAL | True),
    "matmul": lambda q, k, v: scores(q, k).softmax(-1) @ v,
    "bmm": by_bmm,
    "einsum": by_einsum,
}

CAUSAL_FORMS = {
    "is_causal": lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True),
    "mask of booleans": lambda q, k, v: F.scaled_dot_product_attention(q, k, v, CAUSAL),
    "mask of numbers": lambda q, k, v: F.scaled_dot_product_attention(q, k, v, torch.where(CAUSAL, 0.0, -1e9).double()),
    "masked_fill": lambda q, k, v: scores(q, k).masked_fill(~CAUSAL, -math.inf).softmax(-1) @ v,
    "where": lambda q, k, v: torch.where(CAUSAL, scores(q, k), torch.finfo(q.dtype).min).softmax(-1) @ v,
    "added mask": lambda q, k, v: (scores(q, k) + torch.where(CAUSAL, 0.0, -1e30)).softmax(-1) @ v,
    "baddbmm": by_baddbmm,
}

SHARED = {
    "enable_gqa": lambda q, k, v: F.scaled_dot_product_attention(q, k, v, enable_gqa=True),
    "repeat_interleave": lambda q, k, v: F.scaled_dot_product_attention(
        q, k.repeat_interleave(HEADS, 1), v.repeat_interleave(HEADS, 1)
    ),
    "expand": lambda q, k, v: F.scaled_dot_product_attention(
        q, *(part[:, :, None].expand(-1, -1, HEADS, -1, -1).flatten(1, 2) for part in (k, v))
    ),
    "broadcast": lambda q, k, v: F.scaled_dot_product_attention(q[:, None], k[:, :, None], v[:, :, None]).flatten(1, 2),
}


@pytest.mark.parametrize("form", FORMS)
def test_attention_is_heads_and_a_mix(form):
    result = imported(Attention(FORMS[form]))
    (heads,), (mix,) = merges(result, Attend), merges(result, Mix)
    assert heads.merge == Attend(SLOTS**-0.5)
    assert (len(heads), len(mix)) == (HEADS, HEADS * SLOTS)
    assert result.graph.num_layers == 7
    assert all((ids >= 0).all() for ids in result.parameters.edges.values())


@pytest.mark.parametrize("form", CAUSAL_FORMS)
def test_causal_masks_are_known_by_value(form):
    (heads,) = merges(imported(Attention(CAUSAL_FORMS[form])), Attend)
    assert heads.merge.causal


@pytest.mark.parametrize("form", SHARED)
def test_shared_keys_and_values_are_wires_to_several_heads(form):
    result = imported(Attention(SHARED[form], groups=1))
    assert [len(layer) for layer in merges(result, Attend)] == [HEADS]
    assert len(result.graph.layers["k"]) == SLOTS


def test_scale_is_that_of_all_factors():
    module = Attention(lambda q, k, v: F.scaled_dot_product_attention(3 * q, k / 2, v, scale=0.25))
    assert [layer.merge.scale for layer in merges(imported(module), Attend)] == [pytest.approx(3 / 8)]


def test_dropout_is_left_out_with_a_note():
    result = imported(Attention(FORMS["bmm"]))
    assert result.notes == ("the module: dropout of 0.1 is left out; graphs have none.",)


def test_factors_of_heads_become_frozen_edges():
    factor = torch.tensor([0.5, 2.0])[:, None, None]
    result = imported(Attention(lambda q, k, v: F.scaled_dot_product_attention(q * factor, k, v)))
    (link,) = (link for link in result.graph.links if link.frozen.all() and not link.kind.wires)
    assert sorted(set(link.weight.tolist())) == [0.5, 2.0]


class Across(nn.Module):
    """Queries of one sequence, keys and values of another."""

    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)

    def forward(self, x, y):
        return self.attention(x, y, y, need_weights=False)[0]


class Learned(Across):
    """Learned queries: attention pools the tokens."""

    def __init__(self):
        super().__init__()
        self.tokens = nn.Parameter(torch.randn(3, WIDTH))

    def forward(self, x):
        return super().forward(self.tokens.expand(len(x), -1, -1), x)


class OverMaps(nn.Module):
    """Attention between the pixels of maps."""

    def __init__(self):
        super().__init__()
        self.q, self.k, self.v = nn.Conv2d(2, SLOTS, 1), nn.Conv2d(2, SLOTS, 1), nn.Conv2d(2, 3, 1)
        self.o = nn.Conv2d(3, 2, 1)

    def forward(self, x):
        q, k, v = (part(x).flatten(2).transpose(1, 2) for part in (self.q, self.k, self.v))
        y = (q @ k.transpose(1, 2)).softmax(-1) @ v
        return x + self.o(y.transpose(1, 2).unflatten(-1, x.shape[2:]))


def test_queries_and_keys_may_have_different_lengths():
    module = Across()
    x, y = torch.randn(2, 3, WIDTH, dtype=torch.float64), torch.randn(2, 4, WIDTH, dtype=torch.float64)
    assert [layer.grid for layer in merges(imported(module, x, y), Attend)] == [(3, 4)]


def test_queries_may_be_learned():
    result = imported(Learned())
    assert (result.parameters.edges["tokens"] >= 0).all()


def test_pixels_are_tokens():
    imported(OverMaps(), torch.randn(2, 2, 2, 3, dtype=torch.float64))


# -- rotary positions ----------------------------------------------------------------------------------------


def halves(z):
    """The slots `i` and `i + width / 2` turn together, as in Llama and Qwen2."""
    angle = torch.cat([ANGLE, ANGLE], -1)
    one, two = z.chunk(2, -1)
    return z * angle.cos() + torch.cat([-two, one], -1) * angle.sin()


def parts(z):
    one, two = z.chunk(2, -1)
    return torch.cat([one * ANGLE.cos() - two * ANGLE.sin(), two * ANGLE.cos() + one * ANGLE.sin()], -1)


def neighbours(z):
    """The slots `2i` and `2i + 1` turn together."""
    angle = ANGLE.repeat_interleave(2, -1)
    turned = torch.stack([-z[..., 1::2], z[..., ::2]], -1).flatten(-2)
    return z * angle.cos() + turned * angle.sin()


def complex_numbers(z):
    pairs = torch.view_as_complex(z.unflatten(-1, (-1, 2)))
    return torch.view_as_real(pairs * torch.polar(torch.ones_like(ANGLE), ANGLE)).flatten(-2)


def some(z):
    """Only the first half of the slots turns."""
    one, two = z[..., :1], z[..., 1:2]
    angle = ANGLE[:, :1]
    return torch.cat([one * angle.cos() - two * angle.sin(), two * angle.cos() + one * angle.sin(), z[..., 2:]], -1)


@pytest.mark.parametrize("turn", [halves, parts, neighbours, complex_numbers])
def test_rotary_positions_are_read_off(turn):
    (heads,) = merges(imported(Attention(F.scaled_dot_product_attention, turn=turn)), Attend)
    assert heads.merge.frequencies == pytest.approx(FREQUENCY.tolist(), rel=1e-12)


def test_slots_that_do_not_turn_have_frequency_zero():
    (heads,) = merges(imported(Attention(F.scaled_dot_product_attention, turn=some)), Attend)
    assert heads.merge.frequencies == pytest.approx([FREQUENCY[0].item(), 0.0])


def test_a_common_factor_of_tables_goes_into_the_scale():
    module = Attention(F.scaled_dot_product_attention, turn=lambda z: halves(z) * 1.5)
    (heads,) = merges(imported(module), Attend)
    assert heads.merge.scale == pytest.approx(1.5**2 / math.sqrt(SLOTS))


SIZES = {"width": 4, "heads": 2, "hidden": 6}
EXPORTED = {
    "inputs plus positions": lambda: ng.transformer_encoder(1, tokens=3, **SIZES),
    "pooled patches": lambda: ng.vit(
        classes=3, input_size=(1, 4, 4), patch=2, depth=1, read_out="mean", positions="rotary", **SIZES
    ),
}


@pytest.mark.parametrize("name", EXPORTED)
def test_exported_attention_comes_back(name):
    graph = EXPORTED[name]()
    (layer,) = graph.inputs
    x = torch.randn(2, len(layer), *layer.grid)
    back = from_module(to_module(graph), x)
    (inputs,) = back.to_inputs(x).values()
    (found,) = back.from_outputs(ng.interpret(back.graph, inputs.numpy()))
    np.testing.assert_allclose(found.numpy(), ng.interpret(graph, x.numpy()), atol=1e-6)
    assert back.graph.num_edges == graph.num_edges


# -- any sizes -----------------------------------------------------------------------------------------------


class Drawn(nn.Module):
    """Attention of drawn sizes and form between two sequences."""

    def __init__(self, width, heads, groups, slots, values, form, turn, causal):
        super().__init__()
        self.q, self.k = nn.Linear(width, heads * slots), nn.Linear(width, groups * slots)
        self.v, self.o = nn.Linear(width, groups * values), nn.Linear(heads * values, width)
        self.heads, self.shared, self.form, self.turn, self.causal = heads, heads // groups, form, turn, causal
        self.slots, self.values = slots, values

    def forward(self, x, y):
        q = self.q(x).unflatten(-1, (-1, self.slots)).transpose(1, 2)
        k = self.k(y).unflatten(-1, (-1, self.slots)).transpose(1, 2).repeat_interleave(self.shared, 1)
        v = self.v(y).unflatten(-1, (-1, self.values)).transpose(1, 2).repeat_interleave(self.shared, 1)
        if self.turn:
            q, k = self._turned(q), self._turned(k)
        if self.form == "operation":
            found = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        else:
            found = self._by_hand(*(self._merged(part) for part in (q, k, v)))
            found = found.unflatten(0, (self.heads, -1) if self.form == "heads first" else (-1, self.heads))
            found = found.transpose(0, 1) if self.form == "heads first" else found
        return self.o(found.transpose(1, 2).flatten(2))

    def _merged(self, part):
        return (part.transpose(0, 1) if self.form == "heads first" else part).flatten(0, 1)

    def _by_hand(self, q, k, v):
        logits = torch.bmm(q, k.transpose(1, 2)) * 0.7
        if self.causal:
            logits = logits.masked_fill(~torch.ones(logits.shape[1:], dtype=torch.bool).tril(), -math.inf)
        return torch.bmm(logits.softmax(-1), v)

    def _turned(self, z):
        angle = torch.arange(z.shape[-2], dtype=torch.float64)[:, None] * 0.7 ** torch.arange(self.slots // 2)
        one, two = (z[..., ::2], z[..., 1::2]) if self.turn == "neighbours" else z.chunk(2, -1)
        turned = (one * angle.cos() - two * angle.sin(), two * angle.cos() + one * angle.sin())
        return torch.stack(turned, -1).flatten(-2) if self.turn == "neighbours" else torch.cat(turned, -1)


@pytest.mark.long
@given(
    st.integers(1, 4), st.sampled_from([(1, 1), (2, 1), (2, 2), (3, 3), (4, 2)]), st.sampled_from([1, 2, 4, 6]),
    st.integers(1, 3), st.sampled_from(["operation", "samples first", "heads first"]),
    st.sampled_from(["", "halves", "neighbours"]), st.booleans(), st.integers(1, 5), st.integers(1, 5),
)  # fmt: skip
def test_attention_of_any_sizes(width, heads, slots, values, form, turn, causal, queries, keys):
    module = Drawn(width, *heads, slots, values, form, turn if slots % 2 == 0 else "", causal)
    imported(module, *(torch.randn(2, tokens, width, dtype=torch.float64) for tokens in (queries, keys)))


def test_a_single_query_turns_like_its_keys():
    module = Drawn(3, 2, 1, 4, 2, "operation", "halves", causal=False)
    x, y = torch.randn(2, 1, 3, dtype=torch.float64), torch.randn(2, 4, 3, dtype=torch.float64)
    (heads,) = merges(imported(module, x, y), Attend)
    assert heads.merge.frequencies == pytest.approx([1, 0.7])


# -- refusals ------------------------------------------------------------------------------------------------


def away(mask):
    return lambda q, k, v: F.scaled_dot_product_attention(q, k, v, mask)


def alibi(q, k, v):
    position = torch.arange(TOKENS)
    slopes = torch.tensor([0.5, 0.25])[:, None, None]
    return (scores(q, k) - slopes * (position[:, None] - position).abs()).softmax(-1) @ v


def scaled_positions(z):
    return z * torch.arange(1, TOKENS + 1)[:, None]


REFUSED = {
    "window": (away(CAUSAL & ~CAUSAL.tril(-2)), "sliding window of 2"),
    "prefix": (away(CAUSAL | (torch.arange(TOKENS) < 2)), "neither empty nor the causal"),
    "padding": (away((torch.arange(TOKENS) < 3).expand(TOKENS, TOKENS)), "hides 2 keys"),
    "everything hidden": (away(CAUSAL & False), "hides all keys"),
    "masks of heads": (away(torch.stack([CAUSAL, CAUSAL | True])), "differ between heads"),
    "alibi": (alibi, "ALiBi"),
    "computed mask": (lambda q, k, v: F.scaled_dot_product_attention(q, k, v, q[..., :1] * 0), "depends on the input"),
    "computed bias": (lambda q, k, v: (scores(q, k) + q[..., :1]).softmax(-1) @ v, "depends on the input"),
    "soft cap": (lambda q, k, v: torch.tanh(scores(q, k)).softmax(-1) @ v, "otherwise than as attention"),
    "dropout": (lambda q, k, v: F.scaled_dot_product_attention(q, k, v, dropout_p=0.1), "in eval mode, too"),
    "dropout of logits": (lambda q, k, v: F.dropout(scores(q, k), 0.1).softmax(-1) @ v, "in eval mode, too"),
    "no softmax": (lambda q, k, v: scores(q, k) @ v, "otherwise than as attention"),
    "softmax over queries": (lambda q, k, v: scores(q, k).softmax(-2) @ v, "another axis"),
    "scaled weights": (lambda q, k, v: 2 * scores(q, k).softmax(-1) @ v, "scaled, added up, or moved"),
    "softmax of features": (lambda q, k, v: v.softmax(-1), "no activation of a vertex"),
}

TURNS = {
    "no rotation": (scaled_positions, scaled_positions, "no rotary positions"),
    "of queries alone": (halves, lambda z: z, "different rotary positions"),
    "of different angles": (halves, lambda z: halves(halves(z)), "no rotary|different rotary"),
}


def refused(module, text):
    """Check that an import is refused, with the operation, its place, and a remedy."""
    with pytest.raises(ImportRefused, match=text) as caught:
        from_module(drawn(module), torch.randn(2, TOKENS, WIDTH, dtype=torch.float64))
    assert caught.value.op.startswith("aten.")
    assert "test_attention.py" in caught.value.line
    assert "Remedy: " in str(caught.value)


@pytest.mark.parametrize("case", REFUSED)
def test_other_attention_is_refused(case):
    attend, text = REFUSED[case]
    refused(Attention(attend), text)


@pytest.mark.parametrize("case", TURNS)
def test_other_tables_are_refused(case):
    queries, keys, text = TURNS[case]
    refused(Attention(lambda q, k, v: F.scaled_dot_product_attention(queries(q), keys(k), v)), text)
