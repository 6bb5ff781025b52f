"""Trains the default model on the CPU: JAX, Muon for the matrices and Adam for the rest, fixed seeds.

    python train.py CONVERSATIONS.jsonl TOKENIZER.json OUT.npz [--resume OUT.npz.state]

Conversations are packed into rows and do not see each other. Only the assistant's words count fully; the person's
count a little, so that the model learns their words. Every sixth step takes longer rows, with the long conversations.
The rate runs through the points of --rate; from step --long-from on there are long rows only.
Every 50 steps the weights go to OUT.npz and the whole state to OUT.npz.state, from which --resume goes on.
"""

import argparse
import json
import pickle
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import model
import tokenizer

ROW, LONG_ROW = 160, 640
USER_WEIGHT = 0.08
# Which answer is right shows in its first words; the rest is soon known by heart. Most conversations in the short
# rows therefore end after the first words of their last answer, which saves a third of the time.
CUT_SHARE, CUT_TOKENS = 0.75, 9
LONG_SHARE = 0.2  # of the conversations


def encode(tok, conversations):
    """-> a list of (tokens, weights)"""
    start, end = tok.token_to_id(tokenizer.START), tok.token_to_id(tokenizer.END)
    newline = tok.encode("\n").ids
    role_ids = {r: tok.encode(f"{r}\n").ids for r in ("system", "user", "assistant")}
    said = [text for c in conversations for _, text in c]
    # Encoded together with the role, as llama.cpp sees it, then cut after it.
    whole = tok.encode_batch([f"{role}\n{text}" for c in conversations for role, text in c])
    out, at = [], 0
    for c in conversations:
        tokens, weights = [], []
        for role, _ in c:
            ids = whole[at].ids
            at += 1
            head = len(role_ids[role])
            assert ids[:head] == role_ids[role]
            value = {"assistant": 1.0, "user": USER_WEIGHT, "system": 0.0}[role]
            tokens += [start, *ids, end, *newline]
            weights += [0.0] * (1 + head) + [value] * (len(ids) - head) + [1.0 if role == "assistant" else 0.0] + [0.0] * len(newline)
        out.append((np.array(tokens, np.int32), np.array(weights, np.float32)))
    assert at == len(said)
    return out


def shorten(document):
    tokens, weights = document
    end = len(weights)
    while weights[end - 1] < 1:
        end -= 1
    first = end
    while weights[first - 1] == 1:
        first -= 1
    end = min(end, first + CUT_TOKENS)
    return tokens[:end], weights[:end]


def pack(documents, row):
    """Rows of tokens, segments and weights. A document that is longer than a row is left out."""
    rows, open_rows = [], []
    for tokens, weights in documents:
        if len(tokens) > row:
            continue
        for i, r in enumerate(open_rows):
            if r[0] + len(tokens) <= row:
                break
        else:
            i = len(open_rows)
            open_rows.append([0, []])
        open_rows[i][0] += len(tokens)
        open_rows[i][1].append((tokens, weights))
        if open_rows[i][0] > row - 24 or len(open_rows) > 40:
            rows.append(open_rows.pop(i if open_rows[i][0] > row - 24 else 0)[1])
    rows += [r[1] for r in open_rows]
    tokens = np.zeros((len(rows), row), np.int32)
    segments = np.full((len(rows), row), -1, np.int32)
    weights = np.zeros((len(rows), row), np.float32)
    for i, r in enumerate(rows):
        at = 0
        for n, (t, w) in enumerate(r):
            tokens[i, at:at + len(t)], segments[i, at:at + len(t)], weights[i, at:at + len(t)] = t, n, w
            at += len(t)
    return tokens, segments, weights


def orthogonal(g):
    """Newton-Schulz: the nearest matrix with all singular values about 1. g: layers x rows x columns."""
    turn = g.shape[-2] > g.shape[-1]
    x = jnp.swapaxes(g, -1, -2) if turn else g
    x = x / (jnp.linalg.norm(x, axis=(-2, -1), keepdims=True) + 1e-7)
    for _ in range(5):
        a = x @ jnp.swapaxes(x, -1, -2)
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return jnp.swapaxes(x, -1, -2) if turn else x


def update(params, grads, state, step, rate):
    """rate runs from 1 to 0. Matrices of the layers: Muon; embedding and norms: Adam."""
    def adam(p, g, m, v, lr):
        m, v = 0.9 * m + 0.1 * g, 0.98 * v + 0.02 * g * g
        return p - lr * (m / (1 - 0.9 ** (step + 1))) / (jnp.sqrt(v / (1 - 0.98 ** (step + 1))) + 1e-8), m, v

    def muon(p, g, m, v, lr):
        m = 0.95 * m + g
        d = orthogonal(g + 0.95 * m) * max(1.0, p.shape[-1] / p.shape[-2]) ** 0.5
        return p * (1 - lr * 0.1) - lr * d, m, v

    def one(path, p, g, m, v):
        name = path[-1].key
        if p.ndim == 3:
            return muon(p, g, m, v, 0.02 * rate)
        return adam(p, g, m, v, (0.006 if name == "embed" else 0.003) * rate)

    done = jax.tree_util.tree_map_with_path(one, params, grads, state["m"], state["v"])
    pick = lambda i: jax.tree.map(lambda t: t[i], done, is_leaf=lambda t: isinstance(t, tuple))
    return pick(0), {"m": pick(1), "v": pick(2)}


