"""What LLaMA-Factory's evaluator makes of multiple-choice tasks of our own with a tiny model, in f32 on a CPU.

    pip install --no-deps llamafactory==0.9.5; make_choice.py          (the rest: requirements.txt)

Writes choice/evaluation/{mmlu,ceval,cmmlu}, small tasks in the layouts of the three that LLaMA-Factory ships, and for each of CASES NAME.json: {"model" (a case
of tiny_models, with CONTEXT positions), "settings" (keys of the YAML), "table" (its results.log), "letters" (its results.json), "logprobs": of each question,
subject after subject, [A, B, C, D] behind the prompt}.

Its `eval` cannot be run as it is: the `datasets` of today runs no loading scripts. So the files are read here as those scripts read them (evaluation/NAME/NAME.py),
and the shots are shuffled with the seed, which LLaMA-Factory takes from numpy's global state. All else is its own: messages, template, tokens, letters, scores.
"""

import csv
import importlib.machinery
import io
import json
import os
import pathlib
import shutil
import sys
import tempfile
import types

os.environ.update(DISABLE_VERSION_CHECK="1", HF_HUB_OFFLINE="1")
try:
    import torchaudio  # noqa: F401
except (ImportError, OSError):
    sys.modules["torchaudio"] = types.ModuleType("torchaudio")
    sys.modules["torchaudio"].__spec__ = importlib.machinery.ModuleSpec("torchaudio", None)

import datasets
import pandas
import torch
from llamafactory.eval import evaluator

from check_adapter import tiny_model

