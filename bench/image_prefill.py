"""Pictures against transformers: seconds from a picture to the first token, 2 threads each, in turn on the same pictures; prints medians and ratios.

  ./dev bench --images [--towers clip,qwen2_vl] [--rounds 5] [--threads 2] [--python BIN] [--record]

Two checkpoints of random bf16 weights (written once below build/peers), each a tower of full size before a small text model, so that the tower is what takes
the time: LLaVA's CLIP ViT-L/14 at 336 pixels, and Qwen2-VL's tower with a picture of 756 x 756 (2,916 patches). Every request shows another picture, a PNG
file, which both sides decode, resize and cut up. hearth is measured over HTTP as it serves by default; transformers (sdpa, inference_mode) in process, in each
of VARIANTS. The number of cores that each had tells whether other work disturbed it. `difference` is the greatest one of log-probabilities of hearth's 20
likeliest first tokens from those of transformers in f32.
"""

import argparse
import base64
import datetime
import io
import json
import math
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from daemon import Daemon
from peers import ROOT, THREADS, commit, cpu_name, record

HOME = ROOT / "build" / "peers" / "images"
GOLDEN = ROOT / "tests" / "golden"
PACKAGES = ["torch==2.15.0", "torchvision==0.29.2", "transformers==5.24.0", "gguf==0.19.0", "pillow==13.0.0"]
HEADER = "| date | CPU, 2 threads | commit | tower | engine | seconds | hearth's ratio | difference |"
VARIANTS = {"transformers f32": "float32", "transformers bf16": "bfloat16"}
TEMPLATE = "{%% for message in messages %%}{%% for part in message['content'] %%}{{ %r if part['type'] == 'image' else part['text'] }}{%% endfor %%}{%% endfor %%}"
QUESTION = " the cat sat on the"
LIKELIEST = 20


def towers():
    """name: (config, image processor, processor of text and pictures, the text that stands for a picture, its size)"""
    import make_vision as golden
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
    from transformers.models.llava.processing_llava import LlavaProcessor
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
    from transformers.models.qwen2_vl.processing_qwen2_vl import Qwen2VLProcessor
    from transformers.models.qwen2_vl.video_processing_qwen2_vl import Qwen2VLVideoProcessor

    small = {"hidden_size": 256, "intermediate_size": 512, "num_attention_heads": 4, "num_key_value_heads": 4, "max_position_embeddings": 4096}
    clip = {"model_type": "clip_vision_model", "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16, "image_size": 336,
            "patch_size": 14, "hidden_act": "quick_gelu", "projection_dim": 768}
    qwen = {"depth": 32, "embed_dim": 1280, "hidden_size": 256, "mlp_ratio": 4, "num_heads": 16, "patch_size": 14, "spatial_merge_size": 2,
            "temporal_patch_size": 2, "hidden_act": "quick_gelu"}
    rope = {"rope_scaling": {"type": "mrope", "mrope_section": [8, 12, 12]}}
    return {
        "clip": (golden.LLAVA | {"vision_config": clip, "text_config": golden.LLAMA | small}, CLIPImageProcessorPil(size={"shortest_edge": 336}, crop_size=336),
                 lambda images, tokenizer: LlavaProcessor(images, tokenizer, patch_size=14, vision_feature_select_strategy="default", num_additional_image_tokens=1),
                 "<image>", (336, 336)),
        "qwen2_vl": (golden.QWEN2_VL | small | rope | {"vision_config": qwen}, Qwen2VLImageProcessorPil(),
                     lambda images, tokenizer: Qwen2VLProcessor(images, tokenizer, video_processor=Qwen2VLVideoProcessor()),
                     "<|vision_start|><|image_pad|><|vision_end|>", (756, 756)),
    }


def make_checkpoint(folder, config, images, placeholder):
    import make_vision as golden
    import tiny
    import torch

    if (folder / "model.safetensors").exists():
        return
    model = golden.new_model(config)
    golden.randomise(model, 1)
    with torch.no_grad():  # so that no answer is a token without a text
        model.get_output_embeddings().weight[[*range(len(tiny.SPECIAL)), *range(tiny.VOCABULARY, golden.VOCABULARY)]] = 0
    folder.mkdir(parents=True, exist_ok=True)
    model.to(torch.bfloat16).save_pretrained(folder)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "preprocessor_config.json").write_text(images.to_json_string())
    (folder / "chat_template.jinja").write_text(TEMPLATE % placeholder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(GOLDEN / "vision" / name, folder)


def picture(size, number):
    """A PNG file."""
    import numpy
    from PIL import Image

    dice = numpy.random.default_rng(number)
    coarse = Image.fromarray(dice.integers(0, 256, (12, 12, 3), dtype=numpy.uint8)).resize(size, Image.Resampling.BICUBIC)
    noisy = numpy.clip(numpy.asarray(coarse) + dice.normal(0, 12, (size[1], size[0], 3)), 0, 255).astype(numpy.uint8)
    file = io.BytesIO()
    Image.fromarray(noisy).save(file, "PNG")
    return file.getvalue()


def cpu_seconds(process):
    fields = pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Clock:
    """Seconds that have passed, and on how many cores `process` has worked meanwhile."""

    def __init__(self, process):
        self.process, self.cpu, self.begin = process, cpu_seconds(process), time.perf_counter()

    def stop(self):
        self.seconds = time.perf_counter() - self.begin
        self.cores = (cpu_seconds(self.process) - self.cpu) / self.seconds
        return self


def ask_hearth(daemon, png):
    """a stopped clock, {bytes of a token: log-probability}, tokens of the prompt"""
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + base64.b64encode(png).decode()}}
    body = {"model": "smollm2", "messages": [{"role": "user", "content": [image, {"type": "text", "text": QUESTION}]}], "max_tokens": 1, "temperature": 0,
            "ignore_eos": True, "logprobs": True, "top_logprobs": LIKELIEST}
    clock = Clock(daemon.process.pid)
    reply = daemon.call("/chat/completions", body)
    clock.stop()
    (first,) = reply["choices"][0]["logprobs"]["content"]
    return clock, {bytes(one["bytes"] or []): one["logprob"] for one in first["top_logprobs"]}, reply["usage"]["prompt_tokens"]


