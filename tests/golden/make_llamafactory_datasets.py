"""Golden values of LLaMA-Factory's datasets: what its own loader, converters and mixing (0.9.5, Apache-2.0) make of files, through `datasets`.

    pip install --no-deps llamafactory==0.9.5; make_llamafactory_datasets.py          (from the root of the repository)

Writes datasets/: small data of every type and format with a dataset_info.json, and in golden/ what becomes of it:
aligned.json   per dataset its rows, [prompt, response, system, tools, images, videos, audios], messages as [role, content]; "dropped" for an emptied one
loads.json     per job the last user texts of its train and evaluation examples, in order
numpy.json     permutations and draws
shared.json    per dataset of ../shared/data (HEARTH_DATA) the number of its rows and the sha256 of their lines
What it writes into the system text of openai's datasets ("detailed thinking off") is taken off again.
"""

import hashlib
import importlib
import importlib.util
import json
import os
import pathlib
import sys
import tempfile
import types

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_CACHE"] = tempfile.mkdtemp()

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

DIR = pathlib.Path("tests/golden/datasets")
SHARED = pathlib.Path(os.environ.get("HEARTH_DATA", "../shared/data"))
datasets.disable_progress_bars()


def module(name, **values):
    made = types.ModuleType(name)
    vars(made).update(values)
    sys.modules[name] = made
    return made


def load_reference():
    root = pathlib.Path(importlib.util.find_spec("llamafactory").origin).parent
    for name in ("llamafactory", "llamafactory.data", "llamafactory.extras"):
        module(name, __path__=[str(root.joinpath(*name.split(".")[1:]))])
    quiet = lambda text: None
    silent = types.SimpleNamespace(info_rank0=quiet, warning_rank0=quiet, warning_rank0_once=quiet)
    logging = module("llamafactory.extras.logging", get_logger=lambda name: silent)
    sys.modules["llamafactory.extras"].logging = logging
    module("llamafactory.extras.misc", check_version=None, has_tokenized_data=None, use_modelscope=lambda: False, use_openmind=lambda: False)
    kinds = ("Feedback", "PackedSupervised", "Pairwise", "Pretrain", "Supervised", "Unsupervised")
    module("llamafactory.data.processor", **{kind + "DatasetProcessor": None for kind in kinds})
    return importlib.import_module("llamafactory.data.loader")


ALPACA = [
    {"instruction": "Name a colour.", "input": "", "output": "Red, \"deep\" red.", "system": "Be brief.", "history": [["Hi", "Hello"], ["Bye", "Good\nbye"]]},
    {"instruction": "Translate", "input": "Grüße, Welt\nzwei Zeilen", "output": "Greetings, world", "system": None, "history": []},
    {"instruction": "", "input": "only input", "output": " spaces kept ", "system": "", "history": None},
    {"instruction": "No answer", "input": None, "output": None, "system": "S", "history": [["q", "a"]]},
    {"instruction": "emoji 😀 \u2028 end", "input": "", "output": "tab\there\u007f", "system": None, "history": None},
]
TABLE = [{k: row[k] for k in ("instruction", "input", "output", "system")} for row in ALPACA]
CALL = json.dumps({"name": "clock", "arguments": {"zone": "UTC"}})
TOOLS = json.dumps([{"name": "clock", "description": "The time – now", "parameters": {"type": "object", "properties": {}}}], ensure_ascii=False)
say = lambda *turns: [{"from": who, "value": text} for who, text in turns]
SHAREGPT = [
    {"conversations": say(("human", "Time?"), ("function_call", CALL), ("observation", "12:00"), ("gpt", "Noon.")), "system": "Use tools.", "tools": TOOLS},
    {"conversations": say(("system", "From the list."), ("human", "Hi"), ("gpt", "Hello")), "system": "not this", "tools": ""},
    {"conversations": say(("human", "Hi"), ("human", "Hi?")), "system": None, "tools": None},
    {"conversations": say(("human", "Hi"), ("gpt", "Hello"), ("human", "And?")), "system": None, "tools": None},
    {"conversations": say(("human", "Time?"), ("function_call", "<think>Look.</think>[" + CALL + "]"), ("observation", ""), ("function_call", CALL)), "system": None, "tools": TOOLS},
]
TAGGED = [{"talk": [{"role": w, "content": t} for w, t in turns], "note": i} for i, turns in enumerate([
    [("user", "Hi"), ("assistant", "Hello")], [("system", "unlisted"), ("user", "Hi")], [("assistant", "first"), ("user", "second")]])]
