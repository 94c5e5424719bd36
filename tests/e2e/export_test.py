"""An adapter worked into the default model, by the terminal and by the queue: what comes out says what the served adapter says, and is a model like any other."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from checks import check, run_checks
from daemon import Daemon, required
from small_adapter import HIDDEN, write_adapter

GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "golden"
TEXT = "The three primary colours are red, yellow and blue. Mixing two of them gives"


def hearth(world, *arguments):
    return subprocess.run([required("HEARTH_BINARY"), *arguments], capture_output=True, text=True, timeout=300, cwd=world.folder)


def logprobs(daemon, model):
    body = {"model": model, "prompt": TEXT, "max_tokens": 0, "echo": True, "logprobs": 0, "temperature": 0}
    return daemon.post("/v1/completions", body)["choices"][0]["logprobs"]["token_logprobs"][1:]


def furthest(a, b):
    return max(abs(x - y) for x, y in zip(a, b, strict=True))


class World:
    def __init__(self, folder):
        self.folder, self.model = pathlib.Path(folder), required("HEARTH_DEFAULT_MODEL")
        write_adapter(self.folder / "adapter")
        (self.folder / "merge.yaml").write_text(
            f"model_name_or_path: {self.model}\nadapter_name_or_path: adapter\ntemplate: chatml\ntrust_remote_code: true\nexport_dir: exact\nexport_device: cpu\n"
        )
        with Daemon("--adapter", f"tuned={self.folder / 'adapter'}", "--infer-dtype", "float32") as daemon:
            self.base, self.tuned = logprobs(daemon, "test"), logprobs(daemon, "tuned")


@check
def an_f32_export_says_what_the_served_adapter_says(world):
    done = hearth(world, "export", "merge.yaml", "export_quantization=f32")
    assert done.returncode == 0, done.stderr
    assert "hearth chat --model" in done.stdout, done.stdout
    with Daemon("--infer-dtype", "float32", model_path=world.folder / "exact/model.gguf") as daemon:
        merged = logprobs(daemon, "test")
    assert furthest(merged, world.tuned) < 1e-3, furthest(merged, world.tuned)
    assert furthest(merged, world.base) > 0.05, "the adapter changes nothing"


@check
def ollamas_file_has_the_template_and_its_stop_words(world):
    text = (world.folder / "exact/Modelfile").read_text()
    assert text.startswith('FROM ./model.gguf\n\nTEMPLATE """{{ if .System }}<|im_start|>system\n'), text
    assert 'PARAMETER stop "<|im_end|>"\n' in text, text


@check
def a_type_for_each_tensor_makes_it_smaller(world):
    done = hearth(world, "export", "merge.yaml", "export_quantization=q4_k_m", "export_dir=small")
    assert done.returncode == 0, done.stderr
    size = lambda name: os.path.getsize(world.folder / name / "model.gguf")
    assert 4 * size("small") < size("exact"), (size("small"), size("exact"))
    with Daemon("--infer-dtype", "float32", model_path=world.folder / "small/model.gguf") as daemon:
        values = logprobs(daemon, "test")
    mean = sum(abs(a - b) for a, b in zip(values, world.tuned, strict=True)) / len(values)
    assert mean < 0.4, mean


