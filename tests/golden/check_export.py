"""Proves that other programs load what `hearth export` writes, and measures its quantisers against llama.cpp's. Not part of CI: it needs their packages.

    check_export.py transformers HEARTH              torch==2.15.0 transformers==5.24.0 peft; tiny models with peft's adapters: log-probabilities as peft's within 1e-3
    check_export.py llama_cpp HEARTH MODEL.gguf TEXT llama-cpp-python==0.3.36 gguf==0.19.0 numpy; each type loads, f32 and f16 continue as HEARTH does,
                                                     and the same tensors have the same types, with weights and perplexity no further from f16's than
                                                     with llama.cpp's own quantiser
    check_export.py llama_cpp_from_hf HEARTH         the same packages; the tiny Hugging Face models become GGUF files of which llama.cpp says what transformers said,
                                                     and tokenizers of published families vocabularies with which it tokenises as they do
"""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest.mock

ROOT = pathlib.Path(__file__).parent
NO_WORSE = 1.001  # times llama.cpp's: by less, sums in another order differ
TYPES = ["f32", "f16", "bf16", "q8_0", "q6_k", "q4_k_m", "q4_1", "q4_0"]


def export(hearth, **keys):
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(json.dumps(keys))
        file.flush()
        subprocess.run([hearth, "export", file.name], check=True, stdout=subprocess.DEVNULL)


def copy_tokenizer(directory):
    for file in ("tokenizer.json", "tokenizer_config.json", "generation_config.json"):
        shutil.copy(ROOT / "tiny_models" / file, directory)


def with_transformers(hearth):
    import torch
    import transformers
    from check_adapter import TINY, tiny_model

    ids = torch.tensor([json.loads((TINY / "cases.json").read_text())["prompts"]["short"]])
    adapters = json.loads((ROOT / "peft_adapters/adapters.json").read_text())
    with tempfile.TemporaryDirectory() as directory:
        base = pathlib.Path(directory) / "base"
        base.mkdir()
        tiny_model("none", base)
        copy_tokenizer(base)
        worst = 0
        for name, expected in adapters.items():
            if expected["base"] != "none":
                continue
            out = pathlib.Path(directory) / name
            export(hearth, model_name_or_path=str(base), adapter_name_or_path=str(ROOT / "peft_adapters" / name), export_dir=str(out), template="alpaca")
            model = transformers.AutoModelForCausalLM.from_pretrained(out)
            transformers.AutoTokenizer.from_pretrained(out).apply_chat_template([{"role": "user", "content": "x"}], tokenize=False)
            with torch.no_grad():
                logprobs = model(ids).logits[0].log_softmax(-1)
            found = [logprobs[i, token].item() for i, token in enumerate(ids[0, 1:].tolist())]
            off = max(abs(a - b) for a, b in zip(found, expected["logprobs"], strict=True))
            worst = max(worst, off)
            print(f"{name:12} {off:.1e} from peft")
        assert worst < 1e-3, worst
        shards(hearth, pathlib.Path(directory), ids)


def shards(hearth, directory, ids):
    """1.2 GB of random weights become files of at most 1 GB."""
    import torch
    import transformers
    from check_adapter import tiny_model

    base, out = directory / "large", directory / "shards"
    base.mkdir()
    tiny_model("none", base)
    copy_tokenizer(base)
    config = transformers.AutoConfig.from_pretrained(base)
    config.hidden_size, config.intermediate_size, config.num_hidden_layers, config.head_dim = 1024, 8192, 11, 1024 // config.num_attention_heads
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    model.save_pretrained(base, max_shard_size="20GB")
    export(hearth, model_name_or_path=str(base), export_dir=str(out), export_size=1)
    files = sorted(out.glob("*.safetensors"))
    assert [file.name for file in files] == ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"], files
    assert max(file.stat().st_size for file in files) < 1.001e9
    with torch.no_grad():
        off = (transformers.AutoModelForCausalLM.from_pretrained(out)(ids).logits - model(ids).logits).abs().max().item()
    print(f"shards       {off:.1e} from the model in one file")
    assert off == 0, off


def weights(path):
    import gguf
    import numpy

    reader = gguf.GGUFReader(path)
    return {t.name: gguf.dequantize(t.data, t.tensor_type).astype(numpy.float64).ravel() for t in reader.tensors}


def root_mean_square(path, exact):
    found = weights(path)
    squares = sum(((found[name] - values) ** 2).sum() for name, values in exact.items())
    return (squares / sum(values.size for values in exact.values())) ** 0.5


def llama_of(path, **options):
    """A model in llama.cpp, its weights as they lie in the file: repacked for AMX, llama-cpp-python 0.3.36 crashes on batches of llama.cpp's own q8_0 files."""
    from llama_cpp import Llama, llama_cpp

    def as_they_lie(defaults=llama_cpp.llama_model_default_params):
        parameters = defaults()
        parameters.use_extra_bufts = False
        return parameters

    with unittest.mock.patch.object(llama_cpp, "llama_model_default_params", as_they_lie):
        return Llama(str(path), verbose=False, n_threads=1, **options)


