"""Time and memory of one training step of transformers (forward, backward, fused Adam) and the same in torch.nn.

python -m benchmarks.transformers

The networks are an encoder on numbers, beside `torch.nn.TransformerEncoder`, and a causal language model of about ten
million weights, beside a module with `scaled_dot_product_attention`. Peers have the same weights; first the outputs of
both are compared. All run in one process, in turns, on one thread and on `--threads`. A ratio of times is the median
over rounds of our time over that of the peer. Memory is the largest number of bytes that torch holds at a time during a
step: parameters, gradients and both moments of Adam included. Below 1 the graph takes less.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

import netgraph as ng
from benchmarks.common import Column, Report, arguments_of, compare, median, ratio
from compilers import lower

COLUMNS = (
    Column("network", "network"),
    Column("parameters", "parameters", ","),
    Column("threads", "threads"),
    Column("ms", "ours_ms", ".0f"),
    Column("torch.nn, ms", "torch_ms", ".0f"),
    Column("ratio", "ratio", ".2f"),
    Column("MB", "ours_mb", ".0f"),
    Column("torch.nn, MB", "torch_mb", ".0f"),
    Column("ratio", "memory_ratio", ".2f"),
)


@dataclass(frozen=True)
class Sizes:
    """Sizes of a transformer and of a batch; without `symbols` its input is the residual stream itself."""

    batch: int
    tokens: int
    width: int
    heads: int
    depth: int
    symbols: int = 0

    @property
    def causal(self) -> bool:
        """Whether it is a language model."""
        return self.symbols > 0


ENCODER = Sizes(batch=32, tokens=64, width=128, heads=4, depth=4)
GPT = Sizes(batch=8, tokens=128, width=384, heads=6, depth=6, symbols=65)


def transformer(sizes: Sizes) -> ng.Graph:
    """Build the graph: norms come before attention and perceptrons, which have four times the width and GELU."""
    if sizes.symbols:
        return ng.gpt(sizes.symbols, tokens=sizes.tokens, width=sizes.width, depth=sizes.depth, heads=sizes.heads)
    return ng.transformer_encoder(
        sizes.depth, tokens=sizes.tokens, width=sizes.width, heads=sizes.heads, activation="gelu", norm_first=True,
        positions="none",
    )  # fmt: skip


# -- peers --------------------------------------------------------------------------------------------


class Block(nn.Module):
    """Block of a causal language model in torch.nn."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.in_proj, self.out_proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.linear1, self.linear2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        batch, tokens, width = x.shape
        parts = self.in_proj(self.norm1(x)).split(width, 2)
        q, k, v = (part.view(batch, tokens, self.heads, -1).transpose(1, 2) for part in parts)
        mixed = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out_proj(mixed.transpose(1, 2).reshape(x.shape))
        hidden = nn.functional.gelu(self.linear1(self.norm2(x)), approximate="tanh")
        return x + self.linear2(hidden)  # type: ignore[no-any-return]


class Embedding(nn.Module):
    """Tables of symbols and positions."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.symbols = nn.Embedding(sizes.symbols, sizes.width)
        self.positions = nn.Embedding(sizes.tokens, sizes.width)

    def forward(self, x: Tensor) -> Tensor:
        return self.symbols(x) + self.positions.weight  # type: ignore[no-any-return]


class Peer(nn.Module):
    """The network of `transformer` in torch.nn, `(batch, tokens, width)`."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.first: nn.Module = Embedding(sizes) if sizes.symbols else nn.Identity()
        if sizes.causal:
            self.parts: list[Any] = [Block(sizes.width, sizes.heads) for _ in range(sizes.depth)]
            self.body: nn.Module = nn.Sequential(*self.parts)
        else:
            layer = nn.TransformerEncoderLayer(
                sizes.width, sizes.heads, 4 * sizes.width, 0.0, "gelu", batch_first=True, norm_first=True
            )
            self.body = nn.TransformerEncoder(layer, sizes.depth, enable_nested_tensor=False)
            self.parts = list(self.body.layers)
        self.last = nn.LayerNorm(sizes.width)
        self.out: nn.Module = nn.Linear(sizes.width, sizes.symbols, bias=False) if sizes.symbols else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.last(self.body(self.first(x))))  # type: ignore[no-any-return]


