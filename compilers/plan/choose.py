"""Choice of the kernel of every site: the one that the caller wants, the one of an earlier plan, or the cheapest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

from compilers.plan.block import Choice, Site
from compilers.plan.costs import CostTable
from compilers.plan.fan_in import FanIn, RowFanIn
from compilers.plan.kinds import DENSE, KINDS, KernelKind
from netgraph.errors import CompileError, unknown_name

UNREGISTERED = "A kernel of your own is registered by compilers.register_kernel before it is used."


@dataclass(eq=False)
class Chooser:
    """Picks kernels while one graph is lowered.

    Attributes:
        costs: by which kernels are picked.
        wanted: kernel by layer name, as the caller wants it.
        settled: choices of an earlier lowering of the same topology, by site.
        choices: what was picked so far.
    """

    costs: CostTable
    wanted: Mapping[str, str]
    settled: Mapping[Site, Choice]
    choices: dict[Site, Choice] = field(default_factory=dict)
    _obeyed: set[str] = field(default_factory=set)

    def choose(self, site: Site, fan: FanIn) -> tuple[Choice, float]:
        """Pick the choice for the edges of a site; return it with its predicted cost.

        Raises:
            CompileError: for a wanted kernel that needs edges that are missing, and for a settled choice that does
                not fit the edges.
        """
        kind = self._wanted(site.layer, fan)
        choice = self.settled.get(site)
        if choice is not None:
            _check_settled(choice, fan, site.layer)
            cost = cost_of(choice, fan, self.costs)
        else:
            candidates = list(_candidates(fan, self.costs) if kind is None else _ways(kind, fan.ways, self.costs))
            if not candidates:
                assert kind is not None
                raise CompileError(_not_full(site.layer, kind, fan))
            choice, cost = min(candidates, key=itemgetter(1))
        self.choices[site] = choice
        return choice, cost

    def _wanted(self, layer: str, fan: FanIn) -> KernelKind | None:
        """Return the kernel that the caller wants for a layer, or None, also when it cannot run these edges."""
        kernel = self.wanted.get(layer)
        if kernel is None or KINDS[kernel].reads != fan.reads or not KINDS[kernel].fits(fan):
            return None
        self._obeyed.add(layer)
        return KINDS[kernel]

    def check_names(self, layers: set[str]) -> None:
        """Raise `CompileError` for wanted kernels of unknown layers or unknown names."""
        known = [name for name, kind in KINDS.items() if kind.layout != "none"]
        for layer, kernel in self.wanted.items():
            if layer not in layers:
                raise CompileError("kernels: " + unknown_name("layer", layer, layers))
            if kernel not in known:
                raise CompileError(f"kernels[{layer!r}]: {unknown_name('kernel', kernel, known)} {UNREGISTERED}")

    def check_obeyed(self) -> None:
        """Raise `CompileError` for a wanted kernel that can run none of the edges of its layer."""
        for name in self.wanted.keys() - self._obeyed:
            kernel = self.wanted[name]
            found = {KINDS[choice.kernel].reads for site, choice in self.choices.items() if site.layer == name}
            if not found:  # nothing there has weights
                continue
            reads = " and ".join(sorted(found))
            fitting = sorted(k for k, v in KINDS.items() if v.reads in found and v.layout != "none" and k != kernel)
            why = f"reads {KINDS[kernel].reads}, but the layer reads {reads}"
            if KINDS[kernel].reads in found:
                why = "runs none of the kinds of links into the layer"
            raise CompileError(f"kernels[{name!r}]: {kernel!r} {why}; use one of {fitting}.")


def cost_of(choice: Choice, fan: FanIn, costs: CostTable) -> float:
    """Predict the cost of a choice, in nanoseconds of a training step."""
    kind = KINDS[choice.kernel]
    if not isinstance(fan, RowFanIn):
        return kind.cost(fan, costs)
    parts = fan.split(choice.core) if choice.core else None
    if parts is None:
        return kind.cost(fan.with_hull(choice.hull), costs)
    return DENSE.cost(parts[0], costs) + kind.cost(parts[1], costs)


def _candidates(fan: FanIn, costs: CostTable) -> Iterator[tuple[Choice, float]]:
    """All choices for the edges with their costs, the first of equals first."""
    ways, full = fan.ways, fan.full
    for kind in KINDS.values():
        if kind.reads != fan.reads or kind.layout == "none" or not (kind.available() and kind.fits(fan)):
            continue
        # Where every cell has an edge, an index of the edges only costs.
        if kind.layout == "edges" and full:
            continue
        yield from _ways(kind, ways, costs)
        if kind.core_density is not None and isinstance(fan, RowFanIn):
            # Parents above the density at which a cell costs as much as an edge, and two others about it.
            level = kind.core_density(costs) * fan.targets
            for factor in (0.7, 1.0, 1.5):
                core = max(1, round(min(level * factor, fan.targets + 1)))
                parts = fan.split(core)
                if parts is not None:
                    yield Choice(kind.name, False, core), DENSE.cost(parts[0], costs) + kind.cost(parts[1], costs)


def _ways(kind: KernelKind, ways: Sequence[FanIn], costs: CostTable) -> Iterator[tuple[Choice, float]]:
    """List the choices in which one kernel runs all the edges, with their costs."""
    if kind.layout == "edges":
        yield Choice(kind.name), kind.cost(ways[0], costs)
        return
    for way in ways:
        if way.full or not kind.padded:
            yield Choice(kind.name, way.hull), kind.cost(way, costs)


def _not_full(layer: str, kind: KernelKind, fan: FanIn) -> str:
    return (
        f"kernels[{layer!r}]: {kind.name!r} needs every pair of parent and target, the layer has {fan.edges:,} "
        f"edges for {fan.cells:,} pairs. Use {kind.padded!r}."
    )


def _check_settled(choice: Choice, fan: FanIn, layer: str) -> None:
    """Raise `CompileError` for a choice that cannot have been made for these edges."""
    kind = KINDS.get(choice.kernel)
    if kind is None:
        raise CompileError(
            f"Layer {layer!r} was lowered with the kernel {choice.kernel!r}, unknown here. {UNREGISTERED}"
        )
    fits = kind.reads == fan.reads and kind.layout != "none" and kind.fits(fan)
    if isinstance(fan, RowFanIn):
        fits = fits and not (choice.hull and kind.layout != "cells")
        if choice.core:
            fits = fits and kind.layout == "edges" and choice.core > 0 and fan.split(choice.core) is not None
        way: FanIn = fan.with_hull(choice.hull)
    else:
        fits = fits and not choice.hull and not choice.core
        way = fan
    if not fits or (kind.padded and not way.full):
        raise CompileError(f"Layer {layer!r} cannot have been lowered with {choice}, which does not fit its edges.")
