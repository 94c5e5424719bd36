"""`hearth train` against torch + transformers + PEFT: the same model, data and adapter, 2 threads each, in turn; prints medians and ratios.

  ./dev bench --train [--data alpaca_en_demo.json] [--pairs dpo_en_demo.json] [--workloads fixed,real,dpo,dpo-cached] [--rounds 3] [--engines hearth,peer]
                      [--python BIN] [--record]

The default model as an f32 directory of Hugging Face's (written once below build/peers), LoRA r 8 on all linear maps, AdamW, batches of 4. The workloads:
  fixed        every example 256 tokens, all of them learned
  real         instruction data in file order, LLaMA-Factory's template `default`, prompts masked; the peer pads as its collator does, to a multiple of 8
  dpo          pairs of preference data in file order, template `chatml`, at most 512 tokens each; the reference is the model without the adapter
  dpo-cached   the same, the reference's log-probabilities known before the first step that is measured
Tokens/s are those of the middle steps without padding; peak resident memory is the kernel's, of the whole process. The peer is a bare loop over the model, which is
faster than transformers' Trainer, and TRL's DPOTrainer for pairs (dpo_peer.py). Every variant of VARIANTS runs in the first round, of f32 and of bf16 only the
fastest in the others.
The number of cores that each run had tells whether other work disturbed it.
"""

import argparse
import datetime
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

import dpo_peer
from peers import ROOT, THREADS, commit, cpu_name, record

BATCH, LENGTH, RANK, LEARNING_RATE = 4, 256, 8, 1e-4
WARM_UP, STEPS = 3, {"fixed": 16, "real": 24, "dpo": 12, "dpo-cached": 12}  # not measured at the start; all steps, of which the last is not either
TITLES = {"dpo-cached": "dpo, reference cached"}  # in RESULTS.md, where they differ
HOME = ROOT / "build" / "peers" / "train"
MODEL = HOME / "smollm2-135m-f32"
PACKAGES = ["torch==2.15.0", "transformers==5.24.0", "peft==0.21.2", "gguf==0.19.0", "trl==1.16.0"]
HEADER = "| date | CPU, 2 threads | commit | workload | trainer | tok/s | peak MiB | hearth's ratio: tok/s / peak |"
# precision: (of the model's weights, of the adapter's, autocast). `lora`: what LLaMA-Factory's bf16 does; `pure`: its pure_bf16.
PRECISIONS = {"f32": ("float32", "float32", False), "bf16-autocast": ("float32", "float32", True), "bf16-lora": ("bfloat16", "float32", True),
              "bf16-pure": ("bfloat16", "bfloat16", False)}
VARIANTS = [f"peer {precision}{checkpointing}" for precision in PRECISIONS for checkpointing in ("", " checkpointing")]
ENGINES = {"hearth": ["hearth f32", "hearth bf16"], "peer": VARIANTS}


def family(variant):
    return "bf16" if "bf16" in variant else "f32"


def of_pairs(workload):
    return workload.startswith("dpo")


def read_rows(workload, options):
    """The rows of the dataset, as many as are learned."""
    if of_pairs(workload):
        return dpo_peer.read_rows(options.pairs, BATCH * STEPS[workload])
    rows = json.loads(pathlib.Path(options.data).read_text())
    if workload == "fixed":  # cut at LENGTH tokens, of which none is lacking
        text = " ".join(row["output"] for row in rows)
        rows = [{"instruction": row["instruction"][:40], "input": "", "output": text[5000 * i : 5000 * (i + 1)]} for i, row in enumerate(rows)]
    return [{key: row.get(key, "") for key in ("instruction", "input", "output")} for row in rows[: BATCH * STEPS[workload]]]


def encode_instruction(workload, row, encode, eos):
    prompt = "\n".join(part for part in (row["instruction"], row["input"]) if part)
    source = encode("Human: " + prompt) + [eos] + encode("\nAssistant:")
    target = encode(row["output"]) + [eos] + encode("\n")
    if workload == "fixed":
        assert 2 * len(source) < LENGTH < len(target), (len(source), len(target))
        target = target[: LENGTH - len(source)]
    return {"input_ids": source + target, "labels": (source if workload == "fixed" else [-100] * len(source)) + target}


