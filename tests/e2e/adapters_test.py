"""An adapter in peft's format on the default model: served beside it, in the terminal chat and by LLaMA-Factory's YAML it gives the same answer, another than the model's; one
that does not fit is refused."""

import json
import os
import random
import struct
import subprocess
import sys
import tempfile

from daemon import Daemon, required

LAYERS, HIDDEN, KV, RANK = 30, 576, 192, 4  # of the default model
QUESTION = "Name three colours."


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


def chat(*arguments):
    command = [required("HEARTH_BINARY"), "chat", *arguments, "--set", "temperature=0", "--set", "max_tokens=24"]
    return subprocess.run(command, input=QUESTION + "\n", capture_output=True, text=True, timeout=120)


def served(daemon, model):
    body = {"model": model, "messages": [{"role": "user", "content": QUESTION}], "temperature": 0, "max_tokens": 24}
    return daemon.post("/v1/chat/completions", body)["choices"][0]["message"]["content"].strip()


def main():
    results, model = {}, required("HEARTH_DEFAULT_MODEL")
    with tempfile.TemporaryDirectory() as folder:
        good, bad, job = (os.path.join(folder, name) for name in ("good", "bad", "job.yaml"))
        write_adapter(good)
        write_adapter(bad, hidden=HIDDEN // 2)
        with open(job, "w", encoding="utf-8") as file:
            file.write(f"model_name_or_path: {model}\nadapter_name_or_path: {good}\n")
        with Daemon("--adapter", f"tuned={good}") as daemon:
            base, tuned = served(daemon, "test"), served(daemon, "tuned")
            results["the adapter has its own answer"] = base != tuned and tuned != ""
            results["both its ids answer"] = served(daemon, "test:tuned") == tuned
            results["the model's answer stays"] = served(daemon, "test") == base
            ids = [entry["id"] for entry in json.loads(daemon.get("/v1/models"))["data"]]
            results["it is listed"] = ids == ["test", "tuned"]
            results["it drains"] = daemon.stop() == 0
        results["chat says the same"] = chat("--model", model, "--adapter", good).stdout.strip() == tuned
        results["chat by a YAML says the same"] = chat(job).stdout.strip() == tuned
        results["chat without it says what the model says"] = chat("--model", model).stdout.strip() == base
        refused = chat("--model", model, "--adapter", bad)
        results["one that does not fit is refused"] = refused.returncode == 1 and "adapter does not fit the model" in refused.stderr and refused.stderr.count("\n") == 1
    for name, passed in results.items():
        print("ok  " if passed else "FAIL", name)
    return 0 if all(results.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
