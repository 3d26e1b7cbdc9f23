"""Certify a rewrite: prove that two graphs compute the same function, or bound the change of their outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from netgraph.checks import choice
from netgraph.columns import Array
from netgraph.graph import check_domain, get_norm
from netgraph.graph.bounds import Domains, Mode
from netgraph.proof.certificate import EVAL_MODE, Certificate
from netgraph.proof.folding import fold, folded_bounds, folding_helps
from netgraph.proof.visit import visit
from netgraph.proof.walk import Walk

if TYPE_CHECKING:
    from netgraph.graph import Graph


FOLD_CAUTION = 16
"""Divisor of the differences that count as rounding where norms are folded: a forgotten `norm_epsilon` is no rounding.

Folding in the precision of the weights takes about 5 roundings. Of a variance of 1, an epsilon of 1e-5 is 40 of them.
"""


def certify(old: Graph, new: Graph, domain: Domains | None = None, *, mode: Mode = "eval") -> Certificate:
    """Prove that two graphs compute the same function, or bound `|old(x) - new(x)|` over a domain.

    The values of the old vertices are symbols. The value of every new vertex is written as an affine form over these
    symbols, plus an error. A vertex has the value of a known vertex when both have the same operation, parameters and
    form. Only the two graphs count: the proof does not read the rule or the delta that led from one to the other.

    Args:
        old, new: the graphs. Vertices and layers correspond by id.
        domain: (low, high) by the name of the input layer, each a number or one number per vertex, or one pair for a
            graph with one input; the declared domains of `old` by default.
        mode: "train" for a statement that holds in train mode too. By default one that holds in eval mode alone may
            take its place where it says more; there batch norm is an affine map, which may be folded into weights.

    Returns:
        A `Certificate`. Its statement holds in real arithmetic on the weights as stored, and in train mode as well
        unless its assumptions say otherwise.

    Raises:
        InputError: when the domain does not fit the inputs.
        OptionError: for an unknown mode.

    Costs O(edges) for the intervals of `old`, and O(n log n) for the n edges into the layers that the change reaches.
    """
    choice("mode", mode, ("eval", "train"))
    ends = {name: (float(low.min()), float(high.max())) for name, (low, high) in check_domain(old, domain).items()}
    if (reason := _incomparable(old, new)) is not None:
        return Certificate("unknown", reason, domain=ends)
    if old is new:
        return Certificate("exact", "both are the same graph", bound=0.0, bounds=_zeros(old), domain=ends)
    held = {layer.norm for graph in (old, new) for layer in graph.layers_by_id.values()}
    normed = sorted(norm.label for norm in map(get_norm, held) if norm.couples_samples)
    with np.errstate(all="ignore"):  # numbers that overflow end as infinite bounds
        # A proof in train mode holds for any batch, so it holds in eval mode too. In eval mode more can be proved.
        walk = _walk(old, new, domain, "train" if normed else "eval")
        in_eval = walk
        if normed and mode == "eval" and not _is_exact(walk):
            in_eval = _walk(old, new, domain, "eval")
            if not _is_exact(in_eval) and folding_helps(old, new):
                in_eval = _tightest(_walk(old, new, domain, "eval", folds=True), in_eval)
    assumptions: tuple[str, ...] = ()
    if not _as_good(walk, in_eval):
        walk, assumptions = in_eval, tuple(label + EVAL_MODE for label in normed)
    return _certificate(walk, assumptions, ends)


def _walk(old: Graph, new: Graph, domain: Domains | None, mode: Mode, *, folds: bool = False) -> Walk:
    bounds, epsilon = old.bounds(domain=domain, mode=mode), _epsilon(new)
    if folds:
        bounds, pair = folded_bounds(old, bounds), fold(old, new)
        walk = Walk(pair.old, pair.new, bounds, mode, epsilon / FOLD_CAUTION, pair.folds)
    else:
        walk = Walk(old, new, bounds, mode, epsilon)
    new = walk.new
    for layer_id in new.topological_order:
        visit(walk, new.layer(layer_id))
    for layer in new.outputs:
        zero = np.zeros(len(layer))
        walk.output_change.setdefault(layer.id, (zero, zero, np.ones(len(layer), dtype=bool)))
    return walk


def _is_exact(walk: Walk) -> bool:
    return all(not low.any() and not high.any() for low, high, _ in walk.output_change.values())


def _tightest(walk: Walk, other: Walk) -> Walk:
    """Return the first proof with the tighter bounds of both, output by output: both hold."""
    for i, (low, high, soft) in walk.output_change.items():
        low_there, high_there, soft_there = other.output_change[i]
        soft = np.where((low_there > low) | (high_there < high), soft_there, soft)
        walk.output_change[i] = np.maximum(low, low_there), np.minimum(high, high_there), soft
    return walk


def _as_good(walk: Walk, other: Walk) -> bool:
    """Whether the bounds of one proof are at least as tight as those of the other, for every output."""
    for i, (low, high, soft) in walk.output_change.items():
        low_there, high_there, soft_there = other.output_change[i]
        if not ((low >= low_there) & (high <= high_there) & (soft >= soft_there)).all():
            return False
    return True


def _incomparable(old: Graph, new: Graph) -> str | None:
    """Reason why the inputs or outputs of two graphs do not correspond, or None."""
    for what, before, after in (("inputs", old.inputs, new.inputs), ("outputs", old.outputs, new.outputs)):
        ends = [{layer.id: layer for layer in layers} for layers in (before, after)]
        if ends[0].keys() != ends[1].keys():
            names = [sorted(layer.name for layer in layers) for layers in (before, after)]
            return f"the {what} differ: {names[0]} before, {names[1]} after"
        for i, layer in ends[0].items():
            other = ends[1][i]
            if layer.output_grid != other.output_grid or not np.array_equal(layer.vertex_ids, other.vertex_ids):
                return f"the vertices of the {what} {layer.name!r} differ"
            if layer.encoding != other.encoding:
                return f"the encodings of the {what} {layer.name!r} differ: {layer.encoding}, then {other.encoding}"
    return None


def _epsilon(graph: Graph) -> float:
    """Relative spacing (machine epsilon) of the coarsest dtype among the stored weights."""
    dtypes = {link.weight.dtype for link in graph.links_by_key.values()} or {np.dtype(np.float32)}
    return max(float(np.finfo(dtype).eps) for dtype in dtypes)


def _certificate(walk: Walk, assumptions: tuple[str, ...], domain: dict[str, tuple[float, float]]) -> Certificate:
    if _is_exact(walk):
        return Certificate("exact", _why_exact(walk), 0.0, _zeros(walk.new), domain=domain, assumptions=assumptions)
    bounds = {
        walk.new.layer(i).name: np.maximum(np.abs(low), np.abs(high))
        for i, (low, high, _) in walk.output_change.items()
    }
    by_output = {name: tuple(float(b) for b in own) for name, own in bounds.items()}
    largest = max(float(own.max()) for own in bounds.values())
    stopped = tuple(walk.stopped)
    if not np.isfinite(largest):
        reason = _why_unknown(walk, bounds, domain)
        return Certificate("unknown", reason, None, by_output, False, walk.moved, domain, assumptions, stopped)
    changed = [soft[(low != 0) | (high != 0)] for low, high, soft in walk.output_change.values()]
    rounding = all(bool(own.all()) for own in changed)
    reason = (
        "the changed sums cancel up to the rounding of the weights"
        if rounding
        else "intervals and the slopes of the activations limit how far the change carries"
    )
    return Certificate("bounded", reason, largest, by_output, rounding, walk.moved, domain, assumptions, stopped)


def _why_exact(walk: Walk) -> str:
    """Text of the reason for an exact proof, with the number of differing vertices per kind of decision."""
    words = {
        "passed on": ("hands its sum on unchanged", "hand their sums on unchanged"),
        "constant": ("is a constant", "are constants"),
        "known": ("repeats a known value", "repeat known values"),
        "new": ("is new and cancels out or is not read", "are new and cancel out or are not read"),
        "moved": ("changes but is not read", "change but are not read"),
    }
    parts = [f"{n:,} {words[how][n > 1]}" for how, n in walk.tally.items()]
    text = "every output adds up to the same sum"
    return f"{text} (of the vertices that differ, {', '.join(parts)})" if parts else text


def _why_unknown(walk: Walk, bounds: Mapping[str, Array], domain: Mapping[str, tuple[float, float]]) -> str:
    name, row = next(
        (name, int(np.flatnonzero(~np.isfinite(own))[0])) for name, own in bounds.items() if not np.isfinite(own).all()
    )
    vertex = int(walk.new.layers[name].vertex_ids[row])
    text = f"no bound is known for the change of vertex {vertex} of output {name!r}"
    free = [k for k, (low, high) in domain.items() if not (np.isfinite(low) and np.isfinite(high))]
    if free:
        names = ", ".join(repr(k) for k in free)
        return f"{text}, because the domain of input {names} is unbounded; declare one"
    return f"{text}, because intervals overflow on the way to it"


def _zeros(graph: Graph) -> dict[str, tuple[float, ...]]:
    return {layer.name: (0.0,) * len(layer) for layer in graph.outputs}
