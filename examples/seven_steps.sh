#!/usr/bin/env bash
# From a file of instructions to a tuned model and its scores, as LLaMA-Factory's users go about it:
#     examples/seven_steps.sh DATA.json [DIRECTORY]
# DATA.json: alpaca rows (instruction, input, output), such as LLaMA-Factory's data/alpaca_en_demo.json. DIRECTORY (default:
# seven_steps) gets what is made: data/, the adapter in lora/, the answers and scores of base and adapter in predict/.
# Takes `hearth` of the PATH, or $HEARTH; jq and curl. About ten minutes for 1,000 rows on two cores.
set -euo pipefail

data=$(realpath "${1:?usage: $0 DATA.json [DIRECTORY]}") out=${2:-seven_steps}
hearth=${HEARTH:-hearth}
question='Give me three tips for a good night of sleep.'
step() { printf '\n== %s\n' "$*"; }

step '1. Split the rows: a tenth to validate with, a tenth to test, the rest to train'
mkdir -p "$out/data"
cd "$out"
pick() { jq "[to_entries[] | select(.key % 10 | $1) | .value]" "$data" >"data/$2.json"; }
pick '. == 0' test
pick '. == 1' validation
pick '. > 1' train
for part in train validation test; do echo "$part: $(jq length "data/$part.json") rows"; done

step '2. Register them'
jq -n '["train", "validation", "test"] | map({(.): {file_name: "\(.).json"}}) | add' | tee data/dataset_info.json
cat >train.yaml <<'YAML'
model_name_or_path: smollm2-135m-instruct
stage: sft
finetuning_type: lora
lora_rank: 16
lora_target: all
dataset_dir: data
dataset: train
eval_dataset: validation
cutoff_len: 1024
do_train: true
output_dir: lora
overwrite_output_dir: true
logging_steps: 10
eval_strategy: steps
eval_steps: 50
per_device_train_batch_size: 4
gradient_accumulation_steps: 2
learning_rate: 2.0e-4
num_train_epochs: 2.0
lr_scheduler_type: cosine
warmup_ratio: 0.1
bf16: true
plot_loss: true
YAML
cat >predict.yaml <<'YAML'
model_name_or_path: smollm2-135m-instruct
stage: sft
finetuning_type: lora
dataset_dir: data
eval_dataset: test
cutoff_len: 1024
do_predict: true
predict_with_generate: true
max_new_tokens: 256
per_device_eval_batch_size: 8
output_dir: predict/base
overwrite_output_dir: true
YAML
"$hearth" data check train.yaml

step '3. Chat with the base'
"$hearth" chat --set temperature=0 --set max_tokens=128 <<<"$question"

step '4. Serve it'
port=$((20000 + RANDOM % 10000))
"$hearth" serve --port "$port" --state-dir state >serve.log 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null || true' EXIT
until curl -sf "http://127.0.0.1:$port/readyz" >/dev/null; do
  kill -0 "$server" 2>/dev/null || { cat serve.log; exit 1; }
  sleep 0.2
done
jq -n --arg question "$question" '{model: "smollm2-135m-instruct", temperature: 0, max_tokens: 128, messages: [{role: "user", content: $question}]}' |
  curl -sf "http://127.0.0.1:$port/v1/chat/completions" -H 'Content-Type: application/json' -d @- | jq '{model, usage, answer: .choices[0].message.content}'
kill "$server"
wait "$server"

step '5. Train a LoRA adapter'
"$hearth" train train.yaml

step '6. Evaluate: what base and adapter answer to the test rows'
"$hearth" eval predict.yaml
"$hearth" eval predict.yaml adapter_name_or_path=lora output_dir=predict/lora
jq -rn --slurpfile base predict/base/predict_results.json --slurpfile lora predict/lora/predict_results.json '
  ["", "BLEU-4", "ROUGE-1", "ROUGE-2", "ROUGE-L"],
  ({base: $base[0], adapter: $lora[0]} | to_entries[] |
    [.key, (.value["predict_bleu-4", "predict_rouge-1", "predict_rouge-2", "predict_rouge-l"] * 100 | round / 100)]) | @tsv' | tee scores.tsv

step '7. Chat with the adapter'
"$hearth" chat --adapter lora --set temperature=0 --set max_tokens=128 <<<"$question"
