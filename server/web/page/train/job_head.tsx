// Where a job stands and what can be done about it.
import { MessageSquare, Package, Pause, Play, Repeat2, Scale, Square } from "lucide";
import { previewExamples } from "../api/datasets";
import { act, isFinal, partDone, type JobDetails } from "../api/jobs";
import { findModel, refreshModels } from "../api/models";
import { newChat } from "../chat/chats";
import { Icon } from "../parts/icon";
import { ProgressBar } from "../parts/progress";
import { notifyError } from "../shell/notices";
import { duration, number, when } from "../text";
import { begin, unusedName } from "./draft";
import type { Followed } from "./followed";
import { JobStateView } from "./job_state";
import { nameOf } from "./jobs";
import { bareSpec, canExport, canPredict, exportSpec, predictionSpec } from "./new_specs";
import { t } from "./text";
import { shortened } from "./yaml_spec";

/** What the job was asked for, without what goes without saying; the daemon tells what that is. */
async function asNew(job: JobDetails): Promise<void> {
  const { spec = "", directory } = job;
  let short = spec;
  try {
    short = shortened(spec, (await previewExamples({ spec: bareSpec(spec), limit: 0 })).spec);
  } catch {
    // the long one will do
  }
  begin(short, unusedName(nameOf(job)), directory ?? "");
}

async function chatWith(model: string): Promise<void> {
  await refreshModels().catch(() => {}); // it may be new to the page
  newChat({ model: findModel(model)?.id ?? model, compare: "" });
}

export function AsNewButton({ job, primary }: { job: JobDetails; primary?: boolean }) {
  if (!job.spec) return null;
  return (
    <button class={primary ? "primary" : ""} onClick={() => void asNew(job)}>
      <Icon of={Repeat2} />
      {t(primary ? "tryAgain" : "useAsNew")}
    </button>
  );
}

function Actions({ followed, job }: { followed: Followed; job: JobDetails }) {
  const { status, wanted, result } = job;
  const ask = (action: "pause" | "resume" | "cancel") =>
    act(job.id, action)
      .then((changed) => followed.changed(changed))
      .catch(notifyError);
  const isOpen = wanted === null && !isFinal(job);
  const model = result?.served_as;
  return (
    <div class="job-actions">
      {model && (
        <button class="primary" onClick={() => void chatWith(model)}>
          <Icon of={MessageSquare} />
          {t("chat")}
        </button>
      )}
      {canPredict(job) && (
        <button
          title={t("evaluateHint")}
          onClick={() => {
            const name = unusedName(`${nameOf(job)}-eval`);
            begin(predictionSpec(job, name), name, job.directory ?? "");
          }}
        >
          <Icon of={Scale} />
          {t("evaluate")}
        </button>
      )}
      {canExport(job) && (
        <button
          title={t("exportHint")}
          onClick={() => {
            const name = unusedName(`${nameOf(job)}-merged`);
            begin(exportSpec(job, name), name, job.directory ?? "");
          }}
        >
          <Icon of={Package} />
          {t("exportModel")}
        </button>
      )}
      {isOpen && status === "paused" && (
        <button class="primary" onClick={() => ask("resume")}>
          <Icon of={Play} />
          {t("resume")}
        </button>
      )}
      {isOpen && status !== "paused" && (
        <button onClick={() => ask("pause")}>
          <Icon of={Pause} />
          {t("pause")}
        </button>
      )}
      {isOpen && (
        <button class="danger" onClick={() => confirm(t("cancelSure", { name: nameOf(job) })) && ask("cancel")}>
          <Icon of={Square} />
          {t("cancel")}
        </button>
      )}
      {isFinal(job) && status !== "failed" && <AsNewButton job={job} />}
    </div>
  );
}

function progressText({ status, progress, started_at: started, finished_at: finished }: JobDetails): string {
  const { phase, step, total_steps: total, epoch, seconds_left: left, tokens_per_second: rate } = progress;
  const isRunning = status === "running";
  const parts: string[] = [];
  if (isRunning && step === undefined) parts.push(t("preparing"));
  if (step !== undefined && total) parts.push(t("stepOf", { step: number(step), total: number(total) }));
  if (epoch !== undefined) parts.push(t("epoch", { epoch: number(epoch, 2) }));
  if (isRunning && phase === "evaluating" && progress.to_evaluate)
    parts.push(t("evaluating", { done: progress.evaluated ?? 0, total: progress.to_evaluate }));
  if (isRunning && left !== undefined && left > 0) parts.push(t("timeLeft", { time: duration(left) }));
  if (isRunning && rate) parts.push(t("rate", { rate: number(rate) }));
  if (started && finished) parts.push(t("took", { time: duration(finished - started) }));
  return parts.join(" · ");
}

export function JobHead({ followed, job }: { followed: Followed; job: JobDetails }) {
  const isWaiting = job.status === "queued" || job.status === "validating";
  const part = partDone(job);
  const hasBar = job.status === "running" || (job.status === "paused" && part !== undefined);
  return (
    <header class="job-head">
      <div class="job-title">
        <h1>{nameOf(job)}</h1>
        <JobStateView job={job} />
      </div>
      <p class="quiet small">
        {t("createdAt", { when: when(job.created_at * 1000) })} · <span class="code">{job.id}</span>
      </p>
      {hasBar && <ProgressBar part={part} label={t("progress")} />}
      <p class="small">{isWaiting ? t("waiting") : progressText(job)}</p>
      <Actions followed={followed} job={job} />
    </header>
  );
}
