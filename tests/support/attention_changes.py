"""Random changes of attention blocks: some keep the function, most do not, and some nearly do."""

from dataclasses import replace

import numpy as np
from attention_graphs import (
    block,
    permuted,
    weights,
    with_column,
    with_columns,
    with_head,
    with_layer,
    with_matrix,
    with_merge,
    with_moved_bias,
    with_parts,
    with_swapped_heads,
    with_swapped_ports,
    with_swapped_slots,
    with_wider_gate,
    with_wider_keys,
    with_wider_values,
)  # fmt: skip

from netgraph.errors import GraphError
from netgraph.graph import get_norm

SIZES = (1e-15, 1e-9, 1e-4, 1.0)


def drawn_block(rng):
    """A block with random options."""
    return block(
        width=int(rng.choice([2, 4])), groups=int(rng.choice([1, 2])), values=int(rng.choice([1, 2])),
        tokens=int(rng.choice([1, 2, 3])), norm=str(rng.choice(["layer", "rms", "batch", "none"])),
        causal=bool(rng.integers(2)), rotary=bool(rng.integers(2)), scale=float(rng.choice([0.25, 0.3, 1.0])),
        gated=bool(rng.integers(2)), hidden=2, seed=int(rng.integers(2**20)),
        activation=str(rng.choice(["gelu", "relu", "silu", "gelu_tanh", "tanh"])),
    )  # fmt: skip


def changed(graph, rng, count):
    """The graph after up to `count` random changes; one that does not fit the graph is left out."""
    for _ in range(count):
        try:
            graph = CHANGES[rng.integers(len(CHANGES))](graph, rng)
        except (GraphError, IndexError, KeyError, ValueError):
            continue
    return graph


def _heads_like(graph):
    return len(graph.layer("q")) == len(graph.layer("k"))


def _source(name):
    return "n2" if name in ("gate", "up", "h") else "n"


def _linear(graph, rng):
    names = [name for name in ("q", "k", "v", "gate", "up") if name in graph.layers]
    return names[rng.integers(len(names))]


def _frequencies(graph, rng):
    factor = float(rng.choice([0, -1, 1 + 1e-9, 2]))
    return with_merge(graph, frequencies=tuple(factor * f for f in graph.layer("a").merge.frequencies))


def _scale(graph, rng):
    return with_merge(graph, scale=float(rng.choice([2, -1, 0.5, 1 + 1e-12, 0])) * graph.layer("a").merge.scale)


def _weights(graph, rng):
    links = [k for k in graph.links_by_key.values() if not k.kind.wires]
    link = links[rng.integers(len(links))]
    weight, at = link.weight.copy(), rng.integers(len(link), size=2)
    how = rng.integers(4)
    if how == 0:
        weight[at] += rng.choice(SIZES) * rng.normal(size=2)
    elif how == 1:
        weight[at] = 0
    elif how == 2:
        weight *= rng.choice([2, -1, 0.5, 0.7])
    else:
        weight[link.dst == link.dst[at[0]]] = 0
    return with_parts(graph, links=[link.with_weight(weight)])


def _bias(graph, rng):
    name = str(rng.choice(["q", "k", "v", "r"]))
    bias = graph.layer(name).bias.copy()
    bias[rng.integers(len(bias))] += rng.choice(SIZES) * rng.normal()
    return with_column(graph, name, "bias", bias if rng.integers(4) else np.zeros(len(bias)))


def _permuted(graph, rng):
    name = str(rng.choice([*"qkv", "h", "gate", "up", "n2", "r"]))
    return permuted(graph, name, rng.permutation(len(graph.layer(name)))) if graph.layer(name).merge is None else graph


def _columns(graph, rng):
    ends = [("m", "r"), ("h", "s")][rng.integers(2)]
    matrix = weights(graph, *ends)
    i, j = rng.integers(matrix.shape[1], size=2)
    if rng.integers(2):
        return with_matrix(graph, *ends, matrix[:, rng.permutation(matrix.shape[1])])
    share = rng.choice([0.25, 0.5, 1, -1])
    matrix[:, j] += share * matrix[:, i]
    matrix[:, i] *= 1 - share
    return with_matrix(graph, *ends, matrix)


