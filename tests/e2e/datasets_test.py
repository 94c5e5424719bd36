"""From an upload to a trained model over HTTP alone, with the default model: a data set is registered, previewed and trained on, and what the job leaves
is fetched. Keys without the scope admin see none of it."""

import io
import json
import os
import pathlib
import subprocess
import tarfile
import tempfile
import time
import urllib.parse
import urllib.request

from checks import check, run_checks
from daemon import Daemon
from queue_daemon import status_of

ROWS = [{"instruction": f"Which number is it, {i}?", "input": "", "output": f"It is number {i}, \u4e2d."} for i in range(12)]
ADMIN = "sk-admin-0123456789abcdef"


class Api:
    def __init__(self, daemon):
        self.daemon = daemon
        self.directory = self.get("/v1/datasets")["directory"]

    def get(self, path):
        return json.loads(self.daemon.get(path))

    def raw(self, path):
        return urllib.request.urlopen(self.daemon.url + path, timeout=60)

    def upload(self, name, content):
        body = b"".join(b'--B\r\nContent-Disposition: form-data; ' + head + b"\r\n\r\n" + value + b"\r\n"
                        for head, value in ((b'name="purpose"', b"fine-tune"), (b'name="file"; filename="' + name.encode() + b'"', content))) + b"--B--\r\n"
        request = urllib.request.Request(self.daemon.url + "/v1/files", body, {"Content-Type": "multipart/form-data; boundary=B"})
        return json.load(urllib.request.urlopen(request))["id"]

    def delete(self, path):
        return json.load(urllib.request.urlopen(urllib.request.Request(self.daemon.url + path, method="DELETE")))

    def yaml(self, dataset, **more):
        keys = {"model_name_or_path": self.daemon.model, "stage": "sft", "do_train": "true", "finetuning_type": "lora", "lora_rank": 4, "dataset": dataset,
                "dataset_dir": self.directory, "output_dir": os.path.join(self.daemon.state, "out"), "max_steps": 2, "per_device_train_batch_size": 2,
                "logging_steps": 1, **more}
        return "".join(f"{key}: {value}\n" for key, value in keys.items())

    def preview(self, spec, **more):
        return self.daemon.post("/v1/datasets/preview", {"spec": spec, **more})


def learnt(example):
    return "".join(segment["text"] for part in example["parts"] for segment in part["segments"] if segment["trained"])


@check
def an_upload_is_a_data_set(api):
    created = api.daemon.post("/v1/datasets", {"name": "numbers", "file_id": api.upload("rows.json", json.dumps(ROWS).encode())})
    assert created["formatting"] == "alpaca" and created["problem"] is None, created
    assert [entry["name"] for entry in api.get("/v1/datasets")["data"]] == ["numbers"]


@check
def what_is_trained_is_exactly_the_answers(api):
    page = api.preview(api.yaml("numbers"), limit=12)
    assert [learnt(example) for example in page["data"]] == [row["output"] + "<|im_end|>\n" for row in ROWS], page["data"][0]
    whole = "".join(segment["text"] for segment in page["data"][3]["parts"][0]["segments"])
    assert "<|im_start|>user\n" + ROWS[3]["instruction"] + "<|im_end|>" in whole and not page["has_more"], whole
    assert all(sum(part["tokens"] for part in example["parts"]) == example["tokens"] for example in page["data"])


@check
def a_preview_of_a_large_file_is_quick(api):
    """Rows at the beginning of 1 GB, in a directory of its own."""
    with tempfile.TemporaryDirectory() as folder:
        line = (json.dumps({"instruction": "What?", "input": "", "output": "That. " * 150}) + "\n").encode()
        path = pathlib.Path(folder, "large.jsonl")
        with path.open("wb") as file:
            file.write(line * 1000)
            file.truncate(1 << 30)  # sparse: what lies behind is never read
        pathlib.Path(folder, "dataset_info.json").write_text(json.dumps({"large": {"file_name": "large.jsonl"}}))
        seconds = []
        for offset in (0, 0, 500):
            started = time.monotonic()
            page = api.preview(api.yaml("large", dataset_dir=folder), offset=offset, limit=50)
            seconds.append(time.monotonic() - started)
            assert page["has_more"] and len(page["data"]) == 50 and page["data"][0]["index"] == offset
        print("     seconds:", *(f"{one:.2f}" for one in seconds))
        assert max(seconds) < 1, seconds


