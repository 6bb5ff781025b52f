"""Asks the hundred questions and prints the figure and each miss.

    python eval.py --weights WEIGHTS.npz --tokenizer TOKENIZER.json     the trained model, in JAX
    python eval.py --gguf alpha-small.gguf [--temperature 0.2]          the file, by llama.cpp (llama-cpp-python)
    python eval.py --gguf alpha-small.gguf --tokenizer TOKENIZER.json   the same, and that both tokenise alike

An answer counts when it ends, is whole sentences, holds for each needed fact one of its spellings and none of the
words that make it wrong. Without --temperature the likeliest token is always taken.
"""

import argparse
import re
from pathlib import Path

import generate
import tokenizer

LIMIT = 160


class Jax:
    def __init__(self, weights, tok):
        import jax
        import jax.numpy as jnp
        import numpy as np
        import model
        import train
        self.tok, self.np = tokenizer.load(tok), np
        params, shape = train.load(weights)
        params = jax.tree.map(jnp.asarray, params)
        self.end = self.tok.token_to_id(tokenizer.END)
        self.next = jax.jit(lambda t, n: (model.hidden_states(params, shape, t[None], jnp.zeros_like(t)[None])[0, n - 1] @ params["embed"].T).argmax())

    def answer(self, turns):
        ids = self.tok.encode(tokenizer.render(turns, answer_next=True)).ids
        room = 256 if len(ids) + LIMIT <= 256 else 1024
        row = self.np.zeros(room, self.np.int32)
        row[:len(ids)] = ids
        out = []
        while len(out) < LIMIT:
            t = int(self.next(row, len(ids) + len(out)))
            if t == self.end:
                return self.tok.decode(out), True
            row[len(ids) + len(out)] = t
            out.append(t)
        return self.tok.decode(out), False


class LlamaCpp:
    def __init__(self, path, temperature, seed=1):
        import llama_cpp
        self.model = llama_cpp.Llama(str(path), n_ctx=1024, verbose=False, n_threads=1, n_threads_batch=1, seed=seed)
        self.temperature = temperature

    def answer(self, turns):
        got = self.model.create_chat_completion([{"role": r, "content": t} for r, t in turns], temperature=self.temperature, max_tokens=LIMIT,
                                                top_p=1.0, top_k=40, repeat_penalty=1.0)["choices"][0]
        return got["message"]["content"], got["finish_reason"] == "stop"

    def same_tokens(self, tok, texts):
        tok = tokenizer.load(tok)
        bad = [t for t in texts if self.model.tokenize(t.encode(), add_bos=False, special=True) != tok.encode(t).ids]
        print(f"tokenised alike: {len(texts) - len(bad)} of {len(texts)}" + "".join(f"\n  {t!r}" for t in bad[:5]))


def faults(question, answer, ended):
    low = answer.lower()
    out = []
    if not ended:
        out.append("does not end")
    if not re.fullmatch(r"[A-Z/.\[](.|\n)*[.!?]", answer.strip()):
        out.append("no whole sentence")
    # A spelling must begin where a word begins: "no" is not in "know", but "capabilit" is in "capabilities".
    has = lambda s: re.search(r"(?<![a-z0-9])" + re.escape(s.lower()), low)
    whole = lambda s: re.search(r"(?<![a-z0-9])" + re.escape(s.strip().lower()) + r"(?![a-z0-9])", low)
    out += [f"lacks {' or '.join(need)}" for need in question["need"] if not any((whole if len(s.strip()) < 4 else has)(s) for s in need)]
    out += [f"says {s}" for s in question.get("never", []) if has(s)]
    return out


def main():
    arg = argparse.ArgumentParser()
    arg.add_argument("--weights", type=Path)
    arg.add_argument("--tokenizer", type=Path)
    arg.add_argument("--gguf", type=Path)
    arg.add_argument("--temperature", type=float, default=0.0)
    arg.add_argument("--seed", type=int, default=1)
    arg.add_argument("--all", action="store_true", help="print the good answers too")
    arg = arg.parse_args()
    speaker = LlamaCpp(arg.gguf, arg.temperature, arg.seed) if arg.gguf else Jax(arg.weights, arg.tokenizer)
    questions = generate.HeldOut().questions
    if arg.gguf and arg.tokenizer:
        speaker.same_tokens(arg.tokenizer, [tokenizer.render([("user", q["ask"])], True) for q in questions]
                            + ["ÄÖÜ 日本語 🙂 \t  two  spaces\n\nlines", "it's I'LL we've 12345 x_1 /model set top_p 0.9"])
    good = 0
    for q in questions:
        before = q.get("before", [])
        turns = [(("user", "assistant")[i % 2], t) for i, t in enumerate(before)] + [("user", q["ask"])]
        answer, ended = speaker.answer(turns)
        wrong = faults(q, answer, ended)
        good += not wrong
        if wrong or arg.all:
            print(f"{'miss' if wrong else 'good'}  {q['ask']}\n      {answer}" + "".join(f"\n      ({w})" for w in wrong))
    print(f"{good} of {len(questions)}")


if __name__ == "__main__":
    main()
