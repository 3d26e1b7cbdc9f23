"""Export a graph: to NetworkX and its files, from its own file without netgraph; and the history of one edge."""

import json
import tempfile
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

import netgraph as ng

folder = Path(tempfile.mkdtemp())

# region grow
graph = ng.mlp([6, 4, 3], domain=(0, 1), seed=2)
journal = ng.Journal.create(folder / "run", graph)
for rule, limit in [(ng.rules.SplitEdges(), 4), (ng.rules.PruneEdges(below=0.2), None), (ng.rules.WidenLayer(), 1)]:
    result = ng.apply(rule, graph, limit=limit)
    journal.append(result, before=graph)
    graph = result.graph
print(graph)
# endregion grow

# region networkx
g = graph.to_networkx()  # a MultiDiGraph: a node per vertex, an arc per edge, both under their ids
print(g.nodes[6])
print(next(iter(g.edges(data=True))))
print(nx.dag_longest_path_length(g, weight=None), "arcs on the longest path")
print(sorted(nx.ancestors(g, 10)))  # all vertices with a path to the first output
assert ng.Graph.from_networkx(g).equals(graph)
# endregion networkx

# region files
nx.write_gexf(g, folder / "graph.gexf")  # for Gephi
nx.write_graphml(g, folder / "graph.graphml")  # for yEd, Cytoscape, igraph
assert ng.Graph.from_networkx(nx.read_gexf(folder / "graph.gexf")).equals(graph)
assert ng.Graph.from_networkx(nx.read_graphml(folder / "graph.graphml")).equals(graph)
# endregion files

# region plain
own = nx.DiGraph()
own.add_weighted_edges_from([("a", "h", 2.0), ("b", "h", -1.0), ("h", "y", 0.5), ("a", "y", 1.0)])
own.nodes["h"].update(activation="tanh", bias=0.25)
print(ng.Graph.from_networkx(own))
# endregion plain

# region safetensors
ng.save(graph, folder / "graph.safetensors")

arrays = load_file(folder / "graph.safetensors")  # from here on without netgraph
structure = json.loads(arrays["structure"].tobytes())
sizes = {layer["id"]: layer["size"] for layer in structure["layers"]}
matrices = {}
stop = 0
for link in structure["links"]:  # all links lie end to end in the columns of edges
    start, stop = stop, stop + link["size"]
    source, target, port = link["key"]
    src, dst, weight = (arrays[f"edge.{name}"][start:stop] for name in ("src", "dst", "weight"))
    matrices[source, target] = np.zeros((sizes[target], sizes[source]), weight.dtype)
    matrices[source, target][dst, src] = weight
print({key: matrix.shape for key, matrix in matrices.items()})
# endregion safetensors
assert all(np.count_nonzero(matrices[key[:2]]) == np.count_nonzero(k.weight) for key, k in graph.links_by_key.items())

# region module
ACTIVATIONS = {"identity": torch.nn.Identity, "relu": torch.nn.ReLU, "tanh": torch.nn.Tanh, "sigmoid": torch.nn.Sigmoid}


class Plain(torch.nn.Module):
    """The function of a graph of plain layers in float32: each sums its links and its bias."""

    def __init__(self, graph):
        super().__init__()
        layers = [graph.layer(i) for i in graph.topological_order]
        for layer in layers:
            sums = layer.merge is None and layer.encoding == "values"
            if layer.grid or layer.norm != "none" or layer.activation not in ACTIVATIONS or not sums:
                raise ValueError(
                    f"{layer} is not plain; Plain takes layers with grid (), norm 'none', no merge, and an "
                    f"activation out of {', '.join(ACTIVATIONS)}."
                )
        place = {layer.id: k for k, layer in enumerate(layers)}
        self.inputs = [place[layer.id] for layer in graph.inputs]
        self.outputs = [place[layer.id] for layer in graph.outputs]
        self.sources = [[place[link.source] for link in graph.incoming[layer.id]] for layer in layers]
        self.activations = torch.nn.ModuleList(ACTIVATIONS[layer.activation]() for layer in layers)
        self.biases, self.matrices = torch.nn.ParameterList(), torch.nn.ModuleList()
        for layer in layers:
            bias = layer.values.get("bias", np.zeros(len(layer)))
            self.biases.append(torch.tensor(bias, dtype=torch.float32))
            self.matrices.append(torch.nn.ParameterList())
            for link in graph.incoming[layer.id]:
                matrix = torch.zeros(len(graph.layer(link.source)), len(layer))
                matrix[link.src.tolist(), link.dst.tolist()] = torch.tensor(link.weight, dtype=torch.float32)
                self.matrices[-1].append(matrix)

    def forward(self, *inputs):
        values = dict(zip(self.inputs, inputs, strict=True))
        for k, activation in enumerate(self.activations):
            if k not in self.inputs:
                total = self.biases[k].expand(inputs[0].shape[0], -1)
                for source, matrix in zip(self.sources[k], self.matrices[k], strict=True):
                    total = total + values[source] @ matrix
                values[k] = activation(total)
        outputs = [values[k] for k in self.outputs]
        return outputs[0] if len(outputs) == 1 else tuple(outputs)


plain = Plain(graph)  # a plain module of torch: save it, trace it, export it
x = torch.rand(5, 6)
with torch.no_grad():
    assert np.allclose(plain(x), ng.interpret(graph, x.numpy()), atol=1e-6)
exported = torch.export.export(plain, (x,))
# endregion module
with torch.no_grad():
    assert torch.allclose(exported.module()(x), plain(x))
for refused in (ng.convnet([[2]]), ng.mlp([3, 4, 2], norm="batch"), ng.mlp([3, 4, 2], activation="gelu")):
    with pytest.raises(ValueError, match=r"Plain takes layers with grid \(\)"):
        Plain(refused)


# region history
def history(journal, edge):
    """Return a line for each rewrite that made, changed or removed an edge."""
    if edge in journal.first().edges.id:
        yield "there from the start"
    for entry in journal.entries():
        delta = journal.delta(entry.rewrite)
        changed = [name for name, change in delta.edges_changed.items() if edge in change.id]
        events = [("made", edge in delta.edges_added.id), ("removed", edge in delta.edges_removed.id)]
        for event in [name for name, happened in events if happened] + [f"{name} set" for name in changed]:
            yield f"rewrite {entry.rewrite}, epoch {entry.epoch}, {entry.rule}: {event}"


split, pruned = (journal.delta(number).edges_removed.id[-1] for number in (1, 2))
for edge in (split, pruned, graph.edges.id[-1]):
    print(f"edge {edge}:", *history(journal, edge), sep="\n  ")
ng.viz.draw(graph, edge_color="birth", title="Edges by the rewrite that made them").save("take_away.svg")
# endregion history