TINY = pathlib.Path(__file__).parent / "tiny_models"
OUT = pathlib.Path(__file__).parent / "choice"
CONTEXT = 4096
COLUMNS = ["question", "A", "B", "C", "D", "answer"]
ENGLISH = {
    "arithmetic": ("small sums", "STEM", [
        ("What is 2 + 3?", "4", "five, or 5", "six", "23", "B"),
        ("What is 7 x 8?", "fifty-six", "54", "64", "15", "A"),
        ("Half of nine is", "4", "5", "4.5", "four and a half of ten", "C"),
        ("Which number is prime?\nOne only.", "twenty", "21", "22", "23", "D"),
        ("0 - 4 =", "4", "minus four", "zero", "1/4", "B"),
        ("How many sides has a \"hexagon\"?", "six", "five", "eight", "seven", "A"),
        ("Ten percent of fifty", "ten", "50", "five", "500", "C"),
        ("3 squared", "6", "33", "nine", "27", "C"),
        ("The next after 99", "a hundred", "98", "990", "9", "A"),
        ("One dozen", "10", "13", "20", "twelve", "D"),
    ], [("1 + 1?", "two", "11", "3", "0", "A"), ("10 - 7?", "4", "17", "three", "7", "C"), ("6 / 2?", "12", "three", "4", "8", "B"),
        ("5 x 0?", "5", "50", "1", "none at all: zero", "D"), ("Twice four?", "eight", "6", "16", "2", "A")]),
    "things": ("things, and words", "Humanities", [
        ("Which of these is a colour?", "table", "blue", "run", "under", "B"),
        ("The opposite of hot", "cold", "warm", "heat", "sun", "A"),
        ("A cat is", "a plant", "a stone", "an animal", "a verb", "C"),
        ("Who wrote letters?", "nobody", "a stone", "the rain", "people, mostly", "D"),
        ("Rain falls", "up", "down", "sideways only", "never", "B"),
        ("Bread is made of", "flour", "iron", "glass", "sand", "A"),
        ("A day has how many hours?", "12", "20", "twenty-four", "60", "C"),
        ("The plural of mouse", "mouses", "mices", "mouse", "mice", "D"),
        ("Which comes first?", "c", "b", "a", "d", "C"),
        ("Snow is", "white", "green", "loud", "square", "A"),
    ], [("A dog", "barks", "rusts", "melts", "shines", "A"), ("Ice is", "hot", "cold", "a bird", "late", "B"), ("Fish live in", "fire", "books", "water", "jars, \"all\"", "C"),
        ("A verb", "stone", "red", "of", "to go", "D"), ("The sun is", "bright", "wet", "small", "a cup", "A"), ("Salt tastes", "blue", "salty", "round", "fast", "B"),
        ("Night is", "dark", "a colour", "loud", "bread", "A")]),
    "short": ("what has few examples", "STEM", [
        ("Water boils at", "100 degrees", "20 degrees", "0 degrees", "-5 degrees", "A"),
        ("Iron is a", "gas", "metal", "plant", "sound", "B"),
        ("Light is", "slow", "heavy", "fast", "sweet", "C"),
    ], [("A triangle has", "three sides", "two", "four", "none", "A"), ("Gold is", "a bird", "a metal", "a song", "air", "B")]),
}
CHINESE = {
    "numbers": ("小学算术", "STEM", [
        ("二加三等于多少？", "四", "五", "六", "七", "B"),
        ("下列数中最大的是", "九十", "19", "9", "29", "A"),
        ("十的一半是", "二", "三", "五，即5", "十", "C"),
        ("三角形有几条边？", "一", "二", "四", "三", "D"),
    ], [("一加一等于", "二", "三", "零", "一", "A"), ("八减五等于", "二", "四", "三", "十三", "C"), ("两个二是", "二", "四", "六", "八", "B"), ("零乘九", "九", "90", "1", "零", "D"),
        ("六的一半", "三", "二", "一", "六", "A")]),
    "words": ("汉语常识", "Humanities", [
        ("“热”的反义词是", "冷", "暖", "火", "日", "A"),
        ("下列属于动物的是", "桌子", "石头", "猫", "书", "C"),
        ("雪的颜色是", "黑色", "白色", "绿色", "红色", "B"),
        ("一天有多少小时？", "12", "60", "7", "24", "D"),
    ], [("“大”的反义词", "小", "多", "高", "长", "A"), ("狗会", "飞", "叫", "写", "读", "B"), ("鱼生活在", "火里", "书里", "水里", "天上", "C"), ("“走”是", "名词", "数词", "介词", "动词", "D"),
        ("太阳是", "亮的", "湿的", "小的", "冷的", "A")]),
}
SMALL = {"finetuning_type": "lora", "infer_dtype": "float32"}
# name: settings
CASES = {
    "mmlu_fewshot_0": SMALL | {"task": "mmlu_test", "template": "fewshot", "n_shot": 0},
    "mmlu_fewshot_5": SMALL | {"task": "mmlu_test", "template": "fewshot", "n_shot": 5},
    "mmlu_chatml_5": SMALL | {"task": "mmlu_validation", "template": "chatml", "n_shot": 5, "seed": 7},
    "mmlu_own_2": SMALL | {"task": "mmlu_test", "n_shot": 2, "adapter_name_or_path": "tests/golden/training/llama/final"},
    "ceval_fewshot_5": SMALL | {"task": "ceval_validation", "template": "fewshot", "lang": "zh", "n_shot": 5},
    "cmmlu_chatml_0": SMALL | {"task": "cmmlu_test", "template": "chatml", "lang": "zh", "n_shot": 0},
}


def write_csv(path: pathlib.Path, rows: list, header: list | None = None):
    path.parent.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(([header] if header else []) + rows)
    path.write_text(text.getvalue(), "utf-8")


def write_tasks():
    root = OUT / "evaluation"
    for task, subjects in {"mmlu": ENGLISH, "ceval": CHINESE, "cmmlu": CHINESE}.items():
        mapping = {subject: {"name": name, "category": category} for subject, (name, category, _, _) in subjects.items()}
        for subject, (_, _, questions, shots) in subjects.items():
            for split, rows in {"test": questions, "val": questions[:2], "dev": shots}.items():
                if task == "mmlu":
                    write_csv(root / task / "data" / split / f"{subject}_{split}.csv", rows)
                elif task == "ceval" and split != "test":
                    more = [[str(i), *row] + (["因为。"] if split == "dev" else []) for i, row in enumerate(rows)]
                    write_csv(root / task / split / f"{subject}_{split}.csv", more, ["id", *COLUMNS] + (["explanation"] if split == "dev" else []))
                elif task == "ceval":
                    write_csv(root / task / split / f"{subject}_{split}.csv", [[str(i), *row[:-1]] for i, row in enumerate(rows)], ["id", *COLUMNS[:-1]])
                elif split != "val":
                    write_csv(root / task / split / f"{subject}.csv", [[str(i), *row] for i, row in enumerate(rows)], ["", "Question", *"ABCD", "Answer"])
        (root / task / "mapping.json").write_text(json.dumps(mapping, ensure_ascii=False, indent=2) + "\n", "utf-8")


