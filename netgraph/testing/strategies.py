"""Hypothesis strategies of graphs and of inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

from netgraph.columns import Array
from netgraph.errors import OptionError, unknown_name
from netgraph.graph import ACTIVATIONS, NORMS, Graph, Layer, get_activation
from netgraph.testing.draft import DrawFunction, GraphDraft, GraphOptions
from netgraph.testing.exact import has_few_digits
from netgraph.testing.recipes import EXACT_KINDS, KINDS
from netgraph.testing.values import LARGEST_FINITE, WEIGHTS, Weights, as_tuple, levels, pick, spread

Domain = tuple[float, float]
DOMAINS: tuple[Domain, ...] = ((0.0, 1.0), (-1.0, 1.0), (-np.inf, np.inf))
"""Default domains of inputs, the simplest first."""

INPUT_TAPE = st.binary(min_size=0, max_size=48)


def graphs(
    *,
    kinds: Sequence[str] | str | None = None,
    exact: bool = True,
    activations: Sequence[str] | str | None = None,
    norms: Sequence[str] | str | None = None,
    pools: Sequence[str] | str | None = None,
    min_layers: int = 0,
    max_layers: int = 3,
    max_width: int = 3,
    max_inputs: int = 2,
    max_outputs: int = 2,
    max_side: int = 4,
    max_positions: int = 4,
    max_heads: int = 3,
    domains: Sequence[Domain] = DOMAINS,
    weights: Sequence[Weights] | Weights | None = None,
    dtype: Any = None,
    bias: bool | None = None,
) -> st.SearchStrategy[Graph]:
    """Make a strategy of small valid graphs, which shrink to few vertices and to weights of 1.

    By default graphs are piecewise linear without norms, and weights are multiples of 1/8. A float64 evaluation on
    dyadic inputs then rounds nothing, so that the outputs of two graphs can be compared bit for bit.

    Args:
        kinds: any of "dense" (chains), "skip" (several inputs and outputs, links from any earlier layer),
            "conv" (padding, strides, missing taps, pools, heads over the whole grid), "residual" (wires around a
            layer), "tokens" (lookups, learned positions, layers of one position, pools, gates) and "attention" (causal
            and rotary attention, heads that share keys or values or have fewer slots, cross attention, gates). All of
            them leave out edges at times. By default all; without "attention" if `exact`, since softmax rounds.
        exact: False draws every activation, every norm and weights of every kind, unless the options below say
            otherwise.
        activations: activations of hidden layers.
        norms: norms of hidden layers, such as "batch", "layer" and "rms"; batch norms have drawn statistics and signed
            scales.
        pools: pools of convolutional layers, any of "max" and "average"; () for none.
        min_layers, max_layers: number of hidden layers; "residual" and "attention" count one for each block and have at
            least one, "skip" has at least one, and "tokens" has more.
        max_width: largest number of vertices of a layer.
        max_inputs, max_outputs: largest number of input and output layers of "skip" graphs; with 2 inputs "attention"
            has cross attention.
        max_side: largest height and width of maps.
        max_positions: largest number of tokens of an input.
        max_heads: largest number of heads of an attention layer.
        domains: possible domains of input layers, `(low, high)`.
        weights: kinds of weights and biases: "dyadic", "zeros" (dyadic, many of them 0), "float32", "float64".
        dtype: dtype of the columns, float32 or float64; by default either.
        bias: whether layers have biases; by default some layers do.

    Raises:
        OptionError, GraphError: for an unknown name, or limits that admit no graph.
    """
    if (
        min(max_width, max_inputs, max_outputs, max_side, max_positions, max_heads) < 1
        or not 0 <= min_layers <= max_layers
    ):
        raise OptionError(
            f"min_layers={min_layers}, max_layers={max_layers}, max_width={max_width}, max_inputs={max_inputs}, "
            f"max_outputs={max_outputs}, max_side={max_side}, max_positions={max_positions}, max_heads={max_heads} "
            "admit no graph; widths, numbers and sides start at 1."
        )
    options = GraphOptions(
        activations=as_tuple(activations or (exact_activations() if exact else all_activations())),
        norms=as_tuple(norms or (("none",) if exact else tuple(NORMS))),
        pools=as_tuple(("max", "average") if pools is None else pools),
        min_layers=min_layers,
        max_layers=max_layers,
        max_width=max_width,
        max_inputs=max_inputs,
        max_outputs=max_outputs,
        max_side=max_side,
        max_positions=max_positions,
        max_heads=max_heads,
        domains=tuple(domains),
        weights=as_tuple(weights or ("dyadic" if exact else WEIGHTS)),  # type: ignore[arg-type]
        dtypes=(np.float64, np.float32) if dtype is None else (dtype,),
        bias=bias,
    )
    names = as_tuple((EXACT_KINDS if exact else tuple(KINDS)) if kinds is None else kinds)
    _check_names("kind of graph", names, KINDS)
    _check_names("norm", options.norms, NORMS)
    _check_names("kind of weights", options.weights, WEIGHTS)
    for name in options.activations:
        get_activation(name)
    drawn = _graphs(names, options)
    if exact and options.weights == ("dyadic",) and set(names) <= set(EXACT_KINDS):
        return drawn.filter(has_few_digits)  # products of products may need more digits than a number has
    return drawn


def _check_names(what: str, names: Sequence[str], known: Any) -> None:
    if not names:
        raise OptionError(f"At least one {what} is needed, of {', '.join(known)}.")
    for name in names:
        if name not in known:
            raise OptionError(unknown_name(what, name, known))


def exact_activations() -> tuple[str, ...]:
    """Return the piecewise linear activations, the simplest first: dyadic values stay dyadic."""
    return tuple(sorted((a.name for a in ACTIVATIONS.values() if a.exact), key=lambda name: name != "relu"))


def all_activations() -> tuple[str, ...]:
    """Return all activations, the piecewise linear ones first."""
    return (*exact_activations(), *(a.name for a in ACTIVATIONS.values() if not a.exact))


@st.composite
def _graphs(draw: DrawFunction, kinds: tuple[str, ...], options: GraphOptions) -> Graph:
    draft = GraphDraft(draw, options)
    KINDS[draft.one_of(kinds)](draft)
    return draft.finish()


@st.composite
def _inputs(draw: DrawFunction, graph: Graph, samples: int, dyadic: bool) -> dict[str, Array]:
    return {
        layer.name: _batch(layer, samples, draw(INPUT_TAPE), b"" if dyadic else draw(INPUT_TAPE))
        for layer in graph.inputs
    }


def inputs_from(graph: Graph, tape: bytes, *, samples: int = 5) -> dict[str, Array]:
    """Make a dyadic batch, as `inputs` draws them, from some bytes; it fits any graph.

    Args:
        graph: the graph.
        tape: bytes from which values are chosen, at least one.
        samples: number of samples after the three fixed ones.
    """
    return {layer.name: _batch(layer, samples, tape, b"") for layer in graph.inputs}


def inputs(graph: Graph, *, samples: int = 5, dyadic: bool = True) -> st.SearchStrategy[dict[str, Array]]:
    """Make a strategy of batches for `interpret`, within the domains of the input layers of a graph.

    The first three samples are fixed: the lowest and the highest corner of the domain, and its point nearest to zero;
    of ids the first, the last, and all in turn. Values of an unbounded domain stay between -4 and 4.

    Args:
        graph: the graph.
        samples: number of drawn samples after the three fixed ones.
        dyadic: draw only multiples of 1/8, if the domain has some.

    Returns:
        Strategy of arrays by name of the input layer: float64 `(samples + 3, vertices, *grid)`, or int64
        `(samples + 3, *grid)` for a layer that takes ids.
    """
    if samples < 0:
        raise OptionError(f"samples={samples} is negative.")
    return _inputs(graph, samples, dyadic)


def _batch(layer: Layer, samples: int, tape: bytes, fine: bytes) -> Array:
    cells = int(np.prod(layer.grid, dtype=int))
    if layer.encoding == "index":
        counted = np.arange(cells)
        ids = np.concatenate([0 * counted, 0 * counted + len(layer) - 1, counted, spread(tape, samples * cells)])
        return np.asarray((ids % len(layer)).reshape(samples + 3, *layer.grid))
    low, high = _finite_bounds(layer)
    columns = []
    for row in range(len(layer)):
        shifted = tape[row:] + tape[:row]  # so that the vertices of a layer have different values
        values = pick(shifted, levels(low[row], high[row]), samples * cells)
        if fine:
            share = spread(fine, len(values)) / 255.0
            values = np.where(share > 0, low[row] + (high[row] - low[row]) * (1 - share * 0.997), values)
        fixed = np.repeat([low[row], high[row], np.clip(0.0, low[row], high[row])], cells)
        columns.append(np.concatenate([fixed, values]).reshape(samples + 3, *layer.grid))
    return np.stack(columns, axis=1)


def _finite_bounds(layer: Layer) -> tuple[Array, Array]:
    """Bounds of drawn inputs: those of the layer, or about -4 and 4 where it has none."""
    low, high = layer.values["low"], layer.values["high"]
    start = np.where(np.isfinite(low), low, np.minimum(-LARGEST_FINITE, np.where(np.isfinite(high), high, 0)))
    stop = np.where(np.isfinite(high), high, np.maximum(LARGEST_FINITE, np.where(np.isfinite(low), low, 0)))
    return start, stop


st.register_type_strategy(Graph, lambda _type: graphs())
