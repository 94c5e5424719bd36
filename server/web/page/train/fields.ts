// The keys of LLaMA-Factory's YAML that the form has; every other one is written in the YAML itself. The order is that of a written YAML.

export type Values = Record<string, unknown>;
export type Section = "model" | "data" | "method" | "training" | "evaluation" | "questions" | "export" | "output";
export type Purpose = "training" | "prediction" | "questions" | "export";

/** What a YAML is for. */
export function purposeOf({
  task,
  do_predict: predicts,
  do_train: trains,
  export_dir: exported,
  output_dir: output,
}: Values): Purpose {
  if (task) return "questions";
  if (exported && !output) return "export";
  return predicts === true && trains !== true ? "prediction" : "training";
}

/** The key of where its result lies. */
export function resultKeyOf(values: Values): string {
  return { training: "output_dir", prediction: "output_dir", questions: "save_dir", export: "export_dir" }[
    purposeOf(values)
  ];
}

export interface Field {
  key: string;
  section: Section;
  kind: "number" | "choice" | "text" | "switch" | "list" | "own";
  /** Of a choice. */
  options?: string[];
  min?: number;
  max?: number;
  step?: number;
  /** What the daemon takes where the key is missing. */
  fallback?: string | number | boolean;
  /** Behind "More": few need it. */
  rare?: boolean;
  /** Where it has a meaning. */
  when?: (values: Values) => boolean;
}

const isLora = (values: Values) => (values.finetuning_type ?? "lora") === "lora";
const isFreeze = (values: Values) => values.finetuning_type === "freeze";
const stageIs =
  (...stages: string[]) =>
  ({ stage }: Values) =>
    stages.includes(String(stage ?? "sft"));
const evaluates = ({ val_size: size, eval_dataset: other }: Values) => Number(size ?? 0) > 0 || Boolean(other);
const predicts = ({ do_predict: does }: Values) => does === true;
const exportsModel = (values: Values) => purposeOf(values) === "export";
const asks = (values: Values) => purposeOf(values) === "questions";
const trains = (values: Values) =>
  values.do_train === true || !(predicts(values) || exportsModel(values) || asks(values));
const both = (a: (values: Values) => boolean, b: (values: Values) => boolean) => (values: Values) =>
  a(values) && b(values);

export const STAGES = ["sft", "pt", "dpo", "kto", "rm"];
export const PREFERENCE_LOSSES = ["sigmoid", "hinge", "ipo", "kto_pair", "orpo", "simpo", "robust", "apo_zero"];
const SCHEDULES = [
  "linear",
  "cosine",
  "cosine_with_restarts",
  "polynomial",
  "constant",
  "constant_with_warmup",
  "inverse_sqrt",
  "cosine_with_min_lr",
  "warmup_stable_decay",
];

