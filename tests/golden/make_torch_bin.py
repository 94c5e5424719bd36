"""Writes tests/golden/torch_bin: files of torch.save, each with the same tensors as safetensors beside it, and files that must be refused.

torch==2.15.0 safetensors==0.8.0; run with: python tests/golden/make_torch_bin.py

<name>.bin has its tensors in <name>.safetensors, which the reference writes contiguous. sharded/ is a checkpoint of two files with an index.
refused/ has what pickle writes for objects that would run something when loaded by Python, and formats that hearth does not read.
"""

import builtins
import collections
import io
import json
import os
import pathlib
import pickle
import shutil
import zipfile

import torch
from safetensors.torch import save_file

FOLDER = pathlib.Path(__file__).parent / "torch_bin"


def values(*shape, dtype=torch.float32):
    count = int(torch.tensor(shape).prod()) if shape else 1
    return (torch.arange(count) - 3).reshape(shape).to(dtype)


def save(name, tensors, saved=None, **options):
    path = FOLDER / name
    torch.save(tensors if saved is None else saved, path.with_suffix(".bin"), **options)
    save_file({key: tensor.detach().clone().contiguous() for key, tensor in tensors.items()}, path.with_suffix(".safetensors"))


class Small(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = torch.nn.Embedding(4, 3)
        self.head = torch.nn.Linear(3, 4)
        self.head.weight = self.embed.weight
        self.register_buffer("position_ids", torch.arange(5))
        with torch.no_grad():
            self.embed.weight.copy_(values(4, 3))
            self.head.bias.copy_(values(4))


class Calls:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def refused(name, content, protocol=2):
    with zipfile.ZipFile(FOLDER / "refused" / f"{name}.bin", "w") as archive:
        archive.writestr(zipfile.ZipInfo("m/data.pkl"), pickle.dumps(content, protocol))


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    for folder in ["sharded", "refused"]:
        (FOLDER / folder).mkdir(parents=True)

    state = Small().state_dict()  # an OrderedDict with _metadata; embed.weight and head.weight share a storage
    save("state_dict", state)
    save("protocol_4", state, pickle_protocol=4)
    save("protocol_5", state, pickle_protocol=5)
    training = {"epoch": 3, "loss": 0.5, "seed": 2**64, "small": -(2**40), "name": "x", "nothing": None, "betas": [0.9, 0.99], "on": True}
    save("wrapped", state, {**training, "state_dict": state, "optimizer": {"state": {0: {"step": values(2)}}}})
    save("wrapped_model", state, {"model": dict(state), "raw": b"\0\1", **training}, pickle_protocol=4)
    kinds = [torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.int32, torch.int16, torch.int8, torch.bool, torch.complex64]
    save("dtypes", {str(kind): values(2, 3, dtype=kind) for kind in kinds} | {"uint8": torch.arange(6, dtype=torch.uint8)})
    whole = values(4, 6)
    views = {
        "whole": whole, "rows": whole[1:3], "columns": whole[:, 2:4], "transposed": whole.t(), "one": whole[2, 3], "column": whole[:, 5:],
        "every_other": whole.reshape(-1)[::2], "permuted": values(2, 3, 4, dtype=torch.float16).permute(2, 0, 1), "empty": torch.zeros(0, 3),
        "parameter": torch.nn.Parameter(values(3)), "parameter_of_view": torch.nn.Parameter(whole.t()),
    }  # fmt: skip
    save("views", views)

    shards = {"pytorch_model-00001-of-00002.bin": {"a": values(2, 3)}, "pytorch_model-00002-of-00002.bin": {"b": values(3, 2).t(), "c": values(2)}}
    for name, tensors in shards.items():
        torch.save(tensors, FOLDER / "sharded" / name)
    index = {"metadata": {"total_size": 56}, "weight_map": {key: name for name, tensors in shards.items() for key in tensors}}
    (FOLDER / "sharded" / "pytorch_model.bin.index.json").write_text(json.dumps(index))

    for protocol in [2, 4]:
        refused(f"os_system_{protocol}", {"a": Calls(os.system, "touch executed")}, protocol)
        refused(f"eval_{protocol}", collections.OrderedDict(a=Calls(builtins.eval, "open('executed', 'w')")), protocol)
        refused(f"getattr_{protocol}", [Calls(getattr, Calls(__import__, "os"), "system")], protocol)
    torch.save(Small(), FOLDER / "refused" / "module.bin")
    torch.save({"a": values(2).to(torch.float8_e4m3fn)}, FOLDER / "refused" / "float8.bin")
    torch.save({"a": values(2).to_sparse()}, FOLDER / "refused" / "sparse.bin")
    buffer = io.BytesIO()
    torch.save({"a": values(2)}, buffer, _use_new_zipfile_serialization=False)
    (FOLDER / "refused" / "legacy.bin").write_bytes(buffer.getvalue()[:64])  # what follows has addresses of the process
    torch.save([values(2)], FOLDER / "refused" / "list.bin")
    torch.save({"a": 1}, FOLDER / "refused" / "no_tensors.bin")
    torch.save({"a": torch.zeros(1).expand(1000)}, FOLDER / "refused" / "expanded.bin")
    buffer = io.BytesIO()
    torch.save({"a": values(2)}, buffer)
    with zipfile.ZipFile(buffer) as stored, zipfile.ZipFile(FOLDER / "refused" / "compressed.bin", "w") as packed:
        for entry in stored.infolist():
            packed.writestr(zipfile.ZipInfo(entry.filename), stored.read(entry), zipfile.ZIP_DEFLATED)


main()
