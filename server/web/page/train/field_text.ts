// What the fields of the form mean, beside LLaMA-Factory's names: a label and a hint.
import { language } from "../text";

type Text = [label: string, hint: string];

const ENGLISH: Record<string, Text> = {
  model_name_or_path: ["Base model", "What is trained further"],
  adapter_name_or_path: ["Adapters", "Earlier results to go on from"],
  template: ["Chat template", "How messages become text; automatic is the model's own"],
  stage: ["What to learn", ""],
  finetuning_type: ["How to train", "lora: a small addition; freeze: the last layers; full: everything"],
  lora_rank: ["Size of the addition", "Larger learns more and takes more memory"],
  lora_alpha: ["Strength", "Usually twice the size"],
  lora_dropout: ["Dropout", "Against learning by heart, 0 to 1"],
  lora_target: ["Trained parts", "all, or names of layers"],
  freeze_trainable_layers: ["Trained layers", "Counted from the last; negative: from the first"],
  pref_beta: ["Closeness to the start", "Larger stays nearer to the model it was"],
  pref_loss: ["Kind of loss", "sigmoid is DPO as first published"],
  pref_ftx: ["Share of imitation", "Adds learning the chosen answer itself"],
  kto_chosen_weight: ["Weight of good answers", ""],
  kto_rejected_weight: ["Weight of bad answers", ""],
  dataset: ["Data sets", ""],
  eval_dataset: ["Data sets to evaluate", "Names, with commas between"],
  cutoff_len: ["Longest example", "In tokens; what is longer is cut"],
  max_samples: ["Most rows", "Of each data set"],
  packing: ["Pack short examples", "Several in a row: faster where they are short"],
  output_dir: ["Where it is kept", "The last part is what the result is called"],
  per_device_train_batch_size: ["Examples at once", "More is faster and takes more memory"],
  gradient_accumulation_steps: ["Batches a step", "A step learns from this many batches"],
  learning_rate: ["Learning rate", "How far each step goes"],
  num_train_epochs: ["Passes over the data", ""],
  max_steps: ["Most steps", "In place of passes; -1: no limit"],
  lr_scheduler_type: ["Course of the rate", "How the learning rate falls"],
  warmup_ratio: ["Warm-up", "The part in which the rate rises, 0 to 1"],
  bf16: ["16-bit arithmetic", "Faster, on every CPU"],
  save_steps: ["Checkpoint every", "Steps; below 1: a part of all"],
  val_size: ["Rows held out", "To evaluate: a part (0.1) or a number (100)"],
  eval_steps: ["Evaluate every", "Steps; below 1: a part of all"],
  max_new_tokens: ["Longest answer", "In tokens"],
  task: ["Task", "NAME_SPLIT of a folder in the place of tasks: mmlu_test"],
  task_dir: ["Place of tasks", "The folder with mmlu, ceval, cmmlu or your own"],
  lang: ["Language of the prompts", ""],
  n_shot: ["Examples before a question", ""],
  export_format: ["Kind of files", "Without a choice: as the base model is"],
  export_quantization: ["Precision of a GGUF", "Without a choice: as the base model is"],
};

const CHINESE: Record<string, Text> = {
  model_name_or_path: ["基础模型", "在其上继续训练"],
  adapter_name_or_path: ["适配器", "从之前的结果继续"],
  template: ["对话模板", "消息如何变成文本；自动即模型自带的模板"],
  stage: ["学习内容", ""],
  finetuning_type: ["训练方式", "lora：小型附加参数；freeze：最后几层；full：全部"],
  lora_rank: ["附加参数大小", "越大学得越多，占用内存也越多"],
  lora_alpha: ["强度", "通常为大小的两倍"],
  lora_dropout: ["随机丢弃", "防止死记硬背，0 到 1"],
  lora_target: ["训练部分", "all 或各层名称"],
  freeze_trainable_layers: ["训练层数", "从最后一层算起；负数从第一层算起"],
  pref_beta: ["与原模型的接近程度", "越大越接近原来的模型"],
  pref_loss: ["损失类型", "sigmoid 即最初的 DPO"],
  pref_ftx: ["模仿比例", "同时学习优选回答本身"],
  kto_chosen_weight: ["好回答的权重", ""],
  kto_rejected_weight: ["差回答的权重", ""],
  dataset: ["数据集", ""],
  eval_dataset: ["评估数据集", "名称，用逗号分隔"],
  cutoff_len: ["最长样例", "以词元计，超出部分被截断"],
  max_samples: ["最多行数", "每个数据集"],
  packing: ["合并短样例", "多个样例拼接：样例短时更快"],
  output_dir: ["保存位置", "最后一段即结果的名称"],
  per_device_train_batch_size: ["每批样例数", "越多越快，占用内存也越多"],
  gradient_accumulation_steps: ["每步批数", "每一步从这么多批中学习"],
  learning_rate: ["学习率", "每一步走多远"],
  num_train_epochs: ["数据遍数", ""],
  max_steps: ["最多步数", "代替遍数；-1 表示不限"],
  lr_scheduler_type: ["学习率变化", "学习率如何下降"],
  warmup_ratio: ["预热", "学习率上升的阶段所占比例，0 到 1"],
  bf16: ["16 位运算", "更快，适用于所有 CPU"],
  save_steps: ["保存间隔", "步数；小于 1 表示总步数的比例"],
  val_size: ["留出行数", "用于评估：比例（0.1）或数量（100）"],
  eval_steps: ["评估间隔", "步数；小于 1 表示总步数的比例"],
  max_new_tokens: ["最长回答", "以词元计"],
  task: ["任务", "任务目录中的 名称_划分，例如 mmlu_test"],
  task_dir: ["任务目录", "其中有 mmlu、ceval、cmmlu 或您自己的任务"],
  lang: ["提示语言", ""],
  n_shot: ["题前示例数", ""],
  export_format: ["文件格式", "不选则与基础模型相同"],
  export_quantization: ["GGUF 精度", "不选则与基础模型相同"],
};

const STAGES: Record<string, { en: Text; zh: Text }> = {
  sft: {
    en: ["Answers from examples", "Questions with the answers that the model should give"],
    zh: ["从样例学习回答", "问题与模型应给出的回答"],
  },
  pt: { en: ["Plain text", "Texts to go on writing, without questions"], zh: ["纯文本", "续写的文本，没有问题"] },
  dpo: {
    en: ["Preferences", "Pairs of a better and a worse answer"],
    zh: ["偏好", "较好与较差的回答对"],
  },
  kto: { en: ["Good or bad", "Answers, each marked good or bad"], zh: ["好或坏", "标注为好或坏的回答"] },
  rm: {
    en: ["A judge", "Learns from pairs to give answers a score; it does not chat"],
    zh: ["评分模型", "从回答对中学习打分，不能对话"],
  },
};

export function labelOf(key: string): string {
  return (language.value === "zh" ? CHINESE : ENGLISH)[key]?.[0] ?? key;
}

export function hintOf(key: string): string {
  return (language.value === "zh" ? CHINESE : ENGLISH)[key]?.[1] ?? "";
}

export function stageText(stage: string): Text {
  return STAGES[stage]?.[language.value] ?? [stage, ""];
}