def perplexity(path, text):
    import numpy

    llama = llama_of(path, n_ctx=512, n_batch=512, logits_all=True)
    ids = llama.tokenize(text.encode(), add_bos=False)[:1536]
    total = count = 0
    for begin in range(0, len(ids) - 511, 512):
        llama.reset()
        llama.eval(ids[begin : begin + 512])
        logits = llama.scores[:512].astype(numpy.float64)
        logits -= logits.max(-1, keepdims=True)
        logprobs = logits - numpy.log(numpy.exp(logits).sum(-1, keepdims=True))
        total += sum(logprobs[i, ids[begin + i + 1]] for i in range(511))
        count += 511
    return float(numpy.exp(-total / count))


def quantized_by_llama_cpp(source, target, number):
    import ctypes

    import llama_cpp

    llama_cpp.llama_backend_init()
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype, parameters.nthread, parameters.pure = number, 2, False
    assert llama_cpp.llama_model_quantize(str(source).encode(), str(target).encode(), ctypes.byref(parameters)) == 0


def continuation(path, prompt):
    return llama_of(path, n_ctx=256).create_completion(prompt, max_tokens=32, temperature=0)["choices"][0]["text"]


def our_continuation(hearth, path, prompt):
    sys.path.insert(0, str(ROOT.parent / "e2e"))
    import os

    os.environ["HEARTH_BINARY"] = hearth
    from daemon import Daemon

    with Daemon("--infer-dtype", "float32", model_path=str(path)) as daemon:
        return daemon.post("/v1/completions", {"model": "test", "prompt": prompt, "max_tokens": 32, "temperature": 0})["choices"][0]["text"]


def with_llama_cpp(hearth, model, text_file):
    text = pathlib.Path(text_file).read_text()
    numbers = {"q8_0": 7, "q6_k": 18, "q4_k_m": 15, "q4_1": 3, "q4_0": 2}
    with tempfile.TemporaryDirectory() as directory:
        folder = pathlib.Path(directory)
        files = {}
        for kind in TYPES:
            source = model if kind in ("f32", "f16") else str(files["f16"])
            export(hearth, model_name_or_path=source, export_dir=str(folder / kind), export_quantization=kind)
            files[kind] = folder / kind / "model.gguf"
        for kind in ("f32", "f16"):
            prompt = "The capital of France is"
            assert continuation(files[kind], prompt) == our_continuation(hearth, files[kind], prompt), kind
            print(f"{kind}: 32 tokens as llama.cpp's", flush=True)
        exact = weights(files["f16"])
        print(f"f16    perplexity {perplexity(files['f16'], text):.4f}", flush=True)
        worse = []
        for kind in TYPES[2:]:
            ours = perplexity(files[kind], text), root_mean_square(files[kind], exact)
            line = f"{kind:6} perplexity {ours[0]:.4f} rmse {ours[1]:.4e}"
            if kind in numbers:
                other = folder / "theirs.gguf"
                quantized_by_llama_cpp(files["f16"], other, numbers[kind])
                theirs = perplexity(other, text), root_mean_square(other, exact)
                line += f" | llama.cpp's {theirs[0]:.4f} {theirs[1]:.4e}"
                if types(files[kind]) != types(other) or any(mine > other * NO_WORSE for mine, other in zip(ours, theirs)):
                    worse.append(line)
            print(line, flush=True)
        assert not worse, worse


# What llama.cpp does not compute as transformers does: windows that GGUF does not hold or that it leaves out, longrope by its context's length, norms of q and k
# in a Cohere of fewer than 64 layers, DeepSeeks without q_lora_rank that are no V2-Lite, and its groups of experts. The converter's own files fare alike.
BEYOND_LLAMA_CPP = {"mistral_window", "phi3", "phi3_longrope", "phi3_longrope_f16", "starcoder2_window", "cohere_qk_norm", "deepseek_v2", "deepseek_v2_heads",
                    "deepseek_v2_groups", "deepseek_v3"}


def tiny_cases():
    cases = [case for part in ("", "architectures/") for case in json.loads((ROOT / f"tiny_models/{part}cases.json").read_text())["cases"]]
    return [case for case in cases if case["weights"] not in (None, "f16")]


def write_tiny(case, directory):
    blobs = [ROOT / "tiny_models/architectures/shared.bin", ROOT / f"tiny_models/{case['weights']}.bin"]
    weights = ROOT / f"tiny_models/{case['weights']}.safetensors"
    parts = case.get("weights_parts", [])
    (directory / "model.safetensors").write_bytes(b"".join(blobs[blob].read_bytes()[at : at + size] for blob, at, size in parts) if parts else weights.read_bytes())
    (directory / "config.json").write_text(json.dumps(case["config"]))
    copy_tokenizer(directory)


