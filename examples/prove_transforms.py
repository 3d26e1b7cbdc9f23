"""Prove that transforms of torch modules keep the function: widening, folding of batch norm, pruning."""

import copy

import numpy as np
import torch
from torch import nn
from torch.nn.utils import prune
from torch.nn.utils.fusion import fuse_conv_bn_eval

import netgraph as ng
from compilers.importing import certify_modules, from_module
from netgraph.testing import assert_same_function, shuffled

torch.set_num_threads(1)
torch.manual_seed(0)


# region widen
def widened(model, copies, *, shared=True):
    """Widen Linear, ReLU, Linear in the manner of Net2Net: `copies` has the old row of each new one."""
    first, activation, second = model
    wide, read = nn.Linear(first.in_features, len(copies)), nn.Linear(len(copies), second.out_features)
    times = torch.bincount(copies)[copies] if shared else 1
    with torch.no_grad():
        wide.weight.copy_(first.weight[copies])
        wide.bias.copy_(first.bias[copies])
        read.weight.copy_(second.weight[:, copies] / times)
        read.bias.copy_(second.bias)
    return nn.Sequential(wide, activation, read)


model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2))
x = torch.rand(2, 4)
wide = widened(model, torch.tensor([0, 1, 2, 3, 4, 5, 1, 2]))
print(assert_same_function(model, wide, x, require="exact"))
# endregion widen

# region wrong
wrong = widened(model, torch.tensor([0, 1, 2, 3, 4, 5, 1, 2]), shared=False)  # forgets to share the weights of copies
try:
    assert_same_function(model, wrong, x, domain=(0, 1))
except AssertionError as error:
    print(error)
# endregion wrong
else:
    raise SystemExit("a wrong transform passed")

# region fold
conv, norm = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4)
norm.running_mean.uniform_(-1, 1)
norm.running_var.uniform_(0.5, 2)
before = nn.Sequential(conv, norm, nn.ReLU(), nn.Flatten(), nn.Linear(64, 3)).eval()
after = nn.Sequential(fuse_conv_bn_eval(conv, norm), *before[2:])
folded = certify_modules(before, after, torch.rand(2, 3, 4, 4), domain=(0, 1))
print(folded)
# endregion fold
assert folded.level == "exact up to rounding"

# region prune
pruned = copy.deepcopy(model)
prune.l1_unstructured(pruned[0], "weight", amount=0.25)
prune.remove(pruned[0], "weight")
limited = certify_modules(model, pruned, x, domain=(0, 1))
print(limited)
assert_same_function(model, pruned, x, domain=(0, 1), require=1.0)  # no output may change by more
# endregion prune
assert limited.kind == "bounded"

# region match
old = from_module(model, x).graph
new = shuffled(from_module(wide, x).graph, np.random.default_rng(0))  # other ids, and rows in another order
found = ng.proof.aligned(old, new)  # `new` with the ids of `old`
for graph in (new, found):
    print(np.isin(graph.vertices.id, old.vertices.id).sum(), "of", graph.num_vertices, "vertices are old ones")
print(ng.certify(old, found))
# endregion match
assert set(old.vertices.id) < set(found.vertices.id)

ng.viz.draw(from_module(wide, x).graph, title="The widened module").save("prove_transforms.svg")
