"""Prompt log-probabilities of the default model: transformers in f32 on the dequantised GGUF. Versions: requirements.txt.

Writes default_model/logprobs.json. The tokenizer is the one SmolLM2 publishes (single digits, then GPT-2's byte-level BPE), built from the file's own
vocabulary and merges.
"""

import os
import pathlib

import gguf
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoModelForCausalLM

from prompt_logprobs import write_logprobs


def published_tokenizer(path: str) -> Tokenizer:
    fields = gguf.GGUFReader(path).fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    merges = [tuple(merge.split(" ")) for merge in fields["tokenizer.ggml.merges"].contents()]
    types = fields["tokenizer.ggml.token_type"].contents()
    tokenizer = Tokenizer(models.BPE({token: i for i, token in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([token for token, kind in zip(tokens, types) if kind == 3])
    return tokenizer


def main():
    path = os.environ["HEARTH_DEFAULT_MODEL"]
    tokenizer = published_tokenizer(path)
    model = AutoModelForCausalLM.from_pretrained(os.path.dirname(path), gguf_file=os.path.basename(path), dtype=torch.float32)
    write_logprobs(pathlib.Path(__file__).parent / "default_model/logprobs.json", model, lambda text: tokenizer.encode(text).ids)


if __name__ == "__main__":
    main()
