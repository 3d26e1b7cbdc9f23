"""Networks over tokens."""

import torch
import torch.nn.functional as F
from torch import nn


class Encoder(nn.Module):
    """Encoder of torch: norm after the blocks, ReLU; the mean over tokens."""

    def __init__(self, **options):
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 12, dropout=0.0, **{"batch_first": True, **options})
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        return self.head(self.encoder(x).mean(dim=1))

    def example(self):
        return torch.randn(3, 5, 8, dtype=torch.float64)


class EncoderNormFirst(Encoder):
    """The same with the norm before the blocks, and GELU."""

    def __init__(self):
        super().__init__(norm_first=True, activation="gelu")


class EncoderTokensFirst(Encoder):
    """The same with tokens before samples inside."""

    def __init__(self):
        super().__init__(batch_first=False)

    def forward(self, x):
        return self.head(self.encoder(x.transpose(0, 1)).mean(dim=0))


class Attention(nn.Module):
    """Attention by `nn.MultiheadAttention`, whose weights nobody reads."""

    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 4, batch_first=True)

    def forward(self, x):
        return x + self.attention(x, x, x, need_weights=False)[0]

    def example(self):
        return torch.randn(3, 4, 8, dtype=torch.float64)


class Vit(nn.Module):
    """A small ViT: patches by a convolution, a class token, learned positions, attention written by hand."""

    def __init__(self, width=8, depth=2, heads=2, classes=5):
        super().__init__()
        self.patch = nn.Conv2d(3, width, 4, stride=4)
        self.cls = nn.Parameter(torch.zeros(1, 1, width))
        self.pos = nn.Parameter(torch.zeros(1, 1 + 2 * 3, width))
        self.blocks = nn.ModuleList(VitBlock(width, heads) for _ in range(depth))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, classes)

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls.expand(x.shape[0], -1, -1), x], dim=1) + self.pos
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x)[:, 0])

    def example(self):
        return torch.randn(2, 3, 8, 12, dtype=torch.float64)


class VitBlock(nn.Module):
    """A block with queries, keys and values in one layer, and a softmax written out."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x):
        b, t, c = x.shape
        q, k, v = self.qkv(self.norm1(x)).reshape(b, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        weights = (q @ k.transpose(-2, -1) * (c // self.heads) ** -0.5).softmax(dim=-1)
        x = x + self.proj((weights @ v).transpose(1, 2).reshape(b, t, c))
        return x + self.mlp(self.norm2(x))


class Decoder(nn.Module):
    """A small GPT: a table of tokens, learned positions, causal attention, and logits at every token."""

    def __init__(self, words=11, tokens=6, width=8, depth=2):
        super().__init__()
        self.words, self.positions = nn.Embedding(words, width), nn.Embedding(tokens, width)
        self.blocks = nn.ModuleList(self.block(width) for _ in range(depth))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, words, bias=False)

    def block(self, width):
        return CausalBlock(width)

    def forward(self, index):
        x = self.words(index) + self.positions(torch.arange(index.shape[1]))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))

    def example(self):
        return torch.randint(11, (3, 6))


class CausalBlock(nn.Module):
    """A block as in nanoGPT, with the causal mask as a buffer."""

    def __init__(self, width, heads=2, tokens=6):
        super().__init__()
        self.heads = heads
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.c_attn, self.c_proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.register_buffer("mask", torch.tril(torch.ones(tokens, tokens)).view(1, 1, tokens, tokens))
        self.fc, self.out = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        b, t, c = x.size()
        q, k, v = (
            part.view(b, t, self.heads, c // self.heads).transpose(1, 2)
            for part in self.c_attn(self.ln_1(x)).split(c, dim=2)
        )
        weights = (q @ k.transpose(-2, -1)) * (1.0 / k.size(-1) ** 0.5)
        weights = F.softmax(weights.masked_fill(self.mask[:, :, :t, :t] == 0, float("-inf")), dim=-1)
        x = x + self.c_proj((weights @ v).transpose(1, 2).contiguous().view(b, t, c))
        return x + self.out(F.gelu(self.fc(self.ln_2(x)), approximate="tanh"))


class FusedDecoder(Decoder):
    """The same with the attention of torch."""

    def block(self, width):
        return FusedBlock(width)


class FusedBlock(CausalBlock):
    """A causal block with `scaled_dot_product_attention`."""

    def forward(self, x):
        b, t, c = x.size()
        q, k, v = (
            part.view(b, t, self.heads, c // self.heads).transpose(1, 2)
            for part in self.c_attn(self.ln_1(x)).chunk(3, dim=-1)
        )
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(b, t, c)
        x = x + self.c_proj(mixed)
        return x + self.out(F.gelu(self.fc(self.ln_2(x)), approximate="tanh"))


class RmsNorm(nn.Module):
    """RMS norm as Llama writes it."""

    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5))


class RotaryBlock(nn.Module):
    """Grouped heads, rotary positions and a gated MLP."""

    def __init__(self, width=8, heads=4, groups=2, size=4, tokens=5, hidden=10):
        super().__init__()
        self.heads, self.groups, self.size = heads, groups, size
        self.input_norm, self.output_norm = RmsNorm(width), nn.RMSNorm(width)
        self.q = nn.Linear(width, heads * size, bias=True)
        self.k, self.v = nn.Linear(width, groups * size, bias=True), nn.Linear(width, groups * size, bias=False)
        self.o = nn.Linear(heads * size, width, bias=False)
        self.gate, self.up, self.down = (
            nn.Linear(width, hidden, bias=False), nn.Linear(width, hidden, bias=False),
            nn.Linear(hidden, width, bias=False),
        )  # fmt: skip
        angles = torch.arange(tokens)[:, None] * 100.0 ** -(torch.arange(0, size, 2).double() / size)
        angles = torch.cat((angles, angles), dim=-1)
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def rotated(self, x):
        one, two = x.chunk(2, dim=-1)
        return x * self.cos + torch.cat((-two, one), dim=-1) * self.sin

    def forward(self, x):
        b, t, _ = x.shape
        h = self.input_norm(x)
        q = self.rotated(self.q(h).view(b, t, self.heads, self.size).transpose(1, 2))
        k = self.rotated(self.k(h).view(b, t, self.groups, self.size).transpose(1, 2))
        v = self.v(h).view(b, t, self.groups, self.size).transpose(1, 2)
        k, v = (part.repeat_interleave(self.heads // self.groups, dim=1) for part in (k, v))
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.o(mixed.transpose(1, 2).reshape(b, t, -1))
        h = self.output_norm(x)
        return x + self.down(F.silu(self.gate(h)) * self.up(h))

    def example(self):
        return torch.randn(3, 5, 8, dtype=torch.float64)


class Llama(nn.Module):
    """A decoder of such blocks with a table of tokens and separate logits."""

    def __init__(self):
        super().__init__()
        self.embed, self.layers = nn.Embedding(11, 8), nn.ModuleList([RotaryBlock(), RotaryBlock()])
        self.norm, self.head = RmsNorm(8), nn.Linear(8, 11, bias=False)

    def forward(self, index):
        x = self.embed(index)
        for layer in self.layers:
            x = layer(x)
        return self.head(self.norm(x))

    def example(self):
        return torch.randint(11, (3, 5))


class TokenMean(nn.Module):
    """A layer at every token, and the mean and the largest over tokens side by side."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(4, 6), nn.Linear(12, 2)

    def forward(self, x):
        h = self.one(x).relu()
        return self.two(torch.cat([h.mean(1), h.amax(1)], dim=-1))

    def example(self):
        return torch.randn(3, 5, 4, dtype=torch.float64)
