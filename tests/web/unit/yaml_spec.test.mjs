import assert from "node:assert/strict";
import { test } from "node:test";
import { bundled } from "./bundled.mjs";

const { listOf, readSpec, shortened, withValue, withValues } = await bundled("train/yaml_spec.ts");
const { withChoice } = await bundled("train/choices.ts");

const SPEC = `### model
model_name_or_path: tiny  # ours

### method
stage: dpo
finetuning_type: lora
lora_rank: 8
pref_beta: 0.1

### dataset
dataset_dir: data
my_own_key: [1, 2]
learning_rate: 1.0e-4
`;

test("a changed key changes its line alone", () => {
  assert.equal(withValue(SPEC, "lora_rank", 16), SPEC.replace("lora_rank: 8", "lora_rank: 16"));
  assert.equal(withValue(SPEC, "model_name_or_path", "big"), SPEC.replace("tiny ", "big "));
});

test("a new key goes to its section, under the section's heading", () => {
  assert.equal(withValue(SPEC, "dataset", "a,b"), SPEC.replace("dataset_dir:", "dataset: a,b\ndataset_dir:"));
  assert.equal(withValue(SPEC, "lora_alpha", 16), SPEC.replace("lora_rank: 8\n", "lora_rank: 8\nlora_alpha: 16\n"));
  assert.equal(withValue(SPEC, "unheard_of", true), `${SPEC}unheard_of: true\n`);
});

test("the heading above a key that is taken out stays", () => {
  assert.equal(withValue(SPEC, "stage", undefined), SPEC.replace("stage: dpo\n", ""));
  assert.equal(withValue(SPEC, "not_there", undefined), SPEC);
});

test("keys that lose their meaning with a choice go", () => {
  assert.equal(
    withChoice(SPEC, "stage", "sft"),
    SPEC.replace("stage: dpo", "stage: sft").replace("pref_beta: 0.1\n", ""),
  );
  assert.equal(
    withChoice(SPEC, "finetuning_type", "full"),
    SPEC.replace("finetuning_type: lora", "finetuning_type: full").replace("lora_rank: 8\n", ""),
  );
});

test("rows that are held out are evaluated on", () => {
  const held = withChoice("stage: sft\n", "val_size", 0.1);
  assert.deepEqual(readSpec(held).values, { stage: "sft", val_size: 0.1, eval_strategy: "epoch" });
  const often = withChoice(held, "eval_steps", 5);
  assert.deepEqual(readSpec(often).values, { stage: "sft", val_size: 0.1, eval_strategy: "steps", eval_steps: 5 });
  assert.equal(withChoice(often, "val_size", undefined), "stage: sft\n");
});

test("values of several lines, of none, and texts in braces can be changed", () => {
  const lines = "dataset:\n- a\n- b\n\n# end\nstage: sft";
  assert.equal(withValue(lines, "dataset", "c"), "dataset: c\n\n# end\nstage: sft");
  assert.equal(withValue(lines, "dataset", undefined), "\n# end\nstage: sft");
  assert.equal(withValue(lines, "seed", 1), `${lines}\nseed: 1\n`);
  assert.equal(withValue("template:\nstage: sft\n", "template", "qwen"), "template: qwen\nstage: sft\n");
  assert.equal(withValue("note: |\n  a: b\n  c\nstage: sft\n", "note", "x"), "note: x\nstage: sft\n");
  assert.deepEqual(readSpec(withValue("{stage: sft, seed: 1}", "seed", 2)).values, { stage: "sft", seed: 2 });
});

test("what is not a map of keys is told with its line and left as it is", () => {
  const broken = "stage: sft\nlist: [1,\nx: }\n";
  assert.equal(readSpec(broken).problem.line > 1, true);
  assert.equal(withValue(broken, "stage", "pt"), broken);
  assert.notEqual(readSpec("- a\n- b\n").problem, null);
  assert.notEqual(readSpec("a: 1\na: 2\n").problem, null);
});

test("an empty text takes keys", () => {
  assert.deepEqual(readSpec("").values, {});
  assert.equal(withValues("", { stage: "sft", note: "a: b" }), 'stage: sft\nnote: "a: b"\n');
});

test("lists are read as LLaMA-Factory reads them", () => {
  assert.deepEqual(listOf("a, b,c"), ["a", "b", "c"]);
  assert.deepEqual(listOf(["a", 1]), ["a", "1"]);
  assert.deepEqual(listOf(null), []);
});

test("a YAML with every key is shortened to what differs and what the form shows", () => {
  const defaults = "stage: sft\nseed: 42\nlora_rank: 8\ntemplate: null\nweight_decay: 0\nfinetuning_type: lora\n";
  const full =
    'stage: sft\nseed: 7\nlora_rank: 8\ntemplate: null\nweight_decay: 0\nfinetuning_type: "lora"\ndataset: ["a"]\n';
  assert.equal(shortened(full, defaults), "stage: sft\nseed: 7\nlora_rank: 8\nfinetuning_type: lora\ndataset: a\n");
});
