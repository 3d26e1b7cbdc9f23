"""Bring a CNN of torch, grow it by NAGN, and take it away as a module of torch and as a file of ONNX."""

import tempfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

import netgraph as ng
from compilers import lift, lower
from compilers.export import to_module, to_onnx, write_module
from compilers.importing import from_module
from compilers.training import TrainingData, TrainSettings, begin, train
from netgraph.errors import ImportRefused
from netgraph.methods import NagnOptions, nagn

torch.set_num_threads(1)
torch.manual_seed(0)
folder = Path(tempfile.mkdtemp())

x, y = load_digits(return_X_y=True)
x = torch.tensor(x.reshape(-1, 1, 8, 8) / 16, dtype=torch.float32)

# region own
cnn = nn.Sequential(
    nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
    nn.Flatten(), nn.Linear(16, 10),
)  # fmt: skip
imported = from_module(cnn, x[:2], domain=(0, 1))
print(imported.graph)
# endregion own

# region parameters
state = imported.parameters.state(imported.graph)  # by the names of cnn.state_dict()
assert all(torch.equal(state[name], value) for name, value in cnn.named_parameters())

optimizer = torch.optim.AdamW(cnn.parameters(), lr=1e-3)
nn.functional.cross_entropy(cnn(x[:64]), torch.tensor(y[:64])).backward()
optimizer.step()
graph = imported.parameters.load(imported.graph, cnn.state_dict())
net = lower(graph)
optimizer = imported.parameters.optimizer_for(net, cnn, optimizer)  # its moments go along
# endregion parameters

# region grow
data = TrainingData.from_arrays(x[500:], y[500:], x[:500], y[:500], task="classification")
settings = TrainSettings(epochs=20, batch_size=64, learning_rate=5e-3)
method = nagn(imported.graph, NagnOptions(delta_acc=0.02, delta_stop=0.002))
grown = lift(train(begin(imported.graph, settings, data.device), data, settings, method).net)
print(grown)
# endregion grow

# region torch
module = to_module(grown).eval()
torch.save(module, folder / "grown.pt")  # torch.load(..., weights_only=False) needs torch alone
write_module(grown, folder)  # model.py and model.safetensors
program = torch.export.export(module, (x[:2],), dynamic_shapes=({0: torch.export.Dim.AUTO},))
# endregion torch
np.testing.assert_allclose(module(x[:9]).detach(), ng.interpret(grown, x[:9].numpy()), rtol=1e-4, atol=1e-4)
np.testing.assert_allclose(program.module()(x[:9]).detach(), module(x[:9]).detach(), rtol=1e-4, atol=1e-4)

# region back
same = to_module(grown, like=imported)  # inputs and outputs of the shapes that `cnn` has
again = from_module(same, x[:2], domain=(0, 1))
# endregion back

if find_spec("onnx") and find_spec("onnxruntime"):
    import onnxruntime

    # region onnx
    to_onnx(grown, folder / "grown.onnx")
    session = onnxruntime.InferenceSession(folder / "grown.onnx")
    (scores,) = session.run(None, {"input": x[:7].numpy()})  # any number of samples
    # endregion onnx
    np.testing.assert_allclose(scores, ng.interpret(grown, x[:7].numpy()), rtol=1e-5, atol=1e-5)

# region refused
try:
    from_module(nn.Sequential(nn.Conv2d(1, 4, 3, dilation=2)), x[:2])
except ImportRefused as error:
    print(f"{error.op} at {error.path!r}")
# endregion refused

ng.viz.draw(grown, detail="layers").save("bring_your_own.svg")
assert grown.num_edges > imported.graph.num_edges
assert np.mean(ng.interpret(grown, x[:500].numpy()).argmax(1) == y[:500]) > 0.85
