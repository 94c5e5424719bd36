"""Tiny random models that see, and what transformers makes of pictures and text with them in f32. Versions: requirements.txt.

Writes vision/: tokenizer.json and tokenizer_config.json, tokenizer_idefics.json with the tokens of Idefics, a safetensors file for each case (bf16), and
cases.json: {"pictures": {name: a PNG file in base64}, "cases": [{"name", "config" (config.json), "preprocessor" (preprocessor_config.json), "tokenizer",
"weights", "runs": [{"pictures": names, "text": the prompt as a template makes it, "ids": that as tokens with a placeholder for each picture, "expanded":
what transformers' processor makes of it, "logprobs": [log p(expanded[i + 1] | expanded[..i])], "greedy": the continuation}]}]}. Files have transformers 4's
names of tensors, which 5 writes; "new_names" is a case with those of 5's modules. "torch": the same weights as pytorch_model.bin in two shards.
"""

import base64
import io
import json
import math
import pathlib
import re

import numpy
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForImageTextToText, PreTrainedTokenizerFast
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.idefics2.image_processing_pil_idefics2 import Idefics2ImageProcessorPil
from transformers.models.idefics2.processing_idefics2 import Idefics2Processor
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil
from transformers.models.idefics3.processing_idefics3 import Idefics3Processor
from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil
from transformers.models.llava.processing_llava import LlavaProcessor
from transformers.models.llava_next.image_processing_pil_llava_next import LlavaNextImageProcessorPil
from transformers.models.llava_next.processing_llava_next import LlavaNextProcessor
from transformers.models.qwen2_5_vl.processing_qwen2_5_vl import Qwen2_5_VLProcessor
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
from transformers.models.qwen2_vl.processing_qwen2_vl import Qwen2VLProcessor
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil
from transformers.models.smolvlm.image_processing_pil_smolvlm import SmolVLMImageProcessorPil

from transformers.models.qwen2_vl.video_processing_qwen2_vl import Qwen2VLVideoProcessor

import tiny