def save(path, params, shape):
    flat = {"/".join(k.key for k in path): np.asarray(x) for path, x in jax.tree_util.tree_leaves_with_path(params)}
    np.savez(path, **flat, shape=json.dumps(shape.__dict__))


def load(path):
    data = np.load(path)
    params = {}
    for name in data.files:
        if name != "shape":
            node = params
            *folders, last = name.split("/")
            for f in folders:
                node = node.setdefault(f, {})
            node[last] = data[name]
    return params, model.Shape(**json.loads(str(data["shape"])))


def main():
    arg = argparse.ArgumentParser()
    arg.add_argument("conversations", type=Path)
    arg.add_argument("tokenizer", type=Path)
    arg.add_argument("out", type=Path)
    arg.add_argument("--rate", default="0:0 60:1 750:1 850:0.6 1000:0", help="STEP:RATE ..., straight lines between; the last step ends the training")
    arg.add_argument("--long-from", type=int, default=880)
    arg.add_argument("--batch", type=int, default=5120, help="tokens a step, about")
    arg.add_argument("--seed", type=int, default=1)
    arg.add_argument("--resume", type=Path)
    arg = arg.parse_args()

    at, height = zip(*(map(float, point.split(":")) for point in arg.rate.split()))
    steps = int(at[-1])

    tok = tokenizer.load(arg.tokenizer)
    shape = model.Shape(vocab=tok.get_vocab_size())
    with arg.conversations.open() as f:
        documents = encode(tok, [json.loads(line) for line in f])
    held, documents = documents[:1000], documents[1000:]
    cut = int(len(documents) * (1 - LONG_SHARE))
    rng = np.random.default_rng(arg.seed)
    documents[:cut] = [shorten(d) if rng.random() < CUT_SHARE else d for d in documents[:cut]]
    short, long, test = pack(documents[:cut], ROW), pack(documents[cut:], LONG_ROW), pack(held, LONG_ROW)
    print(f"{len(documents)} conversations, {sum(len(t) for t, _ in documents) / 1e6:.1f} M tokens, rows {len(short[0])} + {len(long[0])}", flush=True)

    params = jax.tree.map(jnp.asarray, model.init(shape, arg.seed))
    state = {"m": jax.tree.map(jnp.zeros_like, params), "v": jax.tree.map(jnp.zeros_like, params)}
    first = 0
    if arg.resume:
        params, state, first = pickle.loads(arg.resume.read_bytes())
    print(f"{model.count(params)} parameters", flush=True)

    @jax.jit
    def step_fn(params, state, step, rate, tokens, segments, weights):
        loss, grads = jax.value_and_grad(model.loss)(params, shape, tokens, segments, weights)
        params, state = update(params, grads, state, step, rate)
        return params, state, loss

    loss_fn = jax.jit(lambda p, t, s, w: model.loss(p, shape, t, s, w))

    def batch(step):
        use_long = step % 6 == 5 or step >= arg.long_from
        rows, size = (long, arg.batch // LONG_ROW) if use_long else (short, arg.batch // ROW)
        per_epoch = len(rows[0]) // size
        order = np.random.default_rng((arg.seed, step // per_epoch)).permutation(len(rows[0]))
        at = step % per_epoch * size
        return [x[order[at:at + size]] for x in rows]

    start = last = time.time()
    seen = mean = 0
    for step in range(first, steps):
        # The first step must move something, the last must not stand still.
        rate = float(np.interp(step + (step < 60), at, height))
        data = batch(step)
        params, state, loss = step_fn(params, state, step, rate, *data)
        seen += int((data[1] >= 0).sum())
        mean = 0.95 * mean + 0.05 * float(loss) if step > first else float(loss)
        if (step + 1) % 50 == 0 or step + 1 == steps:
            jax.block_until_ready(params)
            held_loss = float(np.mean([loss_fn(params, *(x[i:i + 8] for x in test)) for i in range(0, 24, 8)]))
            save(arg.out, params, shape)
            Path(f"{arg.out}.state").write_bytes(pickle.dumps((params, state, step + 1)))
            print(f"step {step + 1}: loss {mean:.3f}, held-out conversations {held_loss:.3f}, {seen / (time.time() - last):.0f} tokens/s, {time.time() - start:.0f} s", flush=True)
            seen, last = 0, time.time()
    print(f"trained in {time.time() - start:.0f} s")


if __name__ == "__main__":
    main()