@check
def a_job_trains_on_it_and_its_files_are_fetched(api):
    id = api.daemon.post("/v1/jobs", {"spec": api.yaml("numbers")})["id"]
    deadline = time.monotonic() + 300
    while (job := api.get(f"/v1/jobs/{id}"))["status"] in ("queued", "running") and time.monotonic() < deadline:
        time.sleep(0.1)
    assert job["status"] == "succeeded", job
    assert job["output_dir"] == os.path.join(api.daemon.state, "out") and "max_steps: 2" in job["spec"] and job["warnings"] == [], job
    listed = {file["path"]: file["bytes"] for file in api.get(f"/v1/jobs/{id}/files")["data"]}
    on_disk = {str(path.relative_to(job["output_dir"])): path.stat().st_size for path in pathlib.Path(job["output_dir"]).rglob("*") if path.is_file()}
    assert listed == on_disk and "adapter_model.safetensors" in listed, (listed, on_disk)
    one = api.raw(f"/v1/jobs/{id}/files/content?path=adapter_config.json")
    assert one.headers["Content-Type"] == "application/json" and json.load(one)["r"] == 4
    archive = tarfile.open(fileobj=io.BytesIO(api.raw(f"/v1/jobs/{id}/files/archive").read()))
    assert {member.name: member.size for member in archive.getmembers()} == {f"out/{path}": size for path, size in on_disk.items()}
    assert archive.extractfile("out/adapter_model.safetensors").read() == pathlib.Path(job["output_dir"], "adapter_model.safetensors").read_bytes()
    for path in ("../hearth.sqlite", "/etc/passwd", "..", "out"):
        code, error = status_of(lambda: api.raw(f"/v1/jobs/{id}/files/content?path={urllib.parse.quote(path, safe='')}"))
        assert code == 404, (path, code)


@check
def mistakes_are_told(api):
    code, error = status_of(lambda: api.preview(api.yaml("numbrs")))
    assert code == 400 and "did you mean 'numbers'?" in error["message"], error
    code, error = status_of(lambda: api.preview(api.yaml("numbers", lora_rnk=8)))
    assert code == 400 and "did you mean 'lora_rank'?" in error["message"] and error["param"] == "spec", error
    code, error = status_of(lambda: api.daemon.post("/v1/datasets", {"name": "x", "file_id": api.upload("x.json", b'[{"a": "b"}]')}))
    assert code == 400 and "the first rows have the columns 'a'" in error["message"], error
    assert api.delete("/v1/datasets/numbers")["deleted"] and api.get("/v1/datasets")["data"] == []


@check
def keys_without_admin_see_nothing(_):
    paths = ("/v1/datasets", "/v1/pulls", "/v1/jobs/job-1/files", "/v1/jobs/job-1/files/archive")
    with Daemon("--api-key", ADMIN) as daemon:
        daemon.headers = {"Authorization": f"Bearer {ADMIN}"}
        assert status_of(lambda: daemon.get("/v1/datasets"))[0] == 200
        made = subprocess.run([os.environ["HEARTH_BINARY"], "keys", "create", "trainer", "--scope", "infer,train", "--state-dir", daemon.state],
                              capture_output=True, text=True)
        assert made.returncode == 0, made.stderr
        key = made.stdout.split()[-1]
        deadline = time.monotonic() + 10
        daemon.headers = {"Authorization": f"Bearer {key}"}
        while status_of(lambda: daemon.get("/v1/files"))[0] != 200 and time.monotonic() < deadline:
            time.sleep(0.1)
        codes = {path: status_of(lambda: daemon.get(path))[0] for path in paths}
        assert set(codes.values()) == {403}, codes
        code, error = status_of(lambda: daemon.post("/v1/datasets/preview", {"spec": ""}))
        assert code == 403 and error["code"] == "permission_denied", (code, error)


if __name__ == "__main__":
    with Daemon("--job-priority", "normal") as daemon:
        run_checks(Api(daemon))
