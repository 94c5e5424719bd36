// The YAMLs that the page writes itself: a first training, a prediction with what was trained, a merge of it.
import type { JobDetails } from "../api/jobs";
import type { Values } from "./fields";
import { listOf, readSpec } from "./yaml_spec";

const TRAINING = `### model
model_name_or_path: MODEL

### method
stage: sft
do_train: true
finetuning_type: lora
lora_rank: 8
lora_alpha: 16
lora_target: all

### dataset
dataset_dir: DIRECTORY
cutoff_len: 1024

### output
output_dir: OUTPUT
logging_steps: 1
save_steps: 500
plot_loss: true
report_to: none

### train
per_device_train_batch_size: 4
gradient_accumulation_steps: 1
learning_rate: 1.0e-4
num_train_epochs: 3
lr_scheduler_type: cosine
warmup_ratio: 0.1
bf16: true
`;

function quoted(text: string): string {
  return /^[\w./][\w./:@+-]*$/.test(text) && !text.endsWith(":") ? text : JSON.stringify(text);
}

/** LoRA with values that suit a small model on a CPU. */
export function trainingSpec(model: string, directory: string, name: string): string {
  return TRAINING.replace("MODEL", () => quoted(model))
    .replace("DIRECTORY", () => quoted(directory))
    .replace("OUTPUT", () => quoted(outputOf(name)));
}

/** The last part of output_dir is what the trained model is called. */
export function outputOf(name: string): string {
  return `saves/${name}`;
}

/** A name for a model: letters, digits, dots, dashes. */
export function cleanName(text: string): string {
  return text
    .trim()
    .replace(/[^\p{L}\p{N}._-]+/gu, "-")
    .replace(/^[-.]+|-+$/g, "");
}

/** "tuned", "tuned-2", "tuned-3", ...: one that is not taken. */
export function freeName(name: string, taken: string[]): string {
  if (!taken.includes(name)) return name;
  const [, begin = name, number = "1"] = /^(.+)-(\d{1,4})$/.exec(name) ?? [];
  for (let i = Number(number) + 1; ; ++i) if (!taken.includes(`${begin}-${i}`)) return `${begin}-${i}`;
}

function lines(values: Values): string {
  return Object.entries(values)
    .filter(([, value]) => value !== undefined && value !== null)
    .map(([key, value]) => `${key}: ${typeof value === "string" ? quoted(value) : JSON.stringify(value)}\n`)
    .join("");
}

const KIND = ["stage", "finetuning_type", "do_train", "do_predict", "predict_with_generate"];

/** What alone a YAML of this kind must have; the daemon fills in what goes without saying. */
export function bareSpec(spec: string): string {
  const { values } = readSpec(spec);
  return lines({
    model_name_or_path: "model",
    ...Object.fromEntries(KIND.map((key) => [key, values[key]])),
    [values.do_train === true ? "dataset" : "eval_dataset"]: "data",
    dataset_dir: "/",
    output_dir: "saves",
  });
}

/** The model that the job made, as keys of another YAML. */
function trainedModel({ model_name_or_path: base, finetuning_type: type }: Values, output: string): Values {
  return type === "lora"
    ? { model_name_or_path: base, adapter_name_or_path: output, finetuning_type: "lora" }
    : { model_name_or_path: output };
}

export function outputDirOf(job: JobDetails): string {
  return job.output_dir ?? job.result?.output_dir ?? "";
}

export function canPredict(job: JobDetails): boolean {
  const { stage, do_predict: predicts } = readSpec(job.spec ?? "").values;
  const isModel = job.status === "succeeded" && job.kind === "train" && outputDirOf(job) !== "" && predicts !== true;
  return isModel && ["sft", "dpo", "kto"].includes(String(stage));
}

/** Whether what the job trained can be worked into its base and taken away. */
export function canExport(job: JobDetails): boolean {
  const { finetuning_type: kind, do_predict: predicts } = readSpec(job.spec ?? "").values;
  return job.status === "succeeded" && job.kind === "train" && (kind ?? "lora") === "lora" && predicts !== true;
}

/** Lets what the job trained answer the rows of its data set, to be scored. */
export function predictionSpec(job: JobDetails, name: string): string {
  const values = readSpec(job.spec ?? "").values;
  const rows = [listOf(values.eval_dataset), listOf(values.dataset)].find((names) => names.length > 0) ?? [];
  return [
    "### model\n",
    lines({ ...trainedModel(values, outputDirOf(job)), template: values.template }),
    "\n### method\n",
    lines({ stage: "sft", do_predict: true, predict_with_generate: true }),
    "\n### dataset\n",
    lines({
      dataset_dir: values.dataset_dir,
      eval_dataset: rows.join(","),
      cutoff_len: values.cutoff_len,
      max_samples: 50,
      max_new_tokens: 256,
    }),
    "\n### output\n",
    lines({ output_dir: outputOf(name), report_to: "none" }),
  ].join("");
}

/** Merges what the job trained into its base, as a model of its own. */
export function exportSpec(job: JobDetails, name: string): string {
  const values = readSpec(job.spec ?? "").values;
  return [
    "### model\n",
    lines({ ...trainedModel(values, outputDirOf(job)), template: values.template }),
    "\n### export\n",
    lines({ export_dir: outputOf(name) }),
  ].join("");
}
