"""Command lines that repeat, resume or check a run, built from its configuration."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from typing import Any

from compilers.training import TrainSettings
from netgraph.app.inputs import RunSettings
from netgraph.app.prepare import SMALL_TRAINING
from netgraph.app.report.data import RunFacts
from netgraph.methods import METHODS


def command_lines(facts: RunFacts) -> list[tuple[str, str]]:
    """Pairs of a sentence about the effect and a command line for a shell, for all commands that fit the run."""
    directory = os.fspath(facts.run.path)
    lines = [
        ("Grow the same network again, in a directory of its own:", grow_command(facts.config, f"{directory}-again"))
    ]
    if facts.state == "open":
        resume = grow_command(facts.config, directory) + " --resume"
        lines.append(("Go on with this run from its last finished epoch:", resume))
    if facts.state == "ended":
        lines.append(("Rebuild every topology and check its hash:", shlex.join(["netgraph", "replay", directory])))
        compare = shlex.join(["netgraph", "compare", directory, "--static"])
        lines.append(("Train the final network from scratch, for comparison:", compare))
        export = shlex.join(["netgraph", "export", directory, "--to", "onnx"])
        lines.append(
            ("Take the network away, with a model card (--to torch and --to safetensors do likewise):", export)
        )
    return lines


def grow_command(config: Mapping[str, Any], out: str) -> str:
    """Command line of `netgraph grow` that leads to a configuration, without options that equal their defaults.

    Args:
        config: configuration of a run.
        out: run directory of the repetition.
    """
    words = ["netgraph", "grow", config["data"], "--method", config["method"], "--seed", str(config["seed"])]
    words += ["--epochs", str(config["training"]["epochs"]), "--task", config["task"]]
    words += ["--target", config["target"]] if config.get("target") is not None else []
    words += ["--device", config["device"]] if config["device"] != "cpu" else []
    words += [f"--set={key}={_text(value)}" for key, value in _required_options(config).items()]
    return shlex.join([*words, "--out", out])


def _required_options(config: Mapping[str, Any]) -> dict[str, Any]:
    """Options that the command must state, by name."""
    spec = METHODS.get(config["method"])
    # The defaults of these options depend on the size of the data or on the method.
    suited = {*SMALL_TRAINING, *(spec.training if spec else ())}
    chosen = _differences(config["run"], RunSettings()) | _differences(
        config["options"], spec.make_options() if spec else None
    )
    training = {k: v for k, v in config["training"].items() if k not in ("epochs", "seed")}
    unlike = _differences(training, TrainSettings())
    return {**chosen, **{k: v for k, v in training.items() if k in suited or k in unlike}}


def _differences(values: Mapping[str, Any], options: Any) -> dict[str, Any]:
    """Values that differ from the attributes of default options; all values where `options` is None."""
    defaults = {} if options is None else vars(options)
    return {key: value for key, value in values.items() if key not in defaults or defaults[key] != value}


def _text(value: Any) -> str:
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