/** "own": the form has a part of its own for it. */
export const FIELDS: Field[] = [
  { key: "model_name_or_path", section: "model", kind: "own" },
  { key: "adapter_name_or_path", section: "model", kind: "list", rare: true },
  { key: "template", section: "model", kind: "own" },

  { key: "stage", section: "method", kind: "own" },
  { key: "do_train", section: "method", kind: "own" },
  { key: "finetuning_type", section: "method", kind: "choice", options: ["lora", "freeze", "full"], fallback: "lora" },
  { key: "lora_rank", section: "method", kind: "number", min: 1, step: 1, fallback: 8, when: isLora },
  { key: "lora_alpha", section: "method", kind: "number", min: 1, step: 1, fallback: "2 × lora_rank", when: isLora },
  {
    key: "lora_dropout",
    section: "method",
    kind: "number",
    min: 0,
    max: 0.99,
    step: 0.01,
    fallback: 0,
    rare: true,
    when: isLora,
  },
  { key: "lora_target", section: "method", kind: "list", fallback: "all", rare: true, when: isLora },
  { key: "freeze_trainable_layers", section: "method", kind: "number", step: 1, fallback: 2, when: isFreeze },
  {
    key: "pref_beta",
    section: "method",
    kind: "number",
    min: 0,
    step: 0.01,
    fallback: 0.1,
    when: stageIs("dpo", "kto"),
  },
  {
    key: "pref_loss",
    section: "method",
    kind: "choice",
    options: PREFERENCE_LOSSES,
    fallback: "sigmoid",
    when: stageIs("dpo"),
  },
  {
    key: "pref_ftx",
    section: "method",
    kind: "number",
    min: 0,
    step: 0.01,
    fallback: 0,
    rare: true,
    when: stageIs("dpo", "kto"),
  },
  {
    key: "kto_chosen_weight",
    section: "method",
    kind: "number",
    min: 0,
    step: 0.1,
    fallback: 1,
    when: stageIs("kto"),
  },
  {
    key: "kto_rejected_weight",
    section: "method",
    kind: "number",
    min: 0,
    step: 0.1,
    fallback: 1,
    when: stageIs("kto"),
  },

  { key: "dataset", section: "data", kind: "own" },
  { key: "eval_dataset", section: "data", kind: "list", rare: true },
  { key: "dataset_dir", section: "data", kind: "own" },
  { key: "cutoff_len", section: "data", kind: "number", min: 1, step: 1, fallback: 2048 },
  { key: "max_samples", section: "data", kind: "number", min: 1, step: 1, fallback: "∞", rare: true },
  {
    key: "packing",
    section: "data",
    kind: "switch",
    fallback: false,
    rare: true,
    when: both(trains, stageIs("sft", "pt")),
  },

  { key: "output_dir", section: "output", kind: "text" },

  {
    key: "per_device_train_batch_size",
    section: "training",
    kind: "number",
    min: 1,
    step: 1,
    fallback: 8,
    when: trains,
  },
  {
    key: "gradient_accumulation_steps",
    section: "training",
    kind: "number",
    min: 1,
    step: 1,
    fallback: 1,
    when: trains,
  },
  { key: "learning_rate", section: "training", kind: "number", min: 0, fallback: 5e-5, when: trains },
  { key: "num_train_epochs", section: "training", kind: "number", min: 0, fallback: 3, when: trains },
  { key: "max_steps", section: "training", kind: "number", min: -1, step: 1, fallback: -1, rare: true, when: trains },
  {
    key: "lr_scheduler_type",
    section: "training",
    kind: "choice",
    options: SCHEDULES,
    fallback: "linear",
    rare: true,
    when: trains,
  },
  {
    key: "warmup_ratio",
    section: "training",
    kind: "number",
    min: 0,
    max: 1,
    step: 0.01,
    fallback: 0,
    rare: true,
    when: trains,
  },
  { key: "bf16", section: "training", kind: "switch", fallback: false, rare: true, when: trains },
  { key: "save_steps", section: "training", kind: "number", min: 0, fallback: 500, rare: true, when: trains },

  { key: "val_size", section: "evaluation", kind: "number", min: 0, fallback: 0, when: trains },
  { key: "eval_strategy", section: "evaluation", kind: "own" },
  {
    key: "eval_steps",
    section: "evaluation",
    kind: "number",
    min: 0,
    fallback: 500,
    when: both(trains, evaluates),
  },
  { key: "task", section: "questions", kind: "text", when: asks },
  { key: "task_dir", section: "questions", kind: "text", fallback: "evaluation", when: asks },
  { key: "lang", section: "questions", kind: "choice", options: ["en", "zh"], fallback: "en", when: asks },
  { key: "n_shot", section: "questions", kind: "number", min: 0, step: 1, fallback: 5, when: asks },
  { key: "export_format", section: "export", kind: "choice", options: ["safetensors", "gguf"], when: exportsModel },
  {
    key: "export_quantization",
    section: "export",
    kind: "choice",
    options: ["f32", "f16", "bf16", "q8_0", "q6_k", "q4_1", "q4_0", "q4_k_m"],
    when: exportsModel,
  },
  { key: "max_new_tokens", section: "evaluation", kind: "number", min: 1, step: 1, fallback: 1024, when: predicts },
];

/** Those of a section that have a meaning for these values, or stand in the YAML all the same. */
export function fieldsOf(section: Section, values: Values, rare: boolean): Field[] {
  return FIELDS.filter(
    (field) =>
      field.section === section &&
      field.kind !== "own" &&
      (field.rare ?? false) === rare &&
      (!field.when || field.when(values)),
  );
}