def compare_tiny(case, path, ids):
    """The furthest log-probability of the prompt from transformers', and whether the likeliest next tokens are the same."""
    import llama_cpp
    import numpy

    llama = llama_cpp.Llama(str(path), n_ctx=128, n_batch=128, logits_all=True, verbose=False, n_threads=1)

    def logprobs(tokens):
        llama.reset()
        llama.eval(tokens)
        rows = llama.scores[: len(tokens)].astype(numpy.float64)
        rows -= rows.max(-1, keepdims=True)
        return rows - numpy.log(numpy.exp(rows).sum(-1, keepdims=True))

    rows, text = logprobs(ids), list(ids)
    for _ in case["greedy"]:
        text.append(int(logprobs(text)[-1].argmax()))
    return max(abs(rows[i, ids[i + 1]] - value) for i, value in enumerate(case["logprobs"]["short"])), text[len(ids) :] == case["greedy"]


def write_with_tokenizer(tokenizer, directory):
    """A model of zeros around a tokenizer."""
    sys.path.insert(0, str(ROOT.parent / "e2e"))
    from small_adapter import write_safetensors

    file = json.loads((tokenizer / "tokenizer.json").read_text())
    rows = 1 + max([*file["model"]["vocab"].values(), *(token["id"] for token in file["added_tokens"])])
    sizes = {"vocab_size": rows, "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 1, "tie_word_embeddings": True}
    (directory / "config.json").write_text(json.dumps({"architectures": ["LlamaForCausalLM"], "model_type": "llama", **sizes}))
    matrices = [f"self_attn.{part}_proj" for part in "qkvo"] + [f"mlp.{part}_proj" for part in ("gate", "up", "down")]
    tensors = [("model.embed_tokens.weight", [rows, 32])] + [(f"model.layers.0.{name}.weight", [32, 32]) for name in matrices]
    tensors += [(name + ".weight", [32]) for name in ("model.norm", "model.layers.0.input_layernorm", "model.layers.0.post_attention_layernorm")]
    write_safetensors(directory / "model.safetensors", [(name, shape, [0.0] * (shape[0] * (shape[1] if shape[1:] else 1))) for name, shape in tensors])
    for name in tokenizer.glob("*.json"):
        shutil.copy(name, directory)


def compare_tokenizer(path, family):
    """Of the family's strings without added tokens, and that NFC leaves alone (llama.cpp has no normalisation), how many there are and those of which
    llama.cpp gives other ids."""
    import unicodedata

    import llama_cpp

    llama = llama_cpp.Llama(str(path), vocab_only=True, verbose=False)
    texts = json.loads((ROOT / "tokenizers/families/strings.json").read_text())
    lines = (ROOT / f"tokenizers/families/{family}.txt").read_text().split("\n")[1:]
    added = {token["id"] for token in json.loads((ROOT / f"tokenizers/families/{family}/tokenizer.json").read_text())["added_tokens"]}
    compared, other = 0, []
    for text, line in zip(texts, lines):
        ids = [int(id) for id in line.split("|")[0].split()]
        if ids and not added & set(ids) and unicodedata.is_normalized("NFC", text):
            compared += 1
            if llama.tokenize(text.encode(), add_bos=False, special=False) != ids:
                other.append(text)
    return compared, other


def with_llama_cpp_from_hf(hearth):
    ids = json.loads((ROOT / "tiny_models/cases.json").read_text())["prompts"]["short"]
    with tempfile.TemporaryDirectory() as directory:
        folder = pathlib.Path(directory)
        for case in tiny_cases():
            if case["name"] in BEYOND_LLAMA_CPP:
                continue
            base, out = folder / "base", folder / "out"
            shutil.rmtree(base, ignore_errors=True)
            base.mkdir()
            write_tiny(case, base)
            try:
                export(hearth, model_name_or_path=str(base), export_dir=str(out), export_quantization="f32")
            except subprocess.CalledProcessError:
                print(f"{case['name']:20} refused", flush=True)  # and why, by hearth
                continue
            off, same = compare_tiny(case, out / "model.gguf", ids)
            print(f"{case['name']:20} {off:.1e} from transformers, {len(case['greedy'])} tokens {'alike' if same else 'differ'}", flush=True)
            assert off < 2e-2 and same, case["name"]  # llama.cpp holds keys and values in f16
        for family in ("gpt2", "llama3", "qwen2", "deepseek", "deepseek_coder", "falcon", "cohere", "llama2_prepend", "gemma"):
            base, out = folder / family, folder / f"{family}.gguf"
            base.mkdir()
            write_with_tokenizer(ROOT / "tokenizers/families" / family, base)
            export(hearth, model_name_or_path=str(base), export_dir=str(out), export_quantization="f32")
            compared, other = compare_tokenizer(out / "model.gguf", family)
            assert not other, other
            print(f"{family:20} {compared} texts give the same ids", flush=True)


def types(path):
    import gguf

    return {t.name: t.tensor_type.name for t in gguf.GGUFReader(path).tensors}


if __name__ == "__main__":
    {"transformers": with_transformers, "llama_cpp": with_llama_cpp, "llama_cpp_from_hf": with_llama_cpp_from_hf}[sys.argv[1]](*sys.argv[2:])
