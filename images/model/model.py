"""The network: llama's architecture, small, in plain JAX.

RMSNorm, rotary positions in the interleaved order of llama.cpp (pairs 2i, 2i+1), grouped-query attention,
SwiGLU, tied input and output embedding. What export.py writes is these arrays as they are: no permutation.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np


@dataclass(frozen=True)
class Shape:
    vocab: int = 2048
    width: int = 192
    layers: int = 5
    heads: int = 6
    kv_heads: int = 2
    hidden: int = 512
    context: int = 1024
    rope_base: float = 10000.0
    norm_eps: float = 1e-5

    @property
    def head(self):
        return self.width // self.heads


def init(shape, seed):
    rng = np.random.default_rng(seed)

    def normal(*dims, std):
        return (rng.standard_normal(dims) * std).astype(np.float32)

    n, d, f, kv = shape.layers, shape.width, shape.hidden, shape.kv_heads * shape.head
    inner, out = d ** -0.5, (d * 2 * n) ** -0.5
    return {
        "embed": normal(shape.vocab, d, std=0.02),
        "norm": np.ones(d, np.float32),
        "layers": {
            "attn_norm": np.ones((n, d), np.float32),
            "ffn_norm": np.ones((n, d), np.float32),
            "q": normal(n, d, d, std=inner),
            "k": normal(n, d, kv, std=inner),
            "v": normal(n, d, kv, std=inner),
            "o": normal(n, d, d, std=out),
            "gate": normal(n, d, f, std=inner),
            "up": normal(n, d, f, std=inner),
            "down": normal(n, f, d, std=(f * 2 * n) ** -0.5),
        },
    }


def count(params):
    return sum(x.size for x in jax.tree.leaves(params))


def _norm(x, w, eps):
    return x * jax.lax.rsqrt(jnp.mean(x * x, -1, keepdims=True) + eps) * w


def _rotate(x, cos, sin):
    # x: batch, time, heads, head. Neighbours form a pair.
    a, b = x[..., 0::2], x[..., 1::2]
    return jnp.stack([a * cos - b * sin, a * sin + b * cos], -1).reshape(x.shape)


def hidden_states(params, shape, tokens, segments):
    """tokens, segments: batch x time. A token sees earlier tokens of its own segment only."""
    batch, time = tokens.shape
    group = shape.heads // shape.kv_heads
    freq = shape.rope_base ** (-np.arange(0, shape.head, 2) / shape.head)
    angle = np.arange(time)[:, None] * freq[None]
    cos, sin = (jnp.asarray(f(angle)[None, :, None, :], jnp.float32) for f in (np.cos, np.sin))
    visible = (segments[:, :, None] == segments[:, None, :]) & np.tril(np.ones((time, time), bool))
    bias = jnp.where(visible, 0.0, -1e9)[:, None, None]

    x = params["embed"][tokens]
    w = params["layers"]
    for i in range(shape.layers):
        h = _norm(x, w["attn_norm"][i], shape.norm_eps)
        h = h.reshape(-1, shape.width)
        q = _rotate((h @ w["q"][i]).reshape(batch, time, shape.heads, shape.head), cos, sin)
        k = _rotate((h @ w["k"][i]).reshape(batch, time, shape.kv_heads, shape.head), cos, sin)
        v = (h @ w["v"][i]).reshape(batch, time, shape.kv_heads, shape.head)
        # Heads first: two plain batched products are much faster on a CPU than one einsum.
        q = q.reshape(batch, time, shape.kv_heads, group, shape.head).transpose(0, 2, 3, 1, 4)
        q = q.reshape(batch, shape.kv_heads, group * time, shape.head) * shape.head ** -0.5
        k, v = k.transpose(0, 2, 3, 1), v.transpose(0, 2, 1, 3)
        score = (q @ k).reshape(batch, shape.kv_heads, group, time, time) + bias
        mix = jax.nn.softmax(score, -1).reshape(batch, shape.kv_heads, group * time, time) @ v
        mix = mix.reshape(batch, shape.kv_heads, group, time, shape.head).transpose(0, 3, 1, 2, 4)
        x = x + (mix.reshape(-1, shape.width) @ w["o"][i]).reshape(x.shape)
        h = _norm(x, w["ffn_norm"][i], shape.norm_eps)
        h = h.reshape(-1, shape.width)
        x = x + ((jax.nn.silu(h @ w["gate"][i]) * (h @ w["up"][i])) @ w["down"][i]).reshape(x.shape)
    return _norm(x, params["norm"], shape.norm_eps)


def logits(params, shape, tokens, segments):
    return hidden_states(params, shape, tokens, segments) @ params["embed"].T


def loss(params, shape, tokens, segments, weights):
    """weights[b, t]: how much the prediction of tokens[b, t] counts."""
    out = logits(params, shape, tokens, segments)[:, :-1]
    goal = tokens[:, 1:]
    w = weights[:, 1:]
    nll = jax.nn.logsumexp(out, -1) - jnp.take_along_axis(out, goal[..., None], -1)[..., 0]
    return (nll * w).sum() / w.sum()
