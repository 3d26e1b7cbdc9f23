"""Networks leave the command line as ONNX, and a CNN of torch goes in, grows and leaves in a few lines."""

import ast
import inspect
import json
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from grow_runs import grow
from sklearn.datasets import load_digits
from torch import nn

import netgraph as ng
from compilers import lift
from compilers.export import to_onnx
from compilers.importing import from_module
from compilers.training import TrainingData, TrainSettings, begin, train
from netgraph.app.cli import main
from netgraph.methods import NagnOptions, nagn

onnxruntime = pytest.importorskip("onnxruntime")

pytestmark = pytest.mark.extras

RUN_ALONE = """
import sys
sys.modules["netgraph"] = sys.modules["compilers"] = sys.modules["torch"] = None
import numpy as np
x = np.load("x.npy")
{usage}
np.save("y.npy", outputs[0])
"""


def test_the_code_of_the_card_runs_the_model_with_onnxruntime_alone(tmp_path):
    run, out = tmp_path / "run", tmp_path / "net"
    assert main(grow(run)) == 0
    assert main(["export", str(run), "--to", "onnx", "--out", str(out)]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["MODEL_CARD.md", "model.json", "model.onnx"]
    blocks = (out / "MODEL_CARD.md").read_text().split("```python\n")[1:]
    prepare, usage = (next(b for b in blocks if word in b).split("```")[0] for word in ("def prepare", "onnxruntime"))
    digits = load_digits()
    scope = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(out)
        exec(prepare, scope)
    x = scope["prepare"](digits.images)
    np.save(out / "x.npy", x)
    subprocess.run([sys.executable, "-c", RUN_ALONE.format(usage=usage)], cwd=out, check=True)
    found = np.load(out / "y.npy")
    np.testing.assert_allclose(found, ng.interpret(ng.load(run / "graph.safetensors"), x), rtol=1e-5, atol=1e-5)
    classes = json.loads((out / "model.json").read_text())["outputs"]["classes"]
    predicted = np.array(classes)[found.argmax(1)]
    assert np.mean(predicted == digits.target.astype(str)) > 0.85


def new_user(cnn, x, y):
    """The way of a CNN through growth to the outputs of onnxruntime."""
    graph = from_module(cnn, x[:2], domain=(0, 1)).graph
    data = TrainingData.from_arrays(x[400:], y[400:], x[:400], y[:400], task="classification")
    settings = TrainSettings(epochs=25, batch_size=64, learning_rate=5e-3)
    method = nagn(graph, NagnOptions(delta_acc=0.02, delta_stop=0.002))
    grown = lift(train(begin(graph, settings, data.device), data, settings, method).net)
    to_onnx(grown, "grown.onnx")
    session = onnxruntime.InferenceSession("grown.onnx")
    return grown, *session.run(None, {"input": x[:400].numpy()})


def test_a_new_user_brings_a_cnn_grows_it_and_runs_it_as_onnx(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    torch.set_num_threads(1)
    x, y = load_digits(return_X_y=True)
    x = torch.tensor(x.reshape(-1, 1, 8, 8) / 16, dtype=torch.float32)
    convolution = [nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2)]
    cnn = nn.Sequential(*convolution, nn.Flatten(), nn.Linear(64, 10))
    started = time.perf_counter()
    grown, logits = new_user(cnn, x, y)
    assert time.perf_counter() - started < 300
    assert len(ast.parse(inspect.getsource(new_user)).body[0].body[1:]) < 10
    assert grown.num_edges > 4 * 9 + 640
    np.testing.assert_allclose(logits, ng.interpret(grown, x[:400].numpy()), rtol=1e-5, atol=1e-5)
    assert np.mean(logits.argmax(1) == y[:400]) > 0.85
