#!/usr/bin/env python3
"""Makes everything that the shapes example trains on, with nothing but Python's standard library:

    examples/shapes/make_shapes.py DIRECTORY

    DIRECTORY/model       a LLaVA of 1.2 M random weights: a CLIP transformer on 48 x 48 pixels, a projector, a llama, and a tokenizer with a few words
    DIRECTORY/data        pictures of up to nine coloured shapes, and what is asked of them: train (conversations about one picture), pairs (a right and a
                          wrong answer) and test (one question a picture), in LLaMA-Factory's formats
"""

import json
import math
import pathlib
import random
import struct
import sys
import zlib

COLOURS = {"red": (220, 40, 40), "green": (40, 170, 60), "blue": (50, 80, 230), "yellow": (235, 205, 40)}
SHAPES = ["square", "circle", "triangle"]
CELL, CELLS = 16, 3
SIDE = CELL * CELLS
PICTURES = {"train": 6000, "pairs": 2000, "test": 1000}
TURNS = 6  # questions about a picture that is trained on


def inside(shape: str, x: float, y: float, r: float) -> bool:
    """Whether a point is in the shape about 0, 0."""
    if shape == "square":
        return max(abs(x), abs(y)) <= 0.85 * r
    if shape == "circle":
        return x * x + y * y <= r * r
    return -r <= y <= 0.8 * r and abs(x) <= (y + r) * 0.55


def random_cells(rng: random.Random) -> list:
    """Nine of (colour, shape) or None."""
    filled = rng.uniform(0.3, 0.9)
    few = rng.sample(sorted(COLOURS), rng.randint(2, 4)), rng.sample(SHAPES, rng.randint(1, 3))  # so that there are many of a kind
    return [(rng.choice(few[0]), rng.choice(few[1])) if rng.random() < filled else None for _ in range(CELLS * CELLS)]


def render(cells: list, rng: random.Random) -> list[bytes]:
    """Rows of RGB."""
    ground = [rng.randint(0, 45) for _ in range(3)]
    rows = [bytearray(bytes(ground) * SIDE) for _ in range(SIDE)]
    for i, cell in enumerate(cells):
        if not cell:
            continue
        r, dx, dy = rng.uniform(5.5, 7), rng.uniform(-0.5, 0.5), rng.uniform(-0.5, 0.5)
        top, left = i // CELLS * CELL, i % CELLS * CELL
        colour = bytes(max(0, min(255, value + rng.randint(-20, 20))) for value in COLOURS[cell[0]])
        for y in range(CELL):
            for x in range(CELL):
                if inside(cell[1], x + 0.5 - CELL / 2 - dx, y + 0.5 - CELL / 2 - dy, r):
                    rows[top + y][3 * (left + x):3 * (left + x) + 3] = colour
    return rows


def write_png(path: pathlib.Path, rows: list[bytes]):
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows), 1)) + chunk(b"IEND", b""))


def question(cells: list, rng: random.Random) -> tuple[str, str, list[str]]:
    """A question, its answer, and all the answers that one could give."""
    there = [cell for cell in cells if cell]
    kind = rng.choice(["count", "count", "any", "colour"])
    if kind == "colour":
        for shape in rng.sample(SHAPES, len(SHAPES)):
            found = [colour for colour, other in there if other == shape]
            if len(found) == 1:
                return f"what colour is the {shape} ?", found[0], sorted(COLOURS)
        kind = "count"
    colour, shape = rng.choice(there) if there and rng.random() < 0.6 else (rng.choice(sorted(COLOURS)), rng.choice(SHAPES))
    if kind == "any":
        return f"is there a {colour} {shape} ?", "yes" if (colour, shape) in there else "no", ["yes", "no"]
    count = there.count((colour, shape))
    return f"how many {colour} {shape}s ?", str(count), [str(number) for number in range(max(4, count + 1))]


def description(cells: list) -> tuple[str, str]:
    return "what do you see ?", " ".join(" ".join(cell) if cell else "nothing" for cell in cells)


def conversation(cells: list, rng: random.Random, picture: str, turns: int) -> dict:
    """The last of several turns tells all: what is asked before it must be seen."""
    messages = []
    for turn in range(turns):
        asked, answer = description(cells) if 0 < turn == turns - 1 else question(cells, rng)[:2]
        messages += [{"role": "user", "content": ("<image>" if turn == 0 else "") + asked}, {"role": "assistant", "content": answer}]
    return {"messages": messages, "images": [picture]}


