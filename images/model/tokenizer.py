"""The tokenizer: byte-level BPE as GPT-2 has it, trained on the generated text, and the form of a conversation.

    python tokenizer.py CONVERSATIONS.jsonl OUT.json [--vocab 2048]

llama.cpp knows this kind as tokenizer model "gpt2" with the pre-tokenizer "gpt-2".
"""

import argparse
import json
from itertools import islice
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

PAD, START, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
SPECIAL = [PAD, START, END]

# The common chatml template; llama.cpp recognises it by <|im_start|>.
TEMPLATE = ("{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
            "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}")


def render(turns, answer_next=False):
    text = "".join(f"{START}{role}\n{said}{END}\n" for role, said in turns)
    return text + f"{START}assistant\n" if answer_next else text


def train(lines, vocab):
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tok.decoder = decoders.ByteLevel()
    # Sorted, so that two runs give the same file.
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tok.train_from_iterator(lines, trainers.BpeTrainer(vocab_size=vocab, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False))
    return tok


def load(path):
    return Tokenizer.from_file(str(path))


def main():
    arg = argparse.ArgumentParser()
    arg.add_argument("conversations", type=Path)
    arg.add_argument("out", type=Path)
    arg.add_argument("--vocab", type=int, default=2048)
    arg.add_argument("--count", type=int, default=60_000, help="conversations to look at")
    arg = arg.parse_args()
    with arg.conversations.open() as lines:
        text = [f"{role}\n{said}" for line in islice(lines, arg.count) for role, said in json.loads(line)]
    tok = train(text, arg.vocab)
    tok.save(str(arg.out))
    sample = text[:2000]
    print(f"{tok.get_vocab_size()} tokens; {sum(map(len, sample)) / sum(len(e.ids) for e in tok.encode_batch(sample)):.2f} characters a token")


if __name__ == "__main__":
    main()
