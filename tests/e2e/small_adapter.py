"""A LoRA adapter of random weights for the default model, in peft's format."""

import json
import os
import random
import struct

LAYERS, HIDDEN, KV, RANK = 30, 576, 192, 4  # of the default model


def write_safetensors(path, tensors):
    """[(name, shape, values)] in f32: the header's length, the header, the tensors."""
    header, data = {}, b""
    for name, shape, values in tensors:
        packed = struct.pack(f"<{len(values)}f", *values)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(packed)]}
        data += packed
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def write_adapter(folder, hidden=HIDDEN):
    """adapter_config.json and adapter_model.safetensors."""
    os.makedirs(folder)
    with open(os.path.join(folder, "adapter_config.json"), "w", encoding="utf-8") as file:
        json.dump({"peft_type": "LORA", "r": RANK, "lora_alpha": 2 * RANK, "target_modules": ["v_proj"], "base_model_name_or_path": "smollm2"}, file)
    numbers, tensors = random.Random(1), []
    for layer in range(LAYERS):
        for factor, shape in (("A", [RANK, hidden]), ("B", [KV, RANK])):
            values = [numbers.gauss(0, 0.05) for _ in range(shape[0] * shape[1])]
            tensors.append((f"base_model.model.model.layers.{layer}.self_attn.v_proj.lora_{factor}.weight", shape, values))
    write_safetensors(os.path.join(folder, "adapter_model.safetensors"), tensors)
