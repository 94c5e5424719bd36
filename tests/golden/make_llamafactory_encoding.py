"""Golden values of encoding training data: what LLaMA-Factory's own processors (0.9.5, data/processor/*.py) make of examples with the default model's tokenizer.

    HEARTH_DEFAULT_MODEL=... make_llamafactory_encoding.py [DIRECTORY_OF_DATA]     (versions: requirements.txt, and pip install --no-deps llamafactory==0.9.5)

Writes llamafactory/encoding.json: small conversations of our own with their ids and labels, and digests of rows of the data sets in DIRECTORY_OF_DATA (../shared/data,
which is not ours to commit). Templates whose stop words the tokenizer lacks are run with TOKENS behind its vocabulary. Packed examples are without the padding that
LLaMA-Factory puts behind them.
"""

import copy
import datetime
import hashlib
import importlib.machinery
import json
import os
import pathlib
import sys
import types

os.environ.update(DISABLE_VERSION_CHECK="1", HF_HUB_OFFLINE="1")
try:
    import torchaudio  # noqa: F401
except (ImportError, OSError):
    sys.modules["torchaudio"] = types.ModuleType("torchaudio")
    sys.modules["torchaudio"].__spec__ = importlib.machinery.ModuleSpec("torchaudio", None)

import gguf
from llamafactory.data import template as reference
from llamafactory.data import tool_utils
from llamafactory.data.processor import FeedbackDatasetProcessor, PackedSupervisedDatasetProcessor, PairwiseDatasetProcessor, PretrainDatasetProcessor, SupervisedDatasetProcessor
from llamafactory.data.processor.processor_utils import infer_seqlen
from llamafactory.hparams import DataArguments
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import DataCollatorForLanguageModeling, PreTrainedTokenizerFast

OUT = pathlib.Path(__file__).parent / "llamafactory/encoding.json"
NOW = datetime.datetime(2025, 7, 26, 12, 34, 56)
tool_utils.datetime = type("Frozen", (), {"now": staticmethod(lambda: NOW)})

# With the default model's own tokenizer, and with TOKENS behind it.
PLAIN = ["alpaca", "default", "empty", "chatml", "llama2", "mistral", "qwen", "qwen3", "qwen3_nothink", "phi4", "deepseek3", "zephyr", "vicuna", "smollm2", "gpt_oss",
         "granite3", "yi", "falcon", "bailing", "breeze", "cohere", "intern2"]
EXTENDED = ["llama3", "gemma", "gemma2", "glm4", "chatglm3"]
TOKENS = ["<|eot_id|>", "<|eom_id|>", "<|start_header_id|>", "<|end_header_id|>", "<|begin_of_text|>", "<|end_of_text|>", "<start_of_turn>", "<end_of_turn>", "<eos>",
          "[gMASK]", "<sop>", "sop", "<|system|>", "<|user|>", "<|assistant|>", "<|observation|>"]

TOOLS = json.dumps([{"name": "clock", "description": "The time", "parameters": {"type": "object", "properties": {"zone": {"type": "string", "description": "Which"}}, "required": []}}])
CALL = json.dumps({"name": "clock", "arguments": {"zone": "UTC"}})
# (name, system, tools, contents: u)ser, a)ssistant, f)unction, o)bservation
CONVERSATIONS = [
    ("turns", "Be brief.", "", ["u:What is 1 + 1?", "a:It is 2.", "u:And 2 + 2?\n", "a:4, of course.", "u:Thanks", "a:You are welcome!"]),
    ("no system", "", "", ["u:Who are you?", "a:A small model."]),
    ("empty", "", "", ["u:", "a:"]),
    ("tools", "Use tools.", TOOLS, ["u:What time is it?", "f:" + CALL, "o:{\"time\": \"12:34\"}", "a:It is 12:34."]),
    ("ends in a call", "", TOOLS, ["u:Time?", "f:" + CALL]),
    ("thoughts", "", "", ["u:1+1?", "a:<think>\nOne and one\n</think>\n\n2", "u:2+2?", "a:<think>\nTwo twice\n</think>\n\n4"]),
    ("half a thought", "", "", ["u:1+1?", "a:2", "u:2+2?", "a:<think>\nTwo twice\n</think>\n\n4"]),
    ("control tokens", "A <|im_end|> here", "", ["u:Say <|im_start|>user and <|endoftext|>", "a:<|im_end|> said."]),
    ("long", "", "", ["u:" + "one two three " * 8, "a:" + "four five six " * 8, "u:short", "a:" + "seven " * 10]),
]


