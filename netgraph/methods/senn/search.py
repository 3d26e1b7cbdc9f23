"""Search for the vertex, or the layer, that a network would gain most from by the natural expansion score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from netgraph.checks import Checked, checked
from netgraph.columns import Array
from netgraph.errors import OptionError
from netgraph.methods.senn.natural import Expansion
from netgraph.methods.senn.proposals import Coordinates, ProposalSpace
from netgraph.methods.senn.samplers import SearchResult, ascend, sample
from netgraph.methods.senn.taps import Reader

Sampler = Literal["ascent", "mala"]


@dataclass(frozen=True, kw_only=True)
class SearchOptions(Checked):
    """How to search for proposals.

    Attributes:
        chains: proposals that are searched for at once.
        steps: of each chain; by default as many as `work` pays for, 300 at most.
        sampler: "ascent", by conjugate gradients with restarts, or "mala", which samples exp(score / temperature) times
            a normal prior. In a second ascent found vertices of score .47 at width 100 and .22 behind 784 inputs,
            "mala" .082 and .022 at T = 1, .46 and .067 at T = .0001; new layers of 5.8 and 3.3 against 1.1 and 1.5
            at best. On two inputs both find the same.
        temperature: T of "mala" and of the pooled score, in units of the scale.
        learning_rate: first step size; by default .1 for "ascent", of the length of the state, and 2 / size of the
            state for "mala".
        damping: part of the mean diagonal of G that is added to its diagonal during the search.
        coordinates: of incoming weights, see `netgraph.methods.senn.proposals.frame`. What is found behind 784 inputs
            scores .21 in "scaled" ones and .14 on other examples, .11 and .03 in "unit" ones (the prior of the paper),
            .56 and .005 in "whitened" ones, which fit the examples at hand.
        prior: how strongly "ascent" is held to states as long as those that it starts from.
        conditioning: weight of the square of the logarithm of the determinant of the new layer's matrix, by which
            "ascent" keeps it from collapsing: with .1 matrices of width 100 have a condition number of about 20,
            without it of 2,000, and scores are the same.
        stale: "ascent" starts a chain anew when its score gained less than this part in ten steps.
        work: multiplications after which a search should end. Where 100 steps of all chains take more there are fewer
            chains, 4 at least (for layers 4 chains of 85 steps found more than 17 of 20), and 20 steps at least.
        dtype: of the arithmetic of the search; what is found is scored in float64.
        slope: the fixed slope, for proposals with the activation leaky_relu.
    """

    chains: int = 100
    steps: int | None = None
    sampler: Sampler = "ascent"
    temperature: float = 1.0
    learning_rate: float | None = None
    damping: float = 0.1
    coordinates: Coordinates = "scaled"
    prior: float = 0.01
    conditioning: float = 0.1
    stale: float = 0.01
    work: float = 4e10
    dtype: Literal["float32", "float64"] = "float32"
    slope: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("chains", "steps"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise OptionError(f"{name}={getattr(self, name)} is below 1.")
        for name in ("temperature", "work", "learning_rate"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise OptionError(f"{name}={value} is not above 0 and finite.")
        for name in ("damping", "prior", "conditioning", "stale"):
            if getattr(self, name) < 0:
                raise OptionError(f"{name}={getattr(self, name)} is negative.")

    def size(self, work: float) -> tuple[int, int]:
        """Chains and steps, where one step of one chain takes so much work."""
        affordable = self.work / max(work, 1.0)
        if self.steps is not None:
            return self.chains, self.steps
        chains = int(min(self.chains, max(4, affordable // 100)))
        return chains, int(min(300, max(20, affordable // chains)))


@dataclass(frozen=True, eq=False)
class Searched:
    """What a search found.

    Attributes:
        parameters: (vertices,) of the activation by name.
        score: delta-eta', a lower bound of what the scores of the fed layers gain, with the damping of their
            `Expansion`.
        ratio: score / scale.
        pooled: sum of softmax(s / (T scale)) s over the best scores s of the chains, as searched (with damping).
        scores: (chains,) these scores.
        acceptance: part of the steps that were accepted.
        steps: of each chain.
    """

    parameters: Mapping[str, Array]
    score: float
    ratio: float
    pooled: float
    scores: Array
    acceptance: float
    steps: int


@dataclass(frozen=True, eq=False)
class WidthProposal(Searched):
    """A vertex: incoming weights (n,), bias, and its values (rows,) on the inputs of the search."""

    incoming: Array
    bias: float
    activations: Array


@dataclass(frozen=True, eq=False)
class DepthProposal(Searched):
    """A layer: values f(h K + s), with K (n, n) from source to new vertex and s (n,)."""

    matrix: Array
    shift: Array


def search_width(
    targets: Sequence[Expansion],
    inputs: Array,
    activation: str,
    options: SearchOptions,
    rng: np.random.Generator,
    *,
    scale: float = 1.0,
    readers: Sequence[Reader] | None = None,
    bias: bool = True,
) -> WidthProposal:
    """Search for a new vertex of a layer.

    Args:
        targets: what each layer that the vertex would feed gains; scores add up.
        inputs: (rows, n) what the vertices of the layer read; patches for convolutions, rows being (examples,
            *positions).
        activation: of the layer. Its vertex parameters are searched with weights and bias.
        options: see `SearchOptions`.
        rng: source of all randomness.
        scale: the score of the fed layers, eta_c, by which scores are measured.
        readers: how each target reads the vertex, see `TapReader`; by default directly.
        bias: whether the layer has biases.

    Raises:
        OptionError: when shapes do not fit or values are not finite.

    Source: Mitchell et al. 2023, section 3.4. Cost: see `SearchOptions.work`.
    """
    space = _space(targets, inputs, activation, options, scale, readers, bias, 1)
    found, steps = _search(space, options, rng)
    best = found.state[np.argmax(found.score)]
    kernel, shift, parameters = space.split(best[None])
    return WidthProposal(
        **_told(space, found, best, steps, options),
        parameters={name: v[0] for name, v in parameters.items()},
        incoming=space.frame @ kernel[0, 0],
        bias=float(shift[0, 0]),
        activations=space.activations(best[None])[0, 0],
    )


def search_depth(
    target: Expansion,
    inputs: Array,
    activation: str,
    options: SearchOptions,
    rng: np.random.Generator,
    *,
    scale: float = 1.0,
    reader: Reader | None = None,
    bias: bool = True,
) -> DepthProposal:
    """Search for a layer f(h K + s) with as many vertices as there are inputs.

    Args:
        target: what the layer that reads the inputs gains.
        inputs: (rows, n) values h of the layer behind which the new one would stand; for maps rows are (examples,
            *positions).
        activation, options, rng, scale: as of `search_width`.
        reader: how the target reads maps, see `TapReader`; by default directly.
        bias: whether s is searched; behind a padded convolution it has to be 0 (see `InsertLayer`).

    Raises:
        OptionError: when shapes do not fit or values are not finite.

    Source: Mitchell et al. 2023, section 3.4.
    """
    readers = None if reader is None else [reader]
    space = _space([target], inputs, activation, options, scale, readers, bias, inputs.shape[-1])
    found, steps = _search(space, options, rng)
    best = found.state[np.argmax(found.score)]
    kernel, shift, parameters = space.split(best[None])
    return DepthProposal(
        **_told(space, found, best, steps, options),
        parameters={name: v[0] for name, v in parameters.items()},
        matrix=space.frame @ kernel[0].T,
        shift=shift[0],
    )


@checked
def pooled_score(scores: Array, temperature: float) -> float:
    """Sum of softmax(s / temperature) s: between the mean and the largest score."""
    weights = np.exp((scores - scores.max()) / temperature)
    return float(weights @ scores / weights.sum())


def _space(
    targets: Sequence[Expansion],
    inputs: Array,
    activation: str,
    options: SearchOptions,
    scale: float,
    readers: Sequence[Reader] | None,
    bias: bool,
    vertices: int,
) -> ProposalSpace:
    return ProposalSpace(
        targets, inputs, activation, vertices, scale, readers, options.coordinates, options.damping, options.slope,
        bias, options.dtype,
    )  # fmt: skip


def _search(space: ProposalSpace, options: SearchOptions, rng: np.random.Generator) -> tuple[SearchResult, int]:
    """The best of every chain, and the number of steps."""
    chains, steps = options.size(space.work)

    def draw(count: int) -> Array:
        return rng.normal(size=(count, space.size))

    if options.sampler == "mala":
        rate = options.learning_rate or 2 / space.size
        return sample(space, draw(chains), steps, rng, temperature=options.temperature, rate=rate), steps

    def objective(state: Array) -> tuple[Array, Array, Array]:
        """Log score, less a weak prior and, for layers, what keeps K invertible."""
        score, gradient = space.evaluate(state)
        tiny = np.finfo(np.float64).tiny
        some = score > tiny
        height = np.log(np.maximum(score, tiny)) - options.prior * np.sum(state * state, axis=1) / (2 * space.size)
        climb = np.divide(gradient, score[:, None], out=np.zeros_like(gradient), where=some[:, None])
        climb -= options.prior / space.size * state
        if space.vertices > 1 and options.conditioning:
            penalty, slope = _conditioning(space.split(state)[0])
            height -= options.conditioning * penalty
            climb[:, : slope.shape[1]] -= options.conditioning * slope
        return score, height, climb

    rate = options.learning_rate or 0.1
    return ascend(objective, draw(chains), steps, draw, rate=rate, stale=options.stale), steps


def _conditioning(kernel: Array) -> tuple[Array, Array]:
    """(chains,) half the square of log det K^T K / n with rows of length 1, and its gradient (chains, n * n)."""
    n = kernel.shape[2]
    lengths = np.sum(kernel * kernel, axis=2)
    _sign, logarithm = np.linalg.slogdet(kernel)
    size = (2 * logarithm - np.sum(np.log(lengths), axis=1)) / n
    slope = np.swapaxes(np.linalg.inv(kernel), 1, 2) - kernel / lengths[:, :, None]
    return 0.5 * size**2, (size[:, None] * 2 / n * slope.reshape(len(kernel), -1))


def _told(space: ProposalSpace, found: SearchResult, best: Array, steps: int, options: SearchOptions) -> dict[str, Any]:
    score = space.exact_score(best)
    scores = found.score * space.scale
    return {
        "score": score,
        "ratio": score / space.scale,
        "pooled": pooled_score(scores, options.temperature * space.scale),
        "scores": scores,
        "acceptance": found.acceptance,
        "steps": steps,
    }