def read_split(task: pathlib.Path, subject: str, split: str) -> datasets.Dataset:
    """As the loading script of the task reads it."""
    if task.name == "mmlu":
        frame = pandas.read_csv(task / "data" / split / f"{subject}_{split}.csv", header=None)
        frame.columns = COLUMNS
    elif task.name == "ceval":
        frame = pandas.read_csv(task / split / f"{subject}_{split}.csv", encoding="utf-8")
    else:
        frame = pandas.read_csv(task / split / f"{subject}.csv", header=0, index_col=0, encoding="utf-8").rename(columns={"Question": "question", "Answer": "answer"})
    return datasets.Dataset.from_list([{key: str(row[key]) for key in COLUMNS if key in row} for row in frame.to_dict(orient="records")])


class Seeded:
    """A split that LLaMA-Factory shuffles anew for each question."""

    def __init__(self, rows: datasets.Dataset, seed: int):
        self.rows, self.seed = rows, seed

    def __len__(self):
        return len(self.rows)

    def shuffle(self):
        return self.rows.shuffle(seed=self.seed)


class Recording(evaluator.Evaluator):
    def __init__(self, settings: dict):
        super().__init__(settings)
        self.found = []

    def batch_inference(self, batch):
        with torch.inference_mode():
            logprobs = self.model(**batch).logits.double().log_softmax(-1)
        for row, length in zip(logprobs, batch["attention_mask"].sum(-1)):
            self.found.append([round(value, 5) for value in row[length - 1][self.choice_inputs].tolist()])
        return super().batch_inference(batch)


def run(settings: dict, batch_size: int) -> dict:
    name, split = settings["task"].split("_")
    split = {"validation": "val"}.get(split, split)

    def load(path: str, name: str, **_):
        task = pathlib.Path(path)
        return {settings["task"].split("_")[1]: read_split(task, name, split), "train": Seeded(read_split(task, name, "dev"), settings.get("seed", 42))}

    evaluator.load_dataset = load
    with tempfile.TemporaryDirectory() as directory:
        base, out = pathlib.Path(directory) / "model", pathlib.Path(directory) / "out"
        base.mkdir()
        tiny_model("none", base)
        for file in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copy(TINY / file, base)
        config = json.loads((base / "config.json").read_text())
        (base / "config.json").write_text(json.dumps(config | {"max_position_embeddings": CONTEXT}))
        recording = Recording(settings | {"model_name_or_path": str(base), "task_dir": str(OUT / "evaluation"), "save_dir": str(out), "batch_size": batch_size})
        recording.eval()
        return {"table": (out / "results.log").read_text(), "letters": json.loads((out / "results.json").read_text()), "logprobs": recording.found}


def main():
    torch.set_num_threads(1)
    shutil.rmtree(OUT, ignore_errors=True)
    write_tasks()
    for name, settings in CASES.items():
        found, alone = run(settings, 4), run(settings, 1)
        assert found["letters"] == alone["letters"], f"{name}: depends on the batch"
        logprobs = ",\n".join(json.dumps(row) for row in alone["logprobs"])
        case = {"model": "none", "context": CONTEXT, "settings": settings, "table": found["table"], "letters": found["letters"]}
        (OUT / f"{name}.json").write_text(json.dumps(case)[:-1] + f',\n"logprobs": [\n{logprobs}\n]}}\n')


if __name__ == "__main__":
    main()
