"""The model card of an exported network, `MODEL_CARD.md`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from netgraph.app.export.forms import WRITERS, Writer, arrays
from netgraph.app.layer_table import layer_table
from netgraph.app.places import MODEL
from netgraph.app.report import RunFacts
from netgraph.app.summary import environment
from netgraph.app.verdicts import in_words
from netgraph.graph import Graph
from netgraph.markup import markdown
from netgraph.viz import format_count

PREPARE = '''import json

import numpy as np

with open("model.json") as file:
    steps = json.load(file)["prepare"]


def prepare(samples):
    """Inputs of the network, from samples as they were stored, (samples, {shape})."""
    low, high, mean, std = (np.array(steps[name]) for name in ("low", "high", "mean", "std"))
    x = (np.clip(samples, low, high) - low) / np.where(high > low, high - low, 1)
    x = (x - mean) / std
    return x.transpose(0, *steps["axes"]).reshape(-1, *steps["input_shape"]).astype(np.float32)'''
"""Code of the card that makes inputs of samples; `{shape}` stands for the shape of one."""

UNKNOWN_OF_A_FILE = (
    "A graph file holds the network alone. Not known are: the data that it was trained on and their licence, the "
    "preparation of inputs and the meaning of outputs, the method and its options, scores, and the proofs of rewrites. "
    "Export the run directory in place of the file, and the card has them."
)


def model_card(graph: Graph, run: RunFacts | None, facts: Mapping[str, Any], source: str) -> str:
    """Write the card.

    Args:
        graph: the network.
        run: the run that ended with it; None when only the graph is known.
        facts: contents of `model.json`.
        source: name of the exported run or file.
    """
    title = f"Network of {markdown(source)}"
    if run is not None:
        title = f"{markdown(run.name)}, grown by {markdown(run.config['method'])}"
    sections = [_use(facts), _network(graph, facts), _export(facts)]
    if run is None:
        sections.insert(0, ["## Not known", "", UNKNOWN_OF_A_FILE])
    else:
        sections[1:1] = [_inputs(facts), _outputs(facts), _data(facts), _scores(run, facts)]
        sections += [_method(facts), _rewrites(run, facts), _not_known(facts)]
    text = f"{_what(facts)} The same facts for programs are in `{MODEL}`."
    return "\n".join([f"# {title}", "", text, *(line for part in sections for line in ("", *part)), ""])


def _what(facts: Mapping[str, Any]) -> str:
    """The network in a sentence."""
    network, outputs = facts["network"], facts["outputs"]
    aim = ""
    if outputs is not None:
        count = network["outputs"][0]["shape"][0]
        kinds = ("class", "classes") if outputs["task"] == "classification" else ("target", "targets")
        aim = f" for the {outputs['task']} of {format_count(count, *kinds)}"
    sizes = f"{format_count(network['edges'], 'trained edge')} at density {network['density']:.4g}"
    return f"A network{aim} with {sizes}, as {WRITERS[facts['export']['to']].text}."


def _use(facts: Mapping[str, Any]) -> list[str]:
    writer, ready = WRITERS[facts["export"]["to"]], facts["prepare"] is not None
    inputs = facts["network"]["inputs"]
    names = [one["name"] for one in inputs]
    taken = [
        f"- `{x}` for {markdown(one['name'])}: ({_shape(['batch', *one['shape']])}), {one['dtype']}, {_domain(one)}"
        for x, one in zip(arrays(names), inputs, strict=True)
    ]
    if not writer.runs:
        return ["## Use", "", _opened(writer, facts), "", "```python", writer.usage(names), "```"]
    made, needs = ", as `prepare` below makes it of samples" if ready else "", " and ".join(writer.packages)
    return [
        "## Use", "",
        f"In this folder, with {needs} installed, for an array of NumPy for each input{made}:", "",
        *taken, "", "```python", writer.usage(names), "```",
    ]  # fmt: skip


def _opened(writer: Writer, facts: Mapping[str, Any]) -> str:
    """Sentence before the code that opens a form for other programs."""
    rows = "layer and link" if facts["export"].get("fold") else "vertex and edge"
    return f"In this folder, with {' and '.join(writer.packages)} installed; each {rows} has its columns as attributes:"


def _inputs(facts: Mapping[str, Any]) -> list[str]:
    steps, shape = facts["prepare"], _shape(facts["prepare"]["sample_shape"])
    lines = ["## Inputs", ""]
    if steps["low"] is None:
        return [
            *lines,
            f"Samples have the shape ({shape}). They were scaled to [0, 1] by a range that the run did not record, as "
            f"an earlier version of netgraph made it: this step is not known here{_normalised(steps)}. They got the "
            f"shape ({_shape(steps['input_shape'])}).",
        ]
    order = " as channels, height, width" if steps["axes"] != sorted(steps["axes"]) else ""
    return [
        *lines,
        f"A sample as stored, of shape ({shape}), is clipped to [low, high] = [{_brief(steps['low'])}, "
        f"{_brief(steps['high'])}] and scaled to [0, 1]{_normalised(steps)}; it gets the shape "
        f"({_shape(steps['input_shape'])}){order}. The numbers are in `{MODEL}`:",
        "", "```python", PREPARE.replace("{shape}", shape.rstrip(",")), "```",
        *_features(facts),
    ]  # fmt: skip


def _normalised(steps: Mapping[str, Any]) -> str:
    """The step from [0, 1] to inputs of mean 0 and deviation 1, in a clause; '' without it."""
    if steps["mean"] == 0 and steps["std"] == 1:
        return ""
    mean, std = _brief(steps["mean"]), _brief(steps["std"])
    return f"; then it becomes (x - mean) / std, with mean {mean} and std {std} of the training samples"


def _features(facts: Mapping[str, Any]) -> list[str]:
    names = facts["data"]["features"]
    return ["", f"Features in this order: {_listed(names)}."] if names else []


def _outputs(facts: Mapping[str, Any]) -> list[str]:
    outputs = facts["outputs"]
    lines = ["## Outputs", ""]
    if outputs["task"] == "regression":
        targets = outputs["targets"]
        if targets is None:
            return [*lines, "Standardised targets. Their mean and deviation were not recorded by the run."]
        return [
            *lines,
            f"Standardised targets: a target in its own units is output * {_brief(targets['std'])} + "
            f"{_brief(targets['mean'])}, the deviation and the mean of the training targets.",
        ]
    classes = outputs["classes"]
    named = f"the classes {_listed(classes)}" if classes else "classes, whose names the run did not record"
    return [*lines, f"Logits, in the order of {named}. Their softmax estimates probabilities."]


def _data(facts: Mapping[str, Any]) -> list[str]:
    data = facts["data"]
    lines = [f"- Name: {markdown(data['name'])}"]
    if data["target"] is not None:
        lines.append(f"- Target: {markdown(data['target'])}")
    lines.append(f"- Hash of the data as trained on: {markdown(data['fingerprint'])}")
    if data["samples"] is not None:
        sizes = ", ".join(f"{count:,} {part}" for part, count in data["samples"].items())
        lines.append(f"- Samples: {sizes}")
    lines.append(f"- Split: by seed {data['split_seed']}, where the data have no split of their own")
    return ["## Data", "", *lines, "- Licence of the data: unknown"]


def _scores(run: RunFacts, facts: Mapping[str, Any]) -> list[str]:
    summary, scores = run.summary, facts["scores"]
    if summary is None or scores is None:
        return ["## Scores", "", "Not known: rewrites of the run were undone, so its scores belong to another network."]
    which = "This network is the start alone, since growth did harm" if scores["network"] == "start" else ""
    return [
        "## Scores", "",
        *([f"{which}.", ""] if which else []),
        *summary.table().markdown(), "",
        *(line for sentence in summary.warnings for line in (f"**{markdown(sentence)}**", "")),
        *(line for table in summary.score_tables for line in (*table.markdown("###"), "")),
    ][:-1]  # fmt: skip


def _network(graph: Graph, facts: Mapping[str, Any]) -> list[str]:
    network = facts["network"]
    nouns = {
        "layers": ("layer",),
        "vertices": ("vertex", "vertices"),
        "edges": ("trained edge",),
        "parameters": ("parameter",),
    }
    sizes = ", ".join(format_count(network[name], *noun) for name, noun in nouns.items())
    ends = [
        f"- Input {markdown(one['name'])}: ({_shape(one['shape'])}), {_domain(one)}" for one in network["inputs"]
    ] + [f"- Output {markdown(one['name'])}: ({_shape(one['shape'])})" for one in network["outputs"]]
    return [
        "## Network", "",
        f"{sizes}; density {network['density']:.4g}. Topology hash {network['topology_hash']}.", "",
        *ends, "", *layer_table(graph).markdown("###"),
    ]  # fmt: skip


def _export(facts: Mapping[str, Any]) -> list[str]:
    export = facts["export"]
    zeros = export["added_zeros"]
    added = f"The model has {format_count(zeros, 'parameter')} for missing edges, all 0." if zeros else ""
    lines = [added or "Nothing was added: the parameters of the model are those of the network."]
    files = [f"- {name}: SHA-256 {digest}" for name, digest in facts["files"].items()]
    notes = [f"- {markdown(note)}" for note in export["notes"]]
    lines.append(f"Exported by netgraph {facts['netgraph']}.")
    return ["## Export", "", " ".join(lines), *(["", *notes] if notes else []), "", *files]


def _method(facts: Mapping[str, Any]) -> list[str]:
    method = facts["method"]
    settings = {**method["training"], **method["options"], **method["run"]}
    known = f": {markdown(method['description'])}" if method["description"] else ""
    return [
        "## Method", "", f"{markdown(method['name'])}{known}. Seed {method['seed']}.", "",
        *(f"- {markdown(key)}: {markdown(value)}" for key, value in settings.items()),
    ]  # fmt: skip


def _rewrites(run: RunFacts, facts: Mapping[str, Any]) -> list[str]:
    rewrites = facts["rewrites"]
    kinds = in_words(rewrites["verdicts"])
    count = f"{format_count(rewrites['count'], 'rewrite')}{': ' if kinds else ''}{kinds}."
    proof = f" {run.summary.proof[0].upper()}{run.summary.proof[1:]}." if run.summary else ""
    holds = [f"- Provided {markdown(text)}" for text in rewrites["assumptions"]]
    end = "this network" if rewrites["leads_to_this_network"] else "another network than this one"
    return [
        "## Rewrites and their proofs", "",
        f"{count}{proof} Proofs hold for all inputs in the domain of the input layers.", *holds, "",
        f"The journal of the run leads to {end}. SHA-256 of the journal: {rewrites['journal_sha256']}.", "",
        f"Trained with {markdown(environment(run.config))}",
    ]  # fmt: skip


def _not_known(facts: Mapping[str, Any]) -> list[str]:
    return [
        "## Not known", "",
        "The licence of the data, and so the terms for passing on a network that was trained on them. Behaviour on "
        "data of another origin than the test samples was not measured.",
    ]  # fmt: skip


# -- words -----------------------------------------------------------------------------------------------


def _shape(sizes: Sequence[int | str]) -> str:
    return ", ".join(map(str, sizes)) + ("," if len(sizes) == 1 else "")


def _domain(one: Mapping[str, Any]) -> str:
    """The declared domain of an input in words."""
    if one["dtype"] == "int64":
        return f"whole numbers from 0 to {one['high']}"
    low, high = one["low"], one["high"]
    if low is None and high is None:
        return "any values"
    return f"values in [{_brief(low, '-inf')}, {_brief(high, 'inf')}]"


def _brief(value: Any, missing: str = "") -> str:
    """One number, or the range of several."""
    numbers = list(_flat(value))
    shown = [missing if number is None else f"{number:.6g}" for number in numbers]
    if len(shown) <= 4:
        return ", ".join(shown)
    return (
        f"{min(n for n in numbers if n is not None):.6g} to {max(n for n in numbers if n is not None):.6g} by feature"
    )


def _flat(value: Any) -> Iterator[float | None]:
    if isinstance(value, list):
        for part in value:
            yield from _flat(part)
    else:
        yield value


def _listed(names: Sequence[str], most: int = 200) -> str:
    shown = ", ".join(markdown(name) for name in names[:most])
    return f"{shown} and {len(names) - most:,} more, in `{MODEL}`" if len(names) > most else shown