def prepare(options):
    """The model's directory and the token ids of the workloads, by the peer's packages."""
    sys.path.insert(0, str(ROOT / "tests" / "golden"))
    import torch
    from transformers import AutoModelForCausalLM

    from make_default_model import published_tokenizer

    tokenizer = published_tokenizer(options.model)
    if not (MODEL / "model.safetensors").exists():
        path = pathlib.Path(options.model)
        read = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32)
        del read.config.quantization_config
        model = AutoModelForCausalLM.from_config(read.config, dtype=torch.float32)
        model.load_state_dict(read.state_dict())
        model.save_pretrained(MODEL)
        tokenizer.save(str(MODEL / "tokenizer.json"))
        (MODEL / "tokenizer_config.json").write_text(json.dumps(
            {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<|im_start|>", "eos_token": "<|im_end|>", "pad_token": "<|im_end|>", "add_bos_token": False,
             "clean_up_tokenization_spaces": False}))
    eos = tokenizer.token_to_id("<|im_end|>")

    def encode(text):
        return tokenizer.encode(text).ids

    for workload in options.workloads.split(","):
        rows = read_rows(workload, options)
        examples = [dpo_peer.encode_row(row, encode) if of_pairs(workload) else encode_instruction(workload, row, encode, eos) for row in rows]
        tokens_file(workload).write_text(json.dumps(examples))


def tokens_file(workload):
    return HOME / f"{workload}.tokens.json"


def tokens_of_steps(workload):
    examples = json.loads(tokens_file(workload).read_text())
    lengths = [dpo_peer.tokens_of(example) if of_pairs(workload) else len(example["input_ids"]) for example in examples]
    return [sum(lengths[i : i + BATCH]) for i in range(0, len(lengths), BATCH)]


def middle_rate(workload, moments):
    """Tokens/s, given when each step ended."""
    tokens = tokens_of_steps(workload)
    assert len(moments) == len(tokens), (len(moments), len(tokens))
    return sum(tokens[WARM_UP:-1]) / (moments[-2] - moments[WARM_UP - 1])


def run_peer(variant, workload):
    """Trains, and prints the moments at which the steps ended, and their losses."""
    import peft
    import torch
    from transformers import AutoModelForCausalLM

    weights, adapter, autocast = PRECISIONS[variant.split()[1]]
    torch.manual_seed(42)
    torch.set_num_threads(THREADS)
    model = AutoModelForCausalLM.from_pretrained(MODEL, dtype=getattr(torch, weights), attn_implementation="sdpa")
    model.config.use_cache = False
    targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    lora = peft.LoraConfig(r=RANK, lora_alpha=2 * RANK, target_modules=targets, task_type="CAUSAL_LM")
    examples = json.loads(tokens_file(workload).read_text())
    checkpointing, adapter = "checkpointing" in variant, getattr(torch, adapter)
    if of_pairs(workload):
        settings = {"output_dir": str(HOME / "trl"), "per_device_train_batch_size": BATCH, "learning_rate": LEARNING_RATE, "seed": 42, "bf16": autocast,
                    "gradient_checkpointing": checkpointing}
        moments, losses = dpo_peer.train(model, MODEL, lora, examples, settings, adapter, workload == "dpo-cached")
    else:
        moments, losses = train_peer(model, lora, examples, workload, adapter, autocast, checkpointing)
    print(json.dumps({"moments": moments, "losses": losses}))


