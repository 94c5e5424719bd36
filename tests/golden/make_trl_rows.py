"""Golden values of TRL's preference rows: what TRL 1.16 takes for prompt and answers, and their ids through chat templates.

    make_trl_rows.py          (from the root of the repository; versions: requirements.txt)

Writes trl/: rows of every preference type with a dataset_info.json; rows.json, per dataset [system, prompt, chosen, rejected] of each row as extract_prompt leaves it;
ids.json, per tokenizer and template and dataset the prompt's, the chosen and the rejected ids of each row as DPOTrainer prepares them.
"""

import datetime
import json
import os
import pathlib
import types

os.environ.update(HF_HUB_OFFLINE="1", TZ="UTC")

from transformers import PreTrainedTokenizerFast
from transformers.utils import chat_template_utils
from trl import DPOTrainer
from trl.data_utils import maybe_extract_prompt

GOLDEN = pathlib.Path("tests/golden")
OUT = GOLDEN / "trl"
NOW = datetime.datetime(2025, 7, 26, 12, 34, 56)
chat_template_utils.datetime = type("Frozen", (datetime.datetime,), {"now": classmethod(lambda cls: NOW)})


def say(*turns):
    names = {"s": "system", "u": "user", "a": "assistant", "t": "tool"}
    return [{"role": names[turn[0]], "content": turn[2:]} for turn in turns]


TOOLS = [{"type": "function", "function": {"name": "clock", "description": "The time", "parameters": {"type": "object", "properties": {"zone": {"type": "string"}}}}}]
CALL = {"role": "assistant", "tool_calls": [{"type": "function", "function": {"name": "clock", "arguments": {"zone": "UTC"}}}]}
talk = [
    {"prompt": say("u:What colour is the sky?"), "chosen": say("a:It is blue."), "rejected": say("a:It is green.")},
    {"prompt": say("s:Be brief.", "u:1 + 1?", "a:2", "u:And 2 + 2?\n"), "chosen": say("a:4 – of course"), "rejected": say("a:5")},
]
implicit = [{"chosen": row["prompt"] + row["chosen"], "rejected": row["prompt"] + row["rejected"]} for row in talk] + [
    {"chosen": say("u:Hi", "a:Hello"), "rejected": say("u:Hi", "a:Hello")}]
tools = [{"prompt": [*say("s:Use tools.", "u:Time?"), CALL, *say("t:12:34")], "chosen": say("a:12:34."), "rejected": say("a:Noon"), "tools": TOOLS}]
texts = [{"prompt": "The sky is", "chosen": " blue.", "rejected": " green."}, {"prompt": "", "chosen": "ü", "rejected": "ö"}]
TEXTS = [("The sky is blue.", "The sky is green."), ("a b", "a c"), ("a  b", "a  c"), ("Grüße", "Grüse"), ("naïve", "naîve"), ("same", "same"), ("ü", "üü"), ("x", "y"), ("one 日本", "one 日")]
implicit_texts = [{"chosen": chosen, "rejected": rejected} for chosen, rejected in TEXTS]
DATASETS = {"talk": talk, "implicit": implicit, "tools": tools, "texts": texts, "implicit_texts": implicit_texts}
# Regular enough for LLaMA-Factory's slots.
PLAIN = ("{{ bos_token }}{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}"
         "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}")
CASES = [("llama3", style, names) for style, names in (("chatml", ("talk", "implicit")), ("llama3_tools", ("talk", "implicit", "tools")), ("hermes_tools", ("talk", "tools")))]
CASES += [("llama2", "mistral_instruct", ("talk", "implicit")), ("llama2", "gemma", ("talk", "implicit")), ("llama3", "plain", ("talk", "implicit"))]


class Rows(list):
    """As much of a dataset as DPOTrainer needs, without the nulls that a table has for every key."""

    def map(self, function, fn_kwargs=None, **_):
        return Rows({**row, **function(dict(row), **(fn_kwargs or {}))} for row in self)


def extracted(row):
    row = maybe_extract_prompt(dict(row))
    if isinstance(row["prompt"], str):
        return ["", [["user", row["prompt"]]], row["chosen"], row["rejected"]]
    system = "".join(message["content"] for message in row["prompt"] if message["role"] == "system")
    prompt = [[message["role"], message.get("content")] for message in row["prompt"] if message["role"] != "system"]
    return [system, prompt, *(row[key][0]["content"] for key in ("chosen", "rejected"))]


def ids(tokenizer, rows):
    arguments = types.SimpleNamespace(dataset_num_proc=None, max_length=None, truncation_mode="keep_start")
    out = DPOTrainer._prepare_dataset(types.SimpleNamespace(_tokenizer=tokenizer), Rows(rows), tokenizer, arguments, "train")
    return [[list(row[f"{key}_ids"]) for key in ("prompt", "chosen", "rejected")] for row in out]


def write(name, text):
    (OUT / name).write_text(text + "\n")


def main():
    OUT.mkdir(exist_ok=True)
    dump = lambda value: json.dumps(value, ensure_ascii=False)
    for name, rows in DATASETS.items():
        write(f"{name}.jsonl", "\n".join(dump(row) for row in rows))
    write("dataset_info.json", json.dumps({name: {"file_name": f"{name}.jsonl", "formatting": "trl"} for name in DATASETS}, indent=1))
    write("rows.json", dump({name: [extracted(row) for row in rows] for name, rows in DATASETS.items() if name != "tools"}))
    cases = []
    for directory, style, names in CASES:
        config = json.loads((GOLDEN / "tokenizers" / directory / "tokenizer_config.json").read_text())
        named = {key: config[key] for key in ("bos_token", "eos_token")}
        tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(GOLDEN / "tokenizers" / directory / "tokenizer.json"), **named)
        tokenizer.chat_template = PLAIN if style == "plain" else (GOLDEN / "templates/styles" / f"{style}.jinja").read_text()
        cases += [{"tokenizer": directory, "template": style, **named, **({"text": PLAIN} if style == "plain" else {}), "data": name, "rows": ids(tokenizer, DATASETS[name])} for name in names]
    write("ids.json", "[\n" + ",\n".join(dump(case) for case in cases) + "\n]")


main()