@torch.no_grad()
def copy_weights(graph: ng.Graph, peer: Peer) -> None:
    """Give the peer the weights of the graph."""

    def matrix(source: str, target: str) -> Tensor:
        link = graph.links[source, target]
        found = np.zeros((len(graph.layers[target]), len(graph.layers[source])), np.float32)
        found[link.dst, link.src] = link.weight
        return torch.from_numpy(found)

    def set_linear(weight: Tensor, bias: Tensor, source: str, *targets: str) -> None:
        weight.copy_(torch.cat([matrix(source, target) for target in targets]))
        bias.copy_(torch.from_numpy(np.concatenate([graph.layers[target].bias for target in targets])))

    if isinstance(peer.first, Embedding):
        peer.first.symbols.weight.copy_(matrix("input", "embedded").t())
        peer.first.positions.weight.copy_(matrix("positions", "embedded").t())
    for i, part in enumerate(peer.parts, start=1):
        attention: Any = part if isinstance(part, Block) else part.self_attn
        if isinstance(part, Block):
            first = part.in_proj.weight, part.in_proj.bias
        else:
            first = attention.in_proj_weight, attention.in_proj_bias
        name = f"block{i}"
        set_linear(*first, f"{name}.norm1", f"{name}.queries", f"{name}.keys", f"{name}.values")
        set_linear(attention.out_proj.weight, attention.out_proj.bias, f"{name}.mix", f"{name}.attended")
        set_linear(part.linear1.weight, part.linear1.bias, f"{name}.norm2", f"{name}.mlp")
        set_linear(part.linear2.weight, part.linear2.bias, f"{name}.mlp", f"{name}.output")
    if isinstance(peer.out, nn.Linear):
        peer.out.weight.copy_(matrix("norm", "output"))


# -- measurements -------------------------------------------------------------------------------------


def training_step(net: nn.Module, x: Tensor, outputs: Callable[[Tensor], Tensor], y: Tensor) -> Callable[[], None]:
    """Make a function that runs one training step on a batch.

    Args:
        net: graph or peer.
        x: the batch.
        outputs: function that arranges outputs as `(batch * tokens, vertices)`.
        y: the class of each token.
    """
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-6, fused=True)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(outputs(net(x)), y).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step


def peak_bytes(net: nn.Module, step: Callable[[], None]) -> int:
    """Find the most bytes that a step holds at a time, with parameters and both moments of Adam."""
    step()
    net.zero_grad(set_to_none=True)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as run:
        step()
    assert run.profiler is not None
    events = run.profiler.kineto_results.events()
    moves = sorted((event.start_ns(), event.nbytes()) for event in events if event.name() == "[memory]")
    return int(np.cumsum([size for _, size in moves]).max()) + 12 * sum(p.numel() for p in net.parameters())


def measure(name: str, sizes: Sizes, threads: Sequence[int], rounds: int) -> Iterator[dict[str, Any]]:
    """Measure one network, and yield a record for each number of threads."""
    graph, peer = transformer(sizes), Peer(sizes)
    copy_weights(graph, peer)
    net = lower(graph)
    y = torch.randint(sizes.symbols or sizes.width, (sizes.batch * sizes.tokens,))
    if sizes.symbols:
        x = torch.randint(sizes.symbols, (sizes.batch, sizes.tokens))
        given = x
    else:
        x = torch.randn(sizes.batch, sizes.tokens, sizes.width)
        given = x.transpose(1, 2)
    torch.testing.assert_close(net(given).transpose(1, 2), peer(x), rtol=1e-4, atol=1e-4)
    ours = training_step(net, given, lambda out: out.transpose(1, 2).flatten(0, 1), y)
    theirs = training_step(peer, x, lambda out: out.flatten(0, 1), y)
    for count in threads:
        torch.set_num_threads(count)
        times = compare([ours, theirs], rounds)
        memory = [peak_bytes(net, ours), peak_bytes(peer, theirs)]
        yield {
            "network": name,
            "parameters": sum(p.numel() for p in peer.parameters()),
            "threads": count,
            "ours_ms": median(times[0]),
            "torch_ms": median(times[1]),
            "ratio": ratio(times[0], times[1]),
            "ours_mb": memory[0] / 1e6,
            "torch_mb": memory[1] / 1e6,
            "memory_ratio": memory[0] / memory[1],
        }


def main(arguments: Sequence[str] | None = None) -> None:
    options = arguments_of("transformers", __doc__, rounds=7).parse_args(arguments)
    report = Report("transformers")
    threads = sorted({1, options.threads})
    records: list[dict[str, Any]] = []
    for name, sizes in (("encoder", ENCODER), ("language model", GPT)):
        records += measure(name, sizes, threads, options.rounds)
    report.add("one step", COLUMNS, records)
    report.finish(options.json)


if __name__ == "__main__":
    main()
