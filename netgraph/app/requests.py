"""Runs and studies as the command line asks for them: each field is an argument, and its line below explains it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from netgraph.checks import Checked, Count, Seed
from netgraph.errors import OptionError
from netgraph.exchange import Fold, FormName
from netgraph.methods import get_method

Task = Literal["classification", "regression"]
Form = Literal["torch", "onnx", "safetensors", FormName]
Start = Literal["edge", "vertex", "missing-edge", "path"]

DENSITIES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5)
"""Default densities of a study."""


@dataclass(frozen=True, kw_only=True)
class GrowRequest(Checked):
    """A run, as `netgraph grow` takes it.

    Attributes:
        data: a bundled name (see `netgraph data`), a .npz, IDX or CSV file, or openml:NAME
        method: growth method; `netgraph methods` lists them, and the default is ssonn
        out: run directory; by default one below runs/
        epochs: passes over the training data; by default those that suit the method and the size of the data
        seed: seed of data split, weights, batch order and rewrites (default 0)
        device: torch device, such as cpu (the default) or cuda
        target: target column of a CSV file or OpenML data set
        task: kind of the targets; by default it is seen from them
        assignments: further options as texts, by name
        resume: go on with an interrupted run from its last finished epoch, exactly; needs the command that began it
        overwrite: replace the run that is in the directory
    """

    data: str
    method: str = "ssonn"
    out: Path | None = None
    epochs: int | None = None
    seed: Seed = 0
    device: str = "cpu"
    target: str | None = None
    task: Task | None = None
    assignments: Mapping[str, str]
    resume: bool = False
    overwrite: bool = False

    @property
    def directory(self) -> Path:
        """The run directory."""
        return self.out or Path("runs") / f"{_stem(self.data)}-{self.method}-seed{self.seed}"


@dataclass(frozen=True, kw_only=True)
class StudyRequest(Checked):
    """A study, as `netgraph compare DATA --methods ...` takes it.

    Attributes:
        data: a bundled name (see `netgraph data`), a .npz, IDX or CSV file, or openml:NAME
        methods: names, separated by commas (see `netgraph methods`)
        model: kind of network of all sparse methods: auto, mlp, vgg or resnet20
        seeds: number of seeds, 0, 1 and so on (default 3)
        budget: epochs of the training of every network; by default those that suit the size of the data
        densities: densities of the networks, separated by commas, such as .05,.1,.2
        epochs_per_step: epochs between two steps of growth
        jobs: number of trainings at a time (default 1)
        out: directory of the study; by default one below runs/
        target: target column of a CSV file or OpenML data set
        task: kind of the targets; by default it is seen from them
        assignments: further options as texts, by name, or by method and name, as in `rigl.share`
        overwrite: replace the comparison in the directory
    """

    data: str
    methods: tuple[str, ...]
    model: str = "auto"
    seeds: int = 3
    budget: int | None = field(default=None, metadata={"metavar": "EPOCHS"})
    densities: tuple[float, ...] = DENSITIES
    epochs_per_step: int | None = field(default=None, metadata={"metavar": "E"})
    jobs: int = 1
    out: Path | None = None
    target: str | None = None
    task: Task | None = None
    assignments: Mapping[str, str]
    overwrite: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in self.methods:
            get_method(name)
        for what, values in (("methods", self.methods), ("densities", self.densities)):
            if not values or len(set(values)) < len(values):
                raise OptionError(f"--{what} {','.join(map(str, values))!r} is empty or names something twice.")
        for name in ("seeds", "jobs", "budget", "epochs_per_step"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise OptionError(f"--{name.replace('_', '-')} {value} is below 1.")
        for density in self.densities:
            if not 0 < density <= 1:
                raise OptionError(f"--densities has {density}, which is not above 0 and at most 1.")

    @property
    def directory(self) -> Path:
        """The directory of the study."""
        return self.out or Path("runs") / f"{_stem(self.data)}-study"


@dataclass(frozen=True, kw_only=True)
class CheckRequest(Checked):
    """A check of rules, as `netgraph check` takes it.

    Attributes:
        target: file with rules, one of its rules, or a known rule: my_rules.py, my_rules.py:MyRule, split-edges
        assignments: fields of the rule as texts, by name
        examples: number of graphs (default 50)
        seed: seed of the graphs (default 0)
        kinds: kinds of graphs, separated by commas: dense, skip, conv, residual, tokens, attention; by default all
        stats: function that makes the statistics of a graph, for a rule that reads them: my_rules.py:my_statistics
    """

    target: str = field(metadata={"metavar": "RULES"})
    assignments: Mapping[str, str]
    examples: Count = 50
    seed: Seed = 0
    kinds: tuple[str, ...] = ()
    stats: str = field(default="", metadata={"metavar": "FUNCTION"})


@dataclass(frozen=True, kw_only=True)
class NewRuleRequest(Checked):
    """A rule to be written, as `netgraph new rule` takes it.

    Attributes:
        name: name of the rule, such as bend-edges
        out: folder to write to; by default the working directory, or with --package a new folder in it
        idea: what the rule does, in a sentence
        pattern: part of a graph that the rule looks for (default edge)
        package: write a package that can be published, instead of three files
    """

    name: str
    out: Path | None = field(default=None, metadata={"metavar": "DIR"})
    idea: str = field(default="", metadata={"metavar": "SENTENCE"})
    pattern: Start = "edge"
    package: bool = False


@dataclass(frozen=True, kw_only=True)
class ExportRequest(Checked):
    """An export, as `netgraph export` takes it.

    Attributes:
        source: run directory that `netgraph grow` wrote, or a graph file
        to: form of the model: a module of torch in one Python file, ONNX, or the graph's own safetensors file; or,
            for other programs, with all columns: GraphML, GEXF (Gephi), DOT (Graphviz), tables of edges and vertices,
            or JSON of Model Explorer
        fold: for other programs: layers and links in place of vertices and edges, with their sizes and means
        out: folder to write; by default it lies beside RUN
        strict: refuse a model with more parameters than the network, as zeros for its missing edges would be
        overwrite: replace the exported network that is in the folder
    """

    source: Path
    to: Form = field(metadata={"required": True})
    fold: Fold | None = None
    out: Path | None = None
    strict: bool = False
    overwrite: bool = False

    @property
    def directory(self) -> Path:
        """The folder to write."""
        source = self.source if self.source.name not in ("", "..") else self.source.resolve()
        name = source.stem if source.suffix == ".safetensors" else source.name
        return self.out or source.with_name(f"{name}-{self.to}")


def _stem(data: str) -> str:
    """Derive the first part of the name of a directory from the name or path of a data set."""
    return Path(data.replace("openml:", "openml-")).name.split(".")[0] or "data"