def gguf_tokenizer(path, more):
    """SmolLM2's published tokenizer (make_default_model.py) with `more` behind it."""
    fields = gguf.GGUFReader(path).fields
    tokens, types_ = fields["tokenizer.ggml.tokens"].contents(), fields["tokenizer.ggml.token_type"].contents()
    merges = [tuple(merge.split(" ")) for merge in fields["tokenizer.ggml.merges"].contents()]
    tokenizer = Tokenizer(models.BPE({token: i for i, token in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(t, normalized=False, special=True) for t in [t for t, kind in zip(tokens, types_) if kind == 3] + more])
    named = {name: tokens[fields[f"tokenizer.ggml.{key}_token_id"].contents()] for name, key in (("bos_token", "bos"), ("eos_token", "eos"), ("pad_token", "padding"))}
    return tokenizer.to_str(), named


class Reference:
    def __init__(self, path):
        self.tokenizers = {"default": gguf_tokenizer(path, []), "extended": gguf_tokenizer(path, TOKENS)}
        self.templates = copy.deepcopy(reference.TEMPLATES)

    def run(self, kind, template, stage, examples, options, special=None):
        """Pairs of ids and labels; `special` replaces named tokens of the tokenizer."""
        reference.TEMPLATES.clear()
        reference.TEMPLATES.update(copy.deepcopy(self.templates))
        options = dict(options)
        split = options.pop("split_special_tokens", False)
        text, named = self.tokenizers[kind]
        tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(text), **{**named, **(special or {})}, split_special_tokens=split)
        size = len(tokenizer)
        arguments = DataArguments(template=template, **options)
        slots = reference.get_template_and_fix_tokenizer(tokenizer, arguments)
        assert len(tokenizer) == size, (template, "adds tokens")
        if arguments.packing is None:  # as the parser does
            arguments.packing = stage == "pt"
        processor_class = PackedSupervisedDatasetProcessor if arguments.packing else SupervisedDatasetProcessor
        processor_class = {"pt": PretrainDatasetProcessor, "dpo": PairwiseDatasetProcessor, "kto": FeedbackDatasetProcessor}.get(stage, processor_class)
        processor = processor_class(template=slots, tokenizer=tokenizer, processor=None, data_args=arguments)
        pairs = []
        for begin in range(0, len(examples), arguments.preprocessing_batch_size):
            batch = examples[begin:begin + arguments.preprocessing_batch_size]
            columns = {key: [example.get(key) for example in batch] for key in ("_prompt", "_response", "_system", "_tools", "_images", "_videos", "_audios")}
            out = processor.preprocess_dataset(columns)
            if stage == "dpo":
                columns = [[out[f"{answer}_{key}"] for answer in ("chosen", "rejected")] for key in ("input_ids", "labels")]
                for chosen, rejected, *labels in zip(*columns[0], *columns[1]):
                    pairs.append([chosen + rejected, labels[0] + labels[1], [len(chosen), len(rejected)]])
                continue
            if stage == "kto":
                for own, labels, kl, kl_labels, tag in zip(*(out[key] for key in ("input_ids", "labels", "kl_input_ids", "kl_labels", "kto_tags"))):
                    pairs.append([own + kl, labels + kl_labels, [len(own), len(kl)], tag])
                continue
            for i, ids in enumerate(out["input_ids"]):
                if stage == "pt":
                    collated = DataCollatorForLanguageModeling(tokenizer, mlm=False)([{"input_ids": ids}])
                    pairs.append([list(ids), collated["labels"][0].tolist(), []])
                    continue
                lengths = []
                if arguments.packing:
                    lengths = pack_lengths(out["position_ids"][i], arguments.cutoff_len + 1)
                    ids = ids[:sum(lengths)]
                pairs.append([list(ids), list(out["labels"][i][:len(ids)]), lengths if len(lengths) > 1 else []])
        return pairs


def pack_lengths(positions, size):
    """Of the examples in a pack: positions begin at 0 in each, and are 0 in every place of the padding (one at least, as packs hold at most size - 1)."""
    starts = [i for i, position in enumerate(positions) if position == 0] + [size]
    lengths = [b - a for a, b in zip(starts, starts[1:])]
    while lengths and lengths[-1] == 1:
        lengths.pop()
    return lengths


def say(contents):
    names = {"u": "user", "a": "assistant", "f": "function", "o": "observation"}
    return [{"role": names[c[0]], "content": c[2:]} for c in contents]


def standard(messages, system="", tools=""):
    return {"_prompt": messages[:-1], "_response": messages[-1:], "_system": system, "_tools": tools}