ask = lambda role, content, **more: {"role": role, "content": content, **more}
calls = lambda *zones: [{"id": f"c{i}", "type": "function", "function": {"name": "clock", "arguments": json.dumps({"zone": z})}} for i, z in enumerate(zones)]
OPENAI = [
    {"messages": [ask("system", "Sys"), ask("user", "Times?"), ask("assistant", None, tool_calls=calls("UTC", "CET")), ask("tool", "12"), ask("tool", "13"), ask("assistant", "12 and 13")],
     "tools": json.loads(TOOLS)},
    {"messages": [ask("user", "Hi"), ask("assistant", "Hello ü")], "tools": None},
    {"messages": [ask("user", "Hi"), ask("assistant", "", tool_calls=calls("UTC")), ask("tool", "lost")], "tools": json.loads(TOOLS)},
    {"messages": [ask("user", "a"), ask("user", "b")], "tools": None},
]
RANKED = [{"instruction": "Q", "input": "more", "chosen": "good", "rejected": "bad"}, {"instruction": "Q2", "input": "", "chosen": "", "rejected": "x"}]
RANKED_TALK = [
    {"conversations": say(("human", "Q")), "chosen": {"from": "gpt", "value": "good"}, "rejected": {"from": "gpt", "value": "bad"}},
    {"conversations": say(("system", "S"), ("human", "Q"), ("gpt", "A"), ("human", "Q2")), "chosen": {"from": "function_call", "value": CALL}, "rejected": {"from": "gpt", "value": ""}},
    {"conversations": say(("human", "Q"), ("gpt", "A")), "chosen": {"from": "gpt", "value": "good"}, "rejected": {"from": "gpt", "value": "bad"}},
]
KTO = [{"instruction": "Q", "output": "A", "label": True}, {"instruction": "Q", "output": "B", "label": False}]
KTO_TALK = [{"conversations": say(("human", "Q"), ("gpt", text)), "label": label} for text, label in (("A", True), ("B", False))]
IMAGES = [{"conversations": say(("human", "<image>What?"), ("gpt", "A pixel.")), "images": ["pixel.png"]},
          {"conversations": say(("human", "<image><image>Same?"), ("gpt", "No.")), "images": ["pixel.png", "elsewhere/b.png"]},
          {"conversations": say(("human", "No image"), ("gpt", "None.")), "images": []}]
numbered = lambda name, count: [{"instruction": f"{name}{i}", "input": "", "output": "-"} for i in range(count)]

