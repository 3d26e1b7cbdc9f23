"""Search for the new vertex or layer with the largest natural expansion score."""

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
    """Options of the search for proposals.

    Attributes:
        chains: number of chains, which are searched in parallel.
        steps: number of steps of each chain; None derives it from `work`, up to 300.
        sampler: "ascent" maximises the score by conjugate gradients with restarts. "mala" samples
            `exp(score / temperature)` times a normal prior. In one second "ascent" found vertices of score 0.47 at
            width 100 and 0.22 behind 784 inputs; "mala" 0.082 and 0.022 at T = 1, 0.46 and 0.067 at T = 0.0001. New
            layers had scores 5.8 and 3.3 with "ascent", 1.1 and 1.5 at best with "mala". On two inputs both agree.
        temperature: temperature T of "mala" and of the pooled score, in units of the scale.
        learning_rate: first step size. None is 0.1 for "ascent", relative to the length of the state, and
            `2 / size of the state` for "mala".
        damping: multiple of the mean diagonal of G that is added to its diagonal during the search.
        coordinates: coordinates of incoming weights, see `netgraph.methods.senn.proposals.frame`. Behind 784 inputs the
            scores on the examples of the search and on other examples are 0.21 and 0.14 with "scaled", 0.11 and 0.03
            with "unit" (the prior of the paper), and 0.56 and 0.005 with "whitened", which overfits.
        prior: weight of the normal prior of "ascent", `-prior |state|^2 / (2 size)`, which keeps states short.
        conditioning: weight in "ascent" of the squared logarithm of the determinant of a new layer's matrix, which
            keeps the matrix from becoming singular. With 0.1 matrices of width 100 have a condition number of about 20,
            with 0 of 2,000, at equal scores.
        stale: smallest relative increase of the score in ten steps; "ascent" restarts a chain with a smaller one.
        work: number of multiplications after which a search should end. Where 100 steps of all chains take more, there
            are fewer chains (at least 4; for layers 4 chains of 85 steps found more than 20 chains of 17 steps), and
            at least 20 steps.
        dtype: type of the arithmetic of the search; the result is scored in float64.
        slope: fixed slope of leaky_relu, for proposals with that activation.
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
        """Numbers of chains and of steps, given the multiplications of one step of one chain."""
        affordable = self.work / max(work, 1.0)
        if self.steps is not None:
            return self.chains, self.steps
        chains = int(min(self.chains, max(4, affordable // 100)))
        return chains, int(min(300, max(20, affordable // chains)))


@dataclass(frozen=True, eq=False)
class Searched:
    """Best proposal of a search, with its scores.

    Attributes:
        parameters: parameters of the activation by name, `(vertices,)` each.
        score: `delta-eta'`, a lower bound of the increase of the readers' scores, with the damping of their
            `Expansion`.
        ratio: `score / scale`.
        pooled: mean of `scores` weighted by their softmax, `sum(softmax(s / (T scale)) s)`.
        scores: best score of each chain, with the damping of the search, `(chains,)`.
        acceptance: fraction of the steps that were accepted.
        steps: number of steps of each chain.
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
    """Best new vertex of a search.

    Attributes:
        incoming: incoming weights, `(n,)`.
        bias: bias; 0 when biases are not searched.
        activations: values of the vertex on the inputs of the search, `(rows,)`.
    """

    incoming: Array
    bias: float
    activations: Array


@dataclass(frozen=True, eq=False)
class DepthProposal(Searched):
    """Best new layer of a search. Its values are `f(h K + s)`, with its activation f and the values h that it reads.

    Attributes:
        matrix: K, from source vertex to new vertex, `(n, n)`.
        shift: s, `(n,)`.
    """

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
        targets: score functions of the layers that would read the vertex; their scores add up.
        inputs: inputs of the vertices of the layer, `(rows, n)`; patches for convolutions, with rows
            `(examples, *positions)`.
        activation: activation of the layer. Its vertex parameters are searched together with weights and bias.
        options: options of the search.
        rng: source of all randomness.
        scale: unit of the scores, the present score `eta_c` of the readers.
        readers: reader of the vertex for each target, see `TapReader`; None reads directly.
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
        **_score_fields(space, found, best, steps, options),
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
    """Search for a new layer `f(h K + s)` with as many vertices as inputs.

    Args:
        target: score function of the layer that reads the inputs.
        inputs: values h of the layer behind which the new one would stand, `(rows, n)`; for maps rows are
            `(examples, *positions)`.
        activation: activation of the new layer; its vertex parameters are searched as well.
        options: options of the search.
        rng: source of all randomness.
        scale: unit of the scores, the present score `eta_c` of the reader.
        reader: reader of maps for the target, see `TapReader`; None reads directly.
        bias: whether s is searched; before a padded convolution it must be 0 (see `InsertLayer`).

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
        **_score_fields(space, found, best, steps, options),
        parameters={name: v[0] for name, v in parameters.items()},
        matrix=space.frame @ kernel[0].T,
        shift=shift[0],
    )


@checked
def pooled_score(scores: Array, temperature: float) -> float:
    """Mean of the scores of all chains, weighted by their softmax, `sum(softmax(s / temperature) s)`.

    It lies between their maximum, for a temperature near 0, and their mean, for a high one. The judge "pooled" uses it.
    """
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
        targets,
        inputs,
        activation,
        vertices,
        scale,
        readers,
        options.coordinates,
        options.damping,
        options.slope,
        bias,
        options.dtype,
    )


def _search(space: ProposalSpace, options: SearchOptions, rng: np.random.Generator) -> tuple[SearchResult, int]:
    """Search with the sampler of the options; return the best state of every chain, and the number of steps."""
    chains, steps = options.size(space.work)

    def draw(count: int) -> Array:
        return rng.normal(size=(count, space.size))

    if options.sampler == "mala":
        rate = options.learning_rate or 2 / space.size
        return sample(space, draw(chains), steps, rng, temperature=options.temperature, rate=rate), steps

    def objective(state: Array) -> tuple[Array, Array, Array]:
        """Score, objective and its gradient. The objective is the log score minus penalties for length and for det K.

        `log score - prior |state|^2 / (2 size) - conditioning * penalty`; only layers have the last term.
        """
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
    """Penalty that keeps the matrix K of a new layer invertible, and its gradient.

    The penalty is `c^2 / 2` with `c = log det(K^T K) / n`, for K with its rows scaled to length 1.

    Returns:
        Penalties, `(chains,)`, and gradients, `(chains, n * n)`.
    """
    n = kernel.shape[2]
    lengths = np.sum(kernel * kernel, axis=2)
    _sign, logarithm = np.linalg.slogdet(kernel)
    size = (2 * logarithm - np.sum(np.log(lengths), axis=1)) / n
    slope = np.swapaxes(np.linalg.inv(kernel), 1, 2) - kernel / lengths[:, :, None]
    return 0.5 * size**2, (size[:, None] * 2 / n * slope.reshape(len(kernel), -1))


def _score_fields(
    space: ProposalSpace, found: SearchResult, best: Array, steps: int, options: SearchOptions
) -> dict[str, Any]:
    """Arguments of `Searched` but for its parameters, by name."""
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