def with_tag(example, tag):
    nothing = {"role": "assistant", "content": ""}
    return {**example, "_response": example["_response"] + [nothing] if tag else [nothing] + example["_response"]}


def load_data(directory):
    def alpaca(name):
        rows = json.loads((directory / name).read_text())
        return [standard([{"role": "user", "content": "\n".join(t for t in (row["instruction"], row.get("input")) if t)}, {"role": "assistant", "content": row["output"]}])
                for row in rows]

    roles = {"human": "user", "gpt": "assistant", "function_call": "function", "observation": "observation"}
    glaive = [standard([{"role": roles[m["from"]], "content": m["value"]} for m in row["conversations"]], tools=row["tools"])
              for row in json.loads((directory / "glaive_toolcall_en_demo.json").read_text())]
    ranked = []
    for row in json.loads((directory / "dpo_en_demo.json").read_text()):
        system = "".join(m["value"] for m in row["conversations"] if m["from"] == "system")
        prompt = [{"role": roles[m["from"]], "content": m["value"]} for m in row["conversations"] if m["from"] != "system"]
        answers = [{"role": "assistant", "content": row[key]["value"]} for key in ("chosen", "rejected")]
        ranked.append({"_prompt": prompt, "_response": answers, "_system": system, "_tools": ""})
    tagged = []
    for row in json.loads((directory / "kto_en_demo.json").read_text()):
        assert [m["role"] for m in row["messages"]] == ["user", "assistant"] * (len(row["messages"]) // 2)
        tagged.append(with_tag(standard([dict(m) for m in row["messages"]]), row["label"]))
    wiki = [{"_prompt": [{"role": "user", "content": line}], "_response": []} for line in (directory / "wiki_demo.txt").read_text().split("\n") if line]
    return {"alpaca_en_demo": alpaca("alpaca_en_demo.json"), "identity": alpaca("identity.json"), "glaive_toolcall_en_demo": glaive, "dpo_en_demo": ranked, "kto_en_demo": tagged, "wiki_demo": wiki}


def digest(pairs):
    text = "".join(f"{','.join(map(str, ids))};{','.join(map(str, labels))};{','.join(map(str, lengths))}{''.join(f';{t}'.lower() for t in tag)}\n" for ids, labels, lengths, *tag in pairs)
    return hashlib.sha256(text.encode()).hexdigest()


def whole_cases():
    for template in PLAIN + EXTENDED:
        yield template, {}
    for template in ("chatml", "alpaca", "qwen3", "falcon", "glm4"):
        yield template, {"mask_history": True}
        yield template, {"cutoff_len": 24}
        yield template, {"cutoff_len": 30, "mask_history": True}
    for template in ("chatml", "llama2", "qwen3"):
        yield template, {"train_on_prompt": True}
        yield template, {"split_special_tokens": True}
        yield template, {"default_system": "Speak plainly.", "cutoff_len": 100}
        yield template, {"packing": True, "cutoff_len": 150}
        yield template, {"neat_packing": True, "cutoff_len": 90}
    for thinking in (False, None):
        yield "qwen3", {"enable_thinking": thinking}
        yield "qwen3", {"enable_thinking": thinking, "mask_history": True}
    yield "qwen3", {"preserve_thinking": True, "mask_history": True}
    yield "chatml", {"tool_format": "qwen"}


def digest_cases(data):
    """Every template on rows of its own, so that together they see all of the data."""
    variants = [{}, {"cutoff_len": 64}, {"mask_history": True}, {"cutoff_len": 200, "mask_history": True}, {"train_on_prompt": True}, {"cutoff_len": 33, "train_on_prompt": True}]
    efficient = {"gemma2", "glm4", "chatglm3", "gpt_oss", "falcon", "bailing", "breeze"}
    templates = PLAIN + EXTENDED
    for number, template in enumerate(templates):
        for shift, name in enumerate(("alpaca_en_demo", "identity", "glaive_toolcall_en_demo")):
            count = -(-len(data[name]) // len(templates))
            if number * count >= len(data[name]):
                continue
            options = variants[(number + shift) % (4 if template in efficient else len(variants))]
            yield template, name, number * count, min((number + 1) * count, len(data[name])), options
    yield "smollm2", "alpaca_en_demo", 0, len(data["alpaca_en_demo"]), {}
    yield "chatml", "alpaca_en_demo", 0, len(data["alpaca_en_demo"]), {"packing": True, "cutoff_len": 512}
    yield "qwen", "glaive_toolcall_en_demo", 0, len(data["glaive_toolcall_en_demo"]), {"neat_packing": True, "cutoff_len": 1024}
    yield "llama3", "glaive_toolcall_en_demo", 0, 60, {"cutoff_len": 256}


def feedback_cases():
    yield "chatml", {}
    yield "llama2", {"cutoff_len": 40}
    yield "glm4", {"cutoff_len": 24}
    yield "falcon", {}
    yield "qwen3", {"enable_thinking": None}
    yield "qwen3", {"mask_history": True, "default_system": "Speak plainly."}


def pretraining_cases():
    yield "default", {"cutoff_len": 128}, None
    yield "default", {"cutoff_len": 128, "packing": True}, None
    yield "default", {"cutoff_len": 100, "packing": False}, None
    yield "llama3", {"cutoff_len": 1024}, None
    yield "default", {"cutoff_len": 256, "split_special_tokens": True}, None
    yield "default", {"cutoff_len": 128}, {"pad_token": "<|endoftext|>"}


def main():
    directory = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/data")
    run = Reference(os.environ["HEARTH_DEFAULT_MODEL"]).run
    data = load_data(directory)
    own = [standard(say(contents), system, tools) for _, system, tools, contents in CONVERSATIONS]
    kind = {template: "extended" if template in EXTENDED else "default" for template in PLAIN + EXTENDED}
    whole = []
    for template, options in whole_cases():
        whole.append({"template": template, "tokenizer": kind[template], "options": options, "examples": run(kind[template], template, "sft", own, options)})
    for template, options in feedback_cases():
        tagged = [with_tag(example, i % 3 != 1) for i, example in enumerate(own)]
        whole.append({"template": template, "tokenizer": kind[template], "options": options, "stage": "kto", "examples": run(kind[template], template, "kto", tagged, options)})
    digests = []
    for template, name, begin, end, options in digest_cases(data):
        pairs = run(kind[template], template, "sft", data[name][begin:end], options)
        digests.append({"template": template, "tokenizer": kind[template], "data": name, "rows": [begin, end], "options": options, "examples": len(pairs),
                        "sha256": digest(pairs)})
    for template, options, special in pretraining_cases():
        pairs = run(kind[template], template, "pt", data["wiki_demo"], options, special)
        digests.append({"template": template, "tokenizer": kind[template], "data": "wiki_demo", "rows": [0, len(data["wiki_demo"])], "options": options, "stage": "pt",
                        "special": special, "examples": len(pairs), "sha256": digest(pairs)})
    for number, template in enumerate(PLAIN + EXTENDED):
        begin, options = number * 11, [{}, {"cutoff_len": 300}, {"cutoff_len": 90}][number % 3]
        pairs = run(kind[template], template, "dpo", data["dpo_en_demo"][begin:begin + 11], options)
        digests.append({"template": template, "tokenizer": kind[template], "data": "dpo_en_demo", "rows": [begin, begin + 11], "options": options, "stage": "dpo",
                        "examples": len(pairs), "sha256": digest(pairs)})
    feedback = [(template, number * 11, number * 11 + 11, [{}, {"cutoff_len": 300}, {"cutoff_len": 90}][number % 3]) for number, template in enumerate(PLAIN + EXTENDED)]
    for template, begin, end, options in [*feedback, ("smollm2", 0, len(data["kto_en_demo"]), {})]:
        pairs = run(kind[template], template, "kto", data["kto_en_demo"][begin:end], options)
        digests.append({"template": template, "tokenizer": kind[template], "data": "kto_en_demo", "rows": [begin, end], "options": options, "stage": "kto",
                        "examples": len(pairs), "sha256": digest(pairs)})
    seqlen = [[s, t, c, *infer_seqlen(s, t, c)] for s, t, c in
              [(3000, 2000, 1000), (2000, 3000, 1000), (1000, 100, 1000), (100, 1000, 1000), (100, 500, 1000), (500, 100, 1000), (0, 5, 3), (5, 0, 3), (1, 1, 1), (7, 3, 5),
               (10, 20, 29), (333, 667, 999)]]
    value = {"tokens": TOKENS, "infer_seqlen": seqlen, "conversations": [{"name": c[0], **e} for c, e in zip(CONVERSATIONS, own)], "whole": whole, "digests": digests}
    OUT.write_text(json.dumps(value, separators=(",", ":"), ensure_ascii=False) + "\n")
    print(f"{OUT}: {OUT.stat().st_size} bytes, {len(whole)} whole, {len(digests)} digests")


if __name__ == "__main__":
    main()
