"""A walk over an exported program that makes a draft of a layer for every operation that computes."""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor
from torch.fx import Node

from compilers.importing.codes import Coded, CodeSpace
from compilers.importing.drafts import DraftLayer
from compilers.importing.movement import JOINS, KEEPING, MOVEMENTS, as_coded, joined, move, padded
from compilers.importing.owners import IndexTensor, InputTensor, ParameterTensor
from compilers.importing.remedies import remedy_for
from netgraph.columns import Array
from netgraph.errors import GraphError, ImportRefused

Handler = Callable[..., Any]

OPERATIONS: dict[str, Handler] = {}
"""Functions by the name of the operation: `function(walk, *args, **kwargs)`, with the arguments of the operation."""


def operation(*names: str) -> Callable[[Handler], Handler]:
    """Register a function as the import of some operations."""

    def register(function: Handler) -> Handler:
        OPERATIONS.update(dict.fromkeys(names, function))
        return function

    return register


class Lazy(ABC):
    """A value of which no layer is made yet, since only the next operations show which one it is."""

    def meet(self, walk: ModuleWalk, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Return the result of an operation with this value among its arguments, or NotImplemented."""
        return NotImplemented

    @abstractmethod
    def resolve(self, walk: ModuleWalk) -> Coded:
        """Make layers for the value. Raises `ImportRefused` where there are none."""


class ModuleWalk:
    """State of an import: codes, drafts, and the operation that is being imported.

    Attributes:
        space: codes.
        samples: number of samples of the example.
        max_edges: largest number of edges.
        drafts: all layers made so far.
        notes: remarks for the caller.
        parameters: parameters by name.
        names: names of parameters and buffers by the node that stands for them.
        values: value of each node.
        node: the operation that is being imported.
        output: the operation whose value is an output of the module, while outputs become layers.
        target: function of the operation that meets a lazy value; an imported operation may consist of others.
        sums: layers that were made for sums, by a hash of the sums.
        taken: elements of parameters that were taken since a try began; None outside of one.
        unusual: whether inputs whose features no operation shows have them where they usually have positions.
        rounding: largest relative difference of constants of the module from those of the graph, whose weights are
            perhaps float32.
    """

    def __init__(self, samples: int, max_edges: int, *, unusual: bool = False) -> None:
        self.space = CodeSpace()
        self.samples, self.max_edges, self.unusual = samples, max_edges, unusual
        self.drafts: list[DraftLayer] = []
        self.made_by: dict[DraftLayer, Node] = {}
        self.notes: list[str] = []
        self.parameters: dict[str, ParameterTensor] = {}
        self.inputs: list[InputTensor | IndexTensor] = []
        self.names: dict[Node, str] = {}
        self.values: dict[Node, Any] = {}
        self.node: Node | None = None
        self.output: Node | None = None
        self.target: Any = None
        self.rounding = 0.0
        self.sums: dict[bytes, DraftLayer] = {}
        self.taken: list[tuple[ParameterTensor, Array]] | None = None
        self._edges = 0
        self._starts: dict[DraftLayer, int] = {}

    # -- sources ----------------------------------------------------------------------------------

    def add_parameter(self, name: str, value: Tensor) -> Coded:
        """Give codes to a parameter."""
        if not value.is_floating_point():
            raise ImportRefused(
                f"The parameter {name!r} has the type {value.dtype}, and edges have real numbers. Remedy: store it as "
                "floating numbers.",
                path=name.rpartition(".")[0],
            )
        flat = value.detach().to(torch.float64).numpy().reshape(-1)
        if not np.isfinite(flat).all():
            raise ImportRefused(
                f"The parameter {name!r} has numbers that are not finite, such as {flat[~np.isfinite(flat)][0]:g}. "
                "Remedy: load a checkpoint from before they came up.",
                path=name.rpartition(".")[0],
            )
        parameter = ParameterTensor(name, flat, value.requires_grad, 0, np.zeros(flat.size, bool))
        parameter.start = self.space.add(parameter, flat.size)
        self.parameters[name] = parameter
        return Coded.of(torch.arange(parameter.start, parameter.start + flat.size).reshape(value.shape))

    def add_input(self, name: str, value: Tensor, domain: tuple[float, float] | None) -> Coded:
        """Give codes to an input."""
        kind: Any = InputTensor(name, tuple(value.shape[1:]), domain)
        if not value.is_floating_point():
            kind = IndexTensor(name, tuple(value.shape[1:]))
        self.inputs.append(kind)
        start = self.space.add(kind, kind.size, len(value))
        return Coded.of(torch.arange(start, start + value.numel()).reshape(value.shape))

    def input_draft(self, owner: IndexTensor, rows: int) -> DraftLayer:
        """Make the input layer of whole numbers that choose one of some rows."""
        return DraftLayer(owner.name, rows, owner.shape, role="input", encoding="index")

    # -- drafts -----------------------------------------------------------------------------------

    def draft(
        self, width: int, grid: Sequence[int], *, name: str = "", of: Coded | None = None, **attributes: Any
    ) -> DraftLayer:
        """Make a draft of a layer, named by the operation, or by the one that made the value `of`.

        `name` is put behind this name.
        """
        node = self.node if of is None or of.node is None else of.node
        made = DraftLayer(".".join(filter(None, (_name_of(node), name))) or "output", width, tuple(grid), **attributes)
        self.drafts.append(made)
        if self.node is not None:
            self.made_by[made] = self.node
        return made

    def codes_of(self, draft: DraftLayer) -> Array:
        """Codes of the values of a draft in the first sample, `(width, positions)`. Its pool must be final."""
        positions = int(np.prod(draft.output_grid, dtype=np.int64))
        if draft not in self._starts:
            self._starts[draft] = self.space.add(draft, draft.width * positions, self.samples)
        start = self._starts[draft]
        return np.arange(start, start + draft.width * positions).reshape(draft.width, positions)

    def note_rounding(self, constants: Array) -> None:
        """Note whether a graph of float32 rounds some constants."""
        if (constants != constants.astype(np.float32)).any():
            self.round(float(np.finfo(np.float32).eps))

    def round(self, rounding: float) -> None:
        """Note that constants are rounded by up to a relative difference."""
        self.rounding = max(self.rounding, rounding)

    def count_edges(self, edges: int) -> None:
        """Add to the number of edges. Raises `ImportRefused` above the limit."""
        self._edges += edges
        if self._edges > self.max_edges:
            self.refuse(
                f"the graph would have more than {self.max_edges:,} edges",
                "give a larger max_edges, or import a part of the module",
            )

    # -- the operation ----------------------------------------------------------------------------

    @property
    def op_name(self) -> str:
        """Name of the operation without overload, such as `linear`."""
        return "" if self.node is None else base_name(self.node.target)

    @property
    def path(self) -> str:
        """Path of the innermost module of the operation."""
        return _module_of(self.node or self.output)[0]

    @property
    def line(self) -> str:
        """Last line of the source of the operation that lies in a module's own code."""
        node = self.node or self.output
        trace = "" if node is None else node.meta.get("stack_trace") or ""
        lines = [line.strip() for line in trace.splitlines() if line.strip()]
        files = [i for i, line in enumerate(lines) if line.startswith("File ")]
        if not files:
            return ""
        own = [i for i in files if "/torch/nn/" not in lines[i]] or files
        code = lines[own[-1] + 1] if own[-1] + 1 < len(lines) else ""
        return f"{lines[own[-1]]}: {code}"

    def refuse(self, why: str, remedy: str) -> NoReturn:
        """Raise `ImportRefused` for the operation, with its path and its line of source."""
        node = self.node or self.output
        op = "" if node is None else str(node.target)
        place = f"module {self.path!r}" if self.path else "the module itself"
        where = f" ({self.line})" if self.line else ""
        raise ImportRefused(
            f"{op} in {place} cannot become part of a graph: {why}. Remedy: {remedy}.{where}",
            op=op, path=self.path, line=self.line,
        )  # fmt: skip

    def parameter_name(self, position: int, keyword: str) -> str:
        """Name of the parameter or buffer that is an argument of the operation; '' for other arguments."""
        assert self.node is not None
        given = self.node.args[position] if position < len(self.node.args) else self.node.kwargs.get(keyword)
        return self.names.get(given, "") if isinstance(given, Node) else ""

    @contextmanager
    def trying(self) -> Iterator[None]:
        """Go on where a layer is refused, as if it had not been tried; the next operation says why."""
        before, self.taken = self.taken, []
        edges = self._edges
        try:
            yield
        except ImportRefused:
            for parameter, at in self.taken:
                parameter.used[at] = False
            self._edges = edges
        finally:
            self.taken = before

    # -- walking ----------------------------------------------------------------------------------

    def run(self, node: Node) -> None:
        """Compute the value of a node. Raises `ImportRefused`."""
        self.node = node
        args: Any = torch.fx.node.map_arg(node.args, self.values.__getitem__)
        kwargs: Any = torch.fx.node.map_arg(node.kwargs, self.values.__getitem__)
        try:
            self.values[node] = self.call(node.target, args, kwargs)
        except ImportRefused:
            raise
        except GraphError as error:
            self.refuse(str(error).rstrip("."), "change the module there, or import a part of it")
        for value in torch.utils._pytree.tree_leaves(self.values[node]):
            if isinstance(value, Coded) and value.node is None:
                value.node = node
        self._replace_changed(node)

    def call(self, target: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Result of an operation: constants are computed, codes are moved, everything else makes layers."""
        if target is operator.getitem:
            return args[0][args[1]]
        name = base_name(target)
        if name.startswith("_assert") or name in {"sym_size", "sym_constrain_range_for_size"}:
            return None
        if "dropout" in name:
            self.leave_out_dropout(*args[1:3])
        leaves = torch.utils._pytree.tree_leaves((list(args), dict(kwargs)))
        for lazy in [leaf for leaf in leaves if isinstance(leaf, Lazy)]:
            self.target = target
            result = lazy.meet(self, name, args, kwargs)
            if result is not NotImplemented:
                return result
        args, kwargs = torch.utils._pytree.tree_map(
            lambda leaf: leaf.resolve(self) if isinstance(leaf, Lazy) else leaf, (list(args), dict(kwargs))
        )
        if not any(isinstance(leaf, Coded | Lazy) for leaf in leaves):
            return constant(target, args, kwargs)
        if name in KEEPING:
            return args[0]
        if name == "detach":
            self.notes.append(f"{self.path or 'the module'}: gradients pass where the module detaches a value.")
        if name in MOVEMENTS and isinstance(args[0], Coded) and not _uses(args[1:], kwargs):
            return move(name, target, args[0], args[1:], dict(kwargs))
        if name in JOINS:
            return joined([as_coded(value) for value in args[0]], lambda parts: target(parts, *args[1:], **kwargs))
        if name in {"pad", "constant_pad_nd"}:
            mode, fill = "constant", args[-1] if name == "constant_pad_nd" and len(args) > 2 else 0.0
            if name == "pad":
                mode = args[2] if len(args) > 2 else kwargs.get("mode", "constant")
                fill = (args[3] if len(args) > 3 else kwargs.get("value")) or 0.0
            return padded(args[0], args[1], mode, fill)
        if name in {"expand_as", "view_as", "reshape_as"}:
            move_to = "expand" if name == "expand_as" else "reshape"
            return args[0].map(lambda part: getattr(part, move_to)(args[1].shape))
        handler = OPERATIONS.get(name) or OPERATIONS.get(name.removesuffix("_"))
        if handler is None:
            self.refuse("no layer, link or activation of a graph computes it", remedy_for(name))
        return handler(self, *args, **kwargs)

    def leave_out_dropout(self, p: float, train: bool) -> None:
        """Note that dropout is left out. Raises `ImportRefused` where it is active in eval mode."""
        if p and train:
            self.refuse("it drops numbers in eval mode, too", "use torch.nn.Dropout, or pass training=self.training")
        if p:
            self.notes.append(f"{self.path or 'the module'}: dropout of {p:g} is left out; graphs have none.")

    def _replace_changed(self, node: Node) -> None:
        """Refuse an operation in place whose argument is read again through another name."""
        schema = getattr(node.target, "_schema", None)
        if schema is None or not schema.is_mutable or not node.args or not isinstance(node.args[0], Node):
            return
        shared = [other for other in self._aliases(node.args[0]) if other is not node]
        late = [user for other in shared for user in other.users if user.op != "output" and user > node]
        if late:
            self.refuse(
                f"it changes in place what {late[0].target} reads afterwards",
                f"use the function without the last underscore, such as x = x.{self.op_name.removesuffix('_')}(...)",
            )

    def _aliases(self, node: Node) -> list[Node]:
        """Nodes that may share memory with a node: the moved tensor, and others moved from it."""
        root = node
        while base_name(root.target) in MOVEMENTS | KEEPING and isinstance(root.args[0], Node):
            root = root.args[0]
        found = [root]
        for other in found:  # the loop appends to `found`: it is a queue
            found += [user for user in other.users if base_name(user.target) in MOVEMENTS and user not in found]
        return found


def _module_of(node: Node | None) -> tuple[str, str]:
    """Path and class of the innermost module of an operation; '' where there is none."""
    stack = {} if node is None else node.meta.get("nn_module_stack") or {}
    path, kind = next(reversed(list(stack.values())), ("", ""))
    return str(path), kind if isinstance(kind, str) else f"{kind.__module__}.{kind.__qualname__}"


def _name_of(node: Node | None) -> str:
    """Name for a layer: the path of a module of torch.nn, and that of any other module with the operation."""
    path, kind = _module_of(node)
    operation = "" if node is None else base_name(node.target).removesuffix("_")
    return path if path and kind.startswith("torch.nn.modules.") else ".".join(filter(None, (path, operation)))


def base_name(target: Any) -> str:
    """Name of an operation without namespace and overload, such as `linear` for `aten.linear.default`."""
    schema = getattr(target, "_schema", None)
    return str(schema.name).rpartition("::")[2] if schema is not None else getattr(target, "__name__", str(target))


def constant(target: Any, args: Any, kwargs: Any) -> Any:
    """Compute an operation on constants, in float64 wherever it asks for another floating dtype, or for none."""
    if base_name(target).startswith("_assert"):
        return None

    def wide(leaf: Any) -> Any:
        return torch.float64 if isinstance(leaf, torch.dtype) and leaf.is_floating_point else leaf

    def widened(leaf: Any) -> Any:
        return leaf.to(torch.float64) if isinstance(leaf, Tensor) and leaf.is_floating_point() else leaf

    args, kwargs = torch.utils._pytree.tree_map(wide, (list(args), dict(kwargs)))
    with torch.no_grad():
        return torch.utils._pytree.tree_map(widened, target(*args, **kwargs))


def _uses(args: Any, kwargs: Any) -> bool:
    return any(isinstance(leaf, Coded) for leaf in torch.utils._pytree.tree_leaves((list(args), dict(kwargs))))