def _wires(graph, rng):
    links = [k for k in graph.links_by_key.values() if graph.layer(k.target).merge is not None]
    link = links[rng.integers(len(links))]
    src = link.src.copy()
    src[rng.integers(len(src))] = rng.integers(len(graph.layer(link.source)))
    return with_columns(graph, link.key, src=src)


def _copied(graph, rng):
    """A vertex with the weights of another one."""
    name = _linear(graph, rng)
    matrix, bias = weights(graph, _source(name), name), graph.layer(name).bias.copy()
    i, j = rng.integers(len(matrix), size=2)
    matrix[j], bias[j] = matrix[i], bias[i]
    return with_column(with_matrix(graph, _source(name), name, matrix), name, "bias", bias)


def _emptied(graph, rng):
    """A vertex without weights, with its bias or without."""
    name = _linear(graph, rng)
    matrix, bias = weights(graph, _source(name), name), graph.layer(name).bias.copy()
    row = rng.integers(len(matrix))
    matrix[row], bias[row] = 0, bias[row] * rng.integers(2)
    return with_column(with_matrix(graph, _source(name), name, matrix), name, "bias", bias)


def _biased(graph, rng):
    """A bias behind the mix, drawn, or taken from the values."""
    m, bias = graph.layer("m"), graph.layer("v").bias
    old = np.zeros(len(m)) if m.bias is None else m.bias
    if rng.integers(2) or len(m) != len(bias):
        return with_parts(graph, [replace(m, values={**m.values, "bias": old + rng.normal(size=len(m))})])
    moved = with_column(graph, "v", "bias", np.zeros(len(bias)))
    return with_parts(moved, [replace(m, values={**m.values, "bias": old + bias})])


def _operation(graph, rng):
    """A norm or an activation behind a merge or the MLP."""
    name = str(rng.choice(["m", "h"]))
    layer = graph.layer(name)
    if rng.integers(2):
        return with_layer(graph, name, activation=str(rng.choice(["relu", "tanh", "gelu", "identity"])))
    norm = str(rng.choice(["batch", "layer", "rms"]))
    columns = {column: np.abs(rng.normal(size=len(layer))) + 0.1 for column in get_norm(norm).columns}
    return with_layer(
        graph, name, norm=norm, values={**({"bias": layer.bias} if layer.bias is not None else {}), **columns}
    )


def _more(graph):
    return (0.3,) if graph.layer("a").merge.frequencies else None


CHANGES = (
    _frequencies, _scale, _weights, _weights, _bias, _permuted, _columns, _columns, _wires, _copied, _copied, _emptied,
    _emptied, _biased, _operation,
    lambda g, rng: with_merge(g, causal=not g.layer("a").merge.causal),
    lambda g, rng: with_swapped_ports(g) if _heads_like(g) else g,
    lambda g, rng: with_swapped_slots(g, str(rng.choice(["q", "k"]))),
    lambda g, rng: with_swapped_slots(with_swapped_slots(g, "q"), "k"),
    lambda g, rng: with_swapped_heads(g),
    lambda g, rng: with_moved_bias(g) if _heads_like(g) else g,
    lambda g, rng: with_layer(g, str(rng.choice(["n", "n2"])), norm_epsilon=float(rng.choice([1e-3, 1.1e-5]))),
    lambda g, rng: with_head(g, out=float(rng.choice([0, 0, 0.5])), values=int(rng.integers(1, 3))),
    lambda g, rng: with_head(g, copy=int(rng.integers(2)), values=len(g.layer("v")) // 2) if _heads_like(g) else g,
    lambda g, rng: with_wider_keys(g, queries=float(rng.integers(2)), keys=float(rng.integers(2)),
                                   frequencies=_more(g)),
    lambda g, rng: with_wider_values(g, out=float(rng.choice([0, 0.5]))),
    lambda g, rng: with_wider_gate(g, out=float(rng.choice([0, 0.5]))) if "gate" in g.layers else g,
)  # fmt: skip