OUT = pathlib.Path(__file__).parent / "vision"
SIZES = {"landscape": (45, 31), "portrait": (20, 64), "panorama": (150, 17), "square": (30, 30)}
TOKENS = ["<image>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]
VOCABULARY = tiny.VOCABULARY + len(TOKENS)
IMAGE = tiny.VOCABULARY  # <image>
PAD = tiny.VOCABULARY + 3  # <|image_pad|>

TEXT = {"vocab_size": VOCABULARY, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
        "max_position_embeddings": 1024, "rms_norm_eps": 1e-5, "tie_word_embeddings": False, "bos_token_id": 1, "eos_token_id": 2}
LLAMA, MISTRAL, QWEN2 = (TEXT | {"model_type": kind} for kind in ("llama", "mistral", "qwen2"))
MISTRAL["sliding_window"] = None
TOWER = {"hidden_size": 32, "intermediate_size": 40, "num_hidden_layers": 3, "num_attention_heads": 2, "image_size": 30, "patch_size": 6}
CLIP = TOWER | {"model_type": "clip_vision_model", "hidden_act": "quick_gelu", "projection_dim": 16}
SIGLIP = TOWER | {"model_type": "siglip_vision_model", "hidden_act": "gelu_pytorch_tanh"}
LLAVA = {"model_type": "llava", "architectures": ["LlavaForConditionalGeneration"], "vision_config": CLIP, "text_config": LLAMA, "image_token_index": IMAGE,
         "projector_hidden_act": "gelu", "vision_feature_layer": -2, "vision_feature_select_strategy": "default", "tie_word_embeddings": False}
PINPOINTS = [[30, 60], [60, 30], [60, 60], [90, 30], [30, 90]]
LLAVA_NEXT = LLAVA | {"model_type": "llava_next", "architectures": ["LlavaNextForConditionalGeneration"], "text_config": MISTRAL,
                      "image_grid_pinpoints": PINPOINTS}
# Heads of 16 dimensions, half of which turn by time, row and column.
QWEN_TEXT = TEXT | {"hidden_size": 64, "num_hidden_layers": 2, "rms_norm_eps": 1e-6, "rope_theta": 10000.0, "use_sliding_window": False,
                    "rope_scaling": {"type": "mrope", "mrope_section": [2, 3, 3]}}
QWEN_TOKENS = {"image_token_id": PAD, "video_token_id": PAD + 1, "vision_start_token_id": IMAGE + 1, "vision_end_token_id": IMAGE + 2}
QWEN2_VL = QWEN_TEXT | QWEN_TOKENS | {
    "model_type": "qwen2_vl", "architectures": ["Qwen2VLForConditionalGeneration"],
    "vision_config": {"depth": 2, "embed_dim": 32, "hidden_size": 64, "mlp_ratio": 2, "num_heads": 2, "patch_size": 4, "spatial_merge_size": 2,
                      "temporal_patch_size": 2, "hidden_act": "quick_gelu"}}
QWEN2_5_VL = QWEN_TOKENS | {
    "model_type": "qwen2_5_vl", "architectures": ["Qwen2_5_VLForConditionalGeneration"], "text_config": QWEN_TEXT | {"model_type": "qwen2_5_vl_text"},
    "tie_word_embeddings": True,
    "vision_config": {"depth": 3, "hidden_size": 32, "out_hidden_size": 64, "intermediate_size": 44, "num_heads": 2, "patch_size": 4,
                      "spatial_merge_size": 2, "temporal_patch_size": 2, "hidden_act": "silu", "window_size": 16, "fullatt_block_indexes": [1]}}
# Some rows and columns have tokens, others are text.
IDEFICS_TOKENS = ["<image>", "<fake_token_around_image>", "<end_of_utterance>", "<global-img>", "<row_1_col_1>", "<row_1_col_2>"]
IDEFICS_TEXT = TEXT | {"vocab_size": tiny.VOCABULARY + len(IDEFICS_TOKENS)}
IDEFICS_TOWER = TOWER | {"image_size": 24, "hidden_act": "gelu_pytorch_tanh"}
IDEFICS3 = {"model_type": "idefics3", "architectures": ["Idefics3ForConditionalGeneration"], "text_config": IDEFICS_TEXT | {"model_type": "llama"},
            "vision_config": IDEFICS_TOWER | {"model_type": "idefics3_vision"}, "image_token_id": IMAGE, "scale_factor": 2, "tie_word_embeddings": False}
SMOLVLM = IDEFICS3 | {"model_type": "smolvlm", "architectures": ["SmolVLMForConditionalGeneration"], "tie_word_embeddings": True,
                      "vision_config": IDEFICS_TOWER | {"model_type": "smolvlm_vision"}}

IDEFICS2 = {"model_type": "idefics2", "architectures": ["Idefics2ForConditionalGeneration"],
            "text_config": IDEFICS_TEXT | {"model_type": "mistral", "sliding_window": None}, "vision_config": IDEFICS_TOWER | {"model_type": "idefics2_vision"},
            "perceiver_config": {"model_type": "idefics2_perceiver", "hidden_size": 32, "rms_norm_eps": 1e-4, "resampler_n_latents": 4, "resampler_depth": 2,
                                 "resampler_n_heads": 4, "resampler_head_dim": 8, "num_key_value_heads": 2},
            "image_token_id": IMAGE, "tie_word_embeddings": False}


def clip_processor():
    return CLIPImageProcessorPil(size={"shortest_edge": 30}, crop_size={"height": 30, "width": 30})


def llava_pad_processor():
    return LlavaImageProcessorPil(size={"shortest_edge": 30}, crop_size={"height": 30, "width": 30}, do_pad=True)


def siglip_processor():
    return SiglipImageProcessorPil(size={"height": 30, "width": 30})


def llava_next_processor():
    return LlavaNextImageProcessorPil(size={"shortest_edge": 30}, crop_size={"height": 30, "width": 30}, image_grid_pinpoints=PINPOINTS)


def qwen_processor():
    return Qwen2VLImageProcessorPil(patch_size=4, merge_size=2, temporal_patch_size=2, size={"shortest_edge": 256, "longest_edge": 2048})


def idefics3_processor():
    return Idefics3ImageProcessorPil(size={"longest_edge": 48}, max_image_size={"longest_edge": 24})


def idefics2_processor():
    return Idefics2ImageProcessorPil(size={"shortest_edge": 12, "longest_edge": 40})


def idefics2_split_processor():
    return Idefics2ImageProcessorPil(size={"shortest_edge": 12, "longest_edge": 20}, do_image_splitting=True)


def smolvlm_processor():
    return SmolVLMImageProcessorPil(size={"longest_edge": 48}, max_image_size={"longest_edge": 24}, do_image_splitting=False)


# name: (config, image processor, processor of text and pictures, seed)
CASES = {
    "llava": (LLAVA, clip_processor, LlavaProcessor, 1),
    "llava_pad": (LLAVA, llava_pad_processor, LlavaProcessor, 11),
    "llava_siglip": (LLAVA | {"vision_config": SIGLIP, "text_config": QWEN2, "vision_feature_select_strategy": "full", "multimodal_projector_bias": False},
                     siglip_processor, LlavaProcessor, 2),
    "new_names": (LLAVA | {"text_config": MISTRAL}, clip_processor, LlavaProcessor, 3),
    "qwen2_vl": (QWEN2_VL, qwen_processor, Qwen2VLProcessor, 5),
    "qwen2_5_vl": (QWEN2_5_VL, qwen_processor, Qwen2_5_VLProcessor, 6),
    "llava_next": (LLAVA_NEXT, llava_next_processor, LlavaNextProcessor, 4),
    "idefics3": (IDEFICS3, idefics3_processor, Idefics3Processor, 7),
    # Its own processor, for films too, takes a package more; what it does with pictures is Idefics3's.
    "smolvlm": (SMOLVLM, smolvlm_processor, Idefics3Processor, 8),
    "idefics2": (IDEFICS2, idefics2_processor, Idefics2Processor, 9),
    # Its resampler goes by the text model where their widths differ.
    "idefics2_split": (IDEFICS2 | {"perceiver_config": IDEFICS2["perceiver_config"] | {"hidden_size": 4096}}, idefics2_split_processor, Idefics2Processor, 10),
}
IDEFICS_PROCESSORS = (Idefics2Processor, Idefics3Processor)
DEEP = ("idefics2",)  # so deep that f32 is too little for the weights of the others
PROMPTS = [(["landscape"], "the cat <image>\nsat on the mat"), (["portrait", "panorama", "square"], "<image><image> and then <image> the rain came"), ([], "the dog")]
# A word gets a space between it and the picture before it: "ids" have it.
IDEFICS2_PROMPTS = [(["landscape"], "the cat <image>sat"), (["portrait", "panorama", "square"], "<image><image>and then <image>\nthe rain came"), PROMPTS[2]]


def picture(name: str) -> Image.Image:
    width, height = SIZES[name]
    rng = numpy.random.default_rng(len(name))
    waves = numpy.sin(numpy.arange(width)[None, :, None] / rng.uniform(2, 9, 3)) + numpy.cos(numpy.arange(height)[:, None, None] / rng.uniform(2, 9, 3))
    return Image.fromarray(numpy.clip(127 + 50 * waves + rng.normal(0, 12, (height, width, 3)), 0, 255).astype(numpy.uint8))


def make_tokenizer(name: str, tokens: list[str]) -> PreTrainedTokenizerFast:
    tokenizer = tiny.make_tokenizer()
    tokenizer.add_special_tokens(tokens)
    tokenizer.save(str(OUT / f"{name}.json"))
    (OUT / "tokenizer_config.json").write_text(json.dumps(
        {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": tiny.SPECIAL[1], "eos_token": tiny.SPECIAL[2], "add_bos_token": False,
         "clean_up_tokenization_spaces": False}, indent=1) + "\n")
    return PreTrainedTokenizerFast(tokenizer_file=str(OUT / f"{name}.json"), bos_token=tiny.SPECIAL[1], eos_token=tiny.SPECIAL[2])


def new_model(config: dict):
    config = json.loads(json.dumps(config))
    return AutoModelForImageTextToText.from_config(AutoConfig.for_model(config.pop("model_type"), **config), attn_implementation="eager").float().eval()


def randomise(model, seed: int):
    torch.manual_seed(seed)
    gain = 1.0 if model.config.model_type in DEEP else 2.0
    with torch.no_grad():
        for name, value in model.named_parameters():
            if "norm" in name and name.endswith("weight"):
                value.copy_(1 + 0.2 * torch.randn(value.shape))
            elif value.dim() == 1:
                value.copy_(0.2 * torch.randn(value.shape))
            else:
                value.copy_(torch.randn(value.shape) * (0.25 if "embed" in name and value.dim() == 2 else gain / math.sqrt(value[0].numel())))
            value.copy_(value.bfloat16().float())


def make_processor(config: dict, images, kind, tokenizer):
    if config["model_type"].startswith("qwen"):
        # It takes the Qwen tokenizer's attributes; its placeholder stands between marks.
        return kind(images, tokenizer, video_processor=Qwen2VLVideoProcessor())
    if kind in IDEFICS_PROCESSORS:
        return kind(images, tokenizer, image_seq_len=4)
    has_class = config["vision_config"]["model_type"] == "clip_vision_model"
    return kind(images, tokenizer, patch_size=6, vision_feature_select_strategy=config["vision_feature_select_strategy"],
                num_additional_image_tokens=int(has_class))


def run(model, processor, tokenizer, pictures: list[str], text: str) -> dict:
    is_qwen = model.config.model_type.startswith("qwen")
    if is_qwen:
        text = text.replace("<image>", "<|vision_start|><|image_pad|><|vision_end|>")
    inputs = processor(images=[picture(name) for name in pictures] or None, text=text, return_tensors="pt")
    extra = {key: value for key, value in inputs.items() if key not in ("input_ids", "attention_mask", "mm_token_type_ids")}
    types = inputs["mm_token_type_ids"] if is_qwen and pictures else None
    ids = inputs["input_ids"][0].tolist()
    prompt = re.sub(r"<image>(?=[^\s<])", "<image> ", text) if model.config.model_type == "idefics2" else text

    def rows(tokens: list[int], extra: dict = extra) -> torch.Tensor:
        with torch.no_grad():
            if types is not None:
                model.model.rope_deltas = None
                extra["mm_token_type_ids"] = torch.nn.functional.pad(types, (0, len(tokens) - types.shape[1]))
            return model(input_ids=torch.tensor([tokens]), use_cache=False, **extra).logits[0]

    logprobs, greedy = tiny.logprobs(rows(ids), ids), list(ids)
    if model.config.model_type in DEEP:
        model.double()
        precise = tiny.logprobs(rows(ids, {key: value.double() if value.is_floating_point() else value for key, value in extra.items()}), ids)
        model.float()
        if (error := max((abs(a - b) for a, b in zip(logprobs, precise)), default=0)) > tiny.PRECISE:
            raise tiny.Unclear(f"f32 is {error:.1g} away from f64")
    for _ in range(tiny.GREEDY):
        (best, second), (token, _) = (found.tolist() for found in rows(greedy)[-1].topk(2))
        if best - second < tiny.CLEAR:
            raise tiny.Unclear(f"the next token hangs on {best - second:.1g}")
        greedy.append(token)
    return {"pictures": pictures, "text": text, "ids": tokenizer.encode(prompt), "expanded": ids, "logprobs": [round(value, 6) for value in logprobs],
            "greedy": greedy[len(ids):]}


def save(model, name: str):
    if name == "new_names":
        save_file({key: value.bfloat16() for key, value in model.state_dict().items()}, OUT / f"{name}.safetensors", metadata={"format": "pt"})
        return
    model.bfloat16().save_pretrained(OUT / "saved")
    (OUT / "saved/model.safetensors").rename(OUT / f"{name}.safetensors")
    for file in (OUT / "saved").iterdir():
        file.unlink()
    (OUT / "saved").rmdir()
    model.float()


def save_as_torch(name: str):
    weights = load_file(OUT / f"{name}.safetensors")
    names = sorted(weights)
    shards = {"pytorch_model-00001-of-00002.bin": names[::2], "pytorch_model-00002-of-00002.bin": names[1::2]}
    for shard, part in shards.items():
        torch.save({key: weights[key] for key in part}, OUT / shard)
    (OUT / "pytorch_model.bin.index.json").write_text(json.dumps(
        {"metadata": {"total_size": 0}, "weight_map": {key: shard for shard, part in shards.items() for key in part}}, indent=1) + "\n")


def main():
    OUT.mkdir(exist_ok=True)
    for old in OUT.iterdir():
        old.unlink()
    tokenizers = {name: make_tokenizer(name, tokens) for name, tokens in (("tokenizer", TOKENS), ("tokenizer_idefics", IDEFICS_TOKENS))}
    pictures = {}
    for name in SIZES:
        file = io.BytesIO()
        picture(name).save(file, "PNG")
        pictures[name] = base64.b64encode(file.getvalue()).decode()
    cases = []
    for name, (config, image_processor, kind, seed) in CASES.items():
        model, images = new_model(config), image_processor()
        file = "tokenizer_idefics" if kind in IDEFICS_PROCESSORS else "tokenizer"
        tokenizer = tokenizers[file]
        processor = make_processor(config, images, kind, tokenizer)
        while True:
            randomise(model, seed)
            try:
                runs = [run(model, processor, tokenizer, *prompt) for prompt in (IDEFICS2_PROMPTS if kind is Idefics2Processor else PROMPTS)]
                break
            except tiny.Unclear as unclear:
                print(name, seed, unclear)
                seed += 100
        save(model, name)
        cases.append({"name": name, "config": config, "preprocessor": json.loads(images.to_json_string()), "tokenizer": file,
                      "weights": name, "runs": runs})
        print(name, [(len(one["expanded"]), round(sum(one["logprobs"]) / len(one["logprobs"]), 3)) for one in runs])
    save_as_torch("llava")
    (OUT / "cases.json").write_text('{"pictures": ' + json.dumps(pictures) + ',\n "cases": [\n' + ",\n".join(json.dumps(case) for case in cases) + "\n]}\n")


if __name__ == "__main__":
    main()
