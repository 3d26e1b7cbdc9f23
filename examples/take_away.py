"""Take a graph away: to NetworkX, from its own file without netgraph, as a module of torch; the history of an edge."""

import json
import tempfile
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

import netgraph as ng
from compilers.export import export_module, to_module, write_module
from netgraph.errors import CompileError, GraphError

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
ng.exchange.write(graph, folder / "graph.gexf")  # for Gephi
ng.exchange.write(graph, folder / "graph.graphml")  # for yEd, Cytoscape, igraph
ng.exchange.write(graph, folder / "graph.json")  # for Model Explorer
ng.exchange.write(graph, folder / "layers.dot", fold="layers")  # for Graphviz: a node per layer
edges, vertices = ng.exchange.write(graph, folder / "graph.csv")
print(f"{edges.name} and {vertices.name}", *edges.read_text().splitlines()[:3], sep="\n")
assert ng.exchange.read(folder / "graph.gexf").equals(graph)
assert ng.exchange.read(folder / "graph.graphml").equals(graph)
# endregion files

# region plain
own = nx.DiGraph()
own.add_weighted_edges_from([("a", "h", 2.0), ("b", "h", -1.0), ("h", "y", 0.5), ("a", "y", 1.0)])
own.nodes["h"].update(activation="tanh", bias=0.25)
print(ng.Graph.from_networkx(own))
# endregion plain

# region edges
own = ng.exchange.from_edges(["a", "b", "h", "a"], ["h", "h", "y", "y"], [2.0, -1.0, 0.5, 1.0], domain=(0, 1))
print(own, *own.layers, sep="\n")
matrix = np.array([[0, 0, 2.0, 1.0], [0, 0, -1.0, 0], [0, 0, 0, 0.5], [0, 0, 0, 0]])  # from row to column
assert ng.exchange.from_matrix(matrix, domain=(0, 1)).same_topology(own)
try:
    ng.exchange.from_edges(["a", "h", "g"], ["h", "g", "h"])
except GraphError as error:
    print(error)
# endregion edges

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
module = to_module(graph).eval()
torch.save(module, folder / "module.pt")  # torch.load(..., weights_only=False) needs torch alone
write_module(graph, folder)  # model.py and model.safetensors
# endregion module
x = torch.rand(5, 6)
with torch.no_grad():
    assert np.allclose(module(x), ng.interpret(graph, x.numpy()), atol=1e-6)
    assert torch.equal(torch.load(folder / "module.pt", weights_only=False)(x), module(x))
assert (folder / "model.py").read_text().startswith('"""A network as a module of torch."""')

# region zeros
exported = export_module(graph)  # the module with its source, the edge of every parameter, and notes
print(exported.source)
print(exported.added_zeros, "zeros for missing edges")
print(*exported.notes, sep="\n")
# endregion zeros
assert exported.added_zeros > 0
with pytest.raises(CompileError, match="missing edges"):
    to_module(graph, strict=True)


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
