// Why a job failed, as a person would say it, then its own words.
import type { JobDetails } from "../api/jobs";
import { AsNewButton } from "./job_head";
import { useProcessLog } from "./job_log";
import { t } from "./text";

const LAST_LINES = 12;

const BY_CODE: Record<string, Parameters<typeof t>[0]> = {
  not_found: "failedMissing",
  invalid_argument: "failedInvalid",
  failed_precondition: "failedInvalid",
  invalid_training_file: "failedInvalid",
  resource_exhausted: "failedMemory",
  out_of_memory: "failedMemory",
  data_corruption: "failedData",
};

export function JobFailure({ job }: { job: JobDetails }) {
  const written = useProcessLog(job);
  const { code, message } = job.error ?? { code: null, message: "" };
  const last = written.split("\n").slice(-LAST_LINES).join("\n");
  const isSaid = !last.includes("\n") && last.includes(message);
  return (
    <section class="failure-box" role="alert">
      <h2>{t("failedTitle")}</h2>
      <p>{t(BY_CODE[code ?? ""] ?? "failedCrash")}</p>
      {message && <p class="reason">{message}</p>}
      {last && !isSaid && (
        <details>
          <summary>{t("lastLines")}</summary>
          <pre class="output">{last}</pre>
        </details>
      )}
      <AsNewButton job={job} primary />
    </section>
  );
}
