"""Proves that lm-evaluation-harness has the numbers of transformers from hearth over HTTP. Not part of CI: it needs torch. Versions: requirements.txt.

    check_lm_eval.py HEARTH MODEL.gguf      the 40 sentences of lm_eval/ with four ends each: log-likelihoods within 1e-3, the same ends chosen, the same text
                                            generated; once with a tokenizer on this side, once with hearth's (/tokenizer_info)
"""

import os
import pathlib
import sys
import tempfile

ROOT = pathlib.Path(__file__).parent
os.environ["HF_HUB_OFFLINE"] = "1"

SENTENCES = {
    "dataset_path": "json",
    "dataset_kwargs": {"data_files": {"test": str(ROOT / "lm_eval" / "sentences.jsonl")}},
    "test_split": "test",
    "doc_to_text": "{{question}}",
    "doc_to_target": "answer",
}
RANKED = {"task": "ranked", **SENTENCES, "output_type": "multiple_choice", "doc_to_choice": "choices", "metric_list": [{"metric": "acc"}, {"metric": "acc_norm"}]}
WRITTEN = {
    "task": "written",
    **SENTENCES,
    "output_type": "generate_until",
    "doc_to_target": "{{choices[answer]}}",
    "generation_kwargs": {"until": ["."], "max_gen_toks": 12, "do_sample": False},
    "metric_list": [{"metric": "exact_match"}],
}


def answers_of(model):
    """What lm-eval counts, and of each sentence the (log-likelihood, greedy) of its ends, and the text written."""
    import lm_eval

    found = lm_eval.simple_evaluate(model=model, tasks=[RANKED, WRITTEN], bootstrap_iters=0)
    ordered = {task: sorted(samples, key=lambda sample: sample["doc_id"]) for task, samples in found["samples"].items()}
    scores = {name: value for task in ("ranked", "written") for name, value in found["results"][task].items() if name.endswith(",none") and "stderr" not in name}
    ends = [[(float(likelihood), bool(greedy)) for likelihood, greedy in sample["filtered_resps"]] for sample in ordered["ranked"]]
    return scores, ends, [sample["filtered_resps"][0] for sample in ordered["written"]]


def with_transformers(path, folder):
    import torch
    from lm_eval.models.huggingface import HFLM
    from make_default_model import published_tokenizer
    from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(tokenizer_object=published_tokenizer(path), bos_token="<|im_start|>", eos_token="<|im_end|>", pad_token="<|im_end|>")
    tokenizer.save_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(os.path.dirname(path), gguf_file=os.path.basename(path), dtype=torch.float32)
    return answers_of(HFLM(pretrained=model, tokenizer=tokenizer, batch_size=4, device="cpu", backend="causal"))


def with_hearth(daemon, **options):
    from lm_eval.models.openai_completions import LocalCompletionsAPI

    return answers_of(LocalCompletionsAPI(base_url=f"{daemon.url}/v1/completions", model=daemon.model, num_concurrent=4, batch_size=4, max_length=2048, **options))


def compare(name, found, expected):
    scores, ends, texts = found
    differences = [abs(a[0] - b[0]) for mine, theirs in zip(ends, expected[1], strict=True) for a, b in zip(mine, theirs, strict=True)]
    print(f"{name}: {len(ends)} sentences, {len(differences)} log-likelihoods, the worst {max(differences):.1e} from transformers; {scores}", flush=True)
    assert len(ends) == 40 and max(differences) < 1e-3
    assert scores == expected[0], (scores, expected[0])
    assert [[greedy for _, greedy in sentence] for sentence in ends] == [[greedy for _, greedy in sentence] for sentence in expected[1]]
    assert texts == expected[2], [pair for pair in zip(texts, expected[2]) if pair[0] != pair[1]]


def main(hearth, path):
    sys.path.insert(0, str(ROOT.parent / "e2e"))
    os.environ["HEARTH_BINARY"] = hearth
    from daemon import Daemon

    with tempfile.TemporaryDirectory() as folder:
        expected = with_transformers(path, folder)
        with Daemon("--infer-dtype", "float32", model_path=path) as daemon:
            compare("tokens from this side", with_hearth(daemon, tokenizer_backend="huggingface", tokenizer=folder), expected)
            compare("tokens from hearth", with_hearth(daemon, tokenizer_backend="auto"), expected)


if __name__ == "__main__":
    main(*sys.argv[1:])