def ask_peer(model, processor, text, png):
    """a stopped clock, log-probabilities of all tokens, tokens of the prompt"""
    import torch
    from PIL import Image

    clock = Clock(os.getpid())
    with torch.inference_mode():
        inputs = processor(images=[Image.open(io.BytesIO(png)).convert("RGB")], text=text, return_tensors="pt")
        inputs["pixel_values"] = inputs["pixel_values"].to(model.dtype)
        logits = model(**inputs, logits_to_keep=1).logits[0, -1]
    return clock.stop(), logits.double().log_softmax(-1).tolist(), inputs["input_ids"].shape[1]


def texts_of_tokens(tokenizer):
    """[bytes of each token], of special ones those of its name"""
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    values = {letter: byte for byte, letter in bytes_to_unicode().items()}
    return [bytes(values[letter] for letter in token) for token in tokenizer.convert_ids_to_tokens(range(len(tokenizer)))]


def measure(tower, options):
    """{engine: (median of seconds, greatest difference of log-probabilities)}"""
    import torch
    from transformers import AutoModelForImageTextToText, PreTrainedTokenizerFast

    config, images, kind, placeholder, size = towers()[tower]
    folder = HOME / tower
    make_checkpoint(folder, config, images, placeholder)
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
    texts, processor = texts_of_tokens(tokenizer), kind(images, tokenizer)
    peers = {name: AutoModelForImageTextToText.from_pretrained(folder, dtype=getattr(torch, dtype), attn_implementation="sdpa").eval()
             for name, dtype in VARIANTS.items()}
    samples = {name: [] for name in ["hearth", *peers]}
    differences = dict.fromkeys(samples, 0.0)
    with tempfile.TemporaryDirectory() as state:
        daemon = Daemon(options.hearth, folder, state)
        try:
            for number in range(options.rounds + 1):  # the first warms up
                png = picture(size, number)
                clock, likeliest, length = ask_hearth(daemon, png)
                answers = {name: ask_peer(model, processor, placeholder + QUESTION, png) for name, model in peers.items()}
                assert all(answer[2] == length for answer in answers.values()), (length, {name: answer[2] for name, answer in answers.items()})
                exact = answers["transformers f32"][1]
                known = {name: dict(zip(texts, answer[1])) for name, answer in answers.items()} | {"hearth": likeliest}
                for name, values in known.items():
                    difference = max(abs(values[text] - dict(zip(texts, exact))[text]) for text in likeliest)
                    differences[name] = max(differences[name], difference)
                if number > 0:
                    clocks = {"hearth": clock, **{name: answer[0] for name, answer in answers.items()}}
                    for name, one in clocks.items():
                        samples[name].append(one.seconds)
                    print(f"{tower}, {length} tokens, round {number}: " + ", ".join(f"{name} {one.seconds:.2f} s on {one.cores:.2f} cores" for name, one in clocks.items()),
                          file=sys.stderr, flush=True)
        finally:
            daemon.process.terminate()
            daemon.process.wait()
    spread = max(exact) - statistics.median(exact)
    assert math.isfinite(spread) and differences["hearth"] < 0.1 * spread, (differences, spread)  # else not the same was computed
    return {name: (statistics.median(values), differences[name]) for name, values in samples.items()}


def peer_python():
    home = HOME / "venv"
    if not (home / "done").exists():
        print(f"installing {', '.join(PACKAGES)} into {home}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", home], check=True)
        subprocess.run([home / "bin/pip", "install", "--quiet", *PACKAGES], check=True)
        (home / "done").touch()
    return str(home / "bin/python")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--hearth", required=True)
    parser.add_argument("--towers", default="clip,qwen2_vl")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=THREADS, help="1 where other work has the other core")
    parser.add_argument("--python", help="an interpreter that has " + ", ".join(PACKAGES))
    parser.add_argument("--record", action="store_true", help="append the rows to bench/RESULTS.md")
    parser.add_argument("--run", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.record and options.threads != THREADS:
        parser.error(f"the table is of {THREADS} threads")
    if not options.run:
        os.environ["OMP_NUM_THREADS"] = str(options.threads)
        python = options.python or peer_python()
        os.execv(python, [python, __file__, *sys.argv[1:], "--run"])
    sys.path.insert(0, str(GOLDEN))
    lines = []
    for tower in options.towers.split(","):
        measured = measure(tower, options)
        for name, (seconds, difference) in measured.items():
            ratio = seconds / measured["hearth"][0]
            lines.append(f"| {datetime.date.today()} | {cpu_name()} | {commit()} | {tower} | {name} | {seconds:.3f} | {ratio:.2f} | {difference:.4f} |")
    print("\n".join([HEADER, "|---|---|---|---|---|---|---|---|", *lines]))
    if options.record:
        record(HEADER, lines)


if __name__ == "__main__":
    main()
