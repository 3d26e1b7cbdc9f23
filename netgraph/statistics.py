"""Statistics of training, as columns over the edges, vertices and layers of one topology."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np

from netgraph.checks import whole
from netgraph.columns import Array, column
from netgraph.errors import StatisticsError, unknown_name
from netgraph.graph import Graph
from netgraph.tables import Table


class Topology(Protocol):
    """Graph before or after a rewrite, as far as `Statistics.carry` reads it."""

    @property
    def topology_hash(self) -> str:
        """Hash of the topology."""


class RowMaps(Protocol):
    """Rewrite, as far as `Statistics.carry` reads it; a `Delta` is one."""

    @property
    def before(self) -> Topology:
        """Topology before the rewrite."""

    @property
    def after(self) -> Topology:
        """Topology after the rewrite."""

    @property
    def edge_rows(self) -> Array:
        """Row of each edge before the rewrite, -1 for new edges, `(edges after,)`."""

    @property
    def vertex_rows(self) -> Array:
        """Row of each vertex before the rewrite, -1 for new vertices, `(vertices after,)`."""


@dataclass(frozen=True, eq=False)
class Statistics:
    """Named columns over the edges and vertices of one topology.

    They belong to the topology whose hash they hold. Training does not change the topology; a rewrite does, and `carry`
    takes them across it.

    Attributes:
        topology_hash: hash of the graph to which the rows belong.
        edges: columns in the order of `graph.edges`, such as `mean_abs_gradient`.
        vertices: columns in the order of `graph.vertices`.
        batches: number of mini-batches from which they were computed.
        moments: arrays over the vertices of layers: ("cross", source, target), ("activations", layer) and
            ("gradients", layer), with names of layers. `carry` drops them.
        samples: number of samples from which they were computed.
    """

    topology_hash: str
    edges: Mapping[str, Array] = field(default_factory=dict)
    vertices: Mapping[str, Array] = field(default_factory=dict)
    batches: int = 0
    moments: Mapping[tuple[str, ...], Array] = field(default_factory=dict)
    samples: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.topology_hash, str):
            raise StatisticsError(
                f"topology_hash={self.topology_hash!r} is no hash; give that of the graph: "
                "Statistics(graph.topology_hash, edges={...})."
            )
        for name in ("batches", "samples"):
            object.__setattr__(self, name, whole(name, getattr(self, name), least=0, error=StatisticsError))
        for name in ("edges", "vertices", "moments"):
            given = getattr(self, name)
            if not isinstance(given, Mapping):
                raise StatisticsError(f"{name}={given!r} is not a mapping; give arrays by name.")
            columns = {key: column(value, None) for key, value in given.items()}
            object.__setattr__(self, name, MappingProxyType(columns))

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, **{kind: dict(getattr(self, kind)) for kind in ("edges", "vertices", "moments")}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        columns = {
            kind: MappingProxyType({name: column(values, None) for name, values in state[kind].items()})
            for kind in ("edges", "vertices", "moments")
        }
        self.__dict__.update({**state, **columns})

    def __repr__(self) -> str:
        names = [*(f"edges.{k}" for k in self.edges), *(f"vertices.{k}" for k in self.vertices)]
        names += [" ".join(key) for key in self.moments]
        return f"Statistics({', '.join(names) or 'empty'}; {self.batches} batches, topology {self.topology_hash[:8]})"

    def _repr_html_(self) -> str:
        columns = [("edges", name, values) for name, values in self.edges.items()]
        columns += [("vertices", name, values) for name, values in self.vertices.items()]
        columns += [("moments", " ".join(key), values) for key, values in self.moments.items()]
        rows = [(kind, name, " x ".join(map(str, v.shape)), *_describe(v)) for kind, name, v in columns]
        caption = (
            f"Statistics of topology {self.topology_hash[:8]}, over {self.batches:,} batches and "
            f"{self.samples:,} samples"
        )
        return Table(caption, ["of", "name", "shape", "min", "mean", "max", "NaN"], rows).html()

    def check(self, graph: Graph) -> None:
        """Check that the statistics belong to the topology of `graph` and have its sizes.

        Raises:
            StatisticsError: when they do not.
        """
        if self.topology_hash != graph.topology_hash:
            raise StatisticsError(
                f"These statistics belong to topology {self.topology_hash[:8]}, the graph has "
                f"{graph.topology_hash[:8]}; collect them again, or take them along with .carry(delta)."
            )
        for kind, columns, n in (
            ("edge", self.edges, len(graph.edges)),
            ("vertex", self.vertices, len(graph.vertices)),
        ):
            for name, values in columns.items():
                if values.shape != (n,):
                    raise StatisticsError(f"The {kind} column {name!r} has shape {values.shape}, expected ({n},).")

    def edge(self, name: str) -> Array:
        """Return the edge column `name`, `(edges,)`.

        Raises:
            StatisticsError: when there is none, with the nearest name and how to get it.
        """
        return self._get("edge", self.edges, name)

    def vertex(self, name: str) -> Array:
        """Return the vertex column `name`, `(vertices,)`.

        Raises:
            StatisticsError: when there is none, with the nearest name and how to get it.
        """
        return self._get("vertex", self.vertices, name)

    def cross(self, source: str, target: str) -> Array:
        """Cross moments of two layers: the mean of `h_s * dL/dz_t` over samples.

        Args:
            source: name of the layer of the values h.
            target: name of the layer of the sums z.

        Returns:
            `(sources, targets)`, or `(sources, targets, taps)` where maps are read.

        Raises:
            StatisticsError: when they were not requested.
        """
        return self._moment("cross_moments", ("cross", source, target))

    def second(self, layer: str, of: str = "activations") -> Array:
        """Second moments of the activations of a layer, with a 1 appended, or of its gradients: a square matrix.

        Args:
            layer: name of the layer.
            of: "activations" or "gradients".

        Raises:
            StatisticsError: when they were not requested.
        """
        return self._moment("second_moments", (of, layer))

    def _moment(self, name: str, key: tuple[str, ...]) -> Array:
        if key not in self.moments:
            there = ", ".join(" ".join(k) for k in self.moments) or "none"
            raise StatisticsError(
                f"There are no {name} of {' '.join(key)!r}, only: {there}. Request {name!r} from the network first."
            )
        return self.moments[key]

    @staticmethod
    def _get(kind: str, columns: Mapping[str, Array], name: str) -> Array:
        if name not in columns:
            known = unknown_name(f"{kind} statistic", name, columns) if columns else f"No {kind} statistics are there."
            raise StatisticsError(f"{known} Request it from the network before training or scoring.")
        return columns[name]

    def carry(self, delta: RowMaps, *, fill: float = np.nan) -> Statistics:
        """Take the columns across a rewrite: surviving edges and vertices keep their values, new ones get `fill`.

        Moments are dropped: with missing rows a matrix is no matrix of moments.

        Args:
            delta: the rewrite; it must begin at the topology of these statistics.
            fill: value of edges and vertices that the rewrite made, NaN by default.
        """
        if delta.before.topology_hash != self.topology_hash:
            raise StatisticsError(
                f"The delta starts at topology {delta.before.topology_hash[:8]}, "
                f"these statistics belong to {self.topology_hash[:8]}."
            )

        def move(columns: Mapping[str, Array], rows: Array) -> dict[str, Array]:
            return {name: _gather(values, rows, fill) for name, values in columns.items()}

        return Statistics(
            delta.after.topology_hash,
            move(self.edges, delta.edge_rows) if self.edges else {},
            move(self.vertices, delta.vertex_rows) if self.vertices else {},
            self.batches,
            samples=self.samples,
        )


def _describe(values: Array) -> tuple[float | str, float | str, float | str, int]:
    """Smallest value, mean and largest value without NaN, and the number of NaN."""
    known = values[~np.isnan(values)]
    if not known.size:
        return "", "", "", values.size
    with np.errstate(invalid="ignore"):  # the mean of inf and -inf is NaN
        mean = float(known.mean(dtype=np.float64))
    return float(known.min()), mean, float(known.max()), int(values.size - known.size)


@dataclass(frozen=True, eq=False)
class BatchSignals:
    """Activations and gradients of single samples in the layers of one topology, in float64.

    `netgraph.methods.Context.capture` makes them. Each gradient is that of the sample's own loss, not of the mean over
    samples. Arrays are read-only.

    Attributes:
        topology_hash: hash of the graph to which the layers belong.
        activations: output of each layer, `(samples, vertices, *output grid)`.
        gradients: gradient of the loss by the sums of each layer except inputs, `(samples, vertices, *grid)`.
        residuals: like `gradients`, but propagated back from `dL/dy - s J n` instead of `dL/dy`. `J` is the Jacobian of
            the outputs by the parameters, `n` the damped natural gradient of these samples, and
            `s = <J n, dL/dy> / (<J n, J n> + 1e-10)` over all of them. Empty when captured without `tangent`.
        output_gradients: gradient of the loss by the outputs, `dL/dy`, `(samples, outputs, *grid)`.
        natural_score: `g^T n` with the mean gradient `g`; 0 when captured without `tangent`.
    """

    topology_hash: str
    activations: Mapping[str, Array]
    gradients: Mapping[str, Array]
    residuals: Mapping[str, Array]
    output_gradients: Array
    natural_score: float = 0.0

    def __post_init__(self) -> None:
        for name in ("activations", "gradients", "residuals"):
            columns = {key: column(value, np.float64) for key, value in getattr(self, name).items()}
            object.__setattr__(self, name, MappingProxyType(columns))
        object.__setattr__(self, "output_gradients", column(self.output_gradients, np.float64))

    @property
    def samples(self) -> int:
        """Number of samples."""
        return len(self.output_gradients)

    @cached_property
    def output_norms(self) -> Array:
        """Euclidean norm of the gradient by the outputs, `dL/dy`, of each sample, `(samples,)`."""
        return np.asarray(np.linalg.norm(self.output_gradients.reshape(self.samples, -1), axis=1))

    def __repr__(self) -> str:
        names = ", ".join(self.activations) or "no layers"
        return f"BatchSignals({names}; {self.samples} samples, topology {self.topology_hash[:8]})"


def _gather(values: Array, old_rows: Array, fill: Any) -> Array:
    out = np.full(len(old_rows), fill, dtype=np.result_type(values.dtype, np.float32))
    kept = old_rows >= 0
    out[kept] = values[old_rows[kept]]
    return out
