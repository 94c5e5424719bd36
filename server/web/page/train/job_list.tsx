// The jobs, the newest first; several can be chosen to be compared.
import { signal } from "@preact/signals";
import { GitCompareArrows, Plus } from "lucide";
import { partDone, type Job } from "../api/jobs";
import { Icon } from "../parts/icon";
import { usePolling } from "../parts/polling";
import { address, go, place } from "../shell/route";
import { number } from "../text";
import { compareAddress } from "./compare_address";
import { JobStateView } from "./job_state";
import { isSomethingRunning, jobs, jobsKnown, jobsTrouble, nameOf, refreshJobs } from "./jobs";
import { t } from "./text";

const EVERY_MS = 2000;
/** Undefined: nothing is being chosen. */
const chosen = signal<string[] | undefined>(undefined);

function Row({ job }: { job: Job }) {
  const part = job.status === "running" || job.status === "paused" ? partDone(job) : undefined;
  const name = nameOf(job);
  const ids = chosen.value;
  const about = (
    <>
      <span class="job-name">{name}</span>
      <span class="job-about">
        <JobStateView job={job} />
        {part !== undefined && <span>{number(part * 100)} %</span>}
      </span>
    </>
  );
  if (ids) {
    const toggle = (isChosen: boolean) =>
      (chosen.value = isChosen ? [...ids, job.id] : ids.filter((id) => id !== job.id));
    return (
      <li class="row job-row">
        <label>
          <input
            type="checkbox"
            aria-label={t("chooseJob", { name })}
            checked={ids.includes(job.id)}
            onChange={(event) => toggle(event.currentTarget.checked)}
          />
          <span class="job-choice">{about}</span>
        </label>
      </li>
    );
  }
  return (
    <li class="row job-row">
      <a href={address("train", job.id)} aria-current={place.value.id === job.id ? "true" : undefined} title={name}>
        {about}
      </a>
    </li>
  );
}

function CompareFoot() {
  const ids = chosen.value;
  if (!ids)
    return (
      <button class="plain" onClick={() => (chosen.value = [])}>
        <Icon of={GitCompareArrows} size={14} />
        {t("compare")}
      </button>
    );
  return (
    <>
      <button
        disabled={ids.length < 2}
        title={t("compareHint")}
        onClick={() => {
          chosen.value = undefined;
          go("train", compareAddress(ids));
        }}
      >
        {t("compareChosen", { count: ids.length })}
      </button>
      <button class="plain" onClick={() => (chosen.value = undefined)}>
        {t("compareCancel")}
      </button>
    </>
  );
}

export function TrainList() {
  usePolling(refreshJobs, EVERY_MS, isSomethingRunning);
  if (jobsTrouble.value && !jobsKnown.value) return null; // the view says it
  return (
    <>
      <a class="button" href={address("train")} aria-current={place.value.id === "" ? "true" : undefined}>
        <Icon of={Plus} size={16} />
        {t("newTraining")}
      </a>
      <ul class="rows" aria-label={t("jobs")}>
        {jobs.value.map((job) => (
          <Row key={job.id} job={job} />
        ))}
      </ul>
      {jobsKnown.value && jobs.value.length === 0 && <p class="quiet padded">{t("noJobs")}</p>}
      {jobs.value.length > 1 && (
        <div class="list-foot">
          <CompareFoot />
        </div>
      )}
    </>
  );
}
