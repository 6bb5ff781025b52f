"""Checks the committed model file: quick, no training, nothing but Python's own library.

    python3 check.py [FILE.gguf]
"""

import struct
import sys
from pathlib import Path

import generate

LIMIT_BYTES = 16_000_000
SCALAR = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
F32, Q8_0 = 0, 8


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, form):
        value, = struct.unpack_from(form, self.data, self.at)
        self.at += struct.calcsize(form)
        return value

    def text(self):
        size = self.take("<Q")
        self.at += size
        return self.data[self.at - size:self.at].decode()

    def value(self, kind):
        if kind == 8:
            return self.text()
        if kind == 9:
            kind, count = self.take("<I"), self.take("<Q")
            return [self.value(kind) for _ in range(count)]
        return self.take(SCALAR[kind])


def read(path):
    r = Reader(path.read_bytes())
    assert r.data[:4] == b"GGUF", "magic"
    r.at = 4
    assert r.take("<I") == 3, "version"
    tensors, pairs = r.take("<Q"), r.take("<Q")
    meta = {}
    for _ in range(pairs):
        key = r.text()
        meta[key] = r.value(r.take("<I"))
    shapes = {}
    for _ in range(tensors):
        name = r.text()
        dims = [r.take("<Q") for _ in range(r.take("<I"))]
        shapes[name] = (dims, r.take("<I"), r.take("<Q"))
    align = meta.get("general.alignment", 32)
    return meta, shapes, (r.at + align - 1) // align * align, len(r.data)


def main():
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("alpha-small.gguf")
    meta, shapes, start, size = read(path)
    failed = []

    def expect(what, ok):
        print(f"{'ok    ' if ok else 'FAILED'}  {what}")
        if not ok:
            failed.append(what)

    expect(f"{size} bytes, at most {LIMIT_BYTES}", size <= LIMIT_BYTES)
    expect("is llama's architecture and called alpha-small", (meta["general.architecture"], meta["general.name"]) == ("llama", "alpha-small"))
    tokens, kinds = meta["tokenizer.ggml.tokens"], meta["tokenizer.ggml.token_type"]
    control = {t for t, k in zip(tokens, kinds) if k == 3}
    expect("has three control tokens", control == {"<|endoftext|>", "<|im_start|>", "<|im_end|>"})
    expect("an answer ends with <|im_end|>", all(tokens[meta[f"tokenizer.ggml.{k}_token_id"]] == "<|im_end|>" for k in ("eos", "eot")))
    expect("nothing is put in front of a prompt", meta["tokenizer.ggml.add_bos_token"] is False)
    expect("tokenizer is gpt2 with gpt-2's pre-tokenizer", (meta["tokenizer.ggml.model"], meta["tokenizer.ggml.pre"]) == ("gpt2", "gpt-2"))
    known = set(tokens)
    expect("tokens are unique", len(known) == len(tokens))
    expect("every merge joins two tokens to a third", all(set(m.split(" ")) | {m.replace(" ", "")} <= known for m in meta["tokenizer.ggml.merges"]))
    expect("all 256 bytes are tokens", sum(len(t) == 1 for t in tokens) == 256)
    template = meta["tokenizer.chat_template"]
    expect("chat template is chatml", "<|im_start|>" in template and "<|im_end|>" in template and "add_generation_prompt" in template)

    m = lambda key: meta[f"llama.{key}"]
    width, hidden, layers = m("embedding_length"), m("feed_forward_length"), m("block_count")
    head = width // m("attention.head_count")
    kv = head * m("attention.head_count_kv")
    expect("rotary dimensions are the head's", m("rope.dimension_count") == head)
    want = {"token_embd.weight": ([width, len(tokens)], Q8_0), "output_norm.weight": ([width], F32)}
    for i in range(layers):
        for name, dims in {"attn_q": [width, width], "attn_k": [width, kv], "attn_v": [width, kv], "attn_output": [width, width],
                           "ffn_gate": [width, hidden], "ffn_up": [width, hidden], "ffn_down": [hidden, width]}.items():
            want[f"blk.{i}.{name}.weight"] = (dims, Q8_0)
        for name in ("attn_norm", "ffn_norm"):
            want[f"blk.{i}.{name}.weight"] = ([width], F32)
    expect("tensors have their names, shapes and types", {n: (d, k) for n, (d, k, _) in shapes.items()} == want)

    def end(dims, kind, offset):
        count = 1
        for d in dims:
            count *= d
        return start + offset + (count * 4 if kind == F32 else count // 32 * 34)

    expect("rows are multiples of 32", all(d[0] % 32 == 0 for d, k, _ in shapes.values() if k == Q8_0))
    expect("the data of every tensor lies within the file", all(end(*t) <= size for t in shapes.values()))
    writer = generate.Writer(seed=12345)
    expect("a hundred questions", len(writer.held_out.questions) == 100)
    expect("none of them in 5000 fresh conversations", not generate.leaks(writer.held_out, writer.conversations(5000)))
    print(f"{'FAILED: ' + ', '.join(failed) if failed else 'model file is sound'}")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
