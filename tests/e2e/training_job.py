"""A training job of its own: a tiny model out of tests/golden, 24 examples, the YAML, and the release binary that runs it.

The folder lies in memory where the system has such a place: what is tested is what is written and when, not the disk.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
TINY = ROOT / "tests" / "golden" / "tiny_models"

YAML = """\
stage: sft
do_train: true
finetuning_type: lora
lora_rank: 4
lora_target: all
dataset: facts
logging_steps: 2
save_steps: 4
per_device_train_batch_size: 2
learning_rate: 3.0e-3
num_train_epochs: 2
lr_scheduler_type: cosine
"""


def binary():
    value = os.environ.get("HEARTH_BINARY")
    if not value:
        raise SystemExit("HEARTH_BINARY is not set; run the tests with ./dev test")
    return value


def write_model(directory):
    case = next(case for case in json.loads((TINY / "cases.json").read_text())["cases"] if case["name"] == "none")
    directory.mkdir()
    (directory / "config.json").write_text(json.dumps(case["config"]))
    (directory / "model.safetensors").write_bytes((TINY / f"{case['weights']}.safetensors").read_bytes())
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(TINY / name, directory / name)


def write_data(directory):
    directory.mkdir()
    sets = {
        "facts": [{"instruction": f"What is {i}?", "input": "", "output": f"It is {i} and {i + 1}."} for i in range(24)],
        "texts": [{"text": f"one two three {i} " * (1 + i % 3)} for i in range(12)],
        "bad": [{"instruction": "What?", "input": "", "output": "That."}, {"instruction": "What?", "input": 7, "output": "That."}, 7],
        "untold": [{"instruction": "What?", "input": "", "output": "That."}, {"instruction": "What?", "input": "", "output": None}],
    }
    for name, rows in sets.items():
        (directory / f"{name}.json").write_text(json.dumps(rows))
    (directory / "broken.json").write_text('[{"instruction": "What?"')
    info = {name: {"file_name": f"{name}.json"} for name in (*sets, "broken", "missing")}
    info["texts"]["columns"] = {"prompt": "text"}
    (directory / "dataset_info.json").write_text(json.dumps(info))


def files(directory):
    """{path below the directory: content}"""
    return {str(path.relative_to(directory)): path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file()}


def unfinished(directory):
    """Names that a finished run leaves nothing of: hidden ones, temporary ones, half-written ones."""
    return [name for name in files(directory) if name.startswith(".") or ".unfinished" in name]


class Job:
    """Runs in its folder; each keyword is a key=value on the command line."""

    def __init__(self):
        self._temporary = tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
        self.folder = pathlib.Path(self._temporary.name)
        self.model, self.data = self.folder / "model", self.folder / "data"
        self.environment = dict(os.environ, XDG_CACHE_HOME=str(self.folder / "cache"))  # nothing is left in the user's
        write_model(self.model)
        write_data(self.data)
        (self.folder / "job.yaml").write_text(f"model_name_or_path: {self.model}\ndataset_dir: {self.data}\n" + YAML)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._temporary.cleanup()

    def out(self, name):
        return self.folder / name

    def arguments(self, out, command=("train",), yaml="job.yaml", **keys):
        overrides = [f"{key}={value}" for key, value in {"output_dir": self.out(out), **keys}.items()]
        return [binary(), *command, str(self.folder / yaml), *overrides]

    def run(self, out, command=("train",), yaml="job.yaml", preexec_fn=None, **keys):
        return subprocess.run(self.arguments(out, command, yaml, **keys), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300,
                              cwd=self.folder, env=self.environment, preexec_fn=preexec_fn)

    def start(self, out, **keys):
        return subprocess.Popen(self.arguments(out, **keys), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=self.folder,
                                env=self.environment)

    def remove(self, out):
        shutil.rmtree(self.out(out), ignore_errors=True)

    def adapter(self, out):
        return (self.out(out) / "adapter_model.safetensors").read_bytes()


def losses(out):
    """What trainer_state.json logged of the training loss."""
    return [record["loss"] for record in json.loads((out / "trainer_state.json").read_text())["log_history"] if "loss" in record]


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def told(result):
    """stderr without warnings."""
    return [line for line in result.stderr.splitlines() if not line.startswith("warning: ")]


def conclude(results):
    for name, passed in results.items():
        print("ok  " if passed else "FAIL", name)
    failed = sum(not passed for passed in results.values())
    print(f"{len(results) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)
