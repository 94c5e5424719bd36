// Where a job stands, as a picture and a word.
import { Ban, CircleCheck, CircleDashed, CirclePause, CirclePlay, CircleX, type IconNode } from "lucide";
import type { Job, JobState } from "../api/jobs";
import { Icon } from "../parts/icon";
import { t } from "./text";

const ICONS: Record<JobState, IconNode> = {
  validating: CircleDashed,
  queued: CircleDashed,
  running: CirclePlay,
  paused: CirclePause,
  succeeded: CircleCheck,
  failed: CircleX,
  cancelled: Ban,
};

function wordOf({ status, wanted }: Job): string {
  if (wanted === "paused") return t("pausing");
  if (wanted === "cancelled") return t("cancelling");
  return t(status);
}

export function JobStateView({ job }: { job: Job }) {
  return (
    <span class={`job-state ${job.status}`}>
      <Icon of={ICONS[job.status] ?? CircleDashed} size={14} />
      {wordOf(job)}
    </span>
  );
}