def pair(cells: list, rng: random.Random, picture: str) -> dict:
    asked, answer, answers = question(cells, rng)
    wrong = rng.choice([other for other in answers if other != answer])
    return {"messages": [{"role": "user", "content": "<image>" + asked}], "chosen": {"role": "assistant", "content": answer},
            "rejected": {"role": "assistant", "content": wrong}, "images": [picture]}


def write_data(directory: pathlib.Path):
    (directory / "pictures").mkdir(parents=True, exist_ok=True)
    tags = {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant"}
    info, seen = {}, set()
    for name, count in PICTURES.items():
        rng, rows = random.Random(name), []
        while len(rows) < count:
            cells = random_cells(rng)
            if str(cells) in seen:  # no picture of one set is in another
                continue
            seen.add(str(cells))
            picture = f"pictures/{name}_{len(rows)}.png"
            write_png(directory / picture, render(cells, rng))
            rows.append(pair(cells, rng, picture) if name == "pairs" else conversation(cells, rng, picture, TURNS if name == "train" else 1))
        (directory / f"{name}.json").write_text(json.dumps(rows, indent=1) + "\n")
        columns = {"messages": "messages", "images": "images"} | ({"chosen": "chosen", "rejected": "rejected"} if name == "pairs" else {})
        info[f"shapes_{name}"] = {"file_name": f"{name}.json", "formatting": "sharegpt", "ranking": name == "pairs", "columns": columns, "tags": tags}
    (directory / "dataset_info.json").write_text(json.dumps(info, indent=1) + "\n")


WORDS = ["how", "many", "what", "colour", "is", "the", "there", "a", "yes", "no", "do", "you", "see", "nothing", *COLOURS, *SHAPES, *[shape + "s" for shape in SHAPES]]
SPECIAL = ["<|pad|>", "<|user|>", "<|assistant|>", "<|end|>", "<image>"]
TEMPLATE = """{%- for message in messages -%}
<|{{ message['role'] }}|>
{%- if message['content'] is string %} {{ message['content'] }}{% else -%}
{%- for part in message['content'] %}{% if part['type'] == 'image' %}<image>{% else %} {{ part['text'] }}{% endif %}{% endfor -%}
{%- endif -%}
{%- if message['role'] == 'assistant' %}<|end|>{% endif -%}
{%- endfor -%}
{%- if add_generation_prompt %}<|assistant|>{% endif -%}"""


def byte_characters() -> list[str]:
    """What stands for each byte in a byte-level BPE."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return [chr(byte) for byte in shown] + [chr(256 + i) for i in range(len(hidden))]


def write_tokenizer(directory: pathlib.Path) -> int:
    """Bytes, and each word with the space before it as one token. -> the size of the vocabulary"""
    vocabulary, merges = {word: i for i, word in enumerate(SPECIAL)}, []
    for character in byte_characters():
        vocabulary[character] = len(vocabulary)
    for word in WORDS:
        for end in range(1, len(word) + 1):
            left, right = "\u0120" + word[:end - 1], word[end - 1]
            if left + right not in vocabulary:
                vocabulary[left + right] = len(vocabulary)
                merges.append([left, right])
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    added = [{"id": i, "content": word, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True} for i, word in enumerate(SPECIAL)]
    (directory / "tokenizer.json").write_text(json.dumps(
        {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None, "pre_tokenizer": level, "post_processor": None,
         "decoder": level, "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
                                     "fuse_unk": False, "byte_fallback": False, "vocab": vocabulary, "merges": merges}}, ensure_ascii=False))
    (directory / "tokenizer_config.json").write_text(json.dumps(
        {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "<|pad|>", "eos_token": "<|end|>", "clean_up_tokenization_spaces": False}, indent=1))
    (directory / "chat_template.jinja").write_text(TEMPLATE)
    return len(vocabulary)


def tensors(config: dict) -> dict:
    """The shape of each."""
    text, tower, out = config["text_config"], config["vision_config"], {}

    def linear(name: str, rows: int, columns: int, bias: bool):
        out[name + ".weight"] = [rows, columns]
        if bias:
            out[name + ".bias"] = [rows]

    def norm(name: str, n: int, bias: bool):
        out[name + ".weight"] = [n]
        if bias:
            out[name + ".bias"] = [n]

    n, patch = tower["hidden_size"], tower["patch_size"]
    place = "vision_tower.vision_model."
    out[place + "embeddings.class_embedding"] = [n]
    out[place + "embeddings.patch_embedding.weight"] = [n, 3, patch, patch]
    out[place + "embeddings.position_embedding.weight"] = [(SIDE // patch) ** 2 + 1, n]
    norm(place + "pre_layrnorm", n, True)
    for i in range(tower["num_hidden_layers"]):
        layer = f"{place}encoder.layers.{i}."
        for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
            linear(layer + "self_attn." + part, n, n, True)
        linear(layer + "mlp.fc1", tower["intermediate_size"], n, True)
        linear(layer + "mlp.fc2", n, tower["intermediate_size"], True)
        norm(layer + "layer_norm1", n, True)
        norm(layer + "layer_norm2", n, True)
    norm(place + "post_layernorm", n, True)
    m = text["hidden_size"]
    linear("multi_modal_projector.linear_1", m, n, True)
    linear("multi_modal_projector.linear_2", m, m, True)
    place = "language_model.model."
    out[place + "embed_tokens.weight"] = [text["vocab_size"], m]
    for i in range(text["num_hidden_layers"]):
        layer = f"{place}layers.{i}."
        for part in ("q_proj", "k_proj", "v_proj", "o_proj"):
            linear(layer + "self_attn." + part, m, m, False)
        for part in ("gate_proj", "up_proj"):
            linear(layer + "mlp." + part, text["intermediate_size"], m, False)
        linear(layer + "mlp.down_proj", m, text["intermediate_size"], False)
        norm(layer + "input_layernorm", m, False)
        norm(layer + "post_attention_layernorm", m, False)
    norm(place + "norm", m, False)
    linear("language_model.lm_head", text["vocab_size"], m, False)
    return out


def write_model(directory: pathlib.Path):
    directory.mkdir(parents=True, exist_ok=True)
    config = {
        "architectures": ["LlavaForConditionalGeneration"], "model_type": "llava", "image_token_index": SPECIAL.index("<image>"),
        "projector_hidden_act": "gelu", "vision_feature_layer": -1, "vision_feature_select_strategy": "default", "tie_word_embeddings": False,
        "vision_config": {"model_type": "clip_vision_model", "hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 3, "num_attention_heads": 4,
                          "image_size": SIDE, "patch_size": CELL, "hidden_act": "gelu"},
        "text_config": {"model_type": "llama", "vocab_size": write_tokenizer(directory), "hidden_size": 128, "intermediate_size": 320, "num_hidden_layers": 3,
                        "num_attention_heads": 4, "num_key_value_heads": 4, "max_position_embeddings": 512, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
                        "bos_token_id": None, "eos_token_id": SPECIAL.index("<|end|>"), "tie_word_embeddings": False}}
    (directory / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    (directory / "preprocessor_config.json").write_text(json.dumps(
        {"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": SIDE}, "crop_size": {"height": SIDE, "width": SIDE}, "do_resize": True,
         "do_center_crop": True, "do_normalize": True, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "resample": 3}, indent=1) + "\n")
    rng, header, parts, at = random.Random(1), {}, [], 0
    for name, shape in tensors(config).items():
        count = math.prod(shape)
        if len(shape) == 1 and not name.endswith("class_embedding"):
            values = [1.0 if "norm" in name and name.endswith("weight") else 0.0] * count
        else:
            spread = 0.02 if "embed" in name and len(shape) < 3 else 1 / math.sqrt(count // shape[0])
            values = [rng.gauss(0, spread) for _ in range(count)]
        parts.append(struct.pack(f"<{count}f", *values))
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + 4 * count]}
        at += 4 * count
    text = json.dumps(header | {"__metadata__": {"format": "pt"}}).encode()
    text += b" " * (-len(text) % 8)
    (directory / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + b"".join(parts))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    write_model(pathlib.Path(sys.argv[1]) / "model")
    write_data(pathlib.Path(sys.argv[1]) / "data")
