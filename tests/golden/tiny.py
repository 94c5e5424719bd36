"""What the scripts of the tiny models share: the tokenizer, the prompts, a GGUF file's vocabulary, and what transformers says of a prompt.

The references are computed in f32 with eager attention. Where f64 is further away than a fifth of the tests' tolerance, or where the next token of a
greedy continuation hangs on less than CLEAR, `reference` raises Unclear and the caller takes another seed. Gradients are those with respect to rows
of the first layer's input that replace the embeddings of some tokens.
"""

import itertools
import json
import math
import pathlib
import random

import gguf
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

OUT = pathlib.Path(__file__).parent / "tiny_models"
VOCABULARY = 320
GREEDY = 12
CLEAR = 1e-3
PRECISE = 2e-5
EMBEDDED_ROWS = [5, 18, 30]  # of the short prompt
DIRECTIONS = 3
STEP = 2e-3  # of the test's finite differences
BASE_TEXT = ("A model reads a text piece by piece and says of every piece how likely it was, given those before; then it is asked for more. "
             "What it answers depends on its weights, on the prompt, and on how the next piece is drawn from all that could follow.")
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TEMPLATE = ("{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}"
            "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}")


class Unclear(Exception):
    """These weights make a poor test: see the module's comment."""


def make_tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY, special_tokens=SPECIAL, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
                                  show_progress=False)
    tokenizer.train_from_iterator(["the cat and the dog sat on the mat, and then the rain came", BASE_TEXT], trainer)
    assert tokenizer.get_vocab_size() == VOCABULARY
    return tokenizer


def make_prompts() -> dict[str, list[int]]:
    rng = random.Random(3)
    return {"short": [rng.randrange(VOCABULARY) for _ in range(40)], "long": [rng.randrange(VOCABULARY) for _ in range(100)]}


def add_vocabulary(writer: gguf.GGUFWriter, tokenizer: Tokenizer):
    vocabulary = tokenizer.get_vocab()
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(sorted(vocabulary, key=vocabulary.get))
    writer.add_token_types([gguf.TokenType.CONTROL if i < len(SPECIAL) else gguf.TokenType.NORMAL for i in range(VOCABULARY)])
    writer.add_token_merges([" ".join(merge) for merge in json.loads(tokenizer.to_str())["model"]["merges"]])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_eot_token_id(0)
    writer.add_chat_template(TEMPLATE)


def write_file(writer: gguf.GGUFWriter):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def logits(model, ids: list[int]) -> torch.Tensor:
    with torch.no_grad():
        return model(torch.tensor([ids]), use_cache=False).logits[0]


def logprobs(rows: torch.Tensor, ids: list[int]) -> list[float]:
    rows = rows.double().log_softmax(-1)
    return rows[:-1].gather(1, torch.tensor(ids)[1:, None])[:, 0].tolist()


def continuation(model, ids: list[int]) -> list[int]:
    """The whole text anew for every token: no cache is trusted."""
    ids = list(ids)
    for _ in range(GREEDY):
        (best, second), (token, _) = (found.tolist() for found in logits(model, ids)[-1].topk(2))
        if best - second < CLEAR:
            raise Unclear(f"the next token hangs on {best - second:.1g}")
        ids.append(token)
    return ids[-GREEDY:]


def uniforms(seed: int):
    """2 * uniform() - 1 of runtime/base/random.h, without end."""
    mask, state = 2**64 - 1, seed
    while True:
        state = z = (state + 0x9E3779B97F4A7C15) & mask
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & mask
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB & mask
        yield 2 * (((z ^ (z >> 31)) >> 11) * 2.0**-53) - 1


def embedded_loss(model, ids: list[int], values: torch.Tensor) -> torch.Tensor:
    """The sum of the prompt's log-probabilities, `values` being the embeddings of EMBEDDED_ROWS."""
    positions = next((module.weight[EMBEDDED_ROWS] for name, module in model.named_modules() if name.endswith("wpe")), 0)

    def replace(_, inputs):
        hidden = inputs[0].clone()
        hidden[0, EMBEDDED_ROWS] = values + positions
        return hidden, *inputs[1:]

    layers = next(module for module in model.modules() if isinstance(module, torch.nn.ModuleList))
    hook = layers[0].register_forward_pre_hook(replace)
    rows = model(torch.tensor([ids]), use_cache=False).logits[0].log_softmax(-1)
    hook.remove()
    return rows[:-1].gather(1, torch.tensor(ids)[1:, None]).sum()


def gradient(model) -> dict:
    """{"seed", "norm": of d embedded_loss / d values, "projections": its products with the directions}. From one stream of `uniforms` come the values,
    then the directions. The seed is the first whose loss is smooth over twice the test's step: no row changes its experts there."""
    ids, shape = make_prompts()["short"], (1 + DIRECTIONS, len(EMBEDDED_ROWS), model.config.hidden_size)
    for seed in range(1, 200):
        values, *directions = torch.tensor(list(itertools.islice(uniforms(seed), math.prod(shape))), dtype=torch.float32).view(shape)
        values.requires_grad_()
        embedded_loss(model.float(), ids, values).backward()
        norm, found = values.grad.norm().item(), [(values.grad * direction).sum().item() for direction in directions]
        with torch.no_grad():
            model.double()
            slopes = [sum(sign * embedded_loss(model, ids, values.double() + 2 * sign * STEP * direction.double()).item() for sign in (1, -1)) / (4 * STEP)
                      for direction in directions]
            model.float()
        if max(abs(a - b) for a, b in zip(found, slopes)) < 5e-3 * norm:
            return {"seed": seed, "norm": float(f"{norm:.6g}"), "projections": [float(f"{value:.6g}") for value in found]}
        print(f"gradient, seed {seed}: {norm} {found} {slopes}")
    raise RuntimeError("no seed is smooth")


def reference(model) -> dict:
    """{"logprobs": {prompt: [log p(ids[i + 1] | ids[..i])]}, "greedy": the short prompt's continuation}."""
    prompts = make_prompts()
    found = {name: logprobs(logits(model, ids), ids) for name, ids in prompts.items()}
    greedy = continuation(model, prompts["short"])
    model.double()
    for name, ids in prompts.items():
        error = max(abs(a - b) for a, b in zip(found[name], logprobs(logits(model, ids), ids)))
        if error > PRECISE:
            raise Unclear(f"f32 is {error:.1g} away from f64")
    model.float()
    return {"logprobs": {name: [round(value, 6) for value in row] for name, row in found.items()}, "greedy": greedy}