def train_peer(model, lora, examples, workload, adapter, autocast, checkpointing):
    import peft
    import torch
    from transformers import get_linear_schedule_with_warmup

    if checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        model.enable_input_require_grads()
    model = peft.get_peft_model(model, lora)
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for parameter in parameters:
        parameter.data = parameter.data.to(adapter)
    model.train()
    optimizer = torch.optim.AdamW(parameters, lr=LEARNING_RATE, weight_decay=0, fused=True)
    schedule = get_linear_schedule_with_warmup(optimizer, 0, STEPS[workload])
    pad = json.loads((MODEL / "config.json").read_text())["eos_token_id"]

    def stacked(batch, key, filler, width):
        return torch.tensor([example[key] + [filler] * (width - len(example[key])) for example in batch])

    moments, losses = [], []
    for start in range(0, len(examples), BATCH):
        batch = examples[start : start + BATCH]
        width = -max(len(example["input_ids"]) for example in batch) // 8 * -8
        inputs = {"input_ids": stacked(batch, "input_ids", pad, width), "labels": stacked(batch, "labels", -100, width)}
        if workload == "real":
            inputs["attention_mask"] = torch.tensor([[1] * len(example["input_ids"]) + [0] * (width - len(example["input_ids"])) for example in batch])
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
            loss = model(**inputs).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
        moments.append(time.perf_counter())
    return moments, losses


def watched(command, log):
    """What it printed; its peak resident MiB and how many cores it had."""
    started = time.monotonic()
    with open(log, "w") as errors:
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=dict(os.environ, OMP_NUM_THREADS=str(THREADS), HF_HUB_OFFLINE="1"))
        printed = child.stdout.read()
        _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{printed[-1000:]}{pathlib.Path(log).read_text()[-2000:]}")
    return printed, {"peak": usage.ru_maxrss / 1024, "cores": (usage.ru_utime + usage.ru_stime) / (time.monotonic() - started)}


def write_spec(variant, workload, options, output):
    """What hearth is to train, into the folder `output`."""
    output.mkdir(parents=True, exist_ok=True)
    (output / "dataset_info.json").write_text(json.dumps({"bench": dpo_peer.INFO if of_pairs(workload) else {"file_name": "bench.jsonl"}}))
    (output / "bench.jsonl").write_text("".join(json.dumps(row) + "\n" for row in read_rows(workload, options)))
    spec = {"model_name_or_path": str(MODEL), "do_train": True, "finetuning_type": "lora", "lora_rank": RANK, "lora_target": "all",
            "dataset": "bench", "dataset_dir": str(output), "per_device_train_batch_size": BATCH, "gradient_accumulation_steps": 1, "learning_rate": LEARNING_RATE,
            "max_steps": STEPS[workload], "logging_steps": 1, "bf16": family(variant) == "bf16", "include_num_input_tokens_seen": True, "disable_shuffling": True,
            "seed": 42, "output_dir": str(output / "out"), "overwrite_output_dir": True}
    if of_pairs(workload):
        spec |= dpo_peer.KEYS | {"precompute_ref_log_probs": workload == "dpo-cached"}
    else:
        spec |= {"stage": "sft", "template": "default", "cutoff_len": LENGTH if workload == "fixed" else 2048, "train_on_prompt": workload == "fixed"}
    (output / "spec.yaml").write_text("".join(f"{key}: {json.dumps(value)}\n" for key, value in spec.items()))


def run_hearth(variant, workload, options, log):
    output = HOME / "hearth" / workload
    write_spec(variant, workload, options, output)
    if workload == "dpo-cached":  # fills the cache
        watched([options.hearth, "train", output / "spec.yaml"], log)
    (output / "out" / "trainer_log.jsonl").unlink(missing_ok=True)
    _, used = watched([options.hearth, "train", output / "spec.yaml"], log)
    lines = [json.loads(line) for line in (output / "out" / "trainer_log.jsonl").read_text().splitlines()]
    steps = [line for line in lines if "loss" in line]
    # Elapsed time is logged in whole seconds; the throughput is the tokens so far over it.
    tokens = sum(tokens_of_steps(workload))
    if steps[-1]["total_tokens"] != tokens:
        print(f"hearth counts {steps[-1]['total_tokens']} tokens, the peer {tokens}", file=sys.stderr)
    return {"moments": [line["total_tokens"] / line["throughput"] for line in steps], "losses": [line["loss"] for line in steps]}, used


