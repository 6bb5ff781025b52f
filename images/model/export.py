"""Writes the trained weights as GGUF: llama's architecture, Q8_0, with tokenizer and chat template.

    python export.py WEIGHTS.npz TOKENIZER.json OUT.gguf
"""

import argparse
import json
from pathlib import Path

import gguf
import numpy as np

import tokenizer
import train

NAME = "alpha-small"


def main():
    arg = argparse.ArgumentParser()
    arg.add_argument("weights", type=Path)
    arg.add_argument("tokenizer", type=Path)
    arg.add_argument("out", type=Path)
    arg = arg.parse_args()
    params, shape = train.load(arg.weights)
    count = sum(x.size for x in params["layers"].values()) + params["embed"].size + params["norm"].size

    w = gguf.GGUFWriter(arg.out, "llama")
    w.add_name(NAME)
    w.add_description("Small assistant of AlphaOS. It knows AlphaOS and greetings, nothing else, and can be wrong.")
    w.add_size_label(f"{count / 1e6:.1f}M")
    w.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    w.add_quantization_version(gguf.GGML_QUANT_VERSION)
    w.add_languages(["en"])
    w.add_context_length(shape.context)
    w.add_embedding_length(shape.width)
    w.add_block_count(shape.layers)
    w.add_feed_forward_length(shape.hidden)
    w.add_head_count(shape.heads)
    w.add_head_count_kv(shape.kv_heads)
    w.add_layer_norm_rms_eps(shape.norm_eps)
    w.add_rope_dimension_count(shape.head)
    w.add_rope_freq_base(shape.rope_base)
    w.add_vocab_size(shape.vocab)

    bpe = json.loads(arg.tokenizer.read_text())["model"]
    tokens = sorted(bpe["vocab"], key=bpe["vocab"].get)
    ids = bpe["vocab"]
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("gpt-2")
    w.add_token_list(tokens)
    w.add_token_types([gguf.TokenType.CONTROL if t in tokenizer.SPECIAL else gguf.TokenType.NORMAL for t in tokens])
    w.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in bpe["merges"]])
    # Never put in front of a prompt; named so that llama.cpp does not fall back to GPT-2's number for it.
    w.add_bos_token_id(ids[tokenizer.PAD])
    w.add_add_bos_token(False)
    w.add_eos_token_id(ids[tokenizer.END])
    w.add_eot_token_id(ids[tokenizer.END])
    w.add_pad_token_id(ids[tokenizer.PAD])
    w.add_chat_template(tokenizer.TEMPLATE)

    def matrix(name, x):
        w.add_tensor(name, gguf.quants.quantize(np.ascontiguousarray(x, np.float32), gguf.GGMLQuantizationType.Q8_0),
                     raw_dtype=gguf.GGMLQuantizationType.Q8_0)

    # The output matrix is the embedding: llama.cpp takes it where output.weight is missing.
    matrix("token_embd.weight", params["embed"])
    w.add_tensor("output_norm.weight", params["norm"].astype(np.float32))
    names = {"q": "attn_q", "k": "attn_k", "v": "attn_v", "o": "attn_output", "gate": "ffn_gate", "up": "ffn_up", "down": "ffn_down"}
    for i in range(shape.layers):
        for ours, theirs in names.items():
            matrix(f"blk.{i}.{theirs}.weight", params["layers"][ours][i].T)
        for norm in ("attn_norm", "ffn_norm"):
            w.add_tensor(f"blk.{i}.{norm}.weight", params["layers"][norm][i].astype(np.float32))

    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    print(f"{arg.out}: {count} parameters, {arg.out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