OPENAI_TAGS = {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant", "observation_tag": "tool", "function_tag": "function", "system_tag": "system"}
TABLE_COLUMNS = {"prompt": "instruction", "query": "input", "response": "output", "system": "system"}
INFO = {
    "alpaca": {"file_name": "alpaca.json", "columns": {**TABLE_COLUMNS, "history": "history"}},
    "alpaca_lines": {"file_name": "alpaca.jsonl", "columns": {**TABLE_COLUMNS, "history": "history"}},
    "alpaca_defaults": {"file_name": "alpaca.json"},
    "no_response": {"file_name": "alpaca.json", "columns": {"prompt": "instruction"}},
    "csv": {"file_name": "table.csv", "columns": TABLE_COLUMNS},
    "parquet": {"file_name": "table.parquet", "columns": {**TABLE_COLUMNS, "history": "history"}},
    "arrow": {"file_name": "table.arrow", "columns": TABLE_COLUMNS},
    "text": {"file_name": "lines.txt", "columns": {"prompt": "text"}},
    "folder": {"file_name": "folder"},
    "sharegpt": {"file_name": "sharegpt.json", "formatting": "sharegpt", "columns": {"messages": "conversations", "system": "system", "tools": "tools"}},
    "sharegpt_parquet": {"file_name": "sharegpt.parquet", "formatting": "sharegpt", "columns": {"messages": "conversations", "system": "system", "tools": "tools"}},
    "tagged": {"file_name": "tagged.jsonl", "formatting": "sharegpt", "columns": {"messages": "talk"},
               "tags": {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant"}},
    "openai": {"file_name": "openai.json", "formatting": "openai", "columns": {"messages": "messages", "tools": "tools"}, "tags": OPENAI_TAGS},
    "ranked": {"file_name": "ranked.json", "ranking": True, "columns": {"prompt": "instruction", "query": "input", "chosen": "chosen", "rejected": "rejected"}},
    "ranked_talk": {"file_name": "ranked_talk.json", "ranking": True, "formatting": "sharegpt", "columns": {"messages": "conversations", "chosen": "chosen", "rejected": "rejected"}},
    "kto": {"file_name": "kto.json", "columns": {"prompt": "instruction", "response": "output", "kto_tag": "label"}},
    "kto_talk": {"file_name": "kto_talk.json", "formatting": "sharegpt", "columns": {"messages": "conversations", "kto_tag": "label"}},
    "images": {"file_name": "images.json", "formatting": "sharegpt", "columns": {"messages": "conversations", "images": "images"}},
    "many": {"file_name": "many.jsonl"},
    "few": {"file_name": "few.jsonl"},
    "many_sampled": {"file_name": "many.jsonl", "num_samples": 10},
    "few_sampled": {"file_name": "few.jsonl", "num_samples": 20},
}
JOBS = [
    {"dataset": ["many"], "val_size": 0.1, "seed": 42}, {"dataset": ["many"], "val_size": 0.26, "seed": 7}, {"dataset": ["many"], "val_size": 5, "seed": 0},
    {"dataset": ["many"], "val_size": 1, "seed": 1}, {"dataset": ["many", "few"], "val_size": 6, "seed": 4294967295, "max_samples": 9},
    {"dataset": ["few", "many"], "mix_strategy": "interleave_under"}, {"dataset": ["few", "many"], "mix_strategy": "interleave_over"}, {"dataset": ["few", "many", "folder"], "mix_strategy": "interleave_once"},
    {"dataset": ["few", "many"], "mix_strategy": "interleave_under", "interleave_probs": [0.3, 0.7]},
    {"dataset": ["few", "many"], "mix_strategy": "interleave_over", "interleave_probs": [0.7, 0.3], "seed": 5, "val_size": 0.5},
    {"dataset": ["few", "many", "folder"], "mix_strategy": "interleave_once", "interleave_probs": [0.2, 0.5, 0.3], "seed": 9},
    {"dataset": ["many_sampled", "few_sampled"], "eval_dataset": ["few_sampled", "many"], "seed": 3}, {"dataset": ["few_sampled"], "max_samples": 12},
    {"dataset": ["few"], "eval_dataset": ["many", "few"], "eval_on_each_dataset": True, "max_samples": 4},
    {"dataset": ["many"], "streaming": True, "buffer_size": 8}, {"dataset": ["many"], "streaming": True, "buffer_size": 7, "val_size": 3, "seed": 11}, {"dataset": ["few"], "streaming": True, "buffer_size": 100},
]


def arguments(job, directory):
    data = {"dataset_dir": directory, "media_dir": directory, "streaming": False, "preprocessing_num_workers": None, "overwrite_cache": True, "max_samples": None, "val_size": 0.0,
            "mix_strategy": "concat", "interleave_probs": None, "eval_on_each_dataset": False, "dataset": None, "eval_dataset": None, "buffer_size": 16384, **job}
    model = types.SimpleNamespace(cache_dir=None, hf_hub_token=None)
    training = types.SimpleNamespace(seed=job.get("seed", 42), local_process_index=0, dataloader_num_workers=1)
    return model, types.SimpleNamespace(**data), training


def stage_of(info):
    return "rm" if info.get("ranking") else "sft"


def aligned(reference, name, info, directory):
    model, data, training = arguments({}, directory)
    rows = reference._get_merged_dataset([name], model, data, training, stage_of(info))
    out = []
    for row in rows:
        system = row["_system"] or ""
        if info.get("formatting") == "openai":
            system = system.removesuffix("detailed thinking off").removesuffix("\n")
        messages = lambda key: [[m["role"], m["content"]] for m in row[key]]
        out.append([messages("_prompt"), messages("_response"), system, row["_tools"] or "", row["_images"] or [], row["_videos"] or [], row["_audios"] or []] if row["_prompt"] else "dropped")
    return out


def loaded(reference, job):
    np.random.seed(job.get("seed", 42))
    model, data, training = arguments(job, str(DIR))
    train = reference._get_merged_dataset(data.dataset, model, data, training, "sft")
    evaluation = reference._get_merged_dataset(data.eval_dataset, model, data, training, "sft", return_dict=data.eval_on_each_dataset)
    train, evaluation = reference.split_dataset(train, evaluation, data, training.seed)
    texts = lambda rows: [row["_prompt"][-1]["content"] for row in rows]
    return {"train": texts(train["train"]), "eval": {name.removeprefix("validation").removeprefix("_"): texts(rows) for name, rows in evaluation.items()}}


def numpy_values():
    out = []
    for seed in (0, 42, 2**32 + 5, 2**63):
        rng = np.random.default_rng(seed)
        out.append({"seed": seed, "permutation": rng.permutation(17).tolist(), "below": [int(rng.integers(0, n)) for n in (1, 2, 3, 1000, 2**31 + 1, 2**32)],
                    "choice": [int(i) for i in rng.choice(3, size=20, p=[0.1, 0.6, 0.3])], "random": [float(x) for x in rng.random(3)]})
    states = []
    for seed in (0, 42, 2**32 - 1):
        np.random.seed(seed)
        states.append({"seed": seed, "permutation": np.random.permutation(17).tolist(), "choice": [int(np.random.choice(n)) for n in (1, 2, 5, 1000, 2**31 + 1)]})
    return {"generator": out, "state": states}


def write_text(name, text):
    path = DIR / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())


def write_data():
    dump = lambda rows: json.dumps(rows, ensure_ascii=False, indent=1) + "\n"
    lines = lambda rows: "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    for name, rows in (("alpaca", ALPACA), ("sharegpt", SHAREGPT), ("openai", OPENAI), ("ranked", RANKED), ("ranked_talk", RANKED_TALK), ("kto", KTO), ("kto_talk", KTO_TALK), ("images", IMAGES)):
        write_text(name + ".json", dump(rows))
    for name, rows in (("alpaca", ALPACA), ("tagged", TAGGED), ("many", numbered("m", 40)), ("few", numbered("f", 7))):
        write_text(name + ".jsonl", lines(rows))
    write_text("folder/a.jsonl", lines(numbered("a", 2)))
    write_text("folder/b.jsonl", lines(numbered("b", 2)))
    quoted = lambda cell: "" if cell is None else '"' + cell.replace('"', '""') + '"' if set(cell) & set(',"\n') else cell
    write_text("table.csv", "\r\n".join([",".join(TABLE[0])] + [",".join(quoted(c) for c in row.values()) for row in TABLE]) + "\r\n")
    write_text("lines.txt", "first line\r\n\n  spaces \u2028 inside  \nold mac\rlast without an end")
    pq.write_table(pa.Table.from_pylist([{k: r[k] for k in ("instruction", "input", "output", "system", "history")} for r in ALPACA]), DIR / "table.parquet", row_group_size=2)
    pq.write_table(pa.Table.from_pylist(SHAREGPT), DIR / "sharegpt.parquet")
    table = pa.Table.from_pylist(TABLE)
    with pa.OSFile(str(DIR / "table.arrow"), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)
    (DIR / "pixel.png").write_bytes(b"not looked at")
    write_text("dataset_info.json", json.dumps(INFO, indent=1) + "\n")


def write_golden(name, value):
    write_text("golden/" + name, json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n")


def main():
    reference = load_reference()
    listdir = os.listdir
    os.listdir = lambda path: sorted(listdir(path))
    write_data()
    write_golden("aligned.json", {name: aligned(reference, name, info, str(DIR)) for name, info in INFO.items() if "sampled" not in name and name not in ("many", "few")})
    write_golden("loads.json", [{"job": job, **loaded(reference, job)} for job in JOBS])
    write_golden("numpy.json", numpy_values())
    if SHARED.is_dir():
        shared = {}
        for name, info in json.loads((SHARED / "dataset_info.json").read_text()).items():
            rows = aligned(reference, name, info, str(SHARED))
            text = "".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in rows)
            shared[name] = {"rows": len(rows), "sha256": hashlib.sha256(text.encode()).hexdigest()}
        write_golden("shared.json", shared)


main()