def run(variant, workload, options):
    log = HOME / f"{variant.replace(' ', '-')}.log"
    if variant.startswith("hearth"):
        found, used = run_hearth(variant, workload, options, log)
    else:
        printed, used = watched([options.python, __file__, "--run", variant, workload, "--hearth", options.hearth, "--model", options.model], log)
        found = json.loads(printed.splitlines()[-1])
    return used | {"rate": middle_rate(workload, found["moments"]), "loss": statistics.mean(found["losses"][-4:])}


def peer_python():
    home = HOME / "venv"
    done = home / "done"
    if not done.exists() or done.read_text() != str(PACKAGES):
        print(f"installing {', '.join(PACKAGES)} into {home}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", home], check=True)
        subprocess.run([home / "bin/pip", "install", "--quiet", *PACKAGES], check=True)
        done.write_text(str(PACKAGES))
    return str(home / "bin/python")


def measure(workload, variants, options):
    """{variant: medians}"""
    samples = {variant: [] for variant in variants}
    for number in range(options.rounds):
        for variant in variants:
            samples[variant].append(run(variant, workload, options))
            last = samples[variant][-1]
            print(f"{workload}, round {number + 1}, {variant}: {last['rate']:.0f} tok/s, {last['peak']:.0f} MiB, last losses {last['loss']:.4f}, "
                  f"on {last['cores']:.2f} cores", file=sys.stderr, flush=True)
        if number == 0:
            peers = {name: [v for v in variants if v.startswith("peer") and family(v) == name] for name in ("f32", "bf16")}
            fastest = {max(group, key=lambda v: samples[v][0]["rate"]) for group in peers.values() if group}
            variants = [v for v in variants if v.startswith("hearth") or v in fastest]
    return {variant: {key: statistics.median(s[key] for s in runs) for key in runs[0]} for variant, runs in samples.items()}


def rows(workload, medians):
    for variant, values in medians.items():
        own = medians.get("hearth " + family(variant))
        ratios = f"{own['rate'] / values['rate']:.2f} / {own['peak'] / values['peak']:.2f}" if own else ""
        measured = f"{TITLES.get(workload, workload)} | {variant} | {values['rate']:.0f} | {values['peak']:.0f} | {ratios}"
        yield f"| {datetime.date.today()} | {cpu_name()} | {commit()} | {measured} |"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--hearth", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", default=ROOT.parent / "shared" / "data" / "alpaca_en_demo.json", help="rows of instruction, input, output, as JSON")
    parser.add_argument("--pairs", default=ROOT.parent / "shared" / "data" / "dpo_en_demo.json", help="rows of conversations, chosen, rejected")
    parser.add_argument("--engines", default="hearth,peer")
    parser.add_argument("--workloads", default=",".join(STEPS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--python", help="an interpreter that has " + ", ".join(PACKAGES))
    parser.add_argument("--record", action="store_true", help="append the rows to bench/RESULTS.md")
    parser.add_argument("--run", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--prepare", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        return run_peer(*options.run)
    if options.prepare:
        return prepare(options)
    unknown = set(options.workloads.split(",")) - STEPS.keys()
    if unknown:
        parser.error(f"no such workload: {', '.join(sorted(unknown))}; there are {', '.join(STEPS)}")
    for workload in options.workloads.split(","):
        name, path = ("pairs", options.pairs) if of_pairs(workload) else ("data", options.data)
        if not pathlib.Path(path).is_file():
            parser.error(f"{path} is missing; see --{name} FILE")
    HOME.mkdir(parents=True, exist_ok=True)
    options.python = options.python or peer_python()
    command = [options.python, __file__, "--prepare", "--hearth", options.hearth, "--model", options.model, "--data", options.data,
               "--pairs", options.pairs, "--workloads", options.workloads]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    variants = [variant for engine in options.engines.split(",") for variant in ENGINES[engine]]
    lines = [line for workload in options.workloads.split(",") for line in rows(workload, measure(workload, variants, options))]
    print("\n".join([HEADER, "|---|---|---|---|---|---|---|---|", *lines]))
    if options.record:
        record(HEADER, lines)


if __name__ == "__main__":
    main()