@check
def a_hugging_face_checkpoint_becomes_a_gguf(world):
    base, adapter = world.folder / "base", GOLDEN / "peft_adapters/plain"
    base.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json", "generation_config.json"):
        shutil.copy(GOLDEN / "tiny_models" / name, base)
    shutil.copy(GOLDEN / "tiny_models/f32.safetensors", base / "model.safetensors")
    cases = json.loads((GOLDEN / "tiny_models/cases.json").read_text())["cases"]
    (base / "config.json").write_text(json.dumps(next(case["config"] for case in cases if case["name"] == "none")))
    (world.folder / "gguf.yaml").write_text(f"model_name_or_path: base\nadapter_name_or_path: {adapter}\nexport_dir: tiny\nexport_format: gguf\n")
    done = hearth(world, "export", "gguf.yaml", "export_quantization=f32")
    assert done.returncode == 0, done.stderr
    assert sorted(os.listdir(world.folder / "tiny")) == ["Modelfile", "export_args.yaml", "model.gguf"]
    body = {"prompt": "The cat and the dog", "max_tokens": 24, "temperature": 0, "logprobs": 0}

    def answer(daemon, model):
        return daemon.post("/v1/completions", body | {"model": model})["choices"][0]["logprobs"]

    with Daemon("--adapter", f"tuned={adapter}", "--infer-dtype", "float32", model_path=base) as daemon:
        plain, tuned = answer(daemon, "test"), answer(daemon, "tuned")
    with Daemon("--infer-dtype", "float32", model_path=world.folder / "tiny/model.gguf") as daemon:
        merged = answer(daemon, "test")
    assert merged["tokens"] == tuned["tokens"], (merged["tokens"], tuned["tokens"])
    assert furthest(merged["token_logprobs"], tuned["token_logprobs"]) < 1e-3
    assert plain != tuned, "the adapter changes nothing"
    done = hearth(world, "export", "gguf.yaml")
    assert done.returncode == 0 and "become f16" in done.stderr + done.stdout, done


@check
def the_queue_exports_too(world):
    with Daemon() as daemon:
        os.environ["HEARTH_URL"] = daemon.url
        done = hearth(world, "submit", "merge.yaml", "export_dir=queued", "--follow")
        assert done.returncode == 0, done.stdout + done.stderr
        id = done.stdout.splitlines()[0]
        job = json.loads(daemon.get(f"/v1/jobs/{id}"))
        assert (job["kind"], job["status"], job["output_dir"]) == ("export", "succeeded", str(world.folder / "queued")), job
        result = job["result"]
        assert result["output_dir"] == str(world.folder / "queued") and "served_as" not in result and "not_served" not in result, result
        assert result["files"] == ["Modelfile", "export_args.yaml", "model.gguf"] == sorted(os.listdir(world.folder / "queued")), result
        assert result["bytes"] == sum(os.path.getsize(world.folder / "queued" / name) for name in result["files"])
        listed = json.loads(daemon.get(f"/v1/jobs/{id}/files"))["data"]
        assert [file["path"] for file in listed] == result["files"], listed
        assert job["progress"]["phase"] == "exporting" and job["progress"]["bytes"] == job["progress"]["total_bytes"] > 0, job["progress"]
        by_id = {"spec": "model_name_or_path: test\nexport_dir: served\nexport_quantization: q4_9\n", "directory": str(world.folder)}
        try:
            daemon.post("/v1/jobs", by_id)
            raise AssertionError("an unknown type is taken")
        except OSError as error:
            assert error.code == 400 and "q4_0" in error.read().decode()
    # Its own types: the adapted matrices are rounded to theirs.
    with Daemon("--infer-dtype", "float32", model_path=world.folder / "queued/model.gguf") as daemon:
        values = logprobs(daemon, "test")
    mean = sum(abs(a - b) for a, b in zip(values, world.tuned, strict=True)) / len(values)
    assert furthest(values, world.base) > 0.05 and mean < 0.4, mean


@check
def mistakes_are_one_line(world):
    write_adapter(world.folder / "misfit", hidden=HIDDEN // 2)
    (world.folder / "full").mkdir()
    (world.folder / "full/thesis.tex").write_text("years")
    for arguments, code, text in [
        (["adapter_name_or_path=misfit", "export_dir=none"], 1, "adapter does not fit the model"),
        (["export_dir=full"], 1, "holds files that are no earlier export"),
        (["export_format=safetensors", "export_dir=none"], 1, "no Hugging Face checkpoint can be written"),
        (["export_hub_model_id=me/mine"], 2, "upload export_dir"),
        (["export_quantisation=q8_0"], 2, "did you mean 'export_quantization'?"),
    ]:
        done = hearth(world, "export", "merge.yaml", "template=null", *arguments)
        assert done.returncode == code and text in done.stderr and re.match(r"hearth: .*\n\Z", done.stderr), (arguments, done)
    assert not (world.folder / "none").exists()
    assert sorted(os.listdir(world.folder / "full")) == ["thesis.tex"]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        run_checks(World(directory))
