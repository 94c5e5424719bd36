// Whether the daemon would take the draft: asked a moment after the last change.
import { effect, signal } from "@preact/signals";
import { ApiError, isAbort } from "../api/client";
import { previewExamples } from "../api/datasets";
import { workingDirectory } from "./datasets";
import { draft, read } from "./draft";
import { listOf } from "./yaml_spec";

export type Check =
  /** Nothing to say, as the YAML is empty or is not YAML. */
  | { state: "none" }
  | { state: "incomplete"; lacks: "model" | "data" }
  | { state: "checking" }
  | { state: "good"; warnings: string[] }
  | { state: "bad"; message: string };

export const check = signal<Check>({ state: "none" });
const AFTER_MS = 500;

let timer = 0;
let asked: AbortController | undefined;

async function ask(spec: string, directory: string) {
  const { signal } = (asked = new AbortController());
  try {
    const { warnings } = await previewExamples({ spec, limit: 0, ...(directory ? { directory } : {}) }, signal);
    check.value = { state: "good", warnings };
  } catch (error) {
    if (isAbort(error)) return;
    // What is no refusal (the daemon is away) is found out again by whoever starts the job.
    const isRefusal = error instanceof ApiError && error.status === 400;
    check.value = isRefusal ? { state: "bad", message: error.message } : { state: "none" };
  }
}

function consider() {
  const { spec } = draft.value;
  const directory = workingDirectory();
  const { values, problem } = read.value;
  clearTimeout(timer);
  asked?.abort();
  const hasData = listOf(values.dataset).length + listOf(values.eval_dataset).length > 0;
  if (!spec || problem) check.value = { state: "none" };
  else if (!values.model_name_or_path) check.value = { state: "incomplete", lacks: "model" };
  else if (!hasData && !values.export_dir && !values.task) check.value = { state: "incomplete", lacks: "data" };
  else {
    check.value = { state: "checking" };
    timer = window.setTimeout(() => void ask(spec, directory), AFTER_MS);
  }
}

/** While the form is shown; returns how to stop. */
export function keepChecked(): () => void {
  const end = effect(consider);
  return () => {
    end();
    clearTimeout(timer);
    asked?.abort();
  };
}
