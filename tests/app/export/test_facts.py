"""Facts that users of an exported network need: the way from stored samples to inputs, and the meaning of outputs."""

import re
import types

import named_runs
import numpy as np
import pytest

from netgraph.app.export.card import PREPARE, model_card
from netgraph.app.export.facts import model_facts, output_facts, preparation_facts
from netgraph.app.prepare import prepare
from netgraph.app.report import RunFacts
from netgraph.app.requests import GrowRequest
from netgraph.app.run_directory import RunDirectory

RNG = np.random.default_rng(0)
SHAPES = {
    "grey": (40, 6, 5),
    "colour": (40, 6, 5, 3),
    "colour first": (40, 3, 6, 5),
    "bytes": (40, 6, 5, 3),
    "table": (40, 4),
    "table of one": (40, 1),
    "volumes": (40, 2, 3, 2, 2),
}


def stored(name, folder):
    """A file of samples, and the test samples in it."""
    scale = np.array([1.0, 100.0, 3.0, 0.01]) if name == "table" else 7.0
    x = RNG.normal(2.0, 1.0, SHAPES[name]) * scale
    if name == "bytes":
        x = RNG.integers(0, 256, SHAPES[name]).astype(np.uint8)
    y = np.arange(40) % 2
    np.savez(folder / "data.npz", x_train=x[:30], y_train=y[:30], x_test=x[30:], y_test=y[30:])
    return folder / "data.npz", x[30:]


def prepared_run(file, method="ssonn", **assignments):
    values = {key: str(value).lower() for key, value in assignments.items()}
    return prepare(GrowRequest(data=str(file), method=method, assignments=values))


@pytest.mark.parametrize("normalise", [False, True])
@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("method", ["ssonn", "maps"])
def test_the_code_of_the_card_makes_the_inputs_of_the_network(method, name, normalise, tmp_path, maps):
    if method == "maps" and name in ("table", "table of one", "volumes"):
        return  # no images
    file, samples = stored(name, tmp_path)
    run = prepared_run(file, method, normalise=normalise)
    steps = preparation_facts(run.first, run.config)
    code = PREPARE[PREPARE.index("def prepare") :]
    scope = {"np": np, "steps": steps}
    exec(code, scope)
    np.testing.assert_allclose(scope["prepare"](samples), run.test[0].numpy(), rtol=1e-5, atol=1e-6)


def test_outputs_of_a_regression_have_their_units(tmp_path):
    y = RNG.normal(5.0, 3.0, (40, 2))
    np.savez(tmp_path / "data.npz", x=RNG.random((40, 3)), y=y)
    run = prepare(GrowRequest(data=str(tmp_path / "data.npz"), task="regression", assignments={}))
    facts = output_facts(types.SimpleNamespace(config=run.config, summary=None))
    assert facts["task"] == "regression"
    units = facts["targets"]
    found = run.data.y_train.numpy() * units["std"] + units["mean"]
    assert all(np.isclose(row, y).all(1).any() for row in found)


def test_classes_and_features_have_their_names(tmp_path):
    rows = ["a,b,y", *(f"{k},{'xyz'[k % 3]},{'no' if k % 2 else 'yes'}" for k in range(40))]
    (tmp_path / "data.csv").write_text("\n".join(rows) + "\n")
    request = GrowRequest(data=str(tmp_path / "data.csv"), target="y", assignments={})
    run = prepare(request)
    known = run.config["preparation"]
    assert known["columns"] == ["a", "b=x", "b=y", "b=z"]
    assert output_facts(types.SimpleNamespace(config=run.config, summary=None))["classes"] == ["no", "yes"]
    assert sum(known["samples"].values()) == 40


def test_names_bring_no_tags_into_a_card(finished, tmp_path):
    config = RunDirectory(finished).config
    run = named_runs.named_run(tmp_path / "hostile", config, named_runs.HOSTILE)
    facts, graph = RunFacts.read(run), run.journal.first()
    about = {"to": "safetensors", "strict": False, "added_zeros": 0, "notes": (named_runs.HOSTILE,)}
    card = model_card(graph, facts, model_facts(graph, facts, about, []), named_runs.HOSTILE)
    assert card.count("```") == 4  # two blocks of code: names cannot end one
    text = "".join(card.split("```")[::2])
    assert "script" in text
    assert not re.search(r"(?<!\\)<", text)
