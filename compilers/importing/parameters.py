"""Places of the parameters of a module in a graph: weights, gradients and optimizer state, both ways."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from compilers.importing.optimizers import Vectors, network_optimizer, parameter_optimizer
from compilers.running import CompiledNetwork
from netgraph.columns import Array, freeze
from netgraph.errors import InputError
from netgraph.graph import Graph

Vector = Literal["weights", "vertex_parameters", "running"]


class ParameterPlace(NamedTuple):
    """Slots of a parameter in a vector of a network, -1 for elements that have none there."""

    vector: Vector
    slots: Tensor


@dataclass(frozen=True, eq=False)
class ParameterMap:
    """For each element of the parameters of a module the edge or the vertex whose number it is.

    Ids stay valid in every graph that is rewritten from the one of the map: edges that were removed count as 0, and new
    ones belong to no parameter. Running statistics of batch norm are parameters here; its number of batches is not in
    the graph and stays as it is.

    Attributes:
        edges: id of the edge of each element by the name of the parameter, -1 for none, in the shape of the parameter.
        vertices: name of the vertex column, and id of the vertex of each element, -1 for none, by name.
    """

    edges: Mapping[str, Array]
    vertices: Mapping[str, tuple[str, Array]]

    def __post_init__(self) -> None:
        own = self.__dict__  # a frozen dataclass is filled through its dictionary
        own["edges"] = {name: freeze(np.array(ids, np.int64)) for name, ids in self.edges.items()}
        own["vertices"] = {
            name: (column, freeze(np.array(ids, np.int64))) for name, (column, ids) in self.vertices.items()
        }

    def __repr__(self) -> str:
        elements = sum(ids.size for ids in self.edges.values())
        return f"ParameterMap({len(self.names)} parameters, {elements:,} elements of edges)"

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all parameters and running statistics, as in a state dict."""
        return tuple(dict.fromkeys([*self.edges, *self.vertices]))

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of a parameter."""
        ids = self.edges[name] if name in self.edges else self.vertices[name][1]
        return tuple(ids.shape)

    # -- values -----------------------------------------------------------------------------------

    def state(self, graph: Graph) -> dict[str, Tensor]:
        """Values of all parameters in a graph, by name; 0 where an edge or a vertex is gone.

        Cost: O(elements log edges).
        """
        found: dict[str, Tensor] = {}
        edges, vertices = graph.edges, graph.vertices
        columns: dict[str, Array] = {}  # read once each: a column of a graph is put together from its layers
        for name in self.names:
            values = np.zeros(self.shape(name), edges.weight.dtype)
            if name in self.edges:
                rows = edges.find(self.edges[name].reshape(-1)).reshape(values.shape)
                values[rows >= 0] = edges.weight[rows[rows >= 0]]
            if name in self.vertices:
                column, ids = self.vertices[name]
                rows = vertices.find(ids.reshape(-1)).reshape(values.shape)
                kept = rows >= 0
                if column not in columns:
                    columns[column] = np.nan_to_num(vertices.column(column))
                values[kept] = columns[column][rows[kept]]
            found[name] = torch.from_numpy(values)
        return found

    def load(self, graph: Graph, state: Mapping[str, Tensor]) -> Graph:
        """Return a graph with the values of a state dict; other names in it are left alone.

        Raises:
            InputError: when a parameter is missing or has another shape.
        """
        weight = np.array(graph.edges.weight)
        columns: dict[str, Array] = {}
        for name, values in self._checked(state):
            if name in self.edges:
                rows = graph.edges.find(self.edges[name].reshape(-1))
                weight[rows[rows >= 0]] = values[rows >= 0]
            if name in self.vertices:
                column, ids = self.vertices[name]
                if column not in columns:
                    columns[column] = np.array(np.nan_to_num(graph.vertices.column(column)), np.float64)
                rows = graph.vertices.find(ids.reshape(-1))
                columns[column][rows[rows >= 0]] = values[rows >= 0]
        return graph.with_weights(weight, vertices=columns)

    def _checked(self, state: Mapping[str, Tensor]) -> Iterator[tuple[str, Array]]:
        """Names with flat float64 values of a state."""
        for name in self.names:
            if name not in state:
                raise InputError(f"The state has no {name!r}; give that of the module of this map.")
            values = state[name]
            if tuple(values.shape) != self.shape(name):
                raise InputError(
                    f"{name!r} has the shape {tuple(values.shape)}, expected {self.shape(name)}; give the state of the "
                    "module of this map."
                )
            yield name, values.detach().cpu().to(torch.float64).numpy().reshape(-1)

    # -- gradients --------------------------------------------------------------------------------

    def gradients(self, net: CompiledNetwork) -> dict[str, Tensor]:
        """Gradients of a network by parameter, 0 where an edge is gone; only of parameters that are trained."""
        vectors = {"weights": net.weights.grad, "vertex_parameters": net.vertex_parameters.grad}
        found: dict[str, Tensor] = {}
        for name, places in self._places(net).items():
            for vector, slots in places:
                gradient = vectors.get(vector)
                if gradient is None or not bool((slots >= 0).any()):
                    continue
                values = torch.where(slots >= 0, gradient[slots.clamp(min=0)], 0.0)
                found[name] = found[name] + values if name in found else values
        return found

    def load_gradients(self, net: CompiledNetwork, gradients: Mapping[str, Tensor]) -> None:
        """Set the gradients of a network from those of a module; entries of no parameter get 0."""
        vectors: dict[Vector, Tensor] = {"weights": net.weights, "vertex_parameters": net.vertex_parameters}
        filled = {vector: torch.zeros_like(value) for vector, value in vectors.items()}
        for name, places in self._places(net).items():
            if name not in gradients:
                continue
            for vector, slots in places:
                if vector in filled:
                    some = slots >= 0
                    filled[vector][slots[some]] = gradients[name].detach().to(filled[vector])[some]
        for vector, value in vectors.items():
            value.grad = filled[vector]

    # -- optimizers -------------------------------------------------------------------------------

    def optimizer_for(
        self, net: CompiledNetwork, module: nn.Module, optimizer: torch.optim.Optimizer
    ) -> torch.optim.Optimizer:
        """Optimizer of a network with the options and the state of an optimizer of the module.

        Moments move to the edges and vertices of their parameters; entries of the network that belong to no parameter
        start at 0. Each vector of the network takes the place of its first parameter, and stays out where the optimizer
        trains none of them. Parameters of other modules stay in the optimizer as they are.

        Raises:
            OptionError: when parameters that share a vector of the network have different options or numbers of steps,
                some of them are not in the optimizer, or it trains nothing of the network.
        """
        return network_optimizer(net, optimizer, self._vectors(net, module))

    def optimizer_back(
        self, module: nn.Module, net: CompiledNetwork, optimizer: torch.optim.Optimizer
    ) -> torch.optim.Optimizer:
        """Optimizer of a module with the options and the state of an optimizer of a network; see `optimizer_for`.

        Parameters of a group have the order of `module.parameters()`, so that an optimizer of the module with the same
        groups takes its `state_dict()`.
        """
        return parameter_optimizer(module, optimizer, self._vectors(net, module))

    def _vectors(self, net: CompiledNetwork, module: nn.Module) -> Vectors:
        """Slots of the parameters of a module in both vectors that are trained."""
        own = dict(module.named_parameters())
        vectors: Vectors = {net.weights: {}, net.vertex_parameters: {}}
        by_name: dict[Vector, Any] = {"weights": net.weights, "vertex_parameters": net.vertex_parameters}
        for name, places in self._places(net).items():
            for vector, slots in places:
                if vector in by_name and bool((slots >= 0).any()):
                    if name not in own:
                        raise InputError(f"The module has no parameter {name!r}; give the module of this map.")
                    vectors[by_name[vector]][own[name]] = (name, slots)
        return vectors

    def _places(self, net: CompiledNetwork) -> dict[str, list[ParameterPlace]]:
        """Slots of all parameters in the vectors of a network."""
        places: dict[str, list[ParameterPlace]] = {name: [] for name in self.names}
        device = net.weights.device
        for name, ids in self.edges.items():
            rows = net.graph.edges.find(ids.reshape(-1))
            found = np.where(rows >= 0, np.asarray(net.plan.edge_slots)[np.maximum(rows, 0)], -1)
            places[name].append(ParameterPlace("weights", torch.from_numpy(found.reshape(ids.shape)).to(device)))
        for name, (column, ids) in self.vertices.items():
            slots = torch.full(ids.shape, -1)
            vector: Vector = "vertex_parameters"
            if column in net.plan.vertex_slots:
                here = net.graph.vertices.find(ids.reshape(-1)).reshape(ids.shape) >= 0
                slots[torch.from_numpy(here)] = net.vertex_slots(column, ids[here]).cpu()
                vector = "vertex_parameters" if net.plan.vertex_slots[column].trained else "running"
            places[name].append(ParameterPlace(vector, slots.to(device)))
        return places
