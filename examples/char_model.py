"""Build attention from layers and wires, and train a transformer on the docstrings of this package by characters."""

import ast
import math
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

import netgraph as ng
from compilers import lift, lower, migrate

torch.manual_seed(0)
torch.set_num_threads(1)

# region attention
b = ng.GraphBuilder(seed=0)
b.input("tokens", 3, grid=(5,), encoding="index")  # five tokens, each one of three symbols
b.positions("positions", (5,))
b.layer("stream", 4, grid=(5,), activation="identity")
b.dense("tokens", "stream")  # the embedding: an edge per symbol and feature
b.dense("positions", "stream")  # learned positions: an edge per position and feature
for name in ("q", "k", "v"):
    b.layer(name, 4, grid=(5,), activation="identity")
    b.dense("stream", name)
b.attend("heads", "q", "k", heads=2, causal=True)  # a vertex per head; only wires enter it
b.mix("mix", "heads", "v")
b.layer("sum", 4, grid=(5,), activation="identity")
b.dense("mix", "sum")  # the output projection
b.identity("stream", "sum")  # the residual stream
b.output("next", 3, grid=(5,))
b.dense("sum", "next")
attention = b.build()
ng.viz.draw(attention, detail="vertices", title="Two heads of attention").save("attention.svg")
print(ng.interpret(attention, np.array([[0, 2, 1, 1, 0]])).shape)  # (batch, symbols, tokens)
# endregion attention


# region text
def docstrings() -> str:
    """Return the docstrings of the modules of netgraph, in small letters."""
    texts = []
    for path in sorted(Path(ng.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                texts.append(ast.get_docstring(node) or "")
    return re.sub(r"[^a-z .,:;()'-]", "", " ".join(" ".join(texts).split()).lower())


text = docstrings()
symbols = sorted(set(text))
ids = torch.tensor([symbols.index(c) for c in text])
training, held_out = ids[: len(ids) * 9 // 10], ids[len(ids) * 9 // 10 :]
# endregion text


# region picture
ng.viz.draw(ng.gpt(len(symbols), tokens=64, width=96, depth=12), title="Twelve blocks").save("char_model.svg")
# endregion picture

# region model
TOKENS = 32
graph = ng.gpt(len(symbols), tokens=TOKENS, width=64, depth=2, heads=4, seed=0)
net = lower(graph)  # takes whole numbers, (batch, tokens), and gives (batch, symbols, tokens)
optimizer = torch.optim.AdamW(net.parameters(), lr=6e-3, fused=True)
# endregion model


# region train
def batch(part: torch.Tensor, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw pieces of text, and for each of their characters the next one."""
    starts = torch.randint(len(part) - TOKENS, (size, 1))
    pieces = part[starts + torch.arange(TOKENS + 1)]
    return pieces[:, :-1], pieces[:, 1:]


def train(net, optimizer, steps: int) -> None:
    for step in range(1, steps + 1):
        x, y = batch(training, 32)
        loss = functional.cross_entropy(net(x), y)  # at all positions at once: no head looks ahead
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 100 == 0:
            print(f"step {step}: loss {loss.item():.3f}, {measure(net):.3f} on held-out text")


def measure(net) -> float:
    """Return the mean loss on pieces of the held-out text, always the same ones, in nats per character."""
    pieces = held_out[: len(held_out) // (TOKENS + 1) * (TOKENS + 1)].view(-1, TOKENS + 1)[:500]
    with torch.no_grad():
        return functional.cross_entropy(net(pieces[:, :-1]), pieces[:, 1:]).item()


train(net, optimizer, 500)
# endregion train

# region widen
before = measure(net)
for name in ("block1.mlp", "block2.mlp"):
    result = ng.apply(ng.rules.WidenLayer(count=64), lift(net), on=[graph.layers[name].id], require="exact", rng=0)
    net, optimizer = migrate(net, optimizer, result)  # weights and optimizer state go along
    print(f"{result}: {result.certificate.kind}")
assert abs(measure(net) - before) < 1e-5
train(net, optimizer, 300)
# endregion widen


# region write
def write(net, start: str, length: int) -> str:
    """Continue a text by characters, each drawn from the outputs at the last token that is known."""
    known = [symbols.index(c) for c in start]
    for _ in range(length):
        x = torch.tensor([known[-TOKENS:] + [0] * (TOKENS - len(known))])  # zeros follow, where no head looks
        with torch.no_grad():
            scores = net(x)[0, :, min(len(known), TOKENS) - 1]
        known.append(int(torch.multinomial(torch.softmax(scores / 0.7, 0), 1)))
    return "".join(symbols[i] for i in known)


print(write(net, "return the ", 120))
# endregion write


def entropy(counts: Counter[str]) -> float:
    """Return the entropy of a distribution in nats."""
    return -sum(n / counts.total() * math.log(n / counts.total()) for n in counts.values())


tail = "".join(symbols[i] for i in held_out)
singles, pairs = Counter(tail[:-1]), Counter(map("".join, pairwise(tail)))
final = measure(net)
print(f"{final:.3f} nats per character; {entropy(singles):.3f} by frequency alone, "
      f"{entropy(pairs) - entropy(singles):.3f} knowing one character before")  # fmt: skip
assert final < entropy(pairs) - entropy(singles) - 0.3
