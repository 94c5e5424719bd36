import assert from "node:assert/strict";
import { test } from "node:test";
import { bundled } from "./bundled.mjs";

const { bareSpec, canPredict, cleanName, exportSpec, freeName, predictionSpec, trainingSpec } =
  await bundled("train/new_specs.ts");
const { readSpec } = await bundled("train/yaml_spec.ts");

const { purposeOf, resultKeyOf } = await bundled("train/fields.ts");

const JOB = {
  kind: "train",
  status: "succeeded",
  output_dir: "/state/saves/mine",
  spec: 'model_name_or_path: base\nstage: sft\nfinetuning_type: lora\ntemplate: qwen\ndataset: ["a", "b"]\ndataset_dir: "/d"\ncutoff_len: 512\n',
};

test("a first training is YAML of a LoRA, whatever the model is called", () => {
  const { values, problem } = readSpec(trainingSpec("org/a: b", "/data sets", "mine"));
  assert.equal(problem, null);
  assert.equal(values.model_name_or_path, "org/a: b");
  assert.equal(values.dataset_dir, "/data sets");
  assert.equal(values.output_dir, "saves/mine");
  assert.equal(values.learning_rate, 1e-4);
});

test("a prediction has the adapter and the rows of the job", () => {
  const { values } = readSpec(predictionSpec(JOB, "mine-eval"));
  assert.equal(values.adapter_name_or_path, "/state/saves/mine");
  assert.equal(values.model_name_or_path, "base");
  assert.equal(values.eval_dataset, "a,b");
  assert.equal(values.template, "qwen");
  assert.equal(values.do_predict && values.predict_with_generate, true);
  assert.equal(values.output_dir, "saves/mine-eval");
});

test("what was trained whole is a model of its own", () => {
  const whole = { ...JOB, spec: JOB.spec.replace("lora", "full").replace("template: qwen", "template: null") };
  const { values } = readSpec(predictionSpec(whole, "x"));
  assert.equal(values.model_name_or_path, "/state/saves/mine");
  assert.equal("adapter_name_or_path" in values || "template" in values, false);
  assert.equal(readSpec(exportSpec(JOB, "merged")).values.export_dir, "saves/merged");
});

test("a bare YAML is of the same kind and names what it must", () => {
  const { values } = readSpec(bareSpec(`${JOB.spec}do_train: true\nlora_rank: 4\n`));
  assert.equal(values.stage, "sft");
  assert.equal(values.do_train, true);
  assert.equal(values.dataset, "data");
  assert.equal("lora_rank" in values, false);
});

test("only what chats and has ended can be asked to predict", () => {
  assert.equal(canPredict(JOB), true);
  assert.equal(canPredict({ ...JOB, status: "running" }), false);
  assert.equal(canPredict({ ...JOB, spec: JOB.spec.replace("sft", "rm") }), false);
  assert.equal(canPredict({ ...JOB, spec: `${JOB.spec}do_predict: true\n` }), false);
});

test("what a YAML is for decides where its result is named", () => {
  for (const [yaml, purpose, key] of [
    ["stage: sft\ndo_train: true\n", "training", "output_dir"],
    ["do_predict: true\n", "prediction", "output_dir"],
    ["task: mmlu_test\n", "questions", "save_dir"],
    ["export_dir: out\n", "export", "export_dir"],
  ]) {
    const { values } = readSpec(yaml);
    assert.deepEqual([purposeOf(values), resultKeyOf(values)], [purpose, key]);
  }
  assert.equal(canPredict({ ...JOB, kind: "eval" }), false);
});

test("names become names of folders, and free ones", () => {
  assert.equal(cleanName("  my model/../2 "), "my-model-..-2");
  assert.equal(cleanName("../.."), "");
  assert.equal(freeName("a", ["a", "a-2"]), "a-3");
  assert.equal(freeName("a-3", ["a-3"]), "a-4");
});
