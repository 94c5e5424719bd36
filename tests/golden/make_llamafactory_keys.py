"""Every key that a training YAML of LLaMA-Factory 0.9.5 (Apache-2.0) may have: the fields of its own dataclasses and of transformers' Seq2SeqTrainingArguments,
with type and default; and those that its `eval` has besides.

    pip install --no-deps llamafactory==0.9.5; make_llamafactory_keys.py

The files of llamafactory/hparams are imported without the package around them, whose other imports they do not need. Writes llamafactory/keys.json.
"""

import dataclasses
import enum
import importlib
import importlib.metadata
import importlib.util
import json
import pathlib
import sys
import types

OUT = pathlib.Path(__file__).parent / "llamafactory" / "keys.json"
CLASSES = {
    "model_args": "ModelArguments",
    "data_args": "DataArguments",
    "training_args": "TrainingArguments",
    "finetuning_args": "FinetuningArguments",
    "generating_args": "GeneratingArguments",
}


def module(name, **values):
    made = types.ModuleType(name)
    vars(made).update(values)
    sys.modules[name] = made


def default_of(field):
    if field.default is not dataclasses.MISSING:
        value = field.default
    else:
        value = None if field.default_factory is dataclasses.MISSING else field.default_factory()
    return value.value if isinstance(value, enum.Enum) else value


def keys_of(classes: dict) -> dict:
    keys = {}
    for file, name in classes.items():
        for field in dataclasses.fields(getattr(importlib.import_module(f"llamafactory.hparams.{file}"), name)):
            if field.init:
                kind = field.type if isinstance(field.type, str) else getattr(field.type, "__name__", str(field.type))
                keys[field.name] = {"type": str(field.type) if kind in ("Optional", "Literal", "Union", "UnionType") else kind, "default": default_of(field)}
    return keys


def lines(keys: dict) -> str:
    return ",\n".join(f"    {json.dumps(name)}: {json.dumps(keys[name])}" for name in sorted(keys))


def main():
    root = pathlib.Path(importlib.util.find_spec("llamafactory").origin).parent
    for name in ("llamafactory", "llamafactory.hparams", "llamafactory.extras"):
        module(name, __path__=[str(root.joinpath(*name.split(".")[1:]))])
    module("llamafactory.extras.logging", get_logger=lambda name: None)
    module("llamafactory.extras.misc", is_env_enabled=lambda name: False, use_ray=lambda: False)
    module("llamafactory.extras.packages", is_mcore_adapter_available=lambda: False)
    module("llamafactory.extras.constants")
    module("omegaconf", OmegaConf=None)
    for name, value in {"AttentionFunction": "auto", "EngineName": "huggingface", "QuantizationMethod": "bnb", "RopeScaling": "linear"}.items():
        member = {"AttentionFunction": "AUTO", "EngineName": "HF", "QuantizationMethod": "BNB", "RopeScaling": "LINEAR"}[name]
        setattr(sys.modules["llamafactory.extras.constants"], name, enum.Enum(name, {member: value}, type=str))
    keys, evaluation = keys_of(CLASSES), keys_of({"evaluation_args": "EvaluationArguments"})
    versions = {name: importlib.metadata.version(name) for name in ("llamafactory", "transformers")}
    OUT.write_text(f'{{\n  "made_with": {json.dumps(versions)},\n  "keys": {{\n{lines(keys)}\n  }},\n  "evaluation_keys": {{\n{lines(evaluation)}\n  }}\n}}\n')


main()
