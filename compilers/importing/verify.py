"""Check of an import: the graph against the exported program in float64, and against the module itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.utils import _pytree as pytree

from compilers.importing.codes import Coded
from compilers.importing.owners import IndexTensor, InputTensor
from compilers.importing.program import SAMPLES, in_eval_mode, run_wide
from compilers.importing.reading import reading
from compilers.importing.walk import ModuleWalk
from compilers.running import lower
from netgraph.columns import Array
from netgraph.errors import ImportRefused
from netgraph.graph import Graph
from netgraph.interpret import interpret

if TYPE_CHECKING:
    from compilers.importing.finish import Finished
    from compilers.importing.imported import Imported

TOLERANCE = 1e-9
"""Largest difference from the program in float64, relative to the largest output."""

ROUNDED = 1e-5
"""The same, where the graph rounds constants of the module to float32; larger where they are rounded further."""

LOOSE = 1e-3
"""Largest difference from the module in its own precision, relative to the largest output; larger below float32."""

MANY_PRODUCTS = 5_000_000
"""Number of products, edges times positions, above which the compiled network is compared in place of `interpret`."""


def verify(
    module: nn.Module, program: ExportedProgram, walk: ModuleWalk, imported: Imported, finished: Finished
) -> None:
    """Compare an imported graph with the exported program, and with the module on another number of samples.

    Raises:
        ImportRefused: when an output differs; the message names the first layer that does.
    """
    rng = np.random.default_rng(0)
    inputs = [_drawn(owner, SAMPLES, rng) for owner in walk.inputs]
    wanted, _ = run_wide(program, _with_constants(program, walk, inputs))
    found = imported.from_outputs(_computed(imported.graph, imported.to_inputs(tuple(inputs))))
    if not _close(found, wanted, _tolerance(walk)):
        raise _difference(program, walk, imported, finished, inputs)
    more = [_drawn(owner, SAMPLES + 1, rng) for owner in walk.inputs]
    own = _own_outputs(module, walk, program, more)
    found = imported.from_outputs(_computed(imported.graph, imported.to_inputs(tuple(more))))
    if not _close(found, own, max(LOOSE, 30 * torch.finfo(_precision(module)).eps)):
        raise ImportRefused(
            f"{type(module).__name__} computes something else for {SAMPLES + 1} samples than its exported program for "
            f"{SAMPLES}: it depends on the number of samples. Use -1 for the batch where tensors change their shape."
        )


def _tolerance(walk: ModuleWalk) -> float:
    """Largest difference from the program."""
    return max(ROUNDED, 30 * walk.rounding) if walk.rounding else TOLERANCE


def _drawn(owner: InputTensor | IndexTensor, samples: int, rng: np.random.Generator) -> Tensor:
    shape = (samples, *owner.shape)
    if isinstance(owner, IndexTensor):
        assert owner.draft is not None
        return torch.from_numpy(rng.integers(0, owner.draft.width, shape))
    if owner.domain is not None and np.isfinite(owner.domain).all():
        return torch.from_numpy(rng.uniform(*owner.domain, shape))
    return torch.from_numpy(rng.normal(size=shape).clip(*(owner.domain or (-np.inf, np.inf))))


def _with_constants(program: ExportedProgram, walk: ModuleWalk, inputs: list[Tensor]) -> list[Any]:
    """Inputs of the program in its order: tensors, and constants of the example."""
    tensors = iter(inputs)
    placeholders = [node for node in program.graph.nodes if node.op == "placeholder"]
    user = [node for node in placeholders if node not in walk.names]
    return [next(tensors) if isinstance(walk.values[node], Coded) else walk.values[node] for node in user]


def _computed(graph: Graph, inputs: dict[str, Tensor]) -> Any:
    products = graph.num_edges * max((int(np.prod(layer.grid)) for layer in graph.layers_by_id.values()), default=1)
    if products <= MANY_PRODUCTS:
        return interpret(graph, {name: value.numpy() for name, value in inputs.items()}, check_domain=False)
    network = lower(graph, dtype=torch.float64).eval()
    with torch.no_grad():
        return network(next(iter(inputs.values())) if len(inputs) == 1 else inputs)


def _close(found: Any, wanted: Any, tolerance: float) -> bool:
    if len(found) != len(wanted):
        return False
    for one, two in zip(found, wanted, strict=True):
        if one.shape != two.shape:
            return False
        a, b = one.detach().to(torch.float64), two.detach().to(torch.float64)
        if not bool(((a - b).abs() <= tolerance * max(1.0, float(b.abs().max()) if b.numel() else 1.0)).all()):
            return False
    return True


def _precision(module: nn.Module) -> torch.dtype:
    """Precision of the first floating parameter of a module."""
    return next((p.dtype for p in module.parameters() if p.is_floating_point()), torch.float32)


def _own_outputs(module: nn.Module, walk: ModuleWalk, program: ExportedProgram, inputs: list[Tensor]) -> list[Tensor]:
    dtype = _precision(module)
    device = next((p.device for p in module.parameters()), torch.device("cpu"))
    given = [value.to(device, dtype if value.is_floating_point() else None) for value in inputs]
    args, kwargs = pytree.tree_unflatten(_with_constants(program, walk, given), program.call_spec.in_spec)
    try:
        with in_eval_mode(module), torch.no_grad():
            found = module(*args, **kwargs)
    except (RuntimeError, ValueError) as error:
        raise ImportRefused(
            f"{type(module).__name__} does not take {SAMPLES + 1} samples: {str(error).splitlines()[0]}. "
            "Use -1 for the batch where tensors change their shape."
        ) from error
    return [leaf.cpu() for leaf in pytree.tree_leaves(found) if isinstance(leaf, Tensor)]


def _difference(
    program: ExportedProgram, walk: ModuleWalk, imported: Imported, finished: Finished, inputs: list[Tensor]
) -> ImportRefused:
    """Error that names the first layer whose values differ from those of the program."""
    from netgraph.interpret import interpret_layers

    _, wanted = run_wide(program, _with_constants(program, walk, inputs), keep=True)
    given = {name: value.numpy() for name, value in imported.to_inputs(tuple(inputs)).items()}
    layers = interpret_layers(imported.graph, given, check_domain=False)
    text = "An output"
    for node, value in walk.values.items():
        if not isinstance(value, Coded) or node not in wanted or not isinstance(wanted[node], Tensor):
            continue
        computed = _values_of(walk, value, layers, finished)
        if computed is not None and not _close(
            [torch.from_numpy(computed)], [wanted[node]], max(ROUNDED, _tolerance(walk))
        ):
            walk.node = node
            text = f"{node.target} in module {walk.path!r} ({walk.line})"
            break
    return ImportRefused(f"{text} differs from the module after import: a fault of the import. Please report it.")


def _values_of(walk: ModuleWalk, value: Coded, layers: dict[str, Array], finished: Finished) -> Array | None:
    """Values of a node in the graph, or None where no layer of the graph has them."""
    if value.only is None:
        return None
    codes = value.terms[0].codes.numpy()
    number, sample, _ = walk.space.locate(codes)
    owner = walk.space.owner(int(number.flat[0]))
    if (number != number.flat[0]).any() or (sample < 0).any() or owner is None:
        return None
    draft = getattr(owner, "draft", owner)
    name = finished.find(draft)
    if name is None:
        return None
    read = reading(walk, value)
    from compilers.importing.reading import place

    _, row, position = place(walk, read.codes[0])
    flat = layers[name].reshape(len(layers[name]), len(layers[name][0]), -1)
    shaped = np.stack([read.back(flat[s][row, position]) for s in range(SAMPLES)])
    moved = np.moveaxis(shaped, 0, read.sampled.axis)
    return moved.reshape(codes.shape)
